import type { IncomingMessage } from 'node:http';
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  importJWK,
  type JWTPayload,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose';
import type { TokenStore } from '../audit/tokens.ts';
import { type Client, demoClient } from '../clients/client.ts';
import type { Profile, PublicKey } from '../clients/profile.ts';
import { AuthError, type AuthReason, UnavailableError } from '../errors.ts';
import type { KeyCache } from './keys.ts';

/** Who calls. */
export interface Caller {
  client: Client;
  /** Organisation within the client, as its token says. */
  tenant?: string;
}

/**
 * Finds out who calls.
 *
 * @param path What is called, below the public base URL: `/cds-services`, `/cds-services/{id}` …
 * @throws {@link AuthError} for a caller that is not known (401) or not allowed (403).
 */
export type Authenticate = (request: IncomingMessage, path: string) => Promise<Caller>;

/** Demo mode, on loopback only: everybody is the demo client. */
export const authenticateDemo: Authenticate = async () => ({ client: demoClient });

/** What telling callers apart needs. */
export interface AuthParts {
  /** Those in force now: they may be exchanged while the service runs. */
  profiles(): readonly Profile[];
  /** The addresses clients know this service by, without slash at the end. */
  baseUrls(): readonly string[];
  keys: KeyCache;
  replay: TokenStore;
  /** Seconds since the epoch. */
  now(): number;
  /** Who a caller is that no profile knows (demo mode); absent: refused. */
  unknown?: Client;
}

/** Seconds by which clocks may differ. */
export const clockSkew = 60;
const longestJti = 512;

/**
 * Makes the check of the tokens clients send.
 *
 * Everything that costs nothing is checked before the signature. Keys come from the profile of the issuer alone: what a
 * token says of where its key is (`jku`, `jwk`, `x5u`) is never read.
 *
 * @see CDS Hooks 2.0.1, "Trusting CDS Clients"; conformance W-04 to W-16
 */
export function createAuthenticate(parts: AuthParts): Authenticate {
  return async (request, path) => {
    const read = readToken(request.headers.authorization);
    const profiles = typeof read === 'string' ? [] : findProfiles(parts.profiles(), read.claims.iss);
    if (parts.unknown !== undefined && profiles.length === 0) return { client: parts.unknown };
    if (typeof read === 'string') throw refuse(read);
    const { token, header, claims } = read;
    const tenant = typeof claims.tenant === 'string' && claims.tenant !== '' ? claims.tenant : undefined;
    const profile = profiles.find((each) => each.findClient(tenant) !== undefined) ?? profiles[0];
    if (profile === undefined) throw refuse('issuer');

    const wrong =
      checkHeader(header, profile) ?? checkClaims(claims, findAudiences(parts.baseUrls(), path), profile, parts.now());
    if (wrong !== undefined) throw refuse(wrong, profile.id);
    await verify(parts, profile, token, header, claims);

    const client = profile.findClient(tenant);
    if (client === undefined)
      throw new AuthError(403, 'The tenant of the token is not one of this client.', 'tenant', profile.id);
    await useOnce(parts, profile, claims);
    return { client, ...(tenant !== undefined && { tenant }) };
  };
}

interface Token {
  token: string;
  header: ProtectedHeaderParameters;
  claims: JWTPayload & Record<string, unknown>;
}

function readToken(authorization: string | undefined): Token | AuthReason {
  if (authorization === undefined) return 'missing';
  const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]*) *$/i.exec(authorization)?.[1];
  if (token === undefined) return 'malformed';
  try {
    return { token, header: decodeProtectedHeader(token), claims: decodeJwt(token) };
  } catch {
    return 'malformed';
  }
}

function findProfiles(profiles: readonly Profile[], iss: unknown): Profile[] {
  return profiles.filter(({ issuers }) => issuers.some((issuer) => issuer.iss === iss));
}

