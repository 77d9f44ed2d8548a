import type { Analysis } from './concepts.ts';
import { compileExpression, type Expression } from './expression.ts';
import type {
  CompiledFact,
  CompiledGuideline,
  CompiledRule,
  CompiledService,
  Guarded,
  KnowledgeFiles,
  LedgerEntry,
  ReportMistake,
} from './guideline.ts';
import { unclassifiedMedication } from './readers/medications.ts';
import type { RuleDefinition } from './schema.ts';
import type { Patient, Reading, ReadingKind } from './types.ts';

const membersOfReading = {
  abnormal: true,
  atLeast: true,
  atMost: true,
  certainty: true,
  class: true,
  code: true,
  coded: true,
  concept: true,
  contentAbsent: true,
  contentPresent: true,
  count: true,
  current: true,
  date: true,
  daysAgo: true,
  draft: true,
  exact: true,
  flag: true,
  kind: true,
  modality: true,
  onsetDaysAgo: true,
  open: true,
  origin: true,
  outsideBy: true,
  positive: true,
  prescription: true,
  reference: true,
  requisition: true,
  role: true,
  selected: true,
  side: true,
  sites: true,
  size: true,
  specialties: true,
  stage: true,
  status: true,
  statusGiven: true,
  study: true,
  system: true,
  tender: true,
  unit: true,
  value: true,
} satisfies Record<keyof Reading, true>;

