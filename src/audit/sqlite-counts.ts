import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { FeedbackEntry } from './feedback.ts';
import { prepareOnce } from './sqlite-database.ts';
import { type CountKind, type CountQuery, latencyBounds, type PeriodCount } from './store.ts';

export type Row = Record<string, SQLInputValue>;

/** Links counted in one transaction. */
const rollUpChunk = 2000;

const addCounts = `INSERT INTO daily_count (day, client, knowledge, kind, name, count)`;
const onTop = 'ON CONFLICT (day, client, knowledge, kind, name) DO UPDATE SET count = count + excluded.count';
const ofDay = 'substr(e.time, 1, 10), e.client, e.knowledge';
/** Without `WHERE`, `ON CONFLICT` would be read as part of a join. */
const inChunk = 'e.seq > ? AND e.seq <= ?';
const latencyClass = `CASE ${latencyBounds.map((bound) => `WHEN e.milliseconds <= ${bound} THEN '${bound}'`).join(' ')} ELSE 'more' END`;

const countChunk: readonly string[] = [
  `${addCounts} SELECT ${ofDay}, 'evaluation', e.service, count(*) FROM evaluation e
     WHERE ${inChunk} GROUP BY 1, 2, 3, 5 ${onTop}`,
  `${addCounts} SELECT ${ofDay}, 'latency', ${latencyClass}, count(*) FROM evaluation e
     WHERE ${inChunk} GROUP BY 1, 2, 3, 5 ${onTop}`,
  `${addCounts} SELECT ${ofDay}, d.outcome, d.id, count(*) FROM evaluation e JOIN decision d ON d.seq = e.seq
     WHERE ${inChunk} GROUP BY 1, 2, 3, 4, 5 ${onTop}`,
  `${addCounts} SELECT ${ofDay}, k.state, k.key, count(*) FROM evaluation e JOIN unknown_key k ON k.seq = e.seq
     WHERE ${inChunk} GROUP BY 1, 2, 3, 4, 5 ${onTop}`,
  `${addCounts} SELECT ${ofDay}, 'shown', b.value, count(*) FROM evaluation e JOIN card c ON c.seq = e.seq
     JOIN json_each(c.decisions) b WHERE ${inChunk} GROUP BY 1, 2, 3, 5 ${onTop}`,
];

/** Whether all of a file is counted. */
export function isRolledUp(db: DatabaseSync): boolean {
  const sql = 'SELECT coalesce(max(seq), 0) <= (SELECT seq FROM rolled_up) AS counted FROM evaluation';
  return db.prepare(sql).get()?.counted === 1;
}

/**
 * Counts the next part of the chain that is not counted yet.
 *
 * Runs in a transaction of its own: what is counted and how far are written together.
 *
 * @returns Whether all of it is counted.
 */
export function rollUp(db: DatabaseSync): boolean {
  const counted = Number(db.prepare('SELECT seq FROM rolled_up').get()?.seq);
  const head = Number(db.prepare('SELECT coalesce(max(seq), 0) AS seq FROM evaluation').get()?.seq);
  const upTo = Math.min(head, counted + rollUpChunk);
  if (upTo <= counted) return true;
  for (const sql of countChunk) db.prepare(sql).run(counted, upTo);
  db.prepare('UPDATE rolled_up SET seq = ?').run(upTo);
  return upTo === head;
}

/** Notes the last thing reported of a card, and moves its counts: each card counts once. */
export function takeResponse(db: DatabaseSync, card: Row, item: FeedbackEntry): void {
  const add = prepareOnce(db, `${addCounts} VALUES (?, ?, ?, ?, ?, ?) ${onTop}`);
  const day = String(card.time).slice(0, 10);
  const count = (kind: CountKind, name: string, by: number) =>
    add.run(day, card.client as string, card.knowledge as string, kind, name, by);
  const reason = item.outcome === 'overridden' ? (item.reason?.code ?? null) : null;
  const decisions = JSON.parse(String(card.decisions)) as string[];
  if (card.response !== null) for (const id of decisions) count(card.response as CountKind, id, -1);
  if (card.reason !== null) count('reason', String(card.reason), -1);
  for (const id of decisions) count(item.outcome, id, 1);
  if (reason !== null) count('reason', reason, 1);
  const note = prepareOnce(db, 'UPDATE card SET response = ?, reason = ? WHERE uuid = ?');
  note.run(item.outcome, reason, card.uuid as string);
}

const periods: Readonly<Record<CountQuery['per'], string>> = {
  day: 'day',
  week: "date(day, 'weekday 0', '-6 days')",
  month: "substr(day, 1, 7) || '-01'",
};

/** Counts summed over clients, by period, knowledge version, kind and name. */
export function countPeriods(db: DatabaseSync, { from, to, per, client }: CountQuery): PeriodCount[] {
  return db
    .prepare(
      `SELECT ${periods[per]} AS period, knowledge, kind, name, sum(count) AS count FROM daily_count
       WHERE day >= ? AND day < ?${client === undefined ? '' : ' AND client = ?'}
       GROUP BY 1, 2, 3, 4 HAVING sum(count) > 0 ORDER BY 1, 2, 3, 4`,
    )
    .all(from, to, ...(client === undefined ? [] : [client])) as unknown as PeriodCount[];
}

/** Sums the counts of several files, in the order one file gives them. */
export function sumCounts(counts: readonly PeriodCount[]): PeriodCount[] {
  const sums = new Map<string, PeriodCount>();
  for (const each of counts) {
    const { period, knowledge, kind, name, count } = each;
    // None of them has this character in it, and none sorts before it.
    const key = `${period}\0${knowledge}\0${kind}\0${name}`;
    const known = sums.get(key);
    sums.set(key, known === undefined ? each : { ...known, count: known.count + count });
  }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sum]) => sum);
}
