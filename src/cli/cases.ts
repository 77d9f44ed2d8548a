import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';

/** A clinical case as far as traceability needs it. */
export interface CaseSummary {
  id: string;
  /** File name, `MAS-02.yaml`. */
  file: string;
  section: string;
  /** Expected outcome by decision id. */
  outcomes: Readonly<Record<string, string>>;
}

const outcome = z.union([z.string(), z.looseObject({ outcome: z.string() })]);
const summarySchema = z.array(
  z.looseObject({
    id: z.string(),
    section: z.coerce.string(),
    expect: z
      .looseObject({})
      .transform(({ cards: _, ...decisions }) => decisions)
      .pipe(z.record(z.string(), outcome)),
  }),
);

/**
 * Reads which decisions the cases of a folder speak of; their full form is checked where they are run.
 *
 * @throws {@link Error} naming the file that has another form.
 */
export function readCaseSummaries(folder: string): CaseSummary[] {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .sort();
  return files.flatMap((file) => {
    const parsed = summarySchema.safeParse(parse(readFileSync(join(folder, file), 'utf8')));
    if (!parsed.success) throw new Error(`${join(folder, file)} is no list of cases: ${z.prettifyError(parsed.error)}`);
    return parsed.data.map(({ id, section, expect }) => ({
      id,
      file,
      section,
      outcomes: Object.fromEntries(
        Object.entries(expect).map(([decision, value]) => [
          decision,
          typeof value === 'string' ? value : value.outcome,
        ]),
      ),
    }));
  });
}
