import type {
  CompiledCard,
  CompiledFact,
  CompiledGuideline,
  CompiledRule,
  CompiledService,
  CompiledSuggestion,
  Language,
} from '../engine/guideline.ts';
import { findWords, type PlainWords } from '../engine/plain-words.ts';
import { describeArtefact, type FhirResource, type Labels, translate } from './fhir-artefact.ts';

type Words = Readonly<Record<Language, PlainWords>>;

function bothLanguages<T>(make: (language: Language) => T): Readonly<Record<Language, T>> {
  return { da: make('da'), en: make('en') };
}

interface FhirCoding {
  system: string;
  code: string;
  display: string;
}

const definitionTopic = 'http://terminology.hl7.org/CodeSystem/definition-topic';
const libraryType = 'http://terminology.hl7.org/CodeSystem/library-type';
const actionType = 'http://terminology.hl7.org/CodeSystem/action-type';
const planType = 'http://terminology.hl7.org/CodeSystem/plan-definition-type';

/** R4 request priorities that stand for the indicators of cards. */
const priorities = { info: 'routine', warning: 'urgent', critical: 'stat' } as const;

/**
 * Writes the knowledge of a guideline as FHIR: a Library of the named facts, a PlanDefinition per decision, one per
 * service that says which decisions it makes, one of the cautions, and an ActivityDefinition per thing suggested.
 *
 * Conditions are the rules' own FHIRPath over the facts (`%name`), three-valued: empty is unknown.
 */
export function exportKnowledge(guideline: CompiledGuideline): FhirResource[] {
  const words = bothLanguages((language) => findWords(guideline, language, (name, says) => `${says} (%${name})`));
  const rules = [...guideline.rules.values()];
  return [
    exportFacts(guideline, words),
    ...rules.map((rule) => exportRule(guideline, rule, words)),
    ...[...guideline.services.values()].map((service) => exportService(guideline, service)),
    exportCautions(guideline),
    ...exportActivities(guideline, rules),
  ];
}

function libraryUrl({ head }: CompiledGuideline): string {
  return `${head.canonical}/Library/${head.id}-facts`;
}

function exportFacts(guideline: CompiledGuideline, words: Words): FhirResource {
  const { head, facts } = guideline;
  const extension = (name: string, value: object): object => ({
    url: `${head.canonical}/StructureDefinition/${name}`,
    ...value,
  });
  return {
    ...describeArtefact(
      guideline,
      'Library',
      `${head.id}-facts`,
      { en: `${head.title.en}: facts`, da: `${head.title.da}: fakta` },
      {
        en: 'The named facts that conditions are written over (`out`), the numbers they use, and what is known of the patient (`in`). A truth that cannot be decided from what was read is empty. What rests on a list that is not known is itself not known, but for `and` and `or` where the other side decides, and `iif` where the branch taken does not name it. The attachment holds which patients get no cards, which decisions withhold the cards of others, and which facts tell what stands already and is not suggested again.',
        da: 'De navngivne fakta som betingelser skrives over (`out`), de tal de bruger, og det der vides om patienten (`in`). En sandhedsværdi der ikke kan afgøres af det læste, er tom. Det der hviler på en liste der ikke er kendt, er heller ikke kendt, undtagen ved `and` og `or` hvor den anden side afgør det, og ved `iif` hvor den gren der følges, ikke nævner den. Den vedhæftede fil rummer hvilke patienter der ikke får kort, hvilke beslutninger der holder andres kort tilbage, og hvilke fakta der fortæller hvad der allerede er bestilt og ikke foreslås igen.',
      },
    ),
    type: { coding: [{ system: libraryType, code: 'logic-library' }] },
    relatedArtifact: [{ type: 'derived-from', display: `${head.title.en}, ${head.edition}`, url: head.url }],
    parameter: [
      ...patientParameters,
      ...Object.entries(head.parameters).map(([name, { value, unit, section, ledger }]) => ({
        extension: [extension('parameter-value', { valueQuantity: { value, unit } })],
        name,
        use: 'in',
        type: 'decimal',
        documentation: `${value} ${unit}: ${[section && `section ${section}`, ledger].filter(Boolean).join(', ')}`,
      })),
      ...guideline.ledger.map(({ id, question, default: chosen }) => ({
        name: id,
        use: 'in',
        min: 1,
        type: 'code',
        documentation: `${question.en} Chosen unless a client overrides it: ${chosen}.`,
      })),
      ...[...facts.values()].map((fact) => ({
        extension: [extension('fact-definition', { valueString: JSON.stringify(defineFact(fact)) })],
        name: fact.name,
        use: 'out',
        max: isListFact(fact) ? '*' : '1',
        type: isListFact(fact) ? 'string' : 'boolean',
        documentation: `${words.en.saysOf(fact.name)}: ${words.en.ofFact(fact.name)}`,
        _documentation: translate(`${words.da.saysOf(fact.name)}: ${words.da.ofFact(fact.name)}`),
      })),
    ],
    content: [
      {
        contentType: 'application/json',
        title: 'gates, precedence and what stands already',
        data: Buffer.from(
          JSON.stringify({
            gates: guideline.gates.map(({ if: condition, reason, topics }) => ({
              if: condition.text,
              reason,
              topics: [...topics],
            })),
            precedence: guideline.precedence.map(({ by, withholds }) => ({ by: [...by], withholds: [...withholds] })),
            standing: head.standing,
          }),
        ).toString('base64'),
      },
    ],
  };
}

