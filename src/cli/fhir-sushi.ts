import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sushi from 'fsh-sushi';
import { parse } from 'yaml';
import { KnowledgeError } from '../errors.ts';
import type { FhirResource } from './fhir-artefact.ts';
import { coreVersion, readCoreStructures } from './fhir-core.ts';

const { fhirdefs, sushiExport, sushiImport, utils } = sushi;

/**
 * Compiles the FSH files of a folder into resources, the profiles with snapshots.
 *
 * FHIR R4 comes from a development dependency, in memory: neither the network nor a package cache is read.
 *
 * @throws {@link KnowledgeError} with every error and warning of SUSHI, each with its file and line.
 */
export async function compileFsh(folder: string): Promise<FhirResource[]> {
  utils.errorsAndWarnings.reset();
  utils.errorsAndWarnings.shouldTrack = true;
  for (const transport of utils.logger.transports) transport.silent = true;
  const definitions = await fhirdefs.createFHIRDefinitions();
  const core = readCoreStructures();
  await definitions.loadVirtualPackage({
    registerResources: async (register) => {
      for (const definition of core) register(String(definition.url), definition);
    },
    getPackageJSON: () => ({ name: 'hl7.fhir.r4.core', version: coreVersion }),
    getResourceByKey: (key) => core.find(({ url }) => url === key),
  });
  const config = parse(readFileSync(join(folder, 'sushi-config.yaml'), 'utf8'));
  const sources = join(folder, 'input/fsh');
  const files = readdirSync(sources).filter((name) => name.endsWith('.fsh'));

  const tank = utils.fillTank(
    files.sort().map((name) => new sushiImport.RawFSH(readFileSync(join(sources, name), 'utf8'), name)),
    { ...config, fhirVersion: [config.fhirVersion] },
  );
  const built = sushiExport.exportFHIR(tank, definitions);
  const { errors, warnings } = utils.errorsAndWarnings;
  const mistakes = [...errors, ...warnings].map(
    ({ input, location, message }) => `${input ?? 'fsh'}:${location?.startLine ?? 1}: ${message}`,
  );
  if (mistakes.length > 0) throw new KnowledgeError(mistakes);
  const examples = built.instances.filter(({ _instanceMeta }) => _instanceMeta.usage === 'Example');
  return [...built.profiles, ...built.extensions, ...built.valueSets, ...examples].map(
    (artefact) => artefact.toJSON(true) as FhirResource,
  );
}
