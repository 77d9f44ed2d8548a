import type { Language } from '../engine/guideline.ts';

const locales = { da: 'da-DK', en: 'en-GB' } as const;

const times = Object.fromEntries(
  Object.entries(locales).map(([language, locale]) => [
    language,
    new Intl.DateTimeFormat(locale, {
      timeZone: 'Europe/Copenhagen',
      ...({ year: 'numeric', month: '2-digit', day: '2-digit' } as const),
      ...({ hour: '2-digit', minute: '2-digit', second: '2-digit' } as const),
    }),
  ]),
) as Record<Language, Intl.DateTimeFormat>;

/** An instant as Danish time. */
export function formatTime(instant: string, language: Language): string {
  return times[language].format(new Date(instant));
}

/** A number with the language's separators, three decimals at most. */
export function formatNumber(value: number, language: Language): string {
  return value.toLocaleString(locales[language], { maximumFractionDigits: 3 });
}

/** A share in per cent; a dash where there is nothing to take it of. */
export function formatShare(count: number, of: number, language: Language): string {
  if (of === 0) return '–';
  const percent = (100 * count) / of;
  return `${percent.toLocaleString(locales[language], { maximumFractionDigits: percent < 10 ? 1 : 0 })} %`;
}
