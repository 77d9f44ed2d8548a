/** A calendar day in Europe/Copenhagen, seen from the day of the decision. */
export interface Moment {
  /** `YYYY-MM-DD`. */
  date: string;
  /** Calendar days back from today; negative in the future. */
  daysAgo: number;
  /** Grows with time, also within a day; a plain date stands before every time of its day. */
  order: number;
}

/** Reads dates for one day of decision. */
export interface Calendar {
  /**
   * Reads a FHIR date, dateTime or instant; a time with a zone is moved to Copenhagen.
   *
   * @returns Undefined for anything else, dates that do not exist, and dates without a day: `2026` could be any of 365.
   */
  read(value: unknown): Moment | undefined;
}

const millisecondsPerDay = 86_400_000;
const minutesPerDay = 1440;
/** Copenhagen is never more than two hours ahead of UTC, and never behind it. */
const largestOffset = 120;
/** Minutes of a local day, as UTC minutes of that day, all fit into so many. */
const slotsPerDay = 4096;

/** @throws RangeError when `today` is not a date `YYYY-MM-DD`. */
export function createCalendar(today: string): Calendar {
  const todayNumber = today.length === 10 ? readDayNumber(today) : undefined;
  if (todayNumber === undefined) throw new RangeError(`today: expected a date YYYY-MM-DD, got '${today}'`);

  const momentOf = (date: string, day: number, minute: number): Moment => ({
    date,
    daysAgo: todayNumber - day,
    order: day * slotsPerDay + minute,
  });

  return {
    read: (value) => {
      if (typeof value !== 'string' || value.length < 10) return undefined;
      const day = readDayNumber(value);
      if (day === undefined) return undefined;
      const date = value.slice(0, 10);
      if (value.length === 10) return momentOf(date, day, 0);

      const time = readTime(value);
      if (time === undefined) return undefined;
      // Without a zone it is a local time
      if (time.zone === undefined) return momentOf(date, day, 1 + time.minute);
      const utcMinutes = time.minute - time.zone;
      const utcDay = day + Math.floor(utcMinutes / minutesPerDay);
      const utcMinute = utcMinutes - (utcDay - day) * minutesPerDay;
      const isNextDay = utcMinute >= minutesPerDay - largestOffset && utcMinute + readOffset(utcDay) >= minutesPerDay;
      const localDay = isNextDay ? utcDay + 1 : utcDay;
      // The minute of the local day, but for the offset, which is the same for the rest of it
      const minute = 1 + largestOffset + utcMinute - (isNextDay ? minutesPerDay : 0);
      return momentOf(localDay === day ? date : formatDay(localDay), localDay, minute);
    },
  };
}

/** Full years between two dates, and the days since the last anniversary; undefined where `from` is not before or on `to`. */
export function measureAge(from: string, to: string): { years: number; daysSinceBirthday: number } | undefined {
  const start = readDayNumber(from);
  const end = readDayNumber(to);
  if (start === undefined || end === undefined || start > end) return undefined;
  const monthAndDay = from.slice(5, 10);
  const hasHadBirthday = to.slice(5, 10) >= monthAndDay;
  const year = Number(to.slice(0, 4)) - (hasHadBirthday ? 0 : 1);
  // Who is born on 29 February has the birthday on 1 March in other years: Date.UTC counts on
  const birthday = Date.UTC(year, Number(from.slice(5, 7)) - 1, Number(from.slice(8, 10))) / millisecondsPerDay;
  return { years: year - Number(from.slice(0, 4)), daysSinceBirthday: end - birthday };
}

const monthLengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Days since 1970 of the date a text starts with. */
function readDayNumber(text: string): number | undefined {
  if (text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return undefined;
  const year = readDigits(text, 0, 4);
  const month = readDigits(text, 5, 2);
  const day = readDigits(text, 8, 2);
  // Date.UTC reads years below 100 as those of the last century; such dates are typing mistakes anyhow
  if (!(year >= 1000 && month >= 1 && month <= 12 && day >= 1)) return undefined;
  const isLeapYear = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const length = month === 2 && isLeapYear ? 29 : (monthLengths[month - 1] ?? 0);
  return day <= length ? Date.UTC(year, month - 1, day) / millisecondsPerDay : undefined;
}

/** A number of so many digits; NaN where one is not a digit. */
function readDigits(text: string, from: number, count: number): number {
  let number = 0;
  for (let at = from; at < from + count; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    number = number * 10 + digit;
  }
  return number;
}

/** The minute of the day and the minutes ahead of UTC in `…Thh:mm[:ss[.fff]][Z|±hh:mm]`. */
function readTime(text: string): { minute: number; zone: number | undefined } | undefined {
  if (text.charCodeAt(10) !== 84 || text.charCodeAt(13) !== 58) return undefined;
  const hours = readDigits(text, 11, 2);
  const minutes = readDigits(text, 14, 2);
  if (!(hours <= 23 && minutes <= 59)) return undefined;
  let at = 16;
  if (text.charCodeAt(at) === 58) {
    if (!(readDigits(text, 17, 2) <= 60)) return undefined;
    at = 19;
    if (text.charCodeAt(at) === 46) {
      do at++;
      while (readDigits(text, at, 1) >= 0);
    }
  }
  const minute = hours * 60 + minutes;
  if (at === text.length) return { minute, zone: undefined };
  const sign = text.charCodeAt(at);
  if (sign === 90) return at + 1 === text.length ? { minute, zone: 0 } : undefined;
  if ((sign !== 43 && sign !== 45) || text.length !== at + 6 || text.charCodeAt(at + 3) !== 58) return undefined;
  const zone = readDigits(text, at + 1, 2) * 60 + readDigits(text, at + 4, 2);
  return zone <= 14 * 60 ? { minute, zone: sign === 43 ? zone : -zone } : undefined;
}

function formatDay(day: number): string {
  return new Date(day * millisecondsPerDay).toISOString().slice(0, 10);
}

const hourInCopenhagen = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'Europe/Copenhagen',
  hour: '2-digit',
  hourCycle: 'h23',
});
const offsets = new Map<number, number>();
const mostOffsets = 10_000;

/** Minutes ahead of UTC at the end of a UTC day: the clock is never changed after noon. */
function readOffset(utcDay: number): number {
  let offset = offsets.get(utcDay);
  if (offset === undefined) {
    const noon = new Date((utcDay + 0.5) * millisecondsPerDay);
    offset = (Number(hourInCopenhagen.format(noon)) - 12) * 60;
    if (offsets.size >= mostOffsets) offsets.clear();
    offsets.set(utcDay, offset);
  }
  return offset;
}
