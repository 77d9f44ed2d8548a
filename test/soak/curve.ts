/** What was seen in one part of a soak. */
export interface Interval {
  /** Held at its end. */
  megabytes: number;
  /** Milliseconds of each call. */
  latencies: number[];
  /** Those of calls whose FHIR server is good. */
  good: number[];
  /** Answers by status. */
  statuses: Record<number, number>;
}

/** What an overloaded or misled service may answer; a 500 never. */
const expectedStatuses: ReadonlySet<string> = new Set(['200', '412', '503']);
/** Latest of the answers, beyond the deadline of an evaluation, for the way there and back on a machine that is busy. */
const graceMs = 1_000;
/** Share by which memory in the last third may lie above that of the middle third: more is growth, not noise. */
const growth = 0.15;
const width = 60;

/** The least latency that this share of the calls did not exceed. */
export function findQuantile(latencies: readonly number[], share: number): number {
  const sorted = [...latencies].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Draws over time memory and the 99th percentile of the latency of calls whose server is good, a line for each interval. */
export function plot(seen: readonly Interval[], minutes: number): string {
  const most = Math.max(...seen.map(({ megabytes }) => megabytes));
  const slowest = Math.max(...seen.map(({ good }) => findQuantile(good, 0.99)));
  const bar = (value: number, of: number) =>
    '#'.repeat(Math.round((value / (of || 1)) * (width / 2))).padEnd(width / 2);
  const lines = seen.map(({ megabytes, latencies, good }, at) => {
    const time = (((at + 1) * minutes) / seen.length).toFixed(1).padStart(6);
    const p99 = findQuantile(good, 0.99);
    return `${time} ${megabytes.toFixed(0).padStart(6)} ${bar(megabytes, most)} ${p99.toFixed(0).padStart(6)} ${bar(p99, slowest)} ${String(latencies.length).padStart(7)}`;
  });
  const statuses = new Map<string, number>();
  for (const interval of seen) {
    for (const [status, count] of Object.entries(interval.statuses))
      statuses.set(status, (statuses.get(status) ?? 0) + count);
  }
  const told = [...statuses].map(([status, count]) => `${status}: ${count}`).join(', ');
  return `${[`minute    MB${' '.repeat(width / 2)}    p99 ms${' '.repeat(width / 2)}calls`, ...lines, `Answers ${told}`].join('\n')}\n`;
}

/** What of a soak is not as promised. */
export function findMistakes(seen: readonly Interval[], deadlineMs: number): string[] {
  const unexpected = [...new Set(seen.flatMap(({ statuses }) => Object.keys(statuses)))].filter(
    (status) => !expectedStatuses.has(status),
  );
  const latest = Math.max(
    ...seen.flatMap(({ latencies }) =>
      latencies
        .slice()
        .sort((a, b) => b - a)
        .slice(0, 1),
    ),
  );
  const third = Math.floor(seen.length / 3);
  const middle = average(seen.slice(third, 2 * third));
  const last = average(seen.slice(2 * third));
  return [
    ...unexpected.map((status) => `answers with status ${status}`),
    ...(latest > deadlineMs + graceMs ? [`an answer after ${latest.toFixed(0)} ms`] : []),
    ...(last > middle * (1 + growth) ? [`memory grows: ${middle.toFixed(0)} MB, then ${last.toFixed(0)} MB`] : []),
    ...(seen.some(({ latencies }) => latencies.length === 0) ? ['a part of the time without any answer'] : []),
  ];
}

function average(seen: readonly Interval[]): number {
  return seen.reduce((sum, { megabytes }) => sum + megabytes, 0) / Math.max(1, seen.length);
}
