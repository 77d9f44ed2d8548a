import type { FeedbackEntry } from './feedback.ts';
import { type Database, lockCounts, type Query } from './postgres-database.ts';
import type { Row } from './read-row.ts';
import { type CountQuery, latencyBounds, type PeriodCount } from './store.ts';
import { dayOf } from './verification.ts';

/** Links counted in one transaction. */
const rollUpChunk = 2000;

const addCounts = 'INSERT INTO daily_count AS d (day, client, knowledge, kind, name, count)';
const onTop = 'ON CONFLICT (day, client, knowledge, kind, name) DO UPDATE SET count = d.count + excluded.count';
const ofDay = 'left(e.time, 10), e.client, e.knowledge';
const inChunk = 'e.seq > $1 AND e.seq <= $2';
/** Of a table that is joined, too: the server does not conclude it, and may begin with all that table holds. */
const alsoInChunk = (alias: string): string => `${inChunk} AND ${alias}.seq > $1 AND ${alias}.seq <= $2`;
const latencyClass = `CASE ${latencyBounds.map((bound) => `WHEN e.milliseconds <= ${bound} THEN '${bound}'`).join(' ')} ELSE 'more' END`;

const countChunk: readonly string[] = [
  `${addCounts} SELECT ${ofDay}, 'evaluation', e.service, count(*) FROM evaluation e
     WHERE ${inChunk} GROUP BY 1, 2, 3, 5 ${onTop}`,
  `${addCounts} SELECT ${ofDay}, 'latency', ${latencyClass}, count(*) FROM evaluation e
     WHERE ${inChunk} GROUP BY 1, 2, 3, 5 ${onTop}`,
  `${addCounts} SELECT ${ofDay}, o.outcome, o.id, count(*) FROM evaluation e
     JOIN decision o ON o.month = e.month AND o.seq = e.seq WHERE ${alsoInChunk('o')} GROUP BY 1, 2, 3, 4, 5 ${onTop}`,
  `${addCounts} SELECT ${ofDay}, k.state, k.key, count(*) FROM evaluation e
     JOIN unknown_key k ON k.month = e.month AND k.seq = e.seq WHERE ${alsoInChunk('k')} GROUP BY 1, 2, 3, 4, 5 ${onTop}`,
  `${addCounts} SELECT ${ofDay}, 'shown', b.value, count(*) FROM evaluation e
     JOIN card c ON c.month = e.month AND c.seq = e.seq CROSS JOIN jsonb_array_elements_text(c.decisions) b
     WHERE ${alsoInChunk('c')} GROUP BY 1, 2, 3, 5 ${onTop}`,
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

/**
 * Notes the last thing reported of each card, and moves their counts: each card counts once. Needs {@link lockCounts},
 * and cards read under it.
 */
export async function takeResponses(
  query: Query,
  reports: readonly { card: Row; item: FeedbackEntry }[],
): Promise<void> {
  const counts = new Map<string, number>();
  const responses = new Map<string, { card: Row; outcome: string | null; reason: string | null }>();
  for (const { card, item } of reports) {
    const uuid = String(card.uuid);
    const before = responses.get(uuid) ?? {
      outcome: card.response as string | null,
      reason: card.reason as string | null,
    };
    const after = { outcome: item.outcome, reason: item.outcome === 'overridden' ? (item.reason?.code ?? null) : null };
    for (const [{ outcome, reason }, by] of [[before, -1] as const, [after, 1] as const]) {
      const names = outcome === null ? [] : (card.decisions as string[]).map((id) => [outcome, id]);
      if (reason !== null) names.push(['reason', reason]);
      for (const [kind, name] of names) {
        const counted = JSON.stringify([dayOf(String(card.time)), card.client, card.knowledge, kind, name]);
        counts.set(counted, (counts.get(counted) ?? 0) + by);
      }
    }
    responses.set(uuid, { card, ...after });
  }
  await addToCounts(query, counts);
  await query(
    `UPDATE card SET response = r.response, reason = r.reason
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS r (uuid, month, response, reason)
     WHERE card.uuid = r.uuid AND card.month = r.month`,
    [
      [...responses.keys()],
      [...responses.values()].map(({ card }) => card.month),
      [...responses.values()].map(({ outcome }) => outcome),
      [...responses.values()].map(({ reason }) => reason),
    ],
  );
}

/** @param counts What to add, by `[day, client, knowledge, kind, name]` as JSON. */
async function addToCounts(query: Query, counts: ReadonlyMap<string, number>): Promise<void> {
  const keys = [...counts.keys()].map((key) => JSON.parse(key) as string[]);
  const columns = [0, 1, 2, 3, 4].map((column) => keys.map((key) => key[column]));
  await query(
    `${addCounts} SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) ${onTop}`,
    [...columns, [...counts.values()]],
  );
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
