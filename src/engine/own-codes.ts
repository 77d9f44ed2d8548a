import type { Concepts, Hit, HitKind, Lookup } from './lookup.ts';
import type { Coding } from './suggestions.ts';

/** A client's own codes: by concept, and by pathway for referrals to it. */
export interface OwnCodes {
  codes?: Readonly<Record<string, readonly Coding[]>>;
  pathwayCodes?: Readonly<Record<string, Coding>>;
}

/** The system name readings give codes whose system is the client's own. */
const ownSystem = 'local';

/**
 * Makes a lookup that also knows a client's own codes; each says exactly what it was configured for.
 *
 * A code may be configured for several concepts: it then stands for all of them.
 */
export function addOwnCodes(lookup: Lookup, kindOf: ReadonlyMap<string, HitKind>, own: OwnCodes): Lookup {
  const hits = new Map<string, readonly Hit[]>();
  const systems = new Set<string>();
  const add = ({ system, code }: Coding, hit: Hit): void => {
    systems.add(system);
    const key = `${system}|${code}`;
    const known = hits.get(key) ?? lookup.findConcepts(system, code);
    hits.set(key, [hit, ...known.filter(({ concept, kind }) => concept !== hit.concept || kind !== hit.kind)]);
  };
  for (const [concept, codings] of Object.entries(own.codes ?? {})) {
    const kind = kindOf.get(concept);
    if (kind === undefined) continue;
    for (const coding of codings) add(coding, { concept, kind, exact: true, suspicion: false });
  }
  for (const [concept, coding] of Object.entries(own.pathwayCodes ?? {})) {
    add(coding, { concept, kind: 'pathway', exact: true, suspicion: false, role: 'referral' });
  }
  if (hits.size === 0) return lookup;

  const nameSystem = (system: string | undefined): string | undefined =>
    lookup.nameSystem(system) ?? (system !== undefined && systems.has(system) ? ownSystem : undefined);
  return {
    ...lookup,
    nameSystem,
    findConcepts: (system, code) => hits.get(`${system}|${code}`) ?? lookup.findConcepts(system, code),
  };
}

/** The concepts a client may have codes of its own for, each with what a hit of it is. */
export function listKinds(concepts: Concepts): ReadonlyMap<string, HitKind> {
  const lists: readonly (readonly [HitKind, readonly { id: string }[]])[] = [
    ['condition', concepts.conditions],
    ['analysis', concepts.analyses],
    ['procedure', concepts.procedures],
  ];
  return new Map(lists.flatMap(([kind, list]) => list.map(({ id }) => [id, kind] as const)));
}
