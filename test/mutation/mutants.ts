import { conceptsOfLine } from '../../src/engine/compile.ts';
import { compileExpression, type Expression } from '../../src/engine/expression.ts';
import type { CompiledCard, CompiledFact, CompiledGuideline, CompiledRule } from '../../src/engine/guideline.ts';
import { conjunctsOf, printSyntax, readSyntax, type Syntax } from '../../src/engine/syntax.ts';

/** The ways in which knowledge is changed. */
export type Change =
  | 'compare otherwise'
  | 'drop a part'
  | 'negate a part'
  | 'join otherwise'
  | 'take unknown for no'
  | 'drop a condition'
  | 'step a number'
  | 'drop a window'
  | 'swap a pathway'
  | 'change an indicator'
  | 'drop from a card'
  | 'drop a caution'
  | 'drop a gate'
  | 'drop precedence';

/** A guideline with one thing changed. */
export interface Mutant {
  change: Change;
  /** Where and what: `rules MAS-02 when 1: %a -> %b`. */
  name: string;
  /** The decisions and facts it changes, for the order in which cases are tried; a case that reads none of `facts` cannot notice it. */
  rules: readonly string[];
  facts: readonly string[] | undefined;
  guideline: CompiledGuideline;
}

/** Makes every mutant of a guideline, in an order that depends on the guideline alone. Compiled when asked for. */
export function* makeMutants(guideline: CompiledGuideline): Generator<Mutant> {
  yield* changeFacts(guideline);
  yield* changeRules(guideline);
  yield* changeNumbers(guideline);
  yield* changeRest(guideline);
}

function* changeFacts(guideline: CompiledGuideline): Generator<Mutant> {
  const mutant = (
    change: Change,
    names: readonly string[],
    what: string,
    edit: (fact: CompiledFact) => CompiledFact,
  ): Mutant => {
    const facts = new Map(guideline.facts);
    for (const name of names) {
      const fact = facts.get(name);
      if (fact !== undefined) facts.set(name, edit(fact));
    }
    return {
      change,
      name: `facts ${names.join(' ')}: ${what}`,
      rules: [],
      facts: names,
      guideline: { ...guideline, facts },
    };
  };
  // An expression that several facts share, by an anchor, is one expression: it is changed in all of them.
  const sharers = new Map<string, string[]>();
  for (const fact of guideline.facts.values()) {
    if (fact.form !== 'selection' || fact.where === undefined) continue;
    sharers.set(fact.where.text, [...(sharers.get(fact.where.text) ?? []), fact.name]);
  }
  for (const fact of guideline.facts.values()) {
    if (fact.form === 'derived') {
      for (const { change, what, text } of changeExpression(fact.is)) {
        yield mutant(change, [fact.name], what, (each) => ({ ...each, is: compile(text) }));
      }
    } else if (fact.form === 'value') {
      for (const { change, what, text } of changeExpression(fact.value)) {
        yield mutant(change, [fact.name], what, (each) => ({ ...each, value: compile(text) }));
      }
    } else if (fact.form === 'selection') {
      const names = sharers.get(fact.where?.text ?? '') ?? [];
      if (fact.where !== undefined && names[0] === fact.name) {
        for (const { change, what, text } of changeExpression(fact.where)) {
          const where = compile(text);
          yield mutant(change, names, what, (each) => ({ ...each, where }));
        }
      }
      const { within, ...definition } = fact.definition;
      if (within !== undefined) {
        yield mutant(
          'drop a window',
          [fact.name],
          `any age, not ${within}`,
          (each) => ({ ...each, definition }) as CompiledFact,
        );
      }
    }
  }
}

function* changeRules(guideline: CompiledGuideline): Generator<Mutant> {
  const destinations = [
    ...new Set([...guideline.rules.values()].flatMap(({ cards }) => cards.flatMap(({ pathway }) => pathway ?? []))),
  ];
  for (const rule of guideline.rules.values()) {
    const mutant = (change: Change, what: string, changed: Partial<CompiledRule>): Mutant => ({
      change,
      name: `rules ${rule.id} ${what}`,
      rules: [rule.id],
      facts: undefined,
      guideline: { ...guideline, rules: new Map(guideline.rules).set(rule.id, { ...rule, ...changed }) },
    });
    for (const [index, condition] of rule.when.entries()) {
      const at = `when ${index}`;
      if (rule.when.length > 1) {
        yield mutant('drop a condition', `${at}: without ${tidy(condition.expression.text)}`, {
          when: rule.when.toSpliced(index, 1),
        });
      }
      for (const { change, what, text } of changeExpression(condition.expression)) {
        yield mutant(change, `${at}: ${what}`, {
          when: rule.when.with(index, { ...condition, expression: compile(text) }),
        });
      }
    }
    for (const [index, card] of rule.cards.entries()) {
      for (const { change, what, card: changed } of changeCard(card, destinations)) {
        const at = rule.cards.length === 1 ? 'card' : `card ${index}`;
        yield mutant(change, `${at}: ${what}`, { cards: rule.cards.with(index, changed) });
      }
    }
    if (rule.ask !== undefined) {
      const { ask: _, ...silent } = rule;
      yield {
        ...mutant('drop from a card', 'does not ask', {}),
        guideline: { ...guideline, rules: new Map(guideline.rules).set(rule.id, silent) },
      };
    }
  }
}

