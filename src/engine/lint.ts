import type { Condition } from './concepts.ts';
import type { Expression } from './expression.ts';
import type { CompiledFact, CompiledGuideline, KnowledgeFiles, Language } from './guideline.ts';
import searchParameters from './r4-search-parameters.json' with { type: 'json' };
import { canHold, type Domains, type Formula, type Target } from './satisfy.ts';
import { nodesOf, printSyntax, readSyntax, type Syntax } from './syntax.ts';
import { type Reading, readingKinds } from './types.ts';

/** Called with the place (`rules MAS-02.when.1`) and what is wrong there. */
export type ReportMistake = (place: string, what: string) => void;

/**
 * Finds what compiles and is still wrong: conditions that can never hold or never fail, words and codes that can never match,
 * one code with two meanings, placeholders that stay empty, and searches that FHIR R4 does not have.
 *
 * Only what can be decided is reported: facts over readings count as independent of each other.
 */
export function lintGuideline(files: KnowledgeFiles, guideline: CompiledGuideline, mistake: ReportMistake): void {
  lintConditions(guideline, mistake);
  lintTruths(guideline, mistake);
  lintChoices(files, mistake);
  lintWords(guideline, mistake);
  lintSharedCodes(files.concepts.conditions, mistake);
  lintPlaceholders(files, mistake);
  lintPrefetch(files, mistake);
}

// ---- Conditions that are constant, contradict each other or are never reached

function lintConditions(guideline: CompiledGuideline, mistake: ReportMistake): void {
  const domains = domainsOf(guideline);
  const formula = ({ text }: Expression): Formula => toFormula(text, guideline);
  const truths = (formulas: readonly Formula[]): Target[] => formulas.map((each) => ({ formula: each, value: true }));
  const reaches = (targets: readonly Target[]): boolean => canHold(targets, domains);

  for (const fact of guideline.facts.values()) {
    const place = `facts.yaml ${fact.name}`;
    if (fact.form === 'selection' && fact.where !== undefined) {
      const read = new Map(domains).set('kind', fact.definition.read);
      if (fact.concepts.length > 0) read.set('concept', fact.concepts);
      const where = formula(fact.where);
      // With `{}` a fact may be meant to be false or unknown only.
      if (!canHold(truths([where]), read) && !fact.where.text.includes('{}'))
        mistake(`${place}.where`, 'matches no reading: its parts exclude each other');
      else if (!canFail(where, fact.where, read)) mistake(`${place}.where`, 'matches every reading: leave it out');
    } else if (fact.form === 'derived') {
      const is = formula(fact.is);
      if (!reaches(truths([is])) && !fact.is.text.includes('{}'))
        mistake(`${place}.is`, 'is never true: its parts exclude each other');
      else if (!canFail(is, fact.is, domains)) mistake(`${place}.is`, 'is never false');
    }
  }

  for (const rule of guideline.rules.values()) {
    const place = `rules ${rule.id}`;
    const when = rule.when.map(({ expression }) => formula(expression));
    let isMet = true;
    for (const [index, condition] of rule.when.entries()) {
      const at = `${place}.when.${index}`;
      const one = when[index];
      if (one === undefined) continue;
      const before = truths(when.slice(0, index));
      if (!reaches(truths([one]))) mistake(at, `${condition.expression.text} can never hold`);
      else if (!canFail(one, condition.expression, domains)) {
        mistake(at, `${condition.expression.text} can never fail: it excludes nobody`);
      } else if (isMet && !reaches([...before, { formula: one, value: true }])) {
        mistake(at, `${condition.expression.text} contradicts the conditions before it: the rule can never be met`);
      } else if (isMet && index > 0 && !reaches([...before, { formula: one, value: true, exactly: false }])) {
        mistake(at, `${condition.expression.text} already follows from the conditions before it`);
      }
      isMet &&= reaches([...before, { formula: one, value: true }]);
    }
    if (!isMet) continue;

    for (const [index, card] of rule.cards.entries()) {
      const at = rule.cards.length === 1 ? `${place}.card` : `${place}.card.${index}`;
      const met = truths(card.if === undefined ? when : [...when, formula(card.if)]);
      if (!reaches(met)) {
        mistake(`${at}.if`, `${card.if?.text} never holds where the rule is met`);
        continue;
      }
      for (const list of ['indicatorWhen', 'withhold'] as const) {
        const earlier: Target[] = [];
        for (const [position, { if: condition }] of card[list].entries()) {
          const guard = formula(condition);
          if (!reaches([...met, ...earlier, { formula: guard, value: true }])) {
            mistake(`${at}.${list}.${position}`, `${condition.text} is never reached where the rule is met`);
          }
          earlier.push({ formula: guard, value: true, exactly: false });
        }
      }
      const guarded = card.missing.filter((entry) => typeof entry !== 'string');
      for (const { if: condition } of [...card.notes, ...guarded]) {
        if (!reaches([...met, { formula: formula(condition), value: true }])) {
          mistake(at, `${condition.text} never holds where the rule is met`);
        }
      }
      for (const { label, unless } of card.suggest) {
        if (unless !== undefined && !reaches([...met, { formula: formula(unless), value: false }])) {
          mistake(at, `the suggestion ${label} is never made: ${unless.text} always holds where the rule is met`);
        }
      }
    }

    if (rule.ask !== undefined) {
      const asked = [
        { formula: formula(rule.ask.if), value: true },
        { formula: when.reduce((left, right) => ({ op: 'and', left, right })), value: null },
      ];
      if (!reaches(asked)) mistake(`${place}.ask`, `${rule.ask.if.text} never holds where the rule is unknown`);
      else {
        for (const { if: condition, value } of rule.ask.missing) {
          if (!reaches([...asked, { formula: formula(condition), value: true }])) {
            mistake(`${place}.ask`, `${value} is never asked for: ${condition.text} does not hold where the rule asks`);
          }
        }
      }
    }
  }

  for (const [index, gate] of guideline.gates.entries()) {
    if (!reaches(truths([formula(gate.if)]))) mistake(`guideline.yaml gates.${index}`, `${gate.if.text} never holds`);
  }
  for (const caution of guideline.cautions) {
    const never = [...caution.rules].filter((id) => {
      const rule = guideline.rules.get(id);
      if (rule === undefined || rule.cards.length === 0) return false;
      return !reaches(truths([formula(caution.if), ...rule.when.map(({ expression }) => formula(expression))]));
    });
    if (never.length > 0) mistake(`cautions.yaml ${caution.id}`, `never applies where ${never.join(', ')} is met`);
  }
}

