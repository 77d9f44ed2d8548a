import { createHash, timingSafeEqual } from 'node:crypto';
import { decodeProtectedHeader, importJWK, type JWK, jwtVerify } from 'jose';
import { algorithms } from '../clients/profile.ts';
import { clockSkew } from './auth.ts';
import type { KeyCache } from './keys.ts';

export type Role = 'viewer' | 'reviewer';

/** Somebody who may read the audit. A viewer sees neither patient keys nor comments. */
export interface Reader {
  /** Subject of the token; `token` for the one of the configuration. */
  who: string;
  role: Role;
}

/** Finds out who reads, from the token given; undefined: nobody we know. */
export type FindReader = (token: string) => Promise<Reader | undefined>;

/** Tokens of a login service (OpenID Connect) that are taken. */
export interface LoginService {
  issuer: string;
  audience: string;
  /** Where it publishes its keys. */
  jwksUrl: string;
  /** Claim that holds the reader's roles. */
  rolesClaim: string;
}

/** What a login service calls our roles. */
export const roleNames: Readonly<Record<Role, string>> = { viewer: 'audit-viewer', reviewer: 'audit-reviewer' };
const longestSubject = 256;

/**
 * Makes the check of the tokens readers of the audit send.
 *
 * @param token The one of the configuration: its holder is a reviewer.
 * @param now Seconds since the epoch.
 */
export function createReaders(
  token: string,
  login: (LoginService & { keys: KeyCache; now(): number }) | undefined,
): FindReader {
  const expected = digest(token);
  return async (given) => {
    // Digests have one length, so that comparing says nothing about the token's.
    if (timingSafeEqual(digest(given), expected)) return { who: 'token', role: 'reviewer' };
    return login === undefined ? undefined : readLogin(given, login);
  };
}

async function readLogin(
  token: string,
  { issuer, audience, jwksUrl, rolesClaim, keys, now }: LoginService & { keys: KeyCache; now(): number },
): Promise<Reader | undefined> {
  try {
    const { kid = '' } = decodeProtectedHeader(token);
    const key = await keys.find({ iss: issuer, jwksUrl }, kid);
    if (key === undefined || typeof key === 'string') return undefined;
    const { payload } = await jwtVerify(token, ({ alg }) => importJWK(key as JWK, alg), {
      ...{ issuer, audience, clockTolerance: clockSkew, requiredClaims: ['exp', 'sub'] },
      algorithms: [...algorithms],
      currentDate: new Date(now() * 1000),
    });
    const role = readRole(payload[rolesClaim]);
    return role === undefined ? undefined : { who: String(payload.sub).slice(0, longestSubject), role };
  } catch {
    return undefined;
  }
}

function readRole(claim: unknown): Role | undefined {
  const roles = Array.isArray(claim) ? claim : typeof claim === 'string' ? claim.split(/[ ,]+/) : [];
  return (['reviewer', 'viewer'] as const).find((role) => roles.includes(roleNames[role]));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
