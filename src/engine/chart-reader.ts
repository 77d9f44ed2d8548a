import type { CompiledGuideline } from './guideline.ts';
import { compileLookup, type Lookup } from './lookup.ts';
import { addOwnCodes, listKinds, type OwnCodes } from './own-codes.ts';
import { compileAnalysis } from './quantities.ts';
import { type ChartOptions, readChart } from './records.ts';
import type { Chart, Sources } from './types.ts';
import { compileSpellings } from './units.ts';

/** Reads the resources of one request into a chart, with the codes and units of a guideline and the client's own codes. */
export type ReadChart = (
  sources: Sources,
  options: Omit<ChartOptions, 'lookup' | 'analyses' | 'types'> & { own?: OwnCodes },
) => Chart;

/** Makes the chart reader of a guideline: everything that can be looked up is prepared once. */
export function createChartReader(guideline: CompiledGuideline): ReadChart {
  const spellings = compileSpellings(guideline.spellings);
  const lookup = compileLookup(guideline.concepts, guideline.systems);
  const analyses = new Map([...guideline.analyses].map(([id, analysis]) => [id, compileAnalysis(analysis, spellings)]));
  const types = Object.fromEntries(
    Object.entries(guideline.head.prefetch).map(([key, { template }]) => [key, template.split(/[?/]/)[0] ?? '']),
  );
  const kinds = listKinds(guideline.concepts);
  const lookups = new WeakMap<OwnCodes, Lookup>();
  const lookupOf = (own: OwnCodes): Lookup => {
    const known = lookups.get(own) ?? addOwnCodes(lookup, kinds, own);
    lookups.set(own, known);
    return known;
  };
  return (sources, { own, ...options }) =>
    readChart(sources, { ...options, lookup: own === undefined ? lookup : lookupOf(own), analyses, types });
}
