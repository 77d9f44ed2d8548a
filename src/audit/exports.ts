import type { CompiledGuideline } from '../engine/guideline.ts';
import { csvLine } from './csv.ts';
import { type EvaluationRecord, unsealRecord } from './record.ts';
import type { PeriodCount, SealedEvaluation } from './store.ts';

/** Who an export is for: `viewer` gets no patient keys and no hook instances. */
export type Audience = 'viewer' | 'reviewer';

/** The record of a stored evaluation; undefined once erased, and where somebody changed it into something else. */
export function readRecord({ content }: Pick<SealedEvaluation, 'content'>): EvaluationRecord | undefined {
  if (content === undefined) return undefined;
  try {
    return JSON.parse(unsealRecord(content));
  } catch {
    // `verify` tells of it; one such record must not keep all others from being read.
    return undefined;
  }
}

const columns = [
  ...['place', 'id', 'time', 'client', 'tenant', 'hook', 'service', 'hookInstance', 'patientKey', 'knowledge'],
  ...['met', 'unknown', 'error', 'cards', 'unknownKeys', 'feedback', 'reasons', 'milliseconds', 'erasedAt'],
];

/** The first line of {@link writeCsvRow}'s table. */
export const csvHeader = csvLine(columns);

/** One evaluation as a line of CSV; lists within a cell are separated by spaces. */
export function writeCsvRow(evaluation: SealedEvaluation, audience: Audience): string {
  const { summary, feedback } = evaluation;
  const record = readRecord(evaluation);
  const withOutcome = (outcome: string) =>
    record?.decisions
      .filter((decision) => decision.outcome === outcome)
      .map(({ id }) => id)
      .join(' ');
  const isReviewer = audience === 'reviewer';
  return csvLine([
    ...[summary.seq, summary.id, summary.time, summary.client, summary.tenant, summary.hook, summary.service],
    ...(isReviewer ? [summary.hookInstance, summary.patientKey] : ['', '']),
    ...[summary.knowledge, withOutcome('met'), withOutcome('unknown'), withOutcome('error')],
    record?.cards.map(({ source }) => source.topic?.code ?? '').join(' '),
    Object.entries(record?.chart.keys ?? {})
      .filter(([, { state }]) => state !== 'present' && state !== 'empty')
      .map(([key, { state }]) => `${key}:${state}`)
      .join(' '),
    feedback.map(({ outcome }) => outcome).join(' '),
    feedback.flatMap(({ reason }) => reason?.code ?? []).join(' '),
    record?.durations.total,
    summary.erasedAt,
  ]);
}

/** One evaluation as a line of NDJSON: its record, feedback and place in the chain. */
export function writeNdjsonRow(evaluation: SealedEvaluation, audience: Audience): string {
  const { summary, chain, feedback } = evaluation;
  const record = readRecord(evaluation);
  const shown = record ?? summary;
  return `${JSON.stringify({
    ...(audience === 'reviewer' ? shown : hideKeys(shown)),
    feedback,
    chain: { seq: summary.seq, ...chain },
  })}\n`;
}

/** What a viewer sees of an evaluation: the key its patient stands under is taken out wherever it is. */
export function hideKeys<Shown extends { patientKey?: string; hookInstance?: string }>(shown: Shown): Shown {
  const { patientKey, hookInstance: _, ...rest } = shown;
  const text = JSON.stringify(rest);
  return JSON.parse(patientKey === undefined ? text : text.replaceAll(patientKey, 'hidden'));
}

/**
 * One evaluation as a FHIR R4 AuditEvent: who asked, whose data under which key, which resources were read, what was
 * decided. Pure.
 *
 * @see https://hl7.org/fhir/R4/auditevent.html
 */
