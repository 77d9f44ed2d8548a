import { type FeedbackItem, readUtc } from '../audit/feedback.ts';
import { isObject, listOf } from '../engine/resources.ts';
import { RequestError, type RequestIssue, TooLargeError } from '../errors.ts';

/** Longest texts taken from a client; ids and codes are shorter, and a comment is no place for a record. */
const longestId = 512;
const longestComment = 4096;
/** Items of one call: more than a ward's day, and few enough that nobody's answer waits for them. */
const mostItems = 200;

/** Six digits of a date and four more, together or with a hyphen or a space between: nothing else a comment may hold is as sure to name a patient. */
const cprNumber = /(?<!\d)\d{6}[- ]?\d{4}(?!\d)/g;

/** Mistakes told of one call. */
const mostIssues = 20;

type Origin = Pick<FeedbackItem, 'client' | 'tenant' | 'service' | 'receivedAt'>;

/** What is wrong with an item. */
interface Mistake {
  /** Absent: the item itself. */
  element?: string;
  expected: string;
  isMissing: boolean;
}

/** The items of a feedback call that can be stored, and what is wrong with the others, by their place. */
export interface FeedbackRead {
  items: FeedbackItem[];
  /** Items refused. */
  refusedItems: number;
  /** What is wrong with them, as far as it is told. */
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
export function readFeedback(body: unknown, from: Origin): FeedbackRead {
  const list = isObject(body) ? body.feedback : undefined;
  if (!Array.isArray(list)) {
    throw new RequestError(`feedback${list === undefined ? ' is missing' : ''}: expected an array.`, 'feedback');
  }
  if (list.length > mostItems) {
    throw new TooLargeError(`The call brings more than ${mostItems} items of feedback: send fewer at a time.`);
  }
  const read = list.map((item) => readItem(item, from));
  const items = read.flatMap((each) => (Array.isArray(each) ? [] : [each]));
  const wrong = read.flatMap((each, item) =>
    Array.isArray(each) ? each.map((mistake) => ({ item, ...mistake })) : [],
  );
  const told = wrong.slice(0, mostIssues);
  if (list.length > 0 && items.length === 0) throw new RequestError(told.map(describeMistake));
  return {
    items,
    refusedItems: list.length - items.length,
    refused: told.map(({ item, element, expected }) => ({
      item,
      expected: element === undefined ? expected : `${element}: ${expected}`,
    })),
  };
}

function describeMistake({ item, element, expected, isMissing }: Mistake & { item: number }): RequestIssue {
  const expression = `feedback[${item}]${element === undefined ? '' : `.${element}`}`;
  return { message: `${expression}${isMissing ? ' is missing' : ''}: expected ${expected}.`, expression };
}

/** The item, or all that is wrong with it. */
function readItem(item: unknown, from: Origin): FeedbackItem | Mistake[] {
  if (!isObject(item)) return [{ expected: 'an object', isMissing: false }];
  const card = readText(item.card, longestId);
  const outcome = item.outcome === 'accepted' || item.outcome === 'overridden' ? item.outcome : undefined;
  const outcomeTimestamp = isTime(item.outcomeTimestamp) ? item.outcomeTimestamp : undefined;
  if (card === undefined || outcome === undefined || outcomeTimestamp === undefined) {
    const wrong = (element: string, expected: string) => ({
      element,
      expected,
      isMissing: item[element] === undefined,
    });
    return [
      ...(card === undefined ? [wrong('card', 'the uuid of a card')] : []),
      ...(outcome === undefined ? [wrong('outcome', 'accepted or overridden')] : []),
      ...(outcomeTimestamp === undefined ? [wrong('outcomeTimestamp', 'a time by RFC 3339')] : []),
    ];
  }
  const { reason, comment } = readReason(item.overrideReason ?? item.overrideReasons);
  return {
    ...from,
    ...{ card, outcome, outcomeTimestamp },
    acceptedSuggestions: listOf(item.acceptedSuggestions).flatMap((suggestion) => {
      const id = readText(isObject(suggestion) ? suggestion.id : suggestion, longestId);
      return id === undefined ? [] : [id];
    }),
    ...(reason === undefined ? {} : { reason }),
    ...(comment === undefined ? {} : { comment }),
  };
}

const isTime = (value: unknown): value is string => typeof value === 'string' && readUtc(value) !== undefined;

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

function readText(value: unknown, longest: number): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, longest) : undefined;
}
