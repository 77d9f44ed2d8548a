import { isDeepStrictEqual } from 'node:util';
import fhirpath from 'fhirpath';
import r4 from 'fhirpath/fhir-context/r4';
import { isObject, type Json, listOf, referenceKeyOf, textOf } from '../engine/resources.ts';
import type { FhirResource } from './fhir-artefact.ts';
import type { ValueSets } from './fhir-value-sets.ts';

/** One thing a resource does otherwise than a profile says. */
export interface Issue {
  /** `warning`: understood, but not as the profile wants it. */
  severity: 'error' | 'warning';
  /** `Observation.component[0].valueQuantity.code`. */
  element: string;
  /** What is expected there, and what was found: codes and types, never text. */
  expected: string;
  /** What the client should change. */
  change: string;
}

/** What profiles are checked with. */
export interface ProfileContext {
  /** StructureDefinitions by url. */
  structures: ReadonlyMap<string, FhirResource>;
  valueSets: ValueSets;
  /** Base of our own canonicals: constraints and extensions below it are ours to check. */
  canonical: string;
}

interface ElementType {
  code?: string;
  profile?: string[];
  targetProfile?: string[];
}
interface Element extends Json {
  id: string;
  min?: number;
  max?: string;
  short?: string;
  sliceName?: string;
  type?: ElementType[];
  binding?: { strength: string; valueSet?: string };
  constraint?: { key: string; human: string; expression?: string; severity?: string }[];
  slicing?: { discriminator?: { type: string; path: string }[] };
  contentReference?: string;
}
interface Node {
  element: Element;
  children: Map<string, Node>;
  slices: Node[];
}

const core = 'http://hl7.org/fhir/StructureDefinition/';
const trees = new WeakMap<FhirResource, Node>();

/**
 * Checks a resource against a StructureDefinition: what R4 validators in this language leave out.
 *
 * Covers cardinality, fixed values and patterns, slices and what stands inside them, the types a choice is narrowed
 * to, required bindings (and our own softer ones, as warnings), types of references, extensions of ours and the
 * invariants of ours. Formats and R4's own invariants are left to the base validator.
 */
export function checkProfile(resource: Json, profile: FhirResource, context: ProfileContext): Issue[] {
  const check = new Check(context);
  check.checkNode(treeOf(profile), resource, String(resource.resourceType));
  check.checkInvariants(treeOf(profile).element, resource, String(resource.resourceType));
  return uniqueIssues(check.issues);
}

class Check {
  readonly issues: Issue[] = [];
  readonly #context: ProfileContext;

  constructor(context: ProfileContext) {
    this.#context = context;
  }

  /** Checks the members of an object against the children of an element. */
  checkNode(node: Node, value: Json, path: string): void {
    for (const [name, child] of node.children) {
      if (name.endsWith('[x]')) this.#checkChoice(child, name.slice(0, -3), value, path);
      else this.#checkItems(child, listOf(value[name]), `${path}.${name}`, Array.isArray(value[name]), name);
    }
  }

  checkInvariants(element: Element, value: unknown, path: string): void {
    for (const { key, human, expression, severity } of element.constraint ?? []) {
      if (!key.startsWith('dpf-') || expression === undefined) continue;
      if (isTrue(expression, value)) continue;
      const [expected = human, change = human] = human.split(/: (?=send )/);
      this.#report(severity === 'warning' ? 'warning' : 'error', path, expected, change);
    }
  }

  /** `value[x]`: the members that begin with `value` and go on with the name of a type. */
  #checkChoice(node: Node, prefix: string, value: Json, path: string): void {
    const allowed = (node.element.type ?? []).flatMap(({ code }) => (code === undefined ? [] : [code]));
    const present = Object.keys(value).filter(
      (name) => name.startsWith(prefix) && isTypeName(name.slice(prefix.length), this.#context),
    );
    const options = allowed.map((type) => `${prefix}${capitalise(type)}`).join(' or ');
    for (const name of present) {
      const type = name.slice(prefix.length);
      if (!allowed.some((code) => capitalise(code) === type)) {
        this.#report('error', `${path}.${name}`, `${options}; found ${name}`, `send it as ${options}`);
      }
    }
    if (present.length > 1) {
      this.#report('error', `${path}.${prefix}[x]`, `one of ${options}; found ${present.join(' and ')}`, 'send one');
    }
    this.#checkCount(node.element, present.length, `${path}.${prefix}[x]`, options);
    for (const name of present) {
      const item = value[name];
      const type = allowed.find((code) => capitalise(code) === name.slice(prefix.length));
      this.#checkItem(node, item, `${path}.${name}`, type);
      for (const slice of node.slices.filter(({ element }) => element.sliceName === name)) {
        this.#checkItem(slice, item, `${path}.${name}`, type);
      }
    }
  }

