import { describe, expect, it } from 'vitest';
import { guideline } from '../cds-services/decide-cases.ts';
import { readEquivalent } from './equivalent.ts';
import { createJudge } from './judge.ts';
import type { Change, Mutant } from './mutants.ts';

const judge = createJudge();
const mutants = [...judge.mutants];
const survivorsOf = (sample: readonly Mutant[]): string[] =>
  sample.map(judge.judge).flatMap(({ outcome, name }) => (outcome === 'noticed' ? [] : [name]));
const of = (change: Change): Mutant[] => mutants.filter((mutant) => mutant.change === change);

// A sample that is always noticed; `npm run mutate` tries every change.
describe('the cases notice', () => {
  it('each caution that is dropped', () => {
    // Cases hold the parts of a card, not its words.
    const told = guideline.cautions.filter(({ toldOnly }) => toldOnly).map(({ id }) => `cautions ${id}:`);
    const sample = of('drop a caution').filter(({ name }) => !told.some((start) => name.startsWith(start)));
    expect(sample.length).toBeGreaterThanOrEqual(12);
    expect(survivorsOf(sample)).toEqual([]);
  });

  it('each gate that is dropped', () => {
    const sample = of('drop a gate');
    expect(sample.length).toBeGreaterThanOrEqual(3);
    expect(survivorsOf(sample)).toEqual([]);
  });

  it('another destination of a finding or a histology', () => {
    const sample = of('swap a pathway').filter(({ name }) => /^rules (ORG|HEM|MUP|HIS)-\d\d card:/.test(name));
    expect(sample.length).toBeGreaterThanOrEqual(20);
    expect(survivorsOf(sample)).toEqual([]);
  });
});

describe('a change listed as equivalent', () => {
  it('is one of those that are made', () => {
    const names = new Set(mutants.map(({ name }) => name));
    expect([...readEquivalent()].filter((name) => !names.has(name))).toEqual([]);
  });
});

describe('a mutant', () => {
  it('differs from every other and leaves the guideline as it is', () => {
    const names = mutants.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(3000);
    expect(new Set(names).size).toBeGreaterThan(names.length * 0.99);
    expect([...createJudge().mutants].map(({ name }) => name)).toEqual(names);
  });
});
