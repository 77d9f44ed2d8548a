import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';

const schema = z.array(z.strictObject({ why: z.string().min(1), changes: z.array(z.string()).min(1) })).min(1);

/** Reads the names of the changes that no chart can tell from the knowledge as it stands. */
export function readEquivalent(): ReadonlySet<string> {
  const file = join(import.meta.dirname, 'equivalent.yaml');
  return new Set(schema.parse(parse(readFileSync(file, 'utf8'))).flatMap(({ changes }) => changes));
}
