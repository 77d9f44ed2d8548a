import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { brotliCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chainStart, digestText, hashLink, packRecord, sealRecord } from '../../src/audit/record.ts';
import { openSqliteStore, type SqliteOptions } from '../../src/audit/sqlite.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { UnavailableError } from '../../src/errors.ts';
import { makeRecord } from './make-record.ts';
import { storeConformance } from './store-conformance.ts';

storeConformance('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  return {
    open: () => openSqliteStore(join(folder, 'evaluations')),
    remove: async () => rmSync(folder, { recursive: true }),
  };
});

let folder: string;
let file: string;
let stores: AuditStore[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'));
  file = join(folder, 'data', '2026-11.sqlite');
  stores = [];
});
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  rmSync(folder, { recursive: true });
});

function open(options: SqliteOptions = {}): AuditStore {
  const store = openSqliteStore(join(folder, 'data'), options);
  stores.push(store);
  return store;
}
const appendOne = (store: AuditStore) => store.append(sealRecord(makeRecord()));

/** Runs SQL on the file beside the store, as someone with access to the disk would. */
function tamper(...statements: string[]): void {
  const db = new DatabaseSync(file, { enableForeignKeyConstraints: false });
  for (const sql of statements) db.exec(sql);
  db.close();
}

describe('the file of the store', () => {
  test('is for its owner only, with everything SQLite puts beside it', async () => {
    const store = open();
    await appendOne(store);
    for (const part of ['', '-wal', '-shm']) expect(statSync(`${file}${part}`).mode & 0o077).toBe(0);
  });

  test('is written ahead and names the version of its shape', async () => {
    const store = open();
    await appendOne(store);
    const db = new DatabaseSync(file);
    expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(db.prepare('SELECT version FROM schema_version').all()).toEqual(
      [1, 2, 3, 4, 5].map((version) => ({ version })),
    );
    db.close();
  });

  test('of an older shape is brought up to date, what is in it included', async () => {
    const store = open();
    const record = makeRecord({ time: '2026-11-23T00:00:00.000Z' });
    await store.append(sealRecord(makeRecord({ time: '2026-11-22T00:00:00.000Z' })));
    await store.append(sealRecord(record));
    await store.close();
    tamper(
      'DELETE FROM schema_version WHERE version > 1',
      ...['unknown_key', 'daily_count', 'rolled_up', 'view', 'chain_start', 'chain_end', 'anchor', 'write_probe'].map(
        (table) => `DROP TABLE ${table}`,
      ),
      ...['evaluation_client', 'evaluation_hook', 'card_topic', 'card_reason', 'decision_error'].map(
        (index) => `DROP INDEX ${index}`,
      ),
      'ALTER TABLE evaluation DROP COLUMN milliseconds',
      ...['decisions', 'response', 'reason'].map((column) => `ALTER TABLE card DROP COLUMN ${column}`),
    );
    const again = open();
    await again.check();
    expect(await again.verify()).toMatchObject({ records: 2, anchors: [{ day: '2026-11-22', seq: 1 }], problems: [] });
    const found = await again.evaluations({ unknownKey: { key: 'reports', state: 'failed' }, limit: 1 });
    expect(found.map(({ id }) => id)).toEqual([record.id]);
    const counts = await again.counts({ from: '2026-11-23', to: '2026-11-24', per: 'day' });
    expect(counts).toContainEqual(expect.objectContaining({ kind: 'shown', name: 'MUP-01', count: 1 }));
  });

  test("is refused where it is another program's database, and left as it was", async () => {
    const store = open();
    await store.check();
    await store.close();
    rmSync(file);
    tamper('CREATE TABLE theirs (a)', "INSERT INTO theirs VALUES ('x')");
    const before = readFileSync(file);
    const next = open();
    await expect(appendOne(next)).rejects.toMatchObject({ code: 'audit', status: 503 });
    await expect(next.check()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('another program') },
    });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('is refused where a newer version of this program wrote it', async () => {
    const store = open();
    await appendOne(store);
    await store.close();
    tamper("INSERT INTO schema_version VALUES (1000, '')");
    await expect(appendOne(open())).rejects.toMatchObject({ cause: { message: expect.stringContaining('1000') } });
  });

  test('is refused while it is no database at all, without touching it; then the next record is taken', async () => {
    const store = open();
    await store.check();
    await store.close();
    writeFileSync(file, 'x'.repeat(10_000));
    const next = open();
    await expect(appendOne(next)).rejects.toThrow(UnavailableError);
    await expect(next.evaluations({ limit: 1 })).rejects.toThrow(UnavailableError);
    expect(readFileSync(file, 'utf8')).toBe('x'.repeat(10_000));
    rmSync(file);
    await appendOne(next);
    expect(await next.verify()).toMatchObject({ records: 1, problems: [] });
  });

  test('cannot be made while its folder is a file; then the next record is taken', async () => {
    writeFileSync(join(folder, 'data'), '');
    const store = open();
    await expect(appendOne(store)).rejects.toThrow(UnavailableError);
    await expect(store.check()).rejects.toThrow(UnavailableError);
    rmSync(join(folder, 'data'));
    await appendOne(store);
    expect(await store.verify()).toMatchObject({ records: 1, problems: [] });
  });

  test('that is removed while the store runs is made anew: no record goes into a file that nobody can open', async () => {
    const store = open();
    await appendOne(store);
    rmSync(join(folder, 'data'), { recursive: true });
    await appendOne(store);
    expect(await open().verify()).toMatchObject({ records: 1, problems: [] });
  });

  test('that is locked by another process for too long fails the record; then the next is taken', async () => {
    const store = open({ lockWait: 20 });
    await appendOne(store);
    const db = new DatabaseSync(file);
    db.exec('BEGIN IMMEDIATE');
    await expect(appendOne(store)).rejects.toThrow(UnavailableError);
    expect(await store.evaluations({ limit: 10 })).toHaveLength(1);
    db.exec('ROLLBACK');
    db.close();
    await appendOne(store);
    expect(await store.verify()).toMatchObject({ records: 2, problems: [] });
  });

  test('takes a limited number of waiting records and refuses the rest at once', async () => {
    const store = open({ maxQueued: 3 });
    await store.check();
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => appendOne(store)));
    const taken = results.filter(({ status }) => status === 'fulfilled');
    // The first goes to the thread right away, three wait.
    expect(taken).toHaveLength(4);
    expect(await store.verify()).toMatchObject({ records: 4, problems: [] });
  });

  test('says nothing of paths or records in what a client is told', async () => {
    writeFileSync(join(folder, 'data'), '');
    const error: unknown = await open()
      .check()
      .catch((reason: unknown) => reason);
    expect(String(error)).not.toContain(folder);
  });
});

