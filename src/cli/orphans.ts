import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';
import type { CompiledGuideline, KnowledgeFiles } from '../engine/guideline.ts';
import { readingWords } from '../engine/lint/words.ts';
import type { Reading } from '../engine/types.ts';
import { KnowledgeError } from '../errors.ts';
import type { CaseSummary } from './cases.ts';
import { allFactsOf, type Uses } from './uses.ts';

/** reserved.yaml: what stands in the folder without being used yet, with the reason. */
const reservedSchema = z.array(
  z.strictObject({
    kind: z.enum(['concept', 'fact', 'parameter', 'ledger', 'text', 'topic']),
    ids: z.array(z.string()).min(1),
    reason: z.string().min(1),
  }),
);
export type Reserved = z.infer<typeof reservedSchema>;
type Kind = Reserved[number]['kind'];

/** Something that nothing leads to, or that leads to nothing. */
export interface Orphan {
  kind: Kind | 'decision' | 'case' | 'reserved';
  id: string;
  why: string;
}

/** Reads reserved.yaml of a knowledge folder; a folder without it reserves nothing. */
export function readReserved(folder: string): Reserved {
  let text: string;
  try {
    text = readFileSync(join(folder, 'reserved.yaml'), 'utf8');
  } catch {
    return [];
  }
  const parsed = reservedSchema.safeParse(parse(text) ?? []);
  if (parsed.success) return parsed.data;
  throw new KnowledgeError(
    parsed.error.issues.map((issue) => `reserved.yaml ${issue.path.join('.')}: ${issue.message}`),
  );
}

/**
 * Finds what is used nowhere and what leads nowhere: decisions without a case, concepts and facts nothing reads, parameters,
 * ledger entries, options and texts without effect, and reserved things that are used after all or do not exist.
 */
export function findOrphans(
  files: KnowledgeFiles,
  guideline: CompiledGuideline,
  uses: Uses,
  cases: readonly CaseSummary[],
  reserved: Reserved,
): Orphan[] {
  const unused: Orphan[] = [
    ...unusedConcepts(files, uses),
    ...Object.keys(files.facts)
      .filter((fact) => !uses.reachedFacts.has(fact))
      .map((id) => ({ kind: 'fact' as const, id, why: 'no rule, card, caution, gate or explanation asks for it' })),
    ...Object.keys(files.guideline.parameters)
      .filter((parameter) => !uses.names.has(parameter))
      .map((id) => ({ kind: 'parameter' as const, id, why: 'no expression, window or panel uses it' })),
    ...unusedLedger(files, uses),
    ...unusedTexts(files, guideline, uses),
    ...Object.keys(files.guideline.topics)
      .filter((topic) => topic !== 'not-assessed' && !cardsOf(files).some((card) => card.topic === topic))
      .map((id) => ({ kind: 'topic' as const, id, why: 'no card has it' })),
  ];
  const isReserved = (kind: string, id: string): boolean =>
    reserved.some((entry) => entry.kind === kind && entry.ids.includes(id));
  const stale = reserved.flatMap(({ kind, ids }) =>
    ids
      .filter((id) => !unused.some((orphan) => orphan.kind === kind && orphan.id === id))
      .map((id) => ({ kind: 'reserved' as const, id, why: `the ${kind} is used, or does not exist` })),
  );
  return [...withoutCase(guideline, cases), ...unused.filter(({ kind, id }) => !isReserved(kind, id)), ...stale];
}

function withoutCase(guideline: CompiledGuideline, cases: readonly CaseSummary[]): Orphan[] {
  const shown = new Set(cases.flatMap(({ outcomes }) => Object.keys(outcomes)));
  return [
    ...[...guideline.rules.keys()]
      .filter((id) => !shown.has(id))
      .map((id) => ({ kind: 'decision' as const, id, why: 'no case shows it' })),
    ...[...shown]
      .filter((id) => !guideline.rules.has(id))
      .map((id) => ({ kind: 'case' as const, id, why: 'cases expect it, and no rule has this id' })),
  ];
}

