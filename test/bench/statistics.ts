import type { LoadResult } from './load.ts';
import type { PatientKind } from './patients.ts';

/** `echo`: Express as anyone would write it; `echo-flags`: the same with the Node flags of the service. */
export const serverNames = ['service', 'echo', 'echo-flags'] as const;
export type ServerName = (typeof serverNames)[number];

/** One run of one server. */
export interface Round {
  load: LoadResult;
  cpuMs: number;
  peakMegabytes: number;
}

/** One line of the table: a server on one kind and size of patient. */
export interface Cell {
  server: ServerName;
  kind: PatientKind;
  observations: number;
  kilobytes: number;
  /** Median over the rounds. */
  perSecond: number;
  /** Throughput over that of each echo server in the same round: median over the rounds. */
  ratios: Record<'echo' | 'echo-flags', number>;
  /** Over the requests of all rounds, milliseconds. */
  p50: number;
  p99: number;
  /** The server's p99 over that of `echo`. */
  p99Ratio: number;
  /** All threads of the server; median over the rounds. */
  cpuMsPerRequest: number;
  /** CPU per request of `echo` over the server's. */
  cpuRatio: number;
  peakMegabytes: number;
}

/** Latencies of small requests alone and beside large ones, of one server. */
export interface MixedCell {
  name: string;
  alone: number[];
  beside: number[];
  large: number[];
}

/** Sums the rounds of a server up, beside those of the echo servers. */
export function collectCell(
  server: ServerName,
  patient: Pick<Cell, 'kind' | 'observations' | 'kilobytes'>,
  own: readonly Round[],
  all: Readonly<Record<ServerName, readonly Round[]>>,
): Cell {
  const { kind, observations, kilobytes } = patient;
  const latencies = (rounds: readonly Round[]) => rounds.flatMap(({ load }) => load.latencies);
  const ratio = (other: readonly Round[]) => findMedian(own.map((round, at) => rate(round) / rate(other[at] as Round)));
  const p99 = findPercentile(latencies(own), 99);
  const cpuMsPerRequest = findMedian(own.map(readCpu));
  return {
    ...{ server, kind, observations, kilobytes },
    perSecond: findMedian(own.map(rate)),
    ratios: { echo: ratio(all.echo), 'echo-flags': ratio(all['echo-flags']) },
    p50: findPercentile(latencies(own), 50),
    p99,
    p99Ratio: p99 / findPercentile(latencies(all.echo), 99),
    cpuMsPerRequest,
    cpuRatio: findMedian(all.echo.map(readCpu)) / cpuMsPerRequest,
    peakMegabytes: Math.max(...own.map(({ peakMegabytes }) => peakMegabytes)),
  };
}

/** The value below which the given per cent of the values lie; NaN of none. */
export function findPercentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle value, or between the two in the middle; NaN of none. */
export function findMedian(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

const rate = ({ load }: Round): number => load.answered / load.seconds;

const readCpu = ({ cpuMs, load }: Round): number => cpuMs / load.latencies.length;
