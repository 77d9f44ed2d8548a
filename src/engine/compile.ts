import type * as z from 'zod';
import type { Analysis, Condition, Drug, Pathway, Procedure, Site } from './concepts.ts';
import { compileExpression, type Expression } from './expression.ts';
import type { systemsSchema } from './lookup.ts';
import { unclassifiedMedication } from './readers/medications.ts';
import type {
  cautionsSchema,
  FactDefinition,
  guidelineSchema,
  ledgerSchema,
  RuleDefinition,
  SelectionFact,
  SuggestionDefinition,
  Texts,
} from './schema.ts';
import type { Patient, Reading, ReadingKind } from './types.ts';
import type { spellingsSchema } from './units.ts';

export type Language = 'da' | 'en';
export type GuidelineHead = z.infer<typeof guidelineSchema>;
export type LedgerEntry = z.infer<typeof ledgerSchema>[number];

/** The parsed files of one cds-services folder, each already of the right shape. */
export interface KnowledgeFiles {
  guideline: GuidelineHead;
  facts: Record<string, FactDefinition>;
  rules: RuleDefinition[];
  cautions: z.infer<typeof cautionsSchema>;
  ledger: LedgerEntry[];
  texts: Record<Language, Texts>;
  concepts: {
    analyses: Analysis[];
    conditions: Condition[];
    procedures: Procedure[];
    pathways: Pathway[];
    drugs: Drug[];
    sites: Site[];
  };
  /** URIs of the code systems, by canonical name. */
  systems: z.infer<typeof systemsSchema>;
  /** Spellings of units and of positive and negative. */
  spellings: z.infer<typeof spellingsSchema>;
}

export type CompiledFact =
  | {
      form: 'selection';
      name: string;
      definition: SelectionFact;
      concepts: readonly string[];
      where?: Expression;
      /** The prefetch keys without which "none found" is not known. */
      keys: readonly string[];
    }
  | { form: 'derived'; name: string; is: Expression; unknownAs?: boolean }
  | { form: 'value'; name: string; value: Expression }
  | { form: 'without'; name: string; panel: string; without: readonly string[] }
  | { form: 'outcome'; name: string; rules: readonly string[]; unknownAs?: boolean }
  | { form: 'unread'; name: string; keys: readonly string[] };

export interface Condition3 {
  expression: Expression;
  reason?: string;
}
export interface CompiledSuggestion extends Omit<SuggestionDefinition, 'unless'> {
  unless?: Expression;
}
export interface Guarded<T> {
  if: Expression;
  value: T;
}
export interface CompiledCard {
  if?: Expression;
  topic: string;
  pathway?: string;
  indicator: 'info' | 'warning' | 'critical';
  indicatorWhen: Guarded<'info' | 'warning' | 'critical'>[];
  evidence: readonly string[];
  missing: (string | Guarded<string>)[];
  registrationCode?: string;
  suggest: CompiledSuggestion[];
  withhold: Guarded<string>[];
  notes: Guarded<string>[];
  contact: boolean;
}
export interface CompiledRule {
  id: string;
  title: Record<Language, string>;
  sections: readonly string[];
  ledger: readonly string[];
  when: Condition3[];
  cards: CompiledCard[];
  ask?: { if: Expression; indicator: 'info' | 'warning' | 'critical'; missing: Guarded<string>[] };
}
export interface CompiledCaution {
  id: string;
  if: Expression;
  rules: ReadonlySet<string>;
  toldOnly: boolean;
}
export interface CompiledService {
  id: string;
  hook: 'patient-view' | 'order-select' | 'order-sign';
  title: Record<Language, string>;
  description: Record<Language, string>;
  rules: readonly string[];
  only: { if: Expression; rules: ReadonlySet<string>; indicator?: CompiledCard['indicator'] }[];
}

