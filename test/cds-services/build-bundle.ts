import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type * as z from 'zod';
import { conceptFiles } from '../../src/engine/concepts.ts';
import type { Source, Sources } from '../../src/engine/types.ts';
import { type Case, type Draft, type Finding, type Item, type KeyName, keyNames } from './case.ts';

type Concepts = { [F in keyof typeof conceptFiles]: z.infer<(typeof conceptFiles)[F]> } & {
  systems: Readonly<Record<string, readonly string[]>>;
};
interface Coding {
  system: string;
  code: string;
}
type Resource = { resourceType: string } & Record<string, unknown>;

/** Reads the concepts that cases name, as the knowledge folder has them. */
export function readConcepts(folder: string): Concepts {
  const read = (file: string): unknown => parse(readFileSync(join(folder, 'concepts', file), 'utf8'));
  return {
    systems: read('systems.yaml') as Concepts['systems'],
    analyses: conceptFiles.analyses.parse(read('analyses.yaml')),
    conditions: conceptFiles.conditions.parse(read('conditions.yaml')),
    procedures: conceptFiles.procedures.parse(read('procedures.yaml')),
    pathways: conceptFiles.pathways.parse(read('pathways.yaml')),
    drugs: conceptFiles.drugs.parse(read('drugs.yaml')),
    sites: conceptFiles.sites.parse(read('sites.yaml')),
  };
}

/** The 28 analyses of Trin 1 and the second step, each with a value that is normal for adults of either sex. */
const normalValues: Readonly<Record<'haematology' | 'other' | 'step2', Readonly<Record<string, number>>>> = {
  haematology: {
    haemoglobin: 8.6,
    mch: 1.9,
    rdw: 0.13,
    mcv: 90,
    mchc: 21,
    evf: 0.42,
    platelets: 250,
    leukocytes: 6,
    differential: 4,
    reticulocytes: 60,
    ferritin: 80,
  },
  other: {
    crp: 3,
    igg: 10,
    iga: 2,
    igm: 1,
    albumin: 40,
    sodium: 140,
    potassium: 4,
    creatinine: 75,
    calcium: 2.35,
    inr: 1,
    hba1c: 38,
    bilirubin: 10,
    alat: 25,
    'alkaline-phosphatase': 70,
    ldh: 160,
    amylase: 60,
    tsh: 1.5,
  },
  step2: { cobalamin: 350, folate: 15, iron: 18, 'transferrin-saturation': 0.3 },
};
const trin1Values = { ...normalValues.haematology, ...normalValues.other };

/** The analyses of a package, by id. */
export function packageAnalyses(name: 'trin1' | 'step2'): string[] {
  return Object.keys(name === 'trin1' ? trin1Values : normalValues.step2);
}

const patientId = 'case-patient';
const otherPatientId = 'another-patient';
const cprSystem = 'urn:oid:1.2.208.176.1.2';
const ucum = 'http://unitsofmeasure.org';
const snomed = 'http://snomed.info/sct';
const hl7 = 'http://terminology.hl7.org/CodeSystem';
const snomedSpecialties = {
  neurology: '394591006',
  neurosurgery: '394610002',
  'general-practice': '408443003',
  oncology: '394592004',
} as const;
const snomedSides = { left: '7771000', right: '24028007', both: '51440002' } as const;
const snomedCounts = { single: '50607009', multiple: '255204007', numerous: '260396001' } as const;
const keyOfType: Readonly<Record<string, KeyName>> = {
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

/** Turns the record of a case into the prefetch of a CDS Hooks request: FHIR R4 as Danish clients send it. */
export function buildPrefetch(testCase: Case, concepts: Concepts): Record<string, unknown> {
  const writer = new Writer(testCase.today, concepts);
  const resources = testCase.record.flatMap((item) => {
    try {
      return writer.write(item);
    } catch (error) {
      throw new Error(`${testCase.id}: ${error instanceof Error ? error.message : 'not buildable'}`, { cause: error });
    }
  });
  const prefetch: Record<string, unknown> = {};
  for (const key of keyNames) {
    const state = testCase.keys[key];
    if (state === 'missing') continue;
    if (state === 'failed') {
      prefetch[key] = { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'processing' }] };
    } else if (key === 'patient') {
      prefetch[key] = buildPatient(testCase);
    } else {
      const entry = resources.filter((resource) => keyOfType[resource.resourceType] === key);
      prefetch[key] = {
        resourceType: 'Bundle',
        type: 'searchset',
        ...(state === 'truncated' && { link: [{ relation: 'next', url: 'urn:next' }] }),
        entry: entry.map((resource) => ({ resource, search: { mode: 'match' } })),
      };
    }
  }
  return prefetch;
}

