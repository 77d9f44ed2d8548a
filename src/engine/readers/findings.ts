import type { Moment } from '../calendar.ts';
import { isFhirId, type Json } from '../resources.ts';
import type { Reading } from '../types.ts';
import { createReading, keep, locate, type Match, type Pass, type Place, readPlace, undated } from './pass.ts';
import { addMemberQualifiers, type Qualifiers, readMemberQualifiers } from './qualifiers.ts';

/** What all findings of one statement share. */
export interface Statement {
  reference: string;
  moment: Moment | undefined;
  onset: Moment | undefined;
  status: 'final' | 'preliminary';
  origin: NonNullable<Reading['origin']>;
  /** The study or report it belongs to. */
  group: string | undefined;
  place: Place;
  qualifiers: Qualifiers;
  study: string | undefined;
  modality: string | undefined;
  region: string | undefined;
}

/** A finding with what is only needed until all findings are known. */
export interface Finding {
  reading: Reading;
  statement: Statement;
}

export function keepFindings(pass: Pass, matches: readonly Match[], statement: Statement): void {
  for (const match of matches) {
    const reading = createReading('finding', match, statement.reference, statement.moment);
    reading.status = statement.status;
    reading.origin = statement.origin;
    describe(pass, reading, match, statement);
    if (statement.study !== undefined && isFhirId(statement.study.slice('ImagingStudy/'.length))) {
      reading.study = statement.study;
    }
    if (statement.modality !== undefined) reading.modality = statement.modality;
    keep(pass, reading, statement.moment);
    pass.findings.push({ reading, statement });
  }
}

/** What a statement says of each of its conditions or findings. */
export function describe(
  pass: Pass,
  reading: Reading,
  match: Match,
  { qualifiers, place, region, onset }: Statement,
): void {
  reading.certainty = match.isSuspected || qualifiers.suspected ? 'suspected' : 'confirmed';
  if (onset !== undefined) reading.onsetDaysAgo = onset.daysAgo;
  locate(pass, reading, place, match, region);
  if (qualifiers.count !== undefined) reading.count = qualifiers.count;
  if (qualifiers.size !== undefined) reading.size = qualifiers.size;
  if (qualifiers.tender !== undefined) reading.tender = qualifiers.tender;
}

export function noteCompanion(pass: Pass, observation: Json, moment: Moment | undefined): void {
  const { direct, otherSite, side } = readPlace(pass.lookup, observation.bodySite);
  const qualifiers = readMemberQualifiers(pass.lookup, observation);
  for (const site of [...direct, otherSite]) {
    if (site === undefined || moment === undefined) continue;
    const key = `${moment.date} ${site} ${side}`;
    const known = pass.companions.get(key);
    if (known === undefined) pass.companions.set(key, { ...qualifiers });
    else addMemberQualifiers(qualifiers, known);
  }
}

/** A size or tenderness recorded apart from a finding belongs to it when day, site and side are the same. */
export function applyCompanions(pass: Pass): void {
  if (pass.companions.size === 0) return;
  for (const { reading, statement } of pass.findings) {
    const { direct, otherSite, side } = statement.place;
    const implied = direct.length === 0 && otherSite === undefined ? pass.lookup.siteOf(reading.concept) : undefined;
    for (const site of [...direct, otherSite, implied]) {
      const companion = site === undefined ? undefined : pass.companions.get(`${reading.date} ${site} ${side}`);
      if (companion === undefined) continue;
      if (companion.size !== undefined) reading.size ??= companion.size;
      if (companion.tender !== undefined) reading.tender ??= companion.tender;
    }
  }
}

/**
 * Gives all findings of a concept one count: what the newest that records it says, else multiple where one study reports it at
 * different sites or sides (clinical-decisions.md section 0, "count").
 */
export function stampCounts({ findings }: Pass): void {
  const newest = new Map<string, Statement>();
  const spread = new Map<string, Map<string, { sites: Set<string>; others: Set<string>; sides: Set<string> }>>();
  const multiple = new Set<string>();
  for (const { reading, statement } of findings) {
    if (statement.status !== 'final' || !reading.exact) continue;
    const { concept } = reading;
    const { qualifiers, moment, group, place } = statement;
    if (
      qualifiers.count !== undefined &&
      (moment?.order ?? undated) >= (newest.get(concept)?.moment?.order ?? undated)
    ) {
      newest.set(concept, statement);
    }
    if (group === undefined) continue;
    if (place.side === 'both') multiple.add(concept);
    let groups = spread.get(concept);
    if (groups === undefined) {
      groups = new Map();
      spread.set(concept, groups);
    }
    let seen = groups.get(group);
    if (seen === undefined) {
      seen = { sites: new Set(), others: new Set(), sides: new Set() };
      groups.set(group, seen);
    }
    if (place.direct.length > 0) seen.sites.add(place.direct.join());
    else if (place.otherSite !== undefined) seen.others.add(place.otherSite);
    if (place.side !== undefined) seen.sides.add(place.side);
    if (seen.sites.size > 1 || seen.others.size > 1 || seen.sides.size > 1) multiple.add(concept);
  }
  for (const { reading } of findings) {
    const count =
      newest.get(reading.concept)?.qualifiers.count ?? (multiple.has(reading.concept) ? 'multiple' : undefined);
    if (count !== undefined && reading.exact) reading.count = count;
  }
}
