import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson, type EvaluationRecord } from '../../src/audit/record.ts';
import { createReplay, decideAgain, type Replay } from '../../src/audit/replay.ts';
import { createReplaySummary, listChanges, writeChangeRow } from '../../src/audit/replay-summary.ts';
import { cardForms } from '../../src/clients/client.ts';
import type { ClientSettings } from '../../src/engine/cards.ts';
import type { CompiledGuideline } from '../../src/engine/guideline.ts';
import { adaptRecorded } from '../../src/http/adapt.ts';
import { loadKnowledge } from '../../src/knowledge.ts';
import { guideline, readCases } from '../cds-services/decide-cases.ts';
import { type Edit, withEditedKnowledge } from '../edit-knowledge.ts';
import { readStories, runStory } from '../patients/story.ts';
import { recordCase } from './replay-data.ts';

const cases = readCases();
const replay = createReplay(guideline, adaptRecorded);

async function recordOf(id: string): Promise<EvaluationRecord> {
  const testCase = cases.find((each) => each.id.startsWith(id));
  const record = testCase && (await recordCase(testCase));
  if (record === undefined) throw new Error(`No record of ${id}`);
  return record;
}

/** The replay of a record with the knowledge folder changed. */
function replayWith(record: EvaluationRecord, ...edits: Edit[]): Replay {
  const other: CompiledGuideline = withEditedKnowledge(edits, loadKnowledge);
  return createReplay(other, adaptRecorded)(record);
}

describe('an evaluation decided again with the same knowledge', () => {
  test('gives the decisions and cards recorded, to the byte, for every case in every card form and language', async () => {
    let recorded = 0;
    for (const [at, testCase] of cases.entries()) {
      const form = [undefined, ...cardForms][at % (cardForms.length + 1)];
      const record = await recordCase(testCase, { form, language: at % 2 === 0 ? 'da' : 'en' });
      if (record === undefined) continue;
      recorded += 1;
      const again = decideAgain(guideline, record, record.settings as unknown as ClientSettings, adaptRecorded);
      expect({ id: testCase.id, text: canonicalJson(again.cards) }).toEqual({
        id: testCase.id,
        text: canonicalJson(record.cards),
      });
      expect({ id: testCase.id, text: canonicalJson(again.decisions) }).toEqual({
        id: testCase.id,
        text: canonicalJson(record.decisions),
      });
      expect(replay(record)).toMatchObject({ isSameKnowledge: true, isIdentical: true, decisions: [], cards: [] });
    }
    expect(recorded).toBeGreaterThan(cases.length / 2);
  }, 120_000);

  test('gives those of every story', async () => {
    for (const story of readStories()) {
      const { record } = await runStory(story);
      expect({ id: story.id, isIdentical: replay({ ...record }).isIdentical }).toEqual({
        id: story.id,
        // The story's record names the hash of the knowledge by a word.
        isIdentical: record.cards.length === 0,
      });
      const restored = JSON.parse(JSON.stringify(record).replaceAll('sha256:knowledge', guideline.hash));
      expect({ id: story.id, isIdentical: replay(restored).isIdentical }).toEqual({ id: story.id, isIdentical: true });
    }
  });

  test('gives those of requests with anything left out, failed or cut short', async () => {
    const states = fc.constantFrom('kept', 'absent', 'null', 'failed', 'halved', 'cut') satisfies fc.Arbitrary<string>;
    const optional = ['reports', 'imaging', 'orders', 'procedures', 'encounters', 'medications'] as const;
    const change = fc.record(Object.fromEntries(optional.map((key) => [key, states])));
    let recorded = 0;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...cases), change, async (testCase, changes) => {
        const record = await recordCase(testCase, { change: (prefetch) => changePrefetch(prefetch, changes) });
        if (record === undefined) return;
        recorded += 1;
        expect(replay(record)).toMatchObject({ isIdentical: true });
      }),
      { numRuns: 300 },
    );
    expect(recorded).toBeGreaterThan(100);
  }, 120_000);

  test('shows a record that says something else than was decided', async () => {
    const record = await recordOf('MUP-01');
    const [first, ...rest] = record.decisions;
    if (first === undefined) throw new Error('No decision');
    const changed = { ...record, decisions: [{ ...first, outcome: 'error' as const }, ...rest] };
    expect(replay(changed)).toMatchObject({
      isSameKnowledge: true,
      isIdentical: false,
      decisions: [{ decision: first.id, was: 'error', is: first.outcome }],
      cards: [],
    });
    const [card] = record.cards;
    const reworded = { ...record, cards: [{ ...card, summary: 'Andet' }] } as unknown as EvaluationRecord;
    expect(replay(reworded).cards).toMatchObject([{ change: 'changed' }]);
    expect(replay({ ...record, cards: [] }).cards).toMatchObject([{ change: 'gained', decisions: ['MUP-01'] }]);
  });
});

