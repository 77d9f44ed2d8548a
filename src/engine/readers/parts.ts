import type { Part, Pass } from './pass.ts';

/** Adds what was done or ordered in parts: in one order, or on one day. */
export function combineParts(pass: Pass): void {
  if (pass.parts.length < 2) return;
  const groups = new Map<string, Map<string, Part>>();
  const add = (part: Part): void => {
    for (const key of part.together) {
      const id = `${part.reading.kind} ${key}`;
      const group = groups.get(id);
      if (group === undefined) groups.set(id, new Map([[part.reading.concept, part]]));
      else if (group.get(part.reading.concept)?.reading.selected !== true) group.set(part.reading.concept, part);
    }
  };
  pass.parts.forEach(add);
  for (const { id: concept, parts = [] } of pass.lookup.compositeProcedures) {
    for (const group of groups.values()) {
      if (group.has(concept)) continue;
      const list = parts.find((each) => each.every((part) => group.has(part)));
      const found = list?.flatMap((part) => group.get(part) ?? []) ?? [];
      const first = found.find(({ reading }) => reading.selected === true) ?? found[0];
      if (first === undefined) continue;
      const { side: _, ...reading } = { ...first.reading, concept, sites: [] };
      const whole: Part = { ...first, reading };
      add(whole);
      pass.readings.push(reading);
      pass.orders.push(whole.order);
    }
  }
}