const patientParameters = [
  {
    name: 'age',
    use: 'in',
    min: 0,
    max: '1',
    type: 'integer',
    documentation: 'Full years on the day of the decision.',
  },
  { name: 'sex', use: 'in', min: 0, max: '1', type: 'code', documentation: 'female or male.' },
  {
    name: 'daysSinceBirthday',
    use: 'in',
    min: 0,
    max: '1',
    type: 'integer',
    documentation: 'Calendar days since the last birthday.',
  },
  { name: 'deceased', use: 'in', min: 1, max: '1', type: 'boolean', documentation: 'Whether the patient has died.' },
  {
    name: 'configured',
    use: 'in',
    min: 0,
    max: '*',
    type: 'string',
    documentation: 'Concepts the client has configured codes of its own for.',
  },
  {
    name: 'checklist',
    use: 'in',
    min: 1,
    max: '1',
    type: 'boolean',
    documentation: 'Whether the client wants to be told what a referral lacks while it is written.',
  },
];

function isListFact(fact: CompiledFact): boolean {
  if (fact.form === 'selection') {
    const { collect, newest, panel, atLeast } = fact.definition;
    return collect !== undefined || newest !== undefined || (panel !== undefined && atLeast === undefined);
  }
  return fact.form === 'value' || fact.form === 'without' || fact.form === 'unread';
}

/** The definition of a fact as in facts.yaml. */
export function defineFact(fact: CompiledFact): object {
  switch (fact.form) {
    case 'selection': {
      const { says: _, ...definition } = fact.definition;
      return definition;
    }
    case 'derived':
      return { is: fact.is.text, ...(fact.unknownAs !== undefined && { unknownAs: fact.unknownAs }) };
    case 'value':
      return { value: fact.value.text };
    case 'without':
      return { panel: fact.panel, without: fact.without };
    case 'outcome':
      return { met: fact.rules, ...(fact.unknownAs !== undefined && { unknownAs: fact.unknownAs }) };
    case 'unread':
      return { unread: fact.keys };
  }
}

function fhirpath(expression: string): object {
  return { language: 'text/fhirpath', expression };
}

function applies(expression: string): object {
  return { kind: 'applicability', expression: fhirpath(expression) };
}

function describePlan(
  guideline: CompiledGuideline,
  id: string,
  type: 'eca-rule' | 'workflow-definition',
  title: Labels,
  description: Labels,
): FhirResource {
  return {
    ...describeArtefact(guideline, 'PlanDefinition', id, title, description),
    type: { coding: [{ system: planType, code: type }] },
    topic: [{ coding: [{ system: definitionTopic, code: 'assessment' }] }],
    library: [libraryUrl(guideline)],
  };
}

