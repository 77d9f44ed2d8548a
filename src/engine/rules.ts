import { collectFacts, type Facts } from './facts.ts';
import type { CompiledGuideline, CompiledRule } from './guideline.ts';
import type { Chart, Decision, FactRead, Outcome, Truth } from './types.ts';

/** What of a client's settings changes decisions. */
export interface Choices {
  /** Option keys by the override key of ledger.yaml. */
  ledger: Readonly<Record<string, string>>;
  /** Concepts the client has configured codes for. */
  codes?: Readonly<Record<string, unknown>>;
  /** Whether the client is told what a referral should hold while it is written. */
  referralChecklist?: true;
}

/** A rule decided, with what its card needs. */
export interface Result extends Decision {
  rule: CompiledRule;
}

/** The decisions of one chart, and the facts they rest on. */
export interface Results {
  get(id: string): Result;
  /** Names of facts of a rule's conditions are looked up here too. */
  facts: Facts;
}

/** Parameters and ledger choices in force for a client. Compute once per client, not per request. */
export function chooseEnvironment(guideline: CompiledGuideline, choices: Choices): Record<string, unknown> {
  const environment: Record<string, unknown> = {
    configured: Object.keys(choices.codes ?? {}),
    checklist: choices.referralChecklist === true,
  };
  for (const [name, { value }] of Object.entries(guideline.head.parameters)) environment[name] = value;
  for (const entry of guideline.ledger) {
    const key = choices.ledger[entry.override] ?? entry.default;
    environment[entry.id] = key;
    const option = entry.options.find((candidate) => candidate.key === key);
    Object.assign(environment, option?.set);
  }
  return environment;
}

/**
 * Decides rules when they are asked for: met, not-met, unknown or error, with what was read and what was lacking.
 *
 * Pure. A rule that fails is an `error` and does not stop the others.
 */
export function decideRules(
  guideline: CompiledGuideline,
  chart: Chart,
  environment: Readonly<Record<string, unknown>>,
): Results {
  const results = new Map<string, Result>();
  const isMet = (id: string): Truth => {
    const { outcome } = get(id);
    return outcome === 'met' ? true : outcome === 'not-met' ? false : null;
  };
  const facts = collectFacts(guideline, chart, environment, isMet);

  const get = (id: string): Result => {
    let result = results.get(id);
    if (result === undefined) {
      const rule = guideline.rules.get(id);
      if (rule === undefined) throw new TypeError(`No rule ${id}`);
      result = decideRule(rule, facts);
      results.set(id, result);
    }
    return result;
  };
  return { get, facts };
}

function decideRule(rule: CompiledRule, facts: Facts): Result {
  const read = new Map<string, FactRead>();
  const lacking = new Set<string>();
  let outcome: Outcome = 'met';
  let reason: string | undefined;
  try {
    for (const condition of rule.when) {
      const truth = facts.truth(condition.expression);
      for (const fact of facts.read(condition.expression)) read.set(fact.fact, fact);
      if (truth === false) {
        outcome = 'not-met';
        reason = condition.reason;
        break;
      }
      if (truth === null) {
        outcome = 'unknown';
        for (const fact of facts.read(condition.expression)) for (const what of fact.lacking ?? []) lacking.add(what);
        if (lacking.size === 0) lacking.add(`undecided:${condition.expression.text}`);
      }
    }
  } catch (error) {
    outcome = 'error';
    reason = error instanceof Error ? error.message.split('\n')[0] : 'failed';
  }
  return {
    id: rule.id,
    outcome,
    ...(reason !== undefined && { reason }),
    facts: [...read.values()],
    lacking: outcome === 'unknown' ? [...lacking] : [],
    ledger: [...rule.ledger],
    rule,
  };
}