describe('verification finds', () => {
  let store: AuditStore;
  beforeEach(async () => {
    store = open();
    for (let count = 0; count < 4; count += 1) await appendOne(store);
  });

  const content = `x'${brotliCompressSync('{}').toString('hex')}'`;
  test.each([
    ['content that was replaced', `UPDATE payload SET content = ${content} WHERE seq = 2`, 2, 'content was changed'],
    ['content that is no record', "UPDATE payload SET content = x'00' WHERE seq = 2", 2, 'content is no record'],
    [
      'content that is no record under a digest of its own',
      `UPDATE payload SET content = ${content} WHERE seq = 4;
       UPDATE evaluation SET digest = '${digestText('{}')}' WHERE seq = 4`,
      4,
      'content is no record',
    ],
    ['content taken away', 'DELETE FROM payload WHERE seq = 2', 2, 'not there and was not erased'],
    ['another digest', "UPDATE evaluation SET digest = 'x' WHERE seq = 2", 2, 'link was changed'],
    ['another time', "UPDATE evaluation SET time = '2020-01-01T00:00:00.000Z' WHERE seq = 2", 2, 'link was changed'],
    ['another hook instance', "UPDATE evaluation SET hook_instance = 'x' WHERE seq = 2", 2, 'index rows'],
    ['another outcome', "UPDATE decision SET outcome = 'error' WHERE seq = 2", 2, 'index rows'],
    ['a decision taken away', "DELETE FROM decision WHERE seq = 2 AND id = 'MUP-01'", 2, 'index rows'],
    ['a decision added', "INSERT INTO decision VALUES (2, 'MAS-01', 'met')", 2, 'index rows'],
    ['a card taken away', 'DELETE FROM card WHERE seq = 2', 2, 'index rows'],
    ['other decisions behind a card', `UPDATE card SET decisions = '["MAS-01"]' WHERE seq = 2`, 2, 'index rows'],
    ['a key that was not known taken away', 'DELETE FROM unknown_key WHERE seq = 2', 2, 'index rows'],
    ['another duration', 'UPDATE evaluation SET milliseconds = 1 WHERE seq = 2', 2, 'index rows'],
    ['a record taken away', 'DELETE FROM evaluation WHERE seq = 2', 3, 'records 2 to 2 are not there'],
    ['a link cut', "UPDATE evaluation SET previous_hash = 'x' WHERE seq = 2", 2, 'does not follow'],
  ])('%s', async (_what, sql, seq, problem) => {
    expect((await store.verify()).problems).toEqual([]);
    tamper(sql);
    const { problems } = await store.verify();
    expect(problems).toContainEqual({ seq, problem: expect.stringContaining(problem) });
  });

  test('a record whose link was computed anew, by the records after it', async () => {
    const db = new DatabaseSync(file);
    const first = db.prepare('SELECT hash FROM evaluation WHERE seq = 1').get();
    const second = db.prepare('SELECT id, time FROM evaluation WHERE seq = 2').get();
    db.close();
    const link = { seq: 2, id: String(second?.id), time: String(second?.time), digest: 'forged' };
    const hash = hashLink(String(first?.hash ?? chainStart), link);
    tamper(`UPDATE evaluation SET digest = 'forged', hash = '${hash}' WHERE seq = 2`);
    const { problems } = await store.verify();
    expect(problems).toContainEqual({ seq: 3, problem: 'does not follow the record before it' });
  });

  test('records cut off at the end only by a head kept elsewhere', async () => {
    const { head } = await store.verify();
    tamper('DELETE FROM payload WHERE seq = 4', 'DELETE FROM evaluation WHERE seq = 4');
    const after = await store.verify();
    expect(after.problems).toEqual([]);
    expect(after.head).not.toEqual(head);
  });

  test('the first problems of many', async () => {
    for (let count = 0; count < 30; count += 1) await appendOne(store);
    tamper("UPDATE evaluation SET hash = 'x'");
    const { records, problems } = await store.verify();
    expect(records).toBe(34);
    expect(problems).toHaveLength(20);
    expect(problems[0]?.seq).toBe(1);
  });
});

