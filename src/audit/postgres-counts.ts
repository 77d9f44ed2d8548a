import type { FeedbackEntry } from './feedback.ts';
import { type Database, lockCounts, type Query } from './postgres-database.ts';
import type { Row } from './read-row.ts';
import { type CountKind, type CountQuery, latencyBounds, type PeriodCount } from './store.ts';
import { dayOf } from './verification.ts';

/** Links counted in one transaction. */
const rollUpChunk = 2000;

const addCounts = 'INSERT INTO daily_count AS d (day, client, knowledge, kind, name, count)';
const onTop = 'ON CONFLICT (day, client, knowledge, kind, name) DO UPDATE SET count = d.count + excluded.count';
const ofDay = 'left(e.time, 10), e.client, e.knowledge';
const inChunk = 'e.seq > $1 AND e.seq <= $2';
const latencyClass = `CASE ${latencyBounds.map((bound) => `WHEN e.milliseconds <= ${bound} THEN '${bound}'`).join(' ')} ELSE 'more' END`;

const countChunk: readonly string[] = [
  `${addCounts} SELECT ${ofDay}, 'evaluation', e.service, count(*) FROM evaluation e
     WHERE ${inChunk} GROUP BY 1, 2, 3, 5 ${onTop}`,
  `${addCounts} SELECT ${ofDay}, 'latency', ${latencyClass}, count(*) FROM evaluation e
     WHERE ${inChunk} GROUP BY 1, 2, 3, 5 ${onTop}`,
  `${addCounts} SELECT ${ofDay}, o.outcome, o.id, count(*) FROM evaluation e
     JOIN decision o ON o.month = e.month AND o.seq = e.seq WHERE ${inChunk} GROUP BY 1, 2, 3, 4, 5 ${onTop}`,
  `${addCounts} SELECT ${ofDay}, k.state, k.key, count(*) FROM evaluation e
     JOIN unknown_key k ON k.month = e.month AND k.seq = e.seq WHERE ${inChunk} GROUP BY 1, 2, 3, 4, 5 ${onTop}`,
  `${addCounts} SELECT ${ofDay}, 'shown', b.value, count(*) FROM evaluation e
     JOIN card c ON c.month = e.month AND c.seq = e.seq CROSS JOIN jsonb_array_elements_text(c.decisions) b
     WHERE ${inChunk} GROUP BY 1, 2, 3, 5 ${onTop}`,
];

/** Counts what is not counted yet of the chain up to now, a part at a time. */
export async function rollUp(db: Database): Promise<void> {
  const [head] = await db.query('SELECT h.seq AS head, r.seq AS counted FROM chain_head h CROSS JOIN rolled_up r');
  for (let counted = Number(head?.counted); counted < Number(head?.head); ) {
    counted = await db.transact((query) => countPart(query, Number(head?.head)));
  }
}

/** Counts the next part of the chain: what is counted and how far are written together. */
async function countPart(query: Query, head: number): Promise<number> {
  await lockCounts(query);
  const [row] = await query('SELECT seq FROM rolled_up');
  const counted = Number(row?.seq);
  const upTo = Math.min(head, counted + rollUpChunk);
  if (upTo <= counted) return counted;
  for (const sql of countChunk) await query(sql, [counted, upTo]);
  await query('UPDATE rolled_up SET seq = $1', [upTo]);
  return upTo;
}

/** Notes the last thing reported of a card, and moves its counts: each card counts once. Needs {@link lockCounts}. */
export async function takeResponse(query: Query, card: Row, item: FeedbackEntry): Promise<void> {
  const day = dayOf(String(card.time));
  const count = (kind: CountKind, name: string, by: number) =>
    query(`${addCounts} VALUES ($1, $2, $3, $4, $5, $6) ${onTop}`, [day, card.client, card.knowledge, kind, name, by]);
  const reason = item.outcome === 'overridden' ? (item.reason?.code ?? null) : null;
  // Of several reports on one card in one transaction, each has to see the one before: the row is read again.
  const [before] = await query('SELECT response, reason FROM card WHERE uuid = $1 AND month = $2', [
    card.uuid,
    card.month,
  ]);
  const decisions = card.decisions as string[];
  if (before?.response !== null) for (const id of decisions) await count(before?.response as CountKind, id, -1);
  if (before?.reason !== null) await count('reason', String(before?.reason), -1);
  for (const id of decisions) await count(item.outcome, id, 1);
  if (reason !== null) await count('reason', reason, 1);
  await query('UPDATE card SET response = $1, reason = $2 WHERE uuid = $3 AND month = $4', [
    ...[item.outcome, reason, card.uuid, card.month],
  ]);
}

const periods: Readonly<Record<CountQuery['per'], string>> = {
  day: 'day',
  week: "to_char(date_trunc('week', day::date::timestamp), 'YYYY-MM-DD') COLLATE \"C\"",
  month: "left(day, 7) || '-01'",
};

/** Counts summed over clients, by period, knowledge version, kind and name. */
export async function countPeriods(query: Query, { from, to, per, client }: CountQuery): Promise<PeriodCount[]> {
  const rows = await query(
    `SELECT ${periods[per]} AS period, knowledge, kind, name, sum(count) AS count FROM daily_count
     WHERE day >= $1 AND day < $2${client === undefined ? '' : ' AND client = $3'}
     GROUP BY 1, 2, 3, 4 HAVING sum(count) > 0 ORDER BY 1, 2, 3, 4`,
    [from, to, ...(client === undefined ? [] : [client])],
  );
  return rows.map((row) => ({ ...row, count: Number(row.count) }) as PeriodCount);
}
