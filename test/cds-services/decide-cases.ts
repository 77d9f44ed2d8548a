import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { createChartReader } from '../../src/engine/chart-reader.ts';
import { type Answer, decide } from '../../src/engine/decide.ts';
import type { CompiledGuideline } from '../../src/engine/guideline.ts';
import { indexDrafts } from '../../src/engine/readers/gather.ts';
import type { Chart } from '../../src/engine/types.ts';
import { loadKnowledge } from '../../src/knowledge.ts';
import { buildContext, buildPrefetch, casePatientId, readConcepts, readSources } from './build-bundle.ts';
import { type Case, casesSchema } from './case.ts';

const root = join(import.meta.dirname, '..', '..');
const guidelineId = 'diagnostisk-pakkeforloeb';
const knowledgeFolder = join(root, 'cds-services', guidelineId);

export const guideline = loadKnowledge(knowledgeFolder);
export const concepts = readConcepts(knowledgeFolder);
const readChart = createChartReader(guideline);

/** Reads every case of the guideline. */
export function readCases(): Case[] {
  const folder = join(root, 'test', 'cds-services', guidelineId);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .flatMap((name) => {
      const cases = casesSchema.safeParse(parse(readFileSync(join(folder, name), 'utf8')));
      if (cases.success) return cases.data;
      const [issue] = cases.error.issues;
      throw new Error(`${name} ${issue?.path.join('.')}: ${issue?.message}`);
    });
}

/** Reads the record of a case as the service would. */
export function readCaseChart(testCase: Case): Chart {
  const sources = readSources(testCase, buildPrefetch(testCase, concepts));
  const { codes } = testCase.client;
  return readChart(sources, {
    today: testCase.today,
    patientId: casePatientId,
    ...readDrafts(testCase),
    ...(codes !== undefined && { own: { codes } }),
  });
}

/** What the context of an order hook adds to a chart. */
function readDrafts(testCase: Case) {
  if (testCase.service === 'patient-view') return {};
  const { draftOrders, selections } = buildContext(testCase, concepts);
  return {
    drafts: draftOrders,
    ...(selections !== undefined && { selections }),
    allSelected: testCase.service === 'order-sign' || selections === undefined,
  };
}

/** Decides a case as its service would. */
export function decideCase(testCase: Case): Answer {
  return decideChart(guideline, testCase, readCaseChart(testCase));
}

/** Decides the chart of a case with a guideline. */
export function decideChart(by: CompiledGuideline, testCase: Case, chart: Chart): Answer {
  const { contact, notAssessed, orderSignOnly, referralChecklist, codes, ledger = {} } = testCase.client;
  return decide(by, `${guidelineId}-${testCase.service}`, chart, {
    language: 'da',
    client: {
      ledger,
      ...(contact !== undefined && { contact }),
      ...(notAssessed !== undefined && { notAssessed }),
      ...(orderSignOnly !== undefined && { orderSignOnly }),
      ...(referralChecklist !== undefined && { referralChecklist }),
      ...(codes !== undefined && { codes }),
    },
    evaluation: '00000000-0000-4000-8000-000000000000',
    subject: `Patient/${casePatientId}`,
    drafts: indexDrafts(buildContext(testCase, concepts).draftOrders, casePatientId),
  });
}
