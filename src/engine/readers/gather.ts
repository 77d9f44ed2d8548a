import { createCalendar } from '../calendar.ts';
import { isFhirId, isObject, isSent, type Json, listOf, referenceKeyOf, textOf } from '../resources.ts';
import type { KeyReport, Sources } from '../types.ts';
import type { ChartOptions, Entry, Pass } from './pass.ts';
import { readPatient } from './patient.ts';

/** Types that have to name their patient; others (Medication, Organization …) belong to none. */
const patientTypes: ReadonlySet<string> = new Set([
  'Communication',
  'Condition',
  'Consent',
  'DiagnosticReport',
  'Encounter',
  'ImagingStudy',
  'MedicationRequest',
  'MedicationStatement',
  'Observation',
  'Procedure',
  'ServiceRequest',
]);

/** The resources of one type, in the order they came. */
interface OfType {
  entries: Entry[];
  byId: Map<string, Json>;
}

/** As many contained resources are searched for the patient: a list of references must not cost a list each. */
const mostContained = 100;

const noEntries: readonly Entry[] = [];

/**
 * Gathers the resources of the patient, each once, by type: whose it is comes before what it says.
 *
 * @throws RangeError when `today` is not a date.
 */
export function gatherResources(sources: Sources, options: ChartOptions): Pass {
  const { lookup, patientId } = options;
  const patientReference = `Patient/${patientId}`;
  const types = new Map<string, OfType>();
  const keys: Record<string, KeyReport> = {};
  let patient: Json | undefined;

  /** What stands beside the drafted orders, and drafts by what their Bundle calls them: only references find it. */
  const beside = new Map<string, Json>();

  const add = (resource: unknown, key: KeyReport, isDraft: boolean, listed?: string): void => {
    if (!isObject(resource) || typeof resource.resourceType !== 'string') return;
    const type = resource.resourceType;
    if (type === 'OperationOutcome') return;
    const { subject, id } = resource;
    const isPlain = isObject(subject) && subject.reference === patientReference && !isSent(resource.patient);
    if (!(isPlain && !isSent(resource.focus)) && !isOfPatient(resource, type, patientId)) {
      key.dropped++;
      if (!isOfSomebodyElse(resource, type)) key.unclear = (key.unclear ?? 0) + 1;
      return;
    }
    if (isDraft && type !== 'ServiceRequest') {
      if (typeof id === 'string') beside.set(`${type}/${id}`, resource);
      return;
    }
    if (type === 'Patient') {
      patient ??= resource;
      return;
    }
    let ofType = types.get(type);
    if (ofType === undefined) {
      ofType = { entries: [], byId: new Map() };
      types.set(type, ofType);
    }
    const { entries, byId } = ofType;
    let reference: string | undefined;
    if (typeof id === 'string' && id !== '') {
      const known = byId.get(id);
      if (known !== undefined && !isNewer(resource, known)) return;
      byId.set(id, resource);
      if (known !== undefined) {
        const at = entries.findIndex((entry) => entry.resource === known);
        // A draft stands for the order of its id, whatever the record says of that.
        if (at !== -1 && !entries[at]?.isDraft) entries.splice(at, 1);
        else if (at !== -1) return;
      }
      if (isDraft ? isDraftId(id) : isFhirId(id)) reference = `${type}/${id}`;
    }
    entries.push({
      resource,
      reference: reference ?? `${type}/#${entries.length + 1}`,
      key,
      isListed: type === listed,
      isDraft,
    });
  };

  // Drafts first: a draft replaces the order of the same id
  if (options.drafts !== undefined) {
    const drafts = listDrafts(options.drafts);
    const key: KeyReport = { state: drafts.length === 0 ? 'empty' : 'present', dropped: 0 };
    keys.draftOrders = key;
    for (const { resource, fullUrl } of drafts) {
      add(resource, key, true);
      if (fullUrl !== undefined && isObject(resource)) beside.set(fullUrl, resource);
    }
  }
  for (const [name, { state, resources }] of Object.entries(sources)) {
    const key: KeyReport = { state, dropped: 0 };
    keys[name] = key;
    for (const resource of resources) add(resource, key, false, options.types[name]);
  }

  const containedOf = new Map<Json, Map<unknown, Json>>();
  const findContained = (id: string, container: Json): Json | undefined => {
    let contained = containedOf.get(container);
    if (contained === undefined) {
      contained = new Map(listOf(container.contained).flatMap((each) => (isObject(each) ? [[each.id, each]] : [])));
      containedOf.set(container, contained);
    }
    const found = contained.get(id);
    // What is contained belongs to the patient of its container, unless it says otherwise
    const namesPatient = isSent(found?.subject) || isSent(found?.patient);
    return found !== undefined && namesPatient && !isOfPatient(found, '', patientId) ? undefined : found;
  };

  const resolveBeside = (key: string): Json | undefined => {
    const found = beside.get(key);
    return found !== undefined && isOfPatient(found, textOf(found.resourceType) ?? '', patientId) ? found : undefined;
  };

  return {
    options,
    lookup,
    calendar: createCalendar(options.today),
    patient: readPatient(patient, options),
    keys,
    ofType: (type) => types.get(type)?.entries ?? noEntries,
    resolve: (reference, container) => {
      const key = referenceKeyOf(reference);
      if (key === undefined) return undefined;
      if (key.startsWith('#')) return findContained(key.slice(1), container);
      const idAt = key.indexOf('/') + 1;
      return types.get(key.slice(0, idAt - 1))?.byId.get(key.slice(idAt)) ?? resolveBeside(key);
    },
    studies: new Map(),
    studyOfOrder: new Map(),
    reportOf: new Map(),
    findings: [],
    parts: [],
    companions: new Map(),
    memberQualifiers: new Map(),
    medications: new Set(),
    selections: new Set((options.selections ?? []).map(referenceKeyOf)),
    unsorted: new Set(),
    readings: [],
    orders: [],
  };
}

