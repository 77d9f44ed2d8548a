import { isNode, LineCounter, parseDocument } from 'yaml';
import type * as z from 'zod';

/** A YAML text of the right shape, and where in it things stand. */
export interface YamlRead<Shape> {
  /** Absent where there are mistakes. */
  value?: Shape;
  /** The line of a member, or of the nearest one around it. */
  lineOf(path: readonly PropertyKey[]): number;
  mistakes: { path: readonly PropertyKey[]; message: string }[];
}

/** Reads a YAML text and checks its shape; every mistake is found at once. */
export function readYaml<Shape>(text: string, schema: z.ZodType<Shape>): YamlRead<Shape> {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const { line } = counter.linePos(broken.pos[0]);
    return { lineOf: () => line, mistakes: [{ path: [], message: broken.message.split('\n')[0] ?? 'not YAML' }] };
  }
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length >= 0; length -= 1) {
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return counter.linePos(node.range[0]).line;
    }
    return 1;
  };
  const read = schema.safeParse(document.toJS());
  if (read.success) return { value: read.data, lineOf, mistakes: [] };
  const mistakes = read.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...issue.path, key], message: 'there is no such member' }))
      : [{ path: issue.path, message: issue.message }],
  );
  return { lineOf, mistakes };
}
