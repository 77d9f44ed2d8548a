import * as z from 'zod';

const days = z.number().int();
const conceptId = z.string().regex(/^[a-z0-9-]+$/, 'a concept id of concepts/*.yaml');
/** `icpc2|D97`: a code instead of the concept's own. */
const literalCode = z.string().regex(/^[a-z0-9]+\|[A-Za-z0-9./+-]+$/, 'system|code, for example icpc2|D97');
const codes = z.union([literalCode, z.array(literalCode).min(1)]);
const certainty = z.enum(['confirmed', 'provisional', 'differential', 'unconfirmed', 'refuted', 'entered-in-error']);
/** Every item may name another patient, to show that it is not read. */
const common = { subject: z.literal('other').optional() };

const detail = {
  site: conceptId.optional(),
  side: z.enum(['left', 'right', 'both']).optional(),
  count: z.union([z.enum(['single', 'multiple', 'numerous']), z.number().int()]).optional(),
  size: z.number().optional(),
  /** Unit of the size; millimetres unless named. */
  unit: z.string().optional(),
  tender: z.boolean().optional(),
  certainty: z.enum(['suspected']).optional(),
};

const findingSchema = z.strictObject({
  finding: z.string(),
  code: codes.optional(),
  status: z.string().optional(),
  ...detail,
});
export type Finding = z.infer<typeof findingSchema>;

/** The things a record can hold; the first member names the kind. Numbers are days before `today`. */
const itemSchemas = {
  condition: z.strictObject({
    condition: z.string(),
    code: codes.optional(),
    /** Which of the concept's code systems to use: sct unless named. */
    system: z.string().optional(),
    onset: days.optional(),
    recorded: days.optional(),
    abated: days.optional(),
    status: z.enum(['active', 'recurrence', 'relapse', 'inactive', 'remission', 'resolved', 'absent']).optional(),
    certainty: certainty.optional(),
    /** The Danish status category of a diagnosis list. */
    category: z.enum(['current', 'resolved']).optional(),
    site: conceptId.optional(),
    side: z.enum(['left', 'right', 'both']).optional(),
    ...common,
  }),
  result: z.strictObject({
    result: z.string(),
    code: codes.optional(),
    taken: days,
    value: z.number().optional(),
    unit: z.string().optional(),
    comparator: z.enum(['<', '<=', '>', '>=']).optional(),
    text: z.string().optional(),
    detected: z.boolean().optional(),
    flag: z.string().optional(),
    /** Reference interval sent with the result; null where a side is open. */
    range: z.tuple([z.number().nullable(), z.number().nullable()]).optional(),
    status: z.string().optional(),
    /** Without a value, with the reason `not-performed`. */
    absent: z.literal(true).optional(),
    loinc: z.literal(true).optional(),
    ...common,
  }),
  results: z.strictObject({
    results: z.enum(['trin1', 'haematology', 'step2']),
    taken: days,
    except: z.array(conceptId).optional(),
    status: z.string().optional(),
    ...common,
  }),
  imaging: z.strictObject({
    imaging: z.string(),
    code: codes.optional(),
    done: days,
    /** Days ago the report was issued, where not the day of the study. */
    reported: days.optional(),
    study: z.enum(['available', 'registered', 'cancelled', 'entered-in-error', 'none']).optional(),
    report: z.enum(['final', 'amended', 'corrected', 'appended', 'preliminary', 'registered', 'none']).optional(),
    findings: z.array(findingSchema).optional(),
    /** The question asked (ImagingStudy.reasonCode), never a finding. */
    reason: conceptId.optional(),
    ...common,
  }),
  examination: z.strictObject({
    examination: z.string(),
    code: codes.optional(),
    taken: days,
    status: z.string().optional(),
    /** false: looked for and not there. */
    present: z.boolean().optional(),
    ...detail,
    ...common,
  }),
  pathology: z.strictObject({
    pathology: z.string(),
    code: codes.optional(),
    system: z.string().optional(),
    taken: days,
    site: conceptId.optional(),
    side: z.enum(['left', 'right', 'both']).optional(),
    status: z.string().optional(),
    as: z.enum(['report', 'observation']).optional(),
    ...common,
  }),
  order: z.strictObject({
    order: z.string(),
    code: codes.optional(),
    authored: days,
    except: z.array(conceptId).optional(),
    status: z.string().optional(),
    requisition: z.string().optional(),
    ...common,
  }),
  refer: z.strictObject({
    refer: z.string(),
    code: codes.optional(),
    authored: days,
    status: z.string().optional(),
    ...common,
  }),
  code: z.strictObject({
    code: z.string(),
    on: z.enum(['encounter', 'procedure', 'service-request']).optional(),
    at: days,
    status: z.string().optional(),
    ...common,
  }),
  encounter: z.strictObject({
    encounter: z.enum(['AMB', 'IMP', 'EMER', 'VR', 'HH']),
    at: z.union([days, z.array(days).min(1)]),
    until: days.optional(),
    status: z.string().optional(),
    specialty: z.enum(['neurology', 'neurosurgery', 'general-practice', 'oncology']).optional(),
    ...common,
  }),
  procedure: z.strictObject({
    procedure: z.string(),
    code: codes.optional(),
    done: days,
    status: z.string().optional(),
    site: conceptId.optional(),
    ...common,
  }),
  medication: z.strictObject({
    medication: z.string().regex(/^[A-Z][A-Z0-9]*$/, 'an ATC code'),
    authored: z.union([days, z.array(days).min(1)]),
    status: z.string().optional(),
    as: z.enum(['request', 'statement']).optional(),
    ...common,
  }),
  /** A FHIR resource as it stands, put under the key of its type. */
  resource: z.strictObject({ resource: z.looseObject({ resourceType: z.string() }) }),
};
type ItemSchemas = typeof itemSchemas;
type Kind = keyof ItemSchemas;
export type Item = { [K in Kind]: { kind: K } & z.infer<ItemSchemas[K]> }[Kind];

