// `npm run bench-audit`: how fast the audit answers over many records, and what exports of them take.
import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openStore } from '../../src/audit/open-store.ts';
import { loadPatientKey } from '../../src/audit/patient-key.ts';
import { createReplay } from '../../src/audit/replay.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { adaptRecorded } from '../../src/http/adapt.ts';
import { startPostgres } from '../audit/postgres-server.ts';
import { guideline } from '../cds-services/decide-cases.ts';
import { reviewerToken, serveViewer } from '../viewer/serve.ts';
import { fillStore, makeTemplates, type Template, timeOf } from './fill.ts';
import type { Usage } from './meter.ts';

/** Calls of each page; the median is told. */
const rounds = 5;
/** Milliseconds a page may take. */
const pageAim = 300;
/** Milliseconds a reader looks at the first page before the next. */
const readerPause = 2000;
const leastReplayed = 5000;
/** Evaluations a second on one core. */
const replayAim = 1000;
const formats = ['csv', 'ndjson', 'auditevent'] as const;
const newline = 0x0a;
/** Times an export's memory is looked at on its way. */
const residentLooks = 4;

const { values } = parseArgs({
  options: { records: { type: 'string', default: '1000000' }, store: { type: 'string', default: 'sqlite,postgres' } },
});
const records = Number(values.records);
const runs = { sqlite: measureSqlite, postgres: measurePostgres };
const stores = values.store.split(',').map((name) => {
  if (name === 'sqlite' || name === 'postgres') return name;
  throw new Error('--store: expected sqlite, postgres or both with a comma.');
});

console.log(`Node ${process.versions.node}, ${availableParallelism()} cores`);
const templates = await makeTemplates();
timeReplay();
for (const name of stores) await runs[name]();

async function measureSqlite(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-audit-'));
  try {
    await measure('SQLite', folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measurePostgres(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-audit-'));
  const server = await startPostgres();
  try {
    await measure('PostgreSQL', folder, await server.createDatabase());
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

/** Fills a store, opens its pages and exports it. */
async function measure(name: string, dataDir: string, databaseUrl?: string): Promise<void> {
  const { store } = openStore({ dataDir, databaseUrl }, loadPatientKey(join(dataDir, 'patient-key')));
  const started = performance.now();
  await fillStore(store, templates, records);
  console.log(`\n${name}: ${records} records stored in ${secondsSince(started)} s${sayLoad()}`);
  const counting = performance.now();
  await store.counts({ from: '2026-11-23', to: '2026-11-24', per: 'day' });
  console.log(`counted what was left in ${secondsSince(counting)} s`);
  await timePages(store);
  await store.close();
  const environment = { DATA_DIR: dataDir, ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }) };
  const tenth = Math.floor(records / 10);
  for (const count of [tenth, records]) {
    // Side by side: each is told by what its own process used.
    await Promise.all(formats.map((format) => timeExport(format, count, environment)));
  }
}

async function timePages(store: AuditStore): Promise<void> {
  const served = serveViewer(store);
  const server = served.app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const [first] = await store.evaluations({ limit: 1, before: 1000 });
  const [last] = await store.evaluations({ limit: 1 });
  const pages = [
    ['overview, 90 days', '/audit'],
    ['evaluation', `/audit/evaluations/${first?.id}`],
    ['overview, 365 days', '/audit?from=2025-11-24&to=2026-11-23'],
    ['decision, 365 days', '/audit/decisions/MAS-02?from=2025-11-24&to=2026-11-23'],
    ['list', '/audit/evaluations'],
    ['list, page deep in the chain', '/audit/evaluations?before=5000'],
    ['list by decision', '/audit/evaluations?decision=MAS-02'],
    ['list by decision not met', '/audit/evaluations?decision=MAS-02&outcome=not-met'],
    ['list by outcome', '/audit/evaluations?outcome=unknown'],
    ['list by failure (none)', '/audit/evaluations?outcome=error'],
    ['list by card', '/audit/evaluations?topic=acute'],
    ['list by card (none)', '/audit/evaluations?topic=nothing'],
    ['list by override reason', '/audit/evaluations?reason=patient-refuses'],
    ['list by override reason (none)', '/audit/evaluations?reason=nothing'],
    ['list by source', '/audit/evaluations?key=reports&state=failed'],
    ['list by client', '/audit/evaluations?client=rare'],
    ['list by client (none)', '/audit/evaluations?client=nobody'],
    ['list by client and hook', '/audit/evaluations?client=rare&hook=order-sign'],
    ['list by patient', `/audit/evaluations?patientKey=${last?.patientKey}`],
    ['list by hook instance', `/audit/evaluations?hookInstance=${first?.hookInstance}`],
    ['list by an early week', '/audit/evaluations?from=2025-12-01&to=2025-12-07'],
    ['list by decision in an early week', '/audit/evaluations?decision=MAS-02&from=2025-12-01&to=2025-12-07'],
    ['list by client in an early week', '/audit/evaluations?client=rare&from=2025-12-01&to=2025-12-07'],
    ['list by decision of a client', '/audit/evaluations?decision=MAS-02&client=rare'],
    ['views', '/audit/views'],
  ] as const;
  for (const [place, [name, path]] of pages.entries()) {
    if (place === 1) await wait(readerPause);
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const started = performance.now();
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        headers: { authorization: `Bearer ${reviewerToken}` },
      });
      await response.text();
      if (response.status !== 200) throw new Error(`${path} answered ${response.status}`);
      times.push(performance.now() - started);
    }
    const slowest = Math.max(...times);
    const aim = slowest > pageAim ? `  ABOVE ${pageAim}` : '';
    console.log(
      `${name.padEnd(36)} ${median(times).toFixed(0).padStart(6)} ms (first ${times[0]?.toFixed(0)}, slowest ${slowest.toFixed(0)})${aim}`,
    );
  }
  server.close();
  server.closeAllConnections();
  await served.close();
}

