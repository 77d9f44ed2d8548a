import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderConfigTable } from '../src/cli/config-table.ts';
import { environmentSchema, readConfig } from '../src/config.ts';
import { ConfigError } from '../src/errors.ts';

const production = {
  MODE: 'production',
  CLIENTS_DIR: 'clients',
  PUBLIC_BASE_URL: 'https://cds.example.org',
  AUDIT_TOKEN: 'a-token-for-this-test',
};

describe('the configuration', () => {
  it('without any variable is demo mode on loopback, audit required', () => {
    const config = readConfig({});
    expect(config).toMatchObject({ mode: 'demo', host: '127.0.0.1', port: 3000, auditRequired: true });
    expect(config.limits).toMatchObject({ bodyBytes: 10_485_760, entries: 20_000, depth: 64, deadlineMs: 4000 });
    expect(config.pool.workers).toBeGreaterThanOrEqual(2);
  });

  it('cannot be changed', () => {
    const config = readConfig({});
    expect([config, config.limits, config.pool].every(Object.isFrozen)).toBe(true);
  });

  it('takes an empty or blank variable as not set', () => {
    expect(readConfig({ PORT: ' ', PUBLIC_BASE_URL: '' })).toMatchObject({ port: 3000, publicBaseUrl: undefined });
  });

  it('reads numbers, switches and addresses', () => {
    const environment = {
      PORT: '8080',
      AUDIT_REQUIRED: 'false',
      PUBLIC_BASE_URL: 'https://cds.example.org/',
      WORKERS: '5',
    };
    const config = readConfig(environment);
    expect(config).toMatchObject({ port: 8080, auditRequired: false, publicBaseUrl: 'https://cds.example.org' });
    expect(config.pool.workers).toBe(5);
  });

  it('in production listens on any address', () => {
    const config = readConfig({ ...production, HOST: '0.0.0.0' });
    expect(config).toMatchObject({ mode: 'production', host: '0.0.0.0', clientsDir: resolve('clients') });
  });

  it.each(['localhost', '127.0.0.1', '127.8.9.10', '::1'])('in demo mode listens on %s', (host) => {
    expect(readConfig({ HOST: host }).host).toBe(host);
  });

  it.each<[string, Record<string, string>]>([
    ['HOST', { HOST: '0.0.0.0' }],
    ['HOST', { HOST: '127.0.0.1.example.org' }],
    ['PORT', { PORT: 'http' }],
    ['PORT', { PORT: '70000' }],
    ['MODE', { MODE: 'test' }],
    ['PUBLIC_BASE_URL', { PUBLIC_BASE_URL: 'ftp://example.org' }],
    ['AUDIT_REQUIRED', { AUDIT_REQUIRED: 'no' }],
    ['AUDIT_TOKEN', { AUDIT_TOKEN: 'short' }],
    ['WORKERS', { WORKERS: '1' }],
    ['COLLECT_MS', { COLLECT_MS: '4000' }],
    ['DATABASE_URL', { DATABASE_URL: 'mysql://localhost/cds' }],
    ['CLIENTS_DIR', { ...production, CLIENTS_DIR: '' }],
    ['PUBLIC_BASE_URL', { ...production, PUBLIC_BASE_URL: '' }],
    ['PUBLIC_BASE_URL', { ...production, PUBLIC_BASE_URL: 'http://cds.example.org' }],
    ['AUDIT_TOKEN', { ...production, AUDIT_TOKEN: '' }],
    ['DEADLINE_MS', { DEADLINE_MS: '3000000000' }],
    ['MAX_BODY_BYTES', { MAX_BODY_BYTES: '1e12' }],
  ])('names %s when it is wrong: %j', (name, environment) => {
    expect(() => readConfig(environment)).toThrow(ConfigError);
    expect(() => readConfig(environment)).toThrow(new RegExp(`^${name}: `));
  });

  it('names every variable that is wrong at once', () => {
    expect(() => readConfig({ PORT: 'x', WORKERS: '0' })).toThrow(/PORT: .*WORKERS: /);
  });

  it.each<[string, Record<string, string>]>([
    ['PORT: expected a whole number from 0 to 65535', { PORT: 'http' }],
    ['DEADLINE_MS: expected a whole number from 100 to 3600000', { DEADLINE_MS: '0.5' }],
    ['MODE: expected one of demo, production', { MODE: 'test' }],
    ['PUBLIC_BASE_URL: expected an address such as https://cds.example.org', { PUBLIC_BASE_URL: 'cds' }],
  ])('says once what was expected: %s', (message, environment) => {
    expect(() => readConfig(environment)).toThrow(new RegExp(`^${message}$`));
  });

  it('in production needs no token where readers log in', () => {
    const login = {
      AUDIT_OIDC_ISSUER: 'https://login.example.org',
      AUDIT_OIDC_AUDIENCE: 'audit',
      AUDIT_OIDC_JWKS_URL: 'https://login.example.org/jwks',
    };
    expect(readConfig({ ...production, AUDIT_TOKEN: '', ...login }).auditToken).toBeUndefined();
  });

  it('does not repeat a secret that is wrong', () => {
    expect(() => readConfig({ AUDIT_TOKEN: 'hunter2' })).toThrow(/^(?!.*hunter2)/);
  });
});

describe('the table of the README', () => {
  it('has a row with meaning and default for every variable', () => {
    const rows = renderConfigTable().trim().split('\n').slice(2);
    expect(rows.map((row) => /^\| `(\w+)`/.exec(row)?.[1])).toEqual(Object.keys(environmentSchema.shape));
    for (const row of rows) expect(row).toMatch(/^\| `\w+` \| \S.+ \| \S.* \|$/);
    expect(rows).toContain('| `PORT` | Port it listens on; `0` takes a free one | `3000` |');
  });
});
