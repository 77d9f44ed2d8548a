import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Card } from '../../src/engine/cards.ts';
import type { Decision } from '../../src/engine/types.ts';
import { packageAnalyses } from './build-bundle.ts';
import type { Case, ExpectedCard } from './case.ts';
import { concepts, decideCase, guideline, readCases } from './decide-cases.ts';

const cases = readCases();
const complete = cases.filter(({ keys }) => Object.keys(keys).length === 0);
/** Not encounters: without them a pathway the orders do not name counts as none (section 0 "in pathway"). */
const losableKeys = ['reports', 'imaging', 'orders', 'procedures', 'medications', 'medicationStatements'] as const;

describe('clinical cases', () => {
  it.each(cases.map((testCase) => [testCase.id, testCase] as const))('%s', (_, testCase) => {
    const { decisions, cards } = decideCase(testCase);
    const differences = [
      ...compareDecisions(testCase, decisions),
      ...(testCase.expect.cards === undefined ? [] : compareCards(testCase.expect.cards, cards)),
    ];
    expect(differences).toEqual([]);
  });

  it('have ids of their own', () => {
    const ids = cases.map(({ id }) => id);
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  });

  it('show every decision met, not met and unknown', () => {
    const shown = new Set(
      cases.flatMap(({ expect: { decisions } }) =>
        Object.entries(decisions).map(([id, value]) => `${id} ${typeof value === 'string' ? value : value.outcome}`),
      ),
    );
    const wanted = [...guideline.rules.keys()].flatMap((id) =>
      ['met', 'not-met', 'unknown'].map((to) => `${id} ${to}`),
    );
    expect(wanted.filter((one) => !shown.has(one))).toEqual([]);
  });

  it('name only decisions of the guideline', () => {
    const named = cases.flatMap(({ expect: { decisions } }) => Object.keys(decisions));
    expect(named.filter((id) => !guideline.rules.has(id))).toEqual([]);
  });

  it.each(['missing', 'truncated'] as const)(
    'never turn from met to not met or back when a key is %s',
    { timeout: 120_000 },
    (state) => {
      expect(complete.flatMap((testCase) => findTurns(testCase, state))).toEqual([]);
    },
  );

  it('never end in an error', () => {
    const decisions = cases.flatMap((testCase) => decideCase(testCase).decisions);
    expect(decisions.filter(({ outcome }) => outcome === 'error').map(({ id, reason }) => `${id} ${reason}`)).toEqual(
      [],
    );
  });

  it('are decided alike in Greenwich, Copenhagen and Los Angeles', { timeout: 120_000 }, async () => {
    const [greenwich, copenhagen, losAngeles] = await Promise.all(
      ['UTC', 'Europe/Copenhagen', 'America/Los_Angeles'].map(decideIn),
    );
    expect(greenwich?.length).toBeGreaterThan(cases.length);
    expect(copenhagen === greenwich).toBe(true);
    expect(losAngeles === greenwich).toBe(true);
  });
});

/** Decisions that claim the opposite once a key is lost. Not section 1: findings and pathways not read only add a caution there. */
function findTurns(testCase: Case, state: 'missing' | 'truncated'): string[] {
  const before = decideCase(testCase).decisions;
  return losableKeys.flatMap((key) => {
    const after = decideCase({ ...testCase, keys: { [key]: state } }).decisions;
    return before.flatMap(({ id, outcome }, at) => {
      const now = after[at]?.outcome;
      const isTurned = outcome !== now && outcome !== 'unknown' && now !== 'unknown';
      return isTurned && !id.startsWith('MAS-')
        ? [`${testCase.id}: ${id} from ${outcome} to ${now} without ${key}`]
        : [];
    });
  });
}

async function decideIn(timeZone: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'print-decisions.ts')], {
    env: { ...process.env, TZ: timeZone },
    maxBuffer: 1 << 30,
  });
  return stdout;
}