describe('the files of several months', () => {
  const appendIn = (store: AuditStore, month: string) =>
    store.append(sealRecord(makeRecord({ time: `${month}-15T10:00:00.000Z` })));
  const inFile = (month: string, sql: string) => {
    const db = new DatabaseSync(join(folder, 'data', `${month}.sqlite`), { enableForeignKeyConstraints: false });
    db.exec(sql);
    db.close();
  };
  let store: AuditStore;
  beforeEach(async () => {
    store = open();
    for (const month of ['2026-10', '2026-11', '2026-11', '2026-12']) await appendIn(store, month);
  });

  test('are named after them', () => {
    const files = readdirSync(join(folder, 'data')).filter((name) => name.endsWith('.sqlite'));
    expect(files.sort()).toEqual(['2026-10.sqlite', '2026-11.sqlite', '2026-12.sqlite']);
  });

  test.each([
    ['2026-10', 2, 'records 1 to 1 are not there'],
    ['2026-11', 4, 'records 2 to 3 are not there'],
  ])('are missed when that of %s is taken away', async (month, seq, problem) => {
    for (const part of ['', '-wal', '-shm']) rmSync(join(folder, 'data', `${month}.sqlite${part}`), { force: true });
    expect((await store.verify()).problems).toContainEqual({ seq, problem });
  });

  test('are one chain where the process died before it began the one it had made', async () => {
    await store.close();
    inFile('2026-12', 'DELETE FROM payload; DELETE FROM decision; DELETE FROM card; DELETE FROM unknown_key');
    inFile('2026-12', 'DELETE FROM evaluation; DELETE FROM chain_start; DELETE FROM anchor');
    inFile('2026-11', 'DELETE FROM chain_end');
    const again = open();
    expect(await again.verify()).toMatchObject({ records: 3, problems: [] });
    await appendIn(again, '2026-12');
    expect(await again.verify()).toMatchObject({ records: 4, problems: [] });
  });

  test('are not gone back to by a process that does not know of the last', async () => {
    await store.close();
    const again = open();
    await appendIn(again, '2026-11');
    expect(await again.evaluations({ limit: 1 })).toMatchObject([{ seq: 5 }]);
    expect(await again.verify()).toMatchObject({ records: 5, problems: [] });
  });
});

