import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTrim } from '../../src/engine/trim.ts';
import type { Chart, Reading } from '../../src/engine/types.ts';
import { decideChart, guideline, readCaseChart, readCases } from '../cds-services/decide-cases.ts';

const trim = createTrim(guideline);
const cases = readCases();
const charts = cases.map(readCaseChart);
const pool = charts.flatMap(({ readings }) => readings);

const result: Reading = {
  kind: 'result',
  concept: 'haemoglobin',
  exact: true,
  reference: 'Observation/1',
  system: 'npu',
  code: 'NPU02319',
  abnormal: 'low',
};
const chartOf = (readings: Reading[]): Chart => ({
  today: '2026-11-23',
  patient: { sex: 'female', age: 60, deceased: false },
  keys: Object.fromEntries(Object.keys(guideline.head.prefetch).map((key) => [key, { state: 'present', dropped: 0 }])),
  readings,
});

describe('a trimmed chart', () => {
  it('gives every case the decisions and cards of the whole one', () => {
    expect(cases.length).toBeGreaterThan(500);
    for (const [at, testCase] of cases.entries()) {
      const chart = charts[at] as Chart;
      expect(decideChart(guideline, testCase, trim(chart)), testCase.id).toEqual(
        decideChart(guideline, testCase, chart),
      );
    }
  });

  it('gives the same decisions and cards for any history under any options', () => {
    const history = fc.array(
      fc
        .tuple(fc.constantFrom(...pool), fc.oneof(fc.integer({ min: -3, max: 200 }), fc.integer({ min: 0, max: 2500 })))
        .chain(([reading, daysAgo]) => {
          const { daysAgo: _, date: __, ...undated } = reading;
          return fc.constantFrom(
            { ...undated, daysAgo, date: '2020-01-01' },
            { ...undated, daysAgo, date: '2020-01-01' },
            undated,
          );
        }),
      { maxLength: 60 },
    );
    const ledger = fc.record(
      Object.fromEntries(
        guideline.ledger.map(({ override, options }) => [override, fc.constantFrom(...options.map(({ key }) => key))]),
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...cases), history, ledger, (testCase, readings, options) => {
        const chart = { ...readCaseChart(testCase), readings };
        const asked = { ...testCase, client: { ...testCase.client, ledger: options } };
        expect(decideChart(guideline, asked, trim(chart))).toEqual(decideChart(guideline, asked, chart));
      }),
      { numRuns: 400 },
    );
  });

  it('holds no reading of a concept that no fact reads', () => {
    expect(trim(chartOf([{ ...result, kind: 'condition', daysAgo: 1, concept: 'of-no-fact' }])).readings).toEqual([]);
  });

  it('holds the newest results and those they are compared with, not the years before', () => {
    const readings = Array.from({ length: 50 }, (_, at) => ({
      ...result,
      reference: `Observation/${at}`,
      daysAgo: at * 100,
    }));
    const kept = trim(chartOf(readings)).readings;
    expect(kept[0]).toEqual(readings[0]);
    expect(kept.length).toBeLessThan(readings.length / 2);
    expect(trim(chartOf(kept as Reading[])).readings).toEqual(kept);
  });

  it('holds everything without a date or with one to come', () => {
    const readings = [result, { ...result, daysAgo: -2 }, result, { ...result, daysAgo: -1 }];
    expect(trim(chartOf(readings)).readings).toEqual(readings);
  });

  it('keeps the order of the readings, the patient and what is known of the keys', () => {
    const chart = chartOf([result, { ...result, daysAgo: 3 }, { ...result, daysAgo: 2 }]);
    expect(trim(chart)).toEqual(chart);
  });
});