/** Whether it can be false. A `{}` in the text says that it is meant to be unknown at times. */
function canFail(formula: Formula, { text }: Expression, domains: Domains): boolean {
  if (text === 'true') return false;
  return canHold([{ formula, value: false }], domains) || text.includes('{}');
}

function domainsOf(guideline: CompiledGuideline): Map<string, readonly string[]> {
  const domains = new Map<string, readonly string[]>([['%sex', wordsOfSex]]);
  for (const { id, options } of guideline.ledger) {
    domains.set(
      `%${id}`,
      options.map(({ key }) => key),
    );
  }
  return domains;
}

function toFormula(text: string, guideline: CompiledGuideline, open: readonly string[] = []): Formula {
  const syntax = readSyntax(text);
  return syntax === undefined ? { op: 'atom', key: text } : formulaOf(syntax, guideline, open);
}

/** `open`: the facts being read, since a fact that depends on itself is reported elsewhere. */
function formulaOf(syntax: Syntax, guideline: CompiledGuideline, open: readonly string[]): Formula {
  const of = (part: Syntax): Formula => formulaOf(part, guideline, open);
  switch (syntax.kind) {
    case 'nothing':
      return { op: 'constant', value: null };
    case 'literal':
      return syntax.text === 'true' || syntax.text === 'false'
        ? { op: 'constant', value: syntax.text === 'true' }
        : opaque(syntax);
    case 'name': {
      const fact = guideline.facts.get(syntax.name);
      if (fact?.form !== 'derived' || open.includes(fact.name)) return opaque(syntax);
      const is = toFormula(fact.is.text, guideline, [...open, fact.name]);
      return fact.unknownAs === undefined ? is : { op: 'default', of: is, value: fact.unknownAs };
    }
    case 'call': {
      const [test, whenTrue, otherwise] = syntax.given;
      if (syntax.called === 'not' && syntax.of) return { op: 'not', of: of(syntax.of) };
      if (syntax.called === 'iif' && test && whenTrue) {
        return {
          op: 'if',
          test: of(test),
          whenTrue: of(whenTrue),
          otherwise: otherwise ? of(otherwise) : { op: 'constant', value: null },
        };
      }
      if (syntax.called === 'exists' && syntax.of && syntax.given.length === 0) return existence(syntax.of);
      if (syntax.called === 'empty' && syntax.of) return { op: 'not', of: existence(syntax.of) };
      return opaque(syntax);
    }
    case 'operation':
      return formulaOfOperation(syntax);
    default:
      return opaque(syntax);
  }

  function existence(owner: Syntax): Formula {
    if (owner.kind === 'name' && isTruth(guideline.facts.get(owner.name))) return { op: 'known', of: of(owner) };
    return opaque({ kind: 'call', called: 'exists', of: owner, given: [] });
  }

  function formulaOfOperation({ operator, left, right }: Syntax & { kind: 'operation' }): Formula {
    if (operator === 'and' || operator === 'or') return { op: operator, left: of(left), right: of(right) };
    const term = printSyntax(left);
    const bound = boundOf(right, guideline);
    if (operator === '=' && bound !== undefined) return compare(term, '=', bound);
    if (operator === '!=' && bound !== undefined) return { op: 'not', of: compare(term, '=', bound) };
    if (operator === 'in') {
      const bounds = itemsOf(right).map((item) => boundOf(item, guideline));
      if (bounds.every((item) => item !== undefined)) {
        const [first, ...others] = bounds.map((item) => compare(term, '=', item));
        if (first) return others.reduce<Formula>((all, one) => ({ op: 'or', left: all, right: one }), first);
      }
    }
    const other = bound ?? printSyntax(right);
    if (operator === '<' || operator === '<=') return compare(term, operator, other);
    if (operator === '>') return { op: 'not', of: compare(term, '<=', other) };
    if (operator === '>=') return { op: 'not', of: compare(term, '<', other) };
    return opaque({ kind: 'operation', operator, left, right });
  }
}

