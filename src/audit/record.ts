import { createHmac, hash } from 'node:crypto';
import { promisify } from 'node:util';
import { type BrotliOptions, brotliCompress, brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import type { Chart, Decision, KeyState, Outcome } from '../engine/types.ts';

/** A card as sent: the members the record reads by name; the rest is kept as it is. */
export interface SentCard {
  uuid?: string;
  indicator: string;
  source: { topic?: { code: string } };
  suggestions?: readonly SentSuggestion[];
  extension?: { [cardExtension]?: { decisions?: readonly string[]; open?: readonly string[]; pathway?: string } };
}

/** Member of a card's `extension` that says what is behind it (contract section 3). */
export const cardExtension = 'dk.diagnostisk-pakkeforloeb.decision';

interface SentSuggestion {
  uuid?: string;
  actions?: readonly SentAction[];
}

interface SentAction {
  type: string;
  resource?: unknown;
}

/** Milliseconds spent per step of the request. */
export interface Durations {
  collect: number;
  read: number;
  decide: number;
  total: number;
}

/**
 * One evaluation as the audit keeps it: what was asked, what was seen, what was decided, what was sent.
 *
 * `chart`, `language`, `settings`, `hook`, `service`, `encounter` and `explanation` are all that decisions and cards
 * depend on beside the knowledge, so replay decides again from them, with `Patient/{patientKey}` as the subject. Codes,
 * values, dates and `Type/id` references only: the patient stands under a keyed pseudonym, and resources the client
 * sent are named in the cards, not copied.
 */
export interface EvaluationRecord {
  /** Version of this shape. */
  format: 1;
  /** UUID, also in the extension of every card. */
  id: string;
  /** When the request was received: UTC, ISO 8601 with milliseconds. */
  time: string;
  client: string;
  tenant?: string;
  hook: string;
  service: string;
  hookInstance: string;
  /** See {@link pseudonymizePatient}. */
  patientKey: string;
  knowledge: { version: string; hash: string };
  /** Version of the program. */
  code: string;
  language: 'da' | 'en';
  /** The client's settings that influence decisions or cards. */
  settings: Readonly<Record<string, unknown>>;
  /** `Encounter/id` that suggested orders name. */
  encounter?: string;
  /** Address that explains this evaluation, as the cards link to it. */
  explanation?: string;
  chart: Chart;
  decisions: readonly Decision[];
  /** As sent, except that they name `Patient/{patientKey}`, and after {@link redactCard}. */
  cards: readonly SentCard[];
  durations: Durations;
}

/** What {@link buildRecord} is given. */
export type RecordInput = Omit<EvaluationRecord, 'format'>;

/** What an index row of the store says of a record. */
export interface RecordIndex {
  id: string;
  time: string;
  client: string;
  tenant?: string;
  hook: string;
  service: string;
  hookInstance: string;
  patientKey: string;
  knowledge: string;
  /** Decisions that were not `not-met`: the rest of the trace follows from them and stays in the record. */
  decisions: { id: string; outcome: Outcome }[];
  /** Each with the decisions behind it, those it asks data for included. */
  cards: { uuid: string; topic: string; indicator: string; decisions: string[] }[];
  /** Prefetch keys of which it is not known what they hold. */
  unknownKeys: { key: string; state: KeyState }[];
  /** Time the evaluation took. */
  milliseconds: number;
}

/** A record sealed for the store; crosses threads as plain data. */
export interface RecordEntry {
  index: RecordIndex;
  /** JSON of the record, in UTF-8; stores keep it as {@link packRecord} gives it. */
  json: Uint8Array<ArrayBuffer>;
  /** SHA-256 of that JSON, hex. */
  digest: string;
}

/** What the chain covers of a record: it still verifies when the record itself has been erased. */
export interface ChainLink {
  seq: number;
  id: string;
  time: string;
  digest: string;
}

/** The hash before the first record. */
export const chainStart = '0'.repeat(64);

/** Builds the audit record of one evaluation, its members always in the same order. Pure. */
export function buildRecord(input: RecordInput): EvaluationRecord {
  const { id, time, client, tenant, hook, service, hookInstance, patientKey, knowledge, code } = input;
  const { language, settings, encounter, explanation, durations, chart, decisions, cards } = input;
  return {
    format: 1,
    id,
    time: new Date(time).toISOString(),
    client,
    ...(tenant !== undefined && { tenant }),
    ...{ hook, service, hookInstance, patientKey, knowledge, code, language, settings },
    ...(encounter !== undefined && { encounter }),
    ...(explanation !== undefined && { explanation }),
    ...{ durations, chart, decisions },
    cards: cards.map(redactCard),
  };
}

/**
 * Gives the key a patient's records stand under: HMAC-SHA-256, hex.
 *
 * The client is part of it, since FHIR ids and tenant names are only unique within the client that gives them.
 */
export function pseudonymizePatient(
  secret: Uint8Array,
  of: { client: string; tenant?: string; patientId: string },
): string {
  const name = canonicalJson([of.client, of.tenant ?? null, of.patientId]);
  return createHmac('sha256', secret).update(name).digest('hex');
}

/**
 * Takes out of a card what the client sent: the resource of an `update` (the client's own order, with its notes and
 * contained resources) is reduced to type and id.
 *
 * Replay redacts what it builds in the same way before it compares.
 *
 * @returns The card itself where nothing is taken out.
 */
export function redactCard<Card extends SentCard>(card: Card): Card {
  if (!card.suggestions?.some(({ actions = [] }) => actions.some(isUpdate))) return card;
  const suggestions = card.suggestions.map((suggestion) =>
    suggestion.actions === undefined ? suggestion : { ...suggestion, actions: suggestion.actions.map(reduceUpdate) },
  );
  return { ...card, suggestions };
}

const isUpdate = ({ type }: SentAction): boolean => type === 'update';

function reduceUpdate(action: SentAction): SentAction {
  if (!isUpdate(action)) return action;
  const { resourceType, id } = (action.resource ?? {}) as { resourceType?: unknown; id?: unknown };
  return { ...action, resource: { resourceType, id } };
}

/**
 * Seals a record: its JSON, the digest of it and what the index needs. Pure.
 *
 * The digest is that of the very text that is stored: nobody has to write the record a second time to verify it.
 *
 * @param cards The JSON of the record's cards, where it has been written already.
 */
export function sealRecord(record: EvaluationRecord, cards = JSON.stringify(record.cards)): RecordEntry {
  const { cards: _, ...rest } = record;
  // Apart: a text with characters beyond Latin-1, as cards have, makes writing all of it several times slower.
  const json = new TextEncoder().encode(`${JSON.stringify(rest).slice(0, -1)},"cards":${cards}}`);
  return { index: indexRecord(record), json, digest: hash('sha256', json) };
}

/** Of Brotli: as small as gzip in two thirds of the time; higher ones take several times as long. */
const quality = 1;
/** Of a record's length before to after, at least. */
const usualRatio = 4;

/**
 * Compresses the JSON of a record, for the thread that stores it: 40 kB take 6, and commit twice as fast.
 *
 * Not for the threads that evaluate: what Node needs for it is only given back when the whole heap is searched for
 * garbage, and theirs is large. It made half of an evaluation's garbage collection.
 */
export function packRecord(json: Uint8Array): Uint8Array {
  return brotliCompressSync(json, packing(json));
}

/** As {@link packRecord}, beside the calling thread. */
export function packRecordAside(json: Uint8Array): Promise<Uint8Array> {
  return compressAside(json, packing(json));
}

const compressAside = promisify<Uint8Array, BrotliOptions, Uint8Array>(brotliCompress);

const packing = ({ length }: Uint8Array): BrotliOptions => ({
  // Room for what comes out, and little more: Node reserves it anew for each record.
  chunkSize: Math.max(constants.Z_MIN_CHUNK, Math.ceil(length / usualRatio)),
  params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: length },
});