  #checkItems(node: Node, items: readonly unknown[], path: string, isList: boolean, name: string): void {
    this.#checkCount(node.element, items.length, path, name);
    const at = (index: number): string => (isList ? `${path}[${index}]` : path);
    for (const [index, item] of items.entries()) this.#checkItem(node, item, at(index));
    for (const slice of node.slices) {
      const matching = items.flatMap((item, index) => (isInSlice(item, node, slice) ? [{ item, index }] : []));
      this.#checkCount(slice.element, matching.length, `${path}:${slice.element.sliceName}`, describeSlice(slice));
      for (const { item, index } of matching) this.#checkItem(slice, item, at(index));
    }
  }

  #checkCount({ min = 0, max = '*', short }: Element, count: number, path: string, what: string): void {
    if (count < min) {
      this.#report(
        'error',
        path,
        `at least ${min}; found ${count === 0 ? 'none' : count}`,
        `send ${what}${hint(short)}`,
      );
    }
    if (max !== '*' && count > Number(max)) {
      const change = max === '0' ? 'leave it out' : `send no more than ${max}`;
      this.#report('error', path, `at most ${max}; found ${count}`, change);
    }
  }

  #checkItem(node: Node, item: unknown, path: string, choice?: string): void {
    const { element } = node;
    const type = choice ?? element.type?.[0]?.code;
    const wanted = specifiedValue(element);
    if (wanted !== undefined && !includes(item, wanted)) {
      this.#report('error', path, `${JSON.stringify(wanted)}; found ${quote(item)}`, `send ${JSON.stringify(wanted)}`);
    }
    this.#checkBinding(element, item, path);
    if (type === 'Reference') this.#checkReference(element, item, path);
    if (type === 'Extension') this.#checkExtension(item, path);
    if (!isObject(item)) return;
    if (node.children.size > 0) this.checkNode(node, item, path);
    else if (type !== undefined && type !== 'Reference' && type !== 'Extension') this.#checkType(type, item, path);
  }

  /** What stands below is as its type says; contained resources are of their own type. */
  #checkType(type: string, item: Json, path: string): void {
    const name = type === 'Resource' ? textOf(item.resourceType) : type;
    const structure = this.#context.structures.get(`${core}${name}`);
    if (structure === undefined || structure.kind === 'primitive-type') return;
    this.checkNode(treeOf(structure), item, path);
  }

  #checkBinding({ binding }: Element, item: unknown, path: string): void {
    const valueSet = binding?.valueSet;
    if (binding === undefined || valueSet === undefined) return;
    const isOwn = valueSet.startsWith(this.#context.canonical);
    if (binding.strength !== 'required' && !isOwn) return;
    const codings = codesOf(item);
    if (codings === undefined) return;
    const verdicts = codings.map(({ system, code }) => this.#context.valueSets.has(valueSet, system, code));
    if (verdicts.includes(true) || (verdicts.length > 0 && verdicts.includes(undefined))) return;
    // A text alone is allowed where the binding is not required
    if (codings.length === 0 && binding.strength !== 'required') return;
    const title = this.#context.valueSets.titleOf(valueSet) ?? valueSet;
    const found = codings
      .map(({ system, code }) => quote(system === undefined ? code : `${system}|${code}`))
      .join(', ');
    this.#report(
      binding.strength === 'required' ? 'error' : 'warning',
      path,
      `a code of "${title}" (${valueSet}); found ${found || 'no code'}`,
      typeof item === 'string'
        ? 'send one of its codes'
        : 'send one of its codes; codes of your own may stand beside it',
    );
  }

  #checkReference({ type = [] }: Element, item: unknown, path: string): void {
    const [target, id] = referenceKeyOf(item)?.split('/') ?? [];
    const allowed = type.flatMap(({ targetProfile }) => targetProfile ?? []);
    if (target === undefined || id === undefined || allowed.length === 0) return;
    const names = allowed.map((url) => this.#context.structures.get(url)?.type ?? url.slice(core.length));
    if (names.includes('Resource') || names.includes(target)) return;
    this.#report(
      'error',
      path,
      `a reference to ${names.join(' or ')}; found ${target}`,
      `refer to ${names.join(' or ')}`,
    );
  }

  #checkExtension(item: unknown, path: string): void {
    const url = isObject(item) ? textOf(item.url) : undefined;
    if (!isObject(item) || url === undefined || !url.startsWith(this.#context.canonical)) return;
    const structure = this.#context.structures.get(url);
    if (structure === undefined) {
      this.#report('error', path, `an extension of ours; found ${url}, which there is none of`, 'check its url');
    } else this.checkNode(treeOf(structure), item, path);
  }

  #report(severity: Issue['severity'], element: string, expected: string, change: string): void {
    this.issues.push({ severity, element, expected, change });
  }
}

