import { describe, expect, test } from 'vitest';
import { findNearestMisses, type NearestMiss } from '../../src/engine/nearest-miss.ts';
import { chooseEnvironment, decideRules } from '../../src/engine/rules.ts';
import type { Chart, Reading } from '../../src/engine/types.ts';
import { guideline, readCaseChart, readCases } from '../cds-services/decide-cases.ts';

const environment = chooseEnvironment(guideline, { ledger: {} });
const rules = guideline.services.get('diagnostisk-pakkeforloeb-patient-view')?.rules ?? [];

const keys = Object.fromEntries(
  Object.keys(guideline.head.prefetch).map((key) => [key, { state: 'present' as const, dropped: 0 }]),
);
const liver: Reading = {
  ...{ kind: 'finding', concept: 'focal-liver-lesion', exact: true, reference: 'DiagnosticReport/1' },
  ...{ system: 'sct', code: '300331000', date: '2026-11-20', daysAgo: 3, status: 'final', origin: 'imaging' },
};
const chart = (changes: Partial<Chart> = {}): Chart => ({
  today: '2026-11-23',
  patient: { sex: 'female', age: 61, daysSinceBirthday: 10, deceased: false },
  keys,
  readings: [],
  ...changes,
});
const cases = readCases();
function chartOf(id: string): Chart {
  const testCase = cases.find((each) => each.id.startsWith(id));
  if (testCase === undefined) throw new Error(`No case ${id}`);
  return readCaseChart(testCase);
}
const find = (of: Chart, decision: string): NearestMiss | undefined =>
  findNearestMisses(guideline, rules, of, environment).find((miss) => miss.decision === decision);

describe('the nearest miss', () => {
  test('names the one fact that was lacking', () => {
    expect(find(chart(), 'ORG-02')?.misses).toContainEqual({ fact: 'neckCyst', is: false, wouldBe: true });
  });

  test.each([
    ['MUP-01 cirrhosis goes first', 'liverCirrhosis'],
    ['MUP-01 colorectal cancer goes first', 'colorectalCancer'],
    ['MUP-01 finding before the closing code', 'lastClosing'],
  ])('names the fact that stood in the way: %s', (id, fact) => {
    expect(find(chartOf(id), 'MUP-01')?.misses).toEqual([{ fact, is: true, wouldBe: false }]);
  });

  test('names sex and age where another would have changed the outcome', () => {
    const woman = chartOf('ORG-03');
    const man = { ...woman, patient: { ...woman.patient, sex: 'male' as const } };
    expect(find(man, 'ORG-03')?.misses).toContainEqual({ fact: 'sex', is: 'male', wouldBe: 'female' });
    const adult = guideline.head.parameters.adultAge?.value ?? 0;
    const neck = chartOf('ORG-01');
    const child = { ...neck, patient: { ...neck.patient, age: adult - 1 } };
    expect(find(child, 'ORG-01')?.misses).toContainEqual({ fact: 'age', is: adult - 1, wouldBe: adult });
  });

  test('says nothing of decisions that were met or unknown', () => {
    const of = chart({ readings: [liver], keys: { ...keys, conditions: { state: 'failed', dropped: 0 } } });
    const results = decideRules(guideline, of, environment);
    const told = findNearestMisses(guideline, rules, of, environment).map(({ decision }) => decision);
    expect(told).toEqual(rules.filter((id) => results.get(id).outcome === 'not-met'));
    expect(told.length).toBeLessThan(rules.length);
  });

  test('is empty where it takes more than one thing', () => {
    expect(find(chart({ patient: { sex: 'male', age: 61, deceased: false } }), 'ORG-12')?.misses).toEqual([]);
  });

  test('changes neither the guideline nor the chart, and comes out the same again', () => {
    const of = chart({ readings: [liver] });
    const before = JSON.stringify(of);
    const facts = guideline.facts.size;
    const found = findNearestMisses(guideline, rules, of, environment);
    expect(findNearestMisses(guideline, rules, of, environment)).toEqual(found);
    expect([JSON.stringify(of), guideline.facts.size]).toEqual([before, facts]);
  });
});
