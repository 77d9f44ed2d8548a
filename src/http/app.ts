import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import cors from 'cors';
import express, { type Express, type Request, type RequestHandler, type Response, type Router } from 'express';
import helmet from 'helmet';
import type { RecordEntry } from '../audit/record.ts';
import type { AuditStore } from '../audit/store.ts';
import type { Config } from '../config.ts';
import type { CompiledGuideline, CompiledService } from '../engine/guideline.ts';
import { AuthError, NotAcceptedError, NotFoundError, RateLimitError, UnavailableError } from '../errors.ts';
import type { Authenticate, Caller } from './auth.ts';
import { createRoom, type Room, readBody } from './body.ts';
import { handleError, sendProblem } from './error-handler.ts';
import type { Evaluate } from './evaluate.ts';
import { readFeedback } from './feedback.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { parseBody } from './parse.ts';
import type { TakeTurn } from './rate-limit.ts';
import { CutError } from './server.ts';
import { renderDiscovery } from './services.ts';
import { beginState, type RequestState, stateOf } from './state.ts';

/** What the HTTP edge works with. */
export interface AppParts {
  guideline: CompiledGuideline;
  evaluate: Evaluate;
  store: AuditStore;
  authenticate: Authenticate;
  /** Browsers on these origins may call for some client; which one is known once it has said who it is. */
  allowedOrigins(): readonly (string | RegExp)[];
  limits: Config['limits'];
  auditRequired: boolean;
  metrics: Metrics;
  log: Log;
  /** Whether evaluations can be taken: false while workers start. */
  isReady(): boolean;
  /** Told to stop: not ready any more, calls are answered all the same. */
  isDraining(): boolean;
  /** Routes of `/audit/api`. */
  audit: Router;
  /** Pages of `/audit`. */
  viewer?: Router;
  /** Routes of `/examples`; demo mode only. */
  examples?: Router;
  /** Routes of `/fhir`: profiles, terminology and decisions, read only. */
  fhir?: Router;
  /** Absent: clients may call as often as they like. */
  takeTurn?: TakeTurn | undefined;
  /** Where weaknesses are reported, an address; absent: nothing is said about it. */
  securityContact?: string | undefined;
  /** The current instant. */
  now?(): Date;
}

const feedbackExtension = 'dk.diagnostisk-pakkeforloeb.feedback';
/** Seconds a browser may remember what a preflight allowed. */
const preflightAge = 600;
/** Milliseconds for which what security.txt says may be relied on: RFC 9116 wants less than a year. */
const securityTextAge = 180 * 24 * 60 * 60 * 1000;
/** Status logged where the client left before its answer was out; no such answer is ever sent. */
const clientGone = 499;
/** Status logged where this service cut the answer: the client was still there. */
const cut = 503;

/** Puts the HTTP edge together. */
export function createApp(parts: AppParts): Express {
  const app = express();
  const room = createRoom(parts.limits.heldBytes);
  // Answers to calls are never fetched again; discovery has its own tag.
  app.set('etag', false);
  app.use(watchRequest(parts), helmet());
  // A client that is told so opens its next connection elsewhere and is not cut off.
  app.use((request, response, next) => {
    // One that waits for leave to send its body may not send it: what follows on the connection could be anything.
    if (parts.isDraining() || request.headers.expect !== undefined) response.set('Connection', 'close');
    next();
  });
  app.use(answerOperations(parts), collapseSlashes);

  if (parts.securityContact !== undefined) app.get('/.well-known/security.txt', sendSecurityText(parts));
  app.use('/audit/api', parts.audit);
  if (parts.viewer !== undefined) app.use('/audit', letFormCome, parts.viewer);
  if (parts.examples !== undefined) app.use('/examples', parts.examples);
  if (parts.fhir !== undefined) app.use('/fhir', parts.fhir);

  // Before authentication and before the body is read: a browser that gets an error without these headers hides it.
  app.use(
    '/cds-services',
    allowOrigins(parts.allowedOrigins),
    authenticate(parts),
    hideFromOtherOrigins,
    limitRate(parts),
  );
  app.param('service', findService(parts));
  app.route('/cds-services').get(sendDiscovery(parts.guideline)).all(refuseMethod('GET, HEAD'));
  app.route('/cds-services/:service').post(answerCall(parts, room)).all(refuseMethod('POST'));
  app.route('/cds-services/:service/feedback').post(takeFeedback(parts, room)).all(refuseMethod('POST'));

  app.use(() => {
    throw new NotFoundError('There is nothing at this address; discovery is at /cds-services.');
  });
  app.use(handleError);
  return app;
}

/** What operations ask, at these addresses to the letter: a proxy in front refuses just those. */
function answerOperations(parts: AppParts): Router {
  const router = express.Router({ strict: true, caseSensitive: true });
  router.get('/livez', (_request, response) => void response.json({ status: 'alive' }));
  router.get('/readyz', checkReadiness(parts));
  router.get('/metrics', async (_request, response) => {
    const { registry } = parts.metrics;
    response.set('Content-Type', registry.contentType).send(await registry.metrics());
  });
  return router;
}

