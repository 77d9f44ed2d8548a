import ucum from '@lhncbc/ucum-lhc';
import * as z from 'zod';
import { KnowledgeError } from '../errors.ts';

const spellingsByUnit = z.record(z.string(), z.array(z.string().min(1)));
const answerSchema = z.strictObject({
  /** Codes by system URI. */
  codes: z.record(z.string(), z.array(z.string().min(1))),
  /** Whole texts, in lower case. */
  words: z.array(z.string().min(1)),
});

/** concepts/unit-spellings.yaml. */
export const spellingsSchema = z.strictObject({
  same: spellingsByUnit,
  text: spellingsByUnit,
  garbled: spellingsByUnit,
  unreadable: z.array(z.string().min(1)),
  positive: answerSchema,
  negative: answerSchema,
  female: answerSchema,
  male: answerSchema,
});

/** An answer as a result may give it: by code or by word. */
export interface Answer {
  systemsByCode: ReadonlyMap<string, readonly string[]>;
  words: ReadonlySet<string>;
}

/** The spellings of concepts/unit-spellings.yaml, ready for look-up by tidied text. */
export interface Spellings {
  same: ReadonlyMap<string, string>;
  text: ReadonlyMap<string, string>;
  garbled: ReadonlyMap<string, string>;
  unreadable: ReadonlySet<string>;
  positive: Answer;
  negative: Answer;
  female: Answer;
  male: Answer;
}

/** Procedure-defined unit: a number in it compares only with the result's own reference range. */
export const procedureDefined = 'p.d.u.';

/**
 * Compiles the spellings of a knowledge folder.
 *
 * @throws {@link KnowledgeError} naming each spelling that stands for two units.
 */
export function compileSpellings(data: z.infer<typeof spellingsSchema>): Spellings {
  const mistakes: string[] = [];
  const index = (section: 'same' | 'text' | 'garbled', taken: ReadonlyMap<string, string>): Map<string, string> => {
    const units = new Map<string, string>();
    for (const [unit, spellings] of Object.entries(data[section])) {
      for (const spelling of section === 'same' ? [unit, ...spellings] : spellings) {
        const tidy = tidyUnit(spelling);
        const other = units.get(tidy) ?? taken.get(tidy);
        if (other !== undefined && other !== unit) {
          mistakes.push(`concepts/unit-spellings.yaml ${section}: "${spelling}" stands for ${other} and for ${unit}`);
        }
        units.set(tidy, unit);
      }
    }
    return units;
  };
  const same = index('same', new Map());
  const text = index('text', same);
  const garbled = index('garbled', new Map([...same, ...text]));
  if (mistakes.length > 0) throw new KnowledgeError(mistakes);
  return {
    same,
    text,
    garbled,
    unreadable: new Set(data.unreadable.map(tidyUnit)),
    positive: compileAnswer(data.positive),
    negative: compileAnswer(data.negative),
    female: compileAnswer(data.female),
    male: compileAnswer(data.male),
  };
}

function compileAnswer(data: z.infer<typeof answerSchema>): Answer {
  const systemsByCode = new Map<string, string[]>();
  for (const [system, codes] of Object.entries(data.codes)) {
    for (const code of codes) systemsByCode.set(code, [...(systemsByCode.get(code) ?? []), system]);
  }
  return { systemsByCode, words: new Set(data.words) };
}

// Longer than any unit; keeps hostile text out of the regular expressions and the memos.
const longestUnit = 60;
const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/**
 * Normalises the text of a unit to UCUM.
 *
 * @param fixedUnit The unit the NPU code fixes, if the result has one: garbled text is read as that unit or not at all.
 * @returns The UCUM unit, `p.d.u.`, or undefined where the text is not understood. A unit that no spelling names comes
 * back as it is where it is UCUM.
 */
export function normaliseUnit(text: string, spellings: Spellings, fixedUnit?: string): string | undefined {
  if (text.length > longestUnit) return undefined;
  const tidy = tidyUnit(text);
  const known = spellings.same.get(tidy) ?? spellings.text.get(tidy);
  if (known !== undefined) return known;
  if (fixedUnit !== undefined) {
    if (spellings.unreadable.has(tidy)) return fixedUnit;
    if (spellings.garbled.get(tidy) === fixedUnit) return fixedUnit;
  }
  return tidy !== '' && findKind(tidy) !== undefined ? tidy : undefined;
}

/**
 * Normalises a UCUM code: other UCUM codes for a listed unit become that unit.
 *
 * @returns Undefined where the code is not UCUM, or no UCUM a laboratory result can have.
 */
export function normaliseCode(code: string, spellings: Spellings): string | undefined {
  if (code.length > longestUnit) return undefined;
  return spellings.same.get(tidyUnit(code)) ?? (findKind(code) !== undefined ? code : undefined);
}

