import type { Lookup } from '../lookup.ts';
import { codingsOf, isObject, isSent, type Json, listOf } from '../resources.ts';
import type { Reading } from '../types.ts';

/** What stands beside a finding and says more of it. */
export interface Qualifiers extends Pick<Reading, 'count' | 'side' | 'size' | 'tender'> {
  /** Whether the thing asked for is there; absent: not said. */
  presence?: Presence;
  suspected?: boolean;
}

export type Presence = 'present' | 'absent' | 'undecided';

type Qualifier = { member: 'presence'; value: Presence } | { member: 'count'; value: 'solitary' | 'multiple' } | Side;
type Side = { member: 'side'; value: 'left' | 'right' | 'both' } | { member: 'suspected' } | { member: 'tender' };

const entries = <T>(codes: string[], value: T): [string, T][] => codes.map((code) => [code, value]);

/** SNOMED CT values. */
const qualifierOfCode: ReadonlyMap<string, Qualifier> = new Map<string, Qualifier>([
  ...entries(['52101004', '10828004', '260373001'], { member: 'presence', value: 'present' } as const),
  ...entries(['2667000', '272519000', '410516002', '260385009', '260415000'], {
    member: 'presence',
    value: 'absent',
  } as const),
  ...entries(['82334004', '42425007', '419984006', '261665006'], { member: 'presence', value: 'undecided' } as const),
  ['50607009', { member: 'count', value: 'solitary' }],
  ...entries(['255204007', '260396001'], { member: 'count', value: 'multiple' } as const),
  ...entries(['7771000', '419161000'], { member: 'side', value: 'left' } as const),
  ...entries(['24028007', '419465000'], { member: 'side', value: 'right' } as const),
  ['51440002', { member: 'side', value: 'both' }],
  ['415684004', { member: 'suspected' }],
  ['247348008', { member: 'tender' }],
]);

/** RadLex values: its codes are met under several URIs and look like no other system's. */
const radlexOfCode: ReadonlyMap<string, Qualifier> = new Map<string, Qualifier>([
  ['RID28472', { member: 'presence', value: 'present' }],
  ['RID28473', { member: 'presence', value: 'absent' }],
  ['RID5762', { member: 'count', value: 'solitary' }],
  ['RID5765', { member: 'count', value: 'multiple' }],
]);

const presenceOfInterpretation: ReadonlyMap<unknown, Presence> = new Map([
  ['POS', 'present'],
  ['DET', 'present'],
  ['NEG', 'absent'],
  ['ND', 'absent'],
  ['IND', 'undecided'],
]);

const quantityAttribute = '246205007';
const presenceAttribute = '705057003';
const tendernessFinding = '247348008';
/** Codes of an Observation that states the size of a lesion described elsewhere. */
const sizeCodes: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['sct', new Set(['246116008', '246115007', '81827009', '103339001', '103340004', '410668003', '103355008'])],
  ['loinc', new Set(['21889-1', '33728-7', '33729-5', '44629-4', '44635-1'])],
]);

const millimetres: ReadonlyMap<unknown, number> = new Map([
  ['mm', 1],
  ['cm', 10],
  ['dm', 100],
  ['m', 1000],
  ['um', 0.001],
  ['[in_i]', 25.4],
]);

/** Adds what the codings of one or more CodeableConcepts say. */
export function readCodedQualifiers(lookup: Lookup, codings: readonly unknown[], into: Qualifiers): Qualifiers {
  for (const coding of codings) {
    if (!isObject(coding) || typeof coding.code !== 'string') continue;
    const qualifier = isSnomed(lookup, coding) ? qualifierOfCode.get(coding.code) : radlexOfCode.get(coding.code);
    if (qualifier === undefined) continue;
    switch (qualifier.member) {
      case 'presence':
        into.presence = qualifier.value;
        break;
      case 'count':
        into.count = qualifier.value;
        break;
      case 'side':
        into.side = into.side !== undefined && into.side !== qualifier.value ? 'both' : qualifier.value;
        break;
      case 'suspected':
        into.suspected = true;
        break;
      case 'tender':
        into.tender = true;
        break;
    }
  }
  return into;
}

/** Reads what an Observation says of the finding it states: its value, its interpretation, its components, the extension `finding-count`. */
export function readQualifiers(lookup: Lookup, observation: Json): Qualifiers {
  const found: Qualifiers = {};
  readCodedQualifiers(lookup, codingsOf(observation.code), found);
  readCodedQualifiers(lookup, codingsOf(observation.valueCodeableConcept), found);
  if (typeof observation.valueBoolean === 'boolean') found.presence = observation.valueBoolean ? 'present' : 'absent';
  for (const coding of codingsOf(observation.interpretation)) {
    const presence = isObject(coding) ? presenceOfInterpretation.get(coding.code) : undefined;
    if (presence !== undefined) found.presence ??= presence;
  }
  for (const part of listOf(observation.component)) if (isObject(part)) readPart(lookup, part, found);
  readCountExtension(lookup, observation, found);
  return found;
}

