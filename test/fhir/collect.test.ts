import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataMissingError } from '../../src/errors.ts';
import type { Fetch } from '../../src/fhir/client.ts';
import { type CollectRequest, collectSources } from '../../src/fhir/collect.ts';
import { bundleOf, outcomeOf } from './fhir-server.ts';

const search = 'Observation?patient={{context.patientId}}';
const patient = { resourceType: 'Patient', id: 'p1' };
const observation = { resourceType: 'Observation', id: 'o1' };
const ofOther = { ...observation, subject: { reference: 'Patient/p2' } };
const elsewhere = 'https://ehr.example/fhir?page=2';

/** A request without a FHIR server, so that every state comes from what was sent. */
function requestOf(changes: Partial<CollectRequest>): CollectRequest {
  return {
    prefetch: {},
    context: { patientId: 'p1' },
    templates: { observations: { template: search, required: false } },
    client: { allowedFhirServers: [], allowWithoutToken: false },
    deadline: Date.now() + 5_000,
    fetch: async () => {
      throw new Error('nothing may be fetched here');
    },
    ...changes,
  };
}

async function stateOf(value: unknown): Promise<{ state: string; resources: readonly unknown[] } | undefined> {
  const { sources } = await collectSources(requestOf({ prefetch: { observations: value } }));
  return sources.observations;
}

const forms: Record<string, readonly [name: string, value: unknown][]> = {
  empty: [
    ['null', null],
    ['a Bundle without entries', { resourceType: 'Bundle', type: 'searchset', total: 0 }],
    ['a Bundle with an empty entry list', { resourceType: 'Bundle', type: 'searchset', entry: [] }],
    ['a Bundle with entry null', { resourceType: 'Bundle', entry: null }],
    ['a Bundle that only warns that nothing was found', { ...bundleOf([outcomeOf('warning')]), total: 0 }],
    ['a Bundle that only informs that nothing was found', bundleOf([outcomeOf('information')])],
  ],
  failed: [
    ['an OperationOutcome', outcomeOf('error')],
    ['an OperationOutcome that only warns', outcomeOf('warning')],
    ['a Bundle of one error', bundleOf([outcomeOf('error')])],
    ['a Bundle of one fatal error', bundleOf([outcomeOf('fatal')])],
    ['a Bundle of one outcome without severity', bundleOf([{ resourceType: 'OperationOutcome', issue: [{}] }])],
    ['a Bundle of one outcome without issues', bundleOf([{ resourceType: 'OperationOutcome' }])],
    ['a string', 'Observation'],
    ['a number', 7],
    ['a boolean', false],
    ['an array', [observation]],
    ['an object that is no resource', { id: 'o1' }],
    ['a resourceType that is no string', { resourceType: 7 }],
    ['a Bundle whose entry is a string', { resourceType: 'Bundle', entry: 'x' }],
    ['a Bundle whose entries hold no resource', { resourceType: 'Bundle', entry: [null, {}, { resource: 'x' }] }],
    ['a history', { ...bundleOf([observation]), type: 'history' }],
    ['a Bundle whose type is an object', { ...bundleOf([observation]), type: {} }],
    ['a resource of another type', { resourceType: 'Condition', id: 'c1' }],
    ['a resource of no type there is', { resourceType: 'observation', id: 'o1' }],
    ['a Bundle that holds none of the type', bundleOf([patient, { resourceType: 'Condition', id: 'c1' }])],
    ['a Bundle in a Bundle', bundleOf([bundleOf([observation])])],
  ],
  present: [
    ['a searchset', bundleOf([observation])],
    ['a collection', { ...bundleOf([observation]), type: 'collection' }],
    ['a Bundle without type', { resourceType: 'Bundle', entry: [{ resource: observation }] }],
    ['a Bundle whose entry is an object', { resourceType: 'Bundle', entry: { resource: observation } }],
    ['a single resource', observation],
    ['data beside a warning', bundleOf([outcomeOf('warning'), observation])],
    ['a Bundle with other links', { ...bundleOf([observation]), link: [{ relation: 'self', url: 'x' }, null, 7] }],
    ['a total that all came of', { ...bundleOf([observation]), total: 1 }],
    ['other types beside the one asked for', bundleOf([patient, observation])],
    ['data beside those of another patient', bundleOf([ofOther, observation])],
  ],
  truncated: [
    ['a next link', bundleOf([observation], elsewhere)],
    ['a next link that is an object', { ...bundleOf([observation]), link: { relation: 'next', url: elsewhere } }],
    ['a next link without url', { ...bundleOf([observation]), link: [{ relation: 'next' }] }],
    ['data beside an error', bundleOf([observation, outcomeOf('error')])],
    ['data beside an entry that cannot be read', bundleOf([observation, 'x'])],
    ['a total above what came', { ...bundleOf([observation]), total: 2 }],
  ],
};

