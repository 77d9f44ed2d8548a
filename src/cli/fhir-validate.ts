import { indexStructureDefinitionBundle, OperationOutcomeError, validateResource } from '@medplum/core';
import type { ReadChart } from '../engine/chart-reader.ts';
import { codingsOf, isObject, type Json, listOf, referenceKeyOf, statusCodeOf } from '../engine/resources.ts';
import type { Chart, Reading, Sources } from '../engine/types.ts';
import { sayAmount } from '../engine/wording.ts';
import type { FhirResource } from './fhir-artefact.ts';
import { coreCanonical, readCoreStructures, readCoreTerminology } from './fhir-core.ts';
import { checkProfile, type Issue, type ProfileContext } from './fhir-profile-check.ts';
import { createValueSets } from './fhir-value-sets.ts';

/** What is said of one resource. */
export interface Verdict {
  /** `Observation/obs-1`, or the type and its position where it has no id. */
  resource: string;
  /** Ids of the profiles it was checked against; empty: FHIR R4 only. */
  profiles: string[];
  issues: Issue[];
}

export interface Validator {
  /**
   * @param role `suggestion` for what a card suggests; a record's ServiceRequest is an order or a referral.
   */
  validate(resource: FhirResource, role?: 'record' | 'suggestion'): Verdict;
}

type ValidatableResource = Parameters<typeof validateResource>[0];

/**
 * Makes a validator of the published profiles over FHIR R4.
 *
 * R4's own rules are the library's work; what it leaves out, and the profiles, are checked by `fhir-profile-check.ts`.
 */
export function createValidator(published: readonly FhirResource[], canonical: string): Validator {
  const structures = new Map<string, FhirResource>();
  const core = readCoreStructures();
  for (const structure of [...core, ...published]) {
    if (structure.resourceType === 'StructureDefinition' && structure.url !== undefined) {
      structures.set(structure.url, structure);
    }
  }
  indexStructureDefinitionBundle(core as unknown as Parameters<typeof indexStructureDefinitionBundle>[0]);
  const valueSets = createValueSets([...readCoreTerminology(), ...published]);
  const context: ProfileContext = { structures, valueSets, canonical };
  const profileUrl = (id: string): string => `${canonical}/StructureDefinition/${id}`;

  const isCoded = (concept: unknown, valueSet: string): boolean =>
    codingsOf(concept).some(
      (coding) =>
        isObject(coding) &&
        valueSets.has(`${canonical}/ValueSet/${valueSet}`, String(coding.system), String(coding.code)) === true,
    );

  const chooseProfiles = (resource: FhirResource, role: 'record' | 'suggestion'): string[] => {
    const claimed = listOf(isObject(resource.meta) ? resource.meta.profile : undefined).map(String);
    const own = claimed.filter((url) => url.startsWith(canonical));
    if (own.length > 0) return own.map((url) => url.slice(profileUrl('').length));
    const chosen = chooseProfile(resource, role, isCoded);
    return chosen === undefined ? [] : [chosen];
  };

  return {
    validate: (resource, role = 'record') => {
      const profiles = chooseProfiles(resource, role);
      const checkOne = (url: string, what: string): Issue[] => {
        const structure = structures.get(url);
        if (structure !== undefined) return checkProfile(resource, structure, context);
        return [
          {
            severity: 'error',
            element: `${resource.resourceType}.meta.profile`,
            expected: `a profile of ours; found ${what}, which there is none of`,
            change: 'check the url of the profile',
          },
        ];
      };
      const base = checkBase(resource);
      const { resourceType } = resource;
      const own = profiles.flatMap((id) => checkOne(profileUrl(id), id));
      const core = profiles.length > 0 || !structures.has(`${coreCanonical}/${resourceType}`);
      const issues = [...own, ...(core ? [] : checkOne(`${coreCanonical}/${resourceType}`, resourceType)), ...base];
      return { resource: `${resourceType}/${resource.id ?? '(no id)'}`, profiles, issues: mergeIssues(issues) };
    },
  };
}

