import { createLog } from '../../src/http/log.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import { createPool } from '../../src/http/pool.ts';
import { listen } from '../../src/http/server.ts';
import { createTestApp } from '../http/fakes.ts';

// The HTTP edge over workers that die of every job, as a process of its own, so that all it prints can be read.
const log = createLog('debug');
const metrics = createMetrics();
const deadlineMs = 5_000;
const pool = createPool({
  module: new URL('crash-worker.ts', import.meta.url),
  workerData: undefined,
  workers: 2,
  jobsPerWorker: 1,
  queueLength: 10,
  largeBytes: 1_000_000,
  deadlineMs,
  onCrash(reason) {
    metrics.countCrash();
    log.event('error', `A worker thread ended (${reason}) and is replaced.`);
  },
});
await pool.started;
const { app } = createTestApp({ evaluate: pool.evaluate, log, metrics });
const { port } = await listen(app, { host: '127.0.0.1', port: 0, uploadMs: 5_000, deadlineMs, drainMs: 0 });
process.stdout.write(`${port}\n`);
