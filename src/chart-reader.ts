import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type * as z from 'zod';
import type { CompiledGuideline } from './engine/compile.ts';
import { compileLookup, systemsSchema } from './engine/lookup.ts';
import { compileAnalysis } from './engine/quantities.ts';
import { type ChartOptions, readChart } from './engine/records.ts';
import type { Chart, Sources } from './engine/types.ts';
import { compileSpellings, spellingsSchema } from './engine/units.ts';
import { KnowledgeError } from './errors.ts';

/** Reads the resources of one request into a chart, with the codes and units of a guideline. */
export type ReadChart = (sources: Sources, options: Omit<ChartOptions, 'lookup' | 'analyses'>) => Chart;

/**
 * Makes the chart reader of a cds-services folder.
 *
 * @throws {@link KnowledgeError} naming the file that is wrong.
 */
export function createChartReader(folder: string, guideline: CompiledGuideline): ReadChart {
  const spellings = compileSpellings(readConceptFile(folder, 'unit-spellings.yaml', spellingsSchema));
  const lookup = compileLookup(guideline.concepts, readConceptFile(folder, 'systems.yaml', systemsSchema));
  const analyses = new Map([...guideline.analyses].map(([id, analysis]) => [id, compileAnalysis(analysis, spellings)]));
  return (sources, options) => readChart(sources, { ...options, lookup, analyses });
}

function readConceptFile<Shape>(folder: string, name: string, schema: z.ZodType<Shape>): Shape {
  const file = join('concepts', name);
  let text: string;
  try {
    text = readFileSync(join(folder, file), 'utf8');
  } catch {
    throw new KnowledgeError([`${file}: the file is missing`]);
  }
  const read = schema.safeParse(parse(text));
  if (!read.success) {
    throw new KnowledgeError(read.error.issues.map((issue) => `${file} ${issue.path.join('.')}: ${issue.message}`));
  }
  return read.data;
}
