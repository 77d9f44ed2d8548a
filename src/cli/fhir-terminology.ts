import type { Analysis, SystemName } from '../engine/concepts.ts';
import type { CompiledGuideline } from '../engine/guideline.ts';
import type { Systems } from '../engine/lookup.ts';
import { describeArtefact, type FhirResource, type Labels } from './fhir-artefact.ts';

/** Codes by system, as concepts hold them: a code ending in `*` stands for every longer one too. */
type Codes = Partial<Record<string, readonly string[]>>;

interface Coded extends Labels {
  id: string;
  codes: Codes;
  broader: Codes;
}

interface Code {
  system: 'npu' | 'loinc';
  code: string;
}

interface Include {
  system: string;
  concept?: { code: string }[];
  filter?: { property: string; op: string; value: string }[];
}

/**
 * Writes the terminology of a guideline as FHIR: its own CodeSystems, a ValueSet per concept and per group of concepts,
 * and ConceptMaps from the national and international codes to the concepts.
 */
export function exportTerminology(guideline: CompiledGuideline): FhirResource[] {
  const { systems } = guideline;
  return [
    ...exportCodeSystems(guideline),
    ...exportConceptValueSets(guideline, systems),
    ...exportGroupValueSets(guideline, systems),
    ...exportConceptMaps(guideline, systems),
  ];
}

interface OwnConcept extends Labels {
  code: string;
  property?: { code: string; valueString?: string; valueCode?: string }[];
}

function exportCodeSystems(guideline: CompiledGuideline): FhirResource[] {
  const { head, concepts, rules, texts } = guideline;
  const codeSystem = (
    id: string,
    labels: { title: Labels; description: Labels },
    properties: Readonly<Record<string, string>>,
    own: readonly OwnConcept[],
  ): FhirResource => ({
    ...describeArtefact(guideline, 'CodeSystem', id, labels.title, labels.description),
    caseSensitive: true,
    valueSet: `${head.canonical}/ValueSet/all-${id}`,
    content: 'complete',
    count: own.length,
    property: Object.entries(properties).map(([code, description]) => ({
      code,
      description,
      type: code === 'kind' ? 'code' : 'string',
    })),
    concept: own.map(({ code, da, en, property = [] }) => ({
      code,
      display: en,
      designation: [{ language: 'da', value: da }],
      ...(property.length > 0 && { property }),
    })),
  });
  const text = (code: string, value: string | undefined) => (value === undefined ? [] : [{ code, valueString: value }]);
  const ofKind = (kind: string, list: readonly (Labels & { id: string })[]): OwnConcept[] =>
    list.map(({ id, da, en }) => ({ code: id, da, en, property: [{ code: 'kind', valueCode: kind }] }));

  return [
    codeSystem(
      'card-topic',
      {
        title: { en: 'Card topics', da: 'Kortemner' },
        description: {
          en: 'What a card is about: the topic of its source.',
          da: 'Hvad et kort handler om: emnet i dets kilde.',
        },
      },
      { indicator: 'Default indicator of the card' },
      Object.entries(head.topics).map(([code, { indicator }]) => ({
        code,
        da: texts.da.topics[code] ?? code,
        en: texts.en.topics[code] ?? code,
        property: text('indicator', indicator),
      })),
    ),
    codeSystem(
      'pathway',
      {
        title: { en: 'Pathways and other destinations', da: 'Pakkeforløb og andre henvisningsmål' },
        description: {
          en: 'Where a patient can be referred: codes of referral orders.',
          da: 'Hvor en patient kan henvises til: koder på henvisninger.',
        },
      },
      { sksFamily: 'SKS family of the pathway without its stage, where a public source prints it' },
      concepts.pathways.map(({ code, da, en, sksFamily }) => ({
        code,
        da,
        en,
        property: text('sksFamily', sksFamily),
      })),
    ),
    codeSystem(
      'decision',
      {
        title: { en: 'Decisions', da: 'Beslutninger' },
        description: {
          en: 'The decisions of the guideline that the service makes.',
          da: 'De beslutninger i retningslinjen som servicen træffer.',
        },
      },
      { section: 'Sections of the guideline' },
      [...rules.values()].map(({ id, title, sections }) => ({
        code: id,
        ...title,
        property: text('section', sections.join(', ')),
      })),
    ),
    codeSystem(
      'analysis',
      {
        title: { en: 'Laboratory analyses', da: 'Laboratorieanalyser' },
        description: {
          en: 'The analyses the guideline asks for, and others that decide something.',
          da: 'De analyser som retningslinjen beder om, og andre der afgør noget.',
        },
      },
      { unit: 'Danish unit (UCUM)', group: 'Group of analyses' },
      concepts.analyses.map(({ id, da, en, unit, group }) => ({
        code: id,
        da,
        en,
        property: [...text('unit', unit), ...text('group', group)],
      })),
    ),
    codeSystem(
      'concept',
      {
        title: { en: 'Concepts', da: 'Begreber' },
        description: {
          en: 'The symptoms, diseases, findings, histologies, procedures and drug groups decisions are made of.',
          da: 'De symptomer, sygdomme, fund, histologier, procedurer og lægemiddelgrupper som beslutninger bygger på.',
        },
      },
      { kind: 'condition, procedure or drug' },
      [
        ...ofKind('condition', concepts.conditions),
        ...ofKind('procedure', concepts.procedures),
        ...ofKind('drug', concepts.drugs),
      ],
    ),
    codeSystem(
      'site',
      {
        title: { en: 'Body sites', da: 'Lokalisationer' },
        description: {
          en: 'The body sites that findings are told apart by.',
          da: 'De lokalisationer som fund skelnes efter.',
        },
      },
      { within: 'Regions the site lies in' },
      concepts.sites.map(({ id, da, en, within }) => ({
        code: id,
        da,
        en,
        property: text('within', within?.join(', ')),
      })),
    ),
  ];
}

