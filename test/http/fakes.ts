import { randomBytes } from 'node:crypto';
import { Router } from 'express';
import type { FeedbackItem } from '../../src/audit/feedback.ts';
import type { EvaluationRecord, RecordEntry } from '../../src/audit/record.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { demoClient } from '../../src/clients/client.ts';
import { readConfig } from '../../src/config.ts';
import type { Card } from '../../src/engine/cards.ts';
import type { CompiledGuideline } from '../../src/engine/guideline.ts';
import type { Chart } from '../../src/engine/types.ts';
import { collectSources } from '../../src/fhir/collect.ts';
import { type AppParts, createApp } from '../../src/http/app.ts';
import { authenticateDemo } from '../../src/http/auth.ts';
import { createEvaluate, type EvaluateParts } from '../../src/http/evaluate.ts';
import { createLog } from '../../src/http/log.ts';
import { createMetrics } from '../../src/http/metrics.ts';

/** The instant every test of the edge happens at: late evening in UTC, the next day in Copenhagen. */
export const now = new Date('2026-06-30T22:30:00.000Z');

const service = (id: string, hook: 'patient-view' | 'order-select' | 'order-sign') => ({
  id,
  hook,
  title: { da: `Titel ${id}`, en: `Title ${id}` },
  description: { da: `Beskrivelse ${id}`, en: `Description ${id}` },
  rules: ['MAS-02'],
});

/** As much of a guideline as the edge reads. */
export const guideline = {
  head: {
    version: '1.2.3',
    prefetch: {
      patient: { template: 'Patient/{{context.patientId}}', required: true },
      conditions: { template: 'Condition?patient={{context.patientId}}', required: true },
      reports: { template: 'DiagnosticReport?patient={{context.patientId}}', required: false },
    },
  },
  hash: 'sha256:00',
  services: new Map([
    ['view', service('view', 'patient-view')],
    ['select', service('select', 'order-select')],
    ['sign', service('sign', 'order-sign')],
  ]),
} as unknown as CompiledGuideline;

export const card: Card = {
  uuid: '6a1f1f4e-8a68-4b0f-8d2a-111111111111',
  summary: 'Et kort',
  detail: 'Detaljer',
  indicator: 'info',
  source: {
    label: 'Kilde',
    url: 'https://example.org',
    topic: { system: 'https://example.org/t', code: 'trin1-labs' },
  },
  overrideReasons: [],
  links: [],
  extension: { 'dk.diagnostisk-pakkeforloeb.decision': { decisions: ['MAS-02'] } },
};

/** A store that keeps things in arrays and can be told to fail. */
export interface FakeStore extends AuditStore {
  records: RecordEntry[];
  items: FeedbackItem[];
  failure: Error | undefined;
  /** The first record stored. */
  record(): EvaluationRecord;
}

export function createFakeStore(): FakeStore {
  const store: FakeStore = {
    records: [],
    items: [],
    failure: undefined,
    record() {
      const [first] = store.records;
      if (first === undefined) throw new Error('Nothing was stored.');
      return JSON.parse(Buffer.from(first.json).toString());
    },
    async append(entry) {
      if (store.failure) throw store.failure;
      store.records.push(entry);
    },
    async addFeedback(items) {
      store.items.push(...items);
      return { stored: items.length, unknownCards: items.filter((item) => item.card !== card.uuid).length };
    },
    async check() {
      if (store.failure) throw store.failure;
    },
    evaluation: async () => undefined,
    evaluations: async () => [],
    scan: async () => [],
    counts: async () => [],
    comments: async () => [],
    recordView: async () => {},
    views: async () => [],
    countErasable: async () => 0,
    erase: async () => 0,
    reclaim: async () => {},
    verify: async () => ({ records: store.records.length, erased: 0, anchors: [], problems: [] }),
    close: async () => {},
  };
  return store;
}

/** The steps of an evaluation: gathering is real, reading and deciding are small stand-ins. */
export function createSteps(changes: Partial<EvaluateParts> = {}): EvaluateParts {
  return {
    guideline,
    collect: collectSources,
    readChart: (sources, { today }): Chart => ({
      today,
      patient: { deceased: false },
      keys: Object.fromEntries(Object.entries(sources).map(([key, { state }]) => [key, { state, dropped: 0 }])),
      readings: [],
    }),
    decide: () => ({
      decisions: [{ id: 'MAS-02', outcome: 'met', facts: [], lacking: [], ledger: [] }],
      cards: [card],
    }),
    patientKey: randomBytes(32),
    code: '0.0.0',
    limits: readConfig({}).limits,
    ...changes,
  };
}

/** The real app over the stand-ins; `lines` collects what it logs. */
export function createTestApp(changes: Partial<AppParts> = {}, steps: Partial<EvaluateParts> = {}) {
  const store = createFakeStore();
  const metrics = createMetrics();
  const lines: string[] = [];
  const app = createApp({
    guideline,
    evaluate: createEvaluate(createSteps(steps)),
    store,
    authenticate: authenticateDemo,
    allowedOrigins: () => demoClient.origins,
    limits: readConfig({}).limits,
    auditRequired: true,
    metrics,
    log: createLog('info', { write: (line: string) => void lines.push(line) }),
    isReady: () => true,
    isDraining: () => false,
    audit: Router(),
    now: () => now,
    ...changes,
  });
  return { app, store, metrics, lines };
}

/** A request the services answer. */
export function createRequest(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    hook: 'patient-view',
    hookInstance: 'd1577c69-dfbe-44ad-ba6d-3e05e953b2ea',
    context: { userId: 'Practitioner/1', patientId: 'p1' },
    prefetch: {
      patient: { resourceType: 'Patient', id: 'p1' },
      conditions: { resourceType: 'Bundle', type: 'searchset', entry: [] },
      reports: null,
    },
    ...changes,
  };
}
