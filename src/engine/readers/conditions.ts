import { codingsOf, isObject, isSent, type Json, listOf, statusCodeOf, textOf } from '../resources.ts';
import { describe, keepFindings, type Statement } from './findings.ts';
import {
  createReading,
  type Entry,
  hasCodeIn,
  keep,
  matchCodings,
  noteAge,
  ofKind,
  type Pass,
  readMoment,
  readPlace,
} from './pass.ts';
import { readCodedQualifiers, readCountExtension } from './qualifiers.ts';

const currentCategory = '15240007';

const resolvedCategory = '723506003';

export function readCondition(pass: Pass, entry: Entry): void {
  const { resource, reference } = entry;
  const { lookup, calendar } = pass;
  const onset = readMoment(pass, resource.onsetDateTime) ?? calendar.read(startOf(resource.onsetPeriod));
  const recorded = readMoment(pass, resource.recordedDate) ?? onset;
  noteAge(pass, entry, recorded);
  const verification = statusCodeOf(resource.verificationStatus);
  if (verification === 'refuted' || verification === 'entered-in-error') return;
  const matches = ofKind(matchCodings(lookup, resource.code), 'condition');
  if (matches.length === 0) return;
  const qualifiers = readCodedQualifiers(lookup, codingsOf(resource.code), {});
  if (qualifiers.presence === 'absent') return;
  readCountExtension(lookup, resource, qualifiers);
  if (verification === 'unconfirmed' || verification === 'provisional' || verification === 'differential') {
    qualifiers.suspected = true;
  }
  const place = readPlace(lookup, resource.bodySite);
  const statement: Statement = {
    reference,
    moment: recorded,
    onset,
    status: 'final',
    origin: 'problem-list',
    group: undefined,
    place: { ...place, side: place.side ?? qualifiers.side },
    qualifiers,
    study: undefined,
    modality: undefined,
    region: undefined,
  };
  const { isActive, isGiven } = readClinicalStatus(pass, resource);
  for (const match of matches) {
    const reading = createReading('condition', match, reference, recorded);
    reading.status = isActive ? 'active' : 'inactive';
    reading.statusGiven = isGiven;
    describe(pass, reading, match, statement);
    keep(pass, reading, recorded);
  }
  if (isActive) keepFindings(pass, matches, statement);
}

function startOf(period: unknown): unknown {
  return isObject(period) ? period.start : undefined;
}

/** The clinical status, else what a Danish status category, an abatement or "not followed any more" says. */
function readClinicalStatus(pass: Pass, condition: Json): { isActive: boolean; isGiven: boolean } {
  switch (statusCodeOf(condition.clinicalStatus)) {
    case 'active':
    case 'recurrence':
    case 'relapse':
      return { isActive: true, isGiven: true };
    case 'inactive':
    case 'remission':
    case 'resolved':
      return { isActive: false, isGiven: true };
  }
  if (hasCodeIn(condition.category, new Set([resolvedCategory]))) return { isActive: false, isGiven: true };
  const end = readMoment(pass, condition.abatementDateTime, condition.abatementPeriod);
  const hasAbated =
    end === undefined
      ? ['DateTime', 'Age', 'Range', 'String'].some((type) => {
          return isSent(condition[`abatement${type}`]);
        }) || condition.abatementBoolean === true
      : end.daysAgo >= 0;
  const isDropped = listOf(condition.extension).some(
    (extension) => isObject(extension) && textOf(extension.url)?.endsWith('/NotFollowedAnymore') === true,
  );
  if (hasAbated || isDropped) return { isActive: false, isGiven: true };
  return { isActive: true, isGiven: hasCodeIn(condition.category, new Set([currentCategory])) };
}
