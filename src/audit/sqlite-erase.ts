import type { DatabaseSync } from 'node:sqlite';
import { prepareOnce } from './sqlite-database.ts';
import type { Erasure } from './store.ts';

/** Records erased, or pages given back, in one transaction: writers wait for it. */
const recordsAtOnce = 100;
const pagesAtOnce = 256;
/** Milliseconds for which writers wait until nobody reads the write-ahead log. */
const logWait = 100;

/** Condition on what an erasure takes; the plus keeps SQLite from going by time and sorting all of it for each part. */
const conditionOf = (of: Erasure): { sql: string; value: string } =>
  'patientKey' in of ? { sql: 'patient_key = ?', value: of.patientKey } : { sql: '+time < ?', value: of.before };

/** How many records of a file an erasure would take. */
export function countErasable(db: DatabaseSync, of: Erasure): number {
  const { sql, value } = conditionOf(of);
  const count = `SELECT count(*) AS count FROM evaluation WHERE ${sql} AND erased_at IS NULL`;
  return Number(prepareOnce(db, count).get(value)?.count);
}

const eraseSteps: readonly string[] = [
  'DELETE FROM payload WHERE seq = ?',
  'DELETE FROM decision WHERE seq = ?',
  'DELETE FROM unknown_key WHERE seq = ?',
  `DELETE FROM feedback_comment
   WHERE feedback IN (SELECT feedback.id FROM feedback JOIN card ON card.uuid = feedback.card WHERE card.seq = ?)`,
  'DELETE FROM feedback WHERE card IN (SELECT uuid FROM card WHERE seq = ?)',
  // Its uuid stays: feedback that comes later is known to be of something erased.
  "UPDATE card SET topic = '', indicator = '', decisions = '[]', response = NULL, reason = NULL WHERE seq = ?",
  `UPDATE evaluation SET patient_key = NULL, hook_instance = NULL,
     erased_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE seq = ?`,
];

/**
 * Erases the next records of a file, in the transaction it is called in. What is not counted yet is left.
 *
 * @param after Place in the chain of the last one erased before.
 * @returns The places of those erased: none, and there are no more.
 */
export function eraseRecords(db: DatabaseSync, of: Erasure, after: number): number[] {
  const { sql, value } = conditionOf(of);
  const find = `SELECT seq FROM evaluation WHERE seq > ? AND ${sql} AND erased_at IS NULL
    AND seq <= (SELECT seq FROM rolled_up) ORDER BY seq LIMIT ${recordsAtOnce}`;
  const seqs = prepareOnce(db, find)
    .all(after, value)
    .map(({ seq }) => Number(seq));
  for (const step of eraseSteps) for (const seq of seqs) prepareOnce(db, step).run(seq);
  return seqs;
}

/**
 * Erases the next feedback from before a time that is on no card of a record.
 *
 * @returns Whether there was any.
 */
export function eraseStrayFeedback(db: DatabaseSync, before: string): boolean {
  const find = `SELECT id FROM feedback WHERE received_at < ?
    AND NOT EXISTS (SELECT 1 FROM card WHERE uuid = feedback.card) LIMIT ${recordsAtOnce}`;
  const ids = prepareOnce(db, find).all(before);
  for (const { id } of ids) {
    prepareOnce(db, 'DELETE FROM feedback_comment WHERE feedback = ?').run(id as number);
    prepareOnce(db, 'DELETE FROM feedback WHERE id = ?').run(id as number);
  }
  return ids.length > 0;
}

/**
 * Takes the next free pages out of a file.
 *
 * @returns Whether there may be more.
 */
export function shrink(db: DatabaseSync): boolean {
  const free = countFree(db);
  if (free > 0) db.exec(`PRAGMA incremental_vacuum(${pagesAtOnce})`);
  // Of files made by the first versions of this program, none can be taken out.
  return countFree(db) < free;
}

const countFree = (db: DatabaseSync): number => Number(db.prepare('PRAGMA freelist_count').get()?.freelist_count);

/**
 * Moves the write-ahead log into the file and cuts it: until then it may hold what was erased.
 *
 * @param lockWait What the connection waits for a lock otherwise, in milliseconds.
 * @returns Whether it could be: not while somebody reads it.
 */
export function emptyLog(db: DatabaseSync, lockWait: number): boolean {
  // Most of it while nobody has to wait.
  db.exec('PRAGMA wal_checkpoint(PASSIVE)');
  db.exec(`PRAGMA busy_timeout = ${logWait}`);
  try {
    return db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy === 0;
  } finally {
    db.exec(`PRAGMA busy_timeout = ${lockWait}`);
  }
}