function codedConcepts({ concepts }: CompiledGuideline): Record<string, Coded[]> {
  const coded = (list: readonly (Labels & { id: string; codes?: Codes; broader?: Codes })[]): Coded[] =>
    list.map(({ id, da, en, codes = {}, broader = {} }) => ({ id, da, en, codes, broader }));
  return {
    analysis: coded(concepts.analyses as readonly (Labels & { id: string; codes?: Codes; broader?: Codes })[]),
    condition: coded(
      concepts.conditions.map(({ codes, suspicion, ...rest }) => ({
        ...(rest as Labels & { id: string; broader?: Codes }),
        codes: joinCodes([codes ?? {}, suspicion ?? {}]),
      })),
    ),
    procedure: coded(concepts.procedures as readonly (Labels & { id: string; codes?: Codes; broader?: Codes })[]),
    site: coded(concepts.sites),
    drug: concepts.drugs.map(({ id, da, en, atc, rxnorm }) => ({
      id,
      da,
      en,
      codes: { atc: atc.map((code) => `${code}*`), ...(rxnorm !== undefined && { rxnorm }) },
      broader: {},
    })),
  };
}

const kindTitles: Readonly<Record<string, Labels>> = {
  analysis: { en: 'Codes of the analysis', da: 'Koder for analysen' },
  condition: { en: 'Codes of', da: 'Koder for' },
  procedure: { en: 'Codes of the procedure', da: 'Koder for proceduren' },
  site: { en: 'Codes of the site', da: 'Koder for lokalisationen' },
  drug: { en: 'Codes of the drug group', da: 'Koder for lægemiddelgruppen' },
};

function exportConceptValueSets(guideline: CompiledGuideline, systems: Systems): FhirResource[] {
  return Object.entries(codedConcepts(guideline)).flatMap(([kind, list]) =>
    list.flatMap(({ id, da, en, codes }) => {
      const titles = kindTitles[kind];
      const include = includeCodes(codes, systems);
      if (titles === undefined || include.length === 0) return [];
      return [
        {
          ...describeArtefact(
            guideline,
            'ValueSet',
            `${kind}-${id}`,
            { en: `${titles.en}: ${en}`, da: `${titles.da}: ${da}` },
            {
              en: 'Every code that states the concept exactly, in each code system and under each of its URIs.',
              da: 'Alle koder der angiver begrebet præcist, i hvert kodesystem og under hver af dets URI’er.',
            },
          ),
          compose: {
            include,
            ...(kind === 'drug' && excludeDrugs(guideline, id, systems)),
          },
        },
      ];
    }),
  );
}

function excludeDrugs({ concepts }: CompiledGuideline, id: string, systems: Systems): { exclude?: Include[] } {
  const excluded = concepts.drugs.find((drug) => drug.id === id)?.exclude;
  return excluded === undefined ? {} : { exclude: includeCodes({ atc: excluded.map((code) => `${code}*`) }, systems) };
}