describe('an evaluation decided again with other knowledge', () => {
  const takeAway: Edit = { file: 'guideline.yaml', find: /adultAge: \{ value: 18/, put: 'adultAge: { value: 120' };

  test('loses the cards the other knowledge does not send', async () => {
    const record = await recordOf('MUP-01');
    const found = replayWith(record, takeAway);
    expect(found).toMatchObject({ isSameKnowledge: false, isIdentical: false });
    expect(found.cards).toMatchObject([{ change: 'lost', topic: 'mup-referral', decisions: ['MUP-01'] }]);
  });

  test('does not differ by the version alone', async () => {
    const record = await recordOf('MUP-01');
    const edit = { file: 'guideline.yaml', find: /^version: .*$/m, put: 'version: 2099.1.0' };
    expect(replayWith(record, edit)).toMatchObject({ isSameKnowledge: false, cards: [], decisions: [] });
  });

  test('changes the cards the other knowledge words otherwise', async () => {
    const record = await recordOf('MUP-01');
    const edit = { file: 'texts/da.yaml', find: /disclaimer: .*$/m, put: 'disclaimer: Andre ord.' };
    expect(replayWith(record, edit).cards).toMatchObject([{ change: 'changed', decisions: ['MUP-01'] }]);
  });

  test('has no decisions of a service the other knowledge does not have', async () => {
    const record = { ...(await recordOf('MUP-01')), service: 'another' };
    const found = replay(record);
    expect(found.cards).toMatchObject([{ change: 'lost' }]);
    expect(new Set(found.decisions.map(({ is }) => is))).toEqual(new Set(['absent']));
  });

  test('is told per decision and patient, and summed up', async () => {
    const record = await recordOf('MUP-01');
    const found = replayWith(record, takeAway);
    const [row] = listChanges(found);
    expect(row).toMatchObject({ decision: 'MUP-01', patientKey: record.patientKey, card: { change: 'lost' } });
    if (row === undefined) throw new Error('No row');
    expect(writeChangeRow(row)).toMatch(
      new RegExp(`${record.patientKey},MUP-01,.*,lost,mup-referral,diagnostic-mup\r\n$`),
    );

    const summary = createReplaySummary();
    for (const each of [found, found, replay(record), 'erased', 'unreadable'] as const) summary.add(each);
    expect(summary.read()).toMatchObject({
      ...{
        evaluations: 5,
        erased: 1,
        unreadable: 1,
        identical: 1,
        patients: 1,
        notReproduced: [],
        notReproducedCount: 0,
      },
      decisions: expect.arrayContaining([
        expect.objectContaining({ decision: 'MUP-01', gained: 0, lost: 2, changed: 0 }),
      ]),
    });
  });

  test('is not counted as a defect, as one with the same knowledge is', async () => {
    const record = await recordOf('MUP-01');
    const summary = createReplaySummary();
    summary.add(replay({ ...record, cards: [] }));
    expect(summary.read()).toMatchObject({ notReproduced: [record.id], notReproducedCount: 1 });
  });
});

type Entry = { resource: unknown };

function changePrefetch(
  prefetch: Readonly<Record<string, unknown>>,
  changes: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const changed = { ...prefetch };
  for (const [key, change] of Object.entries(changes)) {
    const bundle = prefetch[key] as { entry?: Entry[] } | undefined;
    const half = (bundle?.entry ?? []).filter((_, at) => at % 2 === 0);
    if (change === 'absent') delete changed[key];
    if (change === 'null') changed[key] = null;
    if (change === 'failed') changed[key] = { resourceType: 'OperationOutcome', issue: [] };
    if (change === 'halved') changed[key] = { ...bundle, resourceType: 'Bundle', entry: half };
    if (change === 'cut') {
      changed[key] = { resourceType: 'Bundle', entry: half, link: [{ relation: 'next', url: 'urn:next' }] };
    }
  }
  return changed;
}
