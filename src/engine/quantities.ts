import type { Analysis } from './concepts.ts';
import { isObject, isSent, type Json, listOf } from './resources.ts';
import { compareSpan, isExact, measureOutside, readNumberText, readRangeText, readSpan, type Span } from './spans.ts';
import type { Patient, Reading } from './types.ts';
import {
  type Answer,
  findFactor,
  isDimensionless,
  normaliseCode,
  normaliseUnit,
  procedureDefined,
  round,
  type Spellings,
} from './units.ts';

/** From a unit into the Danish unit of the analysis: value * multiply + add. */
interface Conversion {
  multiply: number;
  add: number;
  /** Plausible values before conversion. */
  min: number;
  max: number;
  /** A result in this unit has no value in the Danish unit. */
  never: boolean;
}

/** What a unit as sent means for an analysis. */
interface SentUnit {
  /** UCUM or `p.d.u.`; undefined where not understood. */
  unit: string | undefined;
  /** Into the Danish unit; undefined where there is none. */
  conversion: Conversion | undefined;
  /** The unit shows that another quantity was measured: a share of the cells, not their number. */
  otherQuantity: boolean;
}

/** What one code of an analysis says of units, and the spellings met with it. */
interface CodeUnits {
  /** The unit where none was sent; undefined where the code does not fix it. */
  fixed: SentUnit | undefined;
  /** The unit an NPU code fixes: unit text that lost characters is read as that unit or not at all. */
  fixedUnit: string | undefined;
  /** What a unit with several meanings is with this code: `%` is `% (NGSP)`. */
  qualified: { plain: string; unit: string } | undefined;
  /** The code is that of another quantity than the analysis' own. */
  otherQuantity: boolean;
  /** The number is an answer: 1 present, 0 absent. */
  isPresence: boolean;
  seenCodes: Map<string, SentUnit>;
  seenTexts: Map<string, SentUnit>;
}

interface Interval extends Span {
  sex: 'female' | 'male' | undefined;
  fromAge: number;
  toAge: number;
}

/** An analysis ready to read results, see {@link compileAnalysis}. */
export interface CompiledAnalysis {
  id: string;
  /** The Danish unit, UCUM; undefined for qualitative analyses and panels. */
  unit: string | undefined;
  conversions: ReadonlyMap<string, Conversion>;
  intervals: readonly Interval[];
  /** By code; `''` for the codes without an entry of their own. An NPU code fixes the unit, others do not. */
  npuUnits: Map<string, CodeUnits>;
  otherUnits: Map<string, CodeUnits>;
  spellings: Spellings;
}

/** A number as it was sent, with its unit. */
interface SentSpan extends Span {
  unit: SentUnit;
  codeUnits: CodeUnits;
}

/**
 * What the value of a result says: members of a {@link Reading}, and what {@link judgeResult} needs.
 *
 * A result whose number or unit could not be read for sure has neither value nor atLeast nor atMost.
 */
export interface Quantity extends Pick<Reading, 'value' | 'atLeast' | 'atMost' | 'open' | 'unit' | 'positive'> {
  /** As sent, whether or not it could be converted: the result's own reference range is in that unit. */
  sent?: SentSpan;
  /** Not the analysis' own quantity: never judged. */
  otherQuantity?: true;
}

/** How a result is judged: members of a {@link Reading}. */
export type Judgement = Pick<Reading, 'abnormal' | 'flag' | 'outsideBy' | 'positive'>;

// `% (NGSP)`: a unit whose text means different quantities, told apart by the code
const qualifiedUnit = /^(.+) \((.+)\)$/;

/** Unit of a code whose numbers are answers: 1 present, 0 absent. */
const presence = '{0|1}';

