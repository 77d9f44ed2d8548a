import { describe, expect, it } from 'vitest';
import { KnowledgeError } from '../../src/errors.ts';
import { compileWith, lookup } from './chart-fixture.ts';

const sctUri = 'http://snomed.info/sct';
const sksUri = 'urn:oid:1.2.208.176.2.4';
const diagnosisUri = 'urn:oid:1.2.208.176.2.4.12';
const icd10Uri = 'http://hl7.org/fhir/sid/icd-10';
const concepts = (system: string | undefined, code: string) =>
  lookup.findConcepts(system, code).map(({ concept }) => concept);

describe('code systems', () => {
  it.each([
    'http://npu-terminology.org',
    'http://npu-terminology.org/',
    'https://npu-terminology.org',
    'http://npu-terminology.org|2024',
    'urn:oid:1.2.208.176.2.1',
    '1.2.208.176.2.1',
  ])('knows NPU as %s', (system) => {
    expect(concepts(system, 'NPU02319')).toEqual(['haemoglobin']);
  });

  it.each([
    'http://snomed.info/sct/554471000005108',
    'http://snomed.info/sct/554471000005108/version/20250930',
    'http://snomed.info/sct|http://snomed.info/sct/554471000005108',
  ])('knows the edition %s as SNOMED CT', (system) => {
    expect(concepts(system, '367391008')).toEqual(['general-malaise']);
  });

  it('finds nothing without a system, in an unknown one or in the wrong one', () => {
    expect(concepts(undefined, 'NPU02319')).toEqual([]);
    expect(concepts('http://example.org/codes', 'NPU02319')).toEqual([]);
    expect(concepts('http://loinc.org', 'NPU02319')).toEqual([]);
  });

  it('takes no prototype member for a system or code', () => {
    expect(concepts('__proto__', 'constructor')).toEqual([]);
    expect(concepts(sctUri, '__proto__')).toEqual([]);
  });
});

describe('codes', () => {
  it('tells exact, broader and suspicion codes apart', () => {
    expect(lookup.findConcepts('urn:oid:1.2.208.176.2.31', 'R84')).toMatchObject([
      { concept: 'lung-cancer', exact: false, suspicion: false },
    ]);
    expect(lookup.findConcepts(diagnosisUri, 'DZ031B')).toMatchObject([
      { concept: 'lung-cancer', exact: true, suspicion: true },
    ]);
  });

  it('gives every concept of a code, each once', () => {
    expect(lookup.findConcepts(sctUri, '271795006')).toMatchObject([
      { concept: 'general-malaise', exact: true },
      { concept: 'unexplained-fatigue', exact: false },
    ]);
  });

  it('reads ICD-10 with and without dot, and in small letters', () => {
    expect(concepts(icd10Uri, 'C34.9')).toEqual(['lung-cancer']);
    expect(concepts(icd10Uri, 'C349')).toEqual(['lung-cancer']);
    expect(concepts(icd10Uri, 'c34.9')).toEqual(['lung-cancer']);
  });

  it('matches a range from its first header to its last and everything below them', () => {
    expect(concepts(icd10Uri, 'C33')).toEqual(['lung-cancer']);
    expect(concepts(icd10Uri, 'C34')).toEqual(['lung-cancer']);
    expect(concepts(icd10Uri, 'C32.9')).toEqual([]);
    expect(concepts(icd10Uri, 'C35')).toEqual([]);
  });

  it('matches the bare header of a start and every longer code, but no shorter one', () => {
    expect(concepts(diagnosisUri, 'DC787')).toEqual(['metastasis-liver']);
    expect(concepts(diagnosisUri, 'DC787A')).toEqual(['metastasis-liver']);
    expect(concepts(diagnosisUri, 'DC78')).toEqual([]);
  });

  it('does not take a whole code for a start', () => {
    expect(concepts(diagnosisUri, 'DZ031')).toEqual(['suspected-malignancy']);
    expect(concepts(diagnosisUri, 'DZ031X')).toEqual([]);
  });

  it('reads D-codes under the SKS root as well', () => {
    expect(concepts(sksUri, 'DC349')).toEqual(['lung-cancer']);
  });

  it('matches SKS add-ons on their own', () => {
    expect(concepts(diagnosisUri, 'DC787+DC349')).toEqual(['metastasis-liver', 'lung-cancer']);
    expect(concepts(diagnosisUri, 'DS721+TUL1')).toEqual([]);
  });

  it('reads a morphology as ICD-O, as SKS add-on and as Patobank code', () => {
    expect(concepts('http://terminology.hl7.org/CodeSystem/icd-o-3', '8140/3')).toEqual(['histology-adenocarcinoma']);
    expect(concepts(sksUri, 'DC787+ZM81406')).toEqual(['metastasis-liver', 'histology-adenocarcinoma']);
    expect(concepts('https://kip.rkkp.dk/fhir/CodeSystem/PatobankSNOMED', 'M81403')).toEqual([
      'histology-adenocarcinoma',
    ]);
    expect(concepts('https://kip.rkkp.dk/fhir/CodeSystem/PatobankSNOMED', 'M81400')).toEqual([]);
  });

  it('reads a behaviour of whatever morphology stands alone', () => {
    const { findConcepts } = compileWith({
      conditions: [{ id: 'metastasis', da: 'm', en: 'm', sources: 'test', codes: { icdo3: ['*/6'] } }],
    });
    const found = (system: string, code: string) => findConcepts(system, code).map(({ concept }) => concept);
    expect(found('http://terminology.hl7.org/CodeSystem/icd-o-3', '8720/6')).toEqual(['metastasis']);
    expect(found('https://kip.rkkp.dk/fhir/CodeSystem/PatobankSNOMED', 'M87206')).toEqual(['metastasis']);
    expect(found(sksUri, 'ZM87206')).toEqual(['metastasis']);
    expect(found(sksUri, 'DC509+ZM87206')).toEqual([]);
    expect(found('http://terminology.hl7.org/CodeSystem/icd-o-3', '8720/3')).toEqual([]);
  });

  it('matches ATC by its start, and exclusions win', () => {
    expect(concepts('http://www.whocc.no/atc', 'J01CE02')).toEqual(['antibiotics']);
    expect(concepts('http://www.whocc.no/atc', 'J01XX05')).toEqual([]);
    expect(concepts('http://www.whocc.no/atc', 'J02AC01')).toEqual([]);
  });

  it('lets no free text in behind the start of a code', () => {
    expect(concepts(diagnosisUri, 'DC787 Jens Jensen 010150-1234')).toEqual([]);
    expect(concepts(diagnosisUri, `DC787${'A'.repeat(200)}`)).toEqual([]);
  });

  it('gives the same answer after more codes than it remembers', () => {
    const few = compileWith({});
    const before = few.findConcepts(icd10Uri, 'C34.9');
    for (let code = 0; code < 50_000; code++) few.findConcepts(icd10Uri, `C34${code}`);
    for (let system = 0; system < 5_000; system++) few.findConcepts(`http://example.org/${system}`, 'C34');
    expect(few.findConcepts(icd10Uri, 'C34.9')).toEqual(before);
    expect(few.findConcepts(icd10Uri, 'C34.9')).toBe(few.findConcepts(icd10Uri, 'C34.9'));
  });
});

