import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { exportSPKI, SignJWT, UnsecuredJWT } from 'jose';
import request from 'supertest';
import { beforeAll, describe, expect, it } from 'vitest';
import { demoClient } from '../../src/clients/client.ts';
import { authReasons } from '../../src/errors.ts';
import { createTransport } from '../../src/fhir/client.ts';
import { defaultKeyLimits } from '../../src/http/keys.ts';
import { createReplayStore } from '../../src/http/replay.ts';
import {
  answerKeys,
  baseUrl,
  body,
  type ClientAppOptions,
  createClientApp,
  createKeys,
  issuer,
  type Keys,
  makeClaims,
  makeProfile,
  makeToken,
  seconds,
  sign,
  view,
} from './client-fixture.ts';
import { card } from './fakes.ts';

let ec: Keys;
let rsa: Keys;
let other: Keys;

beforeAll(async () => {
  [ec, rsa, other] = await Promise.all([
    createKeys('ES384', 'ec'),
    createKeys('RS384', 'rsa'),
    createKeys('ES384', 'other'),
  ]);
});

const url = `/cds-services/${view}`;

const call = (
  app: ReturnType<typeof createClientApp>['app'],
  token: string | undefined,
  path = url,
  payload: object = body(),
) => {
  const asked = request(app).post(path);
  if (token !== undefined) asked.set('Authorization', token.includes(' ') ? token : `Bearer ${token}`);
  return asked.send(payload);
};

/** Sends a token that must be refused; gives the reason in the log, which the metric and nothing else must name too. */
async function refuse(options: ClientAppOptions, token: string | undefined, status: 401 | 403 = 401): Promise<string> {
  const { app, lines, store } = createClientApp(options);
  const answer = await call(app, token).expect(status);
  expect(answer.text).toBe('');
  expect(answer.headers['content-type']).toBeUndefined();
  expect(answer.headers['www-authenticate']).toBe(status === 401 ? 'Bearer' : undefined);
  expect(store.records).toEqual([]);
  await expect.poll(() => lines.length).toBe(1);
  const reason = String(JSON.parse(lines[0] ?? '').code).replace('auth-', '');
  expect(authReasons).toContain(reason);
  const { text } = await request(app).get('/metrics');
  expect(text).toContain(`cds_auth_refusals_total{reason="${reason}"} 1\n`);
  return reason;
}

