import { Worker } from 'node:worker_threads';
import { type FeedbackItem, sealItems } from './feedback.ts';
import { createGroups } from './groups.ts';
import type { RecordEntry } from './record.ts';
import type { Call, Commands, Reply, ThreadData } from './sqlite-thread.ts';
import { type AuditStore, unavailable } from './store.ts';
import { createWriteCheck } from './write-check.ts';

export interface SqliteOptions {
  /** Milliseconds to wait while another process writes. */
  lockWait?: number;
  /** Records that may wait for a commit; more are refused, so that a stalled disk does not fill memory. */
  maxQueued?: number;
  /** Records of one transaction. */
  maxGroup?: number;
  /** Milliseconds after an append at which what was appended is counted. */
  rollUpAfter?: number;
  /** Milliseconds after an append at which what was appended is moved from the write-ahead log into the file. */
  checkpointAfter?: number;
}

const defaults = {
  lockWait: 2000,
  maxQueued: 1000,
  maxGroup: 64,
  rollUpAfter: 30_000,
  checkpointAfter: 1000,
} satisfies SqliteOptions;

/**
 * Keeps evaluations in SQLite files, one per month, in a folder.
 *
 * Nothing blocks the calling thread: one thread writes, whatever queued while it committed going into the next
 * transaction, and one reads. Opening never fails; a file that cannot be used fails each call until it can.
 */
export function openSqliteStore(folder: string, options: SqliteOptions = {}): AuditStore {
  const { lockWait, maxQueued, maxGroup, rollUpAfter, checkpointAfter } = { ...defaults, ...options };
  const writer = createThread({ folder, lockWait });
  const reader = createThread({ folder, lockWait });
  const { check, watch } = createWriteCheck(() => writer.call('check'));
  const groups = createGroups(
    watch((entries: RecordEntry[]) =>
      writer.move(
        entries.map(({ json }) => json.buffer),
        'append',
        entries,
      ),
    ),
    maxGroup,
  );
  let rollingUp: NodeJS.Timeout | undefined;
  let checkpointing: NodeJS.Timeout | undefined;
  let closed = false;

  async function append(entry: RecordEntry): Promise<void> {
    if (groups.waiting() >= maxQueued) throw unavailable(`${maxQueued} records already wait to be written.`);
    const refusal = await groups.add(entry);
    if (refusal !== null) throw unavailable(refusal);
    rollingUp ??= setTimeout(() => {
      rollingUp = undefined;
      // What cannot be counted now is counted when counts are asked for.
      if (!closed) writer.call('rollUp').catch(() => {});
    }, rollUpAfter).unref();
    checkpointing ??= setTimeout(() => {
      checkpointing = undefined;
      // By the thread that reads: every commit would wait for it on the other. What fails is done by a later commit.
      if (!closed) reader.call('checkpoint').catch(() => {});
    }, checkpointAfter).unref();
  }

  async function guard<Result>(run: () => Promise<Result>): Promise<Result> {
    if (closed) throw unavailable('The store is closed.');
    return run();
  }

  return {
    append: (entry) => guard(() => append(entry)),
    addFeedback: (items: readonly FeedbackItem[]) => guard(() => writer.call('addFeedback', sealItems(items))),
    countErasable: (of) => guard(() => reader.call('countErasable', of)),
    erase: (of) => guard(() => writer.call('erase', of)),
    reclaim: () => guard(() => writer.call('reclaim')),
    check: () => guard(check),
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
      clearTimeout(checkpointing);
      await groups.finished();
      await Promise.all([writer.close(), reader.close()]);
    },
  };
}

type Result<Name extends keyof Commands> = Awaited<ReturnType<Commands[Name]>>;

interface Thread {
  call<Name extends keyof Commands>(name: Name, ...args: Parameters<Commands[Name]>): Promise<Result<Name>>;
  /** As `call`; buffers go over instead of being copied, and are empty here from then on. */
  move<Name extends keyof Commands>(
    buffers: ArrayBuffer[],
    name: Name,
    ...args: Parameters<Commands[Name]>
  ): Promise<Result<Name>>;
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

  function move<Name extends keyof Commands>(
    buffers: ArrayBuffer[],
    name: Name,
    ...args: Parameters<Commands[Name]>
  ): Promise<Result<Name>> {
    running ??= start();
    const { worker, pending } = running;
    calls += 1;
    const message = { call: calls, name, args } as Call;
    return new Promise((resolve, reject) => {
      pending.set(message.call, { resolve: resolve as (result: unknown) => void, reject });
      worker.postMessage(message, buffers);
    });
  }

  const call: Thread['call'] = (name, ...args) => move([], name, ...args);

  return {
    call,
    move,
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
