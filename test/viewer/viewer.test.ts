import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Express } from 'express';
import express from 'express';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EvaluationRecord, sealRecord } from '../../src/audit/record.ts';
import { openSqliteStore } from '../../src/audit/sqlite.ts';
import type { AuditStore, PeriodCount } from '../../src/audit/store.ts';
import { UnavailableError } from '../../src/errors.ts';
import type { Workbench } from '../../src/viewer/workbench.ts';
import { makeCard, makeRecord } from '../audit/make-record.ts';
import { guideline } from '../cds-services/decide-cases.ts';
import { findRecord, seedStore } from './seed.ts';
import { reviewerToken, serveViewer, viewerToken } from './serve.ts';

let folder: string;
let store: AuditStore;
let app: Express;
let close: () => Promise<void>;
let records: EvaluationRecord[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'viewer-'));
  store = openSqliteStore(join(folder, 'records'));
  records = await seedStore(store, 30, 3);
  ({ app, close } = serveViewer(store));
}, 60_000);
afterAll(async () => {
  await close();
  await store.close();
  rmSync(folder, { recursive: true });
});

const get = (path: string, token = reviewerToken) =>
  request(app).get(path).set('Authorization', `Bearer ${token}`).set('Accept-Language', 'en');
const lastView = async () => (await store.views({ limit: 1 }))[0];

