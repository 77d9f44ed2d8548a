import { codingsOf, isObject, type Json, listOf, textOf } from '../resources.ts';
import { hasCodeIn, type Match, noPlace, type Pass, type Place, readPlace } from './pass.ts';

const imagingCategories: ReadonlySet<unknown> = new Set([
  ...['RAD', 'CT', 'NMR', 'NMS', 'RUS', 'RX', 'IMG', 'CUS', 'imaging'],
  ...['LP29684-5', '394914008', '394601005'],
]);

const pathologyCategories: ReadonlySet<unknown> = new Set(['PAT', 'SP', 'CP', 'LP7839-6', '394915009']);

const imagingCodes: ReadonlySet<unknown> = new Set(['18748-4', '68604-8', '18726-0']);

/** Reports of pathology, and the Observations that state a histology. */
const pathologyCodes: ReadonlySet<unknown> = new Set([
  ...['11526-1', '11529-5', '60567-5', '60568-3', '66112-4', '33721-2', '33716-2', '33718-8', '47523-6', '47526-9'],
  ...['26438-2', '22637-3', '34574-4', '35660-0', '59847-4', '31205-8', '31206-6', '59848-2', '33731-1', '77753-2'],
]);

const morphologySystems: ReadonlySet<string> = new Set(['icdo3', 'patobank']);

export function readOrigin(
  pass: Pass,
  resource: Json,
  hasStudy: boolean,
  procedures: readonly Match[],
): 'imaging' | 'pathology' | undefined {
  if (hasStudy) return 'imaging';
  if (hasCodeIn(resource.category, pathologyCategories) || hasCodeIn(resource.code, pathologyCodes)) return 'pathology';
  if (hasCodeIn(resource.category, imagingCategories) || hasCodeIn(resource.code, imagingCodes)) return 'imaging';
  if (procedures.some(({ hit }) => pass.lookup.procedure(hit.concept)?.modality !== undefined)) return 'imaging';
  const answers = [resource.conclusionCode, resource.valueCodeableConcept].flatMap(codingsOf);
  const isMorphology = (coding: unknown): boolean =>
    isObject(coding) && morphologySystems.has(pass.lookup.nameSystem(textOf(coding.system)) ?? '');
  return answers.some(isMorphology) ? 'pathology' : undefined;
}

/** Where the specimens were taken: their body site, else what the specimen is. */
export function readSpecimen(pass: Pass, container: Json): Place {
  for (const link of listOf(container.specimen)) {
    const specimen = pass.resolve(link, container);
    if (specimen?.resourceType !== 'Specimen') continue;
    const { collection } = specimen;
    const taken = readPlace(pass.lookup, isObject(collection) ? collection.bodySite : undefined);
    if (taken.sites.length > 0) return taken;
    const kind = readPlace(pass.lookup, specimen.type);
    if (kind.sites.length > 0) return { ...kind, otherSite: undefined };
    if (taken.otherSite !== undefined) return taken;
  }
  return noPlace;
}