function checkHeader({ typ, alg, kid }: ProtectedHeaderParameters, profile: Profile): AuthReason | undefined {
  if (!profile.algorithms.some((allowed) => allowed === alg)) return 'algorithm';
  // Required, and left out by some: nothing else signs with these keys for this audience.
  if (typ !== undefined && String(typ).toUpperCase() !== 'JWT') return 'type';
  return typeof kid === 'string' && kid !== '' ? undefined : 'key';
}

function checkClaims(
  { aud, exp, iat, nbf, jti }: Token['claims'],
  audiences: readonly string[],
  { tokenSeconds }: Profile,
  now: number,
): AuthReason | undefined {
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!named.some((one) => typeof one === 'string' && audiences.includes(one.replace(/\/+$/, '')))) return 'audience';
  if (!isTime(exp) || !isTime(iat) || (nbf !== undefined && !isTime(nbf))) return 'malformed';
  if (exp + clockSkew <= now) return 'expired';
  if (iat - clockSkew > now) return 'issued-in-future';
  if (nbf !== undefined && nbf - clockSkew > now) return 'not-yet-valid';
  if (exp - iat > tokenSeconds || exp <= iat) return 'lifetime';
  return typeof jti === 'string' && jti !== '' && jti.length <= longestJti ? undefined : 'jti';
}

const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

/** What a token may be made for: the address called, and for feedback also its service (conformance B-12). */
function findAudiences(baseUrls: readonly string[], path: string): string[] {
  const paths = [path, ...(path.endsWith(feedback) ? [path.slice(0, -feedback.length)] : [])];
  return baseUrls.flatMap((base) => paths.map((each) => `${base}${each}`));
}

const feedback = '/feedback';

async function verify(
  { keys, now }: AuthParts,
  profile: Profile,
  token: string,
  header: ProtectedHeaderParameters,
  { iss }: Token['claims'],
): Promise<void> {
  const issuer = profile.issuers.find((each) => each.iss === iss);
  if (issuer === undefined) throw refuse('issuer');
  const key = await keys.find(issuer, String(header.kid));
  if (typeof key === 'string') throw refuse(`keys-${key}`, profile.id);
  const alg = String(header.alg);
  if (key === undefined || (key.alg !== undefined && key.alg !== alg)) throw refuse('key', profile.id);
  const verifyingKey = await readKey(key, alg);
  if (verifyingKey === undefined) throw refuse('key', profile.id);
  try {
    await jwtVerify(token, verifyingKey, {
      algorithms: [...profile.algorithms],
      issuer: issuer.iss,
      clockTolerance: clockSkew,
      currentDate: new Date(now() * 1000),
    });
  } catch (error) {
    // The key is of another kind than the algorithm.
    if (error instanceof TypeError) throw refuse('key', profile.id);
    throw refuse(error instanceof errors.JWSSignatureVerificationFailed ? 'signature' : 'malformed', profile.id);
  }
}

const readKeys = new WeakMap<PublicKey, Map<string, Awaited<ReturnType<typeof importJWK>>>>();

/** @returns undefined where the key is of another kind than the algorithm. */
async function readKey(jwk: PublicKey, alg: string): Promise<Awaited<ReturnType<typeof importJWK>> | undefined> {
  const known = readKeys.get(jwk)?.get(alg);
  if (known !== undefined) return known;
  try {
    const key = await importJWK({ kty: jwk.kty, n: jwk.n, e: jwk.e, crv: jwk.crv, x: jwk.x, y: jwk.y } as object, alg);
    readKeys.set(jwk, (readKeys.get(jwk) ?? new Map()).set(alg, key));
    return key;
  } catch {
    return undefined;
  }
}

async function useOnce({ replay }: AuthParts, { id }: Profile, { iss, jti, exp }: Token['claims']): Promise<void> {
  const use = await replay.take({ client: id, iss: String(iss), jti: String(jti) }, Number(exp) + clockSkew);
  if (use === 'used') throw refuse('replayed', id);
  if (use === 'full') throw new UnavailableError('overloaded', 'Too many tokens are in use: try again.');
}

/** The message never leaves the process. */
function refuse(reason: AuthReason, client?: string): AuthError {
  return new AuthError(401, `The token was refused: ${reason}.`, reason, client);
}
