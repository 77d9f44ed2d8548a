import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTransport, defaultLimits, type Fetch, isTlsFailure } from '../../src/fhir/client.ts';
import { type Collected, type CollectRequest, collectSources } from '../../src/fhir/collect.ts';
import { bundleOf, type FakeFhirServer, sendJson, sendStatus, startFhirServer } from './fhir-server.ts';

const observation = { resourceType: 'Observation', id: 'o1' };
const templates = { observations: { template: 'Observation?patient={{context.patientId}}', required: false } };

let server: FakeFhirServer;
beforeEach(async () => {
  server = await startFhirServer();
});
afterEach(() => server.close());

/** Collects one key from the test's server, and fails the test if that takes longer than the deadline allows. */
async function collect(changes: Partial<CollectRequest> = {}, budget = 1_000): Promise<Collected> {
  const start = Date.now();
  const collected = await collectSources({
    prefetch: {},
    context: { patientId: 'p1' },
    fhirServer: server.base,
    fhirAuthorization: { access_token: 'secret', token_type: 'Bearer', expires_in: 300 },
    templates,
    client: { allowedFhirServers: 'loopback', allowWithoutToken: false },
    deadline: start + budget,
    ...changes,
  });
  expect(Date.now() - start).toBeLessThan(budget + 500);
  return collected;
}

