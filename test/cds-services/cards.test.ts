import { describe, expect, it } from 'vitest';
import type { Card } from '../../src/engine/cards.ts';
import type { Suggestion } from '../../src/engine/suggestions.ts';
import { loadKnowledge } from '../../src/knowledge.ts';
import { withEditedKnowledge } from '../edit-knowledge.ts';
import { buildContext, buildPrefetch, casePatientId } from './build-bundle.ts';
import type { Case } from './case.ts';
import { concepts, decideCase, decideChart, readCaseChart, readCases } from './decide-cases.ts';

const cases = readCases();

function cardsOf(testCase: Case, topic: string) {
  return decideCase(testCase).cards.filter((card) => card.source.topic.code === topic);
}

describe('what a card tells beside its lists', () => {
  const complete = cases.find(
    ({ expect: { cards = [] }, keys }) =>
      Object.keys(keys).length === 0 && cards.some(({ topic }) => topic === 'trin1-labs'),
  );
  if (complete === undefined) throw new Error('No case with a card for Trin 1');

  it('names the sources of pathway codes that could not be read', () => {
    const [read] = cardsOf(complete, 'trin1-labs');
    const [unread] = cardsOf({ ...complete, keys: { encounters: 'missing' } }, 'trin1-labs');
    expect(unread?.detail).toContain('Pakkeforløbs- og afslutningskoder kunne ikke læses i: kontakter');
    expect(read?.detail).not.toContain('kunne ikke læses');
  });

  it('proposes an order once, however many decisions stand behind the card', () => {
    for (const testCase of cases) {
      for (const { suggestions = [] } of decideCase(testCase).cards) {
        const created = suggestions.flatMap(({ actions }) =>
          actions.flatMap((action) =>
            action.type === 'create' ? [JSON.stringify((action.resource as { code: object }).code)] : [],
          ),
        );
        if (suggestions.every(({ actions }) => actions.every(({ type }) => type === 'create'))) {
          expect([testCase.id, created.length]).toEqual([testCase.id, new Set(created).size]);
        }
      }
    }
  });
});

describe('what the trace keeps of a result outside what could be measured', () => {
  it('says whether the limit itself is excluded', () => {
    const kept = cases.flatMap((testCase) => {
      const chart = readCaseChart(testCase).readings.filter(({ atLeast, atMost }) => (atLeast ?? atMost) !== undefined);
      if (chart.length === 0) return [];
      const read = decideCase(testCase).decisions.flatMap(({ facts }) =>
        facts.flatMap(({ readings = [] }) => readings),
      );
      return chart.flatMap(({ reference, concept, open }) =>
        read
          .filter((each) => each.reference === reference && each.concept === concept)
          .map((each) => [testCase.id, each.open === open]),
      );
    });
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.filter(([, isKept]) => !isKept)).toEqual([]);
  });
});

describe('where warnings alone are sent', () => {
  it('a card keeps what an unsent one would have suggested in its place', () => {
    const both = cases.find(({ id }) => id === 'ORD-04 PET-CT and CT-TAB together make one card');
    if (both === undefined) throw new Error('No case with a CT of the neck beside a PET-CT');
    // The PET-CT's own card, of information, would replace it by the same CT of the neck.
    const asWarning = {
      file: 'rules/7-ordering.yaml',
      find: /(- id: ORD-04[\s\S]*?topic: )imaging-choice/,
      put: '$1organ-pathway',
    };
    const edited = withEditedKnowledge([asWarning], loadKnowledge);
    const testCase: Case = { ...both, client: { ...both.client, orderSignOnly: 'warnings' } };
    const { cards } = decideChart(edited, testCase, readCaseChart(testCase));
    expect(cards.map(({ suggestions = [] }) => suggestions.map(({ label }) => label))).toEqual([
      ['Tilføj CT af halsen'],
    ]);
  });
});

interface Order {
  resourceType: string;
  id?: string;
  status: string;
  intent: string;
  subject: { reference: string };
  requisition: { system: string; value: string };
  reasonReference?: { reference: string }[];
  code: { coding: { system: string; code: string }[] };
}

