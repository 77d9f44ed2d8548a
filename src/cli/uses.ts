import { conceptsOfLine } from '../engine/compile.ts';
import type { CompiledGuideline, KnowledgeFiles } from '../engine/guideline.ts';
import { placeholdersOf } from '../engine/lint/texts.ts';
import { nodesOf, readSyntax } from '../engine/syntax.ts';

/** What each part of a guideline leads to, directly. */
export interface Uses {
  /** Facts named by a rule: its conditions, its cards, its question and its texts. */
  factsOfRule: ReadonlyMap<string, ReadonlySet<string>>;
  /** Facts named by the conditions of a rule alone. */
  factsOfConditions: ReadonlyMap<string, ReadonlySet<string>>;
  /** Facts that a fact is made of, what explains its concepts included. */
  factsOfFact: ReadonlyMap<string, ReadonlySet<string>>;
  /** Concepts that a fact selects. */
  conceptsOfFact: ReadonlyMap<string, ReadonlySet<string>>;
  /** Concepts, pathways and sites that rules name: suggestions, what is missing. */
  conceptsOfRules: ReadonlySet<string>;
  /** Facts that no rule alone names: cautions, gates, services. */
  factsElsewhere: ReadonlySet<string>;
  /** Every fact that a decision, a card or a caution can ask for. */
  reachedFacts: ReadonlySet<string>;
  /** Every `%name` and `'word'` of the expressions, and every parameter a fact, panel or ledger option names. */
  names: ReadonlySet<string>;
  words: ReadonlySet<string>;
}

/** Follows every reference of the knowledge folder. */
export function findUses(files: KnowledgeFiles, guideline: CompiledGuideline): Uses {
  const factNames = new Set(Object.keys(files.facts));
  const names = new Set<string>();
  const words = new Set<string>();

  /** The facts that the strings of a part name: whole (`evidence: [x]`) or in an expression (`%x`). */
  const factsIn = (part: unknown): Set<string> => {
    const found = new Set<string>();
    for (const text of stringsOf(part)) {
      if (factNames.has(text)) found.add(text);
      for (const [, name = ''] of text.matchAll(/%(\w+)/g)) {
        names.add(name);
        if (factNames.has(name)) found.add(name);
      }
      const syntax = text.includes("'") ? readSyntax(text) : undefined;
      if (syntax === undefined) continue;
      for (const node of nodesOf(syntax)) if (node.kind === 'literal') words.add(node.text.replaceAll("'", ''));
    }
    return found;
  };

  const factsOfFact = new Map<string, Set<string>>();
  const conceptsOfFact = new Map<string, Set<string>>();
  for (const [name, definition] of Object.entries(files.facts)) {
    const found = factsIn(definition);
    found.delete(name);
    const compiled = guideline.facts.get(name);
    const concepts = compiled?.form === 'selection' ? compiled.concepts : [];
    if (compiled?.form === 'selection') {
      const { within, atLeast, earlier, whole } = compiled.definition;
      for (const parameter of [within, atLeast, earlier?.olderThan, earlier?.within]) {
        if (parameter !== undefined) names.add(parameter);
      }
      if (compiled.where?.members.includes('explained')) {
        for (const concept of concepts) for (const fact of guideline.explainedBy.get(concept) ?? []) found.add(fact);
      }
      conceptsOfFact.set(name, new Set(whole === undefined ? concepts : [...concepts, whole]));
    }
    factsOfFact.set(name, found);
  }

  const factsOfRule = new Map<string, Set<string>>();
  const factsOfConditions = new Map<string, Set<string>>();
  const conceptsOfRules = new Set<string>();
  const known = new Set([
    ...guideline.labels.keys(),
    ...guideline.pathways.keys(),
    ...Object.values(files.guideline.panels).flatMap((panel) => Object.values(panel).flatMap(conceptsOfLine)),
  ]);
  for (const rule of files.rules) {
    const text = files.texts.en.rules[rule.id];
    const cards = rule.card === undefined ? [] : Array.isArray(rule.card) ? rule.card : [rule.card];
    const notes = cards.flatMap((card) => (card.notes ?? []).map((note) => files.texts.en.notes[note.text] ?? ''));
    const conditions = factsIn(rule.when);
    factsOfConditions.set(rule.id, conditions);
    factsOfRule.set(
      rule.id,
      new Set([...conditions, ...factsIn([rule.card, rule.ask]), ...factsInTexts([text, notes])]),
    );
    for (const id of stringsOf([rule.card, rule.ask])) if (known.has(id)) conceptsOfRules.add(id);
  }

  const factsElsewhere = factsIn([
    files.cautions,
    files.guideline.gates,
    files.guideline.services,
    files.guideline.standing,
  ]);
  for (const fact of factsInTexts(files.texts.en.cautions)) factsElsewhere.add(fact);
  for (const { count } of Object.values(files.guideline.panels).flatMap((panel) =>
    Object.values(panel).flatMap((line) => line.atLeast ?? []),
  )) {
    names.add(count);
  }

  const reachedFacts = new Set<string>();
  const reach = (fact: string): void => {
    if (reachedFacts.has(fact)) return;
    reachedFacts.add(fact);
    factsOfFact.get(fact)?.forEach(reach);
  };
  for (const facts of [...factsOfRule.values(), factsElsewhere]) facts.forEach(reach);

  return {
    factsOfRule,
    factsOfConditions,
    factsOfFact,
    conceptsOfFact,
    conceptsOfRules,
    factsElsewhere,
    reachedFacts,
    names,
    words,
  };

  function factsInTexts(texts: unknown): string[] {
    return [...stringsOf(texts)]
      .flatMap(placeholdersOf)
      .map((inside) => inside.split(':')[1] ?? '')
      .filter((name) => factNames.has(name));
  }
}

/** Every fact that some facts rest on, themselves included. */
export function allFactsOf(uses: Uses, facts: Iterable<string>): Set<string> {
  const found = new Set<string>();
  const visit = (fact: string): void => {
    if (found.has(fact)) return;
    found.add(fact);
    uses.factsOfFact.get(fact)?.forEach(visit);
  };
  for (const fact of facts) visit(fact);
  return found;
}

/** Members that name something for people or for texts, never a fact or a concept. */
const namingMembers = new Set(['label', 'reason', 'text', 'topic', 'indicator', 'registrationCode', 'says']);

function* stringsOf(part: unknown): Generator<string> {
  if (typeof part === 'string') yield part;
  else if (Array.isArray(part)) for (const item of part) yield* stringsOf(item);
  else if (typeof part === 'object' && part !== null) {
    for (const [member, value] of Object.entries(part)) if (!namingMembers.has(member)) yield* stringsOf(value);
  }
}
