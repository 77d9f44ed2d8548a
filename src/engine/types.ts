/** The data that flow through the engine. Plain, JSON-serialisable, never frozen (fhirpath marks what it reads). */

/** What is known of one prefetch key (contract section 1). */
export type KeyState = 'present' | 'empty' | 'missing' | 'failed' | 'truncated';

/** One prefetch key as gathered: its state and the resources read, in the order they came. */
export interface Source {
  state: KeyState;
  resources: readonly unknown[];
}

/** All prefetch keys of a service. */
export type Sources = Readonly<Record<string, Source>>;

/** A three-valued truth: `null` is unknown. */
export type Truth = boolean | null;

/** The kinds of reading a fact can select (see {@link Reading}). */
export const readingKinds = [
  'result',
  'pending',
  'condition',
  'finding',
  'order',
  'done',
  'marker',
  'encounter',
  'medication',
  'report',
] as const;
export type ReadingKind = (typeof readingKinds)[number];

/**
 * One coded statement of the record, normalised: what facts select and FHIRPath reads, and what the audit record keeps.
 *
 * Members that do not apply or are not recorded are absent. `daysAgo` counts calendar days in Europe/Copenhagen
 * back from the day of the decision (negative: in the future); absent where the resource carries no readable date.
 * Never free text, names or CPR numbers.
 */
export interface Reading {
  kind: ReadingKind;
  /** Id of the concept in cds-services; a resource that matches several concepts gives several readings. */
  concept: string;
  /** False where only a broader code matched (clinical-decisions.md section 0). */
  exact: boolean;
  /** `Type/id` of the resource read; `Type/#n` where it has no id. */
  reference: string;
  /** The coding that matched: canonical system name and code. */
  system: string;
  code: string;
  /** Calendar date `YYYY-MM-DD` behind `daysAgo`. */
  date?: string;
  daysAgo?: number;
  /** condition, finding: onset where recorded; else absent. */
  onsetDaysAgo?: number;

  // result
  /** In the analysis' Danish unit; absent for comparators and texts. */
  value?: number;
  /** Interval of a comparator result (`>90` has atLeast), in the Danish unit. */
  atLeast?: number;
  atMost?: number;
  /** True where the end of that interval is excluded: `<4`, not `<=4`. */
  open?: boolean;
  unit?: string;
  /** Judged by interpretation, reference range or interval; absent: could not be judged. `yes`: abnormal, direction not known. */
  abnormal?: 'low' | 'high' | 'yes' | 'no';
  /** The interpretation code sent (H, HH, L, LL, A, AA, N, POS, NEG …). */
  flag?: string;
  /** How far outside the interval, as a share of its width (of the limit, if one-sided). */
  outsideBy?: number;
  /** Positive/negative results: true = detected. */
  positive?: boolean;

  // condition, finding
  /** condition: active | inactive; order: draft | active | on-hold | completed | revoked; encounter: the R4 status; finding: final | preliminary. */
  status?: string;
  /** condition: whether the record states its status; false: assumed active for want of an end. */
  statusGiven?: boolean;
  certainty?: 'confirmed' | 'suspected';
  /** Where a finding comes from. */
  origin?: 'imaging' | 'examination' | 'pathology' | 'problem-list';
  /** Site ids of concepts/sites.yaml; empty array: not recorded or not understood. */
  sites?: string[];
  side?: 'left' | 'right' | 'both';
  /** `solitary` or `multiple`, over the newest study (section 0 "count"); absent: not recorded. */
  count?: 'solitary' | 'multiple';
  /** Largest dimension in millimetres. */
  size?: number;
  tender?: boolean;
  /** `ImagingStudy/id` of the study a finding was reported on. */
  study?: string;
  /** Modality id of that study (`ct`, `mri` …). */
  modality?: string;

  // order
  /** Requisition identifier `system|value`. */
  requisition?: string;
  /** From context.draftOrders of this request. */
  draft?: boolean;
  /** Named in context.selections (order-sign: all). */
  selected?: boolean;

  // marker (pathway codes)
  /** A/B code, closing code X1/X2/X9, or referral order. */
  role?: 'start' | 'closing' | 'referral';
  /** A, B, X1, X2, X9. */
  stage?: string;
  /** Drafted referral: parts of the required content that are there and that are not (`symptoms`, `rationale`, `patient-informed`, `consent`, `telephone`); a part in neither could not be read. */
  contentPresent?: string[];
  contentAbsent?: string[];

  // encounter
  /** v3-ActCode class: AMB, IMP, EMER … */
  class?: string;
  /** Specialty ids understood from serviceType, serviceProvider (contained or by name pattern). */
  specialties?: string[];

  // report (imaging or pathology, whatever it found)
  /** False where it says something in words and nothing in codes. */
  coded?: boolean;

  // medication
  /** In use now (contract section 2, medication). */
  current?: boolean;
  /** True for MedicationRequest. */
  prescription?: boolean;
}

/** The patient as decisions need it. Absent members are unknown. */
export interface Patient {
  sex?: 'female' | 'male';
  /** Full years on the day of the decision. */
  age?: number;
  /** Calendar days since the last birthday (L25 needs the day after). */
  daysSinceBirthday?: number;
  deceased: boolean;
}

/** One key as the record keeps it. */
export interface KeyReport {
  state: KeyState;
  /** Days back to the oldest dated resource read; absent where none was dated, or a cut-off list does not come newest first. */
  oldestDaysAgo?: number;
  /** Resources dropped because they do not name the patient. */
  dropped: number;
  /** Those of them that name nobody else either: what is not found in this key may be among them. */
  unclear?: number;
}

/** Everything the decision sees: what replay needs beside the knowledge. */
export interface Chart {
  /** Day of the decision, `YYYY-MM-DD`, Europe/Copenhagen. */
  today: string;
  patient: Patient;
  keys: Readonly<Record<string, KeyReport>>;
  readings: readonly Reading[];
}

export type Outcome = 'met' | 'not-met' | 'unknown' | 'error';

/** What a decision read of one fact. */
export interface FactRead {
  fact: string;
  truth: Truth;
  /** Set or value facts: what FHIRPath saw. */
  values?: (string | number | boolean)[];
  /** The readings behind it, newest first. */
  readings?: Pick<
    Reading,
    'reference' | 'concept' | 'date' | 'value' | 'atLeast' | 'atMost' | 'open' | 'unit' | 'abnormal'
  >[];
  /** Unknown because of: prefetch keys not known (`key:reports`), broader codes (`broader:Condition/1`), members not recorded. */
  lacking?: string[];
}

/** One decision of the trace. */
export interface Decision {
  id: string;
  outcome: Outcome;
  /** not-met: which named condition failed; met without card: why it was withheld (`superseded-by:ACU-01`, `in-pathway`). */
  reason?: string;
  facts: FactRead[];
  lacking: string[];
  ledger: string[];
}