describe('a key that was not sent', () => {
  it('is fetched as FHIR JSON with the token of the request', async () => {
    server.handle = (_, response) => sendJson(response, bundleOf([observation]));
    const { sources, problems } = await collect();
    expect(sources.observations).toEqual({ state: 'present', resources: [observation] });
    expect(problems).toEqual({});
    expect(server.seen).toEqual([
      { path: '/fhir/Observation?patient=p1', accept: 'application/fhir+json', authorization: 'Bearer secret' },
    ]);
  });

  it('is fetched without a token only where the client allows that', async () => {
    server.handle = (_, response) => sendJson(response, bundleOf([]));
    const client = { allowedFhirServers: 'loopback', allowWithoutToken: true } as const;
    const { sources } = await collect({ fhirAuthorization: undefined, client });
    expect(sources.observations?.state).toBe('empty');
    expect(server.seen[0]?.authorization).toBeUndefined();
  });

  it('is fetched from a base that is a bare host', async () => {
    server.handle = (_, response) => sendJson(response, bundleOf([observation]));
    const { sources } = await collect({ fhirServer: `http://localhost:${server.port}/` });
    expect(sources.observations?.state).toBe('present');
    expect(server.seen[0]?.path).toBe('/Observation?patient=p1');
  });

  it('is fetched beside the other keys, not after them', async () => {
    server.handle = (_, response) => setTimeout(() => sendJson(response, bundleOf([])), 200);
    const keys = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => [key, templates.observations]));
    const { sources } = await collect({ templates: keys }, 1_000);
    expect(Object.values(sources).map(({ state }) => state)).toEqual(Array(6).fill('empty'));
  });

  it.each([401, 403, 404, 410, 429, 204])('has failed after a %i, without a second attempt', async (status) => {
    server.handle = (_, response) => sendStatus(response, status);
    const { sources, problems } = await collect();
    expect(sources.observations).toEqual({ state: 'failed', resources: [] });
    expect(problems.observations).toBe(`status-${status}`);
    expect(server.seen).toHaveLength(1);
  });

  it('is tried a second time after a 5xx', async () => {
    server.handle = (_, response) => {
      if (server.seen.length === 1) sendStatus(response, 503);
      else sendJson(response, bundleOf([observation]));
    };
    expect((await collect()).sources.observations?.state).toBe('present');
  });

  it('has failed after a second 5xx', async () => {
    server.handle = (_, response) => sendStatus(response, 500);
    const { sources, problems } = await collect();
    expect(sources.observations?.state).toBe('failed');
    expect(problems.observations).toBe('status-500');
    expect(server.seen).toHaveLength(2);
  });

  it('is tried a second time after a broken connection, and then has failed', async () => {
    server.handle = (request) => request.socket.destroy();
    const { sources, problems } = await collect();
    expect(sources.observations?.state).toBe('failed');
    expect(problems.observations).toBe('unreachable');
    expect(server.seen).toHaveLength(2);
  });

  it('is not tried a second time when no time remains', async () => {
    server.handle = (_, response) => setTimeout(() => sendStatus(response, 503), 90);
    const { problems } = await collect({ limits: { ...defaultLimits, leastAttempt: 150 } }, 200);
    expect(problems.observations).toBe('status-503');
    expect(server.seen).toHaveLength(1);
  });

  it('has failed at the deadline when a connection never comes about', async () => {
    // A name server that does not answer: nothing is connected to, nothing is refused.
    const { problems } = await collect(
      {
        fhirServer: `http://localhost:${server.port}/fhir`,
        fetch: createTransport(() => {}),
      },
      300,
    );
    expect(problems.observations).toBe('timeout');
    expect(server.connections).toBe(0);
  });

  it('is fetched whatever scopes were granted and whoever the token was made for', async () => {
    server.handle = (_, response) => sendJson(response, bundleOf([observation]));
    for (const [scope, subject] of [
      ['patient/Observation.read', 'cds-service'],
      ['patient/*.rs launch/patient', 'another-service'],
      ['urn:epic:proprietary:scope', ''],
      ['', undefined],
    ]) {
      // As it came in the request: members that are not read included.
      const fhirAuthorization = { access_token: 'secret', token_type: 'bearer', expires_in: 300, scope, subject };
      expect((await collect({ fhirAuthorization })).sources.observations?.state).toBe('present');
    }
  });

  it('has failed when the connection breaks in the middle of the body', async () => {
    server.handle = (request, response) => {
      response.writeHead(200, { 'content-type': 'application/fhir+json', 'content-length': '1000' });
      response.write('{"resourceType":"Bundle"', () => request.socket.destroy());
    };
    const { sources, problems } = await collect();
    expect(sources.observations?.state).toBe('failed');
    expect(problems.observations).toBe('unreachable');
  });

  it('has failed when nobody listens', async () => {
    await server.close();
    const { problems } = await collect();
    expect(problems.observations).toBe('unreachable');
    server = await startFhirServer();
  });

  it('has failed at the deadline when the headers do not come', async () => {
    server.handle = () => {};
    const { sources, problems } = await collect({}, 400);
    expect(sources.observations?.state).toBe('failed');
    expect(problems.observations).toBe('timeout');
    expect(server.seen).toHaveLength(2);
  });

  it('has failed at the deadline when the body never ends', async () => {
    server.handle = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/fhir+json' });
      const drip = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(drip));
    };
    const { sources, problems } = await collect({}, 400);
    expect(sources.observations?.state).toBe('failed');
    expect(problems.observations).toBe('timeout');
  });

  it('has failed at the deadline when the transport does not heed its signal', async () => {
    const { problems } = await collect({ fetch: () => new Promise(() => {}) }, 300);
    expect(problems.observations).toBe('timeout');
  });

  it('is not asked for when the deadline has passed', async () => {
    const { sources, problems } = await collect({ deadline: Date.now() - 1 });
    expect(sources.observations?.state).toBe('failed');
    expect(problems.observations).toBe('timeout');
    expect(server.seen).toEqual([]);
  });

  it('has failed after a redirect, which is not followed', async () => {
    server.handle = (_, response) => response.writeHead(302, { location: `${server.base}/elsewhere` }).end();
    const { sources, problems } = await collect();
    expect(sources.observations?.state).toBe('failed');
    expect(problems.observations).toBe('redirect');
    expect(server.seen).toHaveLength(1);
  });

  it.each([
    ['text/html', '<html></html>'],
    ['text/plain', JSON.stringify(bundleOf([observation]))],
    ['application/fhir+xml', '<Bundle/>'],
    ['application/fhir+json', '{"resourceType":'],
    ['application/json', ''],
  ])('has failed when the body is %s: %s', async (type, body) => {
    server.handle = (_, response) => response.writeHead(200, { 'content-type': type }).end(body);
    const { sources, problems } = await collect();
    expect(sources.observations?.state).toBe('failed');
    expect(problems.observations).toBe('not-json');
  });

  it.each(['application/json', 'application/json+fhir', 'application/fhir+json;fhirVersion=4.0', 'text/json'])(
    'is read from %s',
    async (type) => {
      const body = `\uFEFF${JSON.stringify(bundleOf([{ ...observation, status: 'æøå' }]))}`;
      server.handle = (_, response) => response.writeHead(200, { 'content-type': type }).end(body);
      expect((await collect()).sources.observations?.resources).toEqual([{ ...observation, status: 'æøå' }]);
    },
  );

  it('has failed when a page is larger than allowed, at the size allowed', async () => {
    let written = 0;
    server.handle = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/fhir+json' });
      const pour = (): void => {
        while (!response.destroyed && written < 200 * 1024 * 1024) {
          written += 1024 * 1024;
          if (!response.write(' '.repeat(1024 * 1024))) return void response.once('drain', pour);
        }
      };
      pour();
    };
    const { sources, problems } = await collect({}, 5_000);
    expect(sources.observations?.state).toBe('failed');
    expect(problems.observations).toBe('too-large');
    expect(written).toBeLessThan(100 * 1024 * 1024);
  });

  it('has failed when a compressed page unfolds to more than allowed', async () => {
    const bomb = gzipSync(' '.repeat(defaultLimits.pageBytes + 1));
    server.handle = (_, response) =>
      response.writeHead(200, { 'content-type': 'application/fhir+json', 'content-encoding': 'gzip' }).end(bomb);
    const { problems } = await collect({}, 5_000);
    expect(problems.observations).toBe('too-large');
  });

  it('has failed when its address would be longer than allowed', async () => {
    const { problems } = await collect({ context: { patientId: 'p'.repeat(defaultLimits.urlLength) } });
    expect(problems.observations).toBe('too-large');
    expect(server.seen).toEqual([]);
  });

  it('is missing when the token cannot be a header, and the token is nowhere in the answer', async () => {
    const collected = await collect({ fhirAuthorization: { access_token: 'secret\r\nx: y' } });
    expect(collected.sources.observations?.state).toBe('missing');
    expect(collected.problems.observations).toBe('token-characters');
    expect(JSON.stringify(collected)).not.toContain('secret');
    expect(server.seen).toEqual([]);
  });
});

