import { createHash } from 'node:crypto';

/** What tells a token from all others. */
export interface UsedToken {
  client: string;
  iss: string;
  jti: string;
}

/** Remembers which tokens were used, so that none is used twice. */
export interface TokenStore {
  /**
   * Takes a token.
   *
   * @param until Seconds since the epoch: from then on the token is refused for its age.
   * @returns Whether it may be used: `full` where it cannot be remembered, and so must not be taken.
   */
  take(token: UsedToken, until: number): Promise<'first' | 'used' | 'full'>;
}

/** What is remembered of a token. A digest has one length: what a client chooses as jti takes no room. */
export function digestToken({ client, iss, jti }: UsedToken): string {
  return createHash('sha256')
    .update(JSON.stringify([client, iss, jti]))
    .digest('base64url');
}
