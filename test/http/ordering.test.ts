import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { createReplay } from '../../src/audit/replay.ts';
import { demoClient } from '../../src/clients/client.ts';
import type { Card, ClientSettings } from '../../src/engine/cards.ts';
import { createChartReader } from '../../src/engine/chart-reader.ts';
import { decide } from '../../src/engine/decide.ts';
import type { Action } from '../../src/engine/suggestions.ts';
import { adaptAnswer } from '../../src/http/adapt.ts';
import { createEvaluate } from '../../src/http/evaluate.ts';
import { concepts, guideline } from '../cds-services/decide-cases.ts';
import { findResponseMistakes } from './card-schema.ts';
import { createSteps, createTestApp } from './fakes.ts';
import { findR4Mistakes } from './r4.ts';

/** The first code of a concept in a system. */
function codeOf(file: 'analyses' | 'conditions' | 'procedures', id: string, system: 'sct' | 'npu'): string {
  const code = concepts[file].find((concept) => concept.id === id)?.codes?.[system]?.[0];
  if (code === undefined) throw new Error(`${id} has no code in ${system}`);
  return code;
}

const subject = { reference: 'Patient/p1' };
const npu = 'http://npu-terminology.org';
const snomed = 'http://snomed.info/sct';
const cpt = 'http://www.ama-assn.org/go/cpt';
const pathway = 'https://diagnostisk-pakkeforloeb.dk/fhir/CodeSystem/pathway';
const orderHooks = ['order-select', 'order-sign'] as const;

const order = (id: string, system: string, code: string, more: object = {}) => ({
  resourceType: 'ServiceRequest',
  id,
  status: 'draft',
  intent: 'order',
  code: { coding: [{ system, code }] },
  subject,
  ...more,
});
const petCt = (more: object = {}) => order('pet', snomed, codeOf('procedures', 'fdg-pet-ct', 'sct'), more);
const referral = (more: object = {}) => order('referral', pathway, 'diagnostic-mas', more);
const bundle = (...resources: unknown[]) => ({
  resourceType: 'Bundle',
  type: 'collection',
  entry: resources.map((resource) => ({ resource })),
});

/** A woman of 62 who has lost weight, and of whom nothing else is recorded. */
const prefetch = {
  patient: { resourceType: 'Patient', id: 'p1', gender: 'female', birthDate: '1964-02-01' },
  conditions: bundle({
    resourceType: 'Condition',
    id: 'weight',
    subject,
    clinicalStatus: {
      coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }],
    },
    code: { coding: [{ system: snomed, code: codeOf('conditions', 'unintended-weight-loss', 'sct') }] },
    onsetDateTime: '2026-10-19',
  }),
  observations: null,
  reports: null,
  imaging: null,
  orders: null,
  procedures: null,
  encounters: null,
  medications: null,
  medicationStatements: null,
};

interface Sent {
  hook?: 'order-select' | 'order-sign';
  context?: Record<string, unknown>;
  settings?: Partial<ClientSettings>;
  body?: object;
}

async function send({ hook = 'order-sign', context = {}, settings = {}, body = {} }: Sent) {
  const evaluate = createEvaluate(
    createSteps({ guideline, readChart: createChartReader(guideline), decide, patientKey: Buffer.alloc(32) }),
  );
  const { app, store } = createTestApp({
    guideline,
    now: () => new Date('2026-11-23T11:00:00Z'),
    evaluate,
    authenticate: async () => ({ client: { ...demoClient, settings: { ...demoClient.settings, ...settings } } }),
  });
  const response = await request(app)
    .post(`/cds-services/diagnostisk-pakkeforloeb-${hook}`)
    .send({
      hook,
      hookInstance: 'd1577c69-dfbe-44ad-ba6d-3e05e953b2ea',
      context: { userId: 'Practitioner/1', patientId: 'p1', ...context },
      prefetch,
      ...body,
    });
  return { response, store };
}

/** The cards of a request that must be answered well. */
async function cardsOf(sent: Sent): Promise<Card[]> {
  const { response } = await send(sent);
  expect({ status: response.status, text: response.text }).toMatchObject({ status: 200 });
  expect(findResponseMistakes(response.body)).toEqual([]);
  return (response.body as { cards: Card[] }).cards;
}

