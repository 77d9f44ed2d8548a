import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KnowledgeError } from '../src/errors.ts';
import { loadKnowledge } from '../src/knowledge.ts';

export const knowledgeFolder = join(import.meta.dirname, '..', 'cds-services', 'diagnostisk-pakkeforloeb');

/** One change of a file: text put in place of what the pattern finds, or at the end where there is no pattern. */
export interface Edit {
  file: string;
  find?: RegExp;
  put: string;
}

/** Copies the knowledge folder with some changes, calls `use`, and removes the copy. */
export function withEditedKnowledge<Result>(edits: readonly Edit[], use: (folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'knowledge-'));
  try {
    cpSync(knowledgeFolder, folder, { recursive: true });
    for (const { file, find, put } of edits) {
      const path = join(folder, file);
      const text = readFileSync(path, 'utf8');
      if (find !== undefined && !find.test(text)) throw new Error(`${file} has nothing like ${find}`);
      writeFileSync(path, find === undefined ? `${text}\n${put}\n` : text.replace(find, put));
    }
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The mistakes found in the knowledge folder after some changes; none when it loads. */
export function findMistakes(...edits: Edit[]): readonly string[] {
  return withEditedKnowledge(edits, (folder) => {
    try {
      loadKnowledge(folder);
      return [];
    } catch (error) {
      if (error instanceof KnowledgeError) return error.mistakes;
      throw error;
    }
  });
}

/** A fact more. */
export function addFact(definition: string): Edit {
  return { file: 'facts.yaml', put: definition };
}

/** A rule more, MAS-99: `when` and, if given, more members, as YAML in one line each. */
export function addRule(when: string, ...members: string[]): Edit {
  const lines = ['- id: MAS-99', 'title: { da: Prøve, en: Trial }', 'sections: ["3.2.2"]', `when: ${when}`, ...members];
  return { file: 'rules/1-mas.yaml', put: lines.join('\n  ') };
}
