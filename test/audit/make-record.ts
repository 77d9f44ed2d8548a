import { randomUUID } from 'node:crypto';
import {
  buildRecord,
  cardExtension,
  type EvaluationRecord,
  pseudonymizePatient,
  type RecordInput,
} from '../../src/audit/record.ts';

export const secret = Buffer.alloc(32, 7);

export type RecordChanges = Partial<RecordInput> & { patientId?: string };

/** An evaluation of one patient with a liver finding, as the worker hands it over. */
export function makeInput({ patientId = 'patient-1', ...changes }: RecordChanges = {}): RecordInput {
  const { client = 'demo', tenant } = changes;
  return {
    id: randomUUID(),
    time: '2026-11-23T10:00:00.000Z',
    client: 'demo',
    hook: 'patient-view',
    service: 'diagnostisk-pakkeforloeb-patient-view',
    hookInstance: randomUUID(),
    patientKey: pseudonymizePatient(secret, { client, ...(tenant !== undefined && { tenant }), patientId }),
    knowledge: { version: '2022.1.0', hash: 'sha256:00' },
    code: '0.1.0',
    language: 'da',
    settings: {},
    chart: {
      today: '2026-11-23',
      patient: { sex: 'female', age: 61, deceased: false },
      keys: { observations: { state: 'present', dropped: 1 }, reports: { state: 'failed', dropped: 0 } },
      readings: [
        {
          kind: 'finding',
          concept: 'focal-liver-lesion',
          exact: true,
          reference: 'DiagnosticReport/12',
          system: 'sct',
          code: '300331000',
        },
      ],
    },
    decisions: [
      { id: 'MUP-01', outcome: 'met', facts: [], lacking: [], ledger: [] },
      { id: 'ORG-10', outcome: 'not-met', facts: [], lacking: [], ledger: [] },
      { id: 'ORG-11', outcome: 'unknown', facts: [], lacking: ['key:reports'], ledger: ['L1'] },
    ],
    cards: [makeCard()],
    durations: { collect: 3, read: 1, decide: 2, total: 7 },
    ...changes,
  };
}

/** A card with the members the record reads. */
export function makeCard() {
  return {
    uuid: randomUUID(),
    summary: 'Diagnostisk pakkeforløb kan overvejes',
    indicator: 'warning',
    source: { label: 'Sundhedsstyrelsen', topic: { code: 'mup-referral' } },
    suggestions: [{ uuid: randomUUID(), label: 'Henvis', actions: [] as { type: string; resource?: unknown }[] }],
    extension: { [cardExtension]: { decisions: ['MUP-01'], open: ['ORG-11'], pathway: 'diagnostic-mup' } },
  };
}

export function makeRecord(changes: RecordChanges = {}): EvaluationRecord {
  return buildRecord(makeInput(changes));
}
