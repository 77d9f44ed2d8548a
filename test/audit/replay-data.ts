import type { EvaluationRecord } from '../../src/audit/record.ts';
import type { CardForm } from '../../src/clients/client.ts';
import { demoClient } from '../../src/clients/client.ts';
import { createChartReader } from '../../src/engine/chart-reader.ts';
import { decide } from '../../src/engine/decide.ts';
import { createEvaluate } from '../../src/http/evaluate.ts';
import { buildContext, buildPrefetch, casePatientId } from '../cds-services/build-bundle.ts';
import type { Case } from '../cds-services/case.ts';
import { concepts, guideline } from '../cds-services/decide-cases.ts';
import { createSteps } from '../http/fakes.ts';
import { secret } from './make-record.ts';

/** How a case is sent. */
export interface Sending {
  language?: 'da' | 'en';
  form?: CardForm | undefined;
  /** Changes of the prefetch. */
  change?(prefetch: Record<string, unknown>): Record<string, unknown>;
  id?: string;
  time?: string;
  client?: string;
}

const evaluate = createEvaluate(
  createSteps({ guideline, readChart: createChartReader(guideline), decide, patientKey: secret }),
);

/** Sends a case to its service from bytes to record; undefined where the service refuses it for want of required data. */
export async function recordCase(testCase: Case, sending: Sending = {}): Promise<EvaluationRecord | undefined> {
  const { language = 'da', form, change = (prefetch) => prefetch } = sending;
  const isView = testCase.service === 'patient-view';
  const { draftOrders, selections } = buildContext(testCase, concepts);
  const { codes, ledger = {}, contact, notAssessed } = testCase.client;
  const body = {
    hook: testCase.service,
    hookInstance: '6a1f1f4e-8a68-4b0f-8d2a-222222222222',
    context: {
      ...{ userId: 'Practitioner/1', patientId: casePatientId, encounterId: 'now' },
      ...(!isView && { draftOrders, ...(selections && { selections }) }),
    },
    prefetch: change(buildPrefetch(testCase, concepts)),
  };
  const answer = await evaluate({
    body: new TextEncoder().encode(JSON.stringify(body)),
    serviceId: `diagnostisk-pakkeforloeb-${testCase.service}`,
    client: {
      ...demoClient,
      id: sending.client ?? demoClient.id,
      ...(form && { cardForm: form }),
      settings: { ledger, ...(codes && { codes }), ...(contact && { contact }), ...(notAssessed && { notAssessed }) },
    },
    receivedAt: sending.time ?? `${testCase.today}T11:00:00.000Z`,
    collectUntil: 0,
    evaluationId: sending.id ?? '5f0e1c9a-3b1d-4c57-9a51-8d2f6b7c4e10',
    acceptLanguage: language,
  });
  if ('error' in answer) {
    if (answer.error.status === 412) return undefined;
    throw new Error(`${testCase.id}: ${answer.error.code} ${answer.error.thrownAt ?? answer.error.message}`);
  }
  return JSON.parse(Buffer.from(answer.record.json).toString());
}
