import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { environmentSchema } from '../../src/config.ts';
import { callOnce, findNobody } from '../audit/service-process.ts';
import { readStages, textsOf } from './dockerfile.ts';

const root = join(import.meta.dirname, '..', '..');
const readText = (file: string): string => readFileSync(join(root, file), 'utf8');
const [packages = [], image = []] = readStages(readText('docker/Dockerfile'));
const installMs = 300_000;

describe('the image', () => {
  let folder: string;
  let app: string;
  let data: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'image-'));
    app = join(folder, 'app');
    data = join(folder, 'data');
    for (const each of [app, data]) mkdirSync(each);
    for (const stage of [packages, image]) {
      for (const copy of textsOf(stage, 'COPY')) copyInto(app, copy);
      for (const command of textsOf(stage, 'RUN').filter((each) => each.startsWith('npm '))) {
        execFileSync('sh', ['-c', command], { cwd: app, env: readEnvironment(), stdio: 'pipe' });
      }
    }
    const { uid, gid } = findNobody();
    if (uid !== undefined && gid !== undefined) chownSync(data, uid, gid);
    chmodSync(folder, 0o755);
    setWritable(app, false);
  }, installMs);
  afterAll(() => {
    setWritable(app, true);
    rmSync(folder, { recursive: true, force: true });
  });

  test('takes what the commands of the Dockerfile install, without development packages', () => {
    const { dependencies, devDependencies } = JSON.parse(readText('package.json')) as Record<string, object>;
    const installed = (name: string) => existsSync(join(app, 'node_modules', name));
    expect(Object.keys(dependencies ?? {}).filter((name) => !installed(name))).toEqual([]);
    expect(Object.keys(devDependencies ?? {}).filter(installed)).toEqual([]);
  });

  test('starts as npm start does', () => {
    const { scripts } = JSON.parse(readText('package.json')) as { scripts: { start: string } };
    expect(readCommand('CMD').join(' ')).toBe(scripts.start);
  });

  test('answers and keeps records as a user without rights, writing to its data folder alone, and tells when it is down', async () => {
    const before = listFiles(app);
    const started = await start();
    try {
      expect(await callOnce(started.base)).toMatchObject({ status: 200 });
      expect(await checkHealth(started.base)).toBe(0);
      expect(readdirSync(data)).toContain('patient-key');
      expect(listFiles(app)).toEqual(before);
    } finally {
      started.child.kill('SIGTERM');
    }
    expect(await started.ended).toBe(0);
    expect(await checkHealth(started.base)).toBe(1);
  }, 60_000);

  test('runs as a user without rights in production, where every setting it sets is one', () => {
    expect(textsOf(image, 'USER')).toEqual(['node']);
    const set = textsOf(image, 'ENV').map((each) => each.split('='));
    expect(set).toContainEqual(['MODE', 'production']);
    const known = new Set([...Object.keys(environmentSchema.shape), 'NODE_ENV']);
    expect(set.filter(([name = '']) => !known.has(name))).toEqual([]);
  });

  /** Runs the start command where only the data folder can be written to. */
  async function start(): Promise<{ child: ChildProcess; base: string; ended: Promise<number | null> }> {
    const [program = '', ...rest] = readCommand('CMD');
    const child = spawn(program, rest, {
      ...findNobody(),
      cwd: app,
      env: { PATH: readPath(), MODE: 'demo', PORT: '0', DATA_DIR: data, WORKERS: '2', LOG_LEVEL: 'silent' },
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
    if (base === undefined) throw new Error(`The service did not start: ${output}`);
    return { child, base, ended };
  }

  async function checkHealth(base: string): Promise<number | null> {
    const [program = '', ...rest] = readCommand('HEALTHCHECK');
    const child = spawn(program, rest, { env: { PATH: readPath(), PORT: new URL(base).port }, stdio: 'ignore' });
    const [code] = await once(child, 'close');
    return code as number | null;
  }
});

