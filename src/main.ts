import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { collectDefaultMetrics } from 'prom-client';
import { type OpenedStore, openStore } from './audit/open-store.ts';
import { loadPatientKey } from './audit/patient-key.ts';
import { demoClient } from './clients/client.ts';
import { type Directory, openDirectory } from './clients/directory.ts';
import { type Config, readConfig } from './config.ts';
import { CdsError, ConfigError } from './errors.ts';
import { createTransport } from './fhir/client.ts';
import { describePackage, packageFileName, packPackage, readPublished } from './fhir-package.ts';
import { createApp } from './http/app.ts';
import { createAuditApi } from './http/audit-api.ts';
import { createAuthenticate } from './http/auth.ts';
import { createExamples } from './http/examples.ts';
import { createFhirRoutes } from './http/fhir-routes.ts';
import { createKeyCache } from './http/keys.ts';
import { createLog, type Log } from './http/log.ts';
import { createMetrics } from './http/metrics.ts';
import { createPool } from './http/pool.ts';
import { describeProblem } from './http/problem.ts';
import { createRateLimit } from './http/rate-limit.ts';
import { createReaders } from './http/readers.ts';
import { createReplayStore } from './http/replay.ts';
import { listen } from './http/server.ts';
import type { WorkerData } from './http/worker.ts';
import { loadKnowledge } from './knowledge.ts';
import { createViewer } from './viewer/viewer.ts';
import { createWorkbench } from './viewer/workbench.ts';

const knowledgeFolder = fileURLToPath(new URL('../cds-services/diagnostisk-pakkeforloeb', import.meta.url));
const publishedFolder = fileURLToPath(new URL('../fhir-profiles/built', import.meta.url));
const exampleFolder = fileURLToPath(new URL('../examples', import.meta.url));
/** Printed at start, to try the service with. */
const firstExample = 'mas-trin1-missing';
const tokenBytes = 24;
/** Of the time to stop, how much is for proxies to notice it. */
const noticeShare = 0.5;

