import { type Calendar, createCalendar, type Moment, measureAge } from './calendar.ts';
import type { Hit, HitKind, Lookup } from './lookup.ts';
import {
  addMemberQualifiers,
  isCompanion,
  type Qualifiers,
  readCodedQualifiers,
  readCountExtension,
  readMemberQualifiers,
  readQualifiers,
} from './qualifiers.ts';
import { type CompiledAnalysis, judgeResult, readQuantity } from './quantities.ts';
import { readReferralContent } from './referral-content.ts';
import { codingsOf, isFhirId, isObject, type Json, listOf, referenceKeyOf, statusCodeOf, textOf } from './resources.ts';
import { isNeurologyCoding, isNeurologyName, neurology } from './specialties.ts';
import type { Chart, KeyReport, Patient, Reading, ReadingKind, Sources } from './types.ts';

/** What reading a chart needs beside the resources. */
export interface ChartOptions {
  lookup: Lookup;
  /** By concept. */
  analyses: ReadonlyMap<string, CompiledAnalysis>;
  /** Day of the decision, `YYYY-MM-DD`, Europe/Copenhagen. */
  today: string;
  patientId: string;
  /** `context.draftOrders`. */
  drafts?: unknown;
  /** `context.selections`: references of drafts. */
  selections?: readonly string[];
  /** Every draft counts as selected. */
  allSelected?: boolean;
  /** Codes of the client's own: `system|code` to a pathway (a referral to it) or to anything else that can be ordered. */
  referralCodes?: ReadonlyMap<string, string>;
}

/** Concept of encounters, which have none of their own. */
export const anyEncounter = 'encounter';
/** Concept every medication has, beside those of its drug groups. */
export const anyMedication = 'medication';
/** Concept of a medication whose class its codes do not tell: it may belong to any drug group, so it is never exact. */
export const unclassifiedMedication = 'unclassified-medication';

/**
 * Reads all resources in one pass into a chart.
 *
 * Never throws on a resource, whatever it looks like: what cannot be read is passed over, what names another patient
 * or none is dropped and counted. Readings stand newest first, also within a day; those without a date last.
 *
 * @throws RangeError when `today` is not a date.
 * @see contract.md section 2, clinical-decisions.md section 0
 */
export function readChart(sources: Sources, options: ChartOptions): Chart {
  const pass = gatherResources(sources, options);
  for (const entry of pass.ofType('ImagingStudy')) readStudy(pass, entry);
  for (const entry of pass.ofType('DiagnosticReport')) readReport(pass, entry);
  for (const entry of pass.ofType('Observation')) readObservation(pass, entry);
  for (const entry of pass.ofType('Condition')) readCondition(pass, entry);
  for (const entry of pass.ofType('ServiceRequest')) readServiceRequest(pass, entry);
  for (const entry of pass.ofType('Procedure')) readProcedure(pass, entry);
  for (const entry of pass.ofType('MedicationRequest')) readMedication(pass, entry);
  for (const entry of pass.ofType('MedicationStatement')) readMedication(pass, entry);
  readEncounters(pass);
  applyCompanions(pass);
  stampCounts(pass);
  combineParts(pass);
  return { today: options.today, patient: pass.patient, keys: pass.keys, readings: sortNewestFirst(pass) };
}

/** A resource of this patient and where it came from. */
interface Entry {
  resource: Json;
  /** `Type/id`, or `Type/#n` without a readable id. */
  reference: string;
  key: KeyReport;
  isDraft: boolean;
}

/** Why a finding of a study is read the way it is. */
interface Study {
  isVoid: boolean;
  modality: string | undefined;
  /** Where that is one organ. */
  region: string | undefined;
}

interface Report extends Omit<Study, 'isVoid'> {
  status: 'final' | 'preliminary' | 'void';
  origin: 'imaging' | 'pathology' | undefined;
  study: string | undefined;
  specimen: Place;
  moment: Moment | undefined;
}

/** Where something is, as a bodySite says it. */
interface Place {
  /** With the regions each lies in. */
  sites: readonly string[];
  /** Without them. */
  direct: readonly string[];
  side: Reading['side'];
  /** The code of a site that was not understood. */
  otherSite: string | undefined;
}

/** What all findings of one statement share. */
interface Statement {
  reference: string;
  moment: Moment | undefined;
  onset: Moment | undefined;
  status: 'final' | 'preliminary';
  origin: NonNullable<Reading['origin']>;
  /** The study or report it belongs to. */
  group: string | undefined;
  place: Place;
  qualifiers: Qualifiers;
  study: string | undefined;
  modality: string | undefined;
  region: string | undefined;
}

/** A finding with what is only needed until all findings are known. */
interface Finding {
  reading: Reading;
  statement: Statement;
}

/** Something done or ordered that may be a part of something larger. */
interface Part {
  reading: Reading;
  order: number;
  together: readonly string[];
}

const noPlace: Place = { sites: [], direct: [], side: undefined, otherSite: undefined };

interface Pass {
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
  medications: Set<string>;
  readings: Reading[];
  /** Position of each reading in time. */
  orders: number[];
}

const undated = Number.NEGATIVE_INFINITY;

// --- Gathering: whose resource is it, and was it read before? ---

/** Types that have to name their patient; others (Medication, Organization …) belong to none. */
const patientTypes: ReadonlySet<string> = new Set([
  'Communication',
  'Condition',
  'Consent',
  'DiagnosticReport',
  'Encounter',
  'ImagingStudy',
  'MedicationRequest',
  'MedicationStatement',
  'Observation',
  'Procedure',
  'ServiceRequest',
]);

const noEntries: readonly Entry[] = [];

