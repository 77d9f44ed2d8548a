// `npm run bench`: the service beside an Express server that only parses the same body, in one run, round by round.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPostgres } from '../audit/postgres-server.ts';
import type { LoadCall, LoadResult } from './load.ts';
import { buildRequest, patientKinds } from './patients.ts';
import { describeMachine, renderMixed, renderProfile, renderRatios, renderStores, renderTable } from './report.ts';
import { type MeasuredServer, type ServerOptions, startServer } from './server.ts';
import { type Cell, collectCell, type MixedCell, type Round, type ServerName, serverNames } from './statistics.ts';
import { readServerCpu, type StoreName, type StoreRound, storeNames, subtractCpu } from './stores.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const withoutStore = fileURLToPath(new URL('without-store.ts', import.meta.url));
const servicePath = '/cds-services/diagnostisk-pakkeforloeb-patient-view';
/** Observations per request, and the connections that suit the size. */
const sizes = [
  { observations: 30, connections: 16 },
  { observations: 300, connections: 16 },
  { observations: 2000, connections: 8 },
  { observations: 5000, connections: 4 },
];
const profiledSizes = sizes.filter(({ observations }) => observations === 30 || observations === 2000);
/** Small requests beside large ones, both open loop. */
const mixed = {
  small: { observations: 30, connections: 64, perSecond: 150 },
  large: { observations: 5000, connections: 8, perSecond: 3 },
};
/** What storing a record costs is told of these. */
const storedSize = { observations: 300, connections: 16 };
const full = {
  ...{ rounds: 3, seconds: 2, warmUpSeconds: 6, mixedRounds: 3, mixedSeconds: 5, profileSeconds: 8 },
  storeRounds: 9,
};
const quick = {
  ...{ rounds: 1, seconds: 0.8, warmUpSeconds: 1.5, mixedRounds: 1, mixedSeconds: 2, profileSeconds: 3 },
  storeRounds: 3,
};

const flag = { type: 'boolean', default: false } as const;
const { values: options } = parseArgs({ options: { quick: flag, profile: flag, stores: flag } });
const plan = options.quick ? quick : full;

const folder = await mkdtemp(join(tmpdir(), 'cds-bench-'));
const running = new Set<MeasuredServer>();
/** One for each server, so that all can warm up at once, and one for large requests beside small ones. */
const generators = { service: startGenerator(), echo: startGenerator(), 'echo-flags': startGenerator() };
const largeGenerator = startGenerator();
const failures: Record<string, number> = {};

try {
  const flags = await readStart();
  if (options.stores) await compareStores(flags);
  else if (options.profile) await profileService(flags);
  else await compare(flags);
} finally {
  await Promise.all([...running].map((server) => server.stop()));
  for (const generator of [...Object.values(generators), largeGenerator]) generator.kill();
  await rm(folder, { recursive: true, force: true });
}
for (const [reason, count] of Object.entries(failures)) {
  console.error(`FAILED: ${count} requests were not answered 200 (${reason})`);
  process.exitCode = 1;
}

async function compare(start: Start): Promise<void> {
  const servers = await startServers(start);
  const cells: Cell[] = [];
  for (const size of sizes) {
    for (const kind of patientKinds) cells.push(...(await compareOn(servers, { ...size, kind })));
  }
  const mixedCells = await compareMixed(servers);
  console.log(
    [
      describeMachine(start.flags, plan),
      renderTable(cells),
      renderRatios(cells),
      renderMixed(mixedCells, mixed),
      `requests not answered 200: ${Object.values(failures).reduce((sum, each) => sum + each, 0)}`,
    ].join('\n\n'),
  );
}

/** Every server on one kind and size of patient, taking turns within each round. */
async function compareOn(servers: Record<ServerName, MeasuredServer>, patient: Patient): Promise<Cell[]> {
  const rounds: Record<ServerName, Round[]> = { service: [], echo: [], 'echo-flags': [] };
  await keepAnswer(servers.service, patient);
  await warmUp(servers, patient);
  for (let round = 0; round < plan.rounds; round++) {
    const shown: string[] = [];
    for (let turn = 0; turn < serverNames.length; turn++) {
      const name = serverNames[(turn + round) % serverNames.length] as ServerName;
      const before = await servers[name].readUsage();
      const load = await sendLoad(servers[name], { ...patient, seconds: plan.seconds });
      const after = await servers[name].readUsage();
      rounds[name].push({ load, cpuMs: after.cpuMs - before.cpuMs, peakMegabytes: after.peakMegabytes });
      shown.push(`${name} ${(load.answered / load.seconds).toFixed(0)}/s`);
    }
    say(`${patient.observations} observations, ${patient.kind}, round ${round + 1}: ${shown.join(', ')}`);
  }
  const kilobytes = Buffer.byteLength(buildRequest({ ...patient, number: 0, today: readToday() })) / 1000;
  return serverNames.map((name) => collectCell(name, { ...patient, kilobytes }, rounds[name], rounds));
}

