/** A node of fhirpath.js' parse tree. */
export interface Node {
  type?: string;
  text?: string;
  atRoot?: unknown;
  delimitedText?: unknown;
  children?: Node[];
}

/** FHIRPath knows collections only: a value is a collection of one, an unknown one is empty. */
type Items = readonly unknown[];

/** An expression as a function of the reading it is evaluated on and the values of its `%names`. */
export type Closure = (context: object, environment: Readonly<Record<string, unknown>>) => Items;

interface Step {
  run: Closure;
  /** What it always gives, where it reads nothing. */
  constant?: Items;
}

const nothing: Items = [];
const yes: Items = [true];
const no: Items = [false];
const asItems = (truth: boolean): Items => (truth ? yes : no);

/**
 * Turns the parse tree of an expression into closures, many times faster than the library walks it.
 *
 * Covers literals, `%names`, members of the reading, `and or = != < <= > >= in contains | + *` and the functions below,
 * over texts, numbers and booleans: what the library does with them, also where it throws; test/engine/closure.test.ts
 * holds every expression of the knowledge to what the library says.
 *
 * @returns undefined for anything else: the library evaluates it.
 */
export function compileClosure(tree: Node): Closure | undefined {
  return compileNode(tree)?.run;
}

/** Nodes that only wrap their one child. */
const wrappers = new Set(['EntireExpression', 'TermExpression', 'ParenthesizedTerm', 'LiteralTerm', 'InvocationTerm']);

function compileNode(node: Node | undefined): Step | undefined {
  const { type = '', text = '', children = [] } = node ?? {};
  const [first, second] = children;
  if (wrappers.has(type)) return children.length === 1 ? compileNode(first) : undefined;
  switch (type) {
    case 'StringLiteral':
      return text.includes('\\') ? undefined : constantly([text.slice(1, -1)]);
    case 'NumberLiteral':
      return constantly([Number(text)]);
    case 'BooleanLiteral':
      return constantly(asItems(text === 'true'));
    case 'NullLiteral':
      return constantly(nothing);
    case 'ExternalConstantTerm':
      return node?.delimitedText === undefined ? readName(text) : undefined;
    case 'MemberInvocation':
      return node?.atRoot === undefined ? undefined : readMember(text);
    case 'InvocationExpression':
      return compileCall(second, compileNode(first));
    case 'FunctionInvocation':
      return compileChoice(node);
    default: {
      const operator = type === 'UnionExpression' ? unite : operators.get(text);
      return operator && compileOperator(operator, first, second);
    }
  }
}

function constantly(constant: Items): Step {
  return { run: () => constant, constant };
}

function readName(name: string): Step {
  return {
    run(_, environment) {
      const value = environment[name];
      if (value === undefined && !(name in environment)) throw new TypeError(`No value of %${name}`);
      return toItems(value);
    },
  };
}

function readMember(name: string): Step {
  return { run: (context) => toItems((context as Readonly<Record<string, unknown>>)[name]) };
}

function toItems(value: unknown): Items {
  if (value === true) return yes;
  if (value === false) return no;
  if (value === undefined || value === null) return nothing;
  return Array.isArray(value) ? value : [value];
}

type Operator = (left: Items, right: Items) => Items;

const operators = new Map<string, Operator>(
  Object.entries({
    and(left: Items, right: Items) {
      const [one, other] = [toTruth(left), toTruth(right)];
      if (one === false || other === false) return no;
      return one === null || other === null ? nothing : yes;
    },
    or(left: Items, right: Items) {
      const [one, other] = [toTruth(left), toTruth(right)];
      if (one === true || other === true) return yes;
      return one === null || other === null ? nothing : no;
    },
    '=': whenBoth((left, right) => asItems(isEqual(left, right))),
    '!=': whenBoth((left, right) => asItems(!isEqual(left, right))),
    '<': whenBoth((left, right) => asItems(compare(left, right) < 0)),
    '<=': whenBoth((left, right) => asItems(compare(left, right) <= 0)),
    '>': whenBoth((left, right) => asItems(compare(left, right) > 0)),
    '>=': whenBoth((left, right) => asItems(compare(left, right) >= 0)),
    in: (left: Items, right: Items) => find(left, right),
    contains: (left: Items, right: Items) => find(right, left),
    '+': whenBoth(add),
    '*': whenBoth((left, right) => [readNumber(left) * readNumber(right)]),
  }),
);

function unite(left: Items, right: Items): Items {
  return distinct([...left, ...right]);
}

function compileOperator(operator: Operator, first: Node | undefined, second: Node | undefined): Step | undefined {
  const left = compileNode(first);
  const right = compileNode(second);
  if (left === undefined || right === undefined) return undefined;
  if (left.constant !== undefined && right.constant !== undefined) {
    return constantly(operator(left.constant, right.constant));
  }
  return { run: (context, environment) => operator(left.run(context, environment), right.run(context, environment)) };
}

