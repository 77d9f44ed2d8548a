import type { CompiledCard, CompiledGuideline, CompiledService, CompiledSuggestion, Language } from './guideline.ts';
import type { Result, Results } from './rules.ts';
import {
  buildSuggestion,
  type Coding,
  deriveUuid,
  dropContradicted,
  dropRepeated,
  excludeEachOther,
  type Suggestion,
  unique,
  withoutEmpty,
} from './suggestions.ts';
import type { Chart, Reading } from './types.ts';
import { chooseWording, shorten } from './wording.ts';

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
  /** Cards of order-sign that are sent; absent: all. */
  orderSignOnly?: 'warnings';
  /** Says on order-select what a referral should hold. */
  referralChecklist?: true;
  /** The client's own codes for concepts that have no national one, by concept id. */
  codes?: Readonly<Record<string, readonly Coding[]>>;
  /** The client's own codes for referrals, by pathway id. */
  pathwayCodes?: Readonly<Record<string, Coding>>;
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
 * Writes the reason why a met decision got no card into its result (`superseded-by:ACU-01`, `in-pathway`, `child`,
 * `drafted`, `only-warnings`).
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
  const atMost = new Map(
    service.only.flatMap(({ rules, indicator }) =>
      indicator === undefined ? [] : [...rules].map((id) => [id, indicator] as const),
    ),
  );
  const untold = new Set([...(options.client.off ?? []), ...(options.client.shadow ?? [])]);
  const closedGates = guideline.gates.filter((gate) => results.facts.truth(gate.if) === true);

  const propose = (id: string): void => {
    if (options.client.off?.includes(id)) return;
    const result = results.get(id);
    const { cards, ask } = result.rule;
    // A card that asks has something to ask for.
    const isOpen =
      result.outcome === 'unknown' &&
      ask !== undefined &&
      results.facts.truth(ask.if) === true &&
      (ask.missing.length === 0 || ask.missing.some((entry) => results.facts.truth(entry.if) === true));
    if (result.outcome !== 'met' && !isOpen) return;
    if (silent.has(id)) {
      result.reason = 'not-asked-for';
      return;
    }
    let withheld: string | undefined;
    let isTold = false;
    for (const card of cards) {
      if (card.if !== undefined && results.facts.truth(card.if) !== true) continue;
      const reason =
        closedGates.find((gate) => gate.topics.has(card.topic))?.reason ??
        supersededBy(guideline, id, results, untold) ??
        card.withhold.find((entry) => results.facts.truth(entry.if) === true)?.value ??
        (isReferralDrafted(guideline, card, results) ? 'drafted' : undefined) ??
        (untold.has(id) ? 'shadow' : undefined);
      if (reason !== undefined) {
        withheld = reason;
        continue;
      }
      isTold = true;
      const key = `${card.topic} ${card.pathway ?? ''}`;
      const draft = drafts.get(key) ?? { topic: card.topic, pathway: card.pathway, results: [] };
      const most = atMost.get(id);
      draft.results.push({ result, card: most === undefined ? card : toneDown(card, most), open: isOpen });
      drafts.set(key, draft);
    }
    if (!isTold && withheld !== undefined) result.reason = withheld;
  };
  for (const id of service.rules) isolate([results.get(id)], () => propose(id));

  const built = [...drafts.values()].flatMap(
    (draft) =>
      isolate(
        draft.results.map(({ result }) => result),
        () => [buildCard(guideline, draft, results, options)],
      ) ?? [],
  );
  // First: what is not sent must not take a suggestion away from a card that is.
  const wanted = built.filter((card) => isWanted(card, service, options));
  const cards = dropContradicted(dropRepeated(wanted)).map(sayHowToChoose);
  for (const card of built) {
    if (wanted.includes(card)) continue;
    for (const id of decisionsOf(card)) results.get(id).reason = 'only-warnings';
  }
  if (options.client.notAssessed) {
    const card = buildNotAssessed(guideline, service, results, chart, options);
    if (card !== undefined) cards.push(card);
  }
  return cards.sort((a, b) => indicatorRank[b.indicator] - indicatorRank[a.indicator]);
}

