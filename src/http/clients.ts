import type { ClientSettings } from '../engine/cards.ts';
import type { FhirAccess } from '../fhir/client.ts';

/** What the service knows of a caller beside what it sends. */
export interface Client extends FhirAccess {
  id: string;
  /** Language of its cards unless `Accept-Language` prefers another. */
  language: 'da' | 'en';
  /** What of it decisions and cards depend on; part of every record. */
  settings: ClientSettings;
}

/** The caller of demo mode: nobody is asked who they are, and only FHIR servers on this machine are read. */
export const demoClient: Client = {
  id: 'demo',
  allowedFhirServers: 'loopback',
  allowWithoutToken: true,
  language: 'da',
  settings: { ledger: {} },
};

/** The client a caller was found to be. */
export function findClient(id: string): Client {
  if (id !== demoClient.id) throw new Error('The caller was taken for a client that does not exist.');
  return demoClient;
}
