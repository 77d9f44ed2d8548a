import * as z from 'zod';
import { readingKinds } from './types.ts';

/** Shapes of the YAML files of a cds-services folder besides concepts/ (those stand in concepts.ts). All strict: an unknown member is a mistake. */

const bilingual = z.strictObject({ da: z.string().min(1), en: z.string().min(1) });
const name = z.string().regex(/^[a-z][A-Za-z0-9]*$/, 'a name in camelCase, ASCII');
/** A rule id, or a group of rules: `MUP-*`. */
const ruleIds = z.array(z.string().regex(/^[A-Z]{3}-(\d\d|\*)$/)).min(1);
const fhirpath = z.string().min(1);
const ledgerId = z.string().regex(/^L\d+$/);

/** A number of the guideline (days, ages, sizes, multiples), with the section or the ledger entry that gives it. */
const parameter = z
  .strictObject({
    value: z.number(),
    unit: z.string(),
    section: z.string().optional(),
    ledger: ledgerId.optional(),
  })
  .refine((p) => p.section !== undefined || p.ledger !== undefined, 'needs a section or a ledger id');

/** One line of a panel: any of these analyses, or all of those, or a number of some. */
const panelLine = z.strictObject({
  any: z.array(z.string()).optional(),
  all: z.array(z.string()).optional(),
  atLeast: z.strictObject({ count: name, of: z.array(z.string()).min(1) }).optional(),
});
export type PanelLine = z.infer<typeof panelLine>;

export const indicators = ['info', 'warning', 'critical'] as const;
const indicator = z.enum(indicators);

export const guidelineSchema = z.strictObject({
  id: z.string(),
  title: bilingual,
  publisher: z.string(),
  edition: z.string(),
  url: z.url(),
  /** Semantic version of the knowledge, apart from the code's. */
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  canonical: z.url(),
  services: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[a-z0-9-]+$/),
        hook: z.enum(['patient-view', 'order-select', 'order-sign']),
        title: bilingual,
        description: bilingual,
        /** The rules this service decides and sends cards of. */
        rules: ruleIds,
        /** Rules whose cards are sent only when this holds, and how urgent they then are at most. */
        only: z.array(z.strictObject({ if: fhirpath, rules: ruleIds, indicator: indicator.optional() })).optional(),
      }),
    )
    .min(1),
  prefetch: z.record(
    z.string(),
    z.strictObject({ template: z.string(), required: z.boolean(), why: z.string().optional() }),
  ),
  parameters: z.record(name, parameter),
  panels: z.record(name, z.record(z.string(), panelLine)),
  /** Topics of cards with their default indicator. */
  topics: z.record(z.string().regex(/^[a-z0-9-]+$/), z.strictObject({ indicator })),
  /**
   * Facts that give the ids of what stands already: no suggestion creates it again, and a card that refers to a pathway
   * whose referral is drafted beside it is withheld.
   */
  standing: z.strictObject({ orders: z.array(name), referrals: z.array(name), drafted: name }),
  /** Which patients get no cards, whatever is decided. */
  gates: z.array(
    z.strictObject({
      if: fhirpath,
      reason: z.string(),
      /** Only these topics are withheld; absent: all. */
      topics: z.array(z.string()).optional(),
      except: z.array(z.string()).optional(),
    }),
  ),
  /** Section 9: a met decision of `by` withholds the cards of `withholds`. */
  precedence: z.array(z.strictObject({ by: ruleIds, withholds: ruleIds })),
});

const factBase = { says: bilingual.optional() };

/** Selects readings by concept, kind and window; FHIRPath judges each. */
const selectionFact = z.strictObject({
  ...factBase,
  read: z.array(z.enum(readingKinds)).min(1),
  /** Concepts; `panel` in their place reads the lines of a panel; neither: whatever the concept. */
  of: z.array(z.string()).min(1).optional(),
  panel: name.optional(),
  /** Concept of an order for the whole panel: it fills every line. */
  whole: z.string().optional(),
  /** Parameter: the reading is at most so many days old. */
  within: name.optional(),
  /** FHIRPath over one reading. */
  where: fhirpath.optional(),
  /** Only the newest reading of each concept counts. */
  each: z.literal('newest').optional(),
  /** Gives each result `hasEarlier` and `earlierAbnormal`: the last one older than and within so many days. */
  earlier: z.strictObject({ olderThan: name, within: name }).optional(),
  /** A broader code: makes the fact unknown (default), counts, or is passed over. */
  broader: z.enum(['unknown', 'counts', 'ignored']).optional(),
  /** The prefetch keys without which "none found" is not known; default by kind. */
  needs: z.array(z.string()).optional(),
  /** What the fact gives: members of all matching readings, or of the newest; absent: whether there is one. */
  collect: z.string().optional(),
  newest: z.string().optional(),
  /** Parameter: true only with so many distinct values of `distinct` (lines of a panel), where `per` is given within one of its values. */
  atLeast: name.optional(),
  distinct: z.string().optional(),
  per: z.array(z.string()).optional(),
});

/** FHIRPath over other facts: a truth. */
const derivedFact = z.strictObject({ ...factBase, is: fhirpath, unknownAs: z.boolean().optional() });
/** FHIRPath over other facts: values. */
const valueFact = z.strictObject({ ...factBase, value: fhirpath });
/** Lines of a panel that none of these panel facts has; a line whose state is not known is not among them. */
const withoutFact = z.strictObject({ ...factBase, panel: name, without: z.array(name).min(1) });
/** True when a rule of the list is met, unknown while one may be. */
const outcomeFact = z.strictObject({ ...factBase, met: ruleIds, unknownAs: z.boolean().optional() });

