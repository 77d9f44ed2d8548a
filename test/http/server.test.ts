import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { AuthError, ConfigError } from '../../src/errors.ts';
import { createEvaluate } from '../../src/http/evaluate.ts';
import { listen, type Server } from '../../src/http/server.ts';
import { createRequest, createSteps, createTestApp } from './fakes.ts';

const options = { host: '127.0.0.1', port: 0, uploadMs: 5000, deadlineMs: 5000, drainMs: 5000 };
const open: Server[] = [];

async function start(
  ...[listener, changes = {}]: [Parameters<typeof listen>[0], Partial<typeof options>?]
): Promise<Server> {
  const server = await listen(listener, { ...options, ...changes });
  open.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.stop()));
});

describe('the server', () => {
  it('says in one line that its port is taken', async () => {
    const { port } = await start((_, response) => void response.end());
    const refused = start((_, response) => void response.end(), { port });
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(`PORT: cannot listen on 127.0.0.1:${port}`);
  });

  it('told to stop, answers the calls under way and takes no more', async () => {
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const evaluate = createEvaluate(createSteps());
    let isDraining = false;
    const { app, store } = createTestApp({
      isDraining: () => isDraining,
      evaluate: async (job) => {
        reached.resolve();
        await goOn.promise;
        return evaluate(job);
      },
    });
    const server = await start(app);
    const url = `http://127.0.0.1:${server.port}/cds-services/view`;
    const call = fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(createRequest()),
    });
    await reached.promise;

    isDraining = true;
    const stopped = server.stop();
    await expect(fetch(url)).rejects.toThrow();
    goOn.resolve();
    expect((await call).status).toBe(200);
    expect(store.records).toHaveLength(1);
    await stopped;
  });

  it('told to stop, answers calls for a while, on open connections and new ones, but is not ready', async () => {
    let isDraining = false;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const server = await start(createTestApp({ isDraining: () => isDraining }).app);
    const base = `http://127.0.0.1:${server.port}`;
    const ask = async (path: string, through: Agent | undefined): Promise<IncomingMessage> => {
      const [response] = await once(get(base + path, { ...(through && { agent: through }) }), 'response');
      response.resume();
      await once(response, 'end');
      return response;
    };
    expect((await ask('/cds-services', agent)).headers.connection).toBe('keep-alive');
    isDraining = true;
    const stopped = server.stop(500);
    for (const through of [agent, undefined]) {
      const { statusCode, headers } = await ask('/cds-services', through);
      expect([statusCode, headers.connection]).toEqual([200, 'close']);
    }
    expect((await ask('/readyz', undefined)).statusCode).toBe(503);
    await stopped;
    await expect(fetch(base)).rejects.toThrow();
    agent.destroy();
  });

  it('told to stop, does not wait longer than it may', async () => {
    const reached = Promise.withResolvers<void>();
    const server = await start(() => reached.resolve(), { drainMs: 20 });
    const call = fetch(`http://127.0.0.1:${server.port}/`).then(
      () => 'answered',
      () => 'cut',
    );
    await reached.promise;
    await server.stop();
    expect(await call).toBe('cut');
  });

  it('survives clients that leave in the middle of a body', async () => {
    const { app, lines } = createTestApp();
    const server = await start(app);
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      'POST /cds-services/view HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"hook":',
    );
    await once(socket, 'connect');
    setImmediate(() => socket.destroy());
    await expect.poll(() => lines.length).toBe(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ status: 499, code: 'client-gone' });
    expect((await fetch(`http://127.0.0.1:${server.port}/cds-services`)).status).toBe(200);
  });

  it('answers a body that is announced too large before it comes', async () => {
    const server = await start(createTestApp().app);
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      'POST /cds-services/view HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n',
    );
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toContain('HTTP/1.1 413');
    socket.destroy();
  });

  /** Writes bytes to a server and reads what comes back until it closes. */
  const exchange = async (port: number, text: string): Promise<{ status: number; headers: string; body: string }> => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += String(chunk);
    });
    socket.on('error', () => {});
    socket.write(text);
    await once(socket, 'close');
    const [headers = '', ...body] = answer.split('\r\n\r\n');
    return { status: Number(headers.split(' ')[1]), headers, body: body.join('\r\n\r\n') };
  };
  const head = 'POST /cds-services/view HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

  it.each<[string, string, number, string]>([
    ['headers that are too large', `GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'too-long'],
    ['what is no HTTP', 'hello\r\n\r\n', 400, 'invalid'],
    ['an expectation nobody has', `${head}Expect: more\r\nContent-Length: 2\r\n\r\n`, 417, 'not-supported'],
    ['a chunk without a size', `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400, 'invalid'],
    ['a request that is not sent in time', `${head}Content-Length: 1000\r\n\r\n{`, 408, 'timeout'],
    ['headers that are not sent in time', 'GET / HTTP/1.1\r\nHost: x\r\n', 408, 'timeout'],
  ])('refuses %s with an OperationOutcome, and closes', async (_, text, status, code) => {
    const { app, lines } = createTestApp();
    const server = await start(app, { uploadMs: 300 });
    const answer = await exchange(server.port, text);
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatch(/^connection: close$/im);
    expect(answer.headers).toMatch(/^content-type: application\/fhir\+json/im);
    expect(JSON.parse(answer.body)).toMatchObject({ resourceType: 'OperationOutcome', issue: [{ code }] });
    expect(lines.join('')).not.toContain('client-gone');
  });

  it('does not say that a client left whose answer it cut itself', async () => {
    const reached = Promise.withResolvers<void>();
    const { app, lines } = createTestApp({
      evaluate: () => {
        reached.resolve();
        return new Promise(() => {});
      },
    });
    const server = await start(app, { drainMs: 20 });
    const call = fetch(`http://127.0.0.1:${server.port}/cds-services/view`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(createRequest()),
    }).catch(() => 'cut');
    await reached.promise;
    await server.stop();
    expect(await call).toBe('cut');
    await expect.poll(() => lines.length).toBe(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ status: 503, code: 'cut' });
  });

  describe('asked for leave to send a body', () => {
    const body = JSON.stringify(createRequest());
    const ask = (type: string, length: number) =>
      `POST /cds-services/view HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`;

    it('gives it, and answers', async () => {
      const server = await start(createTestApp().app);
      const socket = connect(server.port, '127.0.0.1');
      socket.write(ask('application/json', body.length));
      expect(String((await once(socket, 'data'))[0])).toBe('HTTP/1.1 100 Continue\r\n\r\n');
      socket.write(body);
      expect(String((await once(socket, 'data'))[0])).toContain('HTTP/1.1 200 OK');
      socket.destroy();
    });

    it.each<[string, number, string, number]>([
      ['the media type is not taken', 415, 'text/plain', body.length],
      ['the body is too large', 413, 'application/json', 99_999_999],
      ['the caller is not known', 401, 'application/json', body.length],
    ])('answers at once where %s', async (_, status, type, length) => {
      const refuse = { authenticate: () => Promise.reject(new AuthError(401, 'x', 'missing')) };
      const server = await start(createTestApp(status === 401 ? refuse : {}).app);
      const answer = await exchange(server.port, ask(type, length));
      expect(answer.status).toBe(status);
      expect(answer.headers).toMatch(/^connection: close$/im);
    });
  });
});
