import { describe, expect, it } from 'vitest';
import type { Card } from '../../src/engine/cards.ts';
import type { KeyReport } from '../../src/engine/types.ts';
import { casesSchema } from './case.ts';
import { decideChart, guideline, readCaseChart } from './decide-cases.ts';

interface Written {
  sex?: 'female' | 'male';
  record: object[];
  keys?: Record<string, Partial<KeyReport>>;
}

/** The cards of a patient with this record, with what is known of the keys put as given. */
function cardsOf({ sex = 'female', record, keys = {} }: Written): Card[] {
  const [testCase] = casesSchema.parse([
    { id: 'MAS-01 a record of this test', section: '3.2.2', patient: { sex, age: 62 }, record, expect: {} },
  ]);
  if (testCase === undefined) throw new Error('No case');
  const chart = readCaseChart(testCase);
  const known = Object.entries(keys).map(([key, report]) => [key, { state: 'present', dropped: 0, ...report }]);
  return decideChart(guideline, testCase, { ...chart, keys: { ...chart.keys, ...Object.fromEntries(known) } }).cards;
}

function cardOf(topic: string, written: Written): Card {
  const card = cardsOf(written).find(({ source }) => source.topic.code === topic);
  if (card === undefined) throw new Error(`No card ${topic}`);
  return card;
}

const cautionsOf = (card: Card): string[] =>
  (card.extension['dk.diagnostisk-pakkeforloeb.decision'] as { cautions?: string[] }).cautions ?? [];

const weightLoss = { condition: 'unintended-weight-loss', onset: 40, recorded: 10 };

describe('what is suspected', () => {
  it.each([
    ['a code of suspicion', { condition: 'primary-lung-cancer', code: 'sks|DZ031B', recorded: 4 }, 'lungekræft'],
    [
      'a provisional diagnosis',
      { condition: 'primary-breast-cancer', certainty: 'provisional', recorded: 4 },
      'brystkræft',
    ],
  ])('by %s is told as suspected', (_, condition, name) => {
    const { detail } = cardOf('organ-pathway', { record: [condition] });
    expect(detail).toContain(`- Mistanke om ${name} · `);
  });

  it('is not told so twice where the name says it', () => {
    const { detail } = cardOf('trin1-labs', { record: [{ condition: 'suspected-malignancy', recorded: 4 }] });
    expect(detail).toContain('- Mistanke om kræft · ');
  });

  it('is known where it is confirmed', () => {
    const { detail } = cardOf('organ-pathway', { record: [{ condition: 'metastasis-lung', recorded: 4 }] });
    expect(detail).not.toContain('Mistanke om');
  });
});

describe('a list cut off', () => {
  const cautions = (key: string, report: Partial<KeyReport>): string[] =>
    cautionsOf(cardOf('trin1-labs', { record: [weightLoss], keys: { [key]: report } }));

  it.each([
    ['reports', 366, []],
    ['reports', 365, ['findings-unread']],
    ['orders', 121, []],
    ['orders', 120, ['pathway-unknown']],
    // Does not come sorted: what was not sent may be newer.
    ['imaging', 4000, ['findings-unread']],
  ])('of %s, read %s days back, gives the cautions %j', (key, oldestDaysAgo, expected) => {
    expect(cautions(key, { state: 'truncated', oldestDaysAgo })).toEqual(expected);
  });
});

describe('the dates of the results taken into account', () => {
  it.each([
    ['one day', [5], '18.11.2026.'],
    ['two days', [5, 9], '14.11.2026 – 18.11.2026.'],
  ])('are those of %s', (_, days, told) => {
    const results = days.map((taken, index) => ({ result: ['sodium', 'potassium'][index], value: 4, taken }));
    const { detail } = cardOf('trin1-labs', { record: [weightLoss, ...results] });
    expect(detail).toContain(`Prøvesvar, der er regnet med: ${told}`);
  });
});