function compare(of: string, relation: '=' | '<' | '<=', bound: string | number): Formula {
  return { op: 'atom', key: `${of} ${relation} ${bound}`, of, relation, bound };
}

function opaque(syntax: Syntax): Formula {
  return { op: 'atom', key: printSyntax(syntax) };
}

/** The value of a parameter or a literal. */
function boundOf(syntax: Syntax, guideline: CompiledGuideline): string | number | undefined {
  if (syntax.kind === 'name') return guideline.head.parameters[syntax.name]?.value;
  if (syntax.kind !== 'literal') return undefined;
  return syntax.text.startsWith("'") ? wordOf(syntax.text) : Number(syntax.text);
}

function isTruth(fact: CompiledFact | undefined): boolean {
  if (fact?.form === 'derived' || fact?.form === 'outcome') return true;
  if (fact?.form !== 'selection') return false;
  const { collect, newest, panel, atLeast } = fact.definition;
  return collect === undefined && newest === undefined && (panel === undefined || atLeast !== undefined);
}

// ---- Lists where a truth is asked for

/** A list is no truth: with one item it would count as true, with two it would fail. */
function lintTruths(guideline: CompiledGuideline, mistake: ReportMistake): void {
  for (const [place, { text }] of expressionsOf(guideline)) {
    const syntax = readSyntax(text);
    if (syntax === undefined || place.endsWith('.value')) continue;
    for (const name of listsAsTruths(syntax, guideline)) {
      mistake(place, `%${name} is a list and no truth: ask %${name}.exists() or what it contains`);
    }
  }
}

function* listsAsTruths(syntax: Syntax, guideline: CompiledGuideline): Generator<string> {
  if (syntax.kind === 'name') {
    const fact = guideline.facts.get(syntax.name);
    if (fact !== undefined && !isTruth(fact)) yield syntax.name;
  } else if (syntax.kind === 'operation' && (syntax.operator === 'and' || syntax.operator === 'or')) {
    yield* listsAsTruths(syntax.left, guideline);
    yield* listsAsTruths(syntax.right, guideline);
  } else if (syntax.kind === 'call' && syntax.called === 'not' && syntax.of) {
    yield* listsAsTruths(syntax.of, guideline);
  } else if (syntax.kind === 'call' && syntax.called === 'iif') {
    for (const given of syntax.given) yield* listsAsTruths(given, guideline);
  }
}

// ---- Numbers that stand in two places

