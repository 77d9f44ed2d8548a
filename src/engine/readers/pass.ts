import type { Calendar, Moment } from '../calendar.ts';
import type { Hit, HitKind, Lookup } from '../lookup.ts';
import type { CompiledAnalysis } from '../quantities.ts';
import { codingsOf, isObject, type Json, listOf, referenceKeyOf, textOf } from '../resources.ts';
import type { KeyReport, Patient, Reading, ReadingKind } from '../types.ts';
import type { Finding } from './findings.ts';
import { type Qualifiers, readCodedQualifiers } from './qualifiers.ts';

/** What reading a chart needs beside the resources. */
export interface ChartOptions {
  lookup: Lookup;
  /** By concept. */
  analyses: ReadonlyMap<string, CompiledAnalysis>;
  /** The resource type each prefetch key asks for. */
  types: Readonly<Record<string, string>>;
  /** Day of the decision, `YYYY-MM-DD`, Europe/Copenhagen. */
  today: string;
  patientId: string;
  /** `context.draftOrders`. */
  drafts?: unknown;
  /** `context.selections`: references of drafts. */
  selections?: readonly string[];
  /** Every draft counts as selected. */
  allSelected?: boolean;
}

/** A resource of this patient and where it came from. */
export interface Entry {
  resource: Json;
  /** `Type/id`, or `Type/#n` without a readable id. */
  reference: string;
  key: KeyReport;
  /** It is of the type the key asks for, and stands in its list itself: it shows how far back that goes. */
  isListed: boolean;
  isDraft: boolean;
}

/** Why a finding of a study is read the way it is. */
export interface Study {
  isVoid: boolean;
  modality: string | undefined;
  /** Where that is one organ. */
  region: string | undefined;
}

export interface Report extends Omit<Study, 'isVoid'> {
  status: 'final' | 'preliminary' | 'void';
  origin: 'imaging' | 'pathology' | undefined;
  study: string | undefined;
  /** What its findings are counted within: the study, else the report. */
  group: string;
  specimen: Place;
  moment: Moment | undefined;
}

/** Where something is, as a bodySite says it. */
export interface Place {
  /** With the regions each lies in. */
  sites: readonly string[];
  /** Without them. */
  direct: readonly string[];
  side: Reading['side'];
  /** The code of a site that was not understood. */
  otherSite: string | undefined;
}

export const noPlace: Place = { sites: [], direct: [], side: undefined, otherSite: undefined };

/** Something done or ordered that may be a part of something larger. */
export interface Part {
  reading: Reading;
  order: number;
  together: readonly string[];
}

export interface Pass {
  options: ChartOptions;
  lookup: Lookup;
  calendar: Calendar;
  patient: Patient;
  keys: Record<string, KeyReport>;
  ofType(type: string): readonly Entry[];
  /** The resource a reference of `container` points at, when it was read and is of this patient. */
  resolve(reference: unknown, container: Json): Json | undefined;
  studies: Map<string, Study>;
  /** Studies by the order they were made for. */
  studyOfOrder: Map<string, string>;
  /** The report an Observation is a result of. */
  reportOf: Map<unknown, Report>;
  findings: Finding[];
  parts: Part[];
  /** Size and tenderness stated apart from the finding, by day and site. */
  companions: Map<string, Qualifiers>;
  memberQualifiers: Map<Json, Qualifiers>;
  /** Courses of medication already read. */
  medications: Set<string>;
  /** `Type/id` of the drafts named in the context. */
  selections: ReadonlySet<string | undefined>;
  /** Keys that were cut off and do not come newest first. */
  unsorted: Set<KeyReport>;
  readings: Reading[];
  /** Position of each reading in time. */
  orders: number[];
}

export const undated = Number.NEGATIVE_INFINITY;

export const cprSystem = 'cpr';

/** A concept and the coding it was found by. */
export interface Match {
  hit: Hit;
  system: string;
  code: string;
  /** One of the codings says that it is suspected. */
  isSuspected: boolean;
  /** Sites of the concepts its code says less precisely, where another coding names them. */
  impliedSites?: readonly string[];
}

const noMatches: readonly Match[] = [];

