import { Agent, fetch as fetchUndici } from 'undici';
import { type AllowedFhirServers, createLookup, findAllowedBase, type Resolve, resolveBeneath } from './allow-list.ts';
import { type Answer, readAnswer } from './answer.ts';
import { type Circuits, createCircuits, defaultCircuitLimits } from './circuit.ts';
import type { FetchProblem } from './problems.ts';

/** Bounds of what one request may fetch. */
export interface FetchLimits {
  /** Bytes of one page, after decompression. */
  pageBytes: number;
  /** Bytes of all pages of all keys together. */
  totalBytes: number;
  /** Bytes of all requests of a thread that are being gathered. */
  threadBytes: number;
  /** Pages fetched per key. */
  pages: number;
  /** Entries per key after which no further page is fetched. */
  entries: number;
  /** Characters of an address. */
  urlLength: number;
  /** Share of the remaining time the first attempt may use, so that a second can follow. */
  firstAttemptShare: number;
  /** Milliseconds below which no attempt is started. */
  leastAttempt: number;
  /** Milliseconds after which an attempt ends however far the deadline is. */
  longestAttempt: number;
  /** Milliseconds a server must have had before its silence counts against it: a request may come with no time left. */
  fairAttempt: number;
}

export const defaultLimits: Readonly<FetchLimits> = {
  pageBytes: 10 * 1024 * 1024,
  totalBytes: 50 * 1024 * 1024,
  threadBytes: 96 * 1024 * 1024,
  pages: 20,
  entries: 10_000,
  urlLength: 4_000,
  firstAttemptShare: 0.6,
  leastAttempt: 20,
  longestAttempt: 10_000,
  fairAttempt: 250,
};

/** The part of a fetch response that is read. */
export interface FetchedResponse {
  status: number;
  headers: { get(name: string): string | null };
  body: AsyncIterable<Uint8Array> | null;
}

/** What carries a request out; given in by tests. */
export type Fetch = (
  url: URL,
  init: { method: 'GET'; redirect: 'manual'; headers: Record<string, string>; signal: AbortSignal },
) => Promise<FetchedResponse>;

/** `fhirAuthorization` of a request. */
export interface FhirAuthorization {
  access_token: string;
  token_type?: string | undefined;
  /** Seconds. */
  expires_in?: number | undefined;
  patient?: string | undefined;
}

/** What a client may have us call. */
export interface FhirAccess {
  allowedFhirServers: AllowedFhirServers;
  /** The client's FHIR server is open: it may be called without `fhirAuthorization`. */
  allowWithoutToken: boolean;
}

/** A FHIR server as one request may use it. */
export interface FhirServer {
  base: URL;
  token: string | undefined;
  /** Milliseconds since the epoch. */
  deadline: number;
  fetch: Fetch;
  limits: Readonly<FetchLimits>;
  /** Counts down over all pages of the request. */
  bytesLeft: number;
  room: Room;
  circuits: Circuits;
  /** What the circuit said when the request first called; absent before. */
  isAdmitted?: boolean;
}

/**
 * Makes the transport of production: pooled connections, each to addresses checked when they were resolved.
 *
 * @param resolve How names become addresses; the operating system's way unless a test gives another.
 */
export function createTransport(resolve?: Resolve): Fetch {
  const agent = new Agent({ connect: { lookup: createLookup(resolve) } });
  return (url, init) => fetchUndici(url, { ...init, dispatcher: agent });
}

/** Bytes held by the requests of a thread that are being gathered. */
export interface Room {
  held: number;
}

const fetchGuarded = createTransport();
const sharedRoom: Room = { held: 0 };
/** Every worker thread learns for itself. */
const sharedCircuits = createCircuits(defaultCircuitLimits, () => performance.now());

/**
 * Opens the FHIR server a request names, if it may be called at all.
 *
 * The token goes to this server alone. One that names another patient, or is not a bearer token, is not used.
 *
 * @see CDS Hooks 2.0.1, "FHIR Resource Access"
 */
