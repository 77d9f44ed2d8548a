import { type RequestHandler, type Response, Router } from 'express';
import * as z from 'zod';
import { hideKeys } from '../audit/exports.ts';
import type { AuditStore, StoredEvaluation } from '../audit/store.ts';
import { AuthError, NotFoundError, RequestError } from '../errors.ts';
import type { FindReader, Reader } from './readers.ts';

/** Evaluations of one answer: each is read whole. */
const defaultLimit = 20;
const maxLimit = 100;

const queryShape = z.object({
  hookInstance: z.string().min(1),
  limit: z.coerce.number().int().min(1).max(maxLimit).default(defaultLimit),
});

export interface AuditApiParts {
  store: AuditStore;
  findReader: FindReader;
  now(): Date;
}

/**
 * Answers stored evaluations as JSON, to be mounted at `/audit/api`: `GET /evaluations/{id}` one of them,
 * `GET /evaluations?hookInstance=` those of a hook instance, newest first, as `{"evaluations": […]}`.
 *
 * Every call needs a bearer token, and is recorded before it is answered. A viewer gets neither patient keys nor hook
 * instances, and cannot ask by them.
 *
 * @see contract section 6
 */
export function createAuditApi({ store, findReader, now }: AuditApiParts): Router {
  const router = Router();
  router.use(admitReaders(findReader));
  const recordView = (response: Response, evaluation?: string) => {
    const { who, role } = readerOf(response);
    const view = { time: now().toISOString(), who, role, page: 'api' };
    return store.recordView({ ...view, ...(evaluation === undefined ? {} : { evaluation }) });
  };

  router.get('/evaluations/:id', async (request, response) => {
    const found = await store.evaluation(request.params.id);
    if (found === undefined) throw new NotFoundError('There is no evaluation with this id.');
    const shown = showEvaluation(found, readerOf(response));
    if (shown === undefined) throw new NotFoundError(`This evaluation was erased (${found.summary.erasedAt}).`);
    await recordView(response, found.summary.id);
    response.json(shown);
  });

  router.get('/evaluations', async (request, response) => {
    // A viewer who could ask for a call would know one.
    if (readerOf(response).role !== 'reviewer') {
      throw new AuthError(403, 'Evaluations are looked up by hook instance by reviewers only.');
    }
    const query = queryShape.safeParse(request.query);
    if (!query.success) {
      throw new RequestError(`Expected ?hookInstance= once, and a limit from 1 to ${maxLimit} if any.`, 'hookInstance');
    }
    await recordView(response);
    const summaries = await store.evaluations(query.data);
    const found = await Promise.all(summaries.map(({ id }) => store.evaluation(id)));
    response.json({ evaluations: found.flatMap((one) => (one && showEvaluation(one, readerOf(response))) ?? []) });
  });
  return router;
}

function admitReaders(findReader: FindReader): RequestHandler {
  return async (request, response, next) => {
    response.set('Cache-Control', 'no-store');
    const token = /^Bearer (.+)$/.exec(request.get('authorization') ?? '')?.[1];
    const reader = token === undefined ? undefined : await findReader(token);
    if (reader === undefined) {
      response.set('WWW-Authenticate', 'Bearer');
      throw new AuthError(401, 'The audit API was called without a token it knows.');
    }
    response.locals.reader = reader;
    next();
  };
}

function readerOf(response: Response): Reader {
  return response.locals.reader as Reader;
}

/** The record of contract section 5, the state of each prefetch key in front, with its feedback and place in the chain. */
function showEvaluation({ record, summary, chain, feedback }: StoredEvaluation, { role }: Reader): object | undefined {
  if (record === undefined) return undefined;
  const prefetch = Object.fromEntries(Object.entries(record.chart.keys).map(([key, { state }]) => [key, state]));
  const shown = role === 'reviewer' ? record : hideKeys(record);
  return { ...shown, prefetch, feedback, chain: { seq: summary.seq, ...chain } };
}
