import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** CPU profile of one thread, in the shape of the V8 inspector. */
export interface Profile {
  thread: string;
  nodes: readonly {
    id: number;
    callFrame: { functionName: string; url: string; lineNumber: number };
  }[];
  /** Node on top of the stack at each sample, and the microseconds since the sample before. */
  samples: readonly number[];
  timeDeltas: readonly number[];
}

/** Time spent in a function itself, over all threads. */
export interface Entry {
  name: string;
  milliseconds: number;
  /** Of all time in which some thread was not idle. */
  share: number;
}

/** Time in which a thread waited: not counted. */
const idle = new Set(['(idle)', '(root)']);

/** Sums the self time of every function over the profiles, largest first. */
export function sumByFunction(profiles: readonly Profile[], root: string): Entry[] {
  return sumBy(profiles, ({ functionName, url, lineNumber }) =>
    url === '' ? functionName : `${functionName || '(anonymous)'}  ${shorten(url, root)}:${lineNumber + 1}`,
  );
}

/** Sums the self time of every file of the service, and of every package, over the profiles, largest first. */
export function sumByFile(profiles: readonly Profile[], root: string): Entry[] {
  return sumBy(profiles, ({ functionName, url }) => {
    if (url === '') return functionName.startsWith('(') ? functionName : '(native)';
    const path = shorten(url, root);
    return /^(node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? path;
  });
}

/** Sums the time each thread was not idle. */
export function sumByThread(profiles: readonly Profile[]): Entry[] {
  const times = profiles.map((profile) => [profile.thread, sumBusy(profile, () => '').get('') ?? 0] as const);
  return rank(new Map(times));
}

function sumBy(profiles: readonly Profile[], name: (frame: Profile['nodes'][number]['callFrame']) => string): Entry[] {
  const sums = new Map<string, number>();
  for (const profile of profiles) {
    for (const [key, microseconds] of sumBusy(profile, name)) sums.set(key, (sums.get(key) ?? 0) + microseconds);
  }
  return rank(sums);
}

function sumBusy(
  { nodes, samples, timeDeltas }: Profile,
  name: (frame: Profile['nodes'][number]['callFrame']) => string,
): Map<string, number> {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const sums = new Map<string, number>();
  for (const [at, id] of samples.entries()) {
    const frame = frames.get(id);
    if (frame === undefined || idle.has(frame.functionName)) continue;
    const key = name(frame);
    sums.set(key, (sums.get(key) ?? 0) + Math.max(0, timeDeltas[at] ?? 0));
  }
  return sums;
}

function rank(sums: ReadonlyMap<string, number>): Entry[] {
  const total = [...sums.values()].reduce((sum, each) => sum + each, 0);
  return [...sums]
    .map(([name, microseconds]) => ({ name, milliseconds: microseconds / 1000, share: microseconds / total }))
    .sort((one, other) => other.milliseconds - one.milliseconds);
}

function shorten(url: string, root: string): string {
  return url.startsWith('file:') ? relative(root, fileURLToPath(url)) : url;
}
