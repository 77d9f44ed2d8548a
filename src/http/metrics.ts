import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type AuthReason, authReasons } from '../errors.ts';
import type { EvaluationMetrics } from './evaluate.ts';

/** What operations see. Labels hold ids of our own only: nothing a client sends can make one. */
export interface Metrics {
  registry: Registry;
  countRequest(request: { service: string; hook: string; status: number; seconds: number }): void;
  countEvaluation(metrics: EvaluationMetrics): void;
  /** Why prefetch keys are not known or not whole, by key. */
  countPrefetchProblems(problems: Readonly<Record<string, string>>): void;
  /** Calls with prefetch keys that nobody asked for: misspelt perhaps. */
  countUnknownKeys(): void;
  countFeedback(outcome: 'accepted' | 'overridden' | 'refused', items?: number): void;
  countUnknownCards(items: number): void;
  countAuditFailure(): void;
  countAuthRefusal(reason: AuthReason): void;
  countCrash(): void;
  watchPool(load: () => { waiting: number; running: number }): void;
}

/** Makes a set of metrics of its own. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers: [registry] });

  const requests = counter('cds_requests_total', 'Requests answered', 'service', 'hook', 'status');
  const durations = new Histogram({
    name: 'cds_request_duration_seconds',
    help: 'Time from the first byte of a request to the end of its answer',
    labelNames: ['hook'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [registry],
  });
  const decisions = counter('cds_decisions_total', 'Decisions made', 'decision', 'outcome');
  const cards = counter('cds_cards_total', 'Cards sent', 'topic');
  const keys = counter('cds_prefetch_keys_total', 'States of prefetch keys', 'key', 'state');
  const foreign = counter('cds_foreign_resources_total', 'Resources dropped: of another patient', 'key');
  const problemCounter = counter('cds_prefetch_problems_total', 'Why prefetch keys are not known', 'key', 'problem');
  const unknownKeys = counter('cds_unknown_prefetch_keys_total', 'Calls with prefetch keys nobody asked for');
  const feedback = counter('cds_feedback_total', 'Feedback items received', 'outcome');
  const unknownCards = counter('cds_feedback_unknown_cards_total', 'Feedback items on cards not sent by this service');
  const auditFailures = counter('cds_audit_failures_total', 'Records that could not be stored');
  const authRefusals = counter('cds_auth_refusals_total', 'Callers refused', 'reason');
  for (const reason of authReasons) authRefusals.inc({ reason }, 0);
  const crashes = counter('cds_worker_crashes_total', 'Worker threads that died or were replaced');

  return {
    registry,
    countRequest({ service, hook, status, seconds }) {
      requests.inc({ service, hook, status });
      durations.observe({ hook }, seconds);
    },
    countEvaluation(metrics) {
      for (const { id, outcome } of metrics.decisions) decisions.inc({ decision: id, outcome });
      for (const topic of metrics.cards) cards.inc({ topic });
      for (const { key, state, dropped } of metrics.keys) {
        keys.inc({ key, state });
        if (dropped > 0) foreign.inc({ key }, dropped);
      }
    },
    countPrefetchProblems(problems) {
      for (const [key, problem] of Object.entries(problems)) {
        // The FHIR server chooses its status: not a label each.
        problemCounter.inc({ key, problem: problem.replace(/^status-(\d).*/, 'status-$1xx') });
      }
    },
    countUnknownKeys: () => unknownKeys.inc(),
    countFeedback: (outcome, items = 1) => feedback.inc({ outcome }, items),
    countUnknownCards: (items) => unknownCards.inc(items),
    countAuditFailure: () => auditFailures.inc(),
    countAuthRefusal: (reason) => authRefusals.inc({ reason }),
    countCrash: () => crashes.inc(),
    watchPool(load) {
      new Gauge({
        name: 'cds_evaluations',
        help: 'Evaluations waiting for a worker, and running',
        labelNames: ['state'],
        registers: [registry],
        collect() {
          const { waiting, running } = load();
          this.set({ state: 'waiting' }, waiting);
          this.set({ state: 'running' }, running);
        },
      });
    },
  };
}
