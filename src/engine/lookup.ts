import * as z from 'zod';
import { KnowledgeError } from '../errors.ts';
import type { Analysis, Condition, Drug, Pathway, Procedure, Site } from './concepts.ts';

export type HitKind = 'analysis' | 'condition' | 'procedure' | 'pathway' | 'drug' | 'site';

/** What a code stands for. */
export interface Hit {
  concept: string;
  kind: HitKind;
  /** False for a broader code (clinical-decisions.md section 0). */
  exact: boolean;
  /** The code says that the concept is suspected. */
  suspicion: boolean;
  /** Pathway codes: received or begun (A, B), closed (X…), or our code of a referral. */
  role?: 'start' | 'closing' | 'referral';
  /** SKS pathway codes: A, B, X1, X2, X9. */
  stage?: string;
}

/** The lists of concepts/*.yaml. */
export interface Concepts {
  analyses: readonly Analysis[];
  conditions: readonly Condition[];
  procedures: readonly Procedure[];
  pathways: readonly Pathway[];
  drugs: readonly Drug[];
  sites: readonly Site[];
}

/** concepts/systems.yaml: the URIs of each code system by its canonical name. */
export const systemsSchema = z.record(z.string(), z.array(z.string().min(1)).min(1));
export type Systems = Readonly<Record<string, readonly string[]>>;

/** Finds the concepts of codes; remembers what it found, within bounds. */
export interface Lookup {
  /**
   * @returns Every concept the code stands for, each once; the same array for the same code. Empty without a known system.
   */
  findConcepts(system: string | undefined, code: string): readonly Hit[];
  /** The canonical name of a code system, whatever alias or version of its URI is used. */
  nameSystem(system: string | undefined): string | undefined;
  /** A site and every region it lies in, the site first. */
  regionsOf(site: string): readonly string[];
  /** The site an exact code of a condition or procedure implies. */
  siteOf(concept: string): string | undefined;
  procedure(concept: string): Procedure | undefined;
  /** Procedures that may also be done in parts, those others are parts of first. */
  readonly compositeProcedures: readonly Procedure[];
  /** Procedures that an ImagingStudy without procedure code can be known by. */
  readonly imagedProcedures: readonly Procedure[];
}

/** Concept of SKS pathway codes whose family no source names. */
export const otherPathway = 'other-pathway';

const mostRemembered = 20_000;
const mostSystems = 1_000;
const longestCode = 64;
const longestSystem = 300;
const nothing: readonly Hit[] = [];

/** The codes of one system: whole ones, and the starts of others. */
interface CodeTable {
  whole: Map<string, Hit[]>;
  starts: Map<string, Hit[]>;
  /** Lengths of the starts, longest first: the longer one says more. */
  lengths: number[];
  remembered: Map<string, readonly Hit[]>;
}

/**
 * Compiles concept lists into a lookup.
 *
 * @throws {@link KnowledgeError} for a range of codes that cannot be read.
 */
