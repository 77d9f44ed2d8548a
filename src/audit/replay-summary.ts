import { csvLine } from './csv.ts';
import type { CardChange, Replay } from './replay.ts';

/** What a replay of many evaluations found of one decision. */
export interface DecisionSummary {
  decision: string;
  /** Cards with this decision behind them. */
  gained: number;
  lost: number;
  changed: number;
  /** How often the outcome went from one to another, `met → not-met`. */
  outcomes: Map<string, number>;
}

/** What a replay of many evaluations found. */
export interface ReplaySummary {
  evaluations: number;
  /** Of those, erased ones: there is nothing to decide again. */
  erased: number;
  /** Evaluations whose stored content is no record any more: `verify` tells which. */
  unreadable: number;
  identical: number;
  /** Evaluations that were recorded under the knowledge of the replay and come out otherwise: the first of them, and how many. */
  notReproduced: string[];
  notReproducedCount: number;
  /** Patients with a card gained, lost or changed. */
  patients: number;
  decisions: DecisionSummary[];
}

const mostNamed = 20;

/** Sums replays up as they come. */
export function createReplaySummary(): { add(replay: Replay | 'erased' | 'unreadable'): void; read(): ReplaySummary } {
  const byDecision = new Map<string, DecisionSummary>();
  const patients = new Set<string>();
  const notReproduced: string[] = [];
  const counts = { evaluations: 0, erased: 0, unreadable: 0, identical: 0, notReproducedCount: 0 };
  const of = (decision: string): DecisionSummary => {
    let summary = byDecision.get(decision);
    if (summary === undefined) {
      summary = { decision, gained: 0, lost: 0, changed: 0, outcomes: new Map() };
      byDecision.set(decision, summary);
    }
    return summary;
  };
  return {
    add(replay) {
      counts.evaluations += 1;
      if (typeof replay === 'string') {
        counts[replay] += 1;
        return;
      }
      if (replay.isIdentical) counts.identical += 1;
      else if (replay.isSameKnowledge) {
        counts.notReproducedCount += 1;
        if (notReproduced.length < mostNamed) notReproduced.push(replay.id);
      }
      if (replay.cards.length > 0) patients.add(replay.patientKey);
      for (const { change, decisions } of replay.cards) for (const id of decisions) of(id)[change] += 1;
      for (const { decision, was, is } of replay.decisions) {
        const { outcomes } = of(decision);
        const turn = `${was} → ${is}`;
        outcomes.set(turn, (outcomes.get(turn) ?? 0) + 1);
      }
    },
    read: () => ({
      ...counts,
      notReproduced,
      patients: patients.size,
      decisions: [...byDecision.values()].sort((a, b) => (a.decision < b.decision ? -1 : 1)),
    }),
  };
}

/** One thing of an evaluation that comes out otherwise: a card with what became of the decision behind it, or a decision without. */
export interface ReplayRow extends Pick<Replay, 'time' | 'id' | 'client' | 'patientKey'> {
  decision: string;
  was: string;
  is: string;
  card?: CardChange;
}

/** What of an evaluation comes out otherwise, a row per decision and card. */
export function listChanges({ time, id, client, patientKey, decisions, cards }: Replay): ReplayRow[] {
  const turned = new Map(decisions.map((change) => [change.decision, change]));
  const rows: ReplayRow[] = cards.flatMap((card) =>
    card.decisions.map((decision) => {
      const { was = '', is = '' } = turned.get(decision) ?? {};
      return { time, id, client, patientKey, decision, was, is, card };
    }),
  );
  const told = new Set(rows.map(({ decision }) => decision));
  const untold = decisions.filter(({ decision }) => !told.has(decision));
  return [...rows, ...untold.map(({ decision, was, is }) => ({ time, id, client, patientKey, decision, was, is }))];
}

/** The first line of {@link writeChangeRow}'s table. */
export const changeHeader = csvLine([
  ...['time', 'evaluation', 'client', 'patientKey', 'decision', 'was', 'is', 'card', 'topic', 'pathway'],
]);

/** One row of {@link listChanges} as CSV. */
export function writeChangeRow({ time, id, client, patientKey, decision, was, is, card }: ReplayRow): string {
  return csvLine([time, id, client, patientKey, decision, was, is, card?.change, card?.topic, card?.pathway]);
}
