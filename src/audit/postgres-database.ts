import pg from 'pg';
import type { Row } from './read-row.ts';
import { chainStart } from './record.ts';

export interface PostgresOptions {
  /** Connections of this process. */
  connections?: number;
  /** Milliseconds to wait for a connection. */
  connectWait?: number;
  /** Milliseconds one statement may take, waiting for locks included. */
  statementWait?: number;
}

export const postgresDefaults = { connections: 8, connectWait: 2000, statementWait: 3000 } satisfies PostgresOptions;

/** A statement with its values; a named one is prepared once per connection. */
export type Statement = pg.QueryConfig;

/** Runs statements on one connection. */
export type Query = (text: string | Statement, values?: readonly unknown[]) => Promise<Row[]>;

export interface Database {
  query: Query;
  /** Runs a statement that may take long, on a connection of its own and in no transaction. */
  runLong: Query;
  /** Runs in one transaction. */
  transact<Result>(run: (query: Query) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

/** Numbers of the advisory locks of this program: any, as long as they differ. */
const locks = { migration: 0x44504b46, counts: 0x44504b47 };

/** Compared byte by byte: times and ids sort the same whatever the language of the database. */
const text = 'text COLLATE "C"';

/** Tables that have a part per month. */
export const monthlyTables = ['evaluation', 'payload', 'decision', 'card', 'unknown_key'] as const;

/** Forward only: a released step is never edited; a change of shape is a new step at the end. */
const migrations: readonly string[] = [
  `CREATE TABLE evaluation (
    month ${text} NOT NULL,
    seq bigint NOT NULL,
    id ${text} NOT NULL,
    time ${text} NOT NULL,
    client ${text} NOT NULL,
    tenant ${text},
    hook ${text} NOT NULL,
    service ${text} NOT NULL,
    hook_instance ${text},
    patient_key ${text},
    knowledge ${text} NOT NULL,
    cards integer NOT NULL,
    digest ${text} NOT NULL,
    previous_hash ${text} NOT NULL,
    hash ${text} NOT NULL,
    milliseconds double precision NOT NULL,
    erased_at ${text},
    PRIMARY KEY (seq, month),
    UNIQUE (id, month)
  ) PARTITION BY LIST (month);
  CREATE INDEX ON evaluation (time, seq);
  CREATE INDEX ON evaluation (hook_instance);
  CREATE INDEX ON evaluation (patient_key);
  CREATE INDEX ON evaluation (client, hook, seq);
  CREATE TABLE payload (
    month ${text} NOT NULL,
    seq bigint NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (seq, month)
  ) PARTITION BY LIST (month);
  ALTER TABLE payload ALTER COLUMN content SET STORAGE EXTERNAL;
  CREATE TABLE decision (
    month ${text} NOT NULL,
    seq bigint NOT NULL,
    id ${text} NOT NULL,
    outcome ${text} NOT NULL,
    PRIMARY KEY (seq, id, outcome, month)
  ) PARTITION BY LIST (month);
  CREATE INDEX ON decision (id, outcome, seq);
  CREATE TABLE card (
    month ${text} NOT NULL,
    uuid ${text} NOT NULL,
    seq bigint NOT NULL,
    topic ${text} NOT NULL,
    indicator ${text} NOT NULL,
    decisions jsonb NOT NULL,
    response ${text},
    reason ${text},
    PRIMARY KEY (uuid, month)
  ) PARTITION BY LIST (month);
  CREATE INDEX ON card (seq);
  CREATE INDEX ON card (topic, seq);
  CREATE INDEX ON card (reason, seq) WHERE reason IS NOT NULL;
  CREATE TABLE unknown_key (
    month ${text} NOT NULL,
    seq bigint NOT NULL,
    key ${text} NOT NULL,
    state ${text} NOT NULL,
    PRIMARY KEY (seq, key, month)
  ) PARTITION BY LIST (month);
  CREATE INDEX ON unknown_key (key, state, seq);
  CREATE TABLE chain_head (seq bigint NOT NULL, hash ${text} NOT NULL, time ${text} NOT NULL, month ${text} NOT NULL);
  INSERT INTO chain_head VALUES (0, '${chainStart}', '', '');
  CREATE TABLE anchor (day ${text} PRIMARY KEY, seq bigint NOT NULL, hash ${text} NOT NULL);
  CREATE TABLE feedback (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key ${text} NOT NULL UNIQUE,
    card ${text} NOT NULL,
    client ${text} NOT NULL,
    tenant ${text},
    service ${text} NOT NULL,
    outcome ${text} NOT NULL,
    outcome_time ${text} NOT NULL,
    received_at ${text} NOT NULL,
    suggestions ${text} NOT NULL,
    reason_system ${text},
    reason_code ${text}
  );
  CREATE INDEX ON feedback (card);
  CREATE TABLE feedback_comment (feedback bigint PRIMARY KEY REFERENCES feedback, comment ${text} NOT NULL);
  CREATE TABLE daily_count (
    day ${text} NOT NULL,
    client ${text} NOT NULL,
    knowledge ${text} NOT NULL,
    kind ${text} NOT NULL,
    name ${text} NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (day, client, knowledge, kind, name)
  );
  CREATE TABLE rolled_up (seq bigint NOT NULL);
  INSERT INTO rolled_up VALUES (0);
  CREATE TABLE view (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time ${text} NOT NULL,
    who ${text} NOT NULL,
    role ${text} NOT NULL,
    page ${text} NOT NULL,
    evaluation ${text}
  );
  CREATE TABLE used_token (token ${text} PRIMARY KEY, until double precision NOT NULL);
  CREATE INDEX ON used_token (until);
  CREATE TABLE patient_key (one boolean PRIMARY KEY DEFAULT true CHECK (one), fingerprint ${text} NOT NULL);`,
  // Each row fills a page: whoever adds one needs room on the disk.
  `CREATE TABLE write_probe (content bytea NOT NULL);
  ALTER TABLE write_probe ALTER COLUMN content SET STORAGE PLAIN;`,
  // Few decisions ever fail, and whoever looks for them names none.
  "CREATE INDEX ON decision (seq) WHERE outcome = 'error';",
];

const otherKey =
  'The records in the database stand under another patient key. Give this instance the file patient-key of those that wrote them.';

/** Never acknowledge what is not on disk, also where the server is set not to wait for it. */
const prepareConnection = `SELECT set_config('synchronous_commit',
  CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)`;

/**
 * Opens a database of our own in PostgreSQL, making or migrating its tables at the first use that succeeds.
 *
 * Opening never fails; a server that cannot be reached fails each call until it can.
 *
 * @param url As `postgresql://user:password@host:5432/database`.
 * @param keyFingerprint Of the patient key: instances with different keys must not write to one database.
 */
export function openDatabase(url: string, keyFingerprint: string, options: Required<PostgresOptions>): Database {
  const { connections, connectWait, statementWait } = options;
  const identity = { keepAlive: true, application_name: 'diagnostisk-pakkeforloeb-cds' };
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: connectWait,
    statement_timeout: statementWait,
    // A server that is gone says nothing: give up a little after it would have.
    query_timeout: statementWait + connectWait,
    idle_in_transaction_session_timeout: statementWait + connectWait,
    ...identity,
  });
  // A connection that breaks while nobody uses it: the next use makes another.
  pool.on('error', () => {});
  // One that breaks while it is used fails the statement under way, or the next.
  pool.on('connect', (client) => client.on('error', () => {}));
  const prepared = new WeakSet<pg.PoolClient>();
  let migrating: Promise<void> | undefined;