/** Compiles the units, conversions and intervals of an analysis. */
export function compileAnalysis(analysis: Analysis, spellings: Spellings): CompiledAnalysis {
  const canonical = (text: string): string =>
    qualifiedUnit.test(text) ? text : (normaliseUnit(text, spellings) ?? text);
  const unit = analysis.unit === undefined ? undefined : canonical(analysis.unit);
  const conversions = new Map<string, Conversion>();
  if (unit !== undefined) conversions.set(unit, { multiply: 1, add: 0, min: 0, max: Infinity, never: false });
  for (const { from, multiply = 1, add = 0, min = 0, max = Infinity, never = false } of analysis.convert ?? []) {
    conversions.set(canonical(from), { multiply, add, min, max, never });
  }
  const compiled: CompiledAnalysis = {
    id: analysis.id,
    unit,
    conversions,
    intervals: (analysis.intervals ?? []).map(compileInterval),
    npuUnits: new Map(),
    otherUnits: new Map(),
    spellings,
  };
  const codes = Object.entries(analysis.unitOfCode ?? {}).map(([code, text]) => [code, canonical(text)] as const);
  for (const [code, unitOfCode] of [...codes, ['', unit] as const]) {
    compiled.npuUnits.set(code, compileCodeUnits(compiled, unitOfCode, true));
    compiled.otherUnits.set(code, compileCodeUnits(compiled, unitOfCode, false));
  }
  return compiled;
}

function compileInterval(interval: NonNullable<Analysis['intervals']>[number]): Interval {
  return {
    sex: interval.sex,
    fromAge: interval.fromAge ?? 0,
    toAge: interval.toAge ?? Infinity,
    low: interval.low ?? interval.above ?? -Infinity,
    high: interval.high ?? interval.below ?? Infinity,
    lowOpen: interval.low === undefined && interval.above !== undefined,
    highOpen: interval.high === undefined && interval.below !== undefined,
  };
}

function compileCodeUnits(analysis: CompiledAnalysis, unit: string | undefined, isNpu: boolean): CodeUnits {
  const parts = unit === undefined ? null : qualifiedUnit.exec(unit);
  const plain = parts?.[1] === undefined ? undefined : (normaliseUnit(parts[1], analysis.spellings) ?? parts[1]);
  const codeUnits: CodeUnits = {
    fixed: undefined,
    fixedUnit: isNpu ? unit : undefined,
    qualified: unit === undefined || plain === undefined ? undefined : { plain, unit },
    otherQuantity: false,
    isPresence: unit === presence,
    seenCodes: new Map(),
    seenTexts: new Map(),
  };
  if (unit !== undefined) {
    const sent = describeUnit(unit, analysis, codeUnits);
    // A ratio is complete without a unit, whatever the code system
    if (isNpu || findFactor(unit, '1') === 1) codeUnits.fixed = sent;
    codeUnits.otherQuantity = sent.otherQuantity;
  }
  return codeUnits;
}

/** Says what a unit means for an analysis. */
function describeUnit(text: string | undefined, analysis: CompiledAnalysis, codeUnits: CodeUnits): SentUnit {
  const unit = text !== undefined && codeUnits.qualified?.plain === text ? codeUnits.qualified.unit : text;
  const conversion = unit === undefined ? undefined : findConversion(unit, analysis);
  const convertible = conversion !== undefined && !conversion.never;
  const otherQuantity =
    codeUnits.otherQuantity ||
    (unit !== undefined && !convertible && isShare(unit) && analysis.unit !== undefined && !isShare(analysis.unit));
  // With the code of another quantity a fitting unit is a contradiction, not a value
  return { unit, conversion: otherQuantity ? undefined : conversion, otherQuantity };
}

/** True for a share (`%`, `1`); an annotation alone (`{index}`) says nothing and is not one. */
function isShare(unit: string): boolean {
  return !unit.includes('{') && isDimensionless(unit.replace(qualifiedUnit, '$1'));
}

