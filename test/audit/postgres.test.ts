import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPostgresStore, type PostgresStore } from '../../src/audit/postgres.ts';
import type { PostgresOptions } from '../../src/audit/postgres-database.ts';
import { sealRecord } from '../../src/audit/record.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { UnavailableError } from '../../src/errors.ts';
import { makeRecord } from './make-record.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { storeConformance } from './store-conformance.ts';

const fingerprint = 'a';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
afterAll(() => server.stop());

storeConformance('PostgreSQL', async () => {
  const url = await server.createDatabase();
  return { open: () => openPostgresStore(url, fingerprint), remove: async () => {} };
});

let url: string;
let stores: AuditStore[];
beforeEach(async () => {
  url = await server.createDatabase();
  stores = [];
});
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
});

function open(options: PostgresOptions = {}, key = fingerprint, at = url): PostgresStore {
  const store = openPostgresStore(at, key, options);
  stores.push(store);
  return store;
}
const readCause = (error: Error) => (error.cause as Error).message;
const appendOne = (store: AuditStore, changes: Parameters<typeof makeRecord>[0] = {}) =>
  store.append(sealRecord(makeRecord(changes)));

describe('the database of the store', () => {
  test('is made once by however many instances start at the same time, and names the version of its shape', async () => {
    await Promise.all(Array.from({ length: 6 }, () => appendOne(open())));
    expect(await server.run(url, 'SELECT version FROM schema_version')).toEqual([
      { version: 1 },
      { version: 2 },
      { version: 3 },
    ]);
    expect(await open().verify()).toMatchObject({ records: 6, problems: [] });
  });

  test('has a part per month', async () => {
    const store = open();
    for (const month of ['2026-10', '2026-12']) await appendOne(store, { time: `${month}-01T00:00:00.000Z` });
    const parts = await server.run(
      url,
      "SELECT relname FROM pg_class WHERE relname LIKE 'payload\\_20__\\___' ORDER BY 1",
    );
    expect(parts).toEqual([{ relname: 'payload_2026_10' }, { relname: 'payload_2026_12' }]);
  });

  test('is refused where a newer version of this program wrote it', async () => {
    await appendOne(open());
    await server.run(url, 'INSERT INTO schema_version VALUES (1000, now())');
    await expect(appendOne(open())).rejects.toMatchObject({ cause: { message: expect.stringContaining('1000') } });
  });

  test('is refused where it cannot hold any text', async () => {
    await server.run(url, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
    await expect(open({}, fingerprint, url.replace(/[^/]+$/, 'latin')).check()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('UTF8') },
    });
  });

  test('is refused to an instance whose patients would stand under another key', async () => {
    await appendOne(open());
    await expect(open({}, 'b').check()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('patient key') },
    });
    await expect(open().check()).resolves.toBeUndefined();
  });

  test('that cannot be written fails records and the check, is read all the same, and is written again', async () => {
    const store = open({ connections: 1 });
    await appendOne(store);
    const name = url.replace(/.*\//, '');
    /** The server says so from the next connection on. */
    const setReadOnly = async (change: string) => {
      await server.run(url, `BEGIN READ WRITE; ALTER DATABASE ${name} ${change}; COMMIT`);
      await server.run(
        url,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}' AND pid <> pg_backend_pid()`,
      );
    };
    const tryCheck = () => store.check().then(() => 'written', readCause);
    await setReadOnly('SET default_transaction_read_only = on');
    await expect.poll(tryCheck, { timeout: 10_000 }).toContain('read-only');
    await expect(appendOne(store)).rejects.toThrow(UnavailableError);
    expect(await store.evaluations({ limit: 10 })).toHaveLength(1);
    await setReadOnly('RESET default_transaction_read_only');
    await expect.poll(tryCheck, { timeout: 10_000 }).toBe('written');
    await appendOne(store);
    expect(await store.verify()).toMatchObject({ records: 2, problems: [] });
  });

  test('is seen to take records also while a backup reads all of it, and does not grow by being asked', async () => {
    await open().check();
    await server.run(url, 'INSERT INTO write_probe SELECT content FROM write_probe, generate_series(1, 1500)');
    const readOne = async (sql: string) => Object.values((await server.run(url, sql))[0] ?? {})[0];
    const backup = server.run(url, 'BEGIN; SELECT FROM write_probe; SELECT pg_sleep(3); COMMIT');
    const locks = "SELECT count(*)::integer FROM pg_locks WHERE relation = 'write_probe'::regclass";
    await expect.poll(() => readOne(locks), { timeout: 2000 }).toBe(1);
    await open().check();
    const bytes = "SELECT pg_relation_size('write_probe')::integer";
    expect(await readOne(bytes)).toBe(1502 * 8192);
    await backup;
    await open().check();
    expect(await readOne(bytes)).toBe(0);
  });

  test('that is not there fails each call in time, and says nothing of it to a client', async () => {
    const store = open({ connectWait: 500 }, fingerprint, 'postgresql://secret-user:secret@127.0.0.1:1/secret');
    const error: unknown = await appendOne(store).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'audit', status: 503 });
    expect(String(error)).not.toContain('secret');
  });

  test('that another instance holds for too long fails the record; then the next is taken', async () => {
    const store = open({ statementWait: 300 });
    await appendOne(store);
    const held = server.run(url, 'BEGIN; SELECT seq FROM chain_head FOR UPDATE; SELECT pg_sleep(1); COMMIT');
    await expect
      .poll(() =>
        appendOne(store).then(
          () => 'taken',
          () => 'refused',
        ),
      )
      .toBe('refused');
    await held;
    await appendOne(store);
    expect((await store.verify()).problems).toEqual([]);
  });

  test('waits for its disk also where the server is set not to', async () => {
    const name = url.replace(/.*\//, '');
    await server.run(url, `ALTER DATABASE ${name} SET synchronous_commit = off`);
    const store = open({ connections: 1 });
    await server.run(
      url,
      `CREATE TABLE seen (setting text); CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$`,
    );
    await store.check();
    await server.run(url, 'CREATE TRIGGER see AFTER UPDATE ON chain_head EXECUTE FUNCTION see()');
    await appendOne(store);
    expect(await server.run(url, 'SELECT setting FROM seen')).toEqual([{ setting: 'on' }]);
  });
});