/** A guideline ready to decide: everything parsed, every name checked. */
export interface CompiledGuideline {
  head: GuidelineHead;
  /** `sha256:…` over all files; set by the reader of the folder. */
  hash: string;
  services: ReadonlyMap<string, CompiledService>;
  facts: ReadonlyMap<string, CompiledFact>;
  rules: ReadonlyMap<string, CompiledRule>;
  gates: { if: Expression; reason: string; topics: ReadonlySet<string> }[];
  precedence: { by: ReadonlySet<string>; withholds: ReadonlySet<string> }[];
  cautions: CompiledCaution[];
  ledger: readonly LedgerEntry[];
  texts: Record<Language, Texts>;
  concepts: KnowledgeFiles['concepts'];
  systems: KnowledgeFiles['systems'];
  spellings: KnowledgeFiles['spellings'];
  /** Labels of analyses, conditions, procedures and drugs, by id; sites and pathways use some of the same ids. */
  labels: ReadonlyMap<string, { da: string; en: string }>;
  siteLabels: ReadonlyMap<string, { da: string; en: string }>;
  /** What a fact says of itself, by its name. */
  says: ReadonlyMap<string, { da: string; en: string }>;
  /** By id of an analysis or condition: the facts that explain it. */
  explainedBy: ReadonlyMap<string, readonly string[]>;
  analyses: ReadonlyMap<string, Analysis>;
  procedures: ReadonlyMap<string, Procedure>;
  pathways: ReadonlyMap<string, Pathway>;
  /** By id of an analysis or procedure: how an order names it, in NPU and LOINC or in SKS and SNOMED CT. */
  orderCodings: ReadonlyMap<string, readonly { system: string; code: string }[]>;
  /** Prefetch keys whose template sorts newest first: what a truncated one holds is known back to its oldest entry. */
  sortedKeys: ReadonlySet<string>;
}

/** What FHIRPath over a reading may name: the members of {@link Reading} and what facts add. */
const readingMembers: ReadonlySet<string> = new Set<
  keyof Reading | 'explained' | 'hasEarlier' | 'earlierAbnormal' | 'group' | 'lastClosing'
>([
  'abnormal',
  'atLeast',
  'atMost',
  'certainty',
  'class',
  'code',
  'coded',
  'concept',
  'contentAbsent',
  'contentPresent',
  'count',
  'current',
  'daysAgo',
  'draft',
  'earlierAbnormal',
  'exact',
  'explained',
  'flag',
  'group',
  'hasEarlier',
  'lastClosing',
  'statusGiven',
  'kind',
  'modality',
  'onsetDaysAgo',
  'open',
  'origin',
  'outsideBy',
  'positive',
  'prescription',
  'reference',
  'requisition',
  'role',
  'selected',
  'side',
  'sites',
  'size',
  'specialties',
  'stage',
  'status',
  'study',
  'system',
  'tender',
  'unit',
  'value',
  'date',
]);

/** Names every expression can read without a fact: the patient, and what a client's profile says. */
export const patientNames: ReadonlySet<string> = new Set<keyof Patient | 'configured' | 'checklist'>([
  'age',
  'sex',
  'daysSinceBirthday',
  'deceased',
  'configured',
  'checklist',
]);

/** The prefetch keys a kind of reading comes from: while one is not known, "none" is not known. */
export const keysOfKind: Readonly<Record<ReadingKind, readonly string[]>> = {
  result: ['observations'],
  pending: ['observations'],
  condition: ['conditions'],
  finding: ['conditions', 'observations', 'reports'],
  order: ['orders'],
  done: ['imaging', 'reports', 'procedures'],
  marker: ['orders'],
  encounter: ['encounters'],
  medication: ['medications', 'medicationStatements'],
  report: ['reports'],
};

/**
 * Compiles and cross-checks the files of a knowledge folder.
 *
 * @param mistake Called with the place (`facts.yaml feverItem.where`) and what is wrong there; all mistakes are reported, none throws.
 */
