import type { Expression } from '../expression.ts';
import type { CompiledFact, CompiledGuideline, ReportMistake } from '../guideline.ts';
import { canHold, type Domains, type Formula, type Target } from '../satisfy.ts';
import { printSyntax, readSyntax, type Syntax } from '../syntax.ts';
import { itemsOf, wordOf, wordsOfSex } from './words.ts';

/** Conditions that are constant, contradict each other or are never reached. */
export function lintConditions(guideline: CompiledGuideline, mistake: ReportMistake): void {
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

export function isTruth(fact: CompiledFact | undefined): boolean {
  if (fact?.form === 'derived' || fact?.form === 'outcome') return true;
  if (fact?.form !== 'selection') return false;
  const { collect, newest, panel, atLeast } = fact.definition;
  return collect === undefined && newest === undefined && (panel === undefined || atLeast !== undefined);
}