/** A card that fails takes its decisions with it, as errors in the trace, and leaves the others alone. */
function isolate<T>(results: readonly Result[], build: () => T): T | undefined {
  try {
    return build();
  } catch (error) {
    for (const result of results) {
      result.outcome = 'error';
      result.reason = error instanceof Error ? (error.message.split('\n')[0] ?? 'failed') : 'failed';
    }
    return undefined;
  }
}

/** Nobody is told to write the referral they are writing. */
function isReferralDrafted(guideline: CompiledGuideline, card: CompiledCard, { facts }: Results): boolean {
  const { pathway, suggest } = card;
  if (pathway === undefined || !suggest.some(({ refer, delete: deleted }) => refer === pathway && !deleted))
    return false;
  return facts.get(guideline.head.standing.drafted).values?.includes(pathway) === true;
}

function toneDown(card: CompiledCard, most: Card['indicator']): CompiledCard {
  const cap = (indicator: Card['indicator']): Card['indicator'] =>
    indicatorRank[indicator] > indicatorRank[most] ? most : indicator;
  return {
    ...card,
    indicator: cap(card.indicator),
    indicatorWhen: card.indicatorWhen.map((entry) => ({ ...entry, value: cap(entry.value) })),
  };
}

function isWanted(card: Card, { hook }: CompiledService, { client }: CardOptions): boolean {
  return hook !== 'order-sign' || client.orderSignOnly !== 'warnings' || card.indicator !== 'info';
}

function decisionsOf(card: Card): readonly string[] {
  return (card.extension['dk.diagnostisk-pakkeforloeb.decision'] as { decisions?: string[] }).decisions ?? [];
}