describe('the pages', () => {
  test('lead whoever is not known to the login, and show them nothing', async () => {
    for (const path of ['/audit', '/audit/evaluations', `/audit/evaluations/${records[0]?.id}`, '/audit/export.csv']) {
      const { status, headers, text } = await request(app).get(path);
      expect([status, headers.location?.split('?')[0]]).toEqual([303, '/audit/login']);
      expect(text).not.toMatch(/MAS-|<table/);
    }
    const { status, headers } = await get('/audit', 'wrong');
    expect([status, headers['www-authenticate']]).toEqual([401, 'Bearer']);
  });

  test('take the token in a form and keep it where no script and no other site reaches it', async () => {
    const agent = request.agent(app);
    const { status, headers } = await agent.post('/audit/login').type('form').send({ token: reviewerToken });
    expect([status, headers.location]).toEqual([303, '/audit']);
    expect(headers['set-cookie']?.[0]).toMatch(/^audit-session=.*; Path=\/audit; HttpOnly; SameSite=Strict$/);
    expect((await agent.get('/audit')).status).toBe(200);
    await agent.post('/audit/logout');
    expect((await agent.get('/audit')).status).toBe(303);
  });

  test('lead on to the page first asked for, and to no other site', async () => {
    const asked = `/audit/evaluations/${records[0]?.id}`;
    const agent = request.agent(app);
    const { headers } = await agent.get(asked);
    expect(headers.location).toBe(`/audit/login?to=${encodeURIComponent(asked)}`);
    const { text } = await agent.get(String(headers.location));
    expect(text).toContain(`<input type="hidden" name="to" value="${asked}">`);
    const logIn = (to: string) => request(app).post('/audit/login').type('form').send({ token: reviewerToken, to });
    expect((await logIn(asked)).headers.location).toBe(asked);
    for (const to of ['https://elsewhere.example/audit/', '//elsewhere.example', '/audit/../fhir', '/auditor', ''])
      expect((await logIn(to)).headers.location).toBe('/audit');
  });

  test('count up to the last day there is', async () => {
    const countsUpTo = async (to: string) =>
      (await get(`/audit?from=2000-01-01&per=month&to=${to}`)).text.match(/<td class="number">[^<]*/g);
    expect(await countsUpTo('9999-12-31')).toEqual(await countsUpTo('2030-01-01'));
    expect(await countsUpTo('9999-12-31')).not.toEqual(await countsUpTo('2001-01-01'));
  });

  test('link to themselves, also where the address began with two slashes', async () => {
    const outer = express();
    outer.use((asked, _response, next) => {
      asked.url = asked.url.replace('//', '/');
      next();
    });
    outer.use(app);
    const { text } = await request(outer).get('//audit/login?lang=da');
    expect(text).toContain('href="/audit/login?lang=en"');
  });

  test('tell what is wrong in the language of the page, and lead on', async () => {
    for (const [path, status, words] of [
      ['/audit/evaluations/nothing', 404, 'Der er ingen vurdering med dette id'],
      ['/audit/decisions/XXX-99', 404, 'Der er ingen afgørelse med dette id'],
      ['/audit/evaluations?outcome=x', 400, 'Filteret kan ikke læses'],
    ] as const) {
      const answer = await get(path).set('Accept-Language', 'da');
      expect([answer.status, answer.text.includes(words)]).toEqual([status, true]);
      expect(answer.text).toContain('<a href="/audit/evaluations">');
    }
  });

  test('have what explains evaluations made ready while a reader logs in', async () => {
    let warmedUp = 0;
    const warmUp = () => {
      warmedUp += 1;
    };
    const workbench = { warmUp } satisfies Partial<Workbench> as unknown as Workbench;
    const served = serveViewer(store, { workbench });
    expect((await request(served.app).get('/audit/login')).status).toBe(200);
    expect(warmedUp).toBe(1);
    await served.close();
  });

  test('send the cookie over https only where they are reached by it', async () => {
    const secure = serveViewer(store, { isSecure: true });
    const { headers } = await request(secure.app).post('/audit/login').type('form').send({ token: viewerToken });
    expect(headers['set-cookie']?.[0]).toContain('Secure');
    await secure.close();
  });

  test.each([{ token: 'wrong' }, {}, { token: ['a', 'b'] }])('refuse the login %j', async (form) => {
    const { status, text, headers } = await request(app).post('/audit/login').type('form').send(form);
    expect(status).toBe(401);
    expect(text).toContain('role="alert"');
    expect(headers['set-cookie']).toBeUndefined();
  });

  test('run no script and load nothing from elsewhere', async () => {
    for (const path of ['/audit', '/audit/evaluations', `/audit/evaluations/${findRecord(records, 'MAS-02').id}`]) {
      const { headers, text } = await get(path);
      expect(headers['content-security-policy']).toContain("default-src 'none'");
      expect(headers['content-security-policy']).not.toContain('unsafe');
      expect(headers['cache-control']).toBe('no-store');
      expect(text).not.toMatch(/<script|\son\w+=|style="|(src|href)="(https?:)?\/\//);
    }
  });

  test('are in the language asked for, and keep it', async () => {
    const agent = request.agent(app);
    await agent.post('/audit/login').type('form').send({ token: reviewerToken });
    expect((await agent.get('/audit')).text).toContain('<html lang="da">');
    expect((await agent.get('/audit?lang=en')).text).toContain('<html lang="en">');
    expect((await agent.get('/audit/evaluations')).text).toContain('<html lang="en">');
  });

  test('say that the store cannot be read instead of failing', async () => {
    const broken: AuditStore = {
      ...store,
      counts: async () => Promise.reject(new UnavailableError('audit', 'x')),
    };
    const served = serveViewer(broken);
    const { status, text } = await request(served.app).get('/audit').set('Authorization', `Bearer ${reviewerToken}`);
    expect(status).toBe(503);
    expect(text).toContain('kan ikke læses');
    await served.close();
  });
});

describe('every look', () => {
  test.each([
    ['/audit', { page: 'overview' }],
    ['/audit/decisions/MAS-02', { page: 'decision MAS-02' }],
    ['/audit/evaluations', { page: 'evaluations' }],
    ['/audit/export.csv', { page: 'export text/csv' }],
  ])('at %s is recorded', async (path, view) => {
    await get(path, viewerToken);
    expect(await lastView()).toMatchObject({ ...view, who: 'someone', role: 'viewer' });
  });

  test('at an evaluation is recorded with its id, and shown to reviewers', async () => {
    const { id } = findRecord(records, 'MAS-02');
    await get(`/audit/evaluations/${id}`, viewerToken);
    expect(await lastView()).toMatchObject({ page: 'evaluation', evaluation: id });
    expect((await get('/audit/views')).text).toContain(id);
    expect((await get('/audit/views', viewerToken)).status).toBe(403);
  });

  test('and every erasure is shown to reviewers', async () => {
    const page = 'erase 2 records of one patient';
    await store.recordView({ time: '2026-11-23T12:00:00.000Z', who: 'op', role: 'operator', page });
    const { text } = await get('/audit/views?lang=en');
    expect(text).toContain('<td>op</td><td>operator</td>\n<td>erased 2 records of one patient </td>');
    expect((await get('/audit/views?lang=da')).text).toContain('<td>slettede 2 poster for én patient </td>');
  });

  test('that cannot be recorded shows nothing', async () => {
    const { id, patientKey } = findRecord(records, 'MAS-02');
    const unwritable: AuditStore = {
      ...store,
      recordView: async () => Promise.reject(new UnavailableError('audit', 'x')),
    };
    const served = serveViewer(unwritable);
    for (const path of ['/audit', '/audit/evaluations', `/audit/evaluations/${id}`, '/audit/export.ndjson']) {
      const { status, text } = await request(served.app).get(path).set('Authorization', `Bearer ${reviewerToken}`);
      expect(status).toBe(503);
      expect(text).not.toContain('MAS-02');
      expect(text).not.toContain(patientKey);
    }
    await served.close();
  });
});

describe('the overview', () => {
  test('counts what was recorded in the time asked for', async () => {
    const { text } = await get('/audit?from=2026-10-01&to=2026-11-23');
    expect(text).toContain(`<strong>${records.length}</strong>Evaluations`);
    const { text: empty } = await get('/audit?from=2020-01-01&to=2020-02-01');
    expect(empty).toContain('<strong>0</strong>Evaluations');
    expect(empty).toContain('No evaluations in this time.');
  });

  test('says that nothing was recorded yet', async () => {
    const none: AuditStore = { ...store, counts: async () => [], evaluations: async () => [] };
    const served = serveViewer(none);
    const { text } = await request(served.app).get('/audit').set('Authorization', `Bearer ${reviewerToken}`);
    expect(text).toContain('Der er ingen vurderinger endnu');
    await served.close();
  });

  test('points out decisions outside their control limits, and such that failed, and no others', async () => {
    const count = (period: string, kind: PeriodCount['kind'], name: string, of: number): PeriodCount => ({
      ...{ period, kind, name, count: of, knowledge: '2022.1.0', client: 'demo' },
    });
    const counts = [1, 2, 3, 4, 5, 6].flatMap((day) => {
      const period = `2026-11-0${day}`;
      return [
        count(period, 'evaluation', 'diagnostisk-pakkeforloeb-patient-view', 100),
        count(period, 'unknown', 'MUP-01', day === 4 ? 40 : 5),
        count(period, 'unknown', 'MUP-02', 5),
        count(period, 'unknown', 'MUP-03', day === 4 ? 2 : 0),
      ];
    });
    const error = count('2026-11-02', 'error', 'ORG-01', 1);
    const served = serveViewer({ ...store, counts: async () => [...counts, error] });
    const { text } = await request(served.app)
      .get('/audit?from=2026-11-01&to=2026-11-06&lang=en')
      .set('Authorization', `Bearer ${reviewerToken}`);
    const notices = /Worth a look<\/h2>(.*?)<\/section>/s.exec(text)?.[1];
    expect(notices).toMatch(/<strong>2026-11-04<\/strong> unknown: .*MUP-01.*40 % \(mean 11 %\)/);
    expect(notices).toMatch(/ORG-01.*error: 1/);
    expect(notices).not.toMatch(/MUP-0[23]/);
    await served.close();
  });

  test('draws a decision over time, with the knowledge versions', async () => {
    const { text } = await get('/audit/decisions/MAS-02?from=2026-10-01&to=2026-11-23');
    expect(text.match(/<svg viewBox="0 0 640 240"/g)?.length).toBeGreaterThan(1);
    expect(text).toContain('class="version"');
    expect(text).toContain('2022.1.0');
  });

  test.each(['?from=x', '?from=2026-01-01&to=2026-13-01', '?per=year', '?from=a&from=b&per=z'])(
    'refuses %s with words',
    async (query) => {
      const { status, text } = await get(`/audit${query}`);
      expect(status).toBe(400);
      expect(text).toContain('The filter cannot be read');
    },
  );

  test('knows no other decisions than the guideline', async () => {
    expect((await get('/audit/decisions/XXX-99')).status).toBe(404);
    expect((await get('/audit/decisions/%3Cscript%3E')).status).toBe(404);
  });
});

describe('the list', () => {
  test('leads page by page to every evaluation, once', async () => {
    const seen: string[] = [];
    let path: string | undefined = '/audit/evaluations';
    while (path !== undefined) {
      const { text } = await get(path);
      seen.push(...[...text.matchAll(/href="\/audit\/evaluations\/([0-9a-f-]{36})"/g)].map(([, id = '']) => id));
      path = /<a href="([^"]+)" rel="next"/.exec(text)?.[1]?.replaceAll('&amp;', '&');
    }
    expect(seen).toEqual(records.map(({ id }) => id).reverse());
  });

  test('keeps its filters in the form and in the links to exports', async () => {
    const { text } = await get('/audit/evaluations?decision=MAS-02&outcome=met&client=region-a');
    expect(text).toContain('<option value="MAS-02" selected>');
    expect(text).toContain('<option value="met" selected>');
    expect(text).toContain('/audit/export.csv?decision=MAS-02&amp;outcome=met&amp;client=region-a');
  });

  test('names patients to reviewers only, who alone can ask for one', async () => {
    const { patientKey } = records[0] as EvaluationRecord;
    expect((await get('/audit/evaluations')).text).toContain(patientKey);
    for (const path of ['/audit/evaluations', `/audit/evaluations?patientKey=${'0'.repeat(64)}`]) {
      const { text, status } = await get(path, viewerToken);
      expect(status).toBe(200);
      expect(text).not.toContain(patientKey);
      expect(text).toContain(records.at(-1)?.id);
    }
  });

  test('escapes whatever was asked', async () => {
    const { text } = await get(`/audit/evaluations?client=${encodeURIComponent('"><script>alert(1)</script>')}`);
    expect(text).not.toContain('<script');
    expect(text).toContain('&quot;&gt;&lt;script&gt;');
  });
});

