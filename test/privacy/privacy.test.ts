import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FakeFhirServer, outcomeOf, sendJson, sendStatus, startFhirServer } from '../fhir/fhir-server.ts';
import { createRequest } from '../http/fakes.ts';
import { type Resource, resourcesOf, seeds, sendAll } from '../properties/decide-prefetch.ts';

/** What must be nowhere but in the request, each where clients really send it. Made up; no such person exists. */
const canaries = {
  /** Also the id of the patient, as some clients have it. */
  cpr: '0101901234',
  hyphenated: '010190-1234',
  name: 'Kanariefugl',
  note: 'canary-in-a-note',
  display: 'canary-in-a-display',
  attachment: 'canary-in-an-attachment',
  token: 'canary-access-token',
  jwt: 'eyJhbGciOiJFUzM4NCJ9.eyJjYW5hcnkiOiJ0b2tlbiJ9.canary-signature',
  query: 'canary-in-a-query',
  path: 'canary-in-a-path',
  header: 'canary-in-a-header',
  server: 'canary-of-the-fhir-server',
  comment: 'canary-in-a-comment',
  secret: 'canary-of-the-operator',
} as const;

function findCanaries(text: string, but: readonly string[] = []): string[] {
  return Object.entries(canaries).flatMap(([name, canary]) =>
    !but.includes(name) && (text.includes(canary) || text.includes(Buffer.from(canary).toString('base64')))
      ? [name]
      : [],
  );
}

interface Running {
  child: ChildProcess;
  base: string;
  /** All it wrote on either stream. */
  output(): string;
  ended: Promise<number | null>;
}

