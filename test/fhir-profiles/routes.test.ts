import { gunzipSync } from 'node:zlib';
import express from 'express';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { describePackage, packageFileName, packPackage } from '../../src/fhir-package.ts';
import { handleError } from '../../src/http/error-handler.ts';
import { createFhirRoutes } from '../../src/http/fhir-routes.ts';
import { beginState } from '../../src/http/state.ts';
import { canonical, errorsOf, guideline, published, validate } from './published.ts';

const base = 'http://127.0.0.1:3000/fhir';
const app = express();
app.use((_request, response, next) => {
  beginState(response, 'request');
  next();
});
app.use(
  '/fhir',
  createFhirRoutes({
    published,
    package: {
      bytes: packPackage(describePackage(guideline.head), published),
      fileName: packageFileName(guideline.head),
    },
    version: '0.1.0',
    base: () => base,
  }),
);
app.use(handleError);

describe('/fhir', () => {
  it('tells in a valid CapabilityStatement what can be read', async () => {
    const { body, headers } = await request(app).get('/fhir/metadata').expect(200);
    expect(headers['content-type']).toBe('application/fhir+json; charset=utf-8');
    expect(errorsOf(validate(body))).toEqual([]);
    const types = body.rest[0].resource.map(({ type }: { type: string }) => type);
    expect(types).toEqual(expect.arrayContaining(['StructureDefinition', 'ValueSet', 'PlanDefinition', 'Library']));
  });

  it('reads an artefact by type and id', async () => {
    const { body } = await request(app).get('/fhir/StructureDefinition/laboratory-result').expect(200);
    expect(body.url).toBe(`${canonical}/StructureDefinition/laboratory-result`);
  });

  it('does not send an artefact again to who has it', async () => {
    const first = await request(app).get('/fhir/PlanDefinition/mas-02').expect(200);
    await request(app)
      .get('/fhir/PlanDefinition/mas-02')
      .set('If-None-Match', first.headers.etag as string)
      .expect(304);
  });

  it('finds an artefact by its url, in the version asked for or in any', async () => {
    const url = `${canonical}/CodeSystem/pathway`;
    const any = await request(app).get('/fhir/CodeSystem').query({ url }).expect(200);
    expect(any.body).toMatchObject({ resourceType: 'Bundle', type: 'searchset', total: 1 });
    expect(any.body.entry[0]).toMatchObject({ fullUrl: `${base}/CodeSystem/pathway`, search: { mode: 'match' } });
    const own = await request(app)
      .get('/fhir/CodeSystem')
      .query({ url: `${url}|${guideline.head.version}` });
    expect(own.body.total).toBe(1);
    const other = await request(app).get('/fhir/CodeSystem').query({ url, version: '1.0.0' });
    expect(other.body).toEqual({ resourceType: 'Bundle', type: 'searchset', total: 0 });
  });

  it('finds nothing under a url there is none of', async () => {
    const { body } = await request(app).get('/fhir/ValueSet').query({ url: 'http://example.org/x' }).expect(200);
    expect(body.total).toBe(0);
  });

  it.each(['/fhir/StructureDefinition/none', '/fhir/Patient', '/fhir/__proto__', '/fhir/constructor/name'])(
    'answers %s with a 404 that says where to look',
    async (path) => {
      const { body } = await request(app).get(path).expect(404);
      expect(body.resourceType).toBe('OperationOutcome');
      expect(body.issue[0].details.text).toContain('/fhir/metadata');
    },
  );

  it.each(['/fhir/ValueSet', '/fhir/ValueSet?name=x', '/fhir/ValueSet?url=a&url=b'])(
    'answers %s with a 400 that names the parameter',
    async (path) => {
      const { body } = await request(app).get(path).expect(400);
      expect(body.issue[0]).toMatchObject({ code: 'invalid', expression: ['url'] });
    },
  );

  it.each(['post', 'put', 'delete', 'patch'] as const)('takes no %s', async (method) => {
    const { headers } = await request(app)[method]('/fhir/ValueSet/analyses').expect(405);
    expect(headers.allow).toBe('GET, HEAD');
  });

  it('sends the whole as one package', async () => {
    const { body, headers } = await request(app).get('/fhir/package.tgz').buffer(true).expect(200);
    expect(headers['content-disposition']).toBe(
      `attachment; filename="dk.diagnostisk-pakkeforloeb-${guideline.head.version}.tgz"`,
    );
    expect(gunzipSync(body as Buffer).toString('latin1')).toContain('package/package.json');
  });
});
