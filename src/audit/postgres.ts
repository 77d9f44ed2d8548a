import { type FeedbackEntry, sealFeedback } from './feedback.ts';
import { createGroups } from './groups.ts';
import { createAppend } from './postgres-append.ts';
import { countPeriods, rollUp, takeResponse } from './postgres-counts.ts';
import {
  checkWrite,
  type Database,
  lockCounts,
  openDatabase,
  type PostgresOptions,
  postgresDefaults,
  type Query,
} from './postgres-database.ts';
import { findEvaluations, findFeedback, listEvaluations, readLinks } from './postgres-query.ts';
import { createTokenStore, type TokenStore } from './postgres-tokens.ts';
import { openSealed, readSealed, readView } from './read-row.ts';
import type { RecordEntry } from './record.ts';
import {
  type AuditStore,
  type FeedbackComment,
  type FeedbackCount,
  type StoredEvaluation,
  type StoredView,
  unavailable,
  type Verification,
} from './store.ts';
import { createVerifier } from './verification.ts';
import { createWriteCheck } from './write-check.ts';

export interface PostgresStore extends AuditStore {
  /** Which tokens were used with any instance. */
  readonly tokens: TokenStore;
}

/** Records that may wait for a commit; more are refused, so that a stalled database does not fill memory. */
const maxQueued = 1000;
/** Records of one transaction. */
const maxGroup = 64;
/** Milliseconds after an append at which what was appended is counted. */
const rollUpAfter = 30_000;
/** Links read at a time by `verify`, each read whole. */
const verifyChunk = 50;

/**
 * Keeps evaluations in PostgreSQL, for any number of instances that write to one chain.
 *
 * What was erased leaves the disk with the next vacuum of the database. Opening never fails; a server that cannot be
 * reached fails each call until it can.
 *
 * @param keyFingerprint Of the patient key: instances with different keys must not write to one database.
 */
export function openPostgresStore(url: string, keyFingerprint: string, options: PostgresOptions = {}): PostgresStore {
  const db = openDatabase(url, keyFingerprint, { ...postgresDefaults, ...options });
  const { check, watch } = createWriteCheck(() => checkWrite(db.query));
  const groups = createGroups<RecordEntry, string | null>(watch(createAppend(db)), maxGroup);
  let rollingUp: NodeJS.Timeout | undefined;
  let closed = false;

  /** Whatever the database says is for operators. */
  async function guard<Result>(run: () => Promise<Result>): Promise<Result> {
    if (closed) throw unavailable('The store is closed.');
    try {
      return await run();
    } catch (error) {
      throw unavailable(describe(error));
    }
  }

  async function append(entry: RecordEntry): Promise<void> {
    if (groups.waiting() >= maxQueued) throw new Error(`${maxQueued} records already wait to be written.`);
    const refusal = await groups.add(entry);
    if (refusal !== null) throw new Error(refusal);
    rollingUp ??= setTimeout(() => {
      rollingUp = undefined;
      // What cannot be counted now is counted when counts are asked for.
      if (!closed) rollUp(db).catch(() => {});
    }, rollUpAfter).unref();
  }

  return {
    append: (entry) => guard(() => append(entry)),
    async addFeedback(items) {
      const entries = items.map(sealFeedback);
      return guard(() => addFeedback(db, entries));
    },
    evaluation: (id) => guard(() => readEvaluation(db, id)),
    evaluations: (query) => guard(() => listEvaluations(db.query, query)),
    scan: (query) => guard(() => findEvaluations(db.query, query)),
    counts: (query) =>
      guard(async () => {
        await rollUp(db);
        return countPeriods(db.query, query);
      }),
    comments: (id) => guard(() => readComments(db.query, id)),
    recordView: ({ time, who, role, page, evaluation }) =>
      guard(async () => {
        await db.query('INSERT INTO view (time, who, role, page, evaluation) VALUES ($1, $2, $3, $4, $5)', [
          ...[time, who, role, page, evaluation ?? null],
        ]);
      }),
    views: (query) => guard(() => readViews(db.query, query)),
    erasePatient: (patientKey) =>
      guard(async () => {
        // What is erased stays counted: a count names nobody.
        await rollUp(db);
        return db.transact((query) => erasePatient(query, patientKey));
      }),
    verify: () => guard(() => verify(db.query)),
    check: () => guard(check),
    tokens: createTokenStore(db, guard),
    async close() {
      if (closed) return;
      closed = true;
      clearTimeout(rollingUp);
      await groups.finished();
      await db.close();
    },
  };
}

