import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { type CardForm, demoClient } from '../../src/clients/client.ts';
import type { Card } from '../../src/engine/cards.ts';
import type { Action, Suggestion } from '../../src/engine/suggestions.ts';
import { adaptAnswer } from '../../src/http/adapt.ts';
import { createRequest, createTestApp, card as plain } from './fakes.ts';

const create = (description: string): Action => ({
  type: 'create',
  description,
  resource: { resourceType: 'ServiceRequest' },
});
const suggestion = (label: string, ...actions: Action[]): Suggestion => ({
  label,
  uuid: `6a1f1f4e-8a68-4b0f-8d2a-${label.padEnd(12, '0')}`,
  isRecommended: true,
  actions,
});
const cardWith = (...suggestions: Suggestion[]): Card => ({
  ...plain,
  detail: 'CRP < 4 mg/L <img src=x>',
  source: { ...plain.source, topic: { system: 's', code: 'trin1-labs', display: 'Trin 1' } },
  ...(suggestions.length > 0 && { suggestions, selectionBehavior: 'at-most-one' }),
});

describe('a client without a form of its own', () => {
  it('gets the cards as they are, and nothing beside them', () => {
    const cards = [cardWith(suggestion('a', create('one'), create('two')))];
    expect(adaptAnswer(cards, 'order-sign', undefined)).toEqual({ cards });
  });
});

describe('Epic', () => {
  const adapt = (...suggestions: Suggestion[]) => {
    const [adapted] = adaptAnswer([cardWith(...suggestions)], 'patient-view', 'epic').cards;
    if (adapted === undefined) throw new Error('There is no card.');
    return adapted;
  };

  it('gets one action per suggestion, each with a uuid of its own and its text in the description', () => {
    const given = suggestion('a', create('Ferritin'), create('CRP'));
    const { suggestions = [] } = adapt(given);
    expect(suggestions).toMatchObject([
      { label: 'Ferritin', isRecommended: true, actions: [{ type: 'create', description: 'Ferritin' }] },
      { label: 'CRP', isRecommended: true, actions: [{ type: 'create', description: 'CRP' }] },
    ]);
    const uuids = suggestions.map(({ uuid }) => uuid);
    expect(new Set([given.uuid, ...uuids]).size).toBe(3);
    expect(adapt(given).suggestions?.map(({ uuid }) => uuid)).toEqual(uuids);
  });

  it('shows the label of a suggestion that has one action, and reports it by the uuid it had', () => {
    const given = suggestion('Henvis', create('x'));
    expect(adapt(given).suggestions).toEqual([{ ...given, actions: [create('Henvis')] }]);
  });

  it('gets deletions, and no suggestion that changes an order', () => {
    const remove: Action = { type: 'delete', description: 'Slet', resourceId: 'ServiceRequest/1' };
    const update: Action = {
      type: 'update',
      description: 'Ret',
      resource: { resourceType: 'ServiceRequest', id: '1' },
    };
    const { suggestions } = adapt(suggestion('a', remove, create('Ny')), suggestion('b', update, create('Ny')));
    expect(suggestions?.map(({ actions }) => actions)).toEqual([[remove], [create('Ny')]]);
    const none = adapt(suggestion('b', update));
    expect(none).not.toHaveProperty('suggestions');
    expect(none).not.toHaveProperty('selectionBehavior');
  });

  it('may choose any suggestions, never at most one', () => {
    expect(adapt(suggestion('a', create('x'))).selectionBehavior).toBe('any');
    expect(adapt()).not.toHaveProperty('selectionBehavior');
  });

  it('gets topics in letters and digits, without words that change with the language', () => {
    expect(adapt().source.topic).toEqual({ system: 's', code: 'trin1labs' });
  });
});

describe('the CRD test kit', () => {
  it.each([
    ['order-sign', { systemActions: [] }],
    ['order-select', {}],
    ['patient-view', {}],
  ])('on %s gets %j beside the cards', (hook, beside) => {
    const cards = [cardWith(suggestion('a', create('x')))];
    expect(adaptAnswer(cards, hook, 'crd')).toEqual({ cards, ...beside });
  });
});

describe('the sandbox', () => {
  it('gets no HTML to render', () => {
    const [adapted] = adaptAnswer([cardWith()], 'patient-view', 'sandbox').cards;
    expect(adapted?.detail).toBe('CRP &lt; 4 mg/L &lt;img src=x>');
  });
});

describe('an answer', () => {
  const callAs = async (cardForm: CardForm, cards: Card[]) => {
    const authenticate = async () => ({ client: { ...demoClient, cardForm } });
    const { app, store } = createTestApp({ authenticate }, { decide: () => ({ decisions: [], cards }) });
    const context = { patientId: 'p1', draftOrders: { resourceType: 'Bundle' } };
    const asked = request(app).post('/cds-services/sign');
    const answer = await asked.send(createRequest({ hook: 'order-sign', context })).expect(200);
    return { answer: answer.body, record: store.record(), metrics: (await request(app).get('/metrics')).text };
  };

  it('is recorded as it was sent, with the form it was brought into', async () => {
    const cards = [cardWith(suggestion('a', create('one'), create('two')))];
    const { answer, record, metrics } = await callAs('epic', cards);
    expect(answer.cards[0].suggestions).toHaveLength(2);
    expect(record.cards).toEqual(answer.cards);
    expect(record.settings).toEqual({ ledger: {}, cardForm: 'epic' });
    expect(metrics).toContain('cds_cards_total{topic="trin1-labs"} 1');
  });

  it('of order-sign to the CRD test kit has systemActions', async () => {
    expect((await callAs('crd', [])).answer).toEqual({ cards: [], systemActions: [] });
  });
});
