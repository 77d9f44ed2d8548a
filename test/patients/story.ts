import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import request from 'supertest';
import { parse } from 'yaml';
import * as z from 'zod';
import type { EvaluationRecord } from '../../src/audit/record.ts';
import type { Card } from '../../src/engine/cards.ts';
import { createChartReader } from '../../src/engine/chart-reader.ts';
import { decide } from '../../src/engine/decide.ts';
import { deriveUuid } from '../../src/engine/suggestions.ts';
import { createEvaluate } from '../../src/http/evaluate.ts';
import { createExamples, exampleExtension } from '../../src/http/examples.ts';
import { loadKnowledge } from '../../src/knowledge.ts';
import { buildContext, buildPrefetch, casePatientId, readConcepts } from '../cds-services/build-bundle.ts';
import { type Case, casesSchema } from '../cds-services/case.ts';
import { createSteps, createTestApp } from '../http/fakes.ts';

const root = join(import.meta.dirname, '..', '..');
const knowledgeFolder = join(root, 'cds-services', 'diagnostisk-pakkeforloeb');
export const exampleFolder = join(root, 'examples');

const guideline = loadKnowledge(knowledgeFolder);
const readChart = createChartReader(guideline);
const concepts = readConcepts(knowledgeFolder);

/** A made-up patient: a case with a name, and with what a reader of the example is told. */
export interface Story {
  /** Name of the folder, of the example and of the patient's id. */
  id: string;
  who: string;
  /** Given names, then the family name. */
  name: string;
  case: Case;
}

/** What a call leaves: the request, the answer and the audit record. */
export interface Outcome {
  request: object;
  response: { cards: Card[] };
  record: EvaluationRecord;
}

const storySchema = z.looseObject({ who: z.string().min(1), name: z.string().regex(/^\S+( \S+)+$/) });

/** Id of the service a story is sent to. */
export function serviceOf({ case: { service } }: Story): string {
  return `diagnostisk-pakkeforloeb-${service}`;
}

/** Reads every `test/patients/<story>/story.yaml`. */
export function readStories(): Story[] {
  return readdirSync(import.meta.dirname, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
    .map((id) => {
      const { who, name, ...rest } = storySchema.parse(parse(readFileSync(storyFile(id, 'story.yaml'), 'utf8')));
      const read = casesSchema.safeParse([rest]);
      if (read.success && read.data[0] !== undefined) return { id, who, name, case: read.data[0] };
      const issue = read.error?.issues[0];
      throw new Error(`${id}/story.yaml ${issue?.path.slice(1).join('.')}: ${issue?.message}`);
    });
}

/** The path of a file of a story. */
export function storyFile(story: string, file: string): string {
  return join(import.meta.dirname, story, file);
}

/** Writes the request a client sends on the day of the story: the patient's chart is opened, or orders are chosen or signed. */
export function buildRequest(story: Story): object {
  const write = (value: object) =>
    mapObjects(value, (object) => nameConcept(pointTo(`Patient/${story.id}`, object))) as Record<
      string,
      Record<string, unknown>
    >;
  const prefetch = write(buildPrefetch(story.case, concepts));
  const { draftOrders, selections } = buildContext(story.case, concepts);
  const [family = '', ...given] = story.name.split(' ').reverse();
  const encounter = findEncounter(prefetch);
  return {
    hook: story.case.service,
    hookInstance: deriveUuid(story.id, 'hookInstance'),
    context: {
      userId: 'Practitioner/example',
      patientId: story.id,
      ...(encounter !== undefined && { encounterId: encounter }),
      ...(story.case.service !== 'patient-view' && { draftOrders: write(draftOrders) }),
      ...(story.case.service === 'order-select' && selections !== undefined && { selections }),
    },
    prefetch: {
      ...mapValues(prefetch, sendNothing),
      patient: { ...prefetch.patient, id: story.id, name: [{ use: 'official', family, given: given.reverse() }] },
    },
    extension: { [exampleExtension]: { day: story.case.today } },
  };
}

/** A search that found nothing is sent as null: FHIR has no empty arrays. */
function sendNothing(value: Record<string, unknown>): unknown {
  return Array.isArray(value.entry) && value.entry.length === 0 ? null : value;
}

/** The contact under way, as a system sends it in the context. */
function findEncounter(prefetch: Record<string, Record<string, unknown>>): string | undefined {
  const entries = (prefetch.encounters?.entry ?? []) as { resource: { id: string; status: string } }[];
  return entries.find(({ resource }) => resource.status === 'in-progress')?.resource.id;
}

function pointTo(patient: string, object: Record<string, unknown>): Record<string, unknown> {
  return object.reference === `Patient/${casePatientId}` ? { ...object, reference: patient } : object;
}

/** A concept with the name of its code beside it, as systems send it. */
function nameConcept(object: Record<string, unknown>): Record<string, unknown> {
  if (!Array.isArray(object.coding)) return object;
  const [first] = object.coding as { system: string; code: string }[];
  const text = first && names.get(`${first.system}|${first.code}`);
  return text === undefined ? object : { ...object, text };
}

const names = new Map(
  [concepts.analyses, concepts.conditions, concepts.procedures, concepts.sites].flatMap((list) =>
    list.flatMap(({ codes, da }) =>
      Object.entries(codes ?? {}).flatMap(([system, all]) =>
        all.map((code) => [`${concepts.systems[system]?.[0]}|${code}`, da] as const),
      ),
    ),
  ),
);

function mapObjects(value: unknown, change: (object: Record<string, unknown>) => unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => mapObjects(item, change));
  return change(mapValues(value, (member) => mapObjects(member, change)));
}

function mapValues<Value>(object: Record<string, Value> | object, change: (value: Value) => unknown) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}

/** The real app in demo mode, from the bytes to the answer, at the instant given; only the store is a stand-in. */
export function createStoryApp(now: Date) {
  // A record says what it was decided with; keys and ids are fixed so that nothing else differs from run to run.
  const steps = { guideline, readChart, decide, patientKey: Buffer.alloc(32) };
  const evaluate = createEvaluate(createSteps(steps));
  return createTestApp({
    guideline,
    now: () => now,
    examples: createExamples(exampleFolder, () => now),
    evaluate: (job) => evaluate({ ...job, evaluationId: '5f0e1c9a-3b1d-4c57-9a51-8d2f6b7c4e10' }),
  });
}

/** Sends a story's request at noon of its day and gives what comes of it. */
export async function runStory(story: Story): Promise<Outcome> {
  const body = buildRequest(story);
  const { app, store } = createStoryApp(new Date(`${story.case.today}T11:00:00Z`));
  const { status, text } = await request(app)
    .post(`/cds-services/${serviceOf(story)}`)
    .send(body);
  if (status !== 200) throw new Error(`${story.id}: answered ${status} ${text}`);
  const { durations, ...record } = store.record();
  return JSON.parse(
    // Another hash with every edit of the knowledge folder would hide what an edit changes.
    JSON.stringify({ request: body, response: JSON.parse(text), record }).replaceAll(
      guideline.hash,
      'sha256:knowledge',
    ),
  ) as Outcome;
}

/** Where the three parts of an outcome are kept; the request is the example itself. */
export function goldenFiles({ id }: Story, outcome: Outcome): { file: string; value: object }[] {
  return [
    { file: join(exampleFolder, `${id}.json`), value: outcome.request },
    { file: storyFile(id, 'response.json'), value: outcome.response },
    { file: storyFile(id, 'record.json'), value: outcome.record },
  ];
}
