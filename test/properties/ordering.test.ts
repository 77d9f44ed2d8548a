import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Card } from '../../src/engine/cards.ts';
import { createChartReader } from '../../src/engine/chart-reader.ts';
import { decide } from '../../src/engine/decide.ts';
import { indexDrafts } from '../../src/engine/readers/gather.ts';
import { type Action, deriveUuid, type Suggestion } from '../../src/engine/suggestions.ts';
import type { Chart, Sources } from '../../src/engine/types.ts';
import { buildContext, buildPrefetch, casePatientId, readSources } from '../cds-services/build-bundle.ts';
import { type Case, casesSchema } from '../cds-services/case.ts';
import { concepts, guideline } from '../cds-services/decide-cases.ts';
import { findResponseMistakes } from '../http/card-schema.ts';
import { findR4Mistakes } from '../http/r4.ts';

type Order = { resourceType: string; id: string } & Record<string, unknown>;

/** What is drafted and what of it was chosen, as the client holds it. */
interface Desk {
  drafts: readonly Order[];
  selected: ReadonlySet<string>;
}

const today = '2026-11-23';
const evaluation = '5f0e1c9a-3b1d-4c57-9a51-8d2f6b7c4e10';
const content = ['symptoms', 'rationale', 'patient-informed', 'consent', 'telephone'];
const weightLoss = { condition: 'unintended-weight-loss', onset: 35 };
const liverLesion = { imaging: 'us-abdomen', done: 4, findings: [{ finding: 'focal-liver-lesion', site: 'liver' }] };
const deepFinding = {
  imaging: 'us-abdomen',
  done: 4,
  findings: [{ finding: 'metastasis-retroperitoneum', site: 'retroperitoneum' }],
};

const patients: Readonly<Record<string, { patient: object; record: object[] }>> = {
  healthy: { patient: { sex: 'female', age: 62 }, record: [] },
  weightLoss: { patient: { sex: 'female', age: 62 }, record: [weightLoss] },
  answered: { patient: { sex: 'male', age: 70 }, record: [weightLoss, { results: 'trin1', taken: 5 }] },
  anaemic: {
    patient: { sex: 'female', age: 62 },
    record: [
      weightLoss,
      { results: 'trin1', taken: 20, except: ['haemoglobin'] },
      { result: 'haemoglobin', value: 6, taken: 20 },
    ],
  },
  young: { patient: { sex: 'male', age: 31 }, record: [weightLoss] },
  pregnant: { patient: { sex: 'female', age: 29 }, record: [weightLoss, { condition: 'pregnancy', recorded: 60 }] },
  hoarse: { patient: { sex: 'male', age: 64 }, record: [weightLoss, { condition: 'hoarseness', recorded: 9 }] },
  bleeding: { patient: { sex: 'male', age: 64 }, record: [{ condition: 'blood-in-stool', recorded: 9 }] },
  liver: { patient: { sex: 'male', age: 66 }, record: [{ results: 'trin1', taken: 5 }, liverLesion] },
  cirrhosis: {
    patient: { sex: 'male', age: 66 },
    record: [{ condition: 'liver-cirrhosis', recorded: 900 }, liverLesion],
  },
  deep: { patient: { sex: 'male', age: 66 }, record: [deepFinding, { code: 'AFD01A', at: 3 }] },
  deepAndPalpable: {
    patient: { sex: 'male', age: 66 },
    record: [deepFinding, { examination: 'lymphadenopathy-groin', taken: 4, size: 25, tender: false }],
  },
  brain: {
    patient: { sex: 'female', age: 59 },
    record: [{ imaging: 'mri-brain', done: 3, findings: [{ finding: 'metastasis-brain', site: 'brain' }] }],
  },
  lung: {
    patient: { sex: 'female', age: 59 },
    record: [
      weightLoss,
      { imaging: 'ct-chest', done: 4, findings: [{ finding: 'lung-infiltrate-malignant', site: 'lung' }] },
    ],
  },
  protein: { patient: { sex: 'female', age: 71 }, record: [{ result: 'm-component', detected: true, taken: 4 }] },
  axilla: {
    patient: { sex: 'female', age: 58 },
    record: [{ pathology: 'histology-adenocarcinoma', site: 'axilla', taken: 6 }],
  },
  inMas: { patient: { sex: 'female', age: 62 }, record: [weightLoss, { code: 'AFA01A', at: 9 }, liverLesion] },
  ordered: {
    patient: { sex: 'female', age: 62 },
    record: [
      weightLoss,
      { order: 'trin1', authored: 4, except: ['crp', 'ferritin'] },
      { order: 'ct-tab', authored: 4 },
    ],
  },
  admitted: {
    patient: { sex: 'male', age: 66 },
    record: [liverLesion, { encounter: 'IMP', at: 5, status: 'in-progress' }],
  },
  acute: {
    patient: { sex: 'male', age: 66 },
    record: [
      { condition: 'spinal-cord-compression', recorded: 1 },
      {
        imaging: 'mri-whole-body',
        done: 1,
        findings: [{ finding: 'metastasis-bone', site: 'bone', count: 'multiple' }],
      },
    ],
  },
};