function compareDecisions(testCase: Case, decisions: readonly Decision[]): string[] {
  return Object.entries(testCase.expect.decisions).flatMap(([id, expected]) => {
    const decision = decisions.find((candidate) => candidate.id === id);
    if (decision === undefined) return [`${id}: no such decision`];
    const wanted = typeof expected === 'string' ? { outcome: expected } : expected;
    if (decision.outcome === wanted.outcome && (!('reason' in wanted) || decision.reason === wanted.reason)) return [];
    return [
      `${id}: expected ${tell(wanted.outcome, 'reason' in wanted ? wanted.reason : undefined)}, got ${describeDecision(decision)}`,
    ];
  });
}

function tell(outcome: string, reason: string | undefined): string {
  return reason === undefined ? outcome : `${outcome} (${reason})`;
}

function describeDecision({ outcome, reason, lacking, facts }: Decision): string {
  const read = facts.map(({ fact, truth, values }) => `${fact}=${values === undefined ? truth : values.join('|')}`);
  return `${tell(outcome, reason)}${lacking.length > 0 ? ` lacking ${lacking.join(', ')}` : ''}\n  ${read.join(' ')}`;
}

/** A card in the terms of a case. */
function readCard(card: Card): Required<ExpectedCard> {
  const decision = card.extension['dk.diagnostisk-pakkeforloeb.decision'] as Partial<Required<ExpectedCard>>;
  const actions = (card.suggestions ?? []).flatMap((suggestion) => suggestion.actions);
  return {
    topic: card.source.topic.code,
    indicator: card.indicator,
    pathway: decision.pathway ?? '',
    registrationCode: decision.registrationCode ?? '',
    contact: decision.contact ?? '',
    decisions: decision.decisions ?? [],
    open: decision.open ?? [],
    missing: decision.missing ?? [],
    cautions: decision.cautions ?? [],
    suggests: actions.flatMap((action) => (action.type === 'create' ? [nameOrder(action.resource as Order)] : [])),
  };
}

interface Order {
  code: { coding: { system: string; code: string }[] };
}

/** The concept of a suggested order, by the code that no other concept of its kind shares first. */
function nameOrder({ code: { coding } }: Order): string {
  for (const { system, code } of coding) {
    const name = Object.entries(concepts.systems).find(([, uris]) => uris.includes(system))?.[0];
    const pathway = concepts.pathways.find((candidate) => name === 'pathway' && candidate.code === code);
    if (pathway !== undefined) return pathway.id;
    const concept = [...concepts.analyses, ...concepts.procedures].find(({ codes }) =>
      Object.entries(codes ?? {}).some(([of, all]) => of === name && all.includes(code)),
    );
    if (concept !== undefined) return concept.id;
  }
  return `unnamed ${coding.map(({ system, code }) => `${system}|${code}`).join(' ')}`;
}

function compareCards(expected: readonly ExpectedCard[], cards: readonly Card[]): string[] {
  const left = cards.map(readCard);
  const differences: string[] = [];
  for (const wanted of expected) {
    const misses = left.map((card) => compareCard(wanted, card));
    const at = misses.findIndex((miss) => miss.length === 0);
    if (at >= 0) {
      left.splice(at, 1);
      continue;
    }
    const near = left.findIndex(
      ({ topic, pathway }) => topic === wanted.topic && (wanted.pathway ?? pathway) === pathway,
    );
    if (near < 0) {
      differences.push(`no card ${wanted.topic} ${wanted.pathway ?? ''}`);
    } else {
      differences.push(`card ${wanted.topic}: ${misses[near]?.join('; ')}`);
      left.splice(near, 1);
    }
  }
  return [...differences, ...left.map((card) => `card not expected: ${JSON.stringify(card)}`)];
}

function compareCard(wanted: ExpectedCard, card: Required<ExpectedCard>): string[] {
  return Object.entries(wanted).flatMap(([member, value]) => {
    const actual = card[member as keyof ExpectedCard];
    const want = listOf(value ?? []);
    const have = listOf(actual ?? []);
    return want === have ? [] : [`${member} expected ${want}, got ${have}`];
  });
}

/** Lists compare as sets; `trin1` and `step2` stand for their analyses. */
function listOf(value: string | readonly string[]): string {
  if (value === 'trin1' || value === 'step2') return listOf(packageAnalyses(value));
  return typeof value === 'string' ? value : `[${[...value].sort().join(', ')}]`;
}
