import fhirpath from 'fhirpath';
import type { FhirResource } from '../../src/cli/fhir-artefact.ts';

/** What an interpreter of the exported plans knows of the patient at hand: the facts that are selections from the record. */
export interface Given {
  /** Parameters, ledger choices and patient members by name. */
  environment: Readonly<Record<string, unknown>>;
  /** A truth (`null`: unknown) or a list (`null`: not known) of a fact that the exported definition does not derive. */
  factOf(name: string): { truth: boolean | null } | { list: readonly unknown[] | null };
}

export interface Interpreted {
  outcome: 'met' | 'not-met' | 'unknown' | 'error';
  reason?: string;
}

interface Condition {
  extension?: { url: string; valueCode?: string }[];
  expression: { language: string; expression: string };
}
interface Action {
  id?: string;
  condition?: Condition[];
  action?: Action[];
  definitionCanonical?: string;
}
type Value = { truth: boolean | null } | { list: readonly unknown[] | null };
type Definition =
  | { is: string; unknownAs?: boolean }
  | { value: string }
  | { met: string[]; unknownAs?: boolean }
  | { read: string[] }
  | { without: string[] }
  | { unread: string[] };

/**
 * Decides what exported PlanDefinitions say, from their JSON and the Library's alone: shares no code with the engine.
 *
 * @returns By decision id.
 */
export function interpretPlans(
  plans: readonly FhirResource[],
  library: FhirResource,
  given: Given,
): ReadonlyMap<string, Interpreted> {
  const definitions = readDefinitions(library);
  const rules = new Map(
    plans.flatMap((plan) => (plan.action as Action[]).map((action) => [action.id ?? '', action] as const)),
  );
  const decided = new Map<string, Interpreted>();
  const values = new Map<string, Value>();

  const decide = (id: string): Interpreted => {
    const known = decided.get(id);
    if (known !== undefined) return known;
    const action = rules.get(id);
    if (action === undefined) throw new Error(`no plan decides ${id}`);
    let result: Interpreted = { outcome: 'met' };
    try {
      for (const { expression, extension = [] } of action.condition ?? []) {
        const truth = judge(expression.expression);
        if (truth === false) {
          const reason = extension.find(({ url }) => url.endsWith('/decision-reason'))?.valueCode;
          result = { outcome: 'not-met', ...(reason !== undefined && { reason }) };
          break;
        }
        if (truth === null) result = { outcome: 'unknown' };
      }
    } catch {
      result = { outcome: 'error' };
    }
    decided.set(id, result);
    return result;
  };

  const lookUp = (name: string): Value => {
    let value = values.get(name);
    if (value === undefined) {
      value = findValue(name);
      values.set(name, value);
    }
    return value;
  };

  const findValue = (name: string): Value => {
    if (Object.hasOwn(given.environment, name)) {
      const item = given.environment[name];
      return { list: Array.isArray(item) ? item : [item] };
    }
    const definition = definitions.get(name);
    if (definition === undefined) throw new Error(`the Library has no parameter ${name}`);
    if ('is' in definition) return { truth: judge(definition.is) ?? definition.unknownAs ?? null };
    if ('value' in definition) {
      return { list: evaluateOpen(definition.value) };
    }
    if ('met' in definition) {
      const outcomes = definition.met.map((id) => decide(id).outcome);
      if (outcomes.includes('met')) return { truth: true };
      const isOpen = outcomes.some((outcome) => outcome !== 'not-met');
      return { truth: isOpen ? (definition.unknownAs ?? null) : false };
    }
    return given.factOf(name);
  };

  /** Values of the names of an expression; null where it names a list that is not known. */
  const environmentOf = (expression: string): Record<string, unknown> | null => {
    const environment: Record<string, unknown> = {};
    for (const name of namesIn(expression)) {
      const value = lookUp(name);
      if ('truth' in value) environment[name] = value.truth === null ? [] : value.truth;
      else if (value.list === null) return null;
      else environment[name] = value.list.length === 1 ? value.list[0] : value.list;
    }
    return environment;
  };

  /** What an expression gives; null where it is not known for want of a list. */
  const evaluateOpen = (expression: string): unknown[] | null => {
    const [condition, then, otherwise = '{}'] = argumentsOfIif(expression) ?? [];
    const truth = condition === undefined ? null : judge(condition);
    if (truth !== null && then !== undefined) return evaluateOpen(truth ? then : otherwise);
    const environment = environmentOf(expression);
    return environment === null ? null : evaluate(expression, environment);
  };

  const judge = (expression: string): boolean | null => joinTruths(splitLogic(expression));

  const joinTruths = (logic: Logic): boolean | null => {
    if (logic.op === 'leaf') {
      const result = evaluateOpen(logic.text);
      if (result === null || result.length === 0) return null;
      if (result.length === 1 && typeof result[0] === 'boolean') return result[0];
      throw new Error(`${logic.text} is no truth`);
    }
    const truths = logic.parts.map(joinTruths);
    if (logic.op === 'not') return truths[0] === null || truths[0] === undefined ? null : !truths[0];
    const decisive = logic.op === 'or';
    if (truths.includes(decisive)) return decisive;
    return truths.includes(null) ? null : !decisive;
  };

  for (const id of rules.keys()) decide(id);
  return decided;
}

