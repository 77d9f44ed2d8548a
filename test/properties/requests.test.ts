import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createChartReader } from '../../src/engine/chart-reader.ts';
import { decide } from '../../src/engine/decide.ts';
import { createCircuits, defaultCircuitLimits } from '../../src/fhir/circuit.ts';
import type { Fetch } from '../../src/fhir/client.ts';
import { collectSources } from '../../src/fhir/collect.ts';
import { listen, type Server } from '../../src/http/server.ts';
import { guideline } from '../cds-services/decide-cases.ts';
import { bundleOf } from '../fhir/fhir-server.ts';
import { createRequest, createTestApp } from '../http/fakes.ts';

const runs = { numRuns: 150 };
const { limits } = readConfig({});
const readChart = createChartReader(guideline);
const address = '/cds-services/diagnostisk-pakkeforloeb-patient-view';

const known = { resourceType: 'Patient', id: 'p1', gender: 'female', birthDate: '1960-01-01' };
const observation = { resourceType: 'Observation', id: 'o1', status: 'final', subject: { reference: 'Patient/p1' } };
const valid = createRequest({ prefetch: { patient: known, conditions: null, observations: bundleOf([observation]) } });

/** The real steps from the bytes to the answer; the store and what carries calls to FHIR servers are stand-ins. */
function createRealApp(fetch: Fetch, changes: { collectMs?: number } = {}) {
  return createTestApp(
    { guideline, limits: { ...limits, ...changes } },
    {
      guideline,
      readChart,
      decide, // A memory of its own for each request: what one run breaks must not spare the next its calls.
      collect: (asked) => collectSources({ ...asked, fetch, circuits: createCircuits(defaultCircuitLimits, () => 0) }),
    },
  );
}

const noFetch: Fetch = () => Promise.reject(new Error('no network here'));

/** Texts and values that have broken parsers, paths, headers and prototypes. */
const scrap = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    ...[
      '',
      ' ',
      '..',
      '../../etc/passwd',
      '%2e%2e%2f',
      '\0',
      '\ud800',
      '\r\nX: y',
      '__proto__',
      '{{context.patientId}}',
    ],
    ...['Patient/p1', 'http://127.0.0.1/fhir', 'javascript:alert(1)', 'ＰＡＴＩＥＮＴ', 'a'.repeat(100_000)],
    ...[-1, 0, 1e308, 2 ** 53, null, true, [], {}, [[]], { resourceType: 'Bundle', entry: {} }],
  ),
);

/** The paths of every member of a value. */
function pathsOf(value: unknown, path: readonly string[] = []): string[][] {
  const members = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return members.flatMap(([name, member]) => [[...path, name], ...pathsOf(member, [...path, name])]);
}

/** A copy in which what stands at a path is replaced; undefined takes it away. */
function replaceAt(value: unknown, [name, ...rest]: readonly string[], by: unknown): unknown {
  if (name === undefined) return by;
  if (typeof value !== 'object' || value === null) return value;
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  copy[name] = replaceAt(copy[name], rest, by);
  return copy;
}

