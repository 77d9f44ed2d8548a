import { createHash } from 'node:crypto';

/** Remembers which tokens were used, so that none is used twice. */
export interface ReplayStore {
  /**
   * Takes a token.
   *
   * @param until Seconds since the epoch: from then on the token is refused for its age.
   * @returns Whether it may be used: `full` where it cannot be remembered, and so must not be taken.
   */
  take(token: { client: string; iss: string; jti: string }, until: number): Promise<'first' | 'used' | 'full'>;
}

/** Tokens remembered at a time, over all clients: about 100 bytes each. */
const mostTokens = 200_000;
/** Tokens are forgotten together, as many seconds as this at a time. */
const forgetEvery = 60;

/**
 * Makes a store in the memory of this process, for one process alone.
 *
 * @param now Seconds since the epoch.
 * @param most Tokens remembered; more are not taken.
 */
export function createReplayStore(now: () => number, most = mostTokens): ReplayStore {
  const taken = new Set<string>();
  const expiring = new Map<number, string[]>();

  function forgetOld(): void {
    for (const [period, tokens] of expiring) {
      if ((period + 1) * forgetEvery > now()) continue;
      for (const token of tokens) taken.delete(token);
      expiring.delete(period);
    }
  }

  return {
    async take({ client, iss, jti }, until) {
      forgetOld();
      // A digest has one length: what a client chooses as jti takes no room.
      const token = createHash('sha256')
        .update(JSON.stringify([client, iss, jti]))
        .digest('base64url');
      if (taken.has(token)) return 'used';
      if (taken.size >= most) return 'full';
      taken.add(token);
      const period = Math.floor(until / forgetEvery);
      expiring.set(period, [...(expiring.get(period) ?? []), token]);
      return 'first';
    },
  };
}