describe('pathway codes', () => {
  it.each([
    ['AFA01A', 'diagnostic-mas', 'start', 'A'],
    ['AFA01B', 'diagnostic-mas', 'start', 'B'],
    ['AFA01X1', 'diagnostic-mas', 'closing', 'X1'],
    ['AFD01X2', 'diagnostic-mup', 'closing', 'X2'],
    ['AFD01X9', 'diagnostic-mup', 'closing', 'X9'],
    ['AFB01A', 'breast', 'start', 'A'],
    ['AFB26A', 'other-pathway', 'start', 'A'],
  ])('reads %s as %s, %s', (code, concept, role, stage) => {
    expect(lookup.findConcepts(sksUri, code)).toMatchObject([{ kind: 'pathway', concept, role, stage }]);
  });

  it('lets AFA01X9 close either diagnostic pathway (L8)', () => {
    expect(lookup.findConcepts(sksUri, 'AFA01X9')).toMatchObject([
      { concept: 'diagnostic-mas', role: 'closing', stage: 'X9' },
      { concept: 'diagnostic-mup', role: 'closing', stage: 'X9' },
    ]);
  });

  it.each(['AFA01', 'AFA01C', 'AFA1A', 'AF101A', 'AFA01AA', 'XAFA01A'])('finds no pathway in %s', (code) => {
    expect(concepts(sksUri, code)).toEqual([]);
  });

  it('reads our own code as a referral', () => {
    expect(
      lookup.findConcepts('https://diagnostisk-pakkeforloeb.dk/fhir/CodeSystem/pathway', 'diagnostic-mup'),
    ).toMatchObject([{ kind: 'pathway', concept: 'diagnostic-mup', role: 'referral' }]);
  });
});

describe('concept lists that cannot be compiled', () => {
  const labels = { da: 'tekst', en: 'text', sources: 'test' };

  it('names the concept of a range that cannot be read', () => {
    const wrong = { ...labels, id: 'wrong', codes: { icd10: ['C34-C12*'] } };
    expect(() => compileWith({ conditions: [wrong] })).toThrow(KnowledgeError);
    expect(() => compileWith({ conditions: [wrong] })).toThrow(/wrong.*C34-C12/);
  });

  it('names procedures that are parts of each other', () => {
    const one = { ...labels, id: 'one', parts: [['two']] };
    const two = { ...labels, id: 'two', parts: [['one']] };
    expect(() => compileWith({ procedures: [one, two] })).toThrow(/one, two/);
  });
});