describe('references and addresses inside patient data', () => {
  it('are never fetched', async () => {
    const elsewhere = await startFhirServer();
    const url = `${elsewhere.base}/Binary/1`;
    const hostile = {
      ...observation,
      subject: { reference: `${elsewhere.base}/Patient/p1` },
      hasMember: [{ reference: url }, { reference: `${server.base}/Observation/o2` }],
      presentedForm: [{ url }],
      derivedFrom: { reference: url },
      extension: [{ url, valueUrl: url }],
    };
    server.handle = (_, response) => sendJson(response, bundleOf([hostile]));
    expect((await collect()).sources.observations?.state).toBe('present');
    expect((await collect({ prefetch: { observations: bundleOf([hostile]) } })).sources.observations?.state).toBe(
      'present',
    );
    expect(server.seen).toHaveLength(1);
    expect(elsewhere.connections).toBe(0);
    await elsewhere.close();
  });

  it('do not get the token when a next link leads to another server', async () => {
    const elsewhere = await startFhirServer();
    server.handle = (_, response) => sendJson(response, bundleOf([observation], `${elsewhere.base}?page=2`));
    const { sources, problems } = await collect();
    expect(sources.observations?.state).toBe('truncated');
    expect(problems.observations).toBe('next-elsewhere');
    expect(elsewhere.connections).toBe(0);
    await elsewhere.close();
  });
});