describe('the state of a prefetch key', () => {
  for (const [state, examples] of Object.entries(forms)) {
    it.each(examples)(`is ${state} for %s`, async (_, value) => {
      const hasData = state === 'present' || state === 'truncated';
      const found = await stateOf(value);
      expect(found?.state).toBe(state);
      if (hasData) expect(found?.resources).toContainEqual(observation);
      else expect(found?.resources).toEqual([]);
    });
  }

  it('is failed, with the reason, where all that came is of another patient', async () => {
    const { sources, problems } = await collectSources(
      requestOf({ prefetch: { observations: bundleOf([ofOther, { ...ofOther, id: 'o2' }]) } }),
    );
    expect(sources.observations?.state).toBe('failed');
    expect(problems).toEqual({ observations: 'other-patient' });
  });

  it('is 412 where the patient that came is another one', async () => {
    const templates = { patient: { template: 'Patient/{{context.patientId}}', required: true } };
    const collected = collectSources(requestOf({ templates, prefetch: { patient: { ...patient, id: 'p2' } } }));
    await expect(collected).rejects.toMatchObject({ problems: { patient: 'other-patient' } });
    await expect(collected).rejects.toThrow(DataMissingError);
  });

  it('is missing for a key that was not sent', async () => {
    const { sources, problems } = await collectSources(requestOf({}));
    expect(sources.observations).toEqual({ state: 'missing', resources: [] });
    expect(problems).toEqual({ observations: 'no-fhir-server' });
  });

  it('is missing for every key of a request without prefetch', async () => {
    const { sources } = await collectSources(requestOf({ prefetch: undefined }));
    expect(sources.observations?.state).toBe('missing');
  });

  it('is truncated, not empty, when an empty Bundle counts matches or has a next page', async () => {
    expect(await stateOf({ resourceType: 'Bundle', total: 3 })).toEqual({ state: 'truncated', resources: [] });
    expect(await stateOf(bundleOf([], elsewhere))).toEqual({ state: 'truncated', resources: [] });
  });

  it('does not depend on keys that an object inherits', async () => {
    const { sources } = await collectSources(
      requestOf({ prefetch: JSON.parse('{"__proto__": {"observations": null}}'), templates: templatesOf('toString') }),
    );
    expect(sources.toString).toEqual({ state: 'missing', resources: [] });
  });

  it('says why a key is not known or not whole', async () => {
    const { problems } = await collectSources(
      requestOf({
        prefetch: {
          a: outcomeOf('error'),
          b: bundleOf([observation], elsewhere),
          c: null,
          d: forms.truncated?.[3]?.[1],
        },
        templates: templatesOf('a', 'b', 'c', 'd'),
      }),
    );
    expect(problems).toEqual({ a: 'unreadable', b: 'no-fhir-server', d: 'incomplete' });
  });

  it('comes from a single resource where the template reads one', async () => {
    const templates = { patient: { template: 'Patient/{{context.patientId}}', required: true } };
    for (const sent of [patient, bundleOf([patient]), bundleOf([patient, observation])]) {
      const { sources } = await collectSources(requestOf({ prefetch: { patient: sent }, templates }));
      expect(sources.patient).toEqual({ state: 'present', resources: [patient] });
    }
  });

  it('is for any combination of forms exactly that of each form, and 412 exactly when a required key has no answer', async () => {
    const form = fc.constantFrom(
      ...Object.entries(forms).flatMap(([state, all]) => all.map(([, value]) => ({ state, value }))),
      {
        state: 'missing',
        value: undefined,
      },
    );
    const keys = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), fc.tuple(form, fc.boolean()));
    await fc.assert(
      fc.asyncProperty(keys, async (chosen) => {
        const sent = Object.entries(chosen).filter(([, [{ state }]]) => state !== 'missing');
        const request = requestOf({
          prefetch: Object.fromEntries(sent.map(([key, [{ value }]]) => [key, value])),
          templates: Object.fromEntries(
            Object.entries(chosen).map(([key, [, required]]) => [key, { template: search, required }]),
          ),
        });
        const lacking = Object.entries(chosen)
          .filter(([, [{ state }, required]]) => required && (state === 'missing' || state === 'failed'))
          .map(([key]) => key);
        if (lacking.length > 0) {
          const error = await collectSources(request).catch((thrown) => thrown);
          expect(error).toBeInstanceOf(DataMissingError);
          expect(Object.keys(error.problems).sort()).toEqual(lacking.sort());
        } else {
          const { sources } = await collectSources(request);
          for (const [key, [{ state }]] of Object.entries(chosen)) expect(sources[key]?.state).toBe(state);
          expect(Object.keys(sources).sort()).toEqual(Object.keys(chosen).sort());
        }
      }),
    );
  });

  it('is found for any JSON at all without an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.jsonValue(), async (value, part) => {
        for (const sent of [value, { resourceType: 'Bundle', entry: value, link: part, total: part }]) {
          expect(['empty', 'failed', 'present', 'truncated']).toContain((await stateOf(sent))?.state);
        }
      }),
    );
  });
});

