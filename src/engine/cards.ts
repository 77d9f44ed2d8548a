import { createHash } from 'node:crypto';
import type { CompiledCard, CompiledGuideline, CompiledService, CompiledSuggestion, Language } from './compile.ts';
import type { Result, Results } from './rules.ts';
import type { Chart, Reading } from './types.ts';

/** What of a client's profile shapes decisions and cards. */
export interface ClientSettings {
  /** Chosen options by override key of ledger.yaml. */
  ledger: Readonly<Record<string, string>>;
  /** Telephone number of the client's unit for Diagnostisk pakkeforløb. */
  contact?: string;
  /** Name of that unit, and its location number (GLN) for referrals. */
  unit?: { name?: string; locationNumber?: string };
  /** Ids of decisions that are not made for this client, and of those that are made and recorded but not told. */
  off?: readonly string[];
  shadow?: readonly string[];
  /** Sends the card that names what could not be judged. */
  notAssessed?: true;
  /** The client's own codes for concepts that have no national one, by concept id. */
  codes?: Readonly<Record<string, readonly Coding[]>>;
  /** The client's own codes for referrals, by pathway id. */
  pathwayCodes?: Readonly<Record<string, Coding>>;
}

export interface Coding {
  system: string;
  code: string;
  display?: string;
}

