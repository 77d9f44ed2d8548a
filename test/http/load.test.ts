import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import request from 'supertest';
import { afterEach, describe, expect, it } from 'vitest';
import { demoClient } from '../../src/clients/client.ts';
import { AuthError } from '../../src/errors.ts';
import type { Authenticate } from '../../src/http/auth.ts';
import { createRateLimit, type RateLimits } from '../../src/http/rate-limit.ts';
import { listen, type Server } from '../../src/http/server.ts';
import { createRequest, createTestApp } from './fakes.ts';

describe('how often a client may call', () => {
  const limits: RateLimits = { perSecond: 2, burst: 3 };
  const callMany = (take: (client: string) => number, client: string, times: number): number[] =>
    Array.from({ length: times }, () => take(client));

  it('is as many times at once as its burst, and then it waits', () => {
    const take = createRateLimit(
      () => limits,
      () => 0,
    );
    expect(callMany(take, 'a', 5)).toEqual([0, 0, 0, 1, 1]);
  });

  it('grows back with time, never beyond the burst', () => {
    let time = 0;
    const take = createRateLimit(
      () => limits,
      () => time,
    );
    callMany(take, 'a', 4);
    time = 500;
    expect(callMany(take, 'a', 2)).toEqual([0, 1]);
    time = 3_600_000;
    expect(callMany(take, 'a', 4)).toEqual([0, 0, 0, 1]);
  });

  it('says how long to wait where calls grow back slowly', () => {
    const take = createRateLimit(
      () => ({ perSecond: 0.1, burst: 1 }),
      () => 0,
    );
    expect(callMany(take, 'a', 2)).toEqual([0, 10]);
  });

  it('does not depend on the calls of others', () => {
    const take = createRateLimit(
      (client) => (client === 'a' ? limits : { perSecond: 1, burst: 1 }),
      () => 0,
    );
    callMany(take, 'a', 9);
    expect(callMany(take, 'b', 2)).toEqual([0, 1]);
  });

  /** Callers that say who they are in a header, in place of a token. */
  const authenticate: Authenticate = async ({ headers }) => {
    if (headers.authorization === undefined) throw new AuthError(401, 'no token');
    return { client: { ...demoClient, id: headers.authorization } };
  };

  it('is told with 429, an OperationOutcome and Retry-After, before the body is read', async () => {
    const takeTurn = createRateLimit(
      () => ({ perSecond: 1, burst: 1 }),
      () => 0,
    );
    const { app, lines, store } = createTestApp({ authenticate, takeTurn });
    const call = () => request(app).post('/cds-services/view').set('Authorization', 'demo');
    await call().send(createRequest()).expect(200);
    const refused = await call().send(createRequest()).expect(429);
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.headers['content-type']).toMatch(/^application\/fhir\+json/);
    expect(JSON.parse(refused.text)).toMatchObject({ issue: [{ severity: 'error', code: 'throttled' }] });
    expect(store.records).toHaveLength(1);
    await expect.poll(() => lines.length).toBe(2);
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ status: 429, code: 'rate-limit', client: 'demo' });
  });

  it('is counted by who was found to call: headers of the caller make no difference, and strangers use up nothing', async () => {
    const takeTurn = createRateLimit(
      () => ({ perSecond: 1, burst: 2 }),
      () => 0,
    );
    const { app } = createTestApp({ authenticate, takeTurn });
    for (let count = 0; count < 5; count += 1) await request(app).get('/cds-services').expect(401);
    const answers: number[] = [];
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) {
      const headers = { Authorization: 'demo', 'X-Forwarded-For': address, 'X-Client-Id': address };
      answers.push((await request(app).get('/cds-services').set(headers)).status);
    }
    expect(answers).toEqual([200, 200, 429]);
    await request(app).get('/cds-services').set('Authorization', 'another').expect(200);
    await request(app).get('/livez').expect(200);
  });

  it('is not limited where no limit is set', async () => {
    const { app } = createTestApp();
    for (let count = 0; count < 20; count += 1) await request(app).get('/cds-services').expect(200);
  });
});

