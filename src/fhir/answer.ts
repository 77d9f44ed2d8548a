import { isObject, listOf } from '../engine/resources.ts';

/** What one FHIR answer says, prefetched or fetched: a resource, a Bundle, or nothing. */
export interface Answer {
  /** Resources in the order sent, without OperationOutcomes. */
  resources: unknown[];
  /** Something in it is an error or could not be read. */
  isBroken: boolean;
  /** Entries of the Bundle, readable or not. */
  entries: number;
  /** What the Bundle says it has over all pages, where it says so. */
  total?: number;
  /** The `next` link as sent; empty where it is there and has no readable url. */
  next?: string;
}

/** The types of Bundle that hold the answer to a query; a history, a document or a message does not. */
const answerTypes: readonly unknown[] = [undefined, null, 'searchset', 'collection'];

/** Severities that say the query ran; any other, and none, says that it failed. */
const harmlessSeverities: readonly unknown[] = ['information', 'warning', 'success'];

/**
 * Reads a prefetch value or the body of a FHIR response.
 *
 * Tolerates what real clients send: a single resource for a Bundle, a Bundle without `type`, an object for an array,
 * an OperationOutcome entry that only says that nothing was found. Resources none of which is of the type asked for are
 * the answer to another question. Never throws.
 *
 * @see CDS Hooks 2.0.1, "Prefetch Template"
 */
export function readAnswer(value: unknown, type: string): Answer {
  if (value === null) return { resources: [], isBroken: false, entries: 0 };
  if (!isResource(value) || value.resourceType === 'OperationOutcome') {
    return { resources: [], isBroken: true, entries: 0 };
  }
  const answer: Answer =
    value.resourceType === 'Bundle' ? readBundle(value) : { resources: [value], isBroken: false, entries: 1 };
  if (answer.resources.length > 0 && !answer.resources.some((resource) => isOfType(resource, type))) {
    answer.isBroken = true;
  }
  return answer;
}

export function isOfType(resource: unknown, type: string): boolean {
  return isResource(resource) && resource.resourceType === type;
}

function isResource(value: unknown): value is Resource {
  return isObject(value) && typeof value.resourceType === 'string';
}

type Resource = Record<string, unknown> & { resourceType: string };

function readBundle(bundle: Resource): Answer {
  // The content of another type of Bundle is no answer, so nothing of it is used.
  if (!answerTypes.includes(bundle.type)) return { resources: [], isBroken: true, entries: 0 };
  const entries = listOf(bundle.entry);
  const answer: Answer = { resources: [], isBroken: false, entries: entries.length };
  for (const entry of entries) {
    const resource = isObject(entry) ? entry.resource : undefined;
    if (!isResource(resource)) answer.isBroken = true;
    else if (resource.resourceType !== 'OperationOutcome') answer.resources.push(resource);
    else if (!isHarmless(resource)) answer.isBroken = true;
  }
  if (typeof bundle.total === 'number') answer.total = bundle.total;
  const next = listOf(bundle.link).find((link) => isObject(link) && link.relation === 'next');
  if (isObject(next)) answer.next = typeof next.url === 'string' ? next.url : '';
  return answer;
}

function isHarmless(outcome: Resource): boolean {
  const issues = listOf(outcome.issue);
  return issues.length > 0 && issues.every((issue) => isObject(issue) && harmlessSeverities.includes(issue.severity));
}