/** Gives the JSON of a record as it is stored. */
export function unsealRecord(content: Uint8Array): string {
  return brotliDecompressSync(content).toString();
}

/** Picks what the index says of a record; `verify` compares it with the rows stored. */
export function indexRecord(record: EvaluationRecord): RecordIndex {
  const { id, time, client, tenant, hook, service, patientKey } = record;
  const hookInstance = cleanText(record.hookInstance);
  const notable = record.decisions.filter((decision) => decision.outcome !== 'not-met');
  return {
    ...{ id, time, client, hook, service, hookInstance, patientKey },
    ...(tenant === undefined ? {} : { tenant: cleanText(tenant) }),
    knowledge: record.knowledge.version,
    // A decision may stand in the trace once per draft: the index names it once per outcome.
    decisions: [...new Map(notable.map(({ id, outcome }) => [`${id} ${outcome}`, { id, outcome }])).values()],
    cards: record.cards.flatMap((card) =>
      card.uuid === undefined
        ? []
        : [
            {
              uuid: card.uuid,
              topic: card.source.topic?.code ?? '',
              indicator: card.indicator,
              decisions: decisionsBehind(card),
            },
          ],
    ),
    unknownKeys: Object.entries(record.chart.keys).flatMap(([key, { state }]) =>
      state === 'present' || state === 'empty' ? [] : [{ key, state }],
    ),
    milliseconds: record.durations.total,
  };
}

/** Ids of the decisions behind a card, those it asks data for included. */
export function decisionsBehind(card: SentCard): string[] {
  const { decisions = [], open = [] } = card.extension?.[cardExtension] ?? {};
  return [...decisions, ...open];
}

/** Hash of one link of the chain: SHA-256 over the hash before it and the canonical JSON of the link, hex. */
export function hashLink(previousHash: string, link: ChainLink): string {
  return digestText(previousHash + canonicalJson(link));
}

/** A text as every database can hold and compare it: no NUL, no half of a surrogate pair. The record keeps the original. */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

/** SHA-256 of a text in UTF-8, hex. */
export function digestText(text: string): string {
  return hash('sha256', text);
}

/**
 * Writes plain data as JSON with the members of every object in the order of their names, without white space.
 *
 * As `JSON.stringify` otherwise: absent (`undefined`) members are left out, numbers without a finite value are null.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`;
  const members: string[] = [];
  const object = value as Record<string, unknown>;
  for (const name of Object.keys(object).sort()) {
    const member = object[name];
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${canonicalJson(member)}`);
  }
  return `{${members.join(',')}}`;
}