test.each([
  ['changed', "UPDATE anchor SET hash = 'x'", 'is not what the anchor of 2026-11-22 was made from'],
  ['added', "INSERT INTO anchor VALUES ('2026-11-21', 1, 'x')", 'is not what the anchor of 2026-11-21 was made from'],
  ['taken away', 'DELETE FROM anchor', 'the anchor of 2026-11-22 is not there'],
])('verification finds an anchor that was %s', async (_what, sql, problem) => {
  const store = open();
  await store.append(sealRecord(makeRecord({ time: '2026-11-22T10:00:00.000Z' })));
  await appendOne(store);
  tamper(sql);
  expect((await store.verify()).problems).toEqual([{ seq: 1, problem }]);
});

test('erased content and comments are not left in the file', async () => {
  const store = open();
  const record = makeRecord({ settings: { contact: 'canary' } });
  const entry = sealRecord(record);
  await store.append(entry);
  await store.addFeedback([
    {
      ...{ client: 'demo', service: 's', card: String(record.cards[0]?.uuid), outcome: 'overridden' },
      ...{ outcomeTimestamp: '2026-11-23T10:00:00Z', receivedAt: '2026-11-23T10:00:00.000Z', acceptedSuggestions: [] },
      comment: 'canary-comment',
    },
  ]);
  const holds = (bytes: Uint8Array | string) => readFileSync(file).includes(bytes);
  tamper('PRAGMA wal_checkpoint(TRUNCATE)');
  expect([holds(packRecord(entry.json).subarray(0, 64)), holds('canary-comment'), holds(record.patientKey)]).toEqual([
    ...[true, true, true],
  ]);
  await store.erase({ patientKey: record.patientKey });
  await store.close();
  expect([holds(packRecord(entry.json).subarray(0, 64)), holds('canary-comment'), holds(record.patientKey)]).toEqual([
    ...[false, false, false],
  ]);
});

test('what was erased is in no file beside a service that goes on, and its room is given back', async () => {
  const service = open({ checkpointAfter: 1e6 });
  const old = join(folder, 'data', '2026-10.sqlite');
  const noise = Array.from({ length: 300 }, () =>
    sealRecord(
      makeRecord({ time: '2026-10-05T00:00:00.000Z', settings: { noise: randomBytes(4000).toString('hex') } }),
    ),
  );
  const packed = packRecord(noise[0]?.json ?? new Uint8Array()).slice(0, 64);
  await Promise.all(noise.map((entry) => service.append(entry)));
  await appendOne(service);
  const outside = new DatabaseSync(old);
  outside.exec('PRAGMA wal_checkpoint(PASSIVE)');
  outside.close();
  const holds = (name: string) => [name, `${name}-wal`].map((each) => readFileSync(each).includes(packed));
  expect(holds(old)).toEqual([true, true]);
  const cli = open();
  expect(await cli.erase({ before: '2026-11-01T00:00:00.000Z' })).toBe(300);
  const before = statSync(old).size;
  await cli.reclaim();
  expect(holds(old)).toEqual([false, false]);
  expect(statSync(`${old}-wal`).size).toBe(0);
  expect(statSync(old).size).toBeLessThan(before / 3);
  await appendOne(service);
  expect(await service.verify()).toMatchObject({ records: 302, erased: 300, problems: [] });
});