async function compareMixed(servers: Record<ServerName, MeasuredServer>): Promise<MixedCell[]> {
  const measured = [servers.service, servers.echo];
  const runs = measured.map(({ name }): MixedCell => ({ name, alone: [], beside: [], large: [] }));
  const call = { kind: 'cards' as const, seconds: plan.mixedSeconds };
  for (let round = 0; round < plan.mixedRounds; round++) {
    for (const [at, server] of measured.entries()) {
      const alone = await sendLoad(server, { ...mixed.small, ...call });
      const [beside, large] = await Promise.all([
        sendLoad(server, { ...mixed.small, ...call }),
        sendLoad(server, { ...mixed.large, ...call }, largeGenerator),
      ]);
      runs[at]?.alone.push(...alone.latencies);
      runs[at]?.beside.push(...beside.latencies);
      runs[at]?.large.push(...large.latencies);
      say(`small beside large, round ${round + 1}: ${server.name}`);
    }
  }
  return runs;
}

/** The service over each store, taking turns within each round. */
async function compareStores(start: Start): Promise<void> {
  const postgres = await startPostgres({ fsync: 'on' });
  try {
    const url = await postgres.createDatabase();
    const none = serviceOptions(start, 'none');
    const withPostgres = serviceOptions(start, 'postgres');
    const servers: Record<StoreName, MeasuredServer> = {
      none: await keep({ ...none, run: ['--import', withoutStore, ...none.run] }),
      sqlite: await keep(serviceOptions(start, 'sqlite')),
      postgres: await keep({ ...withPostgres, environment: { ...withPostgres.environment, DATABASE_URL: url } }),
    };
    for (const kind of patientKinds) {
      const call = { ...storedSize, kind };
      const rounds: Record<StoreName, StoreRound[]> = { none: [], sqlite: [], postgres: [] };
      for (const name of storeNames) await sendLoad(servers[name], { ...call, seconds: plan.warmUpSeconds });
      for (let round = 0; round < plan.storeRounds; round++) {
        for (let turn = 0; turn < storeNames.length; turn++) {
          const name = storeNames[(turn + round) % storeNames.length] as StoreName;
          const serverBefore = await readServerCpu(postgres, url);
          const before = await servers[name].readUsage();
          const load = await sendLoad(servers[name], { ...call, seconds: plan.seconds });
          const after = await servers[name].readUsage();
          const serverCpu = subtractCpu(serverBefore, await readServerCpu(postgres, url));
          const requests = load.latencies.length;
          rounds[name].push({
            cpuMs: (after.cpuMs - before.cpuMs) / requests,
            serverCpuMs: name === 'postgres' && serverBefore.size > 0 ? serverCpu / requests : undefined,
            perSecond: load.answered / load.seconds,
          });
        }
        say(
          `${kind}, round ${round + 1}: ${storeNames.map((name) => `${name} ${rounds[name].at(-1)?.cpuMs.toFixed(2)} ms`).join(', ')}`,
        );
      }
      console.log(renderStores(call, rounds));
    }
    if (existsSync(join(folder, 'none', 'evaluations'))) {
      throw new Error('without-store.ts did not take the place of the store: the figures are none.');
    }
    await stopServers(Object.values(servers));
  } finally {
    await postgres.stop();
  }
}

async function profileService(start: Start): Promise<void> {
  for (const { observations, connections } of profiledSizes) {
    const service = await keep(serviceOptions(start, `profile-${observations}`));
    const call = { kind: 'cards' as const, observations, connections };
    await sendLoad(service, { ...call, seconds: plan.warmUpSeconds });
    await service.startProfile();
    const load = await sendLoad(service, { ...call, seconds: plan.profileSeconds });
    const profiles = await service.stopProfile();
    await stopServers([service]);
    console.log(renderProfile(observations, load.latencies.length, profiles, root));
  }
}