/** What the context of an order hook says: the drafts, and which of them were chosen. */
export function buildContext(
  testCase: Case,
  concepts: Concepts,
): { draftOrders: object; selections: string[] | undefined } {
  const writer = new Writer(testCase.today, concepts);
  const drafts = testCase.drafts.flatMap((draft) =>
    writer.writeDraft(draft).map((resource) => ({ resource, selected: draft.selected })),
  );
  return {
    draftOrders: { resourceType: 'Bundle', type: 'collection', entry: drafts.map(({ resource }) => ({ resource })) },
    selections: drafts.some(({ selected }) => selected !== undefined)
      ? drafts.flatMap(({ resource, selected }) => (selected ? [`${resource.resourceType}/${resource.id}`] : []))
      : undefined,
  };
}

/** The prefetch as the engine gets it, in the states the case names; present or empty otherwise. */
export function readSources(testCase: Case, prefetch: Readonly<Record<string, unknown>>): Sources {
  const sources: Record<string, Source> = {};
  for (const key of keyNames) {
    const value = prefetch[key] as { resourceType: string; entry?: { resource: unknown }[] } | undefined;
    const resources =
      value === undefined || value.resourceType === 'OperationOutcome'
        ? []
        : (value.entry?.map(({ resource }) => resource) ?? [value]);
    sources[key] = { state: testCase.keys[key] ?? (resources.length > 0 ? 'present' : 'empty'), resources };
  }
  return sources;
}

/** The id `context.patientId` of every case. */
export const casePatientId = patientId;

function buildPatient({ patient, today }: Case): Resource {
  const birthDate =
    patient.born ?? (patient.age === undefined ? undefined : daysBefore(yearsBefore(today, patient.age), 100));
  return {
    resourceType: 'Patient',
    id: patientId,
    ...(patient.cpr !== undefined && { identifier: [{ use: 'official', system: cprSystem, value: patient.cpr }] }),
    ...(patient.sex !== undefined && { gender: patient.sex }),
    ...(birthDate !== undefined && { birthDate }),
    ...(patient.deceased === true && { deceasedBoolean: true }),
  };
}

class Writer {
  readonly #today: string;
  readonly #concepts: Concepts;
  #count = 0;
  readonly #drafted = new Map<string, number>();

  constructor(today: string, concepts: Concepts) {
    this.#today = today;
    this.#concepts = concepts;
  }

