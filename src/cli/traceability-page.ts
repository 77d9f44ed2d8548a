import type { CompiledGuideline, KnowledgeFiles } from '../engine/guideline.ts';
import type { KnowledgeFolder } from '../knowledge.ts';
import type { CaseSummary } from './cases.ts';
import type { Reserved } from './orphans.ts';
import { allFactsOf, type Uses } from './uses.ts';

/** Where the pages link to, from docs/. */
export interface Places {
  knowledge: string;
  cases: string;
}

/** Renders docs/traceability.md: from the sections of the guideline to decisions, facts, concepts, cases and the ledger. */
export function renderTraceability(
  { files, fileOfRule }: KnowledgeFolder,
  guideline: CompiledGuideline,
  uses: Uses,
  cases: readonly CaseSummary[],
  reserved: Reserved,
  places: Places,
): string {
  const { rules, ledger } = files;
  const { parameters, edition, version, title } = files.guideline;
  const link = (text: string, path: string): string => `[${text}](${path})`;
  const sections = [
    ...new Set([
      ...rules.flatMap((rule) => rule.sections),
      ...Object.values(parameters).flatMap(({ section }) => section ?? []),
    ]),
  ].sort(bySection);

  const sectionRows = sections.map((section) => [
    section,
    listOf(rules.filter((rule) => rule.sections.includes(section)).map(({ id }) => id)),
    listOf(
      Object.entries(parameters)
        .filter(([, parameter]) => parameter.section === section)
        .map(([name]) => `\`${name}\``),
    ),
    listOf(
      Object.entries(files.cautions)
        .filter(([, caution]) => caution.sections?.includes(section))
        .map(([id]) => `\`${id}\``),
    ),
  ]);

  const ruleRows = rules.map((rule) => {
    const file = fileOfRule.get(rule.id) ?? '';
    const direct = [...(uses.factsOfConditions.get(rule.id) ?? [])];
    const all = allFactsOf(uses, uses.factsOfRule.get(rule.id) ?? []);
    const concepts = new Set([...all].flatMap((fact) => [...(uses.conceptsOfFact.get(fact) ?? [])]));
    const own = cases.filter(({ outcomes }) => rule.id in outcomes);
    const caseFiles = [...new Set(own.filter(({ id }) => id.startsWith(rule.id)).map((each) => each.file))];
    const count = (outcome: string): number => own.filter(({ outcomes }) => outcomes[rule.id] === outcome).length;
    return [
      `**${rule.id}** ${rule.title.da} / ${rule.title.en}`,
      rule.sections.join(', '),
      link(file, `${places.knowledge}/${file}`),
      `${direct.map((fact) => `\`${fact}\``).join(', ')}${all.size > direct.length ? ` (${all.size} in all)` : ''}`,
      `${concepts.size} (${countCodes(files, concepts)} codes)`,
      `${count('met')} met, ${count('not-met')} not met, ${count('unknown')} unknown ${caseFiles.map((name) => link(name, `${places.cases}/${name}`)).join(', ')}`.trim(),
      listOf(rule.ledger ?? []),
    ];
  });

  const factRows = Object.keys(files.facts).map((fact) => {
    const concepts = [...(uses.conceptsOfFact.get(fact) ?? [])];
    const named = rules.filter(({ id }) => uses.factsOfRule.get(id)?.has(fact)).map(({ id }) => id);
    const inFacts = [...uses.factsOfFact].filter(([, made]) => made.has(fact)).length;
    return [
      `\`${fact}\``,
      concepts.length > 6 ? `${concepts.slice(0, 6).join(', ')} … (${concepts.length})` : listOf(concepts),
      listOf(named),
      [inFacts > 0 ? `${inFacts} facts` : '', uses.factsElsewhere.has(fact) ? 'cautions, gates or services' : '']
        .filter(Boolean)
        .join('; ') || '–',
    ];
  });

  const lists = files.concepts;
  const conceptRows = (['analyses', 'conditions', 'procedures', 'pathways', 'drugs', 'sites'] as const).map((list) => [
    link(`concepts/${list}.yaml`, `${places.knowledge}/concepts/${list}.yaml`),
    String(lists[list].length),
    String(countCodes(files, new Set(lists[list].map(({ id }) => id)), list)),
    String(
      list === 'pathways' || list === 'drugs' || list === 'sites'
        ? 0
        : lists[list].reduce((sum, { unverified = [] }) => sum + unverified.length, 0),
    ),
  ]);

  const ledgerRows = ledger.map((entry) => [
    `**${entry.id}** ${entry.question.en}`,
    entry.places.join('; '),
    `${entry.options.map(({ key }) => (key === entry.default ? `**${key}**` : key)).join(', ')}`,
    `\`${entry.override}\``,
    listOf([
      ...rules.filter((rule) => rule.ledger?.includes(entry.id)).map(({ id }) => id),
      ...Object.entries(parameters)
        .filter(([, parameter]) => parameter.ledger === entry.id)
        .map(([name]) => `\`${name}\``),
    ]),
  ]);

  const parameterRows = Object.entries(parameters).map(([name, { value, unit, section, ledger: id }]) => [
    `\`${name}\``,
    `${value} ${unit}`,
    section ?? '–',
    id ?? '–',
  ]);

  return [
    '# Traceability',
    '',
    `Generated from the knowledge folder and the cases by \`npm run trace\`; not edited by hand. ${title.en}, edition ${edition}, knowledge version ${version}: ${rules.length} decisions, ${guideline.facts.size} facts, ${cases.length} cases.`,
    '',
    '## Sections of the guideline',
    '',
    ...table(['Section', 'Decisions', 'Parameters', 'Cautions'], sectionRows),
    '## Decisions',
    '',
    'Facts: those the conditions name, and how many conditions and cards rest on in all. Concepts: those the facts select. Cases: every case that expects an outcome of the decision.',
    '',
    ...table(['Decision', 'Sections', 'Rule', 'Facts', 'Concepts', 'Cases', 'Ledger'], ruleRows),
    '## Facts',
    '',
    `From ${link('facts.yaml', `${places.knowledge}/facts.yaml`)}.`,
    '',
    ...table(['Fact', 'Concepts', 'Decisions that name it', 'Also part of'], factRows),
    '## Concepts',
    '',
    ...table(['File', 'Concepts', 'Codes', 'Unverified, never matched'], conceptRows),
    '## Parameters',
    '',
    ...table(['Parameter', 'Value', 'Section', 'Ledger'], parameterRows),
    '## Ledger of interpretation',
    '',
    ...table(['Entry', 'Places', 'Options (chosen)', 'Override', 'Cited by'], ledgerRows),
    ...(reserved.length === 0
      ? []
      : [
          '## In the folder without use',
          '',
          ...table(
            ['What', 'Which', 'Reason'],
            reserved.map(({ kind, ids, reason }) => [kind, ids.join(', '), reason]),
          ),
        ]),
  ].join('\n');
}

