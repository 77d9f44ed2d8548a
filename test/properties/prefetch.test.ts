import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataMissingError } from '../../src/errors.ts';
import type { Case } from '../cds-services/case.ts';
import {
  bundleKeys,
  type Claim,
  type Decided,
  decidePrefetch,
  type Prefetch,
  type Resource,
  resourcesOf,
  seeds,
  sendAll,
  sortedKeys,
} from './decide-prefetch.ts';

const runs = { numRuns: 200 };
const seed = fc.constantFrom(...seeds);

describe('what does not matter', () => {
  it('is the order of keys and resources', async () => {
    await fc.assert(
      fc.asyncProperty(seed, fc.infiniteStream(fc.nat()), async (of, numbers) => {
        const all = sendAll(of);
        const changed = mapEntries(shuffle(Object.entries(all), numbers), (resources) => shuffle(resources, numbers));
        await expectSame(of, all, changed);
      }),
      runs,
    );
  });

  it('is a resource that is sent twice, also under another key', async () => {
    await fc.assert(
      fc.asyncProperty(seed, fc.infiniteStream(fc.boolean()), fc.nat(), async (of, again, other) => {
        const all = sendAll(of);
        const twice = mapEntries(Object.entries(all), (resources) =>
          resources.flatMap((resource) => (again.next().value ? [resource, structuredClone(resource)] : [resource])),
        );
        const keys = bundleKeys(twice).filter((key) => resourcesOf(all, key).length > 0);
        fc.pre(keys.length > 0);
        const key = keys[other % keys.length] ?? '';
        const strays = keys.flatMap((one) => resourcesOf(all, one)).filter(() => again.next().value);
        await expectSame(of, all, { ...twice, [key]: bundleOf([...resourcesOf(twice, key), ...strays]) });
      }),
      runs,
    );
  });

  it('is a member that is sent as null instead of being left out', async () => {
    await fc.assert(
      fc.asyncProperty(seed, fc.infiniteStream(fc.boolean()), async (of, isAdded) => {
        const all = sendAll(of);
        const withNulls = mapEntries(Object.entries(all), (resources) =>
          resources.map((resource) => addNulls(resource, isAdded) as Resource),
        );
        await expectSame(of, all, withNulls);
      }),
      runs,
    );
  });

  it('is what belongs to other patients, wherever it stands and whatever ids it has', async () => {
    await fc.assert(
      fc.asyncProperty(seed, seed, fc.boolean(), fc.boolean(), async (of, from, isFirst, hasOurIds) => {
        const all = sendAll(of);
        const others = sendAll(from);
        let count = 0;
        const mixed = mapEntries(Object.entries(all), (resources, key) => {
          // Of a key with nothing else, what it holds of the patient is not known.
          const strangers = (resources.length === 0 ? [] : resourcesOf(others, key)).map((resource) =>
            makeForeign(resource, hasOurIds),
          );
          count += strangers.length;
          return isFirst ? [...strangers, ...resources] : [...resources, ...strangers];
        });
        await expectSame(of, all, mixed);
        const droppedIn = async (prefetch: Prefetch) =>
          Object.values((await decidePrefetch(of, prefetch)).chart.keys).reduce((sum, { dropped }) => sum + dropped, 0);
        expect((await droppedIn(mixed)) - (await droppedIn(all))).toBe(count);
      }),
      runs,
    );
  });
});

/**
 * What of a key is lost. Of what is cut, `kept` says which resources are left: the newest where the key is sorted, the
 * oldest where the server sorts it the other way round.
 */
type Loss = { state: 'missing' } | { state: 'failed' } | { state: 'truncated'; kept: boolean[]; oldestFirst: boolean };

const truncated = fc.record({
  state: fc.constant('truncated' as const),
  kept: fc.array(fc.boolean(), { maxLength: 40 }),
  oldestFirst: fc.boolean(),
});
const lost: fc.Arbitrary<Loss> = fc.oneof(fc.constantFrom<Loss>({ state: 'missing' }, { state: 'failed' }), truncated);
const optional = { reports: lost, imaging: lost, orders: lost, medications: lost, medicationStatements: lost };
/** Required keys: a request without them is refused, so they are cut at most. */
const required = { conditions: truncated, observations: truncated };
/** Places of pathway codes beside `orders`: by section 0, a pathway that only they tell of is not known of without them. */
const pathwayPlaces = { procedures: lost, encounters: lost };

const losses = (
  keys: Readonly<Record<string, fc.Arbitrary<Loss>>>,
): fc.Arbitrary<Readonly<Record<string, Loss | undefined>>> => fc.record(keys, { requiredKeys: [] });

