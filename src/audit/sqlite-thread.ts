import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { FeedbackEntry } from './feedback.ts';
import {
  canonicalJson,
  chainStart,
  digestText,
  hashLink,
  indexRecord,
  type RecordEntry,
  type RecordIndex,
  unsealRecord,
} from './record.ts';
import { countPeriods, type Row, rollUp, takeResponse } from './sqlite-counts.ts';
import { type OpenDatabase, openDatabase } from './sqlite-database.ts';
import { findEvaluations, listEvaluations, readSummary } from './sqlite-query.ts';
import type {
  CountQuery,
  EvaluationQuery,
  EvaluationSummary,
  FeedbackComment,
  FeedbackCount,
  PeriodCount,
  ScanQuery,
  SealedEvaluation,
  StoredEvaluation,
  StoredFeedback,
  StoredView,
  Verification,
  View,
} from './store.ts';

/** What a thread is started with. */
export interface ThreadData {
  file: string;
  /** Milliseconds to wait while another process writes. */
  lockWait: number;
}

export type Commands = typeof commands;
export type Call = {
  [Name in keyof Commands]: { call: number; name: Name; args: Parameters<Commands[Name]> };
}[keyof Commands];
export type Reply = { call: number } & ({ result: unknown } | { failure: string });

/** Links read at a time by `verify`; other reads get their turn in between. */
const verifyChunk = 200;
const maxProblems = 20;
/** SQLITE_CONSTRAINT: the entry is at fault, not the file. */
const constraintCode = 19;

const { file, lockWait } = workerData as ThreadData;
let opened: OpenDatabase | undefined;

const commands = {
  append,
  addFeedback,
  evaluation,
  evaluations,
  scan,
  counts,
  rollUp: rollUpRest,
  comments,
  recordView,
  views,
  erasePatient,
  verify,
  check: () => inTransaction('IMMEDIATE', () => undefined),
  close: closeDatabase,
};

/** Writes entries in one transaction; gives per entry why it was refused, or null. */
function append(entries: readonly RecordEntry[]): (string | null)[] {
  try {
    inTransaction('IMMEDIATE', (db) => {
      insertEntries(db, entries);
    });
    return entries.map(() => null);
  } catch (error) {
    if (!isConstraint(error)) throw error;
    // One bad entry must not take the others of its group with it.
    return entries.length > 1 ? entries.flatMap((entry) => append([entry])) : [describe(error)];
  }
}

