import type { Analysis, Condition, Procedure } from '../../src/engine/concepts.ts';
import { type Concepts, compileLookup, type Systems } from '../../src/engine/lookup.ts';
import { type CompiledAnalysis, compileAnalysis } from '../../src/engine/quantities.ts';
import { type ChartOptions, readChart } from '../../src/engine/records.ts';
import type { Chart, KeyState, Reading, ReadingKind, Sources } from '../../src/engine/types.ts';
import { compileSpellings } from '../../src/engine/units.ts';

/** A few concepts as the knowledge folder writes them. */
export const systems: Systems = {
  sct: ['http://snomed.info/sct'],
  npu: ['http://npu-terminology.org', 'urn:oid:1.2.208.176.2.1'],
  loinc: ['http://loinc.org'],
  icd10: ['http://hl7.org/fhir/sid/icd-10'],
  sks: ['urn:oid:1.2.208.176.2.4', 'urn:oid:1.2.208.176.2.4.12'],
  icpc2: ['urn:oid:1.2.208.176.2.31', 'http://hl7.org/fhir/sid/icpc-2'],
  atc: ['http://www.whocc.no/atc'],
  rxnorm: ['http://www.nlm.nih.gov/research/umls/rxnorm'],
  icdo3: ['http://terminology.hl7.org/CodeSystem/icd-o-3'],
  patobank: ['https://kip.rkkp.dk/fhir/CodeSystem/PatobankSNOMED'],
  pathway: ['https://diagnostisk-pakkeforloeb.dk/fhir/CodeSystem/pathway'],
  dcm: ['http://dicom.nema.org/resources/ontology/DCM'],
  cpr: ['urn:oid:1.2.208.176.1.2'],
};

const labels = { da: 'tekst', en: 'text', sources: 'test' };

const analyses: Analysis[] = [
  {
    ...labels,
    id: 'haemoglobin',
    codes: { npu: ['NPU02319'], loinc: ['718-7'] },
    unit: 'mmol/L',
    convert: [{ from: 'g/dL', multiply: 0.6206 }],
    intervals: [
      { sex: 'female', low: 7.3, high: 9.5 },
      { sex: 'male', low: 8.3, high: 10.5 },
    ],
  },
  { ...labels, id: 'crp', codes: { npu: ['NPU19748'] }, unit: 'mg/L', intervals: [{ below: 8 }] },
  { ...labels, id: 'egfr', codes: { npu: ['DNK35131'] }, unit: 'mL/min' },
  { ...labels, id: 'differential', codes: { npu: ['NPU18156'] } },
];

const conditions: Condition[] = [
  { ...labels, id: 'general-malaise', codes: { icpc2: ['A05'], sct: ['367391008', '271795006'], sks: ['DR53*'] } },
  { ...labels, id: 'unexplained-fatigue', codes: { icpc2: ['A04'] }, broader: { sct: ['271795006'] } },
  { ...labels, id: 'suspected-malignancy', codes: { sct: ['162572001'], sks: ['DZ031'] } },
  { ...labels, id: 'metastasis-liver', codes: { sct: ['94381002'], sks: ['DC787*'] }, site: 'liver' },
  { ...labels, id: 'malignant-bone-lesion', codes: { sct: ['699609003'] }, site: 'bone' },
  { ...labels, id: 'lymphadenopathy-localised', codes: { sct: ['274744005'] }, broader: { sct: ['30746006'] } },
  { ...labels, id: 'brain-mass', codes: { sct: ['126952004'] } },
  {
    ...labels,
    id: 'lung-cancer',
    codes: { icd10: ['C33-C34*'], sks: ['DC33-DC34*'] },
    suspicion: { sks: ['DZ031B'] },
    broader: { icpc2: ['R84'] },
    site: 'lung',
  },
  { ...labels, id: 'histology-adenocarcinoma', codes: { icdo3: ['8140/3', '8140/6'], sct: ['35917007'] } },
];