/** Tells a client that waits for it that it may send the body. */
function letBodyCome(request: Request, response: Response): void {
  if (request.headers.expect !== undefined) response.writeContinue();
}

const letFormCome: RequestHandler = (request, response, next) => {
  letBodyCome(request, response);
  next();
};

/** Gives the request an id, and logs and counts it when its answer is out. */
function watchRequest({ log, metrics }: AppParts): RequestHandler {
  return (_request, response, next) => {
    const started = performance.now();
    const state = beginState(response, randomUUID());
    response.set('X-Request-Id', state.id);
    response.once('close', () => {
      const { service, caller: _, ...known } = state;
      const ms = performance.now() - started;
      const named = service === undefined ? {} : { service: service.id, hook: service.hook };
      const ended = response.writableFinished
        ? { status: response.statusCode }
        : response.errored instanceof CutError
          ? { status: cut, code: 'cut' }
          : { status: clientGone, code: 'client-gone' };
      const { status } = ended;
      log.request({ ...known, ...named, ...ended, ms });
      metrics.countRequest({ service: 'none', hook: 'none', ...named, status, seconds: ms / 1000 });
    });
    next();
  };
}

/** Clients put `/` between a base that ends in one and a path that begins with one. */
const collapseSlashes: RequestHandler = (request, _response, next) => {
  const [path = '', ...query] = request.url.split('?');
  if (path.startsWith('/')) request.url = [path.replace(/\/{2,}/g, '/'), ...query].join('?');
  next();
};

function allowOrigins(origins: () => readonly (string | RegExp)[]): RequestHandler {
  return cors({
    origin: (_origin, decide) => decide(null, [...origins()]),
    methods: ['GET', 'HEAD', 'POST'],
    allowedHeaders: ['Authorization', 'Content-Type', 'Content-Encoding', 'Accept', 'Accept-Language'],
    exposedHeaders: ['Retry-After', 'WWW-Authenticate', 'X-Request-Id'],
    maxAge: preflightAge,
  });
}

function authenticate(parts: AppParts): RequestHandler {
  return async (request, response, next) => {
    const state = stateOf(response);
    const path = `${request.baseUrl}${request.path}`.replace(/\/+$/, '');
    try {
      state.caller = await parts.authenticate(request, path);
      state.client = state.caller.client.id;
    } catch (error) {
      if (error instanceof AuthError) noteRefusal(parts, state, error);
      throw error;
    }
    next();
  };
}

/** The log names the client a refused caller claims to be: its operators ask why. */
function noteRefusal({ metrics }: AppParts, state: RequestState, { reason, client }: AuthError): void {
  if (reason !== undefined) metrics.countAuthRefusal(reason);
  if (client !== undefined) state.client = client;
}

/** The preflight could not tell whose origin it was. */
const hideFromOtherOrigins: RequestHandler = (request, response, next) => {
  const { origin } = request.headers;
  const allowed = stateOf(response).caller?.client.origins ?? [];
  const isAllowed = allowed.some((each) => (typeof each === 'string' ? each === origin : each.test(origin ?? '')));
  if (!isAllowed) response.removeHeader('Access-Control-Allow-Origin');
  next();
};

/** Counts by who was found to call, never by what the request says of itself. */
function limitRate({ takeTurn }: AppParts): RequestHandler {
  return (_request, response, next) => {
    const { client } = stateOf(response);
    const seconds = client === undefined ? 0 : (takeTurn?.(client) ?? 0);
    if (seconds > 0) throw new RateLimitError('This client calls more often than it may: wait.', seconds);
    next();
  };
}

/** @see RFC 9116 */
function sendSecurityText(parts: AppParts): RequestHandler {
  return (_request, response) => {
    const expires = new Date(readClock(parts).getTime() + securityTextAge).toISOString();
    response
      .type('text/plain')
      .send(`Contact: ${parts.securityContact}\nExpires: ${expires}\nPreferred-Languages: da, en\n`);
  };
}

function findService(parts: AppParts) {
  return (_request: unknown, response: Response, next: () => void, id: string): void => {
    const service = parts.guideline.services.get(id);
    if (service === undefined) throw new NotFoundError('There is no such service; discovery is at /cds-services.');
    const state = stateOf(response);
    state.service = service;
    const client = state.caller?.client;
    if (client?.services?.includes(id) === false) {
      const refusal = new AuthError(403, 'The service is not one of this client.', 'service', client.id);
      noteRefusal(parts, state, refusal);
      throw refusal;
    }
    next();
  };
}

function refuseMethod(allowed: string): RequestHandler {
  return (_request, response) => {
    response.set('Allow', allowed);
    throw new NotAcceptedError(405, `This address takes ${allowed} only.`);
  };
}

