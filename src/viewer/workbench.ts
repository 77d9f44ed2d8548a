import { Worker } from 'node:worker_threads';
import type { EvaluationRecord } from '../audit/record.ts';
import type { Replay } from '../audit/replay.ts';
import { createReplaySummary, listChanges, type ReplayRow } from '../audit/replay-summary.ts';
import { scanEvaluations } from '../audit/scan.ts';
import type { AuditStore, EvaluationConditions } from '../audit/store.ts';
import type { Comparison } from './compare-page.ts';
import type { Explanation } from './evaluation-page.ts';
import type { WorkbenchCall, WorkbenchCommands, WorkbenchReply } from './workbench-thread.ts';

/** Works out what pages show beside what is stored, in a thread of its own: no call of a service waits for it. */
export interface Workbench {
  /** Names of other knowledge to compare with. */
  choices: readonly string[];
  /** Starts the thread and has it load its knowledge, so that the first page that needs it does not wait for that. */
  warmUp(): void;
  explain(record: EvaluationRecord): Promise<Explanation>;
  /**
   * Decides the first evaluations that meet the conditions again, oldest first.
   *
   * @param knowledge One of `choices`; empty: the one loaded.
   */
  compare(store: AuditStore, conditions: EvaluationConditions, knowledge: string, most: number): Promise<Comparison>;
  close(): Promise<void>;
}

/** Evaluations handed over at a time. */
const batchSize = 50;
/** Changes told on a page. */
const mostRows = 200;

/** Makes the workbench; its thread starts with the first call or {@link Workbench.warmUp}, and again after it died. */
export function createWorkbench(knowledgeFolder: string, choices: Readonly<Record<string, string>>): Workbench {
  let running: Worker | undefined;
  let calls = 0;
  const pending = new Map<number, { resolve: (result: never) => void; reject: (reason: unknown) => void }>();

  function start(): Worker {
    const worker = new Worker(new URL('./workbench-thread.ts', import.meta.url), {
      workerData: { folders: { ...choices, '': knowledgeFolder } },
    });
    worker.on('message', (reply: WorkbenchReply) => {
      const waiting = pending.get(reply.call);
      pending.delete(reply.call);
      if ('failure' in reply) waiting?.reject(new Error(reply.failure));
      else waiting?.resolve(reply.result as never);
    });
    worker.once('error', () => {});
    worker.once('exit', () => {
      running = undefined;
      for (const { reject } of pending.values()) reject(new Error('The thread of the workbench ended.'));
      pending.clear();
    });
    worker.unref();
    return worker;
  }

  function call<Name extends keyof WorkbenchCommands>(
    name: Name,
    ...args: Parameters<WorkbenchCommands[Name]>
  ): Promise<ReturnType<WorkbenchCommands[Name]>> {
    running ??= start();
    calls += 1;
    const message = { call: calls, name, args } as WorkbenchCall;
    return new Promise((resolve, reject) => {
      pending.set(message.call, { resolve, reject });
      running?.postMessage(message);
    });
  }

  return {
    choices: Object.keys(choices),
    warmUp() {
      // What keeps it from starting is told by the call that needs it.
      if (running === undefined) call('warmUp').catch(() => {});
    },
    explain: (record) => call('explain', record),
    async compare(store, conditions, knowledge, most) {
      const summary = createReplaySummary();
      const rows: ReplayRow[] = [];
      let hasMore = false;
      let batch: Uint8Array[] = [];
      const take = (replays: readonly (Replay | 'unreadable')[]) => {
        for (const replay of replays) {
          summary.add(replay);
          for (const row of replay === 'unreadable' ? [] : listChanges(replay)) {
            if (rows.length < mostRows) rows.push(row);
            else hasMore = true;
          }
        }
      };
      for await (const { content } of scanEvaluations(store, conditions, most)) {
        if (content === undefined) summary.add('erased');
        else batch.push(content);
        if (batch.length < batchSize) continue;
        take(await call('replay', knowledge, batch));
        batch = [];
      }
      take(await call('replay', knowledge, batch));
      return { summary: summary.read(), rows, hasMore };
    },
    async close() {
      await running?.terminate();
    },
  };
}
