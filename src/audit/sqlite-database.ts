import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { indexRecord, unsealRecord } from './record.ts';

/** "DPKF": marks the file as ours, so that no other program's database is ever written to. */
const applicationId = 0x44504b46;

/**
 * Pages of the write-ahead log, 32 MB, from which on a commit moves them into the file itself: where nobody did it
 * meanwhile.
 */
const checkpointPages = 8192;

/**
 * Forward only: a released step is never edited; a change of shape is a new step at the end.
 *
 * `evaluation` is the chain and its index; `payload` holds what erasure takes away.
 */
const migrations: readonly (string | ((db: DatabaseSync) => void))[] = [
  `CREATE TABLE evaluation (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    time TEXT NOT NULL,
    client TEXT NOT NULL,
    tenant TEXT,
    hook TEXT NOT NULL,
    service TEXT NOT NULL,
    hook_instance TEXT,
    patient_key TEXT,
    knowledge TEXT NOT NULL,
    cards INTEGER NOT NULL,
    digest TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    erased_at TEXT
  ) STRICT;
  CREATE INDEX evaluation_time ON evaluation (time);
  CREATE INDEX evaluation_hook_instance ON evaluation (hook_instance);
  CREATE INDEX evaluation_patient ON evaluation (patient_key);
  CREATE TABLE payload (seq INTEGER PRIMARY KEY REFERENCES evaluation, content BLOB NOT NULL) STRICT;
  CREATE TABLE decision (
    seq INTEGER NOT NULL REFERENCES evaluation,
    id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (seq, id, outcome)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX decision_outcome ON decision (id, outcome, seq);
  CREATE TABLE card (
    uuid TEXT PRIMARY KEY,
    seq INTEGER NOT NULL REFERENCES evaluation,
    topic TEXT NOT NULL,
    indicator TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX card_evaluation ON card (seq);
  CREATE TABLE feedback (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    card TEXT NOT NULL,
    client TEXT NOT NULL,
    tenant TEXT,
    service TEXT NOT NULL,
    outcome TEXT NOT NULL,
    outcome_time TEXT NOT NULL,
    received_at TEXT NOT NULL,
    suggestions TEXT NOT NULL,
    reason_system TEXT,
    reason_code TEXT
  ) STRICT;
  CREATE INDEX feedback_card ON feedback (card);
  CREATE TABLE feedback_comment (feedback INTEGER PRIMARY KEY REFERENCES feedback, comment TEXT NOT NULL) STRICT;`,
  // `daily_count` is what `rollUp` has counted of the chain up to `rolled_up.seq`, and of feedback as it came.
  `ALTER TABLE evaluation ADD COLUMN milliseconds REAL NOT NULL DEFAULT 0;
  ALTER TABLE card ADD COLUMN decisions TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE card ADD COLUMN response TEXT;
  ALTER TABLE card ADD COLUMN reason TEXT;
  CREATE INDEX evaluation_client ON evaluation (client, hook);
  CREATE INDEX evaluation_hook ON evaluation (hook);
  CREATE INDEX card_topic ON card (topic, seq);
  CREATE INDEX card_reason ON card (reason, seq) WHERE reason IS NOT NULL;
  CREATE INDEX decision_error ON decision (seq) WHERE outcome = 'error';
  CREATE TABLE unknown_key (
    seq INTEGER NOT NULL REFERENCES evaluation,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (seq, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX unknown_key_state ON unknown_key (key, state, seq);
  CREATE TABLE daily_count (
    day TEXT NOT NULL,
    client TEXT NOT NULL,
    knowledge TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (day, client, knowledge, kind, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE rolled_up (seq INTEGER NOT NULL) STRICT;
  INSERT INTO rolled_up VALUES (0);
  CREATE TABLE view (
    seq INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    who TEXT NOT NULL,
    role TEXT NOT NULL,
    page TEXT NOT NULL,
    evaluation TEXT
  ) STRICT;`,
  indexOlderRecords,
  // `chain_start` is the last link, and the last view, before this file; a file with `chain_end` takes no more of either.
  `CREATE TABLE chain_start (seq INTEGER NOT NULL, hash TEXT NOT NULL, time TEXT NOT NULL, view INTEGER NOT NULL) STRICT;
  CREATE TABLE chain_end (ended_at TEXT NOT NULL) STRICT;
  CREATE TABLE anchor (day TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
  INSERT INTO anchor (day, seq, hash)
    SELECT substr(latest, 1, 10), before, hash_before FROM
      (SELECT time, lag(seq) OVER links AS before, lag(hash) OVER links AS hash_before,
        max(time) OVER (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS latest
        FROM evaluation WINDOW links AS (ORDER BY seq))
    WHERE substr(time, 1, 10) > substr(latest, 1, 10);`,
  // One row that `check` writes anew: whether a record could be.
  'CREATE TABLE write_probe (one INTEGER PRIMARY KEY CHECK (one = 1), content BLOB NOT NULL) STRICT;',
];

