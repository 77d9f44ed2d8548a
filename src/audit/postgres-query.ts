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

/** After every ISO time. */
const endOfTime = '~';

/** A condition on a row of `evaluation` as `e`; `?` stands for its values in turn. */
interface Condition {
  sql: string;
  values: readonly unknown[];
}

/** The newest evaluations that meet every condition, newest first. */
export async function listEvaluations(query: Query, wanted: EvaluationQuery): Promise<EvaluationSummary[]> {
  const { before, limit } = wanted;
  const page = before === undefined ? [] : [{ sql: 'e.seq < ?', values: [before] }];
  const rows = await select(query, wanted, { columns: 'e.*', join: '', page, order: 'DESC', limit });
  return rows.map(readSummary);
}

/** Evaluations with their content and feedback that meet every condition, oldest first. */
export async function findEvaluations(query: Query, wanted: ScanQuery): Promise<SealedEvaluation[]> {
  const { after, limit } = wanted;
  const rows = await select(query, wanted, {
    columns: 'e.*, p.content',
    join: 'LEFT JOIN payload p ON p.month = e.month AND p.seq = e.seq',
    page: after === undefined ? [] : [{ sql: 'e.seq > ?', values: [after] }],
    order: 'ASC',
    limit,
  });
  const feedback = await findFeedback(query, rows);
  return rows.map((row) => readSealed(row, feedback.get(String(row.seq)) ?? []));
}

interface Selection {
  columns: string;
  join: string;
  page: readonly Condition[];
  order: 'ASC' | 'DESC';
  limit: number;
}

async function select(query: Query, wanted: EvaluationConditions, selection: Selection): Promise<Row[]> {
  const { columns, join, page, order, limit } = selection;
  const range = await findRange(query, wanted);
  if (range === undefined) return [];
  const conditions = [...range, ...page, ...listConditions(wanted)];
  let place = 0;
  const where = conditions.map(({ sql }) => sql).join(' AND ') || 'TRUE';
  const sql = `SELECT ${columns} FROM evaluation e ${join} WHERE ${where} ORDER BY e.seq ${order} LIMIT ?`;
  return query(
    sql.replaceAll('?', () => {
      place += 1;
      return `$${place}`;
    }),
    [...conditions.flatMap(({ values }) => values), limit],
  );
}

/**
 * The part of the chain that holds these times, found first so that no page tries the rest: a month before that of
 * `from` holds none of them; from the month of `to` on, those that came late.
 *
 * `+ 0` keeps the server from walking each month in the order of the chain until it has found one: in a month that has
 * none it would read all of it, where the index by time tells at once.
 */
async function findRange(query: Query, { from, to }: EvaluationConditions): Promise<Condition[] | undefined> {
  if (from === undefined && to === undefined) return [];
  const times = [from ?? '', to ?? endOfTime];
  const [row] = await query(
    `SELECT (SELECT min(seq) FROM evaluation WHERE month >= left($1, 7) AND time >= $1) AS low,
       coalesce((SELECT max(seq + 0) FROM evaluation WHERE month >= left($2, 7) AND time < $2),
         (SELECT max(seq) FROM evaluation WHERE month < left($2, 7))) AS high`,
    times,
  );
  if (row === undefined || row.low === null || row.high === null) return undefined;
  return [
    { sql: 'e.seq BETWEEN ? AND ?', values: [row.low, row.high] },
    { sql: 'e.time >= ? AND e.time < ?', values: times },
  ];
}

const ofEvaluation = (alias: string): string => `${alias}.month = e.month AND ${alias}.seq = e.seq`;

function listConditions(wanted: EvaluationConditions): Condition[] {
  const { hookInstance, patientKey, client, hook, services, decision, topic, reason, unknownKey } = wanted;
  const given: (Condition | undefined)[] = [
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
  const rows = await query(
    `SELECT f.*, c.seq FROM card c JOIN evaluation e ON ${ofEvaluation('c')}
     JOIN feedback f ON f.card = c.uuid AND f.client = e.client AND f.tenant IS NOT DISTINCT FROM e.tenant
     WHERE e.seq = ANY($1::bigint[]) AND e.month = ANY($2::text[]) ORDER BY f.id`,
    [evaluations.map(({ seq }) => seq), [...new Set(evaluations.map(({ month }) => month))]],
  );
  const found = new Map<string, StoredFeedback[]>();
  for (const row of rows) found.set(String(row.seq), [...(found.get(String(row.seq)) ?? []), readFeedback(row)]);
  return found;
}

/** Links with all the store says of them, in the order of the chain. */
export async function readLinks(query: Query, after: number, limit: number): Promise<StoredLink[]> {
  const rows = await query(
    `SELECT e.*, p.content FROM evaluation e LEFT JOIN payload p ON ${ofEvaluation('p')}
     WHERE e.seq > $1 ORDER BY e.seq LIMIT $2`,
    [after, limit],
  );
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
