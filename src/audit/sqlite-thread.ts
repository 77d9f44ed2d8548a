import { statSync } from 'node:fs';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { FeedbackEntry } from './feedback.ts';
import {
  canonicalJson,
  chainStart,
  cleanText,
  digestText,
  hashLink,
  indexRecord,
  type RecordEntry,
  type RecordIndex,
  unsealRecord,
} from './record.ts';
import { type OpenDatabase, openDatabase } from './sqlite-database.ts';
import type {
  EvaluationQuery,
  EvaluationSummary,
  FeedbackCount,
  StoredEvaluation,
  StoredFeedback,
  Verification,
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

type Row = Record<string, SQLInputValue>;

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
       digest, previous_hash, hash)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertPayload = db.prepare('INSERT INTO payload VALUES (?, ?)');
  const insertDecision = db.prepare('INSERT INTO decision (id, outcome, seq) VALUES (?, ?, ?)');
  const insertCard = db.prepare('INSERT INTO card (uuid, seq, topic, indicator) VALUES (?, ?, ?, ?)');
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
      ...[index.cards.length, digest, previousHash, hash],
    );
    insertPayload.run(seq, content);
    for (const decision of index.decisions) insertDecision.run(decision.id, decision.outcome, seq);
    for (const card of index.cards) insertCard.run(card.uuid, seq, card.topic, card.indicator);
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
      'SELECT 1 FROM card JOIN evaluation USING (seq) WHERE uuid = ? AND client = ? AND tenant IS ?',
    );
    const count = { stored: 0, unknownCards: 0 };
    for (const item of items) {
      const tenant = item.tenant ?? null;
      if (findCard.get(item.card, item.client, tenant) === undefined) count.unknownCards += 1;
      const { changes, lastInsertRowid } = insert.run(
        ...[item.key, item.card, item.client, tenant, item.service, item.outcome, item.outcomeTimestamp],
        ...[item.receivedAt, JSON.stringify(item.acceptedSuggestions)],
        ...[item.reason?.system ?? null, item.reason?.code ?? null],
      );
      if (changes === 0) continue;
      count.stored += 1;
      if (item.comment !== undefined) insertComment.run(lastInsertRowid, item.comment);
    }
    return count;
  });
}

function evaluation(id: string): StoredEvaluation | undefined {
  const found = inTransaction('DEFERRED', (db) => {
    const row = db.prepare('SELECT * FROM evaluation LEFT JOIN payload USING (seq) WHERE id = ?').get(id);
    if (row === undefined) return undefined;
    const feedback = db.prepare(
      `SELECT feedback.* FROM feedback JOIN card ON card.uuid = feedback.card
       WHERE card.seq = ? AND feedback.client = ? AND feedback.tenant IS ? ORDER BY feedback.id`,
    );
    return {
      row: row as Row,
      feedback: feedback.all(row.seq as number, row.client as string, row.tenant as string | null),
    };
  });
  if (found === undefined) return undefined;
  const { row, feedback } = found;
  return {
    summary: readSummary(row),
    ...(row.content === null ? {} : { record: JSON.parse(unsealRecord(row.content as Uint8Array)) }),
    chain: { digest: String(row.digest), previousHash: String(row.previous_hash), hash: String(row.hash) },
    feedback: feedback.map(readFeedback),
  };
}

function evaluations(query: EvaluationQuery): EvaluationSummary[] {
  const conditions: [sql: string, ...values: (SQLInputValue | undefined)[]][] = [
    ['hook_instance = ?', query.hookInstance === undefined ? undefined : cleanText(query.hookInstance)],
    ['patient_key = ?', query.patientKey],
    ['time >= ?', query.from],
    ['time < ?', query.to],
    ['seq < ?', query.before],
    ['seq IN (SELECT seq FROM decision WHERE id = ? AND outcome = ?)', query.decision?.id, query.decision?.outcome],
  ];
  const asked = conditions.filter(([, value]) => value !== undefined);
  const where = asked.map(([sql]) => ` AND ${sql}`).join('');
  const values = asked.flatMap(([, ...given]) => given as SQLInputValue[]);
  return withDatabase((db) =>
    db
      .prepare(`SELECT * FROM evaluation WHERE TRUE${where} ORDER BY seq DESC LIMIT ?`)
      .all(...values, query.limit)
      .map((row) => readSummary(row as Row)),
  );
}

function erasePatient(patientKey: string): number {
  return inTransaction('IMMEDIATE', (db) => {
    const rows = db.prepare('SELECT seq FROM evaluation WHERE patient_key = ?').all(patientKey);
    const steps = [
      'DELETE FROM payload WHERE seq = ?',
      'DELETE FROM decision WHERE seq = ?',
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
  const cards = db.prepare('SELECT uuid, topic, indicator FROM card WHERE seq = ?').all(row.seq as number);
  const { id, time, client, tenant, hook, service, hook_instance, patient_key, knowledge } = row;
  const columns = { id, time, client, hook, service, hookInstance: hook_instance, patientKey: patient_key, knowledge };
  return { ...columns, ...(tenant === null ? {} : { tenant }), decisions, cards } as unknown as RecordIndex;
}

function isSameIndex(a: RecordIndex, b: RecordIndex): boolean {
  const [one, other] = [a, b].map((index) =>
    canonicalJson({
      ...index,
      decisions: index.decisions.map(canonicalJson).sort(),
      cards: index.cards.map(canonicalJson).sort(),
    }),
  );
  return one === other;
}

function readSummary(row: Row): EvaluationSummary {
  const text = (name: string, column = name) => (row[column] === null ? {} : { [name]: String(row[column]) });
  return {
    seq: Number(row.seq),
    id: String(row.id),
    time: String(row.time),
    client: String(row.client),
    ...text('tenant'),
    hook: String(row.hook),
    service: String(row.service),
    ...text('hookInstance', 'hook_instance'),
    ...text('patientKey', 'patient_key'),
    knowledge: String(row.knowledge),
    cards: Number(row.cards),
    ...text('erasedAt', 'erased_at'),
  };
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