describe('what the cards of every clinical case suggest', () => {
  const answers = cases.map((testCase) => ({ testCase, cards: decideCase(testCase).cards }));
  const suggestions = answers.flatMap(({ testCase, cards }) =>
    cards.flatMap((card) => (card.suggestions ?? []).map((suggestion) => ({ testCase, card, suggestion }))),
  );
  const createdBy = ({ actions }: Suggestion): Order[] =>
    actions.flatMap((action) => (action.type === 'create' ? [action.resource as Order] : []));
  const changesIn = (cards: readonly Card[], type: 'update' | 'delete'): string[] =>
    cards.flatMap(({ suggestions: all = [] }) =>
      all.flatMap(({ actions }) =>
        actions.flatMap((action) => {
          if (action.type !== type) return [];
          return action.type === 'delete' ? action.resourceId : `ServiceRequest/${(action.resource as Order).id}`;
        }),
      ),
    );

  it('is drafted for this patient, proposed on opening a chart and ordered beside orders', () => {
    const others = suggestions.flatMap(({ testCase, suggestion }) =>
      createdBy(suggestion).filter(
        ({ resourceType, status, intent, subject }) =>
          resourceType !== 'ServiceRequest' ||
          status !== 'draft' ||
          intent !== (testCase.service === 'patient-view' ? 'proposal' : 'order') ||
          subject.reference !== `Patient/${casePatientId}`,
      ),
    );
    expect(others).toEqual([]);
    expect(suggestions.length).toBeGreaterThan(500);
  });

  it('has one requisition per suggestion, and each suggestion its own', () => {
    for (const { testCase, cards } of answers) {
      const requisitions = cards.flatMap(({ suggestions: all = [] }) =>
        all.flatMap((suggestion) => [...new Set(createdBy(suggestion).map(({ requisition }) => requisition.value))]),
      );
      const creating = cards.flatMap(({ suggestions: all = [] }) => all.filter((one) => createdBy(one).length > 0));
      expect([testCase.id, new Set(requisitions).size]).toEqual([testCase.id, creating.length]);
    }
  });

  it('names as its reason what the card rests on, in the record of this patient', () => {
    let named = 0;
    for (const { testCase, card, suggestion } of suggestions) {
      const { evidence = [] } = card.extension['dk.diagnostisk-pakkeforloeb.decision'] as {
        evidence?: { reference: string }[];
      };
      const shown = new Set(evidence.map(({ reference }) => reference));
      const reasons = createdBy(suggestion).flatMap(({ reasonReference = [] }) => reasonReference);
      named += reasons.length;
      if (reasons.length === 0) continue;
      const read = new Set(
        Object.values(buildPrefetch(testCase, concepts)).flatMap((value) =>
          ((value as { entry?: { resource: { resourceType: string; id: string } }[] }).entry ?? []).map(
            ({ resource }) => `${resource.resourceType}/${resource.id}`,
          ),
        ),
      );
      const strange = reasons.filter(({ reference }) => !shown.has(reference) || !read.has(reference));
      expect([testCase.id, strange]).toEqual([testCase.id, []]);
    }
    expect(named).toBeGreaterThan(500);
  });

  it('deletes and completes drafts of this patient alone, and none both', () => {
    for (const { testCase, cards } of answers) {
      const { draftOrders } = buildContext(testCase, concepts);
      const drafts = new Set(
        (draftOrders as { entry: { resource: Order }[] }).entry.flatMap(({ resource }) =>
          resource.subject?.reference === `Patient/${casePatientId}` ? [`ServiceRequest/${resource.id}`] : [],
        ),
      );
      const deleted = changesIn(cards, 'delete');
      const completed = changesIn(cards, 'update');
      expect([testCase.id, [...deleted, ...completed].filter((one) => !drafts.has(one))]).toEqual([testCase.id, []]);
      expect([testCase.id, completed.filter((one) => deleted.includes(one))]).toEqual([testCase.id, []]);
    }
  });

  it('puts in the place of a referral the pathway its card names, and nothing else', () => {
    const replacing = suggestions.filter(({ card }) => card.source.topic.code === 'wrong-pathway');
    for (const { testCase, card, suggestion } of replacing) {
      const { pathway } = card.extension['dk.diagnostisk-pakkeforloeb.decision'] as { pathway?: string };
      const code = concepts.pathways.find(({ id }) => id === pathway)?.code;
      const codes = createdBy(suggestion).map((order) => order.code.coding.map((coding) => coding.code));
      expect([testCase.id, suggestion.actions[0]?.type]).toEqual([testCase.id, 'delete']);
      expect([testCase.id, codes.filter(([first]) => first !== code)]).toEqual([testCase.id, []]);
    }
    expect(replacing.length).toBeGreaterThan(50);
  });

  it('never creates what another suggestion of the answer deletes', () => {
    for (const { testCase, cards } of answers) {
      const { draftOrders } = buildContext(testCase, concepts);
      const deleted = new Set(changesIn(cards, 'delete'));
      const codeOf = ({ code }: Order): string =>
        code.coding.map((coding) => `${coding.system}|${coding.code}`).join(' ');
      const gone = (draftOrders as { entry: { resource: Order }[] }).entry
        .filter(({ resource }) => deleted.has(`ServiceRequest/${resource.id}`))
        .map(({ resource }) => resource.code.coding[0]?.code);
      const created = cards.flatMap(({ suggestions: all = [] }) => all.flatMap(createdBy));
      const both = created.filter((order) => order.code.coding.some(({ code }) => gone.includes(code))).map(codeOf);
      expect([testCase.id, both]).toEqual([testCase.id, []]);
    }
  });
});
