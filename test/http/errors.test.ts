import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { AuthError } from '../../src/errors.ts';
import { readRequest } from '../../src/http/request.ts';
import { createRequest, createTestApp } from './fakes.ts';

const limits = readConfig({}).limits;

function expectOutcome(
  response: request.Response,
  status: number,
  code: string,
): { expression?: string[]; diagnostics?: string; details: { text: string } } {
  expect(response.status).toBe(status);
  expect(response.headers['content-type']).toMatch(/^application\/fhir\+json/);
  const outcome = JSON.parse(response.text);
  expect(outcome.resourceType).toBe('OperationOutcome');
  expect(outcome.issue).toHaveLength(1);
  expect(outcome.issue[0]).toMatchObject({ severity: 'error', code });
  expect(outcome.issue[0].details.text).not.toBe('');
  return outcome.issue[0];
}

const post = (body: string | Buffer | object, app = createTestApp().app, service = 'view') =>
  request(app)
    .post(`/cds-services/${service}`)
    .set('Content-Type', 'application/json')
    // As it is: the client must not encode it again.
    .serialize((data) => data as string)
    .send(body instanceof Buffer ? body : typeof body === 'string' ? body : JSON.stringify(body));

const drop = (name: string) => {
  const { [name]: _, ...rest } = createRequest();
  return rest;
};

describe('a request of the wrong shape is refused with 400 and the element', () => {
  it.each<[string, object, string]>([
    ['no hook', drop('hook'), 'hook'],
    ['the hook of another service', createRequest({ hook: 'order-sign' }), 'hook'],
    ['a hook that is no text', createRequest({ hook: { a: 1 } }), 'hook'],
    ['no hookInstance', drop('hookInstance'), 'hookInstance'],
    ['an empty hookInstance', createRequest({ hookInstance: '' }), 'hookInstance'],
    ['no context', drop('context'), 'context'],
    ['a context that is a list', createRequest({ context: [] }), 'context'],
    ['no patientId', createRequest({ context: { userId: 'Practitioner/1' } }), 'context.patientId'],
    ['a patientId that climbs out of the path', createRequest({ context: { patientId: '..' } }), 'context.patientId'],
    ['a patientId that is a path', createRequest({ context: { patientId: 'a/../../b' } }), 'context.patientId'],
    ['fhirAuthorization without fhirServer', createRequest({ fhirAuthorization: { access_token: 't' } }), 'fhirServer'],
    [
      'fhirAuthorization without token',
      createRequest({ fhirServer: 'https://f', fhirAuthorization: {} }),
      'fhirAuthorization.access_token',
    ],
    ['a prefetch that is a list', createRequest({ prefetch: [] }), 'prefetch'],
  ])('%s', async (_, body, element) => {
    const issue = expectOutcome(await post(body), 400, 'invalid');
    expect(issue.expression).toEqual([element]);
    expect(issue.details.text).toContain(element);
  });

  it('in several places is told of all of them', async () => {
    const response = await post({ hook: 'order-sign', context: { patientId: 7 }, fhirAuthorization: {} });
    expect(response.status).toBe(400);
    const told = JSON.parse(response.text).issue as { details: { text: string }; expression: string[] }[];
    expect(told.map(({ expression, details }) => `${expression[0]}| ${details.text}`)).toEqual([
      'hook| hook: this service answers patient-view only.',
      'hookInstance| hookInstance is missing.',
      'fhirAuthorization.access_token| fhirAuthorization.access_token is missing.',
      'context.patientId| context.patientId: expected a string.',
      'fhirServer| fhirServer is missing: fhirAuthorization is for a FHIR server.',
    ]);
  });

  it.each<[string, unknown]>([
    ['an empty object', {}],
    ['an error', { resourceType: 'OperationOutcome', issue: [] }],
    ['a Bundle without any resource', { resourceType: 'Bundle', entry: [{ resource: {} }, { fullUrl: 'x' }, 3] }],
    ['a Bundle of errors', { resourceType: 'Bundle', entry: [{ resource: { resourceType: 'OperationOutcome' } }] }],
    ['a list of texts', ['ServiceRequest/1']],
  ])('an order hook with draftOrders that are %s', async (_, draftOrders) => {
    const body = createRequest({ hook: 'order-sign', context: { patientId: 'p1', draftOrders } });
    const response = await request(createTestApp().app).post('/cds-services/sign').send(body);
    const issue = expectOutcome(response, 400, 'invalid');
    expect(issue.expression).toEqual(['context.draftOrders']);
    expect(issue.details.text).toContain('expected a Bundle of draft orders');
  });

  it('selections of which one is no reference, by its place', () => {
    const draftOrders = { resourceType: 'Bundle' };
    const body = createRequest({
      hook: 'order-select',
      context: { patientId: 'p1', draftOrders, selections: ['a/b', 3] },
    });
    expect(() => readRequest(body, 'order-select', 100)).toThrow('context.selections[1]: expected a string.');
  });

  it('but not for members of the context that its hook does not have: those are passed over', () => {
    const context = { patientId: 'p1', draftOrders: 'x', selections: 3 };
    expect(readRequest(createRequest({ context }), 'patient-view', 100).context).toEqual({ patientId: 'p1' });
    const draftOrders = { resourceType: 'Bundle' };
    const signed = createRequest({ hook: 'order-sign', context: { patientId: 'p1', draftOrders, selections: 3 } });
    expect(readRequest(signed, 'order-sign', 100).context).toEqual({ patientId: 'p1', draftOrders });
  });

  it('an order hook without draftOrders', async () => {
    const { app } = createTestApp();
    const response = await request(app)
      .post('/cds-services/sign')
      .send(createRequest({ hook: 'order-sign' }));
    expect(expectOutcome(response, 400, 'invalid').expression).toEqual(['context.draftOrders']);
  });

  it.each(['[]', 'null', '"text"', '3'])('%s instead of an object', async (body) => {
    expectOutcome(await post(body), 400, 'invalid');
  });
});

