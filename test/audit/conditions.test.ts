import { describe, expect, test } from 'vitest';
import { readConditions } from '../../src/audit/conditions.ts';
import type { CompiledGuideline } from '../../src/engine/guideline.ts';
import { RequestError } from '../../src/errors.ts';

const guideline = {
  services: new Map([
    ['view', { id: 'view', rules: ['MAS-02'] }],
    ['sign', { id: 'sign', rules: ['ORD-01'] }],
  ]),
} as unknown as CompiledGuideline;

describe('conditions', () => {
  test('take a day from its first to its last instant, in UTC', () => {
    expect(readConditions({ from: '2026-11-01', to: '2026-11-30' }, guideline)).toEqual({
      from: '2026-11-01T00:00:00.000Z',
      to: '2026-12-01T00:00:00.000Z',
    });
  });

  test('take the last day there is', () => {
    expect(readConditions({ to: '9999-12-31' }, guideline)).toEqual({ to: '9999-12-31T23:59:59.999Z' });
  });

  test('take an instant as it is', () => {
    expect(readConditions({ from: '2026-11-01T12:30', to: '2026-11-01T12:30:15.5Z' }, guideline)).toEqual({
      from: '2026-11-01T12:30:00.000Z',
      to: '2026-11-01T12:30:15.500Z',
    });
  });

  test('ask whether a decision was met unless they name an outcome', () => {
    expect(readConditions({ decision: 'MAS-02' }, guideline)).toEqual({ decision: { id: 'MAS-02', outcome: 'met' } });
    expect(readConditions({ outcome: 'error' }, guideline)).toEqual({ decision: { outcome: 'error' } });
  });

  test('look for a decision that was not met where it is made', () => {
    expect(readConditions({ decision: 'ORD-01', outcome: 'not-met' }, guideline)).toEqual({
      decision: { id: 'ORD-01', outcome: 'not-met' },
      services: ['sign'],
    });
  });

  test('pass over what is empty or not theirs, as forms send it', () => {
    expect(readConditions({ client: '', topic: 'acute', before: '7', x: 'y' }, guideline)).toEqual({ topic: 'acute' });
  });

  test.each([
    [{ from: 'yesterday' }, 'from'],
    [{ from: '2026-02-31' }, undefined],
    [{ from: "2026-01-01' OR 1=1" }, 'from'],
    [{ decision: 'MAS' }, 'decision'],
    [{ outcome: 'maybe' }, 'outcome'],
    [{ outcome: 'not-met' }, 'decision'],
    [{ key: 'reports' }, 'key'],
    [{ state: 'failed' }, 'key'],
    [{ key: 'reports', state: 'present' }, 'state'],
    [{ patientKey: 'abc' }, 'patientKey'],
    [{ client: ['a', 'b'] }, 'client'],
  ])('refuse %j', (given, expression) => {
    const refused = expect(() => readConditions(given as Record<string, unknown>, guideline));
    refused.toThrow(RequestError);
    const issue = expression === undefined ? expect.any(Object) : expect.objectContaining({ expression });
    refused.toThrow(expect.objectContaining({ issues: [issue] }));
  });
});
