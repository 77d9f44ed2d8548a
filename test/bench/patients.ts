import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { type Analysis, conceptFiles } from '../../src/engine/concepts.ts';

/** What a patient of the benchmark is meant to bring about: no card, or at least one. */
export const patientKinds = ['silent', 'cards'] as const;
export type PatientKind = (typeof patientKinds)[number];

export interface PatientOptions {
  kind: PatientKind;
  observations: number;
  /** Tells patients of one kind and size apart. */
  number: number;
  /** Day the request is made, `YYYY-MM-DD`. */
  today: string;
}

/** The code systems written, by the canonical names of concepts/systems.yaml. */
type Systems = Readonly<Record<string, readonly string[]>>;
/** An analysis of the guideline with what is needed to write a normal result of it. */
interface Panel {
  id: string;
  code: string;
  display: string;
  unit: string;
  low: number | undefined;
  high: number | undefined;
}
type Resource = { resourceType: string; id: string } & Record<string, unknown>;

const knowledge = new URL('../../cds-services/diagnostisk-pakkeforloeb/concepts/', import.meta.url);
const read = (file: string): unknown => parse(readFileSync(new URL(file, knowledge), 'utf8'));
const systems = read('systems.yaml') as Systems;

const sex = 'female';
const age = 58;
const hl7 = 'http://terminology.hl7.org/CodeSystem';

/** Of every ten Observations, how many are of analyses the guideline speaks of. */
const relatedOfTen = 6;
/** Days the results are spread over. */
const resultDays = 1500;
const conditionCount = 20;
/** Evenly spaced, so that no rise of contacts shows. */
const encounterCount = 12;
const encounterDays = 50;
const weightLossDays = 35;
/** Left out of every record, so that Trin 1 is incomplete. */
const missingAnalysis = 'tsh';
const panels = selectPanels(conceptFiles.analyses.parse(read('analyses.yaml')));

/** SNOMED CT, conditions.csv: unexplained weight loss. */
const weightLoss = '422868009';
/** Studies without a finding: chest X-ray, CT of the brain, ultrasound of the abdomen (imaging.csv). */
const studies = [
  { code: 'UXRC00', display: 'Røntgenundersøgelse af thorax', modality: 'DX', days: 200 },
  { code: 'UXCA00', display: 'CT-skanning af cerebrum', modality: 'CT', days: 420 },
  { code: 'UXUD10', display: 'UL-undersøgelse af øvre abdomen', modality: 'US', days: 900 },
];
/** ATC groups of drugs.csv that no fact counts as a rise: ACE inhibitors, diuretics, angiotensin receptor blockers. */
const drugs = ['C09A', 'C03C', 'C09C'];

// Codes of the right shape that no system has assigned: what the guideline does not speak of.
const unrelatedAnalysis = (at: number): string => `NPU9${String(at % 400).padStart(4, '0')}`;
const unrelatedCondition = (at: number): string => `DH96${String(at).padStart(2, '0')}`;

/**
 * Writes the body of a patient-view request as a Danish client sends it: every prefetch key filled, results normal.
 *
 * `cards` has an unexplained weight loss; in either kind one analysis of Trin 1 was never taken.
 */
export function buildRequest({ kind, observations, number, today }: PatientOptions): string {
  const patientId = `bench-${kind}-${observations}-${number}`;
  const subject = { reference: `Patient/${patientId}`, type: 'Patient' };
  const write = { subject, day: (daysAgo: number) => daysBefore(today, daysAgo) };
  return JSON.stringify({
    hook: 'patient-view',
    hookInstance: `d1577c69-dfbe-44ad-ba6d-${String(number).padStart(12, '0')}`,
    context: { userId: 'Practitioner/bench', patientId, encounterId: 'encounter-0' },
    prefetch: {
      patient: {
        resourceType: 'Patient',
        id: patientId,
        active: true,
        gender: sex,
        birthDate: `${Number(today.slice(0, 4)) - age}-01-02`,
        address: [{ use: 'home', city: 'Sønderborg', country: 'DK' }],
      },
      conditions: buildBundle(buildConditions(write, kind)),
      observations: buildBundle(buildObservations(write, observations, number)),
      reports: buildBundle(buildReports(write)),
      imaging: buildBundle(buildStudies(write)),
      orders: buildBundle(buildOrders(write)),
      procedures: null,
      encounters: buildBundle(buildEncounters(write)),
      medications: buildBundle(buildMedications(write)),
      medicationStatements: null,
    },
  });
}

