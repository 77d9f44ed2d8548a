import { afterAll, beforeAll } from 'vitest';
import { openPostgresStore } from '../../src/audit/postgres.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { storeConformance } from './store-conformance.ts';

const fingerprint = 'a';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
afterAll(() => server.stop());

storeConformance('PostgreSQL', async () => {
  const url = await server.createDatabase();
  return { open: () => openPostgresStore(url, fingerprint), remove: async () => {} };
});
