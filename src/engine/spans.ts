/**
 * An interval of values: what a result says (`7.2`, `<5`), or what counts as normal. A missing end is infinite; `lowOpen`
 * and `highOpen` mean that the end itself is excluded.
 */
export interface Span {
  low: number;
  high: number;
  lowOpen: boolean;
  highOpen: boolean;
}

/**
 * Compares a result with an interval of normal values.
 *
 * @returns Undefined where the values the result leaves possible do not agree.
 */
export function compareSpan(result: Span, normal: Span): 'low' | 'high' | 'no' | undefined {
  if (result.high < normal.low || (result.high === normal.low && (result.highOpen || normal.lowOpen))) return 'low';
  if (result.low > normal.high || (result.low === normal.high && (result.lowOpen || normal.highOpen))) return 'high';
  const notLow = result.low > normal.low || (result.low === normal.low && (result.lowOpen || !normal.lowOpen));
  const notHigh = result.high < normal.high || (result.high === normal.high && (result.highOpen || !normal.highOpen));
  return notLow && notHigh ? 'no' : undefined;
}

/**
 * Measures how far outside an interval a result lies, as a share of its width (of the limit, if one-sided); of a
 * comparator result the least it can be. Undefined where it is not outside or there is nothing to measure by.
 */
export function measureOutside(result: Span, normal: Span, direction: 'low' | 'high'): number | undefined {
  const distance = direction === 'high' ? result.low - normal.high : normal.low - result.high;
  const limit = direction === 'high' ? normal.high : normal.low;
  const twoSided = Number.isFinite(normal.low) && Number.isFinite(normal.high);
  const width = twoSided ? normal.high - normal.low : limit;
  return distance >= 0 && width > 0 && Number.isFinite(width) ? distance / width : undefined;
}

/** True for a single value. */
export function isExact(span: Span): boolean {
  return span.low === span.high;
}

const comparators: ReadonlyMap<unknown, string> = new Map([
  ['<', '<'],
  ['<=', '<='],
  ['≤', '<='],
  ['>', '>'],
  ['>=', '>='],
  ['≥', '>='],
]);

/**
 * Reads a number with its comparator.
 *
 * Negative numbers are refused: no quantity of the guideline can be negative, some systems write -1 for "none".
 *
 * @returns Undefined for anything that is not a number a result can have.
 */
export function readSpan(value: number, comparator: unknown): Span | undefined {
  if (!Number.isFinite(value) || value < 0) return undefined;
  // Adding zero makes -0 zero
  const limit = value + 0;
  if (comparator === undefined || comparator === null || comparator === '') {
    return { low: limit, high: limit, lowOpen: false, highOpen: false };
  }
  switch (comparators.get(comparator)) {
    case '<':
      return limit > 0 ? { low: 0, high: limit, lowOpen: false, highOpen: true } : undefined;
    case '<=':
      return { low: 0, high: limit, lowOpen: false, highOpen: false };
    case '>':
      return { low: limit, high: Infinity, lowOpen: true, highOpen: false };
    case '>=':
      return { low: limit, high: Infinity, lowOpen: false, highOpen: false };
    default:
      return undefined;
  }
}

const plainNumber = '\\d{1,15}(?:[.,]\\d{1,15})?';
// A unit never starts like a number goes on, so 1:320, 1-5, 1+ and 1.2.3 are not read
const unitText = '(?: ?([\\p{L}%‰/×?({\\[#][^<>=]*))?';
const numberText = new RegExp(`^(<=|>=|<|>|≤|≥)? ?(${plainNumber})${unitText}$`, 'u');
const rangeText = new RegExp(`^(${plainNumber}) ?[-–—] ?(${plainNumber})${unitText}$`, 'u');
const longestText = 80;

/** A number or range read from text, with the text of its unit. */
export interface SpanText {
  span: Span;
  unit: string | undefined;
}

/** Reads `5,2`, `<5`, `>= 90 mL/min`: a number, with a comma or point before the decimals; `1.234` may be a thousand and is none. */
export function readNumberText(text: string): SpanText | undefined {
  const found = text.length > longestText ? null : numberText.exec(text.trim());
  if (found === null || mayHaveThousands(found[2])) return undefined;
  const span = readSpan(readDecimal(found[2]), found[1]);
  return span && { span, unit: found[3] };
}

/** Denmark writes thousands with a point, and senders elsewhere with a comma. */
function mayHaveThousands(text = ''): boolean {
  return /^[1-9]\d{0,2}[.,]\d{3}$/.test(text);
}

/** Reads `8,3-10,5`, `<8` (8 is outside), `>= 60`: plain ranges and nothing else. */
export function readRangeText(text: string): SpanText | undefined {
  if (text.length > longestText) return undefined;
  const found = rangeText.exec(text.trim());
  if (found !== null) {
    if (mayHaveThousands(found[1]) || mayHaveThousands(found[2])) return undefined;
    const low = readDecimal(found[1]);
    const high = readDecimal(found[2]);
    return low <= high ? { span: { low, high, lowOpen: false, highOpen: false }, unit: found[3] } : undefined;
  }
  const limit = readNumberText(text);
  if (limit === undefined || isExact(limit.span)) return undefined;
  // As a limit `<8` says nothing of small values, not even that they are above zero
  if (limit.span.low === 0) limit.span.low = -Infinity;
  return limit;
}

function readDecimal(text: string | undefined): number {
  return Number(text?.replace(',', '.'));
}
