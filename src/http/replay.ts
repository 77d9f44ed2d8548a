import { digestToken, type TokenStore } from '../audit/tokens.ts';

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
export function createReplayStore(now: () => number, most = mostTokens): TokenStore {
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
    async take(used, until) {
      forgetOld();
      const token = digestToken(used);
      if (taken.has(token)) return 'used';
      if (taken.size >= most) return 'full';
      taken.add(token);
      const period = Math.floor(until / forgetEvery);
      const together = expiring.get(period) ?? [];
      together.push(token);
      expiring.set(period, together);
      return 'first';
    },
  };
}
