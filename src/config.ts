import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import * as z from 'zod';
import { ConfigError } from './errors.ts';

const mebibyte = 1024 * 1024;

/** A whole number, within what can be of use. */
const whole = (least: number, most = 1_000_000) => {
  const error = `expected a whole number from ${least} to ${most}`;
  return z.coerce.number({ error }).int({ error }).min(least, { error }).max(most, { error });
};
/** Milliseconds, up to an hour: a timer of more than 24 days fires at once. */
const milliseconds = (least: number) => whole(least, 3_600_000);
const bytes = (least: number, most = 256 * mebibyte) => whole(least, most);
const address = (protocol: RegExp, example: string) =>
  z.url({ protocol, error: `expected an address such as ${example}` });
const choice = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.enum(names, { error: `expected one of ${names.join(', ')}` });

/**
 * The environment this service reads: one member per variable, described for the table in the README.
 *
 * A default that depends on other settings stands in `meta.shown` and is worked out by {@link readConfig}.
 */
export const environmentSchema = z.object({
  MODE: choice(['demo', 'production'])
    .default('demo')
    .describe(
      '`demo`: loopback only, no JWT, any loopback origin, loopback FHIR servers may be called without a token. `production`: refuses to start without clients',
    ),
  HOST: z.string().default('127.0.0.1').describe('Address it listens on'),
  PORT: whole(0, 65_535).default(3000).describe('Port it listens on; `0` takes a free one'),
  PUBLIC_BASE_URL: address(/^https?$/, 'https://cds.example.org')
    .optional()
    .describe('What clients call it; tokens name it (https in production)')
    .meta({ shown: '`http://HOST:PORT`' }),
  DATA_DIR: z.string().default('./data').describe('Folder of the embedded store and of the keys'),
  DATABASE_URL: address(/^postgres(ql)?$/, 'postgresql://user:password@host/database')
    .optional()
    .describe(
      'PostgreSQL instead of the embedded store, for several instances: `postgresql://user:password@host/database`, a UTF8 database of its own. All instances need the same file `patient-key` in `DATA_DIR` and the same `AUDIT_TOKEN`',
    ),
  CLIENTS_DIR: z
    .string()
    .optional()
    .describe('Folder of client profiles, one YAML file each, read again on SIGHUP; demo also has a built-in client'),
  AUDIT_TOKEN: z
    .string()
    .min(16, 'expected at least 16 characters, such as those of `openssl rand -base64 24`')
    .optional()
    .describe('Bearer token for `/audit`, at least 16 characters; production demands it or the login service below')
    .meta({ shown: 'demo: made at start and printed' }),
  AUDIT_OIDC_ISSUER: address(/^https?$/, 'https://login.example.org')
    .optional()
    .describe('Login service (OpenID Connect) of readers of `/audit`: its `iss`'),
  AUDIT_OIDC_AUDIENCE: z.string().optional().describe('`aud` of its tokens'),
  AUDIT_OIDC_JWKS_URL: address(/^https$/, 'https://login.example.org/jwks')
    .optional()
    .describe('Where it publishes its keys'),
  AUDIT_OIDC_ROLES: z
    .string()
    .default('roles')
    .describe('Claim with the roles of a reader: `audit-viewer` or `audit-reviewer`'),
  FEEDBACK_DAYS: whole(1, 3650).default(7).describe('Days after which a card nobody answered counts as ignored'),
  COMPARE_DIR: z
    .string()
    .optional()
    .describe('Folder of knowledge folders that recorded evaluations can be compared with at `/audit/compare`'),
  AUDIT_REQUIRED: choice(['true', 'false'])
    .default('true')
    .describe('`false`: answer, and count the failure, when the audit record cannot be written'),
  WORKERS: whole(2, 1024)
    .optional()
    .describe('Worker threads that evaluate requests, at least 2')
    .meta({ shown: 'processors - 1, at least 2' }),
  JOBS_PER_WORKER: whole(1, 1024).default(8).describe('Evaluations one worker thread holds at a time'),
  QUEUE_LENGTH: whole(1).default(256).describe('Evaluations that may wait for a worker; more are answered 503'),
  LARGE_BODY_BYTES: bytes(1).default(mebibyte).describe('Bodies above this never occupy the last free worker'),
  MAX_BODY_BYTES: bytes(1024)
    .default(10 * mebibyte)
    .describe('Largest body taken, also after inflation'),
  MAX_FEEDBACK_BYTES: bytes(1024).default(mebibyte).describe('Largest body taken by a feedback address'),
  MAX_HELD_BYTES: bytes(1024, 1024 * 1024 * mebibyte)
    .default(256 * mebibyte)
    .describe('Bytes of all bodies being read or evaluated; more are answered 503'),
  MAX_ENTRIES: whole(1).default(20_000).describe('Bundle entries taken, over all prefetch keys and draft orders'),
  MAX_DEPTH: whole(8, 1024).default(64).describe('Nesting of objects and arrays taken'),
  DEADLINE_MS: milliseconds(100).default(4000).describe('An evaluation not done by then is answered 503'),
  COLLECT_MS: milliseconds(0).default(2500).describe('Time for calls to the FHIR server; must be below `DEADLINE_MS`'),
  UPLOAD_MS: milliseconds(1000).default(30_000).describe('Time a client has to send its request'),
  DRAIN_MS: milliseconds(0)
    .default(10_000)
    .describe(
      'Time the process has when it is told to stop. In production it answers calls for the first half of it, `/readyz` being 503 already, so that proxies notice; then it takes no more, and answers those under way',
    ),
  RATE_PER_SECOND: whole(1).default(100).describe('Calls per second one client may make over time; not in demo mode'),
  RATE_BURST: whole(1).default(200).describe('Calls one client may make at once; more are answered 429'),
  SECURITY_CONTACT: address(/^(https|mailto|tel)$/, 'mailto:security@example.org')
    .optional()
    .describe('Where weaknesses are reported (`mailto:`, `https:` or `tel:`), said at `/.well-known/security.txt`'),
  LOG_LEVEL: choice(['debug', 'info', 'warn', 'error', 'silent']).default('info').describe('Least level logged'),
});

