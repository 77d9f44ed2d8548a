import * as z from 'zod';
import { isObject } from '../engine/resources.ts';
import { RequestError, type RequestIssue, TooLargeError } from '../errors.ts';

const missing = 'is missing';
/** What a value is told that is of the wrong type, or is not there. */
const expected =
  (what: string) =>
  ({ input }: { input?: unknown }): string =>
    input === undefined || input === null ? missing : what;

const object = z.custom<Record<string, unknown>>(isObject, { error: expected('expected an object') });
const text = z.string({ error: expected('expected a string') });
/** Ids of real servers are longer than FHIR's 64 characters (conformance OS-05). */
const longestId = 256;
const filled = text.min(1, 'expected a string that is not empty');

const expectedDrafts = 'expected a Bundle of draft orders, each a resource in entry[].resource';
const selections = z.array(text, { error: expected('expected an array of references') }).nullish();
// Some send the entries without their Bundle.
const draftOrders = z
  .union([object, z.array(z.unknown())], { error: expected(expectedDrafts) })
  .refine(holdsDrafts, expectedDrafts);

/** What a hook has in its context beside what all have; what it does not define is passed over, whatever it is. */
const ownContext: Readonly<Record<string, z.ZodRawShape>> = {
  'order-select': { selections, draftOrders },
  'order-sign': { draftOrders },
};

// Resources are passed on as they came: checking them here would cost more than parsing them, and what is wrong in
// one of them must not refuse the request.
const makeEnvelopeSchema = (hook: string) =>
  z.object(
    {
      hook: z.literal(hook, { error: expected(`this service answers ${hook} only`) }),
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
          { error: expected('expected an object') },
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
          ...ownContext[hook],
        },
        { error: expected('expected an object') },
      ),
      prefetch: object.nullish(),
    },
    'expected a JSON object',
  );

const envelopeSchemas = new Map(
  ['patient-view', ...Object.keys(ownContext)].map((hook) => [hook, makeEnvelopeSchema(hook)]),
);

/** Whether at least one of the drafts, where there are any, is a resource: others beside it are passed over. */
function holdsDrafts(drafts: Record<string, unknown> | unknown[]): boolean {
  const isBundle = isObject(drafts) && (drafts.resourceType === 'Bundle' || drafts.entry !== undefined);
  const given = isBundle ? (drafts.entry ?? []) : drafts;
  const entries: unknown[] = Array.isArray(given) ? given : [given];
  return entries.length === 0 || entries.some((entry) => isObject(entry) && isOrder(entry.resource ?? entry));
}

const isOrder = (value: unknown): boolean =>
  isObject(value) && typeof value.resourceType === 'string' && value.resourceType !== 'OperationOutcome';

/** Issues of one answer: a body may be wrong in any number of places. */
const mostIssues = 20;

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

/**
 * Reads the envelope of a request to a service.
 *
 * @param hook The hook of the service.
 * @param entries Most Bundle entries taken, over all prefetch keys and drafts.
 * @throws {@link RequestError} naming every element that is wrong.
 * @throws {@link TooLargeError} for more entries.
 * @see CDS Hooks 2.0.1, "HTTP Request"
 */
export function readRequest(body: unknown, hook: string, entries: number): HookRequest {
  const read = (envelopeSchemas.get(hook) ?? makeEnvelopeSchema(hook)).safeParse(body);
  const wrong = [...(read.error?.issues.map(describeIssue) ?? []), ...checkTogether(body)];
  if (!read.success || wrong.length > 0) throw new RequestError(wrong.slice(0, mostIssues));
  const { fhirServer, fhirAuthorization, context, prefetch, ...rest } = read.data;
  const request: HookRequest = {
    ...rest,
    context: withoutNull(context) as Context,
    ...(fhirServer ? { fhirServer } : {}),
    ...(fhirAuthorization ? { fhirAuthorization } : {}),
    ...(prefetch ? { prefetch } : {}),
  };
  checkEntries(request, entries);
  return request;
}

function describeIssue({ path, message }: { path: readonly PropertyKey[]; message: string }): RequestIssue {
  if (path.length === 0) return { message: `The body: ${message}.` };
  const expression = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  const element = expression.slice(1);
  return { message: message === missing ? `${element} is missing.` : `${element}: ${message}.`, expression: element };
}

function checkTogether(body: unknown): RequestIssue[] {
  if (!isObject(body) || !body.fhirAuthorization || body.fhirServer) return [];
  return [{ message: 'fhirServer is missing: fhirAuthorization is for a FHIR server.', expression: 'fhirServer' }];
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
