import type { Hit, Lookup } from '../lookup.ts';
import { isObject, type Json, listOf, referenceKeyOf, textOf } from '../resources.ts';
import {
  type Entry,
  keepDone,
  knownStatus,
  type Match,
  matchCodings,
  noPlace,
  noteAge,
  ofKind,
  type Pass,
  readMoment,
} from './pass.ts';

const modalities: ReadonlyMap<unknown, string> = new Map([
  ['PT', 'pet'],
  ['CT', 'ct'],
  ['MR', 'mri'],
  ['US', 'us'],
  ['NM', 'nm'],
  ['CR', 'xray'],
  ['DX', 'xray'],
  ['MG', 'mammography'],
  ['ES', 'endoscopy'],
]);

/** Only in these does the region of a study say where a finding is (clinical-decisions.md section 0, "site"). */
const singleOrgans: ReadonlySet<string> = new Set(['brain', 'breast', 'thyroid', 'liver']);

const studyStatuses: ReadonlySet<unknown> = new Set(['registered', 'available', 'unknown']);

export function readStudy(pass: Pass, entry: Entry): void {
  const { resource, reference } = entry;
  const { lookup } = pass;
  const moment = readMoment(pass, resource.started);
  noteAge(pass, entry, moment);
  const isVoid = resource.status === 'cancelled' || resource.status === 'entered-in-error';
  const procedures = ofKind(matchCodings(lookup, resource.procedureCode), 'procedure');
  const series = readSeries(lookup, resource);
  const regions = [...regionsOfProcedures(lookup, procedures), ...series.flatMap(({ sites }) => sites)];
  pass.studies.set(reference, {
    isVoid,
    modality: nameModality(series.map(({ modality }) => modality)) ?? modalityOfProcedures(lookup, procedures),
    region: findSingleOrgan(regions),
  });
  for (const order of listOf(resource.basedOn)) {
    const key = referenceKeyOf(order);
    if (key !== undefined) pass.studyOfOrder.set(key, reference);
  }
  // A study that is registered and has not begun is planned
  if (isVoid || (resource.status === 'registered' && (moment === undefined || moment.daysAgo < 0))) return;
  const matches = procedures.length > 0 ? procedures : matchSeries(lookup, series);
  const status = knownStatus(resource.status, studyStatuses);
  for (const match of matches) keepDone(pass, match, entry, moment, status, noPlace);
}

interface Series {
  modality: unknown;
  sites: readonly string[];
}

function readSeries(lookup: Lookup, study: Json): Series[] {
  const seen = new Map<string, Series>();
  for (const each of listOf(study.series)) {
    if (!isObject(each) || !isObject(each.modality)) continue;
    const { code } = each.modality;
    if (!modalities.has(code)) continue;
    const sites = listOf(each.bodySite).flatMap((coding) =>
      isObject(coding) && typeof coding.code === 'string'
        ? lookup.findConcepts(textOf(coding.system), coding.code).filter(({ kind }) => kind === 'site')
        : [],
    );
    const series = { modality: code, sites: sites.map(({ concept }) => concept) };
    seen.set(`${code} ${series.sites.join()}`, series);
  }
  return [...seen.values()];
}

/** What an ImagingStudy without procedure code is known by: its modalities and the sites imaged. */
function matchSeries(lookup: Lookup, series: readonly Series[]): Match[] {
  // The CT of a PET-CT is not a diagnostic CT of its own
  const hasPet = series.some(({ modality }) => modality === 'PT');
  const found = new Map<string, Match>();
  for (const { modality, sites } of series) {
    if (hasPet && modality !== 'PT') continue;
    for (const procedure of lookup.imagedProcedures) {
      if (!procedure.modality?.includes(String(modality)) || !procedure.sites?.some((site) => sites.includes(site)))
        continue;
      const hit: Hit = { concept: procedure.id, kind: 'procedure', exact: true, suspicion: false };
      found.set(procedure.id, { hit, system: 'dcm', code: String(modality), isSuspected: false });
    }
  }
  return [...found.values()];
}

function nameModality(codes: readonly unknown[]): string | undefined {
  return codes.includes('PT') ? 'pet' : codes.map((code) => modalities.get(code)).find((name) => name !== undefined);
}

export function modalityOfProcedures(lookup: Lookup, procedures: readonly Match[]): string | undefined {
  return nameModality(procedures.flatMap(({ hit }) => lookup.procedure(hit.concept)?.modality ?? []));
}

/** The site of each procedure; what a code is broader than says nothing where the code itself stands for a procedure. */
export function regionsOfProcedures(lookup: Lookup, procedures: readonly Match[]): (string | undefined)[] {
  const exact = new Set(procedures.filter(({ hit }) => hit.exact).map(({ code }) => code));
  return procedures
    .filter(({ hit, code }) => hit.exact || !exact.has(code))
    .map(({ hit }) => lookup.siteOf(hit.concept));
}

export function findSingleOrgan(regions: readonly (string | undefined)[]): string | undefined {
  const [region] = regions;
  return region !== undefined && singleOrgans.has(region) && regions.every((other) => other === region)
    ? region
    : undefined;
}
