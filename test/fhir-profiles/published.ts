import { fileURLToPath } from 'node:url';
import type { FhirResource } from '../../src/cli/fhir-artefact.ts';
import { createValidator, type Verdict } from '../../src/cli/fhir-validate.ts';
import { readPublished } from '../../src/fhir-package.ts';
import { loadKnowledge } from '../../src/knowledge.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export const guideline = loadKnowledge(`${root}/cds-services/diagnostisk-pakkeforloeb`);
export const published = readPublished(`${root}/fhir-profiles/built`);
export const { canonical } = guideline.head;

let validator: ReturnType<typeof createValidator> | undefined;

/** Validates with the published profiles; FHIR R4 is read with the first call. */
export function validate(resource: FhirResource, role?: 'record' | 'suggestion'): Verdict {
  validator ??= createValidator(published, canonical);
  return validator.validate(resource, role);
}

export function findPublished(reference: string): FhirResource {
  const found = published.find(({ resourceType, id }) => `${resourceType}/${id}` === reference);
  if (found === undefined) throw new Error(`fhir-profiles/built has no ${reference}`);
  return found;
}

/** Problems of a verdict as lines: what a failing test shows. */
export function errorsOf({ resource, issues }: Verdict): string[] {
  return issues
    .filter(({ severity }) => severity === 'error')
    .map(({ element, expected }) => `${resource} ${element}: ${expected}`);
}