describe('a request with parts replaced or taken away', () => {
  it('is answered, or refused with 400 or 412', async () => {
    const { app } = createRealApp(noFetch);
    const path = fc.constantFrom(...pathsOf(valid));
    const changes = fc.array(fc.tuple(path, fc.option(scrap, { nil: undefined })), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(changes, async (all) => {
        const changed = all.reduce<unknown>((body, [at, by]) => replaceAt(body, at, by), valid);
        const answer = await request(app)
          .post(address)
          .set('Content-Type', 'application/json')
          .send(JSON.stringify(changed));
        expect([200, 400, 412]).toContain(answer.status);
        if (answer.status !== 200) expect(JSON.parse(answer.text).resourceType).toBe('OperationOutcome');
      }),
      runs,
    );
  });

  it('is refused with a 4xx when its bytes are cut, doubled or changed', async () => {
    const { app } = createRealApp(noFetch);
    const bytes = Buffer.from(JSON.stringify(valid));
    const place = fc.nat({ max: bytes.length - 1 });
    await fc.assert(
      fc.asyncProperty(
        place,
        place,
        fc.nat({ max: 255 }),
        fc.constantFrom('cut', 'double', 'change'),
        async (at, to, byte, how) => {
          const [start, end] = at < to ? [at, to] : [to, at];
          const parts = {
            cut: [bytes.subarray(0, start)],
            double: [bytes.subarray(0, end), bytes.subarray(start)],
            change: [bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at + 1)],
          }[how as 'cut' | 'double' | 'change'];
          const answer = await request(app)
            .post(address)
            .set('Content-Type', 'application/json')
            .send(Buffer.concat(parts).toString('latin1'));
          expect([200, 400, 412]).toContain(answer.status);
        },
      ),
      runs,
    );
  });

  it('is answered in time by itself whatever is piled up in it', async () => {
    const { app } = createRealApp(noFetch);
    const many = 200_000;
    const hostile: Record<string, string> = {
      'empty objects': `[${'{},'.repeat(many)}{}]`,
      'empty arrays': `[${'[],'.repeat(many)}[]]`,
      'names of members': `{${Array.from({ length: many }, (_, at) => `"${at}":0`).join()}}`,
      'the same member': `{${'"entry":[],'.repeat(many)}"entry":[]}`,
      'contained resources': `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Observation","subject":{"reference":"Patient/p1"},"contained":[${'{"resourceType":"Patient","id":"x"},'.repeat(many / 10)}{}]}}]}`,
      codings: `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Condition","subject":{"reference":"Patient/p1"},"code":{"coding":[${'{"system":"http://snomed.info/sct","code":"0"},'.repeat(many / 10)}{}]}}}]}`,
      'one long text': `"${'\\u0061'.repeat(many)}"`,
      digits: '9'.repeat(many),
    };
    for (const [name, value] of Object.entries(hostile)) {
      const body = JSON.stringify({
        ...valid,
        prefetch: { patient: known, conditions: null, observations: null, reports: 'HERE' },
      }).replace('"HERE"', value);
      const started = Date.now();
      const answer = await request(app).post(address).set('Content-Type', 'application/json').send(body);
      expect([200, 400, 412, 413], name).toContain(answer.status);
      expect(Date.now() - started, name).toBeLessThan(limits.deadlineMs);
    }
  });
});

describe('calls to FHIR servers', () => {
  const base = 'http://127.0.0.1:9/fhir';
  const place = fc.oneof(
    fc.webUrl({ withQueryParameters: true }),
    fc.constantFrom(base, 'http://169.254.169.254/latest', '//evil.example', 'file:///etc/passwd', '../../admin'),
    fc.constantFrom('http://127.0.0.1@evil.example/', 'http://127.0.0.1.evil.example/', 'http://[::ffff:10.0.0.1]/'),
    fc.string({ minLength: 1 }),
  );

  it('go beneath an allowed base alone and end at the deadline, whatever the request names and the server does', async () => {
    const asked: URL[] = [];
    let behaviour = 'answers';
    let next = '';
    const fetch: Fetch = async (url) => {
      asked.push(url);
      if (behaviour === 'is silent') await new Promise(() => {});
      if (behaviour === 'breaks') throw new Error('broken');
      const body = behaviour === 'talks nonsense' ? '{"resourceType":' : JSON.stringify(bundleOf([observation], next));
      return {
        status: behaviour === 'fails' ? 500 : behaviour === 'redirects' ? 302 : 200,
        headers: { get: (name) => (name === 'location' ? next : 'application/fhir+json') },
        body: new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode(body));
            if (behaviour !== 'never ends') controller.close();
          },
        }),
      };
    };
    const collectMs = 60;
    const { app } = createRealApp(fetch, { collectMs });
    const behaviours = fc.constantFrom(
      'answers',
      'is silent',
      'breaks',
      'talks nonsense',
      'fails',
      'redirects',
      'never ends',
    );
    await fc.assert(
      fc.asyncProperty(place, place, behaviours, fc.boolean(), async (server, link, does, isKnown) => {
        behaviour = does;
        next = link;
        const started = Date.now();
        const answer = await request(app)
          .post(address)
          .send(
            createRequest({
              fhirServer: isKnown ? base : server,
              fhirAuthorization: {
                access_token: 'secret',
                token_type: 'Bearer',
                expires_in: 300,
                scope: '',
                subject: '',
              },
              prefetch: { patient: known, conditions: bundleOf([], link) },
            }),
          );
        expect([200, 412]).toContain(answer.status);
        expect(Date.now() - started).toBeLessThan(collectMs + 3_000);
      }),
      { numRuns: 80 },
    );
    expect(asked.length).toBeGreaterThan(0);
    // Demo mode allows this machine, and nothing else.
    expect(asked.filter(({ hostname }) => hostname !== 'localhost' && !/^(127\.|\[::1\]$)/.test(hostname))).toEqual([]);
  });
});