interface Writing {
  subject: { reference: string };
  day(daysAgo: number): string;
}

function buildConditions({ subject, day }: Writing, kind: PatientKind): Resource[] {
  const confirmed = {
    clinicalStatus: { coding: [{ system: `${hl7}/condition-clinical`, code: 'active' }] },
    verificationStatus: { coding: [{ system: `${hl7}/condition-ver-status`, code: 'confirmed' }] },
    category: [{ coding: [{ system: `${hl7}/condition-category`, code: 'problem-list-item' }] }],
  };
  const conditions = times(conditionCount, (at) => ({
    ...begin('Condition', at),
    ...confirmed,
    code: {
      coding: [{ system: uri('sks'), code: unrelatedCondition(at), display: 'Tilstand uden for retningslinjen' }],
      text: 'Følges hos egen læge, uændret siden sidste kontrol',
    },
    subject,
    onsetDateTime: day(400 + at * 70),
    recordedDate: day(390 + at * 70),
  }));
  if (kind === 'cards') {
    const onset = { onsetDateTime: day(weightLossDays), recordedDate: day(weightLossDays - 5) };
    const code = {
      coding: [{ system: uri('sct'), code: weightLoss, display: 'Unexplained weight loss' }],
      text: 'Utilsigtet vægttab',
    };
    conditions.push({ ...begin('Condition', conditionCount), ...confirmed, code, subject, ...onset });
  }
  return conditions;
}

function buildObservations({ subject, day }: Writing, count: number, number: number): Resource[] {
  return times(count, (at) => {
    const related = Math.floor(at / 10) * relatedOfTen + (at % 10);
    const panel = at % 10 < relatedOfTen ? panels[(related + number) % panels.length] : undefined;
    const daysAgo = 1 + Math.floor((at * resultDays) / count);
    const taken = `${day(daysAgo)}T09:${String(at % 60).padStart(2, '0')}:00+01:00`;
    const unit = panel?.unit ?? 'mmol/L';
    const quantity = (value: number) => ({ value, unit, system: uri('ucum'), code: unit });
    return {
      ...begin('Observation', at),
      meta: { versionId: '1', lastUpdated: taken },
      identifier: [{ system: 'urn:ietf:rfc:3986', value: `urn:oid:1.2.208.176.1.1.${number}.${count}.${at}` }],
      status: 'final',
      category: [{ coding: [{ system: `${hl7}/observation-category`, code: 'laboratory', display: 'Laboratory' }] }],
      code: {
        coding: [
          {
            system: uri('npu'),
            code: panel?.code ?? unrelatedAnalysis(at),
            display: panel?.display ?? 'Analyse uden for retningslinjen',
          },
        ],
        text: panel?.display ?? 'Analyse uden for retningslinjen',
      },
      subject,
      encounter: { reference: `Encounter/encounter-${at % encounterCount}` },
      effectiveDateTime: taken,
      issued: taken,
      performer: [{ reference: 'Organization/laboratory', display: 'Klinisk Biokemisk Afdeling, Sønderborg' }],
      valueQuantity: quantity(normalValue(panel, at)),
      ...(at % 2 === 0 && panel !== undefined
        ? {
            referenceRange: [
              {
                ...(panel.low === undefined ? {} : { low: quantity(panel.low) }),
                ...(panel.high === undefined ? {} : { high: quantity(panel.high) }),
              },
            ],
          }
        : {}),
    };
  });
}

/** Somewhere in the middle of the interval. */
function normalValue(panel: Panel | undefined, at: number): number {
  const low = panel?.low ?? 0;
  const high = panel?.high ?? low * 2 + 1;
  return Number((low + (high - low) * (0.4 + (at % 20) / 100)).toPrecision(4));
}