/** The keys of the list that could not be read in full, or as far back as the parameter `within` says. */
const unreadFact = z.strictObject({ ...factBase, unread: z.array(z.string()).min(1), within: name.optional() });

export const factSchema = z.union([selectionFact, derivedFact, valueFact, withoutFact, outcomeFact, unreadFact]);
export type FactDefinition = z.infer<typeof factSchema>;
export type SelectionFact = z.infer<typeof selectionFact>;
export const factsSchema = z.record(name, factSchema);

const condition = z.union([fhirpath, z.strictObject({ if: fhirpath, reason: z.string().optional() })]);

const suggestion = z.strictObject({
  /** Key of the label in texts. */
  label: z.string(),
  /** Referral to this pathway. */
  refer: z.string().optional(),
  /** Procedures to order, or a fact that gives ids of analyses or procedures. */
  order: z.union([z.array(z.string()).min(1), name]).optional(),
  /** Facts whose drafts are deleted. */
  delete: z.union([name, z.array(name).min(1)]).optional(),
  /** Fact whose drafted referrals get these facts as reasons and supporting results. */
  update: name.optional(),
  reasons: z.array(name).optional(),
  support: z.array(name).optional(),
  recommended: z.literal(true).optional(),
  /** Not suggested when this is true. */
  unless: fhirpath.optional(),
});
export type SuggestionDefinition = z.infer<typeof suggestion>;

/** What a met decision tells. */
const cardSchema = z.strictObject({
  /** This card only when it holds. */
  if: fhirpath.optional(),
  topic: z.string(),
  pathway: z.string().optional(),
  indicator: indicator.optional(),
  /** The first that holds replaces the indicator. */
  indicatorWhen: z.array(z.strictObject({ if: fhirpath, indicator })).optional(),
  /** Facts whose readings the card shows and cites. */
  evidence: z.array(name).min(1),
  /** Fact with the ids of what is missing; or FHIRPath-guarded single ids. */
  missing: z.array(z.union([name, z.strictObject({ if: fhirpath, id: z.string() })])).optional(),
  registrationCode: z.string().optional(),
  suggest: z.array(suggestion).optional(),
  /** The decision stays met, its card is not sent. */
  withhold: z.array(z.strictObject({ if: fhirpath, reason: z.string() })).optional(),
  /** Extra paragraphs of `detail`, by key in texts, when they apply; with the choices of interpretation cited then only. */
  notes: z.array(z.strictObject({ if: fhirpath, text: z.string(), ledger: z.array(ledgerId).optional() })).optional(),
  contact: z.literal(true).optional(),
});

export const ruleSchema = z.strictObject({
  id: z.string().regex(/^[A-Z]{3}-\d\d$/),
  title: bilingual,
  sections: z.array(z.string()).min(1),
  ledger: z.array(ledgerId).optional(),
  /** All must hold. A condition that fails may name the reason. */
  when: z.array(condition).min(1),
  /** Absent: decided and recorded only. Several: one per destination. */
  card: z.union([cardSchema, z.array(cardSchema).min(1)]).optional(),
  /** An unknown decision that can name what to find out: a card with `open`. */
  ask: z
    .strictObject({
      if: fhirpath,
      indicator,
      /** Ids of what is to be found out, each with the condition under which it is not recorded. */
      missing: z.array(z.strictObject({ if: fhirpath, id: z.string() })).optional(),
    })
    .optional(),
});
export type RuleDefinition = z.infer<typeof ruleSchema>;
export const rulesSchema = z.array(ruleSchema);

export const cautionsSchema = z.record(
  z.string().regex(/^[a-z0-9-]+$/),
  z.strictObject({
    if: fhirpath,
    rules: ruleIds,
    sections: z.array(z.string()).optional(),
    /** Told in the detail only, not listed among the card's `cautions`. */
    toldOnly: z.literal(true).optional(),
  }),
);

export const ledgerSchema = z.array(
  z.strictObject({
    id: ledgerId,
    question: bilingual,
    /** Where in the guideline the question arises. */
    places: z.array(z.string()).min(1),
    /** FHIRPath reads the key of the option in force as `%L7`; `set` gives parameters other values. */
    options: z
      .array(
        z.strictObject({ key: z.string(), da: z.string(), en: z.string(), set: z.record(name, z.number()).optional() }),
      )
      .min(2),
    /** The key of the option chosen. */
    default: z.string(),
    /** Key under which a client's profile overrides it. */
    override: name,
  }),
);

/** texts/da.yaml and texts/en.yaml: the same keys in both. `{name}` is filled by the engine. */
export const textsSchema = z.strictObject({
  /** Fixed words of the cards. */
  labels: z.record(z.string(), z.string()),
  topics: z.record(z.string(), z.string()),
  rules: z.record(
    z.string(),
    z.strictObject({ summary: z.string(), detail: z.string().optional(), ask: z.string().optional() }),
  ),
  suggestions: z.record(z.string(), z.string()),
  cautions: z.record(z.string(), z.string()),
  notes: z.record(z.string(), z.string()),
  /** Ids in `missing` that are neither analyses nor procedures. */
  missing: z.record(z.string(), z.string()),
  overrideReasons: z.array(z.strictObject({ code: z.string(), display: z.string() })).min(1),
});
export type Texts = z.infer<typeof textsSchema>;