const orders = [
  ...[
    'haemoglobin',
    'crp',
    'tsh',
    'ferritin',
    'ldh',
    'cobalamin',
    'cea',
    'psa',
    'ca125',
    'afp',
    'ifobt',
    'm-component',
  ],
  ...['fdg-pet-ct', 'ct-tab', 'ct-chest', 'ct-abdomen-pelvis', 'ct-neck', 'us-abdomen', 'xray-chest', 'mri-brain'],
  ...['biopsy-liver', 'biopsy-retroperitoneum', 'biopsy-brain', 'biopsy-lymph-node-groin', 'colonoscopy'],
];
const pool = [
  ...orders.map((order) => ({ order })),
  // A second one of the same, a biopsy that does not say of what, and one the guideline does not know
  { order: 'crp' },
  { order: 'biopsy', code: 'sct|86273004' },
  { order: 'knee-x-ray', code: 'sks|UXRG10' },
  ...['diagnostic-mas', 'diagnostic-mup', 'lung', 'breast', 'colorectal'].map((refer) => ({ refer })),
  { refer: 'diagnostic-mas', content },
  { refer: 'diagnostic-mup', content: ['rationale', 'telephone'] },
];
const foreign: Order = {
  resourceType: 'MedicationRequest',
  id: 'tablet',
  status: 'draft',
  intent: 'order',
  subject: { reference: `Patient/${casePatientId}` },
  medicationCodeableConcept: { coding: [{ system: 'http://www.nlm.nih.gov/research/umls/rxnorm', code: '617993' }] },
};

const readChart = createChartReader(guideline);
const sourcesOf = new Map<string, Sources>();
for (const [name, { patient, record }] of Object.entries(patients)) {
  const testCase = writeCase({ patient, record });
  sourcesOf.set(name, readSources(testCase, buildPrefetch(testCase, concepts)));
}

function writeCase(part: object): Case {
  const [testCase] = casesSchema.parse([
    { id: 'ORD-01 made', section: '3.2.3', today, record: [], patient: {}, expect: {}, ...part },
  ]);
  if (testCase === undefined) throw new Error('No case was made');
  return testCase;
}

const allDrafts: readonly Order[] = [
  ...(buildContext(writeCase({ drafts: pool }), concepts).draftOrders as { entry: { resource: Order }[] }).entry.map(
    ({ resource }) => resource,
  ),
  foreign,
];

const desk: fc.Arbitrary<Desk> = fc
  .shuffledSubarray([...allDrafts], { minLength: 1, maxLength: 8 })
  .chain((drafts) =>
    fc.subarray(drafts.map(nameOf), { minLength: 1 }).map((selected) => ({ drafts, selected: new Set(selected) })),
  );
const patient = fc.constantFrom(...Object.keys(patients));
const hook = fc.constantFrom<'order-select' | 'order-sign'>('order-select', 'order-sign');
const runs = { numRuns: 400 };

