import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { TokenStore } from '../../src/audit/tokens.ts';
import type { Client } from '../../src/clients/client.ts';
import { compileProfile, type Profile, type PublicKey, profileSchema } from '../../src/clients/profile.ts';
import type { Fetch, FetchedResponse } from '../../src/fhir/client.ts';
import type { AppParts } from '../../src/http/app.ts';
import { createAuthenticate } from '../../src/http/auth.ts';
import { createKeyCache, defaultKeyLimits, type KeyLimits } from '../../src/http/keys.ts';
import { createReplayStore } from '../../src/http/replay.ts';
import { loadKnowledge } from '../../src/knowledge.ts';
import { card, createRequest, createTestApp, now } from './fakes.ts';

const root = join(import.meta.dirname, '..', '..');

export const guideline = loadKnowledge(join(root, 'cds-services', 'diagnostisk-pakkeforloeb'));
export const view = 'diagnostisk-pakkeforloeb-patient-view';
export const sign = 'diagnostisk-pakkeforloeb-order-sign';
export const baseUrl = 'https://cds.example.org/base';
/** Seconds since the epoch. */
export const seconds = now.getTime() / 1000;

export const readExampleProfile = (name: string): string => readFileSync(join(root, 'clients', name), 'utf8');

/** A pair of keys of a client. */
export interface Keys {
  alg: string;
  kid: string;
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  jwk: PublicKey;
}

export async function createKeys(alg: string, kid: string): Promise<Keys> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid } as PublicKey;
  return { alg, kid, privateKey, publicKey, jwk };
}

export const issuer = 'https://ehr.example.org';

/** A profile as the folder would give it; `keys` are pinned for {@link issuer}. */
export function makeProfile(keys: readonly Keys[], members: Record<string, unknown> = {}): Profile {
  const file = profileSchema.parse({
    id: 'ehr',
    issuers: [{ iss: issuer, jwks: { keys: keys.map(({ jwk }) => jwk) } }],
    ...members,
  });
  return compileProfile(file, guideline, (path, message) => {
    throw new Error(`${path.join('.')}: ${message}`);
  });
}

let tokens = 0;

/** A token that is right for a call of {@link view}; a member that is undefined is left out. */
export function makeClaims(changes: Record<string, unknown> = {}): JWTPayload {
  tokens += 1;
  return {
    iss: issuer,
    aud: `${baseUrl}/cds-services/${view}`,
    iat: seconds,
    exp: seconds + 300,
    jti: `token-${tokens}`,
    ...changes,
  };
}

export function makeToken(
  keys: Keys,
  changes: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  return new SignJWT(makeClaims(changes))
    .setProtectedHeader({ alg: keys.alg, typ: 'JWT', kid: keys.kid, ...header })
    .sign(keys.privateKey);
}

export interface ClientAppOptions {
  profiles: readonly Profile[] | (() => readonly Profile[]);
  unknown?: Client;
  fetch?: Fetch;
  limits?: KeyLimits;
  replay?: TokenStore;
  /** Seconds since the epoch. */
  clock?(): number;
  isDemo?: boolean;
  parts?: Partial<AppParts>;
}

const noFetch: Fetch = async () => {
  throw new Error('Nothing is to be fetched.');
};

/** The real app, asking callers who they are; deciding is a stand-in. */
export function createClientApp(options: ClientAppOptions) {
  const { fetch = noFetch, limits = defaultKeyLimits, clock = () => seconds } = options;
  const profiles = () => (typeof options.profiles === 'function' ? options.profiles() : options.profiles);
  const authenticate = createAuthenticate({
    profiles,
    baseUrls: () => [baseUrl],
    keys: createKeyCache(fetch, () => clock() * 1000, options.isDemo === true, limits),
    replay: options.replay ?? createReplayStore(clock),
    now: clock,
    ...(options.unknown && { unknown: options.unknown }),
  });
  const allowedOrigins = () => profiles().flatMap(({ origins }) => origins);
  const decide = () => ({ decisions: [], cards: [card] });
  return createTestApp({ guideline, authenticate, allowedOrigins, ...options.parts }, { guideline, decide });
}

/** A call of {@link view}, or of another service. */
export const body = (changes: Record<string, unknown> = {}) =>
  createRequest({
    prefetch: { patient: { resourceType: 'Patient', id: 'p1' }, conditions: null, observations: null },
    ...changes,
  });

/** A server of key sets that is called through a function. */
export function answerKeys(value: unknown, changes: Partial<FetchedResponse> = {}): FetchedResponse {
  const bytes = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  return {
    status: 200,
    headers: { get: () => 'application/json' },
    body: (async function* () {
      yield bytes;
    })(),
    ...changes,
  };
}
