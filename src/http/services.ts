import { createHash } from 'node:crypto';
import type { CompiledGuideline } from '../engine/guideline.ts';

/** Versions of the specification and of the hooks answered: the published ones (conformance D-11, D-12). */
const specification = '2.0.1';
const hookVersion = '1.0';

/** The discovery answer, ready to send. */
export interface Discovery {
  body: string;
  etag: string;
}

/**
 * Renders what `GET /cds-services` answers.
 *
 * @param allowed Ids of the services the caller may call; absent: all.
 * @see CDS Hooks 2.0.1, "Discovery"
 */
export function renderDiscovery(guideline: CompiledGuideline, allowed?: readonly string[]): Discovery {
  const templates = Object.entries(guideline.head.prefetch);
  const required = templates.filter(([, { required }]) => required).map(([key]) => key);
  const shown = [...guideline.services.values()].filter(({ id }) => allowed?.includes(id) ?? true);
  const services = shown.map((service) => ({
    hook: service.hook,
    title: service.title.da,
    description: service.description.da,
    id: service.id,
    prefetch: Object.fromEntries(templates.map(([key, { template }]) => [key, template])),
    usageRequirements: `Requires the prefetch keys ${required.join(', ')}, or access to the FHIR server; the others improve the answer.`,
    version: specification,
    hookVersion,
  }));
  const body = JSON.stringify({ services });
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
}
