import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSqliteStore } from '../../src/audit/sqlite.ts';
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
