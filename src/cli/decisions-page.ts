import type { CompiledGuideline, CompiledRule, KnowledgeFiles, Language } from '../engine/guideline.ts';
import { findWords, type PlainWords } from '../engine/plain-words.ts';
import { countCodes } from './traceability-page.ts';
import type { Uses } from './uses.ts';

const headings = {
  title: { da: 'Beslutninger på dansk', en: 'Decisions in English' },
  sections: { da: 'Afsnit', en: 'Sections' },
  ledger: { da: 'Fortolkningsvalg', en: 'Choices of interpretation' },
  when: { da: 'Opfyldt, når alle disse holder', en: 'Met when all of these hold' },
  numbers: { da: 'Tal', en: 'Numbers' },
  card: { da: 'Kort', en: 'Card' },
  noCard: { da: 'Intet kort; beslutningen indgår i andre.', en: 'No card; other decisions rest on it.' },
  only: { da: 'når', en: 'when' },
  suggests: { da: 'Foreslår', en: 'Suggests' },
  unless: { da: 'dog ikke, når', en: 'but not when' },
  withheld: { da: 'Sendes ikke, når', en: 'Not sent when' },
  asks: { da: 'Spørger (uafgjort) når', en: 'Asks (unknown) when' },
  reason: { da: 'ellers', en: 'else' },
  glossary: { da: 'Ordliste: hvad hvert faktum læser', en: 'Glossary: what each fact reads' },
  panels: { da: 'Paneler', en: 'Panels' },
  code: { da: 'kode', en: 'code' },
  codes: { da: 'koder', en: 'codes' },
  refer: { da: 'henvisning til', en: 'referral to' },
  order: { da: 'bestilling af', en: 'order of' },
} as const;

/** Renders docs/decisions.md: every rule in plain Danish and English, beside its FHIRPath. */
export function renderDecisions(files: KnowledgeFiles, guideline: CompiledGuideline, uses: Uses): string {
  const { title, edition, version } = files.guideline;
  return [
    `# ${title.da} / ${title.en}`,
    '',
    'Generated from the knowledge folder by `npm run trace`; not edited by hand. / Dannet ud fra videnmappen med `npm run trace`; rettes ikke i hånden.',
    '',
    `${edition} · ${version} · [Dansk](#${anchorOf(headings.title.da)}) · [English](#${anchorOf(headings.title.en)})`,
    '',
    ...(['da', 'en'] as const).flatMap((language) => renderLanguage(files, guideline, uses, language)),
  ].join('\n');
}

function renderLanguage(files: KnowledgeFiles, guideline: CompiledGuideline, uses: Uses, language: Language): string[] {
  const linkTo = (fact: string, says: string): string => `[${says}](#${language}-${fact.toLowerCase()})`;
  const words = findWords(guideline, language, linkTo);
  const reached = [...guideline.facts.keys()].filter((fact) => uses.reachedFacts.has(fact));
  return [
    `## ${headings.title[language]}`,
    '',
    ...[...guideline.rules.values()].flatMap((rule) => [
      `### ${rule.id} ${rule.title[language]}`,
      '',
      ...describeRule(rule, guideline, uses, words, language),
      '',
    ]),
    `### ${headings.glossary[language]}`,
    '',
    ...reached.map((fact) => {
      const codes = countCodes(files, uses.conceptsOfFact.get(fact) ?? new Set());
      const coded = codes === 0 ? '' : ` (${codes} ${headings[codes === 1 ? 'code' : 'codes'][language]})`;
      return `- <a id="${language}-${fact.toLowerCase()}"></a>**${words.saysOf(fact)}** \`${fact}\`: ${words.ofFact(fact)}${coded}`;
    }),
    '',
    `### ${headings.panels[language]}`,
    '',
    ...Object.entries(files.guideline.panels).map(
      ([panel, lines]) => `- \`${panel}\`: ${Object.keys(lines).map(words.labelOf).join(', ')}`,
    ),
    '',
  ];
}