function sendDiscovery(guideline: CompiledGuideline): RequestHandler {
  return (_request, response) => {
    const { body, etag } = renderDiscovery(guideline, stateOf(response).caller?.client.services);
    response
      .set({ ETag: etag, 'Cache-Control': 'private, no-cache', 'Content-Type': 'application/json; charset=utf-8' })
      .send(body);
  };
}

/** The call of a service: read, evaluate, store the record, answer. */
function answerCall(parts: AppParts, room: Room): RequestHandler {
  const { limits, metrics } = parts;
  return async (request, response) => {
    const { service, caller, state } = readCall(response);
    const { client, tenant } = caller;
    const bytes = Math.min(limits.bodyBytes, client.bodyBytes ?? Infinity);
    const body = await readBody(request, { bytes, advice: 'narrow the prefetch queries' }, room, () =>
      letBodyCome(request, response),
    );
    const answer = await parts
      .evaluate({
        body: body.bytes,
        serviceId: service.id,
        client,
        ...(tenant !== undefined && { tenant }),
        receivedAt: readClock(parts).toISOString(),
        collectUntil: Date.now() + limits.collectMs,
        evaluationId: state.id,
        ...(request.headers['accept-language'] === undefined
          ? {}
          : { acceptLanguage: request.headers['accept-language'] }),
      })
      .finally(body.release);
    if ('error' in answer) {
      metrics.countPrefetchProblems(answer.error.problems ?? {});
      sendProblem(response, answer.error);
      return;
    }
    await storeRecord(parts, answer.record);
    metrics.countEvaluation(answer.metrics);
    metrics.countPrefetchProblems(answer.metrics.problems);
    const { problems, unknownKeys } = answer.metrics;
    if (Object.keys(problems).length > 0) state.problems = problems;
    if (unknownKeys.length > 0) {
      state.unknownKeys = unknownKeys;
      metrics.countUnknownKeys();
    }
    state.cards = answer.metrics.cards.length;
    sendJson(response, answer.response);
  };
}

/** An answer that leaves no trace is not given, unless the configuration says otherwise. */
async function storeRecord({ store, limits, auditRequired, metrics }: AppParts, record: RecordEntry): Promise<void> {
  try {
    await withinDeadline(store.append(record), limits.deadlineMs);
  } catch (error) {
    metrics.countAuditFailure();
    if (!auditRequired) return;
    if (error instanceof UnavailableError) throw error;
    throw new UnavailableError('audit', 'The audit record could not be stored: try again.', 1, { cause: error });
  }
}

function withinDeadline(stored: Promise<void>, milliseconds: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    late.reject(new UnavailableError('audit', 'The audit record was not stored in time: try again.'));
  }, milliseconds);
  return Promise.race([stored, late.promise]).finally(() => clearTimeout(timer));
}

function takeFeedback(parts: AppParts, room: Room): RequestHandler {
  const { limits, metrics, store } = parts;
  return async (request, response) => {
    const { service, caller } = readCall(response);
    const { client, tenant } = caller;
    const body = await readBody(
      request,
      { bytes: limits.feedbackBytes, advice: 'send fewer items at a time' },
      room,
      () => letBodyCome(request, response),
    );
    try {
      const from = {
        client: client.id,
        ...(tenant !== undefined && { tenant }),
        service: service.id,
        receivedAt: readClock(parts).toISOString(),
      };
      const { items, refusedItems, refused } = readFeedback(parseBody(body.bytes, limits.depth), from);
      const { stored, unknownCards } = await store.addFeedback(items);
      for (const { outcome } of items) metrics.countFeedback(outcome);
      metrics.countFeedback('refused', refusedItems);
      metrics.countUnknownCards(unknownCards);
      const report = { stored, unknownCards, ...(refused.length === 0 ? {} : { refused }) };
      sendJson(response, JSON.stringify({ extension: { [feedbackExtension]: report } }));
    } finally {
      body.release();
    }
  };
}

function checkReadiness({ isReady, isDraining, store, auditRequired, limits }: AppParts): RequestHandler {
  return async (_request, response) => {
    const isStoreReady =
      !auditRequired ||
      (await withinDeadline(store.check(), limits.deadlineMs).then(
        () => true,
        () => false,
      ));
    const lacking = [
      ...(isReady() ? [] : ['workers']),
      ...(isStoreReady ? [] : ['audit']),
      ...(isDraining() ? ['draining'] : []),
    ];
    response.status(lacking.length === 0 ? 200 : 503).set('Cache-Control', 'no-store');
    response.json(lacking.length === 0 ? { status: 'ready' } : { status: 'not-ready', lacking });
  };
}

function readCall(response: Response): { service: CompiledService; caller: Caller; state: RequestState } {
  const state = stateOf(response);
  if (state.service === undefined || state.caller === undefined) throw new Error('The route did not set the call up.');
  return { service: state.service, caller: state.caller, state };
}

function readClock({ now }: AppParts): Date {
  return now?.() ?? new Date();
}

function sendJson(response: Response, body: string | Uint8Array): void {
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  // Not `send`: it looks for a tag and for a length that Node finds out itself.
  response.end(body);
}
