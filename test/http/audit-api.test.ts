import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EvaluationRecord, sealRecord } from '../../src/audit/record.ts';
import { openSqliteStore } from '../../src/audit/sqlite.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { CdsError } from '../../src/errors.ts';
import { createAuditApi } from '../../src/http/audit-api.ts';
import type { FindReader } from '../../src/http/readers.ts';
import { makeRecord } from '../audit/make-record.ts';

const findReader: FindReader = async (token) => {
  if (token === 'secret') return { who: 'token', role: 'reviewer' };
  return token === 'other' ? { who: 'someone', role: 'viewer' } : undefined;
};

let folder: string;
let store: AuditStore;
let app: express.Express;
let record: EvaluationRecord;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'audit-api-'));
  store = openSqliteStore(join(folder, 'evaluations'));
  record = makeRecord();
  await store.append(sealRecord(record));
  app = express();
  app.use('/audit/api', createAuditApi({ store, findReader, now: () => new Date('2026-11-23T12:00:00Z') }));
  const fail: express.ErrorRequestHandler = (error, _request, response, _next) => {
    response.status(error instanceof CdsError ? error.status : 500).json({ code: error.code });
  };
  app.use(fail);
});
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const get = (path: string, token = 'Bearer secret') =>
  request(app).get(`/audit/api${path}`).set('Authorization', token);

describe('the audit API', () => {
  test('answers one evaluation as the record, with the state of each prefetch key', async () => {
    const { status, body, headers } = await get(`/evaluations/${record.id}`);
    expect(status).toBe(200);
    expect(body).toMatchObject(JSON.parse(JSON.stringify(record)));
    expect(body.prefetch).toEqual({ observations: 'present', reports: 'failed' });
    expect(body.feedback).toEqual([]);
    expect(body.chain).toMatchObject({ seq: 1, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(headers['cache-control']).toBe('no-store');
  });

  test('hides from a viewer whom and which call it was about', async () => {
    const { status, text } = await get(`/evaluations/${record.id}`, 'Bearer other');
    expect(status).toBe(200);
    expect(text).toContain('MUP-01');
    expect(text).not.toContain(record.patientKey);
    expect(text).not.toContain(record.hookInstance);
  });

  test('records who was answered what', async () => {
    await get(`/evaluations/${record.id}`, 'Bearer other');
    const [last] = await store.views({ limit: 1 });
    expect(last).toMatchObject({ who: 'someone', role: 'viewer', page: 'api', evaluation: record.id });
    expect(last?.time).toBe('2026-11-23T12:00:00.000Z');
  });

  test('answers 404 for an evaluation that is not there', async () => {
    expect(await get(`/evaluations/${randomUUID()}`)).toMatchObject({ status: 404, body: { code: 'not-found' } });
  });

  test('finds the evaluations of a hook instance, newest first', async () => {
    const newer = makeRecord({ hookInstance: record.hookInstance });
    await store.append(sealRecord(newer));
    await store.append(sealRecord(makeRecord()));
    const { body } = await get(`/evaluations?hookInstance=${record.hookInstance}`);
    expect(body.evaluations.map(({ id }: { id: string }) => id)).toEqual([newer.id, record.id]);
    const { body: one } = await get(`/evaluations?hookInstance=${record.hookInstance}&limit=1`);
    expect(one.evaluations).toHaveLength(1);
  });

  test('finds no evaluation by its hook instance for a viewer', async () => {
    const { status, text } = await get(`/evaluations?hookInstance=${record.hookInstance}`, 'Bearer other');
    expect(status).toBe(403);
    expect(text).not.toContain(record.id);
  });

  test('finds nothing for a hook instance it never saw', async () => {
    expect((await get('/evaluations?hookInstance=other')).body).toEqual({ evaluations: [] });
  });

  test.each([
    '',
    '?hookInstance=',
    '?hookInstance=a&hookInstance=b',
    '?hookInstance=a&limit=0',
    '?hookInstance=a&limit=x',
  ])('refuses the query "%s"', async (query) => {
    expect(await get(`/evaluations${query}`)).toMatchObject({ status: 400, body: { code: 'request' } });
  });

  test('answers neither the content nor the hook instance of an erased evaluation', async () => {
    const erased = makeRecord({ patientId: 'erased' });
    await store.append(sealRecord(erased));
    await store.erase({ patientKey: erased.patientKey });
    expect((await get(`/evaluations/${erased.id}`)).status).toBe(404);
    expect((await get(`/evaluations?hookInstance=${erased.hookInstance}`)).body).toEqual({ evaluations: [] });
  });

  test.each(['', 'secret', 'Bearer', 'Bearer secreT', 'Bearer secret2', 'Basic secret'])(
    'answers nothing to the authorization "%s"',
    async (authorization) => {
      for (const path of [`/evaluations/${record.id}`, '/evaluations', '/anything']) {
        const { status, headers, text } = await get(path, authorization);
        expect([status, headers['www-authenticate']]).toEqual([401, 'Bearer']);
        expect(text).not.toContain(record.id);
      }
    },
  );
});