/** Sections of the guideline and entries of the ledger a decision rests on. */
function cite({ head, ledger }: CompiledGuideline, sections: readonly string[], entries: readonly string[]): object[] {
  return [
    ...sections.map((section) => ({
      type: 'citation',
      label: section,
      display: `${head.title.en}, ${head.edition}: ${section}`,
      url: head.url,
    })),
    ...entries.flatMap((id) => {
      const entry = ledger.find((candidate) => candidate.id === id);
      if (entry === undefined) return [];
      const chosen = entry.options.find(({ key }) => key === entry.default);
      return [{ type: 'justification', label: id, display: `${entry.question.en} ${chosen?.en ?? entry.default}` }];
    }),
  ];
}

function exportRule(guideline: CompiledGuideline, rule: CompiledRule, words: Words): FhirResource {
  const { head, texts } = guideline;
  const url = (name: string): string => `${head.canonical}/StructureDefinition/${name}`;
  return {
    ...describePlan(guideline, rule.id.toLowerCase(), 'eca-rule', rule.title, {
      en: `Decision ${rule.id}: met when every condition holds, not met when one does not, otherwise unknown.`,
      da: `Beslutning ${rule.id}: opfyldt når alle betingelser holder, ikke opfyldt når én ikke gør, ellers ukendt.`,
    }),
    action: [
      {
        id: rule.id,
        title: rule.title.en,
        _title: translate(rule.title.da),
        code: [{ coding: [coding(guideline, 'decision', rule.id, rule.title)] }],
        documentation: cite(guideline, rule.sections, rule.ledger),
        condition: rule.when.map(({ expression, reason }) => ({
          ...(reason !== undefined && { extension: [{ url: url('decision-reason'), valueCode: reason }] }),
          kind: 'applicability',
          expression: {
            description: words.en.ofExpression(expression.text),
            _description: translate(words.da.ofExpression(expression.text)),
            ...fhirpath(expression.text),
          },
        })),
        action: [
          ...rule.cards.map((card) => exportCard(guideline, rule, card)),
          ...(rule.ask === undefined
            ? []
            : [
                {
                  ...textsOf(texts.da.rules[rule.id]?.ask, texts.en.rules[rule.id]?.ask),
                  description: 'When the decision is unknown: what is to be found out.',
                  priority: priorities[rule.ask.indicator],
                  condition: [applies(rule.ask.if.text)],
                },
              ]),
        ],
      },
    ].map(withoutEmptyLists),
  };
}

function textsOf(
  da: string | undefined,
  en: string | undefined,
): { textEquivalent?: string; _textEquivalent?: object } {
  return en === undefined ? {} : { textEquivalent: en, ...(da !== undefined && { _textEquivalent: translate(da) }) };
}

function coding({ head }: CompiledGuideline, system: string, code: string, labels: Labels): FhirCoding {
  return { system: `${head.canonical}/CodeSystem/${system}`, code, display: labels.en };
}

function withholdWhen({ head }: CompiledGuideline, condition: string, reason: string): object {
  return {
    url: `${head.canonical}/StructureDefinition/withheld-when`,
    extension: [
      { url: 'condition', valueExpression: fhirpath(condition) },
      { url: 'reason', valueCode: reason },
    ],
  };
}

