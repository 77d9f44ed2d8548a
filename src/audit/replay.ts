import type { Card, ClientSettings } from '../engine/cards.ts';
import { decide } from '../engine/decide.ts';
import type { CompiledGuideline } from '../engine/guideline.ts';
import type { Decision, Outcome } from '../engine/types.ts';
import {
  canonicalJson,
  cardExtension,
  decisionsBehind,
  type EvaluationRecord,
  redactCard,
  type SentCard,
} from './record.ts';

/** Brings cards into the form the client takes, as it was done when they were sent. */
export type AdaptCards = (cards: readonly Card[], hook: string, form: unknown) => readonly SentCard[];

/** A decision that is another than the recorded one; `absent`: not made. */
export interface DecisionChange {
  decision: string;
  was: Outcome | 'absent';
  is: Outcome | 'absent';
}

/** A card that would be sent now and was not, that was sent and would not be, or that would say something else. */
export interface CardChange {
  change: 'gained' | 'lost' | 'changed';
  topic: string;
  pathway?: string;
  /** The decisions behind it: of the card now, or the recorded one where there is none. */
  decisions: string[];
}

/** An evaluation decided again from what was recorded of it. */
export interface Replay {
  id: string;
  time: string;
  client: string;
  patientKey: string;
  /** Whether it was recorded under the knowledge it was decided with again. */
  isSameKnowledge: boolean;
  /** Decisions with all their facts, and cards, are what was recorded, to the byte. */
  isIdentical: boolean;
  decisions: DecisionChange[];
  cards: CardChange[];
}

/**
 * Makes the replay of records with one guideline. Pure.
 *
 * A service the guideline does not have makes no decisions and sends no cards.
 */
export function createReplay(guideline: CompiledGuideline, adapt: AdaptCards): (record: EvaluationRecord) => Replay {
  // The engine prepares what settings change once per object.
  const settingsByText = new Map<string, ClientSettings>();
  const shareSettings = (settings: object): ClientSettings => {
    const text = canonicalJson(settings);
    const shared = settingsByText.get(text) ?? (settings as ClientSettings);
    settingsByText.set(text, shared);
    return shared;
  };

  return (record) => {
    const { id, time, client, patientKey, knowledge } = record;
    const now = decideAgain(guideline, record, shareSettings(record.settings), adapt);
    const isIdentical = isSameJson(now.decisions, record.decisions) && isSameJson(now.cards, record.cards);
    return {
      ...{ id, time, client, patientKey },
      isSameKnowledge: knowledge.hash === guideline.hash,
      isIdentical,
      decisions: isIdentical ? [] : compareDecisions(record.decisions, now.decisions),
      cards: isIdentical ? [] : compareCards(record.cards, now.cards),
    };
  };
}

/** Records keep the order in which members were written: only where another program reordered them, order is left aside. */
function isSameJson(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other) || canonicalJson(one) === canonicalJson(other);
}

/** Decides a record again: the same guideline gives the decisions and cards that were recorded. */
export function decideAgain(
  guideline: CompiledGuideline,
  record: EvaluationRecord,
  settings: ClientSettings,
  adapt: AdaptCards,
): { decisions: readonly Decision[]; cards: readonly SentCard[] } {
  if (!guideline.services.has(record.service)) return { decisions: [], cards: [] };
  const { id, language, patientKey, encounter, explanation } = record;
  const { decisions, cards } = decide(guideline, record.service, record.chart, {
    ...{ language, client: settings, evaluation: id, subject: `Patient/${patientKey}` },
    ...(encounter !== undefined && { encounter }),
    ...(explanation !== undefined && { explanation }),
  });
  const adapted = adapt(cards, record.hook, record.settings.cardForm);
  return { decisions, cards: adapted.map(redactCard) };
}

function compareDecisions(were: readonly Decision[], are: readonly Decision[]): DecisionChange[] {
  const before = new Map(were.map(({ id, outcome }) => [id, outcome]));
  const after = new Map(are.map(({ id, outcome }) => [id, outcome]));
  return [...new Set([...before.keys(), ...after.keys()])]
    .map(
      (decision) => ({ decision, was: before.get(decision) ?? 'absent', is: after.get(decision) ?? 'absent' }) as const,
    )
    .filter(({ was, is }) => was !== is);
}

function compareCards(were: readonly SentCard[], are: readonly SentCard[]): CardChange[] {
  const before = new Map(were.map((card) => [nameCard(card), card]));
  const after = new Map(are.map((card) => [nameCard(card), card]));
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    const card = is ?? was;
    if (card === undefined || (was && is && sayOf(was) === sayOf(is))) return [];
    const pathway = card.extension?.[cardExtension]?.pathway;
    return [
      {
        change: was === undefined ? 'gained' : is === undefined ? 'lost' : 'changed',
        topic: card.source.topic?.code ?? '',
        ...(pathway !== undefined && { pathway }),
        decisions: decisionsBehind(card),
      } satisfies CardChange,
    ];
  });
}

/** There is one card per topic and pathway. */
function nameCard(card: SentCard): string {
  return `${card.source.topic?.code} ${card.extension?.[cardExtension]?.pathway ?? ''}`;
}

/** All a card says but which knowledge it is from: that differs by itself. */
function sayOf(card: SentCard): string {
  const { [cardExtension]: decision, ...others } = card.extension ?? {};
  return canonicalJson({ ...card, extension: { ...others, decision: { ...decision, knowledge: undefined } } });
}
