import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import fhirpath from 'fhirpath';
import { describe, expect, it } from 'vitest';
import { type Closure, compileClosure, type Items, type Node, notKnown, toItems } from '../../src/engine/closure.ts';
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

/** Compiles an expression; throws with the first mistake found in it. */
function compile(text: string): Closure {
  return compileClosure(fhirpath.parse(text) as Node, {
    names: new Set(),
    members: new Set(),
    mistake: (what) => {
      throw new Error(what);
    },
  });
}

type Values = Readonly<Record<string, unknown>>;

/**
 * Evaluates with a closure and with the library.
 *
 * The library asks for every operand: what the closure never came to is empty for it, which it must be able to be.
 */
function askBoth(text: string, context: Values, environment: Values) {
  const closure = compile(text);
  const reached = new Set<string | symbol>();
  const members = new Proxy(context, {
    get(target, member) {
      reached.add(member);
      return Reflect.get(target, member);
    },
  });
  const names = new Set<string>();
  const given = outcomeOf(() =>
    closure(members, (name) => {
      names.add(name);
      return toItems(environment[name]);
    }),
  );
  const keep = (values: Values, isKept: (key: string) => boolean) =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, isKept(key) ? value : []]));
  const library = askLibrary(
    text,
    keep(context, (key) => reached.has(key)),
    keep(environment, (key) => names.has(key)),
  );
  return { given, library, all: askLibrary(text, { ...context }, { ...environment }) };
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
  it('is what every expression of the knowledge is', () => {
    expect(expressions.size).toBeGreaterThan(100);
  });

  it.each([...expressions.values()].map(({ text, names, members }) => ({ text, names, members })))(
    'gives what the library gives: $text',
    ({ text, names, members }) => {
      const valuesOf = (keys: readonly string[]) =>
        fc.record(Object.fromEntries(keys.map((key) => [key, anyValue(text)])));
      fc.assert(
        fc.property(valuesOf(members), valuesOf(names), (context, environment) => {
          const { given, library, all } = askBoth(text, context, environment);
          expect(given).toEqual(library);
          if (all !== 'throws') expect(given).toEqual(all);
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
    const value = anyValue("'one' 'two'");
    fc.assert(
      fc.property(value, value, value, (a, b, m) => {
        const { given, library, all } = askBoth(text, { m }, { a, b });
        expect(given).toEqual(library);
        if (all !== 'throws') expect(given).toEqual(all);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["'it\\'s'", 'has an escape'],
    ['1 year', '1year is not of the FHIRPath'],
    ['@2026-01-01', '@2026-01-01 is not of the FHIRPath'],
    ['%a.where($this > 1)', 'function where() is not one of'],
    ['%a.exists(%b)', 'function exists() is not one of'],
    ['%a.iif(%b, true)', 'function iif() is not one of'],
    ['exists()', 'function exists() is not one of'],
    ['code.text', '.text is a member of a member'],
    ['%a[0]', 'IndexerExpression is not of the FHIRPath'],
    ['%a ~ %b', '~ is not of the FHIRPath'],
    ['-1', '- is not of the FHIRPath'],
    ['%`a`', 'stands in backticks'],
    ["1 < 'a'", 'A number is compared with a string'],
    ["('a' | 'b') and true", '2 items stand where one truth value is expected'],
    ["('a' | 'b').not()", '2 items stand where one truth value is expected'],
    ["iif(%a, 1 + 'a', 0)", 'A string stands where a number is expected'],
  ])('is not what is no FHIRPath of knowledge or can only fail: %s', (text, mistake) => {
    expect(() => compile(text)).toThrow(mistake);
  });
});

describe('what rests on a list that is not known', () => {
  const open = 'open';
  const lists: Readonly<Record<string, Items>> = { list: notKnown, yes: [true], no: [false], none: [], some: ['a'] };
  const evaluate = (text: string): unknown => {
    const items = compile(text)({}, (name) => lists[name] ?? []);
    return items === notKnown ? open : [...items];
  };

  it.each([
    '%list',
    '%list.exists()',
    '%list.empty()',
    '%list.empty().not()',
    '%list.count()',
    '%list.count() > 1',
    "(%list = 'a').exists()",
    "%list contains 'a'",
    "'a' in %list",
    '%none in %list',
    '%list | %some',
    '%some | %list',
    '%some.exclude(%list)',
    '%list.intersect(%none)',
    '%list.max()',
    'iif(%list.exists(), true, false)',
    'iif(%yes, %list, %some)',
    'iif(%no, %some, %list)',
    '%yes and %list.exists()',
    '%list.exists() and %yes',
    '%none and %list.exists()',
    '%no or %list.exists()',
    '%list.exists() or %none',
  ])('is not known: %s', (text) => {
    expect(evaluate(text)).toBe(open);
  });

  it.each([
    ['%no and %list.exists()', [false]],
    ['%list.exists() and %no', [false]],
    ['%yes or %list.exists()', [true]],
    ['%list.exists() or %yes', [true]],
    ['iif(%no, %list, %some)', ['a']],
    ['iif(%yes, %some, %list)', ['a']],
  ])('is known where something else decides: %s', (text, items) => {
    expect(evaluate(text)).toEqual(items);
  });

  it('is not known either where it is open which branch is taken', () => {
    expect([evaluate('iif(%none, %list, %some)'), evaluate('iif(%none, %some, %list)')]).toEqual([open, open]);
    expect(evaluate('iif(%none, %some, %none)')).toEqual([]);
  });
});

describe('names are asked for', () => {
  it.each([
    ['%no and %other', ['no']],
    ['%yes or %other', ['yes']],
    ['%yes and %no and %other', ['yes', 'no']],
    ['%none and %other', ['none', 'other']],
    ['iif(%yes, %some, %other)', ['yes', 'some']],
    ['iif(%none, %other, %some)', ['none', 'other', 'some']],
    ['iif(%no, %other, %some)', ['no', 'some']],
  ])('from left to right, as far as they can change the outcome: %s', (text, names) => {
    const asked: string[] = [];
    const values: Readonly<Record<string, Items>> = { yes: [true], no: [false] };
    compile(text)({}, (name) => {
      asked.push(name);
      return values[name] ?? [];
    });
    expect(asked).toEqual(names);
  });
});
