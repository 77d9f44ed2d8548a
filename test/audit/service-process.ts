import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createRequest } from '../http/fakes.ts';

const start = fileURLToPath(new URL('../../src/start.js', import.meta.url));
const path = '/cds-services/diagnostisk-pakkeforloeb-patient-view';
const body = JSON.stringify(
  createRequest({
    prefetch: {
      patient: { resourceType: 'Patient', id: 'p1', gender: 'female', birthDate: '1960-01-01' },
      conditions: { resourceType: 'Bundle', type: 'searchset', entry: [] },
      observations: { resourceType: 'Bundle', type: 'searchset', entry: [] },
    },
  }),
);

/** The service as a process of its own, as `npm start` starts it. */
export interface ServiceProcess {
  base: string;
  pid: number;
  kill(): Promise<void>;
  stop(): Promise<number | null>;
}

/**
 * @param user Whom the process runs as, where it is not who runs the test.
 * @param within What runs it somewhere else: goes before the name of the program.
 */
export async function startProcess(
  environment: Readonly<Record<string, string>>,
  user: { uid?: number; gid?: number } = {},
  within: readonly string[] = [],
): Promise<ServiceProcess> {
  const [program = '', ...args] = [...within, process.execPath, start];
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'silent', WORKERS: '2', ...environment },
    ...user,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  await Promise.race([once(child.stdout, 'data'), ended]);
  const base = /discovery {2}(\S+)\/cds-services/.exec(output)?.[1];
  if (base === undefined || child.pid === undefined) throw new Error(`The service did not start: ${output}`);
  return {
    base,
    pid: child.pid,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

/** Calls the service; gives the status, 0 for no answer, and the id of the evaluation. */
export async function callOnce(base: string): Promise<{ status: number; id: string }> {
  try {
    const headers = { 'Content-Type': 'application/json' };
    const answer = await fetch(base + path, { method: 'POST', headers, body });
    await answer.arrayBuffer();
    return { status: answer.status, id: answer.headers.get('x-request-id') ?? '' };
  } catch {
    return { status: 0, id: '' };
  }
}

/** Callers that call until they are stopped. */
export interface Load {
  /** Ids of the evaluations answered with 200. */
  acknowledged: string[];
  statuses: Set<number>;
  stop(): Promise<void>;
}

/** @param bases Where to call, by turns; read anew for each call. */
export function startLoad(bases: () => readonly string[], callers = 8): Load {
  const acknowledged: string[] = [];
  const statuses = new Set<number>();
  let isOver = false;
  let turn = 0;

  async function callOn(): Promise<void> {
    while (!isOver) {
      const all = bases();
      turn += 1;
      const { status, id } = await callOnce(all[turn % all.length] ?? '');
      statuses.add(status);
      if (status === 200) acknowledged.push(id);
      // A service that is down answers nothing at once: leave it time to come back.
      else await wait(10);
    }
  }

  const running = Array.from({ length: callers }, callOn);
  return {
    acknowledged,
    statuses,
    async stop() {
      isOver = true;
      await Promise.all(running);
    },
  };
}

/** Who may run what root may not. */
export function findNobody(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith('nobody:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined) throw new Error('There is no user nobody to run as.');
  return { uid: Number(uid), gid: Number(gid) };
}
