import type { Condition } from '../concepts.ts';
import type { ReportMistake } from '../guideline.ts';

/** One code, two meanings. */
export function lintSharedCodes(conditions: readonly Condition[], mistake: ReportMistake): void {
  const ids = new Set(conditions.map(({ id }) => id));
  for (const { id, sharesCodesWith = [] } of conditions) {
    for (const other of sharesCodesWith) {
      if (!ids.has(other))
        mistake(`concepts ${id}.sharesCodesWith`, `${id} shares codes with ${other}, which does not exist`);
    }
  }
  const shares = new Set(
    conditions.flatMap(({ id, sharesCodesWith = [] }) =>
      sharesCodesWith.flatMap((other) => [`${id} ${other}`, `${other} ${id}`]),
    ),
  );
  const spans = conditions
    .filter(({ umbrella }) => umbrella === undefined)
    .flatMap(({ id, codes = {} }) =>
      Object.entries(codes).flatMap(([system, list]) => list.map((code) => ({ id, code, ...spanOf(system, code) }))),
    )
    .sort((a, b) => (a.first < b.first ? -1 : 1));
  for (const [at, one] of spans.entries()) {
    for (let next = at + 1; next < spans.length; next += 1) {
      const other = spans[next];
      if (other === undefined || other.first > one.last) break;
      if (one.id === other.id || shares.has(`${one.id} ${other.id}`)) continue;
      mistake(
        `concepts ${other.id}.codes`,
        `${other.code} is an exact code of ${one.id} (${one.code}) too: make it broader in one of them, or declare it with sharesCodesWith`,
      );
    }
  }
}

/** First and last text that a code, `A*` or `A-B*` of a system covers. */
function spanOf(system: string, code: string): { first: string; last: string } {
  if (!code.endsWith('*')) return { first: `${system} ${code}`, last: `${system} ${code}` };
  const [first = '', last = first] = code.slice(0, -1).split(/(?<=[A-Z]\d\d)-/);
  return { first: `${system} ${first}`, last: `${system} ${last}\uffff` };
}