/** All settings of the process, checked and frozen. */
export interface Config {
  readonly mode: 'demo' | 'production';
  readonly host: string;
  readonly port: number;
  /** Absent: follows from the address listened on. */
  readonly publicBaseUrl: string | undefined;
  readonly dataDir: string;
  /** Absent: records are kept in files in `dataDir`. */
  readonly databaseUrl: string | undefined;
  /** Always there in production. */
  readonly clientsDir: string | undefined;
  /** Absent: made at start in demo mode; in production readers log in. */
  readonly auditToken: string | undefined;
  /** Absent: readers have the token above only. */
  readonly auditLogin:
    | { readonly issuer: string; readonly audience: string; readonly jwksUrl: string; readonly rolesClaim: string }
    | undefined;
  readonly feedbackDays: number;
  readonly compareDir: string | undefined;
  readonly auditRequired: boolean;
  readonly rate: { readonly perSecond: number; readonly burst: number };
  /** Absent: there is no security.txt. */
  readonly securityContact: string | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly limits: {
    readonly bodyBytes: number;
    readonly feedbackBytes: number;
    readonly heldBytes: number;
    readonly entries: number;
    readonly depth: number;
    readonly deadlineMs: number;
    readonly collectMs: number;
    readonly uploadMs: number;
    readonly drainMs: number;
  };
  readonly pool: {
    readonly workers: number;
    readonly jobsPerWorker: number;
    readonly queueLength: number;
    readonly largeBytes: number;
  };
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);

