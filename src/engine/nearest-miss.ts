import { compileExpression } from './expression.ts';
import type { CompiledFact, CompiledGuideline } from './guideline.ts';
import { decideRules } from './rules.ts';
import type { Chart, Truth } from './types.ts';

/** One thing that, had it been otherwise and everything else as it was, would have made a decision met. */
export interface Miss {
  /** Name of a fact, or `age` or `sex`. */
  fact: string;
  is: Truth | number | string;
  wouldBe: boolean | number | string;
}

/** A decision that was not met, and each single thing that would have changed that; none: it takes more than one. */
export interface NearestMiss {
  decision: string;
  misses: Miss[];
}

type Environment = Readonly<Record<string, unknown>>;

/**
 * Finds for every decision of a service that was not met which single fact would have made it met.
 *
 * Pure, and slow: each decision is made again for each fact it can rest on. Where both a fact and one it is made of
 * would do, the inner one is named; facts that rest on other decisions are named themselves.
 *
 * @param environment As for `decideRules`.
 */
export function findNearestMisses(
  guideline: CompiledGuideline,
  decisions: readonly string[],
  chart: Chart,
  environment: Environment,
): NearestMiss[] {
  const results = decideRules(guideline, chart, environment);
  return decisions
    .filter((decision) => results.get(decision).outcome === 'not-met')
    .map((decision) => {
      const isMet = (changed: CompiledGuideline, patient: Partial<Chart['patient']> = {}): boolean => {
        const as = { ...chart, patient: { ...chart.patient, ...patient } };
        return decideRules(changed, as, environment).get(decision).outcome === 'met';
      };
      const rule = guideline.rules.get(decision);
      const names = rule?.when.flatMap(({ expression }) => expression.names) ?? [];
      const reachable = findReachable(guideline, names);
      const found = new Map<string, Miss>();
      for (const fact of reachable.keys()) {
        if (!guideline.facts.has(fact)) continue;
        const is = results.facts.get(fact).truth;
        for (const wouldBe of [true, false]) {
          if (is !== wouldBe && isMet(fixFact(guideline, fact, wouldBe))) found.set(fact, { fact, is, wouldBe });
        }
      }
      const innermost = [...found.values()].filter(
        ({ fact }) => ![...(reachable.get(fact) ?? [])].some((inner) => inner !== fact && found.has(inner)),
      );
      return { decision, misses: [...innermost, ...findPatientMisses(guideline, chart, reachable, isMet)] };
    });
}

/** Facts an expression can rest on, each with those it can rest on itself. */
function findReachable(guideline: CompiledGuideline, names: readonly string[]): Map<string, ReadonlySet<string>> {
  const reachable = new Map<string, ReadonlySet<string>>();
  const visit = (name: string): ReadonlySet<string> => {
    const known = reachable.get(name);
    if (known !== undefined) return known;
    const below = new Set<string>();
    // Set first: facts that rest on each other through decisions end here.
    reachable.set(name, below);
    for (const inner of namesOf(guideline.facts.get(name))) {
      below.add(inner);
      for (const each of visit(inner)) below.add(each);
    }
    return below;
  };
  names.forEach(visit);
  return reachable;
}

function namesOf(fact: CompiledFact | undefined): readonly string[] {
  switch (fact?.form) {
    case 'selection':
      return fact.where?.names ?? [];
    case 'derived':
      return fact.is.names;
    case 'value':
      return fact.value.names;
    case 'without':
      return fact.without;
    default:
      return [];
  }
}

const neverWrong = (): void => {};
const holds = compileExpression('true', neverWrong);
const nothing = compileExpression('{}', neverWrong);

/** The guideline with one fact that always holds, or never does. A fact that holds also exists where values are asked for. */
function fixFact(guideline: CompiledGuideline, name: string, truth: boolean): CompiledGuideline {
  const fact = guideline.facts.get(name);
  const hasValues =
    fact?.form === 'value' ||
    fact?.form === 'without' ||
    (fact?.form === 'selection' && (fact.definition.collect ?? fact.definition.newest ?? fact.definition.panel));
  const fixed: CompiledFact = truth
    ? { form: 'derived', name, is: holds }
    : hasValues
      ? { form: 'value', name, value: nothing }
      : { form: 'derived', name, is: nothing, unknownAs: false };
  return { ...guideline, facts: new Map(guideline.facts).set(name, fixed) };
}

function findPatientMisses(
  guideline: CompiledGuideline,
  { patient }: Chart,
  reachable: ReadonlyMap<string, unknown>,
  isMet: (guideline: CompiledGuideline, patient: Partial<Chart['patient']>) => boolean,
): Miss[] {
  const misses: Miss[] = [];
  if (reachable.has('sex')) {
    const sex = (['female', 'male'] as const).find((each) => each !== patient.sex && isMet(guideline, { sex: each }));
    if (sex !== undefined) misses.push({ fact: 'sex', is: patient.sex ?? null, wouldBe: sex });
  }
  if (reachable.has('age')) {
    const { age } = patient;
    const limits = Object.values(guideline.head.parameters).filter(({ unit }) => unit === 'years');
    const ages = [...new Set(limits.flatMap(({ value }) => [value - 1, value, value + 1]))].sort(
      (a, b) => Math.abs(a - (age ?? 0)) - Math.abs(b - (age ?? 0)),
    );
    const wouldBe = ages.find((each) => each !== age && isMet(guideline, { age: each }));
    if (wouldBe !== undefined) misses.push({ fact: 'age', is: age ?? null, wouldBe });
  }
  return misses;
}