const topicsOf = (cards: readonly Card[]) => cards.map(({ source }) => source.topic.code);
const actionsOf = (cards: readonly Card[]): Action[] =>
  cards.flatMap(({ suggestions = [] }) => suggestions.flatMap(({ actions }) => actions));
const missingOf = (cards: readonly Card[], topic: string) =>
  cards
    .filter(({ source }) => source.topic.code === topic)
    .flatMap(
      ({ extension }) => (extension['dk.diagnostisk-pakkeforloeb.decision'] as { missing?: string[] }).missing ?? [],
    );

describe('what the public sandbox sends', () => {
  const beforeDrug = {
    resourceType: 'MedicationRequest',
    id: 'request-123',
    status: 'draft',
    subject,
    authoredOn: '2026-11-23',
  };
  const afterDrug = {
    ...beforeDrug,
    medicationCodeableConcept: {
      text: 'Acetaminophen 325 MG Oral Tablet',
      coding: [{ system: 'http://www.nlm.nih.gov/research/umls/rxnorm', code: '313782' }],
    },
    category: {
      coding: [{ system: 'http://terminology.hl7.org/CodeSystem/medicationrequest-category', code: 'outpatient' }],
    },
    reasonCode: { coding: [{ system: snomed, code: '271737000' }] },
    dosageInstruction: [{ doseAndRate: { doseQuantity: { value: 1 } } }],
  };
  const pama = order('example-request-id', cpt, '00000', {
    intent: 'plan',
    reasonCode: [{ coding: [{ system: snomed, code: '13543005' }] }],
  });

  it.each<[string, Sent]>([
    [
      'before a drug is chosen',
      {
        hook: 'order-select',
        context: {
          selections: ['MedicationRequest/request-123'],
          draftOrders: { resourceType: 'Bundle', entry: [{ resource: beforeDrug }] },
        },
      },
    ],
    [
      'when one is',
      {
        hook: 'order-select',
        context: {
          selections: ['MedicationRequest/request-123'],
          draftOrders: { resourceType: 'Bundle', entry: [{ resource: afterDrug }] },
        },
      },
    ],
    ['when it is signed', { context: { draftOrders: { resourceType: 'Bundle', entry: [{ resource: afterDrug }] } } }],
    [
      'when imaging is chosen',
      {
        hook: 'order-select',
        context: {
          selections: ['ServiceRequest/example-request-id'],
          draftOrders: { resourceType: 'Bundle', entry: [{ resource: pama }] },
        },
      },
    ],
    ['when imaging is signed', { context: { draftOrders: { resourceType: 'Bundle', entry: [{ resource: pama }] } } }],
    [
      'on a DSTU2 server',
      {
        hook: 'order-select',
        context: {
          selections: ['MedicationOrder/request-123'],
          draftOrders: {
            resourceType: 'Bundle',
            entry: [
              { resource: { resourceType: 'MedicationOrder', id: 'request-123', status: 'draft', patient: subject } },
            ],
          },
        },
      },
    ],
  ])('is answered %s, in silence', async (_, sent) => {
    expect(await cardsOf(sent)).toEqual([]);
  });

  it('is understood where the profile says what a code of imaging means', async () => {
    const draftOrders = { resourceType: 'Bundle', entry: [{ resource: pama }] };
    const settings = { codes: { 'fdg-pet-ct': [{ system: cpt, code: '00000' }] } };
    const cards = await cardsOf({
      hook: 'order-select',
      context: { selections: ['ServiceRequest/example-request-id'], draftOrders },
      settings,
    });
    expect(topicsOf(cards)).toEqual(['imaging-choice']);
    expect(actionsOf(cards)).toContainEqual({
      type: 'delete',
      description: 'Slet kladde',
      resourceId: 'ServiceRequest/example-request-id',
    });
  });
});