function findConversion(unit: string, analysis: CompiledAnalysis): Conversion | undefined {
  const listed = analysis.conversions.get(unit);
  if (listed !== undefined) return listed;
  for (const [from, { multiply, add, min, max, never }] of analysis.conversions) {
    const factor = never ? undefined : findFactor(unit, from);
    if (factor !== undefined) return { multiply: factor * multiply, add, min: min / factor, max: max / factor, never };
  }
  return undefined;
}

/**
 * Reads the value of a result into the Danish unit of its analysis.
 *
 * Never assumes a unit: where none is sent only an NPU code (or a ratio) has one, and a unit of another kind, an
 * implausible number or a text that is not plainly a number gives no value.
 *
 * @param result An Observation or one of its components.
 * @param coding The coding by which it belongs to the analysis; `system` is the canonical name.
 */
export function readQuantity(
  result: Json,
  coding: Pick<Reading, 'system' | 'code'>,
  analysis: CompiledAnalysis,
): Quantity {
  const byCode = coding.system === 'npu' ? analysis.npuUnits : analysis.otherUnits;
  const codeUnits = byCode.get(coding.code) ?? byCode.get('');
  if (codeUnits === undefined) return {};
  const quantity = readValue(result, analysis, codeUnits);
  if (codeUnits.otherQuantity || quantity.sent?.unit.otherQuantity) quantity.otherQuantity = true;
  return quantity;
}

function readValue(result: Json, analysis: CompiledAnalysis, codeUnits: CodeUnits): Quantity {
  const { valueQuantity, valueInteger, valueBoolean, valueString, valueCodeableConcept } = result;
  if (isObject(valueQuantity)) {
    const span = readQuantitySpan(valueQuantity);
    return span === undefined
      ? {}
      : convertSpan(span, readUnit(valueQuantity, analysis, codeUnits), analysis, codeUnits);
  }
  if (typeof valueInteger === 'number') {
    const span = readSpan(valueInteger, undefined);
    return span === undefined ? {} : convertSpan(span, readUnit({}, analysis, codeUnits), analysis, codeUnits);
  }
  if (typeof valueBoolean === 'boolean') return { positive: valueBoolean };
  if (typeof valueString === 'string') return readText(valueString, analysis, codeUnits);
  if (!isObject(valueCodeableConcept)) return {};
  const { positive, negative } = analysis.spellings;
  const isPositive = hasCode(valueCodeableConcept, positive);
  if (isPositive !== hasCode(valueCodeableConcept, negative)) return { positive: isPositive };
  const { text } = valueCodeableConcept;
  return isPositive || typeof text !== 'string' ? {} : readText(text, analysis, codeUnits);
}

function readQuantitySpan({ value, comparator }: Json): Span | undefined {
  if (typeof value === 'number') return readSpan(value, comparator);
  if (typeof value !== 'string') return undefined;
  // Some converters from XML keep decimals as text: there a point is a decimal point
  if (/^-?\d{1,15}\.\d{1,15}$/.test(value)) return readSpan(Number(value), comparator);
  const found = readNumberText(value);
  if (found === undefined || found.unit !== undefined) return undefined;
  return isExact(found.span) ? readSpan(found.span.low, comparator) : found.span;
}

function readText(text: string, analysis: CompiledAnalysis, codeUnits: CodeUnits): Quantity {
  if (hasWord(text, analysis.spellings.positive)) return { positive: true };
  if (hasWord(text, analysis.spellings.negative)) return { positive: false };
  const found = readNumberText(text);
  if (found === undefined) return {};
  const unit = readUnit({ unit: found.unit }, analysis, codeUnits);
  // What follows the number is not a unit, so the text is not plainly a number
  if (found.unit !== undefined && unit?.unit === undefined) return {};
  return convertSpan(found.span, unit, analysis, codeUnits);
}

const ucumSystem = /^http:\/\/unitsofmeasure\.org\/?(?:\||$)/;
// A handful of spellings per code in real data; hostile ones only push each other out
const mostSpellings = 50;
const longestMember = 60;

