import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system of a test's own: in a mount namespace that ends with this process, however that ends. */
export interface OwnDisk {
  /** Where it is, for who runs in the namespace. */
  folder: string;
  /** What runs a program in the namespace: goes before its name. */
  within: readonly string[];
  /** Runs a command of the shell in the namespace. */
  run(command: string): Promise<void>;
  /** Copies what is in a folder of it to one outside. */
  copyOut(from: string, to: string): void;
  remove(): Promise<void>;
}

const isRoot = process.getuid?.() === 0;
const namespaces = isRoot ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
const entering = isRoot ? ['--mount'] : ['--user', '--preserve-credentials', '--mount'];

/** Why there can be no such file system here; undefined where there can. */
export async function whyNoOwnDisk(): Promise<string | undefined> {
  try {
    const disk = await makeOwnDisk('1m');
    const [program = '', ...args] = disk.within;
    const { status, stderr, error } = spawnSync(program, [...args, 'true'], { encoding: 'utf8' });
    await disk.remove();
    return status === 0 ? undefined : (error?.message ?? stderr.trim());
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** @param size Of all that is in it, as `mount` takes it. */
export async function makeOwnDisk(size: string): Promise<OwnDisk> {
  const folder = mkdtempSync(join(tmpdir(), 'own-disk-'));
  const shell = spawn('unshare', [...namespaces, 'sh']);
  const run = (command: string) => runIn(shell, command);
  try {
    await run('exec 2>&1');
    await run(`mount -t tmpfs -o size=${size} tmpfs ${folder}`);
  } catch (error) {
    shell.kill();
    rmSync(folder, { recursive: true });
    throw error;
  }
  return {
    folder,
    within: ['nsenter', '--target', String(shell.pid), ...entering, '--'],
    run,
    copyOut: (from, to) => cpSync(`/proc/${shell.pid}/root${from}`, to, { recursive: true }),
    async remove() {
      const closed = once(shell, 'close');
      shell.stdin?.end();
      await closed;
      rmSync(folder, { recursive: true });
    },
  };
}

async function runIn(shell: ChildProcess, command: string): Promise<void> {
  let said = '';
  const ended = new Promise<void>((resolve, reject) => {
    const take = (chunk: Buffer) => {
      said += chunk.toString();
      if (/ended \d+\n/.test(said)) resolve();
    };
    for (const stream of [shell.stdout, shell.stderr]) stream?.on('data', take);
    shell.once('error', reject);
    shell.once('close', () => reject(new Error(said.trim())));
  });
  shell.stdin?.on('error', () => {});
  shell.stdin?.write(`${command}\necho "ended $?"\n`);
  await ended;
  if (!said.includes('ended 0\n')) throw new Error(`${command}: ${said}`);
}
