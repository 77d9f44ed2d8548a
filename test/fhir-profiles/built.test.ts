import { describe, expect, it } from 'vitest';
import { findAllDrift, knowledgeFolder } from '../../src/cli/fhir.ts';
import { readSource } from '../../src/cli/fhir-build.ts';
import { isExample } from '../../src/fhir-package.ts';
import { canonical, errorsOf, findPublished, guideline, published, validate } from './published.ts';

interface SnapshotElement {
  id: string;
  sliceName?: string;
  patternUri?: string;
  fixedUri?: string;
}

const source = readSource(knowledgeFolder);
const artefacts = published.filter((resource) => !isExample(resource));
const profiles = artefacts.filter(({ resourceType }) => resourceType === 'StructureDefinition');

function elementsOf(profile: string): SnapshotElement[] {
  return (findPublished(`StructureDefinition/${profile}`).snapshot as { element: SnapshotElement[] }).element;
}

/** The systems of the slices of an element, by the name of the slice. */
function slicesOf(profile: string, path: string): Record<string, string | undefined> {
  const elements = elementsOf(profile);
  return Object.fromEntries(
    elements.flatMap(({ id, sliceName }) => {
      if (sliceName === undefined || id !== `${path}:${sliceName}`) return [];
      const system = elements.find((element) => element.id === `${id}.system`);
      return [[sliceName, system?.patternUri ?? system?.fixedUri]];
    }),
  );
}

