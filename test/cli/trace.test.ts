import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findDrift, type Trace, traceKnowledge } from '../../src/cli/trace.ts';
import { readKnowledge } from '../../src/knowledge.ts';
import { addFact, addRule, type Edit, knowledgeFolder, withEditedKnowledge } from '../edit-knowledge.ts';

const cases = join(import.meta.dirname, '..', 'cds-services', 'diagnostisk-pakkeforloeb');
const numbered = (prefix: string, ...numbers: number[]): string[] =>
  numbers.map((number) => `${prefix}-${String(number).padStart(2, '0')}`);
const upTo = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1);
/** Every decision of the guideline; MAS-06 and MAS-07 are parts of cards. */
const decisions = [
  ...numbered('MAS', 1, 2, 3, 4, 5, 8),
  ...numbered('ACU', ...upTo(2)),
  ...numbered('ORG', ...upTo(12)),
  ...numbered('HEM', 1),
  ...numbered('MUP', ...upTo(9)),
  ...numbered('HIS', ...upTo(11)),
  ...numbered('WRK', ...upTo(6)),
  ...numbered('TIM', ...upTo(3)),
  ...numbered('ORD', ...upTo(10)),
  ...numbered('REF', ...upTo(4)),
  ...numbered('CLO', ...upTo(2)),
];

let docs = '';
beforeAll(() => {
  docs = mkdtempSync(join(tmpdir(), 'trace-'));
});
afterAll(() => rmSync(docs, { recursive: true, force: true }));

const orphansOf = (...edits: Edit[]): string[] =>
  withEditedKnowledge(edits, (folder) =>
    traceKnowledge(folder, cases, docs).orphans.map(({ kind, id, why }) => `${kind} ${id}: ${why}`),
  );
let trace: Trace | undefined;
const pageOf = (name: string): string => {
  trace ??= traceKnowledge(knowledgeFolder, cases, docs);
  return trace.pages.get(join(docs, name)) ?? '';
};

describe('the trace of Diagnostisk pakkeforløb', () => {
  it('knows every decision of the guideline, and no other', () => {
    const listed = [...pageOf('traceability.md').matchAll(/^\| \*\*([A-Z]{3}-\d\d)\*\*/gm)].map(([, id]) => id);
    expect([...listed].sort()).toEqual([...decisions].sort());
  });

  it('leads from a section to decisions, facts, concepts, cases and the ledger', () => {
    const page = pageOf('traceability.md');
    expect(page).toMatch(/^\| 3\.2\.3 \| .*MAS-02.* \| .*`resultDays`.* \| .*`pregnancy`.* \|$/m);
    expect(page).toMatch(
      /^\| \*\*MAS-02\*\* .* \| 3\.2\.3 \| \[rules\/1-mas\.yaml\]\(.*\/rules\/1-mas\.yaml\) \| .*`suspicion`.* \| \d+ \(\d+ codes\) \| \d+ met, \d+ not met, \d+ unknown .*MAS-02\.yaml.* \| .*L10.* \|$/m,
    );
    expect(page).toMatch(/^\| \*\*L5\*\* .*\*\*15\*\*, 20 \| `nodeSize` \| .*MUP-03/m);
  });

  it('has no table row with another number of cells than its head', () => {
    let cells = 0;
    for (const line of pageOf('traceability.md').split('\n')) {
      const count = line.replaceAll('\\|', '').split('|').length;
      if (!line.startsWith('|')) cells = 0;
      else if (cells === 0) cells = count;
      else expect(count, line).toBe(cells);
    }
  });

  it('is the same every time', () => {
    expect(traceKnowledge(knowledgeFolder, cases, docs)).toEqual(traceKnowledge(knowledgeFolder, cases, docs));
  });
});

