import { isObject, type Json, listOf, textOf } from '../engine/resources.ts';
import type { FhirResource } from './fhir-artefact.ts';

/** Tells which codes value sets hold, as far as the code systems are at hand. */
export interface ValueSets {
  /** @returns `undefined` where that cannot be told: an unknown value set, or codes of a system that is not at hand. */
  has(valueSet: string, system: string | undefined, code: string): boolean | undefined;
  titleOf(valueSet: string): string | undefined;
}

/** Makes a lookup of ValueSets and CodeSystems, by url. */
export function createValueSets(resources: readonly FhirResource[]): ValueSets {
  const valueSets = new Map<string, Json>();
  const codeSystems = new Map<string, ReadonlyMap<string, ReadonlySet<string>> | undefined>();
  for (const resource of resources) {
    if (resource.url === undefined) continue;
    if (resource.resourceType === 'ValueSet') valueSets.set(resource.url, resource);
    // Code systems that hold none of their codes are published elsewhere
    if (resource.resourceType === 'CodeSystem') {
      codeSystems.set(resource.url, resource.content === 'complete' ? readCodes(resource) : undefined);
    }
  }

  const has = (url: string, system: string | undefined, code: string, depth = 0): boolean | undefined => {
    const valueSet = valueSets.get(withoutVersion(url));
    if (valueSet === undefined || !isObject(valueSet.compose) || depth > deepestImport) return undefined;
    const { include, exclude } = valueSet.compose;
    const excluded = any(listOf(exclude).map((part) => isIn(part, system, code, depth)));
    if (excluded === true) return false;
    const included = any(listOf(include).map((part) => isIn(part, system, code, depth)));
    return excluded === undefined && included === true ? undefined : included;
  };

  /** Whether one include or exclude takes a code: its system, its codes or filters, and every value set it names. */
  const isIn = (part: unknown, system: string | undefined, code: string, depth: number): boolean | undefined => {
    if (!isObject(part)) return false;
    const own = textOf(part.system);
    if (own !== undefined && system !== undefined && own !== system) return false;
    const named = listOf(part.valueSet).map((url) => has(String(url), system, code, depth + 1));
    if (own === undefined) return all(named);
    const concepts = listOf(part.concept);
    const filters = listOf(part.filter);
    const listed =
      concepts.length > 0
        ? concepts.some((concept) => isObject(concept) && concept.code === code)
        : filters.length > 0
          ? all(filters.map((filter) => passes(filter, own, code)))
          : knows(own, code);
    return all([listed, ...named]);
  };

  const knows = (system: string, code: string): boolean | undefined => codeSystems.get(system)?.has(code);

  const passes = (filter: unknown, system: string, code: string): boolean | undefined => {
    if (!isObject(filter) || typeof filter.value !== 'string') return undefined;
    if (filter.op === 'regex' && filter.property === 'code') return new RegExp(`^(?:${filter.value})$`).test(code);
    if (filter.op !== 'is-a' && filter.op !== 'descendent-of') return undefined;
    const codes = codeSystems.get(system);
    if (codes === undefined) return undefined;
    if (filter.op === 'is-a' && code === filter.value) return true;
    return codes.get(code)?.has(filter.value) ?? false;
  };

  return {
    has: (url, system, code) => has(url, system, code),
    titleOf: (url) => textOf(valueSets.get(withoutVersion(url))?.title),
  };
}

const deepestImport = 10;

/** The codes of a system, each with all codes above it. */
function readCodes(codeSystem: Json): ReadonlyMap<string, ReadonlySet<string>> {
  const above = new Map<string, Set<string>>();
  const visit = (concepts: unknown, parents: readonly string[]): void => {
    for (const concept of listOf(concepts)) {
      if (!isObject(concept) || typeof concept.code !== 'string') continue;
      const stated = listOf(concept.property).flatMap((property) =>
        isObject(property) && (property.code === 'subsumedBy' || property.code === 'parent')
          ? [String(property.valueCode)]
          : [],
      );
      above.set(concept.code, new Set([...parents, ...stated]));
      visit(concept.concept, [...parents, concept.code]);
    }
  };
  visit(codeSystem.concept, []);
  for (const parents of above.values()) {
    // A set takes what is added while it is read: parents of parents come in turn
    for (const parent of parents) for (const higher of above.get(parent) ?? []) parents.add(higher);
  }
  return above;
}

function withoutVersion(url: string): string {
  return url.split('|')[0] ?? url;
}

function any(truths: readonly (boolean | undefined)[]): boolean | undefined {
  if (truths.includes(true)) return true;
  return truths.includes(undefined) ? undefined : false;
}

function all(truths: readonly (boolean | undefined)[]): boolean | undefined {
  if (truths.includes(false)) return false;
  return truths.includes(undefined) ? undefined : true;
}
