import type { AuditStore, EvaluationConditions, SealedEvaluation } from './store.ts';

/** Evaluations held at a time. */
const pageSize = 100;

/** Every evaluation that meets the conditions, oldest first, a page at a time in memory. */
export async function* scanEvaluations(
  store: AuditStore,
  conditions: EvaluationConditions,
  most = Number.POSITIVE_INFINITY,
): AsyncGenerator<SealedEvaluation> {
  let after: number | undefined;
  for (let left = most; left > 0; ) {
    const limit = Math.min(pageSize, left);
    const page = await store.scan({ ...conditions, ...(after === undefined ? {} : { after }), limit });
    yield* page;
    if (page.length < limit) return;
    left -= page.length;
    after = page.at(-1)?.summary.seq;
  }
}