function insertEntries(db: DatabaseSync, entries: readonly RecordEntry[]): void {
  const insertLink = db.prepare(
    `INSERT INTO evaluation (seq, id, time, client, tenant, hook, service, hook_instance, patient_key, knowledge, cards,
       digest, previous_hash, hash, milliseconds)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertPayload = db.prepare('INSERT INTO payload VALUES (?, ?)');
  const insertDecision = db.prepare('INSERT INTO decision (id, outcome, seq) VALUES (?, ?, ?)');
  const insertCard = db.prepare('INSERT INTO card (uuid, seq, topic, indicator, decisions) VALUES (?, ?, ?, ?, ?)');
  const insertKey = db.prepare('INSERT INTO unknown_key (seq, key, state) VALUES (?, ?, ?)');
  // Read inside the transaction, not remembered: another process may have added a link.
  const head = db.prepare('SELECT seq, hash FROM evaluation ORDER BY seq DESC LIMIT 1').get();
  let seq = Number(head?.seq ?? 0);
  let previousHash = String(head?.hash ?? chainStart);
  for (const { index, content, digest } of entries) {
    seq += 1;
    const { id, time, client, tenant, hook, service, hookInstance, patientKey, knowledge } = index;
    const hash = hashLink(previousHash, { seq, id, time, digest });
    insertLink.run(
      ...[seq, id, time, client, tenant ?? null, hook, service, hookInstance, patientKey, knowledge],
      ...[index.cards.length, digest, previousHash, hash, index.milliseconds],
    );
    insertPayload.run(seq, content);
    for (const decision of index.decisions) insertDecision.run(decision.id, decision.outcome, seq);
    for (const { uuid, topic, indicator, decisions } of index.cards) {
      insertCard.run(uuid, seq, topic, indicator, JSON.stringify(decisions));
    }
    for (const { key, state } of index.unknownKeys) insertKey.run(seq, key, state);
    previousHash = hash;
  }
}

function addFeedback(items: readonly FeedbackEntry[]): FeedbackCount {
  return inTransaction('IMMEDIATE', (db) => {
    const insert = db.prepare(
      `INSERT INTO feedback (key, card, client, tenant, service, outcome, outcome_time, received_at, suggestions,
         reason_system, reason_code)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`,
    );
    const insertComment = db.prepare('INSERT INTO feedback_comment VALUES (?, ?)');
    const findCard = db.prepare(
      `SELECT card.*, time, client, knowledge FROM card JOIN evaluation USING (seq)
       WHERE uuid = ? AND client = ? AND tenant IS ?`,
    );
    const count = { stored: 0, unknownCards: 0 };
    for (const item of items) {
      const tenant = item.tenant ?? null;
      const card = findCard.get(item.card, item.client, tenant) as Row | undefined;
      if (card === undefined) count.unknownCards += 1;
      const { changes, lastInsertRowid } = insert.run(
        ...[item.key, item.card, item.client, tenant, item.service, item.outcome, item.outcomeTimestamp],
        ...[item.receivedAt, JSON.stringify(item.acceptedSuggestions)],
        ...[item.reason?.system ?? null, item.reason?.code ?? null],
      );
      if (changes === 0) continue;
      count.stored += 1;
      if (card !== undefined) takeResponse(db, card, item);
      if (item.comment !== undefined) insertComment.run(lastInsertRowid, item.comment);
    }
    return count;
  });
}

function evaluation(id: string): StoredEvaluation | undefined {
  const found = inTransaction('DEFERRED', (db) => {
    const row = db.prepare('SELECT * FROM evaluation LEFT JOIN payload USING (seq) WHERE id = ?').get(id);
    if (row === undefined) return undefined;
    return { row: row as Row, feedback: findFeedback(db, row as Row) };
  });
  if (found === undefined) return undefined;
  const { row, feedback } = found;
  return {
    summary: readSummary(row),
    ...(row.content === null ? {} : { record: JSON.parse(unsealRecord(row.content as Uint8Array)) }),
    chain: { digest: String(row.digest), previousHash: String(row.previous_hash), hash: String(row.hash) },
    feedback,
  };
}

function findFeedback(db: DatabaseSync, row: Row): StoredFeedback[] {
  return db
    .prepare(
      `SELECT feedback.* FROM feedback JOIN card ON card.uuid = feedback.card
       WHERE card.seq = ? AND feedback.client = ? AND feedback.tenant IS ? ORDER BY feedback.id`,
    )
    .all(row.seq as number, row.client as string, row.tenant as string | null)
    .map(readFeedback);
}

function evaluations(query: EvaluationQuery): EvaluationSummary[] {
  return withDatabase((db) => listEvaluations(db, query));
}

function scan(query: ScanQuery): SealedEvaluation[] {
  return inTransaction('DEFERRED', (db) =>
    findEvaluations(db, query).map((row) => ({
      summary: readSummary(row),
      ...(row.content === null ? {} : { content: row.content as Uint8Array }),
      chain: { digest: String(row.digest), previousHash: String(row.previous_hash), hash: String(row.hash) },
      feedback: findFeedback(db, row),
    })),
  );
}

function counts(query: CountQuery): PeriodCount[] {
  return withDatabase((db) => countPeriods(db, query));
}

/** Counts what was appended since it was last counted, a part of the chain at a time: writers get their turn in between. */
async function rollUpRest(): Promise<void> {
  while (!inTransaction('IMMEDIATE', rollUp)) await new Promise(setImmediate);
}

function comments(evaluationId: string): FeedbackComment[] {
  return withDatabase((db) =>
    db
      .prepare(
        `SELECT feedback.card, received_at, comment FROM feedback_comment
         JOIN feedback ON feedback.id = feedback_comment.feedback
         JOIN card ON card.uuid = feedback.card JOIN evaluation USING (seq)
         WHERE evaluation.id = ? AND feedback.client = evaluation.client AND feedback.tenant IS evaluation.tenant
         ORDER BY feedback.id`,
      )
      .all(evaluationId)
      .map((row) => ({
        card: String(row.card),
        receivedAt: String(row.received_at),
        comment: String(row.comment),
      })),
  );
}

function recordView({ time, who, role, page, evaluation: seen }: View): void {
  inTransaction('IMMEDIATE', (db) => {
    db.prepare('INSERT INTO view (time, who, role, page, evaluation) VALUES (?, ?, ?, ?, ?)').run(
      ...[time, who, role, page, seen ?? null],
    );
  });
}

function views({ before, limit }: { before?: number; limit: number }): StoredView[] {
  return withDatabase((db) =>
    db
      .prepare('SELECT * FROM view WHERE seq < ? ORDER BY seq DESC LIMIT ?')
      .all(before ?? Number.MAX_SAFE_INTEGER, limit)
      .map((row) => ({
        seq: Number(row.seq),
        time: String(row.time),
        who: String(row.who),
        role: row.role as StoredView['role'],
        page: String(row.page),
        ...(row.evaluation === null ? {} : { evaluation: String(row.evaluation) }),
      })),
  );
}

async function erasePatient(patientKey: string): Promise<number> {
  // What is erased stays counted: a count names nobody.
  await rollUpRest();
  return inTransaction('IMMEDIATE', (db) => {
    const rows = db.prepare('SELECT seq FROM evaluation WHERE patient_key = ?').all(patientKey);
    const steps = [
      'DELETE FROM payload WHERE seq = ?',
      'DELETE FROM decision WHERE seq = ?',
      'DELETE FROM unknown_key WHERE seq = ?',
      `DELETE FROM feedback_comment
       WHERE feedback IN (SELECT feedback.id FROM feedback JOIN card ON card.uuid = feedback.card WHERE card.seq = ?)`,
      `UPDATE evaluation SET patient_key = NULL, hook_instance = NULL,
         erased_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE seq = ?`,
    ].map((sql) => db.prepare(sql));
    for (const { seq } of rows) for (const step of steps) step.run(seq as number);
    return rows.length;
  });
}

async function verify(): Promise<Verification> {
  const found: Verification = { records: 0, erased: 0, problems: [] };
  let seq = 0;
  let hash = chainStart;
  for (;;) {
    // Each chunk is its own short read: one long one would keep the write-ahead log from being emptied.
    const rows = inTransaction('DEFERRED', (db) =>
      db
        .prepare('SELECT * FROM evaluation LEFT JOIN payload USING (seq) WHERE seq > ? ORDER BY seq LIMIT ?')
        .all(seq, verifyChunk)
        .map((row) => ({ row: row as Row, stored: row.content === null ? undefined : readIndex(db, row as Row) })),
    );
    for (const { row, stored } of rows) {
      for (const problem of findProblems(row, stored, seq + 1, hash)) {
        if (found.problems.length < maxProblems) found.problems.push({ seq: Number(row.seq), problem });
      }
      found.records += 1;
      if (row.erased_at !== null) found.erased += 1;
      seq = Number(row.seq);
      hash = String(row.hash);
      found.head = { seq, hash };
    }
    if (rows.length < verifyChunk) return found;
    await new Promise(setImmediate);
  }
}

function findProblems(row: Row, stored: RecordIndex | undefined, expectedSeq: number, previousHash: string): string[] {
  const [seq, id, time, digest] = [Number(row.seq), String(row.id), String(row.time), String(row.digest)];
  const problems: string[] = [];
  if (seq !== expectedSeq) problems.push(`records ${expectedSeq} to ${seq - 1} are not there`);
  if (row.previous_hash !== previousHash) problems.push('does not follow the record before it');
  if (row.hash !== hashLink(String(row.previous_hash), { seq, id, time, digest })) {
    problems.push('its link was changed');
  }
  if (stored !== undefined) {
    problems.push(...findContentProblems(row, stored));
  } else if (row.erased_at === null) {
    problems.push('its content is not there and was not erased');
  }
  return problems;
}

function findContentProblems(row: Row, stored: RecordIndex): string[] {
  try {
    const json = unsealRecord(row.content as Uint8Array);
    if (digestText(json) !== row.digest) return ['its content was changed'];
    return isSameIndex(indexRecord(JSON.parse(json)), stored) ? [] : ['its index rows were changed'];
  } catch {
    // Not what gzip wrote, or not what sealRecord did: whoever changed it decides what it looks like.
    return ['its content is no record'];
  }
}

function readIndex(db: DatabaseSync, row: Row): RecordIndex {
  const decisions = db.prepare('SELECT id, outcome FROM decision WHERE seq = ?').all(row.seq as number);
  const cards = db
    .prepare('SELECT uuid, topic, indicator, decisions FROM card WHERE seq = ?')
    .all(row.seq as number)
    .map((card) => ({ ...card, decisions: JSON.parse(String(card.decisions)) }));
  const unknownKeys = db.prepare('SELECT key, state FROM unknown_key WHERE seq = ?').all(row.seq as number);
  const { id, time, client, tenant, hook, service, hook_instance, patient_key, knowledge, milliseconds } = row;
  const columns = { id, time, client, hook, service, hookInstance: hook_instance, patientKey: patient_key, knowledge };
  const lists = { decisions, cards, unknownKeys };
  return { ...columns, ...(tenant === null ? {} : { tenant }), milliseconds, ...lists } as unknown as RecordIndex;
}

function isSameIndex(a: RecordIndex, b: RecordIndex): boolean {
  const [one, other] = [a, b].map((index) =>
    canonicalJson({
      ...index,
      decisions: index.decisions.map(canonicalJson).sort(),
      cards: index.cards.map(canonicalJson).sort(),
      unknownKeys: index.unknownKeys.map(canonicalJson).sort(),
    }),
  );
  return one === other;
}

function readFeedback(row: Record<string, unknown>): StoredFeedback {
  const system = row.reason_system === null ? {} : { system: String(row.reason_system) };
  return {
    card: String(row.card),
    outcome: row.outcome as StoredFeedback['outcome'],
    outcomeTimestamp: String(row.outcome_time),
    receivedAt: String(row.received_at),
    acceptedSuggestions: JSON.parse(String(row.suggestions)),
    ...(row.reason_code === null ? {} : { reason: { ...system, code: String(row.reason_code) } }),
  };
}

/** Writes take the lock at once (IMMEDIATE); reads see one moment of the file (DEFERRED). */
function inTransaction<Result>(kind: 'IMMEDIATE' | 'DEFERRED', run: (db: DatabaseSync) => Result): Result {
  return withDatabase((db) => {
    db.exec(`BEGIN ${kind}`);
    try {
      const result = run(db);
      db.exec('COMMIT');
      return result;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  });
}

/** A failure of the file closes it, so that the next call opens it anew. */
function withDatabase<Result>(run: (db: DatabaseSync) => Result): Result {
  // Removed or replaced under our feet: writing on would lose records the moment we stop.
  if (opened !== undefined && statSync(file, { throwIfNoEntry: false })?.ino !== opened.inode) closeDatabase();
  opened ??= openDatabase(file, lockWait);
  try {
    return run(opened.db);
  } catch (error) {
    if (!isConstraint(error)) closeDatabase();
    throw error;
  }
}

function closeDatabase(): void {
  const closing = opened;
  opened = undefined;
  closing?.db.close();
}

function isConstraint(error: unknown): boolean {
  // Extended codes carry the primary one in their low byte.
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === constraintCode;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

parentPort?.on('message', async ({ call, name, args }: Call) => {
  let reply: Reply;
  try {
    const command = commands[name] as (...given: unknown[]) => unknown;
    reply = { call, result: await command(...args) };
  } catch (error) {
    reply = { call, failure: describe(error) };
  }
  parentPort?.postMessage(reply);
});
