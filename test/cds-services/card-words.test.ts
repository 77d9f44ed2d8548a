import { describe, expect, it } from 'vitest';
import type { Card } from '../../src/engine/cards.ts';
import type { KeyReport } from '../../src/engine/types.ts';
import { casesSchema } from './case.ts';
import { decideChart, guideline, readCaseChart } from './decide-cases.ts';

interface Written {
  sex?: 'female' | 'male';
  age?: number;
  record: object[];
  keys?: Record<string, Partial<KeyReport>>;
}

/** The cards of a patient with this record, with what is known of the keys put as given. */
function cardsOf({ sex = 'female', age = 62, record, keys = {} }: Written): Card[] {
  const [testCase] = casesSchema.parse([
    { id: 'MAS-01 a record of this test', section: '3.2.2', patient: { sex, age }, record, expect: {} },
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

describe('what the Trin 1 card says of its basis', () => {
  const alone = 'Et enkelt symptom';
  const results = 'Nye prøvesvar uden kendt forklaring indgår i mistanken';
  const contacts = 'Markant flere kontakter end patientens eget gennemsnit: 4 i de seneste 90 dage mod 1 i året før.';
  const fatigue = { condition: 'unexplained-fatigue', onset: 40, recorded: 10 };
  const twoGroups = [
    { result: 'crp', value: 62, taken: 4 },
    { result: 'calcium', value: 2.83, taken: 4 },
  ];

  it.each([
    ['one symptom', [weightLoss], [alone], 'L24'],
    ['a recorded suspicion', [{ condition: 'suspected-malignancy', recorded: 4 }, weightLoss], [], undefined],
    ['results of two groups', twoGroups, [results], 'L18'],
    [
      'fatigue with a rise in contacts',
      [fatigue, { encounter: 'AMB', at: [3, 20, 40, 80, 200, 460] }],
      [contacts],
      'L14',
    ],
  ])('names %s and no other', (_, record, told, choice) => {
    const { detail } = cardOf('trin1-labs', { record });
    expect([alone, results, contacts].filter((text) => detail.includes(text))).toEqual(told);
    expect(['L14', 'L18', 'L24'].filter((id) => detail.includes(id))).toEqual(choice === undefined ? [] : [choice]);
  });
});

describe('a card that asks', () => {
  it('asks for what is not recorded, and for nothing that is', () => {
    const node = { examination: 'lymphadenopathy-groin', taken: 7 };
    const summaryOf = (more: object): string => cardOf('mup-referral', { record: [{ ...node, ...more }] }).summary;
    expect(summaryOf({ size: 22 })).toContain('overvej at registrere ømhed, så');
    expect(summaryOf({ tender: false })).toContain('overvej at registrere største diameter, så');
    expect(summaryOf({})).toContain('overvej at registrere største diameter, ømhed, så');
  });

  it('does not ask for the midline where the site is another', () => {
    const record = [{ pathology: 'histology-poorly-differentiated', taken: 6, site: 'liver' }];
    const { summary } = cardOf('histology', { sex: 'male', age: 40, record });
    expect(summary).toBe('Lavt differentieret karcinom hos mand: overvej at afklare α-føtoprotein, hCG');
  });
});

describe('the deadline card', () => {
  it('leads with the limit that is exceeded', () => {
    const record = [
      { condition: 'suspected-malignancy', recorded: 31 },
      { code: 'AFA01A', at: 20 },
    ];
    expect(cardOf('deadline', { record }).summary).toMatch(/^Dag 31 siden mistanken \(vejledende 30\)/);
  });

  it('leads with the days in the unit where both are', () => {
    const record = [
      { condition: 'suspected-malignancy', recorded: 31 },
      { code: 'AFA01A', at: 23 },
    ];
    const { summary, detail } = cardOf('deadline', { record });
    expect(summary).toMatch(/^Dag 23 af vejledende 22/);
    expect(detail).toContain('Dag 31 siden mistanken opstod');
  });

  it('is not sent of a referral that no longer counts and that nothing shows received', () => {
    const topics = (days: number) =>
      cardsOf({ record: [weightLoss, { refer: 'diagnostic-mas', authored: days, status: 'active' }] }).map(
        ({ source }) => source.topic.code,
      );
    expect(topics(30)).toEqual(['deadline']);
    expect(topics(31)).toEqual(['trin1-labs']);
  });

  it('leaves it to the next referral to name the one that was not answered', () => {
    const record = [weightLoss, { refer: 'diagnostic-mas', authored: 31, status: 'active' }];
    expect(cardOf('trin1-labs', { record }).detail).toContain('henvisning til Diagnostisk pakkeforløb af 23.10.2026');
    expect(cardOf('trin1-labs', { record: [weightLoss] }).detail).not.toContain('henvises igen');
  });
});

describe('the closing card', () => {
  const end = { condition: 'metastasis-lung', recorded: 2 };
  const codesOf = (record: object[]): string[] =>
    [
      ...new Set(
        cardOf('closure', { record })
          .detail.split('**')[0]
          ?.match(/AF[AD]01X\d/g) ?? [],
      ),
    ].sort();

  it('shows the codes of the pathway the patient is in', () => {
    expect(codesOf([{ code: 'AFA01A', at: 10 }, end])).toEqual(['AFA01X1', 'AFA01X2', 'AFA01X9']);
    expect(codesOf([{ code: 'AFD01A', at: 10 }, end])).toEqual(['AFA01X9', 'AFD01X1', 'AFD01X2', 'AFD01X9']);
  });

  it('shows none once the pathway is closed', () => {
    expect(
      codesOf([
        { code: 'AFA01A', at: 30 },
        { code: 'AFA01X1', at: 3 },
      ]),
    ).toEqual([]);
  });
});

describe('the order of investigations', () => {
  it('names the liver MDT before the biopsy', () => {
    const record = [
      { code: 'AFD01A', at: 10 },
      { condition: 'metastasis-liver', recorded: 12 },
      { imaging: 'ct-tab', done: 5 },
    ];
    expect(cardOf('mup-workup', { record }).summary).toBe('MUP-udredning: overvej drøftelse på lever-MDT, biopsi');
  });

  it('does not say that a biopsy should wait which is in the record', () => {
    const liver = { condition: 'metastasis-liver', recorded: 5 };
    const taken = { procedure: 'biopsy-liver', done: 3 };
    expect(cardOf('mup-referral', { record: [liver] }).detail).toContain('Biopsi bør som udgangspunkt afvente');
    expect(cardOf('mup-referral', { record: [liver, taken] }).detail).not.toContain('Biopsi bør');
  });
});
