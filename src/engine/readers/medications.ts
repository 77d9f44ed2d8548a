import type { Lookup } from '../lookup.ts';
import { codingsOf, isFhirId, isObject, isSent, textOf } from '../resources.ts';
import {
  createReading,
  type Entry,
  keep,
  type Match,
  matchCodings,
  noteAge,
  ofKind,
  type Pass,
  readMoment,
} from './pass.ts';

/** Concept every medication of a known class has, beside those of its drug groups. */
const anyMedication = 'medication';
/** Concept of a medication whose class its codes do not tell: it may belong to any drug group, so it is never exact. */
export const unclassifiedMedication = 'unclassified-medication';

/** Never taken, or not meant to be. */
const neverTaken: ReadonlySet<unknown> = new Set(['entered-in-error', 'cancelled', 'not-taken', 'draft', 'intended']);

const noPrescription: ReadonlySet<unknown> = new Set(['proposal', 'plan', 'option']);

export function readMedication(pass: Pass, entry: Entry): void {
  const { resource, reference, isDraft } = entry;
  const { lookup } = pass;
  const isRequest = resource.resourceType === 'MedicationRequest';
  const period = isObject(resource.effectivePeriod) ? resource.effectivePeriod : {};
  const moment = isRequest
    ? readMoment(pass, resource.authoredOn)
    : readMoment(pass, resource.effectiveDateTime, period.start, resource.dateAsserted);
  noteAge(pass, entry, moment);
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
  const isUnclear = !isSent(status) || status === 'unknown';
  const ends = isSent(period.end);
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
