import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openDirectory } from '../../src/clients/directory.ts';
import { explainProfile } from '../../src/clients/explain.ts';
import { loadProfile, loadProfiles } from '../../src/clients/profiles.ts';
import type { ClientSettings } from '../../src/engine/cards.ts';
import { createChartReader } from '../../src/engine/chart-reader.ts';
import { type Answer, decide } from '../../src/engine/decide.ts';
import { ProfileError } from '../../src/errors.ts';
import { buildPrefetch, casePatientId, readConcepts, readSources } from '../cds-services/build-bundle.ts';
import { decideCase, readCases } from '../cds-services/decide-cases.ts';
import { createKeys, guideline, type Keys, makeToken, readExampleProfile, view } from './client-fixture.ts';

const root = join(import.meta.dirname, '..', '..');
const temporary = mkdtempSync(join(tmpdir(), 'cds-clients-'));
const examples = join(root, 'clients');
let folders = 0;

afterAll(() => rmSync(temporary, { recursive: true, force: true }));

/** A folder with these files; `from` copies an example. */
function makeFolder(files: Record<string, string>): string {
  const folder = join(temporary, String(folders++));
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** The mistakes found in a folder. */
function findMistakes(files: Record<string, string>, mode: 'demo' | 'production' = 'production'): readonly string[] {
  try {
    loadProfiles(makeFolder(files), guideline, mode);
  } catch (error) {
    if (error instanceof ProfileError) return error.mistakes;
    throw error;
  }
  return [];
}

const least = (members = '', id = 'ehr', iss = 'https://ehr.example.org') =>
  `id: ${id}\nissuers: [{ iss: "${iss}", jwksUrl: "https://ehr.example.org/jwks" }]\n${members}`;

describe('the profiles that come with the service', () => {
  it('are valid, together and in demo mode', () => {
    const ids = loadProfiles(examples, guideline, 'demo').map(({ id }) => id);
    expect(ids).toEqual(['crd-inferno', 'epic-example', 'ehr-example', 'cds-hooks-sandbox']);
  });

  it('for trying out are refused in production, and the others with them', () => {
    const files = Object.fromEntries(
      ['generic.yaml', 'crd-inferno.yaml', 'sandbox.yaml'].map((name) => [name, readExampleProfile(name)]),
    );
    expect(findMistakes(files)).toEqual([
      expect.stringMatching(/^crd-inferno\.yaml:1 demoOnly: /),
      expect.stringMatching(/^sandbox\.yaml:1 demoOnly: /),
    ]);
    expect(findMistakes({ 'generic.yaml': readExampleProfile('generic.yaml') })).toEqual([]);
  });

  it('give each tenant the unit of its region, the codes and the choices', () => {
    const { profile } = loadProfile(join(examples, 'generic.yaml'), guideline);
    expect(profile.findClient('hospital-north')).toMatchObject({
      id: 'ehr-example',
      allowedFhirServers: ['https://fhir.example.org/r4'],
      allowWithoutToken: false,
      settings: {
        ledger: { nodeSize: '20' },
        contact: '+45 00 00 00 00',
        unit: { name: 'Diagnostisk Enhed Nord', locationNumber: '5700000000004' },
        codes: { 'mas-package': [{ code: 'MAS-PAKKE' }] },
        pathwayCodes: { 'diagnostic-mas': { code: 'HENV-MAS' } },
      },
    });
    expect(profile.findClient('hospital-south')?.settings.unit).toEqual({ name: 'Diagnostisk Enhed Syd' });
    expect(profile.findClient('elsewhere')).toBeUndefined();
    expect(profile.findClient(undefined)).toBeUndefined();
  });
});

describe('a profile is refused, with file, line and reason,', () => {
  it.each<[string, string, RegExp]>([
    [
      'with a member that does not exist',
      least('language: da\norigin: []'),
      /^a\.yaml:4 origin: there is no such member$/,
    ],
    ['that is no YAML', 'id: [', /^a\.yaml:\d+: /],
    ['that names a member twice', least('language: da\nlanguage: en'), /^a\.yaml:4: /],
    ['with HS256', least('algorithms:\n  - HS256'), /^a\.yaml:4 algorithms\.0: /],
    ['with none', least('algorithms: [none]'), /^a\.yaml:3 algorithms\.0: /],
    [
      'without a way to its keys',
      'id: ehr\nissuers:\n  - iss: x',
      /^a\.yaml:3 issuers\.0: expected either jwks or jwksUrl$/,
    ],
    [
      'with keys fetched without https',
      'id: ehr\nissuers:\n  - { iss: x, jwksUrl: "http://ehr.example.org/jwks" }',
      /^a\.yaml:3 issuers\.0\.jwksUrl: expected https$/,
    ],
    [
      'with keys fetched from this machine',
      'id: ehr\nissuers:\n  - { iss: x, jwksUrl: "http://127.0.0.1/jwks" }',
      /jwksUrl: expected https$/,
    ],
    [
      'with a page without https',
      least('origins: ["http://ehr.example.org"]'),
      /^a\.yaml:3 origins\.0: expected https$/,
    ],
    [
      'with a path for an origin',
      least('origins: ["https://ehr.example.org/"]'),
      /^a\.yaml:3 origins\.0: expected scheme, host and port/,
    ],
    ['with any origin', least('origins: ["*"]'), /^a\.yaml:3 origins\.0: /],
    [
      'with a FHIR server without https',
      least('fhirServers: ["http://fhir.example.org"]'),
      /^a\.yaml:3 fhirServers\.0: expected https/,
    ],
    [
      'with a password to a FHIR server',
      least('fhirServers: ["https://u:p@fhir.example.org"]'),
      /^a\.yaml:3 fhirServers\.0: (?!.*u:p)/,
    ],
    [
      'with a service that does not exist',
      least('services: [x]'),
      /^a\.yaml:3 services\.0: there is no service x: expected one of /,
    ],
    [
      'with a decision that does not exist',
      least('decisions: { off: [MAS-99], shadow: [] }'),
      /^a\.yaml:3 decisions\.off\.0: the guideline has no decision MAS-99$/,
    ],
    [
      'with a decision both off and in shadow',
      least('decisions: { off: [ACU-*], shadow: [ACU-01] }'),
      /^a\.yaml:3 decisions\.shadow: ACU-01 is both/,
    ],
    [
      'with a choice the ledger does not offer',
      least('ledger:\n  nodeSize: "17"'),
      /^a\.yaml:4 ledger\.nodeSize: there is no option 17: expected one of 15, 20$/,
    ],
    [
      'with a number for a choice',
      least('ledger: { nodeSize: 20 }'),
      /^a\.yaml:3 ledger\.nodeSize: expected the key of an option in quotes$/,
    ],
    [
      'with a choice about nothing',
      least('ledger: { nodesize: "20" }'),
      /^a\.yaml:3 ledger\.nodesize: there is no override nodesize/,
    ],
    [
      'with a prefetch key that does not exist',
      least('prefetchKeys: { labs: x }'),
      /^a\.yaml:3 prefetchKeys\.labs: there is no prefetch key labs/,
    ],
    [
      'with a prefetch key that means another',
      least('prefetchKeys: { reports: observations }'),
      /^a\.yaml:3 prefetchKeys\.reports: observations is a prefetch key of ours/,
    ],
    [
      'with codes of a concept that does not exist',
      least('codes: { x: [{ system: s, code: c }] }'),
      /^a\.yaml:3 codes\.x: there is no concept x$/,
    ],
    [
      'with a code of a pathway that does not exist',
      least('pathwayCodes: { x: { system: s, code: c } }'),
      /^a\.yaml:3 pathwayCodes\.x: there is no pathway x/,
    ],
    ['with a region without unit', least('region: nord'), /^a\.yaml:3 region: there is no unit of the region nord/],
    ['with a tenant twice', least('tenants: [{ id: a }, { id: a }]'), /^a\.yaml:3 tenants\.1\.id: named twice$/],
    [
      'with a location number that is mistyped',
      least('units: { nord: { locationNumber: "5700000000005" } }'),
      /^a\.yaml:3 units\.nord\.locationNumber: expected 13 digits/,
    ],
    [
      'with a token that lives for days',
      least('limits: { tokenSeconds: 172800 }'),
      /^a\.yaml:3 limits\.tokenSeconds: /,
    ],
    [
      'as the sandbox',
      least('', 'ehr', 'https://sandbox.cds-hooks.org'),
      /^a\.yaml:2 issuers\.0\.iss: everybody can sign as this/,
    ],
  ])('%s', (_, text, mistake) => {
    expect(findMistakes({ 'a.yaml': text })).toEqual([expect.stringMatching(mistake)]);
  });

  it('with the sandbox’s key under another name', () => {
    const text = readExampleProfile('sandbox.yaml')
      .replace('demoOnly: true\n', '')
      .replace('iss: https://sandbox.cds-hooks.org', 'iss: https://ehr.example.org')
      .replace('kid: 44823f3d-0b01-4a6c-a80e-b9d3e8a7226f', 'kid: mine')
      .replace('origins: [https://sandbox.cds-hooks.org, "http://localhost:8080", "http://127.0.0.1:8080"]', '')
      .replace('"http://localhost:8081/fhir", ', '');
    const everybodys = expect.stringMatching(/^a\.yaml:\d+ issuers\.0\.jwks\.keys\.0: everybody can sign as this/);
    expect(findMistakes({ 'a.yaml': text }, 'demo')).toEqual([everybodys]);
  });

  it('with a key that is private, weak or none', async () => {
    const { jwk } = await createKeys('ES384', 'k');
    const withKey = (key: object) => `id: ehr\nissuers: [{ iss: x, jwks: { keys: [${JSON.stringify(key)}] } }]`;
    const mistakes = (key: object) => findMistakes({ 'a.yaml': withKey(key) }).join();
    expect(mistakes(jwk)).toBe('');
    expect(mistakes({ ...jwk, d: 'c2VjcmV0' })).toMatch(/private key(?!.*c2VjcmV0)/);
    expect(mistakes({ ...jwk, y: jwk.x })).toMatch(/not a public EC key/);
    expect(mistakes({ ...jwk, kid: undefined })).toMatch(/keys\.0\.kid/);
    expect(mistakes({ kty: 'oct', k: 'AAAA', kid: 'k' })).toMatch(/keys\.0\.kty/);
    expect(mistakes({ kty: 'RSA', kid: 'k', e: 'AQAB', n: Buffer.alloc(128, 255).toString('base64url') })).toMatch(
      /1024 bits/,
    );
  });

  it('with every mistake at once, in every file', () => {
    const mistakes = findMistakes({ 'a.yaml': least('language: dk\nservices: [x]\nfoo: 1'), 'b.yaml': 'id: B' });
    expect(mistakes.map((mistake) => mistake.split(':').slice(0, 2).join(':'))).toEqual([
      'a.yaml:3 language',
      'a.yaml:5 foo',
      'a.yaml:4 services.0',
      'b.yaml:1 id',
      'b.yaml:1 issuers',
    ]);
  });

  it.each<[string, string, string[]]>([
    ['a list that is not closed', least('services: [x\nlanguage: da'), ['a.yaml:4']],
    ['a quote that is not closed, at its begin', least('region: "nord\nlanguage: da\n'), ['a.yaml:3']],
    ['members named twice, each', least('language: da\nlanguage: da\nid: b'), ['a.yaml:4', 'a.yaml:5']],
    ['a member nobody knows, at its name', least('limits:\n  foo:\n    - 1'), ['a.yaml:4 limits.foo']],
  ])('at the line of %s', (_, text, lines) => {
    expect(findMistakes({ 'a.yaml': text }).map((mistake) => mistake.split(':').slice(0, 2).join(':'))).toEqual(lines);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['there is none', { 'readme.md': '' }, /expected at least one client profile/],
    ['two have one id', { 'a.yaml': least(), 'b.yaml': least('', 'ehr', 'y') }, /^b\.yaml:1 id: a\.yaml has the same$/],
    [
      'two have one issuer',
      { 'a.yaml': least(), 'b.yaml': least('', 'b') },
      /^b\.yaml:1 issuers: a\.yaml also names .*, and not both list/,
    ],
    [
      'two have one issuer and tenant',
      { 'a.yaml': least('tenants: [{ id: t }]'), 'b.yaml': least('tenants: [{ id: t }]', 'b') },
      /with the tenant t$/,
    ],
  ])('where %s', (_, files, mistake) => {
    expect(findMistakes(files)).toEqual([expect.stringMatching(mistake)]);
  });

  it('where the folder is missing', () => {
    expect(() => loadProfiles(join(temporary, 'nowhere'), guideline, 'production')).toThrow(ProfileError);
  });
});

describe('profiles of one issuer', () => {
  it('are allowed where each lists its own tenants', () => {
    const files = { 'a.yaml': least('tenants: [{ id: s }]'), 'b.yaml': least('tenants: [{ id: t }]', 'b') };
    expect(findMistakes(files)).toEqual([]);
  });
});

describe('reloading', () => {
  it('puts a changed folder in force whole, or leaves the old one whole', () => {
    const folder = makeFolder({ 'a.yaml': least() });
    const directory = openDirectory(folder, guideline, 'production');
    const ids = () => directory.profiles().map(({ id }) => id);
    writeFileSync(join(folder, 'b.yaml'), least('', 'b', 'https://b.example.org'));
    expect(directory.reload()).toBe(2);
    expect(ids()).toEqual(['ehr', 'b']);
    writeFileSync(join(folder, 'b.yaml'), least('oops: 1', 'b', 'https://b.example.org'));
    writeFileSync(join(folder, 'c.yaml'), least('', 'c', 'https://c.example.org'));
    expect(() => directory.reload()).toThrow(ProfileError);
    expect(ids()).toEqual(['ehr', 'b']);
  });
});

describe('an explanation', () => {
  const explain = (text: string) =>
    explainProfile(loadProfile(join(makeFolder({ 'a.yaml': text }), 'a.yaml'), guideline), guideline);

  it('says who may call, what is read, and what is switched off or chosen otherwise', () => {
    const { says } = explain(
      least('decisions: { off: [TIM-*], shadow: [MAS-02] }\nledger: { nodeSize: "20" }\nlimits: { tokenSeconds: 300 }'),
    );
    const told = says.join('\n');
    expect(told).toContain(
      'https://ehr.example.org (keys fetched from https://ehr.example.org/jwks), signed with ES384 or RS384',
    );
    expect(told).toContain('Nothing is fetched');
    expect(told).toMatch(/Not decided for it: TIM-01 .*TIM-02/);
    expect(told).toMatch(/without a card: MAS-02 /);
    expect(told).toContain('L5 From which size is a lymph node enlarged? More than 20 mm.');
    expect(told).toContain('300 seconds');
  });

  it.each([
    ['acute cards off', 'decisions: { off: [ACU-*], shadow: [] }', /acute/],
    ['acute cards in shadow', 'decisions: { off: [], shadow: [ACU-01] }', /acute/],
    ['an open FHIR server', 'fhirServers: ["https://f.example.org"]\nfhirWithoutToken: true', /without a token/],
    ['an unusual algorithm', 'algorithms: [ES384, ES256]', /^ES256/],
    ['no telephone number', '', /no one to confer with/],
    ['a unit nobody has', 'units: { nord: { telephone: "+45 00 00 00 00" } }', /unit of nord is nobody's/],
  ])('warns of %s', (_, members, warning) => {
    expect(explain(least(members)).warnings).toContainEqual(expect.stringMatching(warning));
  });

  it('warns of nothing where there is nothing', () => {
    expect(explain(least('units: { nord: { telephone: "+45 00 00 00 00" } }\nregion: nord')).warnings).toEqual([]);
  });
});

describe('the command', () => {
  const run = (...given: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'src', 'cli', 'client.ts'), ...given]);
    return { status, said: String(stdout), errors: String(stderr) };
  };

  it('explains a profile that is valid', () => {
    const { status, said, errors } = run('check', join(examples, 'sandbox.yaml'));
    expect({ status, errors }).toEqual({ status: 0, errors: '' });
    expect(said).toMatch(/^cds-hooks-sandbox: the profile is valid\.\n {2}It is for trying out/);
    expect(said).toMatch(/^! Its FHIR servers are asked without a token/m);
  });

  it('names the mistakes of one that is not, and fails', () => {
    const path = join(makeFolder({ 'a.yaml': least('foo: 1') }), 'a.yaml');
    const { status, said, errors } = run('check', path);
    expect({ status, said }).toEqual({ status: 1, said: '' });
    expect(errors).toContain(`${path}:3 foo: there is no such member`);
  });

  it.each([[[]], [['explain', 'a.yaml']], [['check']]])('called with %j says how it is called', (given) => {
    const { status, errors } = run(...given);
    expect(status).toBe(1);
    expect(errors).toBe('Expected: npm run client -- check FILE\n');
  });
});