interface ChangedCard {
  change: Change;
  what: string;
  card: CompiledCard;
}

function* changeCard(card: CompiledCard, destinations: readonly string[]): Generator<ChangedCard> {
  if (card.pathway !== undefined) {
    const next = destinations[(destinations.indexOf(card.pathway) + 1) % destinations.length] ?? card.pathway;
    yield { change: 'swap a pathway', what: `${card.pathway} -> ${next}`, card: { ...card, pathway: next } };
  }
  const indicator = card.indicator === 'info' ? 'warning' : 'info';
  yield { change: 'change an indicator', what: `${card.indicator} -> ${indicator}`, card: { ...card, indicator } };
  if (card.contact) yield { change: 'drop from a card', what: 'without contact', card: { ...card, contact: false } };
  for (const member of ['withhold', 'indicatorWhen', 'suggest', 'missing'] as const) {
    for (const index of card[member].keys()) {
      yield {
        change: 'drop from a card',
        what: `without ${member} ${index}`,
        card: { ...card, [member]: card[member].filter((_, at) => at !== index) },
      };
    }
  }
  for (const [index, suggestion] of card.suggest.entries()) {
    const { unless, ...always } = suggestion;
    if (unless === undefined) continue;
    yield {
      change: 'drop from a card',
      what: `suggests ${suggestion.label} without exception`,
      card: { ...card, suggest: card.suggest.with(index, always) },
    };
    for (const { change, what, text } of changeExpression(unless)) {
      const changed = { ...suggestion, unless: compile(text) };
      yield {
        change,
        what: `suggests ${suggestion.label} unless ${what}`,
        card: { ...card, suggest: card.suggest.with(index, changed) },
      };
    }
  }
}

/** Each number one step up and one down: the smallest step of a case, a day, a year, a millimetre. */
function* changeNumbers(guideline: CompiledGuideline): Generator<Mutant> {
  for (const [name, parameter] of Object.entries(guideline.head.parameters)) {
    const facts = [...guideline.facts.values()]
      .filter((fact) => usesNumber(guideline, fact, name))
      .map((fact) => fact.name);
    const inRules = [...guideline.rules.values()].filter((rule) =>
      expressionsIn(rule).some(({ names }) => names.includes(name)),
    );
    const inRest = expressionsIn([guideline.gates, guideline.cautions]).some(({ names }) => names.includes(name));
    const step = Number.isInteger(parameter.value) ? 1 : parameter.value / 20;
    for (const value of [parameter.value + step, parameter.value - step]) {
      const parameters = { ...guideline.head.parameters, [name]: { ...parameter, value } };
      // The option chosen in the ledger may set the same number.
      const ledger = guideline.ledger.map((entry) => ({
        ...entry,
        options: entry.options.map((option) =>
          option.key === entry.default && option.set?.[name] !== undefined
            ? { ...option, set: { ...option.set, [name]: value } }
            : option,
        ),
      }));
      yield {
        change: 'step a number',
        name: `parameters ${name}: ${parameter.value} -> ${value}`,
        rules: inRules.map(({ id }) => id),
        facts: inRules.length > 0 || inRest ? undefined : facts,
        guideline: { ...guideline, ledger, head: { ...guideline.head, parameters } },
      };
    }
  }
}

function usesNumber(guideline: CompiledGuideline, fact: CompiledFact, name: string): boolean {
  if (fact.form === 'derived') return fact.is.names.includes(name);
  if (fact.form === 'value') return fact.value.names.includes(name);
  if (fact.form !== 'selection') return false;
  const { within, atLeast, earlier, panel } = fact.definition;
  const lines = Object.values(guideline.head.panels[panel ?? ''] ?? {});
  return (
    [within, atLeast, earlier?.olderThan, earlier?.within].includes(name) ||
    (fact.where?.names.includes(name) ?? false) ||
    lines.some((line) => line.atLeast?.count === name && conceptsOfLine(line).length > 0)
  );
}

