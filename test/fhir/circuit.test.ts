import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CircuitLimits, type Circuits, createCircuits, defaultCircuitLimits } from '../../src/fhir/circuit.ts';
import { defaultLimits } from '../../src/fhir/client.ts';
import { type Collected, collectSources } from '../../src/fhir/collect.ts';
import { bundleOf, type FakeFhirServer, sendJson, sendStatus, startFhirServer } from './fhir-server.ts';

const limits: CircuitLimits = { failures: 3, pause: 1_000, servers: 2 };
const base = 'https://ehr.example/fhir';

let time: number;
let circuits: Circuits;
beforeEach(() => {
  time = 0;
  circuits = createCircuits(limits, () => time);
});

function fail(times: number, at = base): void {
  for (let count = 0; count < times; count += 1) circuits.report(at, false);
}

describe('a FHIR server', () => {
  it('is called while it fails fewer times in a row than allowed', () => {
    fail(2);
    circuits.report(base, true);
    fail(2);
    expect(circuits.admit(base)).toBe(true);
  });

  it('is left alone for the pause after it failed that often, others are not', () => {
    fail(3);
    expect(circuits.admit(base)).toBe(false);
    expect(circuits.admit('https://other.example/fhir')).toBe(true);
    time = 999;
    expect(circuits.admit(base)).toBe(false);
  });

  it('is tried by one request after the pause, and called again by all once that one was answered', () => {
    fail(3);
    time = 1_000;
    expect([circuits.admit(base), circuits.admit(base), circuits.admit(base)]).toEqual([true, false, false]);
    circuits.report(base, true);
    expect(circuits.admit(base)).toBe(true);
    fail(2);
    expect(circuits.admit(base)).toBe(true);
  });

  it('is left alone for another pause when the request that tried it failed', () => {
    fail(3);
    time = 1_000;
    expect(circuits.admit(base)).toBe(true);
    time = 1_100;
    fail(1);
    time = 2_099;
    expect(circuits.admit(base)).toBe(false);
    time = 2_100;
    expect(circuits.admit(base)).toBe(true);
  });

  it('is forgotten when too many others fail', () => {
    fail(3);
    fail(3, 'https://b.example');
    fail(3, 'https://c.example');
    expect(circuits.admit(base)).toBe(true);
    expect(circuits.admit('https://b.example')).toBe(false);
    expect(circuits.admit('https://c.example')).toBe(false);
  });

  it('has more attempts than one request makes', () => {
    const keys = 10;
    expect(defaultCircuitLimits.failures).toBeGreaterThan(2 * keys);
  });
});

describe('requests to a FHIR server', () => {
  let server: FakeFhirServer;
  beforeEach(async () => {
    server = await startFhirServer();
  });
  afterEach(() => server.close());

  async function collect(budget = 1_000, fetchLimits = defaultLimits): Promise<Collected> {
    return collectSources({
      prefetch: {},
      context: { patientId: 'p1' },
      fhirServer: server.base,
      fhirAuthorization: { access_token: 'secret' },
      templates: { observations: { template: 'Observation?patient={{context.patientId}}', required: false } },
      client: { allowedFhirServers: 'loopback', allowWithoutToken: false },
      deadline: Date.now() + budget,
      circuits,
      limits: fetchLimits,
    });
  }

  it('end at once while it is left alone, and go through again when it has recovered', async () => {
    server.handle = (_, response) => sendStatus(response, 503);
    await collect();
    await collect();
    const { sources, problems } = await collect();
    expect(sources.observations?.state).toBe('failed');
    expect(problems.observations).toBe('circuit-open');
    expect(server.seen).toHaveLength(4);

    server.handle = (_, response) => sendJson(response, bundleOf([]));
    time = 1_000;
    expect((await collect()).sources.observations?.state).toBe('empty');
    expect((await collect()).sources.observations?.state).toBe('empty');
  });

  it.each([401, 403, 404, 429])('that answers %i count as answered', async (status) => {
    server.handle = (_, response) => sendStatus(response, status);
    for (let count = 0; count < 5; count += 1) await collect();
    expect(server.seen).toHaveLength(5);
  });

  it('that had no time to answer do not count', async () => {
    server.handle = () => {};
    for (let count = 0; count < 4; count += 1) await collect(60);
    server.handle = (_, response) => sendJson(response, bundleOf([]));
    expect((await collect()).sources.observations?.state).toBe('empty');
  });

  it('that never get an answer count', async () => {
    server.handle = () => {};
    const fast = { ...defaultLimits, fairAttempt: 20 };
    for (let count = 0; count < 2; count += 1) await collect(120, fast);
    expect((await collect()).problems.observations).toBe('circuit-open');
  });
});
