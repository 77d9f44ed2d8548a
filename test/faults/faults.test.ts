import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvaluationRecord } from '../../src/audit/record.ts';
import { type Fault, faults, type MisbehavingServer, startMisbehavingServer } from './misbehaving-server.ts';
import { type Called, callService, type RunningService, startService } from './service.ts';

const auditToken = 'a-token-for-this-test';
const collectMs = 500;
const deadlineMs = 2_500;
/** For the way there and back on a machine that is busy. */
const graceMs = 1_500;
/** Megabytes beyond what the service holds at rest. */
const allowance = 600;
/** While pages pour in: what is read of them, and garbage not yet collected; 40 pages of 64 MiB would be 2,700. */
const pouringAllowance = 1200;

describe('over a FHIR server that misbehaves, the service', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cds-faults-'));
  let fhir: MisbehavingServer;
  let service: RunningService;
  let atRest: number;

  beforeAll(async () => {
    fhir = await startMisbehavingServer();
    service = await startService({
      DATA_DIR: folder,
      AUDIT_TOKEN: auditToken,
      COLLECT_MS: String(collectMs),
      DEADLINE_MS: String(deadlineMs),
    });
    await callMany('good', 'required', 8);
    atRest = await service.readMemory();
  });
  afterAll(async () => {
    await service.stop();
    await fhir.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const callMany = (fault: Fault, sent: 'required' | 'nothing', times: number): Promise<Called[]> =>
    Promise.all(Array.from({ length: times }, () => callService(service.base, fhir.base(fault), sent)));

  async function readRecord(id: string): Promise<EvaluationRecord> {
    const response = await fetch(`${service.base}/audit/api/evaluations/${id}`, {
      headers: { Authorization: `Bearer ${auditToken}` },
    });
    return (await response.json()) as EvaluationRecord;
  }

  it.each<[Fault, string[]]>([
    ['good', ['present']],
    ['slow-headers', ['failed']],
    ['slow-body', ['failed']],
    ['endless-pages', ['truncated']],
    ['huge-page', ['failed']],
    ['reset', ['failed']],
    ['wrong-type', ['failed']],
    ['redirect', ['failed']],
    ['wrong-patient', ['failed']],
    ['server-error', ['failed']],
    ['not-json', ['failed']],
  ])('answers in time with what was sent, and reads nothing into what it did not get: %s', async (fault, states) => {
    const called = await callMany(fault, 'required', 12);
    expect(called.map(({ status }) => status)).toEqual(called.map(() => 200));
    for (const { milliseconds } of called) expect(milliseconds).toBeLessThan(deadlineMs + graceMs);
    const { chart, cards } = await readRecord(called[0]?.id ?? '');
    const { patient, conditions, observations, ...optional } = chart.keys;
    expect([patient?.state, conditions?.state, observations?.state]).toEqual(['present', 'empty', 'empty']);
    expect([...new Set(Object.values(optional).map(({ state }) => state))]).toEqual(states);
    if (fault === 'wrong-patient') {
      expect(Object.values(optional).map(({ dropped }) => dropped)).toEqual(Object.values(optional).map(() => 1));
    }
    expect(cards).toEqual([]);
  });

  it.each(faults.filter((fault) => fault !== 'good' && fault !== 'endless-pages'))(
    'answers 412 in time where it was sent nothing: %s',
    async (fault) => {
      const called = await callMany(fault, 'nothing', 6);
      expect(called.map(({ status }) => status)).toEqual(called.map(() => 412));
      for (const { milliseconds } of called) expect(milliseconds).toBeLessThan(deadlineMs + graceMs);
    },
  );

  it('leaves servers alone that do not answer, and says so in the metrics', async () => {
    const text = await (await fetch(`${service.base}/metrics`)).text();
    expect(text).toMatch(/cds_prefetch_problems_total\{key="\w+",problem="circuit-open"\} \d/);
    const [called] = await callMany('slow-headers', 'required', 1);
    expect(called?.milliseconds).toBeLessThan(collectMs);
  });

  it('never goes where redirects and links lead', () => {
    expect(fhir.requests()).toBeGreaterThan(100);
    expect(fhir.strayed).toEqual([]);
  });

  it('holds bounded memory while pages without end pour in', async () => {
    let most = 0;
    let isOver = false;
    const watching = (async () => {
      while (!isOver) most = Math.max(most, await service.readMemory());
    })();
    const answered = await Promise.all([
      callMany('huge-page', 'required', 40),
      callMany('endless-pages', 'required', 20),
    ]);
    isOver = true;
    await watching;
    expect(answered.flat().filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
    expect(most - atRest).toBeLessThan(pouringAllowance);
  });

  it('is whole after all that: no worker died, a healthy server is read again', async () => {
    expect(await service.readCounter('cds_worker_crashes_total')).toBe(0);
    const [called] = await callMany('good', 'required', 1);
    const { chart } = await readRecord(called?.id ?? '');
    expect(chart.keys.reports?.state).toBe('present');
    expect(service.output()).not.toContain('"status":500');
  });
});

describe('under more bodies than it has room for, the service', () => {
  it('answers 503 with Retry-After before memory grows, and answers the next call', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cds-pressure-'));
    const mebibyte = 1024 * 1024;
    const service = await startService({ DATA_DIR: folder, MAX_HELD_BYTES: String(24 * mebibyte), QUEUE_LENGTH: '16' });
    const call = (body: string) =>
      fetch(`${service.base}/cds-services/diagnostisk-pakkeforloeb-patient-view`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body,
      });
    const known = { resourceType: 'Patient', id: 'p1', gender: 'female', birthDate: '1960-01-01' };
    const request = {
      hook: 'patient-view',
      hookInstance: 'h',
      context: { patientId: 'p1' },
      prefetch: { patient: known, conditions: null, observations: null },
    };
    const small = JSON.stringify(request);
    const large = JSON.stringify({ ...request, extension: 'x'.repeat(4 * mebibyte) });
    expect((await call(small)).status).toBe(200);
    const atRest = await service.readMemory();

    const answers = await Promise.all(Array.from({ length: 60 }, () => call(large)));
    const statuses = answers.map(({ status }) => status);
    expect([...new Set(statuses)].sort()).toEqual([200, 503]);
    for (const answer of answers.filter(({ status }) => status === 503)) {
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await answer.json()).toMatchObject({ resourceType: 'OperationOutcome', issue: [{ code: 'transient' }] });
    }
    expect((await service.readMemory()) - atRest).toBeLessThan(allowance);
    expect((await call(small)).status).toBe(200);
    await service.stop();
    rmSync(folder, { recursive: true, force: true });
  });
});
