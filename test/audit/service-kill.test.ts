import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../../src/audit/open-store.ts';
import { loadPatientKey } from '../../src/audit/patient-key.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { type ServiceProcess, startLoad, startProcess } from './service-process.ts';

const kills = 4;
const crashes = 3;
const longestRun = 700;
const testMs = 180_000;

let folder: string;
let running: Set<ServiceProcess>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-service-'));
  running = new Set();
});
afterEach(async () => {
  await Promise.all([...running].map((service) => service.kill()));
  rmSync(folder, { recursive: true });
});

async function start(environment: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
  const service = await startProcess({ DATA_DIR: folder, ...environment });
  running.add(service);
  return service;
}

/** Reads the store beside the service: of what was acknowledged, what is lost. */
async function findLost(acknowledged: readonly string[], databaseUrl?: string) {
  const { store } = openStore({ databaseUrl, dataDir: folder }, loadPatientKey(join(folder, 'patient-key')));
  try {
    const { records, problems } = await verifyWhenThere(store);
    const ids = new Set((await store.evaluations({ limit: records + 1 })).map(({ id }) => id));
    const lost = acknowledged.filter((id) => !ids.has(id));
    return { lost, problems, counts: `${acknowledged.length} acknowledged, ${records} found, ${lost.length} lost` };
  } finally {
    await store.close();
  }
}

/** Long reads make way for a machine that is busy. */
async function verifyWhenThere(store: AuditStore) {
  try {
    return await store.verify();
  } catch {
    await wait(1000);
    return store.verify();
  }
}

test(
  'every evaluation the service answered is there, whole and in one chain, however often it is killed under load',
  async () => {
    let base = '';
    let counts = '';
    const load = startLoad(() => [base]);
    for (let kill = 0; kill < kills; kill += 1) {
      const service = await start();
      base = service.base;
      const before = load.acknowledged.length;
      await expect.poll(() => load.acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(before);
      await wait(Math.random() * longestRun);
      await service.kill();
      const found = await findLost([...load.acknowledged]);
      expect(found).toMatchObject({ lost: [], problems: [] });
      counts = found.counts;
    }
    await load.stop();
    expect(load.acknowledged.length).toBeGreaterThanOrEqual(kills);
    console.log(`killed ${kills} times: ${counts}`);
  },
  testMs,
);

describe('two instances over one PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.stop());

  test(
    'lose nothing they answered when one of them is killed, while the other goes on',
    async () => {
      const url = await server.createDatabase();
      const [one, other] = await Promise.all([start({ DATABASE_URL: url }), start({ DATABASE_URL: url })]);
      const bases = [one.base, other.base];
      const load = startLoad(() => bases);
      await expect.poll(() => load.acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(20);
      await one.kill();
      const atKill = load.acknowledged.length;
      await expect.poll(() => load.acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(atKill + 20);
      await load.stop();
      const found = await findLost(load.acknowledged, url);
      expect(found).toMatchObject({ lost: [], problems: [] });
      console.log(`one of two instances killed: ${found.counts}`);
    },
    testMs,
  );

  test(
    'lose nothing they answered when the database ends under load, answer 503 while it is down, and recover',
    async () => {
      const url = await server.createDatabase();
      const services = await Promise.all([start({ DATABASE_URL: url }), start({ DATABASE_URL: url })]);
      const load = startLoad(() => services.map(({ base }) => base));
      for (let crash = 0; crash < crashes; crash += 1) {
        const before = load.acknowledged.length;
        await expect.poll(() => load.acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(before + 10);
        await wait(Math.random() * longestRun);
        await server.crash(300);
      }
      const after = load.acknowledged.length;
      await expect.poll(() => load.acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(after + 10);
      await load.stop();
      expect(load.statuses).toEqual(new Set([200, 503]));
      const found = await findLost(load.acknowledged, url);
      expect(found).toMatchObject({ lost: [], problems: [] });
      console.log(`database ended ${crashes} times: ${found.counts}`);
    },
    testMs,
  );
});
