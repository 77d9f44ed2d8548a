import { cardExtension, type EvaluationRecord, sealRecord } from '../../src/audit/record.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { deriveUuid } from '../../src/engine/suggestions.ts';
import { recordCase } from '../audit/replay-data.ts';
import { readCases } from '../cds-services/decide-cases.ts';

/** The instant pages are looked at. */
export const now = new Date('2026-11-23T12:00:00.000Z');
/** A patient's comment nobody but a reviewer may see. */
export const comment = 'Patienten er <script>alert(1)</script> allerede henvist';

const millisecondsPerDay = 86_400_000;
const reasons = ['cds-not-applicable', 'action-completed', 'patient-refuses', 'recipient-disagrees-evidence'];

/** Numbers that look random and are the same every time. */
export function createNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

/**
 * Fills a store with evaluations of made-up patients over some days, answered as clinicians might; a new version of the
 * knowledge comes half-way, and one source fails for two days.
 *
 * @returns The records in the order stored.
 */
export async function seedStore(store: AuditStore, days: number, perDay: number): Promise<EvaluationRecord[]> {
  const next = createNumbers(7);
  const cases = readCases().filter(({ keys, id }) => Object.keys(keys).length === 0 && !id.includes('hostile'));
  const records: EvaluationRecord[] = [];
  for (let day = days - 1; day >= 0; day -= 1) {
    const isOld = day > days / 2;
    const isFailing = day === 20 || day === 21;
    for (let call = 0; call < perDay + Math.floor(next() * 4); call += 1) {
      const testCase = cases[Math.floor(next() * cases.length)];
      if (testCase === undefined) throw new Error('There are no cases.');
      const id = deriveUuid('seed', `${day} ${call}`);
      const failed = { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'timeout' }] };
      const recorded = await recordCase(testCase, {
        ...{ id, client: next() < 0.7 ? 'region-a' : 'region-b' },
        ...((isFailing || next() < 0.03) && { change: (prefetch) => ({ ...prefetch, reports: failed }) }),
      });
      if (recorded === undefined) continue;
      const time = new Date(now.getTime() - day * millisecondsPerDay - Math.floor(next() * 6 * 3_600_000));
      const record: EvaluationRecord = {
        ...recorded,
        time: time.toISOString(),
        ...(isOld && { knowledge: { version: '2022.0.9', hash: 'sha256:old' } }),
        durations: { ...recorded.durations, total: 2 + next() * 12 },
      };
      records.push(record);
    }
  }
  records.sort((a, b) => (a.time < b.time ? -1 : 1));
  for (const record of records) await store.append(sealRecord(record));
  for (const record of records) await answerCards(store, record, next);
  return records;
}

async function answerCards(store: AuditStore, record: EvaluationRecord, next: () => number): Promise<void> {
  for (const card of record.cards) {
    const chance = next();
    if (chance > 0.7) continue;
    const isOverridden = chance < (record.knowledge.version === '2022.0.9' ? 0.4 : 0.15);
    const reason = reasons[Math.floor(next() * reasons.length)] ?? '';
    const at = new Date(Date.parse(record.time) + next() * 3_600_000).toISOString();
    await store.addFeedback([
      {
        ...{
          client: record.client,
          service: record.service,
          card: String(card.uuid),
          outcomeTimestamp: at,
          receivedAt: at,
        },
        ...(isOverridden
          ? { outcome: 'overridden', acceptedSuggestions: [], reason: { code: reason }, comment }
          : {
              outcome: 'accepted',
              acceptedSuggestions: card.suggestions?.flatMap(({ uuid }) => uuid ?? []).slice(0, 1) ?? [],
            }),
      },
    ]);
  }
}

/** The last record with a card of a decision. */
export function findRecord(records: readonly EvaluationRecord[], decision: string): EvaluationRecord {
  const found = records.findLast(({ cards }) =>
    cards.some(({ extension }) => extension?.[cardExtension]?.decisions?.includes(decision)),
  );
  if (found === undefined) throw new Error(`No record with a card of ${decision}.`);
  return found;
}