async function addFeedback(db: Database, entries: readonly FeedbackEntry[]): Promise<FeedbackCount> {
  return db.transact(async (query) => {
    await lockCounts(query);
    const count = { stored: 0, unknownCards: 0 };
    for (const item of entries) {
      const { stored, isKnown } = await insertFeedback(query, item);
      if (stored) count.stored += 1;
      if (!isKnown) count.unknownCards += 1;
    }
    return count;
  });
}

async function insertFeedback(query: Query, item: FeedbackEntry): Promise<{ stored: boolean; isKnown: boolean }> {
  const tenant = item.tenant ?? null;
  const [card] = await query(
    `SELECT c.*, e.time, e.client, e.knowledge FROM card c JOIN evaluation e ON e.month = c.month AND e.seq = c.seq
     WHERE c.uuid = $1 AND e.client = $2 AND e.tenant IS NOT DISTINCT FROM $3`,
    [item.card, item.client, tenant],
  );
  const [inserted] = await query(
    `INSERT INTO feedback (key, card, client, tenant, service, outcome, outcome_time, received_at, suggestions,
       reason_system, reason_code)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (key) DO NOTHING RETURNING id`,
    [
      ...[item.key, item.card, item.client, tenant, item.service, item.outcome, item.outcomeTimestamp],
      ...[item.receivedAt, JSON.stringify(item.acceptedSuggestions)],
      ...[item.reason?.system ?? null, item.reason?.code ?? null],
    ],
  );
  if (inserted !== undefined) {
    if (card !== undefined) await takeResponse(query, card, item);
    if (item.comment !== undefined) {
      await query('INSERT INTO feedback_comment VALUES ($1, $2)', [inserted.id, item.comment]);
    }
  }
  return { stored: inserted !== undefined, isKnown: card !== undefined };
}

async function readEvaluation(db: Database, id: string): Promise<StoredEvaluation | undefined> {
  const [row] = await db.query(
    `SELECT e.*, p.content FROM evaluation e LEFT JOIN payload p ON p.month = e.month AND p.seq = e.seq WHERE e.id = $1`,
    [id],
  );
  if (row === undefined) return undefined;
  const feedback = await findFeedback(db.query, [row]);
  return openSealed(readSealed(row, feedback.get(String(row.seq)) ?? []));
}

async function readComments(query: Query, evaluationId: string): Promise<FeedbackComment[]> {
  const rows = await query(
    `SELECT f.card, f.received_at, n.comment FROM evaluation e JOIN card c ON c.month = e.month AND c.seq = e.seq
     JOIN feedback f ON f.card = c.uuid AND f.client = e.client AND f.tenant IS NOT DISTINCT FROM e.tenant
     JOIN feedback_comment n ON n.feedback = f.id WHERE e.id = $1 ORDER BY f.id`,
    [evaluationId],
  );
  return rows.map((row) => ({
    card: String(row.card),
    receivedAt: String(row.received_at),
    comment: String(row.comment),
  }));
}

async function readViews(query: Query, { before, limit }: { before?: number; limit: number }): Promise<StoredView[]> {
  const rows = await query('SELECT * FROM view WHERE seq < $1 ORDER BY seq DESC LIMIT $2', [
    before ?? Number.MAX_SAFE_INTEGER,
    limit,
  ]);
  return rows.map(readView);
}

async function erasePatient(query: Query, patientKey: string): Promise<number> {
  const rows = await query('SELECT seq FROM evaluation WHERE patient_key = $1 FOR UPDATE', [patientKey]);
  const seqs = rows.map(({ seq }) => seq);
  await query(
    `DELETE FROM feedback_comment WHERE feedback IN
       (SELECT f.id FROM feedback f JOIN card c ON c.uuid = f.card WHERE c.seq = ANY($1::bigint[]))`,
    [seqs],
  );
  for (const table of ['payload', 'decision', 'unknown_key']) {
    await query(`DELETE FROM ${table} WHERE seq = ANY($1::bigint[])`, [seqs]);
  }
  await query(
    `UPDATE evaluation SET patient_key = NULL, hook_instance = NULL,
       erased_at = to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
     WHERE seq = ANY($1::bigint[])`,
    [seqs],
  );
  return rows.length;
}

async function verify(query: Query): Promise<Verification> {
  const verifier = createVerifier();
  for (let after = -1; ; ) {
    const links = await readLinks(query, after, verifyChunk);
    for (const link of links) verifier.add(link);
    const last = links.at(-1);
    if (last === undefined) break;
    after = last.seq;
  }
  const anchors = await query('SELECT day, seq, hash FROM anchor ORDER BY seq');
  return verifier.finish(
    anchors.map(({ day, seq, hash }) => ({ day: String(day), seq: Number(seq), hash: String(hash) })),
  );
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Where every address of a host was tried, Node gives one error per address and no message.
  return error instanceof AggregateError ? error.errors.map(describe).join(', ') : error.message;
}
