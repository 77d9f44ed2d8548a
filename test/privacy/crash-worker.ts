import { parentPort } from 'node:worker_threads';
import type { WorkerCall } from '../../src/http/pool.ts';

// A worker that dies of every job, with the whole request in the message of its error.
parentPort?.on('message', ({ job }: WorkerCall) => {
  const text = Buffer.from(job.body).toString();
  if (job.acceptLanguage === 'reject') void Promise.reject(new TypeError(text));
  else throw new RangeError(text);
});
parentPort?.postMessage('ready');
