import { afterEach, describe, expect, it } from 'vitest';
import { type Client, demoClient } from '../../src/clients/client.ts';
import type { Answer, Job } from '../../src/http/evaluate.ts';
import { createPool, type Pool, type PoolOptions } from '../../src/http/pool.ts';

const small = 10;
const large = 1000;
const open: Pool[] = [];

async function startPool(changes: Partial<PoolOptions> = {}): Promise<Pool> {
  const pool = createPool({
    module: new URL('./pool-worker.ts', import.meta.url),
    workerData: undefined,
    workers: 2,
    jobsPerWorker: 2,
    queueLength: 10,
    largeBytes: 100,
    deadlineMs: 10_000,
    ...changes,
  });
  open.push(pool);
  await pool.started;
  return pool;
}

const job = (bytes: number, task?: 'crash' | 'exit' | 'spin' | 'hold' | 'client'): Job => ({
  body: new Uint8Array(bytes),
  serviceId: 'service',
  client: demoClient,
  receivedAt: '2026-01-01T00:00:00.000Z',
  collectUntil: 0,
  evaluationId: 'e',
  ...(task === undefined ? {} : { acceptLanguage: task }),
});

const codeOf = (answer: Answer): string => ('error' in answer ? answer.error.code : 'answered');

afterEach(async () => {
  await Promise.all(open.splice(0).map((pool) => pool.close()));
});

describe('the worker pool', () => {
  it('answers jobs, and moves their bytes instead of copying them', async () => {
    const pool = await startPool();
    const asked = job(small);
    expect(await pool.evaluate(asked)).toEqual({ error: { code: 'echo', status: 500, message: 'service 10' } });
    expect(asked.body.byteLength).toBe(0);
  });

  const askAs = async (pool: Pool, client: Client): Promise<string> => {
    const answer = await pool.evaluate({ ...job(small, 'client'), client });
    return 'error' in answer ? answer.error.message : '';
  };

  it('sends a worker each client of a profile once, though tenants share its id', async () => {
    const pool = await startPool();
    const south = { ...demoClient };
    const said: string[] = [];
    for (const client of [demoClient, south, demoClient, south]) said.push(await askAs(pool, client));
    expect(said).toEqual(['demo to place 0', 'demo to place 1', 'place 0', 'place 1']);
  });

  it('keeps so many clients, and lets go of the one longest not used', async () => {
    const pool = await startPool();
    const clients = Array.from({ length: 256 }, () => ({ ...demoClient }));
    for (const client of clients) await askAs(pool, client);
    const [first = demoClient, second = demoClient] = clients;
    expect(await askAs(pool, first)).toBe('place 0');
    expect(await askAs(pool, { ...demoClient })).toBe('demo to place 1');
    expect(await askAs(pool, second)).toBe('demo to place 2');
  });

  it('gives a job to the worker with the fewest', async () => {
    const pool = await startPool();
    const first = pool.evaluate(job(small, 'hold'));
    // On the other worker: the first, which answers what it holds with its next job, is not asked.
    expect(codeOf(await pool.evaluate(job(small)))).toBe('echo');
    expect(pool.load()).toEqual({ waiting: 0, running: 1 });
    await pool.close();
    expect(codeOf(await first)).toBe('internal');
  });

  it('does not let small jobs wait behind large ones', async () => {
    const pool = await startPool();
    const stuck = pool.evaluate(job(large, 'hold'));
    const queued = pool.evaluate(job(large));
    expect(pool.load()).toEqual({ waiting: 1, running: 1 });
    for (let count = 0; count < 5; count++) expect(codeOf(await pool.evaluate(job(small)))).toBe('echo');
    expect(pool.load()).toEqual({ waiting: 1, running: 1 });
    await pool.close();
    expect([codeOf(await stuck), codeOf(await queued)]).toEqual(['internal', 'draining']);
  });

  it('gives a worker that has a large job nothing else', async () => {
    const pool = await startPool({ jobsPerWorker: 1 });
    const held = [pool.evaluate(job(large, 'hold')), pool.evaluate(job(small, 'hold'))];
    void pool.evaluate(job(small));
    expect(pool.load()).toEqual({ waiting: 1, running: 2 });
    await pool.close();
    await Promise.all(held);
  });

  it('runs large jobs on all workers but one', async () => {
    const pool = await startPool({ workers: 3 });
    for (let count = 0; count < 3; count++) void pool.evaluate(job(large, 'hold'));
    expect(pool.load()).toEqual({ waiting: 1, running: 2 });
  });

  it('gives a waiting large job its turn when another is done', async () => {
    const pool = await startPool();
    const answers = await Promise.all(Array.from({ length: 5 }, () => pool.evaluate(job(large))));
    expect(answers.map(codeOf)).toEqual(Array(5).fill('echo'));
  });

  it('refuses jobs when too many wait', async () => {
    const pool = await startPool({ jobsPerWorker: 1, queueLength: 1 });
    for (let count = 0; count < 3; count++) void pool.evaluate(job(small, 'hold'));
    expect(await pool.evaluate(job(small))).toMatchObject({
      error: { code: 'overloaded', status: 503, retryAfter: 1 },
    });
  });

  it('answers 503 at the deadline, and forgets a job that still waited', async () => {
    const pool = await startPool({ jobsPerWorker: 1, deadlineMs: 100 });
    const answers = await Promise.all([1, 2, 3].map(() => pool.evaluate(job(small, 'hold'))));
    expect(answers.map(codeOf)).toEqual(['deadline', 'deadline', 'deadline']);
    expect(pool.load().waiting).toBe(0);
  });

  it.each(['crash', 'exit'] as const)(
    'answers 500 to the jobs of a worker that dies (%s), and replaces it',
    async (task) => {
      const crashes: string[] = [];
      const pool = await startPool({ onCrash: (reason) => crashes.push(reason) });
      const held = pool.evaluate(job(small, 'hold'));
      const beside = pool.evaluate(job(small, 'hold'));
      const answers = await Promise.all([
        pool.evaluate(job(small, task)),
        pool.evaluate(job(small, task)),
        held,
        beside,
      ]);
      expect(answers.map(codeOf)).toEqual(Array(4).fill('internal'));
      expect(codeOf(await pool.evaluate(job(small)))).toBe('echo');
      expect(crashes).toHaveLength(2);
    },
  );

  it('replaces a worker that is stuck', async () => {
    const crashes: string[] = [];
    const pool = await startPool({ deadlineMs: 100, onCrash: (reason) => crashes.push(reason) });
    expect(codeOf(await pool.evaluate(job(small, 'spin')))).toBe('deadline');
    await expect.poll(() => crashes).toEqual(['stuck']);
    await expect.poll(() => pool.load().running).toBe(0);
    // Not before the new one is ready, which takes a busy machine longer than the deadline.
    await expect.poll(async () => codeOf(await pool.evaluate(job(large))), { timeout: 20_000 }).toBe('echo');
  });

  it('says so when its workers cannot start', async () => {
    await expect(startPool({ module: new URL('./no-such-worker.ts', import.meta.url) })).rejects.toThrow();
    expect(open[0]?.isReady()).toBe(false);
  });

  it('refuses jobs once closed', async () => {
    const pool = await startPool();
    await pool.close();
    expect(pool.isReady()).toBe(false);
    expect(codeOf(await pool.evaluate(job(small)))).toBe('draining');
  });
});
