import { createHash, timingSafeEqual } from 'node:crypto';
import { type RequestHandler, Router } from 'express';
import * as z from 'zod';
import type { AuditStore, StoredEvaluation } from '../audit/store.ts';
import { AuthError, NotFoundError, RequestError } from '../errors.ts';

/** Evaluations of one answer: each is read whole. */
const defaultLimit = 20;
const maxLimit = 100;

const queryShape = z.object({
  hookInstance: z.string().min(1),
  limit: z.coerce.number().int().min(1).max(maxLimit).default(defaultLimit),
});

/**
 * Answers stored evaluations as JSON, to be mounted at `/audit/api`: `GET /evaluations/{id}` one of them,
 * `GET /evaluations?hookInstance=` those of a hook instance, newest first, as `{"evaluations": […]}`.
 *
 * @param token The bearer token every call needs.
 * @see contract section 6
 */
export function createAuditApi({ store, token }: { store: AuditStore; token: string }): Router {
  const router = Router();
  router.use(requireToken(token));

  router.get('/evaluations/:id', async (request, response) => {
    const found = await store.evaluation(request.params.id);
    if (found === undefined) throw new NotFoundError('There is no evaluation with this id.');
    const shown = showEvaluation(found);
    if (shown === undefined) throw new NotFoundError(`This evaluation was erased (${found.summary.erasedAt}).`);
    response.json(shown);
  });

  router.get('/evaluations', async (request, response) => {
    const query = queryShape.safeParse(request.query);
    if (!query.success) {
      throw new RequestError(`Expected ?hookInstance= once, and a limit from 1 to ${maxLimit} if any.`, 'hookInstance');
    }
    const summaries = await store.evaluations(query.data);
    const found = await Promise.all(summaries.map(({ id }) => store.evaluation(id)));
    response.json({ evaluations: found.flatMap((one) => (one && showEvaluation(one)) ?? []) });
  });
  return router;
}

function requireToken(token: string): RequestHandler {
  const expected = digest(`Bearer ${token}`);
  return (request, response, next) => {
    response.set('Cache-Control', 'no-store');
    // Digests have one length, so that comparing says nothing about the token's.
    if (timingSafeEqual(digest(request.get('authorization') ?? ''), expected)) return next();
    response.set('WWW-Authenticate', 'Bearer');
    throw new AuthError(401, 'The audit API was called without its token.');
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The record of contract section 5, the state of each prefetch key in front, with its feedback and place in the chain. */
function showEvaluation({ record, summary, chain, feedback }: StoredEvaluation): object | undefined {
  if (record === undefined) return undefined;
  const prefetch = Object.fromEntries(Object.entries(record.chart.keys).map(([key, { state }]) => [key, state]));
  return { ...record, prefetch, feedback, chain: { seq: summary.seq, ...chain } };
}
