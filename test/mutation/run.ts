import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { readEquivalent } from './equivalent.ts';
import type { Verdict } from './judge.ts';

// Changes the knowledge one step at a time and lists the changes that no case notices.

/** The run stops by itself after so many seconds, with what it has. */
const mostSeconds = 280;

const shares = Math.min(availableParallelism(), 8);
const verdicts: Verdict[] = [];
let failing: readonly string[] = [];
const started = performance.now();
const seconds = (): number => Math.round((performance.now() - started) / 1000);
const workers = Array.from(
  { length: shares },
  (_, share) => new Worker(new URL('./worker.ts', import.meta.url), { workerData: { share, shares } }),
);

const ended = workers.map(
  (worker) =>
    new Promise<boolean>((resolve, reject) => {
      worker.on('message', (message: Verdict | { failing: readonly string[] }) => {
        if ('failing' in message) ({ failing } = message);
        else verdicts.push(message);
      });
      worker.on('error', reject);
      worker.on('exit', (code) => resolve(code === 0));
    }),
);
const progress = setInterval(() => console.error(`${verdicts.length} changes tried, ${seconds()} s`), 10_000);
const limit = setTimeout(() => {
  for (const worker of workers) void worker.terminate();
}, mostSeconds * 1000);
const isWhole = (await Promise.all(ended)).every(Boolean);
clearInterval(progress);
clearTimeout(limit);

const equivalent = readEquivalent();
const counted = verdicts.filter(({ name }) => !equivalent.has(name));
if (isWhole) {
  const made = new Map(verdicts.map((verdict) => [verdict.name, verdict.outcome]));
  tell(
    'Listed as equivalent, and made no more:',
    [...equivalent].filter((name) => !made.has(name)),
  );
  tell(
    'Listed as equivalent, and noticed:',
    [...equivalent].filter((name) => made.get(name) === 'noticed'),
  );
}

if (failing.length > 0) console.log(`${failing.length} case(s) fail as it is and took no part: ${failing.join('; ')}`);
list('Changes of what no case reads:', 'unread');
list('Changes that no case notices:', 'survived');
for (const change of [...new Set(counted.map((verdict) => verdict.change))].sort()) {
  console.log(`${change.padEnd(22)} ${rateOf(counted.filter((verdict) => verdict.change === change))}`);
}
console.log(
  `${'all'.padEnd(22)} ${rateOf(counted)}, ${verdicts.length - counted.length} equivalent, ${seconds()} s${isWhole ? '' : ', stopped before the end'}`,
);

function list(heading: string, outcome: Verdict['outcome']): void {
  const names = counted
    .filter((verdict) => verdict.outcome === outcome)
    .map(({ change, name }) => `${name} [${change}]`);
  tell(heading, names);
}

function tell(heading: string, names: readonly string[]): void {
  if (names.length === 0) return;
  const lines = names.toSorted((a, b) => a.localeCompare(b, 'en')).map((name) => `  ${name}`);
  console.log([heading, ...lines, ''].join('\n'));
}

function rateOf(tried: readonly Verdict[]): string {
  const count = (outcome: Verdict['outcome']): number => tried.filter((verdict) => verdict.outcome === outcome).length;
  const read = tried.length - count('unread');
  const rate = Math.round((100 * count('noticed')) / Math.max(read, 1));
  return `${count('noticed')} of ${read} noticed (${rate} %), ${count('unread')} not read`;
}
