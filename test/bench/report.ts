import { availableParallelism, cpus, loadavg } from 'node:os';
import { type Entry, type Profile, sumByCall, sumByFile, sumByFunction, sumByThread } from './profile.ts';
import { type Cell, findMedian, findPercentile, type MixedCell } from './statistics.ts';
import { type StoreName, type StoreRound, storeNames } from './stores.ts';

/** Least throughput over that of `echo`, by observations in a request. */
const ratioAims: Readonly<Record<number, number>> = { 30: 0.7, 300: 0.8, 2000: 1, 5000: 1 };
/** Largest p99 over that of `echo`. */
const p99Aim = 1.3;
/** Largest p99 of small requests beside large ones, over their p99 alone. */
const mixedAim = 4;
/** Largest share that storing a record may add to the CPU of a request. */
const storeAim = 0.15;
const profiledFunctions = 30;
const profiledFiles = 20;
/** Width of a bar of ratio 1. */
const barWidth = 30;

/** What was measured on what. */
export function describeMachine(flags: readonly string[], plan: { rounds: number; seconds: number }): string {
  return [
    `Node ${process.versions.node}, ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${process.platform}`,
    `service: npm start on a store that begins empty, every record written before its answer; peak memory is since the start, sizes ascending`,
    `echo: Express with express.json, giving the service's own answer; echo-flags: the same with ${flags.join(' ')}`,
    `${plan.rounds} alternating rounds of ${plan.seconds} s; req/s, CPU and ratios are medians, p50 and p99 over all requests`,
    'The service evaluates on worker threads and echo on one thread: CPU per request compares the work, req/s the machine',
  ].join('\n');
}

/** The figures, one line per patient and server. */
export function renderTable(cells: readonly Cell[]): string {
  const head = [
    'obs.',
    'kB',
    'patient',
    'server',
    'req/s',
    'x echo',
    'x flags',
    'p50 ms',
    'p99 ms',
    'p99 x',
    'CPU ms/req',
    'CPU x',
    'peak MB',
  ];
  return alignColumns([
    head,
    ...cells.map((cell) => [
      String(cell.observations),
      cell.kilobytes.toFixed(0),
      cell.kind,
      cell.server,
      round(cell.perSecond),
      cell.ratios.echo.toFixed(2),
      cell.ratios['echo-flags'].toFixed(2),
      round(cell.p50),
      round(cell.p99),
      cell.p99Ratio.toFixed(2),
      round(cell.cpuMsPerRequest),
      cell.cpuRatio.toFixed(2),
      cell.peakMegabytes.toFixed(0),
    ]),
  ]);
}

/** The service over the echo servers as bars, and whether the aims are reached. */
export function renderRatios(cells: readonly Cell[]): string {
  const own = cells.filter(({ server }) => server === 'service');
  const draw = (title: string, ratio: (cell: Cell) => number, judge: (cell: Cell) => string = () => '') => [
    `${title} (| is 1.0)`,
    ...own.map((cell) => {
      const { observations, kind } = cell;
      const value = ratio(cell);
      return `  ${String(observations).padStart(5)} ${kind.padEnd(6)} ${value.toFixed(2)} ${drawBar(value)} ${judge(cell)}`.trimEnd();
    }),
  ];
  const judgeRatio = ({ observations, ratios }: Cell) => {
    const aim = ratioAims[observations];
    return aim === undefined ? '' : `aim ${aim} ${ratios.echo >= aim ? 'reached' : 'MISSED'}`;
  };
  const judgeP99 = ({ p99Ratio }: Cell) => `aim ${p99Aim} ${p99Ratio <= p99Aim ? 'reached' : 'MISSED'}`;
  return [
    ...draw('req/s of the service over echo', ({ ratios }) => ratios.echo, judgeRatio),
    ...draw('req/s of the service over echo-flags', ({ ratios }) => ratios['echo-flags']),
    ...draw('CPU per request of echo over the service: the ratio on one core', ({ cpuRatio }) => cpuRatio),
    ...draw('p99 of the service over echo, less is better', ({ p99Ratio }) => p99Ratio, judgeP99),
  ].join('\n');
}

