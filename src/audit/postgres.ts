import { type FeedbackEntry, sealItems } from './feedback.ts';
import { createGroups } from './groups.ts';
import { createAppend } from './postgres-append.ts';
import { countPeriods, rollUp, takeResponses } from './postgres-counts.ts';
import {
  checkWrite,
  type Database,
  lockCounts,
  openDatabase,
  type PostgresOptions,
  postgresDefaults,
  type Query,
} from './postgres-database.ts';
import { erase, findErasable, reclaim } from './postgres-erase.ts';
import { findEvaluations, findFeedback, listEvaluations, readLinks } from './postgres-query.ts';
import { createTokenStore } from './postgres-tokens.ts';
import { openSealed, type Row, readSealed, readView } from './read-row.ts';
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
import type { TokenStore } from './tokens.ts';
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
 * Opening never fails; a server that cannot be
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
      const entries = sealItems(items);
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
    countErasable: (of) => guard(async () => (await findErasable(db, of)).count),
    erase: (of) => guard(() => erase(db, of)),
    reclaim: () => guard(() => reclaim(db)),
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

/** As few statements for many items as for one: others wait for the counts. */
async function addFeedback(db: Database, entries: readonly FeedbackEntry[]): Promise<FeedbackCount> {
  return db.transact(async (query) => {
    await lockCounts(query);
    const cards = await findCards(query, entries);
    // Nothing more is kept of what was erased.
    const kept = entries.filter(({ key }) => (cards.get(key)?.erased_at ?? null) === null);
    const stored = await insertItems(query, kept);
    await takeResponses(
      query,
      kept.flatMap((item) => {
        const card = cards.get(item.key);
        return card !== undefined && stored.has(item.key) ? [{ card, item }] : [];
      }),
    );
    for (const key of await setComments(query, kept)) stored.add(key);
    return { stored: stored.size, unknownCards: entries.length - cards.size };
  });
}

/** The cards of those that were sent them, by key of the item. */
async function findCards(query: Query, entries: readonly FeedbackEntry[]): Promise<Map<string, Row>> {
  // One after the other: joined, the server may begin with all evaluations of a client.
  const cards = await query('SELECT * FROM card WHERE uuid = ANY($1::text[])', [entries.map(({ card }) => card)]);
  const evaluations = await query(
    `SELECT seq, time, client, tenant, knowledge, erased_at FROM evaluation
     WHERE month = ANY($1::text[]) AND seq = ANY($2::bigint[])`,
    [[...new Set(cards.map(({ month }) => month))], cards.map(({ seq }) => seq)],
  );
  const bySeq = new Map(evaluations.map((row) => [row.seq, row]));
  const sent = Map.groupBy(
    cards.map((card): Row => ({ ...card, ...bySeq.get(card.seq) })),
    ({ uuid }) => uuid,
  );
  return new Map(
    entries.flatMap(({ key, card, client, tenant = null }) => {
      const own = sent.get(card)?.find((each) => each.client === client && each.tenant === tenant);
      return own === undefined ? [] : [[key, own]];
    }),
  );
}

/** @returns Keys of the items that were not stored before. */
async function insertItems(query: Query, entries: readonly FeedbackEntry[]): Promise<Set<string>> {
  const rows = entries.map((item) => [
    ...[item.key, item.card, item.client, item.tenant ?? null, item.service, item.outcome, item.outcomeTimestamp],
    ...[item.receivedAt, JSON.stringify(item.acceptedSuggestions)],
    ...[item.reason?.system ?? null, item.reason?.code ?? null],
  ]);
  const inserted = await query(
    `INSERT INTO feedback (key, card, client, tenant, service, outcome, outcome_time, received_at, suggestions,
       reason_system, reason_code)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
       $8::text[], $9::text[], $10::text[], $11::text[]) ON CONFLICT (key) DO NOTHING RETURNING key`,
    Array.from({ length: feedbackColumns }, (_, column) => rows.map((row) => row[column])),
  );
  return new Set(inserted.map(({ key }) => String(key)));
}

const feedbackColumns = 11;

/** @returns Keys of the items whose comment was not stored before. */
async function setComments(query: Query, entries: readonly FeedbackEntry[]): Promise<string[]> {
  const commented = entries.filter(({ comment }) => comment !== undefined);
  if (commented.length === 0) return [];
  const rows = await query(
    `WITH written AS (
       INSERT INTO feedback_comment AS n (feedback, comment)
       SELECT f.id, c.comment FROM unnest($1::text[], $2::text[]) AS c (key, comment) JOIN feedback f ON f.key = c.key
       ON CONFLICT (feedback) DO UPDATE SET comment = excluded.comment WHERE n.comment <> excluded.comment
       RETURNING n.feedback
     ) SELECT f.key FROM written w JOIN feedback f ON f.id = w.feedback`,
    [commented.map(({ key }) => key), commented.map(({ comment }) => comment)],
  );
  return rows.map(({ key }) => String(key));
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