/** Reads the unit of a Quantity: the UCUM code, else code and text by their spelling, else the unit the code fixes. */
function readUnit(quantity: Json, analysis: CompiledAnalysis, codeUnits: CodeUnits): SentUnit | undefined {
  const code = readMember(quantity.code);
  const unit = readMember(quantity.unit);
  if (code === undefined && unit === undefined) return codeUnits.fixed;
  // Not kept: an unknown unit is the same as another only where it is spelt alike
  if ((code?.length ?? 0) > longestMember || (unit?.length ?? 0) > longestMember) return { ...notSent };
  const isUcum = code !== undefined && typeof quantity.system === 'string' && ucumSystem.test(quantity.system);
  const seen = isUcum ? codeUnits.seenCodes : codeUnits.seenTexts;
  const spelling = isUcum || unit === undefined ? (code ?? '') : code === undefined ? unit : `${code}\n${unit}`;
  let sent = seen.get(spelling);
  if (sent === undefined) {
    const readings = isUcum
      ? // Text stamped as UCUM (`IU/L`) is common; it counts only where the UCUM reading leads nowhere
        [normaliseCode(code, analysis.spellings), readSpelling(code, analysis, codeUnits)]
      : [readSpelling(code, analysis, codeUnits), readSpelling(unit, analysis, codeUnits)];
    const described = readings
      .filter((found) => found !== undefined)
      .map((found) => describeUnit(found, analysis, codeUnits));
    sent =
      described.find((found) => found.conversion !== undefined || found.unit === procedureDefined) ??
      described[0] ??
      describeUnit(undefined, analysis, codeUnits);
    if (seen.size >= mostSpellings) seen.clear();
    seen.set(spelling, sent);
  }
  return sent;
}

function readSpelling(
  text: string | undefined,
  { spellings }: CompiledAnalysis,
  { fixedUnit }: CodeUnits,
): string | undefined {
  return text === undefined ? undefined : normaliseUnit(text, spellings, fixedUnit);
}

function readMember(member: unknown): string | undefined {
  return typeof member === 'string' && member !== '' ? member : undefined;
}

const notSent: SentUnit = { unit: undefined, conversion: undefined, otherQuantity: false };

function convertSpan(
  span: Span,
  unit: SentUnit | undefined,
  analysis: CompiledAnalysis,
  codeUnits: CodeUnits,
): Quantity {
  const { low, high, lowOpen, highOpen } = span;
  if (codeUnits.isPresence) {
    const sentUnit = unit?.unit;
    const hasUnit = sentUnit !== undefined && sentUnit !== procedureDefined && findFactor(sentUnit, '1') !== 1;
    return !hasUnit && isExact(span) && (low === 0 || low === 1) ? { positive: low === 1 } : {};
  }
  const quantity: Quantity = { sent: { low, high, lowOpen, highOpen, unit: unit ?? notSent, codeUnits } };
  const conversion = unit?.conversion;
  if (conversion === undefined || conversion.never || analysis.unit === undefined) return quantity;
  const end = high === Infinity ? low : high;
  const converted = convertNumber(end, conversion);
  const plausible = end >= conversion.min && end <= conversion.max && converted >= 0 && Number.isFinite(converted);
  if (!plausible) return quantity;
  quantity.unit = analysis.unit;
  if (low === high) {
    quantity.value = converted;
  } else {
    quantity[high === Infinity ? 'atLeast' : 'atMost'] = converted;
    if (lowOpen || highOpen) quantity.open = true;
  }
  return quantity;
}

function convertNumber(value: number, { multiply, add }: Conversion): number {
  return multiply === 1 && add === 0 ? value : round(value * multiply + add);
}

/**
 * Judges a result: by its interpretation, else by its own reference range, else by the intervals of the analysis.
 *
 * Where these do not agree, do not fit the patient or cannot be read, `abnormal` is absent.
 *
 * @param result The Observation or component {@link readQuantity} read.
 */
