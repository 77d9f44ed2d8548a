import * as z from 'zod';
import { RequestError, TooLargeError } from '../errors.ts';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const object = z.custom<Record<string, unknown>>(isObject, 'expected an object');
const text = z.string('expected a string');
/** Ids of real servers are longer than FHIR's 64 characters (conformance OS-05). */
const longestId = 256;
const filled = text.min(1, 'expected a string that is not empty');

// Resources are passed on as they came: checking them here would cost more than parsing them, and what is wrong in
// one of them must not refuse the request.
const envelopeSchema = z.object(
  {
    hook: filled,
    hookInstance: filled.max(longestId, `expected at most ${longestId} characters`),
    fhirServer: text.nullish(),
    fhirAuthorization: z
      .object(
        {
          access_token: filled,
          token_type: text.optional().catch(undefined),
          // Seconds as a text from some; whatever else stands there is no end.
          expires_in: z
            .union([z.number(), z.string().regex(/^\d+$/).transform(Number)])
            .optional()
            .catch(undefined),
          patient: text.optional().catch(undefined),
        },
        'expected an object',
      )
      .nullish(),
    context: z.object(
      {
        // It becomes part of FHIR paths: neither a path of its own nor `..`.
        patientId: filled
          .max(longestId, `expected at most ${longestId} characters`)
          .regex(/^(?!\.+$)[^\s/\\?#]+$/, 'expected the id of a Patient'),
        userId: text.nullish(),
        // It goes into suggested orders: anything but an id is passed over.
        encounterId: z
          .string()
          .regex(/^[A-Za-z0-9._-]{1,256}$/)
          .nullish()
          .catch(undefined),
        selections: z.array(text, 'expected an array of references').nullish(),
        // Some send the entries without their Bundle.
        draftOrders: z.union([object, z.array(z.unknown())], 'expected a Bundle').nullish(),
      },
      'expected an object',
    ),
    prefetch: object.nullish(),
  },
  'expected a JSON object',
);

/** The context of a hook as services need it. */
export interface Context extends Record<string, unknown> {
  patientId: string;
  userId?: string;
  encounterId?: string;
  selections?: string[];
  /** A Bundle, or the entries of one. */
  draftOrders?: Record<string, unknown> | unknown[];
}

/** A CDS Hooks request with its envelope checked; prefetched resources and drafts are untouched. */
export interface HookRequest {
  hook: string;
  hookInstance: string;
  fhirServer?: string;
  fhirAuthorization?: {
    access_token: string;
    token_type?: string | undefined;
    expires_in?: number | undefined;
    patient?: string | undefined;
  };
  context: Context;
  prefetch?: Record<string, unknown>;
}

/** Hooks that come with drafts. */
const orderHooks = new Set(['order-select', 'order-sign']);

/**
 * Reads the envelope of a request to a service.
 *
 * @param hook The hook of the service.
 * @param entries Most Bundle entries taken, over all prefetch keys and drafts.
 * @throws {@link RequestError} naming the first element that is wrong.
 * @throws {@link TooLargeError} for more entries.
 * @see CDS Hooks 2.0.1, "HTTP Request"
 */
export function readRequest(body: unknown, hook: string, entries: number): HookRequest {
  const read = envelopeSchema.safeParse(body);
  if (!read.success) {
    const issue = read.error.issues[0];
    const element = issue?.path.join('.') ?? '';
    throw new RequestError(`${element || 'The body'}: ${issue?.message ?? 'not understood'}.`, element || undefined);
  }
  const { fhirServer, fhirAuthorization, context, prefetch, ...rest } = read.data;
  const request: HookRequest = {
    ...rest,
    context: withoutNull(context) as Context,
    ...(fhirServer ? { fhirServer } : {}),
    ...(fhirAuthorization ? { fhirAuthorization } : {}),
    ...(prefetch ? { prefetch } : {}),
  };
  if (request.hook !== hook) throw new RequestError(`hook: this service answers ${hook} only.`, 'hook');
  if (request.fhirAuthorization !== undefined && request.fhirServer === undefined) {
    throw new RequestError('fhirServer: required when fhirAuthorization is present.', 'fhirServer');
  }
  if (orderHooks.has(hook) && request.context.draftOrders === undefined) {
    throw new RequestError(`context.draftOrders: ${hook} requires it.`, 'context.draftOrders');
  }
  checkEntries(request, entries);
  return request;
}

function withoutNull(context: object): unknown {
  return Object.fromEntries(Object.entries(context).filter(([, value]) => value !== null && value !== undefined));
}

function checkEntries({ prefetch = {}, context }: HookRequest, limit: number): void {
  let count = 0;
  for (const bundle of [...Object.values(prefetch), context.draftOrders]) {
    const listed = isObject(bundle) ? bundle.entry : bundle;
    if (Array.isArray(listed)) count += listed.length;
  }
  if (count > limit) {
    throw new TooLargeError(`The Bundles hold more than ${limit} entries together: narrow the prefetch queries.`);
  }
}