describe('a token', () => {
  it.each(['ES384', 'RS384'])('signed with %s lets its client in, and record and log name it', async (alg) => {
    const keys = alg === 'ES384' ? ec : rsa;
    const { app, store, lines } = createClientApp({ profiles: [makeProfile([ec, rsa])] });
    const answer = await call(app, await makeToken(keys)).expect(200);
    expect(answer.body.cards).toEqual([card]);
    expect(store.record()).toMatchObject({ client: 'ehr', settings: { ledger: {} } });
    await expect.poll(() => lines.length).toBe(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ client: 'ehr', status: 200 });
  });

  it.each<[string, string, unknown]>([
    ['discovery', '/cds-services', `${baseUrl}/cds-services`],
    ['a service', url, [`https://other.example.org`, `${baseUrl}${url}`]],
    ['a service, with a slash at the end', url, `${baseUrl}${url}/`],
    ['a service, called with slashes too many', `//cds-services//${view}/`, `${baseUrl}${url}`],
    ['feedback', `${url}/feedback`, `${baseUrl}${url}/feedback`],
    ['feedback, made for its service', `${url}/feedback`, `${baseUrl}${url}`],
  ])('is taken for %s', async (_, path, aud) => {
    const { app } = createClientApp({ profiles: [makeProfile([ec])] });
    const token = await makeToken(ec, { aud });
    const item = { card: card.uuid, outcome: 'accepted', outcomeTimestamp: '2026-06-30T22:30:00Z' };
    const asked =
      path === '/cds-services'
        ? request(app).get(path).set('Authorization', `Bearer ${token}`)
        : call(app, token, path, path.endsWith('feedback') ? { feedback: [item] } : body());
    await asked.expect(200);
  });

  it('names the address called by the configured base, whatever Host says', async () => {
    const { app } = createClientApp({ profiles: [makeProfile([ec])] });
    const token = await makeToken(ec, { aud: `https://evil.example.org${url}` });
    await call(app, token).set('Host', 'evil.example.org').set('X-Forwarded-Host', 'evil.example.org').expect(401);
  });

  it('may be a minute off, in either direction', async () => {
    const { app } = createClientApp({ profiles: [makeProfile([ec])] });
    await call(app, await makeToken(ec, { iat: seconds - 300, exp: seconds - 59 })).expect(200);
    await call(app, await makeToken(ec, { iat: seconds + 59, nbf: seconds + 59 })).expect(200);
  });

  it('of Epic, with nbf, sub and a kid in base64, is taken', async () => {
    const epic = await createKeys('RS384', 'q+Zx/9w=');
    const { app } = createClientApp({ profiles: [makeProfile([epic], { limits: { tokenSeconds: 900 } })] });
    await call(app, await makeToken(epic, { nbf: seconds - 300, exp: seconds + 900, sub: 'client-id' })).expect(200);
  });

  it('may live as long as the profile of its client says', async () => {
    const { app } = createClientApp({ profiles: [makeProfile([ec], { limits: { tokenSeconds: 7200 } })] });
    await call(app, await makeToken(ec, { exp: seconds + 7200 })).expect(200);
  });

  it('with another algorithm is taken where the profile lists it', async () => {
    const keys = await createKeys('ES256', 'p256');
    const { app } = createClientApp({ profiles: [makeProfile([keys], { algorithms: ['ES256'] })] });
    await call(app, await makeToken(keys)).expect(200);
  });

  it('stands in neither log nor metrics nor answer, right or wrong', async () => {
    const { app, lines } = createClientApp({ profiles: [makeProfile([ec])] });
    const right = await makeToken(ec, { sub: 'canary' });
    const answers = [await call(app, right), await call(app, right), await call(app, `${right}x`)];
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 401]);
    await expect.poll(() => lines.length).toBe(3);
    const { text } = await request(app).get('/metrics');
    for (const told of [...lines, text, ...answers.map((answer) => answer.text)]) {
      expect(told).not.toContain('canary');
      expect(told).not.toContain(right.slice(0, 20));
    }
  });
});

