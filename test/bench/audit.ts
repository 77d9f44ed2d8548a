import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type EvaluationRecord, type RecordEntry, sealRecord } from '../../src/audit/record.ts';
import { createReplay } from '../../src/audit/replay.ts';
import { openSqliteStore } from '../../src/audit/sqlite.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { deriveUuid } from '../../src/engine/suggestions.ts';
import { adaptRecorded } from '../../src/http/adapt.ts';
import { recordCase } from '../audit/replay-data.ts';
import { guideline, readCases } from '../cds-services/decide-cases.ts';
import { createNumbers, now } from '../viewer/seed.ts';
import { reviewerToken, serveViewer } from '../viewer/serve.ts';

// How fast the audit answers over many records: `npm run bench-audit -- --records 1000000`. Records are real ones of
// the cases, stored again and again under other ids and times; only their ids differ from what was sealed.

const days = 365;
const millisecondsPerDay = 86_400_000;
/** Appended at a time. */
const groupSize = 2000;
/** Calls of each page; the median is told. */
const rounds = 5;
const newline = 0x0a;

async function makeTemplates(): Promise<{ record: EvaluationRecord; entry: RecordEntry }[]> {
  const records = await Promise.all(readCases().map((testCase) => recordCase(testCase)));
  return records.flatMap((record) => (record === undefined ? [] : [{ record, entry: sealRecord(record) }]));
}

async function fill(store: AuditStore, templates: readonly RecordEntry[], count: number): Promise<void> {
  const next = createNumbers(3);
  const step = (days * millisecondsPerDay) / count;
  for (let first = 0; first < count; first += groupSize) {
    const entries = Array.from({ length: Math.min(groupSize, count - first) }, (_, at): RecordEntry => {
      const template = templates[Math.floor(next() * templates.length)] as RecordEntry;
      const id = deriveUuid('bench', String(first + at));
      const time = new Date(now.getTime() - (count - first - at) * step).toISOString();
      const cards = template.index.cards.map((card, place) => ({ ...card, uuid: deriveUuid(id, String(place)) }));
      const isFailing = next() < 0.001;
      return {
        ...template,
        json: template.json.slice(),
        index: {
          ...template.index,
          ...{
            id,
            time,
            cards,
            hookInstance: id,
            patientKey: deriveUuid('patient', String(Math.floor(next() * 50_000))),
          },
          client: next() < 0.999 ? 'region' : 'rare',
          milliseconds: 1 + next() * 20,
          ...(isFailing && { unknownKeys: [{ key: 'reports', state: 'failed' as const }] }),
        },
      };
    });
    await Promise.all(entries.map((entry) => store.append(entry)));
    const answered = entries.flatMap(({ index }) => index.cards.slice(0, 1)).filter(() => next() < 0.02);
    await store.addFeedback(
      answered.map(({ uuid }) => ({
        ...{ client: 'region', service: 's', card: uuid, outcome: 'overridden' as const, acceptedSuggestions: [] },
        ...{ outcomeTimestamp: now.toISOString(), receivedAt: now.toISOString(), reason: { code: 'patient-refuses' } },
      })),
    );
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

async function timePages(store: AuditStore): Promise<void> {
  const served = serveViewer(store);
  const server = served.app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const [first] = await store.evaluations({ limit: 1, before: 1000 });
  const pages = [
    ['overview, 90 days', '/audit'],
    ['overview, 365 days', '/audit?from=2025-11-24&to=2026-11-23'],
    ['decision, 365 days', '/audit/decisions/MAS-02?from=2025-11-24&to=2026-11-23'],
    ['list', '/audit/evaluations'],
    ['list, page deep in the chain', '/audit/evaluations?before=5000'],
    ['list by decision', '/audit/evaluations?decision=MAS-02'],
    ['list by decision not met', '/audit/evaluations?decision=MAS-02&outcome=not-met'],
    ['list by failure (none)', '/audit/evaluations?outcome=error'],
    ['list by card', '/audit/evaluations?topic=acute'],
    ['list by override reason', '/audit/evaluations?reason=patient-refuses'],
    ['list by source', '/audit/evaluations?key=reports&state=failed'],
    ['list by client', '/audit/evaluations?client=rare'],
    ['list by client (none)', '/audit/evaluations?client=nobody'],
    ['list by an early week', '/audit/evaluations?from=2025-12-01&to=2025-12-07'],
    ['list by decision in an early week', '/audit/evaluations?decision=MAS-02&from=2025-12-01&to=2025-12-07'],
    ['evaluation', `/audit/evaluations/${first?.id}`],
  ] as const;
  for (const [name, path] of pages) {
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
    console.log(`${name.padEnd(36)} ${median(times).toFixed(0).padStart(6)} ms (first ${times[0]?.toFixed(0)})`);
  }
  const started = performance.now();
  let [bytes, lines, peak] = [0, 0, 0];
  const response = await fetch(`http://127.0.0.1:${port}/audit/export.csv`, {
    headers: { authorization: `Bearer ${reviewerToken}` },
  });
  const before = process.memoryUsage().rss;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    for (const byte of chunk as Uint8Array) if (byte === newline) lines += 1;
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  const seconds = (performance.now() - started) / 1000;
  const mebibytes = (value: number) => `${(value / 1024 / 1024).toFixed(0)} MiB`;
  console.log(
    `export of ${lines - 1} evaluations as CSV: ${seconds.toFixed(1)} s, ${mebibytes(bytes)}; resident ${mebibytes(before)} before, ${mebibytes(peak)} at most`,
  );
  server.close();
  server.closeAllConnections();
  await served.close();
}

function timeReplay(records: readonly EvaluationRecord[]): void {
  const replay = createReplay(guideline, adaptRecorded);
  const texts = records.map((record) => JSON.stringify(record));
  for (const text of texts) replay(JSON.parse(text));
  const started = process.cpuUsage();
  let replayed = 0;
  while (replayed < 5000) {
    for (const text of texts) if (!replay(JSON.parse(text)).isIdentical) throw new Error('Not the same');
    replayed += texts.length;
  }
  const { user, system } = process.cpuUsage(started);
  console.log(
    `replay of ${replayed} evaluations: ${Math.round(replayed / ((user + system) / 1e6))} per second of one core`,
  );
}

const { values } = parseArgs({ options: { records: { type: 'string', default: '1000000' } } });
const folder = mkdtempSync(join(tmpdir(), 'bench-audit-'));
try {
  const templates = await makeTemplates();
  timeReplay(templates.map(({ record }) => record));
  const store = openSqliteStore(join(folder, 'records'), { maxGroup: groupSize, maxQueued: 2 * groupSize });
  const started = performance.now();
  await fill(
    store,
    templates.map(({ entry }) => entry),
    Number(values.records),
  );
  console.log(`${values.records} records stored in ${((performance.now() - started) / 1000).toFixed(0)} s`);
  const counting = performance.now();
  await store.counts({ from: '2026-11-23', to: '2026-11-24', per: 'day' });
  console.log(`counted what was left in ${((performance.now() - counting) / 1000).toFixed(1)} s`);
  await timePages(store);
  await store.close();
} finally {
  rmSync(folder, { recursive: true });
}