function gatherResources(sources: Sources, options: ChartOptions): Pass {
  const { lookup, patientId } = options;
  const entries = new Map<string, Entry[]>();
  const byReference = new Map<string, Json>();
  const keys: Record<string, KeyReport> = {};
  let patient: Json | undefined;

  const add = (resource: unknown, key: KeyReport, isDraft: boolean): void => {
    if (!isObject(resource) || typeof resource.resourceType !== 'string') return;
    const type = resource.resourceType;
    if (type === 'OperationOutcome') return;
    if (!isOfPatient(resource, type, patientId)) {
      key.dropped++;
      return;
    }
    if (type === 'Patient') {
      patient ??= resource;
      return;
    }
    let list = entries.get(type);
    if (list === undefined) {
      list = [];
      entries.set(type, list);
    }
    let reference = `${type}/#${list.length + 1}`;
    if (typeof resource.id === 'string' && resource.id !== '') {
      const named = `${type}/${resource.id}`;
      if (byReference.has(named)) return;
      byReference.set(named, resource);
      if (isFhirId(resource.id)) reference = named;
    }
    list.push({ resource, reference, key, isDraft });
  };

  // Drafts first: a draft replaces the order of the same id
  if (options.drafts !== undefined) {
    const drafts = listDrafts(options.drafts);
    const key: KeyReport = { state: drafts.length === 0 ? 'empty' : 'present', dropped: 0 };
    keys.draftOrders = key;
    for (const draft of drafts) add(draft, key, true);
  }
  for (const [name, { state, resources }] of Object.entries(sources)) {
    const key: KeyReport = { state, dropped: 0 };
    keys[name] = key;
    for (const resource of resources) add(resource, key, false);
  }

  const containedOf = new Map<Json, Map<unknown, Json>>();
  const findContained = (id: string, container: Json): Json | undefined => {
    let contained = containedOf.get(container);
    if (contained === undefined) {
      contained = new Map(listOf(container.contained).flatMap((each) => (isObject(each) ? [[each.id, each]] : [])));
      containedOf.set(container, contained);
    }
    const found = contained.get(id);
    // What is contained belongs to the patient of its container, unless it says otherwise
    const namesPatient = found?.subject !== undefined || found?.patient !== undefined;
    return found !== undefined && namesPatient && !isOfPatient(found, '', patientId) ? undefined : found;
  };

  return {
    options,
    lookup,
    calendar: createCalendar(options.today),
    patient: readPatient(patient, options),
    keys,
    ofType: (type) => entries.get(type) ?? noEntries,
    resolve: (reference, container) => {
      const key = referenceKeyOf(reference);
      if (key === undefined) return undefined;
      return key.startsWith('#') ? findContained(key.slice(1), container) : byReference.get(key);
    },
    studies: new Map(),
    studyOfOrder: new Map(),
    reportOf: new Map(),
    findings: [],
    parts: [],
    companions: new Map(),
    memberQualifiers: new Map(),
    medications: new Set(),
    readings: [],
    orders: [],
  };
}

/** The resources of `context.draftOrders`, a Bundle. */
function listDrafts(drafts: unknown): unknown[] {
  const entries = isObject(drafts) && drafts.entry !== undefined ? drafts.entry : drafts;
  return listOf(entries).flatMap((entry) => (isObject(entry) ? [entry.resource ?? entry] : []));
}

function isOfPatient(resource: Json, type: string, patientId: string): boolean {
  if (type === 'Patient') return resource.id === patientId;
  let isNamed = false;
  for (const member of [resource.subject, resource.patient]) {
    if (member === undefined || member === null) continue;
    for (const reference of listOf(member)) {
      if (!isReferenceTo(reference, resource, patientId)) return false;
      isNamed = true;
    }
  }
  // An Observation may be recorded on one person and be about another: a fetus, a donor, a relative
  if (resource.focus !== undefined) {
    for (const reference of listOf(resource.focus)) {
      const key = referenceKeyOf(reference) ?? '';
      const isPerson = key.startsWith('Patient/') || key.startsWith('RelatedPerson/') || key.startsWith('Group/');
      if (isPerson && !isReferenceTo(reference, resource, patientId)) return false;
    }
  }
  return isNamed || !patientTypes.has(type);
}

function isReferenceTo(reference: unknown, container: Json, patientId: string): boolean {
  const key = referenceKeyOf(reference);
  if (key === undefined) return false;
  if (key.startsWith('#')) {
    return (
      key.slice(1) === patientId &&
      listOf(container.contained).some(
        (each) => isObject(each) && each.resourceType === 'Patient' && each.id === patientId,
      )
    );
  }
  return key === `Patient/${patientId}` || key === patientId || key === `urn:uuid:${patientId}`;
}

// --- Patient ---

const cprSystem = 'cpr';

function readPatient(patient: Json | undefined, { lookup, today }: ChartOptions): Patient {
  if (patient === undefined) return { deceased: false };
  const cpr = listOf(patient.identifier)
    .map((identifier) => readCpr(identifier, lookup))
    .find((found) => found !== undefined);
  const birthDate = textOf(patient.birthDate) ?? cpr?.birthDate;
  const age = birthDate?.length === 10 ? measureAge(birthDate, today) : undefined;
  const { gender } = patient;
  const sex = gender === 'female' || gender === 'male' ? gender : gender === 'other' ? undefined : cpr?.sex;
  const isDeceased = patient.deceasedBoolean === true || textOf(patient.deceasedDateTime) !== undefined;
  return {
    ...(sex !== undefined && { sex }),
    ...(age !== undefined && { age: age.years, daysSinceBirthday: age.daysSinceBirthday }),
    deceased: isDeceased,
  };
}

/**
 * Reads birth date and sex from a CPR number: DDMMYY, the century by the seventh digit, the last digit odd for men.
 *
 * @see systems.md section 2
 */
function readCpr(identifier: unknown, lookup: Lookup): { birthDate: string; sex: 'female' | 'male' } | undefined {
  if (!isObject(identifier) || lookup.nameSystem(textOf(identifier.system)) !== cprSystem) return undefined;
  const digits = /^(\d\d)(\d\d)(\d\d)-?(\d)\d\d(\d)$/.exec(textOf(identifier.value) ?? '');
  if (digits === null) return undefined;
  const [, day, month, year = '', seventh = '', last = ''] = digits;
  const century = readCentury(Number(seventh), Number(year));
  return { birthDate: `${century}${year}-${month}-${day}`, sex: Number(last) % 2 === 1 ? 'male' : 'female' };
}

function readCentury(seventh: number, year: number): number {
  if (seventh <= 3) return 19;
  if (seventh === 4 || seventh === 9) return year <= 36 ? 20 : 19;
  return year <= 57 ? 20 : 18;
}

// --- Codes, dates and places ---

/** A concept and the coding it was found by. */
interface Match {
  hit: Hit;
  system: string;
  code: string;
  /** One of the codings says that it is suspected. */
  isSuspected: boolean;
}

const noMatches: readonly Match[] = [];