describe('headers', () => {
  let server: Server;
  const { app, lines } = createRealApp(noFetch);
  beforeAll(async () => {
    server = await listen(app, { host: '127.0.0.1', port: 0, uploadMs: 1_000, deadlineMs: 1_000, drainMs: 0 });
  });
  afterAll(() => server.stop());

  const body = JSON.stringify(valid);

  /** Sends bytes as they are; what comes back before the connection is closed or half a second has passed. */
  async function exchange(text: string): Promise<string> {
    const socket = connect(server.port, '127.0.0.1');
    let answer = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      answer += chunk;
      // Whatever comes after the first answer to what was sent would answer something smuggled in.
      setTimeout(() => socket.destroy(), 10);
    });
    socket.setTimeout(500, () => socket.destroy());
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await once(socket, 'connect');
    socket.write(text, 'latin1');
    await closed;
    return answer;
  }

  const name = fc.oneof(
    fc.constantFrom(
      'Content-Length',
      'Transfer-Encoding',
      'Host',
      'Expect',
      'Upgrade',
      'Connection',
      'Content-Encoding',
    ),
    fc.constantFrom(
      'Accept-Language',
      'Authorization',
      'Origin',
      'X-Forwarded-For',
      'X-HTTP-Method-Override',
      '__proto__',
    ),
    fc.string({ maxLength: 30 }),
  );
  const value = fc.oneof(
    fc.constantFrom(
      '0',
      '-1',
      '1e9',
      '99999999999999999999',
      'chunked',
      'gzip, chunked',
      '100-continue',
      'h2c',
      'close',
    ),
    fc.constantFrom(
      'da;q=0.5,'.repeat(500),
      'Bearer ',
      'Bearer ..',
      `Bearer ${'e'.repeat(9_000)}`,
      'null',
      '*',
      'evil.example',
    ),
    fc.string({ maxLength: 200 }),
  );

  it('of any kind bring a documented status or none, and the service answers the next call', async () => {
    const headers = fc.array(fc.tuple(name, value), { maxLength: 5 });
    const target = fc.constantFrom(
      address,
      `${address}?a=b`,
      `http://evil.example${address}`,
      '*',
      '//',
      '/%00',
      `${address}/%`,
      '/..;/metrics',
    );
    const method = fc.constantFrom('POST', 'POST', 'GET', 'OPTIONS', 'TRACE', 'CONNECT', 'PROPFIND', 'HEAD', 'post');
    await fc.assert(
      fc.asyncProperty(method, target, headers, async (verb, path, given) => {
        const sent = given.map(([of, is]) => `${of}: ${is}\r\n`).join('');
        const answer = await exchange(
          `${verb} ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${sent}\r\n${body}`,
        );
        if (answer !== '')
          expect(answer).toMatch(/^HTTP\/1\.1 (100|200|204|400|401|403|404|405|408|411|412|413|415|417|431|503) /);
      }),
      runs,
    );
    const { status } = await fetch(`http://127.0.0.1:${server.port}${address}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
    });
    expect(status).toBe(200);
    expect(lines.filter((line) => JSON.parse(line).status >= 500)).toEqual([]);
  });

  it('that give two lengths for one body are refused: nothing is smuggled past', async () => {
    const smuggled = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n';
    const start = `POST ${address} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
    for (const lengths of [
      'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n',
      'Content-Length: 4\r\nContent-Length: 5\r\n',
      'Transfer-Encoding: chunked, identity\r\n',
      'Transfer-Encoding : chunked\r\n',
      'Content-Length: 4, 4\r\n',
      'Content-Length: +4\r\n',
    ]) {
      const answer = await exchange(`${start}${lengths}\r\n0\r\n\r\n${smuggled}`);
      expect(answer).not.toContain('cds_requests_total');
      expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    }
  });
});