describe('an evaluation', () => {
  test('shows cards as they were sent, what became of them, and every decision', async () => {
    const record = findRecord(records, 'MAS-02');
    const { text, status } = await get(`/audit/evaluations/${record.id}`);
    expect(status).toBe(200);
    const summary = String((record.cards[0] as { summary?: string }).summary);
    expect(text).toContain(summary);
    for (const { id } of record.decisions) expect(text).toContain(`<span class="id">${id}</span>`);
    expect(text).toContain('results and observations <code class="soft">observations</code>');
    expect(text).toContain(record.patientKey);
  });

  test('says that it comes out the same again, and which fact would have changed a decision', async () => {
    const record = findRecord(records, 'MAS-02');
    const { text } = await get(`/audit/evaluations/${record.id}`);
    expect(text).toContain('Yes: the same decisions and cards, to the byte.');
    expect(text).toMatch(/<span title="\w+">“[^”]+”<\/span> had been <strong>yes/);
  });

  test('names conditions, facts, interpretations and sources in plain words', async () => {
    const record = findRecord(records, 'MAS-02');
    const { text } = await get(`/audit/evaluations/${record.id}`).set('Accept-Language', 'da');
    const words = text.replaceAll(/<[^>]*>/g, ' ');
    expect(words).toMatch(/WRK-01\s+CT-TAB mangler\s+ikke opfyldt\s+holdt ikke: i Diagnostisk pakkeforløb som MUP/);
    expect(words).toMatch(/vides at være i et pakkeforløb: nej\s+holdt/);
    expect(words).toContain('L10: Hvor længe gælder et prøvesvar i Trin 1?');
    expect(words).toContain('Valgt: 90 dage');
    const internal = [...guideline.facts.keys()].filter((name) => /[A-Z]/.test(name));
    expect(internal.length).toBeGreaterThan(100);
    for (const name of internal) expect(words).not.toMatch(new RegExp(`(?<![\\w-])${name}(?![\\w-])`));
  });

  test('says in a line what an undecided decision lacked', async () => {
    const record = records.findLast(
      ({ chart, hook }) => chart.keys.reports?.state === 'failed' && hook === 'patient-view',
    );
    const { text } = await get(`/audit/evaluations/${record?.id}`);
    expect(text.replaceAll(/<[^>]*>/g, ' ')).toMatch(/MUP-01\s+[^<]*unknown\s+lacked: diagnostic reports/);
  });

  test('leads from a card to the decisions behind it', async () => {
    const record = findRecord(records, 'MAS-02');
    const { text } = await get(`/audit/evaluations/${record.id}`);
    expect(text).toContain('<a href="#MAS-02">MAS-02</a>');
    expect(text.match(/id="MAS-02"/g)).toHaveLength(1);
  });

  test('says so where it was made with other knowledge', async () => {
    const old = records.find(({ knowledge }) => knowledge.version === '2022.0.9');
    const { text } = await get(`/audit/evaluations/${old?.id}`);
    expect(text).toContain('another knowledge version');
    expect(text).not.toContain('had been');
  });

  test('never obeys what a card or an override says', async () => {
    const card = {
      ...makeCard(),
      summary: '<img src=x onerror=alert(1)>',
      detail: '<b>fed</b> ![x](http://tracker) [klik](javascript:alert(1)) <http://tracker> **ok**',
    };
    const record = makeRecord({ cards: [card], client: '<i>x</i>', decisions: [], settings: { ledger: {} } });
    await store.append(sealRecord(record));
    await store.addFeedback([
      {
        ...{ client: record.client, service: 's', card: card.uuid, outcome: 'overridden', acceptedSuggestions: [] },
        ...{ outcomeTimestamp: '2026-11-23T10:00:00Z', receivedAt: '2026-11-23T10:00:00Z' },
        ...{ reason: { code: '<u>why</u>' }, comment: '<script>comment</script>' },
      },
    ]);
    const { text } = await get(`/audit/evaluations/${record.id}`);
    expect(text).not.toMatch(/<(img|b|i|u|script)[ >]/);
    expect(text).not.toMatch(/href="(javascript|http)/);
    expect(text).toContain('<strong>ok</strong>');
    expect(text).toContain('&lt;script&gt;comment');
  });

  test('shows comments and keys to reviewers only', async () => {
    const [card] = [makeCard()];
    const record = makeRecord({ cards: [card] });
    await store.append(sealRecord(record));
    await store.addFeedback([
      {
        ...{ client: 'demo', service: 's', card: card.uuid, outcome: 'overridden', acceptedSuggestions: [] },
        ...{ outcomeTimestamp: '2026-11-23T10:00:00Z', receivedAt: '2026-11-23T10:00:00Z', comment: 'in confidence' },
        reason: { code: 'patient-refuses' },
      },
    ]);
    expect((await get(`/audit/evaluations/${record.id}`)).text).toContain('in confidence');
    const { text } = await get(`/audit/evaluations/${record.id}`, viewerToken);
    for (const secret of ['in confidence', record.patientKey, record.hookInstance]) expect(text).not.toContain(secret);
    expect(text).toContain('The patient does not want it');
  });

  test('that was erased says so, and one that is not there is not found', async () => {
    const record = makeRecord({ patientId: 'erased' });
    await store.append(sealRecord(record));
    await store.erase({ patientKey: record.patientKey });
    const { text, status } = await get(`/audit/evaluations/${record.id}`);
    expect(status).toBe(200);
    expect(text).toContain('The data of the patient were erased.');
    expect((await get('/audit/evaluations/nothing')).status).toBe(404);
  });

  test('that cannot be decided again is shown all the same', async () => {
    const record = makeRecord({ settings: {} });
    await store.append(sealRecord(record));
    const { text, status } = await get(`/audit/evaluations/${record.id}`);
    expect(status).toBe(200);
    expect(text).toContain('The evaluation cannot be decided again: ');
  });

  test('counts a card as ignored once the time to answer is over', async () => {
    const [old, young] = [
      makeRecord({ time: '2026-11-16T11:59:59.000Z' }),
      makeRecord({ time: '2026-11-16T12:00:01.000Z' }),
    ];
    for (const record of [old, young]) await store.append(sealRecord(record));
    expect((await get(`/audit/evaluations/${old.id}`)).text).toContain('No response: the time to answer is over');
    expect((await get(`/audit/evaluations/${young.id}`)).text).toContain('No response yet');
  });
});

describe('comparing knowledge', () => {
  test('decides again and tells what is other', async () => {
    const { text } = await get('/audit/compare?from=2026-10-01&to=2026-11-22&knowledge=candidate&most=50');
    expect(text).toMatch(/<strong>50<\/strong>evaluations decided again/);
    expect(text).toContain('No changes.');
  });

  test('says whether evaluations of the time were left out', async () => {
    const compare = async (most: number) =>
      (await get(`/audit/compare?from=2026-10-01&to=2026-11-22&knowledge=candidate&most=${most}`)).text;
    expect(await compare(5)).toContain('there may be more');
    expect(await compare(1000)).not.toContain('there may be more');
  });

  test('is for reviewers', async () => {
    expect((await get('/audit/compare', viewerToken)).status).toBe(403);
  });

  test.each(['?knowledge=../../etc', '?most=0', '?most=10001', '?from=x'])('refuses %s', async (query) => {
    expect((await get(`/audit/compare${query}`)).status).toBe(400);
  });
});

describe('an export', () => {
  test('has a line for every evaluation the filters find', async () => {
    const wanted = records.filter(({ client }) => client === 'region-b');
    const { text, headers } = await get('/audit/export.csv?client=region-b');
    expect(headers['content-type']).toContain('text/csv');
    expect(text.trimEnd().split('\r\n')).toHaveLength(wanted.length + 1);
    const { body } = await get('/audit/export.ndjson?client=region-b').buffer(true).parse(readText);
    const lines = String(body).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).id)).toEqual(wanted.map(({ id }) => id));
  });

  test('names no patient to a viewer, and is FHIR for reviewers only', async () => {
    const { text } = await get('/audit/export.csv', viewerToken);
    for (const { patientKey, hookInstance } of records.slice(0, 5)) {
      expect(text).not.toContain(patientKey);
      expect(text).not.toContain(hookInstance);
    }
    expect((await get('/audit/export.fhir.ndjson', viewerToken)).status).toBe(403);
    expect((await get('/audit/evaluations', viewerToken)).text).not.toContain('export.fhir.ndjson');
    expect((await get('/audit/evaluations')).text).toContain('export.fhir.ndjson');
    expect((await get('/audit/export.fhir.ndjson')).status).toBe(200);
  });
});

/** Reads an answer of any type as text. */
function readText(response: unknown, done: (error: Error | null, body: string) => void): void {
  let text = '';
  const stream = response as NodeJS.ReadableStream;
  stream.on('data', (chunk) => {
    text += chunk;
  });
  stream.on('end', () => done(null, text));
}