/** The concepts of one or more CodeableConcepts, each once: an exact code is preferred, and among those of an analysis NPU, which fixes the unit. */
function matchCodings(lookup: Lookup, concepts: unknown): readonly Match[] {
  let matches: Match[] | undefined;
  for (const coding of codingsOf(concepts)) {
    if (!isObject(coding) || typeof coding.code !== 'string' || typeof coding.system !== 'string') continue;
    for (const hit of lookup.findConcepts(coding.system, coding.code)) {
      const system = lookup.nameSystem(coding.system) ?? '';
      const match: Match = { hit, system, code: coding.code, isSuspected: hit.suspicion };
      matches ??= [];
      const at = matches.findIndex(
        ({ hit: { concept, kind, role } }) => concept === hit.concept && kind === hit.kind && role === hit.role,
      );
      const known = matches[at];
      if (known === undefined) {
        matches.push(match);
        continue;
      }
      const isBetter =
        hit.exact !== known.hit.exact
          ? hit.exact
          : hit.kind === 'analysis' && system === 'npu' && known.system !== 'npu';
      if (isBetter) matches[at] = match;
      if (known.isSuspected || match.isSuspected) (matches[at] ?? match).isSuspected = true;
    }
  }
  return matches ?? noMatches;
}

function ofKind(matches: readonly Match[], kind: HitKind): readonly Match[] {
  return matches.filter(({ hit }) => hit.kind === kind);
}

/** The first date among members that hold a date or a Period; of a Period its start. */
function readMoment(pass: Pass, ...members: unknown[]): Moment | undefined {
  for (const member of members) {
    if (member === undefined || member === null) continue;
    const moment = isObject(member)
      ? (pass.calendar.read(member.start) ?? pass.calendar.read(member.end))
      : pass.calendar.read(member);
    if (moment !== undefined) return moment;
  }
  return undefined;
}

function noteAge({ key }: Entry, moment: Moment | undefined): void {
  if (moment !== undefined && moment.daysAgo > (key.oldestDaysAgo ?? Number.NEGATIVE_INFINITY)) {
    key.oldestDaysAgo = moment.daysAgo;
  }
}