describe('orphans', () => {
  it.each<[string, Edit[], string]>([
    ['a decision without a case', [addRule('["%admitted"]')], 'decision MAS-99: no case shows it'],
    ['a fact nothing asks for', [addFact('trial: { is: "%admitted" }')], 'fact trial: no rule,'],
    [
      'facts that only ask for each other',
      [addFact('trial: { is: "%trialOther" }\ntrialOther: { is: "%admitted" }')],
      'fact trialOther: no rule,',
    ],
    [
      'a concept nothing reads',
      [{ file: 'concepts/conditions.yaml', put: '- { id: trial, da: x, en: x, sources: none }' }],
      'concept trial: no fact,',
    ],
    [
      'a concept only an unused fact reads',
      [addFact('trial: { read: [condition], of: [copd] }')],
      'fact trial: no rule,',
    ],
    [
      'a site nothing names',
      [{ file: 'concepts/sites.yaml', put: "- { id: trial, da: x, en: x, codes: { sct: ['1'] }, sources: none }" }],
      'concept trial: no expression or concept names the site',
    ],
    [
      'a parameter nothing uses',
      [
        {
          file: 'guideline.yaml',
          find: /^parameters:\n/m,
          put: 'parameters:\n  trial: { value: 1, unit: days, section: "4" }\n',
        },
      ],
      'parameter trial: no expression,',
    ],
    [
      'a topic no card has',
      [
        { file: 'guideline.yaml', find: /^topics:\n/m, put: 'topics:\n  trial: { indicator: info }\n' },
        ...['da', 'en'].map((language) => ({
          file: `texts/${language}.yaml`,
          find: /^topics:\n/m,
          put: 'topics:\n  trial: x\n',
        })),
      ],
      'topic trial: no card has it',
    ],
    [
      'a ledger entry nothing cites',
      [
        {
          file: 'ledger.yaml',
          put: '- { id: L99, question: { da: x, en: x }, places: ["1"], options: [{ key: a, da: x, en: x }, { key: b, da: x, en: x }], default: a, override: trial }',
        },
      ],
      'ledger L99: no rule, parameter or expression cites it',
    ],
    [
      'a ledger option that changes nothing',
      [
        {
          file: 'ledger.yaml',
          put: '- { id: L99, question: { da: x, en: x }, places: ["1"], options: [{ key: a, da: x, en: x }, { key: b, da: x, en: x }], default: a, override: trial }',
        },
        { file: 'rules/8-closing.yaml', find: /ledger: \[/, put: 'ledger: [L99, ' },
      ],
      'ledger L99 b: the option changes nothing',
    ],
    [
      'a text nothing shows',
      ['da', 'en'].map((language) => ({
        file: `texts/${language}.yaml`,
        find: /^notes:\n/m,
        put: 'notes:\n  trial: x\n',
      })),
      'text notes.trial: nothing shows it',
    ],
    [
      'a reserved concept that is used',
      [{ file: 'reserved.yaml', put: '- { kind: concept, ids: [ascites], reason: x }' }],
      'reserved ascites: the concept is used, or does not exist',
    ],
  ])('are found: %s', (_, edits, orphan) => {
    expect(orphansOf(...edits)).toEqual(expect.arrayContaining([expect.stringContaining(orphan)]));
  });

  it('are found the other way: a case of a decision that does not exist', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cases-'));
    try {
      writeFileSync(join(folder, 'XYZ-01.yaml'), '- { id: XYZ-01 trial, section: "3.2", expect: { XYZ-01: met } }\n');
      const { orphans } = traceKnowledge(knowledgeFolder, folder, docs);
      expect(orphans).toContainEqual({ kind: 'case', id: 'XYZ-01', why: 'cases expect it, and no rule has this id' });
      expect(orphans).toContainEqual({ kind: 'decision', id: 'MAS-01', why: 'no case shows it' });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('are not those of reserved.yaml', () => {
    const concept = { file: 'concepts/conditions.yaml', put: '- { id: trial, da: x, en: x, sources: none }' };
    const reserve = { file: 'reserved.yaml', put: '- { kind: concept, ids: [trial], reason: kept for a test }' };
    const before = orphansOf();
    expect(orphansOf(concept, reserve)).toEqual(before);
    expect(orphansOf(concept)).toHaveLength(before.length + 1);
  });
});

describe('drift', () => {
  it('is told for a page that is missing or was changed, and not for one as generated', () => {
    const trace = traceKnowledge(knowledgeFolder, cases, docs);
    const [traceability, decisionPage] = [...trace.pages.keys()];
    if (traceability === undefined || decisionPage === undefined) throw new Error('two pages are generated');
    expect(findDrift(trace)).toEqual([traceability, decisionPage]);
    for (const [path, page] of trace.pages) writeFileSync(path, page);
    expect(findDrift(trace)).toEqual([]);
    writeFileSync(decisionPage, `${trace.pages.get(decisionPage)} by hand`);
    expect(findDrift(trace)).toEqual([decisionPage]);
  });
});

describe('the page of decisions', () => {
  it('tells each decision in Danish and in English', () => {
    const page = pageOf('decisions.md');
    const [danish = '', english = ''] = page.split('\n## Decisions in English\n');
    for (const id of decisions) {
      expect(danish, id).toContain(`\n### ${id} `);
      expect(english, id).toContain(`\n### ${id} `);
    }
    expect(danish).toContain('365 dage (`findingDays`)');
    expect(english).toContain('365 days (`findingDays`)');
    expect(danish).toContain('0,2 af intervallet (`markedShare`)');
  });

  it('shows the condition as it is decided beside its sentence', () => {
    expect(pageOf('decisions.md')).toMatch(
      /\[under neurological or neurosurgical work-up\]\(#en-underneurology\): no .*\n {3}`%underNeurology\.not\(\)`/,
    );
  });

  it('has a fact say in two languages what it is, and no two facts the same', () => {
    const facts = Object.entries(readKnowledge(knowledgeFolder).files.facts);
    expect(facts.filter(([, { says }]) => says === undefined).map(([name]) => name)).toEqual([]);
    for (const language of ['da', 'en'] as const) {
      const said = facts.map(([, { says }]) => says?.[language] ?? '');
      expect(said.filter((text, at) => said.indexOf(text) !== at)).toEqual([]);
    }
  });

  it('lists with a decision the numbers of its own conditions and of the facts they name, no others', () => {
    const numbersOf = (id: string): string[] => {
      const [section = ''] = pageOf('decisions.md').split(`\n### ${id} `).slice(2);
      const [numbers = ''] = section.split('\n### ')[0]?.match(/^\*\*Numbers\*\*: .*$/m) ?? [];
      return [...numbers.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? '');
    };
    expect(numbersOf('MAS-02')).toEqual([]);
    expect(numbersOf('MAS-05')).toEqual(['resultDays', 'ifobtLimit']);
    expect(numbersOf('TIM-02')).toEqual(['unitPhaseEarlyDay', 'unitPhaseLastDay']);
  });

  it.each([
    ['what is not there', /^5\. there are no \[Trin 1 analyses without a valid result\]/m],
    ['what leaves a decision open', /\[brain mass\]\(#en-brainmass\) \(leaves it undecided\)/],
    ['a pathway by its own name', /^- \*\*Card\*\* “[^”]*”, warning: Sarcoma pathway$/m],
    ['an option of the ledger by what it means', /the choice L27 is “[A-Z][^”]+ [^”]+”/],
    ['a site by its own name', /`brainMetastasisEver`: .*where site includes brain /],
    ['a shared condition in a few words', /`brainMass`: .*; where after the latest closing code \(\d+ codes\)$/m],
    ['what is taken where a fact is not known', /`knownInPathway`: .*; where it is not known: no$/m],
    ['what an option leaves out of a list', /`gentlerImaging`: Abdominal ultrasound and Chest X-ray \(if \[pregnancy/],
  ])('tells in words %s', (_, words) => {
    expect(pageOf('decisions.md')).toMatch(words);
  });

  it('has a glossary entry for every name it links to', () => {
    const page = pageOf('decisions.md');
    const anchors = new Set([...page.matchAll(/<a id="([^"]+)">/g)].map(([, anchor]) => anchor));
    const links = [...page.matchAll(/\]\(#((?:da|en)-[a-z0-9]+)\)/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(500);
    expect(links.filter((link) => !anchors.has(link))).toEqual([]);
  });

  it('leaves no word of the expressions untranslated', () => {
    const [danish = ''] = pageOf('decisions.md').split('\n## Decisions in English\n');
    const sentences = danish.split('\n').filter((line) => /^\d+\. |^- /.test(line));
    const words = sentences.join('\n').replaceAll(/`[^`]*`|\([^)]*\)|“[^”]*”/g, '');
    expect(words).not.toMatch(/\b(daysAgo|onsetDaysAgo|lastClosing|statusGiven|outsideBy|hasEarlier|exists|and|or)\b/);
  });
});
