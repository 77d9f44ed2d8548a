import { Worker } from 'node:worker_threads';
import { UnavailableError } from '../errors.ts';
import { type FeedbackItem, sealFeedback } from './feedback.ts';
import type { RecordEntry } from './record.ts';
import type { Call, Commands, Reply, ThreadData } from './sqlite-thread.ts';
import type { AuditStore } from './store.ts';

export interface SqliteOptions {
  /** Milliseconds to wait while another process writes. */
  lockWait?: number;
  /** Records that may wait for a commit; more are refused, so that a stalled disk does not fill memory. */
  maxQueued?: number;
  /** Records of one transaction. */
  maxGroup?: number;
  /** Milliseconds after an append at which what was appended is counted. */
  rollUpAfter?: number;
}

const defaults = { lockWait: 2000, maxQueued: 1000, maxGroup: 64, rollUpAfter: 30_000 } satisfies SqliteOptions;

interface Waiting {
  entry: RecordEntry;
  resolve: () => void;
  reject: (reason: unknown) => void;
}

/**
 * Keeps evaluations in one SQLite file.
 *
 * Nothing blocks the calling thread: one thread writes, whatever queued while it committed going into the next
 * transaction, and one reads. Opening never fails; a file that cannot be used fails each call until it can.
 */
export function openSqliteStore(file: string, options: SqliteOptions = {}): AuditStore {
  const { lockWait, maxQueued, maxGroup, rollUpAfter } = { ...defaults, ...options };
  const writer = createThread({ file, lockWait });
  const reader = createThread({ file, lockWait });
  const queue: Waiting[] = [];
  let writing: Promise<void> | undefined;
  let rollingUp: NodeJS.Timeout | undefined;
  let closed = false;

  async function writeQueue(): Promise<void> {
    while (queue.length > 0) {
      const group = queue.splice(0, maxGroup);
      try {
        const refusals = await writer.call(
          'append',
          group.map(({ entry }) => entry),
        );
        for (const [place, { resolve, reject }] of group.entries()) {
          const refusal = refusals[place];
          if (typeof refusal === 'string') reject(unavailable(refusal));
          else resolve();
        }
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    writing = undefined;
    rollingUp ??= setTimeout(() => {
      rollingUp = undefined;
      // What cannot be counted now is counted when counts are asked for.
      if (!closed) writer.call('rollUp').catch(() => {});
    }, rollUpAfter).unref();
  }

  async function guard<Result>(run: () => Promise<Result>): Promise<Result> {
    if (closed) throw unavailable('The store is closed.');
    return run();
  }

  return {
    append: (entry) =>
      guard(() => {
        if (queue.length >= maxQueued) throw unavailable(`${maxQueued} records already wait to be written.`);
        return new Promise((resolve, reject) => {
          queue.push({ entry, resolve, reject });
          writing ??= writeQueue();
        });
      }),
    addFeedback: (items: readonly FeedbackItem[]) => guard(() => writer.call('addFeedback', items.map(sealFeedback))),
    erasePatient: (patientKey) => guard(() => writer.call('erasePatient', patientKey)),
    check: () => guard(() => writer.call('check')),
    evaluation: (id) => guard(() => reader.call('evaluation', id)),
    evaluations: (query) => guard(() => reader.call('evaluations', query)),
    scan: (query) => guard(() => reader.call('scan', query)),
    counts: (query) =>
      guard(async () => {
        await writer.call('rollUp');
        return reader.call('counts', query);
      }),
    comments: (id) => guard(() => reader.call('comments', id)),
    recordView: (view) => guard(() => writer.call('recordView', view)),
    views: (query) => guard(() => reader.call('views', query)),
    verify: () => guard(() => reader.call('verify')),
    async close() {
      closed = true;
      clearTimeout(rollingUp);
      await writing;
      await Promise.all([writer.close(), reader.close()]);
    },
  };
}

type Result<Name extends keyof Commands> = Awaited<ReturnType<Commands[Name]>>;

interface Thread {
  call<Name extends keyof Commands>(name: Name, ...args: Parameters<Commands[Name]>): Promise<Result<Name>>;
  close(): Promise<void>;
}

type Pending = Map<number, { resolve: (result: unknown) => void; reject: (reason: unknown) => void }>;

/** Starts the thread at the first call and again after it died. */
function createThread(data: ThreadData): Thread {
  let running: { worker: Worker; pending: Pending } | undefined;
  let calls = 0;

  function start(): { worker: Worker; pending: Pending } {
    const worker = new Worker(new URL('./sqlite-thread.ts', import.meta.url), { workerData: data });
    const pending: Pending = new Map();
    worker.on('message', (reply: Reply) => {
      const waiting = pending.get(reply.call);
      pending.delete(reply.call);
      if ('failure' in reply) waiting?.reject(unavailable(reply.failure));
      else waiting?.resolve(reply.result);
    });
    const fail = (why: string) => {
      if (running?.worker === worker) running = undefined;
      for (const { reject } of pending.values()) reject(unavailable(why));
      pending.clear();
    };
    worker.on('error', (error) => fail(String(error)));
    worker.on('exit', () => fail('The thread of the store ended.'));
    return { worker, pending };
  }

  function call<Name extends keyof Commands>(name: Name, ...args: Parameters<Commands[Name]>): Promise<Result<Name>> {
    running ??= start();
    const { worker, pending } = running;
    calls += 1;
    const message = { call: calls, name, args } as Call;
    return new Promise((resolve, reject) => {
      pending.set(message.call, { resolve: resolve as (result: unknown) => void, reject });
      worker.postMessage(message);
    });
  }

  return {
    call,
    async close() {
      if (running === undefined) return;
      const { worker } = running;
      try {
        await call('close');
      } finally {
        await worker.terminate();
      }
    },
  };
}

function unavailable(why: string): UnavailableError {
  return new UnavailableError('audit', 'The audit record could not be stored or read. Try again shortly.', 1, {
    cause: new Error(why),
  });
}
