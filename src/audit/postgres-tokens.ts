import { createGroups } from './groups.ts';
import type { Database } from './postgres-database.ts';
import { digestToken, type TokenStore } from './tokens.ts';

interface Taken {
  token: string;
  until: number;
}

/** Tokens taken in one transaction. */
const maxGroup = 200;
/** Tokens that may wait for it. */
const maxQueued = 2000;
/** Milliseconds between looks for tokens that can be forgotten. */
const forgetEvery = 60_000;

/**
 * Makes a store for all instances together.
 *
 * @param guard Says of what fails that the store is not available.
 */
export function createTokenStore(
  db: Database,
  guard: <Result>(run: () => Promise<Result>) => Promise<Result>,
): TokenStore {
  const groups = createGroups((tokens: Taken[]) => takeAll(db, tokens), maxGroup);
  let forgotten = performance.now();

  async function forgetOld(): Promise<void> {
    if (performance.now() - forgotten < forgetEvery) return;
    forgotten = performance.now();
    await db.query('DELETE FROM used_token WHERE until < extract(epoch FROM now())');
  }

  return {
    async take(used, until) {
      if (groups.waiting() >= maxQueued) return 'full';
      const isFirst = await guard(() => groups.add({ token: digestToken(used), until }));
      // Whether old ones are forgotten now or later makes no difference to this one.
      forgetOld().catch(() => {});
      return isFirst ? 'first' : 'used';
    },
  };
}

async function takeAll(db: Database, tokens: readonly Taken[]): Promise<boolean[]> {
  // Several of one token in one group: the first of them takes it. In order, so that no two groups wait for each other.
  const untils = new Map(tokens.map(({ token, until }) => [token, until]));
  const sorted = [...untils.keys()].sort();
  const rows = await db.query(
    `INSERT INTO used_token (token, until) SELECT * FROM unnest($1::text[], $2::float8[]) ON CONFLICT DO NOTHING
     RETURNING token`,
    [sorted, sorted.map((token) => untils.get(token))],
  );
  const fresh = new Set(rows.map(({ token }) => token));
  return tokens.map(({ token }) => fresh.delete(token));
}
