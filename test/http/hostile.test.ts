import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { createChartReader } from '../../src/engine/chart-reader.ts';
import { decide } from '../../src/engine/decide.ts';
import { loadKnowledge } from '../../src/knowledge.ts';
import { createRequest, createTestApp } from './fakes.ts';

const folder = fileURLToPath(new URL('../../cds-services/diagnostisk-pakkeforloeb', import.meta.url));
const guideline = loadKnowledge(folder);
const readChart = createChartReader(guideline);
const address = '/cds-services/diagnostisk-pakkeforloeb-patient-view';
const keys = Object.keys(guideline.head.prefetch);

/** The real steps from the bytes to the answer; only the store is a stand-in. */
const createRealApp = () => createTestApp({ guideline }, { guideline, readChart, decide });

const patient = { resourceType: 'Patient', id: 'p1', gender: 'male', birthDate: '1955-05-05' };

/** What real resources are made of, in places where it does not belong. */
const scrap = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    'final',
    'Patient/p1',
    '2026-06-01',
    'http://snomed.info/sct',
    { reference: 'Patient/p1' },
    -1,
  ),
  fc.constantFrom<unknown>(
    { value: 'x', unit: 5, code: [] },
    { coding: [{ system: 5, code: {} }, null] },
    { low: { value: {} } },
  ),
);
const type = fc.constantFrom(
  'Patient',
  'Condition',
  'Observation',
  'DiagnosticReport',
  'ImagingStudy',
  'ServiceRequest',
  'Procedure',
  'Encounter',
  'MedicationRequest',
);
const resource = fc.record(
  {
    resourceType: fc.oneof(type, scrap),
    id: scrap,
    status: scrap,
    code: scrap,
    subject: fc.oneof(fc.constant({ reference: 'Patient/p1' }), scrap),
    patient: scrap,
    effectiveDateTime: scrap,
    authoredOn: scrap,
    valueQuantity: scrap,
    component: scrap,
    bodySite: scrap,
    contained: scrap,
    hasMember: scrap,
    conclusionCode: scrap,
    __proto__: scrap,
  },
  { requiredKeys: ['resourceType'] },
);
const bundle = fc.record({
  resourceType: fc.constant('Bundle'),
  entry: fc.array(fc.oneof(fc.record({ resource }), scrap), { maxLength: 8 }),
});

describe('the whole path', () => {
  it('answers 200 or 412, whatever types stand deep in the resources', async () => {
    const { app } = createRealApp();
    const prefetch = fc.dictionary(fc.constantFrom(...keys), fc.oneof(bundle, resource, scrap));
    await fc.assert(
      fc.asyncProperty(prefetch, async (sent) => {
        const whole = { conditions: null, observations: null, ...sent, patient };
        const answer = await request(app)
          .post(address)
          .send(createRequest({ prefetch: whole }));
        expect([200, 412]).toContain(answer.status);
      }),
      { numRuns: 60 },
    );
  });

  it('answers any JSON at all with a 4xx or an answer', async () => {
    const { app } = createRealApp();
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 6 }), async (body) => {
        const answer = await request(app).post(address).set('Content-Type', 'application/json').send(body);
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
      }),
      { numRuns: 60 },
    );
  });

  it('says nothing it did not find: an empty record gives no cards', async () => {
    const { app } = createRealApp();
    const empty = Object.fromEntries(keys.map((key) => [key, null]));
    const answer = await request(app)
      .post(address)
      .send(createRequest({ prefetch: { ...empty, patient } }))
      .expect(200);
    expect(answer.body).toEqual({ cards: [] });
  });
});
