import { performance } from 'node:perf_hooks';
import { buildRecord, pseudonymizePatient, type RecordEntry, sealRecord } from '../audit/record.ts';
import type { Client } from '../clients/client.ts';
import type { Card } from '../engine/cards.ts';
import type { ReadChart } from '../engine/chart-reader.ts';
import type { decide } from '../engine/decide.ts';
import type { CompiledGuideline } from '../engine/guideline.ts';
import { indexDrafts } from '../engine/readers/gather.ts';
import type { Chart, Decision, KeyState, Outcome } from '../engine/types.ts';
import { NotFoundError } from '../errors.ts';
import type { collectSources } from '../fhir/collect.ts';
import { adaptAnswer, type HookAnswer } from './adapt.ts';
import { chooseLanguage } from './language.ts';
import { parseBody } from './parse.ts';
import { describeProblem, type Problem } from './problem.ts';
import { readRequest } from './request.ts';

/** One call of a service, as it is handed to a worker. */
export interface Job {
  body: Uint8Array<ArrayBuffer>;
  serviceId: string;
  /** As it was found when the call came: a reload of the profiles changes later calls only. */
  client: Client;
  tenant?: string;
  /** ISO, UTC. */
  receivedAt: string;
  /** Milliseconds since the epoch: no FHIR server is waited for beyond it. */
  collectUntil: number;
  /** UUID of the evaluation, in cards and record. */
  evaluationId: string;
  acceptLanguage?: string;
}

/** What operations count of an evaluation: ids of our own, never anything the client sent. */
export interface EvaluationMetrics {
  decisions: { id: string; outcome: Outcome }[];
  /** Topic of each card. */
  cards: string[];
  keys: { key: string; state: KeyState; dropped: number }[];
  /** Why a key is not known or not whole, by prefetch key. */
  problems: Readonly<Record<string, string>>;
  /** Prefetch keys that came and nobody asked for: for the log, not for labels. */
  unknownKeys: readonly string[];
}

/** What comes of a job: the JSON to send, in UTF-8, and the record to store before; or the error. */
export type Answer =
  | { response: Uint8Array<ArrayBuffer>; record: RecordEntry; metrics: EvaluationMetrics }
  | { error: Problem };

/** Answers one call of a service; never rejects. */
export type Evaluate = (job: Job) => Promise<Answer>;

/** The steps of an evaluation and what they work with. */
export interface EvaluateParts {
  guideline: CompiledGuideline;
  collect: typeof collectSources;
  readChart: ReadChart;
  decide: typeof decide;
  /** Key of the patient pseudonyms. */
  patientKey: Uint8Array;
  /** Version of the program. */
  code: string;
  limits: { entries: number; depth: number };
}

/** Puts the steps of an evaluation together: parse, check, gather, read, decide, record. */
export function createEvaluate(parts: EvaluateParts): Evaluate {
  return async (job) => {
    try {
      return await evaluate(parts, job);
    } catch (error) {
      return { error: describeProblem(error) };
    }
  };
}

async function evaluate(parts: EvaluateParts, job: Job): Promise<Answer> {
  const { guideline, limits } = parts;
  const service = guideline.services.get(job.serviceId);
  if (service === undefined) throw new NotFoundError('There is no such service.');
  const { client, tenant } = job;
  const started = performance.now();

  const request = readRequest(parseBody(job.body, limits.depth), service.hook, limits.entries);
  const { context, hook, hookInstance } = request;
  const language = chooseLanguage(job.acceptLanguage, client.language);
  const parsed = performance.now();

  const { sources, problems, unknownKeys } = await parts.collect({
    prefetch: request.prefetch,
    context,
    fhirServer: request.fhirServer,
    fhirAuthorization: request.fhirAuthorization,
    templates: guideline.head.prefetch,
    client,
    deadline: job.collectUntil,
  });
  const collected = performance.now();

  const chart = parts.readChart(sources, {
    today: findDanishDate(job.receivedAt),
    patientId: context.patientId,
    ...(context.draftOrders === undefined ? {} : { drafts: context.draftOrders }),
    ...(context.selections === undefined ? {} : { selections: context.selections }),
    // Where the client names no selection, every draft may be the one just made.
    allSelected: hook === 'order-sign' || context.selections === undefined,
    own: client.settings,
  });
  const read = performance.now();

  const patientKey = pseudonymizePatient(parts.patientKey, {
    client: client.id,
    ...(tenant !== undefined && { tenant }),
    patientId: context.patientId,
  });
  const encounter = context.encounterId === undefined ? undefined : `Encounter/${context.encounterId}`;
  // Decided for the pseudonym, as a replay will be: the record keeps these cards, only the answer names the patient.
  const { decisions, cards: decided } = parts.decide(guideline, service.id, chart, {
    language,
    client: client.settings,
    evaluation: job.evaluationId,
    subject: `Patient/${patientKey}`,
    ...(encounter !== undefined && { encounter }),
    drafts: indexDrafts(context.draftOrders, context.patientId),
  });
  const answer = adaptAnswer(decided, hook, client.cardForm);
  const told = performance.now();

  const record = buildRecord({
    ...{ id: job.evaluationId, time: job.receivedAt, client: client.id, hook, service: service.id, hookInstance },
    ...(tenant !== undefined && { tenant }),
    patientKey,
    knowledge: { version: guideline.head.version, hash: guideline.hash },
    code: parts.code,
    language,
    settings: { ...client.settings, ...(client.cardForm && { cardForm: client.cardForm }) },
    ...(encounter !== undefined && { encounter }),
    ...{ chart, decisions, cards: answer.cards },
    durations: { collect: collected - parsed, read: read - collected, decide: told - read, total: told - started },
  });
  const cards = JSON.stringify(answer.cards);
  const isSame = record.cards.every((card, at) => card === answer.cards[at]);
  return {
    response: writeAnswer(answer, cards, patientKey, context.patientId),
    record: isSame ? sealRecord(record, cards) : sealRecord(record),
    metrics: { ...countEvaluation(chart, decisions, decided), problems, unknownKeys },
  };
}

/** Writes the answer with the patient in the place of the pseudonym, which stands nowhere else: nobody outside knows it. */
function writeAnswer(
  { cards: _, ...beside }: HookAnswer,
  cards: string,
  patientKey: string,
  patientId: string,
): Uint8Array<ArrayBuffer> {
  const json = `${JSON.stringify({ ...beside, cards: 0 }).slice(0, -2)}${cards}}`;
  const written = JSON.stringify(patientId).slice(1, -1);
  return new TextEncoder().encode(json.replaceAll(`Patient/${patientKey}`, () => `Patient/${written}`));
}

function countEvaluation(
  chart: Chart,
  decisions: Decision[],
  cards: Card[],
): Omit<EvaluationMetrics, 'problems' | 'unknownKeys'> {
  return {
    decisions: decisions.map(({ id, outcome }) => ({ id, outcome })),
    cards: cards.map((card) => card.source.topic.code),
    keys: Object.entries(chart.keys).map(([key, { state, dropped }]) => ({ key, state, dropped })),
  };
}

const danishDate = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Copenhagen', dateStyle: 'short' });

let latest = { hour: '', date: '' };

/** The calendar day an ISO instant in UTC falls on in Denmark, `YYYY-MM-DD`. */
export function findDanishDate(instant: string): string {
  // Denmark is whole hours away from UTC: within one the day does not change, and formatting it is slow.
  const hour = instant.slice(0, 'YYYY-MM-DDTHH'.length);
  if (hour !== latest.hour) latest = { hour, date: danishDate.format(new Date(instant)) };
  return latest.date;
}
