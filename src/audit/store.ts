import type { KeyState, Outcome } from '../engine/types.ts';
import { UnavailableError } from '../errors.ts';
import type { FeedbackItem } from './feedback.ts';
import type { EvaluationRecord, RecordEntry } from './record.ts';

/**
 * Where evaluations are kept. Every method rejects with `UnavailableError('audit')` while the store cannot be reached
 * or used; what the file system or database said is its `cause`. The next call tries again.
 */
export interface AuditStore {
  /**
   * Resolves once the record is on disk in a committed transaction; a rejected record is not answered for. The entry
   * is the store's from then on: its bytes may have moved to another thread.
   */
  append(entry: RecordEntry): Promise<void>;
  /**
   * Stores what clients report of cards. Repeating an item changes nothing; repeated with another comment, that one
   * takes the place of the one before.
   *
   * @throws RequestError where an item's time cannot be read; then none is stored.
   */
  addFeedback(items: readonly FeedbackItem[]): Promise<FeedbackCount>;
  /** One evaluation by its id. */
  evaluation(id: string): Promise<StoredEvaluation | undefined>;
  /** The newest evaluations that meet every condition given, newest first. */
  evaluations(query: EvaluationQuery): Promise<EvaluationSummary[]>;
  /** A page of the evaluations that meet every condition given, oldest first, with all that was recorded: for reports. */
  scan(query: ScanQuery): Promise<SealedEvaluation[]>;
  /** Counts per day, week or month: what was recorded up to now, whatever was erased since. */
  counts(query: CountQuery): Promise<PeriodCount[]>;
  /** What users wrote with their feedback on an evaluation's cards. */
  comments(evaluationId: string): Promise<FeedbackComment[]>;
  /** Records that somebody looked, or is about to erase. */
  recordView(view: View): Promise<void>;
  /** Who looked, newest first. */
  views(query: { before?: number; limit: number }): Promise<StoredView[]>;
  /** How many records an erasure would take. */
  countErasable(of: Erasure): Promise<number>;
  /**
   * Erases what records say, with all that was reported of their cards; links, anchors and counts stay, and the chain
   * still verifies. A part at a time: others write in between, and what was interrupted is finished by repeating it.
   *
   * @returns How many records.
   */
  erase(of: Erasure): Promise<number>;
  /** Gives the room of what was erased back to the disk, and takes its last traces out of the files. */
  reclaim(): Promise<void>;
  /** Reads every record and recomputes the chain. */
  verify(): Promise<Verification>;
  /**
   * Rejects while records cannot be written: for start-up and readiness. Commits as much as a record takes where none
   * was committed within the last second, so it may be asked as often as anybody likes.
   */
  check(): Promise<void>;
  /** Writes what is queued and closes. */
  close(): Promise<void>;
}

/** What is to be erased: the records of a patient, or all received before a time (ISO, UTC). */
export type Erasure = { patientKey: string } | { before: string };

export interface FeedbackCount {
  /** Items not stored before, or not with this comment; those of unknown cards included. */
  stored: number;
  /** Items that name a card this client (and tenant) was not sent. */
  unknownCards: number;
}

/** What evaluations are looked for by; every condition given must hold. */
export interface EvaluationConditions {
  hookInstance?: string;
  patientKey?: string;
  client?: string;
  hook?: string;
  /** Evaluations of one of these services. */
  services?: readonly string[];
  /**
   * Evaluations in which this decision (any, where none is named) had this outcome. `not-met` needs a named decision,
   * and holds wherever it was neither met, unknown nor failed: name the services that make it too.
   */
  decision?: { id?: string; outcome: Outcome };
  /** Evaluations with a card of this topic. */
  topic?: string;
  /** Evaluations with a card that was overridden for the reason with this code. */
  reason?: string;
  /** Evaluations of which this prefetch key was not known. */
  unknownKey?: { key: string; state: Exclude<KeyState, 'present' | 'empty'> };
  /** ISO, UTC, with milliseconds; `from` inclusive, `to` exclusive. */
  from?: string;
  to?: string;
}

export interface EvaluationQuery extends EvaluationConditions {
  /** Only evaluations before this place in the chain: for the next page. */
  before?: number;
  limit: number;
}

