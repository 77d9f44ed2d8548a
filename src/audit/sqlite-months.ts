import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { chainStart } from './record.ts';
import { identifyFile, type OpenDatabase, openDatabase, prepareOnce } from './sqlite-database.ts';
import { laterOf } from './verification.ts';

/** Where the chain, and the list of views, stands. */
export interface Head {
  seq: number;
  hash: string;
  /** The latest of the chain. */
  time: string;
  view: number;
}

/** The files of a store, one per month, as one thread has them open. */
export interface Months {
  /** Those there are, oldest first. */
  list(): string[];
  /** Runs over the file of a month. A failure of the file closes it, so that the next call opens it anew. */
  use<Result>(month: string, run: (db: DatabaseSync) => Result): Result;
  /** Runs in one transaction: writes take the lock at once (IMMEDIATE), reads see one moment (DEFERRED). */
  transact<Result>(month: string, kind: 'IMMEDIATE' | 'DEFERRED', run: (db: DatabaseSync) => Result): Result;
  /**
   * Runs in one transaction over the newest file, which is the one of this month or, where a clock was ahead, of a
   * later one. Begins the file where there is none yet, and ends the one before it: the chain goes on from there.
   */
  transactNewest<Result>(month: string, run: (db: DatabaseSync, head: Head) => Result): Result;
  close(): void;
}

/** SQLITE_CONSTRAINT: the entry is at fault, not the file. */
const constraintCode = 19;
const fileName = /^(\d{4}-\d{2})\.sqlite$/;

/** @param lockWait Milliseconds to wait while another process writes. */
export function openMonths(folder: string, lockWait: number): Months {
  const opened = new Map<string, OpenDatabase>();

  const fileOf = (month: string) => join(folder, `${month}.sqlite`);

  function list(): string[] {
    return readFolder(folder)
      .flatMap((name) => fileName.exec(name)?.[1] ?? [])
      .sort();
  }

  function use<Result>(month: string, run: (db: DatabaseSync) => Result): Result {
    const file = fileOf(month);
    // Removed or replaced under our feet: writing on would lose records the moment we stop.
    const known = opened.get(month);
    if (known !== undefined && identifyFile(file) !== known.identity) closeMonth(month);
    const using = opened.get(month) ?? openDatabase(file, lockWait);
    opened.set(month, using);
    try {
      return run(using.db);
    } catch (error) {
      if (!isConstraint(error)) closeMonth(month);
      throw error;
    }
  }

  function transact<Result>(month: string, kind: 'IMMEDIATE' | 'DEFERRED', run: (db: DatabaseSync) => Result): Result {
    return use(month, (db) => {
      db.exec(`BEGIN ${kind}`);
      try {
        const result = run(db);
        db.exec('COMMIT');
        return result;
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
    });
  }

  function transactNewest<Result>(month: string, run: (db: DatabaseSync, head: Head) => Result): Result {
    let newest = [month, ...(opened.has(month) ? opened.keys() : list())].reduce((a, b) => (a > b ? a : b));
    for (;;) {
      const done = transact(newest, 'IMMEDIATE', (db) => {
        if (prepareOnce(db, 'SELECT 1 FROM chain_end').get() !== undefined) return undefined;
        return { result: run(db, readHead(db) ?? beginChain(db, newest)) };
      });
      if (done !== undefined) return done.result;
      // Another process has gone on to a newer file; where that one is gone, a file that was ended stays ended.
      newest = list().findLast((each) => each > newest) ?? followMonth(newest);
    }
  }

  function beginChain(db: DatabaseSync, month: string): Head {
    const before = list().findLast((each) => each < month);
    const head = before === undefined ? { seq: 0, hash: chainStart, time: '', view: 0 } : endChain(before);
    const { seq, hash, time, view } = head;
    db.prepare('INSERT INTO chain_start (seq, hash, time, view) VALUES (?, ?, ?, ?)').run(seq, hash, time, view);
    db.prepare('UPDATE rolled_up SET seq = max(seq, ?)').run(seq);
    return readHead(db) ?? head;
  }

  function endChain(month: string): Head {
    return transact(month, 'IMMEDIATE', (db) => {
      const head = readHead(db) ?? beginChain(db, month);
      db.exec(
        `INSERT INTO chain_end SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE NOT EXISTS (SELECT 1 FROM chain_end)`,
      );
      return head;
    });
  }

  function closeMonth(month: string): void {
    const closing = opened.get(month);
    opened.delete(month);
    closing?.db.close();
  }

  return {
    list,
    use,
    transact,
    transactNewest,
    close() {
      for (const month of [...opened.keys()]) closeMonth(month);
    },
  };
}

/** @returns undefined for a file whose chain was not begun. */
export function readHead(db: DatabaseSync): Head | undefined {
  const start = prepareOnce(db, 'SELECT seq, hash, time, view FROM chain_start').get();
  if (start === undefined) return undefined;
  const last = prepareOnce(db, 'SELECT seq, hash FROM evaluation ORDER BY seq DESC LIMIT 1').get() ?? start;
  const latest = String(prepareOnce(db, 'SELECT max(time) AS time FROM evaluation').get()?.time ?? '');
  const view = prepareOnce(db, 'SELECT max(seq) AS seq FROM view').get()?.seq ?? start.view;
  return {
    seq: Number(last.seq),
    hash: String(last.hash),
    time: laterOf(String(start.time), latest),
    view: Number(view),
  };
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function followMonth(month: string): string {
  const [year, number] = month.split('-').map(Number) as [number, number];
  return number === 12 ? `${year + 1}-01` : `${year}-${String(number + 1).padStart(2, '0')}`;
}

/** Whether an entry is at fault, not the file. */
export function isConstraint(error: unknown): boolean {
  // Extended codes carry the primary one in their low byte.
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === constraintCode;
}