describe('decisions of a client', () => {
  const concepts = readConcepts(join(root, 'cds-services', 'diagnostisk-pakkeforloeb'));
  const readChart = createChartReader(guideline);

  /** Decides a case as it is, but for a client with these settings. */
  function decideFor(testCase: ReturnType<typeof readCases>[number], settings: Partial<ClientSettings>): Answer {
    const sources = readSources(testCase, buildPrefetch(testCase, concepts));
    const chart = readChart(sources, { today: testCase.today, patientId: casePatientId });
    return decide(guideline, view, chart, {
      language: 'da',
      client: { ledger: {}, ...settings },
      evaluation: '00000000-0000-4000-8000-000000000000',
      subject: `Patient/${casePatientId}`,
    });
  }
  const cases = readCases().filter(({ client }) => Object.keys(client).length === 0);
  const told = ({ cards }: Answer) =>
    cards.flatMap(
      (card) => (card.extension['dk.diagnostisk-pakkeforloeb.decision'] as { decisions?: string[] }).decisions ?? [],
    );
  const findCase = (fits: (answer: Answer) => boolean) => {
    const found = cases.find((testCase) => fits(decideCase(testCase)));
    if (found === undefined) throw new Error('No case fits.');
    return found;
  };
  const met = findCase((answer) => told(answer).length > 0);
  const [id = ''] = told(decideCase(met));

  it('in shadow are made and recorded, and have no card', () => {
    const answer = decideFor(met, { shadow: [id] });
    expect(told(answer)).not.toContain(id);
    expect(answer.decisions.find((decision) => decision.id === id)).toMatchObject({ outcome: 'met', reason: 'shadow' });
  });

  it('that are off stand neither on cards nor in the record', () => {
    const answer = decideFor(met, { off: [id] });
    expect(told(answer)).not.toContain(id);
    expect(answer.decisions.map((decision) => decision.id)).not.toContain(id);
    expect(answer.decisions.length).toBeGreaterThan(0);
  });

  it('in shadow withhold no card of another: nobody is told less than by neither', () => {
    const superseded = findCase(({ decisions }) =>
      decisions.some(({ reason }) => reason?.startsWith('superseded-by:')),
    );
    const [low] = decideCase(superseded).decisions.filter(({ reason }) => reason?.startsWith('superseded-by:'));
    const highs = decideCase(superseded)
      .decisions.filter(({ outcome }) => outcome === 'met')
      .map((each) => each.id);
    const answer = decideFor(superseded, { shadow: highs.filter((each) => each !== low?.id) });
    expect(told(decideFor(superseded, {}))).not.toContain(low?.id);
    expect(told(answer)).toContain(low?.id);
  });

  it('name the unit on MAS and MUP cards, and refer to it', () => {
    const referred = findCase(({ cards }) => cards.some((each) => each.source.topic.code === 'mas-referral'));
    const unit = { name: 'Enhed Nord', locationNumber: '5700000000004' };
    const { cards } = decideFor(referred, { contact: '+45 11 11 11 11', unit });
    const card = cards.find((each) => each.source.topic.code === 'mas-referral');
    expect(card?.detail).toContain('Enhed Nord, +45 11 11 11 11');
    const identifier = { system: 'http://www.gs1.org/gln', value: '5700000000004' };
    const performers = card?.suggestions?.flatMap(({ actions }) =>
      actions.flatMap((action) =>
        'resource' in action && 'performer' in action.resource ? [action.resource.performer] : [],
      ),
    );
    expect(performers).toEqual([[{ type: 'Organization', identifier, display: 'Enhed Nord' }]]);
  });

  it('read the client’s own codes', () => {
    const coding = { system: 'https://ehr.example.org/codes', code: 'BEHOV' };
    const resource = {
      resourceType: 'Procedure',
      id: 'n',
      status: 'completed',
      subject: { reference: 'Patient/p1' },
      code: { coding: [coding] },
      performedDateTime: '2026-06-01',
    };
    const sources = { procedures: { state: 'present' as const, resources: [resource] } };
    const options = { today: '2026-06-30', patientId: 'p1' };
    const own = { codes: { 'needs-assessment': [coding] } };
    expect(readChart(sources, options).readings).toEqual([]);
    expect(readChart(sources, { ...options, own }).readings).toMatchObject([
      { kind: 'done', concept: 'needs-assessment', exact: true, system: 'local', code: 'BEHOV' },
    ]);
  });
});

