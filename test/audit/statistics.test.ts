import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chartShares, findLastDay, summarizeCounts } from '../../src/audit/statistics.ts';
import type { CountKind, PeriodCount } from '../../src/audit/store.ts';

const count = (period: string, kind: CountKind, name: string, of: number, knowledge = '1'): PeriodCount => ({
  ...{ period, knowledge, kind, name, count: of },
});
const options = {
  decisions: [{ id: 'MAS-02', services: ['view'] }],
  openFrom: '2026-11-20',
  endOf: (period: string) => period,
};

describe('statistics', () => {
  const statistics = summarizeCounts(
    [
      count('2026-11-01', 'evaluation', 'view', 60),
      count('2026-11-01', 'evaluation', 'view', 40, '2'),
      count('2026-11-01', 'evaluation', 'sign', 5),
      count('2026-11-01', 'shown', 'MAS-02', 10),
      count('2026-11-01', 'accepted', 'MAS-02', 4),
      count('2026-11-01', 'overridden', 'MAS-02', 3),
      count('2026-11-20', 'evaluation', 'view', 50, '2'),
      count('2026-11-20', 'shown', 'MAS-02', 6, '2'),
      count('2026-11-20', 'accepted', 'MAS-02', 1, '2'),
      count('2026-11-20', 'failed', 'reports', 2),
      count('2026-11-20', 'reason', 'patient-refuses', 2),
      count('2026-11-20', 'reason', 'action-completed', 3),
      ...[1, 2, 3, 4].map((bound) => count('2026-11-20', 'latency', String(bound), 25)),
    ],
    options,
  );
  const [decision] = statistics.decisions;

  test('take evaluations of the services that make a decision', () => {
    expect(statistics.evaluations).toBe(155);
    expect(decision?.total.evaluations).toBe(150);
  });

  test('count a card nobody answered as ignored only when the time to answer is over', () => {
    expect(decision?.periods.map(({ ignored, awaiting }) => [ignored, awaiting])).toEqual([
      [3, 0],
      [0, 5],
    ]);
    expect(decision?.total).toMatchObject({ shown: 16, accepted: 5, overridden: 3, ignored: 3, awaiting: 5 });
  });

  test('take shares of answers of periods that are over', () => {
    expect(decision?.settled).toMatchObject({ shown: 10, accepted: 4, overridden: 3, ignored: 3, awaiting: 0 });
  });

  test('name knowledge versions by the first period they were used in', () => {
    expect(statistics.versions).toEqual([
      { knowledge: '1', period: '2026-11-01' },
      { knowledge: '2', period: '2026-11-01' },
    ]);
  });

  test('tell which sources were not known and which reasons were given, the most frequent first', () => {
    expect(statistics.unknownKeys).toEqual([{ key: 'reports', missing: 0, failed: 2, truncated: 0 }]);
    expect(statistics.reasons.map(({ code }) => code)).toEqual(['action-completed', 'patient-refuses']);
  });

  test('tell within which time half, nearly all and almost every evaluation was done', () => {
    expect(statistics.latency).toEqual([
      { share: 0.5, milliseconds: 2 },
      { share: 0.95, milliseconds: 4 },
      { share: 0.99, milliseconds: 4 },
    ]);
    expect(summarizeCounts([count('2026-11-01', 'latency', 'more', 1)], options).latency[0]).toEqual({
      share: 0.5,
      milliseconds: undefined,
    });
  });
});

describe('a control chart', () => {
  test('has the limits of a p-chart', () => {
    const { mean, points } = chartShares([
      { period: 'a', count: 10, of: 100 },
      { period: 'b', count: 20, of: 100 },
      { period: 'c', count: 0, of: 0 },
    ]);
    expect(mean).toBe(0.15);
    // 0.15 ± 3 √(0.15 · 0.85 / 100)
    expect(points).toHaveLength(2);
    expect(points[0]?.low).toBeCloseTo(0.0429, 4);
    expect(points[0]?.high).toBeCloseTo(0.2571, 4);
    expect(points.some(({ isOutside }) => isOutside)).toBe(false);
  });

  test('marks a share chance does not explain', () => {
    const usual = Array.from({ length: 20 }, (_, at) => ({ period: String(at), count: 10, of: 100 }));
    const { points } = chartShares([...usual, { period: 'odd', count: 40, of: 100 }]);
    expect(points.filter(({ isOutside }) => isOutside).map(({ period }) => period)).toEqual(['odd']);
  });

  test('has shares and limits from 0 to 1, whatever is counted', () => {
    const period = fc
      .tuple(fc.nat(1000), fc.nat(1000))
      .map(([a, b]) => ({ period: 'p', count: Math.min(a, b), of: Math.max(a, b) }));
    fc.assert(
      fc.property(fc.array(period), (periods) => {
        for (const { share, low, high } of chartShares(periods).points) {
          expect(Math.min(share, low, high)).toBeGreaterThanOrEqual(0);
          expect(Math.max(share, low, high)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

test.each([
  ['2026-11-23', 'day', '2026-11-23'],
  ['2026-11-23', 'week', '2026-11-29'],
  ['2028-02-01', 'month', '2028-02-29'],
] as const)('the period that begins on %s, a %s, ends on %s', (period, per, last) => {
  expect(findLastDay(period, per)).toBe(last);
});