describe('keys of a client', () => {
  it('are taken under the name the client sends them', async () => {
    const { sources, unknownKeys } = await collectSources(
      requestOf({
        prefetch: { labs: observation },
        client: { allowedFhirServers: [], allowWithoutToken: false, keyAliases: { observations: 'labs' } },
      }),
    );
    expect(sources.observations?.state).toBe('present');
    expect(unknownKeys).toEqual([]);
  });

  it('are still taken under our name where the client has another', async () => {
    const { sources } = await collectSources(
      requestOf({
        prefetch: { observations: observation },
        client: { allowedFhirServers: [], allowWithoutToken: false, keyAliases: { observations: 'labs' } },
      }),
    );
    expect(sources.observations?.state).toBe('present');
  });

  it('are left out where no template asks for them; of their names those that can be repeated are reported', async () => {
    const names = [
      'other',
      'a b',
      'æ',
      'x'.repeat(41),
      '010190-1234',
      'n0101901234',
      'b',
      'c-1',
      'd_2',
      'E',
      'f',
      '__proto__',
    ];
    const prefetch = Object.fromEntries(names.map((name) => [name, observation]));
    const { sources, unknownKeys } = await collectSources(requestOf({ prefetch }));
    expect(Object.keys(sources)).toEqual(['observations']);
    expect(unknownKeys).toEqual(['other', 'b', 'c-1', 'd_2', 'E']);
  });
});

