import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const start = fileURLToPath(new URL('../src/start.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'cds-main-'));

interface Started {
  process: ChildProcess;
  base: string;
  printed: string;
  /** Resolves to the exit code. */
  ended: Promise<number | null>;
  errors(): string;
}

/** Starts the service as `npm start` does, and waits until it has printed where it is or ended. */
async function startService(environment: Record<string, string>): Promise<Started> {
  const child = spawn(process.execPath, [start], {
    env: { PORT: '0', DATA_DIR: folder, LOG_LEVEL: 'silent', WORKERS: '2', ...environment },
  });
  let printed = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  await Promise.race([once(child.stdout, 'data'), ended]);
  const base = /discovery {2}(\S+)\/cds-services/.exec(printed)?.[1] ?? '';
  return { process: child, base, printed, ended, errors: () => errors };
}

const body = JSON.stringify({
  hook: 'patient-view',
  hookInstance: 'main-test',
  context: { userId: 'Practitioner/1', patientId: 'p1' },
  prefetch: {
    patient: { resourceType: 'Patient', id: 'p1', gender: 'female', birthDate: '1960-01-01' },
    conditions: null,
    observations: null,
  },
});

describe('the service', () => {
  let service: Started;
  const token = 'a-token-for-this-test';

  beforeAll(async () => {
    service = await startService({ AUDIT_TOKEN: token });
    expect(service.errors()).toBe('');
  });

  afterAll(async () => {
    service?.process.kill('SIGKILL');
    await service?.ended;
    rmSync(folder, { recursive: true, force: true });
  });

  it('prints where discovery is, a call to try, and where records lie', () => {
    expect(service.printed).toMatch(/discovery {2}http:\/\/127\.0\.0\.1:\d+\/cds-services\n/);
    expect(service.printed).toMatch(/curl -s http:\S+\/examples\/\S+ \| curl -s http:\S+ -H '.*' -d @-\n/);
    expect(service.printed).toContain(join(folder, 'evaluations'));
    expect(service.printed).not.toContain(token);
  });

  it('answers the call it prints with cards, whatever the day', async () => {
    const [example = '', url = ''] = [...service.printed.matchAll(/curl -s (\S+)/g)].map(([, address]) => address);
    const patient = await (await fetch(example)).text();
    const headers = { 'Content-Type': 'application/json' };
    const answer = await fetch(url, { method: 'POST', headers, body: patient });
    const { cards } = (await answer.json()) as { cards: { source: { topic: { code: string } } }[] };
    expect(cards.map(({ source }) => source.topic.code)).toEqual(['trin1-labs']);
  });

  it('answers a call and shows its record in the audit', async () => {
    const url = `${service.base}/cds-services/diagnostisk-pakkeforloeb-patient-view`;
    const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ cards: expect.any(Array) });

    const audit = `${service.base}/audit/api/evaluations`;
    expect((await fetch(`${audit}?hookInstance=main-test`)).status).toBe(401);
    const found = await fetch(`${audit}?hookInstance=main-test`, { headers: { Authorization: `Bearer ${token}` } });
    const { evaluations } = (await found.json()) as { evaluations: { id: string; prefetch: object }[] };
    expect(evaluations.map(({ id }) => id)).toEqual([answer.headers.get('x-request-id')]);
    expect(evaluations[0]?.prefetch).toMatchObject({ patient: 'present', conditions: 'empty', reports: 'missing' });
  });

  it('publishes metrics of the process and of the pool', async () => {
    const text = await (await fetch(`${service.base}/metrics`)).text();
    expect(text).toContain('nodejs_eventloop_lag_seconds');
    expect(text).toContain('cds_evaluations{state="waiting"} 0');
  });

  it('started on a port that is taken ends with one line', async () => {
    const second = await startService({ PORT: new URL(service.base).port });
    expect(await second.ended).toBe(1);
    expect(second.errors()).toMatch(/^PORT: cannot listen on 127\.0\.0\.1:\d+: .*\n$/);
  });

  it.each([
    ['below a file', join(start, 'no-folder')],
    ['a file', start],
    ['where no folder can be made', '/proc/none/at/all'],
  ])('started where records cannot be kept (%s) ends with one line', async (_, dataDir) => {
    const second = await startService({ DATA_DIR: dataDir });
    expect(await second.ended).toBe(1);
    expect(second.errors()).toMatch(/^DATA_DIR: [^\n]+\n$/);
  });

  it('tells its address as it is, also where the port was free to choose', async () => {
    const { implementation } = (await (await fetch(`${service.base}/fhir/metadata`)).json()) as {
      implementation: { url: string };
    };
    expect(implementation.url).toBe(`${service.base}/fhir`);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('told to stop by %s ends cleanly', async (signal) => {
    const other = await startService({ DATA_DIR: join(folder, signal) });
    other.process.kill(signal);
    expect(await other.ended).toBe(0);
    expect(other.errors()).toBe('');
  });

  it('told to stop in production, answers calls for the first half of its time, not ready, and then ends', async () => {
    const [dataDir, clients] = [join(folder, 'production'), join(folder, 'clients')];
    mkdirSync(clients);
    copyFileSync(join(import.meta.dirname, '..', 'clients', 'generic.yaml'), join(clients, 'generic.yaml'));
    const other = await startService({
      ...{ MODE: 'production', DATA_DIR: dataDir, PUBLIC_BASE_URL: 'https://cds.example.org', DRAIN_MS: '2000' },
      CLIENTS_DIR: clients,
      AUDIT_TOKEN: token,
    });
    const base = `http://${/listening {2}(\S+)/.exec(other.printed)?.[1]}`;
    const ask = async (path: string) => {
      const { status, headers } = await fetch(base + path);
      return [status, headers.get('connection')];
    };
    expect(await ask('/readyz')).toEqual([200, 'keep-alive']);
    other.process.kill('SIGTERM');
    await expect.poll(() => ask('/readyz')).toEqual([503, 'close']);
    // The callers of this test have no token.
    expect(await ask('/cds-services')).toEqual([401, 'close']);
    await expect.poll(() => ask('/readyz').catch(() => 'refused'), { timeout: 5000 }).toBe('refused');
    expect(await other.ended).toBe(0);
  });
});
