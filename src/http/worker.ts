import { parentPort, workerData } from 'node:worker_threads';
import type { Client } from '../clients/client.ts';
import { createChartReader } from '../engine/chart-reader.ts';
import { decide } from '../engine/decide.ts';
import { createTrim } from '../engine/trim.ts';
import { collectSources } from '../fhir/collect.ts';
import { loadKnowledge } from '../knowledge.ts';
import { createEvaluate } from './evaluate.ts';
import type { WorkerCall, WorkerReply } from './pool.ts';

/** What a worker thread is started with. */
export interface WorkerData {
  knowledgeFolder: string;
  /** Key of the patient pseudonyms. */
  patientKey: Uint8Array;
  /** Version of the program. */
  code: string;
  limits: { entries: number; depth: number };
}

const { knowledgeFolder, ...rest } = workerData as WorkerData;
const guideline = loadKnowledge(knowledgeFolder);
const readWhole = createChartReader(guideline);
const trim = createTrim(guideline);
const evaluate = createEvaluate({
  guideline,
  collect: collectSources,
  // What is decided from is what is recorded: a replay sees the same.
  readChart: (sources, options) => trim(readWhole(sources, options)),
  decide,
  ...rest,
});

const clients: Client[] = [];

parentPort?.on('message', async ({ id, job, place, client = clients[place] }: WorkerCall) => {
  if (client === undefined) throw new Error('A client was left out that was never sent.');
  clients[place] = client;
  const answer = await evaluate({ ...job, client });
  const moved = 'error' in answer ? [] : [answer.response.buffer, answer.record.json.buffer];
  parentPort?.postMessage({ id, answer } satisfies WorkerReply, moved);
});
parentPort?.postMessage('ready');
