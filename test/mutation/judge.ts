import type { Answer } from '../../src/engine/decide.ts';
import type { Fact } from '../../src/engine/facts.ts';
import type { CompiledFact, CompiledGuideline } from '../../src/engine/guideline.ts';
import { chooseEnvironment, decideRules, type Results } from '../../src/engine/rules.ts';
import type { Chart } from '../../src/engine/types.ts';
import type { Case } from '../cds-services/case.ts';
import { compareCase } from '../cds-services/compare-case.ts';
import { decideChart, guideline, readCaseChart, readCases } from '../cds-services/decide-cases.ts';
import { type Mutant, makeMutants } from './mutants.ts';

/** A case that the guideline as it stands answers as expected. */
interface Trial {
  testCase: Case;
  chart: Chart;
  /** Facts its answer rests on: a change of any other cannot show. */
  facts: ReadonlySet<string>;
  /** What the guideline as it stands decides. */
  results: Results;
}

/** Tells of mutants whether a case notices them. */
export interface Judge {
  mutants: Iterable<Mutant>;
  /** Cases that fail already, and take no part. */
  failing: readonly string[];
  /** The case that notices the change; none does, or none reads what is changed at all. */
  judge(mutant: Mutant): Verdict;
}

/** `noticed`: with the id of a case. `unread`: no case asks for the fact, or expects anything of the decision. */
export interface Verdict {
  change: string;
  name: string;
  outcome: 'noticed' | 'survived' | 'unread';
  by?: string;
}

/** Reads the cases and their charts once, and keeps those that pass. */
export function createJudge(): Judge {
  const trials: Trial[] = [];
  const failing: string[] = [];
  for (const testCase of readCases()) {
    const chart = readCaseChart(testCase);
    const facts = new Set<string>();
    if (isAnsweredAsExpected({ ...guideline, facts: new WatchedFacts(guideline.facts, facts) }, testCase, chart)) {
      trials.push({ testCase, chart, facts, results: decideCaseBy(guideline, testCase, chart) });
    } else failing.push(testCase.id);
  }
  return {
    mutants: makeMutants(guideline),
    failing,
    judge: (mutant) => {
      const { change, name, rules, facts } = mutant;
      const able = trials.filter((trial) => canNotice(trial, mutant));
      const killer = inPromisingOrder(able, rules).find(
        (trial) => isChanged(trial, mutant) && !isAnsweredAsExpected(mutant.guideline, trial.testCase, trial.chart),
      );
      if (killer !== undefined) return { change, name, outcome: 'noticed', by: killer.testCase.id };
      const isShown =
        rules.length === 0 || able.some(({ testCase }) => rules.some((id) => id in testCase.expect.decisions));
      return { change, name, outcome: able.length > 0 && (facts !== undefined || isShown) ? 'survived' : 'unread' };
    },
  };
}

/** Facts that remember which of them were asked for. */
class WatchedFacts extends Map<string, CompiledFact> {
  readonly #asked: Set<string>;

  constructor(facts: ReadonlyMap<string, CompiledFact>, asked: Set<string>) {
    super();
    this.#asked = asked;
    for (const [name, fact] of facts) this.set(name, fact);
  }

  override get(name: string): CompiledFact | undefined {
    this.#asked.add(name);
    return super.get(name);
  }
}

function canNotice(trial: Trial, { facts }: Mutant): boolean {
  return facts === undefined || facts.some((fact) => trial.facts.has(fact));
}

/**
 * Whether what is changed comes out otherwise for the case at all: far cheaper to tell than its whole answer.
 *
 * A rule shows in its outcome and reason alone, a card only where its rule is met or asks, a fact only in what is known of it.
 */
function isChanged(trial: Trial, mutant: Mutant): boolean {
  const { testCase, chart, results } = trial;
  try {
    const changed = decideCaseBy(mutant.guideline, testCase, chart);
    if (mutant.facts !== undefined) {
      return mutant.facts.some((name) => isOther(mutant.guideline.facts.get(name), changed.facts.get(name), results));
    }
    const [id = ''] = mutant.rules;
    const rule = mutant.guideline.rules.get(id);
    const original = guideline.rules.get(id);
    if (mutant.rules.length !== 1 || rule === original) return true;
    const { outcome, reason } = results.get(id);
    if (rule?.when === original?.when) return outcome === 'met' || outcome === 'unknown';
    const now = changed.get(id);
    return now.outcome !== outcome || now.reason !== reason;
  } catch {
    return true;
  }
}

function isOther(compiled: CompiledFact | undefined, fact: Fact, results: Results): boolean {
  // Which lines of a panel are possible is more than its fact tells.
  if (compiled === undefined || (compiled.form === 'selection' && compiled.definition.panel !== undefined)) return true;
  const before = results.facts.get(compiled.name);
  return (
    fact.truth !== before.truth ||
    !areSame(fact.values, before.values) ||
    !areSame(fact.readings, before.readings) ||
    !areSame(fact.lacking, before.lacking)
  );
}

function areSame(some: readonly unknown[] = [], others: readonly unknown[] = []): boolean {
  return some.length === others.length && some.every((value, at) => value === others[at]);
}

/** Cases of the decision first, then those that name it, then the others. */
function inPromisingOrder(trials: readonly Trial[], rules: readonly string[]): Trial[] {
  const rank = ({ testCase }: Trial): number => {
    if (rules.some((id) => testCase.id.startsWith(id))) return 0;
    return rules.some((id) => id in testCase.expect.decisions) ? 1 : 2;
  };
  return trials.toSorted((a, b) => rank(a) - rank(b));
}

/** An answer that fails whole is not the one expected. */
function isAnsweredAsExpected(by: CompiledGuideline, testCase: Case, chart: Chart): boolean {
  try {
    return compareCase(testCase, answer(by, testCase, chart)).length === 0;
  } catch {
    return false;
  }
}

/** Decides no more than the case speaks of: cards are built only where it expects some, or the reason a card was withheld. */
function answer(by: CompiledGuideline, testCase: Case, chart: Chart): Answer {
  const { decisions, cards } = testCase.expect;
  const wanted = Object.entries(decisions);
  if (cards !== undefined || wanted.some(([, one]) => typeof one !== 'string' && one.outcome === 'met')) {
    return decideChart(by, testCase, chart);
  }
  const results = decideCaseBy(by, testCase, chart);
  return { decisions: wanted.map(([id]) => results.get(id)), cards: [] };
}

function decideCaseBy(by: CompiledGuideline, { client }: Case, chart: Chart): Results {
  const { codes, referralChecklist, ledger = {} } = client;
  const choices = {
    ledger,
    ...(codes !== undefined && { codes }),
    ...(referralChecklist !== undefined && { referralChecklist }),
  };
  return decideRules(by, chart, chooseEnvironment(by, choices));
}