/** Functions of a collection, and of another one beside it. */
const functions = new Map<string, (items: Items) => Items>(
  Object.entries({
    exists: (items: Items) => asItems(items.length > 0),
    empty: (items: Items) => asItems(items.length === 0),
    not(items: Items) {
      const truth = toTruth(items);
      return truth === null ? nothing : asItems(!truth);
    },
    count: (items: Items) => [items.length],
    distinct,
    max: (items: Items) => choose(items, (item, best) => compare([item], [best]) > 0),
    min: (items: Items) => choose(items, (item, best) => compare([item], [best]) < 0),
  }),
);
const functionsOfTwo = new Map<string, Operator>(
  Object.entries({
    intersect: (items: Items, others: Items) => distinct(items).filter((item) => isAmong(item, others)),
    exclude: (items: Items, others: Items) => items.filter((item) => !isAmong(item, others)),
  }),
);

function compileCall(call: Node | undefined, of: Step | undefined): Step | undefined {
  if (call?.type !== 'FunctionInvocation' || of === undefined) return undefined;
  const given = parametersOf(call);
  const called = call.text ?? '';
  const apply = functions.get(called);
  if (apply !== undefined && given.length === 0) {
    return { run: (context, environment) => apply(of.run(context, environment)) };
  }
  const applyToTwo = functionsOfTwo.get(called);
  const other = compileNode(given[0]);
  if (applyToTwo === undefined || other === undefined || given.length !== 1) return undefined;
  return { run: (context, environment) => applyToTwo(of.run(context, environment), other.run(context, environment)) };
}

/** `iif(condition, then, otherwise)`: only the branch taken is evaluated. */
function compileChoice(call: Node | undefined): Step | undefined {
  const given = call === undefined ? [] : parametersOf(call);
  if (call?.text !== 'iif' || given.length < 2 || given.length > 3) return undefined;
  const [condition, then, otherwise = constantly(nothing)] = given.map(compileNode);
  if (condition === undefined || then === undefined || (given.length === 3 && compileNode(given[2]) === undefined)) {
    return undefined;
  }
  return {
    run(context, environment) {
      const items = condition.run(context, environment);
      const isTrue = items.length === 1 && items[0] === true;
      return (isTrue ? then : otherwise).run(context, environment);
    },
  };
}

function parametersOf(call: Node): Node[] {
  return call.children?.[0]?.children?.find(({ type }) => type === 'ParamList')?.children ?? [];
}

/** FHIRPath: of an empty collection on either side, nothing is known. */
function whenBoth(operator: Operator): Operator {
  return (left, right) => (left.length === 0 || right.length === 0 ? nothing : operator(left, right));
}

/** A single item that is not a boolean counts as true ("singleton evaluation of collections"). */
function toTruth(items: Items): boolean | null {
  if (items.length === 0) return null;
  if (items.length > 1) throw new TypeError(`${items.length} items stand where one truth value is expected`);
  return items[0] !== false;
}

/** The smallest difference FHIRPath makes between decimals. */
const precision = 1e-8;
const toPrecision = (value: number): number =>
  Number.isInteger(value) ? value : Math.round(value / precision) * precision;

function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  return typeof one === 'number' && typeof other === 'number' && toPrecision(one) === toPrecision(other);
}

function isEqual(left: Items, right: Items): boolean {
  return left.length === right.length && left.every((item, at) => isSame(item, right[at]));
}

const isAmong = (item: unknown, items: Items): boolean => items.some((other) => isSame(item, other));

function find(item: Items, among: Items): Items {
  if (item.length === 0) return nothing;
  if (among.length === 0) return no;
  if (item.length > 1) throw new TypeError(`${item.length} items stand where one is looked for`);
  return asItems(isAmong(item[0], among));
}

/** Negative, zero or positive: before, equal or after. */
function compare(left: Items, right: Items): number {
  const [one, other] = [readSingle(left), readSingle(right)];
  if (typeof one === 'number' && typeof other === 'number') return toPrecision(one) - toPrecision(other);
  if (typeof one !== typeof other || typeof one === 'number') {
    throw new TypeError(`A ${typeof one} is compared with a ${typeof other}`);
  }
  return (one as string) < (other as string) ? -1 : (one as string) > (other as string) ? 1 : 0;
}

function readSingle(items: Items): unknown {
  if (items.length !== 1) throw new TypeError(`${items.length} items stand where one is expected`);
  return items[0];
}

function add(left: Items, right: Items): Items {
  const [one, other] = [readSingle(left), readSingle(right)];
  if (typeof one === 'string' && typeof other === 'string') return [one + other];
  return [readNumber(left) + readNumber(right)];
}

function readNumber(items: Items): number {
  const value = readSingle(items);
  if (typeof value !== 'number') throw new TypeError(`A ${typeof value} stands where a number is expected`);
  return value;
}

function distinct(items: Items): Items {
  return items.length < 2 ? items : items.filter((item, at) => items.findIndex((other) => isSame(item, other)) === at);
}

function choose(items: Items, isBetter: (item: unknown, best: unknown) => boolean): Items {
  if (items.length === 0) return nothing;
  return [items.reduce((best, item) => (isBetter(item, best) ? item : best))];
}