describe('what real clients send is taken', () => {
  it.each<[string, object]>([
    ['a hookInstance that is no UUID', createRequest({ hookInstance: 'call-7' })],
    ['unknown members everywhere', createRequest({ extension: { a: 1 }, other: true })],
    [
      'null for optional members',
      createRequest({ fhirServer: null, fhirAuthorization: null, context: { patientId: 'p1', encounterId: null } }),
    ],
    ['a fhirServer without token', createRequest({ fhirServer: 'http://127.0.0.1:1/fhir' })],
    [
      'odd members of fhirAuthorization',
      createRequest({
        fhirServer: 'http://127.0.0.1:1/fhir',
        fhirAuthorization: { access_token: 't', expires_in: 'soon', token_type: 7 },
      }),
    ],
  ])('%s', async (_, body) => {
    expect((await post(body)).status).toBe(200);
  });

  it.each([
    [300, 300],
    ['300', 300],
    [0, 0],
    [null, undefined],
    ['', undefined],
    ['soon', undefined],
    [true, undefined],
  ])('a token that ends in %j seconds is taken to end in %j', (sent, seconds) => {
    const body = createRequest({ fhirServer: 'http://f', fhirAuthorization: { access_token: 't', expires_in: sent } });
    expect(readRequest(body, 'patient-view', limits.entries).fhirAuthorization?.expires_in).toBe(seconds);
  });
});

