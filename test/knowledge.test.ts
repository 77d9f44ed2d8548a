import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KnowledgeError } from '../src/errors.ts';
import { loadKnowledge, readKnowledge } from '../src/knowledge.ts';
import { addFact, addRule, type Edit, findMistakes, knowledgeFolder, withEditedKnowledge } from './edit-knowledge.ts';

const mistakesOf = (load: () => unknown): readonly string[] => {
  try {
    load();
  } catch (error) {
    if (error instanceof KnowledgeError) return error.mistakes;
    throw error;
  }
  return [];
};

describe('the knowledge folder', () => {
  it('loads, with every rule of the guideline in a service', () => {
    const guideline = loadKnowledge(knowledgeFolder);
    const decided = [...guideline.services.values()].flatMap((service) => service.rules);
    expect(new Set(decided)).toEqual(new Set(guideline.rules.keys()));
    expect(guideline.rules.size).toBeGreaterThan(50);
  });

  it('has a hash that changes with any file, comments included, and with nothing else', () => {
    const { hash } = loadKnowledge(knowledgeFolder);
    expect(hash).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(loadKnowledge(knowledgeFolder).hash).toBe(hash);
    for (const file of ['facts.yaml', 'rules/8-closing.yaml', 'concepts/drugs.yaml', 'texts/en.yaml']) {
      withEditedKnowledge([{ file, put: '# more' }], (folder) => expect(loadKnowledge(folder).hash).not.toBe(hash));
    }
  });

  it('reads rules in the order of their files', () => {
    const { files, fileOfRule } = readKnowledge(knowledgeFolder);
    const order = files.rules.map(({ id }) => fileOfRule.get(id) ?? '');
    expect(order).toEqual([...order].sort());
    expect(fileOfRule.get('MAS-02')).toBe('rules/1-mas.yaml');
  });

  it.each<[string, Edit, RegExp]>([
    ['a fact declared twice', addFact('pregnancy: { is: "%isWoman" }'), /^facts\.yaml:\d+: Map keys must be unique/],
    ['text that is no YAML', addFact('  - x: ['), /^facts\.yaml:\d+: /],
    [
      'an unknown member',
      addFact('trial: { is: "%isWoman", sayss: x }'),
      /^facts\.yaml:\d+ trial: Unrecognized key: "sayss"/,
    ],
    ['a name that is no name', addFact('the trial: { is: "%isWoman" }'), /^facts\.yaml:\d+ the trial: /],
    ['a rule without conditions', addRule('[]'), /^rules\/1-mas\.yaml:\d+ \d+\.when: /],
    [
      'a rule with an id of another form',
      { file: 'rules/1-mas.yaml', put: '- { id: MAS1, title: { da: x, en: x }, sections: ["1"], when: ["%isMan"] }' },
      /^rules\/1-mas\.yaml:\d+ \d+\.id: /,
    ],
    [
      'a parameter without section or ledger entry',
      { file: 'guideline.yaml', find: /resultDays: .*/, put: 'resultDays: { value: 90, unit: days }' },
      /^guideline\.yaml:\d+ parameters\.resultDays: needs a section or a ledger id/,
    ],
    [
      'a parameter that is no number',
      { file: 'guideline.yaml', find: /resultDays: \{ value: 90/, put: 'resultDays: { value: ninety' },
      /^guideline\.yaml:\d+ parameters\.resultDays\.value: /,
    ],
    [
      'a version that is none',
      { file: 'guideline.yaml', find: /^version: .*/m, put: 'version: draft' },
      /^guideline\.yaml:\d+ version: /,
    ],
    [
      'a hook that does not exist',
      { file: 'guideline.yaml', find: /hook: patient-view/, put: 'hook: patient-open' },
      /^guideline\.yaml:\d+ services\.0\.hook: /,
    ],
    [
      'a code with letters no code has',
      {
        file: 'concepts/conditions.yaml',
        put: "- { id: trial, da: x, en: x, sources: none, codes: { sct: ['42 2'] } }",
      },
      /^concepts\/conditions\.yaml:\d+ \d+\.codes\.sct\.0: /,
    ],
    [
      'a code system that is not known',
      {
        file: 'concepts/conditions.yaml',
        put: "- { id: trial, da: x, en: x, sources: none, codes: { snomed: ['422'] } }",
      },
      /^concepts\/conditions\.yaml:\d+ \d+\.codes: /,
    ],
    [
      'a concept without sources',
      { file: 'concepts/conditions.yaml', put: '- { id: trial, da: x, en: x }' },
      /^concepts\/conditions\.yaml:\d+ \d+\.sources: /,
    ],
    [
      'a ledger entry with one option',
      {
        file: 'ledger.yaml',
        put: '- { id: L99, question: { da: x, en: x }, places: ["1"], options: [{ key: a, da: x, en: x }], default: a, override: trial }',
      },
      /^ledger\.yaml:\d+ \d+\.options: /,
    ],
    [
      'a text that is empty in one language',
      { file: 'rules/1-mas.yaml', find: /title: \{ da: Trin 1 er ikke fuldstændigt,/, put: 'title: { da: "",' },
      /^rules\/1-mas\.yaml:\d+ \d+\.title\.da: /,
    ],
  ])('is refused for %s, with file and line', (_, edit, mistake) => {
    expect(findMistakes(edit)).toEqual(expect.arrayContaining([expect.stringMatching(mistake)]));
  });

  it('names the line of the mistake', () => {
    const [mistake = ''] = findMistakes({ file: 'facts.yaml', find: /^/, put: '\n\ntrial: { is: "%fevr" }\n' });
    expect(mistake).toMatch(/^facts\.yaml:3 trial\.is: /);
  });

  it('is refused without one of its files', () => {
    for (const file of ['ledger.yaml', 'texts/en.yaml', 'concepts/sites.yaml']) {
      const mistakes = withEditedKnowledge([], (folder) => {
        rmSync(join(folder, file));
        return mistakesOf(() => loadKnowledge(folder));
      });
      expect(mistakes).toEqual([`${file}: the file is missing`]);
    }
  });

  it('is refused where there is no folder', () => {
    const mistakes = mistakesOf(() => loadKnowledge(join(knowledgeFolder, 'nothing-here')));
    expect(mistakes).toContain('guideline.yaml: the file is missing');
  });

  it('reports mistakes of several files at once, of form first', () => {
    const [fact, rule] = [addFact('trial: { is: "%fevr" }'), addRule('["%admitted and %admitted.not()"]')];
    const ledger = { file: 'ledger.yaml', find: /default: .*/, put: 'default: nothing' };
    expect(findMistakes(fact, rule, ledger).map((mistake) => mistake.split(':')[0])).toEqual([
      'facts.yaml',
      'ledger.yaml',
      'rules/1-mas.yaml',
    ]);
    const form = { file: 'guideline.yaml', find: /^version: .*/m, put: 'version: draft' };
    const extra = addFact('other: { sayss: x }');
    expect(findMistakes(form, extra).map((mistake) => mistake.split(':')[0])).toEqual(
      expect.arrayContaining(['guideline.yaml', 'facts.yaml']),
    );
  });

  it('says in one message what is wrong, where and how many mistakes there are', () => {
    withEditedKnowledge([addFact('trial: { is: "%fevr" }')], (folder) => {
      expect(() => loadKnowledge(folder)).toThrow(
        /^The knowledge folder has 1 mistake\(s\):\nfacts\.yaml:\d+ trial\.is: /,
      );
    });
  });
});