export function openServer(request: {
  fhirServer?: string | undefined;
  fhirAuthorization?: FhirAuthorization | undefined;
  patientId: unknown;
  client: FhirAccess;
  deadline: number;
  fetch?: Fetch | undefined;
  limits?: Readonly<FetchLimits> | undefined;
  circuits?: Circuits | undefined;
  room?: Room | undefined;
}): FhirServer | { problem: FetchProblem } {
  const { fhirServer, fhirAuthorization, client } = request;
  const { fetch = fetchGuarded, limits = defaultLimits, circuits = sharedCircuits, room = sharedRoom } = request;
  if (fhirServer === undefined) return { problem: 'no-fhir-server' };
  const base = findAllowedBase(fhirServer, client.allowedFhirServers);
  if (base === undefined) return { problem: 'fhir-server-not-allowed' };
  const unusable = fhirAuthorization === undefined ? 'no-token' : checkToken(fhirAuthorization, request.patientId);
  if (unusable !== undefined && !client.allowWithoutToken) return { problem: unusable };
  const isUsable = fhirAuthorization !== undefined && unusable === undefined;
  const expires =
    isUsable && fhirAuthorization.expires_in !== undefined ? fhirAuthorization.expires_in * 1_000 : Infinity;
  return {
    base,
    token: isUsable ? fhirAuthorization.access_token : undefined,
    deadline: Math.min(request.deadline, Date.now() + expires),
    fetch,
    limits,
    bytesLeft: limits.totalBytes,
    room,
    circuits,
  };
}

/** Ends the calls of a request to its server and gives back the room its bytes took. */
export function closeServer(server: FhirServer | { problem: FetchProblem }): void {
  if ('problem' in server) return;
  server.room.held -= server.limits.totalBytes - server.bytesLeft;
  // What still comes in of a call that was given up finds the request's bytes spent and takes no room.
  server.bytesLeft = Number.NEGATIVE_INFINITY;
}

/**
 * Follows the `next` links of an answer and joins the pages to one.
 *
 * @returns The joined answer, whose `next` is gone; `problem` says why it ends before the last page.
 */
export async function followPages(
  type: string,
  first: Answer,
  server: FhirServer | { problem: FetchProblem },
): Promise<{ answer: Answer; problem?: FetchProblem }> {
  const { next: firstNext, ...answer } = first;
  let next = firstNext;
  const read = new Set<string>();
  for (let pages = 0; next !== undefined; pages += 1) {
    if ('problem' in server) return { answer, problem: server.problem };
    if (pages >= server.limits.pages || answer.entries >= server.limits.entries) {
      return { answer, problem: 'too-many-pages' };
    }
    const url = resolveBeneath(server.base, next);
    if (next === '' || url === undefined) return { answer, problem: 'next-elsewhere' };
    if (read.has(url.href)) return { answer, problem: 'next-repeated' };
    read.add(url.href);
    const fetched = await getJson(server, url);
    if ('problem' in fetched) return { answer, problem: fetched.problem };
    const page = readAnswer(fetched.value, type);
    for (const resource of page.resources) answer.resources.push(resource);
    answer.entries += page.entries;
    answer.isBroken ||= page.isBroken;
    next = page.next;
  }
  return { answer };
}

/**
 * GETs one FHIR JSON body from a server, within its limits and its deadline.
 *
 * Tries a second time after a 5xx, a timeout or a broken connection if time remains: a GET changes nothing, and servers
 * close kept connections at any moment. Never throws, never follows a redirect.
 */
export async function getJson(server: FhirServer, url: URL): Promise<{ value: unknown } | { problem: FetchProblem }> {
  if (url.href.length > server.limits.urlLength) return { problem: 'too-large' };
  const first = await attemptGet(server, url, server.limits.firstAttemptShare);
  return 'problem' in first && isPassing(first.problem) ? attemptGet(server, url, 1, first.problem) : first;
}

