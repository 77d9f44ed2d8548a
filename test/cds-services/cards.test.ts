import { describe, expect, it } from 'vitest';
import type { Case } from './case.ts';
import { decideCase, readCases } from './decide-cases.ts';

const cases = readCases();

function cardsOf(testCase: Case, topic: string) {
  return decideCase(testCase).cards.filter((card) => card.source.topic.code === topic);
}

describe('what a card tells beside its lists', () => {
  const complete = cases.find(
    ({ expect: { cards = [] }, keys }) =>
      Object.keys(keys).length === 0 && cards.some(({ topic }) => topic === 'trin1-labs'),
  );
  if (complete === undefined) throw new Error('No case with a card for Trin 1');

  it('names the sources of pathway codes that could not be read', () => {
    const [read] = cardsOf(complete, 'trin1-labs');
    const [unread] = cardsOf({ ...complete, keys: { encounters: 'missing' } }, 'trin1-labs');
    expect(unread?.detail).toContain('Pakkeforløbs- og afslutningskoder kunne ikke læses i: kontakter');
    expect(read?.detail).not.toContain('kunne ikke læses');
  });

  it('proposes an order once, however many decisions stand behind the card', () => {
    for (const testCase of cases) {
      for (const { suggestions = [] } of decideCase(testCase).cards) {
        const created = suggestions.flatMap(({ actions }) =>
          actions.flatMap((action) =>
            action.type === 'create' ? [JSON.stringify((action.resource as { code: object }).code)] : [],
          ),
        );
        if (suggestions.every(({ actions }) => actions.every(({ type }) => type === 'create'))) {
          expect([testCase.id, created.length]).toEqual([testCase.id, new Set(created).size]);
        }
      }
    }
  });
});