interface Answered {
  cards: Card[];
  chart: Chart;
  /** The references the answer may speak of. */
  selected: ReadonlySet<string>;
}

function answer(name: string, service: 'order-select' | 'order-sign', { drafts, selected }: Desk): Answered {
  const draftOrders = { resourceType: 'Bundle', type: 'collection', entry: drafts.map((resource) => ({ resource })) };
  const chart = readChart(sourcesOf.get(name) ?? {}, {
    today,
    patientId: casePatientId,
    drafts: draftOrders,
    ...(service === 'order-select' ? { selections: [...selected] } : { allSelected: true }),
  });
  const { cards } = decide(guideline, `diagnostisk-pakkeforloeb-${service}`, chart, {
    language: 'da',
    client: { ledger: {} },
    evaluation,
    subject: `Patient/${casePatientId}`,
    drafts: indexDrafts(draftOrders, casePatientId),
  });
  return { cards, chart, selected: service === 'order-sign' ? new Set(drafts.map(nameOf)) : selected };
}

function nameOf({ resourceType, id }: { resourceType: string; id: string }): string {
  return `${resourceType}/${id}`;
}

/** Does what actions say, as a FHIR transaction would; what is created gets an id and is chosen. */
function accept({ drafts, selected }: Desk, actions: readonly Action[]): Desk {
  const gone = new Set(actions.flatMap((action) => (action.type === 'delete' ? [action.resourceId] : [])));
  const updated = new Map(
    actions.flatMap((action) =>
      action.type === 'update' ? [[nameOf(action.resource as Order), action.resource as Order]] : [],
    ),
  );
  const created = actions.flatMap((action, at) =>
    action.type === 'create' ? [{ ...action.resource, id: `created-${drafts.length}-${at}` } as Order] : [],
  );
  const kept = drafts.filter((draft) => !gone.has(nameOf(draft))).map((draft) => updated.get(nameOf(draft)) ?? draft);
  return {
    drafts: [...kept, ...created],
    selected: new Set([...[...selected].filter((name) => !gone.has(name)), ...created.map(nameOf)]),
  };
}

/** Ids of what an order is for, as the service reads it. */
function conceptsOf(order: object): string[] {
  const { chart } = answer('healthy', 'order-sign', {
    drafts: [{ ...order, id: 'one' } as Order],
    selected: new Set(),
  });
  return chart.readings.map(({ concept }) => concept);
}

/** Ids of what is drafted or under way. */
function standing({ chart }: Answered): string[] {
  return chart.readings.flatMap(({ kind, role, status = '', concept }) =>
    (kind === 'order' || role === 'referral') && ['draft', 'active', 'on-hold'].includes(status) ? [concept] : [],
  );
}

const suggestionsOf = (cards: readonly Card[]): Suggestion[] => cards.flatMap(({ suggestions = [] }) => suggestions);
const decisionOf = (card: Card) =>
  card.extension['dk.diagnostisk-pakkeforloeb.decision'] as {
    decisions?: string[];
    missing?: string[];
    pathway?: string;
  };

/** The decision that made a suggestion. */
function makerOf(card: Card, { uuid }: Suggestion): string {
  const { decisions = [], pathway = '' } = decisionOf(card);
  const topic = card.source.topic.code;
  const maker = decisions.find((id) =>
    Object.keys(guideline.texts.da.suggestions).some(
      (label) => deriveUuid(evaluation, `suggestion ${topic} ${pathway} ${id} ${label}`) === uuid,
    ),
  );
  if (maker === undefined) throw new Error(`Nothing makes the suggestion ${uuid}`);
  return maker;
}

const runOver = (check: (name: string, service: 'order-select' | 'order-sign', desk: Desk) => void): void =>
  fc.assert(fc.property(patient, hook, desk, check), runs);