export function buildAuditEvent(evaluation: SealedEvaluation, canonical: string): object {
  const { summary } = evaluation;
  const record = readRecord(evaluation);
  const { id, time, client, tenant, hook, service, knowledge, patientKey } = summary;
  const read = [...new Set(record?.chart.readings.map(({ reference }) => reference) ?? [])];
  const terminology = 'http://terminology.hl7.org/CodeSystem';
  return {
    resourceType: 'AuditEvent',
    id,
    type: { system: `${terminology}/audit-event-type`, code: 'rest', display: 'RESTful Operation' },
    subtype: [{ system: `${canonical}/CodeSystem/hook`, code: hook }],
    action: 'E',
    recorded: time,
    outcome: '0',
    agent: [
      {
        who: { identifier: { system: `${canonical}/client`, value: client } },
        ...(tenant !== undefined && { name: tenant }),
        requestor: true,
      },
    ],
    source: { observer: { identifier: { system: `${canonical}/service`, value: service } } },
    entity: [
      ...(patientKey === undefined
        ? []
        : [
            {
              what: { type: 'Patient', identifier: { system: `${canonical}/patient-key`, value: patientKey } },
              type: { system: `${terminology}/audit-entity-type`, code: '1', display: 'Person' },
              role: { system: `${terminology}/object-role`, code: '1', display: 'Patient' },
            },
          ]),
      {
        what: { identifier: { system: `${canonical}/evaluation`, value: id } },
        type: { system: `${terminology}/audit-entity-type`, code: '2', display: 'System Object' },
        detail: [
          { type: 'knowledge', valueString: knowledge },
          { type: 'cards', valueString: String(summary.cards) },
          ...(record?.decisions ?? [])
            .filter(({ outcome }) => outcome !== 'not-met')
            .map(({ id: decision, outcome }) => ({ type: decision, valueString: outcome })),
        ],
      },
      ...read
        .filter((reference) => !reference.includes('#'))
        .map((reference) => ({
          what: { reference },
          type: { system: `${terminology}/audit-entity-type`, code: '2', display: 'System Object' },
        })),
    ],
  };
}

/** What became of the cards of a decision in a month. */
export interface MonthOptions {
  /** `YYYY-MM`. */
  month: string;
  /** When the report is made: ISO, UTC. */
  date: string;
  /** Days after which a card nobody answered counts as ignored. */
  feedbackDays: number;
}

const populations = ['met', 'unknown', 'error', 'shown', 'accepted', 'overridden'] as const;

/**
 * The counts of a month as a FHIR R4 MeasureReport, one group per decision. Pure.
 *
 * `no-response` stands beside the others once the window of the last day is over, and the report is `complete` then.
 */
export function buildMeasureReport(
  counts: readonly PeriodCount[],
  guideline: Pick<CompiledGuideline, 'head' | 'rules'>,
  { month, date, feedbackDays }: MonthOptions,
): object {
  const { canonical } = guideline.head;
  const end = new Date(`${month}-01T00:00:00Z`);
  end.setUTCMonth(end.getUTCMonth() + 1);
  const closing = new Date(end);
  closing.setUTCDate(closing.getUTCDate() + feedbackDays);
  const isComplete = date >= closing.toISOString();
  end.setUTCDate(end.getUTCDate() - 1);
  const sum = (kind: string, name: string) =>
    counts.filter((each) => each.kind === kind && each.name === name).reduce((total, { count }) => total + count, 0);
  const population = (code: string, count: number) => ({
    code: { coding: [{ system: `${canonical}/CodeSystem/audit-count`, code }] },
    count,
  });
  const decisions = [...guideline.rules.keys()].filter((id) =>
    counts.some(({ kind, name }) => name === id && (populations as readonly string[]).includes(kind)),
  );
  return {
    resourceType: 'MeasureReport',
    status: isComplete ? 'complete' : 'pending',
    type: 'summary',
    measure: `${canonical}/Measure/decisions-and-responses`,
    date,
    period: { start: `${month}-01`, end: end.toISOString().slice(0, 10) },
    group: [
      ...[...new Set(counts.filter(({ kind }) => kind === 'evaluation').map(({ name }) => name))].map((service) => ({
        code: { coding: [{ system: `${canonical}/service`, code: service }] },
        population: [population('evaluation', sum('evaluation', service))],
      })),
      ...decisions.map((id) => {
        const noResponse = sum('shown', id) - sum('accepted', id) - sum('overridden', id);
        return {
          code: { coding: [{ system: `${canonical}/CodeSystem/decision`, code: id }] },
          population: [
            ...populations.map((kind) => population(kind, sum(kind, id))),
            ...(isComplete ? [population('no-response', noResponse)] : []),
          ],
        };
      }),
    ],
  };
}