/**
 * Reads the settings of the process from its environment.
 *
 * An empty or blank variable counts as not set.
 *
 * @throws {@link ConfigError} naming every variable that is wrong and what was expected.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>> = process.env): Config {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value.trim() !== ''),
  );
  const read = environmentSchema.safeParse(given);
  if (!read.success) {
    const wrong = new Set(read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
    throw new ConfigError([...wrong].join('; '));
  }
  const env = read.data;
  if (env.MODE === 'production' && env.CLIENTS_DIR === undefined) {
    throw new ConfigError('CLIENTS_DIR: MODE=production answers known clients only: set the folder of their profiles');
  }
  if (env.MODE === 'production' && !env.PUBLIC_BASE_URL?.startsWith('https:')) {
    throw new ConfigError(
      'PUBLIC_BASE_URL: MODE=production compares it with what tokens are made for: set the https address clients call',
    );
  }
  if (env.MODE === 'production' && env.AUDIT_TOKEN === undefined && env.AUDIT_OIDC_ISSUER === undefined) {
    throw new ConfigError(
      'AUDIT_TOKEN: MODE=production makes none that somebody would know: set one, or the login service of AUDIT_OIDC_ISSUER',
    );
  }
  if (env.MODE === 'demo' && !isLoopback(env.HOST)) {
    throw new ConfigError(
      'HOST: MODE=demo checks no caller and listens on a loopback address only: set HOST=127.0.0.1',
    );
  }
  if (env.COLLECT_MS >= env.DEADLINE_MS) {
    throw new ConfigError('COLLECT_MS: must be below DEADLINE_MS, so that what was gathered is still decided');
  }
  return Object.freeze({
    mode: env.MODE,
    host: env.HOST,
    port: env.PORT,
    publicBaseUrl: env.PUBLIC_BASE_URL?.replace(/\/+$/, ''),
    dataDir: resolve(env.DATA_DIR),
    databaseUrl: env.DATABASE_URL,
    clientsDir: env.CLIENTS_DIR === undefined ? undefined : resolve(env.CLIENTS_DIR),
    auditToken: env.AUDIT_TOKEN,
    auditLogin: readLogin(env),
    feedbackDays: env.FEEDBACK_DAYS,
    compareDir: env.COMPARE_DIR === undefined ? undefined : resolve(env.COMPARE_DIR),
    auditRequired: env.AUDIT_REQUIRED === 'true',
    rate: Object.freeze({ perSecond: env.RATE_PER_SECOND, burst: env.RATE_BURST }),
    securityContact: env.SECURITY_CONTACT,
    logLevel: env.LOG_LEVEL,
    limits: Object.freeze({
      bodyBytes: env.MAX_BODY_BYTES,
      feedbackBytes: env.MAX_FEEDBACK_BYTES,
      heldBytes: env.MAX_HELD_BYTES,
      entries: env.MAX_ENTRIES,
      depth: env.MAX_DEPTH,
      deadlineMs: env.DEADLINE_MS,
      collectMs: env.COLLECT_MS,
      uploadMs: env.UPLOAD_MS,
      drainMs: env.DRAIN_MS,
    }),
    pool: Object.freeze({
      workers: env.WORKERS ?? Math.max(2, availableParallelism() - 1),
      jobsPerWorker: env.JOBS_PER_WORKER,
      queueLength: env.QUEUE_LENGTH,
      largeBytes: env.LARGE_BODY_BYTES,
    }),
  });
}

function readLogin(env: z.infer<typeof environmentSchema>): Config['auditLogin'] {
  const { AUDIT_OIDC_ISSUER: issuer, AUDIT_OIDC_AUDIENCE: audience, AUDIT_OIDC_JWKS_URL: jwksUrl } = env;
  if (issuer === undefined && audience === undefined && jwksUrl === undefined) return undefined;
  if (issuer === undefined || audience === undefined || jwksUrl === undefined) {
    throw new ConfigError(
      'AUDIT_OIDC_ISSUER, AUDIT_OIDC_AUDIENCE, AUDIT_OIDC_JWKS_URL: tokens are checked by all three: set them all or none',
    );
  }
  return Object.freeze({ issuer, audience, jwksUrl, rolesClaim: env.AUDIT_OIDC_ROLES });
}
