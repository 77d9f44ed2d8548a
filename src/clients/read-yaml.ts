import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml';
import type * as z from 'zod';

/** Something wrong in a YAML text. */
export interface YamlMistake {
  path: readonly PropertyKey[];
  line: number;
  message: string;
}

/** A YAML text of the right shape, and where in it things stand. */
export interface YamlRead<Shape> {
  /** Absent where there are mistakes. */
  value?: Shape;
  /** What it holds whatever its shape; absent where it is no YAML. */
  raw?: unknown;
  /** The line of a member, or of the nearest one around it. */
  lineOf(path: readonly PropertyKey[]): number;
  mistakes: YamlMistake[];
}

/** Reads a YAML text and checks its shape; every mistake is found at once. */
export function readYaml<Shape>(text: string, schema: z.ZodType<Shape>): YamlRead<Shape> {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: true });
  if (document.errors.length > 0) {
    const broken = document.errors.map((error) => ({
      path: [],
      line: counter.linePos(findStart(document, error)).line,
      // Where it is is said in front.
      message: error.message.split('\n')[0]?.replace(/ at line \d+, column \d+:$/, '') ?? 'not YAML',
    }));
    // What follows in a line from its first mistake is none of its own.
    const firstOfLine = broken.filter(({ line }, at) => broken.findIndex((each) => each.line === line) === at);
    return { lineOf: () => 1, mistakes: firstOfLine };
  }
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length >= 0; length -= 1) {
      const start = findMember(document, path.slice(0, length));
      if (start !== undefined) return counter.linePos(start).line;
    }
    return 1;
  };
  const raw: unknown = document.toJS();
  const read = schema.safeParse(raw);
  if (read.success) return { value: read.data, raw, lineOf, mistakes: [] };
  const mistakes = read.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...issue.path, key], message: 'there is no such member' }))
      : [{ path: issue.path, message: issue.message }],
  );
  return { raw, lineOf, mistakes: mistakes.map((mistake) => ({ ...mistake, line: lineOf(mistake.path) })) };
}

/** Where a mistake begins: a quote that is not closed is noticed at the end of the text only. */
function findStart(document: Document.Parsed, { pos: [noticed], message }: YAMLError): number {
  let start = noticed;
  if (!message.startsWith('Missing closing')) return start;
  visit(document, {
    Scalar(_, { type, range }) {
      if (type?.startsWith('QUOTE') && range && range[1] >= noticed) start = range[0];
    },
  });
  return start;
}

/** Where a member stands: its name where it has one, else its value. */
function findMember(document: Document.Parsed, path: readonly PropertyKey[]): number | undefined {
  const name = path.at(-1);
  const around = path.length === 0 ? undefined : document.getIn(path.slice(0, -1), true);
  const pair = isMap(around)
    ? around.items.find((each) => isPair(each) && isScalar(each.key) && each.key.value === name)
    : undefined;
  const node = isScalar(pair?.key) ? pair.key : document.getIn(path, true);
  return isNode(node) ? node.range?.[0] : undefined;
}
