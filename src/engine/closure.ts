/** A node of fhirpath.js' parse tree. */
export interface Node {
  type?: string;
  text?: string;
  atRoot?: unknown;
  delimitedText?: unknown;
  children?: Node[];
}

/** FHIRPath knows collections only: a value is a collection of one. */
export type Items = readonly unknown[];

/** Gives what `%name` stands for; called when an expression comes to it, not before. */
export type Ask = (name: string) => Items;

/** An expression as a function of the reading it is evaluated on and of its `%names`. */
export type Closure = (context: object, ask: Ask) => Items;

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
 * What a name stands for whose items are not known. Told apart from "there are none" by identity: FHIRPath's own empty
 * collection would let `exists()` and `count()` take what could not be read for nothing.
 */
export const notKnown: Items = [];

/** What compiling an expression comes upon. */
export interface Findings {
  /** `%names`. */
  names: Set<string>;
  /** Members of the reading. */
  members: Set<string>;
  /** Called once per thing wrong. */
  mistake(what: string): void;
}

/**
 * Turns the parse tree of an expression into closures, many times faster than the library walks it.
 *
 * Covers the part of FHIRPath that knowledge is written in: literals, `%names`, members of the reading,
 * `and or = != < <= > >= in contains | + *` and the functions below, over texts, numbers and booleans. It gives what the
 * library gives, also where that throws (test/engine/closure.test.ts), but for two things:
 *
 * - `and`, `or` and `iif` ask from left to right and no further than needed.
 * - What rests on {@link notKnown} is itself not known; with `and` and `or`, unless the other side decides.
 *
 * Anything else is a mistake.
 */
export function compileClosure(tree: Node, findings: Findings): Closure {
  return createCompiler(findings)(tree).run;
}

/** Nodes that only wrap their one child. */
const wrappers = new Set(['EntireExpression', 'TermExpression', 'ParenthesizedTerm', 'LiteralTerm', 'InvocationTerm']);

function createCompiler({ names, members, mistake }: Findings): (node: Node) => Step {
  const refuse = (what: string): Step => {
    mistake(what);
    return constantly(nothing);
  };

  const compile = (node: Node): Step => {
    const { type = '', text = '', children = [] } = node;
    const [first, second] = children;
    if (wrappers.has(type) && first !== undefined) return compile(first);
    switch (type) {
      case 'StringLiteral':
        return text.includes('\\') ? refuse(`${text} has an escape`) : constantly([text.slice(1, -1)]);
      case 'NumberLiteral':
        return text === '0' || text === '1'
          ? constantly([Number(text)])
          : refuse(`number ${text} stands in the expression: make it a parameter with its section`);
      case 'BooleanLiteral':
        return constantly(asItems(text === 'true'));
      case 'NullLiteral':
        return constantly(nothing);
      case 'ExternalConstantTerm':
        if (node.delimitedText !== undefined) return refuse(`%\`${node.delimitedText}\` stands in backticks`);
        names.add(text);
        return { run: (_, ask) => ask(text) };
      case 'MemberInvocation':
        members.add(text);
        return { run: (context) => toItems((context as Readonly<Record<string, unknown>>)[text]) };
      case 'FunctionInvocation':
        return compileCall(node, undefined);
      case 'InvocationExpression':
        if (first === undefined || second === undefined) break;
        if (second.type === 'FunctionInvocation') return compileCall(second, compile(first));
        return refuse(`.${second.text} is a member of a member: readings are flat`);
    }
    const operator = operators.get(text);
    if (type.endsWith('Expression') && first !== undefined && second !== undefined) {
      if (text === 'and' || text === 'or') return join(text, compile(first), compile(second));
      if (operator !== undefined) return apply(operator, compile(first), compile(second));
    }
    return refuse(`${text || type} is not of the FHIRPath that knowledge is written in`);
  };

  const compileCall = (call: Node, of: Step | undefined): Step => {
    const called = call.text ?? '';
    const given = parametersOf(call);
    const [first, second, third = { type: 'NullLiteral' }] = given;
    const ofOne = functions.get(called);
    if (of !== undefined && ofOne !== undefined && given.length === 0) return apply(ofOne, of);
    const ofTwo = functionsOfTwo.get(called);
    if (of !== undefined && ofTwo !== undefined && first !== undefined && given.length === 1) {
      return apply(ofTwo, of, compile(first));
    }
    if (called === 'iif' && of === undefined && first !== undefined && second !== undefined && given.length <= 3) {
      return choose(compile(first), compile(second), compile(third), namesIn(second));
    }
    return refuse(`function ${called}() is not one of ${forms.join(', ')}`);
  };

  /** What is not known stays so; what is constant is evaluated now, and told if it cannot be. */
  const apply = (operator: (one: Items, other: Items) => Items, one: Step, other: Step = constantly(nothing)): Step =>
    settle([one, other], (context, ask) => {
      const left = one.run(context, ask);
      const right = other.run(context, ask);
      return left === notKnown || right === notKnown ? notKnown : operator(left, right);
    });

  const join = (operator: 'and' | 'or', one: Step, other: Step): Step => {
    const decisive = operator === 'or';
    return settle([one, other], (context, ask) => {
      const left = one.run(context, ask);
      const first = toTruth(left);
      if (first === decisive) return asItems(decisive);
      const right = other.run(context, ask);
      const second = toTruth(right);
      if (second === decisive) return asItems(decisive);
      if (first !== null && second !== null) return asItems(!decisive);
      return left === notKnown || right === notKnown ? notKnown : nothing;
    });
  };

  /** `iif`: only the branch taken is evaluated. An empty condition takes the other one; that is open if the first is. */
  const choose = (condition: Step, then: Step, otherwise: Step, namesOfThen: readonly string[]): Step =>
    settle([condition, then, otherwise], (context, ask) => {
      const items = condition.run(context, ask);
      if (items === notKnown) return notKnown;
      if (items.length === 0 && namesOfThen.some((name) => ask(name) === notKnown)) return notKnown;
      const isTrue = items.length === 1 && items[0] === true;
      return (isTrue ? then : otherwise).run(context, ask);
    });

  const settle = (parts: readonly Step[], run: Closure): Step => {
    if (parts.some(({ constant }) => constant === undefined)) return { run };
    try {
      return constantly(run({}, () => nothing));
    } catch (error) {
      return refuse(error instanceof Error ? error.message : String(error));
    }
  };

  return compile;
}

