import type { CompiledFact, CompiledGuideline } from '../../src/engine/compile.ts';
import type { Answer } from '../../src/engine/decide.ts';
import { chooseEnvironment, decideRules } from '../../src/engine/rules.ts';
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
      trials.push({ testCase, chart, facts });
    } else failing.push(testCase.id);
  }
  return {
    mutants: makeMutants(guideline),
    failing,
    judge: (mutant) => {
      const { change, name, rules, facts } = mutant;
      const able = trials.filter((trial) => canNotice(trial, mutant));
      const killer = inPromisingOrder(able, rules).find(
        ({ testCase, chart }) => !isAnsweredAsExpected(mutant.guideline, testCase, chart),
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
  const { codes, ledger = {} } = testCase.client;
  const environment = chooseEnvironment(by, { ledger, ...(codes !== undefined && { codes }) });
  const results = decideRules(by, chart, environment);
  return { decisions: wanted.map(([id]) => results.get(id)), cards: [] };
}
