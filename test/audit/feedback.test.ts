import { describe, expect, test } from 'vitest';
import { type FeedbackItem, sealFeedback, sealItems } from '../../src/audit/feedback.ts';
import { RequestError } from '../../src/errors.ts';

const uuid = '6a1f1f4e-8a68-4b0f-8d2a-111111111111';

const item: FeedbackItem = {
  client: 'demo',
  service: 'diagnostisk-pakkeforloeb-patient-view',
  card: uuid,
  outcome: 'accepted',
  outcomeTimestamp: '2026-11-23T10:00:00Z',
  receivedAt: '2026-11-23T10:00:01.000Z',
  acceptedSuggestions: ['s1', 's2'],
};

describe('the time of feedback', () => {
  test.each([
    ['2026-11-23T11:00:00+01:00', '2026-11-23T10:00:00.000Z'],
    ['2026-11-23t10:00:00.5z', '2026-11-23T10:00:00.500Z'],
    ['2026-11-23T10:00:00', '2026-11-23T10:00:00.000Z'],
    ['2026-11-24T00:30:00+14:00', '2026-11-23T10:30:00.000Z'],
  ])('%s is stored as %s', (sent, stored) => {
    expect(sealFeedback({ ...item, outcomeTimestamp: sent }).outcomeTimestamp).toBe(stored);
  });

  test.each(['', 'now', '2026', '2026-11-23', '2026-13-40T10:00:00Z', 'Mon, 23 Nov 2026 10:00:00 GMT'])(
    '%j is refused',
    (sent) => {
      expect(() => sealFeedback({ ...item, outcomeTimestamp: sent })).toThrow(RequestError);
    },
  );
});

describe('the key of feedback', () => {
  const key = sealFeedback(item).key;

  test.each<Partial<FeedbackItem>>([
    { acceptedSuggestions: ['s2', 's1', 's1'] },
    { outcomeTimestamp: '2026-11-23T11:00:00+01:00' },
    { receivedAt: '2026-11-24T00:00:00.000Z' },
    { comment: 'x' },
    { card: uuid.toUpperCase() },
  ])('is the same with %j', (change) => {
    expect(sealFeedback({ ...item, ...change }).key).toBe(key);
  });

  test.each<Partial<FeedbackItem>>([
    { card: 'c2' },
    { client: 'other' },
    { tenant: 't' },
    { outcome: 'overridden' },
    { outcomeTimestamp: '2026-11-23T10:00:01Z' },
    { acceptedSuggestions: ['s1'] },
    { reason: { code: 'r' } },
  ])('is another one with %j', (change) => {
    expect(sealFeedback({ ...item, ...change }).key).not.toBe(key);
  });
});

test('a UUID in capitals is the same one, any other id is not changed', () => {
  const sealed = sealFeedback({ ...item, card: 'Card-7', acceptedSuggestions: [uuid.toUpperCase(), 'S1'] });
  expect(sealed).toMatchObject({ card: 'Card-7', acceptedSuggestions: [uuid, 'S1'] });
});

test('of repetitions in one call the first is kept, with the last comment', () => {
  const items = [item, { ...item, comment: 'a' }, { ...item, comment: 'b' }, { ...item, receivedAt: 'later' }];
  expect(sealItems(items)).toEqual([{ ...sealFeedback(item), comment: 'b' }]);
});