function exportCard(guideline: CompiledGuideline, rule: CompiledRule, card: CompiledCard): object {
  const { texts, pathways } = guideline;
  const pathway = card.pathway === undefined ? undefined : pathways.get(card.pathway);
  const topic = { da: texts.da.topics[card.topic] ?? card.topic, en: texts.en.topics[card.topic] ?? card.topic };
  const priority = card.indicatorWhen.reduceRight(
    (otherwise, { if: condition, value }) => `iif(${condition.text}, '${priorities[value]}', ${otherwise})`,
    `'${priorities[card.indicator]}'`,
  );
  return withoutEmptyLists({
    extension: card.withhold.map(({ if: condition, value }) => withholdWhen(guideline, condition.text, value)),
    ...textsOf(texts.da.rules[rule.id]?.summary, texts.en.rules[rule.id]?.summary),
    description: texts.en.rules[rule.id]?.detail,
    priority: priorities[card.indicator],
    code: [
      { coding: [coding(guideline, 'card-topic', card.topic, topic)] },
      ...(pathway === undefined ? [] : [{ coding: [coding(guideline, 'pathway', pathway.code, pathway)] }]),
    ],
    condition: card.if === undefined ? [] : [applies(card.if.text)],
    selectionBehavior: card.suggest.length > 0 ? 'any' : undefined,
    dynamicValue: card.indicatorWhen.length > 0 ? [{ path: 'priority', expression: fhirpath(priority) }] : [],
    action: card.suggest.map((suggestion) => exportSuggestion(guideline, suggestion)),
  });
}

/**
 * One suggestion: what it does stands below it, each with the condition under which it is among them.
 *
 * Drafts that a suggestion deletes or completes are those behind a fact; they are no activity of their own.
 */
function exportSuggestion(guideline: CompiledGuideline, suggestion: CompiledSuggestion): object {
  const { texts, head } = guideline;
  const { label, order, refer, unless, delete: deleted, update } = suggestion;
  const activity = (id: string): string => `${head.canonical}/ActivityDefinition/${id}`;
  const ordered = typeof order === 'string' ? possibleOrders(guideline, order) : (order ?? []);
  const drafts = (type: 'remove' | 'update', facts: string | string[] | undefined): object[] =>
    [facts ?? []].flat().map((fact) => ({
      type: { coding: [{ system: actionType, code: type }] },
      description: `The drafts behind the fact ${fact}.`,
    }));
  return withoutEmptyLists({
    title: texts.en.suggestions[label] ?? label,
    _title: translate(texts.da.suggestions[label] ?? label),
    // What is not known to be done is suggested only when it is known not to be done.
    condition: unless === undefined ? [] : [applies(`(${unless.text}).not()`)],
    groupingBehavior: 'logical-group',
    selectionBehavior: 'all',
    precheckBehavior: suggestion.recommended ? 'yes' : undefined,
    action: [
      ...drafts('remove', deleted),
      ...drafts('update', update),
      ...(refer === undefined ? [] : [{ definitionCanonical: activity(`refer-${refer}`) }]),
      ...ordered.map((id) => ({
        ...(typeof order === 'string' && { condition: [applies(`%${order} contains '${id}'`)] }),
        definitionCanonical: activity(`order-${id}`),
      })),
    ],
  });
}

/** Everything to order that a fact of values can give: the lines of its panel, else the ids its expression names. */
function possibleOrders(guideline: CompiledGuideline, name: string): string[] {
  const { analyses, procedures } = guideline;
  return possibleValues(guideline, name).filter((id) => analyses.has(id) || procedures.has(id));
}

function possibleValues(guideline: CompiledGuideline, name: string): string[] {
  const fact = guideline.facts.get(name);
  if (fact?.form === 'without') return Object.keys(guideline.head.panels[fact.panel] ?? {});
  if (fact?.form === 'selection') {
    const { panel } = fact.definition;
    return panel === undefined ? [...fact.concepts] : Object.keys(guideline.head.panels[panel] ?? {});
  }
  if (fact?.form !== 'value') return [];
  const named = [...fact.value.text.matchAll(/'([a-z0-9-]+)'/g)].map(([, id = '']) => id);
  const inner = fact.value.names.flatMap((other) => possibleValues(guideline, other));
  return [...new Set([...named.filter((id) => guideline.labels.has(id)), ...inner])];
}

