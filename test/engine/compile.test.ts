import { describe, expect, it } from 'vitest';
import { addFact, addRule, type Edit, findMistakes } from '../edit-knowledge.ts';

const inGuideline = (find: RegExp, put: string): Edit => ({ file: 'guideline.yaml', find, put });
const inLedger = (find: RegExp, put: string): Edit => ({ file: 'ledger.yaml', find, put });

describe('names that lead nowhere are mistakes', () => {
  it.each<[string, Edit, RegExp]>([
    [
      'in an expression',
      addFact('trial: { is: "%fevr" }'),
      /^facts\.yaml:\d+ trial\.is: %fevr is neither a fact, a parameter, a ledger id nor of the patient/,
    ],
    ['in a condition of a rule', addRule('["%fevr"]'), /^rules\/1-mas\.yaml:\d+ MAS-99.*: %fevr is neither/],
    [
      'a member of a reading',
      addFact(`trial: { read: [finding], of: [ascites], where: "statuss = 'final'" }`),
      /trial\.where: 'statuss' is not a member of a reading/,
    ],
    [
      'a member that is collected',
      addFact('trial: { read: [finding], of: [ascites], collect: valu }'),
      /trial: 'valu' is not a member of a reading/,
    ],
    ['a name without %', addFact('trial: { is: "admitted" }'), /trial\.is: 'admitted' without %/],
    ['a concept', addFact('trial: { read: [finding], of: [ascitis] }'), /trial: no concept ascitis/],
    [
      'a pathway',
      addFact(`trial: { read: [marker], of: [liver], where: "role = 'start'" }`),
      /trial: no concept liver/,
    ],
    ['a panel', addFact('trial: { read: [result], panel: trin2 }'), /trial: no panel trin2/],
    [
      'a panel whose lines are missing',
      addFact('trial: { panel: trin2, without: [trin1Resulted] }'),
      /trial: no panel trin2/,
    ],
    [
      'a window',
      addFact('trial: { read: [finding], of: [ascites], within: findigDays }'),
      /trial: parameter findigDays is not declared/,
    ],
    [
      'a prefetch key',
      addFact('trial: { read: [finding], of: [ascites], needs: [report] }'),
      /trial: no prefetch key report/,
    ],
    ['a key that may be unread', addFact('trial: { unread: [report] }'), /trial: no prefetch key report/],
    ['a rule', addFact('trial: { met: [MAS-98] }'), /trial: no rule MAS-98/],
    ['a group of rules', addFact('trial: { met: ["XYZ-*"] }'), /trial: no rule XYZ-\*/],
    [
      'a rule of precedence',
      inGuideline(/by: \[HEM-01\]/, 'by: [HEM-07]'),
      /^guideline\.yaml:\d+ precedence\[1\]: no rule HEM-07/,
    ],
    [
      'the rules of a service',
      inGuideline(/rules: \[MAS-\*/, 'rules: [XYZ-*'),
      /^guideline\.yaml:\d+ services\.[a-z-]+: no rule XYZ-\*/,
    ],
    ['the ledger entry of a rule', addRule('["%admitted"]', 'ledger: [L99]'), /MAS-99: ledger L99 does not exist/],
    [
      'the ledger entry of a parameter',
      inGuideline(/(resultDays: .*)ledger: L10/, '$1ledger: L99'),
      /^guideline\.yaml:\d+ parameters\.resultDays: ledger L99 does not exist/,
    ],
    [
      'an analysis of a panel',
      inGuideline(/mch: \{ any: \[mch\] \}/, 'mch: { any: [mhc] }'),
      /^guideline\.yaml:\d+ panels\.trin1\.mch: no analysis mhc/,
    ],
    [
      'what explains a symptom',
      {
        file: 'concepts/conditions.yaml',
        find: /explainedBy: \[explainsByInfection,/,
        put: 'explainedBy: [explainsByInfluenza,',
      },
      /^concepts\/conditions\.yaml:\d+ general-malaise\.explainedBy: fact explainsByInfluenza is not declared/,
    ],
    [
      'the default of a ledger entry',
      inLedger(/default: .*/, 'default: nothing'),
      /^ledger\.yaml:\d+ L1: default nothing is not an option/,
    ],
    [
      'a parameter an option sets',
      inLedger(/set: \{ nodeSize: 15 \}/, 'set: { nodSize: 15 }'),
      /^ledger\.yaml:\d+ L5: parameter nodSize is not declared/,
    ],
    [
      'evidence of a card',
      addRule('["%admitted"]', 'card: { topic: acute, evidence: [fevr] }'),
      /MAS-99: fact fevr is not declared/,
    ],
    [
      'the topic of a card',
      addRule('["%admitted"]', 'card: { topic: accute, evidence: [admitted] }'),
      /MAS-99: topic accute is not declared/,
    ],
    [
      'the pathway of a card',
      addRule('["%admitted"]', 'card: { topic: acute, pathway: liver, evidence: [admitted] }'),
      /MAS-99: no pathway liver/,
    ],
    [
      'an order that is suggested',
      addRule(
        '["%admitted"]',
        'card: { topic: acute, evidence: [admitted], suggest: [{ label: refer, order: [ct-tap] }] }',
      ),
      /MAS-99: no analysis or procedure ct-tap/,
    ],
  ])('%s', (_, edit, mistake) => {
    expect(findMistakes(edit)).toEqual(expect.arrayContaining([expect.stringMatching(mistake)]));
  });
});

describe('expressions are refused', () => {
  it.each([
    ['that can block the process', `%configured.first().matches('(a+)+$')`, 'function matches() is not one of'],
    [
      'that can block the process while replacing',
      `%configured.first().replaceMatches('(a+)+$', '') = ''`,
      'function replaceMatches() is not one of',
    ],
    ['that read the clock', '%age < today()', 'function today() is not one of'],
    ['that fetch', '%configured.resolve().exists()', 'function resolve() is not one of'],
    ['with a misspelt function', '%admitted.nott()', 'function nott() is not one of'],
    ['with a number', '%age > 40', 'number 40 stands in the expression: make it a parameter with its section'],
    ['that do not parse', '%age >', 'is not FHIRPath'],
    ['that knowledge is not written in', '%configured.where($this > 0).exists()', 'function where() is not one of'],
    ['whose constants do not go together', "1 < 'a'", 'A number is compared with a string'],
    ['whose constants are no truth', "('a' | 'b') and true", '2 items stand where one truth value is expected'],
  ])('%s', (_, text, mistake) => {
    expect(findMistakes(addFact(`trial: { is: "${text}" }`))).toEqual(
      expect.arrayContaining([expect.stringContaining(`trial.is: ${mistake}`)]),
    );
  });

  it('beside all other mistakes', () => {
    expect(findMistakes(addFact(`trial: { is: "1 < 'a'" }\ntrialOther: { is: "%fevr" }`))).toEqual([
      expect.stringMatching(/^facts\.yaml:\d+ trial\.is: A number is compared with a string/),
      expect.stringMatching(/^facts\.yaml:\d+ trialOther\.is: %fevr is neither/),
    ]);
  });

  it('with a number where they read a reading, too', () => {
    expect(findMistakes(addFact('trial: { read: [finding], of: [ascites], where: "daysAgo <= 30" }'))).toEqual([
      expect.stringContaining('trial.where: number 30 stands in the expression'),
    ]);
  });
});

describe('facts, rules and texts fit together', () => {
  it.each<[string, Edit, RegExp]>([
    [
      'a fact that depends on itself',
      addFact('trial: { is: "%trialOther" }\ntrialOther: { is: "%trial" }'),
      /depends on itself: trial -> trialOther -> trial/,
    ],
    ['a fact named as the patient', addFact('age: { is: "%admitted" }'), /age: the name belongs to the patient/],
    [
      'a fact named as a parameter',
      addFact('resultDays: { is: "%admitted" }'),
      /parameters\.resultDays: a fact has the same name/,
    ],
    [
      'a rule id used twice',
      {
        file: 'rules/8-closing.yaml',
        put: '- { id: MAS-01, title: { da: x, en: x }, sections: ["1"], when: ["%admitted"] }',
      },
      /MAS-01: the id is used twice/,
    ],
    [
      'a concept id used twice',
      { file: 'concepts/conditions.yaml', put: '- { id: ascites, da: x, en: x, sources: none }' },
      /concepts\/conditions\.yaml:\d+ ascites: the id is used twice/,
    ],
    [
      'a concept id used in two lists',
      { file: 'concepts/conditions.yaml', put: '- { id: ferritin, da: x, en: x, sources: none }' },
      / ferritin: the id is used twice/,
    ],
    [
      'a site id used twice',
      { file: 'concepts/sites.yaml', find: /^(- id: \S+\n(?: .*\n)+|- \{.*\}\n)/m, put: '$1$1' },
      /concepts\/sites\.yaml:\d+ \S+: the id is used twice/,
    ],
    [
      'a pathway id used twice',
      { file: 'concepts/pathways.yaml', find: /^(- id: \S+\n(?: .*\n)+|- \{.*\}\n)/m, put: '$1$1' },
      /concepts\/pathways\.yaml:\d+ \S+: the id is used twice/,
    ],
    [
      'a ledger id used twice',
      { file: 'ledger.yaml', find: /^(- id: L1\n(?: .*\n)+)/m, put: '$1$1' },
      /ledger\.yaml:\d+ L1: the id is used twice/,
    ],
    [
      'a service id used twice',
      { file: 'guideline.yaml', find: /(id: \S+-)order-sign$/m, put: '$1order-select' },
      /guideline\.yaml:\d+ services \S+-order-select: the id is used twice/,
    ],
    [
      'a question without a card',
      addRule('["%admitted"]', 'ask: { if: "%isMan", indicator: info }'),
      /MAS-99: `ask` needs a `card`/,
    ],
    [
      'a selection of both concepts and panel',
      addFact('trial: { read: [result], of: [psa], panel: trin1 }'),
      /trial: has both `of` and `panel`/,
    ],
  ])('%s is a mistake', (_, edit, mistake) => {
    expect(findMistakes(edit)).toEqual(expect.arrayContaining([expect.stringMatching(mistake)]));
  });

  it.each([
    ['summary of a rule', /^ {2}MAS-05:\n(?: {4}.*\n)+/m, /^texts\/en\.yaml:\d+.*rules\.MAS-05 is missing/],
    ['topic', /^ {2}ifobt: .*\n/m, /texts\/en\.yaml:\d+.*topics\.ifobt is missing/],
    ['suggestion', /^ {2}biopsy: .*\n/m, /texts\/en\.yaml:\d+.*suggestions\.biopsy is missing/],
    ['caution', /^ {2}late-presentation: .*\n/m, /texts\/en\.yaml:\d+.*cautions\.late-presentation is missing/],
    ['note', /^ {2}alreadyMas: .*\n/m, /texts\/en\.yaml:\d+.*notes\.alreadyMas is missing/],
    ['thing that is missing', /^ {2}tenderness: .*\n/m, /texts\/en\.yaml:\d+.*missing\.tenderness is missing/],
  ])('a %s that one language lacks is a mistake', (_, find, mistake) => {
    expect(findMistakes({ file: 'texts/en.yaml', find, put: '' })).toEqual(
      expect.arrayContaining([expect.stringMatching(mistake)]),
    );
  });
});
