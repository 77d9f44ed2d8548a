import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findWords } from '../engine/plain-words.ts';
import { KnowledgeError } from '../errors.ts';
import { loadKnowledge, readKnowledge } from '../knowledge.ts';
import { describeRule } from './decisions-page.ts';
import { findUses } from './uses.ts';

const usage = `npm run knowledge -- <command>

  check [DIR]            reads a knowledge folder; prints its mistakes or its counts
  unverified [DIR]       lists the codes no source confirmed; they are never matched
  explain ID [da|en]     prints one decision in plain words`;

/** What a command prints, and its exit code. */
export interface Outcome {
  lines: string[];
  code: 0 | 1 | 2;
}

/**
 * Runs one command over a knowledge folder.
 *
 * @param folder The folder meant where the command names none.
 */
export function runKnowledge(given: readonly string[], folder: string): Outcome {
  const [command, first, second] = given;
  try {
    if (command === 'check') return { lines: countParts(first ?? folder), code: 0 };
    if (command === 'unverified') return { lines: listUnverified(first ?? folder), code: 0 };
    if (command === 'explain' && first !== undefined) return explain(folder, first, second === 'en' ? 'en' : 'da');
  } catch (error) {
    if (error instanceof KnowledgeError) return { lines: [error.message], code: 1 };
    throw error;
  }
  return { lines: [usage], code: 2 };
}

function countParts(folder: string): string[] {
  const { head, rules, facts, cautions, ledger, concepts, hash } = loadKnowledge(folder);
  return [
    `${head.title.en}, edition ${head.edition}, knowledge version ${head.version}`,
    `${rules.size} decisions, ${facts.size} facts, ${Object.keys(head.parameters).length} parameters, ${cautions.length} cautions, ${ledger.length} ledger entries`,
    Object.entries(concepts)
      .map(([list, all]) => `${all.length} ${list}`)
      .join(', '),
    hash,
  ];
}

function listUnverified(folder: string): string[] {
  const { analyses, conditions, procedures } = readKnowledge(folder).files.concepts;
  const lines = [...analyses, ...conditions, ...procedures].flatMap(({ id, unverified = [] }) =>
    unverified.map((code) => `${id}: ${code}`),
  );
  return [...lines, `${lines.length} unverified`];
}

function explain(folder: string, id: string, language: 'da' | 'en'): Outcome {
  const guideline = loadKnowledge(folder);
  const rule = guideline.rules.get(id);
  if (rule === undefined)
    return { lines: [`No decision ${id}; there are ${[...guideline.rules.keys()].join(', ')}`], code: 1 };
  const { files } = readKnowledge(folder);
  const uses = findUses(files, guideline);
  const words = findWords(guideline, language, (fact, says) => `${says} (${fact})`);
  const named = [...(uses.factsOfConditions.get(rule.id) ?? [])];
  return {
    lines: [
      `${rule.id} ${rule.title[language]}`,
      '',
      ...describeRule(rule, guideline, uses, words, language),
      '',
      ...named.map((fact) => `- ${fact}: ${words.ofFact(fact)}`),
    ],
    code: 0,
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { lines, code } = runKnowledge(
    process.argv.slice(2),
    join(import.meta.dirname, '..', '..', 'cds-services', 'diagnostisk-pakkeforloeb'),
  );
  (code === 0 ? console.log : console.error)(lines.join('\n'));
  process.exitCode = code;
}
