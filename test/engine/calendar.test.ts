import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCalendar, measureAge } from '../../src/engine/calendar.ts';

const calendar = createCalendar('2026-11-23');

describe('calendar days in Copenhagen', () => {
  it('counts days back from today, and forward as negative', () => {
    expect(calendar.read('2026-11-23')).toMatchObject({ date: '2026-11-23', daysAgo: 0 });
    expect(calendar.read('2026-11-01')).toMatchObject({ daysAgo: 22 });
    expect(calendar.read('2026-12-01')).toMatchObject({ daysAgo: -8 });
    expect(calendar.read('2024-02-29')).toMatchObject({ date: '2024-02-29', daysAgo: 998 });
  });

  it.each([
    // Winter: one hour ahead of UTC
    ['2026-11-22T22:59:00Z', '2026-11-22'],
    ['2026-11-22T23:00:00Z', '2026-11-23'],
    // Summer: two hours
    ['2026-07-01T21:59:59.999Z', '2026-07-01'],
    ['2026-07-01T22:00:00Z', '2026-07-02'],
    // The nights the clock changes
    ['2026-03-28T23:30:00Z', '2026-03-29'],
    ['2026-03-29T22:30:00Z', '2026-03-30'],
    ['2026-10-24T22:30:00Z', '2026-10-25'],
    ['2026-10-25T22:30:00Z', '2026-10-25'],
    ['2026-10-25T23:30:00Z', '2026-10-26'],
    // Other zones
    ['2026-11-22T23:30:00+01:00', '2026-11-22'],
    ['2026-11-23T00:30:00+01:00', '2026-11-23'],
    ['2026-11-22T20:00:00-05:00', '2026-11-23'],
    ['2026-11-23T08:00:00+14:00', '2026-11-22'],
    ['2026-12-31T23:30:00Z', '2027-01-01'],
    // Without a zone: local time
    ['2026-11-22T23:59:00', '2026-11-22'],
  ])('reads %s as %s', (instant, date) => {
    expect(calendar.read(instant)?.date).toBe(date);
  });

  it.each([
    '2026',
    '2026-11',
    '2026-02-31',
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-11-00',
    '0026-11-01',
    '2026-11-23T25:00:00Z',
    '2026-11-23T10:60:00Z',
    '2026-11-23T10:00:00+25:00',
    '2026-11-23T10:00:00Zulu',
    '2026-11-23 10:00',
    '2026-11-2a',
    '23-11-2026',
    '',
    20261123,
    null,
    undefined,
    {},
    ['2026-11-23'],
  ])('takes %j as no date', (value) => {
    expect(calendar.read(value)).toBeUndefined();
  });

  it('orders moments within a day, a plain date first', () => {
    const moments = ['2026-11-22', '2026-11-21T23:30:00Z', '2026-11-22T08:00:00+01:00', '2026-11-22T22:30:00Z'].map(
      (text) => calendar.read(text),
    );
    expect(new Set(moments.map((moment) => moment?.daysAgo))).toEqual(new Set([1]));
    const orders = moments.map((moment) => moment?.order ?? 0);
    expect(orders).toEqual([...orders].sort((a, b) => a - b));
    expect(new Set(orders).size).toBe(4);
  });

  it('agrees with the time zone database for any instant of this century', () => {
    const format = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Copenhagen', dateStyle: 'short' });
    const range = { min: new Date('2000-01-01T00:00:00Z'), max: new Date('2099-12-31T00:00:00Z'), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(range), (instant) => {
        expect(calendar.read(instant.toISOString())?.date).toBe(format.format(instant));
      }),
    );
  });

  it('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        calendar.read(value);
      }),
    );
  });

  it('refuses a day of decision that is no date', () => {
    expect(() => createCalendar('2026-02-30')).toThrow(RangeError);
    expect(() => createCalendar('today')).toThrow(RangeError);
  });
});

describe('age', () => {
  it.each([
    ['1986-11-23', 40, 0],
    ['1986-11-24', 39, 364],
    ['1986-11-22', 40, 1],
    ['2026-11-23', 0, 0],
  ])('of someone born on %s is %i years and %i days', (born, years, daysSinceBirthday) => {
    expect(measureAge(born, '2026-11-23')).toEqual({ years, daysSinceBirthday });
  });

  it('gives who is born on 29 February a birthday on 1 March', () => {
    expect(measureAge('2004-02-29', '2026-02-28')).toMatchObject({ years: 21 });
    expect(measureAge('2004-02-29', '2026-03-01')).toEqual({ years: 22, daysSinceBirthday: 0 });
  });

  it('is not known of the unborn or the misspelt', () => {
    expect(measureAge('2026-11-24', '2026-11-23')).toBeUndefined();
    expect(measureAge('1986-02-31', '2026-11-23')).toBeUndefined();
  });
});
