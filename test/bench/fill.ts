import { digestText, type EvaluationRecord, type RecordEntry, sealRecord } from '../../src/audit/record.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { deriveUuid } from '../../src/engine/suggestions.ts';
import { recordCase } from '../audit/replay-data.ts';
import { readCases } from '../cds-services/decide-cases.ts';
import { createNumbers, now } from '../viewer/seed.ts';

/** Days back from `now` that records are spread over. */
export const filledDays = 365;
const millisecondsPerDay = 86_400_000;
/** Appended at a time: fewer than any store refuses to queue. */
const groupSize = 900;
const patients = 50_000;

/** A record of a case, and the same sealed. */
export interface Template {
  record: EvaluationRecord;
  entry: RecordEntry;
}

/** The records of all cases. */
export async function makeTemplates(): Promise<Template[]> {
  const records = await Promise.all(readCases().map((testCase) => recordCase(testCase)));
  return records.flatMap((record) => (record === undefined ? [] : [{ record, entry: sealRecord(record) }]));
}

/**
 * Fills a store through its own `append`: real records of the cases, stored again and again under other ids and times;
 * only their ids differ from what was sealed. One card in fifty of those first in an answer is overridden.
 */
export async function fillStore(store: AuditStore, templates: readonly Template[], count: number): Promise<void> {
  const next = createNumbers(3);
  for (let first = 0; first < count; first += groupSize) {
    const entries = Array.from({ length: Math.min(groupSize, count - first) }, (_, at): RecordEntry => {
      const { entry } = templates[Math.floor(next() * templates.length)] as Template;
      const id = deriveUuid('bench', String(first + at));
      const cards = entry.index.cards.map((card, place) => ({ ...card, uuid: deriveUuid(id, String(place)) }));
      const isFailing = next() < 0.001;
      return {
        ...entry,
        // The store takes it over.
        json: entry.json.slice(),
        index: {
          ...entry.index,
          ...{ id, time: timeOf(first + at, count), cards, hookInstance: id },
          patientKey: digestText(String(Math.floor(next() * patients))),
          client: next() < 0.999 ? 'region' : 'rare',
          milliseconds: 1 + next() * 20,
          ...(isFailing && { unknownKeys: [{ key: 'reports', state: 'failed' as const }] }),
        },
      };
    });
    await Promise.all(entries.map((entry) => store.append(entry)));
    const answered = entries.flatMap(({ index }) => index.cards.slice(0, 1)).filter(() => next() < 0.02);
    await store.addFeedback(
      answered.map(({ uuid }) => ({
        ...{ client: 'region', service: 's', card: uuid, outcome: 'overridden' as const, acceptedSuggestions: [] },
        ...{ outcomeTimestamp: now.toISOString(), receivedAt: now.toISOString(), reason: { code: 'patient-refuses' } },
      })),
    );
  }
}

/** When the record of this place, from 0, was made. */
export function timeOf(place: number, count: number): string {
  return new Date(now.getTime() - ((count - place) * filledDays * millisecondsPerDay) / count).toISOString();
}