function exportGroupValueSets(guideline: CompiledGuideline, systems: Systems): FhirResource[] {
  const { head, concepts } = guideline;
  const coded = codedConcepts(guideline);
  const all = (kind: string, isMember: (concept: Coded) => boolean = () => true): Codes[] =>
    (coded[kind] ?? []).filter(isMember).flatMap(({ codes, broader }) => [codes, broader]);
  const findings = findingConcepts(guideline);
  const imaging = new Set(concepts.procedures.filter(({ modality }) => modality !== undefined).map(({ id }) => id));
  const group = (id: string, title: Labels, description: Labels, lists: readonly Codes[]): FhirResource => ({
    ...describeArtefact(guideline, 'ValueSet', id, title, description),
    compose: { include: includeCodes(joinCodes(lists), systems) },
  });
  const own = (id: string, system: string, title: Labels, codes?: readonly string[]): FhirResource => ({
    ...describeArtefact(guideline, 'ValueSet', id, title, {
      en: `Codes of our CodeSystem ${system}.`,
      da: `Koder i vores CodeSystem ${system}.`,
    }),
    compose: {
      include: [
        {
          system: `${head.canonical}/CodeSystem/${system}`,
          ...(codes !== undefined && { concept: codes.map((code) => ({ code })) }),
        },
      ],
    },
  });
  const read = {
    en: 'Every code the service reads, exact and broader.',
    da: 'Alle koder som servicen læser, præcise og bredere.',
  };
  return [
    group('analyses', { en: 'Laboratory analyses', da: 'Laboratorieanalyser' }, read, all('analysis')),
    group(
      'conditions',
      { en: 'Symptoms, diseases and findings', da: 'Symptomer, sygdomme og fund' },
      read,
      all('condition', ({ id }) => !isHistology(id)),
    ),
    group(
      'findings',
      { en: 'Findings', da: 'Fund' },
      read,
      all('condition', ({ id }) => findings.has(id)),
    ),
    group('lymph-node-findings', { en: 'Lymph node findings', da: 'Lymfeknudefund' }, read, all('condition', isNode)),
    group(
      'histologies',
      { en: 'Histologies', da: 'Histologier' },
      read,
      all('condition', ({ id }) => isHistology(id)),
    ),
    group(
      'suspicions',
      { en: 'Recorded suspicions of cancer', da: 'Registrerede mistanker om kræft' },
      {
        en: 'Codes that say by themselves that a cancer is suspected.',
        da: 'Koder der i sig selv siger at en kræftsygdom er mistænkt.',
      },
      concepts.conditions.map(({ id, codes, suspicion }) =>
        id === 'suspected-malignancy' ? joinCodes([codes ?? {}, suspicion ?? {}]) : (suspicion ?? {}),
      ),
    ),
    group('procedures', { en: 'Procedures', da: 'Procedurer' }, read, all('procedure')),
    group(
      'imaging-procedures',
      { en: 'Imaging procedures', da: 'Billeddiagnostiske procedurer' },
      read,
      all('procedure', ({ id }) => imaging.has(id)),
    ),
    group('sites', { en: 'Body sites', da: 'Lokalisationer' }, read, all('site')),
    own('pathways', 'pathway', { en: 'Pathways and other destinations', da: 'Pakkeforløb og andre henvisningsmål' }),
    own(
      'diagnostic-pathways',
      'pathway',
      { en: 'Diagnostisk pakkeforløb: MAS and MUP', da: 'Diagnostisk pakkeforløb: MAS og MUP' },
      concepts.pathways.filter(({ id }) => id.startsWith('diagnostic-')).map(({ code }) => code),
    ),
    ...['card-topic', 'pathway', 'decision', 'analysis', 'concept', 'site'].map((system) =>
      own(`all-${system}`, system, { en: `All codes of ${system}`, da: `Alle koder i ${system}` }),
    ),
  ];
}

/** The conditions that facts look for among findings. */
function findingConcepts({ facts }: CompiledGuideline): ReadonlySet<string> {
  const found = new Set<string>();
  for (const fact of facts.values()) {
    if (fact.form === 'selection' && fact.definition.read.includes('finding')) {
      for (const concept of fact.concepts) found.add(concept);
    }
  }
  return found;
}

function isNode({ id }: Coded): boolean {
  return id.startsWith('lymphadenopathy-') || id.startsWith('metastasis-lymph-node');
}

function isHistology(id: string): boolean {
  return id.startsWith('histology-');
}