export function judgeResult(
  result: Json,
  quantity: Quantity,
  analysis: CompiledAnalysis,
  patient: Pick<Patient, 'sex' | 'age'>,
): Judgement {
  if (quantity.otherQuantity) return {};
  const judgement: Judgement = {};
  const says = readInterpretation(result.interpretation, judgement);
  const isContradicted =
    judgement.positive !== undefined && quantity.positive !== undefined && judgement.positive !== quantity.positive;
  if (says === 'undecided' || isContradicted) return judgement;
  if (says === 'normal') {
    judgement.abnormal = 'no';
    return judgement;
  }
  const measured = judgeNumber(result, quantity, analysis, patient);
  const direction = measured?.direction;
  if (says === 'low' || says === 'high') judgement.abnormal = says;
  else if (says === 'abnormal') judgement.abnormal = direction === 'low' || direction === 'high' ? direction : 'yes';
  else if (direction !== undefined) judgement.abnormal = direction;
  else if (quantity.positive !== undefined) judgement.abnormal = quantity.positive ? 'yes' : 'no';
  if (measured?.outsideBy !== undefined && judgement.abnormal === direction) judgement.outsideBy = measured.outsideBy;
  return judgement;
}

type Says = 'low' | 'high' | 'abnormal' | 'normal' | 'undecided';

/** HL7 tables v3-ObservationInterpretation and v2-0078; codes that say nothing of normal or abnormal are left out. */
const interpretations: ReadonlyMap<string, { says: Says; rank: number; positive?: boolean }> = new Map([
  ['HH', { says: 'high', rank: 3 }],
  ['HU', { says: 'high', rank: 3 }],
  ['H>', { says: 'high', rank: 3 }],
  ['HX', { says: 'high', rank: 2 }],
  ['H', { says: 'high', rank: 2 }],
  ['>', { says: 'high', rank: 2 }],
  ['LL', { says: 'low', rank: 3 }],
  ['LU', { says: 'low', rank: 3 }],
  ['L<', { says: 'low', rank: 3 }],
  ['LX', { says: 'low', rank: 2 }],
  ['L', { says: 'low', rank: 2 }],
  ['<', { says: 'low', rank: 2 }],
  ['AA', { says: 'abnormal', rank: 3 }],
  ['A', { says: 'abnormal', rank: 1 }],
  ['EX', { says: 'abnormal', rank: 1 }],
  ['POS', { says: 'abnormal', rank: 1, positive: true }],
  ['DET', { says: 'abnormal', rank: 1, positive: true }],
  ['RR', { says: 'abnormal', rank: 1, positive: true }],
  ['WR', { says: 'abnormal', rank: 1, positive: true }],
  ['N', { says: 'normal', rank: 1 }],
  ['NEG', { says: 'normal', rank: 1, positive: false }],
  ['ND', { says: 'normal', rank: 1, positive: false }],
  ['NR', { says: 'normal', rank: 1, positive: false }],
  // Indeterminate, equivocal, too little evidence, quality control failed, held for review: nobody has decided
  ['IND', { says: 'undecided', rank: 4 }],
  ['E', { says: 'undecided', rank: 4 }],
  ['IE', { says: 'undecided', rank: 4 }],
  ['QCF', { says: 'undecided', rank: 4 }],
  ['HM', { says: 'undecided', rank: 4 }],
]);

const interpretationSystems: ReadonlySet<string> = new Set([
  'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation',
  'http://terminology.hl7.org/CodeSystem/v2-0078',
  'http://hl7.org/fhir/v3/ObservationInterpretation',
  'http://hl7.org/fhir/v2/0078',
  'urn:oid:2.16.840.1.113883.5.83',
  'urn:oid:2.16.840.1.113883.18.31',
]);

