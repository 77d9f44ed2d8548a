import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSqliteStore } from '../../src/audit/sqlite.ts';
import { makeOwnDisk, type OwnDisk, whyNoOwnDisk } from './own-disk.ts';
import { callOnce, findNobody, type ServiceProcess, startLoad, startProcess } from './service-process.ts';

const testMs = 120_000;

let folder: string;
let records: string;
let service: ServiceProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-disk-'));
  records = join(folder, 'evaluations');
  const { uid, gid } = findNobody();
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
});
afterEach(async () => {
  await service?.kill();
  service = undefined;
  rmSync(folder, { recursive: true });
});

async function start(environment: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
  service = await startProcess({ DATA_DIR: folder, ...environment });
  return service;
}

async function countStored(): Promise<number> {
  const store = openSqliteStore(records);
  const { records: count, problems } = await store.verify();
  await store.close();
  expect(problems).toEqual([]);
  return count;
}

describe('with a disk that takes nothing more', () => {
  /** Every write to a file beyond this many bytes of it fails. */
  const limitFiles = (pid: number, bytes: number | 'unlimited') =>
    execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`]);

  test(
    'the service answers 503, loses nothing it answered before, and goes on by itself when there is room',
    async () => {
      const { base, pid } = await start();
      const load = startLoad(() => [base]);
      await expect.poll(() => load.acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(10);
      limitFiles(pid, 0);
      await expect.poll(() => load.statuses.has(503), { timeout: 20_000 }).toBe(true);
      await load.stop();
      expect(load.statuses).toEqual(new Set([200, 503]));
      expect(await callOnce(base)).toMatchObject({ status: 503 });
      limitFiles(pid, 'unlimited');
      await expect.poll(async () => (await callOnce(base)).status, { timeout: 20_000 }).toBe(200);
      await service?.stop();
      expect(await countStored()).toBeGreaterThan(load.acknowledged.length);
    },
    testMs,
  );

  test(
    'the service answers all the same where records are not required, and counts what it could not keep',
    async () => {
      const { base, pid } = await start({ AUDIT_REQUIRED: 'false' });
      expect(await callOnce(base)).toMatchObject({ status: 200 });
      limitFiles(pid, 0);
      const answers = await Promise.all(Array.from({ length: 10 }, () => callOnce(base)));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      limitFiles(pid, 'unlimited');
      const metrics = await (await fetch(`${base}/metrics`)).text();
      expect(metrics).toMatch(/^cds_audit_failures_total 10$/m);
    },
    testMs,
  );
});

test(
  'in a folder it may not write to, the service answers 503, and goes on by itself when it may',
  async () => {
    service = await startProcess({ DATA_DIR: folder }, findNobody());
    const { base } = service;
    expect(await callOnce(base)).toMatchObject({ status: 200 });
    renameSync(records, join(folder, 'before'));
    mkdirSync(records, { mode: 0o555 });
    expect(await callOnce(base)).toMatchObject({ status: 503 });
    expect((await fetch(`${base}/readyz`)).status).toBe(503);
    const { uid, gid } = findNobody();
    chmodSync(records, 0o755);
    if (uid !== undefined && gid !== undefined) chownSync(records, uid, gid);
    await expect.poll(async () => (await callOnce(base)).status, { timeout: 20_000 }).toBe(200);
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
  },
  testMs,
);

const denied = await whyNoOwnDisk();
if (denied !== undefined) console.warn(`Nothing is tested on a full or a read-only file system: ${denied}`);
describe.skipIf(denied !== undefined)(
  `on a file system of its own${denied === undefined ? '' : ` (${denied})`}`,
  () => {
    /** What a check found is told for a second. */
    const checkMs = 1100;
    /** What was begun before the disk was full may have left room for a last few. */
    const pollSlowly = { timeout: 20_000, interval: checkMs };
    let disk: OwnDisk;
    let data: string;
    beforeEach(async () => {
      disk = await makeOwnDisk('64m');
      data = join(disk.folder, 'data');
    });
    // The service ends first.
    afterEach(async () => {
      await service?.kill();
      await disk.remove();
    });

    async function startThere(): Promise<ServiceProcess> {
      service = await startProcess({ DATA_DIR: data }, {}, disk.within);
      return service;
    }

    const readReadiness = async (base: string) => (await fetch(`${base}/readyz`)).status;

    /** Ends the service, and looks for what it acknowledged. */
    async function findLost(acknowledged: readonly string[]) {
      await service?.stop();
      disk.copyOut(join(data, 'evaluations'), records);
      const store = openSqliteStore(records);
      try {
        const { records: found, problems } = await store.verify();
        const ids = new Set((await store.evaluations({ limit: found + 1 })).map(({ id }) => id));
        const lost = acknowledged.filter((id) => !ids.has(id));
        console.log(`${acknowledged.length} acknowledged, ${found} found, ${lost.length} lost`);
        return { lost, problems };
      } finally {
        await store.close();
      }
    }

    test.each([
      [
        'full (ENOSPC)',
        () => `dd if=/dev/zero of=${disk.folder}/filler bs=4k 2>/dev/null || true`,
        () => `rm ${disk.folder}/filler`,
      ],
      [
        'read-only (EROFS)',
        // None can be made read-only while files on it are open: one that is so already takes its place.
        () => `mount -t tmpfs -o ro tmpfs ${data}/evaluations`,
        () => `umount --lazy ${data}/evaluations`,
      ],
    ])(
      'that is %s under load, the service answers 503 and is not ready, loses nothing, and goes on by itself',
      async (_what, spoil, mend) => {
        const { base } = await startThere();
        const load = startLoad(() => [base]);
        await expect.poll(() => load.acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(20);
        await disk.run(spoil());
        await expect.poll(() => load.statuses.has(503), { timeout: 20_000 }).toBe(true);
        await expect.poll(() => readReadiness(base), pollSlowly).toBe(503);
        await load.stop();
        expect(load.statuses).toEqual(new Set([200, 503]));
        // Nobody writes any more: from now on the check alone finds out.
        await wait(checkMs);
        await expect.poll(() => readReadiness(base), pollSlowly).toBe(503);
        await disk.run(mend());
        await expect.poll(() => readReadiness(base), { timeout: 20_000 }).toBe(200);
        const last = await callOnce(base);
        expect(last.status).toBe(200);
        expect(await findLost([...load.acknowledged, last.id])).toEqual({ lost: [], problems: [] });
      },
      testMs,
    );

    test.each([
      ['empty', false, 'the patient key'],
      ['with records of before', true, 'DATA_DIR: records cannot be kept in'],
    ])(
      'that is read-only and %s, the service does not start, and says so in a line',
      async (_what, hasRecords, said) => {
        if (hasRecords) {
          const { base } = await startThere();
          expect(await callOnce(base)).toMatchObject({ status: 200 });
          await service?.stop();
        }
        await disk.run(`mount -o remount,bind,ro ${disk.folder}`);
        const message = await startThere().then(
          () => 'it started',
          ({ message }: Error) => message,
        );
        expect(message).toContain(said);
        expect(message.trim().split('\n')).toHaveLength(1);
      },
      testMs,
    );
  },
);
