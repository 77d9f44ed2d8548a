import request from 'supertest';
import { describe, expect, it } from 'vitest';
import type { ChartOptions } from '../../src/engine/records.ts';
import { card, createRequest, createSteps, createTestApp } from './fakes.ts';

describe('discovery', () => {
  it('lists every service with hook, title, description, id, prefetch templates and versions', async () => {
    const { body } = await request(createTestApp().app).get('/cds-services').expect(200);
    expect(body.services.map((service: { id: string }) => service.id)).toEqual(['view', 'select', 'sign']);
    expect(body.services[0]).toEqual({
      hook: 'patient-view',
      title: 'Titel view',
      description: 'Beskrivelse view',
      id: 'view',
      prefetch: {
        patient: 'Patient/{{context.patientId}}',
        conditions: 'Condition?patient={{context.patientId}}',
        reports: 'DiagnosticReport?patient={{context.patientId}}',
      },
      usageRequirements: expect.stringContaining('patient, conditions'),
      version: '2.0.1',
      hookVersion: '1.0',
    });
  });

  it('is not sent again to who has it already', async () => {
    const { app } = createTestApp();
    const first = await request(app).get('/cds-services').expect(200);
    const tag = first.headers.etag as string;
    expect(tag).toMatch(/^"[\w-]+"$/);
    const second = await request(app).get('/cds-services').set('If-None-Match', tag).expect(304);
    expect(second.text).toBe('');
  });

  it.each(['/cds-services/', '//cds-services', '/cds-services//?x=//'])('is found at %s', async (path) => {
    await request(createTestApp().app).get(path).expect(200);
  });
});

describe('a call', () => {
  it('answers the cards', async () => {
    const { app } = createTestApp();
    const response = await request(app).post('/cds-services/view').send(createRequest()).expect(200);
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.body).toEqual({ cards: [card] });
  });

  it.each(['/cds-services//view', '/cds-services/view/'])('is answered at %s', async (path) => {
    await request(createTestApp().app).post(path).send(createRequest()).expect(200);
  });

  it('stores the record before the answer leaves', async () => {
    const { app, store } = createTestApp();
    const response = await request(app).post('/cds-services/view').send(createRequest()).expect(200);
    expect(store.records).toHaveLength(1);
    const record = store.record();
    expect(record).toMatchObject({
      id: response.headers['x-request-id'],
      time: '2026-06-30T22:30:00.000Z',
      client: 'demo',
      hook: 'patient-view',
      service: 'view',
      knowledge: { version: '1.2.3', hash: 'sha256:00' },
      language: 'da',
      chart: { keys: { patient: { state: 'present' }, conditions: { state: 'empty' }, reports: { state: 'empty' } } },
    });
  });

  it('decides for the calendar day of Copenhagen', async () => {
    const { app, store } = createTestApp();
    await request(app).post('/cds-services/view').send(createRequest()).expect(200);
    expect(store.record().chart.today).toBe('2026-07-01');
  });

  it.each([
    ['en-GB,en;q=0.9,da;q=0.8', 'en'],
    ['da-DK,da;q=0.9,en;q=0.8', 'da'],
    ['de,en;q=0.5', 'en'],
    ['de', 'da'],
    ['english, dansk', 'da'],
    ['en;q=0', 'da'],
    [undefined, 'da'],
  ])('with Accept-Language %s gets cards in %s', async (header, language) => {
    const { app, store } = createTestApp();
    const call = request(app).post('/cds-services/view');
    if (header !== undefined) call.set('Accept-Language', header);
    await call.send(createRequest()).expect(200);
    expect(store.record().language).toBe(language);
  });

  it('takes gzip, any charset and the media types clients send', async () => {
    const { app } = createTestApp();
    for (const type of ['application/json; charset=ISO-8859-1', 'application/fhir+json', 'APPLICATION/JSON']) {
      await request(app)
        .post('/cds-services/view')
        .set('Content-Type', type)
        .send(JSON.stringify(createRequest()))
        .expect(200);
    }
  });

  it('reads letters beyond ASCII and a byte order mark', async () => {
    let seen: unknown;
    const { app } = createTestApp(
      {},
      {
        collect: async (asked) => {
          seen = asked.prefetch;
          return createSteps().collect(asked);
        },
      },
    );
    const text = `\uFEFF${JSON.stringify(createRequest({ prefetch: { patient: { resourceType: 'Patient', id: 'p1', name: 'Åse Ægidius' }, conditions: null } }))}`;
    await request(app).post('/cds-services/view').set('Content-Type', 'application/json').send(text).expect(200);
    expect(seen).toMatchObject({ patient: { name: 'Åse Ægidius' } });
  });

  it('on order-sign treats every draft as selected, on order-select those the client names', async () => {
    const seen: Partial<ChartOptions>[] = [];
    const steps = createSteps();
    const { app } = createTestApp(
      {},
      {
        readChart: (sources, options) => {
          seen.push(options);
          return steps.readChart(sources, options);
        },
      },
    );
    const context = { patientId: 'p1', draftOrders: { resourceType: 'Bundle' }, selections: ['ServiceRequest/1'] };
    await request(app)
      .post('/cds-services/sign')
      .send(createRequest({ hook: 'order-sign', context }))
      .expect(200);
    const select = (sent: object) =>
      request(app)
        .post('/cds-services/select')
        .send(createRequest({ hook: 'order-select', context: sent }));
    await select(context).expect(200);
    await select({ ...context, selections: null }).expect(200);
    await request(app).post('/cds-services/view').send(createRequest()).expect(200);
    expect(seen.map(({ allSelected }) => allSelected)).toEqual([true, false, true, true]);
    expect(seen[1]).toMatchObject({ drafts: { resourceType: 'Bundle' }, selections: ['ServiceRequest/1'] });
    expect(seen[3]).not.toHaveProperty('drafts');
  });
});

