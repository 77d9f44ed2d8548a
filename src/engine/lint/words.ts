import type { Expression } from '../expression.ts';
import type { CompiledFact, CompiledGuideline, ReportMistake } from '../guideline.ts';
import { nodesOf, readSyntax, type Syntax } from '../syntax.ts';
import { type Reading, readingKinds } from '../types.ts';
import { expressionsOf } from './expressions.ts';

export const wordsOfSex = ['female', 'male'];
const contentParts = ['symptoms', 'rationale', 'patient-informed', 'consent', 'telephone'];

/** The words a reading can hold, as far as they are a closed list (types.ts). */
export const readingWords: Partial<Record<keyof Reading, readonly string[]>> = {
  kind: readingKinds,
  abnormal: ['low', 'high', 'yes', 'no'],
  certainty: ['confirmed', 'suspected'],
  origin: ['imaging', 'examination', 'pathology', 'problem-list'],
  side: ['left', 'right', 'both'],
  count: ['solitary', 'multiple'],
  role: ['start', 'closing', 'referral'],
  stage: ['A', 'B', 'X1', 'X2', 'X9'],
  specialties: ['neurology'],
  contentPresent: contentParts,
  contentAbsent: contentParts,
};

/** Words that a member can never have. */
export function lintWords(guideline: CompiledGuideline, mistake: ReportMistake): void {
  const pathways = new Set([...guideline.pathways.keys(), 'other-pathway']);
  const groups = guideline.concepts.analyses.flatMap(({ group }) => group ?? []);

  /** What the owner of a comparison can be; undefined: any text. */
  const wordsOf = (owner: Syntax, fact: CompiledFact | undefined): Iterable<string> | undefined => {
    if (owner.kind === 'call' && owner.of) return wordsOf(owner.of, fact);
    if (owner.kind === 'name') {
      if (owner.name === 'sex') return wordsOfSex;
      const entry = guideline.ledger.find(({ id }) => id === owner.name);
      if (entry) return entry.options.map(({ key }) => key);
      const named = guideline.facts.get(owner.name);
      const member = named?.form === 'selection' ? (named.definition.collect ?? named.definition.newest) : undefined;
      return member === undefined ? undefined : wordsOf({ kind: 'member', name: member }, named);
    }
    if (owner.kind !== 'member' || owner.of) return undefined;
    if (owner.name === 'sites') return guideline.siteLabels.keys();
    if (owner.name === 'group') return groups;
    if (owner.name === 'concept') {
      if (fact?.form === 'selection' && fact.concepts.length > 0) return fact.concepts;
      return [...guideline.labels.keys(), ...pathways];
    }
    return readingWords[owner.name as keyof Reading];
  };

  const lint = (place: string, { text }: Expression, fact?: CompiledFact): void => {
    const syntax = readSyntax(text);
    if (syntax === undefined) return;
    for (const node of nodesOf(syntax)) {
      const compared = comparisonOf(node);
      if (compared === undefined) continue;
      const words = wordsOf(compared.owner, fact);
      if (words === undefined) continue;
      const known = new Set(words);
      for (const item of compared.items) {
        if (item.kind !== 'literal' || !item.text.startsWith("'")) continue;
        const word = wordOf(item.text);
        if (!known.has(word)) mistake(place, `'${word}' is none of ${listSome([...known])}`);
      }
    }
  };
  for (const [place, expression, fact] of expressionsOf(guideline)) lint(place, expression, fact);
}

/** The two sides of what compares an owner with words: `=`, `in`, `contains`, `intersect()`. */
function comparisonOf(node: Syntax): { owner: Syntax; items: Syntax[] } | undefined {
  if (node.kind === 'operation' && ['=', '!=', 'in', 'contains'].includes(node.operator)) {
    return { owner: node.left, items: itemsOf(node.right) };
  }
  const [given] = node.kind === 'call' ? node.given : [];
  if (node.kind === 'call' && node.of && given && ['intersect', 'exclude'].includes(node.called)) {
    return { owner: node.of, items: itemsOf(given) };
  }
  return undefined;
}

/** `'a' | 'b'` -> both. */
export function itemsOf(syntax: Syntax): Syntax[] {
  return syntax.kind === 'operation' && syntax.operator === '|'
    ? [...itemsOf(syntax.left), ...itemsOf(syntax.right)]
    : [syntax];
}

export function wordOf(literal: string): string {
  return literal.slice(1, -1);
}

function listSome(words: readonly string[]): string {
  return words.length <= 12 ? words.join(', ') : `${words.slice(0, 12).join(', ')} …`;
}