/** The concepts of one or more CodeableConcepts, each once: an exact code is preferred, and among those of an analysis NPU, which fixes the unit. */
export function matchCodings(lookup: Lookup, concepts: unknown): readonly Match[] {
  let matches: Match[] | undefined;
  for (const coding of codingsOf(concepts)) {
    if (!isObject(coding) || typeof coding.code !== 'string' || typeof coding.system !== 'string') continue;
    const hits = lookup.findConcepts(coding.system, coding.code);
    if (hits.length === 0) continue;
    const system = lookup.nameSystem(coding.system) ?? '';
    for (const hit of hits) {
      const match: Match = { hit, system, code: coding.code, isSuspected: hit.suspicion };
      if (matches === undefined) matches = [match];
      else addMatch(matches, match);
    }
  }
  return matches === undefined ? noMatches : locateBroader(lookup, concepts, preferExact(matches));
}

/** A code without a site, beside an exact code of the same at a site, is at that site. */
function locateBroader(lookup: Lookup, concepts: unknown, matches: readonly Match[]): readonly Match[] {
  if (matches.length < 2) return matches;
  const located = matches.filter(({ hit }) => hit.kind === 'condition' && hit.exact && lookup.siteOf(hit.concept));
  if (located.length === 0) return matches;
  for (const coding of codingsOf(concepts)) {
    if (!isObject(coding) || typeof coding.code !== 'string') continue;
    const hits = lookup.findConcepts(textOf(coding.system), coding.code);
    const precise = located.filter(({ hit }) => hits.some(({ concept, exact }) => !exact && concept === hit.concept));
    if (precise.length === 0) continue;
    const sites = precise.flatMap(({ hit }) => lookup.siteOf(hit.concept) ?? []);
    const system = lookup.nameSystem(textOf(coding.system));
    for (const match of matches) if (match.code === coding.code && match.system === system) match.impliedSites = sites;
  }
  return matches;
}

/** A broader code only counts alone: beside an exact code of another system it is the same diagnosis said less precisely. */
function preferExact(matches: readonly Match[]): readonly Match[] {
  const exact = matches.filter(({ hit }) => hit.kind === 'condition' && hit.exact);
  if (exact.length === 0) return matches;
  return matches.filter(
    ({ hit, system, code }) =>
      hit.kind !== 'condition' || hit.exact || exact.some((other) => other.system === system && other.code === code),
  );
}

function addMatch(matches: Match[], match: Match): void {
  const { concept, kind, role, exact } = match.hit;
  const at = matches.findIndex(({ hit }) => hit.concept === concept && hit.kind === kind && hit.role === role);
  const known = matches[at];
  if (known === undefined) {
    matches.push(match);
    return;
  }
  const isBetter =
    exact === known.hit.exact ? kind === 'analysis' && match.system === 'npu' && known.system !== 'npu' : exact;
  match.isSuspected ||= known.isSuspected;
  if (isBetter) matches[at] = match;
  else known.isSuspected = match.isSuspected;
}

export function ofKind(matches: readonly Match[], kind: HitKind): readonly Match[] {
  return matches.filter(({ hit }) => hit.kind === kind);
}

/** The first date among members that hold a date or a Period; of a Period its start. */
export function readMoment(pass: Pass, ...members: unknown[]): Moment | undefined {
  for (const member of members) {
    if (member === undefined || member === null) continue;
    const moment = isObject(member)
      ? (pass.calendar.read(member.start) ?? pass.calendar.read(member.end))
      : pass.calendar.read(member);
    if (moment !== undefined) return moment;
  }
  return undefined;
}

/**
 * Notes how far back the list of a key goes.
 *
 * One that was cut off has to come newest first: else what was left out may be newer than its oldest entry, and
 * nothing is noted.
 *
 * @param moment What servers sort by; undefined is passed over.
 */
export function noteAge({ unsorted }: Pass, { key, isListed }: Entry, moment: Moment | undefined): void {
  if (!isListed || moment === undefined || unsorted.has(key)) return;
  const { daysAgo } = moment;
  const oldest = key.oldestDaysAgo ?? Number.NEGATIVE_INFINITY;
  if (daysAgo >= oldest) key.oldestDaysAgo = daysAgo;
  else if (key.state === 'truncated') {
    unsorted.add(key);
    delete key.oldestDaysAgo;
  }
}

