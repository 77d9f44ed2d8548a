import type { Outcome } from '../engine/types.ts';
import type { FeedbackItem } from './feedback.ts';
import type { EvaluationRecord, RecordEntry } from './record.ts';

/**
 * Where evaluations are kept. Every method rejects with `UnavailableError('audit')` while the store cannot be reached
 * or used; what the file system or database said is its `cause`. The next call tries again.
 */
export interface AuditStore {
  /** Resolves once the record is on disk in a committed transaction; a rejected record is not answered for. */
  append(entry: RecordEntry): Promise<void>;
  /**
   * Stores what clients report of cards. Repeating an item changes nothing.
   *
   * @throws RequestError where an item's time cannot be read; then none is stored.
   */
  addFeedback(items: readonly FeedbackItem[]): Promise<FeedbackCount>;
  /** One evaluation by its id. */
  evaluation(id: string): Promise<StoredEvaluation | undefined>;
  /** The newest evaluations that meet every condition given, newest first. */
  evaluations(query: EvaluationQuery): Promise<EvaluationSummary[]>;
  /** Erases what was recorded of a patient; the chain keeps the digests and still verifies. Returns how many records. */
  erasePatient(patientKey: string): Promise<number>;
  /** Reads every record and recomputes the chain. */
  verify(): Promise<Verification>;
  /** Rejects while records cannot be written: for start-up and readiness. */
  check(): Promise<void>;
  /** Writes what is queued and closes. */
  close(): Promise<void>;
}

export interface FeedbackCount {
  /** Items not stored before, those of unknown cards included. */
  stored: number;
  /** Items that name a card this client (and tenant) was not sent. */
  unknownCards: number;
}

export interface EvaluationQuery {
  hookInstance?: string;
  patientKey?: string;
  /** Evaluations in which this decision had this outcome. */
  decision?: { id: string; outcome: Exclude<Outcome, 'not-met'> };
  /** ISO, UTC, with milliseconds; `from` inclusive, `to` exclusive. */
  from?: string;
  to?: string;
  /** Only evaluations before this place in the chain: for the next page. */
  before?: number;
  limit: number;
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
  /** What does not hold, the first ones; empty: everything holds. */
  problems: { seq: number; problem: string }[];
}