/** What cards need beyond the decisions. */
export interface CardOptions {
  language: Language;
  client: ClientSettings;
  /** Id of the evaluation; uuids of cards and suggestions derive from it, so that a replay gives the same. */
  evaluation: string;
  /** `Patient/id` and `Encounter/id` that suggested orders name. */
  subject: string;
  encounter?: string;
  /** Intent of suggested orders: `proposal` on opening a chart, `order` beside drafted orders. */
  intent: 'proposal' | 'order';
  /** The resources of `context.draftOrders` by reference, for suggestions that update one; absent on replay. */
  drafts?: ReadonlyMap<string, object>;
  /** Address that explains this evaluation, when configured. */
  explanation?: string;
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

/** A CDS Hooks 2.0.1 card as it goes on the wire. */
export interface Card {
  uuid: string;
  summary: string;
  detail: string;
  indicator: 'info' | 'warning' | 'critical';
  source: { label: string; url: string; topic: Coding };
  suggestions?: Suggestion[];
  selectionBehavior?: 'any' | 'at-most-one';
  overrideReasons: Coding[];
  links: { label: string; url: string; type: 'absolute' }[];
  extension: { 'dk.diagnostisk-pakkeforloeb.decision': object };
}

/** One card to be: the results that ask for it. */
interface Draft {
  topic: string;
  pathway: string | undefined;
  results: { result: Result; card: CompiledCard; open: boolean }[];
}

const nonAdherence = 'http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes';
const indicatorRank = { info: 0, warning: 1, critical: 2 } as const;

/**
 * Turns the decisions of a service into cards, one per topic and pathway.
 *
 * Writes the reason why a met decision got no card into its result (`superseded-by:ACU-01`, `in-pathway`, `child`).
 *
 * @see CDS Hooks 2.0.1, "Card Attributes"
 */
export function buildCards(
  guideline: CompiledGuideline,
  service: CompiledService,
  results: Results,
  chart: Chart,
  options: CardOptions,
): Card[] {
  const drafts = new Map<string, Draft>();
  const silent = new Set(
    service.only.flatMap((entry) => (results.facts.truth(entry.if) === true ? [] : [...entry.rules])),
  );
  const untold = new Set([...(options.client.off ?? []), ...(options.client.shadow ?? [])]);
  const closedGates = guideline.gates.filter((gate) => results.facts.truth(gate.if) === true);

  for (const id of service.rules) {
    if (options.client.off?.includes(id)) continue;
    const result = results.get(id);
    const { cards, ask } = result.rule;
    const isOpen = result.outcome === 'unknown' && ask !== undefined && results.facts.truth(ask.if) === true;
    if (result.outcome !== 'met' && !isOpen) continue;
    if (silent.has(id)) {
      result.reason = 'not-asked-for';
      continue;
    }
    for (const card of cards) {
      if (card.if !== undefined && results.facts.truth(card.if) !== true) continue;
      const withheld =
        closedGates.find((gate) => gate.topics.has(card.topic))?.reason ??
        supersededBy(guideline, id, results, untold) ??
        card.withhold.find((entry) => results.facts.truth(entry.if) === true)?.value;
      if (withheld !== undefined) {
        result.reason = withheld;
        continue;
      }
      if (untold.has(id)) {
        result.reason = 'shadow';
        continue;
      }
      const key = `${card.topic} ${card.pathway ?? ''}`;
      const draft = drafts.get(key) ?? { topic: card.topic, pathway: card.pathway, results: [] };
      draft.results.push({ result, card, open: isOpen });
      drafts.set(key, draft);
    }
  }

  const cards = [...drafts.values()].map((draft) => buildCard(guideline, draft, results, options));
  if (options.client.notAssessed) {
    const card = buildNotAssessed(guideline, service, results, chart, options);
    if (card !== undefined) cards.push(card);
  }
  return cards.sort((a, b) => indicatorRank[b.indicator] - indicatorRank[a.indicator]);
}

/** What nobody is told withholds no card of what they would be told. */
function supersededBy(
  guideline: CompiledGuideline,
  id: string,
  results: Results,
  untold: ReadonlySet<string>,
): string | undefined {
  for (const { by, withholds } of guideline.precedence) {
    if (!withholds.has(id)) continue;
    for (const other of by) {
      if (other !== id && !untold.has(other) && results.get(other).outcome === 'met') return `superseded-by:${other}`;
    }
  }
  return undefined;
}

function buildCard(guideline: CompiledGuideline, draft: Draft, results: Results, options: CardOptions): Card {
  const { language, client } = options;
  const { facts } = results;
  const texts = guideline.texts[language];
  const rules = draft.results.map(({ result }) => result.rule);
  const first = draft.results[0];
  if (first === undefined) throw new TypeError('A card needs a decision');

  const evidence = uniqueReadings(
    draft.results.flatMap(({ card }) => card.evidence.flatMap((name) => facts.get(name).readings)),
  );
  const missing = unique(
    draft.results.flatMap(({ card, result, open }) =>
      open
        ? (result.rule.ask?.missing ?? []).filter((entry) => facts.truth(entry.if) === true).map((entry) => entry.value)
        : card.missing.flatMap((entry) =>
            typeof entry === 'string'
              ? (facts.get(entry).values ?? []).map(String)
              : facts.truth(entry.if) === true
                ? [entry.value]
                : [],
          ),
    ),
  );
  const cautions = guideline.cautions
    .filter((caution) => rules.some((rule) => caution.rules.has(rule.id)) && facts.truth(caution.if) === true)
    .map((caution) => caution.id);
  const sections = unique(rules.flatMap((rule) => rule.sections));
  const ledger = unique(rules.flatMap((rule) => rule.ledger));
  const contact = draft.results.some(({ card }) => card.contact) ? client.contact : undefined;
  const registrationCode = first.card.registrationCode;
  const nameOf = (id: string): string => guideline.labels.get(id)?.[language] ?? texts.missing[id] ?? id;
  const siteOf = (id: string): string => guideline.siteLabels.get(id)?.[language] ?? id;
  const fill = (template: string): string =>
    template.replace(/\{(\w+)(?::(\w+))?\}/g, (_, what: string, name: string | undefined) => {
      if (what === 'missing') return missing.map(nameOf).join(', ');
      if (what === 'missingCount') return String(missing.length);
      if (what === 'pathway')
        return draft.pathway === undefined ? '' : (guideline.pathways.get(draft.pathway)?.[language] ?? draft.pathway);
      const fact = facts.get(name ?? '');
      if (what === 'list') {
        const ids = fact.values ?? unique(fact.readings.map((reading) => reading.concept));
        return ids.map((id) => nameOf(String(id))).join(', ') || '–';
      }
      if (what === 'readings') {
        return (
          fact.readings.map((reading) => describeReading(reading, nameOf, siteOf, texts.labels, language)).join('; ') ||
          '–'
        );
      }
      const reading = what === 'newest' ? fact.readings[0] : fact.readings.at(-1);
      return reading?.date === undefined ? '–' : formatDate(reading.date, language);
    });

  const paragraphs = draft.results.flatMap(({ result, card, open }) => {
    const text = texts.rules[result.id];
    return [
      open ? text?.ask : text?.detail,
      ...card.notes.filter((note) => facts.truth(note.if) === true).map((note) => texts.notes[note.value]),
    ].filter((paragraph) => paragraph !== undefined);
  });
  const bullets = (heading: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `**${texts.labels[heading]}**\n\n${lines.map((line) => `- ${line}`).join('\n')}`;
  const detail = [
    ...unique(paragraphs.map(fill)),
    bullets(
      'evidence',
      evidence.map((reading) => describeReading(reading, nameOf, siteOf, texts.labels, language)),
    ),
    bullets('missing', missing.map(nameOf)),
    bullets(
      'cautions',
      cautions.map((id) => fill(texts.cautions[id] ?? id)),
    ),
    contact === undefined
      ? ''
      : `${texts.labels.contact}: ${[client.unit?.name, contact].filter((part) => part !== undefined).join(', ')}`,
    `${texts.labels.section} ${sections.join(', ')}${ledger.length === 0 ? '' : ` · ${texts.labels.interpretation} ${ledger.join(', ')}`}`,
    texts.labels.disclaimer ?? '',
  ]
    .filter((part) => part !== '')
    .join('\n\n');

  const suggestions = draft.results
    .filter(({ open }) => !open)
    .flatMap(({ card, result }) =>
      card.suggest.flatMap((suggestion) => {
        const built = buildSuggestion(guideline, suggestion, result, evidence, results, options, draft);
        return built === undefined ? [] : [built];
      }),
    );
  const text = texts.rules[first.result.id];
  const decided = draft.results.filter(({ open }) => !open).map(({ result }) => result.id);
  const open = draft.results.filter((entry) => entry.open).map(({ result }) => result.id);

  return {
    uuid: deriveUuid(options.evaluation, `card ${draft.topic} ${draft.pathway ?? ''}`),
    summary: shorten(fill((first.open ? text?.ask : text?.summary) ?? first.result.id)),
    detail,
    indicator: highest(
      draft.results.map(({ card, result, open: isOpen }) =>
        isOpen
          ? (result.rule.ask?.indicator ?? 'info')
          : (card.indicatorWhen.find((entry) => facts.truth(entry.if) === true)?.value ?? card.indicator),
      ),
    ),
    source: sourceOf(guideline, draft.topic, language),
    ...(suggestions.length > 0 && { suggestions, selectionBehavior: 'any' as const }),
    overrideReasons: texts.overrideReasons.map((reason) => ({ ...reason, system: nonAdherence })),
    links: linksOf(guideline, options),
    extension: {
      'dk.diagnostisk-pakkeforloeb.decision': withoutEmpty({
        decisions: decided,
        open,
        sections,
        ledger,
        pathway: draft.pathway,
        registrationCode,
        missing,
        cautions,
        contact,
        evidence: evidence.map((reading) =>
          withoutEmpty({ reference: reading.reference, fact: reading.concept, date: reading.date }),
        ),
        knowledge: { version: guideline.head.version, hash: guideline.hash },
        evaluation: options.evaluation,
      }),
    },
  };
}

function buildSuggestion(
  guideline: CompiledGuideline,
  suggestion: CompiledSuggestion,
  result: Result,
  evidence: readonly Reading[],
  results: Results,
  options: CardOptions,
  draft: Draft,
): Suggestion | undefined {
  const { facts } = results;
  // What is not known to be done is suggested only when it is known not to be done.
  if (suggestion.unless !== undefined && facts.truth(suggestion.unless) !== false) return undefined;
  const ordered =
    typeof suggestion.order === 'string'
      ? (facts.get(suggestion.order).values ?? []).map(String)
      : (suggestion.order ?? []);
  const { language } = options;
  const texts = guideline.texts[language];
  const key = `${draft.topic} ${draft.pathway ?? ''} ${result.id} ${suggestion.label}`;
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
        code: { coding: isReferral ? referralCodings(guideline, id, options) : orderCodings(guideline, id, language) },
        subject: { reference: options.subject },
        encounter: options.encounter === undefined ? undefined : { reference: options.encounter },
        // Only cards of the client's own unit carry its telephone number.
        performer: isReferral && draft.results.some(({ card }) => card.contact) ? performersOf(options.client) : [],
        reasonReference: evidence.filter(isReason).map(({ reference }) => ({ reference })),
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
function orderCodings(guideline: CompiledGuideline, id: string, language: Language): Coding[] {
  const analysis = guideline.analyses.get(id);
  const concept = analysis ?? guideline.procedures.get(id);
  const systems = analysis === undefined ? (['sks', 'sct'] as const) : (['npu', 'loinc'] as const);
  return systems.flatMap((system) => {
    const code = concept?.codes?.[system]?.find((candidate) => !candidate.endsWith('*'));
    return code === undefined || concept === undefined
      ? []
      : [{ system: systemUris[system], code, display: concept[language] }];
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

function buildNotAssessed(
  guideline: CompiledGuideline,
  service: CompiledService,
  results: Results,
  chart: Chart,
  options: CardOptions,
): Card | undefined {
  const unknown = service.rules
    .filter((id) => !options.client.off?.includes(id) && !options.client.shadow?.includes(id))
    .map((id) => results.get(id))
    .filter(({ outcome }) => outcome === 'unknown' || outcome === 'error');
  if (unknown.length === 0 || chart.patient.deceased) return undefined;
  const { language } = options;
  const texts = guideline.texts[language];
  const reasons = unique(unknown.flatMap(({ lacking }) => lacking.filter((what) => /^(key|patient):/.test(what))));
  return {
    uuid: deriveUuid(options.evaluation, 'card not-assessed'),
    summary: shorten((texts.labels.notAssessed ?? '').replace('{count}', String(unknown.length))),
    detail: [
      unknown
        .map(({ rule, lacking }) => `- ${rule.id} ${rule.title[language]}: ${lacking.join(', ') || '–'}`)
        .join('\n'),
      texts.labels.disclaimer ?? '',
    ].join('\n\n'),
    indicator: 'info',
    source: sourceOf(guideline, 'not-assessed', language),
    overrideReasons: texts.overrideReasons.map((reason) => ({ ...reason, system: nonAdherence })),
    links: linksOf(guideline, options),
    extension: {
      'dk.diagnostisk-pakkeforloeb.decision': withoutEmpty({
        open: unknown.map(({ id }) => id),
        missing: reasons,
        knowledge: { version: guideline.head.version, hash: guideline.hash },
        evaluation: options.evaluation,
      }),
    },
  };
}

function sourceOf(guideline: CompiledGuideline, topic: string, language: Language): Card['source'] {
  return {
    label: `${guideline.head.publisher}: ${guideline.head.title[language]}`,
    url: guideline.head.url,
    topic: {
      system: `${guideline.head.canonical}/CodeSystem/card-topic`,
      code: topic,
      display: guideline.texts[language].topics[topic] ?? topic,
    },
  };
}

function linksOf(guideline: CompiledGuideline, options: CardOptions): Card['links'] {
  const { labels } = guideline.texts[options.language];
  const links: Card['links'] = [{ label: labels.guideline ?? 'guideline', url: guideline.head.url, type: 'absolute' }];
  if (options.explanation !== undefined) {
    links.push({ label: labels.explanation ?? 'explanation', url: options.explanation, type: 'absolute' });
  }
  return links;
}

/** One line of the detail: label, value, unit, direction, date. Codes and values only. */
function describeReading(
  reading: Reading,
  nameOf: (id: string) => string,
  siteOf: (id: string) => string,
  labels: Readonly<Record<string, string>>,
  language: Language,
): string {
  const number = (value: number): string => {
    const rounded = String(Math.round(value * 1000) / 1000);
    return language === 'da' ? rounded.replace('.', ',') : rounded;
  };
  const value =
    reading.value !== undefined
      ? number(reading.value)
      : reading.atLeast !== undefined
        ? `> ${number(reading.atLeast)}`
        : reading.atMost !== undefined
          ? `< ${number(reading.atMost)}`
          : undefined;
  const quantity =
    value === undefined
      ? undefined
      : [value, reading.unit === '1' ? undefined : reading.unit].filter(Boolean).join(' ');
  const direction = reading.abnormal === undefined || reading.abnormal === 'no' ? undefined : labels[reading.abnormal];
  const site = reading.sites?.map(siteOf).join(', ');
  return [
    nameOf(reading.concept),
    [site && site !== '' ? `(${site})` : undefined, quantity, direction].filter((part) => part !== undefined).join(' '),
    reading.date === undefined ? undefined : formatDate(reading.date, language),
  ]
    .filter((part) => part !== undefined && part !== '')
    .join(' · ');
}

function formatDate(date: string, language: Language): string {
  if (language === 'en') return date;
  const [year, month, day] = date.split('-');
  return `${day}.${month}.${year}`;
}

/** CDS Hooks: a summary has fewer than 140 characters. */
function shorten(summary: string): string {
  const points = [...summary];
  return points.length < 140 ? summary : `${points.slice(0, 138).join('')}…`;
}

/** A version-8 UUID of the evaluation and a name: the same on replay, not to be guessed without the evaluation's id. */
export function deriveUuid(evaluation: string, name: string): string {
  const hex = createHash('sha256').update(evaluation).update('\n').update(name).digest('hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function highest(indicators: readonly Card['indicator'][]): Card['indicator'] {
  return indicators.reduce((a, b) => (indicatorRank[b] > indicatorRank[a] ? b : a));
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

function uniqueReadings(readings: readonly Reading[]): Reading[] {
  const seen = new Map<string, Reading>();
  for (const reading of readings) {
    const key = `${reading.reference} ${reading.concept}`;
    if (!seen.has(key)) seen.set(key, reading);
  }
  return [...seen.values()];
}

/** CDS Hooks, "Use of JSON": no null and no empty members. */
function withoutEmpty(value: object): object {
  return Object.fromEntries(
    Object.entries(value).filter(
      ([, member]) => member !== undefined && member !== '' && !(Array.isArray(member) && member.length === 0),
    ),
  );
}
