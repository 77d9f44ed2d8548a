import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PublicKey } from '../../src/clients/profile.ts';
import type { KeyCache } from '../../src/http/keys.ts';
import { createReaders, type FindReader } from '../../src/http/readers.ts';

const now = 1_800_000_000;
const issuer = 'https://login.example.org';
const audience = 'audit';
const jwksUrl = 'https://login.example.org/keys';

let sign: (claims?: Record<string, unknown>, header?: { alg?: string; kid?: string }) => Promise<string>;
let signWithOther: typeof sign;
let findReader: FindReader;
const asked: string[] = [];
beforeAll(async () => {
  const make = async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    const signer: typeof sign = (claims = {}, header = {}) =>
      new SignJWT({
        iss: issuer,
        aud: audience,
        sub: 'someone',
        exp: now + 60,
        roles: ['audit-viewer'],
        ...claims,
      } as JWTPayload)
        .setProtectedHeader({ alg: 'RS256', kid: 'one', ...header })
        .sign(privateKey);
    return { signer, jwk: await exportJWK(publicKey) };
  };
  const [ours, other] = await Promise.all([make(), make()]);
  sign = ours.signer;
  signWithOther = other.signer;
  const keys: KeyCache = {
    async find(of, kid) {
      asked.push(String(of.jwksUrl));
      if (kid === 'later') return 'unavailable';
      return kid === 'one' ? ({ ...ours.jwk, kid } as PublicKey) : undefined;
    },
  };
  findReader = createReaders('the-token-of-the-configuration', {
    ...{ issuer, audience, jwksUrl, rolesClaim: 'roles', keys, now: () => now },
  });
});

describe('a reader of the audit', () => {
  test('with the token of the configuration is a reviewer', async () => {
    expect(await findReader('the-token-of-the-configuration')).toEqual({ who: 'token', role: 'reviewer' });
    const alone = createReaders('the-token-of-the-configuration', undefined);
    expect(await alone('the-token-of-the-configuration')).toEqual({ who: 'token', role: 'reviewer' });
  });

  test.each([
    [['audit-viewer'], 'viewer'],
    [['other', 'audit-reviewer', 'audit-viewer'], 'reviewer'],
    ['audit-viewer openid', 'viewer'],
  ])('with the roles %j of the login service is a %s', async (roles, role) => {
    expect(await findReader(await sign({ roles }))).toEqual({ who: 'someone', role });
    expect(asked.at(-1)).toBe(jwksUrl);
  });

  test.each<[string, Record<string, unknown>]>([
    ['without a role of ours', { roles: ['admin'] }],
    ['without roles', { roles: undefined }],
    ['with an object for roles', { roles: { 'audit-viewer': true } }],
    ['of another issuer', { iss: 'https://other.example.org' }],
    ['for another audience', { aud: 'other' }],
    ['that is over', { exp: now - 61 }],
    ['that never ends', { exp: undefined }],
    ['that begins later', { nbf: now + 120 }],
    ['of nobody', { sub: undefined }],
  ])('is nobody by a token %s', async (_what, claims) => {
    expect(await findReader(await sign(claims))).toBeUndefined();
  });

  test('is nobody by a token signed with another key, or with one that is not published or cannot be read', async () => {
    expect(await findReader(await signWithOther())).toBeUndefined();
    expect(await findReader(await sign({}, { kid: 'two' }))).toBeUndefined();
    expect(await findReader(await sign({}, { kid: 'later' }))).toBeUndefined();
  });

  test('is nobody by a token that is not signed', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { iss: issuer, aud: audience, sub: 'someone', exp: now + 60, roles: ['audit-reviewer'] };
    expect(await findReader(`${part({ alg: 'none', kid: 'one' })}.${part(claims)}.`)).toBeUndefined();
  });

  test.each(['', 'x', 'a.b.c', 'the-token-of-the-configuratioN'])('is nobody by "%s"', async (token) => {
    expect(await findReader(token)).toBeUndefined();
  });
});
