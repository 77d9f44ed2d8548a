import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isNode, LineCounter, parseDocument } from 'yaml';
import type * as z from 'zod';
import { type CompiledGuideline, compileGuideline, type KnowledgeFiles } from './engine/compile.ts';
import { conceptFiles } from './engine/concepts.ts';
import {
  cautionsSchema,
  factsSchema,
  guidelineSchema,
  ledgerSchema,
  type RuleDefinition,
  rulesSchema,
  textsSchema,
} from './engine/schema.ts';
import { KnowledgeError } from './errors.ts';

/**
 * Reads, validates and compiles a cds-services folder.
 *
 * @throws {@link KnowledgeError} with every mistake found, each with file, line and reason; nothing is decided with a folder that has one.
 */
export function loadKnowledge(folder: string): CompiledGuideline {
  const mistakes: string[] = [];
  const hash = createHash('sha256');
  const lineOf = new Map<string, (path: readonly PropertyKey[]) => number>();

  const read = <T>(file: string, schema: z.ZodType<T>): T | undefined => {
    let text: string;
    try {
      text = readFileSync(join(folder, file), 'utf8');
    } catch {
      mistakes.push(`${file}: the file is missing`);
      return undefined;
    }
    hash.update(`${file}\n${text}\n`);
    const lineCounter = new LineCounter();
    const document = parseDocument(text, { lineCounter, uniqueKeys: true });
    for (const error of document.errors) {
      mistakes.push(`${file}:${lineCounter.linePos(error.pos[0]).line}: ${error.message.split('\n')[0]}`);
    }
    if (document.errors.length > 0) return undefined;
    const line = (path: readonly PropertyKey[]): number => {
      for (let length = path.length; length >= 0; length -= 1) {
        const node = document.getIn(path.slice(0, length), true);
        if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
      }
      return 1;
    };
    lineOf.set(file, line);
    const parsed = schema.safeParse(document.toJS());
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) {
      for (const { path, message } of flatten(issue)) {
        mistakes.push(`${file}:${line(path)} ${path.join('.') || '(file)'}: ${message}`);
      }
    }
    return undefined;
  };

  const guideline = read('guideline.yaml', guidelineSchema);
  const ledger = read('ledger.yaml', ledgerSchema);
  const facts = read('facts.yaml', factsSchema);
  const cautions = read('cautions.yaml', cautionsSchema);
  const da = read('texts/da.yaml', textsSchema);
  const en = read('texts/en.yaml', textsSchema);
  const analyses = read('concepts/analyses.yaml', conceptFiles.analyses);
  const conditions = read('concepts/conditions.yaml', conceptFiles.conditions);
  const procedures = read('concepts/procedures.yaml', conceptFiles.procedures);
  const pathways = read('concepts/pathways.yaml', conceptFiles.pathways);
  const drugs = read('concepts/drugs.yaml', conceptFiles.drugs);
  const sites = read('concepts/sites.yaml', conceptFiles.sites);
  const rules: RuleDefinition[] = [];
  const fileOfRule = new Map<string, [string, number]>();
  for (const name of ruleFiles(folder)) {
    const file = `rules/${name}`;
    for (const [index, rule] of (read(file, rulesSchema) ?? []).entries()) {
      fileOfRule.set(rule.id, [file, lineOf.get(file)?.([index]) ?? 1]);
      rules.push(rule);
    }
  }

  if (
    !guideline ||
    !ledger ||
    !facts ||
    !cautions ||
    !da ||
    !en ||
    !analyses ||
    !conditions ||
    !procedures ||
    !pathways ||
    !drugs ||
    !sites
  ) {
    throw new KnowledgeError(mistakes);
  }
  const files: KnowledgeFiles = {
    guideline,
    ledger,
    facts,
    cautions,
    rules,
    texts: { da, en },
    concepts: { analyses, conditions, procedures, pathways, drugs, sites },
  };
  const compiled = compileGuideline(files, `sha256:${hash.digest('hex')}`, (place, what) => {
    mistakes.push(`${locate(place, lineOf, fileOfRule)}: ${what}`);
  });
  if (mistakes.length > 0) throw new KnowledgeError(mistakes);
  return compiled;
}

function ruleFiles(folder: string): string[] {
  try {
    return readdirSync(join(folder, 'rules'))
      .filter((name) => name.endsWith('.yaml'))
      .sort();
  } catch {
    return [];
  }
}

/** The innermost issues: for a union, those of the member that came closest. */
function flatten(issue: z.core.$ZodIssue): { path: readonly PropertyKey[]; message: string }[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const closest = [...issue.errors].sort((a, b) => weight(a) - weight(b))[0] ?? [];
  return closest.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue));
}

/** A member that is missing whole tells that another form was meant; one unknown member tells a misspelling. */
function weight(issues: readonly z.core.$ZodIssue[]): number {
  return issues.reduce((sum, issue) => sum + (issue.code === 'invalid_type' && issue.input === undefined ? 10 : 1), 0);
}

/** `facts.yaml feverItem.where` -> `facts.yaml:12 feverItem.where`. */
function locate(
  place: string,
  lineOf: ReadonlyMap<string, (path: readonly PropertyKey[]) => number>,
  fileOfRule: ReadonlyMap<string, [string, number]>,
): string {
  const [file = '', ...rest] = place.split(' ');
  const what = rest.join(' ');
  if (file === 'rules') {
    const [ruleFile, line] = fileOfRule.get(what) ?? ['rules', 1];
    return `${ruleFile}:${line} ${what}`;
  }
  const line = lineOf.get(file)?.(what.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part)));
  return line === undefined ? place : `${file}:${line} ${what}`;
}
