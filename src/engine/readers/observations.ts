import type { Moment } from '../calendar.ts';
import type { Lookup } from '../lookup.ts';
import { judgeResult, readQuantity } from '../quantities.ts';
import { codingsOf, isObject, isSent, type Json, listOf, referenceKeyOf } from '../resources.ts';
import { describe, keepFindings, noteCompanion, type Statement } from './findings.ts';
import { readOrigin, readSpecimen } from './origins.ts';
import {
  createReading,
  type Entry,
  hasCodeIn,
  keep,
  type Match,
  matchCodings,
  noPlace,
  noteAge,
  ofKind,
  type Pass,
  type Place,
  readMoment,
  readPlace,
} from './pass.ts';
import {
  addMemberQualifiers,
  isCompanion,
  type Qualifiers,
  readCodedQualifiers,
  readMemberQualifiers,
  readQualifiers,
} from './qualifiers.ts';

/** Observations about earlier studies, the history or what to do next: nothing they say is found now. */
const otherMatters: ReadonlySet<unknown> = new Set(['18834-2', '22636-5', '18783-1']);

function isFinal(status: unknown): boolean {
  return status === 'final' || status === 'amended' || status === 'corrected';
}

function isAwaited(status: unknown): boolean {
  return status === 'registered' || status === 'preliminary';
}

/** Never a result: it was not made, or not meant. */
const voidStatuses: ReadonlySet<unknown> = new Set(['cancelled', 'entered-in-error']);

/** @param container The resource an Observation without a date and patient of its own is contained in. */
export function readObservation(pass: Pass, entry: Entry, container = entry.resource, fallback?: Moment): void {
  const { resource, reference } = entry;
  const effective =
    pass.calendar.read(resource.effectiveDateTime) ??
    readMoment(pass, resource.effectivePeriod, resource.effectiveInstant);
  const moment = effective ?? readMoment(pass, resource.issued) ?? fallback;
  noteAge(pass, entry, effective);
  if (voidStatuses.has(resource.status)) return;
  const isValid = isFinal(resource.status);
  // Whether a result holds whose status is unknown, or none there is, is not known: it may be one, and is none.
  const isOpen = !isValid && !isAwaited(resource.status);
  const matches = matchCodings(pass.lookup, resource.code);
  for (const match of matches) {
    if (match.hit.kind !== 'analysis') continue;
    if (isOpen) keep(pass, { ...createReading('result', match, reference, moment), status: 'preliminary' }, moment);
    else if (!isValid) keep(pass, createReading('pending', match, reference, moment), moment);
    else if (hasValue(resource) || hasValidParts(pass, resource, container))
      keepResult(pass, match, resource, reference, moment);
  }
  if (isValid && resource.component !== undefined) {
    for (const component of listOf(resource.component)) {
      if (!isObject(component) || !hasValue(component)) continue;
      for (const match of matchCodings(pass.lookup, component.code)) {
        if (match.hit.kind === 'analysis') keepResult(pass, match, component, reference, moment);
      }
    }
  }
  readObservedFindings(pass, entry, container, matches, moment);
}

const valueMembers = [
  'valueQuantity',
  'valueCodeableConcept',
  'valueString',
  'valueInteger',
  'valueBoolean',
  'valueRange',
  'valueRatio',
  'valueSampledData',
  'valueTime',
  'valueDateTime',
  'valuePeriod',
] as const;

function hasValue(observation: Json): boolean {
  if (isSent(observation.dataAbsentReason)) return false;
  const { valueQuantity } = observation;
  if (isObject(valueQuantity)) return isSent(valueQuantity.value);
  for (const member of valueMembers) {
    const value = observation[member];
    if (!isSent(value)) continue;
    return typeof value !== 'string' || value.trim() !== '';
  }
  return false;
}

/** A panel has a result when one of its parts has; a member that was not read may have one. */
function hasValidParts(pass: Pass, observation: Json, container: Json): boolean {
  if (isSent(observation.dataAbsentReason)) return false;
  if (listOf(observation.component).some((part) => isObject(part) && hasValue(part))) return true;
  return listOf(observation.hasMember).some((link) => {
    const member = pass.resolve(link, container);
    return member === undefined ? referenceKeyOf(link) !== undefined : isFinal(member.status) && hasValue(member);
  });
}

function keepResult(pass: Pass, match: Match, result: Json, reference: string, moment: Moment | undefined): void {
  const reading = createReading('result', match, reference, moment);
  const analysis = pass.options.analyses.get(match.hit.concept);
  if (analysis !== undefined) {
    const quantity = readQuantity(result, match, analysis);
    const { value, atLeast, atMost, open, unit, positive } = quantity;
    if (value !== undefined) reading.value = value;
    if (atLeast !== undefined) reading.atLeast = atLeast;
    if (atMost !== undefined) reading.atMost = atMost;
    if (open !== undefined) reading.open = open;
    if (unit !== undefined) reading.unit = unit;
    if (positive !== undefined) reading.positive = positive;
    Object.assign(reading, judgeResult(result, quantity, analysis, pass.patient));
  }
  keep(pass, reading, moment);
}