describe('what Epic sends', () => {
  /** Ids of its unsigned orders are far longer than FHIR allows. */
  const longId = `e${'Xq3-bR7.'.repeat(20)}3`;
  const pet = petCt({
    id: longId,
    category: { coding: [{ system: snomed, code: '363679005' }] },
    subject: { reference: 'https://ehr.example.org/api/FHIR/R4/Patient/p1' },
    encounter: { reference: 'https://ehr.example.org/api/FHIR/R4/Encounter/e1' },
  });
  const draftOrders = {
    resourceType: 'Bundle',
    type: 'collection',
    entry: [
      { fullUrl: `https://ehr.example.org/api/FHIR/R4/ServiceRequest/${longId}`, resource: pet },
      {
        resource: {
          resourceType: 'Medication',
          id: 'm1',
          code: { coding: [{ system: 'urn:oid:2.16.840.1.113883.6.88', code: '313782' }] },
        },
      },
      {
        resource: {
          resourceType: 'MedicationRequest',
          id: 'tablet',
          status: 'draft',
          intent: 'order',
          subject,
          medicationReference: { reference: 'Medication/m1' },
          doseQuantity: { value: 1 },
        },
      },
    ],
  };
  const nothing = {
    resourceType: 'Bundle',
    type: 'searchset',
    total: 0,
    entry: [
      {
        resource: { resourceType: 'OperationOutcome', issue: [{ severity: 'warning', code: 'processing' }] },
        search: { mode: 'outcome' },
      },
    ],
  };
  const body = {
    prefetch: { ...prefetch, observations: nothing, imaging: nothing, reports: nothing },
    extension: { 'com.epic.cdshooks.request.bpa-trigger-action': '18' },
  };

  it.each(orderHooks)('is answered on %s, with the order named by its own id', async (hook) => {
    const selections = hook === 'order-select' ? { selections: [`ServiceRequest/${longId}`] } : {};
    const { response } = await send({
      hook,
      context: { userId: 'PractitionerRole/r1', encounterId: 'e1', draftOrders, ...selections },
      body,
    });
    expect(response.status).toBe(200);
    const { cards } = response.body as { cards: Card[] };
    expect(topicsOf(cards)).toEqual(['imaging-choice']);
    const actions = actionsOf(cards);
    expect(actions.filter(({ type }) => type === 'delete')).toMatchObject([{ resourceId: `ServiceRequest/${longId}` }]);
    expect(actions.filter(({ type }) => type === 'create')).toMatchObject([
      { resource: { intent: 'order', status: 'draft', subject, encounter: { reference: 'Encounter/e1' } } },
    ]);
  });
});

describe('drafts that are not as R4 has them', () => {
  const selections = ['ServiceRequest/pet'];
  const { intent: _, ...withoutIntent } = petCt();

  it.each<[string, unknown]>([
    ['a Bundle without a type', { resourceType: 'Bundle', entry: [{ resource: petCt() }] }],
    ['one entry where a list stands', { resourceType: 'Bundle', type: 'collection', entry: { resource: petCt() } }],
    ['the entries without their Bundle', [{ resource: petCt() }]],
    ['the resources without entries', [petCt()]],
    ['no intent', bundle(withoutIntent)],
    [
      'an object where code.coding is a list',
      bundle(petCt({ code: { coding: { system: snomed, code: codeOf('procedures', 'fdg-pet-ct', 'sct') } } })),
    ],
    ['members nobody knows', { ...bundle(petCt({ colour: 'blue', extension: { url: 'x' } })), colour: 'blue' }],
    [
      'entries of other kinds',
      bundle(
        petCt(),
        { resourceType: 'DeviceRequest', id: 'd', subject },
        { resourceType: 'NutritionOrder', id: 'n', patient: subject },
        { resourceType: 'Task', id: 't' },
        null,
        3,
        {},
      ),
    ],
    [
      'an absolute reference to the patient with a version',
      bundle(petCt({ subject: { reference: 'https://ehr.example.org/Patient/p1/_history/3' } })),
    ],
    ['the patient under its temporary id', bundle(petCt({ subject: { reference: 'urn:uuid:p1' } }))],
  ])('are answered: %s', async (_name, draftOrders) => {
    for (const hook of orderHooks) {
      const context = { draftOrders, ...(hook === 'order-select' && { selections }) };
      expect(topicsOf(await cardsOf({ hook, context }))).toEqual(['imaging-choice']);
    }
  });

  it.each<[string, unknown]>([
    ['an absolute reference', ['https://ehr.example.org/ServiceRequest/pet']],
    ['no selections at all', undefined],
    ['selections that are null', null],
  ])('are chosen by %s', async (_name, chosen) => {
    const cards = await cardsOf({
      hook: 'order-select',
      context: { draftOrders: bundle(petCt()), selections: chosen },
    });
    expect(topicsOf(cards)).toEqual(['imaging-choice']);
  });

  it.each<[string, unknown]>([
    ['an empty list', []],
    ['a draft that is not there', ['ServiceRequest/elsewhere']],
    ['something that is no reference', ['pet']],
  ])('are not chosen by %s', async (_name, chosen) => {
    expect(
      await cardsOf({ hook: 'order-select', context: { draftOrders: bundle(petCt()), selections: chosen } }),
    ).toEqual([]);
  });

  it.each<[string, object]>([
    ['of another patient', { subject: { reference: 'Patient/p2' } }],
    ['of nobody', { subject: undefined }],
    ['not to be done', { doNotPerform: true }],
    ['revoked', { status: 'revoked' }],
    ['completed', { status: 'completed' }],
    ['entered in error', { status: 'entered-in-error' }],
  ])('are no drafts: %s', async (_name, change) => {
    expect(await cardsOf({ context: { draftOrders: bundle(petCt(change)) } })).toEqual([]);
  });

  it('need not be drafts when they are signed again', async () => {
    const signed = petCt({ status: 'active', authoredOn: '2026-11-02' });
    const cards = await cardsOf({
      context: { draftOrders: bundle(signed) },
      body: { prefetch: { ...prefetch, orders: bundle(signed) } },
    });
    expect(topicsOf(cards)).toEqual(['imaging-choice']);
  });

  it('cannot be deleted without an id', async () => {
    const cards = await cardsOf({ context: { draftOrders: bundle(petCt({ id: undefined })) } });
    expect(topicsOf(cards)).toEqual(['imaging-choice']);
    expect(actionsOf(cards).filter(({ type }) => type === 'delete')).toEqual([]);
  });
});

