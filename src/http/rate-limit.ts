/** How often a client may call. */
export interface RateLimits {
  /** Calls per second over time. */
  perSecond: number;
  /** Calls that may come at once after a quiet time; at least 1. */
  burst: number;
}

/** Counts a call of a client; the seconds it has to wait, 0 where it may go on. */
export type TakeTurn = (client: string) => number;

/**
 * Makes a count of the calls of each client: one client's calls never use up another's.
 *
 * @param findLimits The limits of a client that is known: nothing a caller merely claims may make an entry.
 * @param now Milliseconds of a clock that never goes back.
 */
export function createRateLimit(
  findLimits: (client: string) => RateLimits,
  now: () => number = () => performance.now(),
): TakeTurn {
  const turns = new Map<string, { left: number; at: number }>();
  return (client) => {
    const { perSecond, burst } = findLimits(client);
    const known = turns.get(client) ?? { left: burst, at: now() };
    const left = Math.min(burst, known.left + ((now() - known.at) / 1000) * perSecond);
    const mayGoOn = left >= 1;
    turns.set(client, { left: mayGoOn ? left - 1 : left, at: now() });
    return mayGoOn ? 0 : Math.max(1, Math.ceil((1 - left) / perSecond));
  };
}
