import { join } from 'node:path';
import { fingerprintKey } from './patient-key.ts';
import { openPostgresStore } from './postgres.ts';
import { openSqliteStore } from './sqlite.ts';
import type { AuditStore } from './store.ts';
import type { TokenStore } from './tokens.ts';

/** A store with what an operator knows it by. */
export interface OpenedStore {
  store: AuditStore;
  /** Where several instances share the store, they share the tokens that were used. */
  tokens?: TokenStore;
  /** Where the records are, without secrets. */
  place: string;
  /** The setting that says so. */
  setting: 'DATA_DIR' | 'DATABASE_URL';
}

/**
 * Opens the store the settings ask for: PostgreSQL where there is a URL, else files in the data folder.
 *
 * @param patientKey The key patients stand under in it.
 */
export function openStore(
  { databaseUrl, dataDir }: { databaseUrl: string | undefined; dataDir: string },
  patientKey: Uint8Array,
): OpenedStore {
  if (databaseUrl === undefined) {
    const place = join(dataDir, 'evaluations');
    return { store: openSqliteStore(place), place, setting: 'DATA_DIR' };
  }
  const store = openPostgresStore(databaseUrl, fingerprintKey(patientKey));
  const { host, pathname } = new URL(databaseUrl);
  return { store, tokens: store.tokens, place: `PostgreSQL ${host}${pathname}`, setting: 'DATABASE_URL' };
}