export function compileLookup(concepts: Concepts, systems: Systems): Lookup {
  const names = new Map<string, string>();
  for (const [name, uris] of Object.entries(systems)) for (const uri of uris) names.set(normaliseUri(uri), name);

  const tables = new Map<string, CodeTable>();
  const mistakes: string[] = [];
  const add = (system: string, code: string, hit: Hit): void => {
    let table = tables.get(system);
    if (table === undefined) {
      table = { whole: new Map(), starts: new Map(), lengths: [], remembered: new Map() };
      tables.set(system, table);
    }
    const isStart = code.endsWith('*');
    const codes = isStart ? expandStart(code.slice(0, -1)) : [code];
    if (codes.length === 0)
      mistakes.push(`concepts ${hit.concept}: the range ${code} cannot be read, expected e.g. C00-C14*`);
    for (const text of codes) {
      const key = normaliseCode(system, text);
      const into = isStart ? table.starts : table.whole;
      const hits = into.get(key);
      if (hits === undefined) into.set(key, [hit]);
      else hits.push(hit);
    }
  };
  const addCodes = (codes: Partial<Record<string, string[]>> | undefined, hit: Hit): void => {
    for (const [system, list] of Object.entries(codes ?? {})) for (const code of list ?? []) add(system, code, hit);
  };
  const addConcept = (kind: HitKind, concept: Pick<Condition, 'id' | 'codes' | 'broader' | 'suspicion'>): void => {
    const hit = { concept: concept.id, kind };
    addCodes(concept.codes, { ...hit, exact: true, suspicion: false });
    addCodes(concept.suspicion, { ...hit, exact: true, suspicion: true });
    addCodes(concept.broader, { ...hit, exact: false, suspicion: false });
  };
  for (const analysis of concepts.analyses) addConcept('analysis', analysis);
  for (const condition of concepts.conditions) addConcept('condition', condition);
  for (const procedure of concepts.procedures) addConcept('procedure', procedure);
  for (const site of concepts.sites) addConcept('site', site);
  const families = new Map<string, string>();
  const closings = new Map<string, string[]>();
  for (const { id, code, sksFamily, alsoClosedBy } of concepts.pathways) {
    add('pathway', code, { concept: id, kind: 'pathway', exact: true, suspicion: false, role: 'referral' });
    if (sksFamily !== undefined) families.set(sksFamily, id);
    for (const closing of alsoClosedBy ?? []) closings.set(closing, [...(closings.get(closing) ?? []), id]);
  }
  const excluded = new Map<string, readonly string[]>();
  for (const { id, atc, exclude, rxnorm } of concepts.drugs) {
    const hit: Hit = { concept: id, kind: 'drug', exact: true, suspicion: false };
    for (const start of atc) add('atc', `${start}*`, hit);
    for (const code of rxnorm ?? []) add('rxnorm', code, hit);
    if (exclude !== undefined)
      excluded.set(
        id,
        exclude.map((code) => normaliseCode('atc', code)),
      );
  }
  if (mistakes.length > 0) throw new KnowledgeError(mistakes);
  for (const table of tables.values()) {
    table.lengths = [...new Set([...table.starts.keys()].map((start) => start.length))].sort((a, b) => b - a);
  }

  const search = (system: string, code: string, found: Hit[]): void => {
    const table = tables.get(system);
    if (table === undefined) return;
    const take = (hits: readonly Hit[] | undefined): void => {
      for (const hit of hits ?? []) {
        if (hit.kind === 'drug' && excluded.get(hit.concept)?.some((start) => code.startsWith(start))) continue;
        if (!found.some((other) => other.concept === hit.concept && other.kind === hit.kind)) found.push(hit);
      }
    };
    take(table.whole.get(code));
    for (const length of table.lengths) if (length <= code.length) take(table.starts.get(code.slice(0, length)));
  };

  const searchMorphology = (code: string, found: Hit[]): void => {
    search('icdo3', code, found);
    const behaviour = /\/\d$/.exec(code);
    if (behaviour !== null) search('icdo3', `*${behaviour[0]}`, found);
  };

  const searchAll = (system: string, code: string): readonly Hit[] => {
    const found: Hit[] = [];
    if (system === 'sks') {
      found.push(...readPathwayCode(code, families, closings));
      const parts = code.split('+');
      for (const part of parts) {
        search(system, part, found);
        const morphology = readMorphology(part);
        if (morphology === undefined) continue;
        if (parts.length === 1) searchMorphology(morphology, found);
        else search('icdo3', morphology, found);
      }
    } else if (system === 'icdo3') {
      searchMorphology(code, found);
    } else {
      search(system, code, found);
      const morphology = system === 'patobank' ? readMorphology(code) : undefined;
      if (morphology !== undefined) searchMorphology(morphology, found);
    }
    return found.length === 0 ? nothing : found;
  };

  const namesOfUris = new Map<string, string | null>();
  const nameSystem = (system: string | undefined): string | undefined => {
    if (system === undefined || system.length > longestSystem) return undefined;
    const known = namesOfUris.get(system);
    if (known !== undefined) return known ?? undefined;
    const uri = normaliseUri(system);
    // Editions and versions of SNOMED CT are paths below its URI
    const edition = uri.indexOf('/', 'http://snomed.info/'.length);
    const name =
      names.get(uri) ?? (uri.startsWith('http://snomed.info/sct/') ? names.get(uri.slice(0, edition)) : undefined);
    if (namesOfUris.size >= mostSystems) namesOfUris.clear();
    namesOfUris.set(system, name ?? null);
    return name;
  };

  // Names of systems without codes of their own (patobank) still need a place to remember in
  for (const name of names.values()) {
    if (!tables.has(name))
      tables.set(name, { whole: new Map(), starts: new Map(), lengths: [], remembered: new Map() });
  }
  const regions = new Map(concepts.sites.map(({ id, within }) => [id, [id, ...(within ?? [])]]));
  const impliedSites = new Map([...concepts.conditions, ...concepts.procedures].map(({ id, site }) => [id, site]));
  const procedures = new Map(concepts.procedures.map((procedure) => [procedure.id, procedure]));
  let remembered = 0;
  return {
    nameSystem,
    regionsOf: (site) => regions.get(site) ?? [site],
    siteOf: (concept) => impliedSites.get(concept),
    procedure: (concept) => procedures.get(concept),
    compositeProcedures: sortByParts(concepts.procedures),
    imagedProcedures: concepts.procedures.filter(
      ({ modality, sites }) => modality !== undefined && sites !== undefined,
    ),
    findConcepts: (system, code) => {
      const name = nameSystem(system);
      const table = name === undefined ? undefined : tables.get(name);
      if (name === undefined || table === undefined || code.length > longestCode) return nothing;
      const known = table.remembered.get(code);
      if (known !== undefined) return known;
      // A start matches whatever follows it: free text must not come in that way
      const found = /^[A-Za-z0-9.+/-]+$/.test(code) ? searchAll(name, normaliseCode(name, code)) : nothing;
      if (remembered >= mostRemembered) {
        for (const other of tables.values()) other.remembered.clear();
        remembered = 0;
      }
      table.remembered.set(code, found);
      remembered++;
      return found;
    },
  };
}