/** Reads what an Observation says of a finding it is a member or a companion of, as if it were a component. */
export function readMemberQualifiers(lookup: Lookup, observation: Json): Qualifiers {
  const found: Qualifiers = {};
  readPart(lookup, observation, found);
  for (const part of listOf(observation.component)) if (isObject(part)) readPart(lookup, part, found);
  return found;
}

/** Adds to a finding what one of its members says. */
export function addMemberQualifiers(member: Qualifiers, into: Qualifiers): void {
  const { count, side, size, tender, suspected } = member;
  if (count !== undefined) into.count = count;
  if (side !== undefined) into.side = side;
  if (tender !== undefined) into.tender = tender;
  if (suspected) into.suspected = true;
  if (size !== undefined && size > (into.size ?? 0)) into.size = size;
}

function readPart(lookup: Lookup, part: Json, into: Qualifiers): void {
  const values = codingsOf(part.valueCodeableConcept);
  const said = readCodedQualifiers(lookup, values, {});
  const answer = typeof part.valueBoolean === 'boolean' ? part.valueBoolean : readAnswer(said.presence);
  if (hasCode(lookup, part.code, tendernessFinding)) {
    if (answer !== undefined) into.tender = answer;
  } else if (hasCode(lookup, part.code, presenceAttribute) && said.presence !== undefined) {
    into.presence = said.presence;
  } else if (hasCode(lookup, part.code, quantityAttribute)) {
    const number = part.valueInteger ?? (isObject(part.valueQuantity) ? part.valueQuantity.value : undefined);
    setCount(number, into);
  }
  if (said.count !== undefined) into.count = said.count;
  if (said.side !== undefined) into.side = said.side;
  if (said.suspected) into.suspected = true;
  if (said.tender) into.tender = true;
  setSize(part.valueQuantity, into);
}

function readAnswer(presence: Presence | undefined): boolean | undefined {
  return presence === undefined || presence === 'undecided' ? undefined : presence === 'present';
}

/** The count an extension `finding-count` states: a number, or a coded solitary or multiple. */
export function readCountExtension(lookup: Lookup, resource: Json, into: Qualifiers): void {
  for (const extension of listOf(resource.extension)) {
    if (!isObject(extension) || typeof extension.url !== 'string' || !extension.url.endsWith('/finding-count'))
      continue;
    setCount(extension.valueInteger, into);
    const said = readCodedQualifiers(lookup, codingsOf(extension.valueCodeableConcept), {});
    if (said.count !== undefined) into.count = said.count;
  }
}

function setCount(number: unknown, into: Qualifiers): void {
  if (typeof number === 'number' && number >= 1) into.count = number === 1 ? 'solitary' : 'multiple';
}

/** The largest dimension wins. A comparator leaves the size open, and 0 is no lesion's. */
function setSize(quantity: unknown, into: Qualifiers): void {
  if (!isObject(quantity) || typeof quantity.value !== 'number' || isSent(quantity.comparator)) return;
  const factor = millimetres.get(quantity.code) ?? millimetres.get(quantity.unit);
  const size = factor === undefined ? 0 : quantity.value * factor;
  if (size > 0 && Number.isFinite(size) && size > (into.size ?? 0)) into.size = size;
}

/** Whether an Observation states nothing but the size or the tenderness of something described elsewhere. */
export function isCompanion(lookup: Lookup, observation: Json): boolean {
  return codingsOf(observation.code).some(
    (coding) =>
      isObject(coding) &&
      typeof coding.code === 'string' &&
      (coding.code === tendernessFinding
        ? isSnomed(lookup, coding)
        : (sizeCodes.get(lookup.nameSystem(systemOf(coding)) ?? '')?.has(coding.code) ?? false)),
  );
}

function hasCode(lookup: Lookup, concept: unknown, code: string): boolean {
  return codingsOf(concept).some((coding) => isObject(coding) && coding.code === code && isSnomed(lookup, coding));
}

function isSnomed(lookup: Lookup, coding: Json): boolean {
  return lookup.nameSystem(systemOf(coding)) === 'sct';
}

function systemOf(coding: Json): string | undefined {
  return typeof coding.system === 'string' ? coding.system : undefined;
}
