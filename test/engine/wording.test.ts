import { describe, expect, it } from 'vitest';
import { sayAmount } from '../../src/engine/wording.ts';

describe('what a result comes to', () => {
  it.each([
    ['a number', { value: 4.25 }, '4,25 mmol/L'],
    ['more than a limit', { atLeast: 5, open: true }, '> 5 mmol/L'],
    ['a limit or more', { atLeast: 5 }, '≥ 5 mmol/L'],
    ['less than a limit', { atMost: 4, open: true }, '< 4 mmol/L'],
    ['a limit or less', { atMost: 4 }, '≤ 4 mmol/L'],
    ['three decimals', { value: 2 / 3 }, '0,667 mmol/L'],
    ['a small number that three decimals would lose', { value: 0.0004 }, '0,0004 mmol/L'],
    ['a very small one', { value: 0.00000012 }, '0,00000012 mmol/L'],
    ['a small negative one', { value: -0.00123 }, '-0,0012 mmol/L'],
    ['nothing', { value: 0 }, '0 mmol/L'],
  ])('is told as %s', (_, result, told) => {
    expect(sayAmount({ ...result, unit: 'mmol/L' }, 'da')).toBe(told);
  });

  it('has the decimal sign of the language and units as clinicians write them', () => {
    expect(sayAmount({ value: 0.5, unit: 'ug/L' }, 'en')).toBe('0.5 µg/L');
    expect(sayAmount({ value: 1.5, unit: '1' }, 'da')).toBe('1,5');
  });

  it('is told only where there is a number', () => {
    expect(sayAmount({ unit: 'mmol/L' }, 'da')).toBeUndefined();
  });
});
