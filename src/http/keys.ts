import * as z from 'zod';
import { type Issuer, isEverybodysKey, type PublicKey, publicKeySchema } from '../clients/profile.ts';
import { type Fetch, isTlsFailure } from '../fhir/client.ts';

/** Bounds of what is read of a published key set, in milliseconds and bytes. */
export interface KeyLimits {
  /** Keys this young are used as they are. */
  freshMs: number;
  /** Keys are used this long where newer ones cannot be read. */
  keepMs: number;
  /** No two calls to one address within this time, whatever tokens ask for. */
  pauseMs: number;
  timeoutMs: number;
  bytes: number;
  keys: number;
}

export const defaultKeyLimits: Readonly<KeyLimits> = {
  freshMs: 10 * 60_000,
  keepMs: 60 * 60_000,
  pauseMs: 30_000,
  timeoutMs: 3_000,
  bytes: 256 * 1024,
  keys: 100,
};

/** Finds the public key an issuer signs with. */
export interface KeyCache {
  /**
   * @returns undefined where the issuer has no such key; `unavailable` where that cannot be found out now, `tls` where
   *   the reason is that the certificate of the address is not trusted here.
   */
  find(issuer: Issuer, kid: string): Promise<PublicKey | undefined | KeyFailure>;
}

export type KeyFailure = 'unavailable' | 'tls';

interface Published {
  keys: ReadonlyMap<string, PublicKey> | undefined;
  failure: KeyFailure;
  /** When the keys were read, and when that was last tried. */
  readAt: number;
  triedAt: number;
  reading: Promise<void> | undefined;
}

const keySetSchema = z.object({ keys: z.array(z.unknown()) });

/**
 * Makes the cache of the key sets that issuers publish. Addresses come from the profiles alone.
 *
 * @param now Milliseconds since the epoch.
 * @param isDemo A key whose private half is public is a key like any other.
 */
export function createKeyCache(
  fetch: Fetch,
  now: () => number,
  isDemo: boolean,
  limits: Readonly<KeyLimits> = defaultKeyLimits,
): KeyCache {
  const sets = new Map<string, Published>();

  async function refresh(url: string, set: Published): Promise<void> {
    set.triedAt = now();
    const read = await readKeys(fetch, url, limits);
    if (typeof read === 'string') {
      set.failure = read;
      return;
    }
    set.keys = new Map(read.filter((key) => isDemo || !isEverybodysKey(key)).map((key) => [key.kid, key]));
    set.readAt = now();
  }

  return {
    async find({ jwks, jwksUrl }, kid) {
      if (jwksUrl === undefined) return jwks?.keys.find((key) => key.kid === kid);
      const set = sets.get(jwksUrl) ?? {
        keys: undefined,
        failure: 'unavailable',
        readAt: Number.NEGATIVE_INFINITY,
        triedAt: Number.NEGATIVE_INFINITY,
        reading: undefined,
      };
      sets.set(jwksUrl, set);
      const isFresh = now() - set.readAt < limits.freshMs;
      const mayRead = now() - set.triedAt >= limits.pauseMs;
      if (!(isFresh && set.keys?.has(kid)) && (mayRead || set.reading !== undefined)) {
        set.reading ??= refresh(jwksUrl, set).finally(() => {
          set.reading = undefined;
        });
        await set.reading;
      }
      const isKept = set.keys !== undefined && now() - set.readAt < limits.keepMs;
      return isKept ? set.keys?.get(kid) : set.failure;
    },
  };
}

/** @returns Why the set cannot be read, where it cannot. */
async function readKeys(fetch: Fetch, url: string, limits: Readonly<KeyLimits>): Promise<PublicKey[] | KeyFailure> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), limits.timeoutMs);
  // The race does not rely on the transport to heed the signal.
  const stopped = new Promise<undefined>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  try {
    const read = keySetSchema.safeParse(await Promise.race([getJson(fetch, url, limits.bytes, stop.signal), stopped]));
    if (!read.success || read.data.keys.length > limits.keys) return 'unavailable';
    // Sets also hold keys for other uses: those are passed over, as are keys that cannot be read.
    return read.data.keys.flatMap((key) => publicKeySchema.safeParse(key).data ?? []);
  } catch (error) {
    return isTlsFailure(error) ? 'tls' : 'unavailable';
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

/** @returns undefined where the answer is not one that may be read. */
async function getJson(fetch: Fetch, url: string, bytes: number, signal: AbortSignal): Promise<unknown> {
  const headers = { accept: 'application/jwk-set+json, application/json' };
  const response = await fetch(new URL(url), { method: 'GET', redirect: 'manual', headers, signal });
  if (response.status !== 200) return undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > bytes) return undefined;
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}