function joinCodes(lists: readonly Codes[]): Codes {
  const joined = new Map<string, Set<string>>();
  for (const codes of lists) {
    for (const [system, list = []] of Object.entries(codes)) {
      const known = joined.get(system) ?? new Set();
      for (const code of list) known.add(code);
      joined.set(system, known);
    }
  }
  return Object.fromEntries([...joined].map(([system, codes]) => [system, [...codes].sort()]));
}

/** One include per URI of a system: codes listed, and one more with a filter for those that stand for longer ones. */
function includeCodes(codes: Codes, systems: Systems): Include[] {
  return Object.entries(codes).flatMap(([name, list = []]) => {
    const whole = list.filter((code) => !code.includes('*')).map((code) => ({ code: spell(name, code) }));
    const behaviours = list.filter((code) => code.startsWith('*')).map((code) => code.slice(1));
    const starts = list.filter((code) => code.endsWith('*')).flatMap((code) => expandStart(code.slice(0, -1)));
    return publishedUris(name, systems).flatMap((system) => [
      ...(whole.length > 0 ? [{ system, concept: whole }] : []),
      ...(starts.length > 0
        ? [{ system, filter: [{ property: 'code', op: 'regex', value: startPattern(name, starts) }] }]
        : []),
      ...behaviours.map((behaviour) => ({
        system,
        filter: [{ property: 'code', op: 'regex', value: `.*${behaviour}` }],
      })),
    ]);
  });
}

/** The URIs of a system; an edition of SNOMED CT and a spelling with a slash at the end are no systems of their own. */
export function publishedUris(name: string, systems: Systems): string[] {
  const uris = systems[name] ?? [];
  return uris.filter((uri) => !uris.some((other) => other !== uri && uri.startsWith(`${other}/`)));
}

/** ICD-10 stands without dot in the knowledge and with it in FHIR. */
export function spell(system: string, code: string): string {
  return system === 'icd10' ? code.replace(/^([A-Z]\d\d)(?=[0-9A-Z])/, '$1.') : code;
}

function startPattern(system: string, starts: readonly string[]): string {
  const patterns = starts.map((start) => spell(system, start).replaceAll('.', '[.]').replaceAll('+', '[+]'));
  return `(${[...new Set(patterns)].sort().join('|')}).*`;
}

/** `C00-C14` gives C00, C01 … C14; one start gives itself. */
export function expandStart(text: string): string[] {
  const range = /^([A-Z]*[A-Z])(\d{2})-([A-Z]*[A-Z])(\d{2})$/.exec(text);
  if (range === null) return [text];
  const [, letters = '', first, , last] = range;
  return Array.from(
    { length: Number(last) - Number(first) + 1 },
    (_, at) => `${letters}${String(Number(first) + at).padStart(2, '0')}`,
  );
}

const mapTitles: Readonly<Partial<Record<SystemName, string>>> = {
  sct: 'SNOMED CT',
  icd10: 'ICD-10',
  sks: 'SKS',
  icpc2: 'ICPC-2',
  icdo3: 'ICD-O-3',
};

function exportConceptMaps(guideline: CompiledGuideline, systems: Systems): FhirResource[] {
  const { head } = guideline;
  const coded = codedConcepts(guideline);
  const target = `${head.canonical}/CodeSystem/concept`;
  const toConcepts = Object.entries(mapTitles).map(([name, title]) => {
    const targets = new Map<string, { code: string; display: string; equivalence: string; comment?: string }[]>();
    const add = (codes: Codes, { id, en }: Coded, equivalence: string): void => {
      for (const code of codes[name] ?? []) {
        const isStart = code.endsWith('*');
        for (const whole of isStart ? expandStart(code.slice(0, -1)) : [code]) {
          const spelled = spell(name, whole);
          const entry = {
            code: id,
            display: en,
            equivalence,
            ...(isStart && { comment: 'Holds for every longer code that begins with this one too.' }),
            ...(whole.startsWith('*') && { comment: 'Holds for every code that ends so.' }),
          };
          targets.set(spelled, [...(targets.get(spelled) ?? []), entry]);
        }
      }
    };
    for (const concept of [...(coded.condition ?? []), ...(coded.procedure ?? [])]) {
      add(concept.codes, concept, 'subsumes');
      add(concept.broader, concept, 'specializes');
    }
    return {
      ...describeArtefact(
        guideline,
        'ConceptMap',
        `${name}-to-concept`,
        { en: `${title} to concepts`, da: `${title} til begreber` },
        {
          en: 'subsumes: the code states the concept exactly. specializes: a broader code, which never makes the concept by itself.',
          da: 'subsumes: koden angiver begrebet præcist. specializes: en bredere kode, som aldrig alene gør begrebet gældende.',
        },
      ),
      sourceUri: systems[name]?.[0],
      targetCanonical: `${head.canonical}/ValueSet/all-concept`,
      group: [
        {
          source: systems[name]?.[0],
          target,
          element: [...targets].sort(byCode).map(([code, found]) => ({ code, target: found })),
        },
      ],
    };
  });
  return [
    ...toConcepts,
    ...mapAnalyses(guideline, systems, 'npu', 'loinc'),
    ...mapAnalyses(guideline, systems, 'loinc', 'npu'),
  ];
}

