import type { Hit } from '../lookup.ts';
import { codingsOf, type Json, listOf, referenceKeyOf, textOf } from '../resources.ts';
import { keepFindings } from './findings.ts';
import { findSingleOrgan, modalityOfProcedures, regionsOfProcedures } from './imaging-studies.ts';
import { readObservation } from './observations.ts';
import { readOrigin, readSpecimen } from './origins.ts';
import {
  createReading,
  type Entry,
  keep,
  keepDone,
  matchCodings,
  noteAge,
  ofKind,
  type Pass,
  type Report,
  readMoment,
  readPlace,
} from './pass.ts';
import { readCodedQualifiers, readCountExtension } from './qualifiers.ts';

function readReportStatus(status: unknown): Report['status'] {
  switch (status) {
    case 'final':
    case 'amended':
    case 'corrected':
    case 'appended':
      return 'final';
    case 'cancelled':
    case 'entered-in-error':
      return 'void';
    // What it says may hold also where nobody can tell its status
    default:
      return 'preliminary';
  }
}

export function readReport(pass: Pass, entry: Entry): void {
  const { resource, reference } = entry;
  const { lookup } = pass;
  const effective = readMoment(pass, resource.effectiveDateTime, resource.effectivePeriod);
  const issued = readMoment(pass, resource.issued);
  noteAge(pass, entry, effective);
  const status = readReportStatus(resource.status);
  const procedures = ofKind(matchCodings(lookup, resource.code), 'procedure');
  const study = findStudy(pass, resource);
  const known = study === undefined ? undefined : pass.studies.get(study);
  const report: Report = {
    status,
    origin: readOrigin(pass, resource, study !== undefined, procedures),
    study,
    group: study ?? reference,
    modality: known?.modality ?? modalityOfProcedures(lookup, procedures),
    region: known?.region ?? findSingleOrgan(regionsOfProcedures(lookup, procedures)),
    specimen: readSpecimen(pass, resource),
    moment: issued ?? effective,
  };

  for (const result of listOf(resource.result)) {
    const key = referenceKeyOf(result);
    if (key === undefined) continue;
    if (key.startsWith('#')) {
      const contained = pass.resolve(result, resource);
      if (contained?.resourceType !== 'Observation' || pass.reportOf.has(contained)) continue;
      pass.reportOf.set(contained, report);
      const fallback = effective ?? issued;
      readObservation(pass, { ...entry, resource: contained, reference, isListed: false }, resource, fallback);
    } else if (rankReport(report) > rankReport(pass.reportOf.get(key))) pass.reportOf.set(key, report);
  }

  if (status === 'void') return;
  if (resource.status !== 'registered') {
    const isUnderWay = resource.status === 'partial' || resource.status === 'preliminary';
    const done = status === 'final' ? 'final' : isUnderWay ? 'in-progress' : 'preliminary';
    for (const match of procedures) keepDone(pass, match, entry, effective ?? issued, done, report.specimen);
  }
  if (report.origin === undefined) return;
  if (status === 'final') {
    const hit: Hit = { concept: report.origin, kind: 'condition', exact: true, suspicion: false };
    const reading = createReading('report', { hit, system: '', code: '' }, reference, report.moment);
    reading.coded = isCoded(resource);
    keep(pass, reading, report.moment);
  }
  for (const conclusion of listOf(resource.conclusionCode)) {
    const qualifiers = readCodedQualifiers(lookup, codingsOf(conclusion), {});
    readCountExtension(lookup, resource, qualifiers);
    const own = readPlace(lookup, conclusion);
    const place = own.sites.length > 0 ? own : { ...report.specimen, side: own.side };
    if (qualifiers.presence === 'absent') continue;
    keepFindings(pass, ofKind(matchCodings(lookup, conclusion), 'condition'), {
      reference,
      moment: report.moment,
      onset: undefined,
      status: qualifiers.presence === 'undecided' ? 'preliminary' : status,
      origin: report.origin,
      group: report.group,
      place,
      qualifiers,
      study,
      modality: report.modality,
      region: report.region,
    });
  }
}

/** Whether what a report says stands in codes; a report without words says nothing beside them. */
function isCoded({ conclusion, presentedForm, conclusionCode, result }: Json): boolean {
  const hasWords = textOf(conclusion) !== undefined || listOf(presentedForm).length > 0;
  return !hasWords || codingsOf(conclusionCode).length > 0 || listOf(result).length > 0;
}

function rankReport(report: Report | undefined): number {
  return report === undefined ? -1 : ['void', 'preliminary', 'final'].indexOf(report.status);
}

function findStudy(pass: Pass, report: Json): string | undefined {
  for (const link of listOf(report.imagingStudy)) {
    const key = referenceKeyOf(link);
    if (key?.startsWith('ImagingStudy/')) return key;
  }
  for (const order of listOf(report.basedOn)) {
    const study = pass.studyOfOrder.get(referenceKeyOf(order) ?? '');
    if (study !== undefined) return study;
  }
  return undefined;
}
