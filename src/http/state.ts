import type { Response } from 'express';
import type { CompiledService } from '../engine/guideline.ts';
import type { Caller } from './auth.ts';

/** What becomes known of a request while it is answered, for log and metrics. */
export interface RequestState {
  /** Also the id of the evaluation. */
  id: string;
  /** Absent: no service of ours was called. */
  service?: CompiledService;
  /** Absent: not let in. */
  caller?: Caller;
  /** Id of the client, or of the one a refused caller claims to be. */
  client?: string;
  cards?: number;
  code?: string;
  /** Why prefetch keys are not known or not whole, by key. */
  problems?: Readonly<Record<string, string>>;
  /** Prefetch keys that came and nobody asked for. */
  unknownKeys?: readonly string[];
  thrownAt?: string;
}

/** Begins the state of a request. */
export function beginState(response: Response, id: string): RequestState {
  const state: RequestState = { id };
  response.locals.state = state;
  return state;
}

/** The state of the request a response belongs to. */
export function stateOf(response: Response): RequestState {
  return response.locals.state as RequestState;
}