function createReading(
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

function keep(pass: Pass, reading: Reading, moment: Moment | undefined): void {
  pass.readings.push(reading);
  pass.orders.push(moment?.order ?? undated);
}

function readPlace(lookup: Lookup, bodySite: unknown): Place {
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

// --- Imaging ---

const modalities: ReadonlyMap<unknown, string> = new Map([
  ['PT', 'pet'],
  ['CT', 'ct'],
  ['MR', 'mri'],
  ['US', 'us'],
  ['NM', 'nm'],
  ['CR', 'xray'],
  ['DX', 'xray'],
  ['MG', 'mammography'],
  ['ES', 'endoscopy'],
]);

/** Only in these does the region of a study say where a finding is (clinical-decisions.md section 0, "site"). */
const singleOrgans: ReadonlySet<string> = new Set(['brain', 'breast', 'thyroid', 'liver']);

function readStudy(pass: Pass, entry: Entry): void {
  const { resource, reference } = entry;
  const { lookup } = pass;
  const moment = readMoment(pass, resource.started);
  noteAge(entry, moment);
  const isVoid = resource.status === 'cancelled' || resource.status === 'entered-in-error';
  const procedures = ofKind(matchCodings(lookup, resource.procedureCode), 'procedure');
  const series = readSeries(lookup, resource);
  const regions = [...procedures.map(({ hit }) => lookup.siteOf(hit.concept)), ...series.flatMap(({ sites }) => sites)];
  pass.studies.set(reference, {
    isVoid,
    modality: nameModality(series.map(({ modality }) => modality)) ?? modalityOfProcedures(lookup, procedures),
    region: findSingleOrgan(regions),
  });
  for (const order of listOf(resource.basedOn)) {
    const key = referenceKeyOf(order);
    if (key !== undefined) pass.studyOfOrder.set(key, reference);
  }
  // A study that is registered and has not begun is planned
  if (isVoid || (resource.status === 'registered' && (moment === undefined || moment.daysAgo < 0))) return;
  const matches = procedures.length > 0 ? procedures : matchSeries(lookup, series);
  const status = knownStatus(resource.status, studyStatuses);
  for (const match of matches) keepDone(pass, match, entry, moment, status, noPlace);
}

interface Series {
  modality: unknown;
  sites: readonly string[];
}

function readSeries(lookup: Lookup, study: Json): Series[] {
  const seen = new Map<string, Series>();
  for (const each of listOf(study.series)) {
    if (!isObject(each) || !isObject(each.modality)) continue;
    const { code } = each.modality;
    if (!modalities.has(code)) continue;
    const sites = listOf(each.bodySite).flatMap((coding) =>
      isObject(coding) && typeof coding.code === 'string'
        ? lookup.findConcepts(textOf(coding.system), coding.code).filter(({ kind }) => kind === 'site')
        : [],
    );
    const series = { modality: code, sites: sites.map(({ concept }) => concept) };
    seen.set(`${code} ${series.sites.join()}`, series);
  }
  return [...seen.values()];
}

/** What an ImagingStudy without procedure code is known by: its modalities and the sites imaged. */
function matchSeries(lookup: Lookup, series: readonly Series[]): Match[] {
  // The CT of a PET-CT is not a diagnostic CT of its own
  const hasPet = series.some(({ modality }) => modality === 'PT');
  const found = new Map<string, Match>();
  for (const { modality, sites } of series) {
    if (hasPet && modality !== 'PT') continue;
    for (const procedure of lookup.imagedProcedures) {
      if (!procedure.modality?.includes(String(modality)) || !procedure.sites?.some((site) => sites.includes(site)))
        continue;
      const hit: Hit = { concept: procedure.id, kind: 'procedure', exact: true, suspicion: false };
      found.set(procedure.id, { hit, system: 'dcm', code: String(modality), isSuspected: false });
    }
  }
  return [...found.values()];
}

function nameModality(codes: readonly unknown[]): string | undefined {
  return codes.includes('PT') ? 'pet' : codes.map((code) => modalities.get(code)).find((name) => name !== undefined);
}

function modalityOfProcedures(lookup: Lookup, procedures: readonly Match[]): string | undefined {
  return nameModality(procedures.flatMap(({ hit }) => lookup.procedure(hit.concept)?.modality ?? []));
}

function findSingleOrgan(regions: readonly (string | undefined)[]): string | undefined {
  const [region] = regions;
  return region !== undefined && singleOrgans.has(region) && regions.every((other) => other === region)
    ? region
    : undefined;
}

const studyStatuses: ReadonlySet<unknown> = new Set(['registered', 'available', 'unknown']);

function knownStatus(status: unknown, known: ReadonlySet<unknown>): string | undefined {
  return typeof status === 'string' && known.has(status) ? status : undefined;
}

function keepDone(
  pass: Pass,
  match: Match,
  { resource, reference }: Entry,
  moment: Moment | undefined,
  status: string | undefined,
  place: Place,
): void {
  const reading = createReading('done', match, reference, moment);
  if (status !== undefined) reading.status = status;
  locate(pass, reading, place, match.hit);
  keep(pass, reading, moment);
  const orders = listOf(resource.basedOn).map((order) => `order ${referenceKeyOf(order)}`);
  const day = moment === undefined ? [] : [`day ${moment.date}`];
  addPart(pass, reading, moment, [`self ${reference}`, ...day, ...orders]);
}

/** Gives a reading its site: as recorded, else as an exact code implies it, else the region of the study where it is one organ. */
function locate(pass: Pass, reading: Reading, place: Place, hit: Hit, region?: string): void {
  const implied = hit.exact ? pass.lookup.siteOf(hit.concept) : undefined;
  const site = implied ?? (place.otherSite === undefined ? region : undefined);
  reading.sites =
    place.sites.length > 0 ? [...place.sites] : site === undefined ? [] : [...pass.lookup.regionsOf(site)];
  if (place.side !== undefined) reading.side = place.side;
}

// --- Reports ---

const imagingCategories: ReadonlySet<unknown> = new Set([
  ...['RAD', 'CT', 'NMR', 'NMS', 'RUS', 'RX', 'IMG', 'CUS', 'imaging'],
  ...['LP29684-5', '394914008', '394601005'],
]);
const pathologyCategories: ReadonlySet<unknown> = new Set(['PAT', 'SP', 'CP', 'LP7839-6', '394915009']);
const imagingCodes: ReadonlySet<unknown> = new Set(['18748-4', '68604-8', '18726-0']);
/** Reports of pathology, and the Observations that state a histology. */
const pathologyCodes: ReadonlySet<unknown> = new Set([
  ...['11526-1', '11529-5', '60567-5', '60568-3', '66112-4', '33721-2', '33716-2', '33718-8', '47523-6', '47526-9'],
  ...['26438-2', '22637-3', '34574-4', '35660-0', '59847-4', '31205-8', '31206-6', '59848-2', '33731-1', '77753-2'],
]);
/** Observations about earlier studies, the history or what to do next: nothing they say is found now. */
const otherMatters: ReadonlySet<unknown> = new Set(['18834-2', '22636-5', '18783-1']);
const morphologySystems: ReadonlySet<string> = new Set(['icdo3', 'patobank']);

function hasCodeIn(concepts: unknown, codes: ReadonlySet<unknown>): boolean {
  return codingsOf(concepts).some((coding) => isObject(coding) && codes.has(coding.code));
}

function readReportStatus(status: unknown): Report['status'] {
  switch (status) {
    case 'final':
    case 'amended':
    case 'corrected':
    case 'appended':
      return 'final';
    case 'registered':
    case 'partial':
    case 'preliminary':
      return 'preliminary';
    default:
      return 'void';
  }
}

function readReport(pass: Pass, entry: Entry): void {
  const { resource, reference } = entry;
  const { lookup } = pass;
  const effective = readMoment(pass, resource.effectiveDateTime, resource.effectivePeriod);
  const issued = readMoment(pass, resource.issued);
  noteAge(entry, effective ?? issued);
  const status = readReportStatus(resource.status);
  const procedures = ofKind(matchCodings(lookup, resource.code), 'procedure');
  const study = findStudy(pass, resource);
  const known = study === undefined ? undefined : pass.studies.get(study);
  const report: Report = {
    status,
    origin: readOrigin(pass, resource, study !== undefined, procedures),
    study,
    modality: known?.modality ?? modalityOfProcedures(lookup, procedures),
    region: known?.region ?? findSingleOrgan(procedures.map(({ hit }) => lookup.siteOf(hit.concept))),
    specimen: readSpecimen(pass, resource),
    moment: issued ?? effective,
  };

  for (const result of listOf(resource.result)) {
    const key = referenceKeyOf(result);
    if (key === undefined) continue;
    if (key.startsWith('#')) {
      const contained = pass.resolve(result, resource);
      if (contained?.resourceType !== 'Observation' || pass.reportOf.has(contained)) continue;
      pass.reportOf.set(contained, report);
      const fallback = effective ?? issued;
      readObservation(pass, { ...entry, resource: contained, reference }, resource, fallback);
    } else if (rankReport(report) > rankReport(pass.reportOf.get(key))) pass.reportOf.set(key, report);
  }

  if (status === 'void') return;
  if (resource.status !== 'registered') {
    const done = status === 'final' ? 'final' : 'in-progress';
    for (const match of procedures) keepDone(pass, match, entry, effective ?? issued, done, report.specimen);
  }
  if (report.origin === undefined) return;
  for (const conclusion of listOf(resource.conclusionCode)) {
    const qualifiers = readCodedQualifiers(lookup, codingsOf(conclusion), {});
    readCountExtension(lookup, resource, qualifiers);
    const own = readPlace(lookup, conclusion);
    const place = own.sites.length > 0 ? own : { ...report.specimen, side: own.side };
    if (qualifiers.presence === 'absent') continue;
    keepFindings(pass, ofKind(matchCodings(lookup, conclusion), 'condition'), {
      reference,
      moment: report.moment,
      onset: undefined,
      status: qualifiers.presence === 'undecided' ? 'preliminary' : status,
      origin: report.origin,
      group: study ?? reference,
      place,
      qualifiers,
      study,
      modality: report.modality,
      region: report.region,
    });
  }
}

function rankReport(report: Report | undefined): number {
  return report === undefined ? -1 : ['void', 'preliminary', 'final'].indexOf(report.status);
}

function findStudy(pass: Pass, report: Json): string | undefined {
  for (const link of listOf(report.imagingStudy)) {
    const key = referenceKeyOf(link);
    if (key?.startsWith('ImagingStudy/')) return key;
  }
  for (const order of listOf(report.basedOn)) {
    const study = pass.studyOfOrder.get(referenceKeyOf(order) ?? '');
    if (study !== undefined) return study;
  }
  return undefined;
}

function readOrigin(
  pass: Pass,
  resource: Json,
  hasStudy: boolean,
  procedures: readonly Match[],
): 'imaging' | 'pathology' | undefined {
  if (hasStudy) return 'imaging';
  if (hasCodeIn(resource.category, pathologyCategories) || hasCodeIn(resource.code, pathologyCodes)) return 'pathology';
  if (hasCodeIn(resource.category, imagingCategories) || hasCodeIn(resource.code, imagingCodes)) return 'imaging';
  if (procedures.some(({ hit }) => pass.lookup.procedure(hit.concept)?.modality !== undefined)) return 'imaging';
  const answers = [resource.conclusionCode, resource.valueCodeableConcept].flatMap(codingsOf);
  const isMorphology = (coding: unknown): boolean =>
    isObject(coding) && morphologySystems.has(pass.lookup.nameSystem(textOf(coding.system)) ?? '');
  return answers.some(isMorphology) ? 'pathology' : undefined;
}

/** Where the specimens were taken: their body site, else what the specimen is. */
function readSpecimen(pass: Pass, container: Json): Place {
  for (const link of listOf(container.specimen)) {
    const specimen = pass.resolve(link, container);
    if (specimen?.resourceType !== 'Specimen') continue;
    const { collection } = specimen;
    const taken = readPlace(pass.lookup, isObject(collection) ? collection.bodySite : undefined);
    if (taken.sites.length > 0) return taken;
    const kind = readPlace(pass.lookup, specimen.type);
    if (kind.sites.length > 0) return { ...kind, otherSite: undefined };
    if (taken.otherSite !== undefined) return taken;
  }
  return noPlace;
}

// --- Observations ---

function isFinal(status: unknown): boolean {
  return status === 'final' || status === 'amended' || status === 'corrected';
}

function isAwaited(status: unknown): boolean {
  return status === 'registered' || status === 'preliminary';
}

/** @param container The resource an Observation without a date and patient of its own is contained in. */
function readObservation(pass: Pass, entry: Entry, container = entry.resource, fallback?: Moment): void {
  const { resource, reference } = entry;
  const moment =
    readMoment(
      pass,
      resource.effectiveDateTime,
      resource.effectivePeriod,
      resource.effectiveInstant,
      resource.issued,
    ) ?? fallback;
  noteAge(entry, moment);
  const isValid = isFinal(resource.status);
  if (!isValid && !isAwaited(resource.status)) return;
  const matches = matchCodings(pass.lookup, resource.code);
  for (const match of matches) {
    if (match.hit.kind !== 'analysis') continue;
    if (!isValid) keep(pass, createReading('pending', match, reference, moment), moment);
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
  if (observation.dataAbsentReason !== undefined) return false;
  const { valueQuantity } = observation;
  if (isObject(valueQuantity)) return valueQuantity.value !== undefined && valueQuantity.value !== null;
  for (const member of valueMembers) {
    const value = observation[member];
    if (value === undefined || value === null) continue;
    return typeof value !== 'string' || value.trim() !== '';
  }
  return false;
}

/** A panel has a result when one of its parts has; a member that was not read may have one. */
function hasValidParts(pass: Pass, observation: Json, container: Json): boolean {
  if (observation.dataAbsentReason !== undefined) return false;
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

// --- Findings ---

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
  if (observation.dataAbsentReason !== undefined) return false;
  if (presence !== undefined) return true;
  if (!valueMembers.some((member) => observation[member] !== undefined && observation[member] !== null)) return true;
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
    group: report?.study ?? undefined,
    study: report?.study,
    modality: report?.modality,
    region: report?.region,
    isPreliminary: report?.origin !== undefined && report.status === 'preliminary',
    specimen: report?.specimen ?? noPlace,
  };
}

function keepFindings(pass: Pass, matches: readonly Match[], statement: Statement): void {
  for (const match of matches) {
    const reading = createReading('finding', match, statement.reference, statement.moment);
    reading.status = statement.status;
    reading.origin = statement.origin;
    describe(pass, reading, match, statement);
    if (statement.study !== undefined && isFhirId(statement.study.slice('ImagingStudy/'.length))) {
      reading.study = statement.study;
    }
    if (statement.modality !== undefined) reading.modality = statement.modality;
    keep(pass, reading, statement.moment);
    pass.findings.push({ reading, statement });
  }
}

/** What a statement says of each of its conditions or findings. */
function describe(pass: Pass, reading: Reading, match: Match, { qualifiers, place, region, onset }: Statement): void {
  reading.certainty = match.isSuspected || qualifiers.suspected ? 'suspected' : 'confirmed';
  if (onset !== undefined) reading.onsetDaysAgo = onset.daysAgo;
  locate(pass, reading, place, match.hit, region);
  if (qualifiers.count !== undefined) reading.count = qualifiers.count;
  if (qualifiers.size !== undefined) reading.size = qualifiers.size;
  if (qualifiers.tender !== undefined) reading.tender = qualifiers.tender;
}

function noteCompanion(pass: Pass, observation: Json, moment: Moment | undefined): void {
  const { direct, otherSite, side } = readPlace(pass.lookup, observation.bodySite);
  const qualifiers = readMemberQualifiers(pass.lookup, observation);
  for (const site of [...direct, otherSite]) {
    if (site === undefined || moment === undefined) continue;
    const key = `${moment.date} ${site} ${side}`;
    const known = pass.companions.get(key);
    if (known === undefined) pass.companions.set(key, { ...qualifiers });
    else addMemberQualifiers(qualifiers, known);
  }
}

/** A size or tenderness recorded apart from a finding belongs to it when day, site and side are the same. */
function applyCompanions(pass: Pass): void {
  if (pass.companions.size === 0) return;
  for (const { reading, statement } of pass.findings) {
    const { direct, otherSite, side } = statement.place;
    const implied = direct.length === 0 && otherSite === undefined ? pass.lookup.siteOf(reading.concept) : undefined;
    for (const site of [...direct, otherSite, implied]) {
      const companion = site === undefined ? undefined : pass.companions.get(`${reading.date} ${site} ${side}`);
      if (companion === undefined) continue;
      if (companion.size !== undefined) reading.size ??= companion.size;
      if (companion.tender !== undefined) reading.tender ??= companion.tender;
    }
  }
}

/**
 * Gives all findings of a concept one count: what the newest that records it says, else multiple where one study reports it at
 * different sites or sides (clinical-decisions.md section 0, "count").
 */
function stampCounts({ findings }: Pass): void {
  const newest = new Map<string, Statement>();
  const spread = new Map<string, Map<string, { sites: Set<string>; others: Set<string>; sides: Set<string> }>>();
  const multiple = new Set<string>();
  for (const { reading, statement } of findings) {
    if (statement.status !== 'final' || !reading.exact) continue;
    const { concept } = reading;
    const { qualifiers, moment, group, place } = statement;
    if (
      qualifiers.count !== undefined &&
      (moment?.order ?? undated) >= (newest.get(concept)?.moment?.order ?? undated)
    ) {
      newest.set(concept, statement);
    }
    if (group === undefined) continue;
    if (place.side === 'both') multiple.add(concept);
    let groups = spread.get(concept);
    if (groups === undefined) {
      groups = new Map();
      spread.set(concept, groups);
    }
    let seen = groups.get(group);
    if (seen === undefined) {
      seen = { sites: new Set(), others: new Set(), sides: new Set() };
      groups.set(group, seen);
    }
    if (place.direct.length > 0) seen.sites.add(place.direct.join());
    else if (place.otherSite !== undefined) seen.others.add(place.otherSite);
    if (place.side !== undefined) seen.sides.add(place.side);
    if (seen.sites.size > 1 || seen.others.size > 1 || seen.sides.size > 1) multiple.add(concept);
  }
  for (const { reading } of findings) {
    const count =
      newest.get(reading.concept)?.qualifiers.count ?? (multiple.has(reading.concept) ? 'multiple' : undefined);
    if (count !== undefined && reading.exact) reading.count = count;
  }
}

// --- Conditions ---

const currentCategory = '15240007';
const resolvedCategory = '723506003';

function readCondition(pass: Pass, entry: Entry): void {
  const { resource, reference } = entry;
  const { lookup, calendar } = pass;
  const onset = readMoment(pass, resource.onsetDateTime) ?? calendar.read(startOf(resource.onsetPeriod));
  const recorded = readMoment(pass, resource.recordedDate) ?? onset;
  noteAge(entry, recorded);
  const verification = statusCodeOf(resource.verificationStatus);
  if (verification === 'refuted' || verification === 'entered-in-error') return;
  const matches = ofKind(matchCodings(lookup, resource.code), 'condition');
  if (matches.length === 0) return;
  const qualifiers = readCodedQualifiers(lookup, codingsOf(resource.code), {});
  if (qualifiers.presence === 'absent') return;
  readCountExtension(lookup, resource, qualifiers);
  if (verification === 'unconfirmed' || verification === 'provisional' || verification === 'differential') {
    qualifiers.suspected = true;
  }
  const place = readPlace(lookup, resource.bodySite);
  const statement: Statement = {
    reference,
    moment: recorded,
    onset,
    status: 'final',
    origin: 'problem-list',
    group: undefined,
    place: { ...place, side: place.side ?? qualifiers.side },
    qualifiers,
    study: undefined,
    modality: undefined,
    region: undefined,
  };
  const { isActive, isGiven } = readClinicalStatus(pass, resource);
  for (const match of matches) {
    const reading = createReading('condition', match, reference, recorded);
    reading.status = isActive ? 'active' : 'inactive';
    reading.statusGiven = isGiven;
    describe(pass, reading, match, statement);
    keep(pass, reading, recorded);
  }
  if (isActive) keepFindings(pass, matches, statement);
}

function startOf(period: unknown): unknown {
  return isObject(period) ? period.start : undefined;
}

/** The clinical status, else what a Danish status category, an abatement or "not followed any more" says. */
function readClinicalStatus(pass: Pass, condition: Json): { isActive: boolean; isGiven: boolean } {
  switch (statusCodeOf(condition.clinicalStatus)) {
    case 'active':
    case 'recurrence':
    case 'relapse':
      return { isActive: true, isGiven: true };
    case 'inactive':
    case 'remission':
    case 'resolved':
      return { isActive: false, isGiven: true };
  }
  if (hasCodeIn(condition.category, new Set([resolvedCategory]))) return { isActive: false, isGiven: true };
  const end = readMoment(pass, condition.abatementDateTime, condition.abatementPeriod);
  const hasAbated =
    end === undefined
      ? ['DateTime', 'Age', 'Range', 'String'].some((type) => {
          const abatement = condition[`abatement${type}`];
          return abatement !== undefined && abatement !== null;
        }) || condition.abatementBoolean === true
      : end.daysAgo >= 0;
  const isDropped = listOf(condition.extension).some(
    (extension) => isObject(extension) && textOf(extension.url)?.endsWith('/NotFollowedAnymore') === true,
  );
  if (hasAbated || isDropped) return { isActive: false, isGiven: true };
  return { isActive: true, isGiven: hasCodeIn(condition.category, new Set([currentCategory])) };
}

// --- Orders, procedures and the markers of pathways ---

const orderStatuses: ReadonlySet<unknown> = new Set(['draft', 'active', 'on-hold', 'completed', 'revoked']);

function readServiceRequest(pass: Pass, entry: Entry): void {
  const { resource, reference, isDraft } = entry;
  const { lookup, options } = pass;
  // A draft is ordered the day it is drafted, whatever date the client prepared it with
  const moment = isDraft ? pass.calendar.read(options.today) : readMoment(pass, resource.authoredOn);
  noteAge(entry, moment);
  const sent = knownStatus(resource.status, orderStatuses);
  if (resource.doNotPerform === true || (sent === undefined && !isDraft)) return;
  if (isDraft && (sent === 'revoked' || sent === 'completed' || resource.status === 'entered-in-error')) return;
  const order: Order = {
    status: isDraft || sent === undefined ? 'draft' : sent,
    draft: isDraft,
    selected: isDraft && (options.allSelected === true || isSelectedDraft(options, resource)),
  };
  const requisition = readRequisition(lookup, resource);
  const place = readPlace(lookup, resource.bodySite);

  for (const match of [...matchCodings(lookup, resource.code), ...matchOwnCodes(options, resource.code)]) {
    const { kind } = match.hit;
    if (kind === 'pathway') {
      keepOrderMarkers(pass, match, entry, moment, order);
    } else if (kind === 'analysis' || kind === 'procedure') {
      const reading: Reading = { ...createReading('order', match, reference, moment), ...order };
      if (requisition !== undefined) reading.requisition = requisition;
      locate(pass, reading, place, match.hit);
      keep(pass, reading, moment);
      const day = moment === undefined ? [] : [`day ${moment.date}`];
      const same = [`self ${reference}`, ...day, ...(requisition === undefined ? [] : [`requisition ${requisition}`])];
      addPart(
        pass,
        reading,
        moment,
        same.map((each) => `${order.status} ${each}`),
      );
    }
  }
  if (isToNeurology(pass, resource)) {
    const hit: Hit = { concept: neurology, kind: 'pathway', exact: true, suspicion: false, role: 'referral' };
    keepOrderMarkers(pass, { hit, system: '', code: '', isSuspected: false }, entry, moment, order);
  }
}

interface Order {
  status: string;
  draft: boolean;
  selected: boolean;
}

function isSelectedDraft({ selections }: ChartOptions, draft: Json): boolean {
  const own = `${draft.resourceType}/${draft.id}`;
  return selections?.some((selection) => referenceKeyOf(selection) === own) ?? false;
}

/** Codes of the client's own for referrals and packages. */
function matchOwnCodes({ lookup, referralCodes }: ChartOptions, code: unknown): Match[] {
  if (referralCodes === undefined) return [];
  return codingsOf(code).flatMap((coding) => {
    if (!isObject(coding) || typeof coding.code !== 'string') return [];
    const concept = referralCodes.get(`${textOf(coding.system) ?? ''}|${coding.code}`);
    if (concept === undefined) return [];
    const hit: Hit = lookup.hasPathway(concept)
      ? { concept, kind: 'pathway', exact: true, suspicion: false, role: 'referral' }
      : { concept, kind: 'procedure', exact: true, suspicion: false };
    return [{ hit, system: 'local', code: coding.code, isSuspected: false }];
  });
}

const longestRequisition = 200;

function readRequisition(lookup: Lookup, { requisition }: Json): string | undefined {
  if (!isObject(requisition)) return undefined;
  const system = textOf(requisition.system) ?? '';
  const value = textOf(requisition.value);
  if (value === undefined || lookup.nameSystem(system) === cprSystem) return undefined;
  const text = `${system}|${value}`;
  return text.length > longestRequisition ? undefined : text;
}

/** What a ServiceRequest with a pathway code is: a referral, and where it was received (not drafted, not revoked) the stage it registers. */
function keepOrderMarkers(pass: Pass, match: Match, entry: Entry, moment: Moment | undefined, order: Order): void {
  const { role, stage } = match.hit;
  if (role === 'referral' || stage === 'A') {
    const reading: Reading = { ...createReading('marker', match, entry.reference, moment), role: 'referral', ...order };
    if (stage !== undefined) reading.stage = stage;
    if (order.draft) {
      const { present, absent } = readReferralContent(entry.resource, pass.resolve);
      reading.contentPresent = present;
      reading.contentAbsent = absent;
    }
    keep(pass, reading, moment);
  }
  if (role !== 'referral' && order.status !== 'draft' && order.status !== 'revoked') {
    keepMarker(pass, match, entry.reference, moment, order.status);
  }
}

function keepMarker(
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

function isToNeurology(pass: Pass, order: Json): boolean {
  const { lookup } = pass;
  const isNeurology = (coding: unknown): boolean => isNeurologyCoding(lookup, coding);
  return (
    [order.category, order.code, order.performerType].some((concept) => codingsOf(concept).some(isNeurology)) ||
    listOf(order.performer).some((performer) => isNeurologyUnit(pass, performer, order))
  );
}

/** Whether a reference points at a neurological unit: by the codes or the name of the unit, or the name the reference shows. */
function isNeurologyUnit(pass: Pass, reference: unknown, container: Json): boolean {
  if (isObject(reference) && isNeurologyName(reference.display)) return true;
  const unit = pass.resolve(reference, container);
  if (unit === undefined) return false;
  return (
    isNeurologyName(unit.name) ||
    [unit.type, unit.specialty].some((concept) =>
      codingsOf(concept).some((coding) => isNeurologyCoding(pass.lookup, coding)),
    )
  );
}

const procedureStatuses: ReadonlySet<unknown> = new Set(['in-progress', 'completed']);
/** A registration of a pathway stands unless it was an error or never took place. */
const noRegistration: ReadonlySet<unknown> = new Set(['entered-in-error', 'not-done', 'cancelled']);

function readProcedure(pass: Pass, entry: Entry): void {
  const { resource, reference } = entry;
  const moment = readMoment(pass, resource.performedDateTime, resource.performedPeriod);
  noteAge(entry, moment);
  const matches = matchCodings(pass.lookup, resource.code);
  if (matches.length === 0) return;
  const status = knownStatus(resource.status, procedureStatuses);
  const place = readPlace(pass.lookup, resource.bodySite);
  for (const match of matches) {
    if (match.hit.kind === 'procedure' && status !== undefined) keepDone(pass, match, entry, moment, status, place);
    if (match.hit.kind === 'pathway' && match.hit.role !== 'referral' && !noRegistration.has(resource.status)) {
      keepMarker(pass, match, reference, moment, status);
    }
  }
}

// --- Encounters ---

const encounterStatuses: ReadonlySet<unknown> = new Set([
  ...['planned', 'arrived', 'triaged', 'in-progress', 'onleave', 'finished', 'cancelled', 'unknown'],
]);
const openStatuses: ReadonlySet<unknown> = new Set(['arrived', 'triaged', 'in-progress', 'onleave']);
const inpatientClasses: ReadonlySet<unknown> = new Set(['IMP', 'ACUTE', 'NONAC']);

interface Stay {
  reading: Reading;
  start: Moment | undefined;
  end: Moment | undefined;
  isOpen: boolean;
}

/** Reads encounters so that one admission gives one reading, however many encounters it is recorded as. */
function readEncounters(pass: Pass): void {
  const parents = new Map<string, Stay>();
  const parts: { parent: string; stay: Stay }[] = [];
  const stays: Stay[] = [];
  for (const entry of pass.ofType('Encounter')) {
    const stay = readEncounter(pass, entry);
    if (stay === undefined) continue;
    const parent = referenceKeyOf(entry.resource.partOf);
    if (parent === undefined || parent === entry.reference) {
      parents.set(entry.reference, stay);
      stays.push(stay);
    } else parts.push({ parent, stay });
  }
  for (const { parent, stay } of parts) {
    const whole = parents.get(parent);
    if (whole !== undefined) joinStays(whole, stay);
    else {
      // The whole was not read: the first part stands for it
      parents.set(parent, stay);
      stays.push(stay);
    }
  }
  const inOrder = stays.sort((a, b) => (a.start?.order ?? undated) - (b.start?.order ?? undated));
  let admission: Stay | undefined;
  for (const stay of inOrder) {
    const { start, reading } = stay;
    const isAdmission = inpatientClasses.has(reading.class) && start !== undefined && reading.status !== 'planned';
    const goesOn =
      isAdmission &&
      admission !== undefined &&
      (admission.isOpen || start.daysAgo >= (admission.end?.daysAgo ?? Number.POSITIVE_INFINITY));
    if (goesOn && admission !== undefined) {
      joinStays(admission, stay);
      continue;
    }
    if (isAdmission) admission = stay;
    keep(pass, reading, start);
  }
}

function readEncounter(pass: Pass, entry: Entry): Stay | undefined {
  const { resource, reference } = entry;
  const { lookup, calendar } = pass;
  const period = isObject(resource.period) ? resource.period : {};
  const start = calendar.read(period.start);
  const end = calendar.read(period.end);
  noteAge(entry, start);
  const sent = knownStatus(resource.status, encounterStatuses);
  if (sent === undefined || sent === 'cancelled') return undefined;
  for (const match of ofKind(matchCodings(lookup, [resource.type, resource.serviceType].flatMap(listOf)), 'pathway')) {
    if (match.hit.role === 'referral') continue;
    // A closing code stands on the contact that ended the pathway
    keepMarker(pass, match, reference, match.hit.role === 'closing' ? (end ?? start) : start, sent);
  }
  const isOpen = openStatuses.has(sent) && (end === undefined || end.daysAgo <= 0);
  const status = openStatuses.has(sent) && !isOpen ? 'finished' : sent;
  const code = statusCodeOf(resource.class);
  const hit: Hit = { concept: anyEncounter, kind: 'procedure', exact: true, suspicion: false };
  const encounterClass = isFhirId(code) ? code : undefined;
  const reading = createReading('encounter', { hit, system: 'act-code', code: encounterClass ?? '' }, reference, start);
  reading.status = status;
  if (encounterClass !== undefined) reading.class = encounterClass;
  reading.specialties = isAtNeurology(pass, resource) ? [neurology] : [];
  return { reading, start, end, isOpen };
}

function isAtNeurology(pass: Pass, encounter: Json): boolean {
  return (
    codingsOf(encounter.serviceType).some((coding) => isNeurologyCoding(pass.lookup, coding)) ||
    isNeurologyUnit(pass, encounter.serviceProvider, encounter)
  );
}

function joinStays(whole: Stay, part: Stay): void {
  if (part.isOpen && !whole.isOpen) {
    whole.isOpen = true;
    whole.reading.status = part.reading.status ?? 'in-progress';
  }
  if (part.end !== undefined && (whole.end === undefined || part.end.order > whole.end.order)) whole.end = part.end;
  for (const specialty of part.reading.specialties ?? []) {
    if (!whole.reading.specialties?.includes(specialty)) whole.reading.specialties?.push(specialty);
  }
}

// --- Medication ---

/** Never taken, or not meant to be. */
const neverTaken: ReadonlySet<unknown> = new Set(['entered-in-error', 'cancelled', 'not-taken', 'draft', 'intended']);
const noPrescription: ReadonlySet<unknown> = new Set(['proposal', 'plan', 'option']);

function readMedication(pass: Pass, entry: Entry): void {
  const { resource, reference, isDraft } = entry;
  const { lookup } = pass;
  const isRequest = resource.resourceType === 'MedicationRequest';
  const period = isObject(resource.effectivePeriod) ? resource.effectivePeriod : {};
  const moment = isRequest
    ? readMoment(pass, resource.authoredOn)
    : readMoment(pass, resource.effectiveDateTime, period.start, resource.dateAsserted);
  noteAge(entry, moment);
  if (isDraft || neverTaken.has(resource.status) || resource.doNotPerform === true) return;
  const medication = pass.resolve(resource.medicationReference, resource);
  const concepts = [
    resource.medicationCodeableConcept,
    medication?.resourceType === 'Medication' ? medication.code : undefined,
  ];
  const codings = concepts.flatMap(codingsOf);
  const groups = ofKind(matchCodings(lookup, { coding: codings }), 'drug');
  const classOf = readClass(lookup, codings) ?? groups[0];
  const { status } = resource;
  const isUnclear = status === undefined || status === null || status === 'unknown';
  const ends = isObject(resource.effectivePeriod) && period.end !== undefined;
  const hasStarted = moment === undefined || moment.daysAgo >= 0;
  const prescription = isRequest && !noPrescription.has(resource.intent);

  const own: Pick<Match, 'hit' | 'system' | 'code'> = {
    hit: {
      concept: classOf === undefined ? unclassifiedMedication : anyMedication,
      kind: 'drug',
      exact: classOf !== undefined,
      suspicion: false,
    },
    system: classOf?.system ?? '',
    code: classOf?.code ?? '',
  };
  for (const match of [own, ...groups]) {
    // Medication cards hold the same course more than once
    const course = `${match.hit.concept} ${match.code} ${moment?.date ?? reference} ${isRequest}`;
    if (match.code !== '' && pass.medications.has(course)) continue;
    pass.medications.add(course);
    const reading = createReading('medication', match, reference, moment);
    reading.current = hasStarted && (status === 'active' || (isUnclear && !ends));
    reading.prescription = prescription;
    keep(pass, reading, moment);
  }
}

/** The ATC code of a medication: it tells its class, whether or not the guideline asks for that. */
function readClass(lookup: Lookup, codings: readonly unknown[]): { system: string; code: string } | undefined {
  for (const coding of codings) {
    if (!isObject(coding) || typeof coding.code !== 'string' || lookup.nameSystem(textOf(coding.system)) !== 'atc')
      continue;
    if (/^[A-Z]\d\d[A-Z]/.test(coding.code) && isFhirId(coding.code)) return { system: 'atc', code: coding.code };
  }
  return undefined;
}

// --- What is done or ordered in parts ---

function addPart(pass: Pass, reading: Reading, moment: Moment | undefined, together: readonly string[]): void {
  if (reading.exact) pass.parts.push({ reading, order: moment?.order ?? undated, together });
}

/** Adds what was done or ordered in parts: in one order, or on one day. */
function combineParts(pass: Pass): void {
  if (pass.parts.length < 2) return;
  const groups = new Map<string, Map<string, Part>>();
  const add = (part: Part): void => {
    for (const key of part.together) {
      const id = `${part.reading.kind} ${key}`;
      const group = groups.get(id);
      if (group === undefined) groups.set(id, new Map([[part.reading.concept, part]]));
      else if (group.get(part.reading.concept)?.reading.selected !== true) group.set(part.reading.concept, part);
    }
  };
  pass.parts.forEach(add);
  for (const { id: concept, parts = [] } of pass.lookup.compositeProcedures) {
    for (const group of groups.values()) {
      if (group.has(concept)) continue;
      const list = parts.find((each) => each.every((part) => group.has(part)));
      const first = list?.[0] === undefined ? undefined : group.get(list[0]);
      if (list === undefined || first === undefined) continue;
      const { side: _, ...reading } = { ...first.reading, concept, sites: [] };
      const whole: Part = { ...first, reading };
      if (reading.kind === 'order') reading.selected = list.some((part) => group.get(part)?.reading.selected === true);
      add(whole);
      pass.readings.push(reading);
      pass.orders.push(whole.order);
    }
  }
}

// --- Order ---

function sortNewestFirst({ readings, orders }: Pass): Reading[] {
  if (orders.every((order, at) => at === 0 || (orders[at - 1] ?? undated) >= order)) return readings;
  return readings
    .map((reading, at) => ({ reading, order: orders[at] ?? undated }))
    .sort((a, b) => (a.order === b.order ? 0 : b.order > a.order ? 1 : -1))
    .map(({ reading }) => reading);
}