function readDefinitions(library: FhirResource): ReadonlyMap<string, Definition> {
  interface Parameter {
    name: string;
    extension?: { url: string; valueString?: string }[];
  }
  return new Map(
    (library.parameter as Parameter[]).flatMap(({ name, extension = [] }) => {
      const definition = extension.find(({ url }) => url.endsWith('/fact-definition'))?.valueString;
      return definition === undefined ? [] : [[name, JSON.parse(definition) as Definition] as const];
    }),
  );
}

const compiled = new Map<string, (context: object, environment: object) => unknown[]>();

function evaluate(expression: string, environment: Record<string, unknown>): unknown[] {
  let run = compiled.get(expression);
  if (run === undefined) {
    run = fhirpath.compile(expression) as (context: object, environment: object) => unknown[];
    compiled.set(expression, run);
  }
  return run({}, environment);
}

function namesIn(expression: string): string[] {
  const unquoted = expression.replace(/'[^']*'/g, "''");
  return [...new Set([...unquoted.matchAll(/%([A-Za-z]\w*)/g)].map(([, name = '']) => name))];
}

type Logic = { op: 'leaf'; text: string } | { op: 'and' | 'or' | 'not'; parts: Logic[] };

/** What an expression joins with and, or and not(): each operand is open by itself, as the Library describes. */
function splitLogic(expression: string): Logic {
  const text = expression.trim();
  for (const op of ['or', 'and'] as const) {
    const parts = splitAt(text, op);
    if (parts.length > 1) return { op, parts: parts.map(splitLogic) };
  }
  const negated = /^(%\w+|\(.*\))\.not\(\)$/s.exec(text)?.[1];
  if (negated !== undefined && (negated.startsWith('%') || closesAt(negated) === negated.length - 1)) {
    return { op: 'not', parts: [splitLogic(negated)] };
  }
  if (text.startsWith('(') && closesAt(text) === text.length - 1) return splitLogic(text.slice(1, -1));
  return { op: 'leaf', text };
}

/** The operands of an operator that stands outside parentheses and quotes. */
function splitAt(text: string, operator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let isQuoted = false;
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (letter === "'") isQuoted = !isQuoted;
    if (isQuoted) continue;
    if (letter === '(') depth += 1;
    if (letter === ')') depth -= 1;
    if (depth === 0 && /\s/.test(letter ?? '') && new RegExp(`^\\s+${operator}\\s`).test(text.slice(at))) {
      parts.push(text.slice(from, at));
      from = at + (text.slice(at).match(new RegExp(`^\\s+${operator}(?=\\s)`))?.[0].length ?? 0);
      at = from - 1;
    }
  }
  return [...parts, text.slice(from)];
}

/** Condition and branches of an expression that is all of it an `iif`. */
function argumentsOfIif(expression: string): string[] | undefined {
  const text = expression.trim();
  if (!text.startsWith('iif(') || closesAt(text.slice('iif'.length)) !== text.length - 'iif'.length - 1)
    return undefined;
  const inside = text.slice('iif('.length, -1);
  // Commas stand between arguments only where no parenthesis is open.
  const cuts = [...inside].flatMap((letter, at) => (letter === ',' && isLevel(inside.slice(0, at)) ? [at] : []));
  return [-1, ...cuts].map((cut, at) => inside.slice(cut + 1, cuts[at] ?? inside.length).trim());
}

function isLevel(text: string): boolean {
  return text.split('(').length === text.split(')').length;
}

/** Where the parenthesis that opens a text closes. */
function closesAt(text: string): number {
  let depth = 0;
  for (const [at, letter] of [...text].entries()) {
    if (letter === '(') depth += 1;
    if (letter === ')') depth -= 1;
    if (depth === 0) return at;
  }
  return -1;
}