describe('whatever is drafted and chosen', () => {
  it('there are patients and drafts for a card of every decision of section 7', () => {
    const told = new Set(
      Object.keys(patients).flatMap((name) =>
        [...allDrafts.map((draft) => [draft]), allDrafts].flatMap((drafts) =>
          answer(name, 'order-sign', { drafts, selected: new Set() }).cards.flatMap(
            (card) => decisionOf(card).decisions,
          ),
        ),
      ),
    );
    const decided = [...guideline.rules.keys()].filter((id) => /^(ORD|REF)-/.test(id));
    expect(decided.filter((id) => !told.has(id))).toEqual([]);
  });

  it('nothing but the acute is said of a patient of whose drafts none is chosen', () => {
    runOver((name, _, { drafts }) => {
      const { cards } = answer(name, 'order-select', { drafts, selected: new Set() });
      expect(cards.map((card) => card.source.topic.code).filter((topic) => topic !== 'acute')).toEqual([]);
    });
  });

  it('chosen drafts alone are deleted or changed', () => {
    runOver((name, service, of) => {
      const { cards, selected } = answer(name, service, of);
      const changed = suggestionsOf(cards).flatMap(({ actions }) =>
        actions.flatMap((action) =>
          action.type === 'create'
            ? []
            : [action.type === 'delete' ? action.resourceId : nameOf(action.resource as Order)],
        ),
      );
      expect(changed.filter((reference) => !selected.has(reference))).toEqual([]);
    });
  });

  it('the order in which the drafts come changes nothing', () => {
    runOver((name, service, of) => {
      const tell = ({ cards }: Answered) =>
        cards.map((card) => [
          card.source.topic.code,
          card.indicator,
          decisionOf(card),
          suggestionsOf([card]).map(tellSuggestion),
        ]);
      const backwards = { ...of, drafts: of.drafts.toReversed() };
      expect(sort(tell(answer(name, service, backwards)))).toEqual(sort(tell(answer(name, service, of))));
    });
  });

  it('one card is sent per topic and pathway, as CDS Hooks and R4 demand', () => {
    runOver((name, service, of) => {
      const { cards } = answer(name, service, of);
      const kinds = cards.map((card) => `${card.source.topic.code} ${decisionOf(card).pathway ?? ''}`);
      expect(new Set(kinds).size).toBe(kinds.length);
      expect(findResponseMistakes({ cards })).toEqual([]);
      const suggested = suggestionsOf(cards).flatMap(({ actions }) =>
        actions.flatMap((action) => ('resource' in action ? [action.resource] : [])),
      );
      expect(suggested.flatMap(findR4Mistakes)).toEqual([]);
    });
  });

  it('nothing is created that is drafted or ordered, neither once nor twice', () => {
    runOver((name, service, of) => {
      const answered = answer(name, service, of);
      const already = new Set(standing(answered));
      for (const suggestion of suggestionsOf(answered.cards)) {
        const created = suggestion.actions.flatMap((action) =>
          action.type === 'create' ? [conceptsOf(action.resource)[0]] : [],
        );
        expect(created.filter((concept) => concept === undefined || already.has(concept))).toEqual([]);
        expect(new Set(created).size).toBe(created.length);
      }
      const recommended = suggestionsOf(answered.cards).filter(({ isRecommended }) => isRecommended);
      const created = recommended.flatMap(({ actions }) =>
        actions.flatMap((action) => (action.type === 'create' ? [conceptsOf(action.resource)[0]] : [])),
      );
      expect(new Set(created).size).toBe(created.length);
    });
  });

  it('no draft is both deleted and completed, and nothing that is deleted is created', () => {
    runOver((name, service, of) => {
      const actions = suggestionsOf(answer(name, service, of).cards).flatMap((suggestion) => suggestion.actions);
      const deleted = new Set(actions.flatMap((action) => (action.type === 'delete' ? action.resourceId : [])));
      const completed = actions.flatMap((action) => (action.type === 'update' ? nameOf(action.resource as Order) : []));
      expect(completed.filter((reference) => deleted.has(reference))).toEqual([]);
      const gone = new Set(of.drafts.filter((draft) => deleted.has(nameOf(draft))).flatMap(conceptsOf));
      const created = actions.flatMap((action) => (action.type === 'create' ? conceptsOf(action.resource) : []));
      expect(created.filter((concept) => gone.has(concept))).toEqual([]);
    });
  });

  it('a draft that is completed keeps every member it had', () => {
    runOver((name, service, of) => {
      for (const { actions } of suggestionsOf(answer(name, service, of).cards)) {
        for (const action of actions) {
          if (action.type !== 'update') continue;
          const after = action.resource as Order;
          const before = of.drafts.find((draft) => nameOf(draft) === nameOf(after));
          const { reasonReference = [], supportingInfo = [], ...rest } = after as Record<string, unknown> & Order;
          const { reasonReference: reasons = [], supportingInfo: support = [], ...restBefore } = before as typeof after;
          expect(rest).toEqual(restBefore);
          expect((reasonReference as unknown[]).slice(0, (reasons as unknown[]).length)).toEqual(reasons);
          expect((supportingInfo as unknown[]).slice(0, (support as unknown[]).length)).toEqual(support);
          expect(after).not.toEqual(before);
        }
      }
    });
  });
});

