import { parentPort, workerData } from 'node:worker_threads';
import { createJudge } from './judge.ts';

// Judges every n-th change and tells the main thread of each.

const { share, shares } = workerData as { share: number; shares: number };
const judge = createJudge();
parentPort?.postMessage({ failing: judge.failing });
let index = 0;
for (const mutant of judge.mutants) {
  if (index % shares === share) parentPort?.postMessage(judge.judge(mutant));
  index += 1;
}
