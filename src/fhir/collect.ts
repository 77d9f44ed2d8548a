import { isOfOtherPatient } from '../engine/readers/gather.ts';
import type { Source, Sources } from '../engine/types.ts';
import { DataMissingError } from '../errors.ts';
import { type Answer, isOfType, readAnswer } from './answer.ts';
import type { Circuits } from './circuit.ts';
import {
  closeServer,
  type Fetch,
  type FetchLimits,
  type FhirAccess,
  type FhirAuthorization,
  type FhirServer,
  followPages,
  getJson,
  openServer,
  type Room,
} from './client.ts';
import { adviseLacking, type FetchProblem, listUnknownKeys } from './problems.ts';

/** One prefetch template as discovery publishes it. */
export interface PrefetchTemplate {
  template: string;
  required: boolean;
}

export interface CollectRequest {
  prefetch: Readonly<Record<string, unknown>> | undefined;
  context: Readonly<Record<string, unknown>>;
  fhirServer?: string | undefined;
  fhirAuthorization?: FhirAuthorization | undefined;
  templates: Readonly<Record<string, PrefetchTemplate>>;
  /** `keyAliases`: our key to the key this client sends it under. */
  client: FhirAccess & { keyAliases?: Readonly<Record<string, string>> | undefined };
  /** Milliseconds since the epoch: nothing is waited for beyond it. */
  deadline: number;
  fetch?: Fetch | undefined;
  limits?: Readonly<FetchLimits> | undefined;
  /** Which FHIR servers are left alone for now; one memory per thread unless a test gives another. */
  circuits?: Circuits | undefined;
  /** What the requests of this thread hold together; one for all unless a test gives another. */
  room?: Room | undefined;
}

export interface Collected {
  sources: Sources;
  /** Keys sent that no template asks for: the first few that can be repeated. */
  unknownKeys: string[];
  /** Why a key is not known, or not known whole, by prefetch key. */
  problems: Readonly<Record<string, FetchProblem>>;
}

/**
 * Gathers the data of every prefetch key: what the client sent, and from its FHIR server what it left out.
 *
 * Only a key that is absent, and a further page, cause a call. What could not be read stays visible in the key's state.
 * References inside patient data are never fetched.
 *
 * @throws {@link DataMissingError} naming the required keys that could not be obtained.
 * @see CDS Hooks 2.0.1, "Providing FHIR Resources to a CDS Service"
 */
export async function collectSources(request: CollectRequest): Promise<Collected> {
  const prefetch = request.prefetch ?? {};
  const server = openServer({ ...request, patientId: request.context.patientId });
  const sentKeys = new Set<string>();
  const gathering = Object.entries(request.templates).map(async ([key, { template }]) => {
    const sentKey = findSentKey(prefetch, key, request.client.keyAliases);
    if (sentKey !== undefined) sentKeys.add(sentKey);
    const sent = sentKey === undefined ? undefined : prefetch[sentKey];
    return [key, await gatherKey(template, sent, request.context, server)] as const;
  });
  const gathered = await Promise.all(gathering).finally(() => closeServer(server));

  const unknownKeys = Object.keys(prefetch).filter((key) => !sentKeys.has(key));
  checkRequired(request, gathered, unknownKeys);
  return {
    sources: Object.fromEntries(gathered.map(([key, { source }]) => [key, source])),
    unknownKeys: listUnknownKeys(unknownKeys),
    problems: Object.fromEntries(
      gathered.flatMap(([key, { problem }]) => (problem === undefined ? [] : [[key, problem]])),
    ),
  };
}

/** One key as gathered, and why it is not known or not whole. */
interface Gathered {
  source: Source;
  problem?: FetchProblem | undefined;
}

async function gatherKey(
  template: string,
  sent: unknown,
  context: Readonly<Record<string, unknown>>,
  server: FhirServer | { problem: FetchProblem },
): Promise<Gathered> {
  if (sent !== undefined) return followToEnd(template, sent, context, server);
  if ('problem' in server) return lackKey('missing', server.problem);
  const query = fillTemplate(template, context);
  if (query === undefined) return lackKey('missing', 'template-unresolved');
  const fetched = await getJson(server, new URL(`${server.base.href.replace(/\/$/, '')}/${query}`));
  if ('problem' in fetched) return lackKey('failed', fetched.problem);
  return followToEnd(template, fetched.value, context, server);
}