/** @throws {@link KnowledgeError} where procedures are parts of each other. */
function sortByParts(procedures: readonly Procedure[]): Procedure[] {
  const waiting = new Map(procedures.flatMap((each) => (each.parts === undefined ? [] : [[each.id, each] as const])));
  const sorted: Procedure[] = [];
  while (waiting.size > 0) {
    const ready = [...waiting.values()].filter(({ parts }) => !parts?.flat().some((part) => waiting.has(part)));
    if (ready.length === 0) {
      throw new KnowledgeError([
        `concepts ${[...waiting.keys()].join(', ')}: \`parts\` name each other, expected no circle`,
      ]);
    }
    for (const procedure of ready) {
      sorted.push(procedure);
      waiting.delete(procedure.id);
    }
  }
  return sorted;
}

/** One form for the spellings of a system's URI: no version, no slash at the end, http, an OID as `urn:oid:`. */
function normaliseUri(uri: string): string {
  const version = uri.indexOf('|');
  let text = (version === -1 ? uri : uri.slice(0, version)).trim();
  while (text.endsWith('/')) text = text.slice(0, -1);
  if (text.startsWith('https://')) return `http://${text.slice(8)}`;
  if (/^urn:oid:/i.test(text)) return `urn:oid:${text.slice(8)}`;
  return /^\d+(\.\d+)+$/.test(text) ? `urn:oid:${text}` : text;
}

const systemsInCapitals: ReadonlySet<string> = new Set(['icd10', 'sks', 'icpc2', 'atc', 'npu', 'patobank']);

function normaliseCode(system: string, code: string): string {
  const text = systemsInCapitals.has(system) ? code.toUpperCase() : code;
  if (system === 'icd10' || system === 'sks') return text.replaceAll('.', '');
  // A behaviour after five digits: the fifth repeats or details it (mCODE prints 80463/3)
  return system === 'icdo3' ? text.replace(/^(\d{4})\d(?=\/)/, '$1') : text;
}

/** The starts a range of category headers covers: `C00-C14` gives C00, C01 … C14; one start gives itself. */
function expandStart(text: string): string[] {
  const range = /^([A-Z]*)([A-Z])(\d{2})-([A-Z]*)([A-Z])(\d{2})$/.exec(text);
  if (range === null) return /^[A-Z]+\d+-/.test(text) ? [] : [text];
  const [, prefix = '', letter = '', number = '', otherPrefix, otherLetter = '', otherNumber = ''] = range;
  const first = letter.charCodeAt(0) * 100 + Number(number);
  const last = otherLetter.charCodeAt(0) * 100 + Number(otherNumber);
  if (prefix !== otherPrefix || last < first) return [];
  return Array.from({ length: last - first + 1 }, (_, at) => {
    const header = first + at;
    return `${prefix}${String.fromCharCode(Math.floor(header / 100))}${String(header % 100).padStart(2, '0')}`;
  });
}

/** `M81403` of Patobank and the SKS add-on `ZM81403` are ICD-O morphology without the slash. */
function readMorphology(code: string): string | undefined {
  const found = /^Z?M(\d{4})(\d)$/.exec(code);
  return found === null ? undefined : `${found[1]}/${found[2]}`;
}

/** AF + letter + two digits + A, B or X…: the stage of a cancer pathway, of whichever family. */
function readPathwayCode(
  code: string,
  families: ReadonlyMap<string, string>,
  closings: ReadonlyMap<string, readonly string[]>,
): Hit[] {
  const found = /^(AF[A-Z]\d\d)(A|B|X\d?)$/.exec(code);
  if (found === null) return [];
  const [, family = '', stage = ''] = found;
  const pathways = new Set([families.get(family) ?? otherPathway, ...(closings.get(code) ?? [])]);
  return [...pathways].map((concept) => ({
    concept,
    kind: 'pathway',
    exact: true,
    suspicion: false,
    role: stage.startsWith('X') ? 'closing' : 'start',
    stage,
  }));
}
