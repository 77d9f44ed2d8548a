import {
  type Entry,
  keepDone,
  keepMarker,
  knownStatus,
  matchCodings,
  noteAge,
  type Pass,
  readMoment,
  readPlace,
} from './pass.ts';

const procedureStatuses: ReadonlySet<unknown> = new Set(['in-progress', 'completed']);

/** Not done, or not yet. */
const notDone: ReadonlySet<unknown> = new Set([
  ...['preparation', 'not-done', 'on-hold', 'stopped', 'cancelled', 'entered-in-error'],
]);

/** A registration of a pathway stands unless it was an error or never took place. */
const noRegistration: ReadonlySet<unknown> = new Set(['entered-in-error', 'not-done', 'cancelled']);

export function readProcedure(pass: Pass, entry: Entry): void {
  const { resource, reference } = entry;
  const moment = readMoment(pass, resource.performedDateTime, resource.performedPeriod);
  noteAge(pass, entry, moment);
  const matches = matchCodings(pass.lookup, resource.code);
  if (matches.length === 0) return;
  const status = knownStatus(resource.status, procedureStatuses);
  const place = readPlace(pass.lookup, resource.bodySite);
  for (const match of matches) {
    // Where nobody can tell its status, whether it was done is not known
    if (match.hit.kind === 'procedure' && !notDone.has(resource.status)) {
      keepDone(pass, match, entry, moment, status ?? 'preliminary', place);
    }
    if (match.hit.kind === 'pathway' && match.hit.role !== 'referral' && !noRegistration.has(resource.status)) {
      keepMarker(pass, match, reference, moment, status);
    }
  }
}
