import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import fhirpath from 'fhirpath';
import { describe, expect, it } from 'vitest';
import { compileClosure, type Node } from '../../src/engine/closure.ts';
import type { Expression } from '../../src/engine/expression.ts';
import { loadKnowledge } from '../../src/knowledge.ts';

const folder = fileURLToPath(new URL('../../cds-services/diagnostisk-pakkeforloeb', import.meta.url));
const expressions = collectExpressions(loadKnowledge(folder));

/** Every expression there is anywhere in the compiled knowledge. */
function collectExpressions(value: unknown, found = new Map<string, Expression>(), seen = new Set<unknown>()) {
  if (typeof value !== 'object' || value === null || seen.has(value)) return found;
  seen.add(value);
  if ('evaluate' in value && 'text' in value) found.set(String(value.text), value as Expression);
  const members = value instanceof Map || value instanceof Set ? value.values() : Object.values(value);
  for (const member of members) collectExpressions(member, found, seen);
  return found;
}

/** What a closure is for: it is compiled, so the library is not asked. */
function compile(text: string) {
  return compileClosure(fhirpath.parse(text) as Node);
}

/** What an evaluation comes to: what it gives, or that it throws. */
function outcomeOf(evaluate: () => readonly unknown[]): unknown {
  try {
    return [...evaluate()];
  } catch {
    return 'throws';
  }
}

const askLibrary = (text: string, context: object, environment: Record<string, unknown>) =>
  outcomeOf(() => fhirpath.evaluate(context, text, environment) as unknown[]);

/** A value a name or member may have: mostly of the kinds the expression speaks of, at times of another. */
function anyValue(text: string): fc.Arbitrary<unknown> {
  const words = [...text.matchAll(/'([^']*)'/g)].map(([, word]) => word as string);
  const one = fc.oneof(
    fc.constantFrom(...words, 'other'),
    fc.boolean(),
    fc.constantFrom(0, 1, 29, 30, 31, 365),
    fc.integer({ min: -10, max: 100 }).map((tenths) => tenths / 10),
  );
  return fc.oneof(
    { weight: 6, arbitrary: one },
    { weight: 2, arbitrary: fc.array(one, { maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constantFrom([], undefined) },
  );
}

describe('an expression compiled into closures', () => {
  it('covers every expression of the knowledge', () => {
    expect(expressions.size).toBeGreaterThan(100);
    expect([...expressions.keys()].filter((text) => compile(text) === undefined)).toEqual([]);
  });

  it.each([...expressions.values()].map(({ text, names, members }) => ({ text, names, members })))(
    'gives what the library gives: $text',
    ({ text, names, members }) => {
      const closure = compile(text);
      const valuesOf = (keys: readonly string[]) =>
        fc.record(Object.fromEntries(keys.map((key) => [key, anyValue(text)])));
      fc.assert(
        fc.property(valuesOf(members), valuesOf(names), (context, environment) => {
          const library = askLibrary(text, { ...context }, { ...environment });
          expect(outcomeOf(() => closure?.(context, environment) ?? [])).toEqual(library);
        }),
        { numRuns: 100 },
      );
    },
  );

  it.each([
    '%a and %b',
    '%a or %b',
    '%a = %b',
    '%a != %b',
    '%a < %b',
    '%a <= %b',
    '%a > %b',
    '%a >= %b',
    '%a in %b',
    '%a contains %b',
    '%a | %b',
    '%a + %b',
    '%a * %b',
    '%a.intersect(%b)',
    '%a.exclude(%b)',
    '%a.distinct()',
    '%a.count()',
    '%a.max()',
    '%a.min()',
    '%a.not()',
    '%a.exists()',
    '%a.empty()',
    'iif(%a, %b, m)',
    'iif(%a, %b)',
    'm = %a',
    'm < %a',
    'm in %a',
    'm | %a',
    '0 < m',
    'm = 1',
  ])('gives what the library gives, whatever the values: %s', (text) => {
    const closure = compile(text);
    expect(closure).toBeDefined();
    const value = anyValue("'one' 'two'");
    fc.assert(
      fc.property(value, value, value, (a, b, m) => {
        const library = askLibrary(text, { m }, { a, b });
        expect(outcomeOf(() => closure?.({ m }, { a, b }) ?? [])).toEqual(library);
      }),
      { numRuns: 500 },
    );
  });

  it('throws for a name without a value, as the library does', () => {
    expect(() => compile('%a and %b')?.({}, { a: true })).toThrow('%b');
    expect(askLibrary('%a and %b', {}, { a: true })).toBe('throws');
  });

  it.each([
    "'it\\'s'",
    '1 year',
    '@2026-01-01',
    '%a.first()',
    '%a.where($this > 1)',
    'code.text',
    '%a ~ %b',
    '-1',
    '%`a`',
  ])('leaves to the library what it does not cover: %s', (text) => {
    expect(compile(text)).toBeUndefined();
  });
});
