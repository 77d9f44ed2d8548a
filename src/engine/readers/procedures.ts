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
    if (match.hit.kind === 'procedure' && status !== undefined) keepDone(pass, match, entry, moment, status, place);
    if (match.hit.kind === 'pathway' && match.hit.role !== 'referral' && !noRegistration.has(resource.status)) {
      keepMarker(pass, match, reference, moment, status);
    }
  }
}
