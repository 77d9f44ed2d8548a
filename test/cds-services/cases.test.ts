import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Case } from './case.ts';
import { compareCase } from './compare-case.ts';
import { decideCase, guideline, readCases } from './decide-cases.ts';

const cases = readCases();
const complete = cases.filter(({ keys }) => Object.keys(keys).length === 0);
/** Not encounters: without them a pathway the orders do not name counts as none (section 0 "in pathway"). */
const losableKeys = ['reports', 'imaging', 'orders', 'procedures', 'medications', 'medicationStatements'] as const;

describe('clinical cases', () => {
  it.each(cases.map((testCase) => [testCase.id, testCase] as const))('%s', (_, testCase) => {
    expect(compareCase(testCase, decideCase(testCase))).toEqual([]);
  });

  it('have ids of their own', () => {
    const ids = cases.map(({ id }) => id);
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  });

  it('show every decision met, not met and unknown', () => {
    const shown = new Set(
      cases.flatMap(({ expect: { decisions } }) =>
        Object.entries(decisions).map(([id, value]) => `${id} ${typeof value === 'string' ? value : value.outcome}`),
      ),
    );
    const wanted = [...guideline.rules.keys()].flatMap((id) =>
      ['met', 'not-met', 'unknown'].map((to) => `${id} ${to}`),
    );
    expect(wanted.filter((one) => !shown.has(one))).toEqual([]);
  });

  it('name only decisions of the guideline', () => {
    const named = cases.flatMap(({ expect: { decisions } }) => Object.keys(decisions));
    expect(named.filter((id) => !guideline.rules.has(id))).toEqual([]);
  });

  it.each(['missing', 'truncated'] as const)(
    'never turn from met to not met or back when a key is %s',
    { timeout: 120_000 },
    (state) => {
      expect(complete.flatMap((testCase) => findTurns(testCase, state))).toEqual([]);
    },
  );

  it('never end in an error', () => {
    const decisions = cases.flatMap((testCase) => decideCase(testCase).decisions);
    expect(decisions.filter(({ outcome }) => outcome === 'error').map(({ id, reason }) => `${id} ${reason}`)).toEqual(
      [],
    );
  });

  it('are decided alike in Greenwich, Copenhagen and Los Angeles', { timeout: 120_000 }, async () => {
    const [greenwich, copenhagen, losAngeles] = await Promise.all(
      ['UTC', 'Europe/Copenhagen', 'America/Los_Angeles'].map(decideIn),
    );
    expect(greenwich?.length).toBeGreaterThan(cases.length);
    expect(copenhagen === greenwich).toBe(true);
    expect(losAngeles === greenwich).toBe(true);
  });
});

const pathwaySources: ReadonlySet<string> = new Set(['orders', 'encounters', 'procedures']);

/**
 * Decisions that claim the opposite once a key is lost. Not section 1 and what completes its package: findings and
 * pathways not read only add a caution there. Nor work-up and time limits without a source of pathway codes: what is
 * not read there counts as no pathway (section 0, "in pathway").
 */
function findTurns(testCase: Case, state: 'missing' | 'truncated'): string[] {
  const before = decideCase(testCase).decisions;
  return losableKeys.flatMap((key) => {
    const after = decideCase({ ...testCase, keys: { [key]: state } }).decisions;
    return before.flatMap(({ id, outcome }, at) => {
      const now = after[at]?.outcome;
      const isTurned = outcome !== now && outcome !== 'unknown' && now !== 'unknown';
      const isOfPathway = /^(WRK|TIM)-/.test(id) && pathwaySources.has(key);
      return isTurned && !isOfPathway && !/^(MAS-|ORD-01)/.test(id)
        ? [`${testCase.id}: ${id} from ${outcome} to ${now} without ${key}`]
        : [];
    });
  });
}

async function decideIn(timeZone: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'print-decisions.ts')], {
    env: { ...process.env, TZ: timeZone },
    maxBuffer: 1 << 30,
  });
  return stdout;
}
