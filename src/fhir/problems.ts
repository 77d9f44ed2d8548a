/** Why something was not fetched or not used: stable codes for errors, logs and metrics. */
const fetchProblems = [
  'no-fhir-server',
  'fhir-server-not-allowed',
  'no-token',
  'token-type',
  'token-patient',
  'token-characters',
  'token-expired',
  'template-unresolved',
  'unreadable',
  'other-patient',
  'incomplete',
  'next-elsewhere',
  'next-repeated',
  'too-many-pages',
  'too-large',
  'no-room',
  'timeout',
  'circuit-open',
  'unreachable',
  'tls',
  'redirect',
  'not-json',
] as const;
export type FetchProblem = (typeof fetchProblems)[number] | `status-${number}`;

const again = 'call again in a moment';
const orSend = 'or send the data in prefetch';

/** What somebody who is answered 412 can do, by code; those of {@link FetchProblem}, and `empty` for a read without result. */
export const adviceByProblem: Readonly<Record<(typeof fetchProblems)[number] | 'empty', string>> = {
  empty: 'null or an empty Bundle came where a resource is needed: send the resource',
  'no-fhir-server': 'send the data in prefetch, or send fhirServer and fhirAuthorization',
  'fhir-server-not-allowed': `fhirServer is not one registered for this client, by its exact https base: have it registered, ${orSend}`,
  'no-token': `the FHIR server is not asked without a token: send fhirAuthorization, ${orSend}`,
  'token-type': 'the token was not used: fhirAuthorization.token_type must be Bearer',
  'token-patient':
    'the token was not used: fhirAuthorization.patient must be the id in context.patientId, without Patient/ before it',
  'token-characters':
    'the token was not used: fhirAuthorization.access_token must be visible ASCII characters, without spaces or Bearer before it',
  'token-expired': 'the token was not used: fhirAuthorization.expires_in says that it has expired',
  'template-unresolved': `the context has no value the prefetch template can be filled with: send it, ${orSend}`,
  unreadable: 'it could not be read',
  'other-patient': 'all that came is of another patient than context.patientId: send that of this patient',
  incomplete: 'the answer holds an error or less than it says it does: send all of it',
  'next-elsewhere': 'its next link leads away from fhirServer: send pages of that server',
  'next-repeated':
    'its next link leads to a page that was read already: the FHIR server should end with a page without one',
  'too-many-pages': 'it has more pages than are read: send larger pages or fewer results',
  'too-large': 'the answer of the FHIR server is larger than what is read: narrow the query',
  'no-room': `too much is being read at the moment: ${again}`,
  timeout: `the FHIR server did not answer in time: ${again}, ${orSend}`,
  'circuit-open': `the FHIR server has failed many times and is left alone for some seconds: ${again}`,
  unreachable: `the FHIR server cannot be connected to: ${again}, ${orSend}`,
  tls: `the certificate of the FHIR server is not trusted here, or it does not speak TLS: whoever runs this service adds its authority with NODE_EXTRA_CA_CERTS, ${orSend}`,
  redirect: 'the FHIR server answered with a redirect, which is not followed: name its final address in fhirServer',
  'not-json': 'the FHIR server did not answer with FHIR JSON: it must send application/fhir+json',
};

/** One key that is required and was not obtained. */
export interface LackingKey {
  /** As the client calls it. */
  name: string;
  template: string;
  problem: FetchProblem | 'empty';
  /** What came in prefetch; absent where nothing did. */
  sent?: unknown;
}

/** Says of every key why it was not obtained and what to do; keys with one reason together. */
export function adviseLacking(lacking: readonly LackingKey[]): string {
  const reasons = Map.groupBy(lacking, (key) => `(${key.problem}): ${advise(key)}.`);
  const said = [...reasons].map(([reason, keys]) => `${keys.map(({ name }) => name).join(', ')} ${reason}`);
  return `Required data could not be obtained for the prefetch key(s) ${said.join(' ')}`;
}

function advise({ template, problem, sent }: LackingKey): string {
  if (problem.startsWith('status-')) return adviseStatus(problem.slice('status-'.length));
  if (problem !== 'unreadable') return adviceByProblem[problem as keyof typeof adviceByProblem];
  const came = sent === undefined ? 'the FHIR server answered something else' : `what came is ${describeType(sent)}`;
  return `${adviceByProblem.unreadable}: expected ${describeExpected(template)}; ${came}`;
}

function adviseStatus(status: string): string {
  const answered = `the FHIR server answered ${status}`;
  if (status === '401' || status === '403')
    return `${answered}: the token must be valid and its scopes allow this query`;
  if (status === '404' || status === '410') return `${answered}: it must know what the query asks for`;
  return status.startsWith('5') || status === '429'
    ? `${answered}: ${again}`
    : `${answered}: it must support this query`;
}

function describeExpected(template: string): string {
  const type = /^\w+/.exec(template)?.[0] ?? 'resource';
  return template.includes('?') ? `a Bundle of type searchset with ${type} in entry[].resource` : `a ${type} resource`;
}

/** The types of a value, never anything else of it. */
function describeType(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`;
  const { resourceType, type } = value as Record<string, unknown>;
  if (!isTypeName(resourceType)) return 'an object without resourceType';
  if (resourceType !== 'Bundle') return `a resource of type ${resourceType}`;
  return isTypeName(type) && type !== 'searchset'
    ? `a Bundle of type ${type}`
    : 'a Bundle whose entries are no such resources';
}

const isTypeName = (value: unknown): value is string => typeof value === 'string' && /^[A-Za-z-]{1,40}$/.test(value);

const mostNames = 5;

/**
 * Of prefetch keys nobody asked for, the first few that can be repeated: a client may have written anything there. None
 * with as many digits as name a patient.
 */
export function listUnknownKeys(names: readonly string[]): string[] {
  return names.filter((name) => /^[\w-]{1,40}$/.test(name) && !/\d{6}/.test(name)).slice(0, mostNames);
}