describe('operations', () => {
  it.each(['/livez/', '/readyz/', '/metrics/', '/METRICS', '//metrics', '/metrics/x'])(
    'have no answer at %s: a proxy refuses their addresses to the letter',
    async (path) => {
      await request(createTestApp().app).get(path).expect(404);
    },
  );

  it('is alive and ready', async () => {
    const { app } = createTestApp();
    await request(app).get('/livez').expect(200, { status: 'alive' });
    await request(app).get('/readyz').expect(200, { status: 'ready' });
  });

  it('is not ready without workers, without audit, or while draining, and says which', async () => {
    const { app, store } = createTestApp({ isReady: () => false, isDraining: () => true });
    store.failure = new Error('disk');
    await request(app)
      .get('/readyz')
      .expect(503, { status: 'not-ready', lacking: ['workers', 'audit', 'draining'] });
    await request(app).get('/livez').expect(200);
  });

  it('counts requests, decisions, cards and prefetch states', async () => {
    const { app } = createTestApp();
    await request(app).post('/cds-services/view').send(createRequest()).expect(200);
    const { text } = await request(app).get('/metrics').expect(200);
    expect(text).toContain('cds_requests_total{service="view",hook="patient-view",status="200"} 1');
    expect(text).toContain('cds_request_duration_seconds_count{hook="patient-view"} 1');
    expect(text).toContain('cds_decisions_total{decision="MAS-02",outcome="met"} 1');
    expect(text).toContain('cds_cards_total{topic="trin1-labs"} 1');
    expect(text).toContain('cds_prefetch_keys_total{key="patient",state="present"} 1');
  });

  it('counts resources of other patients that were dropped', async () => {
    const steps = createSteps();
    const { app } = createTestApp(
      {},
      {
        readChart: (sources, options) => ({
          ...steps.readChart(sources, options),
          keys: { reports: { state: 'present', dropped: 3 } },
        }),
      },
    );
    await request(app).post('/cds-services/view').send(createRequest()).expect(200);
    expect((await request(app).get('/metrics')).text).toContain('cds_foreign_resources_total{key="reports"} 3');
  });

  it('lets no client make a label', async () => {
    const { app } = createTestApp();
    await request(app).post('/cds-services/evil-service').send(createRequest()).expect(404);
    await request(app)
      .post('/cds-services/view')
      .send(createRequest({ hook: 'evil-hook' }))
      .expect(400);
    await request(app)
      .post('/cds-services/view')
      .send(createRequest({ prefetch: { 'evil-key': null, patient: null } }))
      .expect(412);
    const { text } = await request(app).get('/metrics');
    expect(text).not.toContain('evil');
    expect(text).toContain('cds_requests_total{service="none",hook="none",status="404"} 1');
  });

  it('logs one line per request with listed fields only', async () => {
    const { app, lines } = createTestApp();
    await request(app).post('/cds-services/view?cpr=0101011234').send(createRequest()).expect(200);
    await expect.poll(() => lines.length).toBe(1);
    const line = JSON.parse(lines[0] ?? '');
    expect(Object.keys(line).sort()).toEqual([
      'cards',
      'client',
      'hook',
      'id',
      'level',
      'ms',
      'service',
      'status',
      'time',
    ]);
    expect(line).toMatchObject({ service: 'view', hook: 'patient-view', client: 'demo', status: 200, cards: 1 });
  });

  it('keeps what identifies the patient out of logs, metrics, errors and records', async () => {
    const canary = '0101011234';
    const { app, store, lines } = createTestApp(
      {},
      {
        decide: () => {
          throw new TypeError(`cannot read ${canary}`);
        },
      },
    );
    const patient = { resourceType: 'Patient', id: canary, identifier: [{ value: canary }], name: [{ text: canary }] };
    const context = { patientId: canary, userId: `Patient/${canary}` };
    const answers = [
      await request(app)
        .post(`/cds-services/view?q=${canary}`)
        .send(createRequest({ context, prefetch: { patient, conditions: null } }))
        .expect(500),
      await request(app)
        .post('/cds-services/view')
        .send(createRequest({ context, prefetch: {} }))
        .expect(412),
      await request(app)
        .post('/cds-services/view')
        .send(createRequest({ context, hook: canary }))
        .expect(400),
      await request(app)
        .post('/cds-services/view')
        .set('Content-Type', 'application/json')
        .send(`{"a": ${canary}, b}`)
        .expect(400),
      await request(app).post(`/cds-services/${canary}`).send(createRequest()).expect(404),
      await request(app).get(`/${canary}`).expect(404),
    ];
    await expect.poll(() => lines.length).toBe(answers.length);
    const { text } = await request(app).get('/metrics');
    for (const told of [...answers.map((answer) => answer.text), ...lines, text]) expect(told).not.toContain(canary);
    expect(lines.join('')).toContain('TypeError at');

    const working = createTestApp();
    await request(working.app)
      .post('/cds-services/view')
      .send(createRequest({ context, prefetch: { patient, conditions: null } }))
      .expect(200);
    expect(JSON.stringify(working.store.record())).not.toContain(canary);
    expect(store.records).toEqual([]);
  });
});