describe('further pages', () => {
  /** Every page has another one after it. */
  const endlessly = (resources: unknown[] = [observation]) => {
    server.handle = (_, response) =>
      sendJson(response, bundleOf(resources, `${server.base}?page=${server.seen.length}`));
  };

  it('are followed to the last, after a first page that was sent', async () => {
    server.handle = (request, response) => {
      const page = Number(new URL(request.url ?? '', server.base).searchParams.get('page'));
      const next = page < 4 ? `${server.base}?page=${page + 1}` : undefined;
      sendJson(response, bundleOf([{ ...observation, id: `o${page}` }], next));
    };
    const sent = { ...bundleOf([observation], `${server.base}?page=2`), total: 4 };
    const { sources } = await collect({ prefetch: { observations: sent } });
    const ids = ['o1', 'o2', 'o3', 'o4'];
    expect(sources.observations).toEqual({ state: 'present', resources: ids.map((id) => ({ ...observation, id })) });
    expect(server.seen.map(({ authorization }) => authorization)).toEqual(Array(3).fill('Bearer secret'));
  });

  it('leave the key truncated when the server counts more than all pages hold', async () => {
    server.handle = (_, response) => sendJson(response, bundleOf([observation]));
    const sent = { ...bundleOf([observation], `${server.base}?page=2`), total: 3 };
    const { sources } = await collect({ prefetch: { observations: sent } });
    expect(sources.observations?.state).toBe('truncated');
  });

  it('end at the page limit when they never end by themselves', async () => {
    endlessly();
    const { sources, problems } = await collect({}, 5_000);
    expect(sources.observations?.state).toBe('truncated');
    expect(problems.observations).toBe('too-many-pages');
    expect(server.seen).toHaveLength(1 + defaultLimits.pages);
  });

  it('end where a next one was read already', async () => {
    server.handle = (_, response) => sendJson(response, bundleOf([observation], `${server.base}?page=next`));
    const { sources, problems } = await collect({}, 5_000);
    expect(sources.observations?.state).toBe('truncated');
    expect(problems.observations).toBe('next-repeated');
    expect(server.seen).toHaveLength(2);
  });

  it('end when there are entries enough', async () => {
    endlessly([observation, observation]);
    const { sources } = await collect({ limits: { ...defaultLimits, entries: 6 } });
    expect(sources.observations?.state).toBe('truncated');
    expect(sources.observations?.resources).toHaveLength(6);
  });

  it('end when all keys together have read bytes enough', async () => {
    endlessly();
    const { sources, problems } = await collect({ limits: { ...defaultLimits, totalBytes: 1_000 } });
    expect(sources.observations?.state).toBe('truncated');
    expect(problems.observations).toBe('too-large');
  });

  it('end when all requests of the thread hold bytes enough, and take their room with them', async () => {
    const room = { held: 900 };
    const limits = { ...defaultLimits, threadBytes: 1_000 };
    endlessly();
    const { sources, problems } = await collect({ limits, room });
    expect(sources.observations?.state).toBe('failed');
    expect(problems.observations).toBe('no-room');
    expect(room.held).toBe(900);

    room.held = 0;
    const more = await collect({ limits, room });
    expect(more.sources.observations?.state).toBe('truncated');
    expect(more.problems.observations).toBe('no-room');
    expect(room.held).toBe(0);
  });

  it('take no room any more once their request was answered', async () => {
    const room = { held: 0 };
    const body = Promise.withResolvers<Uint8Array>();
    const fetch: Fetch = async () => ({
      status: 200,
      headers: { get: () => 'application/fhir+json' },
      body: (async function* late() {
        yield await body.promise;
      })(),
    });
    expect((await collect({ fetch, room }, 100)).problems.observations).toBe('timeout');
    body.resolve(new Uint8Array(1_000));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(room.held).toBe(0);
  });

  it('end at the deadline and keep what was read', async () => {
    server.handle = (_, response) => {
      const next = `${server.base}?page=${server.seen.length}`;
      if (server.seen.length < 3) sendJson(response, bundleOf([observation], next));
    };
    const { sources, problems } = await collect({}, 400);
    expect(sources.observations).toEqual({ state: 'truncated', resources: [observation, observation] });
    expect(problems.observations).toBe('timeout');
  });

  it.each([
    ['fails', (base: string) => `${base}?page=2`, 'status-404'],
    ['is on another host', () => 'http://localhost:1/fhir?page=2', 'next-elsewhere'],
    ['is outside the base path', (base: string) => `${base}/../admin`, 'next-elsewhere'],
    ['has no address', () => '', 'next-elsewhere'],
  ])('leave the key truncated when the next one %s', async (_, nextOf, problem) => {
    const sent = bundleOf([observation], nextOf(server.base));
    const { sources, problems } = await collect({ prefetch: { observations: sent } });
    expect(sources.observations).toEqual({ state: 'truncated', resources: [observation] });
    expect(problems.observations).toBe(problem);
    expect(server.seen).toHaveLength(problem === 'next-elsewhere' ? 0 : 1);
  });

  it('leave the key truncated when one of them is an OperationOutcome', async () => {
    server.handle = (_, response) => sendJson(response, { resourceType: 'OperationOutcome', issue: [] });
    const sent = bundleOf([observation], `${server.base}?page=2`);
    const { sources, problems } = await collect({ prefetch: { observations: sent } });
    expect(sources.observations).toEqual({ state: 'truncated', resources: [observation] });
    expect(problems.observations).toBe('incomplete');
  });
});

