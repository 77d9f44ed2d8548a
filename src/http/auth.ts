import type { IncomingMessage } from 'node:http';
import { demoClient } from './clients.ts';

/** Who calls. */
export interface Caller {
  /** Id of the client. */
  client: string;
}

/**
 * Finds out who calls.
 *
 * @throws {@link AuthError} for a caller that is not known (401) or not allowed (403).
 */
export type Authenticate = (request: IncomingMessage) => Promise<Caller>;

/** Demo mode, on loopback only: everybody is the demo client. */
export const authenticateDemo: Authenticate = async () => ({ client: demoClient.id });