/** The elements of a snapshot as a tree, slices beside the element they are slices of. */
function treeOf(structure: FhirResource): Node {
  const known = trees.get(structure);
  if (known !== undefined) return known;
  const elements = listOf(isObject(structure.snapshot) ? structure.snapshot.element : undefined) as Element[];
  let root: Node | undefined;
  const byId = new Map<string, Node>();
  for (const element of elements) {
    const node: Node = { element, children: new Map(), slices: [] };
    byId.set(element.id, node);
    const parts = element.id.split('.');
    const last = parts.pop() ?? '';
    if (parts.length === 0) {
      root = node;
      continue;
    }
    const parent = byId.get(parts.join('.'));
    const [name = '', sliceName] = last.split(':');
    if (sliceName === undefined) parent?.children.set(name, node);
    else parent?.children.get(name)?.slices.push(node);
  }
  if (root === undefined) throw new TypeError(`${structure.url} has no snapshot`);
  for (const node of byId.values()) {
    const target = byId.get(node.element.contentReference?.split('#')[1] ?? '');
    if (target !== undefined) node.children = target.children;
  }
  trees.set(structure, root);
  return root;
}

function isInSlice(item: unknown, base: Node, slice: Node): boolean {
  const discriminators = base.element.slicing?.discriminator ?? [];
  return (
    discriminators.length > 0 &&
    discriminators.every(({ type, path }) => {
      if (type !== 'value' && type !== 'pattern') return false;
      const profile = slice.element.type?.[0]?.profile?.[0];
      if (path === 'url' && profile !== undefined) return isObject(item) && item.url === profile;
      let node: Node | undefined = slice;
      let value: unknown = item;
      for (const name of path === '$this' ? [] : path.split('.')) {
        node = node?.children.get(name);
        value = isObject(value) ? value[name] : undefined;
      }
      const wanted = node === undefined ? undefined : specifiedValue(node.element);
      return wanted !== undefined && includes(value, wanted);
    })
  );
}

function describeSlice(slice: Node): string {
  const system = slice.children.get('system');
  const wanted = system === undefined ? undefined : specifiedValue(system.element);
  return wanted === undefined ? `the slice ${slice.element.sliceName}` : `a coding of ${wanted}`;
}

/** The value an element is fixed to, or the pattern it has. */
function specifiedValue(element: Element): unknown {
  const name = Object.keys(element).find((key) => /^(fixed|pattern)[A-Z]/.test(key));
  return name === undefined ? undefined : element[name];
}

/** Whether a value holds everything a pattern does. */
function includes(value: unknown, pattern: unknown): boolean {
  if (Array.isArray(pattern)) {
    return Array.isArray(value) && pattern.every((wanted) => value.some((item) => includes(item, wanted)));
  }
  if (isObject(pattern)) {
    return isObject(value) && Object.entries(pattern).every(([name, wanted]) => includes(value[name], wanted));
  }
  return isDeepStrictEqual(value, pattern);
}

/** The codes of a code, a Coding or a CodeableConcept; `undefined` where the value holds none of these. */
function codesOf(item: unknown): { system: string | undefined; code: string }[] | undefined {
  if (typeof item === 'string') return [{ system: undefined, code: item }];
  if (!isObject(item)) return undefined;
  const codings = item.coding === undefined && item.code !== undefined ? [item] : listOf(item.coding);
  return codings.flatMap((coding) =>
    isObject(coding) && typeof coding.code === 'string' ? [{ system: textOf(coding.system), code: coding.code }] : [],
  );
}

function isTypeName(name: string, { structures }: ProfileContext): boolean {
  return structures.has(`${core}${name}`) || structures.has(`${core}${name.charAt(0).toLowerCase()}${name.slice(1)}`);
}

function isTrue(expression: string, value: unknown): boolean {
  const result = fhirpath.evaluate(value as object, expression, undefined, r4) as unknown[];
  return result.length === 1 && result[0] === true;
}

function capitalise(type: string): string {
  return type.charAt(0).toUpperCase() + type.slice(1);
}

function hint(short: string | undefined): string {
  return short === undefined ? '' : ` (${short.split(', [DA]')[0]})`;
}

/** Codes are shown; what could be text about a patient, or a CPR number, is not. */
function quote(item: unknown): string {
  return typeof item === 'string' && /^\S{1,160}$/.test(item) && !/^\d{6}-?\d{4}$/.test(item) ? item : 'something else';
}

function uniqueIssues(issues: readonly Issue[]): Issue[] {
  return [...new Map(issues.map((issue) => [`${issue.element} ${issue.expected}`, issue])).values()];
}