function exportActivities(guideline: CompiledGuideline, rules: readonly CompiledRule[]): FhirResource[] {
  const refers = new Set<string>();
  const orders = new Set<string>();
  for (const { refer, order } of rules.flatMap(({ cards }) => cards.flatMap(({ suggest }) => suggest))) {
    if (refer !== undefined) refers.add(refer);
    for (const id of typeof order === 'string' ? possibleOrders(guideline, order) : (order ?? [])) orders.add(id);
  }
  const activity = (id: string, title: Labels, codings: readonly FhirCoding[]): FhirResource => ({
    ...describeArtefact(guideline, 'ActivityDefinition', id, title, {
      en: 'A draft that a card suggests; the clinician decides whether it is sent.',
      da: 'En kladde som et kort foreslår; klinikeren afgør om den sendes.',
    }),
    kind: 'ServiceRequest',
    profile: `${guideline.head.canonical}/StructureDefinition/suggested-order`,
    code: { coding: codings },
    intent: 'proposal',
  });
  return [
    ...[...refers].sort().flatMap((id) => {
      const pathway = guideline.pathways.get(id);
      if (pathway === undefined) return [];
      const title = { en: `Refer: ${pathway.en}`, da: `Henvis: ${pathway.da}` };
      return [activity(`refer-${id}`, title, [coding(guideline, 'pathway', pathway.code, pathway)])];
    }),
    ...[...orders].sort().flatMap((id) => {
      const labels = guideline.labels.get(id);
      if (labels === undefined) return [];
      const title = { en: `Order: ${labels.en}`, da: `Bestil: ${labels.da}` };
      return [activity(`order-${id}`, title, orderCodings(guideline, id))];
    }),
  ];
}

/** The codings of a suggested order: analyses in NPU and LOINC, investigations in SKS and SNOMED CT. */
function orderCodings(guideline: CompiledGuideline, id: string): FhirCoding[] {
  const display = guideline.labels.get(id)?.en ?? id;
  return (guideline.orderCodings.get(id) ?? []).map((coding) => ({ ...coding, display }));
}

function exportService(guideline: CompiledGuideline, service: CompiledService): FhirResource {
  const { head, rules } = guideline;
  // Decided whatever was asked; its card is sent only when the order is about it, and then no more urgent than said.
  const onlyWhen = (id: string): object => {
    const entries = service.only.filter(({ rules: named }) => named.has(id));
    const most = entries.flatMap(({ indicator }) => indicator ?? [])[0];
    return withoutEmptyLists({
      extension: entries.map((entry) => withholdWhen(guideline, `(${entry.if.text}).not()`, 'not-asked-for')),
      priority: most === undefined ? undefined : priorities[most],
    });
  };
  return {
    ...describePlan(guideline, service.id, 'workflow-definition', service.title, service.description),
    action: [
      {
        trigger: [{ type: 'named-event', name: service.hook }],
        title: service.title.en,
        _title: translate(service.title.da),
        action: service.rules.flatMap((id) => {
          const rule = rules.get(id);
          return rule === undefined
            ? []
            : [
                {
                  ...onlyWhen(id),
                  id,
                  title: rule.title.en,
                  _title: translate(rule.title.da),
                  definitionCanonical: `${head.canonical}/PlanDefinition/${id.toLowerCase()}`,
                },
              ];
        }),
      },
    ],
  };
}

function exportCautions(guideline: CompiledGuideline): FhirResource {
  const { cautions, texts } = guideline;
  return {
    ...describePlan(
      guideline,
      'cautions',
      'eca-rule',
      { en: 'Cautions', da: 'Forbehold' },
      {
        en: 'Sentences added to cards while their condition holds. They never change an outcome.',
        da: 'Sætninger som føjes til kort når deres betingelse holder. De ændrer aldrig et udfald.',
      },
    ),
    action: cautions.map((caution) => ({
      id: caution.id,
      title: caution.id,
      ...textsOf(texts.da.cautions[caution.id], texts.en.cautions[caution.id]),
      reason: [...caution.rules].flatMap((id) => {
        const rule = guideline.rules.get(id);
        return rule === undefined ? [] : [{ coding: [coding(guideline, 'decision', id, rule.title)] }];
      }),
      condition: [applies(caution.if.text)],
    })),
  };
}

/** FHIR JSON has no empty arrays and no members without a value. */
function withoutEmptyLists(value: object): object {
  return Object.fromEntries(
    Object.entries(value).filter(
      ([, member]) => member !== undefined && !(Array.isArray(member) && member.length === 0),
    ),
  );
}
