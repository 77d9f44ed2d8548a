import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type * as z from 'zod';
import { conceptFiles } from '../../src/engine/concepts.ts';
import {
  cautionsSchema,
  factsSchema,
  guidelineSchema,
  ledgerSchema,
  type RuleDefinition,
  rulesSchema,
  type Texts,
  textsSchema,
} from '../../src/engine/schema.ts';
import { loadKnowledge } from '../../src/knowledge.ts';

const folder = 'cds-services/diagnostisk-pakkeforloeb';
const languages = ['da', 'en'] as const;
type Language = (typeof languages)[number];

const textOf = (file: string): string => readFileSync(join(folder, file), 'utf8');
const read = <T>(file: string, schema: z.ZodType<T>): T => schema.parse(parse(textOf(file)));

const guideline = read('guideline.yaml', guidelineSchema);
const facts = read('facts.yaml', factsSchema);
const ledger = read('ledger.yaml', ledgerSchema);
const cautions = read('cautions.yaml', cautionsSchema);
const texts: Record<Language, Texts> = {
  da: read('texts/da.yaml', textsSchema),
  en: read('texts/en.yaml', textsSchema),
};
const ruleFiles = readdirSync(join(folder, 'rules')).map((name) => `rules/${name}`);
const rules = ruleFiles.flatMap((file) => read(file, rulesSchema));
const named = [
  ...read('concepts/analyses.yaml', conceptFiles.analyses),
  ...read('concepts/procedures.yaml', conceptFiles.procedures),
];
const pathways = read('concepts/pathways.yaml', conceptFiles.pathways);

/** Every text with its place, `rules.MAS-02.summary`. */
function listTexts(value: unknown, place = ''): [string, string][] {
  if (typeof value === 'string') return [[place, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => listTexts(member, place === '' ? key : `${place}.${key}`));
}

const placeholdersOf = (text: string): string[] => text.match(/\{[^}]*\}/g) ?? [];

const nameOf = (id: string, language: Language): string =>
  named.find((concept) => concept.id === id)?.[language] ?? texts[language].missing[id] ?? id;

const cardsOf = (rule: RuleDefinition) => (rule.card === undefined ? [] : [rule.card].flat());

/** Every id that cards merged with this rule's card (same topic and pathway) could name as missing. */
function mostMissing(rule: RuleDefinition): string[] {
  const mine = new Set(cardsOf(rule).map((card) => `${card.topic} ${card.pathway}`));
  const entries = rules
    .flatMap(cardsOf)
    .filter((card) => mine.has(`${card.topic} ${card.pathway}`))
    .flatMap((card) => card.missing ?? []);
  const asked = (rule.ask?.missing ?? []).map(({ id }) => id);
  const ids = entries.flatMap((entry) => {
    if (typeof entry !== 'string') return [entry.id];
    const fact = facts[entry];
    return fact !== undefined && 'panel' in fact && fact.panel !== undefined
      ? Object.keys(guideline.panels[fact.panel] ?? {})
      : [];
  });
  return [...new Set([...ids, ...asked])];
}

describe.each(languages)('the card texts in %s', (language) => {
  const all = listTexts(texts[language]);
  const headlines = Object.entries(texts[language].rules).flatMap(([id, { summary, ask }]) =>
    [summary, ask].filter((text) => text !== undefined).map((text) => [id, text] as const),
  );

  it('hold neither HTML, images nor links', () => {
    expect(all.filter(([, text]) => /<|&\w+;|\]\(|https?:/.test(text))).toEqual([]);
  });

  it('fill only placeholders the engine knows, from facts that are declared', () => {
    const wrong = all.flatMap(([place, text]) =>
      placeholdersOf(text)
        .filter((placeholder) => {
          const [, what = '', fact] = /^\{(\w+)(?::(\w+))?\}$/.exec(placeholder) ?? [];
          if (place === 'labels.notAssessed') return placeholder !== '{count}';
          if (what === 'list' || what === 'count' || what === 'readings' || what === 'value')
            return fact === undefined || !(fact in facts);
          if (place === 'labels.onset') return placeholder !== '{days}';
          if (place === 'labels.suspected') return placeholder !== '{name}';
          if (what === 'dates') return fact === undefined || !('read' in (facts[fact] ?? {}));
          return !['missing', 'missingCount', 'pathway'].includes(what) || fact !== undefined;
        })
        .map((placeholder) => `${place}: ${placeholder}`),
    );
    expect(wrong).toEqual([]);
  });

  it('have summaries of one line and fewer than 140 characters with the longest fill', () => {
    const longestPathway = pathways.map((pathway) => pathway[language]).sort((a, b) => b.length - a.length)[0] ?? '';
    const tooLong = headlines.flatMap(([id, text]) => {
      const rule = rules.find((candidate) => candidate.id === id);
      const missing = rule === undefined ? [] : mostMissing(rule).map((entry) => nameOf(entry, language));
      const filled = text
        .replaceAll('{missing}', missing.join(', '))
        .replaceAll('{missingCount}', String(missing.length))
        .replaceAll('{pathway}', longestPathway)
        .replaceAll(/\{value:\w+\}/g, '999');
      return [...filled].length < 140 && !filled.includes('\n') && !filled.includes('{') ? [] : [`${id}: ${filled}`];
    });
    expect(tooLong).toEqual([]);
  });

  it('propose: every summary says what may be considered', () => {
    const proposal = language === 'da' ? /overvej/i : /consider/i;
    expect(headlines.filter(([, text]) => !proposal.test(text))).toEqual([]);
  });

  it('never say that criteria are not met, and never command', () => {
    const forbidden =
      language === 'da'
        ? /kriteri\w* (er |blev )?ikke|ikke opfyld|opfylder ikke|\bskal\b|\bmå ikke\b/i
        : /criteria (are |were )?not|not (been )?met\b|\bmust\b|\bshall\b/i;
    expect(all.filter(([, text]) => forbidden.test(text))).toEqual([]);
  });

  it('keep details short enough to read at a glance', () => {
    expect(all.filter(([place, text]) => place.endsWith('.detail') && text.length > 520)).toEqual([]);
  });

  it('quote the pathway times of the guideline', () => {
    const quoted = { 'TIM-01': 'firstPhaseDays', 'TIM-02': 'unitPhaseDays', 'TIM-03': 'wholeCourseDays' };
    for (const [id, parameter] of Object.entries(quoted)) {
      expect(texts[language].rules[id]?.summary.match(/\d+/g)).toEqual([
        String(guideline.parameters[parameter]?.value),
      ]);
    }
  });

  it('say on the MAS referral what comes before it, and that imaging is no precondition', () => {
    const detail = texts[language].rules['MAS-04']?.detail ?? '';
    const parts =
      language === 'da'
        ? ['FMK', 'undersøgelse', 'informeres', 'samtykke', 'telefonnummer', 'aldrig en forudsætning']
        : ['FMK', 'examination', 'informed', 'consents', 'telephone number', 'never a precondition'];
    expect(parts.filter((part) => !detail.includes(part))).toEqual([]);
  });

  it('say of every deadline that it is a guide for planning and not a right', () => {
    for (const id of ['TIM-01', 'TIM-02', 'TIM-03']) {
      expect(texts[language].rules[id]?.detail).toMatch(
        language === 'da'
          ? /rettesnor for planlægning og ikke en patientrettighed/
          : /guide for planning and not a patient right/,
      );
    }
  });

  it('name every closing code, and the one that is printed twice', () => {
    const { closingMas = '', closingMup = '' } = texts[language].notes;
    const detail = `${closingMas} ${closingMup}`;
    for (const code of ['AFA01X1', 'AFA01X2', 'AFA01X9', 'AFD01X1', 'AFD01X2', 'AFD01X9'])
      expect(detail).toContain(code);
    expect(detail.match(/AFA01X9/g)).toHaveLength(2);
  });

  it('say on every card that its absence does not exclude serious disease', () => {
    expect(texts[language].labels.disclaimer).toMatch(
      language === 'da' ? /ikke vises et kort, udelukker ikke/ : /absence of a card does not exclude/,
    );
  });
});