describe('hostile and broken bodies get a clear answer', () => {
  it.each<[string, string | Buffer, number]>([
    ['an empty body', '', 400],
    ['malformed JSON', '{"hook": ', 400],
    ['text after the JSON', `${JSON.stringify(createRequest())}x`, 400],
    ['10 MB of white space', ' '.repeat(10_000_000), 400],
    ['depth 10,000 of lists', `${'['.repeat(10_000)}${']'.repeat(10_000)}`, 413],
    [
      'depth 10,000 of objects inside a resource',
      JSON.stringify(createRequest({ prefetch: { patient: 'x' } })).replace(
        '"x"',
        `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
      ),
      413,
    ],
    ['depth never closed', '{"a":'.repeat(2_000_000), 413],
    ['800,000 keys', `{${Array.from({ length: 800_000 }, (_, key) => `"${key}":1`).join(',')}}`, 400],
    ['more bytes than the limit', Buffer.alloc(limits.bodyBytes + 1, ' '), 413],
  ])('%s', async (_, body, status) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    expect(JSON.parse(response.text).issue[0].code).toBe(status === 413 ? 'too-long' : 'invalid');
  });

  it('brackets and escapes inside texts are not depth', async () => {
    const text = '[{"\\'.repeat(1000);
    expect((await post(createRequest({ extension: { text } }))).status).toBe(200);
  });

  it('100,000 entries, even over several keys and the drafts', async () => {
    const bundle = (length: number) => ({
      resourceType: 'Bundle',
      entry: Array(length).fill({ resource: { resourceType: 'X' } }),
    });
    const one = createRequest({ prefetch: { conditions: bundle(100_000) } });
    const spread = createRequest({
      hook: 'order-sign',
      context: { patientId: 'p1', draftOrders: bundle(limits.entries / 2) },
      prefetch: { conditions: bundle(limits.entries / 4), unknown: bundle(limits.entries / 4 + 1) },
    });
    for (const [service, body] of Object.entries({ view: one, sign: spread })) {
      const response = await post(body, createTestApp().app, service);
      expect(expectOutcome(response, 413, 'too-long').details.text).toContain(String(limits.entries));
    }
  });

  it('as many entries as the limit are answered', async () => {
    const entry = Array.from({ length: limits.entries }, () => ({ resource: { resourceType: 'Condition' } }));
    const prefetch = { patient: { resourceType: 'Patient', id: 'p1' }, conditions: { resourceType: 'Bundle', entry } };
    expect((await post(createRequest({ prefetch }))).status).toBe(200);
  });

  it('__proto__ and constructor keys change nothing', async () => {
    const text = JSON.stringify(createRequest())
      .replace(
        '{',
        '{"__proto__":{"fhirServer":"http://127.0.0.1:1","polluted":true},"constructor":{"prototype":{"polluted":true}},',
      )
      .replace('"prefetch":{', '"prefetch":{"__proto__":{"reports":[]},');
    expect((await post(text)).status).toBe(200);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it.each([
    null,
    5,
    'x',
    [[]],
    {},
    { entry: 5 },
    { entry: { resource: null } },
    { resourceType: [], entry: [null, 1, []] },
  ])('a prefetch value of the wrong type: %j', async (value) => {
    const { prefetch } = createRequest() as { prefetch: object };
    const response = await post(createRequest({ prefetch: { ...prefetch, reports: value } }));
    expect(response.status).toBe(200);
  });
});

describe('a body in another encoding than UTF-8', () => {
  const text = JSON.stringify(createRequest({ hookInstance: 'æ' }));
  const ascii = JSON.stringify(createRequest());
  it.each<[string, Buffer]>([
    ['UTF-16', Buffer.from(text, 'utf16le')],
    ['UTF-16 of plain letters', Buffer.from(ascii, 'utf16le')],
    ['UTF-16, the high byte first', Buffer.from(ascii, 'utf16le').swap16()],
    ['UTF-16 with a mark', Buffer.from(`\ufeff${ascii}`, 'utf16le')],
    ['ISO 8859-1', Buffer.from(text, 'latin1')],
    ['UTF-8 cut in the middle of a letter', Buffer.from(text).subarray(0, text.indexOf('æ') + 1)],
  ])('%s is refused saying so', async (_, body) => {
    const issue = expectOutcome(await post(body), 400, 'invalid');
    expect(issue.details.text).toContain('UTF-8');
  });

  it('is not what UTF-8 with a mark is', async () => {
    expect((await post(Buffer.from(`\ufeff${text}`))).status).toBe(200);
  });
});

describe('gzip', () => {
  const send = (body: Buffer) => {
    const call = request(createTestApp().app)
      .post('/cds-services/view')
      .set('Content-Type', 'application/json')
      .set('Content-Encoding', 'gzip');
    // As it is: the client must not encode it again.
    return call.serialize((data) => data as string).send(body);
  };

  it('is inflated', async () => {
    expect((await send(gzipSync(JSON.stringify(createRequest())))).status).toBe(200);
  });

  it('that ends early is refused', async () => {
    const whole = gzipSync(JSON.stringify(createRequest()));
    expectOutcome(await send(whole.subarray(0, whole.length - 20)), 400, 'invalid');
  });

  it('that is none is refused', async () => {
    expectOutcome(await send(Buffer.from(JSON.stringify(createRequest()))), 400, 'invalid');
  });

  it('that inflates beyond the limit is refused', async () => {
    expectOutcome(await send(gzipSync(Buffer.alloc(20 * limits.bodyBytes, ' '))), 413, 'too-long');
  });

  it('that is larger than the limit as it is sent is refused, though it inflates to nothing', async () => {
    const { app } = createTestApp({ limits: { ...limits, bodyBytes: 100_000 } });
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const parts = new Blob([Buffer.concat(Array.from({ length: 20_000 }, () => gzipSync('')))]);
    // As a stream: without Content-Length.
    const response = await fetch(`http://127.0.0.1:${port}/cds-services/view`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
      body: parts.stream(),
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
    server.close();
  });
});

describe('addresses, methods and media types', () => {
  it('an unknown service is not found, whatever the method', async () => {
    const { app } = createTestApp();
    expectOutcome(await request(app).post('/cds-services/other').send(createRequest()), 404, 'not-found');
    expectOutcome(await request(app).get('/cds-services/other'), 404, 'not-found');
    expectOutcome(await request(app).post('/cds-services/__proto__').send(createRequest()), 404, 'not-found');
    expectOutcome(await request(app).post('/cds-services/other/feedback').send({}), 404, 'not-found');
    expectOutcome(await request(app).get('/'), 404, 'not-found');
  });

  it('an address that cannot be decoded is refused', async () => {
    expectOutcome(await request(createTestApp().app).get('/cds-services/%E0%A4%A'), 400, 'invalid');
  });

  it.each([
    ['get', '/cds-services/view', 'POST'],
    ['delete', '/cds-services/view', 'POST'],
    ['get', '/cds-services/view/feedback', 'POST'],
    ['post', '/cds-services', 'GET, HEAD'],
  ] as const)('%s %s is refused with the methods allowed', async (method, path, allowed) => {
    const response = await request(createTestApp().app)[method](path);
    expectOutcome(response, 405, 'not-supported');
    expect(response.headers.allow).toBe(allowed);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', ''])(
    'a body of type "%s" is refused',
    async (type) => {
      const response = await request(createTestApp().app)
        .post('/cds-services/view')
        .set('Content-Type', type)
        .send('{}');
      expectOutcome(response, 415, 'not-supported');
    },
  );

  it('an encoding that is not understood is refused', async () => {
    const response = await request(createTestApp().app)
      .post('/cds-services/view')
      .set('Content-Type', 'application/json')
      .set('Content-Encoding', 'br')
      .send('{}');
    expectOutcome(response, 415, 'not-supported');
  });
});

describe('errors of the service', () => {
  it('required data that cannot be obtained: 412 naming the prefetch keys', async () => {
    const issue = expectOutcome(await post(drop('prefetch')), 412, 'processing');
    expect(issue.diagnostics).toBe("prefetch key 'patient', prefetch key 'conditions'");
  });

  it('prefetch keys nobody asked for are named in the 412, and in the log of an answer', async () => {
    const { prefetch } = createRequest() as { prefetch: object };
    const lacking = await post(
      createRequest({ prefetch: { ...prefetch, patient: undefined, Patient: null, 'a b': 1 } }),
    );
    const { diagnostics } = expectOutcome(lacking, 412, 'processing');
    expect(diagnostics).toBe("prefetch key 'patient', not asked for: 'Patient'");
    const { app, lines, metrics } = createTestApp();
    const sent = { ...prefetch, reports: 'x', report: null, 'Karen Holm': null };
    expect((await post(createRequest({ prefetch: sent }), app)).status).toBe(200);
    expect(JSON.parse(lines.join(''))).toMatchObject({ problems: { reports: 'unreadable' }, unknownKeys: ['report'] });
    expect(await metrics.registry.metrics()).toContain('cds_unknown_prefetch_keys_total 1');
    expect(lines.join('')).not.toContain('Karen');
  });

  it('no patient: 412', async () => {
    expectOutcome(await post(createRequest({ prefetch: { patient: null, conditions: null } })), 412, 'processing');
  });

  it.each([401, 403] as const)('a caller refused with %i learns nothing more', async (status) => {
    const { app, lines } = createTestApp({
      authenticate: async () => {
        throw new AuthError(status, 'signature');
      },
    });
    for (const response of [await post(createRequest(), app), await request(app).get('/cds-services')]) {
      expect(response.status).toBe(status);
      expect(response.text).toBe('');
      expect(response.headers['www-authenticate']).toBe(status === 401 ? 'Bearer' : undefined);
    }
    await expect.poll(() => lines.length).toBe(2);
  });

  it('a record that cannot be stored: 503, and no cards', async () => {
    const { app, store, metrics } = createTestApp();
    store.failure = new Error('disk full');
    const response = await post(createRequest(), app);
    expectOutcome(response, 503, 'transient');
    expect(response.headers['retry-after']).toBe('1');
    expect(response.text).not.toContain('disk');
    expect(await metrics.registry.metrics()).toContain('cds_audit_failures_total 1');
  });

  it('a record that cannot be stored is counted and the cards sent, where the configuration says so', async () => {
    const { app, store, metrics } = createTestApp({ auditRequired: false });
    store.failure = new Error('disk full');
    expect((await post(createRequest(), app)).status).toBe(200);
    expect(await metrics.registry.metrics()).toContain('cds_audit_failures_total 1');
  });

  it('a store that never answers does not hold the request', async () => {
    const { app, store } = createTestApp({ limits: { ...limits, deadlineMs: 50 } });
    store.append = () => new Promise(() => {});
    expectOutcome(await post(createRequest(), app), 503, 'transient');
  });

  it('anything unforeseen: 500 without internals', async () => {
    const { app, lines } = createTestApp(
      {},
      {
        decide: () => {
          throw new Error('secret detail');
        },
      },
    );
    const issue = expectOutcome(await post(createRequest(), app), 500, 'exception');
    expect(JSON.stringify(issue)).not.toMatch(/secret|\bat\b.*\.ts/);
    await expect.poll(() => lines.length).toBe(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ status: 500, code: 'internal', level: 50 });
    expect(lines[0]).not.toContain('secret');
  });

  it('bodies beyond the room for all of them: 503', async () => {
    const { app } = createTestApp({ limits: { ...limits, heldBytes: 100 } });
    const response = await post(createRequest(), app);
    expectOutcome(response, 503, 'transient');
    expect(response.headers['retry-after']).toBe('1');
  });

  it('room is given back after every answer, good or bad', async () => {
    const { app } = createTestApp({ limits: { ...limits, heldBytes: 2000 } });
    for (let round = 0; round < 20; round++) {
      expect((await post(createRequest(), app)).status).toBe(200);
      expect((await post('{ not json'.padEnd(1500), app)).status).toBe(400);
      expect((await post('x'.repeat(2500), app)).status).toBe(503);
    }
  });
});