async function followToEnd(
  template: string,
  first: unknown,
  { patientId }: Readonly<Record<string, unknown>>,
  server: FhirServer | { problem: FetchProblem },
): Promise<Gathered> {
  const type = template.split(/[?/]/, 1)[0] ?? '';
  const { answer, problem } = await followPages(type, readAnswer(first, type), server);
  const asked = answer.resources.filter((resource) => isOfType(resource, type));
  if (asked.length > 0 && asked.every((resource) => isOfOtherPatient(resource, String(patientId)))) {
    // Handed on to be counted: reading drops what is not of the patient.
    return { source: { state: 'failed', resources: asked }, problem: 'other-patient' };
  }
  if (answer.isBroken && asked.length === 0) return lackKey('failed', problem ?? 'unreadable');
  const source = judgeAnswer(template, answer, asked, problem !== undefined);
  return { source, problem: problem ?? (source.state === 'truncated' ? 'incomplete' : undefined) };
}

function lackKey(state: 'missing' | 'failed', problem: FetchProblem): Gathered {
  return { source: { state, resources: [] }, problem };
}

/**
 * The state of a key from all that was read of it.
 *
 * Part of an answer that is an error or cannot be read, and a total above what came, make what is there incomplete:
 * it may still show that something is so, never that it is not.
 */
function judgeAnswer(template: string, answer: Answer, asked: unknown[], isCut: boolean): Source {
  const { resources } = answer;
  if (isRead(template) && asked.length > 0) return { state: 'present', resources: asked };
  if (answer.isBroken || isCut || (answer.total ?? 0) > answer.entries) return { state: 'truncated', resources };
  return { state: resources.length > 0 ? 'present' : 'empty', resources };
}

function checkRequired(
  { templates, prefetch = {}, client: { keyAliases } }: CollectRequest,
  gathered: readonly (readonly [string, Gathered])[],
  unknownKeys: readonly string[],
): void {
  const lacking = gathered.flatMap(([key, { source, problem }]) => {
    const wanted = templates[key];
    if (wanted?.required !== true) return [];
    // "No data" answers a search; a read that has none lacks the one resource it asks for.
    const isEmptyRead = isRead(wanted.template) && source.resources.length === 0;
    if (source.state !== 'missing' && source.state !== 'failed' && !isEmptyRead) return [];
    const sentKey = findSentKey(prefetch, key, keyAliases);
    return {
      ...{ key, name: keyAliases?.[key] ?? key, template: wanted.template, problem: problem ?? ('empty' as const) },
      ...(sentKey !== undefined && { sent: prefetch[sentKey] }),
    };
  });
  if (lacking.length === 0) return;
  const named = listUnknownKeys(unknownKeys).map((name) => `not asked for: '${name}'`);
  throw new DataMissingError(
    Object.fromEntries(lacking.map(({ key, problem }) => [key, problem])),
    adviseLacking(lacking),
    [...lacking.map(({ name }) => `prefetch key '${name}'`), ...named].join(', '),
  );
}

function findSentKey(
  prefetch: Readonly<Record<string, unknown>>,
  key: string,
  aliases: Readonly<Record<string, string>> | undefined,
): string | undefined {
  return [aliases?.[key], key].find((name) => name !== undefined && Object.hasOwn(prefetch, name));
}

/**
 * Fills the tokens of a template with URL-encoded values of the context.
 *
 * @returns undefined where a token is unknown or has no usable value.
 * @see CDS Hooks 2.0.1, "Prefetch tokens"
 */
function fillTemplate(template: string, context: Readonly<Record<string, unknown>>): string | undefined {
  let isFilled = true;
  const filled = template.replace(/\{\{([^{}]*)\}\}/g, (_, token: string) => {
    const value = findTokenValue(token.trim(), context);
    // A dot segment survives URL encoding and would climb out of the path.
    if (value === undefined || value === '' || value === '.' || value === '..') isFilled = false;
    return encodeURIComponent(value?.toWellFormed() ?? '');
  });
  return isFilled ? filled : undefined;
}

const userTokens: Readonly<Record<string, string>> = {
  userPractitionerId: 'Practitioner',
  userPractitionerRoleId: 'PractitionerRole',
  userPatientId: 'Patient',
  userRelatedPersonId: 'RelatedPerson',
};

function findTokenValue(token: string, context: Readonly<Record<string, unknown>>): string | undefined {
  const userType = Object.hasOwn(userTokens, token) ? userTokens[token] : undefined;
  const field = userType === undefined ? /^context\.(\w+)$/.exec(token)?.[1] : 'userId';
  const value = field === undefined ? undefined : context[field];
  if (typeof value !== 'string') return undefined;
  if (userType === undefined) return value;
  const [type, id, ...rest] = value.split('/');
  return type === userType && rest.length === 0 ? id : undefined;
}

function isRead(template: string): boolean {
  return !template.includes('?');
}
