// Sends requests, in a process of its own: a generator that shares a thread with the server measures itself.
import { setTimeout as wait } from 'node:timers/promises';
import { Pool } from 'undici';
import { buildRequest, type PatientKind } from './patients.ts';

/** One run of requests against one server. */
export interface LoadCall {
  origin: string;
  path: string;
  kind: PatientKind;
  observations: number;
  /** Closed loop: this many connections, each sends again as soon as it has its answer. */
  connections: number;
  /** Open loop: requests a second, sent whether or not earlier ones are answered. */
  perSecond?: number;
  seconds: number;
}

/** What came of it. */
export interface LoadResult {
  /** Milliseconds of every request answered 200, also after the end of the run. */
  latencies: number[];
  /** Answers 200 within the run, and its length. */
  answered: number;
  seconds: number;
  /** Requests that failed or were answered otherwise, by status or error code. */
  failures: Record<string, number>;
}

/** Patients of one kind and size, so that no server sees one body only. */
const bodiesPerKind = 4;
const timeoutMs = 30_000;
const bodies = new Map<string, Buffer[]>();

async function runLoad(call: LoadCall): Promise<LoadResult> {
  const prepared = prepareBodies(call);
  const pool = new Pool(call.origin, {
    connections: call.connections,
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const result: LoadResult = { latencies: [], answered: 0, seconds: call.seconds, failures: {} };
  const started = performance.now();
  const end = started + call.seconds * 1000;
  let last = started;
  let sent = 0;

  async function sendOne(): Promise<void> {
    const body = prepared[sent++ % prepared.length];
    const at = performance.now();
    try {
      const response = await pool.request({
        method: 'POST',
        path: call.path,
        headers: { 'content-type': 'application/json' },
        body: body ?? null,
      });
      await response.body.dump({ limit: Number.MAX_SAFE_INTEGER });
      const now = performance.now();
      if (response.statusCode !== 200) return countFailure(String(response.statusCode));
      result.latencies.push(now - at);
      if (now <= end) {
        result.answered += 1;
        last = now;
      }
    } catch (error) {
      countFailure(error instanceof Error && 'code' in error ? String(error.code) : 'unknown');
    }
  }
  function countFailure(reason: string): void {
    result.failures[reason] = (result.failures[reason] ?? 0) + 1;
  }

  if (call.perSecond === undefined) {
    const sendUntilEnd = async () => {
      while (performance.now() < end) await sendOne();
    };
    await Promise.all(Array.from({ length: call.connections }, sendUntilEnd));
    // Up to the last answer within the run: with few slow requests the rest of the run is not theirs.
    if (last > started) result.seconds = (last - started) / 1000;
  } else {
    await sendAtRate(call.perSecond, started, end, sendOne);
  }
  await pool.close();
  return result;
}

async function sendAtRate(perSecond: number, started: number, end: number, sendOne: () => Promise<void>) {
  const sending: Promise<void>[] = [];
  for (let due = started; due < end; due += 1000 / perSecond) {
    const early = due - performance.now();
    if (early > 0) await wait(early);
    sending.push(sendOne());
  }
  await Promise.all(sending);
}

function prepareBodies({ kind, observations }: LoadCall): Buffer[] {
  const key = `${kind} ${observations}`;
  const known = bodies.get(key);
  if (known !== undefined) return known;
  const today = new Date().toISOString().slice(0, 10);
  const built = Array.from({ length: bodiesPerKind }, (_, number) =>
    Buffer.from(buildRequest({ kind, observations, number, today })),
  );
  bodies.set(key, built);
  return built;
}

process.on('message', async (call: LoadCall) => process.send?.(await runLoad(call)));
