// `npm run soak -- --minutes N`: the service over a FHIR server that misbehaves, on loopback alone, for a bounded time.
// Prints how memory and latency go, and fails where memory keeps growing, an answer is late or a status is not expected.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { faults, startMisbehavingServer } from '../faults/misbehaving-server.ts';
import { callService, startService } from '../faults/service.ts';
import { findMistakes, type Interval, plot } from './curve.ts';

const defaultMinutes = 10;
const longestMinutes = 120;
/** Calls under way at any time: one client of each kind of fault, and as many whose server is good. */
const callers = 2 * faults.length;
/** Parts of the time that are looked at each for itself. */
const intervals = 60;
const deadlineMs = 4_000;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: String(defaultMinutes) } } });
const minutes = Number(values.minutes);
if (!(minutes > 0 && minutes <= longestMinutes)) {
  process.stderr.write(`--minutes: expected a number above 0, at most ${longestMinutes}\n`);
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'cds-soak-'));
const fhir = await startMisbehavingServer();
const service = await startService({ DATA_DIR: folder, LOG_LEVEL: 'error' });
const end = performance.now() + minutes * 60_000;
const seen: Interval[] = [];
let current: Interval = { megabytes: 0, latencies: [], good: [], statuses: {} };

async function callOn(caller: number): Promise<void> {
  const fault = caller < faults.length ? faults[caller] : 'good';
  for (let count = 0; performance.now() < end; count += 1) {
    // Many patients, each seen again: nothing kept by patient may pile up unseen.
    const sent = count % 4 === 0 ? 'nothing' : 'required';
    const { status, milliseconds } = await callService(
      service.base,
      fhir.base(fault ?? 'good'),
      sent,
      `p${count % 1000}`,
    );
    current.latencies.push(milliseconds);
    if (fault === 'good') current.good.push(milliseconds);
    current.statuses[status] = (current.statuses[status] ?? 0) + 1;
    await wait(5);
  }
}

async function watch(): Promise<void> {
  for (let count = 1; count <= intervals; count += 1) {
    await wait(Math.max(0, end - ((intervals - count) * minutes * 60_000) / intervals - performance.now()));
    current.megabytes = await service.readMemory();
    seen.push(current);
    current = { megabytes: 0, latencies: [], good: [], statuses: {} };
  }
}

try {
  process.stdout.write(`${callers} callers for ${minutes} minutes\n`);
  await Promise.all([watch(), ...Array.from({ length: callers }, (_, caller) => callOn(caller))]);
  const crashes = await service.readCounter('cds_worker_crashes_total');
  process.stdout.write(plot(seen, minutes));
  const mistakes = [
    ...findMistakes(seen, deadlineMs),
    ...(crashes === 0 ? [] : [`${crashes} worker threads died`]),
    ...(fhir.strayed.length === 0 ? [] : [`the service went to ${fhir.strayed.length} addresses it was led to`]),
  ];
  process.stdout.write(mistakes.length === 0 ? 'Nothing was wrong.\n' : `Wrong:\n  ${mistakes.join('\n  ')}\n`);
  process.exitCode = mistakes.length === 0 ? 0 : 1;
} finally {
  await service.stop();
  await fhir.close();
  rmSync(folder, { recursive: true, force: true });
}