describe('a server that cannot show who it is', () => {
  it('is told apart from one that does not answer', async () => {
    const base = `https://127.0.0.1:${server.port}/fhir`;
    expect((await collect({ fhirServer: base })).problems.observations).toBe('tls');
  });

  it.each([
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'CERT_HAS_EXPIRED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_WRONG_VERSION_NUMBER',
  ])('is one that fails with %s', (code) => {
    expect(isTlsFailure(new TypeError('fetch failed', { cause: Object.assign(new Error(), { code }) }))).toBe(true);
  });

  it.each(['ECONNREFUSED', 'ENOTFOUND', 'UND_ERR_SOCKET'])('is not one that fails with %s', (code) => {
    expect(isTlsFailure(new TypeError('fetch failed', { cause: Object.assign(new Error(), { code }) }))).toBe(false);
  });
});

describe('the transport', () => {
  /** A transport for which every name has the address of the test's server. */
  const fetch: Fetch = createTransport((_hostname, _options, callback) => {
    callback(null, [{ address: '127.0.0.1', family: 4 }]);
  });

  it('does not connect to this machine for a listed name that resolves to it', async () => {
    const base = `https://ehr.example:${server.port}/fhir`;
    const client = { allowedFhirServers: [base], allowWithoutToken: false };
    const { problems } = await collect({ fhirServer: base, client, fetch });
    expect(problems.observations).toBe('unreachable');
    expect(server.connections).toBe(0);
  });

  it('connects to what localhost resolves to', async () => {
    server.handle = (_, response) => sendJson(response, bundleOf([observation]));
    const { sources } = await collect({ fhirServer: `http://localhost:${server.port}/fhir`, fetch });
    expect(sources.observations?.state).toBe('present');
    expect(server.connections).toBe(1);
  });

  it('may be the fetch of the platform', async () => {
    server.handle = (_, response) => sendJson(response, bundleOf([observation]));
    expect((await collect({ fetch: globalThis.fetch })).sources.observations?.state).toBe('present');
  });
});