describe('a request without drafts', () => {
  it.each(orderHooks)('is refused on %s, naming what is missing', async (hook) => {
    for (const draftOrders of [undefined, null]) {
      const { response } = await send({ hook, context: { draftOrders, selections: [] } });
      expect(response.status).toBe(400);
      expect(response.body).toMatchObject({
        resourceType: 'OperationOutcome',
        issue: [{ expression: ['context.draftOrders'] }],
      });
    }
  });

  it.each(orderHooks)('is refused on %s where they are no Bundle', async (hook) => {
    const { response } = await send({ hook, context: { draftOrders: 'ServiceRequest/pet', selections: [] } });
    expect(response.status).toBe(400);
    expect(JSON.stringify(response.body)).toContain('context.draftOrders');
  });

  it('is answered where the Bundle is empty', async () => {
    for (const draftOrders of [{ resourceType: 'Bundle', type: 'collection' }, bundle(), []]) {
      expect(await cardsOf({ context: { draftOrders } })).toEqual([]);
    }
  });
});

describe('the content of a referral', () => {
  const phone = { telecom: [{ system: 'phone', value: '+45 00 00 00 00' }] };
  const consent = { resourceType: 'Consent', status: 'active', patient: subject };

  it('is found in the Bundle by temporary reference, contained, and by id', async () => {
    const draft = referral({
      contained: [{ resourceType: 'PractitionerRole', id: 'role', ...phone }],
      requester: { reference: '#role' },
      supportingInfo: [
        { reference: 'urn:uuid:0b8a3f5e-7d1c-4f0a-9a51-8d2f6b7c4e10' },
        { reference: 'Communication/told' },
      ],
    });
    const draftOrders = {
      resourceType: 'Bundle',
      type: 'collection',
      entry: [
        { resource: draft },
        { fullUrl: 'urn:uuid:0b8a3f5e-7d1c-4f0a-9a51-8d2f6b7c4e10', resource: consent },
        { resource: { resourceType: 'Communication', id: 'told', status: 'completed', subject } },
      ],
    };
    expect(missingOf(await cardsOf({ context: { draftOrders } }), 'referral-content')).toEqual([
      'symptoms',
      'rationale',
    ]);
  });

  it('is not what another patient consented to', async () => {
    const draft = referral({ supportingInfo: [{ reference: 'Consent/theirs' }] });
    const draftOrders = bundle(draft, { ...consent, id: 'theirs', patient: { reference: 'Patient/p2' } });
    const missing = missingOf(await cardsOf({ context: { draftOrders } }), 'referral-content');
    expect(missing).toContain('telephone');
    // Which consent is meant is not known then
    expect(missing).not.toContain('consent');
  });

  it('is completed as a whole resource in which nothing else is touched, and no one is named in the record', async () => {
    const draft = referral({
      note: [{ text: 'Kirsten Test Andersen, vægttab' }],
      reasonReference: [],
      extension: [{ url: 'https://ehr.example.org/x', valueString: 'y' }],
      colour: 'blue',
    });
    const { response, store } = await send({ context: { draftOrders: bundle(draft) } });
    const { cards } = response.body as { cards: Card[] };
    const updates = actionsOf(cards).filter(({ type }) => type === 'update');
    expect(updates).toEqual([
      {
        type: 'update',
        description: 'Udfyld henvisning',
        resource: { ...draft, reasonReference: [{ reference: 'Condition/weight' }] },
      },
    ]);
    expect(JSON.stringify(store.record())).not.toMatch(/Kirsten|Patient\/p1|colour/);
  });

  it('is completed with valid FHIR', async () => {
    const cards = await cardsOf({ context: { draftOrders: bundle(referral()) } });
    const resources = actionsOf(cards).flatMap((action) => ('resource' in action ? [action.resource] : []));
    expect(resources.length).toBeGreaterThan(1);
    expect(resources.flatMap(findR4Mistakes)).toEqual([]);
  });

  it('can be copied as a text of codes and values', async () => {
    const cards = await cardsOf({ context: { draftOrders: bundle(referral({ note: [{ text: 'Fri tekst' }] })) } });
    const detail = cards.find(({ source }) => source.topic.code === 'referral-content')?.detail ?? '';
    expect(detail).toMatch(
      /```\nMistanke: –\nSymptomer: Utilsigtet vægttab .*19\.10\.2026.*\nFund: –\nAbnorme prøvesvar: –\n```/,
    );
    expect(detail).not.toContain('Fri tekst');
  });
});