/** Of suggestions that change the same draft one at most can be accepted, and one at most is preselected. */
function sayHowToChoose(card: Card): Card {
  const { suggestions = [], selectionBehavior: _, ...rest } = card;
  if (suggestions.length === 0) return rest;
  if (!excludeEachOther(suggestions)) return card;
  const first = suggestions.find(({ isRecommended }) => isRecommended);
  const single = suggestions.map(({ isRecommended: __, ...suggestion }) =>
    suggestion.uuid === first?.uuid ? first : suggestion,
  );
  return { ...card, suggestions: single, selectionBehavior: 'at-most-one' };
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

  const evidenceOf = (card: CompiledCard): Reading[] =>
    uniqueReadings(card.evidence.flatMap((name) => facts.get(name).readings));
  const evidence = uniqueReadings(draft.results.flatMap(({ card }) => evidenceOf(card)));
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
  const told = guideline.cautions.filter(
    (caution) => rules.some((rule) => caution.rules.has(rule.id)) && facts.truth(caution.if) === true,
  );
  const cautions = told.filter((caution) => !caution.toldOnly).map((caution) => caution.id);
  const sections = unique(rules.flatMap((rule) => rule.sections));
  const notesOf = (card: CompiledCard) => card.notes.filter((note) => facts.truth(note.if) === true);
  const ledger = unique([
    ...rules.flatMap((rule) => rule.ledger),
    ...draft.results.flatMap(({ card }) => notesOf(card).flatMap((note) => note.ledger)),
  ]);
  const contact = draft.results.some(({ card }) => card.contact) ? client.contact : undefined;
  const registrationCode = first.card.registrationCode;
  const { nameOf, describe, fillPlaceholders, nameSections } = chooseWording(guideline, language);
  const fill = (template: string): string =>
    fillPlaceholders(template, { missing, pathway: draft.pathway, get: facts.get });

  const paragraphs = draft.results.flatMap(({ result, card, open }) => {
    const text = texts.rules[result.id];
    return [open ? text?.ask : text?.detail, ...notesOf(card).map((note) => texts.notes[note.value])].filter(
      (paragraph) => paragraph !== undefined,
    );
  });
  const bullets = (heading: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `**${texts.labels[heading]}**\n\n${lines.map((line) => `- ${line}`).join('\n')}`;
  const detail = [
    ...unique(paragraphs.map(fill)),
    bullets('evidence', evidence.map(describe)),
    bullets('missing', missing.map(nameOf)),
    bullets(
      'cautions',
      told.map(({ id }) => fill(texts.cautions[id] ?? id)),
    ),
    contact === undefined
      ? ''
      : `${texts.labels.contact}: ${[client.unit?.name, contact].filter((part) => part !== undefined).join(', ')}`,
    `${nameSections(sections)}${ledger.length === 0 ? '' : ` · ${texts.labels.interpretation} ${ledger.join(', ')}`}`,
    texts.labels.disclaimer ?? '',
  ]
    .filter((part) => part !== '')
    .join('\n\n');

  // Several decisions on one card may propose the same order: it is proposed once, with the reasons of all.
  const proposed = new Map<
    string,
    { suggestion: CompiledSuggestion; key: string; reasons: Reading[]; contact: boolean }
  >();
  for (const { card, result, open } of draft.results) {
    if (open) continue;
    for (const suggestion of card.suggest) {
      const { label, refer, order, delete: deleted, update } = suggestion;
      const same = JSON.stringify([label, refer, order, deleted, update]);
      const known = proposed.get(same);
      // What may be done already is suggested only when it is known not to be.
      if (suggestion.unless !== undefined && facts.truth(suggestion.unless) !== false) continue;
      const key = known?.key ?? `${draft.topic} ${draft.pathway ?? ''} ${result.id}`;
      const reasons = uniqueReadings([...(known?.reasons ?? []), ...evidenceOf(card)]);
      proposed.set(same, { suggestion: known?.suggestion ?? suggestion, key, reasons, contact: card.contact });
    }
  }
  const suggestions = [...proposed.values()].flatMap(({ suggestion, key, reasons, contact: isOwnUnit }) => {
    const built = buildSuggestion(guideline, suggestion, { key, contact: isOwnUnit }, reasons, facts, options);
    return built === undefined ? [] : [built];
  });
  const indicators = draft.results.map(({ card, result, open: isOpen }) =>
    isOpen
      ? (result.rule.ask?.indicator ?? 'info')
      : (card.indicatorWhen.find((entry) => facts.truth(entry.if) === true)?.value ?? card.indicator),
  );
  const indicator = highest(indicators);
  // The headline is of the decision that makes the card as urgent as it is.
  const lead = draft.results[indicators.indexOf(indicator)] ?? first;
  const text = texts.rules[lead.result.id];
  const decided = unique(draft.results.filter(({ open }) => !open).map(({ result }) => result.id));
  const open = draft.results.filter((entry) => entry.open).map(({ result }) => result.id);

  return {
    uuid: deriveUuid(options.evaluation, `card ${draft.topic} ${draft.pathway ?? ''}`),
    summary: shorten(fill((lead.open ? text?.ask : text?.summary) ?? lead.result.id)),
    detail,
    indicator,
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

function highest(indicators: readonly Card['indicator'][]): Card['indicator'] {
  return indicators.reduce((a, b) => (indicatorRank[b] > indicatorRank[a] ? b : a));
}

/**
 * One reading per statement: a diagnosis read as several concepts shows as the first, the most telling one, and one
 * recorded again at every contact as the newest.
 */
function uniqueReadings(readings: readonly Reading[]): Reading[] {
  const seen = new Set<string>();
  return readings.filter(({ kind, reference, concept, certainty, sites = [], side }) => {
    const isDiagnosis = kind === 'condition' || kind === 'finding';
    const marks = isDiagnosis
      ? [reference, [concept, certainty, ...sites, side].join(' ')]
      : [`${reference} ${concept}`];
    const isNew = !marks.some((mark) => seen.has(mark));
    for (const mark of marks) seen.add(mark);
    return isNew;
  });
}