function constantly(constant: Items): Step {
  return { run: () => constant, constant };
}

/** A value as FHIRPath sees it. */
export function toItems(value: unknown): Items {
  if (value === true) return yes;
  if (value === false) return no;
  if (value === undefined || value === null) return nothing;
  return Array.isArray(value) ? value : [value];
}

type Operator = (left: Items, right: Items) => Items;

const operators = new Map<string, Operator>(
  Object.entries({
    '=': whenBoth((left, right) => asItems(isEqual(left, right))),
    '!=': whenBoth((left, right) => asItems(!isEqual(left, right))),
    '<': whenBoth((left, right) => asItems(compare(left, right) < 0)),
    '<=': whenBoth((left, right) => asItems(compare(left, right) <= 0)),
    '>': whenBoth((left, right) => asItems(compare(left, right) > 0)),
    '>=': whenBoth((left, right) => asItems(compare(left, right) >= 0)),
    in: (left: Items, right: Items) => find(left, right),
    contains: (left: Items, right: Items) => find(right, left),
    '|': (left: Items, right: Items) => distinct([...left, ...right]),
    '+': whenBoth(add),
    '*': whenBoth((left, right) => [readNumber(left) * readNumber(right)]),
  }),
);

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
    max: (items: Items) => findBest(items, (item, best) => compare([item], [best]) > 0),
    min: (items: Items) => findBest(items, (item, best) => compare([item], [best]) < 0),
  }),
);
const functionsOfTwo = new Map<string, Operator>(
  Object.entries({
    intersect: (items: Items, others: Items) => distinct(items).filter((item) => isAmong(item, others)),
    exclude: (items: Items, others: Items) => items.filter((item) => !isAmong(item, others)),
  }),
);
const forms = [
  ...[...functions.keys()].map((name) => `x.${name}()`),
  ...[...functionsOfTwo.keys()].map((name) => `x.${name}(y)`),
  'iif(condition, x)',
  'iif(condition, x, y)',
];

function namesIn({ type, text, children = [] }: Node): string[] {
  return type === 'ExternalConstantTerm' && text !== undefined ? [text] : children.flatMap(namesIn);
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
  if (items === yes) return true;
  if (items === no) return false;
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

function findBest(items: Items, isBetter: (item: unknown, best: unknown) => boolean): Items {
  if (items.length === 0) return nothing;
  return [items.reduce((best, item) => (isBetter(item, best) ? item : best))];
}
