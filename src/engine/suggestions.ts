import { createHash } from 'node:crypto';
import type { CardOptions, ClientSettings } from './cards.ts';
import type { CompiledGuideline, CompiledSuggestion } from './compile.ts';
import type { Facts } from './facts.ts';
import type { Reading } from './types.ts';

export interface Coding {
  system: string;
  code: string;
  display?: string;
}

export type Action =
  | { type: 'create' | 'update'; description: string; resource: object }
  | { type: 'delete'; description: string; resourceId: string };

export interface Suggestion {
  label: string;
  uuid: string;
  isRecommended?: true;
  actions: Action[];
}

/**
 * Builds one suggestion: drafts deleted or completed, a referral, orders; undefined when it does not apply.
 *
 * @param card What tells the card apart within an evaluation (uuids derive from it), and whether it is of the client's own unit.
 * @param evidence The readings new orders name as their reason.
 * @see CDS Hooks 2.0.1, "Suggestion", "Action"
 */
export function buildSuggestion(
  guideline: CompiledGuideline,
  suggestion: CompiledSuggestion,
  card: { key: string; contact: boolean },
  evidence: readonly Reading[],
  facts: Facts,
  options: CardOptions,
): Suggestion | undefined {
  // What is not known to be done is suggested only when it is known not to be done.
  if (suggestion.unless !== undefined && facts.truth(suggestion.unless) !== false) return undefined;
  const ordered =
    typeof suggestion.order === 'string'
      ? (facts.get(suggestion.order).values ?? []).map(String)
      : (suggestion.order ?? []);
  const { language } = options;
  const texts = guideline.texts[language];
  const key = `${card.key} ${suggestion.label}`;
  const requisition = deriveUuid(options.evaluation, `requisition ${key}`);
  const create = (id: string, isReferral: boolean): Action => {
    const name = (isReferral ? guideline.pathways.get(id) : guideline.labels.get(id))?.[language] ?? id;
    return {
      type: 'create',
      description: `${texts.labels[isReferral ? 'refer' : 'order']}: ${name}`,
      resource: withoutEmpty({
        resourceType: 'ServiceRequest',
        requisition: { system: 'urn:ietf:rfc:3986', value: `urn:uuid:${requisition}` },
        status: 'draft',
        intent: options.intent,
        code: {
          coding: isReferral ? referralCodings(guideline, id, options) : orderCodings(guideline, id),
          text: name,
        },
        subject: { reference: options.subject },
        encounter: options.encounter === undefined ? undefined : { reference: options.encounter },
        // Only cards of the client's own unit carry its telephone number.
        performer: isReferral && card.contact ? performersOf(options.client) : [],
        reasonReference: unique(evidence.filter(isReason).map(({ reference }) => reference)).map((reference) => ({
          reference,
        })),
      }),
    };
  };
  const draftsOf = (name: string | undefined): string[] =>
    name === undefined ? [] : unique(facts.get(name).readings.map(({ reference }) => reference));
  const referencesOf = (names: readonly string[] | undefined): string[] =>
    unique((names ?? []).flatMap((name) => facts.get(name).readings.map(({ reference }) => reference)));

  const actions: Action[] = [
    ...draftsOf(suggestion.delete).map(
      (resourceId): Action => ({ type: 'delete', description: texts.labels.delete ?? 'delete', resourceId }),
    ),
    ...draftsOf(suggestion.update).map(
      (reference): Action => ({
        type: 'update',
        description: texts.labels.update ?? 'update',
        resource: completeReferral(
          options.drafts?.get(reference) ?? resourceNamed(reference),
          referencesOf(suggestion.reasons),
          referencesOf(suggestion.support),
        ),
      }),
    ),
    ...(suggestion.refer === undefined ? [] : [create(suggestion.refer, true)]),
    ...ordered.map((id) => create(id, false)),
  ];
  if (actions.length === 0) return undefined;
  return {
    label: texts.suggestions[suggestion.label] ?? suggestion.label,
    uuid: deriveUuid(options.evaluation, `suggestion ${key}`),
    ...(suggestion.recommended && { isRecommended: true }),
    actions,
  };
}

const locationNumbers = 'http://www.gs1.org/gln';

function performersOf({ unit }: ClientSettings): object[] {
  if (unit?.locationNumber === undefined) return [];
  const identifier = { system: locationNumbers, value: unit.locationNumber };
  return [withoutEmpty({ type: 'Organization', identifier, display: unit.name })];
}

/** The whole drafted referral with what the record knows added; everything else stays as it is. */
function completeReferral(referral: object, reasons: readonly string[], support: readonly string[]): object {
  const add = (member: unknown, references: readonly string[]): object[] => {
    const present: { reference?: unknown }[] = Array.isArray(member) ? member : member === undefined ? [] : [member];
    const known = new Set(present.map((each) => each?.reference));
    return [...present, ...references.filter((reference) => !known.has(reference)).map((reference) => ({ reference }))];
  };
  const { reasonReference, supportingInfo, ...rest } = referral as Record<string, unknown>;
  return withoutEmpty({
    ...rest,
    reasonReference: add(reasonReference, reasons.filter(isReasonReference)),
    supportingInfo: add(supportingInfo, support),
  });
}

function resourceNamed(reference: string): object {
  const [resourceType, id] = reference.split('/');
  return { resourceType, id };
}

/** R4 ServiceRequest.reasonReference takes these types only. */
function isReasonReference(reference: string): boolean {
  return /^(Condition|Observation|DiagnosticReport|DocumentReference)\/[^#]/.test(reference);
}

function isReason({ reference }: Reading): boolean {
  return isReasonReference(reference);
}

const systemUris = {
  npu: 'http://npu-terminology.org',
  loinc: 'http://loinc.org',
  sks: 'urn:oid:1.2.208.176.2.4',
  sct: 'http://snomed.info/sct',
} as const;

/** The first code of each system: the preferred one. */
function orderCodings(guideline: CompiledGuideline, id: string): Coding[] {
  const analysis = guideline.analyses.get(id);
  const concept = analysis ?? guideline.procedures.get(id);
  const systems = analysis === undefined ? (['sks', 'sct'] as const) : (['npu', 'loinc'] as const);
  return systems.flatMap((system) => {
    const code = concept?.codes?.[system]?.find((candidate) => !candidate.endsWith('*'));
    return code === undefined ? [] : [{ system: systemUris[system], code }];
  });
}

function referralCodings(guideline: CompiledGuideline, id: string, { client, language }: CardOptions): Coding[] {
  const pathway = guideline.pathways.get(id);
  const own = pathway && {
    system: `${guideline.head.canonical}/CodeSystem/pathway`,
    code: pathway.code,
    display: pathway[language],
  };
  const local = client.pathwayCodes?.[id];
  return [...(own === undefined ? [] : [own]), ...(local === undefined ? [] : [local])];
}

/** A version-8 UUID of the evaluation and a name: the same on replay, not to be guessed without the evaluation's id. */
export function deriveUuid(evaluation: string, name: string): string {
  const hex = createHash('sha256').update(evaluation).update('\n').update(name).digest('hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

/** CDS Hooks, "Use of JSON": no null and no empty members. */
export function withoutEmpty(value: object): object {
  return Object.fromEntries(
    Object.entries(value).filter(
      ([, member]) => member !== undefined && member !== '' && !(Array.isArray(member) && member.length === 0),
    ),
  );
}
