import type { Query } from './postgres-database.ts';
import { type Row, readFeedback, readLink, readSealed, readSummary } from './read-row.ts';
import { cleanText } from './record.ts';
import type {
  EvaluationConditions,
  EvaluationQuery,
  EvaluationSummary,
  ScanQuery,
  SealedEvaluation,
  StoredFeedback,
} from './store.ts';
import type { StoredLink } from './verification.ts';

/** A condition on a row of `evaluation` as `e`; `?` stands for its values in turn. */
interface Condition {
  sql: string;
  values: readonly unknown[];
}

/** The newest evaluations that meet every condition, newest first. */
export async function listEvaluations(query: Query, wanted: EvaluationQuery): Promise<EvaluationSummary[]> {
  const { before, from, to, limit } = wanted;
  const range = [
    from === undefined ? undefined : await findFirst(query, from),
    to === undefined ? undefined : await findLast(query, to),
    before === undefined ? undefined : { sql: 'e.seq < ?', values: [before] },
  ].filter((condition) => condition !== undefined);
  const { sql, values } = select([...range, ...listConditions(wanted)], 'DESC', limit);
  return (await query(sql, values)).map(readSummary);
}

/** Evaluations with their content and feedback that meet every condition, oldest first. */
export async function findEvaluations(query: Query, wanted: ScanQuery): Promise<SealedEvaluation[]> {
  const { after, from, to, limit } = wanted;
  const begin = after === undefined ? undefined : { sql: 'e.seq > ?', values: [after] };
  const range = [
    begin ?? (from === undefined ? undefined : await findFirst(query, from)),
    to === undefined ? undefined : await findLastMonth(query, to),
  ].filter((condition) => condition !== undefined);
  const { sql, values } = select([...range, ...listConditions(wanted)], 'ASC', limit);
  const rows = await query(withContent(sql), values);
  const feedback = await findFeedback(query, rows);
  return rows.map((row) => readSealed(row, feedback.get(String(row.seq)) ?? []));
}

function select(conditions: readonly Condition[], order: 'ASC' | 'DESC', limit: number): Statement {
  let place = 0;
  const where = conditions.map(({ sql }) => sql).join(' AND ') || 'TRUE';
  const sql = `SELECT e.* FROM evaluation e WHERE ${where} ORDER BY e.seq ${order} LIMIT ?`;
  return {
    sql: sql.replaceAll('?', () => {
      place += 1;
      return `$${place}`;
    }),
    values: [...conditions.flatMap(({ values }) => values), limit],
  };
}

interface Statement {
  sql: string;
  values: unknown[];
}

/** Looked up for each row that was found: joined, the contents of all rows before them may be read as well. */
function withContent(sql: string): string {
  return `SELECT e.*, (SELECT p.content FROM payload p WHERE ${ofEvaluation('p')}) AS content FROM (${sql}) e ORDER BY e.seq`;
}

// Where times begin and end in the chain is found first, so that no page tries the rest. A record stands in the part of
// its own month or, come late, of a later one.

async function findFirst(query: Query, from: string): Promise<Condition> {
  const sql = 'SELECT min(seq) AS seq FROM evaluation WHERE month >= left($1, 7) AND time >= $1';
  const [row] = await query(sql, [from]);
  return { sql: 'e.seq >= ?', values: [row?.seq ?? Number.MAX_SAFE_INTEGER] };
}

/**
 * `+ 0` keeps the server from walking each month in the order of the chain until it has found one: in a month that has
 * none it would read all of it, where the index by time tells at once.
 */
async function findLast(query: Query, to: string): Promise<Condition> {
  const [row] = await query(
    `SELECT coalesce((SELECT max(seq + 0) FROM evaluation WHERE month >= left($1, 7) AND time < $1),
       (SELECT max(seq) FROM evaluation WHERE month < left($1, 7))) AS seq`,
    [to],
  );
  return { sql: 'e.seq <= ?', values: [row?.seq ?? 0] };
}

/** As {@link findLast} or later, up to the end of a month: takes no longer the more the month holds, as for every page. */
async function findLastMonth(query: Query, to: string): Promise<Condition> {
  const [row] = await query(
    `SELECT coalesce((SELECT max(seq + 0) FROM evaluation WHERE month > left($1, 7) AND time < $1),
       (SELECT max(seq) FROM evaluation WHERE month <= left($1, 7))) AS seq`,
    [to],
  );
  return { sql: 'e.seq <= ?', values: [row?.seq ?? 0] };
}

const ofEvaluation = (alias: string): string => `${alias}.month = e.month AND ${alias}.seq = e.seq`;