function* changeRest(guideline: CompiledGuideline): Generator<Mutant> {
  for (const [index, caution] of guideline.cautions.entries()) {
    // What stands in the detail only is no part of a case; test/cds-services/cards.test.ts reads it.
    if (caution.toldOnly) continue;
    const base = { rules: [...caution.rules], facts: undefined };
    yield {
      ...base,
      change: 'drop a caution',
      name: `cautions ${caution.id}: without it`,
      guideline: { ...guideline, cautions: guideline.cautions.toSpliced(index, 1) },
    };
    for (const { change, what, text } of changeExpression(caution.if)) {
      const changed = { ...caution, if: compile(text) };
      yield {
        ...base,
        change,
        name: `cautions ${caution.id}: ${what}`,
        guideline: { ...guideline, cautions: guideline.cautions.with(index, changed) },
      };
    }
  }
  for (const [index, gate] of guideline.gates.entries()) {
    const base = { rules: [], facts: undefined };
    yield {
      ...base,
      change: 'drop a gate',
      name: `gates ${gate.reason}: without it`,
      guideline: { ...guideline, gates: guideline.gates.toSpliced(index, 1) },
    };
    for (const { change, what, text } of changeExpression(gate.if)) {
      const changed = { ...gate, if: compile(text) };
      yield {
        ...base,
        change,
        name: `gates ${gate.reason}: ${what}`,
        guideline: { ...guideline, gates: guideline.gates.with(index, changed) },
      };
    }
  }
  for (const [index, { by, withholds }] of guideline.precedence.entries()) {
    yield {
      change: 'drop precedence',
      name: `precedence: ${[...by].join(', ')} withholds nothing`,
      rules: [...withholds],
      facts: undefined,
      guideline: { ...guideline, precedence: guideline.precedence.toSpliced(index, 1) },
    };
    for (const id of withholds) {
      const fewer = new Set(withholds);
      fewer.delete(id);
      yield {
        change: 'drop precedence',
        name: `precedence: ${[...by].join(', ')} does not withhold ${id}`,
        rules: [id],
        facts: undefined,
        guideline: { ...guideline, precedence: guideline.precedence.with(index, { by, withholds: fewer }) },
      };
    }
  }
}

interface ChangedText {
  change: Change;
  what: string;
  text: string;
}

/** Every expression with one part changed. */
function* changeExpression({ text }: Expression): Generator<ChangedText> {
  const syntax = readSyntax(text);
  if (syntax === undefined) return;
  for (const { change, syntax: changed } of changeSyntax(syntax)) {
    const printed = printSyntax(changed);
    yield { change, what: `${tidy(text)} -> ${printed}`, text: printed };
  }
  for (const conjunct of conjunctsOf(syntax)) {
    const printed = printSyntax(replace(syntax, conjunct, negate(conjunct)));
    yield { change: 'negate a part', what: `${tidy(text)} -> ${printed}`, text: printed };
  }
}

const otherOperators: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>'],
  '<=': ['<', '>='],
  '>': ['>=', '<'],
  '>=': ['>', '<='],
  '=': ['!='],
  '!=': ['='],
};

interface ChangedSyntax {
  change: Change;
  syntax: Syntax;
}

function* changeSyntax(syntax: Syntax): Generator<ChangedSyntax> {
  const inside = function* (part: Syntax, rebuild: (changed: Syntax) => Syntax): Generator<ChangedSyntax> {
    for (const changed of changeSyntax(part)) yield { change: changed.change, syntax: rebuild(changed.syntax) };
  };
  switch (syntax.kind) {
    case 'nothing':
      yield { change: 'take unknown for no', syntax: { kind: 'literal', text: 'false' } };
      break;
    case 'operation': {
      const { operator, left, right } = syntax;
      for (const other of otherOperators[operator] ?? []) {
        yield { change: 'compare otherwise', syntax: { ...syntax, operator: other } };
      }
      if (operator === 'and' || operator === 'or') {
        yield { change: 'drop a part', syntax: left };
        yield { change: 'drop a part', syntax: right };
        yield { change: 'join otherwise', syntax: { ...syntax, operator: operator === 'and' ? 'or' : 'and' } };
      }
      if (operator === '|') {
        yield { change: 'drop a part', syntax: left };
        yield { change: 'drop a part', syntax: right };
      }
      yield* inside(left, (changed) => ({ ...syntax, left: changed }));
      yield* inside(right, (changed) => ({ ...syntax, right: changed }));
      break;
    }
    case 'call':
      if (syntax.of) yield* inside(syntax.of, (changed) => ({ ...syntax, of: changed }));
      for (const [index, given] of syntax.given.entries()) {
        yield* inside(given, (changed) => ({ ...syntax, given: syntax.given.with(index, changed) }));
      }
      break;
    default:
      break;
  }
}

function negate(syntax: Syntax): Syntax {
  if (syntax.kind === 'call' && syntax.called === 'not' && syntax.of) return syntax.of;
  return { kind: 'call', called: 'not', of: syntax, given: [] };
}

/** Puts one node of a chain of `and` in place of another. */
function replace(syntax: Syntax, old: Syntax, by: Syntax): Syntax {
  if (syntax === old) return by;
  if (syntax.kind !== 'operation' || syntax.operator !== 'and') return syntax;
  return { ...syntax, left: replace(syntax.left, old, by), right: replace(syntax.right, old, by) };
}

function compile(text: string): Expression {
  return compileExpression(text, (what) => {
    throw new Error(`${text}: ${what}`);
  });
}

function expressionsIn(part: unknown): Expression[] {
  if (typeof part !== 'object' || part === null) return [];
  return 'evaluate' in part ? [part as Expression] : Object.values(part).flatMap(expressionsIn);
}

function tidy(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
