import * as z from 'zod';
import type { CompiledGuideline } from '../engine/guideline.ts';
import { RequestError } from '../errors.ts';
import { makersOf } from './statistics.ts';
import type { EvaluationConditions } from './store.ts';

const dateOrTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z?)?$/;
const time = z
  .string()
  .regex(dateOrTime, 'expected a date such as 2026-01-31, or a time in UTC such as 2026-01-31T12:00Z');
const text = z.string().min(1).max(512);

/** What evaluations can be asked for by, as it stands in an address or a command; empty: not asked. */
export const conditionNames = [
  ...['from', 'to', 'client', 'hook', 'decision', 'outcome', 'topic', 'reason', 'key', 'state'],
  ...['hookInstance', 'patientKey'],
] as const satisfies readonly string[];

const shape = z.object({
  from: time.optional(),
  to: time.optional(),
  client: text.optional(),
  hook: text.optional(),
  decision: z
    .string()
    .regex(/^[A-Z]{3}-\d\d$/, 'expected a decision such as MAS-02')
    .optional(),
  outcome: z.enum(['met', 'not-met', 'unknown', 'error']).optional(),
  topic: text.optional(),
  reason: text.optional(),
  key: text.optional(),
  state: z.enum(['missing', 'failed', 'truncated']).optional(),
  hookInstance: text.optional(),
  patientKey: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected the 64 hexadecimal digits of a patient key')
    .optional(),
});

/**
 * Reads the conditions of a query.
 *
 * Days are those of UTC; `to` names the last day wanted, or the first instant that is not.
 *
 * @param guideline Says which services make a decision: without, a decision `not-met` is found wherever it was not made.
 * @throws {@link RequestError} naming the condition and what was expected.
 */
export function readConditions(
  given: Readonly<Record<string, unknown>>,
  guideline: Pick<CompiledGuideline, 'services'>,
): EvaluationConditions {
  const asked = Object.fromEntries(
    conditionNames
      .map((name) => [name, given[name]] as const)
      .filter(([, value]) => value !== undefined && value !== ''),
  );
  const read = shape.safeParse(asked);
  if (!read.success) {
    const [issue] = read.error.issues;
    const name = String(issue?.path[0]);
    throw new RequestError(`${name}: ${issue?.message}.`, name);
  }
  const { from, to, decision, outcome, key, state, ...rest } = read.data;
  if ((key === undefined) !== (state === undefined)) {
    throw new RequestError('key and state: expected both, such as key=reports and state=failed.', 'key');
  }
  if (outcome === 'not-met' && decision === undefined) {
    throw new RequestError('outcome: not-met is asked of one decision: name it.', 'decision');
  }
  const services = decision === undefined ? [] : makersOf(guideline, decision);
  return {
    ...withoutAbsent(rest),
    ...(from !== undefined && { from: readInstant(from, (day) => day) }),
    ...(to !== undefined && { to: readInstant(to, endOfDay) }),
    ...(decision !== undefined && { decision: { id: decision, outcome: outcome ?? 'met' } }),
    ...(decision === undefined && outcome !== undefined && { decision: { outcome } }),
    ...(outcome === 'not-met' && services.length > 0 && { services }),
    ...(key !== undefined && state !== undefined && { unknownKey: { key, state } }),
  };
}

/** The latest instant that is written with four digits of a year: texts of later ones sort before it. */
const latest = Date.parse('9999-12-31T23:59:59.999Z');
const millisecondsPerDay = 86_400_000;

/** The first instant after a day, or the latest there is. */
export function endOfDay(start: Date): Date {
  return new Date(Math.min(start.getTime() + millisecondsPerDay, latest));
}

/** @param ofDay The instant that is meant where a whole day is named, from the day's first. */
function readInstant(given: string, ofDay: (start: Date) => Date): string {
  const isDay = !given.includes('T');
  const instant = new Date(isDay ? `${given}T00:00Z` : given.endsWith('Z') ? given : `${given}Z`);
  // 31 February would be taken for a day of March.
  if (Number.isNaN(instant.getTime()) || !instant.toISOString().startsWith(given.slice(0, 'YYYY-MM-DD'.length))) {
    throw new RequestError(`${given}: there is no such date or time.`);
  }
  return (isDay ? ofDay(instant) : instant).toISOString();
}

function withoutAbsent<Value extends object>(value: Value): { [Name in keyof Value]?: NonNullable<Value[Name]> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [Name in keyof Value]?: NonNullable<Value[Name]>;
  };
}