describe('verification of the database finds', () => {
  let store: AuditStore;
  beforeEach(async () => {
    store = open();
    await appendOne(store, { time: '2026-11-22T10:00:00.000Z' });
    for (let count = 0; count < 3; count += 1) await appendOne(store);
  });

  const otherContent = 'UPDATE payload SET content = (SELECT content FROM payload WHERE seq = 3) WHERE seq = 2';
  test.each([
    ['content that was replaced', otherContent, 2, 'content was changed'],
    ['content taken away', 'DELETE FROM payload WHERE seq = 2', 2, 'not there and was not erased'],
    ['another time', "UPDATE evaluation SET time = '2020-01-01T00:00:00.000Z' WHERE seq = 2", 2, 'link was changed'],
    ['another outcome', "UPDATE decision SET outcome = 'error' WHERE seq = 2", 2, 'index rows'],
    ['other decisions behind a card', `UPDATE card SET decisions = '["MAS-01"]' WHERE seq = 2`, 2, 'index rows'],
    ['a key that was not known taken away', 'DELETE FROM unknown_key WHERE seq = 2', 2, 'index rows'],
    ['a record taken away', 'DELETE FROM evaluation WHERE seq = 2', 3, 'records 2 to 2 are not there'],
    [
      'a record put in',
      `INSERT INTO evaluation SELECT month, 5, 'x', time, client, tenant, hook, service, hook_instance, patient_key, knowledge,
      cards, digest, hash, hash, milliseconds, erased_at FROM evaluation WHERE seq = 4`,
      5,
      'link was changed',
    ],
    ['an anchor that was changed', "UPDATE anchor SET hash = 'x'", 1, 'anchor of 2026-11-22'],
    ['a month taken away', 'DROP TABLE evaluation_2026_11', undefined, undefined],
  ])('%s', async (_what, sql, seq, problem) => {
    const before = await store.verify();
    expect(before.problems).toEqual([]);
    await server.run(url, sql);
    const after = await store.verify();
    if (problem === undefined) expect(after.head).not.toEqual(before.head);
    else expect(after.problems).toContainEqual({ seq, problem: expect.stringContaining(problem) });
  });
});

describe('the tokens of several instances', () => {
  const token = (jti: string) => ({ client: 'c', iss: 'https://ehr.example', jti });
  const later = Date.now() / 1000 + 300;

  test('are taken once, whichever instance is asked, however many at once', async () => {
    const instances = [open(), open(), open()];
    const taken = await Promise.all(
      Array.from({ length: 60 }, (_, count) => instances[count % 3]?.tokens.take(token(`t${count % 4}`), later)),
    );
    expect(taken.filter((use) => use === 'first')).toHaveLength(4);
    expect(taken.filter((use) => use === 'used')).toHaveLength(56);
  });

  test('of one name are of their client and issuer', async () => {
    const { tokens } = open();
    expect(await tokens.take(token('a'), later)).toBe('first');
    expect(await tokens.take({ ...token('a'), client: 'd' }, later)).toBe('first');
    expect(await tokens.take({ ...token('a'), iss: 'https://other.example' }, later)).toBe('first');
    expect(await tokens.take(token('a'), later)).toBe('used');
  });

  test('are not taken while they cannot be remembered', async () => {
    const { tokens } = open({ connectWait: 500 }, fingerprint, 'postgresql://u@127.0.0.1:1/d');
    await expect(tokens.take(token('a'), later)).rejects.toThrow(UnavailableError);
  });
});

test('erased content, comments and pseudonyms are in no row', async () => {
  const store = open();
  const record = makeRecord();
  await store.append(sealRecord(record));
  await store.erase({ patientKey: record.patientKey });
  expect(await server.run(url, 'SELECT seq FROM payload UNION ALL SELECT seq FROM decision')).toEqual([]);
  expect(await server.run(url, 'SELECT patient_key, hook_instance FROM evaluation')).toEqual([
    { patient_key: null, hook_instance: null },
  ]);
});

test('a month that was erased whole takes no room in the database', async () => {
  const store = open();
  const time = '2026-10-01T00:00:00.000Z';
  const noise = () => makeRecord({ time, settings: { noise: randomBytes(4000).toString('hex') } });
  await Promise.all(Array.from({ length: 200 }, () => store.append(sealRecord(noise()))));
  await appendOne(store);
  const size = async () => {
    const [row] = await server.run(url, "SELECT pg_table_size('payload_2026_10')::integer AS bytes");
    return Number(row?.bytes);
  };
  const before = await size();
  expect(await store.erase({ before: '2026-11-01T00:00:00.000Z' })).toBe(200);
  await store.reclaim();
  expect(await size()).toBeLessThan(before / 3);
  expect(await store.verify()).toMatchObject({ records: 201, erased: 200, problems: [] });
});