describe('the two languages', () => {
  it('have the same texts with the same placeholders', () => {
    const shape = (language: Language) =>
      listTexts(texts[language])
        .filter(([place]) => !place.startsWith('overrideReasons'))
        .map(([place, text]) => `${place} ${placeholdersOf(text).sort().join(' ')}`)
        .sort();
    expect(shape('en')).toEqual(shape('da'));
  });

  it('give the same override reasons in the same order, each once', () => {
    const codes = texts.da.overrideReasons.map(({ code }) => code);
    expect(texts.en.overrideReasons.map(({ code }) => code)).toEqual(codes);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it('have a text for every caution', () => {
    for (const language of languages) {
      expect(Object.keys(texts[language].cautions).sort()).toEqual(Object.keys(cautions).sort());
    }
  });
});

describe('the ledger', () => {
  it('has L1 to L32 in order, each with its own override key', () => {
    expect(ledger.map(({ id }) => id)).toEqual(Array.from({ length: 32 }, (_, index) => `L${index + 1}`));
    expect(new Set(ledger.map(({ override }) => override)).size).toBe(ledger.length);
  });

  it('gives every option of an entry its own key', () => {
    for (const { options } of ledger) expect(new Set(options.map(({ key }) => key)).size).toBe(options.length);
  });

  it('sets in the default option the values guideline.yaml has, and in the others the same parameters', () => {
    for (const entry of ledger) {
      const chosen = entry.options.find(({ key }) => key === entry.default)?.set ?? {};
      for (const [parameter, value] of Object.entries(chosen)) {
        expect([entry.id, parameter, value]).toEqual([entry.id, parameter, guideline.parameters[parameter]?.value]);
      }
      for (const { key, set } of entry.options) {
        expect([entry.id, key, Object.keys(set ?? {}).sort()]).toEqual([entry.id, key, Object.keys(chosen).sort()]);
      }
    }
  });

  it('has every option key that rules, facts and cautions compare with', () => {
    const compared = ['facts.yaml', 'cautions.yaml', 'guideline.yaml', ...ruleFiles].flatMap((file) =>
      [...textOf(file).matchAll(/%(L\d+) *!?= *'([^']*)'/g)].map(([, id, key]) => ({ file, id, key })),
    );
    expect(compared.length).toBeGreaterThan(0);
    const unknown = compared.filter(
      ({ id, key }) => !ledger.some((entry) => entry.id === id && entry.options.some((option) => option.key === key)),
    );
    expect(unknown).toEqual([]);
  });

  it('has no entry without effect: each sets a parameter or is compared with by a rule, a fact or a gate', () => {
    const expressions = ['facts.yaml', 'cautions.yaml', 'guideline.yaml', ...ruleFiles].map(textOf).join('\n');
    const idle = ledger.filter(
      ({ id, options }) => !options.some(({ set }) => set !== undefined) && !new RegExp(`%${id}\\b`).test(expressions),
    );
    expect(idle.map(({ id }) => id)).toEqual([]);
  });
});

it('the knowledge folder loads with these texts, cautions and ledger entries', () => {
  expect(loadKnowledge(folder).ledger).toHaveLength(32);
});
