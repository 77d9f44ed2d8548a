import { measureAge } from '../calendar.ts';
import type { Lookup } from '../lookup.ts';
import { isObject, type Json, listOf, textOf } from '../resources.ts';
import type { Patient } from '../types.ts';
import { type ChartOptions, cprSystem } from './pass.ts';

export function readPatient(patient: Json | undefined, { lookup, today }: ChartOptions): Patient {
  if (patient === undefined) return { deceased: false };
  const cpr = listOf(patient.identifier)
    .map((identifier) => readCpr(identifier, lookup))
    .find((found) => found !== undefined);
  const birthDate = findBirthDate(textOf(patient.birthDate), cpr?.birthDate);
  const age = birthDate === undefined ? undefined : measureAge(birthDate, today);
  const { gender } = patient;
  const sex = gender === 'female' || gender === 'male' ? gender : gender === 'other' ? undefined : cpr?.sex;
  const isDeceased = patient.deceasedBoolean === true || textOf(patient.deceasedDateTime) !== undefined;
  return {
    ...(sex !== undefined && { sex }),
    ...(age !== undefined && { age: age.years, daysSinceBirthday: age.daysSinceBirthday }),
    deceased: isDeceased,
  };
}

/** The whole birth date as sent, also with a time of day; where only its beginning is, that of the CPR number if it begins so. */
function findBirthDate(sent: string | undefined, ofCpr: string | undefined): string | undefined {
  if (sent === undefined) return ofCpr;
  const date = /^\d{4}-\d\d-\d\d(?=T|$)/.exec(sent)?.[0];
  return date ?? (ofCpr?.startsWith(sent) === true ? ofCpr : undefined);
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