/** The command in a process of its own, over the first records of the store. */
async function timeExport(
  format: (typeof formats)[number],
  count: number,
  environment: Record<string, string>,
): Promise<void> {
  const [command, hook] = ['../../src/cli/audit.ts', './tell-usage.ts'].map((file) =>
    fileURLToPath(new URL(file, import.meta.url)),
  ) as [string, string];
  const started = performance.now();
  const options: SpawnOptions = {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  };
  const to = timeOf(count, records);
  const child = spawn(process.execPath, ['--import', hook, command, 'export', '--format', format, '--to', to], options);
  const told = text(child.stdio[3] as Readable);
  let [bytes, lines] = [0, format === 'csv' ? -1 : 0];
  const resident: number[] = [];
  child.stdout?.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) lines += 1;
    if (lines >= ((resident.length + 1) * count) / residentLooks) resident.push(readResident(child.pid));
  });
  const [code] = await once(child, 'close');
  if (code !== 0 || lines !== count) throw new Error(`The export as ${format} ended with ${code} after ${lines} rows.`);
  const { cpuMs, peakMegabytes } = JSON.parse(await told) as Usage;
  console.log(
    `export of ${count} evaluations as ${format}: peak ${peakMegabytes.toFixed(0)} MB resident, by quarters ${resident.map((each) => each.toFixed(0)).join(', ')}; ${(cpuMs / 1000).toFixed(1)} s of CPU, ${secondsSince(started)} s, ${(bytes / 1e6).toFixed(0)} MB${sayLoad()}`,
  );
}

/** Megabytes a process holds now; NaN where the system does not tell. */
function readResident(pid: number | undefined): number {
  try {
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}

function timeReplay(): void {
  const replay = createReplay(guideline, adaptRecorded);
  const texts = templates.map(({ record }: Template) => JSON.stringify(record));
  for (const each of texts) replay(JSON.parse(each));
  const started = process.cpuUsage();
  let replayed = 0;
  while (replayed < leastReplayed) {
    for (const each of texts) if (!replay(JSON.parse(each)).isIdentical) throw new Error('Not the same');
    replayed += texts.length;
  }
  const { user, system } = process.cpuUsage(started);
  const perSecond = replayed / ((user + system) / 1e6);
  const aim = perSecond < replayAim ? `  BELOW ${replayAim}` : '';
  console.log(`replay of ${replayed} evaluations: ${perSecond.toFixed(0)} per second of CPU${aim}`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function secondsSince(started: number): string {
  return ((performance.now() - started) / 1000).toFixed(1);
}

/** Of the last minute: what wall-clock figures are worth. */
function sayLoad(): string {
  return ` (load ${(loadavg()[0] ?? 0).toFixed(1)})`;
}