describe('the composition', () => {
  const { services, volumes } = parse(readText('docker/compose.yaml'), { merge: true }) as {
    services: Record<string, Record<string, unknown>>;
    volumes: object;
  };
  const instances = Object.entries(services).filter(([name]) => name.startsWith('cds-'));

  test('has two instances over one database and one key, each on a read-only file system', () => {
    expect(instances).toHaveLength(2);
    for (const [, instance] of instances) {
      expect(instance).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
      expect(instance.volumes).toContain('keys:/data');
      expect(instance.environment).toMatchObject({
        DATABASE_URL: expect.stringMatching(/^postgresql:\/\/cds:.*@postgres\/cds$/),
      });
      expect(instance).not.toHaveProperty('ports');
    }
  });

  test('sets only settings the service knows', () => {
    const known = new Set(Object.keys(environmentSchema.shape));
    const set = instances.flatMap(([, { environment }]) => Object.keys(environment as object));
    expect(set.filter((name) => !known.has(name))).toEqual([]);
  });

  test('mounts only volumes it has', () => {
    const mounted = Object.values(services).flatMap(({ volumes: used = [] }) => used as string[]);
    const named = mounted.map((each) => each.split(':')[0] ?? '').filter((each) => /^[a-z]+$/.test(each));
    expect(new Set(named)).toEqual(new Set(Object.keys(volumes)));
  });

  test('is reached by TLS alone, over a proxy that asks every instance for its health', () => {
    const exposed = Object.entries(services).filter(([, service]) => 'ports' in service);
    expect(exposed.map(([name]) => name)).toEqual(['proxy']);
    const proxy = readText('docker/Caddyfile');
    for (const [name] of instances) expect(proxy).toContain(`${name}:3000`);
    expect(proxy).toMatch(/health_uri \/readyz/);
  });

  test('keeps its health and figures to itself, also where they are asked for with a slash at the end', () => {
    const [, named = ''] = /@internal path (.*)\n\s*respond @internal 404/.exec(readText('docker/Caddyfile')) ?? [];
    const internal = ['/metrics', '/readyz', '/livez'];
    expect(new Set(named.split(' '))).toEqual(new Set(internal.flatMap((path) => [path, `${path}/*`])));
  });

  test('leaves it to the service to say that a body is too large', () => {
    const [, size] = /max_size (\d+)MiB/.exec(readText('docker/Caddyfile')) ?? [];
    expect(Number(size) * 2 ** 20).toBeGreaterThan(environmentSchema.parse({}).MAX_BODY_BYTES);
  });
});

/** The arguments of an instruction in JSON form. */
function readCommand(name: 'CMD' | 'HEALTHCHECK'): string[] {
  const [text = ''] = textsOf(image, name);
  return JSON.parse(text.slice(text.indexOf('['))) as string[];
}

/** Does what COPY does; what comes from the stage before is there already. */
function copyInto(app: string, text: string): void {
  if (text.startsWith('--from=')) return;
  const parts = text.split(/\s+/);
  const target = join(app, parts.at(-1) ?? '');
  for (const source of parts.slice(0, -1)) {
    const isFolder = text.endsWith('/');
    cpSync(join(root, source), isFolder ? join(target, source) : target, { recursive: true });
  }
}

function readPath(): string {
  return [dirname(process.execPath), process.env.PATH].join(delimiter);
}

/** What npm tells the scripts it runs is about this folder, not about the one installed into. */
function readEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_)/i.test(name) || /^npm_config_(registry|cache|userconfig)$/i.test(name),
  );
  return { ...Object.fromEntries(kept), PATH: readPath() };
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map(String).sort();
}

/** As a read-only file system would have it, for whoever is not root. */
function setWritable(folder: string, isWritable: boolean): void {
  execFileSync('chmod', ['-R', isWritable ? 'u+w' : 'a-w,a+rX', folder]);
}