/** What FHIRPath over a reading may name: its members, and what facts add. */
const readingMembers: ReadonlySet<string> = new Set([
  ...Object.keys(membersOfReading),
  'earlierAbnormal',
  'explained',
  'group',
  'hasEarlier',
  'lastClosing',
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
export function compileGuideline(files: KnowledgeFiles, hash: string, mistake: ReportMistake): CompiledGuideline {
  const { guideline: head, concepts } = files;
  const topicIds = Object.keys(head.topics);
  const checks = createChecks(files, mistake);
  const { expression, rulesMatching } = checks;

  reportRepeatedIds(files, mistake);
  checkNumbers(files, checks);
  const facts = compileFacts(files, checks);
  const explainedBy = compileExplanations(files, checks);
  const rules = compileRules(files, checks);
  const services = compileServices(files, checks);
  for (const fact of [...head.standing.orders, ...head.standing.referrals, head.standing.drafted]) {
    checks.factAt('guideline.yaml standing', fact);
  }
  const cautions = Object.entries(files.cautions).map(([id, caution]) => {
    const place = `cautions.yaml ${id}`;
    return {
      id,
      if: expression(place, caution.if, 'facts'),
      rules: rulesMatching(place, caution.rules),
      toldOnly: caution.toldOnly ?? false,
    };
  });
  checkLedger(files.ledger, checks);
  checkTexts(files, checks);
  reportCycles(facts, rules, explainedBy, mistake);

  return {
    head,
    hash,
    services,
    facts,
    rules,
    gates: head.gates.map((gate, index) => ({
      if: expression(`guideline.yaml gates[${index}]`, gate.if, 'facts'),
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
    labels: checks.labels,
    siteLabels: new Map(concepts.sites.map(({ id, da, en }) => [id, { da, en }])),
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

/** What facts and rules may name, and how what they name is looked for. */
type Checks = ReturnType<typeof createChecks>;

function createChecks(files: KnowledgeFiles, mistake: ReportMistake) {
  const { guideline: head, concepts } = files;
  const parameterNames = new Set(Object.keys(head.parameters));
  const factNames = new Set(Object.keys(files.facts));
  const ledgerIds = new Set(files.ledger.map((entry) => entry.id));
  const ruleIds = files.rules.map((rule) => rule.id);
  const knownNames = new Set([...parameterNames, ...factNames, ...patientNames, ...ledgerIds]);
  const labels = new Map<string, { da: string; en: string }>();
  for (const list of [concepts.analyses, concepts.conditions, concepts.procedures, concepts.drugs]) {
    for (const { id, da, en } of list) labels.set(id, { da, en });
  }
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

  return { mistake, labels, pathwayIds, factNames, ledgerIds, ruleIds, expression, parameterAt, factAt, rulesMatching };
}

function reportRepeatedIds(files: KnowledgeFiles, mistake: ReportMistake): void {
  const reportRepeated = (place: string, list: readonly { id: string }[], seen = new Set<string>()): void => {
    for (const { id } of list) {
      if (seen.has(id)) mistake(`${place} ${id}`, 'the id is used twice');
      seen.add(id);
    }
  };
  const labelled = new Set<string>();
  for (const [list, each] of Object.entries(files.concepts)) {
    const isApart = list === 'sites' || list === 'pathways';
    reportRepeated(`concepts/${list}.yaml`, each, isApart ? new Set() : labelled);
  }
  reportRepeated('ledger.yaml', files.ledger);
  reportRepeated('rules', files.rules);
  reportRepeated('guideline.yaml services', files.guideline.services);
}

/** Parameters and panels. */
function checkNumbers({ guideline: head, concepts }: KnowledgeFiles, checks: Checks): void {
  const { mistake, factNames, ledgerIds, parameterAt } = checks;
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
}

function checkLedger(ledger: readonly LedgerEntry[], { mistake, parameterAt }: Checks): void {
  for (const entry of ledger) {
    const place = `ledger.yaml ${entry.id}`;
    if (!entry.options.some((option) => option.key === entry.default))
      mistake(place, `default ${entry.default} is not an option`);
    for (const option of entry.options) for (const id of Object.keys(option.set ?? {})) parameterAt(place, id);
  }
}

function compileFacts(files: KnowledgeFiles, checks: Checks): Map<string, CompiledFact> {
  const { guideline: head } = files;
  const { mistake, labels, pathwayIds, expression, parameterAt, factAt, rulesMatching } = checks;
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
      if (definition.within !== undefined) parameterAt(place, definition.within);
      facts.set(name, {
        form: 'unread',
        name,
        keys: definition.unread,
        ...(definition.within !== undefined && { within: definition.within }),
      });
    }
  }
  return facts;
}

function compileExplanations({ concepts }: KnowledgeFiles, { factAt }: Checks): Map<string, readonly string[]> {
  const explainedBy = new Map<string, readonly string[]>();
  for (const concept of [...concepts.analyses, ...concepts.conditions]) {
    if (concept.explainedBy === undefined) continue;
    for (const fact of concept.explainedBy) factAt(`concepts ${concept.id}.explainedBy`, fact);
    explainedBy.set(concept.id, concept.explainedBy);
  }
  return explainedBy;
}

function cardsOf({ card }: RuleDefinition) {
  return card === undefined ? [] : Array.isArray(card) ? card : [card];
}

function compileRules(files: KnowledgeFiles, checks: Checks): Map<string, CompiledRule> {
  const { guideline: head } = files;
  const { mistake, labels, pathwayIds, ledgerIds, expression, factAt } = checks;
  const rules = new Map<string, CompiledRule>();
  for (const rule of files.rules) {
    const place = `rules ${rule.id}`;
    const cited = [
      ...(rule.ledger ?? []),
      ...cardsOf(rule).flatMap(({ notes = [] }) => notes.flatMap((note) => note.ledger ?? [])),
    ];
    for (const id of cited) if (!ledgerIds.has(id)) mistake(place, `ledger ${id} does not exist`);
    const at = (text: string) => expression(place, text, 'facts');
    const guard = <E extends { if: string }, T>(
      entries: readonly E[] | undefined,
      valueIn: (entry: E) => T,
    ): Guarded<T>[] => (entries ?? []).map((entry) => ({ if: at(entry.if), value: valueIn(entry) }));
    const cards = cardsOf(rule);
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
    for (const card of cards) {
      if (!(card.topic in head.topics)) mistake(place, `topic ${card.topic} is not declared in guideline.yaml`);
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
        indicatorWhen: guard(card.indicatorWhen, (entry) => entry.indicator),
        evidence: card.evidence,
        missing: (card.missing ?? []).map((entry) =>
          typeof entry === 'string' ? entry : { if: at(entry.if), value: entry.id },
        ),
        ...(card.registrationCode !== undefined && { registrationCode: card.registrationCode }),
        suggest: (card.suggest ?? []).map(({ unless, ...rest }) => ({
          ...rest,
          ...(unless !== undefined && { unless: at(unless) }),
        })),
        withhold: guard(card.withhold, (entry) => entry.reason),
        notes: (card.notes ?? []).map(({ if: condition, text, ledger = [] }) => ({
          if: at(condition),
          value: text,
          ledger,
        })),
        contact: card.contact ?? false,
      });
    }
    if (rule.ask) {
      if (cards.length === 0) mistake(place, '`ask` needs a `card` to take the topic from');
      compiled.ask = {
        if: at(rule.ask.if),
        indicator: rule.ask.indicator,
        missing: guard(rule.ask.missing, (entry) => entry.id),
      };
    }
    rules.set(rule.id, compiled);
  }
  return rules;
}

function compileServices({ guideline: head }: KnowledgeFiles, checks: Checks): Map<string, CompiledService> {
  const { ruleIds, expression, rulesMatching } = checks;
  const services = new Map<string, CompiledService>();
  for (const service of head.services) {
    const inService = rulesMatching(`guideline.yaml services.${service.id}`, service.rules);
    const place = `guideline.yaml services.${service.id}`;
    services.set(service.id, {
      ...service,
      rules: ruleIds.filter((id) => inService.has(id)),
      only: (service.only ?? []).map((entry) => ({
        if: expression(place, entry.if, 'facts'),
        rules: rulesMatching(place, entry.rules),
        ...(entry.indicator !== undefined && { indicator: entry.indicator }),
      })),
    });
  }
  return services;
}

/** Both languages have the same texts, and every text that is named. */
function checkTexts(files: KnowledgeFiles, { mistake, labels }: Checks): void {
  for (const language of ['da', 'en'] as const) {
    const texts = files.texts[language];
    const other = files.texts[language === 'da' ? 'en' : 'da'];
    const inTexts = `texts/${language}.yaml`;
    for (const topic of Object.keys(files.guideline.topics)) {
      if (!(topic in texts.topics)) mistake(inTexts, `topics.${topic} is missing`);
    }
    for (const id of Object.keys(files.cautions)) {
      if (!(id in texts.cautions)) mistake(inTexts, `cautions.${id} is missing`);
    }
    for (const rule of files.rules) {
      const cards = cardsOf(rule);
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
    for (const part of ['labels', 'topics', 'rules', 'suggestions', 'cautions', 'notes', 'missing'] as const) {
      for (const key of Object.keys(other[part])) {
        if (!(key in texts[part])) mistake(inTexts, `${part}.${key} is missing`);
      }
    }
  }
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
  mistake: ReportMistake,
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
