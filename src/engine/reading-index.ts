import type { Reading, ReadingKind } from './types.ts';

/** Readings by what facts select them by, newest first. */
export interface ReadingIndex {
  of(kind: ReadingKind, concept: string): readonly Reading[];
  all(kind: ReadingKind): readonly Reading[];
}

export function indexReadings(readings: readonly Reading[]): ReadingIndex {
  const byKind = new Map<ReadingKind, Map<string, Reading[]>>();
  for (const reading of readings) {
    let byConcept = byKind.get(reading.kind);
    if (byConcept === undefined) {
      byConcept = new Map();
      byKind.set(reading.kind, byConcept);
    }
    const list = byConcept.get(reading.concept);
    if (list === undefined) byConcept.set(reading.concept, [reading]);
    else list.push(reading);
  }
  const sorted = new Set<Reading[]>();
  const inOrder = (list: Reading[]): Reading[] => {
    if (!sorted.has(list)) {
      list.sort(newestFirst);
      sorted.add(list);
    }
    return list;
  };
  return {
    of: (kind, concept) => {
      const list = byKind.get(kind)?.get(concept);
      return list === undefined ? [] : inOrder(list);
    },
    all: (kind) => [...(byKind.get(kind)?.values() ?? [])].flat().sort(newestFirst),
  };
}

/** The order in which facts read: those without a date last. */
export function newestFirst(a: Reading, b: Reading): number {
  return (a.daysAgo ?? Number.POSITIVE_INFINITY) - (b.daysAgo ?? Number.POSITIVE_INFINITY) || 0;
}