const procedures: Procedure[] = [
  {
    ...labels,
    id: 'ct-tab',
    codes: { sct: ['418023006'] },
    modality: ['CT'],
    sites: ['chest-abdomen-pelvis'],
    parts: [['ct-chest', 'ct-abdomen']],
  },
  { ...labels, id: 'ct-chest', codes: { sks: ['UXCC00'] }, modality: ['CT'], sites: ['thorax'] },
  {
    ...labels,
    id: 'ct-abdomen',
    codes: { sks: ['UXCD00'] },
    modality: ['CT'],
    sites: ['abdomen'],
    parts: [['ct-upper-abdomen', 'ct-lower-abdomen']],
  },
  { ...labels, id: 'ct-upper-abdomen', codes: { sks: ['UXCD10'] } },
  { ...labels, id: 'ct-lower-abdomen', codes: { sks: ['UXCD15'] } },
  { ...labels, id: 'ct-brain', codes: { sks: ['UXCA00'] }, modality: ['CT'], sites: ['brain'], site: 'brain' },
  { ...labels, id: 'fdg-pet-ct', codes: { sct: ['443271005'] }, modality: ['PT'], sites: ['whole-body'] },
  { ...labels, id: 'biopsy', codes: { sct: ['86273004'] } },
  { ...labels, id: 'neurology-assessment', codes: { loinc: ['57145-5'] } },
];

const concepts: Concepts = {
  analyses,
  conditions,
  procedures,
  pathways: [
    { ...labels, id: 'diagnostic-mas', code: 'diagnostic-mas', sksFamily: 'AFA01' },
    { ...labels, id: 'diagnostic-mup', code: 'diagnostic-mup', sksFamily: 'AFD01', alsoClosedBy: ['AFA01X9'] },
    { ...labels, id: 'breast', code: 'breast', sksFamily: 'AFB01' },
  ],
  drugs: [
    { ...labels, id: 'antibiotics', atc: ['J01', 'P01AB01'], exclude: ['J01XX05'] },
    { ...labels, id: 'anticoagulant-any', atc: ['B01AA', 'B01AF'], rxnorm: ['11289'] },
  ],
  sites: [
    { ...labels, id: 'head-neck', codes: { sct: ['774007', '81105003'] } },
    { ...labels, id: 'supraclavicular', codes: { sct: ['76838003'] }, within: ['head-neck'] },
    { ...labels, id: 'axilla', codes: { sct: ['91470000', '68171009'] } },
    { ...labels, id: 'groin', codes: { sct: ['26893007', '8928004'] } },
    { ...labels, id: 'liver', codes: { sct: ['10200004'] }, within: ['abdomen'] },
    { ...labels, id: 'lung', codes: { sct: ['39607008'] }, within: ['thorax'] },
    { ...labels, id: 'bone', codes: { sct: ['272673000'] } },
    { ...labels, id: 'brain', codes: { sct: ['12738006'] } },
    { ...labels, id: 'peritoneum', codes: { sct: ['15425007', '168139001'] }, within: ['abdomen'] },
    { ...labels, id: 'thorax', codes: { sct: ['51185008'] } },
    { ...labels, id: 'abdomen', codes: { sct: ['818981001'] } },
    { ...labels, id: 'chest-abdomen-pelvis', codes: { sct: ['416775004'] }, within: ['thorax', 'abdomen'] },
    { ...labels, id: 'whole-body', codes: { sct: ['38266002'] } },
  ],
};

export const lookup = compileLookup(concepts, systems);

export function compileWith(change: Partial<Concepts>, of: Systems = systems) {
  return compileLookup({ ...concepts, ...change }, of);
}

const noAnswer = { codes: {}, words: [] };
const spellings = compileSpellings({
  same: { 'mmol/L': ['mmol/l'], 'g/dL': ['g/dl'], 'mg/L': ['mg/l'] },
  text: {},
  garbled: {},
  unreadable: [],
  positive: { codes: { 'http://snomed.info/sct': ['10828004'] }, words: ['positiv'] },
  negative: { codes: { 'http://snomed.info/sct': ['260385009'] }, words: ['negativ'] },
  female: noAnswer,
  male: noAnswer,
});
const compiled: ReadonlyMap<string, CompiledAnalysis> = new Map(
  analyses.map((analysis) => [analysis.id, compileAnalysis(analysis, spellings)]),
);

export const today = '2026-11-23';
export const patientId = 'p1';
export const subject = { reference: `Patient/${patientId}` };
export const woman = { resourceType: 'Patient', id: patientId, gender: 'female', birthDate: '1960-02-03' };

