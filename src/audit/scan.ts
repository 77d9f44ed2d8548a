import type { AuditStore, EvaluationConditions, SealedEvaluation } from './store.ts';

/** Evaluations held at a time. */
const pageSize = 100;

/**
 * Every evaluation that meets the conditions, oldest first: while one page of them is taken, the next is read, and no
 * more than these two are in memory.
 */
export async function* scanEvaluations(
  store: AuditStore,
  conditions: EvaluationConditions,
  most = Number.POSITIVE_INFINITY,
): AsyncGenerator<SealedEvaluation> {
  let left = most;

  function readPage(after?: number): Promise<SealedEvaluation[]> {
    const limit = Math.min(pageSize, left);
    left -= limit;
    const page = store.scan({ ...conditions, ...(after === undefined ? {} : { after }), limit });
    // Whoever stops before this page never hears of it.
    page.catch(() => {});
    return page;
  }

  let next = left > 0 ? readPage() : undefined;
  while (next !== undefined) {
    const page: SealedEvaluation[] = await next;
    const isLast = page.length < pageSize || left <= 0;
    next = isLast ? undefined : readPage(page.at(-1)?.summary.seq);
    yield* page;
  }
}
