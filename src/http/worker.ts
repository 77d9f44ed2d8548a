import { parentPort, workerData } from 'node:worker_threads';
import { createChartReader } from '../engine/chart-reader.ts';
import { decide } from '../engine/decide.ts';
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
const readChart = createChartReader(guideline);
const evaluate = createEvaluate({ guideline, collect: collectSources, readChart, decide, ...rest });

parentPort?.on('message', async ({ id, job }: WorkerCall) => {
  parentPort?.postMessage({ id, answer: await evaluate(job) } satisfies WorkerReply);
});
parentPort?.postMessage('ready');