function listConditions(wanted: EvaluationConditions): Condition[] {
  const { hookInstance, patientKey, client, hook, services, decision, topic, reason, unknownKey, from, to } = wanted;
  const given: (Condition | undefined)[] = [
    // Joined to a text, the time does not lead: a page is read in the order of the chain, not sorted from all of a time.
    from === undefined ? undefined : { sql: "e.time || '' >= ?", values: [from] },
    to === undefined ? undefined : { sql: "e.time || '' < ?", values: [to] },
    hookInstance === undefined ? undefined : { sql: 'e.hook_instance = ?', values: [cleanText(hookInstance)] },
    patientKey === undefined ? undefined : { sql: 'e.patient_key = ?', values: [patientKey] },
    client === undefined ? undefined : { sql: 'e.client = ?', values: [client] },
    hook === undefined ? undefined : { sql: 'e.hook = ?', values: [hook] },
    services && { sql: 'e.service = ANY(?::text[])', values: [services] },
    decision && conditionOf(decision),
    topic === undefined ? undefined : existing('card x', ['topic', topic]),
    reason === undefined ? undefined : existing('card x', ['reason', reason]),
    unknownKey && existing('unknown_key x', ['key', unknownKey.key], ['state', unknownKey.state]),
  ];
  return given.filter((condition) => condition !== undefined);
}

function existing(table: string, ...columns: [name: string, value: string][]): Condition {
  const wanted = columns.map(([name]) => `x.${name} = ?`).join(' AND ');
  return {
    sql: `EXISTS (SELECT 1 FROM ${table} WHERE ${ofEvaluation('x')} AND ${wanted})`,
    values: columns.map(([, value]) => value),
  };
}

function conditionOf({ id, outcome }: NonNullable<EvaluationConditions['decision']>): Condition {
  if (outcome === 'not-met') {
    const made = existing('decision x', ['id', id ?? '']);
    return { ...made, sql: `e.erased_at IS NULL AND NOT ${made.sql}` };
  }
  return id === undefined
    ? existing('decision x', ['outcome', outcome])
    : existing('decision x', ['id', id], ['outcome', outcome]);
}

/** Feedback on the cards of evaluations, by their place in the chain. */
export async function findFeedback(query: Query, evaluations: readonly Row[]): Promise<Map<string, StoredFeedback[]>> {
  const found = new Map<string, StoredFeedback[]>();
  const bySeq = new Map(evaluations.map((row) => [String(row.seq), row]));
  const months = [...new Set(evaluations.map(({ month }) => month))];
  // One after the other: joined, the server may begin with the feedback of a whole client.
  const cards = await query('SELECT uuid, seq FROM card WHERE month = ANY($1::text[]) AND seq = ANY($2::bigint[])', [
    months,
    [...bySeq.keys()],
  ]);
  const seqs = new Map(cards.map(({ uuid, seq }) => [uuid, String(seq)]));
  if (seqs.size === 0) return found;
  const rows = await query('SELECT * FROM feedback WHERE card = ANY($1::text[]) ORDER BY id', [[...seqs.keys()]]);
  for (const row of rows) {
    const seq = seqs.get(row.card) ?? '';
    const sent = bySeq.get(seq);
    if (row.client !== sent?.client || row.tenant !== sent?.tenant) continue;
    found.set(seq, [...(found.get(seq) ?? []), readFeedback(row)]);
  }
  return found;
}

/** Links with all the store says of them, in the order of the chain. */
export async function readLinks(query: Query, after: number, limit: number): Promise<StoredLink[]> {
  const rows = await query(withContent('SELECT e.* FROM evaluation e WHERE e.seq > $1 ORDER BY e.seq LIMIT $2'), [
    after,
    limit,
  ]);
  const seqs = [rows.map(({ seq }) => seq)];
  const decisions = await query('SELECT seq, id, outcome FROM decision WHERE seq = ANY($1::bigint[])', seqs);
  const cards = await query(
    'SELECT seq, uuid, topic, indicator, decisions FROM card WHERE seq = ANY($1::bigint[])',
    seqs,
  );
  const keys = await query('SELECT seq, key, state FROM unknown_key WHERE seq = ANY($1::bigint[])', seqs);
  const [decisionsOf, cardsOf, keysOf] = [decisions, cards, keys].map(groupBySeq) as [Grouped, Grouped, Grouped];
  return rows.map((row) => {
    const seq = String(row.seq);
    return readLink(row, () => ({ decisions: decisionsOf(seq), cards: cardsOf(seq), unknownKeys: keysOf(seq) }));
  });
}

type Grouped = (seq: string) => Row[];

function groupBySeq(rows: readonly Row[]): Grouped {
  const grouped = Map.groupBy(rows, ({ seq }) => String(seq));
  return (seq) => (grouped.get(seq) ?? []).map(({ seq: _, ...rest }) => rest);
}
