import { rollUp } from './postgres-counts.ts';
import { type Database, lockCounts, type Query } from './postgres-database.ts';
import type { Erasure } from './store.ts';

/** Records erased in one transaction. */
const recordsAtOnce = 200;

const conditionOf = (of: Erasure): { sql: string; value: string } =>
  'patientKey' in of ? { sql: 'patient_key = $1', value: of.patientKey } : { sql: 'time < $1', value: of.before };

interface Erasable {
  count: number;
  /** Places in the chain; 0 where there are none. */
  first: number;
  last: number;
}

/** What an erasure would take: all of the chain may have to be read for it. */
export async function findErasable(db: Database, of: Erasure): Promise<Erasable> {
  const { sql, value } = conditionOf(of);
  const [row] = await db.runLong(
    `SELECT count(*) AS count, coalesce(min(seq), 0) AS first, coalesce(max(seq), 0) AS last
     FROM evaluation WHERE ${sql} AND erased_at IS NULL`,
    [value],
  );
  return { count: Number(row?.count), first: Number(row?.first), last: Number(row?.last) };
}

/** Erases a part at a time. */
export async function erase(db: Database, of: Erasure): Promise<number> {
  // What is erased stays counted: a count names nobody.
  await rollUp(db);
  const { first, last } = await findErasable(db, of);
  let erased = 0;
  for (let after = first - 1; after < last; ) {
    const seqs = await db.transact((query) => eraseRecords(query, of, after, last));
    erased += seqs.length;
    after = seqs.at(-1) ?? last;
  }
  if ('before' in of) while (await db.transact((query) => eraseStrayFeedback(query, of.before)));
  return erased;
}

async function eraseRecords(query: Query, of: Erasure, after: number, last: number): Promise<number[]> {
  const { sql, value } = conditionOf(of);
  // Neither counted nor answered meanwhile.
  await lockCounts(query);
  const rows = await query(
    `SELECT seq FROM evaluation WHERE ${sql} AND seq > $2 AND seq <= $3 AND erased_at IS NULL
       AND seq <= (SELECT seq FROM rolled_up) ORDER BY seq LIMIT ${recordsAtOnce}`,
    [value, after, last],
  );
  const seqs = rows.map(({ seq }) => Number(seq));
  const ofCards = 'SELECT uuid FROM card WHERE seq = ANY($1::bigint[])';
  for (const step of [
    'DELETE FROM payload WHERE seq = ANY($1::bigint[])',
    'DELETE FROM decision WHERE seq = ANY($1::bigint[])',
    'DELETE FROM unknown_key WHERE seq = ANY($1::bigint[])',
    `DELETE FROM feedback_comment WHERE feedback IN (SELECT id FROM feedback WHERE card IN (${ofCards}))`,
    `DELETE FROM feedback WHERE card IN (${ofCards})`,
    // Its uuid stays: feedback that comes later is known to be of something erased.
    `UPDATE card SET topic = '', indicator = '', decisions = '[]', response = NULL, reason = NULL
     WHERE seq = ANY($1::bigint[])`,
    `UPDATE evaluation SET patient_key = NULL, hook_instance = NULL,
       erased_at = to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
     WHERE seq = ANY($1::bigint[])`,
  ]) {
    await query(step, [seqs]);
  }
  return seqs;
}

/** Erases feedback from before a time that is on no card of a record. */
async function eraseStrayFeedback(query: Query, before: string): Promise<boolean> {
  await lockCounts(query);
  const rows = await query(
    `SELECT id FROM feedback f WHERE received_at < $1 AND NOT EXISTS (SELECT 1 FROM card c WHERE c.uuid = f.card)
     LIMIT ${recordsAtOnce}`,
    [before],
  );
  const ids = [rows.map(({ id }) => id)];
  await query('DELETE FROM feedback_comment WHERE feedback = ANY($1::bigint[])', ids);
  await query('DELETE FROM feedback WHERE id = ANY($1::bigint[])', ids);
  return rows.length > 0;
}

/** Takes what was erased out of the files of the database; those of a month that was erased whole become empty. */
export async function reclaim(db: Database): Promise<void> {
  await db.runLong('VACUUM payload, decision, unknown_key, feedback, feedback_comment, card, evaluation');
}
