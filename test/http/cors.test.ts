import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { AuthError } from '../../src/errors.ts';
import { createRequest, createTestApp } from './fakes.ts';

const allowed = [
  'http://localhost:8080',
  'http://127.0.0.1:3000',
  'http://127.1.2.3',
  'http://[::1]:8080',
  'https://sandbox.cds-hooks.org',
];
const refused = [
  'https://example.org',
  'https://localhost.example.org',
  'http://127.0.0.1.example.org',
  'https://sandbox.cds-hooks.org.example.org',
  'http://sandbox.cds-hooks.org',
  'null',
];

describe('browsers', () => {
  it.each(allowed)('on %s may call', async (origin) => {
    const response = await request(createTestApp().app).get('/cds-services').set('Origin', origin).expect(200);
    expect(response.headers['access-control-allow-origin']).toBe(origin);
    expect(response.headers.vary).toContain('Origin');
  });

  it.each(refused)('on %s may not', async (origin) => {
    const response = await request(createTestApp().app).get('/cds-services').set('Origin', origin);
    expect(response.headers['access-control-allow-origin']).toBeUndefined();
    expect(response.headers.vary).toContain('Origin');
  });

  it.each(['/cds-services', '/cds-services/view', '/cds-services/view/feedback'])(
    'get their preflight of %s without a token',
    async (path) => {
      const { app } = createTestApp({
        authenticate: async () => {
          throw new AuthError(401, 'no token');
        },
      });
      const response = await request(app)
        .options(path)
        .set('Origin', 'http://localhost:8080')
        .set('Access-Control-Request-Method', 'POST')
        .set('Access-Control-Request-Headers', 'authorization,content-type')
        .expect(204);
      expect(response.headers['access-control-allow-origin']).toBe('http://localhost:8080');
      expect(response.headers['access-control-allow-methods']).toContain('POST');
      expect(response.headers['access-control-allow-headers']?.toLowerCase()).toMatch(/authorization.*content-type/);
      expect(response.headers['access-control-allow-credentials']).toBeUndefined();
    },
  );

  it('can read every error', async () => {
    const ask = (app = createTestApp().app) =>
      request(app).post('/cds-services/view').set('Origin', 'http://localhost:8080');
    const unauthorized = createTestApp({
      authenticate: async () => {
        throw new AuthError(401, 'no token');
      },
    }).app;
    const full = createTestApp();
    full.store.failure = new Error('disk full');
    const answers = [
      await ask().set('Content-Type', 'text/plain').send('x'),
      await ask().set('Content-Type', 'application/json').send('{'),
      await ask()
        .set('Content-Type', 'application/json')
        .send(Buffer.alloc(11 * 1024 * 1024)),
      await ask().send(createRequest({ prefetch: {} })),
      await ask(unauthorized).send(createRequest()),
      await ask(full.app).send(createRequest()),
      await request(createTestApp().app).get('/cds-services/view').set('Origin', 'http://localhost:8080'),
      await request(createTestApp().app).get('/cds-services/other').set('Origin', 'http://localhost:8080'),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([415, 400, 413, 412, 401, 503, 405, 404]);
    for (const answer of answers) expect(answer.headers['access-control-allow-origin']).toBe('http://localhost:8080');
  });

  it('of other pages reach neither metrics nor the audit', async () => {
    const response = await request(createTestApp().app).get('/metrics').set('Origin', 'http://localhost:8080');
    expect(response.headers['access-control-allow-origin']).toBeUndefined();
  });
});