describe('a connection', () => {
  const open: Server[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((server) => server.stop()));
  });

  const times = { uploadMs: 300, deadlineMs: 100, drainMs: 0 };

  async function connectTo(listener: Parameters<typeof listen>[0], changes: Partial<typeof times> = {}) {
    const server = await listen(listener, { host: '127.0.0.1', port: 0, ...times, ...changes });
    open.push(server);
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }

  /** What a server answers before it closes the connection. */
  async function readToEnd(socket: Socket): Promise<string> {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    await new Promise((resolve) => socket.once('close', resolve));
    return text;
  }

  function drip(socket: Socket, text: string): void {
    const timer = setInterval(() => socket.write(text), 20);
    socket.once('close', () => clearInterval(timer));
  }

  const head = 'POST /cds-services/view HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

  it.each<[string, (socket: Socket) => void]>([
    ['says nothing', () => {}],
    [
      'never ends its headers',
      (socket) => {
        socket.write(head);
        drip(socket, 'X-A: b\r\n');
      },
    ],
    [
      'never ends its body',
      (socket) => {
        socket.write(`${head}Content-Length: 1000000\r\n\r\n`);
        drip(socket, ' ');
      },
    ],
    [
      'never ends its chunks',
      (socket) => {
        socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
        drip(socket, '1\r\n \r\n');
      },
    ],
  ])('that %s is cut when the time to send a request is over', async (_, begin) => {
    const { app } = createTestApp();
    const socket = await connectTo(app);
    const started = Date.now();
    begin(socket);
    expect(await readToEnd(socket)).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
    expect(Date.now() - started).toBeGreaterThan(250);
    expect(Date.now() - started).toBeLessThan(2_000);
  });

  it('that does not read its answer is cut', async () => {
    const closed = Promise.withResolvers<void>();
    const socket = await connectTo((_, response) => {
      response.once('close', closed.resolve);
      response.end(Buffer.alloc(64 * 1024 * 1024));
    });
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await closed.promise;
    socket.destroy();
  });

  it('is answered 431 for headers larger than a JWT needs', async () => {
    const socket = await connectTo(createTestApp().app);
    socket.write(`GET /cds-services HTTP/1.1\r\nHost: x\r\nAuthorization: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('is answered 431 for more headers than any client sends', async () => {
    const socket = await connectTo(createTestApp().app);
    const many = Array.from({ length: 500 }, (_, at) => `X-${at}: 1\r\n`).join('');
    socket.write(`GET /cds-services HTTP/1.1\r\nHost: x\r\n${many}\r\n`);
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 431 /);
  });
});

describe('security.txt', () => {
  it('says where weaknesses are reported, and until when that holds', async () => {
    const { app } = createTestApp({ securityContact: 'mailto:security@hospital.example' });
    const { text, headers } = await request(app).get('/.well-known/security.txt').expect(200);
    expect(headers['content-type']).toMatch(/^text\/plain/);
    expect(text).toBe(
      'Contact: mailto:security@hospital.example\nExpires: 2026-12-27T22:30:00.000Z\nPreferred-Languages: da, en\n',
    );
  });

  it('is not there without a contact', async () => {
    await request(createTestApp().app).get('/.well-known/security.txt').expect(404);
  });
});

describe('why a prefetch key is not known', () => {
  it('is counted by a reason of ours, for calls answered and calls refused', async () => {
    const { app } = createTestApp();
    const patient = { resourceType: 'Patient', id: 'p1' };
    await request(app)
      .post('/cds-services/view')
      .send(createRequest({ prefetch: { patient, conditions: null } }))
      .expect(200);
    await request(app)
      .post('/cds-services/view')
      .send(createRequest({ prefetch: { patient } }))
      .expect(412);
    const { text } = await request(app).get('/metrics').expect(200);
    expect(text).toContain('cds_prefetch_problems_total{key="reports",problem="no-fhir-server"} 1');
    expect(text).toContain('cds_prefetch_problems_total{key="conditions",problem="no-fhir-server"} 1');
  });

  it('has no label of its own for each status a FHIR server makes up', async () => {
    const { metrics } = createTestApp();
    metrics.countPrefetchProblems({ reports: 'status-503' });
    metrics.countPrefetchProblems({ reports: 'status-599' });
    expect(await metrics.registry.metrics()).toContain('{key="reports",problem="status-5xx"} 2');
  });
});