describe('required data', () => {
  const templates = {
    patient: { template: 'Patient/{{context.patientId}}', required: true },
    conditions: { template: 'Condition?patient={{context.patientId}}', required: true },
    imaging: { template: 'ImagingStudy?patient={{context.patientId}}', required: false },
  };

  it.each([
    ['null', null],
    ['an empty Bundle', bundleOf([])],
    ['a Bundle that counts a match it does not hold', { resourceType: 'Bundle', total: 1 }],
    ['another resource', observation],
    ['an OperationOutcome', outcomeOf('error')],
  ])('is lacking when the patient is %s', async (_, value) => {
    const request = requestOf({ prefetch: { patient: value, conditions: null }, templates });
    await expect(collectSources(request)).rejects.toMatchObject({
      code: 'data-missing',
      status: 412,
      problems: { patient: expect.any(String) },
    });
  });

  it('is there when a required search has no data', async () => {
    const { sources } = await collectSources(requestOf({ prefetch: { patient, conditions: null }, templates }));
    expect(sources).toMatchObject({ conditions: { state: 'empty' }, imaging: { state: 'missing' } });
  });

  it.each<[string, unknown, string]>([
    ['a text', 'x', 'what came is a string'],
    ['a list', [], 'what came is an array'],
    ['an object', { id: 'p1' }, 'what came is an object without resourceType'],
    ['an error', outcomeOf('error'), 'what came is a resource of type OperationOutcome'],
    ['a history', { ...bundleOf([patient]), type: 'history' }, 'what came is a Bundle of type history'],
    ['no type at all', { resourceType: 7 }, 'what came is an object without resourceType'],
  ])('that is %s says what was expected and what came', async (_, conditions, came) => {
    const error = await collectSources(requestOf({ prefetch: { patient, conditions }, templates })).catch((e) => e);
    expect(error.problems).toEqual({ conditions: 'unreadable' });
    expect(error.message).toContain(`expected a Bundle of type searchset with Condition in entry[].resource; ${came}.`);
  });

  it('is named as the client calls it, with the keys nobody asked for', async () => {
    const client = { allowedFhirServers: [], allowWithoutToken: false, keyAliases: { conditions: 'problems' } };
    const prefetch = { patient, Problem: null, '<b>': null };
    const error = await collectSources(requestOf({ prefetch, templates, client })).catch((thrown) => thrown);
    expect(error.problems).toEqual({ conditions: 'no-fhir-server' });
    expect(error.message).toContain('problems (no-fhir-server)');
    expect(error.diagnostics).toBe("prefetch key 'problems', not asked for: 'Problem'");
  });

  it('is named with the reason and the remedy, and without patient data', async () => {
    const request = requestOf({ context: { patientId: '010203-1234' }, prefetch: { conditions: 7 }, templates });
    const error = await collectSources(request).catch((thrown) => thrown);
    expect(error.problems).toEqual({ patient: 'no-fhir-server', conditions: 'unreadable' });
    expect(error.message).toContain('patient (no-fhir-server): send the data in prefetch');
    expect(error.message).toContain(
      'conditions (unreadable): it could not be read: expected a Bundle of type searchset with Condition in ' +
        'entry[].resource; what came is a number.',
    );
    expect(error.diagnostics).toBe("prefetch key 'patient', prefetch key 'conditions'");
    expect(error.message).toContain('fhirAuthorization');
    expect(error.message).not.toContain('010203');
  });
});

