/** Tolerant access to resources as parsed: nothing about them is certain, and nothing here throws. */

/** A JSON object whose members may be of any type. */
export type Json = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Some senders write null for what they have not recorded. */
export function isSent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

const none: readonly never[] = [];

/** The items of an array; an object or other single value where R4 has an array counts as its only item. */
export function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isSent(value) ? [value] : none;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** More codings than any record has of one concept: a concept many resources refer to must not cost its size each time. */
const mostCodings = 100;

/** The codings of a CodeableConcept, or of several. */
export function codingsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap((concept) => (isObject(concept) ? codingsOf(concept) : none));
  if (!isObject(value)) return none;
  const codings = listOf(value.coding);
  return codings.length > mostCodings ? codings.slice(0, mostCodings) : codings;
}

/** The first code of a CodeableConcept, a Coding or a plain code, whichever a client sends for a status. */
export function statusCodeOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  for (const coding of isObject(value) && value.coding === undefined ? [value] : codingsOf(value)) {
    if (isObject(coding) && typeof coding.code === 'string') return coding.code;
  }
  return undefined;
}

/**
 * The target of a Reference as `Type/id`, without server base and version; `#id` for a contained one, `urn:…` as it is.
 */
export function referenceKeyOf(value: unknown): string | undefined {
  const reference = isObject(value) ? value.reference : value;
  if (typeof reference !== 'string' || reference === '') return undefined;
  if (reference.startsWith('#') || reference.startsWith('urn:')) return reference;
  const version = reference.indexOf('/_history/');
  const path = (version === -1 ? reference : reference.slice(0, version)).replace(/\/$/, '');
  const idAt = path.lastIndexOf('/');
  if (idAt <= 0) return undefined;
  return path.slice(path.lastIndexOf('/', idAt - 1) + 1);
}

/** Whether a string has the shape of a FHIR id, longer ones of real servers included (conformance OS-05); anything else could hold free text. */
export function isFhirId(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9._-]{1,256}$/.test(value);
}