describe('the published artefacts', () => {
  it('are what their sources give: `npm run fhir -- build` brings them in sync', { timeout: 120_000 }, async () => {
    expect(await findAllDrift(source)).toEqual([]);
  });

  it('are ours alone, in the version of the knowledge', () => {
    const foreign = artefacts.filter(
      ({ url, version }) => !url?.startsWith(`${canonical}/`) || version !== guideline.head.version,
    );
    expect(foreign.map(({ url }) => url)).toEqual([]);
  });

  it('have a canonical url of their type and id, each its own', () => {
    const urls = artefacts.map(({ url }) => url);
    expect(urls).toEqual(artefacts.map(({ resourceType, id }) => `${canonical}/${resourceType}/${id}`));
    expect(new Set(urls).size).toBe(urls.length);
  });

  it('are described in English and in Danish', () => {
    const isTranslated = (member: unknown): boolean => JSON.stringify(member ?? '').includes('"valueCode":"da"');
    const lacking = artefacts.filter(
      ({ title, description, _title, _description }) =>
        !title || !description || !isTranslated(_title) || !isTranslated(_description),
    );
    expect(lacking.map(({ url }) => url)).toEqual([]);
  });

  it('validate as FHIR R4, extensions of ours included', () => {
    expect(published.flatMap((resource) => errorsOf(validate(resource)))).toEqual([]);
  });

  it('hold a snapshot in every profile and extension', () => {
    expect(profiles.filter(({ snapshot }) => snapshot === undefined).map(({ id }) => id)).toEqual([]);
    expect(profiles.length).toBeGreaterThan(20);
  });

  it('refer only to artefacts that are there', () => {
    const known = new Set(artefacts.map(({ url }) => url));
    const referred = new Set(
      [...JSON.stringify(artefacts).matchAll(/"(https:\/\/diagnostisk-pakkeforloeb\.dk\/fhir\/[^"|#]+)"/g)].map(
        ([, url]) => url,
      ),
    );
    // Bare bases stand in texts and in the package head
    expect([...referred].filter((url) => !known.has(url))).toEqual([]);
  });

  it('say of every decision, pathway, topic and analysis what it is', () => {
    const codes = (id: string): string[] =>
      (findPublished(`CodeSystem/${id}`).concept as { code: string }[]).map(({ code }) => code);
    expect(codes('decision')).toEqual([...guideline.rules.keys()]);
    expect(codes('card-topic')).toEqual(Object.keys(guideline.head.topics));
    expect(codes('analysis')).toEqual(guideline.concepts.analyses.map(({ id }) => id));
    expect(codes('pathway')).toEqual(guideline.concepts.pathways.map(({ code }) => code));
  });

  it('hold a value set for every concept that has a code', () => {
    const coded = [
      ...guideline.concepts.analyses.filter(({ codes }) => codes !== undefined).map(({ id }) => `analysis-${id}`),
      ...guideline.concepts.conditions
        .filter(({ codes, suspicion }) => codes !== undefined || suspicion !== undefined)
        .map(({ id }) => `condition-${id}`),
      ...guideline.concepts.procedures.filter(({ codes }) => codes !== undefined).map(({ id }) => `procedure-${id}`),
      ...guideline.concepts.sites.map(({ id }) => `site-${id}`),
      ...guideline.concepts.drugs.map(({ id }) => `drug-${id}`),
    ];
    const valueSets = new Set(artefacts.filter(({ resourceType }) => resourceType === 'ValueSet').map(({ id }) => id));
    expect(coded.filter((id) => !valueSets.has(id))).toEqual([]);
  });
});

describe('the profiles', () => {
  it('slice codings as dk-core does, under the same names and systems', () => {
    expect(slicesOf('laboratory-result', 'Observation.code.coding')).toMatchObject({
      LOINC: 'http://loinc.org',
      SNOMEDCT: 'http://snomed.info/sct',
      NPU: 'http://npu-terminology.org',
      SKS: 'urn:oid:1.2.208.176.2.4',
    });
    expect(slicesOf('symptom-condition', 'Condition.code.coding')).toMatchObject({
      SCTConditionCode: 'http://snomed.info/sct',
      'SKS-D': 'urn:oid:1.2.208.176.2.4.12',
      ICPC2code: 'urn:oid:1.2.208.176.2.31',
    });
    expect(slicesOf('referral', 'ServiceRequest.reasonCode.coding')).toMatchObject({
      SCTCode: 'http://snomed.info/sct',
      SKS: 'urn:oid:1.2.208.176.2.4.12',
      ICPC2code: 'urn:oid:1.2.208.176.2.31',
    });
  });

  it('write codes under the first URI of each system', () => {
    const [npu, , loinc] = [guideline.systems.npu?.[0], undefined, guideline.systems.loinc?.[0]];
    expect(slicesOf('suggested-order', 'ServiceRequest.code.coding')).toMatchObject({
      NPU: npu,
      LOINC: loinc,
      SKS: guideline.systems.sks?.[0],
      SNOMEDCT: guideline.systems.sct?.[0],
      pathway: guideline.systems.pathway?.[0],
    });
  });
});

describe('the concept maps', () => {
  interface Target {
    code: string;
    equivalence: string;
    extension?: { extension: { url: string; valueCode?: string; valueDecimal?: number }[] }[];
  }
  const targetsOf = (map: string, code: string): Target[] => {
    const [group] = findPublished(`ConceptMap/${map}`).group as { element: { code: string; target: Target[] }[] }[];
    return group?.element.find((element) => element.code === code)?.target ?? [];
  };
  const conversionsOf = ({ extension = [] }: Target): string[] =>
    extension.map(({ extension: parts }) => {
      const part = (url: string) => parts.find((each) => each.url === url);
      return `${part('from')?.valueCode} × ${part('multiply')?.valueDecimal} = ${part('to')?.valueCode}`;
    });

  it('convert haemoglobin between g/dL and mmol/L in both directions', () => {
    const [toNpu] = targetsOf('loinc-to-npu', '718-7');
    const [toLoinc] = targetsOf('npu-to-loinc', 'NPU02319');
    expect(toNpu?.code).toBe('NPU02319');
    expect(conversionsOf(toNpu as Target)).toContain('g/dL × 0.62056 = mmol/L');
    expect(conversionsOf(toLoinc as Target)).toContain('mmol/L × 1.61145 = g/dL');
  });

  it('tell a code that states a concept from one that is broader', () => {
    expect(targetsOf('icpc2-to-concept', 'T08')).toContainEqual(
      expect.objectContaining({ code: 'unintended-weight-loss', equivalence: 'subsumes' }),
    );
    expect(targetsOf('icpc2-to-concept', 'A91')).toContainEqual(
      expect.objectContaining({ code: 'abnormal-lab-results', equivalence: 'specializes' }),
    );
  });

  it('never pair a share of the cells with their count', () => {
    const neutrophils = guideline.analyses.get('neutrophils');
    const shares = Object.entries(neutrophils?.unitOfCode ?? {}).filter(([, unit]) => unit === '%');
    expect(shares.length).toBeGreaterThan(0);
    for (const [code] of shares) {
      expect(targetsOf('loinc-to-npu', code).map((target) => target.code)).not.toContain(neutrophils?.codes?.npu?.[0]);
    }
  });
});
