import { createHash } from 'node:crypto';
import express, { type RequestHandler, type Response, type Router } from 'express';
import { NotAcceptedError, NotFoundError, RequestError } from '../errors.ts';
import { isExample, type Published } from '../fhir-package.ts';

/** What is served under `/fhir`. */
export interface FhirRoutesParts {
  published: readonly Published[];
  /** The FHIR package as a whole, gzipped, and the name to save it under. */
  package: { bytes: Buffer; fileName: string };
  /** Version of the service, for the CapabilityStatement. */
  version: string;
  /** Address of `/fhir` as clients call it. */
  base(): string;
}

interface Rendered {
  body: string;
  etag: string;
}

const fhirJson = 'application/fhir+json; charset=utf-8';

/**
 * The published artefacts, read-only: `metadata`, read by type and id, search by url, and the package. Examples are in
 * the package alone: an address of patients, however invented, is none of this service's.
 *
 * Public by nature: nothing in them is about a patient. Mount it at `/fhir`.
 *
 * @see FHIR R4, "RESTful API": capabilities, read, search
 */
export function createFhirRoutes(parts: FhirRoutesParts): Router {
  const byReference = new Map<string, Rendered>();
  const byUrl = new Map<string, Published>();
  const types = new Set<string>();
  for (const resource of parts.published) {
    if (isExample(resource)) continue;
    types.add(resource.resourceType);
    byReference.set(`${resource.resourceType}/${resource.id}`, render(resource));
    byUrl.set(`${resource.resourceType} ${resource.url}`, resource);
  }

  const router = express.Router();
  router.use((request, response, next) => {
    if (request.method === 'GET' || request.method === 'HEAD') return next();
    response.set('Allow', 'GET, HEAD');
    throw new NotAcceptedError(405, 'This address takes GET, HEAD only.');
  });
  router.get('/metadata', (_request, response) => {
    send(response, render(describeCapabilities(parts, [...types].sort())));
  });
  router.get('/package.tgz', (_request, response) => {
    response
      .set({
        'Content-Type': 'application/gzip',
        'Content-Disposition': `attachment; filename="${parts.package.fileName}"`,
        'Cache-Control': 'no-cache',
      })
      .send(parts.package.bytes);
  });
  router.get('/:type', searchByUrl(parts, types, byUrl));
  router.get('/:type/:id', (request, response) => {
    const found = byReference.get(`${request.params.type}/${request.params.id}`);
    if (found === undefined) {
      throw new NotFoundError('There is no such resource here; what there is, is told at /fhir/metadata.');
    }
    send(response, found);
  });
  return router;
}

/** `?url=…`, with a version behind `|` or in `version`: an artefact is found in the version published, or not at all. */
function searchByUrl(
  { base }: FhirRoutesParts,
  types: ReadonlySet<string>,
  byUrl: ReadonlyMap<string, Published>,
): RequestHandler<{ type: string }> {
  return ({ params: { type }, query }, response) => {
    if (!types.has(type)) {
      throw new NotFoundError('There are no resources of this type here; what there is, is told at /fhir/metadata.');
    }
    if (typeof query.url !== 'string') {
      throw new RequestError('A search here is by one url: expected ?url=<canonical>.', 'url');
    }
    const [url = '', version = query.version] = query.url.split('|');
    const found = byUrl.get(`${type} ${url}`);
    const matches = found !== undefined && (version === undefined || version === found.version) ? [found] : [];
    send(
      response,
      render({
        resourceType: 'Bundle',
        type: 'searchset',
        total: matches.length,
        ...(matches.length > 0 && {
          entry: matches.map((resource) => ({
            fullUrl: `${base()}/${resource.resourceType}/${resource.id}`,
            resource,
            search: { mode: 'match' },
          })),
        }),
      }),
    );
  };
}

function describeCapabilities({ version, base }: FhirRoutesParts, types: readonly string[]): object {
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    kind: 'instance',
    fhirVersion: '4.0.1',
    format: ['application/fhir+json'],
    date: startOfPublication,
    software: { name: 'Diagnostisk pakkeforløb CDS', version },
    implementation: { description: 'Profiles, terminology and knowledge of the service, read-only.', url: base() },
    rest: [
      {
        mode: 'server',
        resource: types.map((type) => ({
          type,
          interaction: [{ code: 'read' }, { code: 'search-type' }],
          searchParam: [
            { name: 'url', type: 'uri' },
            { name: 'version', type: 'token' },
          ],
        })),
      },
    ],
  };
}

/** R4 demands a date of the statement: of what it says, which changes with the shape of this file alone. */
const startOfPublication = '2026-11-23';

function render(resource: object): Rendered {
  const body = JSON.stringify(resource);
  return { body, etag: `W/"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"` };
}

function send(response: Response, { body, etag }: Rendered): void {
  response.set({ 'Content-Type': fhirJson, ETag: etag, 'Cache-Control': 'no-cache' }).send(body);
}
