import { hash } from 'node:crypto';
import type { Card, CardOptions, ClientSettings } from './cards.ts';
import type { Facts } from './facts.ts';
import type { CompiledGuideline, CompiledSuggestion } from './guideline.ts';
import { type Json, listOf, referenceKeyOf } from './resources.ts';
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
 * What stands already is not created again: what is left of a suggestion to replace a draft is to delete it.
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
          coding: isReferral ? referralCodings(guideline, id, options) : (guideline.orderCodings.get(id) ?? []),
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
  const referencesOf = (names: readonly string[]): string[] =>
    unique(names.flatMap((name) => facts.get(name).readings.map(({ reference }) => reference))).filter(isNamed);
  const draftsOf = (names: string | readonly string[] = []): string[] => referencesOf([names].flat());
  const stands = (names: readonly string[], id: string): boolean =>
    names.some((name) => facts.get(name).values?.includes(id));

  const deletions = draftsOf(suggestion.delete).map(
    (resourceId): Action => ({ type: 'delete', description: texts.labels.delete ?? 'delete', resourceId }),
  );
  const reasons = referencesOf(suggestion.reasons ?? []).filter(isReasonReference);
  // Support alone does not complete a referral
  const completions = (reasons.length === 0 ? [] : draftsOf(suggestion.update)).map((reference): Action => {
    const draft = options.drafts?.get(reference) ?? resourceNamed(reference);
    const resource = completeReferral(draft, reasons, referencesOf(suggestion.support ?? []));
    return { type: 'update', description: texts.labels.update ?? 'update', resource };
  });
  const { standing } = guideline.head;
  const creations = [
    ...(suggestion.refer === undefined || stands(standing.referrals, suggestion.refer)
      ? []
      : [create(suggestion.refer, true)]),
    ...ordered.filter((id) => !stands(standing.orders, id)).map((id) => create(id, false)),
  ];
  const actions = [...deletions, ...completions, ...creations];
  if (actions.length === 0) return undefined;
  const wasToReplace = suggestion.refer !== undefined || suggestion.order !== undefined;
  return {
    label:
      (creations.length === 0 && wasToReplace ? texts.labels.delete : texts.suggestions[suggestion.label]) ??
      suggestion.label,
    uuid: deriveUuid(options.evaluation, `suggestion ${key}`),
    ...(suggestion.recommended && { isRecommended: true }),
    actions,
  };
}

/** Takes out of the cards of one answer the completion of a draft that a suggestion deletes. */
export function dropContradicted(cards: readonly Card[]): Card[] {
  const deleted = new Set(
    cards.flatMap(({ suggestions = [] }) =>
      suggestions.flatMap(({ actions }) =>
        actions.flatMap((action) => (action.type === 'delete' ? nameTarget(action) : [])),
      ),
    ),
  );
  return cards.map((card) => {
    const suggestions = (card.suggestions ?? []).flatMap((suggestion) => {
      const actions = suggestion.actions.filter(
        (action) => action.type !== 'update' || !deleted.has(nameTarget(action)),
      );
      return actions.length === 0 ? [] : [{ ...suggestion, actions }];
    });
    return card.suggestions === undefined ? card : { ...card, suggestions };
  });
}

/**
 * Takes out of the cards of one answer what is suggested twice: on one card what another suggestion of the same name
 * does as well, and between cards the order that a suggestion creates in the place of a draft.
 */
export function dropRepeated(cards: readonly Card[]): Card[] {
  const replacements = new Set(
    cards.flatMap(({ suggestions = [] }) =>
      suggestions.flatMap(({ actions }) =>
        actions.some(({ type }) => type === 'delete') ? actions.map(nameAction) : [],
      ),
    ),
  );
  return cards.map((card) => {
    const all = card.suggestions ?? [];
    const kept = all.filter((suggestion, at) => {
      const mine = suggestion.actions.map(nameAction);
      if (suggestion.actions.every(({ type }) => type === 'create') && mine.every((name) => replacements.has(name))) {
        return false;
      }
      return !all.some((other, place) => {
        if (other === suggestion || other.label !== suggestion.label) return false;
        const theirs = new Set(other.actions.map(nameAction));
        return mine.every((name) => theirs.has(name)) && (theirs.size > mine.length || place < at);
      });
    });
    return kept.length === all.length ? card : { ...card, suggestions: kept };
  });
}

/** Whether two suggestions change the same draft: then only one of them can be accepted. */
export function excludeEachOther(suggestions: readonly Suggestion[]): boolean {
  const changed = suggestions.flatMap(({ actions }) =>
    unique(actions.flatMap((action) => (action.type === 'create' ? [] : [nameTarget(action)]))),
  );
  return unique(changed).length < changed.length;
}

function nameAction(action: Action): string {
  if (action.type !== 'create') return `${action.type} ${nameTarget(action)}`;
  const { code } = action.resource as { code?: { coding?: Coding[]; text?: string } };
  return `create ${code?.coding?.map((coding) => `${coding.system}|${coding.code}`).join(' ')} ${code?.text}`;
}

function nameTarget(action: Action): string {
  if (action.type === 'delete') return action.resourceId;
  const { resourceType, id } = action.resource as { resourceType?: string; id?: string };
  return `${resourceType}/${id}`;
}

const locationNumbers = 'http://www.gs1.org/gln';

function performersOf({ unit }: ClientSettings): object[] {
  if (unit?.locationNumber === undefined) return [];
  const identifier = { system: locationNumbers, value: unit.locationNumber };
  return [withoutEmpty({ type: 'Organization', identifier, display: unit.name })];
}

/** The whole drafted referral with what the record knows added; everything else stays as it is. */
function completeReferral(referral: object, reasons: readonly string[], support: readonly string[]): object {
  const add = (name: string, references: readonly string[]): object => {
    const present = listOf((referral as Json)[name]);
    const known = new Set(present.map(referenceKeyOf));
    const added = references.filter((reference) => !known.has(reference)).map((reference) => ({ reference }));
    return added.length === 0 ? {} : { [name]: [...present, ...added] };
  };
  return { ...referral, ...add('reasonReference', reasons), ...add('supportingInfo', support) };
}

function resourceNamed(reference: string): object {
  const [resourceType, id] = reference.split('/');
  return { resourceType, id };
}

/** Whether a reference names a resource: those sent without an id are only counted. */
function isNamed(reference: string): boolean {
  return !reference.includes('/#');
}

/** R4 ServiceRequest.reasonReference takes these types only. */
function isReasonReference(reference: string): boolean {
  return /^(Condition|Observation|DiagnosticReport|DocumentReference)\//.test(reference) && isNamed(reference);
}

function isReason({ reference }: Reading): boolean {
  return isReasonReference(reference);
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
  const hex = hash('sha256', `${evaluation}\n${name}`);
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

/** CDS Hooks, "Use of JSON": no null and no empty members. */
export function withoutEmpty(value: object): object {
  const kept: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined || member === '' || (Array.isArray(member) && member.length === 0)) continue;
    kept[name] = member;
  }
  return kept;
}