export function createReading(
  kind: ReadingKind,
  { hit, system, code }: Pick<Match, 'hit' | 'system' | 'code'>,
  reference: string,
  moment: Moment | undefined,
): Reading {
  const reading: Reading = { kind, concept: hit.concept, exact: hit.exact, reference, system, code };
  if (moment !== undefined) {
    reading.date = moment.date;
    reading.daysAgo = moment.daysAgo;
  }
  return reading;
}

export function keep(pass: Pass, reading: Reading, moment: Moment | undefined): void {
  pass.readings.push(reading);
  pass.orders.push(moment?.order ?? undated);
}

export function readPlace(lookup: Lookup, bodySite: unknown): Place {
  const codings = codingsOf(bodySite);
  const { side } = readCodedQualifiers(lookup, codings, {});
  const direct = new Set<string>();
  let otherSite: string | undefined;
  for (const coding of codings) {
    if (!isObject(coding) || typeof coding.code !== 'string') continue;
    const hits = lookup.findConcepts(textOf(coding.system), coding.code).filter(({ kind }) => kind === 'site');
    for (const { concept } of hits) direct.add(concept);
    const isSide = readCodedQualifiers(lookup, [coding], {}).side !== undefined;
    if (hits.length === 0 && !isSide) otherSite ??= `${textOf(coding.system)}|${coding.code}`;
  }
  const sites = new Set([...direct].flatMap((site) => lookup.regionsOf(site)));
  return { sites: [...sites], direct: [...direct], side, otherSite: direct.size > 0 ? undefined : otherSite };
}

/**
 * Gives a reading its site: as recorded, else as an exact code implies it, else as a more precise code beside it does,
 * else the region of the study where it is one organ.
 */
export function locate(
  pass: Pass,
  reading: Reading,
  place: Place,
  match: Pick<Match, 'hit' | 'impliedSites'>,
  region?: string,
): void {
  const { hit, impliedSites } = match;
  const implied = hit.exact ? pass.lookup.siteOf(hit.concept) : undefined;
  const site = implied ?? (place.otherSite === undefined ? region : undefined);
  const sites = implied === undefined && impliedSites !== undefined ? impliedSites : site === undefined ? [] : [site];
  reading.sites = place.sites.length > 0 ? [...place.sites] : sites.flatMap((each) => pass.lookup.regionsOf(each));
  if (place.side !== undefined) reading.side = place.side;
}

export function keepDone(
  pass: Pass,
  match: Match,
  { resource, reference }: Entry,
  moment: Moment | undefined,
  status: string | undefined,
  place: Place,
): void {
  const reading = createReading('done', match, reference, moment);
  if (status !== undefined) reading.status = status;
  locate(pass, reading, place, match);
  keep(pass, reading, moment);
  const orders = listOf(resource.basedOn).map((order) => `order ${referenceKeyOf(order)}`);
  const day = moment === undefined ? [] : [`day ${moment.date}`];
  addPart(pass, reading, moment, [`self ${reference}`, ...day, ...orders]);
}

export function addPart(pass: Pass, reading: Reading, moment: Moment | undefined, together: readonly string[]): void {
  if (reading.exact) pass.parts.push({ reading, order: moment?.order ?? undated, together });
}

export function knownStatus(status: unknown, known: ReadonlySet<unknown>): string | undefined {
  return typeof status === 'string' && known.has(status) ? status : undefined;
}

export function hasCodeIn(concepts: unknown, codes: ReadonlySet<unknown>): boolean {
  return codingsOf(concepts).some((coding) => isObject(coding) && codes.has(coding.code));
}

export function keepMarker(
  pass: Pass,
  match: Match,
  reference: string,
  moment: Moment | undefined,
  status: string | undefined,
): void {
  const { role, stage } = match.hit;
  const reading = createReading('marker', match, reference, moment);
  if (role !== undefined) reading.role = role;
  if (stage !== undefined) reading.stage = stage;
  if (status !== undefined) reading.status = status;
  reading.draft = false;
  reading.selected = false;
  keep(pass, reading, moment);
}