/** 3.2.2 before 3.10, "bilag" last. */
function bySection(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

function listOf(items: readonly string[]): string {
  return items.length === 0 ? '–' : items.join(', ');
}

/** Exact and broader codes of some concepts; of all lists, or of one. */
export function countCodes(
  { concepts }: KnowledgeFiles,
  ids: ReadonlySet<string>,
  list?: keyof KnowledgeFiles['concepts'],
): number {
  const counts: [keyof KnowledgeFiles['concepts'], string, number][] = [
    ...(['analyses', 'conditions', 'procedures'] as const).flatMap((name) =>
      concepts[name].map(
        ({ id, codes, broader }) => [name, id, sizeOf(codes) + sizeOf(broader)] as [typeof name, string, number],
      ),
    ),
    ...concepts.sites.map(({ id, codes }) => ['sites', id, sizeOf(codes)] as ['sites', string, number]),
    ...concepts.drugs.map(
      ({ id, atc, rxnorm = [] }) => ['drugs', id, atc.length + rxnorm.length] as ['drugs', string, number],
    ),
    ...concepts.pathways.map(
      ({ id, sksFamily }) => ['pathways', id, sksFamily === undefined ? 1 : 2] as ['pathways', string, number],
    ),
  ];
  return counts
    .filter(([name, id]) => ids.has(id) && (list === undefined ? name !== 'sites' : name === list))
    .reduce((sum, [, , count]) => sum + count, 0);
}

function sizeOf(codes: Readonly<Record<string, readonly string[]>> | undefined): number {
  return Object.values(codes ?? {}).flat().length;
}

/** A Markdown table and an empty line. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [row(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(row), ''];
}
