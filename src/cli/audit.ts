import { createWriteStream, existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { conditionNames, readConditions } from '../audit/conditions.ts';
import {
  buildAuditEvent,
  buildMeasureReport,
  csvHeader,
  readRecord,
  writeCsvRow,
  writeNdjsonRow,
} from '../audit/exports.ts';
import { openStore } from '../audit/open-store.ts';
import { loadPatientKey } from '../audit/patient-key.ts';
import { pseudonymizePatient } from '../audit/record.ts';
import { createReplay } from '../audit/replay.ts';
import {
  changeHeader,
  createReplaySummary,
  listChanges,
  type ReplayRow,
  writeChangeRow,
} from '../audit/replay-summary.ts';
import { scanEvaluations } from '../audit/scan.ts';
import { findLastDay, makersOf, summarizeCounts } from '../audit/statistics.ts';
import type { AuditStore, Erasure, SealedEvaluation } from '../audit/store.ts';
import { readConfig } from '../config.ts';
import type { CompiledGuideline } from '../engine/guideline.ts';
import { CdsError, ConfigError, RequestError } from '../errors.ts';
import { adaptRecorded } from '../http/adapt.ts';
import { loadKnowledge } from '../knowledge.ts';
import { renderReport } from '../viewer/compare-page.ts';

const usage = `npm run audit -- <command> [conditions] [options]

  verify [--head SEQ:HASH]          finds records that were changed, removed or put in; --head: the chain must hold this link
  replay [--knowledge DIR]          decides again from the record and tells what comes out otherwise
         [--csv FILE] [--html FILE] [--language da|en]
  query [--limit N]                 lists evaluations, newest first
  export --format csv|ndjson|auditevent [--out FILE]
  export --format measurereport --month 2026-01 [--out FILE]
  stats [--from] [--to] [--per day|week|month] [--client]
                                    how often decisions fired and what became of their cards, as JSON
  erase --client ID [--tenant T] --patientId ID | --patientKey KEY   all of one patient
  erase --before 2024-11 | 2024-11-05                                all received before a month or day of UTC
                                    says how many records it would erase; with --yes, erases them for good

  conditions: --from --to (days of UTC, or times) --client --hook --decision MAS-02 --outcome met|not-met|unknown|error
              --topic --reason CODE --key reports --state missing|failed|truncated --hookInstance --patientKey
  Exit code 1: the chain does not hold, or the same knowledge does not give what was recorded.`;

/** What the commands work with. */
export interface AuditTools {
  store: AuditStore;
  guideline: CompiledGuideline;
  out: Writable;
  feedbackDays: number;
  now: Date;
  /** The key patients stand under in the store. */
  patientKey: Uint8Array;
  /** Who runs the command, for what is recorded of it. */
  who: string;
}

const options = {
  ...Object.fromEntries(conditionNames.map((name) => [name, { type: 'string' } as const])),
  ...Object.fromEntries(
    [
      ...['head', 'knowledge', 'csv', 'html', 'language', 'limit', 'format', 'month', 'out', 'per'],
      ...['before', 'tenant', 'patientId'],
    ].map((name) => [name, { type: 'string' } as const]),
  ),
};
type Given = Readonly<Record<string, string | undefined>>;

/**
 * Runs one command over a store.
 *
 * @returns Its exit code.
 * @throws {@link RequestError} naming the option that is wrong.
 */
export async function runAudit(args: readonly string[], tools: AuditTools): Promise<number> {
  const { command, given, yes } = readArguments(args);
  switch (command) {
    case 'verify':
      return verify(given, tools);
    case 'replay':
      return replay(given, tools);
    case 'query':
      return query(given, tools);
    case 'export':
      return exportRecords(given, tools);
    case 'stats':
      return tellStatistics(given, tools);
    case 'erase':
      return erase(given, yes, tools);
    default:
      throw new RequestError(usage);
  }
}

function readArguments(args: readonly string[]): { command: string | undefined; given: Given; yes: boolean } {
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      options: { ...options, yes: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    const { yes, ...given } = values;
    return { command: positionals.length === 1 ? positionals[0] : undefined, given: given as Given, yes };
  } catch (error) {
    throw new RequestError(`${error instanceof Error ? error.message : error}\n\n${usage}`);
  }
}

async function verify({ head }: Given, { store, out }: AuditTools): Promise<number> {
  const found = await store.verify();
  for (const { seq, problem } of found.problems) out.write(`record ${seq}: ${problem}\n`);
  out.write(`${found.records} records, ${found.erased} of them erased\n`);
  const last = found.head === undefined ? 'none' : `${found.head.seq}:${found.head.hash}`;
  out.write(`head ${last}\n`);
  // Each can be held against the chain as the head can.
  for (const { day, seq, hash } of found.anchors) out.write(`anchor of ${day}  ${seq}:${hash}\n`);
  const isHeld = head === undefined || (await holdsLink(store, head));
  if (!isHeld) out.write(`the chain does not hold the link ${head}: records were cut off or written anew\n`);
  const holds = found.problems.length === 0 && isHeld;
  out.write(holds ? 'the chain holds\n' : 'THE CHAIN DOES NOT HOLD\n');
  return holds ? 0 : 1;
}

/** Whether a link noted earlier is still there. */
async function holdsLink(store: AuditStore, head: string): Promise<boolean> {
  const [, seq, hash] = /^(\d+):([0-9a-f]{64})$/.exec(head) ?? [];
  if (seq === undefined) throw new RequestError('--head: expected SEQ:HASH as verify prints it.', 'head');
  const [link] = await store.scan({ after: Number(seq) - 1, limit: 1 });
  return link?.summary.seq === Number(seq) && link.chain.hash === hash;
}

/** Changes told in the HTML report; the CSV report has all. */
const mostRows = 1000;

async function replay(given: Given, { store, guideline: current, out }: AuditTools): Promise<number> {
  const guideline = given.knowledge === undefined ? current : loadKnowledge(given.knowledge);
  const conditions = readConditions(given, guideline);
  const language = readLanguage(given.language);
  const decideAgain = createReplay(guideline, adaptRecorded);
  const summary = createReplaySummary();
  const rows: ReplayRow[] = [];
  let hasMore = false;
  const csv = given.csv === undefined ? undefined : createWriteStream(given.csv);
  csv?.write(changeHeader);
  const started = performance.now();
  for await (const evaluation of scanEvaluations(store, conditions)) {
    const record = readRecord(evaluation);
    if (record === undefined) {
      summary.add(evaluation.content === undefined ? 'erased' : 'unreadable');
      continue;
    }
    const found = decideAgain(record);
    summary.add(found);
    for (const row of listChanges(found)) {
      if (csv?.write(writeChangeRow(row)) === false) await new Promise((resolve) => csv.once('drain', resolve));
      if (rows.length < mostRows) rows.push(row);
      else hasMore = true;
    }
  }
  const seconds = (performance.now() - started) / 1000;
  if (csv !== undefined) await finished(csv.end());

  const read = summary.read();
  if (given.html !== undefined) {
    const title = `${guideline.head.version} ${guideline.hash}`;
    await writeTo(given.html, out, [renderReport({ summary: read, rows, hasMore }, guideline, title, language)]);
  }
  const { evaluations, erased, unreadable, identical, patients, decisions, notReproduced, notReproducedCount } = read;
  out.write(`knowledge ${guideline.head.version} ${guideline.hash}\n`);
  out.write(`${evaluations} evaluations in ${seconds.toFixed(1)} s, ${erased} of them erased\n`);
  out.write(`${identical} the same to the byte; ${patients} patients with a card gained, lost or changed\n`);
  for (const { decision, gained, lost, changed, outcomes } of decisions) {
    const turns = [...outcomes].map(([turn, count]) => `${turn}: ${count}`).join(', ');
    out.write(`${decision}  gained ${gained}  lost ${lost}  changed ${changed}  ${turns}\n`);
  }
  if (unreadable > 0) out.write(`${unreadable} CANNOT BE READ: verify tells which\n`);
  for (const id of notReproduced) out.write(`NOT REPRODUCED with the same knowledge: ${id}\n`);
  if (notReproducedCount > notReproduced.length) out.write(`… ${notReproducedCount} in all\n`);
  return notReproducedCount > 0 || unreadable > 0 ? 1 : 0;
}

/** Lines of a query unless asked otherwise. */
const defaultLimit = 50;
const mostLines = 10_000;

async function query(given: Given, { store, guideline, out }: AuditTools): Promise<number> {
  const limit = Number(given.limit ?? defaultLimit);
  if (!Number.isInteger(limit) || limit < 1 || limit > mostLines) {
    throw new RequestError(`--limit: expected a number from 1 to ${mostLines}.`, 'limit');
  }
  for (const each of await store.evaluations({ ...readConditions(given, guideline), limit })) {
    const erased = each.erasedAt === undefined ? '' : '  erased';
    out.write(
      `${each.time}  ${each.id}  ${each.client}  ${each.hook}  ${each.knowledge}  ${each.cards} cards${erased}\n`,
    );
  }
  return 0;
}

const rowFormats: Readonly<
  Record<string, { header: string; write(evaluation: SealedEvaluation, canonical: string): string }>
> = {
  csv: { header: csvHeader, write: (evaluation) => writeCsvRow(evaluation, 'reviewer') },
  ndjson: { header: '', write: (evaluation) => writeNdjsonRow(evaluation, 'reviewer') },
  auditevent: {
    header: '',
    write: (evaluation, canonical) => `${JSON.stringify(buildAuditEvent(evaluation, canonical))}\n`,
  },
};

async function exportRecords(given: Given, tools: AuditTools): Promise<number> {
  const { store, guideline, out } = tools;
  if (given.format === 'measurereport') return exportMonth(given, tools);
  const format = rowFormats[given.format ?? ''];
  if (format === undefined) {
    throw new RequestError('--format: expected csv, ndjson, auditevent or measurereport.', 'format');
  }
  const conditions = readConditions(given, guideline);
  await writeTo(
    given.out,
    out,
    (async function* () {
      if (format.header !== '') yield format.header;
      for await (const evaluation of scanEvaluations(store, conditions)) {
        yield format.write(evaluation, guideline.head.canonical);
      }
    })(),
  );
  return 0;
}

async function exportMonth(given: Given, { store, guideline, out, now, feedbackDays }: AuditTools): Promise<number> {
  const { month } = given;
  if (month === undefined || !/^\d{4}-(0[1-9]|1[0-2])$/.test(month)) {
    throw new RequestError('--month: expected a month such as 2026-01.', 'month');
  }
  const next = new Date(`${month}-01T00:00:00Z`);
  next.setUTCMonth(next.getUTCMonth() + 1);
  const counts = await store.counts({ from: `${month}-01`, to: next.toISOString().slice(0, 10), per: 'month' });
  const report = buildMeasureReport(counts, guideline, { month, date: now.toISOString(), feedbackDays });
  await writeTo(given.out, out, [`${JSON.stringify(report, null, 2)}\n`]);
  return 0;
}

const millisecondsPerDay = 86_400_000;

async function tellStatistics(given: Given, { store, guideline, out, now, feedbackDays }: AuditTools): Promise<number> {
  const per = given.per ?? 'month';
  if (per !== 'day' && per !== 'week' && per !== 'month') throw new RequestError('--per: expected day, week or month.');
  const { from, to, client } = readConditions({ from: given.from, to: given.to, client: given.client }, guideline);
  const counts = await store.counts({
    ...{ from: from?.slice(0, 10) ?? '', to: to?.slice(0, 10) ?? '~', per },
    ...(client !== undefined && { client }),
  });
  const statistics = summarizeCounts(counts, {
    decisions: [...guideline.rules.keys()].map((id) => ({ id, services: makersOf(guideline, id) })),
    openFrom: new Date(now.getTime() - feedbackDays * millisecondsPerDay).toISOString().slice(0, 10),
    endOf: (period) => findLastDay(period, per),
  });
  out.write(`${JSON.stringify(statistics, null, 2)}\n`);
  return 0;
}

async function erase(given: Given, yes: boolean, tools: AuditTools): Promise<number> {
  const { store, out, now, who } = tools;
  const of = readErasure(given, tools);
  const whose = 'before' in of ? `received before ${of.before.slice(0, 10)}` : 'of one patient';
  const count = await store.countErasable(of);
  if (!yes) {
    out.write(`${count} records ${whose} would be erased. Repeat with --yes: nothing brings them back.\n`);
    return 0;
  }
  // What cannot be recorded is not done. No patient is named: that key is erased as well.
  const page = `erase ${count} records ${whose}`;
  await store.recordView({ time: now.toISOString(), who, role: 'operator', page });
  out.write(`${await store.erase(of)} records ${whose} erased\n`);
  await store.reclaim();
  return 0;
}

function readErasure(given: Given, { patientKey: secret, now }: AuditTools): Erasure {
  const { before, patientKey, client, tenant, patientId } = given;
  const names = Object.keys(given).sort().join();
  if (before !== undefined && names === 'before') return { before: readBefore(before, now) };
  if (patientKey !== undefined && names === 'patientKey') {
    if (!/^[0-9a-f]{64}$/.test(patientKey)) throw new RequestError('--patientKey: expected 64 digits 0-9a-f.');
    return { patientKey };
  }
  if (client !== undefined && patientId !== undefined && /^client,patientId(,tenant)?$/.test(names)) {
    const of = { client, ...(tenant !== undefined && { tenant }), patientId };
    return { patientKey: pseudonymizePatient(secret, of) };
  }
  throw new RequestError(
    'erase: expected --before, or --patientKey, or --client and --patientId (with --tenant where the client has tenants), and nothing else but --yes.',
  );
}

/** A month or day of UTC that is not to come, as the time it begins. */
function readBefore(before: string, now: Date): string {
  const day = /^\d{4}-\d{2}$/.test(before) ? `${before}-01` : before;
  const time = `${day}T00:00:00.000Z`;
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(day) && !Number.isNaN(Date.parse(time));
  if (!isDay || new Date(time).toISOString() !== time || time > now.toISOString()) {
    throw new RequestError('--before: expected a month such as 2024-11 or a day such as 2024-11-05, not to come.');
  }
  return time;
}

/** Writes to a file, or where the command writes; a slow reader is waited for. */
async function writeTo(
  file: string | undefined,
  out: Writable,
  parts: Iterable<string> | AsyncIterable<string>,
): Promise<void> {
  if (file !== undefined) return pipeline(Readable.from(parts), createWriteStream(file));
  await pipeline(Readable.from(parts), out, { end: false });
}

function readLanguage(language: string | undefined): 'da' | 'en' {
  if (language === undefined || language === 'da' || language === 'en') return language ?? 'da';
  throw new RequestError('--language: expected da or en.', 'language');
}

async function main(): Promise<number> {
  const config = readConfig();
  const { dataDir, feedbackDays } = config;
  const keyFile = join(dataDir, 'patient-key');
  // The service made it with the first record.
  if (!existsSync(keyFile)) {
    throw new ConfigError(`DATA_DIR: ${dataDir} has no patient key: name the folder the service runs with`);
  }
  const guideline = loadKnowledge(join(import.meta.dirname, '..', '..', 'cds-services', 'diagnostisk-pakkeforloeb'));
  const patientKey = loadPatientKey(keyFile);
  const { store } = openStore(config, patientKey);
  try {
    return await runAudit(process.argv.slice(2), {
      store,
      guideline,
      out: process.stdout,
      feedbackDays,
      now: new Date(),
      patientKey,
      who: readUser(),
    });
  } finally {
    await store.close();
  }
}

function readUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A number without a name, as containers have them.
    return `user ${process.getuid?.()}`;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof CdsError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