/** Reads what the interpretations say together; sets `flag` to the gravest of them, and `positive`. */
function readInterpretation(interpretation: unknown, judgement: Judgement): Says | undefined {
  let says: Says | undefined;
  let rank = 0;
  for (const code of listInterpretations(interpretation)) {
    const found = interpretations.get(code);
    if (found === undefined) continue;
    says = says === undefined ? found.says : combine(says, found.says);
    if (found.rank > rank) {
      rank = found.rank;
      judgement.flag = code;
    }
    if (found.positive !== undefined) judgement.positive = found.positive;
  }
  // Codes that contradict each other leave the answer open as well
  if (says === 'undecided') delete judgement.positive;
  return says;
}

function combine(one: Says, other: Says): Says {
  if (one === other) return one;
  if (one === 'abnormal' && (other === 'low' || other === 'high')) return other;
  if (other === 'abnormal' && (one === 'low' || one === 'high')) return one;
  return 'undecided';
}

/** Lists the codes of an interpretation: R4 has an array of CodeableConcepts, others send one, or the bare code. */
function listInterpretations(interpretation: unknown): string[] {
  const codes: string[] = [];
  for (const concept of listOf(interpretation)) {
    if (typeof concept === 'string') codes.push(concept);
    if (!isObject(concept)) continue;
    const codings = listOf(concept.coding).filter(isObject);
    for (const { system, code } of codings) {
      if (typeof code === 'string' && isInterpretationSystem(system)) codes.push(code);
    }
    if (codings.length === 0 && typeof concept.text === 'string') codes.push(concept.text);
  }
  return codes;
}

function isInterpretationSystem(system: unknown): boolean {
  if (typeof system !== 'string') return !isSent(system);
  const version = system.indexOf('|');
  return interpretationSystems.has(version === -1 ? system : system.slice(0, version));
}

interface Measured {
  direction: 'low' | 'high' | 'no';
  outsideBy?: number | undefined;
}

/** Judges the number of a result; undefined where there is none or the intervals that may apply do not agree. */
function judgeNumber(
  result: Json,
  quantity: Quantity,
  analysis: CompiledAnalysis,
  patient: Pick<Patient, 'sex' | 'age'>,
): Measured | undefined {
  const { sent } = quantity;
  if (sent === undefined) return undefined;
  if (isSent(result.referenceRange)) {
    const own = judgeByOwnRanges(listOf(result.referenceRange), sent, quantity, analysis, patient);
    if (own !== 'none-sent') return own;
  }
  const span = readDanishSpan(quantity);
  if (span === undefined) return undefined;
  let measured: Measured | undefined;
  for (const interval of analysis.intervals) {
    const isForSex = interval.sex === undefined || patient.sex === undefined || interval.sex === patient.sex;
    const isForAge = patient.age === undefined || (patient.age >= interval.fromAge && patient.age <= interval.toAge);
    if (!isForSex || !isForAge) continue;
    const next = agree(measured, measure(span, interval));
    if (next === undefined) return undefined;
    measured = next;
  }
  return measured;
}

function measure(span: Span, normal: Span): Measured | undefined {
  const direction = compareSpan(span, normal);
  if (direction === undefined || direction === 'no') return direction && { direction };
  return { direction, outsideBy: measureOutside(span, normal, direction) };
}

/** Joins the judgements of two intervals: the same direction and the smaller distance, or none. */
function agree(one: Measured | undefined, other: Measured | undefined): Measured | undefined {
  if (one === undefined || other === undefined) return other;
  if (one.direction !== other.direction) return undefined;
  const outsideBy =
    one.outsideBy === undefined || other.outsideBy === undefined ? undefined : Math.min(one.outsideBy, other.outsideBy);
  return { direction: one.direction, outsideBy };
}

function readDanishSpan({ value, atLeast, atMost, open = false }: Quantity): Span | undefined {
  if (value !== undefined) return { low: value, high: value, lowOpen: false, highOpen: false };
  if (atLeast !== undefined) return { low: atLeast, high: Infinity, lowOpen: open, highOpen: false };
  if (atMost !== undefined) return { low: 0, high: atMost, lowOpen: false, highOpen: open };
  return undefined;
}

