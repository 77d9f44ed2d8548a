import * as z from 'zod';

/**
 * The response of a CDS Hooks 2.0.1 service as this one promises it: everything the specification demands, what it
 * recommends and we always send, and nothing else.
 *
 * @see CDS Hooks 2.0.1, "CDS Service Response"
 */

const absoluteUrl = z.url({ protocol: /^https$/ });
const filled = z.string().min(1);

const coding = z.strictObject({ system: z.url(), code: filled, display: filled.optional() });

const resource = z.looseObject({ resourceType: z.string().regex(/^[A-Z][A-Za-z]+$/) });

const action = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['create', 'update']), description: filled, resource }),
  z.strictObject({
    type: z.literal('delete'),
    description: filled,
    resourceId: z.string().regex(/^[A-Z][A-Za-z]+\/[A-Za-z0-9\-.]{1,64}$/),
  }),
]);

const suggestion = z.strictObject({
  label: filled,
  uuid: z.uuid(),
  isRecommended: z.literal(true).optional(),
  actions: z.array(action).min(1),
});

const decisionId = z.string().regex(/^[A-Z]{3}-\d\d$/);
const decisionExtension = z
  .strictObject({
    decisions: z.array(decisionId).min(1).optional(),
    open: z.array(decisionId).min(1).optional(),
    sections: z.array(filled).min(1).optional(),
    ledger: z
      .array(z.string().regex(/^L\d+$/))
      .min(1)
      .optional(),
    pathway: filled.optional(),
    registrationCode: z
      .string()
      .regex(/^AF[A-Z]\d\d[A-Z]/)
      .optional(),
    missing: z.array(filled).min(1).optional(),
    cautions: z.array(filled).min(1).optional(),
    contact: filled.optional(),
    evidence: z
      .array(
        z.strictObject({
          reference: z.string().regex(/^[A-Z][A-Za-z]+\/\S+$/),
          fact: filled,
          date: z.iso.date().optional(),
        }),
      )
      .min(1)
      .optional(),
    knowledge: z.strictObject({ version: filled, hash: z.string().regex(/^sha256:/) }),
    evaluation: z.uuid(),
  })
  .refine(({ decisions, open }) => decisions !== undefined || open !== undefined, 'names no decision');

const card = z
  .strictObject({
    uuid: z.uuid(),
    summary: filled
      .refine((text) => [...text].length < 140, 'has 140 characters or more')
      .refine((text) => !text.includes('\n'), 'is more than one line'),
    detail: filled
      .refine((text) => !/<[a-z/!]/i.test(text), 'holds HTML')
      .refine((text) => !/[{}]|undefined|NaN|\[object/.test(text), 'holds a place that was not filled'),
    indicator: z.enum(['info', 'warning', 'critical']),
    source: z.strictObject({ label: filled, url: absoluteUrl, topic: coding }),
    suggestions: z.array(suggestion).min(1).optional(),
    selectionBehavior: z.enum(['any', 'at-most-one']).optional(),
    overrideReasons: z.array(coding.required()).min(1),
    links: z.array(z.strictObject({ label: filled, url: absoluteUrl, type: z.literal('absolute') })).min(1),
    extension: z.strictObject({ 'dk.diagnostisk-pakkeforloeb.decision': decisionExtension }),
  })
  .refine(
    ({ suggestions, selectionBehavior }) => (suggestions === undefined) === (selectionBehavior === undefined),
    'selectionBehavior stands with suggestions, and only with them',
  )
  .refine(
    ({ suggestions = [], selectionBehavior }) =>
      selectionBehavior !== 'at-most-one' || suggestions.filter(({ isRecommended }) => isRecommended).length <= 1,
    'at-most-one recommends at most one',
  );

const responseSchema = z.strictObject({ cards: z.array(card) });

/** What is wrong with a response: one line per mistake. Null and empty members count, but for `cards: []`. */
export function findResponseMistakes(response: unknown): string[] {
  const read = responseSchema.safeParse(response);
  const cards = read.data?.cards ?? [];
  return [
    ...(read.error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`),
    ...findEmpty(response, '').filter((path) => path !== '.cards'),
    ...findTwins([...cards, ...cards.flatMap(({ suggestions = [] }) => suggestions)].map(({ uuid }) => uuid)),
  ];
}

/** Paths of members that are null or empty. */
function findEmpty(value: unknown, path: string): string[] {
  if (value === null || value === '') return [`${path} is ${value === null ? 'null' : 'empty'}`];
  if (typeof value !== 'object') return [];
  const entries = Object.entries(value);
  if (entries.length === 0) return [path];
  return entries.flatMap(([name, member]) => findEmpty(member, `${path}.${name}`));
}

function findTwins(uuids: readonly string[]): string[] {
  return uuids.filter((uuid, at) => uuids.indexOf(uuid) !== at).map((uuid) => `${uuid} stands twice`);
}
