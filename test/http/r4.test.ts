import { describe, expect, it } from 'vitest';
import { findResponseMistakes } from './card-schema.ts';
import { card } from './fakes.ts';
import { findR4Mistakes } from './r4.ts';

const order = {
  resourceType: 'ServiceRequest',
  status: 'draft',
  intent: 'order',
  subject: { reference: 'Patient/1' },
};

describe('the check against FHIR R4', () => {
  it('finds nothing wrong with a valid resource', () => {
    const result = {
      resourceType: 'Observation',
      id: 'a',
      status: 'final',
      code: { coding: [{ system: 'http://loinc.org', code: '718-7' }] },
      valueQuantity: { value: 6.4, comparator: '<', unit: 'mmol/L' },
      referenceRange: [{ low: { value: 7 } }],
      component: [{ code: { text: 'x' }, referenceRange: [{ high: { value: 9 } }] }],
    };
    const bundle = { resourceType: 'Bundle', type: 'searchset', entry: [{ resource: result }, { resource: order }] };
    expect(findR4Mistakes(bundle)).toEqual([]);
  });

  it.each<[string, object, string]>([
    ['an element that does not exist', { statuss: 'draft' }, 'ServiceRequest.statuss: no such element'],
    ['a code outside a required binding', { status: 'proposed' }, 'ServiceRequest.status: proposed is not of'],
    ['a list where one value stands', { status: ['draft'] }, 'ServiceRequest.status: expected one value'],
    [
      'one value where a list stands',
      { basedOn: { reference: 'CarePlan/1' } },
      'ServiceRequest.basedOn: expected an array',
    ],
    ['an empty list', { note: [] }, 'ServiceRequest.note: empty'],
    ['a required element left out', { note: [{}] }, 'ServiceRequest.note[0]: Annotation.text is required'],
    ['a string for a boolean', { doNotPerform: 'no' }, 'ServiceRequest.doNotPerform: expected true or false'],
    ['a date that is none', { authoredOn: '1.2.2026' }, 'ServiceRequest.authoredOn: 1.2.2026 is no dateTime'],
    ['a choice of another type', { occurrenceString: 'soon' }, 'ServiceRequest.occurrenceString: no such element'],
    [
      'a reference to another type',
      { reasonReference: [{ reference: 'ImagingStudy/1' }] },
      'ServiceRequest.reasonReference[0]: refers to ImagingStudy',
    ],
  ])('finds %s', (_, change, mistake) => {
    expect(findR4Mistakes({ ...order, ...change }).map((line) => line.slice(0, mistake.length))).toEqual([mistake]);
  });

  it('finds a subject left out', () => {
    const { subject, ...rest } = order;
    expect(findR4Mistakes(rest)).toEqual(['ServiceRequest: ServiceRequest.subject is required']);
  });

  it('finds a mistake of a resource in a Bundle', () => {
    const bundle = { resourceType: 'Bundle', type: 'searchset', entry: [{ resource: { resourceType: 'Fund' } }] };
    expect(findR4Mistakes(bundle)).toEqual(['Bundle.entry[0].resource: no resource type Fund']);
  });
});

describe('the check of a response', () => {
  const decision = {
    decisions: ['MAS-02'],
    knowledge: { version: '1', hash: 'sha256:0' },
    evaluation: '6a1f1f4e-8a68-4b0f-8d2a-222222222222',
  };
  const whole = {
    ...card,
    overrideReasons: [{ system: 'https://example.org/r', code: 'a', display: 'A' }],
    links: [{ label: 'L', url: 'https://example.org', type: 'absolute' }],
    extension: { 'dk.diagnostisk-pakkeforloeb.decision': decision },
  };
  const suggestion = {
    label: 'S',
    uuid: '6a1f1f4e-8a68-4b0f-8d2a-333333333333',
    actions: [{ type: 'create', description: 'D', resource: order }],
  };
  const suggesting = { ...whole, selectionBehavior: 'any', suggestions: [suggestion] };

  it('finds nothing wrong with no cards, a card, and a card that suggests', () => {
    expect(findResponseMistakes({ cards: [] })).toEqual([]);
    expect(findResponseMistakes({ cards: [whole] })).toEqual([]);
    expect(findResponseMistakes({ cards: [suggesting] })).toEqual([]);
  });

  it.each<[string, object]>([
    ['a summary of 140 characters', { ...whole, summary: 'x'.repeat(140) }],
    ['an empty list', { ...whole, suggestions: [] }],
    ['a member that is null', { ...whole, detail: null }],
    ['a uuid that is none', { ...whole, uuid: '1' }],
    ['an unknown indicator', { ...whole, indicator: 'hard-stop' }],
    ['an unknown member', { ...whole, colour: 'red' }],
    ['HTML', { ...whole, detail: 'a<br>b' }],
    ['a place not filled', { ...whole, detail: 'from {dates:x}' }],
    ['suggestions without selectionBehavior', { ...suggesting, selectionBehavior: undefined }],
    ['selectionBehavior without suggestions', { ...whole, selectionBehavior: 'any' }],
    [
      'an override reason without display',
      { ...whole, overrideReasons: [{ system: 'https://example.org/r', code: 'a' }] },
    ],
    [
      'an action without description',
      { ...suggesting, suggestions: [{ ...suggestion, actions: [{ type: 'create', resource: order }] }] },
    ],
    [
      'a delete that names no resource',
      { ...suggesting, suggestions: [{ ...suggestion, actions: [{ type: 'delete', description: 'D' }] }] },
    ],
    [
      'an empty member deep in a suggestion',
      {
        ...suggesting,
        suggestions: [
          { ...suggestion, actions: [{ type: 'create', description: 'D', resource: { ...order, note: [] } }] },
        ],
      },
    ],
  ])('finds %s', (_, wrong) => {
    expect(findResponseMistakes({ cards: [wrong] })).not.toEqual([]);
  });

  it('finds the same uuid on two cards', () => {
    expect(findResponseMistakes({ cards: [whole, whole] })).toEqual([`${card.uuid} stands twice`]);
  });

  it('finds systemActions that nobody agreed on', () => {
    expect(findResponseMistakes({ cards: [], systemActions: [] })).not.toEqual([]);
  });
});