/**
 * Judges by the reference ranges sent with the result: those for normal people that apply, or may apply, to the patient.
 * They always win over the intervals of the analysis, so ranges that cannot be read leave the result unjudged.
 */
function judgeByOwnRanges(
  ranges: readonly unknown[],
  sent: SentSpan,
  quantity: Quantity,
  analysis: CompiledAnalysis,
  patient: Pick<Patient, 'sex' | 'age'>,
): Measured | undefined | 'none-sent' {
  let measured: Measured | undefined;
  let someSent = false;
  let someApplies = false;
  for (const range of ranges) {
    if (!isObject(range) || isForOtherPurpose(range.type) || !hasLimits(range)) continue;
    someSent = true;
    const applies = appliesTo(range, patient, analysis.spellings);
    if (applies === 'no') continue;
    const next = agree(measured, measureByRange(range, sent, quantity, analysis));
    if (next === undefined || isUnclearType(range.type)) return undefined;
    measured = next;
    if (applies !== 'unclear') someApplies = true;
  }
  if (!someSent) return 'none-sent';
  return someApplies ? measured : undefined;
}

function hasLimits({ low, high, text }: Json): boolean {
  return isSent(low) || isSent(high) || (typeof text === 'string' && text.trim() !== '');
}

/** True for a recommended or therapeutic range, which says nothing of normal. */
function isForOtherPurpose(type: unknown): boolean {
  if (!isObject(type)) return false;
  const codings = listOf(type.coding).filter(isObject);
  return codings.length > 0 && codings.every(({ code }) => code !== 'normal');
}

function isUnclearType(type: unknown): boolean {
  return isObject(type) && listOf(type.coding).length === 0 && typeof type.text === 'string' && type.text !== 'normal';
}

type Applies = 'yes' | 'no' | 'unclear';

/** Says if a range is for this patient; `yes` too where sex or age of the patient is unknown and it may be. */
function appliesTo(range: Json, patient: Pick<Patient, 'sex' | 'age'>, spellings: Spellings): Applies {
  let applies: Applies = 'yes';
  const populations = listOf(range.appliesTo).filter(isObject);
  if (populations.length > 0) {
    const sexes = new Set<string>();
    for (const population of populations) {
      if (isAnswer(population, spellings.female)) sexes.add('female');
      else if (isAnswer(population, spellings.male)) sexes.add('male');
      else applies = 'unclear';
    }
    if (sexes.size > 0 && patient.sex !== undefined && !sexes.has(patient.sex)) return 'no';
  }
  if (!isObject(range.age)) return applies;
  const from = readYears(range.age.low, 0);
  const to = readYears(range.age.high, Infinity);
  if (from === undefined || to === undefined) return 'unclear';
  return patient.age !== undefined && (patient.age < from || patient.age > to) ? 'no' : applies;
}

function readYears(age: unknown, otherwise: number): number | undefined {
  if (!isSent(age)) return otherwise;
  if (!isObject(age) || typeof age.value !== 'number' || !Number.isFinite(age.value)) return undefined;
  const unit = readMember(age.code) ?? readMember(age.unit);
  const factor = unit === undefined || unit.length > longestMember ? undefined : findFactor(unit, 'a');
  return factor === undefined ? undefined : age.value * factor;
}