export interface ScanQuery extends EvaluationConditions {
  /** Only evaluations after this place in the chain: for the next page. */
  after?: number;
  limit: number;
}

/** An evaluation as stored: `unsealRecord` gives its record. */
export interface SealedEvaluation extends Omit<StoredEvaluation, 'record'> {
  /** Absent once erased. */
  content?: Uint8Array;
}

/** What is counted. Names are ids of our own; those of `latency` are {@link latencyBounds} in milliseconds. */
export const countKinds = [
  /** Evaluations, by service. */
  'evaluation',
  /** Decisions with this outcome, by decision. */
  'met',
  'unknown',
  'error',
  /** Cards sent, by each decision behind them; by the day they were sent: what became of them. */
  'shown',
  'accepted',
  'overridden',
  /** Cards overridden, by code of the reason. */
  'reason',
  /** Evaluations, by prefetch key that was not known. */
  'missing',
  'failed',
  'truncated',
  /** Evaluations that took no longer. */
  'latency',
] as const;
export type CountKind = (typeof countKinds)[number];

/** Upper ends of the classes latency is counted in, milliseconds. */
export const latencyBounds: readonly number[] = [
  ...[1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500],
  ...[750, 1000, 1500, 2000, 3000, 4000, 6000, 10_000, 60_000],
];

export interface CountQuery {
  /** Days `YYYY-MM-DD` in UTC; `from` inclusive, `to` exclusive. */
  from: string;
  to: string;
  /** Weeks begin on Monday; a period has the date of its first day. */
  per: 'day' | 'week' | 'month';
  client?: string;
}

export interface PeriodCount {
  period: string;
  /** Knowledge version. */
  knowledge: string;
  kind: CountKind;
  name: string;
  count: number;
}

export interface FeedbackComment {
  card: string;
  receivedAt: string;
  comment: string;
}

/** Somebody looked at what was recorded, or erased it. */
export interface View {
  /** ISO, UTC. */
  time: string;
  /** Who, as the token says; `token` for the one of the configuration; an operator's name on the machine. */
  who: string;
  role: 'viewer' | 'reviewer' | 'operator';
  /** Which page; of an operator: what was done. */
  page: string;
  /** Of one evaluation. */
  evaluation?: string;
}

export interface StoredView extends View {
  seq: number;
}

/** One line of a list of evaluations. `hookInstance` and `patientKey` are absent once erased. */
export interface EvaluationSummary {
  /** Place in the chain, from 1. */
  seq: number;
  id: string;
  time: string;
  client: string;
  tenant?: string;
  hook: string;
  service: string;
  hookInstance?: string;
  patientKey?: string;
  /** Knowledge version. */
  knowledge: string;
  /** Number of cards sent. */
  cards: number;
  erasedAt?: string;
}

export interface StoredEvaluation {
  summary: EvaluationSummary;
  /** Absent once erased. */
  record?: EvaluationRecord;
  chain: { digest: string; previousHash: string; hash: string };
  feedback: StoredFeedback[];
}

/** Feedback on a card of an evaluation, in the order received; times in UTC. */
export interface StoredFeedback
  extends Pick<FeedbackItem, 'card' | 'outcome' | 'outcomeTimestamp' | 'receivedAt' | 'reason'> {
  acceptedSuggestions: string[];
}

export interface Verification {
  /** Links of the chain, erased records included. */
  records: number;
  erased: number;
  /** The last link: kept elsewhere, it shows later that nothing was cut off or rewritten. */
  head?: { seq: number; hash: string };
  /** One per day that is over, oldest first: kept elsewhere, each shows the same for what stands before it. */
  anchors: Anchor[];
  /** What does not hold, the first ones; empty: everything holds. */
  problems: { seq: number; problem: string }[];
}

/** The last link of a day in UTC, written when the first of a later day follows; its `seq` counts what stands before it. */
export interface Anchor {
  /** `YYYY-MM-DD`. */
  day: string;
  seq: number;
  hash: string;
}

/**
 * Makes the error of a store that cannot be used.
 *
 * @param why For operators: what the file system or database said.
 */
export function unavailable(why: string): UnavailableError {
  return new UnavailableError('audit', 'The audit record could not be stored or read. Try again shortly.', 1, {
    cause: new Error(why),
  });
}
