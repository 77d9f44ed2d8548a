import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadKnowledge, readKnowledge } from '../knowledge.ts';
import { readCaseSummaries } from './cases.ts';
import { renderDecisions } from './decisions-page.ts';
import { findOrphans, type Orphan, readReserved } from './orphans.ts';
import { renderTraceability } from './traceability-page.ts';
import { findUses } from './uses.ts';

/** What a knowledge folder and its cases give: the generated pages by path, and what nothing leads to. */
export interface Trace {
  pages: ReadonlyMap<string, string>;
  orphans: Orphan[];
  decisions: number;
  cases: number;
}

/**
 * Traces a knowledge folder from the sections of the guideline to the cases.
 *
 * @param docs Folder the pages are for; their links are relative to it.
 * @throws {@link KnowledgeError} where the folder has mistakes.
 */
export function traceKnowledge(folder: string, casesFolder: string, docs: string): Trace {
  const guideline = loadKnowledge(folder);
  const knowledge = readKnowledge(folder);
  const uses = findUses(knowledge.files, guideline);
  const cases = readCaseSummaries(casesFolder);
  const reserved = readReserved(folder);
  const places = { knowledge: relative(docs, folder), cases: relative(docs, casesFolder) };
  return {
    pages: new Map([
      [join(docs, 'traceability.md'), renderTraceability(knowledge, guideline, uses, cases, reserved, places)],
      [join(docs, 'decisions.md'), renderDecisions(knowledge.files, guideline, uses)],
    ]),
    orphans: findOrphans(knowledge.files, guideline, uses, cases, reserved),
    decisions: guideline.rules.size,
    cases: cases.length,
  };
}

/** The pages that are not as they would be generated now. */
export function findDrift({ pages }: Trace): string[] {
  return [...pages].filter(([path, page]) => readPage(path) !== page).map(([path]) => path);
}

function readPage(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function main(isCheck: boolean): number {
  const root = join(import.meta.dirname, '..', '..');
  const folder = join(root, 'cds-services', 'diagnostisk-pakkeforloeb');
  const trace = traceKnowledge(folder, join(root, 'test', 'cds-services', basename(folder)), join(root, 'docs'));
  const drift = findDrift(trace);
  if (!isCheck) {
    for (const [path, page] of trace.pages) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, page);
    }
  }
  console.log(`${trace.decisions} decisions, ${trace.cases} cases`);
  for (const { kind, id, why } of trace.orphans) console.error(`${kind} ${id}: ${why}`);
  if (trace.orphans.length > 0) {
    console.error(
      `${trace.orphans.length} orphan(s): use them, remove them, or list them in reserved.yaml with a reason.`,
    );
  }
  if (isCheck && drift.length > 0) {
    console.error(
      `${drift.map((path) => relative(root, path)).join(', ')} differ from the knowledge: run \`npm run trace\`.`,
    );
  }
  return trace.orphans.length > 0 || (isCheck && drift.length > 0) ? 1 : 0;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = main(process.argv.includes('--check'));
}