/** Writes what the index has said of a record since the step before. */
function indexOlderRecords(db: DatabaseSync): void {
  const setMilliseconds = db.prepare('UPDATE evaluation SET milliseconds = ? WHERE seq = ?');
  const setDecisions = db.prepare('UPDATE card SET decisions = ? WHERE uuid = ?');
  const insertKey = db.prepare('INSERT INTO unknown_key (seq, key, state) VALUES (?, ?, ?)');
  for (const { seq, content } of db.prepare('SELECT seq, content FROM payload').iterate()) {
    const index = indexRecord(JSON.parse(unsealRecord(content as Uint8Array)));
    setMilliseconds.run(index.milliseconds, seq as number);
    for (const card of index.cards) setDecisions.run(JSON.stringify(card.decisions), card.uuid);
    for (const { key, state } of index.unknownKeys) insertKey.run(seq as number, key, state);
  }
}

export interface OpenDatabase {
  db: DatabaseSync;
  /** Which file it is, to notice when another one has taken its place. */
  identity: string;
}

/**
 * Opens a file of the store, making or migrating it as needed.
 *
 * A file of another program, of a newer version of this one or none SQLite can read is refused and left as it is.
 *
 * @param lockWait Milliseconds to wait while another process writes.
 */
export function openDatabase(file: string, lockWait: number): OpenDatabase {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // SQLite would make it readable to all; its -wal and -shm files take their permissions from it.
  closeSync(openSync(file, 'a', 0o600));
  const db = new DatabaseSync(file, { timeout: lockWait });
  try {
    refuseForeign(db);
    // Has to be said before anything is in the file: what is erased can then be cut off it, a part at a time.
    if (readVersion(db) === 0) db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('PRAGMA synchronous = FULL');
    db.exec('PRAGMA secure_delete = ON');
    db.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}`);
    migrate(db);
    return { db, identity: identifyFile(file) ?? '' };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** The same for the same file alone; undefined where there is none. */
export function identifyFile(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}`;
}

function refuseForeign(db: DatabaseSync): void {
  // In one statement: another process may be making the file.
  const sql = 'SELECT (SELECT count(*) FROM sqlite_schema) AS objects, application_id AS id FROM pragma_application_id';
  const { id, objects } = db.prepare(sql).get() ?? {};
  if (id !== applicationId && !(id === 0 && objects === 0)) {
    throw new Error('The file is a database of another program. Give the store a folder of its own.');
  }
}

function migrate(db: DatabaseSync): void {
  // Without this look a reader would wait for whoever writes.
  if (readVersion(db) === migrations.length) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have made or migrated the file since.
    refuseForeign(db);
    const version = readVersion(db);
    if (version > migrations.length) {
      throw new Error(
        `The file has schema version ${version}; this program knows up to ${migrations.length}. Start the newer program.`,
      );
    }
    db.exec(`PRAGMA application_id = ${applicationId}`);
    db.exec('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL) STRICT');
    const note = db.prepare("INSERT INTO schema_version VALUES (?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))");
    for (const [step, sql] of migrations.entries()) {
      if (step < version) continue;
      if (typeof sql === 'string') db.exec(sql);
      else sql(db);
      note.run(step + 1);
    }
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** Steps applied so far; 0 for a file that is still empty. */
function readVersion(db: DatabaseSync): number {
  const table = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'").get();
  if (table === undefined) return 0;
  return Number(db.prepare('SELECT max(version) AS version FROM schema_version').get()?.version);
}

const prepared = new WeakMap<DatabaseSync, Map<string, StatementSync>>();

/** A statement that is prepared once per connection: preparing costs as much as a small insert. */
export function prepareOnce(db: DatabaseSync, sql: string): StatementSync {
  const known = prepared.get(db) ?? new Map<string, StatementSync>();
  prepared.set(db, known);
  const statement = known.get(sql) ?? db.prepare(sql);
  known.set(sql, statement);
  return statement;
}