/** Describes one rule as lines of Markdown: sections, conditions, numbers, cards. */
export function describeRule(
  rule: CompiledRule,
  guideline: CompiledGuideline,
  uses: Uses,
  words: PlainWords,
  language: Language,
): string[] {
  const say = (heading: keyof typeof headings): string => headings[heading][language];
  const parameters = parametersOf(rule, guideline, uses);
  const cards = rule.cards.flatMap((card) => {
    const topic = guideline.texts[language].topics[card.topic] ?? card.topic;
    const destination = card.pathway === undefined ? '' : `: ${words.pathwayOf(card.pathway)}`;
    const guard = card.if === undefined ? '' : ` (${say('only')} ${words.ofExpression(card.if.text)})`;
    return [
      `- **${say('card')}** “${topic}”, ${card.indicator}${destination}${guard}`,
      ...card.indicatorWhen.map(
        ({ if: condition, value }) => `  - ${value} ${say('only')} ${words.ofExpression(condition.text)}`,
      ),
      ...card.suggest.map(({ label, refer, order, unless }) => {
        const orders = typeof order === 'string' ? [words.ofExpression(`%${order}`)] : (order ?? []).map(words.labelOf);
        const what = [
          refer === undefined ? '' : `${say('refer')} ${words.pathwayOf(refer)}`,
          orders.length === 0 ? '' : `${say('order')} ${orders.join(', ')}`,
        ].filter(Boolean);
        const exception = unless === undefined ? '' : `; ${say('unless')} ${words.ofExpression(unless.text)}`;
        return `  - ${say('suggests')}: ${guideline.texts[language].suggestions[label] ?? label}${what.length === 0 ? '' : ` (${what.join('; ')})`}${exception}`;
      }),
      ...card.withhold.map(
        ({ if: condition, value }) => `  - ${say('withheld')} ${words.ofExpression(condition.text)} (\`${value}\`)`,
      ),
    ];
  });
  return [
    `${say('sections')}: ${rule.sections.join(', ')}${rule.ledger.length === 0 ? '' : ` · ${say('ledger')}: ${rule.ledger.join(', ')}`}`,
    '',
    `**${say('when')}**`,
    '',
    ...rule.when.map(({ expression, reason }, index) =>
      [
        `${index + 1}. ${words.ofExpression(expression.text)}${reason === undefined ? '' : ` (${say('reason')}: \`${reason}\`)`}  `,
        `   \`${expression.text.replaceAll(/\s+/g, ' ').trim()}\``,
      ].join('\n'),
    ),
    '',
    ...(parameters.length === 0 ? [] : [`**${say('numbers')}**: ${parameters.map(words.ofParameter).join(', ')}`, '']),
    ...(cards.length === 0 ? [say('noCard')] : cards),
    ...(rule.ask === undefined ? [] : [`- ${say('asks')} ${words.ofExpression(rule.ask.if.text)}`]),
  ];
}

/** The parameters that the conditions of a rule, or the facts they name, use themselves; in the order of guideline.yaml. */
function parametersOf(rule: CompiledRule, guideline: CompiledGuideline, uses: Uses): string[] {
  const used = new Set<string>(rule.when.flatMap(({ expression }) => expression.names));
  for (const name of uses.factsOfConditions.get(rule.id) ?? []) {
    const fact = guideline.facts.get(name);
    if (fact?.form === 'selection') {
      const { within, atLeast, earlier } = fact.definition;
      for (const parameter of [within, atLeast, earlier?.olderThan, earlier?.within])
        if (parameter) used.add(parameter);
      for (const each of fact.where?.names ?? []) used.add(each);
    }
    if (fact?.form === 'derived') for (const each of fact.is.names) used.add(each);
    if (fact?.form === 'value') for (const each of fact.value.names) used.add(each);
  }
  return Object.keys(guideline.head.parameters).filter((name) => used.has(name));
}

function anchorOf(heading: string): string {
  return heading.toLowerCase().replaceAll(' ', '-');
}