  write(item: Item): Resource[] {
    switch (item.kind) {
      case 'condition':
        return [this.#condition(item)];
      case 'result':
        return [this.#result(item)];
      case 'results':
        return this.#results(item);
      case 'imaging':
        return this.#imaging(item);
      case 'examination':
        return [this.#examination(item)];
      case 'pathology':
        return this.#pathology(item);
      case 'order':
        return this.#orders(item);
      case 'refer':
        return [this.#referral(item)];
      case 'code':
        return [this.#marker(item)];
      case 'encounter':
        return this.#encounters(item);
      case 'procedure':
        return [this.#procedure(item)];
      case 'medication':
        return this.#medications(item);
      case 'resource':
        return [item.resource];
    }
  }

  writeDraft(draft: Draft): Resource[] {
    if ('resource' in draft) return [draft.resource];
    const { status = 'draft', subject } = draft;
    const common = { status, code: draft.code, authored: 0, subject };
    if ('refer' in draft) {
      const referral = this.#referral({ kind: 'refer', refer: draft.refer, ...common });
      return [{ ...referral, id: this.#nameDraft(draft.refer), ...buildContent(draft.content ?? []) }];
    }
    const { order, except, site } = draft;
    const names = ['trin1', 'haematology', 'step2'].includes(order)
      ? this.#package(order as 'trin1', except).map(([analysis]) => analysis)
      : [order];
    return names.map((name) => {
      const coding = this.#siteCodings({ site });
      return {
        ...this.#order({ kind: 'order', order: name, ...common }),
        id: this.#nameDraft(name),
        ...(coding.length > 0 && { bodySite: [{ coding }] }),
      };
    });
  }

  #nameDraft(name: string): string {
    const count = (this.#drafted.get(name) ?? 0) + 1;
    this.#drafted.set(name, count);
    return count === 1 ? `draft-${name}` : `draft-${name}-${count}`;
  }

  #condition(item: Item & { kind: 'condition' }): Resource {
    return {
      ...this.#begin('Condition', item),
      ...(item.status !== 'absent' && {
        clinicalStatus: { coding: [{ system: `${hl7}/condition-clinical`, code: item.status ?? 'active' }] },
      }),
      verificationStatus: {
        coding: [{ system: `${hl7}/condition-ver-status`, code: item.certainty ?? 'confirmed' }],
      },
      ...(item.category !== undefined && {
        category: [{ coding: [{ system: snomed, code: item.category === 'current' ? '15240007' : '723506003' }] }],
      }),
      code: { coding: this.#conditionCodes(item) },
      ...this.#bodySites(item),
      ...(item.onset !== undefined && { onsetDateTime: this.#date(item.onset) }),
      ...(item.abated !== undefined && { abatementDateTime: this.#date(item.abated) }),
      ...(item.recorded !== undefined && { recordedDate: this.#date(item.recorded) }),
    };
  }

  #conditionCodes(item: Item & { kind: 'condition' }): Coding[] {
    return item.code === undefined
      ? [this.#code('conditions', item.condition, item.system === undefined ? ['sct', 'sks', 'icd10'] : [item.system])]
      : this.#literals(item.code);
  }

  #bodySites(item: { site?: string | undefined; side?: 'left' | 'right' | 'both' | undefined }): {
    bodySite?: { coding: Coding[] }[];
  } {
    const coding = this.#siteCodings(item);
    return coding.length > 0 ? { bodySite: [{ coding }] } : {};
  }

  #siteCodings(item: { site?: string | undefined; side?: 'left' | 'right' | 'both' | undefined }): Coding[] {
    return [
      ...(item.site === undefined ? [] : [this.#code('sites', item.site, ['sct'])]),
      ...(item.side === undefined ? [] : [{ system: snomed, code: snomedSides[item.side] }]),
    ];
  }

  #results(item: Item & { kind: 'results' }): Resource[] {
    return this.#package(item.results, item.except).map(([analysis, value]) =>
      this.#result({
        kind: 'result',
        result: analysis,
        value,
        taken: item.taken,
        status: item.status,
        subject: item.subject,
      }),
    );
  }

  /** The analyses of a package with normal values; the differential as two cell types. */
  #package(name: 'trin1' | 'haematology' | 'step2', except: readonly string[] = []): [string, number][] {
    const values = name === 'trin1' ? trin1Values : normalValues[name];
    for (const id of except) {
      if (!Object.hasOwn(values, id)) throw new Error(`except: ${id} is not one of ${name}`);
    }
    return Object.entries(values)
      .filter(([id]) => !except.includes(id))
      .flatMap(([id, value]): [string, number][] =>
        id === 'differential'
          ? [
              ['neutrophils', value],
              ['lymphocytes', 2],
            ]
          : [[id, value]],
      );
  }

  #result(item: Item & { kind: 'result' }): Resource {
    const analysis = this.#concepts.analyses.find(({ id }) => id === item.result);
    const unit = item.unit ?? analysis?.unit;
    return {
      ...this.#begin('Observation', item),
      status: item.status ?? 'final',
      category: [{ coding: [{ system: `${hl7}/observation-category`, code: 'laboratory' }] }],
      code: {
        coding:
          item.code === undefined
            ? [this.#code('analyses', item.result, item.loinc === true ? ['loinc'] : ['npu', 'loinc'])]
            : this.#literals(item.code),
      },
      effectiveDateTime: this.#instant(item.taken),
      ...(item.value !== undefined && {
        valueQuantity: {
          value: item.value,
          ...(item.comparator !== undefined && { comparator: item.comparator }),
          ...(unit !== undefined && { unit, system: ucum, code: unit }),
        },
      }),
      ...(item.text !== undefined && { valueString: item.text }),
      ...(item.detected !== undefined && {
        valueCodeableConcept: { coding: [{ system: snomed, code: item.detected ? '10828004' : '260385009' }] },
      }),
      ...(item.absent === true && {
        dataAbsentReason: { coding: [{ system: `${hl7}/data-absent-reason`, code: 'not-performed' }] },
      }),
      ...(item.flag !== undefined && {
        interpretation: [{ coding: [{ system: `${hl7}/v3-ObservationInterpretation`, code: item.flag }] }],
      }),
      ...(item.range !== undefined && {
        referenceRange: [
          {
            ...(item.range[0] !== null && { low: { value: item.range[0], unit, system: ucum, code: unit } }),
            ...(item.range[1] !== null && { high: { value: item.range[1], unit, system: ucum, code: unit } }),
          },
        ],
      }),
    };
  }

  #imaging(item: Item & { kind: 'imaging' }): Resource[] {
    const coding = this.#procedureCodes(item.imaging, item.code);
    const resources: Resource[] = [];
    const study = this.#begin('ImagingStudy', item);
    if (item.study !== 'none') {
      resources.push({
        ...study,
        status: item.study ?? 'available',
        started: this.#instant(item.done),
        procedureCode: [{ coding }],
        ...(item.reason !== undefined && {
          reasonCode: [{ coding: [this.#code('conditions', item.reason, ['sct', 'sks'])] }],
        }),
      });
    }
    if (item.report === 'none') {
      if (item.findings !== undefined) throw new Error('findings need a report');
      return resources;
    }
    const reported = item.reported ?? item.done;
    const result: { reference: string }[] = [];
    const conclusionCode: { coding: Coding[] }[] = [];
    for (const finding of item.findings ?? []) {
      if (!needsObservation(finding)) {
        conclusionCode.push({ coding: this.#findingCodes(finding.finding, finding.code) });
        continue;
      }
      const observation = this.#finding(finding, finding.finding, item.subject);
      resources.push({
        ...observation,
        status: finding.status ?? (item.report === 'preliminary' ? 'preliminary' : 'final'),
        effectiveDateTime: this.#instant(reported),
        ...(item.study !== 'none' && { derivedFrom: [{ reference: `ImagingStudy/${study.id}` }] }),
      });
      result.push({ reference: `Observation/${observation.id}` });
    }
    resources.push({
      ...this.#begin('DiagnosticReport', item),
      status: item.report ?? 'final',
      category: [{ coding: [{ system: `${hl7}/v2-0074`, code: 'RAD' }] }],
      code: { coding },
      effectiveDateTime: this.#instant(item.done),
      issued: this.#instant(reported),
      ...(item.study !== 'none' && { imagingStudy: [{ reference: `ImagingStudy/${study.id}` }] }),
      ...(conclusionCode.length > 0 && { conclusionCode }),
      ...(result.length > 0 && { result }),
    });
    return resources;
  }

  /** An Observation of a finding without status and date. */
  #finding(finding: Omit<Finding, 'finding'>, name: string, subject: 'other' | undefined): Resource & { id: string } {
    const site = this.#siteCodings(finding);
    const component = [
      ...(finding.count === undefined ? [] : [buildCount(finding.count)]),
      ...(finding.size === undefined
        ? []
        : [
            {
              code: { coding: [{ system: snomed, code: '246116008' }] },
              valueQuantity: {
                value: finding.size,
                unit: finding.unit ?? 'mm',
                system: ucum,
                code: finding.unit ?? 'mm',
              },
            },
          ]),
      ...(finding.tender === undefined
        ? []
        : [{ code: { coding: [{ system: snomed, code: '247348008' }] }, valueBoolean: finding.tender }]),
    ];
    return {
      ...this.#begin('Observation', { subject }),
      code: { coding: this.#findingCodes(name, finding.code) },
      ...(site.length > 0 && { bodySite: { coding: site } }),
      ...(finding.certainty === 'suspected' && {
        valueCodeableConcept: { coding: [{ system: snomed, code: '415684004' }] },
      }),
      ...(component.length > 0 && { component }),
    };
  }

  #examination(item: Item & { kind: 'examination' }): Resource {
    return {
      ...this.#finding(item, item.examination, item.subject),
      status: item.status ?? 'final',
      category: [{ coding: [{ system: `${hl7}/observation-category`, code: 'exam' }] }],
      effectiveDateTime: this.#instant(item.taken),
      ...(item.present !== undefined && { valueBoolean: item.present }),
    };
  }

  #pathology(item: Item & { kind: 'pathology' }): Resource[] {
    const coding =
      item.code === undefined
        ? [
            this.#code(
              'conditions',
              item.pathology,
              item.system === undefined ? ['sct', 'icdo3', 'sks'] : [item.system],
            ),
          ]
        : this.#literals(item.code);
    const site = this.#siteCodings(item);
    if (item.as === 'observation') {
      return [
        {
          ...this.#begin('Observation', item),
          status: item.status ?? 'final',
          code: { coding: [{ system: 'http://loinc.org', code: '59847-4' }] },
          effectiveDateTime: this.#instant(item.taken),
          valueCodeableConcept: { coding },
          ...(site.length > 0 && { bodySite: { coding: site } }),
        },
      ];
    }
    return [
      {
        ...this.#begin('DiagnosticReport', item),
        status: item.status ?? 'final',
        category: [{ coding: [{ system: `${hl7}/v2-0074`, code: 'PAT' }] }],
        code: { coding: [{ system: 'http://loinc.org', code: '11526-1' }] },
        effectiveDateTime: this.#instant(item.taken),
        issued: this.#instant(item.taken),
        conclusionCode: [{ coding }],
        ...(site.length > 0 && {
          contained: [{ resourceType: 'Specimen', id: 'specimen', collection: { bodySite: { coding: site } } }],
          specimen: [{ reference: '#specimen' }],
        }),
      },
    ];
  }

  #orders(item: Item & { kind: 'order' }): Resource[] {
    if (item.order === 'trin1' || item.order === 'haematology' || item.order === 'step2') {
      return this.#package(item.order, item.except).map(([analysis]) => this.#order({ ...item, order: analysis }));
    }
    return [this.#order(item)];
  }

  #order(item: Item & { kind: 'order' }): Resource {
    const coding =
      item.code !== undefined
        ? this.#literals(item.code)
        : this.#concepts.analyses.some(({ id }) => id === item.order)
          ? [this.#code('analyses', item.order, ['npu', 'loinc'])]
          : this.#procedureCodes(item.order, undefined);
    return {
      ...this.#begin('ServiceRequest', item),
      status: item.status ?? 'active',
      intent: 'order',
      code: { coding },
      authoredOn: this.#instant(item.authored),
      ...(item.requisition !== undefined && { requisition: { system: 'urn:requisition', value: item.requisition } }),
    };
  }

  #referral(item: Item & { kind: 'refer' }): Resource {
    const pathway = this.#concepts.pathways.find(({ id }) => id === item.refer);
    if (pathway === undefined && item.code === undefined) throw new Error(`no pathway ${item.refer}`);
    return {
      ...this.#begin('ServiceRequest', item),
      status: item.status ?? 'active',
      intent: 'order',
      code: {
        coding:
          item.code === undefined
            ? [{ system: this.#system('pathway'), code: pathway?.code ?? '' }]
            : this.#literals(item.code),
      },
      authoredOn: this.#instant(item.authored),
    };
  }

  #marker(item: Item & { kind: 'code' }): Resource {
    const code = { coding: [{ system: this.#system('sks'), code: item.code }] };
    if (item.on === 'procedure') {
      return {
        ...this.#begin('Procedure', item),
        status: item.status ?? 'completed',
        code,
        performedDateTime: this.#instant(item.at),
      };
    }
    if (item.on === 'service-request') {
      return {
        ...this.#begin('ServiceRequest', item),
        status: item.status ?? 'active',
        intent: 'order',
        code,
        authoredOn: this.#instant(item.at),
      };
    }
    return {
      ...this.#begin('Encounter', item),
      status: item.status ?? 'finished',
      class: { system: `${hl7}/v3-ActCode`, code: 'AMB' },
      type: [code],
      period: { start: this.#instant(item.at), end: this.#instant(item.at) },
    };
  }

  #encounters(item: Item & { kind: 'encounter' }): Resource[] {
    return [item.at].flat().map((at) => {
      const status = item.status ?? 'finished';
      const end = item.until ?? (status === 'finished' ? at : undefined);
      return {
        ...this.#begin('Encounter', item),
        status,
        class: { system: `${hl7}/v3-ActCode`, code: item.encounter },
        ...(item.specialty !== undefined && {
          serviceType: { coding: [{ system: snomed, code: snomedSpecialties[item.specialty] }] },
        }),
        period: { start: this.#instant(at), ...(end !== undefined && { end: this.#instant(end) }) },
      };
    });
  }

  #procedure(item: Item & { kind: 'procedure' }): Resource {
    return {
      ...this.#begin('Procedure', item),
      status: item.status ?? 'completed',
      code: { coding: this.#procedureCodes(item.procedure, item.code) },
      ...this.#bodySites(item),
      performedDateTime: this.#instant(item.done),
    };
  }

  #medications(item: Item & { kind: 'medication' }): Resource[] {
    const medicationCodeableConcept = { coding: [{ system: this.#system('atc'), code: item.medication }] };
    return [item.authored].flat().map((authored) =>
      item.as === 'statement'
        ? {
            ...this.#begin('MedicationStatement', item),
            status: item.status ?? 'active',
            medicationCodeableConcept,
            effectivePeriod: { start: this.#date(authored) },
          }
        : {
            ...this.#begin('MedicationRequest', item),
            status: item.status ?? 'active',
            intent: 'order',
            medicationCodeableConcept,
            authoredOn: this.#instant(authored),
          },
    );
  }

  #begin(resourceType: string, item: { subject?: 'other' | undefined }): Resource & { id: string } {
    this.#count += 1;
    const reference = `Patient/${item.subject === 'other' ? otherPatientId : patientId}`;
    return {
      resourceType,
      id: `${resourceType.toLowerCase()}-${this.#count}`,
      subject: { reference },
    };
  }

  #findingCodes(name: string, literal: string | string[] | undefined): Coding[] {
    return literal === undefined ? [this.#code('conditions', name, ['sct', 'sks', 'icd10'])] : this.#literals(literal);
  }

  #procedureCodes(name: string, literal: string | string[] | undefined): Coding[] {
    return literal === undefined ? [this.#code('procedures', name, ['sks', 'sct', 'loinc'])] : this.#literals(literal);
  }

  /** The first exact code of a concept in the first of the systems that has one; a prefix stands for itself. */
  #code(file: 'analyses' | 'conditions' | 'procedures' | 'sites', id: string, systems: readonly string[]): Coding {
    const concept = this.#concepts[file].find((candidate) => candidate.id === id);
    if (concept === undefined) throw new Error(`concepts/${file}.yaml has no ${id}`);
    for (const name of systems) {
      const code = Object.entries(concept.codes ?? {}).find(([system]) => system === name)?.[1]?.[0];
      if (code !== undefined)
        return { system: this.#system(name), code: code.replace(/\*$/, '').replace(/-[A-Z].*$/, '') };
    }
    throw new Error(`${id} of concepts/${file}.yaml has no exact code in ${systems.join(', ')}`);
  }

  #literals(codes: string | readonly string[]): Coding[] {
    return [codes].flat().map((literal) => {
      const [system = '', code = ''] = literal.split('|');
      return { system: this.#system(system), code };
    });
  }

  #system(name: string): string {
    const uri = this.#concepts.systems[name]?.[0];
    if (uri === undefined) throw new Error(`concepts/systems.yaml has no ${name}`);
    return uri;
  }

  #date(daysAgo: number): string {
    return daysBefore(this.#today, daysAgo);
  }

  /** Late in the Danish morning, so that no time zone moves the day. */
  #instant(daysAgo: number): string {
    return `${this.#date(daysAgo)}T10:15:00+01:00`;
  }
}

/** Where the parts of a referral stand; the last two are named and not sent. */
function buildContent(parts: readonly string[]): object {
  const has = (part: string): boolean => parts.includes(part);
  const contained = [
    ...(has('telephone')
      ? [{ resourceType: 'Practitioner', id: 'referrer', telecom: [{ system: 'phone', value: '+45 00 00 00 00' }] }]
      : []),
    ...(has('consent')
      ? [
          {
            resourceType: 'Consent',
            id: 'consent',
            status: 'active',
            scope: { coding: [{ system: `${hl7}/consentscope`, code: 'treatment' }] },
            category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
          },
        ]
      : []),
  ];
  const supportingInfo = [
    ...(has('consent') ? [{ reference: '#consent' }] : []),
    ...(has('letter') ? [{ reference: 'DocumentReference/letter' }] : []),
  ];
  return {
    ...(contained.length > 0 && { contained }),
    ...(supportingInfo.length > 0 && { supportingInfo }),
    ...(has('symptoms') && { reasonCode: [{ text: 'Symptomer og fund' }] }),
    ...(has('rationale') && { note: [{ text: 'Begrundelse' }] }),
    ...(has('patient-informed') && { patientInstruction: 'Patienten er informeret' }),
    ...(has('telephone') && { requester: { reference: '#referrer' } }),
    ...(has('requester') && { requester: { reference: 'PractitionerRole/elsewhere' } }),
  };
}

function needsObservation(finding: Finding): boolean {
  return Object.keys(finding).some((member) => member !== 'finding' && member !== 'code');
}

function buildCount(count: 'single' | 'multiple' | 'numerous' | number): object {
  const code = { coding: [{ system: snomed, code: '246205007' }] };
  return typeof count === 'number'
    ? { code, valueInteger: count }
    : { code, valueCodeableConcept: { coding: [{ system: snomed, code: snomedCounts[count] }] } };
}

function daysBefore(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) - days * 86_400_000).toISOString().slice(0, 10);
}

function yearsBefore(date: string, years: number): string {
  return `${Number(date.slice(0, 4)) - years}${date.slice(4)}`;
}
