import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FeedbackItem } from '../../src/audit/feedback.ts';
import { chainStart, digestText, hashLink, sealRecord, unsealRecord } from '../../src/audit/record.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { RequestError, UnavailableError } from '../../src/errors.ts';
import { makeCard, makeRecord } from './make-record.ts';

/** A store to test: opened on an empty place, and again on the same place. */
export interface StorePlace {
  open(): AuditStore;
  remove(): Promise<void>;
}

/** What every store does, whatever it keeps records in. */
export function storeConformance(name: string, makePlace: () => Promise<StorePlace>): void {
  describe(`${name}: a store`, () => {
    let place: StorePlace;
    let store: AuditStore;
    beforeEach(async () => {
      place = await makePlace();
      store = place.open();
    });
    afterEach(async () => {
      await store.close();
      await place.remove();
    });

    const appendRecord = async (changes: Parameters<typeof makeRecord>[0] = {}) => {
      const record = makeRecord(changes);
      await store.append(sealRecord(record));
      return record;
    };
    const findIds = async (query: Partial<Parameters<AuditStore['evaluations']>[0]>) =>
      (await store.evaluations({ limit: 100, ...query })).map(({ id }) => id);

    describe('evaluations', () => {
      test('are given back whole, by id', async () => {
        const record = await appendRecord({ tenant: 'region' });
        const found = await store.evaluation(record.id);
        expect(found?.record).toEqual(record);
        expect(found?.feedback).toEqual([]);
        const { id, time, client, hook, service, hookInstance, patientKey } = record;
        expect(found?.summary).toEqual({
          ...{ seq: 1, id, time, client, tenant: 'region', hook, service, hookInstance, patientKey },
          ...{ knowledge: '2022.1.0', cards: 1 },
        });
      });

      test('that were never stored are not found', async () => {
        await appendRecord();
        expect(await store.evaluation(randomUUID())).toBeUndefined();
        expect(await store.evaluation("' OR 1=1 --")).toBeUndefined();
      });

      test('keep any text unchanged', async () => {
        const record = await appendRecord({ hookInstance: 'æ\u0000\ud800"\\😀', settings: { ['__proto__']: 'x' } });
        expect((await store.evaluation(record.id))?.record?.hookInstance).toBe(record.hookInstance);
        expect(await findIds({ hookInstance: record.hookInstance })).toEqual([record.id]);
        expect((await store.verify()).problems).toEqual([]);
      });

      test('are there after the store was closed and opened again', async () => {
        const record = await appendRecord();
        await store.close();
        store = place.open();
        expect((await store.evaluation(record.id))?.record).toEqual(record);
        await appendRecord();
        expect(await store.verify()).toMatchObject({ records: 2, problems: [] });
      });

      test('are listed newest first, page by page', async () => {
        const ids: string[] = [];
        for (let count = 0; count < 5; count += 1) ids.unshift((await appendRecord()).id);
        const first = await store.evaluations({ limit: 2 });
        expect(first.map(({ id }) => id)).toEqual(ids.slice(0, 2));
        expect(await findIds({ before: first[1]?.seq ?? 0 })).toEqual(ids.slice(2));
      });

      test('are found by hook instance, patient, decision and time', async () => {
        const other = await appendRecord({ time: '2026-11-22T23:59:59.999Z', patientId: 'other', decisions: [] });
        const one = await appendRecord();
        expect(await findIds({ hookInstance: one.hookInstance })).toEqual([one.id]);
        expect(await findIds({ patientKey: other.patientKey })).toEqual([other.id]);
        expect(await findIds({ decision: { id: 'ORG-11', outcome: 'unknown' } })).toEqual([one.id]);
        expect(await findIds({ decision: { id: 'ORG-11', outcome: 'met' } })).toEqual([]);
        expect(await findIds({ from: one.time })).toEqual([one.id]);
        expect(await findIds({ to: one.time })).toEqual([other.id]);
        expect(await findIds({ hookInstance: one.hookInstance, patientKey: other.patientKey })).toEqual([]);
      });

      test('are found by client, hook, service, topic and key that was not known', async () => {
        const one = await appendRecord({ client: 'a' });
        const two = await appendRecord({ client: 'b', hook: 'order-sign', service: 'sign', cards: [] });
        expect(await findIds({ client: 'a' })).toEqual([one.id]);
        expect(await findIds({ hook: 'order-sign' })).toEqual([two.id]);
        expect(await findIds({ services: ['sign', 'other'] })).toEqual([two.id]);
        expect(await findIds({ topic: 'mup-referral' })).toEqual([one.id]);
        expect(await findIds({ unknownKey: { key: 'reports', state: 'failed' } })).toEqual([two.id, one.id]);
        expect(await findIds({ unknownKey: { key: 'reports', state: 'missing' } })).toEqual([]);
        expect(await findIds({ unknownKey: { key: 'reports', state: 'failed' }, topic: 'mup-referral' })).toEqual([
          one.id,
        ]);
      });

      test('are found by any outcome, by a failure, and by a decision that was not met', async () => {
        const failed = { id: 'MAS-01', outcome: 'error' as const, facts: [], lacking: [], ledger: [] };
        const one = await appendRecord({ decisions: [failed] });
        const two = await appendRecord();
        expect(await findIds({ decision: { outcome: 'error' } })).toEqual([one.id]);
        expect(await findIds({ decision: { outcome: 'unknown' } })).toEqual([two.id]);
        expect(await findIds({ decision: { id: 'MUP-01', outcome: 'not-met' } })).toEqual([one.id]);
        expect(await findIds({ decision: { id: 'MUP-01', outcome: 'not-met' }, services: ['other'] })).toEqual([]);
      });

      test('with several cards of one topic are found once', async () => {
        const { id } = await appendRecord({ cards: [makeCard(), makeCard()] });
        expect(await findIds({ topic: 'mup-referral' })).toEqual([id]);
      });

      test('are found by every condition on any page', async () => {
        const ids: string[] = [];
        for (let minute = 10; minute < 15; minute += 1) {
          ids.unshift((await appendRecord({ time: `2026-11-23T10:${minute}:00.000Z` })).id);
        }
        const [newest] = await store.evaluations({ limit: 1 });
        for (const query of [{ topic: 'mup-referral' }, { decision: { id: 'MUP-01', outcome: 'met' as const } }, {}]) {
          expect(await findIds({ ...query, before: newest?.seq ?? 0, limit: 2 })).toEqual(ids.slice(1, 3));
          expect(await findIds({ ...query, from: '2026-11-23T10:11:00.000Z', to: '2026-11-23T10:13:00.000Z' })).toEqual(
            ids.slice(2, 4),
          );
        }
      });

      test('are read through oldest first, with content and feedback', async () => {
        const records = [await appendRecord(), await appendRecord(), await appendRecord({ patientId: 'gone' })];
        await store.erase({ patientKey: String(records[2]?.patientKey) });
        const first = await store.scan({ limit: 2 });
        expect(first.map(({ content }) => JSON.parse(unsealRecord(content ?? new Uint8Array())))).toEqual(
          records.slice(0, 2),
        );
        expect(first.map(({ feedback }) => feedback)).toEqual([[], []]);
        const rest = await store.scan({ after: first[1]?.summary.seq ?? 0, limit: 2 });
        expect(rest.map(({ summary, content }) => [summary.id, content])).toEqual([[records[2]?.id, undefined]]);
      });

      test('of one hook instance may be several', async () => {
        const ids = [(await appendRecord({ hookInstance: 'h' })).id, (await appendRecord({ hookInstance: 'h' })).id];
        expect(await findIds({ hookInstance: 'h' })).toEqual(ids.reverse());
      });

      test('with an id that is taken are refused, and those written beside them are not', async () => {
        const taken = await appendRecord();
        const [good, bad, alsoGood] = [makeRecord(), makeRecord({ id: taken.id }), makeRecord()];
        const results = await Promise.allSettled(
          [good, bad, alsoGood].map((record) => store.append(sealRecord(record))),
        );
        expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
        expect((await store.evaluation(taken.id))?.record).toEqual(taken);
        expect(await store.verify()).toMatchObject({ records: 3, problems: [] });
      });
    });

    describe('the chain', () => {
      test('of an empty store verifies', async () => {
        expect(await store.verify()).toEqual({ records: 0, erased: 0, anchors: [], problems: [] });
      });

      test('links each record to the one before it, so that anyone can recompute it', async () => {
        const records = [await appendRecord(), await appendRecord(), await appendRecord()];
        let previousHash = chainStart;
        for (const [place, record] of records.entries()) {
          const stored = await store.evaluation(record.id);
          const digest = digestText(JSON.stringify(stored?.record));
          const hash = hashLink(previousHash, { seq: place + 1, id: record.id, time: record.time, digest });
          expect(stored?.chain).toEqual({ digest, previousHash, hash });
          previousHash = hash;
        }
        expect((await store.verify()).head).toEqual({ seq: 3, hash: previousHash });
      });

      test('is one chain whatever is appended at the same time', async () => {
        const records = Array.from({ length: 500 }, () => makeRecord());
        await Promise.all(records.map((record) => store.append(sealRecord(record))));
        expect(await store.verify()).toMatchObject({ records: 500, problems: [], head: { seq: 500 } });
        expect(new Set(await findIds({ limit: 1000 }))).toEqual(new Set(records.map(({ id }) => id)));
      });

      test('is one chain where two processes write to the same place', async () => {
        const second = place.open();
        try {
          await Promise.all(
            Array.from({ length: 100 }, (_, count) => (count % 2 ? store : second).append(sealRecord(makeRecord()))),
          );
          expect(await second.verify()).toMatchObject({ records: 100, problems: [] });
        } finally {
          await second.close();
        }
      });
    });

    describe('over the turn of a month', () => {
      const october = '2026-10-31T23:59:59.999Z';
      const november = '2026-11-01T00:00:00.000Z';

      test('is one chain, also where a record of the month before comes late', async () => {
        const ids: string[] = [];
        for (const time of [october, november, october, '2027-01-01T00:00:00.000Z']) {
          ids.push((await appendRecord({ time })).id);
        }
        expect(await store.verify()).toMatchObject({ records: 4, problems: [], head: { seq: 4 } });
        expect(await findIds({})).toEqual(ids.toReversed());
        expect((await store.scan({ limit: 10 })).map(({ summary }) => summary.id)).toEqual(ids);
        expect(await findIds({ before: 4, limit: 2 })).toEqual([ids[2], ids[1]]);
        expect((await store.scan({ after: 1, limit: 2 })).map(({ summary }) => summary.id)).toEqual([ids[1], ids[2]]);
        expect(await findIds({ from: october, to: november })).toEqual([ids[2], ids[0]]);
        expect(await findIds({ from: november, to: '2026-12-01T00:00:00.000Z' })).toEqual([ids[1]]);
        expect(await findIds({ from: '2026-12-01T00:00:00.000Z', to: '2026-12-31T00:00:00.000Z' })).toEqual([]);
        expect(await findIds({ to: '2026-12-15T00:00:00.000Z' })).toEqual(ids.slice(0, 3).toReversed());
        expect(await findIds({ from: '2026-12-15T00:00:00.000Z' })).toEqual([ids[3]]);
        expect(await findIds({ from: '2027-02-01T00:00:00.000Z' })).toEqual([]);
        expect(await findIds({ to: october })).toEqual([]);
        expect((await store.evaluation(String(ids[0])))?.summary.seq).toBe(1);
      });

      test('goes on after the store was closed and opened again', async () => {
        await appendRecord({ time: october });
        await store.close();
        store = place.open();
        await appendRecord({ time: november });
        expect(await store.verify()).toMatchObject({ records: 2, problems: [] });
      });

      test('is one chain whatever is appended at the same time by two processes', async () => {
        const second = place.open();
        try {
          const times = Array.from({ length: 120 }, (_, count) =>
            new Date(Date.UTC(2026, 9 + Math.floor(count / 40), 1, 0, 0, count)).toISOString(),
          );
          await Promise.all(
            times.map((time, count) => (count % 2 ? store : second).append(sealRecord(makeRecord({ time })))),
          );
          expect(await store.verify()).toMatchObject({ records: 120, problems: [], head: { seq: 120 } });
        } finally {
          await second.close();
        }
      });

      test('takes many records of several months at once', async () => {
        const records = Array.from({ length: 90 }, (_, count) =>
          makeRecord({ time: new Date(Date.UTC(2026, Math.floor(count / 10), 1)).toISOString() }),
        );
        await Promise.all(records.map((record) => store.append(sealRecord(record))));
        expect(await store.verify()).toMatchObject({ records: 90, problems: [] });
      });

      test('feedback, comments and counts find the evaluation they belong to', async () => {
        const card = makeCard();
        const { id } = await appendRecord({ time: october, cards: [card] });
        await appendRecord({ time: november });
        const item: FeedbackItem = {
          ...{ client: 'demo', service: 's', card: card.uuid, outcome: 'accepted', acceptedSuggestions: [] },
          ...{ outcomeTimestamp: november, receivedAt: november, comment: 'in words' },
        };
        expect(await store.addFeedback([item, { ...item, card: 'unknown' }])).toEqual({ stored: 2, unknownCards: 1 });
        expect(await store.addFeedback([item, { ...item, card: 'unknown' }])).toEqual({ stored: 0, unknownCards: 1 });
        expect((await store.evaluation(id))?.feedback).toHaveLength(1);
        expect(await store.comments(id)).toHaveLength(1);
        const counts = await store.counts({ from: '2026-10-01', to: '2026-12-01', per: 'month' });
        expect(counts.filter(({ name }) => name === 'MUP-01').map(({ period, kind }) => [period, kind])).toEqual([
          ['2026-10-01', 'accepted'],
          ['2026-10-01', 'met'],
          ['2026-10-01', 'shown'],
          ['2026-11-01', 'met'],
          ['2026-11-01', 'shown'],
        ]);
        const week = await store.counts({ from: '2026-10-26', to: '2026-11-02', per: 'week' });
        expect(week.find(({ kind }) => kind === 'met')).toMatchObject({ period: '2026-10-26', count: 2 });
      });

      test('erasing a patient takes the records of every month', async () => {
        const { patientKey } = await appendRecord({ time: october });
        await appendRecord({ time: november });
        expect(await store.erase({ patientKey })).toBe(2);
        expect(await store.verify()).toMatchObject({ records: 2, erased: 2, problems: [] });
      });

      test('views are listed newest first', async () => {
        const view = { who: 'token', role: 'viewer' as const, page: 'overview' };
        for (const time of [october, november, november]) await store.recordView({ ...view, time });
        const views = await store.views({ limit: 2 });
        expect(views.map(({ time }) => time)).toEqual([november, november]);
        expect(await store.views({ limit: 5, before: views[1]?.seq ?? 0 })).toMatchObject([{ time: october }]);
      });
    });

    describe('anchors', () => {
      test('are made of each day that is over, once', async () => {
        const days = ['2026-11-01', '2026-11-01', '2026-11-03', '2026-11-02', '2026-11-03', '2026-12-01'];
        const hashes: (string | undefined)[] = [];
        for (const day of days) {
          const { id } = await appendRecord({ time: `${day}T10:00:00.000Z` });
          hashes.push((await store.evaluation(id))?.chain.hash);
        }
        expect(await store.verify()).toMatchObject({
          anchors: [
            { day: '2026-11-01', seq: 2, hash: hashes[1] },
            { day: '2026-11-03', seq: 5, hash: hashes[4] },
          ],
          problems: [],
        });
      });
    });

    describe('erasing a patient', () => {
      test('takes content, pseudonym and hook instance, and the chain still verifies', async () => {
        const [before, erased, after] = [
          await appendRecord({ patientId: 'a' }),
          await appendRecord({ patientId: 'b' }),
          await appendRecord({ patientId: 'a' }),
        ];
        expect(await store.erase({ patientKey: erased.patientKey })).toBe(1);
        const found = await store.evaluation(erased.id);
        expect(found?.record).toBeUndefined();
        expect(found?.summary.erasedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        expect(found?.summary).not.toHaveProperty('patientKey');
        expect(found?.summary).not.toHaveProperty('hookInstance');
        expect(await findIds({ decision: { id: 'MUP-01', outcome: 'met' } })).toEqual([after.id, before.id]);
        expect(await store.verify()).toMatchObject({ records: 3, erased: 1, problems: [] });
        await appendRecord();
        expect(await store.verify()).toMatchObject({ records: 4, erased: 1, problems: [] });
      });

      test('of whom nothing is recorded erases nothing', async () => {
        await appendRecord();
        expect(await store.erase({ patientKey: '0'.repeat(64) })).toBe(0);
        expect(await store.verify()).toMatchObject({ records: 1, erased: 0, problems: [] });
      });

      test('says beforehand how many records it would take', async () => {
        const { patientKey } = await appendRecord({ time: '2026-10-31T00:00:00.000Z' });
        await appendRecord();
        await appendRecord({ patientId: 'other' });
        expect(await store.countErasable({ patientKey })).toBe(2);
        await store.erase({ patientKey });
        expect(await store.countErasable({ patientKey })).toBe(0);
      });

      test('takes what was reported of the cards, and keeps nothing that is reported later', async () => {
        const card = makeCard();
        const { id, patientKey } = await appendRecord({ cards: [card] });
        const item: FeedbackItem = {
          ...{ client: 'demo', service: 's', card: card.uuid, outcome: 'overridden', acceptedSuggestions: [] },
          ...{ outcomeTimestamp: '2026-11-24T00:00:00Z', receivedAt: '2026-11-24T00:00:01.000Z' },
          ...{ comment: 'in words', reason: { code: 'patient-refuses' } },
        };
        await store.addFeedback([item]);
        await store.erase({ patientKey });
        const later = { ...item, outcomeTimestamp: '2026-11-25T00:00:00Z', comment: 'more words' };
        expect(await store.addFeedback([item, later])).toEqual({ stored: 0, unknownCards: 0 });
        expect((await store.evaluation(id))?.feedback).toEqual([]);
        expect(await store.comments(id)).toEqual([]);
        for (const query of [{ topic: 'mup-referral' }, { reason: 'patient-refuses' }]) {
          expect(await findIds(query)).toEqual([]);
        }
        const counts = await store.counts({ from: '2026-11-01', to: '2026-12-01', per: 'month' });
        expect(counts).toContainEqual(expect.objectContaining({ kind: 'reason', name: 'patient-refuses', count: 1 }));
      });
    });

    describe('erasing all before a time', () => {
      const before = '2026-11-01T00:00:00.000Z';

      test('takes what was received before, in whatever order, and leaves the rest', async () => {
        const ids: string[] = [];
        for (const day of ['2026-09-30', '2026-10-31', '2026-11-01', '2026-10-31', '2026-12-01']) {
          ids.push((await appendRecord({ time: `${day}T10:00:00.000Z`, patientId: day })).id);
        }
        const { anchors } = await store.verify();
        expect(await store.countErasable({ before })).toBe(3);
        expect(await store.erase({ before })).toBe(3);
        const left = (await store.scan({ limit: 10 })).filter(({ content }) => content !== undefined);
        expect(left.map(({ summary }) => summary.id)).toEqual([ids[2], ids[4]]);
        expect(await findIds({ decision: { id: 'MUP-01', outcome: 'met' } })).toEqual([ids[4], ids[2]]);
        expect(await findIds({})).toEqual(ids.toReversed());
        expect(await store.verify()).toMatchObject({ records: 5, erased: 3, anchors, problems: [] });
        expect(await store.erase({ before })).toBe(0);
        expect(await store.verify()).toMatchObject({ records: 5, erased: 3, problems: [] });
      });

      test('takes many records a part at a time, while others are written', async () => {
        const make = (time: string) =>
          Array.from({ length: 450 }, () => store.append(sealRecord(makeRecord({ time }))));
        await Promise.all(make('2026-10-01T00:00:00.000Z'));
        const [erased] = await Promise.all([store.erase({ before }), ...make('2026-11-23T10:00:00.000Z')]);
        expect(erased).toBe(450);
        expect(await store.verify()).toMatchObject({ records: 900, erased: 450, problems: [] });
        await store.reclaim();
        expect(await store.verify()).toMatchObject({ records: 900, erased: 450, problems: [] });
        await appendRecord();
        expect(await store.verify()).toMatchObject({ records: 901, problems: [] });
      });

      test('that was interrupted is finished by repeating it', async () => {
        const time = '2026-10-01T00:00:00.000Z';
        const all = 1800;
        for (let count = 0; count < all; count += 600) {
          await Promise.all(Array.from({ length: 600 }, () => store.append(sealRecord(makeRecord({ time })))));
        }
        await store.counts({ from: '2026-10-01', to: '2026-11-01', per: 'month' });
        const interrupted = store.erase({ before }).catch((error: unknown) => error);
        await expect.poll(() => store.countErasable({ before }), { interval: 1 }).toBeLessThan(all);
        await store.close();
        expect(await interrupted).toBeInstanceOf(UnavailableError);
        store = place.open();
        const { erased, problems } = await store.verify();
        expect(problems).toEqual([]);
        expect(await store.erase({ before })).toBe(all - erased);
        expect(await store.verify()).toMatchObject({ records: all, erased: all, problems: [] });
      });

      test('leaves counts and views, and takes feedback on cards nobody knows', async () => {
        await appendRecord({ time: '2026-10-31T10:00:00.000Z' });
        const count = () => store.counts({ from: '2026-10-01', to: '2026-12-01', per: 'month' });
        const counts = await count();
        const view = { time: '2026-10-31T10:00:00.000Z', who: 'token', role: 'viewer' as const, page: 'overview' };
        await store.recordView(view);
        const item: FeedbackItem = {
          ...{ client: 'demo', service: 's', card: 'nobody knows', outcome: 'accepted', acceptedSuggestions: [] },
          ...{ outcomeTimestamp: '2026-10-31T10:00:00Z', receivedAt: '2026-10-31T10:00:00.000Z', comment: 'words' },
        };
        await store.addFeedback([item]);
        await store.erase({ before });
        expect(await count()).toEqual(counts);
        expect(await store.views({ limit: 10 })).toMatchObject([view]);
        // It is not known any more, so it is stored anew.
        expect(await store.addFeedback([item])).toEqual({ stored: 1, unknownCards: 1 });
      });
    });

    describe('feedback', () => {
      const makeFeedback = (changes: Partial<FeedbackItem> = {}): FeedbackItem => ({
        client: 'demo',
        service: 'diagnostisk-pakkeforloeb-patient-view',
        card: randomUUID(),
        outcome: 'accepted',
        outcomeTimestamp: '2026-11-23T11:00:00+01:00',
        receivedAt: '2026-11-23T10:00:02.000Z',
        acceptedSuggestions: ['s2', 's1'],
        ...changes,
      });
      const appendCard = async (changes: Parameters<typeof makeRecord>[0] = {}) => {
        const card = makeCard();
        const { id } = await appendRecord({ cards: [card], ...changes });
        return { id, card: card.uuid };
      };

      test('joins the evaluation its card was sent with, its time in UTC', async () => {
        const { id, card } = await appendCard();
        await appendCard();
        expect(await store.addFeedback([makeFeedback({ card })])).toEqual({ stored: 1, unknownCards: 0 });
        expect((await store.evaluation(id))?.feedback).toEqual([
          {
            card,
            outcome: 'accepted',
            outcomeTimestamp: '2026-11-23T10:00:00.000Z',
            receivedAt: '2026-11-23T10:00:02.000Z',
            acceptedSuggestions: ['s1', 's2'],
          },
        ]);
      });

      test('keeps a reason with or without a system', async () => {
        const { id, card } = await appendCard();
        const reasons = [{ system: 'urn:reasons', code: 'patient-refuses' }, { code: 'own' }];
        await store.addFeedback(
          reasons.map((reason) =>
            makeFeedback({ card, outcome: 'overridden', acceptedSuggestions: [], reason, comment: 'free text' }),
          ),
        );
        expect((await store.evaluation(id))?.feedback.map(({ reason }) => reason)).toEqual(reasons);
      });

      test('of any text is stored and joined', async () => {
        const odd = '\u0000\ud800\ufffe';
        const { id, card } = await appendCard({ tenant: odd });
        await store.addFeedback([
          makeFeedback({
            card,
            tenant: odd,
            acceptedSuggestions: [odd],
            reason: { system: odd, code: odd },
            comment: odd,
          }),
          makeFeedback({ card: odd }),
        ]);
        expect((await store.evaluation(id))?.feedback).toHaveLength(1);
      });

      test('on an unknown card is stored and counted', async () => {
        const item = makeFeedback({ card: 'not a uuid' });
        expect(await store.addFeedback([item])).toEqual({ stored: 1, unknownCards: 1 });
      });

      test("on another client's or tenant's card is not joined to it", async () => {
        const { id, card } = await appendCard({ tenant: 'a' });
        const items = [makeFeedback({ card }), makeFeedback({ card, tenant: 'b' })];
        items.push(makeFeedback({ card, tenant: 'a', client: 'other' }));
        expect(await store.addFeedback(items)).toEqual({ stored: 3, unknownCards: 3 });
        expect((await store.evaluation(id))?.feedback).toEqual([]);
      });

      test('sent again changes nothing, in the same call or a later one', async () => {
        const { id, card } = await appendCard();
        const item = makeFeedback({ card });
        const again = makeFeedback({ card, receivedAt: '2026-11-24T00:00:00.000Z', acceptedSuggestions: ['s1', 's2'] });
        expect(await store.addFeedback([item, again])).toEqual({ stored: 1, unknownCards: 0 });
        expect(await store.addFeedback([again])).toEqual({ stored: 0, unknownCards: 0 });
        expect((await store.evaluation(id))?.feedback.map(({ receivedAt }) => receivedAt)).toEqual([item.receivedAt]);
      });

      test('sent again with another comment or more suggestions is an update', async () => {
        const { id, card } = await appendCard();
        const first = makeFeedback({ card, acceptedSuggestions: ['s1'], comment: 'first' });
        await store.addFeedback([first]);
        const commented = { ...first, comment: 'second' };
        expect(await store.addFeedback([commented])).toEqual({ stored: 1, unknownCards: 0 });
        expect(await store.addFeedback([commented, makeFeedback({ card, acceptedSuggestions: ['s1'] })])).toEqual({
          stored: 0,
          unknownCards: 0,
        });
        expect((await store.comments(id)).map(({ comment }) => comment)).toEqual(['second']);
        expect(await store.addFeedback([{ ...first, acceptedSuggestions: ['s1', 's2'] }])).toMatchObject({ stored: 1 });
        expect((await store.evaluation(id))?.feedback.map((each) => each.acceptedSuggestions)).toEqual([
          ['s1'],
          ['s1', 's2'],
        ]);
      });

      test('sent again after an erasure does not bring its comment back', async () => {
        const record = await appendRecord({ cards: [makeCard()] });
        const item = makeFeedback({ card: record.cards[0]?.uuid ?? '', comment: 'in words' });
        await store.addFeedback([item]);
        await store.erase({ patientKey: record.patientKey });
        expect(await store.addFeedback([item])).toEqual({ stored: 0, unknownCards: 0 });
        expect(await store.comments(record.id)).toEqual([]);
      });

      test('of cards of several months in one call goes where each card is', async () => {
        const sent = [];
        for (const month of ['2026-10', '2026-11', '2026-12']) {
          sent.push(await appendCard({ time: `${month}-20T10:00:00.000Z` }), await appendCard());
        }
        const items = [...sent.map(({ card }) => makeFeedback({ card })), makeFeedback()];
        expect(await store.addFeedback(items)).toEqual({ stored: 7, unknownCards: 1 });
        expect(await store.addFeedback(items)).toEqual({ stored: 0, unknownCards: 1 });
        for (const { id, card } of sent) {
          expect((await store.evaluation(id))?.feedback.map((each) => each.card)).toEqual([card]);
        }
      });

      test('of which one item has no readable time is refused whole', async () => {
        const { id, card } = await appendCard();
        const items = [makeFeedback({ card }), makeFeedback({ card, outcomeTimestamp: 'yesterday' })];
        await expect(store.addFeedback(items)).rejects.toThrow(RequestError);
        expect((await store.evaluation(id))?.feedback).toEqual([]);
      });
    });

    describe('counts', () => {
      const november = { from: '2026-11-01', to: '2026-12-01' } as const;
      const read = async (changes: Partial<Parameters<AuditStore['counts']>[0]> = {}) =>
        Object.fromEntries(
          (await store.counts({ ...november, per: 'month', ...changes })).map((each) => [
            `${each.period} ${each.knowledge} ${each.kind} ${each.name}`,
            each.count,
          ]),
        );
      const respond = (card: string, outcome: FeedbackItem['outcome'], reason?: string) =>
        store.addFeedback([
          {
            ...{ client: 'demo', service: 's', card, outcome, receivedAt: '2026-11-24T00:00:00.000Z' },
            ...{ outcomeTimestamp: '2026-11-24T00:00:00Z', acceptedSuggestions: [] },
            ...(reason === undefined ? {} : { reason: { code: reason } }),
          },
        ]);

      test('say how often services were called, decisions were made, keys were not known and cards were sent', async () => {
        await appendRecord();
        await appendRecord({ durations: { collect: 0, read: 0, decide: 0, total: 1e6 } });
        const month = '2026-11-01 2022.1.0';
        expect(await read()).toEqual({
          [`${month} evaluation diagnostisk-pakkeforloeb-patient-view`]: 2,
          [`${month} met MUP-01`]: 2,
          [`${month} unknown ORG-11`]: 2,
          [`${month} failed reports`]: 2,
          [`${month} shown MUP-01`]: 2,
          [`${month} shown ORG-11`]: 2,
          [`${month} latency 8`]: 1,
          [`${month} latency more`]: 1,
        });
      });

      test('grow with what is appended, by day, week and knowledge version', async () => {
        await appendRecord({ time: '2026-11-23T00:00:00.000Z' });
        expect((await read())['2026-11-01 2022.1.0 met MUP-01']).toBe(1);
        await appendRecord({ time: '2026-11-29T23:59:59.999Z', knowledge: { version: '2', hash: 'sha256:01' } });
        await appendRecord({ time: '2026-11-30T00:00:00.000Z' });
        const met = async (per: 'day' | 'week') =>
          Object.entries(await read({ per })).filter(([name]) => name.endsWith('met MUP-01'));
        expect(await met('day')).toEqual([
          ['2026-11-23 2022.1.0 met MUP-01', 1],
          ['2026-11-29 2 met MUP-01', 1],
          ['2026-11-30 2022.1.0 met MUP-01', 1],
        ]);
        expect(await met('week')).toEqual([
          ['2026-11-23 2 met MUP-01', 1],
          ['2026-11-23 2022.1.0 met MUP-01', 1],
          ['2026-11-30 2022.1.0 met MUP-01', 1],
        ]);
        expect(await read({ from: '2026-11-24', to: '2026-11-29' })).toEqual({});
      });

      test('are those of one client where one is asked for', async () => {
        await appendRecord({ client: 'a' });
        await appendRecord({ client: 'b' });
        expect((await read({ client: 'a' }))['2026-11-01 2022.1.0 met MUP-01']).toBe(1);
      });

      test('count each card once, by the last thing reported of it, on the day it was sent', async () => {
        const card = makeCard();
        await appendRecord({ cards: [card] });
        await respond(card.uuid, 'overridden', 'patient-refuses');
        expect(await read()).toMatchObject({
          '2026-11-01 2022.1.0 overridden MUP-01': 1,
          '2026-11-01 2022.1.0 reason patient-refuses': 1,
        });
        expect(await findIds({ reason: 'patient-refuses' })).toHaveLength(1);
        await respond(card.uuid, 'accepted');
        await respond(card.uuid, 'accepted');
        const counts = await read();
        expect(counts['2026-11-01 2022.1.0 accepted MUP-01']).toBe(1);
        expect(counts).not.toHaveProperty('2026-11-01 2022.1.0 overridden MUP-01');
        expect(counts).not.toHaveProperty('2026-11-01 2022.1.0 reason patient-refuses');
        expect(await findIds({ reason: 'patient-refuses' })).toEqual([]);
        expect((await store.verify()).problems).toEqual([]);
      });

      test('stay when a patient is erased', async () => {
        const { patientKey } = await appendRecord();
        await store.erase({ patientKey });
        expect((await read())['2026-11-01 2022.1.0 met MUP-01']).toBe(1);
      });
    });

    test('keeps comments apart from feedback, and gives them where they are asked for', async () => {
      const card = makeCard();
      const { id } = await appendRecord({ cards: [card] });
      await store.addFeedback([
        {
          ...{ client: 'demo', service: 's', card: card.uuid, outcome: 'overridden', acceptedSuggestions: [] },
          ...{ outcomeTimestamp: '2026-11-24T00:00:00Z', receivedAt: '2026-11-24T00:00:01.000Z' },
          comment: 'in words',
        },
      ]);
      expect(JSON.stringify(await store.evaluation(id))).not.toContain('in words');
      expect(await store.comments(id)).toEqual([
        { card: card.uuid, receivedAt: '2026-11-24T00:00:01.000Z', comment: 'in words' },
      ]);
      expect(await store.comments(randomUUID())).toEqual([]);
    });

    test('keeps who looked at what, newest first', async () => {
      const view = { time: '2026-11-23T10:00:00.000Z', who: 'token', role: 'viewer' as const, page: 'overview' };
      await store.recordView(view);
      await store.recordView({ ...view, page: 'evaluation', evaluation: 'e1' });
      const [last, first] = await store.views({ limit: 10 });
      expect([last, first]).toMatchObject([{ page: 'evaluation', evaluation: 'e1' }, view]);
      expect(await store.views({ limit: 10, before: last?.seq ?? 0 })).toEqual([first]);
    });

    test('that can be written says so', async () => {
      await expect(store.check()).resolves.toBeUndefined();
    });

    test('finishes what was handed over before it closes, and takes nothing after', async () => {
      const records = Array.from({ length: 50 }, () => makeRecord());
      const appended = Promise.all(records.map((record) => store.append(sealRecord(record))));
      await store.close();
      await appended;
      await expect(store.append(sealRecord(makeRecord()))).rejects.toThrow(UnavailableError);
      store = place.open();
      expect(await store.verify()).toMatchObject({ records: 50, problems: [] });
    });
  });
}
