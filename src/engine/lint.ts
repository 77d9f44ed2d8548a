import type { CompiledGuideline, KnowledgeFiles, ReportMistake } from './guideline.ts';
import { lintSharedCodes } from './lint/codes.ts';
import { lintConditions } from './lint/conditions.ts';
import { lintPrefetch } from './lint/prefetch.ts';
import { lintPlaceholders } from './lint/texts.ts';
import { lintTruths } from './lint/truths.ts';
import { lintWords } from './lint/words.ts';

/**
 * Finds what compiles and is still wrong: conditions that can never hold or never fail, words and codes that can never match,
 * one code with two meanings, placeholders that stay empty, and searches that FHIR R4 does not have.
 *
 * Only what can be decided is reported: facts over readings count as independent of each other.
 */
export function lintGuideline(files: KnowledgeFiles, guideline: CompiledGuideline, mistake: ReportMistake): void {
  lintConditions(guideline, mistake);
  lintTruths(guideline, mistake);
  lintChoices(files, mistake);
  lintWords(guideline, mistake);
  lintSharedCodes(files.concepts.conditions, mistake);
  lintPlaceholders(files, mistake);
  lintPrefetch(files, mistake);
}

/** The number a chosen option sets is the one guideline.yaml shows. */
function lintChoices({ ledger, guideline }: KnowledgeFiles, mistake: ReportMistake): void {
  for (const { id, options, default: chosen } of ledger) {
    for (const [name, value] of Object.entries(options.find(({ key }) => key === chosen)?.set ?? {})) {
      const shown = guideline.parameters[name]?.value;
      if (shown !== undefined && shown !== value) {
        mistake(`ledger.yaml ${id}`, `the option chosen sets ${name} to ${value}, guideline.yaml says ${shown}`);
      }
    }
  }
}