async function attemptGet(
  server: FhirServer,
  url: URL,
  share: number,
  whenTooLate: FetchProblem = 'timeout',
): Promise<{ value: unknown } | { problem: FetchProblem }> {
  const time = Math.min((server.deadline - Date.now()) * share, server.limits.longestAttempt);
  if (time < server.limits.leastAttempt) return { problem: whenTooLate };
  server.isAdmitted ??= server.circuits.admit(server.base.href);
  if (!server.isAdmitted) return { problem: 'circuit-open' };
  const fetched = await transferWithin(server, url, time);
  const isFailure = 'problem' in fetched && (isPassing(fetched.problem) || fetched.problem === 'tls');
  const isFair = !('problem' in fetched) || fetched.problem !== 'timeout' || time >= server.limits.fairAttempt;
  if (isFair) server.circuits.report(server.base.href, !isFailure);
  return fetched;
}

async function transferWithin(
  server: FhirServer,
  url: URL,
  time: number,
): Promise<{ value: unknown } | { problem: FetchProblem }> {
  const stop = new AbortController();
  // The race does not rely on the transport to heed the signal.
  const stopped = new Promise<{ problem: FetchProblem }>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve({ problem: 'timeout' }), { once: true });
  });
  const timer = setTimeout(() => stop.abort(), time);
  try {
    return await Promise.race([transfer(server, url, stop.signal), stopped]);
  } catch (error) {
    return { problem: stop.signal.aborted ? 'timeout' : isTlsFailure(error) ? 'tls' : 'unreachable' };
  } finally {
    clearTimeout(timer);
    // Frees the connection of a body that was not read to its end.
    stop.abort();
  }
}

async function transfer(
  server: FhirServer,
  url: URL,
  signal: AbortSignal,
): Promise<{ value: unknown } | { problem: FetchProblem }> {
  const headers: Record<string, string> = { accept: 'application/fhir+json' };
  if (server.token !== undefined) headers.authorization = `Bearer ${server.token}`;
  const response = await server.fetch(url, { method: 'GET', redirect: 'manual', headers, signal });
  if (response.status >= 300 && response.status < 400) return { problem: 'redirect' };
  if (response.status !== 200) return { problem: `status-${response.status}` };
  if (!/[/+]json\b/i.test(response.headers.get('content-type') ?? '')) return { problem: 'not-json' };

  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > server.limits.pageBytes || chunk.byteLength > server.bytesLeft) return { problem: 'too-large' };
    if (server.room.held + chunk.byteLength > server.limits.threadBytes) return { problem: 'no-room' };
    server.bytesLeft -= chunk.byteLength;
    server.room.held += chunk.byteLength;
    text += decoder.decode(chunk, { stream: true });
  }
  try {
    return { value: JSON.parse(text + decoder.decode()) };
  } catch {
    return { problem: 'not-json' };
  }
}

/** @returns Why the token is not used; undefined where it is. */
function checkToken(
  { access_token, token_type = 'bearer', expires_in, patient }: FhirAuthorization,
  patientId: unknown,
): FetchProblem | undefined {
  if (token_type.toLowerCase() !== 'bearer') return 'token-type';
  // What cannot be a header would fail as if the server did not answer.
  if (!/^[\x21-\x7e]+$/.test(access_token)) return 'token-characters';
  if (patient !== undefined && patient !== patientId) return 'token-patient';
  return expires_in !== undefined && expires_in <= 0 ? 'token-expired' : undefined;
}

/** Names Node gives to what is wrong with a certificate, or with a server that does not speak TLS. */
const tlsCodes =
  /^(EPROTO|ERR_(SSL|TLS)_\w+|(CERT|CRL|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|ERROR_IN_C[ER])_\w+|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)$/;

/** Whether a call failed because the other side could not show, in TLS, who it is. */
export function isTlsFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return (code !== undefined && tlsCodes.test(code)) || isTlsFailure(error.cause);
}

/** Whether the same request may succeed a moment later. */
function isPassing(problem: FetchProblem): boolean {
  return problem === 'timeout' || problem === 'unreachable' || problem.startsWith('status-5');
}