/** The resources of `context.draftOrders`: a Bundle, its entries, or resources on their own. */
function listDrafts(drafts: unknown): { resource: unknown; fullUrl?: string }[] {
  const entries = isObject(drafts) && isSent(drafts.entry) ? drafts.entry : drafts;
  return listOf(entries).flatMap((entry) => {
    if (!isObject(entry)) return [];
    const fullUrl = textOf(entry.fullUrl);
    return [{ resource: entry.resource ?? entry, ...(fullUrl?.startsWith('urn:') && { fullUrl }) }];
  });
}

/** The drafted orders of the patient by reference, as they came: a suggestion that completes one sends the whole of it. */
export function indexDrafts(drafts: unknown, patientId: string): ReadonlyMap<string, object> {
  const found = new Map<string, object>();
  for (const { resource } of listDrafts(drafts)) {
    if (!isObject(resource) || typeof resource.resourceType !== 'string' || !isDraftId(resource.id)) continue;
    const reference = `${resource.resourceType}/${resource.id}`;
    if (!found.has(reference) && isOfPatient(resource, resource.resourceType, patientId)) {
      found.set(reference, resource);
    }
  }
  return found;
}

/** Real ids of unsigned orders are longer than FHIR allows. */
function isDraftId(id: unknown): id is string {
  return typeof id === 'string' && /^[A-Za-z0-9.-]{1,256}$/.test(id);
}

/** Whether a resource says that it is not of this patient; a Patient has to say that it is. */
export function isOfOtherPatient(resource: unknown, patientId: string): boolean {
  if (!isObject(resource) || typeof resource.resourceType !== 'string') return false;
  const { resourceType } = resource;
  return !isOfPatient(resource, resourceType, patientId) && isOfSomebodyElse(resource, resourceType);
}

/** Names a person, and another one than the patient; anything else leaves open whose it is. */
function isOfSomebodyElse(resource: Json, type: string): boolean {
  if (type === 'Patient') return true;
  const named = [resource.subject, resource.patient, resource.focus].flatMap(listOf).map(referenceKeyOf);
  return named.some((key) => key !== undefined && /^(Patient|RelatedPerson|Group)\//.test(key));
}

/** Of two versions of a resource the later one holds; where neither says, the first. */
function isNewer(resource: Json, known: Json): boolean {
  const metaOf = ({ meta }: Json): Json => (isObject(meta) ? meta : {});
  const [later, earlier] = [metaOf(resource), metaOf(known)];
  const [updated, before] = [textOf(later.lastUpdated), textOf(earlier.lastUpdated)];
  if (updated !== undefined && before !== undefined && updated !== before) return updated > before;
  const [version, old] = [Number(later.versionId), Number(earlier.versionId)];
  return version > old;
}

function isOfPatient(resource: Json, type: string, patientId: string): boolean {
  if (type === 'Patient') return resource.id === patientId;
  let isNamed = false;
  for (const member of [resource.subject, resource.patient]) {
    for (const reference of listOf(member)) {
      if (!isReferenceTo(reference, resource, patientId)) return false;
      isNamed = true;
    }
  }
  // An Observation may be recorded on one person and be about another: a fetus, a donor, a relative
  for (const reference of listOf(resource.focus)) {
    const key = referenceKeyOf(reference) ?? '';
    const isPerson = key.startsWith('Patient/') || key.startsWith('RelatedPerson/') || key.startsWith('Group/');
    if (isPerson && !isReferenceTo(reference, resource, patientId)) return false;
  }
  return isNamed || !patientTypes.has(type);
}

function isReferenceTo(reference: unknown, container: Json, patientId: string): boolean {
  const key = referenceKeyOf(reference);
  if (key === `#${patientId}`) return containsPatient(container, patientId);
  return key === `Patient/${patientId}` || key === patientId || key === `urn:uuid:${patientId}`;
}

/** Whether the patient is among what a resource contains. */
function containsPatient(container: Json, patientId: string): boolean {
  const contained = listOf(container.contained).slice(0, mostContained);
  return contained.some((each) => isObject(each) && each.id === patientId && each.resourceType === 'Patient');
}