function unusedConcepts({ concepts }: KnowledgeFiles, uses: Uses): Orphan[] {
  const used = new Set([...uses.conceptsOfRules, ...uses.words]);
  for (const fact of uses.reachedFacts) {
    for (const id of uses.conceptsOfFact.get(fact) ?? []) used.add(id);
  }
  for (const { id, parts = [] } of concepts.procedures) {
    if (used.has(id)) for (const part of parts.flat()) used.add(part);
  }
  const sites = usedSites(concepts, used);
  return [
    ...[...concepts.analyses, ...concepts.conditions, ...concepts.procedures, ...concepts.drugs, ...concepts.pathways]
      .filter(({ id }) => !used.has(id))
      .map(({ id }) => ({ kind: 'concept' as const, id, why: 'no fact, panel, suggestion or explanation uses it' })),
    ...concepts.sites
      .filter(({ id }) => !sites.has(id))
      .map(({ id }) => ({
        kind: 'concept' as const,
        id,
        why: 'no expression or concept names the site or its region',
      })),
  ];
}

/** Sites that an expression or a concept names, those within them and those they lie in. */
function usedSites(
  { sites, conditions, procedures }: KnowledgeFiles['concepts'],
  used: ReadonlySet<string>,
): Set<string> {
  const named = new Set([
    ...used,
    ...conditions.flatMap(({ site }) => site ?? []),
    ...procedures.flatMap(({ site, sites: regions = [] }) => (site === undefined ? regions : [...regions, site])),
  ]);
  const found = new Set<string>();
  for (const { id, within = [] } of sites) {
    if (named.has(id) || within.some((region) => named.has(region))) {
      found.add(id);
      for (const region of within) found.add(region);
    }
  }
  return found;
}

function unusedLedger({ ledger, rules, guideline }: KnowledgeFiles, uses: Uses): Orphan[] {
  const cited = new Set([
    ...rules.flatMap((rule) => rule.ledger ?? []),
    ...Object.values(guideline.parameters).flatMap((parameter) => parameter.ledger ?? []),
    ...uses.names,
  ]);
  return ledger.flatMap(({ id, options, default: preset }) => {
    if (!cited.has(id)) return [{ kind: 'ledger' as const, id, why: 'no rule, parameter or expression cites it' }];
    if (uses.names.has(id)) return [];
    return options
      .filter(({ key, set }) => key !== preset && set === undefined)
      .map(({ key }) => ({
        kind: 'ledger' as const,
        id: `${id} ${key}`,
        why: 'the option changes nothing: it sets no parameter, and no expression reads the entry',
      }));
  });
}

function cardsOf({ rules }: KnowledgeFiles) {
  return rules.flatMap(({ card }) => (card === undefined ? [] : Array.isArray(card) ? card : [card]));
}

function unusedTexts(files: KnowledgeFiles, guideline: CompiledGuideline, uses: Uses): Orphan[] {
  const cards = cardsOf(files);
  // What a card names as missing by a fact: the words its readings hold.
  const namedByFacts = [
    ...allFactsOf(
      uses,
      cards.flatMap((card) => (card.missing ?? []).filter((entry) => typeof entry === 'string')),
    ),
  ]
    .map((fact) => guideline.facts.get(fact))
    .flatMap((fact) => (fact?.form === 'selection' ? (fact.definition.collect ?? []) : []))
    .flatMap((member) => readingWords[member as keyof Reading] ?? []);
  const asked = files.rules.flatMap(({ ask }) => ask?.missing ?? []);
  const unread = [...guideline.facts.values()].flatMap((fact) => (fact.form === 'unread' ? fact.keys : []));
  const used: Record<'rules' | 'topics' | 'suggestions' | 'notes' | 'cautions' | 'missing', ReadonlySet<string>> = {
    rules: new Set(files.rules.filter(({ card }) => card !== undefined).map(({ id }) => id)),
    topics: new Set(Object.keys(files.guideline.topics)),
    suggestions: new Set(cards.flatMap((card) => (card.suggest ?? []).map(({ label }) => label))),
    notes: new Set(cards.flatMap((card) => (card.notes ?? []).map(({ text }) => text))),
    cautions: new Set(Object.keys(files.cautions)),
    missing: new Set([
      ...[...cards.flatMap((card) => card.missing ?? []), ...asked].flatMap((entry) =>
        typeof entry === 'string' ? [] : [entry.id],
      ),
      ...unread,
      ...namedByFacts,
    ]),
  };
  return Object.entries(used).flatMap(([part, keys]) =>
    Object.keys(files.texts.en[part as keyof typeof used])
      .filter((key) => !keys.has(key))
      .map((key) => ({ kind: 'text' as const, id: `${part}.${key}`, why: 'nothing shows it' })),
  );
}
