import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { findResources, renderVerdict } from '../../src/cli/fhir.ts';
import type { FhirResource } from '../../src/cli/fhir-artefact.ts';
import { explainUnderstanding } from '../../src/cli/fhir-validate.ts';
import { createChartReader } from '../../src/engine/chart-reader.ts';
import { isExample } from '../../src/fhir-package.ts';
import { buildPrefetch } from '../cds-services/build-bundle.ts';
import type { Case } from '../cds-services/case.ts';
import { concepts, decideCase, readCases } from '../cds-services/decide-cases.ts';
import { canonical, errorsOf, findPublished, guideline, published, validate } from './published.ts';

const negatives = z
  .array(
    z.strictObject({
      of: z.string(),
      change: z.looseObject({}),
      /** The profile claimed, where the changed resource would be taken for something else. */
      as: z.string().optional(),
      element: z.string(),
      expected: z.string(),
    }),
  )
  .parse(parse(readFileSync(join(import.meta.dirname, 'negative.yaml'), 'utf8')));

/** RFC 7386. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = merge(merged[name], value);
  }
  return merged;
}

function change(reference: string, patch: object, profile?: string): FhirResource {
  const { meta: _, ...plain } = findPublished(reference);
  const claim = profile === undefined ? {} : { meta: { profile: [`${canonical}/StructureDefinition/${profile}`] } };
  return merge({ ...plain, ...claim }, patch) as FhirResource;
}

/** What a case leaves out on purpose: age, sex, or a status that R4 wants beside another. */
function isPointOf({ patient, record }: Case, line: string): boolean {
  if (line.endsWith('The age is needed')) return patient.age === undefined && patient.born === undefined;
  if (line.endsWith('The sex is needed')) return patient.sex === undefined;
  const conditions = record.filter((item) => item.kind === 'condition');
  if (line.includes('rule con-5 ')) return conditions.some(({ certainty }) => certainty === 'entered-in-error');
  if (line.includes('rule con-4 '))
    return conditions.some(({ abated, status }) => abated !== undefined && status === 'absent');
  return false;
}

describe('validation', () => {
  it.each(published.filter(isExample).map((example) => [`${example.resourceType}/${example.id}`, example] as const))(
    'finds nothing wrong with %s, by the profile it claims and by the one chosen for it',
    (reference, example) => {
      expect(errorsOf(validate(example))).toEqual([]);
      // What a card suggests is known by its place in the card alone
      const role = reference.includes('suggested') ? 'suggestion' : 'record';
      expect(errorsOf(validate(change(reference, {}), role))).toEqual([]);
    },
  );

  it('has an example of every profile', () => {
    const claimed = published.filter(isExample).flatMap(({ meta }) => (meta as { profile: string[] }).profile);
    const profiles = published.filter(
      ({ resourceType, type }) => resourceType === 'StructureDefinition' && type !== 'Extension',
    );
    expect(profiles.map(({ url }) => String(url)).filter((url) => !claimed.includes(url))).toEqual([]);
  });

  it.each(negatives.map((negative, at) => [`${at + 1} ${negative.of} ${negative.element}`, negative] as const))(
    'refuses %s',
    (_, { of, change: patch, as, element, expected }) => {
      const found = errorsOf(validate(change(of, patch, as)));
      const wanted = `${of} ${element}: `;
      expect(found.filter((line) => line.startsWith(wanted) && line.includes(expected)).length, found.join('\n')).toBe(
        1,
      );
    },
  );

  it('tells everything that is missing from a referral at once', () => {
    const bare = change('ServiceRequest/example-referral', { reasonCode: null, note: null, extension: null });
    expect(errorsOf(validate(bare))).toHaveLength(5);
  });

  it('finds nothing wrong with the records of all clinical cases', { timeout: 120_000 }, () => {
    // A case may hold a resource as it stands, to show what is tolerated, or a morphology where diagnoses belong
    const cases = readCases().filter(
      ({ id, record }) =>
        !record.some(({ kind }) => kind === 'resource') && !id.endsWith('histology only on the problem list'),
    );
    const found = cases.flatMap((testCase) =>
      Object.values(buildPrefetch(testCase, concepts))
        .flatMap(findResources)
        .filter(({ resource }) => resource.resourceType !== 'OperationOutcome')
        .flatMap(({ resource }) => errorsOf(validate(resource)))
        .filter((line) => !isPointOf(testCase, line))
        .map((line) => `${testCase.id}: ${line}`),
    );
    expect(found).toEqual([]);
    expect(cases.length).toBeGreaterThan(300);
  });

  it('finds nothing wrong with any order suggested for the clinical cases', { timeout: 120_000 }, () => {
    const suggested = readCases().flatMap((testCase) =>
      findResources({ cards: decideCase(testCase).cards }).filter(({ role }) => role === 'suggestion'),
    );
    expect(suggested.flatMap(({ resource }) => errorsOf(validate(resource, 'suggestion')))).toEqual([]);
    expect(suggested.length).toBeGreaterThan(100);
  });

  it('says what the service makes of a resource, also of one that does not conform', () => {
    const textUnit = change('Observation/example-haemoglobin', { valueQuantity: { system: null, code: null } });
    const readChart = createChartReader(guideline);
    const [understood] = explainUnderstanding([textUnit], readChart, '2026-11-23');
    const told = renderVerdict('sent.json', validate(textUnit), understood, 'record');
    expect(told).toContain('does not conform to laboratory-result');
    expect(told).toContain('wrong: Observation.valueQuantity.code: expected at least 1; found none');
    expect(told).toContain('send code (UCUM unit');
    expect(told).toContain('still understands it: result haemoglobin 6.4 mmol/L low 2026-11-18');
  });

  it('says so when the service takes nothing from a resource', () => {
    const unknown = change('Observation/example-haemoglobin', {
      code: { coding: [{ code: 'x', system: 'urn:local' }] },
    });
    const [understood] = explainUnderstanding([unknown], createChartReader(guideline), '2026-11-23');
    expect(understood).toBeUndefined();
    expect(renderVerdict('sent.json', validate(unknown), understood, 'record')).toContain('takes nothing from it');
  });

  it('never repeats text of a record', () => {
    const secret = change('Observation/example-haemoglobin', { status: 'Jens Jensen 0101501234', valueString: 'Jens' });
    expect(JSON.stringify(validate(secret))).not.toContain('Jens');
  });
});

