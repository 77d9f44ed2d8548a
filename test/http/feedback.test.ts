import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { card, createTestApp, now } from './fakes.ts';

const accepted = {
  card: card.uuid,
  outcome: 'accepted',
  acceptedSuggestions: [{ id: 's1' }],
  outcomeTimestamp: '2026-06-30T20:00:00Z',
};
const overridden = { card: card.uuid, outcome: 'overridden', outcomeTimestamp: '2026-06-30T20:00:00+02:00' };

async function send(body: unknown) {
  const test = createTestApp();
  const response = await request(test.app)
    .post('/cds-services/view/feedback')
    .send(body as object);
  return { ...test, response };
}

describe('feedback', () => {
  it('is stored with client, service and time of receipt', async () => {
    const { response, store, metrics } = await send({ feedback: [accepted] });
    expect(response.status).toBe(200);
    expect(response.body).toEqual({
      extension: { 'dk.diagnostisk-pakkeforloeb.feedback': { stored: 1, unknownCards: 0 } },
    });
    expect(store.items).toEqual([
      {
        client: 'demo',
        service: 'view',
        receivedAt: now.toISOString(),
        card: card.uuid,
        outcome: 'accepted',
        outcomeTimestamp: '2026-06-30T20:00:00Z',
        acceptedSuggestions: ['s1'],
      },
    ]);
    expect(await metrics.registry.metrics()).toContain('cds_feedback_total{outcome="accepted"} 1');
  });

  it.each<[string, object, object]>([
    [
      'overrideReason',
      { overrideReason: { reason: { code: 'c', system: 's', display: 'd' }, userComment: 'u' } },
      { reason: { code: 'c', system: 's' }, comment: 'u' },
    ],
    [
      'overrideReasons, an object',
      { overrideReasons: { reason: { code: 'c', system: 's' } } },
      { reason: { code: 'c', system: 's' } },
    ],
    [
      'overrideReasons, a bare coding in an array',
      { overrideReasons: [{ code: 'c', display: 'd' }] },
      { reason: { code: 'c' } },
    ],
    ['a code without system', { overrideReason: { reason: { code: 'c' } } }, { reason: { code: 'c' } }],
    [
      'a comment that names the patient',
      { overrideReason: { userComment: 'kendt 010190-1234, 0101901234, svar 12345678901' } },
      { comment: 'kendt XXXXXX-XXXX, XXXXXX-XXXX, svar 12345678901' },
    ],
    ['a comment alone', { overrideReason: { userComment: 'u' } }, { comment: 'u' }],
    ['no reason at all', {}, {}],
    ['a reason of the wrong type', { overrideReason: 'because' }, {}],
  ])('takes an override with %s', async (_, members, expected) => {
    const { response, store } = await send({ feedback: [{ ...overridden, ...members }] });
    expect(response.status).toBe(200);
    const { reason, comment } = store.items[0] ?? {};
    expect({ ...(reason && { reason }), ...(comment && { comment }) }).toEqual(expected);
  });

  it('of a card that is no UUID, or not known, is stored and counted', async () => {
    const { response, store, metrics } = await send({
      feedback: [{ ...accepted, card: 'card-7', acceptedSuggestions: undefined }],
    });
    expect(response.body.extension['dk.diagnostisk-pakkeforloeb.feedback']).toEqual({ stored: 1, unknownCards: 1 });
    expect(store.items[0]?.card).toBe('card-7');
    expect(await metrics.registry.metrics()).toContain('cds_feedback_unknown_cards_total 1');
  });

  it('with one bad item stores the others and names the bad one', async () => {
    const { response, store } = await send({
      feedback: [{ ...accepted, outcome: 'ignored' }, accepted, null, { ...accepted, outcomeTimestamp: 'now' }],
    });
    expect(response.status).toBe(200);
    expect(store.items).toHaveLength(1);
    expect(response.body.extension['dk.diagnostisk-pakkeforloeb.feedback'].refused).toEqual([
      { item: 0, expected: 'outcome: accepted or overridden' },
      { item: 2, expected: 'an object' },
      { item: 3, expected: 'outcomeTimestamp: a time by RFC 3339' },
    ]);
  });

  it('without items is fine', async () => {
    expect((await send({ feedback: [] })).response.status).toBe(200);
  });

  it.each<[string, unknown, string]>([
    ['no list', {}, 'feedback'],
    ['a list instead of an object', [accepted], 'feedback'],
    ['only bad items', { feedback: [3] }, 'feedback[0]'],
  ])('with %s is refused with the element', async (_, body, element) => {
    const { response } = await send(body);
    expect(response.status).toBe(400);
    expect(JSON.parse(response.text).issue[0].expression).toEqual([element]);
  });

  it('of bad items only is told every element that is wrong', async () => {
    const { response } = await send({
      feedback: [
        { card: 5, outcome: 'accepted' },
        { ...accepted, outcome: 'x' },
      ],
    });
    expect(response.status).toBe(400);
    const { issue } = JSON.parse(response.text);
    expect(issue.map((each: { expression: string[] }) => each.expression[0])).toEqual([
      'feedback[0].card',
      'feedback[0].outcomeTimestamp',
      'feedback[1].outcome',
    ]);
    expect(issue[1].details.text).toBe('feedback[0].outcomeTimestamp is missing: expected a time by RFC 3339.');
  });

  it('larger than a feedback can be is refused', async () => {
    const { response } = await send({
      feedback: [{ ...overridden, overrideReason: { userComment: 'x'.repeat(2_000_000) } }],
    });
    expect(response.status).toBe(413);
    expect(JSON.parse(response.text).issue[0].details.text).toMatch(/send fewer items at a time/);
  });

  it('of more items than one call may bring is refused, and nothing of it is stored', async () => {
    const items = Array.from({ length: 201 }, (_, at) => ({ ...accepted, card: `card-${at}` }));
    const { response, store } = await send({ feedback: items });
    expect(response.status).toBe(413);
    expect(JSON.parse(response.text).issue[0].details.text).toMatch(/more than 200 items .*send fewer at a time/);
    expect(store.items).toEqual([]);
    expect((await send({ feedback: items.slice(1) })).response.status).toBe(200);
  });
});
