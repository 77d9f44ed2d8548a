import type { CompiledFact, CompiledGuideline } from './guideline.ts';
import { newestFirst } from './reading-index.ts';
import type { Chart, Reading, ReadingKind } from './types.ts';

/** How far back facts read one concept of one kind. */
interface Reach {
  /** Every reading at most so many days old may count. */
  days: number;
  /** The newest counts, however old. */
  newest: boolean;
  /** Ranges of days in which the newest is compared with a newer one. */
  earlier: { from: number; to: number }[];
}

/** By kind and concept; the concept `*` stands for facts that read whatever the concept. */
type Reaches = ReadonlyMap<ReadingKind, ReadonlyMap<string, Reach>>;

const anyConcept = '*';

/**
 * Makes the function that drops the readings which no fact of a guideline can use, whatever options are in force.
 *
 * Kept are: readings of concepts that a fact reads, back to the longest window any fact has for them; beyond it the
 * newest one where a fact reads the newest, and those an `earlier` comparison could find; all without a readable date,
 * as they could lie anywhere. So facts find in the trimmed chart exactly what they find in the whole one, and a replay
 * from it gives the same decisions and cards with the same knowledge. Other knowledge may ask for what was dropped.
 */
export function createTrim(guideline: CompiledGuideline): (chart: Chart) => Chart {
  const reaches = findReaches(guideline);
  return (chart) => ({ ...chart, readings: trimReadings(chart.readings, reaches) });
}

function trimReadings(readings: readonly Reading[], reaches: Reaches): Reading[] {
  const dated = new Map<Reach, Reading[]>();
  const kept = new Set<Reading>();
  for (const reading of readings) {
    const ofKind = reaches.get(reading.kind);
    const reach = ofKind?.get(reading.concept);
    if (isWithin(reading, ofKind?.get(anyConcept)) || isWithin(reading, reach)) kept.add(reading);
    if (reach === undefined || reading.daysAgo === undefined || !(reach.newest || reach.earlier.length > 0)) continue;
    const list = dated.get(reach);
    if (list === undefined) dated.set(reach, [reading]);
    else list.push(reading);
  }
  for (const [{ newest, earlier }, list] of dated) {
    list.sort(newestFirst);
    if (newest) kept.add(list[0] as Reading);
    for (const { from, to } of earlier) {
      // Two: a reading is not compared with itself.
      const inRange = list.filter(({ daysAgo = 0 }) => daysAgo > from && daysAgo <= to);
      for (const reading of inRange.slice(0, 2)) kept.add(reading);
    }
  }
  return kept.size === readings.length ? [...readings] : readings.filter((reading) => kept.has(reading));
}

/** What has no date, or one to come, could lie anywhere. */
function isWithin({ daysAgo }: Reading, reach: Reach | undefined): boolean {
  return reach !== undefined && (daysAgo === undefined || daysAgo < 0 || daysAgo <= reach.days);
}

function findReaches(guideline: CompiledGuideline): Reaches {
  const reaches = new Map<ReadingKind, Map<string, Reach>>();
  const reachOf = (kind: ReadingKind, concept: string): Reach => {
    const ofKind = reaches.get(kind) ?? new Map<string, Reach>();
    reaches.set(kind, ofKind);
    const reach = ofKind.get(concept) ?? { days: Number.NEGATIVE_INFINITY, newest: false, earlier: [] };
    ofKind.set(concept, reach);
    return reach;
  };
  /** The values a parameter can have: its own, and those that options of the ledger give it. */
  const valuesOf = (parameter: string): number[] => [
    ...(guideline.head.parameters[parameter] === undefined ? [] : [guideline.head.parameters[parameter].value]),
    ...guideline.ledger.flatMap(({ options }) => options.flatMap(({ set }) => set?.[parameter] ?? [])),
  ];
  const addFact = ({ definition, concepts, where }: CompiledFact & { form: 'selection' }): void => {
    const { read, within, each, earlier, whole } = definition;
    const window = within === undefined ? Number.POSITIVE_INFINITY : Math.max(...valuesOf(within));
    const named = [...concepts, ...(whole === undefined ? [] : [whole])];
    for (const kind of read) {
      if (named.length === 0) {
        // Its newest and earlier ones are those of any concept: few facts are like that, so all are kept.
        const days = each === undefined && earlier === undefined ? window : Number.POSITIVE_INFINITY;
        widen(reachOf(kind, anyConcept), days);
      }
      for (const concept of named) {
        const reach = reachOf(kind, concept);
        if (each === 'newest') reach.newest = true;
        else widen(reach, window);
        if (earlier === undefined) continue;
        for (const from of valuesOf(earlier.olderThan)) {
          for (const to of valuesOf(earlier.within)) reach.earlier.push({ from, to });
        }
      }
    }
    if (where?.members.includes('lastClosing')) {
      for (const concept of named.length === 0 ? [anyConcept] : named) {
        widen(reachOf('marker', concept), Number.POSITIVE_INFINITY);
      }
    }
  };
  for (const fact of guideline.facts.values()) if (fact.form === 'selection') addFact(fact);
  return reaches;
}

function widen(reach: Reach, days: number): void {
  reach.days = Math.max(reach.days, days);
}