const keyOfType: Record<string, string> = {
  Patient: 'patient',
  Condition: 'conditions',
  Observation: 'observations',
  DiagnosticReport: 'reports',
  ImagingStudy: 'imaging',
  ServiceRequest: 'orders',
  Procedure: 'procedures',
  Encounter: 'encounters',
  MedicationRequest: 'medications',
  MedicationStatement: 'medicationStatements',
};

const types = Object.fromEntries(Object.entries(keyOfType).map(([type, key]) => [key, type]));

/** Puts resources under the prefetch keys of their types. */
export function sourcesOf(resources: readonly object[], state: KeyState = 'present'): Sources {
  const sources: Record<string, { state: KeyState; resources: unknown[] }> = {};
  for (const resource of resources) {
    const type = 'resourceType' in resource ? String(resource.resourceType) : '';
    const key = keyOfType[type] ?? 'observations';
    sources[key] ??= { state, resources: [] };
    sources[key].resources.push(resource);
  }
  return sources;
}

export function chartOf(resources: readonly object[], options: Partial<ChartOptions> = {}): Chart {
  return readChart(sourcesOf([woman, ...resources]), {
    lookup,
    analyses: compiled,
    types,
    today,
    patientId,
    ...options,
  });
}

export function readChartOf(sources: Sources, options: Partial<ChartOptions> = {}): Chart {
  return readChart(sources, { lookup, analyses: compiled, types, today, patientId, ...options });
}

/** The readings of one kind. */
export function readingsOf(
  kind: ReadingKind,
  resources: readonly object[],
  options: Partial<ChartOptions> = {},
): Reading[] {
  return chartOf(resources, options).readings.filter((reading) => reading.kind === kind);
}

/** A date so many days before today. */
export function daysBefore(days: number): string {
  return new Date(Date.parse(today) - days * 86_400_000).toISOString().slice(0, 10);
}

export const sct = (code: string, ...more: object[]) => ({
  coding: [{ system: 'http://snomed.info/sct', code }, ...more],
});
export const npu = (code: string, ...more: object[]) => ({
  coding: [{ system: 'http://npu-terminology.org', code }, ...more],
});
export const sks = (code: string) => ({ coding: [{ system: 'urn:oid:1.2.208.176.2.4', code }] });
export const sksDiagnosis = (code: string) => ({ coding: [{ system: 'urn:oid:1.2.208.176.2.4.12', code }] });
export const icpc = (code: string) => ({ coding: [{ system: 'urn:oid:1.2.208.176.2.31', code }] });
export const atc = (code: string) => ({ coding: [{ system: 'http://www.whocc.no/atc', code }] });

export function observation(members: object): object {
  return {
    resourceType: 'Observation',
    id: 'o1',
    status: 'final',
    subject,
    effectiveDateTime: daysBefore(5),
    ...members,
  };
}
export function haemoglobin(value: number, members: object = {}): object {
  return observation({ code: npu('NPU02319'), valueQuantity: { value, unit: 'mmol/L' }, ...members });
}
export function condition(members: object): object {
  return { resourceType: 'Condition', id: 'c1', subject, recordedDate: daysBefore(10), ...members };
}
export function report(members: object): object {
  return {
    resourceType: 'DiagnosticReport',
    id: 'r1',
    status: 'final',
    subject,
    effectiveDateTime: daysBefore(4),
    ...members,
  };
}
export function study(members: object): object {
  return { resourceType: 'ImagingStudy', id: 's1', status: 'available', subject, started: daysBefore(4), ...members };
}
export function order(members: object): object {
  return {
    resourceType: 'ServiceRequest',
    id: 'q1',
    status: 'active',
    intent: 'order',
    subject,
    authoredOn: daysBefore(3),
    ...members,
  };
}
export function procedure(members: object): object {
  return {
    resourceType: 'Procedure',
    id: 'd1',
    status: 'completed',
    subject,
    performedDateTime: daysBefore(6),
    ...members,
  };
}
export function encounter(members: object): object {
  return { resourceType: 'Encounter', id: 'e1', status: 'finished', subject, class: { code: 'AMB' }, ...members };
}
export function prescription(members: object): object {
  return {
    resourceType: 'MedicationRequest',
    id: 'm1',
    status: 'active',
    intent: 'order',
    subject,
    authoredOn: daysBefore(20),
    ...members,
  };
}
