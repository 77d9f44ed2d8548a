import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** CPU profile of one thread, in the shape of the V8 inspector. */
export interface Profile {
  thread: string;
  nodes: readonly { id: number; callFrame: Frame; children?: readonly number[] | undefined }[];
  /** Node on top of the stack at each sample, and the microseconds since the sample before. */
  samples: readonly number[];
  timeDeltas: readonly number[];
}

interface Frame {
  functionName: string;
  url: string;
  lineNumber: number;
}

/** Time spent under a name, over all threads. */
export interface Entry {
  name: string;
  milliseconds: number;
  /** Of all time in which some thread was not idle. */
  share: number;
}

/** Time in which a thread waited, and that of the profiler itself: not counted. */
const notCounted = (frame: Frame): boolean =>
  frame.functionName === '(idle)' || frame.functionName === '(root)' || frame.url.startsWith('node:inspector');

/** Sums the time spent in each function itself, largest first. */
export function sumByFunction(profiles: readonly Profile[], root: string): Entry[] {
  return sum(profiles, ([top]) => (top === undefined ? [] : [nameFunction(top, root)]));
}

/** Sums the time spent in each function of the service and in what it calls, largest first. */
export function sumByCall(profiles: readonly Profile[], root: string): Entry[] {
  return sum(profiles, (stack) =>
    stack.filter(({ url }) => shorten(url, root).startsWith('src/')).map((frame) => nameFunction(frame, root)),
  );
}

/** Sums the time spent in each file of the service and each package itself, largest first. */
export function sumByFile(profiles: readonly Profile[], root: string): Entry[] {
  return sum(profiles, ([top]) => (top === undefined ? [] : [nameFile(top, root)]));
}

/** Sums the time each thread was not idle, largest first. */
export function sumByThread(profiles: readonly Profile[]): Entry[] {
  return sum(profiles, (_stack, thread) => [thread]);
}

/** @param names What a sample counts for, once each, given its stack from the top. */
function sum(profiles: readonly Profile[], names: (stack: readonly Frame[], thread: string) => string[]): Entry[] {
  const sums = new Map<string, number>();
  let total = 0;
  for (const { thread, nodes, samples, timeDeltas } of profiles) {
    const stacks = readStacks(nodes);
    const counted = new Map([...stacks].map(([id, stack]) => [id, new Set(names(stack, thread))]));
    for (const [at, id] of samples.entries()) {
      const top = stacks.get(id)?.[0];
      if (top === undefined || notCounted(top)) continue;
      const microseconds = Math.max(0, timeDeltas[at] ?? 0);
      total += microseconds;
      for (const name of counted.get(id) ?? []) sums.set(name, (sums.get(name) ?? 0) + microseconds);
    }
  }
  return [...sums]
    .map(([name, microseconds]) => ({ name, milliseconds: microseconds / 1000, share: microseconds / total }))
    .sort((one, other) => other.milliseconds - one.milliseconds);
}

/** The stack of each node, from the top. */
function readStacks(nodes: Profile['nodes']): Map<number, Frame[]> {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  return new Map(
    nodes.map(({ id }) => {
      const stack: Frame[] = [];
      for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
        const frame = frames.get(at);
        if (frame !== undefined) stack.push(frame);
      }
      return [id, stack];
    }),
  );
}

function nameFunction({ functionName, url, lineNumber }: Frame, root: string): string {
  const name = functionName || '(anonymous)';
  return url === '' ? `${name}  (native)` : `${name}  ${shorten(url, root)}:${lineNumber + 1}`;
}

function nameFile({ functionName, url }: Frame, root: string): string {
  if (url === '') return functionName.startsWith('(') ? functionName : '(native)';
  const path = shorten(url, root);
  return /^(node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? path;
}

function shorten(url: string, root: string): string {
  return url.startsWith('file:') ? relative(root, fileURLToPath(url)) : url;
}