describe('what leaves this machine', () => {
  const base = 'https://ehr.example/fhir';
  const client = { allowedFhirServers: [base], allowWithoutToken: false };
  const token = { access_token: 'secret', token_type: 'Bearer', expires_in: 300 };

  /** A transport that answers every request with the same body and keeps what was asked. */
  function recorderOf(body: unknown): { fetch: Fetch; asked: { url: URL; headers: Record<string, string> }[] } {
    const asked: { url: URL; headers: Record<string, string> }[] = [];
    const fetch: Fetch = async (url, { headers }) => {
      asked.push({ url, headers });
      return {
        status: 200,
        headers: { get: () => 'application/fhir+json' },
        body: new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode(JSON.stringify(body)));
            controller.close();
          },
        }),
      };
    };
    return { fetch, asked };
  }

  it('goes beneath an allowed base alone, whatever server, next link, ids and references the request names', async () => {
    const hostile = fc.oneof(
      fc.webUrl({ withQueryParameters: true }),
      fc.constantFrom(
        base,
        `${base}?page=2`,
        `${base}/../admin`,
        `${base}/..%2fadmin`,
        'https://ehr.example@evil.example/fhir',
        'https://ehr.example.evil.example/fhir',
        'http://ehr.example/fhir',
        'http://169.254.169.254/latest/meta-data',
        'http://127.0.0.1:3000/audit',
        '//evil.example/fhir',
        '../../admin',
        'file:///etc/passwd',
        '..',
        '%2e%2e',
      ),
      fc.string(),
    );
    let requests = 0;
    await fc.assert(
      fc.asyncProperty(hostile, hostile, hostile, fc.boolean(), async (fhirServer, next, id, isKnown) => {
        const page = bundleOf([{ ...observation, subject: { reference: next } }], next);
        const { fetch, asked } = recorderOf(page);
        await collectSources(
          requestOf({
            prefetch: { conditions: page },
            templates: {
              ...templatesOf('observations', 'conditions'),
              patient: { template: 'Patient/{{context.patientId}}', required: false },
            },
            context: { patientId: id, userId: next },
            fhirServer: isKnown ? base : fhirServer,
            fhirAuthorization: token,
            client,
            fetch,
          }),
        );
        requests += asked.length;
        for (const { url } of asked) {
          expect(url.origin).toBe('https://ehr.example');
          expect(url.pathname).toMatch(/^\/fhir($|\/)/);
        }
      }),
    );
    expect(requests).toBeGreaterThan(0);
  });

  it('is nothing at all where the server is not allowed, or there is no token and none may be missing', async () => {
    const { fetch, asked } = recorderOf(null);
    const cases = [
      { fhirServer: 'https://evil.example/fhir', fhirAuthorization: token, problem: 'fhir-server-not-allowed' },
      { fhirServer: base, problem: 'no-token' },
      { fhirServer: base, fhirAuthorization: { ...token, token_type: 'mac' }, problem: 'token-type' },
      { fhirServer: base, fhirAuthorization: { ...token, patient: 'p2' }, problem: 'token-patient' },
      { fhirServer: base, fhirAuthorization: { ...token, patient: 'Patient/p1' }, problem: 'token-patient' },
      { fhirServer: base, fhirAuthorization: { ...token, expires_in: 0 }, problem: 'token-expired' },
    ];
    for (const { problem, ...changes } of cases) {
      const { sources, problems } = await collectSources(requestOf({ ...changes, client, fetch }));
      expect(sources.observations?.state).toBe('missing');
      expect(problems).toEqual({ observations: problem });
    }
    expect(asked).toEqual([]);
  });

  it('is nothing for keys that were sent, whatever their state', async () => {
    const { fetch, asked } = recorderOf(null);
    for (const value of [null, observation, outcomeOf('error'), bundleOf([]), 7]) {
      await collectSources(
        requestOf({ prefetch: { observations: value }, fhirServer: base, fhirAuthorization: token, client, fetch }),
      );
    }
    expect(asked).toEqual([]);
  });

  it('carries context values URL-encoded', async () => {
    const { fetch, asked } = recorderOf(null);
    const context = { patientId: 'p1&_include=*/../x y', userId: 'Practitioner/d1' };
    const templates = {
      read: { template: 'Patient/{{context.patientId}}', required: false },
      search: { template: 'Observation?patient={{ context.patientId }}', required: false },
      user: { template: 'Practitioner/{{userPractitionerId}}', required: false },
    };
    await collectSources(requestOf({ context, templates, fhirServer: base, fhirAuthorization: token, client, fetch }));
    expect(asked.map(({ url }) => url.href).sort()).toEqual([
      `${base}/Observation?patient=p1%26_include%3D*%2F..%2Fx%20y`,
      `${base}/Patient/p1%26_include%3D*%2F..%2Fx%20y`,
      `${base}/Practitioner/d1`,
    ]);
  });

  it('carries half a surrogate pair as the replacement character', async () => {
    const { fetch, asked } = recorderOf(null);
    await collectSources(
      requestOf({ context: { patientId: 'p\ud800' }, fhirServer: base, fhirAuthorization: token, client, fetch }),
    );
    expect(asked.map(({ url }) => url.search)).toEqual(['?patient=p%EF%BF%BD']);
  });

  it.each([
    'Patient/{{context.other}}',
    'Patient/{{context.draftOrders}}',
    'Patient/{{context.patientId.x}}',
    'Patient/{{context.toString}}',
    'Patient/{{userPatientId}}',
    'Patient/{{today()}}',
    'Patient/{{context.dots}}',
    'Patient/{{context.nothing}}',
  ])('is nothing for the template %s, whose token has no value here', async (template) => {
    const { fetch, asked } = recorderOf(null);
    const context = { patientId: 'p1', userId: 'Practitioner/d1', draftOrders: {}, dots: '..', nothing: '' };
    const templates = { key: { template, required: false } };
    const { sources, problems } = await collectSources(
      requestOf({ context, templates, fhirServer: base, fhirAuthorization: token, client, fetch }),
    );
    expect(sources.key?.state).toBe('missing');
    expect(problems).toEqual({ key: 'template-unresolved' });
    expect(asked).toEqual([]);
  });

  it('is nothing once the token has expired', async () => {
    const { fetch, asked } = recorderOf(null);
    const fhirAuthorization = { ...token, expires_in: 0 };
    const { sources } = await collectSources(requestOf({ fhirServer: base, fhirAuthorization, client, fetch }));
    expect(sources.observations?.state).toBe('missing');
    expect(asked).toEqual([]);
  });
});

function templatesOf(...keys: string[]): CollectRequest['templates'] {
  return Object.fromEntries(keys.map((key) => [key, { template: search, required: false }]));
}
