import * as z from 'zod';

/** Canonical names of the code systems; the URIs of each stand in concepts/systems.yaml. */
export const systemNames = [
  'sct',
  'npu',
  'loinc',
  'icd10',
  'sks',
  'icpc2',
  'atc',
  'icdo3',
  'patobank',
  'pathway',
  'local',
] as const;
export type SystemName = (typeof systemNames)[number];

/**
 * Codes per system. A code ending in `*` stands for itself and every longer code; `A-B*` for a range of such
 * headers (`C00-C14*`). ICD-10 is written without dot. SKS add-ons after `+` are matched on their own. A star
 * before a behaviour (`/6`) is every morphology of it that stands alone: as an add-on it says no more than the code it
 * is added to.
 */
const codesSchema = z.partialRecord(
  z.enum(systemNames),
  z.array(z.string().regex(/^(\*\/\d|[A-Za-z0-9./+-]+\*?)$/)).min(1),
);

const labels = { id: z.string().regex(/^[a-z0-9-]+$/), da: z.string().min(1), en: z.string().min(1) };
const coded = {
  ...labels,
  /** Exact codes (clinical-decisions.md section 0). */
  codes: codesSchema.optional(),
  /** Broader codes: never make the concept on their own. */
  broader: codesSchema.optional(),
  /** Listed by `npm run knowledge -- unverified`, never matched. */
  unverified: z.array(z.string()).optional(),
  /** Where the codes were read. */
  sources: z.string().min(1),
};

const interval = z.strictObject({
  sex: z.enum(['female', 'male']).optional(),
  fromAge: z.number().int().optional(),
  toAge: z.number().int().optional(),
  /** Inclusive bounds. */
  low: z.number().optional(),
  high: z.number().optional(),
  /** Exclusive bounds: a value equal to it is abnormal. */
  above: z.number().optional(),
  below: z.number().optional(),
});

export const analysisSchema = z.strictObject({
  ...coded,
  /** Group of MAS-01 (c): haematology, inflammation … */
  group: z.string().optional(),
  /** UCUM; absent for panels and qualitative analyses. */
  unit: z.string().optional(),
  /**
   * Codes whose quantity is another unit than `unit`: code -> UCUM. `{0|1}` where the number is an answer (1 present).
   */
  unitOfCode: z.record(z.string(), z.string()).optional(),
  /**
   * Conversions into `unit`: value * multiply + add. `from` may be `unit` itself, and may be a qualified unit named by
   * `unitOfCode` (`% (NGSP)`). `min`, `max`: plausible values in `from`, outside them a result has no value.
   * `never: true`: a result in that unit has no value.
   */
  convert: z
    .array(
      z.strictObject({
        from: z.string(),
        multiply: z.number().optional(),
        add: z.number().optional(),
        min: z.number().optional(),
        max: z.number().optional(),
        never: z.literal(true).optional(),
      }),
    )
    .optional(),
  intervals: z.array(interval).optional(),
  /** Ids of facts; any of them explains an abnormal result. */
  explainedBy: z.array(z.string()).optional(),
});
export type Analysis = z.infer<typeof analysisSchema>;

/** Symptoms, diseases, findings, histologies. */
export const conditionSchema = z.strictObject({
  ...coded,
  /** Codes that say "suspected": observation for suspicion of this. */
  suspicion: codesSchema.optional(),
  /** Holds the exact codes of the concepts it stands for. */
  umbrella: z.literal(true).optional(),
  /** Concepts that have exact codes in common with it: another name of the same, or a kind of it. */
  sharesCodesWith: z.array(z.string()).min(1).optional(),
  /** Site implied by an exact code of the concept. */
  site: z.string().optional(),
  /** Ids of facts; any of them explains the symptom. */
  explainedBy: z.array(z.string()).optional(),
});
export type Condition = z.infer<typeof conditionSchema>;

/** Imaging, endoscopies, biopsies, examinations, conferences. */
export const procedureSchema = z.strictObject({
  ...coded,
  /** Matches an ImagingStudy without procedureCode: these modalities with one of these body sites. */
  modality: z.array(z.string()).optional(),
  sites: z.array(z.string()).optional(),
  /** Site of the procedure where its code names one. */
  site: z.string().optional(),
  /** Also done where all concepts of one of these lists were done in one order or on one day. */
  parts: z.array(z.array(z.string())).optional(),
});
export type Procedure = z.infer<typeof procedureSchema>;

/** Pathways and other destinations of a referral. */
export const pathwaySchema = z.strictObject({
  ...labels,
  /** SKS AF family without stage: `AFA01`. Absent where no source prints it. */
  sksFamily: z.string().optional(),
  /** Code in our CodeSystem `pathway`. */
  code: z.string(),
  /** Closing codes of other families that close this pathway too (ledger L8). */
  alsoClosedBy: z.array(z.string()).optional(),
  sources: z.string().min(1),
});
export type Pathway = z.infer<typeof pathwaySchema>;

/** Drug groups by ATC prefix. */
export const drugSchema = z.strictObject({
  ...labels,
  atc: z.array(z.string()).min(1),
  exclude: z.array(z.string()).optional(),
  rxnorm: z.array(z.string()).optional(),
  sources: z.string().min(1),
});
export type Drug = z.infer<typeof drugSchema>;

/** Body sites. */
export const siteSchema = z.strictObject({
  ...labels,
  codes: codesSchema,
  /** The organ or region it lies in, for facts that ask for a region. */
  within: z.array(z.string()).optional(),
  sources: z.string().min(1),
});
export type Site = z.infer<typeof siteSchema>;

/** concepts/*.yaml: one list per file. */
export const conceptFiles = {
  analyses: z.array(analysisSchema),
  conditions: z.array(conditionSchema),
  procedures: z.array(procedureSchema),
  pathways: z.array(pathwaySchema),
  drugs: z.array(drugSchema),
  sites: z.array(siteSchema),
} as const;