function tidyUnit(text: string): string {
  return (
    text
      .trim()
      .replace(/\s+/g, ' ')
      .replace(/[µμ]/g, 'u')
      .replaceAll('\uFFFD', '?')
      .replace(/[⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, raiseDigits)
      .replace(/^\(([^()]+)\)$/, '$1')
      // 10E9, 10^9, 10(9) and 10*9, with or without a multiplication sign before
      .replace(/^(?:[x×] ?)?10 ?(?:[*^eE]\+?(-?\d{1,2})|\((-?\d{1,2})\))/, '10*$1$2')
      .replace(/(\d),(\d)/g, '$1.$2')
      .replace(/ ?\/ ?/g, '/')
      .replace(/\/l$/, '/L')
  );
}

function raiseDigits(raised: string): string {
  let exponent = '^';
  for (const digit of raised) exponent += digit === '⁻' ? '-' : superscripts.indexOf(digit);
  return exponent;
}

const timeUnit = /^(?:min|h|d|wk|mo|a)$/;
// Without mega and above: `Mmol/L` is a misspelt mmol/L, not a million moles
const metricUnit = /^[kdcmunpfa]?(mol|eq|kat|g|L|l|m|s|U|\[IU\]|\[iU\]|\[arb'U\])(-?[1-3])?$/;
const number = /^(?:10[*^]-?\d{1,2}|\d{1,9}|%|\[ppm\])?$/;

/**
 * Finds the kind of quantity of a UCUM unit: equal kinds convert into each other by a factor.
 *
 * Stricter than UCUM, where `mol` is a number and `[IU]` has no factor: substance, mass, catalytic and arbitrary amounts
 * are kinds of their own, and `mmol/mol` is not a fraction. Undefined for what is not UCUM or in no laboratory result.
 */
function findKind(unit: string): string | undefined {
  const powers = new Map<string, number>();
  let sign = 1;
  for (const part of unit.replace(/\{[^{}]*\}/g, '').split(/([./])/)) {
    if (part === '/') sign = -1;
    else if (part === '.') sign = 1;
    else if (!number.test(part)) {
      const found = timeUnit.test(part)
        ? ['', 's', undefined]
        : part === '[in_i]'
          ? ['', 'm', undefined]
          : metricUnit.exec(part);
      const atom = found?.[1];
      if (atom === undefined) return undefined;
      const power = sign * Number(found?.[2] ?? 1);
      const volume = atom === 'L' || atom === 'l';
      // An amount of substance per amount of substance does not cancel
      const base = volume ? 'm' : atom === '[iU]' ? '[IU]' : atom === 'mol' && power < 0 ? 'per-mol' : atom;
      powers.set(base, (powers.get(base) ?? 0) + (volume ? 3 * power : power));
    }
  }
  let kind = '';
  for (const base of [...powers.keys()].sort()) {
    const power = powers.get(base);
    if (power !== 0) kind += `${base}${power} `;
  }
  return kind;
}

/** True for a fraction, a percentage, a ratio of masses or a bare number. */
export function isDimensionless(unit: string): boolean {
  return findKind(unit) === '';
}

// Enough for every pair of units in use; hostile units only push each other out.
const mostFactors = 1000;
const factors = new Map<string, number | undefined>();

/**
 * Finds the factor between two UCUM units of the same kind of quantity.
 *
 * Never between mass and substance or any other two kinds, and never between fractions of different scale (`%`, `1`):
 * whether those mean the same quantity is for the conversions of the analysis to say.
 *
 * @returns Undefined where the units are not UCUM or differ in kind.
 */
export function findFactor(from: string, to: string): number | undefined {
  const pair = `${from} ${to}`;
  if (factors.has(pair)) return factors.get(pair);
  const kind = findKind(from);
  let factor: number | undefined;
  if (kind !== undefined && kind === findKind(to)) {
    factor = convertOne(from, to);
    if (kind === '' && factor !== 1) factor = undefined;
  }
  if (factors.size >= mostFactors) factors.clear();
  factors.set(pair, factor);
  return factor;
}

function convertOne(from: string, to: string): number | undefined {
  // UCUM gives arbitrary units no factor, not even between their own multiples; U stands in, as the kinds are equal
  const scale = (unit: string): string => unit.replace(/\[IU\]|\[iU\]|\[arb'U\]/g, 'U');
  try {
    const { status, toVal } = ucum.UcumLhcUtils.getInstance().convertUnitTo(scale(from), 1, scale(to));
    return status === 'succeeded' && toVal !== null && Number.isFinite(toVal) && toVal > 0 ? round(toVal) : undefined;
  } catch {
    // The library throws on some texts it cannot parse
    return undefined;
  }
}

/** Removes the binary noise of a conversion, so that a value on a limit stays on it. */
export function round(value: number): number {
  return Number(value.toPrecision(12));
}
