import { type FeedbackItem, sealFeedback } from '../audit/feedback.ts';
import { RequestError, TooLargeError } from '../errors.ts';

/** Longest texts taken from a client; ids and codes are shorter, and a comment is no place for a record. */
const longestId = 512;
const longestComment = 4096;
/** Items of one call: more than a ward's day, and few enough that nobody's answer waits for them. */
const mostItems = 200;

/** Six digits of a date and four more, together or with a hyphen or a space between: nothing else a comment may hold is as sure to name a patient. */
const cprNumber = /(?<!\d)\d{6}[- ]?\d{4}(?!\d)/g;

/** The items of a feedback call that can be stored, and what is wrong with the others, by their place. */
export interface FeedbackRead {
  items: FeedbackItem[];
  refused: { item: number; expected: string }[];
}

/**
 * Reads the body of a feedback call as clients really send it: `overrideReason` or `overrideReasons`, codes without
 * system, cards that are no UUID, acceptance without suggestions. One bad item does not refuse the others.
 *
 * @throws {@link TooLargeError} for more items than one call may bring.
 * @throws {@link RequestError} where there is no list of items, or none of them can be stored.
 * @see CDS Hooks 2.0.1, "Feedback"
 */
export function readFeedback(
  body: unknown,
  from: Pick<FeedbackItem, 'client' | 'tenant' | 'service' | 'receivedAt'>,
): FeedbackRead {
  const list = isObject(body) ? body.feedback : undefined;
  if (!Array.isArray(list)) throw new RequestError('feedback: expected an array.', 'feedback');
  if (list.length > mostItems) {
    throw new TooLargeError(`The call brings more than ${mostItems} items of feedback: send fewer at a time.`);
  }
  const read: FeedbackRead = { items: [], refused: [] };
  for (const [place, item] of list.entries()) {
    const result = readItem(item, from);
    if (typeof result === 'string') read.refused.push({ item: place, expected: result });
    else read.items.push(result);
  }
  const [first] = read.refused;
  if (first !== undefined && read.items.length === 0) {
    throw new RequestError(`feedback[${first.item}]: expected ${first.expected}.`, `feedback[${first.item}]`);
  }
  return read;
}

/** The item, or what was expected of it. */
function readItem(
  item: unknown,
  from: Pick<FeedbackItem, 'client' | 'tenant' | 'service' | 'receivedAt'>,
): FeedbackItem | string {
  if (!isObject(item)) return 'an object';
  const { outcome } = item;
  const card = readText(item.card, longestId);
  if (card === undefined) return 'card: the uuid of a card';
  if (outcome !== 'accepted' && outcome !== 'overridden') return 'outcome: accepted or overridden';
  const outcomeTimestamp = readText(item.outcomeTimestamp, longestId);
  if (outcomeTimestamp === undefined) return expectedTime;
  const { reason, comment } = readReason(item.overrideReason ?? item.overrideReasons);
  const feedback: FeedbackItem = {
    ...from,
    ...{ card, outcome, outcomeTimestamp },
    acceptedSuggestions: listOf(item.acceptedSuggestions).flatMap((suggestion) => {
      const id = readText(isObject(suggestion) ? suggestion.id : suggestion, longestId);
      return id === undefined ? [] : [id];
    }),
    ...(reason === undefined ? {} : { reason }),
    ...(comment === undefined ? {} : { comment }),
  };
  try {
    sealFeedback(feedback);
  } catch {
    return expectedTime;
  }
  return feedback;
}

const expectedTime = 'outcomeTimestamp: a time by RFC 3339';

/** `{reason: Coding, userComment}` by the specification; a bare Coding, or one in an array, from some clients. */
function readReason(given: unknown): Pick<FeedbackItem, 'reason' | 'comment'> {
  const [sent] = listOf(given);
  if (!isObject(sent)) return {};
  const coding = isObject(sent.reason) ? sent.reason : sent;
  const code = readText(coding.code, longestId);
  const system = readText(coding.system, longestId);
  const comment = readText(sent.userComment, longestComment)?.replace(cprNumber, 'XXXXXX-XXXX');
  return {
    ...(code === undefined ? {} : { reason: system === undefined ? { code } : { system, code } }),
    ...(comment === undefined ? {} : { comment }),
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);

function readText(value: unknown, longest: number): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, longest) : undefined;
}