function measureByRange(
  range: Json,
  sent: SentSpan,
  quantity: Quantity,
  analysis: CompiledAnalysis,
): Measured | undefined {
  const text = typeof range.text === 'string' ? readRangeText(range.text) : undefined;
  if (!isSent(range.low) && !isSent(range.high)) {
    if (text === undefined) return undefined;
    const unit = text.unit === undefined ? sent.unit : readUnit({ unit: text.unit }, analysis, sent.codeUnits);
    return measureByLimits(text.span, unit, unit, sent, quantity);
  }
  const low = readLimit(range.low, '>');
  const high = readLimit(range.high, '<');
  if (low === undefined || high === undefined) return undefined;
  const limits: Span = {
    low: low.limit ?? -Infinity,
    high: high.limit ?? Infinity,
    lowOpen: low.open,
    highOpen: high.open,
  };
  // `high: 8` with the text `<8`: only the text can say that 8 is outside
  if (text !== undefined && text.span.low === limits.low && text.span.high === limits.high) {
    limits.lowOpen ||= text.span.lowOpen;
    limits.highOpen ||= text.span.highOpen;
  }
  if (limits.low > limits.high) return undefined;
  return measureByLimits(
    limits,
    readLimitUnit(range.low, sent, analysis),
    readLimitUnit(range.high, sent, analysis),
    sent,
    quantity,
  );
}

interface Limit {
  limit: number | undefined;
  open: boolean;
}

/** Reads one end of a reference range; no end at all is one without limit, an end that cannot be read is undefined. */
function readLimit(quantity: unknown, excluding: '<' | '>'): Limit | undefined {
  if (!isSent(quantity)) return { limit: undefined, open: false };
  if (!isObject(quantity) || typeof quantity.value !== 'number' || !Number.isFinite(quantity.value)) return undefined;
  const { value, comparator } = quantity;
  if (!isSent(comparator) || comparator === `${excluding}=`) return { limit: value, open: false };
  return comparator === excluding ? { limit: value, open: true } : undefined;
}

function readLimitUnit(quantity: unknown, sent: SentSpan, analysis: CompiledAnalysis): SentUnit | undefined {
  if (!isObject(quantity)) return sent.unit;
  const hasUnit = readMember(quantity.code) !== undefined || readMember(quantity.unit) !== undefined;
  return hasUnit ? readUnit(quantity, analysis, sent.codeUnits) : sent.unit;
}

/** Compares in the unit sent; where the limits have another unit, in the Danish unit. */
function measureByLimits(
  limits: Span,
  lowUnit: SentUnit | undefined,
  highUnit: SentUnit | undefined,
  sent: SentSpan,
  quantity: Quantity,
): Measured | undefined {
  if (isSameUnit(lowUnit, sent.unit) && isSameUnit(highUnit, sent.unit)) return measure(sent, limits);
  const span = readDanishSpan(quantity);
  const low = convertLimit(limits.low, lowUnit);
  const high = convertLimit(limits.high, highUnit);
  if (span === undefined || low === undefined || high === undefined) return undefined;
  return measure(span, { ...limits, low, high });
}

/** True where both are understood as one unit, or spelt alike though not understood. */
function isSameUnit(one: SentUnit | undefined, other: SentUnit): boolean {
  return one === other || (one?.unit !== undefined && one.unit === other.unit);
}

function convertLimit(limit: number, unit: SentUnit | undefined): number | undefined {
  if (!Number.isFinite(limit)) return limit;
  const conversion = unit?.conversion;
  return conversion === undefined || conversion.never ? undefined : convertNumber(limit, conversion);
}

function isAnswer(concept: Json, answer: Answer): boolean {
  return hasCode(concept, answer) || (typeof concept.text === 'string' && hasWord(concept.text, answer));
}

function hasCode(concept: Json, { systemsByCode }: Answer): boolean {
  return listOf(concept.coding).some((coding) => {
    if (!isObject(coding) || typeof coding.code !== 'string') return false;
    const { system } = coding;
    if (typeof system !== 'string') return false;
    // A version may follow the system: `|…`, or `/…` in the URIs of SNOMED editions
    return systemsByCode
      .get(coding.code)
      ?.some((known) => system === known || system.startsWith(`${known}|`) || system.startsWith(`${known}/`));
  });
}

const longestWord = 40;

function hasWord(text: string, { words }: Answer): boolean {
  return text.length <= longestWord && words.has(text.trim().toLowerCase());
}