/** Starts the service; what it was given first is closed last. */
async function start(config: Config): Promise<void> {
  const guideline = loadKnowledge(knowledgeFolder);
  const directory = openDirectory(config.clientsDir, guideline, config.mode);
  const code = readCodeVersion();
  const log = createLog(config.logLevel);
  process.on('SIGHUP', () => reloadProfiles(directory, log));
  const metrics = createMetrics();
  collectDefaultMetrics({ register: metrics.registry });

  const patientKey = loadPatientKey(join(config.dataDir, 'patient-key'));
  const opened = openStore(config, patientKey);
  const { store } = opened;
  if (config.auditRequired) await store.check().catch(explainStore(opened));

  const workerData: WorkerData = { knowledgeFolder, patientKey, code, limits: config.limits };
  const pool = createPool({
    module: new URL('./http/worker.ts', import.meta.url),
    workerData,
    ...config.pool,
    deadlineMs: config.limits.deadlineMs,
    onCrash(reason) {
      metrics.countCrash();
      log.event('error', `A worker thread ended (${reason}) and is replaced.`);
    },
  });
  metrics.watchPool(pool.load);
  await pool.started;

  let isDraining = false;
  const isDemo = config.mode === 'demo';
  /** Known once the port is. */
  let baseUrls: readonly string[] = [];
  const findRate = (id: string) => directory.profiles().find((profile) => profile.id === id)?.rate ?? config.rate;
  const keys = createKeyCache(createTransport(), Date.now, isDemo);
  const auditToken = config.auditToken ?? randomBytes(tokenBytes).toString('base64url');
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const published = readPublished(publishedFolder);
  const login = config.auditLogin && { ...config.auditLogin, keys, now: readSeconds };
  const findReader = createReaders(auditToken, login);
  const workbench = createWorkbench(knowledgeFolder, findKnowledge(config.compareDir));
  const app = createApp({
    guideline,
    evaluate: pool.evaluate,
    store,
    authenticate: createAuthenticate({
      profiles: directory.profiles,
      baseUrls: () => baseUrls,
      keys,
      replay: opened.tokens ?? createReplayStore(readSeconds),
      now: readSeconds,
      ...(isDemo && { unknown: demoClient }),
    }),
    allowedOrigins: () => [
      ...(isDemo ? demoClient.origins : []),
      ...directory.profiles().flatMap(({ origins }) => origins),
    ],
    limits: config.limits,
    auditRequired: config.auditRequired,
    ...(isDemo ? {} : { takeTurn: createRateLimit(findRate) }),
    securityContact: config.securityContact,
    metrics,
    log,
    isReady: pool.isReady,
    isDraining: () => isDraining,
    audit: createAuditApi({ store, findReader, now: readClock }),
    viewer: createViewer({
      ...{ store, guideline, findReader, workbench, now: readClock },
      feedbackDays: config.feedbackDays,
      isSecure: config.publicBaseUrl?.startsWith('https:') === true,
    }),
    ...(isDemo && { examples: createExamples(exampleFolder) }),
    fhir: createFhirRoutes({
      published,
      package: {
        bytes: packPackage(describePackage(guideline.head), published),
        fileName: packageFileName(guideline.head),
      },
      version: code,
      base: () => `${baseUrls[0]}/fhir`,
    }),
  });
  const server = await listen(app, {
    ...{ ...config, ...config.limits },
    onRefused: (status) => log.request({ id: randomUUID(), status, ms: 0, code: 'http' }),
  });
  const base = config.publicBaseUrl ?? `http://${host}:${server.port}`;
  // Whoever tries the service out types one of its names as well as another.
  baseUrls = isDemo ? [base, `http://localhost:${server.port}`, `http://127.0.0.1:${server.port}`] : [base];

  async function stop(): Promise<void> {
    isDraining = true;
    log.event('info', 'Stopping: not ready any more; requests under way are answered.');
    // No proxy stands before a demo: whoever ends it waits for nobody.
    await server.stop(isDemo ? 0 : config.limits.drainMs * noticeShare);
    await pool.close();
    await workbench.close();
    await store.close();
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    // The second signal is for a process that does not stop.
    process.on(signal, () => (isDraining ? process.exit(1) : void stop().then(() => process.exit(0))));
  }

  const service = [...guideline.services.values()].find(({ hook }) => hook === 'patient-view')?.id;
  process.stdout.write(
    [
      `${guideline.head.title.da}: CDS Hooks service ${code}, knowledge ${guideline.head.version}, ${config.mode} mode`,
      `  discovery  ${base}/cds-services`,
      ...(config.publicBaseUrl === undefined ? [] : [`  listening  ${host}:${server.port}`]),
      ...(isDemo
        ? [
            `  try it     curl -s ${base}/examples/${firstExample}.json | curl -s ${base}/cds-services/${service} -H 'content-type: application/json' -d @-`,
          ]
        : []),
      `  records    ${opened.place}`,
      ...(config.auditToken === undefined && isDemo ? [`  audit      ${base}/audit, token ${auditToken}`] : []),
      '',
    ].join('\n'),
  );
}

const readSeconds = (): number => Date.now() / 1000;
const readClock = (): Date => new Date();

/** Knowledge folders in a folder, by name. */
function findKnowledge(folder: string | undefined): Record<string, string> {
  if (folder === undefined) return {};
  try {
    const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'guideline.yaml')));
    return Object.fromEntries(names.map((name) => [name, join(folder, name)]));
  } catch (cause) {
    throw new ConfigError(`COMPARE_DIR: ${folder} cannot be read: name a folder of knowledge folders`, { cause });
  }
}

/** All profiles or none: a mistake in one must not shut its client out, nor leave half of a change in force. */
function reloadProfiles(directory: Directory, log: Log): void {
  try {
    log.event('info', `Client profiles in force: ${directory.reload()}.`);
  } catch (error) {
    const why = error instanceof CdsError ? error.message.replaceAll('\n', ' | ') : 'they cannot be read';
    log.event('error', `New client profiles refused, the old ones stay in force: ${why}`);
  }
}

function readCodeVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const explainStore =
  ({ setting, place }: OpenedStore) =>
  (error: unknown) => {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
    throw new ConfigError(`${setting}: records cannot be kept in ${place}${cause}`, { cause: error });
  };

// Node would print the message of an error that nobody caught, and it may quote a request.
process.on('uncaughtException', (error) => {
  process.stderr.write(`The service ends: ${describeProblem(error).thrownAt ?? 'something was thrown'}\n`);
  process.exit(1);
});

try {
  await start(readConfig());
} catch (error) {
  // What an operator can put right is said in a line; anything else is a defect and shows where it is.
  process.stderr.write(`${error instanceof CdsError ? error.message : error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}