function buildStudies({ subject, day }: Writing): Resource[] {
  return studies.map(({ code, display, modality, days }, at) => ({
    ...begin('ImagingStudy', at),
    status: 'available',
    subject,
    started: `${day(days)}T10:00:00+01:00`,
    modality: [{ system: uri('dcm'), code: modality }],
    procedureCode: [{ coding: [{ system: uri('sks'), code, display }] }],
    series: times(3, (series) => ({
      uid: `1.2.208.1.${at}.${series}`,
      number: series,
      modality: { system: uri('dcm'), code: modality },
      numberOfInstances: 120,
    })),
  }));
}

function buildReports({ subject, day }: Writing): Resource[] {
  return studies.map(({ code, display, days }, at) => ({
    ...begin('DiagnosticReport', at),
    status: 'final',
    category: [{ coding: [{ system: `${hl7}/v2-0074`, code: 'RAD', display: 'Radiology' }] }],
    code: { coding: [{ system: uri('sks'), code, display }] },
    subject,
    effectiveDateTime: `${day(days)}T10:00:00+01:00`,
    issued: `${day(days)}T15:30:00+01:00`,
    imagingStudy: [{ reference: `ImagingStudy/imagingstudy-${at}` }],
    conclusion: 'Der ses intet abnormt. Normale forhold sammenholdt med tidligere undersøgelse.',
  }));
}

function buildOrders({ subject, day }: Writing): Resource[] {
  return times(6, (at) => ({
    ...begin('ServiceRequest', at),
    status: 'completed',
    intent: 'order',
    code: { coding: [{ system: uri('npu'), code: unrelatedAnalysis(at), display: 'Analyse uden for retningslinjen' }] },
    subject,
    authoredOn: `${day(60 + at * 90)}T08:30:00+01:00`,
    requester: { reference: 'Practitioner/bench' },
  }));
}

function buildEncounters({ subject, day }: Writing): Resource[] {
  return times(encounterCount, (at) => {
    const date = day(30 + at * encounterDays);
    return {
      ...begin('Encounter', at),
      status: 'finished',
      class: { system: `${hl7}/v3-ActCode`, code: 'AMB', display: 'ambulatory' },
      subject,
      period: { start: `${date}T09:00:00+01:00`, end: `${date}T09:20:00+01:00` },
    };
  });
}

function buildMedications({ subject, day }: Writing): Resource[] {
  return times(9, (at) => ({
    ...begin('MedicationRequest', at),
    status: at < drugs.length ? 'active' : 'completed',
    intent: 'order',
    medicationCodeableConcept: { coding: [{ system: uri('atc'), code: drugs[at % drugs.length] }] },
    subject,
    authoredOn: `${day(40 + at * 60)}T09:10:00+01:00`,
    dosageInstruction: [{ text: '1 tablet daglig, højst 1 gang i døgnet' }],
  }));
}

/** The analyses with an NPU code, a unit and an interval for the patient: the others cannot be made normal. */
function selectPanels(analyses: readonly Analysis[]): Panel[] {
  return analyses.flatMap(({ id, da, codes, unit, unitOfCode = {}, intervals = [] }) => {
    const code = codes?.npu?.[0];
    const interval = intervals.find(
      (each) => (each.sex ?? sex) === sex && (each.fromAge ?? 0) <= age && (each.toAge ?? age) >= age,
    );
    const low = interval?.low ?? interval?.below;
    const high = interval?.high ?? interval?.above;
    const isUsable = id !== missingAnalysis && (low !== undefined || high !== undefined);
    return !isUsable || code === undefined || unit === undefined || unitOfCode[code] !== undefined
      ? []
      : [{ id, code, display: da, unit, low, high }];
  });
}

function buildBundle(resources: readonly Resource[]): object {
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    total: resources.length,
    entry: resources.map((resource) => ({
      fullUrl: `https://fhir.example.dk/r4/${resource.resourceType}/${resource.id}`,
      resource,
      search: { mode: 'match' },
    })),
  };
}

function begin(resourceType: string, at: number): Resource {
  return { resourceType, id: `${resourceType.toLowerCase()}-${at}` };
}

function uri(name: string): string {
  const [first] = systems[name] ?? [];
  if (first === undefined) throw new Error(`concepts/systems.yaml: expected a system ${name}`);
  return first;
}

function times<T>(count: number, build: (at: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => build(at));
}

function daysBefore(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) - days * 86_400_000).toISOString().slice(0, 10);
}
