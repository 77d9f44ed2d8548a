import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isNode, LineCounter, parseDocument } from 'yaml';
import type * as z from 'zod';
import { compileGuideline } from './engine/compile.ts';
import { conceptFiles } from './engine/concepts.ts';
import type { CompiledGuideline, KnowledgeFiles } from './engine/guideline.ts';
import { lintGuideline } from './engine/lint.ts';
import { systemsSchema } from './engine/lookup.ts';
import {
  cautionsSchema,
  factsSchema,
  guidelineSchema,
  ledgerSchema,
  type RuleDefinition,
  rulesSchema,
  textsSchema,
} from './engine/schema.ts';
import { spellingsSchema } from './engine/units.ts';
import { KnowledgeError } from './errors.ts';

/** The files of a cds-services folder, each of the right shape. */
export interface KnowledgeFolder {
  files: KnowledgeFiles;
  /** `sha256:…` over all files. */
  hash: string;
  /** File of each rule, `rules/1-mas.yaml`. */
  fileOfRule: ReadonlyMap<string, string>;
  /** `facts.yaml feverItem.where` -> `facts.yaml:12 feverItem.where`. */
  locate(place: string): string;
}

/**
 * Reads, validates and compiles a cds-services folder.
 *
 * @throws {@link KnowledgeError} with every mistake found, each with file, line and reason; nothing is decided with a folder that has one.
 */
export function loadKnowledge(folder: string): CompiledGuideline {
  const { files, hash, locate } = readKnowledge(folder);
  const mistakes: string[] = [];
  const mistake = (place: string, what: string): void => {
    mistakes.push(`${locate(place)}: ${what}`);
  };
  const compiled = compileGuideline(files, hash, mistake);
  lintGuideline(files, compiled, mistake);
  if (mistakes.length > 0) throw new KnowledgeError(mistakes);
  return compiled;
}

/**
 * Reads the files of a cds-services folder and checks their shapes.
 *
 * @throws {@link KnowledgeError} with every mistake of form, each with file, line and reason.
 */
export function readKnowledge(folder: string): KnowledgeFolder {
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
    const value: unknown = document.toJS();
    const line = (named: readonly PropertyKey[]): number => {
      const path = byPosition(value, named);
      for (let length = path.length; length >= 0; length -= 1) {
        const node = document.getIn(path.slice(0, length), true);
        if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
      }
      return 1;
    };
    lineOf.set(file, line);
    const parsed = schema.safeParse(value);
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
  const systems = read('concepts/systems.yaml', systemsSchema);
  const spellings = read('concepts/unit-spellings.yaml', spellingsSchema);
  const rules: RuleDefinition[] = [];
  const fileOfRule = new Map<string, string>();
  for (const name of ruleFiles(folder)) {
    const file = `rules/${name}`;
    for (const rule of read(file, rulesSchema) ?? []) {
      fileOfRule.set(rule.id, file);
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
    !sites ||
    !systems ||
    !spellings ||
    mistakes.length > 0
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
    systems,
    spellings,
  };
  return {
    files,
    hash: `sha256:${hash.digest('hex')}`,
    fileOfRule,
    locate: (place) => locate(place, files, lineOf, fileOfRule),
  };
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

function locate(
  place: string,
  { concepts }: KnowledgeFiles,
  lineOf: ReadonlyMap<string, (path: readonly PropertyKey[]) => number>,
  fileOfRule: ReadonlyMap<string, string>,
): string {
  const [named = '', ...rest] = place.split(' ');
  const what = rest.join(' ');
  const path = what.replaceAll('[', '.').replaceAll(']', '').split('.');
  const [id = ''] = path;
  const list = Object.entries(concepts).find(([, each]) => each.some((concept) => concept.id === id))?.[0];
  const file = named === 'rules' ? fileOfRule.get(id) : named === 'concepts' ? `concepts/${list}.yaml` : named;
  const line = lineOf.get(file ?? '');
  return line === undefined ? place : `${file}:${line(path)}${what === '' ? '' : ` ${what}`}`;
}

/** Members of lists by position, where they are named by their id. */
function byPosition(value: unknown, path: readonly PropertyKey[]): PropertyKey[] {
  let at = value;
  return path.map((part) => {
    const key = Array.isArray(at) && typeof part === 'string' ? positionOf(at, part) : part;
    at = (at as Record<PropertyKey, unknown> | undefined)?.[key];
    return key;
  });
}

function positionOf(list: readonly unknown[], part: string): number {
  return /^\d+$/.test(part) ? Number(part) : list.findIndex((item) => (item as { id?: unknown } | null)?.id === part);
}
