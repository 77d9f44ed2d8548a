import type { Moment } from '../calendar.ts';
import type { Hit } from '../lookup.ts';
import { codingsOf, isFhirId, isObject, type Json, listOf, referenceKeyOf, statusCodeOf } from '../resources.ts';
import type { Reading } from '../types.ts';
import {
  createReading,
  type Entry,
  keep,
  keepMarker,
  knownStatus,
  matchCodings,
  noteAge,
  ofKind,
  type Pass,
  undated,
} from './pass.ts';
import { isNeurologyCoding, isNeurologyUnit, neurology } from './specialties.ts';

/** Concept of encounters, which have none of their own. */
const anyEncounter = 'encounter';

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
export function readEncounters(pass: Pass): void {
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
  noteAge(pass, entry, start);
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