/** The profile that says how the service reads a resource of this kind. */
function chooseProfile(
  resource: FhirResource,
  role: 'record' | 'suggestion',
  isCoded: (concept: unknown, valueSet: string) => boolean,
): string | undefined {
  const { code } = resource;
  switch (resource.resourceType) {
    case 'Patient':
    case 'Encounter':
    case 'Procedure':
      return resource.resourceType.toLowerCase();
    case 'ImagingStudy':
      return 'imaging-study';
    case 'MedicationRequest':
      return 'medication-request';
    case 'MedicationStatement':
      return 'medication-statement';
    case 'ServiceRequest':
      if (role === 'suggestion') return 'suggested-order';
      return isCoded(code, 'diagnostic-pathways') && resource.status === 'draft' ? 'referral' : 'order';
    case 'Condition':
      if (isCoded(code, 'suspicions')) return 'recorded-suspicion';
      return suspectedStatuses.has(statusCodeOf(resource.verificationStatus))
        ? 'suspected-condition'
        : 'symptom-condition';
    case 'DiagnosticReport':
      if (isCoded(resource.category, 'pathology-categories')) return 'pathology-report';
      return isCoded(code, 'imaging-procedures') || resource.imagingStudy !== undefined ? 'imaging-report' : undefined;
    case 'Observation': {
      const links = [...listOf(resource.derivedFrom), ...listOf(resource.partOf)].map(referenceKeyOf);
      if (isCoded(code, 'analyses')) return 'laboratory-result';
      if (isCoded(code, 'histology-questions')) return 'histology-observation';
      if (links.some((key) => key?.startsWith('ImagingStudy/'))) return 'imaging-finding';
      if (isCoded(code, 'lymph-node-findings')) return 'lymph-node-finding';
      return isCoded(code, 'conditions') ? 'examination-finding' : undefined;
    }
    default:
      return undefined;
  }
}

const suspectedStatuses: ReadonlySet<unknown> = new Set(['unconfirmed', 'provisional', 'differential']);

/** R4's own rules: formats, unknown members, missing ones, invariants. */
function checkBase(resource: FhirResource): Issue[] {
  const explain = (issue: BaseIssue): Issue[] => explainBaseIssue(issue, resource);
  try {
    return validateResource(resource as unknown as ValidatableResource).flatMap(explain);
  } catch (error) {
    if (error instanceof OperationOutcomeError) return (error.outcome.issue ?? []).flatMap(explain);
    return [
      {
        severity: 'error',
        element: resource.resourceType,
        expected: 'a resource of FHIR R4; found something that could not be read',
        change: 'check resourceType and the JSON',
      },
    ];
  }
}

interface BaseIssue {
  severity?: string;
  details?: { text?: string };
  expression?: string[];
}

/** The library's messages in plain words; its warnings are covered by the profile check. */
function explainBaseIssue({ severity, details, expression }: BaseIssue, resource: FhirResource): Issue[] {
  if (severity !== 'error') return [];
  const element = nameChoices(expression?.[0] ?? '', resource);
  const text = details?.text ?? 'is not as FHIR R4 has it';
  const say = (expected: string, change: string): Issue[] => [{ severity: 'error', element, expected, change }];
  const name = element.split('.').at(-1) ?? element;
  if (text.startsWith('Missing required')) return say('a value; found none', `send ${name}`);
  if (text.startsWith('Invalid additional property')) {
    return say(`no element ${name} here in FHIR R4`, 'check its spelling and place, or leave it out');
  }
  if (text.startsWith('Expected array')) return say('a list; found a single value', 'put it in [ ]');
  if (text.startsWith('Expected single')) return say('a single value; found a list', 'send one, without [ ]');
  if (text.startsWith('Invalid null') || text.startsWith('Invalid empty') || text.startsWith('String must contain')) {
    return say('a value; found an empty one', 'leave out what has no value');
  }
  const format = /^Invalid (\w+) format$/.exec(text);
  if (format !== null) return say(`the format of ${format[1]}`, `write it as ${formats[format[1] ?? ''] ?? format[1]}`);
  const json = /^Invalid JSON type: expected (\w+)/.exec(text);
  if (json !== null) return say(`a JSON ${json[1]}`, `send it as a JSON ${json[1]}`);
  const constraint = /^Constraint ([\w-]+) not met: (.*)$/s.exec(text);
  if (constraint !== null) return say(`rule ${constraint[1]} of FHIR R4: ${constraint[2]}`, 'see the rule');
  return say(text, 'see FHIR R4');
}