/** The number a chosen option sets is the one guideline.yaml shows. */
function lintChoices({ ledger, guideline }: KnowledgeFiles, mistake: ReportMistake): void {
  for (const { id, options, default: chosen } of ledger) {
    for (const [name, value] of Object.entries(options.find(({ key }) => key === chosen)?.set ?? {})) {
      const shown = guideline.parameters[name]?.value;
      if (shown !== undefined && shown !== value) {
        mistake(`ledger.yaml ${id}`, `the option chosen sets ${name} to ${value}, guideline.yaml says ${shown}`);
      }
    }
  }
}

// ---- Words that a member can never have

const wordsOfSex = ['female', 'male'];
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

function lintWords(guideline: CompiledGuideline, mistake: ReportMistake): void {
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
function itemsOf(syntax: Syntax): Syntax[] {
  return syntax.kind === 'operation' && syntax.operator === '|'
    ? [...itemsOf(syntax.left), ...itemsOf(syntax.right)]
    : [syntax];
}

function wordOf(literal: string): string {
  return literal.slice(1, -1);
}

function listSome(words: readonly string[]): string {
  return words.length <= 12 ? words.join(', ') : `${words.slice(0, 12).join(', ')} …`;
}

/** Every expression of a guideline with its place; the fact where it reads readings. */
function* expressionsOf(guideline: CompiledGuideline): Generator<[string, Expression, CompiledFact?]> {
  for (const fact of guideline.facts.values()) {
    const place = `facts.yaml ${fact.name}`;
    if (fact.form === 'selection' && fact.where) yield [`${place}.where`, fact.where, fact];
    if (fact.form === 'derived') yield [`${place}.is`, fact.is];
    if (fact.form === 'value') yield [`${place}.value`, fact.value];
  }
  for (const rule of guideline.rules.values()) {
    for (const expression of expressionsIn(rule)) yield [`rules ${rule.id}`, expression];
  }
  for (const service of guideline.services.values()) {
    for (const expression of expressionsIn(service)) yield [`guideline.yaml services.${service.id}`, expression];
  }
  for (const [index, gate] of guideline.gates.entries()) yield [`guideline.yaml gates.${index}`, gate.if];
  for (const caution of guideline.cautions) yield [`cautions.yaml ${caution.id}`, caution.if];
}

function* expressionsIn(part: unknown): Generator<Expression> {
  if (typeof part !== 'object' || part === null) return;
  if ('evaluate' in part) yield part as Expression;
  else for (const inner of Object.values(part)) yield* expressionsIn(inner);
}

// ---- One code, two meanings

function lintSharedCodes(conditions: readonly Condition[], mistake: ReportMistake): void {
  const ids = new Set(conditions.map(({ id }) => id));
  for (const { id, sharesCodesWith = [] } of conditions) {
    for (const other of sharesCodesWith) {
      if (!ids.has(other))
        mistake(`concepts ${id}.sharesCodesWith`, `${id} shares codes with ${other}, which does not exist`);
    }
  }
  const shares = new Set(
    conditions.flatMap(({ id, sharesCodesWith = [] }) =>
      sharesCodesWith.flatMap((other) => [`${id} ${other}`, `${other} ${id}`]),
    ),
  );
  const spans = conditions
    .filter(({ umbrella }) => umbrella === undefined)
    .flatMap(({ id, codes = {} }) =>
      Object.entries(codes).flatMap(([system, list]) => list.map((code) => ({ id, code, ...spanOf(system, code) }))),
    )
    .sort((a, b) => (a.first < b.first ? -1 : 1));
  for (const [at, one] of spans.entries()) {
    for (let next = at + 1; next < spans.length; next += 1) {
      const other = spans[next];
      if (other === undefined || other.first > one.last) break;
      if (one.id === other.id || shares.has(`${one.id} ${other.id}`)) continue;
      mistake(
        `concepts ${other.id}.codes`,
        `${other.code} is an exact code of ${one.id} (${one.code}) too: make it broader in one of them, or declare it with sharesCodesWith`,
      );
    }
  }
}

/** First and last text that a code, `A*` or `A-B*` of a system covers. */
function spanOf(system: string, code: string): { first: string; last: string } {
  if (!code.endsWith('*')) return { first: `${system} ${code}`, last: `${system} ${code}` };
  const [first = '', last = first] = code.slice(0, -1).split(/(?<=[A-Z]\d\d)-/);
  return { first: `${system} ${first}`, last: `${system} ${last}\uffff` };
}

// ---- Texts

const plainPlaceholders = new Set(['missing', 'missingCount', 'pathway']);
const factPlaceholders = new Set(['list', 'newest', 'oldest', 'readings', 'value']);

/** Labels that have one of their own. */
const labelPlaceholders: Readonly<Record<string, string>> = { notAssessed: '{count}', onset: '{days}' };

/** The placeholders of a text, each as written between the braces. */
export function placeholdersOf(text: string): string[] {
  return [...text.matchAll(/\{([^{}]*)\}/g)].map(([, inside = '']) => inside);
}

function lintPlaceholders(files: KnowledgeFiles, mistake: ReportMistake): void {
  for (const language of ['da', 'en'] satisfies Language[]) {
    const { rules, notes, cautions, labels, ...fixed } = files.texts[language];
    const lint = (place: string, text: string | undefined, isFilled: boolean): void => {
      for (const inside of placeholdersOf(text ?? '')) {
        const [what = '', name] = inside.split(':');
        const at = `texts/${language}.yaml ${place}`;
        if (!isFilled) mistake(at, `{${inside}} is not filled here`);
        else if (name === undefined ? !plainPlaceholders.has(what) : !factPlaceholders.has(what)) {
          mistake(
            at,
            `{${inside}} is no placeholder: {missing}, {missingCount}, {pathway}, {list:fact}, {readings:fact}, {value:fact}, {newest:fact}, {oldest:fact}`,
          );
        } else if (name !== undefined && !(name in files.facts)) {
          mistake(at, `{${inside}} names fact ${name}, which is not declared in facts.yaml`);
        }
      }
    };
    for (const [id, { summary, detail, ask }] of Object.entries(rules)) {
      lint(`rules.${id}.summary`, summary, true);
      lint(`rules.${id}.detail`, detail, true);
      lint(`rules.${id}.ask`, ask, true);
    }
    for (const [id, text] of Object.entries(notes)) lint(`notes.${id}`, text, true);
    for (const [id, text] of Object.entries(cautions)) lint(`cautions.${id}`, text, true);
    for (const [id, text] of Object.entries(labels)) {
      lint(`labels.${id}`, text.replace(labelPlaceholders[id] ?? '', ''), false);
    }
    for (const part of ['topics', 'suggestions', 'missing'] as const) {
      for (const [id, text] of Object.entries(fixed[part])) lint(`${part}.${id}`, text, false);
    }
  }
}

// ---- Prefetch templates

/** What every hook marks as a prefetch token (CDS Hooks 2.0.1, hook tables). */
const tokens = new Set([
  'context.patientId',
  'context.encounterId',
  'context.userId',
  'userPractitionerId',
  'userPractitionerRoleId',
  'userPatientId',
  'userRelatedPersonId',
]);
const typesOfParameters: Readonly<Record<string, string>> = searchParameters;

/** CDS Hooks 2.0.1, "Prefetch query restrictions": read, or search by reference, token or date, with _count and _sort. */
function lintPrefetch({ guideline }: KnowledgeFiles, mistake: ReportMistake): void {
  for (const [key, { template }] of Object.entries(guideline.prefetch)) {
    const at = `guideline.yaml prefetch.${key}.template`;
    for (const [, token = ''] of template.matchAll(/\{\{([^}]*)\}\}/g)) {
      if (!tokens.has(token)) mistake(at, `{{${token}}} is no prefetch token of CDS Hooks 2.0.1`);
    }
    const [path = '', query = ''] = template.split('?');
    const [type = ''] = path.split('/');
    if (!(type in typesOfParameters)) {
      mistake(at, `${type} is no resource type of FHIR R4`);
      continue;
    }
    const known = new Set([...(typesOfParameters[type] ?? '').split(' '), '_id', '_lastUpdated']);
    const names: string[] = [];
    for (const [name = '', value = ''] of query
      .split('&')
      .filter(Boolean)
      .map((part) => part.split('='))) {
      if (names.includes(name)) mistake(at, `${name} stands twice`);
      names.push(name);
      if (name === '_sort') {
        for (const sort of value.split(',').map((each) => each.replace(/^-/, ''))) {
          if (!known.has(sort))
            mistake(at, `${type} cannot be sorted by ${sort}: no reference, token or date parameter of FHIR R4`);
        }
      } else if (name !== '_count' && !known.has(name.replace(/:in$/, ''))) {
        mistake(at, `${type} cannot be searched by ${name}: no reference, token or date parameter of FHIR R4`);
      }
    }
  }
}
