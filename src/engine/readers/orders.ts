import type { Moment } from '../calendar.ts';
import type { Hit, Lookup } from '../lookup.ts';
import { codingsOf, isObject, type Json, listOf, textOf } from '../resources.ts';
import type { Reading } from '../types.ts';
import {
  addPart,
  cprSystem,
  createReading,
  type Entry,
  keep,
  keepMarker,
  knownStatus,
  locate,
  type Match,
  matchCodings,
  noteAge,
  type Pass,
  readMoment,
  readPlace,
} from './pass.ts';
import { readReferralContent } from './referral-content.ts';
import { isNeurologyCoding, isNeurologyUnit, neurologyAssessment } from './specialties.ts';

const orderStatuses: ReadonlySet<unknown> = new Set(['draft', 'active', 'on-hold', 'completed', 'revoked']);

interface Order {
  /** Absent where nobody can tell: whether it is ordered is not known. */
  status?: string;
  draft: boolean;
  selected: boolean;
}

export function readServiceRequest(pass: Pass, entry: Entry): void {
  const { resource, reference, isDraft } = entry;
  const { lookup, options } = pass;
  // A draft is ordered the day it is drafted, whatever date the client prepared it with
  const moment = isDraft ? pass.calendar.read(options.today) : readMoment(pass, resource.authoredOn);
  noteAge(pass, entry, moment);
  const sent = knownStatus(resource.status, orderStatuses);
  if (resource.doNotPerform === true || resource.status === 'entered-in-error') return;
  if (isDraft && (sent === 'revoked' || sent === 'completed')) return;
  const status = isDraft ? 'draft' : sent;
  const order: Order = {
    ...(status !== undefined && { status }),
    draft: isDraft,
    selected: isDraft && (options.allSelected === true || pass.selections.has(`ServiceRequest/${resource.id}`)),
  };
  const requisition = readRequisition(lookup, resource);
  const place = readPlace(lookup, resource.bodySite);

  const matches = matchCodings(lookup, resource.code);
  // The site one of the concepts implies is the site of the order, also read as a more general concept
  const implied = matches.map(({ hit }) => (hit.exact ? lookup.siteOf(hit.concept) : undefined)).find((site) => site);
  const keepOrder = (match: Pick<Match, 'hit' | 'system' | 'code'>): void => {
    const reading: Reading = { ...createReading('order', match, reference, moment), ...order };
    if (requisition !== undefined) reading.requisition = requisition;
    locate(pass, reading, place, match, implied);
    keep(pass, reading, moment);
    const day = moment === undefined ? [] : [`day ${moment.date}`];
    const same = [`self ${reference}`, ...day, ...(requisition === undefined ? [] : [`requisition ${requisition}`])];
    addPart(
      pass,
      reading,
      moment,
      same.map((each) => `${order.status} ${each}`),
    );
  };
  for (const match of matches) {
    const { kind } = match.hit;
    if (kind === 'pathway') keepOrderMarkers(pass, match, entry, moment, order);
    else if (kind === 'analysis' || kind === 'procedure') keepOrder(match);
  }
  if (isToNeurology(pass, resource) && !matches.some(({ hit }) => hit.concept === neurologyAssessment)) {
    const hit: Hit = { concept: neurologyAssessment, kind: 'procedure', exact: true, suspicion: false };
    keepOrder({ hit, system: '', code: '' });
  }
}

const longestRequisition = 200;

function readRequisition(lookup: Lookup, { requisition }: Json): string | undefined {
  if (!isObject(requisition)) return undefined;
  const system = textOf(requisition.system) ?? '';
  const value = textOf(requisition.value);
  if (value === undefined || lookup.nameSystem(system) === cprSystem) return undefined;
  const text = `${system}|${value}`;
  return text.length > longestRequisition ? undefined : text;
}

/** What a ServiceRequest with a pathway code is: a referral, and where it was received (not drafted, not revoked) the stage it registers. */
function keepOrderMarkers(pass: Pass, match: Match, entry: Entry, moment: Moment | undefined, order: Order): void {
  const { role, stage } = match.hit;
  if (role === 'referral' || stage === 'A') {
    const reading: Reading = { ...createReading('marker', match, entry.reference, moment), role: 'referral', ...order };
    if (stage !== undefined) reading.stage = stage;
    if (order.draft) {
      const { present, absent } = readReferralContent(entry.resource, pass.resolve);
      reading.contentPresent = present;
      reading.contentAbsent = absent;
    }
    keep(pass, reading, moment);
  }
  if (role !== 'referral' && order.status !== undefined && order.status !== 'draft' && order.status !== 'revoked') {
    keepMarker(pass, match, entry.reference, moment, order.status);
  }
}

function isToNeurology(pass: Pass, order: Json): boolean {
  const { lookup } = pass;
  const isNeurology = (coding: unknown): boolean => isNeurologyCoding(lookup, coding);
  return (
    [order.category, order.code, order.performerType].some((concept) => codingsOf(concept).some(isNeurology)) ||
    listOf(order.performer).some((performer) => isNeurologyUnit(pass, performer, order))
  );
}
