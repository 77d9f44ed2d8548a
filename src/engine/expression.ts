import fhirpath from 'fhirpath';
import { type Closure, compileClosure, type Node } from './closure.ts';
import type { Truth } from './types.ts';

/**
 * The boolean skeleton of an expression that only joins names with `and`, `or`, `not()`, `exists()`, `empty()` and `= 'text'`.
 * Decided without the library and from left to right, so that a fact which can no longer change the outcome is not
 * evaluated; test/engine/expression.test.ts holds it to what the library says.
 */
export type Logic =
  | { op: 'name' | 'exists' | 'empty'; name: string }
  | { op: 'equals'; name: string; value: string }
  | { op: 'constant'; value: Truth }
  | { op: 'not'; of: Logic }
  | { op: 'and' | 'or'; left: Logic; right: Logic };

/** A FHIRPath expression compiled once, with the names it uses. */
export interface Expression {
  readonly logic?: Logic;
  readonly text: string;
  /** `%names`. */
  readonly names: readonly string[];
  /** Members read at the root. */
  readonly members: readonly string[];
  evaluate(context: object, environment: Readonly<Record<string, unknown>>): unknown[];
}

/** The functions knowledge may use: `matches` can block the process, `today` and `now` read the clock, `resolve` fetches. */
const allowedFunctions = new Set([
  'all',
  'combine',
  'contains',
  'count',
  'distinct',
  'empty',
  'exclude',
  'exists',
  'first',
  'iif',
  'intersect',
  'max',
  'min',
  'not',
  'ofType',
  'select',
  'startsWith',
  'union',
  'where',
]);

/**
 * Compiles FHIRPath for use over readings and facts.
 *
 * @param mistake Called once per thing wrong: syntax, a function that is not allowed or misspelt, a number that should be a parameter.
 */
export function compileExpression(text: string, mistake: (what: string) => void): Expression {
  const names = new Set<string>();
  const members = new Set<string>();
  const empty: Expression = { text, names: [], members: [], evaluate: () => [] };

  let tree: Node;
  const visit = (node: Node, inFunction: boolean): void => {
    const { type, text: token } = node;
    if (type === 'ExternalConstantTerm' && token !== undefined) names.add(token);
    if (type === 'MemberInvocation' && node.atRoot !== undefined && !inFunction && token !== undefined) {
      members.add(token);
    }
    if (type === 'Functn') {
      const called = node.children?.[0]?.text ?? token ?? '';
      if (!allowedFunctions.has(called)) {
        mistake(`function ${called}() is not one of ${[...allowedFunctions].join(', ')}`);
      }
    }
    if (type === 'NumberLiteral' && token !== '0' && token !== '1') {
      mistake(`number ${token} stands in the expression: make it a parameter with its section`);
    }
    // Inside where/select/all/exists the root is another collection: its members are not those of the reading.
    const nested = inFunction || (type === 'Functn' && token !== 'iif');
    for (const child of node.children ?? []) visit(child, nested);
  };

  try {
    tree = fhirpath.parse(text) as Node;
    visit(tree, false);
  } catch (error) {
    mistake(`is not FHIRPath: ${firstLine(error)}`);
    return empty;
  }
  const run = compileClosure(tree) ?? (fhirpath.compile(text) as Closure);
  const logic = readLogic(tree);
  return {
    text,
    names: [...names],
    members: [...members],
    ...(logic !== undefined && { logic }),
    // A copy: what a closure gives may be a value of the environment itself.
    evaluate: (context, environment) => [...run(context, environment)],
  };
}

/** Nodes that only wrap their one child. */
const wrappers = new Set(['EntireExpression', 'TermExpression', 'ParenthesizedTerm', 'LiteralTerm']);

function readLogic(node: Node | undefined): Logic | undefined {
  const [first, second] = node?.children ?? [];
  const { type = '', text } = node ?? {};
  if (wrappers.has(type) && first !== undefined) return readLogic(first);
  if (type === 'ExternalConstantTerm' && text !== undefined) return { op: 'name', name: text };
  if (type === 'BooleanLiteral') return { op: 'constant', value: text === 'true' };
  if (type === 'NullLiteral') return { op: 'constant', value: null };
  if (type === 'EqualityExpression' && (text === '=' || text === '!=')) {
    const left = readLogic(first);
    const literal = second?.children?.[0]?.children?.[0];
    if (left?.op !== 'name' || literal?.type !== 'StringLiteral') return undefined;
    const equals: Logic = { op: 'equals', name: left.name, value: (literal.text ?? '').slice(1, -1) };
    return text === '=' ? equals : { op: 'not', of: equals };
  }
  if (type === 'AndExpression' || (type === 'OrExpression' && text === 'or')) {
    const left = readLogic(first);
    const right = readLogic(second);
    return left && right && { op: type === 'AndExpression' ? 'and' : 'or', left, right };
  }
  if (type === 'InvocationExpression' && second?.type === 'FunctionInvocation') {
    const of = readLogic(first);
    const called = second.text;
    if (of === undefined || second.children?.[0]?.children?.some((child) => child.type === 'ParamList'))
      return undefined;
    if (called === 'not') return { op: 'not', of };
    if ((called === 'exists' || called === 'empty') && of.op === 'name') return { op: called, name: of.name };
  }
  return undefined;
}

/** Reads a FHIRPath result as a truth: empty is unknown. */
export function toTruth(result: readonly unknown[], text: string): Truth {
  if (result.length === 0) return null;
  if (result.length === 1 && typeof result[0] === 'boolean') return result[0];
  throw new TypeError(`${text} gave ${result.length} item(s) where a truth value is expected`);
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