/** `Observation.value[x].value` with the member that is there: `Observation.valueQuantity.value`. */
function nameChoices(element: string, resource: FhirResource): string {
  let at: unknown = resource;
  const [type, ...names] = element.split('.');
  const named = names.map((name) => {
    const [, plain = name, index] = /^(.*?)(?:\[(\d+)\])?$/.exec(name) ?? [];
    const choice = plain.endsWith('[x]') ? plain.slice(0, -3) : undefined;
    const members = isObject(at) ? Object.keys(at) : [];
    const found =
      choice === undefined
        ? plain
        : (members.find((member) => member.startsWith(choice) && /^[A-Z]/.test(member.slice(choice.length))) ?? plain);
    at = isObject(at) ? at[found] : undefined;
    if (index !== undefined && Array.isArray(at)) at = at[Number(index)];
    return index === undefined ? found : `${found}[${index}]`;
  });
  return [type, ...named].join('.');
}

const formats: Readonly<Record<string, string>> = {
  date: 'YYYY, YYYY-MM or YYYY-MM-DD',
  dateTime: 'YYYY-MM-DD, or YYYY-MM-DDThh:mm:ss with seconds and time zone',
  instant: 'YYYY-MM-DDThh:mm:ss with seconds and time zone',
  id: 'letters, digits, - and . (64 at most)',
  code: 'a code without spaces at its ends',
};

/** The same element reported by the library and by the profile is told once. */
function mergeIssues(issues: readonly Issue[]): Issue[] {
  const missing = new Set<string>();
  return issues.filter(({ element, expected }) => {
    if (!expected.includes('found none')) return true;
    const key = element.replace(/\[x\]$/, '');
    if (missing.has(key)) return false;
    missing.add(key);
    return true;
  });
}

const keyOfType: Readonly<Record<string, string>> = {
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

/**
 * Says of each resource what the service reads from it, in the order given: `undefined` where it reads nothing.
 *
 * @param today `YYYY-MM-DD`, for the ages of what is read.
 */
export function explainUnderstanding(
  resources: readonly FhirResource[],
  readChart: ReadChart,
  today: string,
): (string | undefined)[] {
  const charts = new Map<string, Chart>();
  const chartOf = (patientId: string): Chart => {
    let chart = charts.get(patientId);
    if (chart === undefined) {
      chart = readChart(gatherSources(resources), { today, patientId });
      charts.set(patientId, chart);
    }
    return chart;
  };
  return resources.map((resource) => {
    const patientId =
      resource.resourceType === 'Patient' ? resource.id : referenceKeyOf(resource.subject)?.replace(/^Patient\//, '');
    if (patientId === undefined) return undefined;
    const chart = chartOf(patientId);
    if (resource.resourceType === 'Patient') {
      const { sex, age } = chart.patient;
      return sex === undefined && age === undefined ? undefined : `sex ${sex ?? 'unknown'}, age ${age ?? 'unknown'}`;
    }
    const reference = `${resource.resourceType}/${resource.id}`;
    const readings = chart.readings.filter((reading) => reading.reference === reference);
    return readings.length === 0 ? undefined : [...new Set(readings.map(describeReading))].join('; ');
  });
}

function gatherSources(resources: readonly FhirResource[]): Sources {
  const sources: Record<string, { state: 'present' | 'empty'; resources: Json[] }> = {};
  for (const key of Object.values(keyOfType)) sources[key] = { state: 'empty', resources: [] };
  for (const resource of resources) {
    const source = sources[keyOfType[resource.resourceType] ?? ''];
    if (source === undefined) continue;
    source.state = 'present';
    source.resources.push(resource);
  }
  return sources;
}

function describeReading(reading: Reading): string {
  const { kind, concept, exact, abnormal, status, certainty, sites, date, role } = reading;
  const amount = sayAmount(reading, 'en');
  return [
    role === undefined ? kind : `${kind} (${role})`,
    concept,
    exact ? undefined : '(by a broader code)',
    amount,
    kind === 'result' && amount === undefined && reading.positive === undefined
      ? 'without a number it could read'
      : undefined,
    abnormal === undefined || abnormal === 'no' ? undefined : abnormal,
    certainty === 'suspected' ? 'suspected' : undefined,
    status,
    sites === undefined || sites.length === 0 ? undefined : `in ${sites[0]}`,
    date ?? 'without a date',
  ]
    .filter((part) => part !== undefined)
    .join(' ');
}
