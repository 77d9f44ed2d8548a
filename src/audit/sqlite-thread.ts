import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { FeedbackEntry } from './feedback.ts';
import { openSealed, readFeedback, readLink, readSealed, readView } from './read-row.ts';
import { hashLink, packRecord, type RecordEntry } from './record.ts';
import { countPeriods, isRolledUp, type Row, rollUp, sumCounts, takeResponse } from './sqlite-counts.ts';
import { prepareOnce } from './sqlite-database.ts';
import { countErasable, emptyLog, eraseRecords, eraseStrayFeedback, shrink } from './sqlite-erase.ts';
import { type Head, isConstraint, openMonths } from './sqlite-months.ts';
import { findEvaluations, listEvaluations } from './sqlite-query.ts';
import type {
  Anchor,
  CountQuery,
  Erasure,
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
import { createVerifier, findAnchor, laterOf, monthOf, type StoredLink } from './verification.ts';

/** What a thread is started with. */
export interface ThreadData {
  folder: string;
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

/** How often, and after how many milliseconds each, it is tried to empty a write-ahead log that is read. */
const mostTries = 50;
const triesApart = 100;
/** Bytes a record with its rows and indexes takes in the write-ahead log, and more. */
const probeBytes = 64 * 1024;

const { folder, lockWait } = workerData as ThreadData;
const months = openMonths(folder, lockWait);

const commands = {
  append,
  addFeedback,
  evaluation,
  evaluations,
  scan,
  counts,
  rollUp: rollUpRest,
  checkpoint,
  comments,
  recordView,
  views,
  countErasable: (of: Erasure) => sumMonths((db) => countErasable(db, of)),
  erase,
  reclaim,
  verify,
  check,
  close: () => months.close(),
};

/** Writes entries in one transaction per month; gives per entry why it was refused, or null. */
function append(entries: readonly RecordEntry[]): (string | null)[] {
  return splitMonths(entries).flatMap(appendToMonth);
}

/** Runs of entries that go to one month: one that comes late goes with those it came with. */
function splitMonths(entries: readonly RecordEntry[]): RecordEntry[][] {
  const runs: RecordEntry[][] = [];
  let newest = '';
  for (const entry of entries) {
    const month = monthOf(entry.index.time);
    if (month > newest) runs.push([]);
    if (month > newest) newest = month;
    runs.at(-1)?.push(entry);
  }
  return runs;
}

function appendToMonth(entries: readonly RecordEntry[]): (string | null)[] {
  try {
    months.transactNewest(monthOf(entries[0]?.index.time ?? ''), (db, head) => insertEntries(db, head, entries));
    return entries.map(() => null);
  } catch (error) {
    if (!isConstraint(error)) throw error;
    // One bad entry must not take the others of its group with it.
    return entries.length > 1 ? entries.flatMap((entry) => appendToMonth([entry])) : [describe(error)];
  }
}

function insertEntries(db: DatabaseSync, head: Head, entries: readonly RecordEntry[]): void {
  const insertLink = prepareOnce(
    db,
    `INSERT INTO evaluation (seq, id, time, client, tenant, hook, service, hook_instance, patient_key, knowledge, cards,
       digest, previous_hash, hash, milliseconds)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertPayload = prepareOnce(db, 'INSERT INTO payload VALUES (?, ?)');
  const insertDecision = prepareOnce(db, 'INSERT INTO decision (id, outcome, seq) VALUES (?, ?, ?)');
  const insertCard = prepareOnce(
    db,
    'INSERT INTO card (uuid, seq, topic, indicator, decisions) VALUES (?, ?, ?, ?, ?)',
  );
  const insertKey = prepareOnce(db, 'INSERT INTO unknown_key (seq, key, state) VALUES (?, ?, ?)');
  const insertAnchor = prepareOnce(db, 'INSERT INTO anchor (day, seq, hash) VALUES (?, ?, ?)');
  let before: Pick<Head, 'seq' | 'hash' | 'time'> = head;
  for (const { index, json, digest } of entries) {
    const { id, time, client, tenant, hook, service, hookInstance, patientKey, knowledge } = index;
    const anchor = findAnchor(before, time);
    if (anchor !== undefined) insertAnchor.run(anchor.day, anchor.seq, anchor.hash);
    const seq = before.seq + 1;
    const hash = hashLink(before.hash, { seq, id, time, digest });
    insertLink.run(
      ...[seq, id, time, client, tenant ?? null, hook, service, hookInstance, patientKey, knowledge],
      ...[index.cards.length, digest, before.hash, hash, index.milliseconds],
    );
    insertPayload.run(seq, packRecord(json));
    for (const decision of index.decisions) insertDecision.run(decision.id, decision.outcome, seq);
    for (const { uuid, topic, indicator, decisions } of index.cards) {
      insertCard.run(uuid, seq, topic, indicator, JSON.stringify(decisions));
    }
    for (const { key, state } of index.unknownKeys) insertKey.run(seq, key, state);
    before = { seq, hash, time: laterOf(before.time, time) };
  }
}

/** Commits as much as a record takes: on a full disk the write-ahead log may have room for less. */
function check(): void {
  const sql = `INSERT INTO write_probe VALUES (1, randomblob(${probeBytes}))
    ON CONFLICT (one) DO UPDATE SET content = excluded.content`;
  months.transactNewest(monthOf(new Date().toISOString()), (db) => prepareOnce(db, sql).run());
}

/** Moves what was committed from the write-ahead log into the file, as far as nobody has to wait for it. */
function checkpoint(): void {
  const newest = months.list().at(-1);
  if (newest !== undefined) months.use(newest, (db) => db.exec('PRAGMA wal_checkpoint(PASSIVE)'));
}

/** Feedback stands in the file of its card, or in the newest where no file has the card. */
function addFeedback(items: readonly FeedbackEntry[]): FeedbackCount {
  const count = { stored: 0, unknownCards: 0 };
  for (const [month, ofMonth] of splitByMonth(items)) {
    const add = (db: DatabaseSync) => insertFeedback(db, ofMonth);
    const { stored, unknownCards } =
      month === undefined
        ? months.transactNewest(monthOf(ofMonth[0]?.receivedAt ?? ''), add)
        : months.transact(month, 'IMMEDIATE', add);
    count.stored += stored;
    count.unknownCards += unknownCards;
  }
  return count;
}

/** Which of the items given as `[[key, card], …]` a file has already, or the card of. */
const findPlaces = `SELECT item.key AS place FROM json_each(?) AS item
  WHERE EXISTS (SELECT 1 FROM feedback WHERE key = item.value ->> 0)
    OR EXISTS (SELECT 1 FROM card WHERE uuid = item.value ->> 1)`;

/** Items by the file they go to: one look per file, as everybody waits for the thread that writes. */
function splitByMonth(items: readonly FeedbackEntry[]): Map<string | undefined, FeedbackEntry[]> {
  const split = new Map<string | undefined, FeedbackEntry[]>();
  let left = items;
  for (const month of months.list().reverse()) {
    if (left.length === 0) break;
    const asked = JSON.stringify(left.map(({ key, card }) => [key, card]));
    const found = months.use(month, (db) => prepareOnce(db, findPlaces).all(asked));
    const places = new Set(found.map(({ place }) => Number(place)));
    if (places.size === 0) continue;
    split.set(
      month,
      left.filter((_, at) => places.has(at)),
    );
    left = left.filter((_, at) => !places.has(at));
  }
  if (left.length > 0) split.set(undefined, [...left]);
  return split;
}

function insertFeedback(db: DatabaseSync, items: readonly FeedbackEntry[]): FeedbackCount {
  const insert = prepareOnce(
    db,
    `INSERT INTO feedback (key, card, client, tenant, service, outcome, outcome_time, received_at, suggestions,
       reason_system, reason_code)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`,
  );
  const setComment = prepareOnce(
    db,
    `INSERT INTO feedback_comment SELECT id, ? FROM feedback WHERE key = ?
     ON CONFLICT (feedback) DO UPDATE SET comment = excluded.comment WHERE comment <> excluded.comment`,
  );
  const findCard = prepareOnce(
    db,
    `SELECT card.*, time, client, knowledge, erased_at FROM card JOIN evaluation USING (seq)
     WHERE uuid = ? AND client = ? AND tenant IS ?`,
  );
  const count = { stored: 0, unknownCards: 0 };
  for (const item of items) {
    const tenant = item.tenant ?? null;
    const card = findCard.get(item.card, item.client, tenant) as Row | undefined;
    if (card === undefined) count.unknownCards += 1;
    // Nothing more is kept of what was erased.
    if (card !== undefined && card.erased_at !== null) continue;
    const { changes } = insert.run(
      ...[item.key, item.card, item.client, tenant, item.service, item.outcome, item.outcomeTimestamp],
      ...[item.receivedAt, JSON.stringify(item.acceptedSuggestions)],
      ...[item.reason?.system ?? null, item.reason?.code ?? null],
    );
    if (changes > 0 && card !== undefined) takeResponse(db, card, item);
    const isCommented = item.comment !== undefined && setComment.run(item.comment, item.key).changes > 0;
    if (changes > 0 || isCommented) count.stored += 1;
  }
  return count;
}

function evaluation(id: string): StoredEvaluation | undefined {
  const found = readNewestFirst((db) => {
    const row = db.prepare('SELECT * FROM evaluation LEFT JOIN payload USING (seq) WHERE id = ?').get(id);
    return row && readSealed(row, findFeedback(db, row as Row));
  });
  return found && openSealed(found);
}

/** The first that any file has to give. */
function readNewestFirst<Found>(find: (db: DatabaseSync) => Found | undefined): Found | undefined {
  for (const month of months.list().reverse()) {
    const found = months.transact(month, 'DEFERRED', find);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What one file after another has to give, until there is enough. */
function readUntil<Found>(order: readonly string[], limit: number, find: (db: DatabaseSync, left: number) => Found[]) {
  const found: Found[] = [];
  for (const month of order) {
    if (found.length >= limit) break;
    found.push(...months.transact(month, 'DEFERRED', (db) => find(db, limit - found.length)));
  }
  return found;
}

function findFeedback(db: DatabaseSync, row: Row): StoredFeedback[] {
  const find = prepareOnce(
    db,
    `SELECT feedback.* FROM feedback JOIN card ON card.uuid = feedback.card
     WHERE card.seq = ? AND feedback.client = ? AND feedback.tenant IS ? ORDER BY feedback.id`,
  );
  return find.all(row.seq as number, row.client as string, row.tenant as string | null).map(readFeedback);
}

function evaluations(query: EvaluationQuery): EvaluationSummary[] {
  return readUntil(months.list().reverse(), query.limit, (db, limit) => listEvaluations(db, { ...query, limit }));
}

function scan(query: ScanQuery): SealedEvaluation[] {
  return readUntil(months.list(), query.limit, (db, limit) =>
    findEvaluations(db, { ...query, limit }).map((row) => readSealed(row, findFeedback(db, row))),
  );
}

function counts(query: CountQuery): PeriodCount[] {
  return sumCounts(months.list().flatMap((month) => months.use(month, (db) => countPeriods(db, query))));
}

/** Counts what was appended since it was last counted, a part of the chain at a time: writers get their turn in between. */
async function rollUpRest(): Promise<void> {
  for (const month of months.list()) {
    if (months.use(month, isRolledUp)) continue;
    while (!months.transact(month, 'IMMEDIATE', rollUp)) await new Promise(setImmediate);
  }
}

function comments(evaluationId: string): FeedbackComment[] {
  const sql = `SELECT feedback.card, received_at, comment FROM feedback_comment
    JOIN feedback ON feedback.id = feedback_comment.feedback
    JOIN card ON card.uuid = feedback.card JOIN evaluation USING (seq)
    WHERE evaluation.id = ? AND feedback.client = evaluation.client AND feedback.tenant IS evaluation.tenant
    ORDER BY feedback.id`;
  return months.list().flatMap((month) =>
    months
      .use(month, (db) => db.prepare(sql).all(evaluationId))
      .map((row) => ({
        card: String(row.card),
        receivedAt: String(row.received_at),
        comment: String(row.comment),
      })),
  );
}

function recordView({ time, who, role, page, evaluation: seen }: View): void {
  months.transactNewest(monthOf(time), (db, head) => {
    db.prepare('INSERT INTO view (seq, time, who, role, page, evaluation) VALUES (?, ?, ?, ?, ?, ?)').run(
      ...[head.view + 1, time, who, role, page, seen ?? null],
    );
  });
}

function views({ before, limit }: { before?: number; limit: number }): StoredView[] {
  return readUntil(months.list().reverse(), limit, (db, left) =>
    db
      .prepare('SELECT * FROM view WHERE seq < ? ORDER BY seq DESC LIMIT ?')
      .all(before ?? Number.MAX_SAFE_INTEGER, left)
      .map(readView),
  );
}

const sumMonths = (count: (db: DatabaseSync) => number): number =>
  months.list().reduce((sum, month) => sum + months.use(month, count), 0);

async function erase(of: Erasure): Promise<number> {
  // What is erased stays counted: a count names nobody.
  await rollUpRest();
  let erased = 0;
  for (const month of months.list()) {
    // Without this look a file that has nothing to erase would be locked.
    if (months.use(month, (db) => countErasable(db, of)) > 0) {
      for (let after = -1; ; ) {
        const seqs = await inTurn(() => months.transact(month, 'IMMEDIATE', (db) => eraseRecords(db, of, after)));
        erased += seqs.length;
        const last = seqs.at(-1);
        if (last === undefined) break;
        after = last;
      }
    }
    if (!('before' in of)) continue;
    while (await inTurn(() => months.transact(month, 'IMMEDIATE', (db) => eraseStrayFeedback(db, of.before))));
  }
  return erased;
}

async function reclaim(): Promise<void> {
  for (const month of months.list()) {
    while (await inTurn(() => months.use(month, shrink)));
    for (let tries = 1; !months.use(month, (db) => emptyLog(db, lockWait)); tries += 1) {
      if (tries === mostTries) throw new Error(`The write-ahead log of ${month} is read all the time: try again.`);
      await wait(triesApart);
    }
  }
}

/** Runs, and leaves others as much time afterwards as it took. */
async function inTurn<Result>(run: () => Result): Promise<Result> {
  const started = performance.now();
  const result = run();
  await wait(performance.now() - started);
  return result;
}

async function verify(): Promise<Verification> {
  const verifier = createVerifier();
  const anchors: Anchor[] = [];
  for (const month of months.list()) {
    let after = -1;
    for (;;) {
      // Each chunk is its own short read: one long one would keep the write-ahead log from being emptied.
      const links = months.transact(month, 'DEFERRED', (db) => readLinks(db, after));
      for (const link of links) verifier.add(link);
      if (links.length < verifyChunk) break;
      after = links.at(-1)?.seq ?? after;
      await new Promise(setImmediate);
    }
    anchors.push(...months.use(month, readAnchors));
  }
  return verifier.finish(anchors);
}

function readLinks(db: DatabaseSync, after: number): StoredLink[] {
  return db
    .prepare('SELECT * FROM evaluation LEFT JOIN payload USING (seq) WHERE seq > ? ORDER BY seq LIMIT ?')
    .all(after, verifyChunk)
    .map((row) => readLink(row, () => readLists(db, row as Row)));
}

const readAnchors = (db: DatabaseSync): Anchor[] =>
  db
    .prepare('SELECT day, seq, hash FROM anchor ORDER BY seq')
    .all()
    .map(({ day, seq, hash }) => ({ day: String(day), seq: Number(seq), hash: String(hash) }));

function readLists(db: DatabaseSync, row: Row) {
  const decisions = db.prepare('SELECT id, outcome FROM decision WHERE seq = ?').all(row.seq as number);
  const cards = db
    .prepare('SELECT uuid, topic, indicator, decisions FROM card WHERE seq = ?')
    .all(row.seq as number)
    .map((card) => ({ ...card, decisions: JSON.parse(String(card.decisions)) }));
  const unknownKeys = db.prepare('SELECT key, state FROM unknown_key WHERE seq = ?').all(row.seq as number);
  return { decisions, cards, unknownKeys };
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
