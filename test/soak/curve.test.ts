import { describe, expect, it } from 'vitest';
import { findMistakes, findQuantile, type Interval, plot } from './curve.ts';

const interval = (changes: Partial<Interval> = {}): Interval => ({
  megabytes: 500,
  latencies: [10, 20],
  good: [20],
  statuses: { 200: 2 },
  ...changes,
});
const steady = Array.from({ length: 9 }, () => interval());

describe('a soak', () => {
  it('that kept its promises has no mistakes', () => {
    expect(findMistakes(steady, 4_000)).toEqual([]);
  });

  it('in which memory kept growing is a mistake', () => {
    const growing = steady.map((one, at) => ({ ...one, megabytes: 500 + 50 * at }));
    expect(findMistakes(growing, 4_000)).toEqual(['memory grows: 700 MB, then 850 MB']);
  });

  it('with an unexpected status, a late answer or silence is a mistake', () => {
    const bad = [
      ...steady,
      interval({ statuses: { 500: 1 } }),
      interval({ latencies: [6_000] }),
      interval({ latencies: [] }),
    ];
    expect(findMistakes(bad, 4_000)).toEqual([
      'answers with status 500',
      'an answer after 6000 ms',
      'a part of the time without any answer',
    ]);
  });

  it('shows memory, p99 and the answers', () => {
    const text = plot([interval(), interval({ megabytes: 1_000, latencies: [90], good: [40] })], 10);
    expect(text).toMatch(/^ {3}5\.0 {4}500 #{15} +20 #{15} +2$/m);
    expect(text).toMatch(/^ {2}10\.0 {3}1000 #{30} +40 #{30} +1$/m);
    expect(text).toContain('Answers 200: 4');
  });

  it('takes the 99th percentile of what it has', () => {
    expect(
      findQuantile(
        Array.from({ length: 100 }, (_, at) => at),
        0.99,
      ),
    ).toBe(99);
    expect(findQuantile([], 0.99)).toBe(0);
  });
});