export function compileGuideline(
  files: KnowledgeFiles,
  hash: string,
  mistake: (place: string, what: string) => void,
): CompiledGuideline {
  const { guideline: head, concepts } = files;
  const parameterNames = new Set(Object.keys(head.parameters));
  const factNames = new Set(Object.keys(files.facts));
  const ledgerIds = new Set(files.ledger.map((entry) => entry.id));
  const ruleIds = files.rules.map((rule) => rule.id);
  const knownNames = new Set([...parameterNames, ...factNames, ...patientNames, ...ledgerIds]);
  const topicIds = Object.keys(head.topics);

  const labels = new Map<string, { da: string; en: string }>();
  for (const list of [concepts.analyses, concepts.conditions, concepts.procedures, concepts.drugs]) {
    for (const { id, da, en } of list) labels.set(id, { da, en });
  }
  const reportRepeated = (place: string, list: readonly { id: string }[], seen = new Set<string>()): void => {
    for (const { id } of list) {
      if (seen.has(id)) mistake(`${place} ${id}`, 'the id is used twice');
      seen.add(id);
    }
  };
  const labelled = new Set<string>();
  for (const [list, each] of Object.entries(concepts)) {
    const isApart = list === 'sites' || list === 'pathways';
    reportRepeated(`concepts/${list}.yaml`, each, isApart ? new Set() : labelled);
  }
  reportRepeated('ledger.yaml', files.ledger);
  reportRepeated('rules', files.rules);
  reportRepeated('guideline.yaml services', head.services);
  const siteLabels = new Map(concepts.sites.map(({ id, da, en }) => [id, { da, en }]));
  // A pathway code of a family that no source names (lookup.ts).
  const pathwayIds = new Set([...concepts.pathways.map((pathway) => pathway.id), 'other-pathway']);

  const expression = (place: string, text: string, context: 'reading' | 'facts'): Expression => {
    const compiled = compileExpression(text, (what) => mistake(place, what));
    for (const used of compiled.names) {
      if (!knownNames.has(used))
        mistake(place, `%${used} is neither a fact, a parameter, a ledger id nor of the patient`);
    }
    for (const member of compiled.members) {
      if (context === 'facts') mistake(place, `'${member}' without %: expressions over facts read names only`);
      else if (!readingMembers.has(member)) mistake(place, `'${member}' is not a member of a reading`);
    }
    return compiled;
  };
  const over = (place: string) => (text: string) => expression(place, text, 'facts');
  const parameterAt = (place: string, name: string | undefined): void => {
    if (name !== undefined && !parameterNames.has(name))
      mistake(place, `parameter ${name} is not declared in guideline.yaml`);
  };
  const factAt = (place: string, name: string): void => {
    if (!factNames.has(name)) mistake(place, `fact ${name} is not declared in facts.yaml`);
  };
  const rulesMatching = (place: string, patterns: readonly string[]): Set<string> => {
    const found = new Set<string>();
    for (const pattern of patterns) {
      const matching = pattern.endsWith('*') ? ruleIds.filter((id) => id.startsWith(pattern.slice(0, -1))) : [pattern];
      if (matching.length === 0 || (!pattern.endsWith('*') && !ruleIds.includes(pattern))) {
        mistake(place, `no rule ${pattern}`);
      }
      for (const id of matching) found.add(id);
    }
    return found;
  };

  for (const [id, entry] of Object.entries(head.parameters)) {
    if (factNames.has(id) || patientNames.has(id))
      mistake(`guideline.yaml parameters.${id}`, 'a fact has the same name');
    if (entry.ledger !== undefined && !ledgerIds.has(entry.ledger)) {
      mistake(`guideline.yaml parameters.${id}`, `ledger ${entry.ledger} does not exist`);
    }
  }
  const analysisIds = new Set(concepts.analyses.map((analysis) => analysis.id));
  for (const [panel, lines] of Object.entries(head.panels)) {
    for (const [line, definition] of Object.entries(lines)) {
      const place = `guideline.yaml panels.${panel}.${line}`;
      parameterAt(place, definition.atLeast?.count);
      for (const id of conceptsOfLine(definition)) if (!analysisIds.has(id)) mistake(place, `no analysis ${id}`);
    }
  }

  const facts = new Map<string, CompiledFact>();
  for (const [name, definition] of Object.entries(files.facts)) {
    const place = `facts.yaml ${name}`;
    if (patientNames.has(name)) mistake(place, 'the name belongs to the patient');
    if ('read' in definition) {
      for (const parameter of [
        definition.within,
        definition.atLeast,
        definition.earlier?.olderThan,
        definition.earlier?.within,
      ]) {
        parameterAt(place, parameter);
      }
      for (const member of [definition.collect, definition.newest, definition.distinct, ...(definition.per ?? [])]) {
        if (member !== undefined && member !== 'line' && !readingMembers.has(member)) {
          mistake(place, `'${member}' is not a member of a reading`);
        }
      }
      for (const key of definition.needs ?? []) if (!(key in head.prefetch)) mistake(place, `no prefetch key ${key}`);
      for (const id of definition.of ?? []) {
        const isKnown = definition.read.includes('marker')
          ? pathwayIds.has(id)
          : labels.has(id) || (id === unclassifiedMedication && definition.read.includes('medication'));
        if (!isKnown) mistake(place, `no concept ${id}`);
      }
      if (definition.panel !== undefined && !(definition.panel in head.panels))
        mistake(place, `no panel ${definition.panel}`);
      if (definition.panel !== undefined && definition.of !== undefined) mistake(place, 'has both `of` and `panel`');
      if (definition.whole !== undefined && !labels.has(definition.whole))
        mistake(place, `no concept ${definition.whole}`);
      facts.set(name, {
        form: 'selection',
        name,
        definition,
        concepts:
          definition.of ??
          (definition.panel === undefined
            ? []
            : Object.values(head.panels[definition.panel] ?? {}).flatMap(conceptsOfLine)),
        keys: definition.needs ?? [...new Set(definition.read.flatMap((kind) => keysOfKind[kind]))],
        ...(definition.where !== undefined && { where: expression(`${place}.where`, definition.where, 'reading') }),
      });
    } else if ('is' in definition) {
      facts.set(name, {
        form: 'derived',
        name,
        is: expression(`${place}.is`, definition.is, 'facts'),
        ...(definition.unknownAs !== undefined && { unknownAs: definition.unknownAs }),
      });
    } else if ('value' in definition) {
      facts.set(name, { form: 'value', name, value: expression(`${place}.value`, definition.value, 'facts') });
    } else if ('without' in definition) {
      for (const other of definition.without) factAt(place, other);
      if (!(definition.panel in head.panels)) mistake(place, `no panel ${definition.panel}`);
      facts.set(name, { form: 'without', name, panel: definition.panel, without: definition.without });
    } else if ('met' in definition) {
      facts.set(name, {
        form: 'outcome',
        name,
        rules: [...rulesMatching(place, definition.met)],
        ...(definition.unknownAs !== undefined && { unknownAs: definition.unknownAs }),
      });
    } else {
      for (const key of definition.unread) if (!(key in head.prefetch)) mistake(place, `no prefetch key ${key}`);
      facts.set(name, { form: 'unread', name, keys: definition.unread });
    }
  }

  const explainedBy = new Map<string, readonly string[]>();
  for (const concept of [...concepts.analyses, ...concepts.conditions]) {
    if (concept.explainedBy === undefined) continue;
    for (const fact of concept.explainedBy) factAt(`concepts ${concept.id}.explainedBy`, fact);
    explainedBy.set(concept.id, concept.explainedBy);
  }

  const rules = new Map<string, CompiledRule>();
  for (const rule of files.rules) {
    const place = `rules ${rule.id}`;
    for (const id of rule.ledger ?? []) if (!ledgerIds.has(id)) mistake(place, `ledger ${id} does not exist`);
    const at = over(place);
    const guard = <T>(
      entries: readonly { if: string }[] | undefined,
      valueOfEntry: (entry: never) => T,
    ): Guarded<T>[] => (entries ?? []).map((entry) => ({ if: at(entry.if), value: valueOfEntry(entry as never) }));
    const cards = rule.card === undefined ? [] : Array.isArray(rule.card) ? rule.card : [rule.card];
    const compiled: CompiledRule = {
      id: rule.id,
      cards: [],
      title: rule.title,
      sections: rule.sections,
      ledger: rule.ledger ?? [],
      when: rule.when.map((condition) =>
        typeof condition === 'string'
          ? { expression: at(condition) }
          : { expression: at(condition.if), ...(condition.reason !== undefined && { reason: condition.reason }) },
      ),
    };
    for (const language of ['da', 'en'] as const) {
      const texts = files.texts[language];
      const inTexts = `texts/${language}.yaml`;
      if ((cards.length > 0 || rule.ask) && !texts.rules[rule.id]) mistake(inTexts, `rules.${rule.id} is missing`);
      if (rule.ask && !texts.rules[rule.id]?.ask) mistake(inTexts, `rules.${rule.id}.ask is missing`);
      for (const { label } of cards.flatMap((card) => card.suggest ?? [])) {
        if (!(label in texts.suggestions)) mistake(inTexts, `suggestions.${label} is missing`);
      }
      for (const { text } of cards.flatMap((card) => card.notes ?? []))
        if (!(text in texts.notes)) mistake(inTexts, `notes.${text} is missing`);
      for (const id of [...cards.flatMap((card) => card.missing ?? []), ...(rule.ask?.missing ?? [])]) {
        if (typeof id !== 'string' && !labels.has(id.id) && !(id.id in texts.missing))
          mistake(inTexts, `missing.${id.id} is missing`);
      }
    }
    for (const card of cards) {
      if (!topicIds.includes(card.topic)) mistake(place, `topic ${card.topic} is not declared in guideline.yaml`);
      for (const id of [card.pathway, ...(card.suggest ?? []).map((s) => s.refer)]) {
        if (id !== undefined && !pathwayIds.has(id)) mistake(place, `no pathway ${id}`);
      }
      for (const fact of card.evidence) factAt(place, fact);
      for (const entry of card.missing ?? []) if (typeof entry === 'string') factAt(place, entry);
      for (const { order, delete: deleted, update, reasons = [], support = [] } of card.suggest ?? []) {
        for (const fact of [deleted ?? [], update ?? [], reasons, support].flat()) factAt(place, fact);
        if (typeof order === 'string') factAt(place, order);
        else for (const id of order ?? []) if (!labels.has(id)) mistake(place, `no analysis or procedure ${id}`);
      }
      compiled.cards.push({
        ...(card.if !== undefined && { if: at(card.if) }),
        topic: card.topic,
        ...(card.pathway !== undefined && { pathway: card.pathway }),
        indicator: card.indicator ?? head.topics[card.topic]?.indicator ?? 'info',
        indicatorWhen: guard(card.indicatorWhen, (entry: { indicator: CompiledCard['indicator'] }) => entry.indicator),
        evidence: card.evidence,
        missing: (card.missing ?? []).map((entry) =>
          typeof entry === 'string' ? entry : { if: at(entry.if), value: entry.id },
        ),
        ...(card.registrationCode !== undefined && { registrationCode: card.registrationCode }),
        suggest: (card.suggest ?? []).map(({ unless, ...rest }) => ({
          ...rest,
          ...(unless !== undefined && { unless: at(unless) }),
        })),
        withhold: guard(card.withhold, (entry: { reason: string }) => entry.reason),
        notes: guard(card.notes, (entry: { text: string }) => entry.text),
        contact: card.contact ?? false,
      });
    }
    if (rule.ask) {
      if (cards.length === 0) mistake(place, '`ask` needs a `card` to take the topic from');
      compiled.ask = {
        if: at(rule.ask.if),
        indicator: rule.ask.indicator,
        missing: guard(rule.ask.missing, (entry: { id: string }) => entry.id),
      };
    }
    rules.set(rule.id, compiled);
  }

  const services = new Map<string, CompiledService>();
  for (const service of head.services) {
    const inService = rulesMatching(`guideline.yaml services.${service.id}`, service.rules);
    const place = `guideline.yaml services.${service.id}`;
    services.set(service.id, {
      ...service,
      rules: ruleIds.filter((id) => inService.has(id)),
      only: (service.only ?? []).map((entry) => ({
        if: over(place)(entry.if),
        rules: rulesMatching(place, entry.rules),
        ...(entry.indicator !== undefined && { indicator: entry.indicator }),
      })),
    });
  }

  for (const fact of [...head.standing.orders, ...head.standing.referrals, head.standing.drafted]) {
    factAt('guideline.yaml standing', fact);
  }

  for (const entry of files.ledger) {
    const place = `ledger.yaml ${entry.id}`;
    if (!entry.options.some((option) => option.key === entry.default))
      mistake(place, `default ${entry.default} is not an option`);
    for (const option of entry.options) for (const id of Object.keys(option.set ?? {})) parameterAt(place, id);
  }

  const cautions = Object.entries(files.cautions).map(([id, caution]) => {
    const place = `cautions.yaml ${id}`;
    for (const language of ['da', 'en'] as const) {
      if (!(id in files.texts[language].cautions)) mistake(`texts/${language}.yaml`, `cautions.${id} is missing`);
    }
    return {
      id,
      if: over(place)(caution.if),
      rules: rulesMatching(place, caution.rules),
      toldOnly: caution.toldOnly ?? false,
    };
  });

  for (const language of ['da', 'en'] as const) {
    const other = files.texts[language === 'da' ? 'en' : 'da'];
    for (const topic of topicIds) {
      if (!(topic in files.texts[language].topics)) mistake(`texts/${language}.yaml`, `topics.${topic} is missing`);
    }
    for (const part of ['labels', 'topics', 'rules', 'suggestions', 'cautions', 'notes', 'missing'] as const) {
      for (const key of Object.keys(other[part])) {
        if (!(key in files.texts[language][part])) mistake(`texts/${language}.yaml`, `${part}.${key} is missing`);
      }
    }
  }

  reportCycles(facts, rules, explainedBy, mistake);

  return {
    head,
    hash,
    services,
    facts,
    rules,
    gates: head.gates.map((gate, index) => ({
      if: over(`guideline.yaml gates[${index}]`)(gate.if),
      reason: gate.reason,
      topics: new Set((gate.topics ?? topicIds).filter((topic) => !gate.except?.includes(topic))),
    })),
    precedence: head.precedence.map((entry, index) => ({
      by: rulesMatching(`guideline.yaml precedence[${index}]`, entry.by),
      withholds: rulesMatching(`guideline.yaml precedence[${index}]`, entry.withholds),
    })),
    cautions,
    ledger: files.ledger,
    texts: files.texts,
    concepts,
    systems: files.systems,
    spellings: files.spellings,
    labels,
    siteLabels,
    says: new Map(Object.entries(files.facts).flatMap(([name, { says }]) => (says ? [[name, says]] : []))),
    explainedBy,
    analyses: new Map(concepts.analyses.map((analysis) => [analysis.id, analysis])),
    procedures: new Map(concepts.procedures.map((procedure) => [procedure.id, procedure])),
    pathways: new Map(concepts.pathways.map((pathway) => [pathway.id, pathway])),
    orderCodings: new Map([
      ...concepts.analyses.map(
        ({ id, codes }) => [id, preferredCodings(codes, ['npu', 'loinc'], files.systems)] as const,
      ),
      ...concepts.procedures.map(
        ({ id, codes }) => [id, preferredCodings(codes, ['sks', 'sct'], files.systems)] as const,
      ),
    ]),
    sortedKeys: new Set(
      Object.entries(head.prefetch)
        .filter(([, { template }]) => template.includes('_sort=-'))
        .map(([key]) => key),
    ),
  };
}

