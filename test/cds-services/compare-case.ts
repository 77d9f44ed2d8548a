import type { Card } from '../../src/engine/cards.ts';
import type { Answer } from '../../src/engine/decide.ts';
import type { Decision } from '../../src/engine/types.ts';
import { packageAnalyses } from './build-bundle.ts';
import type { Case, ExpectedCard } from './case.ts';
import { concepts, guideline } from './decide-cases.ts';

/** Says in what an answer differs from what a case expects, one line each. */
export function compareCase(testCase: Case, { decisions, cards }: Answer): string[] {
  return [
    ...compareDecisions(testCase, decisions),
    ...(testCase.expect.cards === undefined ? [] : compareCards(testCase.expect.cards, cards)),
  ];
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
  const decision = card.extension['dk.diagnostisk-pakkeforloeb.decision'] as Partial<
    Omit<Required<ExpectedCard>, 'evidence'> & { evidence: { fact: string }[] }
  >;
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
    evidence: (decision.evidence ?? []).map(({ fact }) => fact),
    notes: notesOf(card),
    suggests: actions.flatMap((action) => (action.type === 'create' ? [nameOrder(action.resource as Order)] : [])),
    deletes: [
      ...new Set(actions.flatMap((action) => (action.type === 'delete' ? [nameDraft(action.resourceId)] : []))),
    ],
    updates: actions.flatMap((action) =>
      action.type === 'update' ? [nameDraft((action.resource as { id?: string }).id ?? '')] : [],
    ),
  };
}

/** Notes are told by the longest part of their text that is the same on every card. */
function notesOf({ detail }: Card): string[] {
  return Object.entries(guideline.texts.da.notes).flatMap(([key, text]) => {
    const [longest = ''] = text.split(/\{[^}]*\}/).toSorted((a, b) => b.length - a.length);
    return detail.includes(longest.trim()) ? [key] : [];
  });
}

function nameDraft(reference: string): string {
  return reference.replace(/^(ServiceRequest\/)?draft-/, '');
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
