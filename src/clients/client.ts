import type { ClientSettings } from '../engine/cards.ts';
import type { Language } from '../engine/guideline.ts';
import type { FhirAccess } from '../fhir/client.ts';

/** Forms of cards for clients that do not take them as CDS Hooks 2.0.1 has them. */
export const cardForms = ['epic', 'crd', 'sandbox'] as const;
export type CardForm = (typeof cardForms)[number];

/** What the service knows of a caller beside what it sends. Plain data: it goes to a worker with each call. */
export interface Client extends FhirAccess {
  id: string;
  /** Language of its cards unless `Accept-Language` prefers another. */
  language: Language;
  /** What of it decisions and cards depend on; part of every record. */
  settings: ClientSettings;
  /** Our prefetch key to the key this client sends it under. */
  keyAliases?: Readonly<Record<string, string>>;
  /** Ids of the services it may call; absent: all. */
  services?: readonly string[];
  /** Absent: as CDS Hooks 2.0.1. */
  cardForm?: CardForm;
  /** Browsers on these origins may call for it. */
  origins: readonly (string | RegExp)[];
  /** Largest body taken of it; absent: as of every client. */
  bodyBytes?: number;
}

/** The caller of demo mode: nobody is asked who they are, and only FHIR servers on this machine are read. */
export const demoClient: Client = {
  id: 'demo',
  allowedFhirServers: 'loopback',
  allowWithoutToken: true,
  language: 'da',
  settings: { ledger: {} },
  origins: [/^https?:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/, 'https://sandbox.cds-hooks.org'],
};