describe('accepting a suggestion', () => {
  it('takes away the suggestion and what its decision asked for', () => {
    runOver((name, service, of) => {
      const { cards } = answer(name, service, of);
      for (const card of cards) {
        for (const suggestion of suggestionsOf([card])) {
          const again = answer(name, service, accept(of, suggestion.actions)).cards;
          expect(suggestionsOf(again).map(({ uuid }) => uuid)).not.toContain(suggestion.uuid);
          expectSettled(
            makerOf(card, suggestion),
            suggestion,
            again.find(({ uuid }) => uuid === card.uuid),
            again,
          );
        }
      }
    });
  });

  it('goes for all that is recommended at once', () => {
    runOver((name, service, of) => {
      const { cards } = answer(name, service, of);
      const recommended = cards.flatMap((card) =>
        suggestionsOf([card])
          .filter(({ isRecommended }) => isRecommended)
          .map((suggestion) => ({ card, suggestion })),
      );
      const actions = recommended.flatMap(({ suggestion }) => suggestion.actions);
      const again = answer(name, service, accept(of, actions)).cards;
      for (const { card, suggestion } of recommended) {
        expect(suggestionsOf(again).map(({ uuid }) => uuid)).not.toContain(suggestion.uuid);
        expectSettled(
          makerOf(card, suggestion),
          suggestion,
          again.find(({ uuid }) => uuid === card.uuid),
          again,
        );
      }
    });
  });
});

/**
 * The card is gone, or no longer rests on the decision. What stays by the guideline: that Trin 1 is awaited (REF-02), what
 * the record cannot fill in or a referral lacks that is to be deleted (REF-01), and the referral a card is about when only
 * one of its investigations was ordered.
 */
function expectSettled(
  decision: string,
  { actions }: Suggestion,
  card: Card | undefined,
  again: readonly Card[],
): void {
  if (card === undefined) return;
  const { decisions = [], missing = [] } = decisionOf(card);
  const deletesReferral = suggestionsOf(again).some((suggestion) =>
    suggestion.actions.some(
      (action) => action.type === 'delete' && action.resourceId.startsWith('ServiceRequest/draft-diagnostic-'),
    ),
  );
  if (decision === 'REF-01') expect(missing.includes('symptoms') && !deletesReferral).toBe(false);
  else if (decision === 'REF-02') expect(missing).toEqual([]);
  else if (/^(ORG|MUP|HEM)/.test(decision)) {
    const refers = actions.some(
      (action) => action.type === 'create' && JSON.stringify(action.resource).includes('/CodeSystem/pathway'),
    );
    if (refers) expect(decisions).not.toContain(decision);
  } else expect(decisions).not.toContain(decision);
}

function tellSuggestion({ label, actions, isRecommended }: Suggestion): string {
  const told = actions.map((action) =>
    action.type === 'create'
      ? action.description
      : action.type === 'delete'
        ? action.resourceId
        : nameOf(action.resource as Order),
  );
  return [label, String(isRecommended), ...told.sort()].join(' ');
}

/** The same with every list in one order. */
function sort(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sort).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, sort(member)]));
}