function readObservedFindings(
  pass: Pass,
  { resource, reference }: Entry,
  container: Json,
  matches: readonly Match[],
  moment: Moment | undefined,
): void {
  if (resource.status === 'registered') return;
  const { lookup } = pass;
  const answers = ofKind(matchCodings(lookup, resource.valueCodeableConcept), 'condition');
  const questions = matches.length === 0 ? matches : ofKind(matches, 'condition');
  if (answers.length === 0 && questions.length === 0) {
    if (matches.length === 0 && isFinal(resource.status) && isCompanion(lookup, resource)) {
      noteCompanion(pass, resource, moment);
    }
    return;
  }
  if (hasCodeIn(resource.code, otherMatters)) return;

  const qualifiers = readQualifiers(lookup, resource);
  if (qualifiers.presence === 'absent') return;
  for (const link of listOf(resource.hasMember)) {
    const member = pass.resolve(link, container);
    if (member !== undefined) addMemberQualifiers(qualifiersOfMember(pass, member), qualifiers);
  }
  const source = findSource(pass, resource);
  if (source === undefined) return;
  const specimen = source.origin === 'pathology' ? readSpecimen(pass, resource) : noPlace;
  const bodySite = readPlace(lookup, resource.bodySite);
  const own = specimen.sites.length > 0 ? specimen : bodySite;
  const isRecorded = own.sites.length > 0 || own.otherSite !== undefined;
  const isOpen = !isFinal(resource.status) || qualifiers.presence === 'undecided' || source.isPreliminary;
  const statement: Statement = {
    reference,
    moment,
    // The day of an examination is not the day it began; a period says when it did
    onset: isObject(resource.effectivePeriod) ? pass.calendar.read(resource.effectivePeriod.start) : undefined,
    status: isOpen ? 'preliminary' : 'final',
    origin: source.origin,
    group: source.group,
    place: { ...(isRecorded ? own : source.specimen), side: own.side ?? bodySite.side ?? qualifiers.side },
    qualifiers,
    study: source.study,
    modality: source.modality,
    region: source.region,
  };
  const found = isStated(lookup, resource, qualifiers) ? [...questions, ...answers] : answers;
  keepFindings(pass, found, statement);
  if (statement.origin !== 'examination' || statement.status !== 'final') return;
  for (const match of found) {
    const reading = createReading('condition', match, reference, moment);
    reading.status = 'active';
    reading.statusGiven = false;
    describe(pass, reading, match, statement);
    keep(pass, reading, moment);
  }
}

/** A finding as code is stated without a value, by "present", or by a value that only says more of it; any other value answers a question. */
function isStated(lookup: Lookup, observation: Json, { presence }: Qualifiers): boolean {
  if (isSent(observation.dataAbsentReason)) return false;
  if (presence !== undefined) return true;
  if (!valueMembers.some((member) => isSent(observation[member]))) return true;
  return Object.keys(readCodedQualifiers(lookup, codingsOf(observation.valueCodeableConcept), {})).length > 0;
}

function qualifiersOfMember(pass: Pass, member: Json): Qualifiers {
  let found = pass.memberQualifiers.get(member);
  if (found === undefined) {
    found = isFinal(member.status) ? readMemberQualifiers(pass.lookup, member) : {};
    pass.memberQualifiers.set(member, found);
  }
  return found;
}

interface FindingSource extends Pick<Statement, 'origin' | 'group' | 'study' | 'modality' | 'region'> {
  isPreliminary: boolean;
  specimen: Place;
}

/** Where the finding of an Observation comes from; undefined where that was cancelled or entered in error. */
function findSource(pass: Pass, observation: Json): FindingSource | undefined {
  const links = [...listOf(observation.derivedFrom), ...listOf(observation.partOf)].map(referenceKeyOf);
  const studies = links.filter((key) => key?.startsWith('ImagingStudy/'));
  const report = pass.reportOf.get(observation) ?? pass.reportOf.get(`Observation/${observation.id}`);
  if (studies.length > 0) {
    const study = studies.find((key) => key !== undefined && pass.studies.get(key)?.isVoid !== true);
    if (study === undefined) return undefined;
    const known = pass.studies.get(study);
    return {
      origin: 'imaging',
      group: study,
      study,
      modality: known?.modality ?? report?.modality,
      region: known?.region ?? report?.region,
      isPreliminary: false,
      specimen: noPlace,
    };
  }
  if (report?.status === 'void') return undefined;
  return {
    origin: report?.origin ?? readOrigin(pass, observation, false, []) ?? 'examination',
    group: report?.group,
    study: report?.study,
    modality: report?.modality,
    region: report?.region,
    isPreliminary: report?.origin !== undefined && report.status === 'preliminary',
    specimen: report?.specimen ?? noPlace,
  };
}