function isKind(name: string): name is Kind {
  return Object.hasOwn(itemSchemas, name);
}

const itemSchema = z.looseObject({}).transform((item, context): Item => {
  const kind = Object.keys(item)[0] ?? '';
  if (!isKind(kind)) {
    context.addIssue({ code: 'custom', message: `the first member names the kind; ${kind} is none` });
    return z.NEVER;
  }
  const parsed = itemSchemas[kind].safeParse(item);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      context.addIssue({ code: 'custom', path: [...issue.path], message: issue.message });
    }
    return z.NEVER;
  }
  return { kind, ...parsed.data } as Item;
});

/** Something in `context.draftOrders`; its id is `draft-` and the name, with a number from the second of that name on. */
const draftCommon = {
  /** Named in `context.selections`; where no draft says so, the client sends no selections. */
  selected: z.boolean().optional(),
  /** `draft` unless named. */
  status: z.string().optional(),
  code: codes.optional(),
  ...common,
};
const draftSchema = z.union([
  z.strictObject({
    order: z.string(),
    site: conceptId.optional(),
    except: z.array(conceptId).optional(),
    ...draftCommon,
  }),
  z.strictObject({
    refer: z.string(),
    /** The parts that are there; `letter`: an attached document that is not sent; `requester`: a referrer who is not. */
    content: z
      .array(z.enum(['symptoms', 'rationale', 'patient-informed', 'consent', 'telephone', 'letter', 'requester']))
      .optional(),
    ...draftCommon,
  }),
  /** A FHIR resource as it stands. */
  z.strictObject({ resource: z.looseObject({ resourceType: z.string() }), selected: z.boolean().optional() }),
]);
export type Draft = z.infer<typeof draftSchema>;

const outcome = z.enum(['met', 'not-met', 'unknown']);
const expectedDecision = z.union([outcome, z.strictObject({ outcome, reason: z.string() })]);

const expectedCard = z.strictObject({
  topic: z.string(),
  indicator: z.enum(['info', 'warning', 'critical']).optional(),
  pathway: z.string().optional(),
  registrationCode: z.string().optional(),
  contact: z.string().optional(),
  decisions: z.array(z.string()).optional(),
  open: z.array(z.string()).optional(),
  /** `trin1`, `step2`: the whole package. */
  missing: z.union([z.array(z.string()), z.enum(['trin1', 'step2'])]).optional(),
  cautions: z.array(z.string()).optional(),
  /** What the card rests on: the concepts of its evidence. */
  evidence: z.array(z.string()).optional(),
  /** The extra paragraphs of its detail, by their keys in texts. */
  notes: z.array(z.string()).optional(),
  suggests: z.union([z.array(z.string()), z.enum(['trin1', 'step2'])]).optional(),
  /** Drafts that suggestions delete or complete, by their names. */
  deletes: z.array(z.string()).optional(),
  updates: z.array(z.string()).optional(),
});
export type ExpectedCard = z.infer<typeof expectedCard>;

export const keyNames = [
  'patient',
  'conditions',
  'observations',
  'reports',
  'imaging',
  'orders',
  'procedures',
  'encounters',
  'medications',
  'medicationStatements',
] as const;
export type KeyName = (typeof keyNames)[number];

const caseSchema = z.strictObject({
  id: z.string().regex(/^[A-Z]{3}-\d\d \S/, 'the decision, then what the case shows'),
  section: z.string().min(1),
  today: z.iso.date().default('2026-11-23'),
  service: z.enum(['patient-view', 'order-select', 'order-sign']).default('patient-view'),
  patient: z.strictObject({
    sex: z.enum(['female', 'male']).optional(),
    age: z.number().int().optional(),
    born: z.iso.date().optional(),
    deceased: z.literal(true).optional(),
    cpr: z.string().optional(),
  }),
  record: z.array(itemSchema),
  drafts: z.array(draftSchema).default([]),
  keys: z.partialRecord(z.enum(keyNames), z.enum(['missing', 'failed', 'truncated'])).default({}),
  client: z
    .strictObject({
      ledger: z.record(z.string(), z.string()).optional(),
      contact: z.string().optional(),
      notAssessed: z.literal(true).optional(),
      orderSignOnly: z.literal('warnings').optional(),
      referralChecklist: z.literal(true).optional(),
      /** The client's own codes, by concept. */
      codes: z.record(conceptId, z.array(z.strictObject({ system: z.string(), code: z.string() }))).optional(),
    })
    .default({}),
  /** Decisions by id; `cards`: the whole list, in any order. */
  expect: z.looseObject({ cards: z.array(expectedCard).optional() }).transform(({ cards, ...decisions }, context) => {
    const parsed = z.record(z.string().regex(/^[A-Z]{3}-\d\d$/), expectedDecision).safeParse(decisions);
    if (!parsed.success) {
      for (const issue of parsed.error.issues) {
        context.addIssue({ code: 'custom', path: [...issue.path], message: issue.message });
      }
      return z.NEVER;
    }
    return { decisions: parsed.data, cards };
  }),
});
export type Case = z.infer<typeof caseSchema>;

/** The shape of one file of cases. */
export const casesSchema = z.array(caseSchema).min(1);
