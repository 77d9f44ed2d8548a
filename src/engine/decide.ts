import { NotFoundError } from '../errors.ts';
import { buildCards, type Card, type CardOptions, type ClientSettings } from './cards.ts';
import type { CompiledGuideline } from './guideline.ts';
import { chooseEnvironment, decideRules } from './rules.ts';
import type { Chart, Decision } from './types.ts';

/** What a service answers for one chart. */
export interface Answer {
  /** One per rule of the service that is on for the client, in guideline order. */
  decisions: Decision[];
  cards: Card[];
}

/**
 * Decides every rule of a service for a chart and builds the cards.
 *
 * Pure: the same guideline, chart and options give the same answer to the byte.
 *
 * @throws {@link NotFoundError} when the guideline has no such service.
 */
export function decide(
  guideline: CompiledGuideline,
  serviceId: string,
  chart: Chart,
  options: Omit<CardOptions, 'intent'>,
): Answer {
  const service = guideline.services.get(serviceId);
  if (service === undefined) throw new NotFoundError(`No service ${serviceId}`);
  const results = decideRules(guideline, chart, environmentOf(guideline, options.client));
  const intent = service.hook === 'patient-view' ? 'proposal' : 'order';
  const cards = buildCards(guideline, service, results, chart, { ...options, intent });
  const made = service.rules.filter((id) => !options.client.off?.includes(id));
  const decisions = made.map((id) => {
    const { rule: _, ...decision } = results.get(id);
    return decision;
  });
  return { decisions, cards };
}

const environments = new WeakMap<CompiledGuideline, WeakMap<ClientSettings, Record<string, unknown>>>();

function environmentOf(guideline: CompiledGuideline, client: ClientSettings): Record<string, unknown> {
  let ofGuideline = environments.get(guideline);
  if (ofGuideline === undefined) {
    ofGuideline = new WeakMap();
    environments.set(guideline, ofGuideline);
  }
  let environment = ofGuideline.get(client);
  if (environment === undefined) {
    environment = chooseEnvironment(guideline, client);
    ofGuideline.set(client, environment);
  }
  return environment;
}