  async function connect<Result>(run: (query: Query) => Promise<Result>): Promise<Result> {
    const client = await pool.connect();
    const query = makeQuery(client);
    let failure: unknown;
    try {
      if (!prepared.has(client)) await query(prepareConnection);
      prepared.add(client);
      return await run(query);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      // After anything but an answer of the server, the state of the connection is not known.
      client.release(failure !== undefined && !(failure instanceof pg.DatabaseError));
    }
  }

  /** On a connection of its own, for as long as it takes. */
  async function connectAlone<Result>(run: (query: Query) => Promise<Result>): Promise<Result> {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: connectWait, ...identity });
    client.on('error', () => {});
    try {
      await client.connect();
      return await run(makeQuery(client));
    } finally {
      await client.end();
    }
  }

  async function migrateTables(): Promise<void> {
    // What is in the tables already may take a step long.
    const run = (await connect(isMigrated)) ? connect : connectAlone;
    await run((query) => inTransaction(query, () => migrate(query, keyFingerprint)));
  }

  function migrateOnce(): Promise<void> {
    migrating ??= migrateTables().catch((error: unknown) => {
      migrating = undefined;
      throw error;
    });
    return migrating;
  }

  return {
    async query(statement, values) {
      await migrateOnce();
      return connect((query) => query(statement, values));
    },
    async transact(run) {
      await migrateOnce();
      return connect((query) => inTransaction(query, () => run(query)));
    },
    async runLong(statement, values) {
      await migrateOnce();
      return connectAlone((query) => query(statement, values));
    },
    close: () => pool.end(),
  };
}

