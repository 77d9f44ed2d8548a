import fhirpath from 'fhirpath';

/** A FHIRPath expression as a small tree: what lint, the generated pages and the mutation run read. */
export type Syntax =
  | { kind: 'name'; name: string }
  | { kind: 'member'; name: string; of?: Syntax }
  /** `'text'`, `1`, `true`, as written. */
  | { kind: 'literal'; text: string }
  /** `{}`: not known. */
  | { kind: 'nothing' }
  | { kind: 'operation'; operator: string; left: Syntax; right: Syntax }
  | { kind: 'call'; called: string; of?: Syntax; given: Syntax[] };

interface Node {
  type?: string;
  text?: string;
  children?: Node[];
}

/** How tightly the operators bind, from loose to tight (FHIRPath, "Operator Precedence"). */
const precedence = new Map(
  [
    ['implies'],
    ['or', 'xor'],
    ['and'],
    ['in', 'contains'],
    ['=', '!=', '~', '!~'],
    ['<', '<=', '>', '>='],
    ['|'],
    ['+', '-', '&'],
    ['*', '/', 'div', 'mod'],
  ].flatMap((operators, level) => operators.map((operator) => [operator, level] as const)),
);

/**
 * Reads an expression into a tree.
 *
 * @returns undefined for what is no FHIRPath and for the parts of the language that knowledge does not use (indexes, signs, types, dates).
 */
export function readSyntax(text: string): Syntax | undefined {
  try {
    return read(fhirpath.parse(text) as Node);
  } catch {
    return undefined;
  }
}

function read(node: Node): Syntax {
  const { type = '', text = '', children = [] } = node;
  const [first, second] = children;
  if (/^(Entire|Term)Expression$|^(Parenthesized|Literal|Invocation)Term$/.test(type) && first) return read(first);
  if (type === 'ExternalConstantTerm') return { kind: 'name', name: text };
  if (type === 'NullLiteral') return { kind: 'nothing' };
  if (/^(String|Boolean|Number)Literal$/.test(type)) return { kind: 'literal', text };
  if (type === 'MemberInvocation') return { kind: 'member', name: text };
  if (type === 'FunctionInvocation' && first) {
    const [identifier, given] = first.children ?? [];
    return { kind: 'call', called: identifier?.text ?? text, given: (given?.children ?? []).map(read) };
  }
  if (type === 'InvocationExpression' && first && second) {
    const invoked = read(second);
    if (invoked.kind === 'call' || invoked.kind === 'member') return { ...invoked, of: read(first) };
  }
  if (precedence.has(text) && first && second) {
    return { kind: 'operation', operator: text, left: read(first), right: read(second) };
  }
  throw new TypeError(`${type} is not read`);
}

/** Writes a tree as FHIRPath, with the fewest parentheses. */
export function printSyntax(syntax: Syntax): string {
  switch (syntax.kind) {
    case 'name':
      return `%${syntax.name}`;
    case 'literal':
      return syntax.text;
    case 'nothing':
      return '{}';
    case 'member':
      return `${printOwner(syntax.of)}${syntax.name}`;
    case 'call':
      return `${printOwner(syntax.of)}${syntax.called}(${syntax.given.map(printSyntax).join(', ')})`;
    case 'operation': {
      const level = precedence.get(syntax.operator) ?? 0;
      return `${printOperand(syntax.left, level)} ${syntax.operator} ${printOperand(syntax.right, level + 1)}`;
    }
  }
}

function printOwner(of: Syntax | undefined): string {
  if (of === undefined) return '';
  return of.kind === 'operation' ? `(${printSyntax(of)}).` : `${printSyntax(of)}.`;
}

function printOperand(operand: Syntax, level: number): string {
  const printed = printSyntax(operand);
  return operand.kind === 'operation' && (precedence.get(operand.operator) ?? 0) < level ? `(${printed})` : printed;
}

/** The parts joined by `and` at the top, in order. */
export function conjunctsOf(syntax: Syntax): Syntax[] {
  return syntax.kind === 'operation' && syntax.operator === 'and'
    ? [...conjunctsOf(syntax.left), ...conjunctsOf(syntax.right)]
    : [syntax];
}

/** Every node of a tree, the root first. */
export function* nodesOf(syntax: Syntax): Generator<Syntax> {
  yield syntax;
  if (syntax.kind === 'operation') {
    yield* nodesOf(syntax.left);
    yield* nodesOf(syntax.right);
  } else if (syntax.kind === 'member' || syntax.kind === 'call') {
    if (syntax.of) yield* nodesOf(syntax.of);
    if (syntax.kind === 'call') for (const given of syntax.given) yield* nodesOf(given);
  }
}