/** NPU and LOINC codes of the same analysis, with what a number is multiplied by on the way. */
function mapAnalyses(
  guideline: CompiledGuideline,
  systems: Systems,
  from: 'npu' | 'loinc',
  to: 'npu' | 'loinc',
): FhirResource[] {
  const { head, concepts } = guideline;
  const names = { npu: 'NPU', loinc: 'LOINC' };
  const targets = new Map<string, object[]>();
  for (const analysis of concepts.analyses) {
    for (const code of analysis.codes?.[from] ?? []) {
      const found = (analysis.codes?.[to] ?? []).flatMap((other) => {
        const codes: [Code, Code] = [
          { system: from, code },
          { system: to, code: other },
        ];
        const extension = describeConversions(head.canonical, analysis, ...codes);
        if (extension === undefined) return [];
        return [
          {
            ...(extension.length > 0 && { extension }),
            code: other,
            equivalence: 'relatedto',
            comment: `The service reads both as ${analysis.id}.`,
          },
        ];
      });
      if (found.length > 0) targets.set(code, [...(targets.get(code) ?? []), ...found]);
    }
  }
  return [
    {
      ...describeArtefact(
        guideline,
        'ConceptMap',
        `${from}-to-${to}`,
        { en: `${names[from]} to ${names[to]}`, da: `${names[from]} til ${names[to]}` },
        {
          en: 'Codes of the same analysis, with the conversions of units between them.',
          da: 'Koder for samme analyse, med omregningen af enheder imellem dem.',
        },
      ),
      sourceUri: systems[from]?.[0],
      targetUri: systems[to]?.[0],
      group: [
        {
          source: systems[from]?.[0],
          target: systems[to]?.[0],
          element: [...targets].sort(byCode).map(([code, target]) => ({ code, target })),
        },
      ],
    },
  ];
}

/**
 * How a number under one code becomes one under another: from and to every unit each may stand in.
 *
 * @returns `undefined` where one of the codes stands for something that has no number here (a share of the cells).
 */
function describeConversions(canonical: string, analysis: Analysis, from: Code, to: Code): object[] | undefined {
  const { unit, convert = [] } = analysis;
  if (unit === undefined) return [];
  const factors = new Map([[unit, { multiply: 1, add: 0 }]]);
  for (const { from: other, multiply = 1, add = 0, never } of convert) {
    if (never !== true && other !== unit) factors.set(other, { multiply, add });
  }
  const unitsOf = ({ system, code }: Code): string[] => {
    const own = analysis.unitOfCode?.[code];
    if (own !== undefined) return factors.has(own) ? [own] : [];
    return system === 'npu' ? [unit] : [...factors.keys()];
  };
  const [sources, targets] = [unitsOf(from), unitsOf(to)];
  if (sources.length === 0 || targets.length === 0) return undefined;
  return sources.flatMap((source) =>
    targets.flatMap((target) => {
      const [into, outOf] = [factors.get(source), factors.get(target)];
      if (into === undefined || outOf === undefined || source === target) return [];
      const add = significant((into.add - outOf.add) / outOf.multiply);
      return [
        {
          url: `${canonical}/StructureDefinition/unit-conversion`,
          extension: [
            { url: 'from', valueCode: source },
            { url: 'to', valueCode: target },
            { url: 'multiply', valueDecimal: significant(into.multiply / outOf.multiply) },
            ...(add === 0 ? [] : [{ url: 'add', valueDecimal: add }]),
          ],
        },
      ];
    }),
  );
}

/** Six digits: more than any factor of a laboratory has, fewer than the noise of floating point. */
function significant(value: number): number {
  return Number(value.toPrecision(6));
}

function byCode([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