function makeQuery(client: pg.ClientBase): Query {
  return async (statement, values) => {
    const result = await (typeof statement === 'string'
      ? client.query<Record<string, unknown>>(statement, values === undefined ? undefined : [...values])
      : client.query<Record<string, unknown>>(statement));
    return result.rows;
  };
}

async function inTransaction<Result>(query: Query, run: () => Promise<Result>): Promise<Result> {
  await query('BEGIN');
  let result: Result;
  try {
    result = await run();
  } catch (error) {
    // What stopped the transaction is worth telling, not that a broken connection cannot roll back.
    await query('ROLLBACK').catch(() => {});
    throw error;
  }
  await query('COMMIT');
  return result;
}

/** Makes the tables as this program knows them, and refuses those of another patient key. */
async function migrate(query: Query, keyFingerprint: string): Promise<void> {
  await migrateTables(query);
  await query('INSERT INTO patient_key (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING', [keyFingerprint]);
  const [kept] = await query('SELECT fingerprint FROM patient_key');
  if (kept?.fingerprint !== keyFingerprint) throw new Error(otherKey);
}

async function isMigrated(query: Query): Promise<boolean> {
  const [found] = await query("SELECT to_regclass('schema_version') IS NOT NULL AS migrated");
  return found?.migrated === true && (await readVersion(query)) === migrations.length;
}

/** Instances that start at the same time wait for each other. */
async function migrateTables(query: Query): Promise<void> {
  // Without this look every start would wait for whoever migrates.
  if (await isMigrated(query)) return;
  await query('SELECT pg_advisory_xact_lock($1)', [locks.migration]);
  const [server] = await query("SELECT current_setting('server_encoding') AS encoding");
  if (server?.encoding !== 'UTF8') {
    throw new Error(`The database has encoding ${server?.encoding}. Make one with encoding UTF8.`);
  }
  await query(
    'CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY, applied_at timestamptz NOT NULL)',
  );
  const version = await readVersion(query);
  if (version > migrations.length) {
    throw new Error(
      `The database has schema version ${version}; this program knows up to ${migrations.length}. Start the newer program.`,
    );
  }
  for (const [step, sql] of migrations.entries()) {
    if (step < version) continue;
    await query(sql);
    await query('INSERT INTO schema_version VALUES ($1, now())', [step + 1]);
  }
}

async function readVersion(query: Query): Promise<number> {
  const [row] = await query('SELECT coalesce(max(version), 0) AS version FROM schema_version');
  return Number(row?.version);
}

/** Makes the tables of a month: beside the others first, so that joining them stops no reader. */
export async function createMonth(query: Query, month: string): Promise<void> {
  if (!/^\d{4}-\d{2}$/.test(month)) throw new Error(`${month} is not a month.`);
  for (const table of monthlyTables) {
    const part = `${table}_${month.replace('-', '_')}`;
    await query(`CREATE TABLE ${part} (LIKE ${table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)`);
    await query(`ALTER TABLE ${table} ATTACH PARTITION ${part} FOR VALUES IN ('${month}')`);
  }
}

/** Whoever counts does so alone, in this transaction. */
export async function lockCounts(query: Query): Promise<void> {
  await query('SELECT pg_advisory_xact_lock($1)', [locks.counts]);
}

/**
 * Adds a page to a file and commits. Now and then it begins the file anew; who reads the table for long, as a backup
 * does, is not waited for.
 */
const probeWrite = `DO $$ BEGIN
  INSERT INTO write_probe VALUES (decode(repeat('00', 7000), 'hex'));
  IF pg_relation_size('write_probe') > 8 * 1024 * 1024 THEN
    BEGIN
      SET LOCAL lock_timeout = '10ms';
      TRUNCATE write_probe;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
  END IF;
END $$`;

/** Rejects where a record could not be written now. */
export async function checkWrite(query: Query): Promise<void> {
  await query(probeWrite);
}

/** Whether an entry is at fault, not the database. */
export function isConstraint(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code?.startsWith('23') === true;
}