describe('a caller is refused, with nothing said but 401 or 403,', () => {
  it.each<[string, string, () => string | undefined | Promise<string>]>([
    ['without a token', 'missing', () => undefined],
    ['with a password', 'malformed', () => 'Basic dXNlcjpwYXNz'],
    ['with what is no token', 'malformed', () => 'abc.def.ghi'],
    ['with half a token', 'malformed', async () => (await makeToken(ec)).slice(0, 20)],
    ['of an issuer nobody has registered', 'issuer', () => makeToken(ec, { iss: 'https://evil.example.org' })],
    ['of an issuer spelt otherwise', 'issuer', () => makeToken(ec, { iss: `${issuer}/` })],
    ['without an issuer', 'issuer', () => makeToken(ec, { iss: undefined })],
    ['with a token nobody signed', 'algorithm', () => new UnsecuredJWT(makeClaims()).encode()],
    [
      'with the public key used as a secret',
      'algorithm',
      async () =>
        new SignJWT(makeClaims())
          .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: 'rsa' })
          .sign(Buffer.from(await exportSPKI(rsa.publicKey))),
    ],
    [
      'with an algorithm its profile does not list',
      'algorithm',
      async () => makeToken(await createKeys('ES256', 'ec')),
    ],
    ['with a token of another type', 'type', () => makeToken(ec, {}, { typ: 'at+jwt' })],
    ['with a key that is not known', 'key', () => makeToken(ec, {}, { kid: 'new' })],
    [
      'with a key that is not named',
      'key',
      async () => new SignJWT(makeClaims()).setProtectedHeader({ alg: 'ES384', typ: 'JWT' }).sign(ec.privateKey),
    ],
    ['with the key of another client', 'key', () => makeToken(other)],
    ['with the key of another client under a name of its own', 'signature', () => makeToken(other, {}, { kid: 'ec' })],
    ['with a key of another kind than the algorithm', 'key', () => makeToken(ec, {}, { kid: 'rsa' })],
    [
      'with claims changed after signing',
      'signature',
      async () => {
        const [header, , signature] = (await makeToken(ec)).split('.');
        return `${header}.${Buffer.from(JSON.stringify(makeClaims())).toString('base64url')}.${signature}`;
      },
    ],
    [
      'with a critical header nobody understands',
      'malformed',
      async () => {
        const [, claims, signature] = (await makeToken(ec)).split('.');
        const header = { alg: 'ES384', typ: 'JWT', kid: 'ec', crit: ['evil'], evil: true };
        return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${claims}.${signature}`;
      },
    ],
    ['with a token for another service', 'audience', () => makeToken(ec, { aud: `${baseUrl}/cds-services/${sign}` })],
    ['with a token for discovery', 'audience', () => makeToken(ec, { aud: `${baseUrl}/cds-services` })],
    ['with a token for feedback', 'audience', () => makeToken(ec, { aud: `${baseUrl}${url}/feedback` })],
    ['with a token for nobody', 'audience', () => makeToken(ec, { aud: undefined })],
    ['with a token whose time is over', 'expired', () => makeToken(ec, { iat: seconds - 400, exp: seconds - 60 })],
    ['with a token of the future', 'issued-in-future', () => makeToken(ec, { iat: seconds + 61, exp: seconds + 300 })],
    ['with a token not yet valid', 'not-yet-valid', () => makeToken(ec, { nbf: seconds + 61 })],
    ['with a token that lives too long', 'lifetime', () => makeToken(ec, { exp: seconds + 3601 })],
    [
      'with a token that lived before it was made',
      'lifetime',
      () => makeToken(ec, { iat: seconds + 50, exp: seconds + 40 }),
    ],
    ['with a token without end', 'malformed', () => makeToken(ec, { exp: undefined })],
    ['with a token without beginning', 'malformed', () => makeToken(ec, { iat: undefined })],
    ['with a token that can be used again', 'jti', () => makeToken(ec, { jti: undefined })],
    ['with an endless name of a token', 'jti', () => makeToken(ec, { jti: 'x'.repeat(513) })],
  ])('%s', async (_, reason, makeIt) => {
    const profiles = [
      makeProfile([ec, rsa]),
      makeProfile([other], {
        id: 'other',
        issuers: [{ iss: 'https://other.example.org', jwks: { keys: [other.jwk] } }],
      }),
    ];
    expect(await refuse({ profiles }, await makeIt())).toBe(reason);
  });

  it('with a key of another issuer of its own client', async () => {
    const issuers = [
      { iss: issuer, jwks: { keys: [ec.jwk] } },
      { iss: 'https://test.ehr.example.org', jwks: { keys: [other.jwk] } },
    ];
    const profiles = [makeProfile([], { issuers })];
    expect(await refuse({ profiles }, await makeToken(other))).toBe('key');
    expect(await refuse({ profiles }, await makeToken(ec, { iss: 'https://test.ehr.example.org' }))).toBe('key');
  });

  it('with a token used before', async () => {
    const { app, store, lines } = createClientApp({ profiles: [makeProfile([ec])] });
    const token = await makeToken(ec);
    await call(app, token).expect(200);
    await call(app, token).expect(401);
    expect(store.records).toHaveLength(1);
    await expect.poll(() => lines.map((line) => JSON.parse(line).code)).toEqual([undefined, 'auth-replayed']);
  });

  it('with the same token many times at once, but for one', async () => {
    const { app } = createClientApp({ profiles: [makeProfile([ec])] });
    const token = await makeToken(ec);
    const answers = await Promise.all(Array.from({ length: 10 }, () => call(app, token)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(9);
  });

  it.each([
    ['another', 'elsewhere'],
    ['no', undefined],
  ])('with %s tenant than those of the client', async (_, tenant) => {
    const profiles = [makeProfile([ec], { tenants: [{ id: 'north' }] })];
    expect(await refuse({ profiles }, await makeToken(ec, { tenant }), 403)).toBe('tenant');
  });

  it('with a service that is not on for the client, which discovery does not show either', async () => {
    const profiles = [makeProfile([ec], { services: [sign] })];
    expect(await refuse({ profiles }, await makeToken(ec), 403)).toBe('service');
    const { app } = createClientApp({ profiles });
    const token = await makeToken(ec, { aud: `${baseUrl}/cds-services` });
    const { body: discovery } = await request(app).get('/cds-services').set('Authorization', `Bearer ${token}`);
    expect(discovery.services.map(({ id }: { id: string }) => id)).toEqual([sign]);
    const feedback = await call(app, await makeToken(ec), `${url}/feedback`, { feedback: [] });
    expect(feedback.status).toBe(403);
  });

  it('and the log names the client it claims to be', async () => {
    const { app, lines } = createClientApp({ profiles: [makeProfile([ec])] });
    await call(app, await makeToken(ec, { exp: seconds - 60, iat: seconds - 90 })).expect(401);
    await expect.poll(() => lines.length).toBe(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ client: 'ehr', code: 'auth-expired' });
  });

  it('before its body is read', async () => {
    const { app } = createClientApp({ profiles: [makeProfile([ec])] });
    await request(app).post(url).set('Content-Type', 'text/plain').send('{').expect(401);
  });
});

describe('a tenant', () => {
  it('stands in record and feedback, and has the unit of its region', async () => {
    const units = {
      nord: { name: 'Enhed Nord', telephone: '+45 11 11 11 11', locationNumber: '5700000000004' },
      syd: { telephone: '+45 22 22 22 22' },
    };
    const tenants = [{ id: 'n', region: 'nord' }, { id: 's' }];
    const { app, store } = createClientApp({ profiles: [makeProfile([ec], { units, tenants, region: 'syd' })] });
    await call(app, await makeToken(ec, { tenant: 'n' })).expect(200);
    expect(store.record()).toMatchObject({
      tenant: 'n',
      settings: { contact: '+45 11 11 11 11', unit: { name: 'Enhed Nord', locationNumber: '5700000000004' } },
    });
    store.records.length = 0;
    await call(app, await makeToken(ec, { tenant: 's' })).expect(200);
    expect(store.record().settings).toEqual({ ledger: {}, contact: '+45 22 22 22 22' });

    const item = { card: card.uuid, outcome: 'accepted', outcomeTimestamp: '2026-06-30T22:30:00Z' };
    await call(app, await makeToken(ec, { tenant: 'n' }), `${url}/feedback`, { feedback: [item] }).expect(200);
    expect(store.items).toMatchObject([{ client: 'ehr', tenant: 'n' }]);
  });

  it('tells two clients of one issuer apart, each with its own keys', async () => {
    const of = (id: string, keys: Keys) => makeProfile([keys], { id, tenants: [{ id }] });
    const options = { profiles: [of('a', ec), of('b', other)] };
    const { app, store } = createClientApp(options);
    await call(app, await makeToken(other, { tenant: 'b' })).expect(200);
    expect(store.record().client).toBe('b');
    expect(await refuse(options, await makeToken(other, { tenant: 'a' }))).toBe('key');
  });
});

describe('keys', () => {
  const withUrl = (changes: Record<string, unknown> = {}) =>
    makeProfile([], { issuers: [{ iss: issuer, jwksUrl: `${issuer}/jwks.json` }], ...changes });

  it('are never looked for where a token says', async () => {
    let calls = 0;
    const server = createServer((_request, response) => {
      calls += 1;
      response.end(JSON.stringify({ keys: [other.jwk] }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
    try {
      const profiles = [makeProfile([ec])];
      const headers: Record<string, unknown>[] = [{ jku: address }, { x5u: address }, { jwk: other.jwk }];
      for (const header of headers) {
        expect(await refuse({ profiles, fetch: createTransport() }, await makeToken(other, {}, header))).toBe('key');
        const { app } = createClientApp({ profiles, fetch: createTransport() });
        await call(app, await makeToken(ec, {}, header)).expect(200);
      }
      expect(calls).toBe(0);
    } finally {
      server.close();
    }
  });

  it('are fetched once from the address of the profile, and again for a new one, not more often than the pause', async () => {
    const asked: string[] = [];
    let published = [ec];
    let clock = seconds;
    const options = {
      profiles: [withUrl()],
      clock: () => clock,
      fetch: async (address: URL) => {
        asked.push(address.href);
        return answerKeys({ keys: published.map(({ jwk }) => jwk) });
      },
    };
    const { app } = createClientApp(options);
    const statusOf = async (keys: Keys) => (await call(app, await makeToken(keys))).status;
    expect(await statusOf(ec)).toBe(200);
    expect(await statusOf(ec)).toBe(200);
    expect(asked).toEqual([`${issuer}/jwks.json`]);

    published = [ec, other];
    expect(await statusOf(other)).toBe(401);
    expect(asked).toHaveLength(1);
    clock += 31;
    expect(await statusOf(other)).toBe(200);
    expect(asked).toHaveLength(2);
    for (let count = 0; count < 5; count += 1)
      await call(app, await makeToken(ec, {}, { kid: `no-${count}` })).expect(401);
    expect(asked).toHaveLength(2);

    published = [other];
    clock += 601;
    const token = await makeToken(ec, { iat: clock, exp: clock + 300 });
    await call(app, token).expect(401);
    expect(asked).toHaveLength(3);
  });

  it('fetched before are used for an hour where newer ones cannot be read', async () => {
    let isUp = true;
    let clock = seconds;
    const { app } = createClientApp({
      profiles: [withUrl()],
      clock: () => clock,
      fetch: async () => {
        if (!isUp) throw new Error('down');
        return answerKeys({ keys: [ec.jwk] });
      },
    });
    const statusOf = async () => (await call(app, await makeToken(ec, { iat: clock, exp: clock + 60 }))).status;
    expect(await statusOf()).toBe(200);
    isUp = false;
    clock += 3000;
    expect(await statusOf()).toBe(200);
    clock += 700;
    expect(await statusOf()).toBe(401);
    isUp = true;
    clock += 31;
    expect(await statusOf()).toBe(200);
  });

  it('are asked for once by many calls at a time', async () => {
    let calls = 0;
    const { app } = createClientApp({
      profiles: [withUrl()],
      fetch: async () => {
        calls += 1;
        await wait(20);
        return answerKeys({ keys: [ec.jwk] });
      },
    });
    const answers = await Promise.all(Array.from({ length: 8 }, async () => call(app, await makeToken(ec))));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(calls).toBe(1);
  });

  it.each<[string, ClientAppOptions['fetch']]>([
    ['redirects', async () => answerKeys('', { status: 302, headers: { get: () => 'https://evil.example.org/jwks' } })],
    ['fails', async () => answerKeys({ keys: [ec.jwk] }, { status: 500 })],
    ['is too large', async () => answerKeys({ keys: [ec.jwk], filler: 'x'.repeat(defaultKeyLimits.bytes) })],
    ['is no JSON', async () => answerKeys('<html>')],
    ['is no key set', async () => answerKeys([ec.jwk])],
    ['holds too many keys', async () => answerKeys({ keys: Array(101).fill(ec.jwk) })],
    ['does not answer', () => new Promise(() => {})],
  ])('cannot be found where their address %s', async (_, fetch) => {
    const limits = { ...defaultKeyLimits, timeoutMs: 50 };
    expect(
      await refuse({ profiles: [withUrl()], fetch: fetch as NonNullable<typeof fetch>, limits }, await makeToken(ec)),
    ).toBe('keys-unavailable');
  });

  it('that cannot be read for the certificate of their address have a reason of their own', async () => {
    const failure = Object.assign(new Error(), { code: 'SELF_SIGNED_CERT_IN_CHAIN' });
    const fetch = () => Promise.reject(new TypeError('fetch failed', { cause: failure }));
    expect(await refuse({ profiles: [withUrl()], fetch }, await makeToken(ec))).toBe('keys-tls');
  });

  it('of other uses, and private ones, are passed over', async () => {
    const { app } = createClientApp({
      profiles: [withUrl()],
      fetch: async () =>
        answerKeys({
          keys: [
            { ...other.jwk, use: 'enc' },
            { kty: 'oct', k: 'AAAA', kid: 'oct' },
            { ...rsa.jwk, d: 'AAAA' },
            ec.jwk,
          ],
        }),
    });
    await call(app, await makeToken(ec)).expect(200);
    await call(app, await makeToken(other)).expect(401);
    await call(app, await makeToken(rsa)).expect(401);
  });

  it('of the public sandbox are none outside demo mode, wherever they are published', async () => {
    const sandbox = {
      kty: 'EC',
      crv: 'P-384',
      kid: '44823f3d-0b01-4a6c-a80e-b9d3e8a7226f',
      x: 'dw_JGR8nB2I6XveNxUOl2qk699ZPLM2nYI5STSdiEl9avAkrm3CkfYMbrrjr8laB',
      y: 'Sm3mLE-n1zYNla_aiE3cb3nZsL51RbC7ysw3q8aJLxGm-hx79RPMYpITDjp7kgzy',
    };
    const token = await makeToken(ec, {}, { kid: sandbox.kid });
    const fetch = async () => answerKeys({ keys: [sandbox] });
    expect(await refuse({ profiles: [withUrl()], fetch }, token)).toBe('key');
    expect(await refuse({ profiles: [withUrl()], fetch, isDemo: true }, token)).toBe('signature');
  });
});

describe('used tokens', () => {
  it('are forgotten once they are too old to be taken', async () => {
    let clock = seconds;
    const store = createReplayStore(() => clock, 1);
    const token = { client: 'ehr', iss: issuer, jti: '1' };
    expect(await store.take(token, clock + 100)).toBe('first');
    clock += 100;
    expect(await store.take(token, clock)).toBe('used');
    clock += 120;
    expect(await store.take(token, clock + 100)).toBe('first');
  });

  it('are told apart by client and issuer', async () => {
    const store = createReplayStore(() => seconds);
    for (const [client, iss] of [
      ['a', 'x'],
      ['b', 'x'],
      ['a', 'y'],
    ] as const) {
      expect(await store.take({ client, iss, jti: '1' }, seconds + 9)).toBe('first');
    }
  });

  it('cost the same however many were used before', async () => {
    const store = createReplayStore(() => seconds);
    const take = async (from: number) => {
      const before = process.threadCpuUsage();
      for (let jti = from; jti < from + 10_000; jti++) {
        await store.take({ client: 'ehr', iss: issuer, jti: String(jti) }, seconds + 100);
      }
      return process.threadCpuUsage(before).user;
    };
    const first = await take(0);
    for (let from = 10_000; from < 100_000; from += 10_000) await take(from);
    expect(await take(100_000)).toBeLessThan(4 * first);
  });

  it('that cannot be remembered are not taken: 503, not a replay', async () => {
    const replay = createReplayStore(() => seconds, 1);
    const { app } = createClientApp({ profiles: [makeProfile([ec])], replay });
    await call(app, await makeToken(ec)).expect(200);
    const answer = await call(app, await makeToken(ec)).expect(503);
    expect(answer.headers['retry-after']).toBe('1');
  });
});

describe('in demo mode', () => {
  it.each<[string, () => string | undefined | Promise<string>]>([
    ['without a token', () => undefined],
    ['with a token of an issuer nobody registered', () => makeToken(ec, { iss: 'https://x.example.org' })],
    ['with what is no token', () => 'Bearer x'],
  ])('a call %s is the demo client’s', async (_, makeIt) => {
    const { app, store } = createClientApp({ profiles: [makeProfile([ec])], unknown: demoClient });
    await call(app, await makeIt()).expect(200);
    expect(store.record().client).toBe('demo');
  });

  it('a call with a token of a registered issuer is that client’s, and is checked like any other', async () => {
    const options = { profiles: [makeProfile([ec])], unknown: demoClient };
    const { app, store } = createClientApp(options);
    await call(app, await makeToken(ec)).expect(200);
    expect(store.record().client).toBe('ehr');
    expect(await refuse(options, await makeToken(other))).toBe('key');
  });
});