/** Until the code that answers is compiled: every worker thread compiles its own. */
async function warmUp(servers: Record<ServerName, MeasuredServer>, patient: Patient): Promise<void> {
  const call = { ...patient, seconds: plan.warmUpSeconds };
  await Promise.all(serverNames.map((name) => sendLoad(servers[name], call)));
}

/** Sends requests from a generator process and counts what failed. */
async function sendLoad(
  server: MeasuredServer,
  call: Omit<LoadCall, 'origin' | 'path'>,
  generator = generators[server.name],
): Promise<LoadResult> {
  const path = server.name === 'service' ? servicePath : `/${call.observations}-${call.kind}`;
  const answered = new AbortController();
  const answer = Promise.race(['message', 'exit'].map((event) => once(generator, event, answered)));
  generator.send({ ...call, origin: server.origin, path } satisfies LoadCall);
  const [result] = (await answer) as [LoadResult | number | null];
  answered.abort();
  if (result === null || typeof result === 'number') throw new Error('A load generator ended.');
  for (const [reason, count] of Object.entries(result.failures)) {
    const key = `${server.name}: ${reason}`;
    failures[key] = (failures[key] ?? 0) + count;
  }
  return result;
}

/** The service, and both echo servers, which give the answers of {@link keepAnswer}. */
async function startServers(start: Start): Promise<Record<ServerName, MeasuredServer>> {
  say('starting the servers');
  const echo = { folder: root, environment: {}, script: fileURLToPath(new URL('echo.ts', import.meta.url)) };
  return {
    service: await keep(serviceOptions(start, 'compare')),
    echo: await keep({ ...echo, name: 'echo', run: [echo.script, folder] }),
    'echo-flags': await keep({ ...echo, name: 'echo-flags', run: [...start.flags, echo.script, folder] }),
  };
}

/**
 * Keeps the answer of the service to a patient, for the echo servers to give.
 *
 * @throws {Error} when it is not what the kind of patient stands for: the figures would be of something else.
 */
async function keepAnswer(service: MeasuredServer, { kind, observations }: Patient): Promise<void> {
  const response = await fetch(service.origin + servicePath, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: buildRequest({ kind, observations, number: 0, today: readToday() }),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`The service answered ${response.status} to a patient of kind ${kind}: ${answer}`);
  const { cards } = JSON.parse(answer) as { cards: unknown[] };
  if (cards.length > 0 !== (kind === 'cards')) {
    throw new Error(`A patient of kind ${kind} with ${observations} observations got ${cards.length} cards: ${answer}`);
  }
  await writeFile(join(folder, `${observations}-${kind}.json`), answer);
}

type Patient = Pick<LoadCall, 'kind' | 'observations' | 'connections'>;

interface Start {
  flags: string[];
  script: string;
}

/** Node's flags and the script that `npm start` runs. */
async function readStart(): Promise<Start> {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } };
  const [program, ...rest] = manifest.scripts.start.split(' ');
  const script = rest.pop();
  if (program !== 'node' || script === undefined || !rest.every((flag) => flag.startsWith('-'))) {
    throw new Error(
      `package.json: expected scripts.start to be "node <flags> <script>", not "${manifest.scripts.start}"`,
    );
  }
  return { flags: rest, script };
}

function serviceOptions({ flags, script }: Start, store: string): ServerOptions {
  const data = join(folder, store);
  return { name: 'service', run: [...flags, script], folder: root, environment: { DATA_DIR: data } };
}

async function keep(server: ServerOptions): Promise<MeasuredServer> {
  const started = await startServer(server);
  running.add(started);
  return started;
}

async function stopServers(servers: readonly MeasuredServer[]): Promise<void> {
  for (const server of servers) {
    await server.stop();
    running.delete(server);
  }
}

function startGenerator(): ChildProcess {
  const module = fileURLToPath(new URL('load.ts', import.meta.url));
  return fork(module, { execArgv: [], serialization: 'advanced' });
}

function readToday(): string {
  return new Date().toISOString().slice(0, 10);
}

function say(line: string): void {
  console.error(`[${performance.now().toFixed(0).padStart(6)} ms] ${line}`);
}
