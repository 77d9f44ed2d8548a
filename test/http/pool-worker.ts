import { parentPort } from 'node:worker_threads';
import type { WorkerCall, WorkerReply } from '../../src/http/pool.ts';

// A worker whose jobs say in `acceptLanguage` what to do, so that tests do not depend on how long work takes.
const held: WorkerCall[] = [];

parentPort?.on('message', (call: WorkerCall) => {
  switch (call.job.acceptLanguage) {
    case 'crash':
      throw new Error('crashed on purpose');
    case 'exit':
      process.exit(1);
      break;
    case 'spin':
      for (;;);
    case 'hold':
      held.push(call);
      break;
    case 'client':
      answer(call, call.client === undefined ? `place ${call.place}` : `${call.client.id} to place ${call.place}`);
      break;
    default:
      for (const one of held.splice(0)) answer(one);
      answer(call);
  }
});

function answer({ id, job }: WorkerCall, message = `${job.serviceId} ${job.body.byteLength}`): void {
  const error = { code: 'echo', status: 500, message };
  parentPort?.postMessage({ id, answer: { error } } satisfies WorkerReply);
}

parentPort?.postMessage('ready');
