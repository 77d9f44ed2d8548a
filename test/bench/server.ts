import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { MeterCall, Usage } from './meter.ts';
import type { Profile } from './profile.ts';
import type { ServerName } from './statistics.ts';

export interface ServerOptions {
  name: ServerName;
  /** Arguments of Node: flags, script, arguments of the script. */
  run: readonly string[];
  folder: string;
  environment: Readonly<Record<string, string>>;
}

/** A server process under measurement. */
export interface MeasuredServer {
  name: ServerName;
  origin: string;
  readUsage(): Promise<Usage>;
  startProfile(): Promise<void>;
  stopProfile(): Promise<Profile[]>;
  stop(): Promise<void>;
}

const startMs = 30_000;
const callMs = 20_000;
const stopMs = 15_000;
const keptOutput = 4000;

/**
 * Starts a server on a free port and resolves when its `/readyz` answers 200.
 *
 * @throws {Error} with the end of what it wrote when it ends or is not ready in time.
 */
export async function startServer({ name, run, folder, environment }: ServerOptions): Promise<MeasuredServer> {
  const port = await findFreePort();
  const meter = fileURLToPath(new URL('meter.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', meter, ...run], {
    cwd: folder,
    env: { ...withoutSettings(process.env), ...environment, PORT: String(port), HOST: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-keptOutput);
    });
  }
  const origin = `http://127.0.0.1:${port}`;
  try {
    await untilReady(child, origin);
  } catch (error) {
    await stopChild(child);
    throw new Error(`${name} did not start. The end of its output:\n${output}`, { cause: error });
  }
  return {
    name,
    origin,
    readUsage: () => ask<Usage>(child, name, 'usage'),
    async startProfile() {
      await ask<Profile[]>(child, name, 'start-profile');
    },
    stopProfile: () => ask<Profile[]>(child, name, 'stop-profile'),
    stop: () => stopChild(child),
  };
}

/** The environment without the settings of the service, so that every run measures its defaults. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, TZ, LANG } = environment;
  return { PATH, HOME, TMPDIR, TZ, LANG, NODE_ENV: 'production' };
}

async function untilReady(child: ChildProcess, origin: string): Promise<void> {
  const giveUp = performance.now() + startMs;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('It ended.');
    if (performance.now() > giveUp) throw new Error('It was not ready in time.');
    const status = await fetch(`${origin}/readyz`, { method: 'HEAD' }).then(
      ({ status }) => status,
      () => undefined,
    );
    if (status === 200) return;
    await wait(50);
  }
}

async function ask<T>(child: ChildProcess, name: string, call: MeterCall): Promise<T> {
  const answer = once(child, 'message', { signal: AbortSignal.timeout(callMs) });
  child.send(call);
  const [value] = await answer.catch((error: unknown) => {
    throw new Error(`${name} did not answer its meter (${call}).`, { cause: error });
  });
  return value as T;
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const isOver = await Promise.race([ended.then(() => true), wait(stopMs, false, { ref: false })]);
  if (!isOver) child.kill('SIGKILL');
  await ended;
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No free port was found.');
  return address.port;
}