/** Small requests alone and beside large ones. */
export function renderMixed(
  cells: readonly MixedCell[],
  load: Record<'small' | 'large', { observations: number; perSecond: number }>,
): string {
  const lines = cells.map(({ name, alone, beside, large }) => {
    const [before, after] = [findPercentile(alone, 99), findPercentile(beside, 99)];
    const ratio = after / before;
    return [
      name,
      `${round(findPercentile(alone, 50))} / ${round(before)}`,
      `${round(findPercentile(beside, 50))} / ${round(after)}`,
      ratio.toFixed(2),
      round(findPercentile(large, 50)),
      name === 'service' ? `aim ${mixedAim} ${ratio < mixedAim ? 'reached' : 'MISSED'}` : '',
    ];
  });
  const { small, large } = load;
  return [
    `${small.observations} observations at ${small.perSecond}/s, alone and beside ${large.observations} observations at ${large.perSecond}/s (open loop)`,
    alignColumns([['server', 'alone p50 / p99 ms', 'beside p50 / p99 ms', 'p99 x', 'large p50 ms', ''], ...lines]),
  ].join('\n');
}

/** What storing a record costs: medians over the rounds. */
export function renderStores(
  { observations, kind }: { observations: number; kind: string },
  rounds: Readonly<Record<StoreName, readonly StoreRound[]>>,
): string {
  const lines = storeNames.map((name) => {
    const added = findMedian(rounds[name].map(({ cpuMs }, at) => cpuMs / (rounds.none[at]?.cpuMs ?? Number.NaN) - 1));
    const serverCpu = rounds[name].flatMap(({ serverCpuMs }) => serverCpuMs ?? []);
    return [
      name,
      round(findMedian(rounds[name].map(({ cpuMs }) => cpuMs))),
      name === 'none' ? '' : `${(added * 100).toFixed(1)} %`,
      serverCpu.length === 0 ? '' : round(findMedian(serverCpu)),
      round(findMedian(rounds[name].map(({ perSecond }) => perSecond))),
      name === 'none' ? '' : `aim ${storeAim * 100} % ${added <= storeAim ? 'reached' : 'MISSED'}`,
    ];
  });
  return [
    `What storing a record adds: ${observations} observations, patient of kind ${kind}, ${rounds.none.length} rounds (load ${(loadavg()[0] ?? 0).toFixed(1)}, ${availableParallelism()} cores)`,
    alignColumns([['store', 'CPU ms/req', 'added', 'database ms/req', 'req/s', ''], ...lines]),
  ].join('\n');
}

/** Where the time of the service goes: threads, files, functions, by self time. */
export function renderProfile(
  observations: number,
  requests: number,
  profiles: readonly Profile[],
  root: string,
): string {
  const list = (title: string, entries: readonly Entry[]) => [
    `${title}: ms per request, share of busy time`,
    ...entries.map(
      ({ name, milliseconds, share }) =>
        `  ${(milliseconds / requests).toFixed(3).padStart(8)}  ${(share * 100).toFixed(1).padStart(5)} %  ${name}`,
    ),
  ];
  return [
    `\n${observations} observations, patient with cards, ${requests} requests`,
    ...list('threads', sumByThread(profiles)),
    ...list('files themselves', sumByFile(profiles, root).slice(0, profiledFiles)),
    ...list('functions themselves', sumByFunction(profiles, root).slice(0, profiledFunctions)),
    ...list('functions of the service with what they call', sumByCall(profiles, root).slice(0, profiledFunctions)),
  ].join('\n');
}

function drawBar(ratio: number): string {
  const length = 2 * barWidth;
  const wanted = Math.round(ratio * barWidth);
  const bar = wanted > length ? `${'#'.repeat(length - 1)}>` : '#'.repeat(wanted).padEnd(length);
  return `${bar.slice(0, barWidth)}|${bar.slice(barWidth)}`;
}

function alignColumns(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  return lines.map((line) => line.map((text, at) => text.padStart(widths[at] ?? 0)).join('  ')).join('\n');
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
