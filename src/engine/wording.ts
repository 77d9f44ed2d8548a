import type { Facts } from './facts.ts';
import type { CompiledGuideline, Language } from './guideline.ts';
import { unique } from './suggestions.ts';
import type { Reading } from './types.ts';

/** Names and values as clinicians read them, in one language. Codes and values only, nothing from the record's own words. */
export interface Wording {
  nameOf(id: string): string;
  /** One line about a reading: name, site, size or value, direction, dates. */
  describe(reading: Reading): string;
  /** A text with `{missing}`, `{pathway}`, `{list:fact}` and the like replaced by what they stand for. */
  fillPlaceholders(text: string, filling: Filling): string;
  /** `afsnit 3.2.3, bilag 1` */
  nameSections(sections: readonly string[]): string;
}

/** What the placeholders of a card's texts stand for. */
export interface Filling {
  /** Ids of what is missing. */
  missing: readonly string[];
  pathway: string | undefined;
  get: Facts['get'];
}

const saysSuspicion = /mistanke|suspe[ck]|suspici/i;

/** Lower-cases a name inside a sentence, unless it begins with an abbreviation (`CT-TAB`, `B-Hæmoglobin`). */
function lowerFirst(name: string): string {
  return /^\p{Lu}\p{Ll}/u.test(name) ? `${name[0]?.toLowerCase()}${name.slice(1)}` : name;
}

/** CDS Hooks: a summary has fewer than 140 characters. */
export function shorten(summary: string): string {
  const points = [...summary];
  return points.length < 140 ? summary : `${points.slice(0, 138).join('')}…`;
}

export function chooseWording(guideline: CompiledGuideline, language: Language): Wording {
  const { labels, missing } = guideline.texts[language];
  const nameOf = (id: string): string => guideline.labels.get(id)?.[language] ?? missing[id] ?? id;
  const siteOf = (id: string): string => guideline.siteLabels.get(id)?.[language] ?? id;
  const formatDate = (date: string): string => (language === 'en' ? date : date.split('-').reverse().join('.'));
  const nameReading = (reading: Reading): string => {
    if (reading.kind !== 'marker') return nameOf(reading.concept);
    const pathway = guideline.pathways.get(reading.concept)?.[language] ?? reading.concept;
    return reading.stage === undefined ? pathway : `${pathway} (${reading.code})`;
  };
  /** What is suspected is never told as known; a name that says so itself is left as it is. */
  const nameStatement = (reading: Reading): string => {
    const name = nameReading(reading);
    if (reading.certainty !== 'suspected' || saysSuspicion.test(name)) return name;
    return (labels.suspected ?? '').replace('{name}', lowerFirst(name));
  };

  const describe = (reading: Reading): string => {
    const { sites, side, count, size, tender, abnormal, onsetDaysAgo, date } = reading;
    const [site] = sites ?? [];
    const name = nameStatement(reading);
    const parts = [
      // The site a name already says is not said again.
      site === undefined || name.toLowerCase().includes(siteOf(site).toLowerCase()) ? undefined : siteOf(site),
      side === undefined ? undefined : labels[side],
      count === undefined ? undefined : labels[count],
      size === undefined ? undefined : `${sayNumber(size, language)} mm`,
      tender === undefined ? undefined : labels[tender ? 'tender' : 'notTender'],
      sayAmount(reading, language),
      abnormal === undefined || abnormal === 'no' ? undefined : labels[abnormal],
    ].filter((part) => part !== undefined);
    return [
      name,
      parts.join(', '),
      onsetDaysAgo === undefined ? undefined : `${labels.onset?.replace('{days}', String(onsetDaysAgo))}`,
      date === undefined ? undefined : formatDate(date),
    ]
      .filter((part) => part !== undefined && part !== '')
      .join(' · ');
  };

  const nameSections = (sections: readonly string[]): string => {
    const numbered = sections.filter((section) => /^\d/.test(section));
    const named = sections.filter((section) => !/^\d/.test(section));
    return [
      ...(numbered.length === 0 ? [] : [`${labels.section} ${numbered.join(', ')}`]),
      ...named.map((section) => section.replace(/^bilag/, labels.appendix ?? 'bilag')),
    ].join(', ');
  };

  const fillPlaceholders = (text: string, { missing: ids, pathway, get }: Filling): string =>
    text.replace(/\{(\w+)(?::(\w+))?\}/g, (_, what: string, name: string | undefined) => {
      if (what === 'missing') return ids.map((id) => lowerFirst(nameOf(id))).join(', ');
      if (what === 'missingCount') return String(ids.length);
      if (what === 'pathway') {
        return pathway === undefined
          ? (labels.unnamedPathway ?? '')
          : (guideline.pathways.get(pathway)?.[language] ?? pathway);
      }
      const { values, readings } = get(name ?? '');
      if (what === 'count') return String((values ?? readings).length);
      if (what === 'list') {
        const listed = values ?? unique(readings.map(({ concept }) => concept));
        return listed.map((id) => nameOf(String(id))).join(', ') || '–';
      }
      if (what === 'readings') return unique(readings.map(describe)).join('; ') || '–';
      if (what === 'value') return (values ?? []).join(', ') || '–';
      // The dates from the oldest to the newest.
      const dates = unique([readings.at(-1)?.date, readings[0]?.date]).filter((date) => date !== undefined);
      return dates.map(formatDate).join(' – ') || '–';
    });

  return { nameOf, describe, fillPlaceholders, nameSections };
}

/** What a result comes to, `4,2 mmol/L` or `≥ 90 mL/min`; undefined where it has no number. */
export function sayAmount(
  { value, atLeast, atMost, open, unit }: Pick<Reading, 'value' | 'atLeast' | 'atMost' | 'open' | 'unit'>,
  language: Language,
): string | undefined {
  const amount =
    value !== undefined
      ? sayNumber(value, language)
      : atLeast !== undefined
        ? `${open ? '>' : '≥'} ${sayNumber(atLeast, language)}`
        : atMost !== undefined
          ? `${open ? '<' : '≤'} ${sayNumber(atMost, language)}`
          : undefined;
  return amount === undefined || unit === undefined || unit === '1' ? amount : `${amount} ${spellUnit(unit)}`;
}

/** Three decimals, and two digits of what is too small for them. */
function sayNumber(value: number, language: Language): string {
  const isSmall = value !== 0 && Math.abs(value) < 0.01;
  const rounded = isSmall
    ? value.toLocaleString('en', { maximumSignificantDigits: 2 })
    : String(Math.round(value * 1000) / 1000);
  return language === 'da' ? rounded.replace('.', ',') : rounded;
}

/** UCUM as clinicians write it: `ug/L` -> `µg/L`, `10*9/L` -> `10⁹/L`, `mL/min/{1.73_m2}` -> `mL/min/1,73 m²`. */
function spellUnit(unit: string): string {
  const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';
  return unit
    .replace(/10\*(\d+)/g, (_, power: string) => `10${[...power].map((digit) => superscripts[Number(digit)]).join('')}`)
    .replace(/(^|[/.])u(?=[a-zA-Z])/g, '$1µ')
    .replace('{1.73_m2}', '1,73 m²')
    .replace(/\[IU\]/g, 'IU');
}