describe('what is withheld', () => {
  it('never turns a decision from met to not met or back', async () => {
    await fc.assert(
      fc.asyncProperty(seed, losses({ ...optional, ...required }), async (of, lostKeys) => {
        const all = await decidePart(of, sendAll(of));
        const part = await decidePart(of, withhold(sendAll(of), lostKeys));
        expect(findTurns(all, part)).toEqual([]);
      }),
      runs,
    );
  });

  it('never turns a decision either where it is encounters or procedures that hold no pathway code', async () => {
    await fc.assert(
      fc.asyncProperty(seed, losses({ ...optional, ...pathwayPlaces }), async (of, lostKeys) => {
        const all = await decidePart(of, sendAll(of));
        const part = await decidePart(of, withhold(sendAll(of), lostKeys));
        fc.pre(!hasPathwayCodeIn(all, /^(Encounter|Procedure)\//));
        expect(findTurns(all, part)).toEqual([]);
      }),
      runs,
    );
  });

  it('never turns TIM-01 when the orders of a package are cut short', async () => {
    const of = seeds.find(({ id }) => id === 'TIM-01 package ordered seven days ago');
    if (of === undefined) throw new Error('The case is gone.');
    const part = await decidePrefetch(
      of,
      withhold(sendAll(of), { orders: { state: 'truncated', kept: [true], oldestFirst: false } }),
    );
    expect(part.decisions.get('TIM-01')?.outcome).toBe('unknown');
  });

  it('never makes a card ask for an analysis that was resulted or ordered', async () => {
    await fc.assert(
      fc.asyncProperty(seed, losses({ ...optional, ...pathwayPlaces, ...required }), async (of, lostKeys) => {
        const all = await decidePart(of, sendAll(of));
        const part = await decidePart(of, withhold(sendAll(of), lostKeys));
        for (const { topic, missing } of part.claims) {
          const fact = missingFacts[topic];
          if (fact !== undefined) expect(all.valuesOf(fact)).toEqual(expect.arrayContaining(missing));
        }
      }),
      runs,
    );
  });

  it('never brings a card that rests on what all data refute, but those section 0 says, with their caution', async () => {
    await fc.assert(
      fc.asyncProperty(seed, losses({ ...optional, ...required }), async (of, lostKeys) => {
        const all = await decidePart(of, sendAll(of));
        const part = await decidePart(of, withhold(sendAll(of), lostKeys));
        expect(part.claims.filter((claim) => isRefuted(claim, all))).toEqual([]);
      }),
      runs,
    );
  });

  it('never ends a decision in an error', async () => {
    await fc.assert(
      fc.asyncProperty(seed, losses({ ...optional, ...pathwayPlaces, ...required }), async (of, lostKeys) => {
        const { decisions } = await decidePart(of, withhold(sendAll(of), lostKeys));
        expect([...decisions.values()].filter(({ outcome }) => outcome === 'error')).toEqual([]);
      }),
      runs,
    );
  });
});

/** The fact that lists what a card of this topic asks for. */
const missingFacts: Readonly<Record<string, string>> = {
  'trin1-labs': 'trin1Missing',
  'anaemia-step2': 'step2Missing',
};

/**
 * Section 0: findings that could not be read do not hold back section 1, whose cards then carry `findings-unread`; a
 * pathway that could not be read does not hold back MAS-08, whose card then carries `pathway-unknown`.
 */
const cautioned: Readonly<Record<string, string>> = {
  'MAS-02': 'findings-unread',
  'MAS-03': 'findings-unread',
  'MAS-04': 'findings-unread',
  'MAS-08': 'pathway-unknown',
};

function isRefuted({ decisions, cautions }: Claim, all: Decided): boolean {
  return decisions.some((id) => {
    const caution = cautioned[id];
    return all.decisions.get(id)?.outcome === 'not-met' && !(caution !== undefined && cautions.includes(caution));
  });
}

/** Decisions that claim the opposite of what all data say. */
function findTurns(all: Decided, part: Decided): string[] {
  return [...part.decisions].flatMap(([id, { outcome }]) => {
    const before = all.decisions.get(id)?.outcome;
    const isTurn = before !== outcome && before !== 'unknown' && outcome !== 'unknown';
    const isCautioned = id in cautioned && outcome === 'met';
    return isTurn && !isCautioned ? [`${id} from ${before} to ${outcome}`] : [];
  });
}

function hasPathwayCodeIn({ chart }: Decided, place: RegExp): boolean {
  return chart.readings.some(({ kind, reference }) => kind === 'marker' && place.test(reference));
}

/** A request that is refused, since all that is left of a required key is another patient's, decides nothing. */
async function decidePart(of: Case, prefetch: Prefetch): Promise<Decided> {
  const decided = await decidePrefetch(of, prefetch).catch((error: unknown) => {
    if (error instanceof DataMissingError) return undefined;
    throw error;
  });
  fc.pre(decided !== undefined);
  return decided as Decided;
}

function withhold(prefetch: Prefetch, lostKeys: Readonly<Record<string, Loss | undefined>>): Prefetch {
  const rest = { ...prefetch };
  for (const [key, loss] of Object.entries(lostKeys)) {
    if (loss === undefined) continue;
    if (loss.state === 'missing') delete rest[key];
    else if (loss.state === 'failed') rest[key] = { resourceType: 'OperationOutcome', issue: [{ severity: 'error' }] };
    else rest[key] = bundleOf(cut(key, resourcesOf(prefetch, key), loss), 'urn:next');
  }
  return rest;
}

function cut(
  key: string,
  resources: Resource[],
  { kept, oldestFirst }: { kept: readonly boolean[]; oldestFirst: boolean },
): Resource[] {
  if (!sortedKeys.has(key)) return resources.filter((_, at) => kept[at] === true);
  const newestFirst = [...resources].sort((a, b) => dateOf(b).localeCompare(dateOf(a)));
  if (!oldestFirst) return newestFirst.slice(0, kept.length);
  const oldest = newestFirst.filter(hasDay).reverse().slice(0, kept.length);
  // Of entries of one day nobody can tell how they are sorted.
  return new Set(oldest.map((resource) => dateOf(resource).slice(0, 10))).size > 1 ? oldest : [];
}

const hasDay = (resource: Resource): boolean => /^\d{4}-\d\d-\d\d/.test(dateOf(resource));

function dateOf({ effectiveDateTime, authoredOn, performedDateTime, period }: Resource): string {
  const start = (period as { start?: unknown } | undefined)?.start;
  return String(effectiveDateTime ?? authoredOn ?? performedDateTime ?? start ?? '');
}

/** What decisions and cards say, without ids and the order of evidence. */
function tell({ decisions, claims }: Decided): unknown {
  return { decisions: [...decisions.values()].map(({ id, outcome, reason }) => ({ id, outcome, reason })), claims };
}

async function expectSame(of: Case, all: Prefetch, changed: Prefetch): Promise<void> {
  expect(tell(await decidePart(of, changed))).toEqual(tell(await decidePart(of, all)));
}

function mapEntries(
  entries: readonly [string, unknown][],
  change: (resources: Resource[], key: string) => Resource[],
): Prefetch {
  const prefetch: Prefetch = Object.fromEntries(entries);
  for (const key of bundleKeys(prefetch)) prefetch[key] = bundleOf(change(resourcesOf(prefetch, key), key));
  return prefetch;
}

function bundleOf(resources: readonly Resource[], next?: string): object {
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    entry: resources.map((resource) => ({ resource })),
    ...(next !== undefined && { link: [{ relation: 'next', url: next }] }),
  };
}

/** Members that are read where they stand, and mean nothing where they are null. */
const optionalMembers = [
  ...[
    'abatementDateTime',
    'basedOn',
    'bodySite',
    'category',
    'clinicalStatus',
    'comparator',
    'component',
    'conclusion',
  ],
  ...['conclusionCode', 'contained', 'dataAbsentReason', 'derivedFrom', 'doNotPerform', 'effectiveDateTime'],
  ...['effectivePeriod', 'encounter', 'end', 'extension', 'focus', 'hasMember', 'imagingStudy', 'interpretation'],
  ...['issued', 'medicationReference', 'meta', 'note', 'onsetDateTime', 'onsetPeriod', 'partOf', 'patient'],
  ...[
    'presentedForm',
    'reasonCode',
    'reasonReference',
    'referenceRange',
    'requisition',
    'result',
    'series',
    'specimen',
  ],
  ...['supportingInfo', 'type', 'unit', 'valueBoolean', 'valueCodeableConcept', 'valueInteger', 'valueQuantity'],
  ...['valueString', 'verificationStatus'],
];

/** Gives objects members they do not have, with null. */
function addNulls(part: unknown, isAdded: Iterator<boolean>): unknown {
  if (Array.isArray(part)) return part.map((item) => addNulls(item, isAdded));
  if (typeof part !== 'object' || part === null) return part;
  const own = Object.entries(part).map(([name, value]) => [name, addNulls(value, isAdded)] as const);
  const nulls = optionalMembers.filter((name) => !(name in part) && isAdded.next().value);
  return { ...Object.fromEntries(own), ...Object.fromEntries(nulls.map((name) => [name, null])) };
}

/** The resource of another patient. */
function makeForeign(resource: Resource, hasOurId: boolean): Resource {
  const foreign: Resource = JSON.parse(JSON.stringify(resource).replaceAll('case-patient', 'someone-else'));
  return hasOurId ? foreign : { ...foreign, id: `foreign-${foreign.id}` };
}

function shuffle<Item>(items: readonly Item[], numbers: Iterator<number>): Item[] {
  const left = [...items];
  return items.flatMap(() => left.splice(numbers.next().value % left.length, 1));
}
