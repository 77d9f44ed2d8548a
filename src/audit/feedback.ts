import { RequestError } from '../errors.ts';
import { canonicalJson, cleanText, digestText } from './record.ts';

/** One item of a feedback call, of one client. */
export interface FeedbackItem {
  client: string;
  tenant?: string;
  service: string;
  /** The card's uuid as the client sent it. */
  card: string;
  outcome: 'accepted' | 'overridden';
  /** RFC 3339; a time without offset is taken as UTC, as CDS Hooks demands it. */
  outcomeTimestamp: string;
  /** When the call came: ISO, UTC. */
  receivedAt: string;
  /** Uuids of the accepted suggestions, in any order. */
  acceptedSuggestions: readonly string[];
  reason?: { system?: string; code: string };
  /** Free text of the user: stored apart, never part of what identifies an item. */
  comment?: string;
}

/** An item ready to store: time in UTC, suggestions in order, and the key that makes repeating it harmless. */
export interface FeedbackEntry extends FeedbackItem {
  key: string;
}

/** {@link sealFeedback} for the items of one call: of those with one key the last comment counts. */
export function sealItems(items: readonly FeedbackItem[]): FeedbackEntry[] {
  const entries = new Map<string, FeedbackEntry>();
  for (const entry of items.map(sealFeedback)) {
    const { comment } = entry;
    entries.set(entry.key, { ...(entries.get(entry.key) ?? entry), ...(comment === undefined ? {} : { comment }) });
  }
  return [...entries.values()];
}

/**
 * Brings an item into the form that is stored. Pure.
 *
 * @throws {@link RequestError} where `outcomeTimestamp` is not a time.
 * @see CDS Hooks 2.0.1, "Feedback"
 */
export function sealFeedback(item: FeedbackItem): FeedbackEntry {
  const { client, tenant, card, outcome, reason, comment } = item;
  const outcomeTimestamp = readUtc(item.outcomeTimestamp);
  if (outcomeTimestamp === undefined) {
    throw new RequestError('outcomeTimestamp: expected a time by RFC 3339, such as 2026-01-31T12:00:00Z.');
  }
  const identity = {
    client,
    ...(tenant === undefined ? {} : { tenant: cleanText(tenant) }),
    card: cleanId(card),
    outcome,
    outcomeTimestamp,
    acceptedSuggestions: [...new Set(item.acceptedSuggestions.map(cleanId))].sort(),
    ...(reason === undefined ? {} : { reason: cleanReason(reason) }),
  };
  return {
    ...item,
    ...identity,
    ...(comment === undefined ? {} : { comment: cleanText(comment) }),
    key: digestText(canonicalJson(identity)),
  };
}

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** Some clients write a UUID in capitals: it is the same one (RFC 9562, section 4). */
function cleanId(text: string): string {
  return uuid.test(text) ? text.toLowerCase() : cleanText(text);
}

function cleanReason({ system, code }: NonNullable<FeedbackItem['reason']>): NonNullable<FeedbackItem['reason']> {
  return { ...(system === undefined ? {} : { system: cleanText(system) }), code: cleanText(code) };
}

const rfc3339 = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2}(?:\.\d+)?)([Zz]|[+-]\d{2}:\d{2})?$/;

/** The instant a text by RFC 3339 names, ISO and in UTC; undefined where it names none. */
export function readUtc(text: string): string | undefined {
  const [, date, time, offset] = rfc3339.exec(text) ?? [];
  const instant = new Date(`${date}T${time}${offset?.toUpperCase() ?? 'Z'}`);
  return date === undefined || Number.isNaN(instant.getTime()) ? undefined : instant.toISOString();
}