describe('the resources to validate', () => {
  const patient = { resourceType: 'Patient', id: '1' };
  const order = { resourceType: 'ServiceRequest', id: '2' };
  const roles = (json: unknown): string[] =>
    findResources(json).map(({ resource, role }) => `${resource.resourceType} ${role}`);

  it('are found in a resource, a list, a Bundle, a request and its answer', () => {
    const bundle = { resourceType: 'Bundle', entry: [{ resource: patient }, { resource: order }] };
    expect(roles(patient)).toEqual(['Patient record']);
    expect(roles([patient, order])).toEqual(['Patient record', 'ServiceRequest record']);
    expect(roles(bundle)).toEqual(['Patient record', 'ServiceRequest record']);
    expect(roles({ prefetch: { patient, orders: null }, context: { draftOrders: bundle } })).toHaveLength(3);
    expect(roles({ cards: [{ suggestions: [{ actions: [{ type: 'create', resource: order }] }] }] })).toEqual([
      'ServiceRequest suggestion',
    ]);
  });

  it('are the client’s own where a suggestion updates a draft', () => {
    expect(roles({ cards: [{ suggestions: [{ actions: [{ type: 'update', resource: order }] }] }] })).toEqual([
      'ServiceRequest record',
    ]);
  });

  it('are none where there is no FHIR', () => {
    expect(roles({ a: 1 })).toEqual([]);
    expect(roles('text')).toEqual([]);
    expect(roles(null)).toEqual([]);
  });
});

describe('npm run fhir -- validate', () => {
  const run = async (...places: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
    const cli = join(import.meta.dirname, '../../src/cli/fhir.ts');
    return promisify(execFile)(process.execPath, [cli, 'validate', ...places]).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  };

  it('reads files, folders and addresses, and ends with 1 when something does not conform', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fhir-validate-'));
    const wrong = change('Observation/example-haemoglobin', { subject: null });
    writeFileSync(join(folder, 'wrong.json'), JSON.stringify(wrong));
    const right = JSON.stringify({
      resourceType: 'Bundle',
      entry: [{ resource: findPublished('Condition/example-weight-loss') }],
    });
    const server = createServer((_request, response) => void response.end(right)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `http://127.0.0.1:${(server.address() as { port: number }).port}/Bundle/1`;
    try {
      const both = await run(folder, address);
      expect(both.code).toBe(1);
      expect(both.stdout).toContain('Observation/example-haemoglobin: does not conform to laboratory-result');
      expect(both.stdout).toContain('Condition/example-weight-loss: conforms to symptom-condition');
      expect(both.stdout).toContain('2 resources, 1 that do not conform');
      expect((await run(address)).code).toBe(0);
    } finally {
      server.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('says so when there is nothing at a place', async () => {
    const { code, stderr } = await run('no-such-file.json');
    expect(code).toBe(1);
    expect(stderr).toBe('no-such-file.json: expected a file, a folder or an address; there is none.\n');
  });
});
