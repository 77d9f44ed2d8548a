import request from 'supertest';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Profile } from '../../src/clients/profile.ts';
import { body, createClientApp, createKeys, type Keys, makeProfile, makeToken, view } from './client-fixture.ts';

const path = `/cds-services/${view}`;
let keys: Keys;
let otherKeys: Keys;
let profiles: Profile[];

beforeAll(async () => {
  [keys, otherKeys] = await Promise.all([createKeys('ES384', 'a'), createKeys('ES384', 'b')]);
  profiles = [
    makeProfile([keys], { origins: ['https://a.example.org'] }),
    makeProfile([], {
      id: 'other',
      issuers: [{ iss: 'https://other.example.org', jwks: { keys: [otherKeys.jwk] } }],
      origins: ['https://b.example.org:8443'],
    }),
  ];
});

const allowedIn = (answer: { headers: Record<string, string> }) => answer.headers['access-control-allow-origin'];

describe('a preflight', () => {
  const preflight = (origin: string, of = profiles) =>
    request(createClientApp({ profiles: of }).app)
      .options(path)
      .set('Origin', origin)
      .set('Access-Control-Request-Method', 'POST')
      .set('Access-Control-Request-Headers', 'authorization,content-type');

  it.each(['https://a.example.org', 'https://b.example.org:8443'])(
    'from %s, of some client, is granted without a token',
    async (origin) => {
      const answer = await preflight(origin).expect(204);
      expect(allowedIn(answer)).toBe(origin);
      expect(answer.headers.vary).toContain('Origin');
      expect(answer.headers['access-control-allow-headers']?.toLowerCase()).toContain('authorization');
      expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
    },
  );

  it.each(['https://evil.example.org', 'http://a.example.org', 'https://b.example.org', 'null'])(
    'from %s, of no client, is not',
    async (origin) => {
      const answer = await preflight(origin);
      expect(allowedIn(answer)).toBeUndefined();
      expect(answer.headers.vary).toContain('Origin');
    },
  );

  it('is granted to nobody where no client names an origin', async () => {
    expect(allowedIn(await preflight('https://a.example.org', [makeProfile([keys])]))).toBeUndefined();
  });
});

describe('an answer', () => {
  const callFrom = async (origin: string, token: string | undefined) => {
    const asked = request(createClientApp({ profiles }).app).post(path).set('Origin', origin);
    if (token !== undefined) asked.set('Authorization', `Bearer ${token}`);
    return asked.send(body());
  };

  it('can be read by pages of the caller’s client', async () => {
    const answer = await callFrom('https://a.example.org', await makeToken(keys));
    expect(answer.status).toBe(200);
    expect(allowedIn(answer)).toBe('https://a.example.org');
  });

  it('cannot be read by pages of another client', async () => {
    const answer = await callFrom('https://b.example.org:8443', await makeToken(keys));
    expect(answer.status).toBe(200);
    expect(allowedIn(answer)).toBeUndefined();
    expect(answer.headers.vary).toContain('Origin');
  });

  it('that refuses a caller nobody knows can be read by the pages that may call at all', async () => {
    const answer = await callFrom('https://a.example.org', undefined);
    expect(answer.status).toBe(401);
    expect(allowedIn(answer)).toBe('https://a.example.org');
    expect(allowedIn(await callFrom('https://evil.example.org', undefined))).toBeUndefined();
  });
});