describe('the service', () => {
  let keys: Keys;
  const running: ChildProcess[] = [];

  beforeAll(async () => {
    keys = await createKeys('ES384', 'k');
  });

  afterEach(async () => {
    for (const child of running.splice(0)) {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  });

  const publicBase = 'https://cds.example.org';
  const pinned = (id = 'ehr', iss = 'https://ehr.example.org') =>
    `id: ${id}\nissuers: [{ iss: "${iss}", jwks: { keys: [${JSON.stringify(keys.jwk)}] } }]\n`;

  async function start(environment: Record<string, string>) {
    const child = spawn(process.execPath, [join(root, 'src', 'start.js')], {
      env: {
        PORT: '0',
        WORKERS: '2',
        LOG_LEVEL: 'info',
        DATA_DIR: makeFolder({}),
        PUBLIC_BASE_URL: publicBase,
        ...environment,
      },
    });
    const said = { out: '', errors: '' };
    child.stdout.on('data', (chunk) => {
      said.out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      said.errors += chunk;
    });
    return { child, said, ended: once(child, 'close').then(([code]) => code as number) };
  }

  it.each<[string, Record<string, string>, RegExp]>([
    ['without profiles', {}, /^CLIENTS_DIR: .*\n$/],
    ['with a folder of none', { CLIENTS_DIR: makeFolder({}) }, /expected at least one client profile/],
    ['with the sandbox', { CLIENTS_DIR: examples }, /sandbox\.yaml:1 demoOnly/],
    ['without https', { CLIENTS_DIR: examples, PUBLIC_BASE_URL: 'http://cds.example.org' }, /^PUBLIC_BASE_URL: .*\n$/],
  ])('does not start in production %s', async (_, environment, error) => {
    const { said, ended } = await start({ MODE: 'production', AUDIT_TOKEN: 'a-token-for-this-test', ...environment });
    expect(await ended).toBe(1);
    expect(said.errors).toMatch(error);
    expect(said.errors).not.toMatch(/^\s+at /m);
  });

  it('in production answers its clients, and takes new profiles on SIGHUP unless one is wrong', async () => {
    const folder = makeFolder({ 'a.yaml': pinned() });
    const { child, said } = await start({
      MODE: 'production',
      CLIENTS_DIR: folder,
      AUDIT_TOKEN: 'a-token-for-this-test',
    });
    running.push(child);
    // The address printed is the public one: the port is asked of the system.
    await expect.poll(() => said.out + said.errors, { timeout: 15_000 }).toContain('discovery');
    expect(said.errors).toBe('');
    const port = /listening {2}127\.0\.0\.1:(\d+)/.exec(said.out)?.[1];
    const statusOf = async (iss: string): Promise<number> => {
      const time = Math.floor(Date.now() / 1000);
      const claims = { iss, aud: `${publicBase}/cds-services`, iat: time, exp: time + 60, jti: String(Math.random()) };
      const headers = { authorization: `Bearer ${await makeToken(keys, claims)}` };
      return (await fetch(`http://127.0.0.1:${port}/cds-services`, { headers })).status;
    };
    const first = 'https://ehr.example.org';
    const second = 'https://second.example.org';
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 401]);
    expect((await fetch(`http://127.0.0.1:${port}/cds-services`)).status).toBe(401);

    writeFileSync(join(folder, 'b.yaml'), pinned('second', second));
    child.kill('SIGHUP');
    await expect.poll(() => said.out).toContain('Client profiles in force: 2.');
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 200]);

    copyFileSync(join(examples, 'sandbox.yaml'), join(folder, 'c.yaml'));
    rmSync(join(folder, 'a.yaml'));
    child.kill('SIGHUP');
    await expect.poll(() => said.out).toContain('New client profiles refused');
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 200]);
    const line = said.out.split('\n').find((each) => each.includes('refused')) ?? '';
    expect(JSON.parse(line)).toMatchObject({ msg: expect.stringContaining('c.yaml:1 demoOnly') });
  });
});