/** The first code of each system: the preferred one. */
function preferredCodings(
  codes: Analysis['codes'],
  names: readonly (keyof NonNullable<Analysis['codes']>)[],
  systems: KnowledgeFiles['systems'],
): { system: string; code: string }[] {
  return names.flatMap((name) => {
    const [system] = systems[name] ?? [];
    const code = codes?.[name]?.find((candidate) => !candidate.endsWith('*'));
    return system === undefined || code === undefined ? [] : [{ system, code }];
  });
}

/** The ids of the analyses a line of a panel can be satisfied by. */
export function conceptsOfLine(line: {
  any?: string[] | undefined;
  all?: string[] | undefined;
  atLeast?: { of: string[] } | undefined;
}): string[] {
  return [...(line.any ?? []), ...(line.all ?? []), ...(line.atLeast?.of ?? [])];
}

/** The names an expression, a fact or a rule needs directly. */
function dependencies(
  node: string,
  facts: ReadonlyMap<string, CompiledFact>,
  rules: ReadonlyMap<string, CompiledRule>,
  explainedBy: ReadonlyMap<string, readonly string[]>,
): string[] {
  const rule = rules.get(node);
  if (rule) return rule.when.flatMap((condition) => [...condition.expression.names]);
  const fact = facts.get(node);
  if (fact === undefined) return [];
  if (fact.form === 'derived') return [...fact.is.names];
  if (fact.form === 'value') return [...fact.value.names];
  if (fact.form === 'without') return [...fact.without];
  if (fact.form === 'outcome') return [...fact.rules];
  if (fact.form === 'unread') return [];
  const explained = fact.where?.members.includes('explained')
    ? fact.concepts.flatMap((concept) => explainedBy.get(concept) ?? [])
    : [];
  return [...(fact.where?.names ?? []), ...explained];
}

function reportCycles(
  facts: ReadonlyMap<string, CompiledFact>,
  rules: ReadonlyMap<string, CompiledRule>,
  explainedBy: ReadonlyMap<string, readonly string[]>,
  mistake: (place: string, what: string) => void,
): void {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): void => {
    if (done.has(node)) return;
    if (path.includes(node)) {
      mistake(
        facts.has(node) ? `facts.yaml ${node}` : `rules ${node}`,
        `depends on itself: ${[...path.slice(path.indexOf(node)), node].join(' -> ')}`,
      );
      return;
    }
    path.push(node);
    for (const next of dependencies(node, facts, rules, explainedBy)) visit(next);
    path.pop();
    done.add(node);
  };
  for (const name of [...facts.keys(), ...rules.keys()]) visit(name);
}