describe('what a client chose', () => {
  it('is told at order-sign of warnings alone', async () => {
    const context = { draftOrders: bundle(petCt(), referral()) };
    expect(topicsOf(await cardsOf({ context }))).toContain('imaging-choice');
    const few = await cardsOf({ context, settings: { orderSignOnly: 'warnings' } });
    expect(few.map(({ indicator }) => indicator)).toEqual(['warning', 'warning']);
    const selecting = { context: { ...context, selections: ['ServiceRequest/pet'] }, hook: 'order-select' as const };
    expect(topicsOf(await cardsOf({ ...selecting, settings: { orderSignOnly: 'warnings' } }))).toEqual([
      'imaging-choice',
    ]);
  });
});

describe('the record of an order', () => {
  it('suffices to decide again without the drafts', async () => {
    const draftOrders = bundle(
      petCt(),
      referral(),
      order('hb', npu, codeOf('analyses', 'haemoglobin', 'npu')),
      order('crp', npu, codeOf('analyses', 'crp', 'npu')),
    );
    const replay = createReplay(guideline, (cards, hook) => adaptAnswer(cards, hook, undefined).cards);
    for (const hook of orderHooks) {
      const { store } = await send({ hook, context: { draftOrders, encounterId: 'e1' } });
      const record = store.record();
      expect(record.cards.map(({ source }) => source.topic?.code)).toContain('imaging-choice');
      expect(replay(record)).toMatchObject({ isIdentical: true, cards: [] });
    }
  });

  it('names the drafts only by what they are', async () => {
    const { store } = await send({ context: { draftOrders: bundle(referral({ note: [{ text: 'Kirsten' }] })) } });
    const { readings, keys } = store.record().chart;
    expect(keys.draftOrders).toEqual({ state: 'present', dropped: 0 });
    expect(readings.filter(({ draft }) => draft)).toEqual([
      expect.objectContaining({
        kind: 'marker',
        concept: 'diagnostic-mas',
        role: 'referral',
        draft: true,
        selected: true,
      }),
    ]);
  });
});
