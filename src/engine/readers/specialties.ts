import type { Lookup } from '../lookup.ts';
import { codingsOf, isObject, type Json } from '../resources.ts';
import type { Pass } from './pass.ts';

/** Neurology and neurosurgery: one specialty for the guideline (ledger L23). */
export const neurology = 'neurology';
/** Concept of an order that sends the patient there. */
export const neurologyAssessment = 'neurology-assessment';

const snomedCodes: ReadonlySet<string> = new Set(['394591006', '394610002', '38238005']);
const loincReferrals: ReadonlySet<string> = new Set(['57145-5', '57146-3']);
const serviceTypes: ReadonlySet<string> = new Set(['177', '216']);
const serviceTypeSystem = 'http://terminology.hl7.org/CodeSystem/service-type';

/** Whether a coding names the specialty: as SNOMED CT specialty or clinic, HL7 service type or LOINC type of referral. */
export function isNeurologyCoding(lookup: Lookup, coding: unknown): boolean {
  if (!isObject(coding) || typeof coding.code !== 'string' || typeof coding.system !== 'string') return false;
  if (coding.system === serviceTypeSystem) return serviceTypes.has(coding.code);
  const system = lookup.nameSystem(coding.system);
  return system === 'sct' ? snomedCodes.has(coding.code) : system === 'loinc' && loincReferrals.has(coding.code);
}

const longestName = 200;
// Danish departments often leave no other trace than their name. Neurophysiology and neuropaediatrics are not meant
const unitNames = /neurolog|neuro-?kir|hjerne-?\s?og\s(nerve|rygkir)|stroke|apopleksi/i;

/** Whether the name of a unit is that of a neurological or neurosurgical one. */
export function isNeurologyName(name: unknown): boolean {
  return typeof name === 'string' && name.length <= longestName && unitNames.test(name);
}

/** Whether a reference points at a neurological unit: by the codes or the name of the unit, or the name the reference shows. */
export function isNeurologyUnit(pass: Pass, reference: unknown, container: Json): boolean {
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