async function run(
  script: string,
  environment: Readonly<Record<string, string>>,
  flags: string[] = [],
): Promise<Running> {
  const child = spawn(process.execPath, [...flags, fileURLToPath(new URL(script, import.meta.url))], {
    env: { PORT: '0', WORKERS: '2', LOG_LEVEL: 'debug', ...environment },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const findPort = () => /(?:127\.0\.0\.1:|^)(\d{4,5})(?:\/cds-services|$)/m.exec(output)?.[1];
  while (findPort() === undefined && child.exitCode === null) {
    await Promise.race([once(child.stdout, 'data'), ended]);
  }
  return { child, base: `http://127.0.0.1:${findPort()}`, output: () => output, ended };
}

async function stop({ child, ended }: Running): Promise<void> {
  child.kill('SIGTERM');
  await ended;
}

/** The record of a case as a careless client sends it: whatever is free text names the patient. */
function dirty(): Record<string, unknown> {
  const seed = seeds.find(({ id }) => id === 'MAS-02 all but ferritin and CRP resulted');
  if (seed === undefined) throw new Error('The case is gone.');
  const all = JSON.parse(JSON.stringify(sendAll(seed)).replaceAll('case-patient', canaries.cpr));
  const taint = (resource: Resource): Resource => {
    const { code } = resource as { code?: { coding?: object[] } };
    return {
      ...resource,
      text: { status: 'generated', div: `<div>${canaries.name} ${canaries.hyphenated}</div>` },
      note: [{ text: `${canaries.note} ${canaries.cpr}` }],
      subject: { reference: `Patient/${canaries.cpr}`, display: canaries.name },
      performer: [{ display: canaries.name }],
      presentedForm: [{ data: Buffer.from(canaries.attachment).toString('base64'), url: canaries.attachment }],
      conclusion: canaries.note,
      ...(code && {
        code: { text: canaries.note, coding: code.coding?.map((coding) => ({ ...coding, display: canaries.display })) },
      }),
    };
  };
  for (const key of ['conditions', 'observations']) {
    all[key].entry = resourcesOf(all, key).map((resource) => ({ resource: taint(resource) }));
  }
  all.patient = {
    ...all.patient,
    id: canaries.cpr,
    identifier: [{ system: 'urn:oid:1.2.208.176.1.2', value: canaries.cpr }, { value: canaries.hyphenated }],
    name: [{ family: canaries.name, text: canaries.name }],
    address: [{ line: [canaries.note] }],
  };
  return all;
}

const context = { patientId: canaries.cpr, userId: `Practitioner/${canaries.name}`, encounterId: canaries.hyphenated };
const service = 'diagnostisk-pakkeforloeb-patient-view';
const mebibyte = 1024 * 1024;

describe('patient data and secrets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cds-privacy-'));
  const auditToken = 'a-token-for-this-test';
  let running: Running;
  let fhir: FakeFhirServer;
  /** Everything the service answered, headers included. */
  const answers: string[] = [];
  /** The audit's answers: they alone may tell of a patient, by codes and values. */
  let audit = '';

  const call = async (path: string, options: RequestInit = {}): Promise<Response> => {
    const response = await fetch(`${running.base}${path}`, options);
    answers.push(`${JSON.stringify([...response.headers])}\n${await response.clone().text()}`);
    return response;
  };
  const post = (
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
    path = `/cds-services/${service}`,
  ) =>
    call(path, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Authorization: `Bearer ${canaries.jwt}`,
        'X-Canary': canaries.header,
        ...headers,
      },
      body,
    });
  const postJson = async (changes: object, path?: string): Promise<number> =>
    (await post(JSON.stringify(createRequest({ context, ...changes })), {}, path)).status;

  beforeAll(async () => {
    fhir = await startFhirServer();
    running = await run('../../src/start.js', {
      DATA_DIR: folder,
      AUDIT_TOKEN: auditToken,
      MAX_BODY_BYTES: String(3 * mebibyte),
      MAX_HELD_BYTES: String(2 * mebibyte),
    });
  });
  afterAll(async () => {
    running?.child.kill('SIGKILL');
    await fhir.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('go through every address, with every answer it has', { timeout: 60_000 }, async () => {
    expect(
      (await call(`/cds-services?patient=${canaries.query}`, { headers: { Authorization: `Bearer ${canaries.jwt}` } }))
        .status,
    ).toBe(200);
    const prefetch = dirty();
    const answered = await post(
      JSON.stringify(createRequest({ context, prefetch })),
      {},
      `/cds-services/${service}?cpr=${canaries.query}`,
    );
    expect(answered.status).toBe(200);
    const { cards } = (await answered.json()) as { cards: { uuid: string }[] };
    expect(cards).not.toEqual([]);

    const fhirServer = `${fhir.base}/${canaries.path}`;
    const access = {
      fhirServer,
      fhirAuthorization: { access_token: canaries.token, token_type: 'Bearer', expires_in: 300 },
    };
    const { reports, imaging, ...some } = prefetch;
    fhir.handle = (_, response) => sendJson(response, { ...outcomeOf('error'), text: canaries.server });
    expect(await postJson({ ...access, prefetch: some })).toBe(200);
    fhir.handle = (_, response) =>
      response.writeHead(302, { location: `${fhir.base}/${canaries.server}` }).end(canaries.server);
    expect(await postJson({ ...access, prefetch: {} })).toBe(412);
    fhir.handle = (_, response) => response.writeHead(200, { 'content-type': canaries.server }).end(canaries.server);
    expect(await postJson({ ...access, prefetch: {} })).toBe(412);
    fhir.handle = (_, response) => sendStatus(response, 500);
    expect(await postJson({ ...access, prefetch: {} })).toBe(412);
    fhir.handle = (request) => request.socket.destroy();
    expect(await postJson({ ...access, prefetch: {} })).toBe(412);
    expect(fhir.seen.length).toBeGreaterThan(0);
    expect(await postJson({ fhirServer: `https://${canaries.server}.example/fhir`, prefetch: {} })).toBe(412);

    expect(await postJson({ hook: canaries.name })).toBe(400);
    expect(await postJson({ context: { patientId: `../${canaries.cpr}` } })).toBe(400);
    expect(await postJson({ prefetch: canaries.note })).toBe(400);
    expect((await post(`{"patient": "${canaries.cpr}", ${canaries.name}`)).status).toBe(400);
    expect((await post(gzipSync(canaries.cpr).subarray(0, 15), { 'Content-Encoding': 'gzip' })).status).toBe(400);
    expect((await post(canaries.cpr, { 'Content-Type': `text/${canaries.header}` })).status).toBe(415);
    expect((await post(canaries.cpr, { 'Content-Encoding': canaries.header })).status).toBe(415);
    expect((await post(`{"a":${'['.repeat(200)}"${canaries.cpr}"`)).status).toBe(413);
    expect((await post(canaries.name.repeat(400_000))).status).toBe(413);
    expect((await post(canaries.name.repeat(200_000))).status).toBe(503);
    expect((await post('{}', {}, `/cds-services/${canaries.path}`)).status).toBe(404);
    expect((await call(`/${canaries.path}?${canaries.query}`)).status).toBe(404);
    expect((await call(`/cds-services/%${canaries.path}`, { method: 'POST' })).status).toBe(400);
    expect((await call(`/cds-services/${service}?${canaries.query}`, { method: 'PUT' })).status).toBe(405);

    const item = {
      card: cards[0]?.uuid,
      outcome: 'overridden',
      outcomeTimestamp: '2026-11-23T10:00:00Z',
      overrideReason: {
        reason: { code: 'patient-refused', display: canaries.name },
        userComment: `${canaries.comment} ${canaries.hyphenated} ${canaries.cpr}`,
      },
    };
    const feedback = `/cds-services/${service}/feedback`;
    expect(
      (await post(JSON.stringify({ feedback: [item, { ...item, outcomeTimestamp: canaries.note }] }), {}, feedback))
        .status,
    ).toBe(200);
    expect((await post(JSON.stringify({ feedback: [{ card: { canary: canaries.cpr } }] }), {}, feedback)).status).toBe(
      400,
    );
    expect((await post(JSON.stringify({ feedback: canaries.note }), {}, feedback)).status).toBe(400);

    for (const path of [
      '/livez',
      '/readyz',
      '/metrics',
      '/audit/api/evaluations',
      `/audit/api/evaluations/${canaries.path}`,
    ]) {
      await call(`${path}?${canaries.query}`, { headers: { Authorization: `Bearer ${canaries.jwt}` } });
    }
    const found = await fetch(`${running.base}/audit/api/evaluations?hookInstance=${createRequest().hookInstance}`, {
      headers: { Authorization: `Bearer ${auditToken}` },
    });
    audit = await found.text();
    expect(JSON.parse(audit).evaluations).toHaveLength(2);

    const socket = connect(Number(new URL(running.base).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.end(`GET /${canaries.path} HTTP/9.9\r\n${canaries.header}\r\n\r\n`);
    socket.resume();
    await once(socket, 'close');
    await stop(running);
  });

  it('are in no answer but the cards, and there only as the subject of suggested orders', () => {
    expect(answers.length).toBeGreaterThanOrEqual(30);
    const subject = new RegExp(`"reference":"(Patient/${canaries.cpr}|Encounter/${canaries.hyphenated})"`, 'g');
    expect(answers.filter((answer) => subject.test(answer))).not.toEqual([]);
    for (const answer of answers) expect(findCanaries(answer.replace(subject, ''))).toEqual([]);
  });

  it('are in no line of the log and in nothing else the process printed', () => {
    expect(running.output()).toContain('"status":412');
    expect(findCanaries(running.output())).toEqual([]);
  });

  it('are in no record: codes, values and references only, the patient under a keyed pseudonym', () => {
    expect(audit).toMatch(/"patientKey":"[0-9a-f]{64}"/);
    expect(audit).toContain('trin1-labs');
    // The encounter of a suggested order is a reference by an id of the client's own making.
    expect(findCanaries(audit.replaceAll(`Encounter/${canaries.hyphenated}`, ''))).toEqual([]);
  });

  it('are in no byte of the database, but the comment of a user, its CPR numbers taken out', () => {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && entry.name !== 'patient-key',
    );
    expect(files.length).toBeGreaterThan(0);
    const bytes = Buffer.concat(files.map(({ parentPath, name }) => readFileSync(join(parentPath, name))));
    const plain = bytes.toString('latin1') + inflateAll(bytes);
    expect(plain).toContain('trin1-labs');
    expect(plain).toContain(`${canaries.comment} XXXXXX-XXXX XXXXXX-XXXX`);
    expect(findCanaries(plain.replaceAll(`Encounter/${canaries.hyphenated}`, ''), ['comment'])).toEqual([]);
  });
});

/** Whatever in the bytes is gzipped and still in one piece. */
function inflateAll(bytes: Buffer): string {
  let text = '';
  for (
    let at = bytes.indexOf('\x1f\x8b\x08', 0, 'latin1');
    at >= 0;
    at = bytes.indexOf('\x1f\x8b\x08', at + 1, 'latin1')
  ) {
    try {
      text += gunzipSync(bytes.subarray(at), { finishFlush: 2 }).toString();
    } catch {
      // Not gzip, or spread over pages of the file: the audit API has shown it whole.
    }
  }
  return text;
}

describe('a crash', () => {
  it('of a worker tells neither the log nor the client nor the metrics what it died of', async () => {
    const running = await run('crash-service.ts', {});
    const body = JSON.stringify(createRequest({ context, prefetch: dirty() }));
    for (const language of ['throw', 'reject']) {
      const response = await fetch(`${running.base}/cds-services/view`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Accept-Language': language },
        body,
      });
      expect(response.status).toBe(500);
      expect(findCanaries(await response.text())).toEqual([]);
    }
    await expect.poll(running.output).toContain('A worker thread ended (TypeError)');
    expect(running.output()).toContain('A worker thread ended (RangeError)');
    expect(findCanaries(await (await fetch(`${running.base}/metrics`)).text())).toEqual([]);
    await stop(running);
    expect(findCanaries(running.output())).toEqual([]);
  });

  it.each([
    ['an error nobody caught', `throw new TypeError('${canaries.cpr} ${canaries.name}')`],
    ['a promise nobody caught', `Promise.reject(new TypeError('${canaries.cpr} ${canaries.name}'))`],
    ['something that is no error', `throw '${canaries.cpr}'`],
  ])('of the process by %s names its class and place, never its message', async (_, fault) => {
    const folder = mkdtempSync(join(tmpdir(), 'cds-privacy-'));
    const code = `setTimeout(() => { ${fault} }, 1500)`;
    const { ended, output } = await run('../../src/start.js', { DATA_DIR: folder }, [
      '--import',
      `data:text/javascript,${encodeURIComponent(code)}`,
    ]);
    expect(await ended).toBe(1);
    expect(output()).toMatch(/The service ends: (TypeError at |something was thrown)/);
    // The place of the fault is this test's own script, which names the canaries.
    expect(findCanaries(decodeURIComponent(output().replace(/data:text\/javascript,\S+/g, '')))).toEqual([]);
    rmSync(folder, { recursive: true, force: true });
  });
});

describe('an error at the start', () => {
  it.each<[string, Record<string, string>]>([
    ['a token too short', { AUDIT_TOKEN: 'canary-of-the-o' }],
    ['a database that cannot be used', { DATABASE_URL: `postgres://user:${canaries.secret}@127.0.0.1/x` }],
    ['an address that is none', { PUBLIC_BASE_URL: `ftp://user:${canaries.secret}@host` }],
    ['a contact that is none', { SECURITY_CONTACT: canaries.secret }],
    ['a mode that is none', { MODE: canaries.secret, DATABASE_URL: canaries.secret }],
  ])('names the setting, never its value: %s', async (_, environment) => {
    const { ended, output } = await run('../../src/start.js', environment);
    expect(await ended).toBe(1);
    expect(output()).toMatch(/^[A-Z_]+: /);
    expect(findCanaries(output())).toEqual([]);
    expect(output()).not.toContain('canary');
  });
});
