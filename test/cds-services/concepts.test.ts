import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { conceptFiles } from '../../src/engine/concepts.ts';
import { compileLookup, systemsSchema } from '../../src/engine/lookup.ts';

const folder = new URL('../../cds-services/diagnostisk-pakkeforloeb/concepts/', import.meta.url);
const read = (file: string): unknown => parse(readFileSync(new URL(file, folder), 'utf8'));
const analyses = conceptFiles.analyses.parse(read('analyses.yaml'));
const conditions = conceptFiles.conditions.parse(read('conditions.yaml'));
const procedures = conceptFiles.procedures.parse(read('procedures.yaml'));
const pathways = conceptFiles.pathways.parse(read('pathways.yaml'));
const drugs = conceptFiles.drugs.parse(read('drugs.yaml'));
const sites = conceptFiles.sites.parse(read('sites.yaml'));
const systems = systemsSchema.parse(read('systems.yaml'));
const lookup = compileLookup({ analyses, conditions, procedures, pathways, drugs, sites }, systems);

const uri = (system: string): string => systems[system]?.[0] ?? '';
const find = (system: string, code: string): string[] =>
  lookup
    .findConcepts(uri(system), code)
    .map((hit) => `${hit.concept}${hit.suspicion ? ' suspected' : hit.exact ? '' : ' broader'}`);
const exactly = (system: string, code: string): string[] =>
  find(system, code).filter((hit) => !hit.endsWith(' broader'));
const byId = new Map(conditions.map((condition) => [condition.id, condition]));

/** Two names of one meaning. */
const sameMeaning = new Map([
  ['colorectal-cancer', 'primary-colorectal-cancer'],
  ['lung-cancer', 'primary-lung-cancer'],
  ['sarcoma', 'primary-sarcoma'],
  ['cervical-cancer-suspected', 'primary-cervical-cancer'],
  ['prior-breast-cancer', 'history-breast-cancer'],
  ['prior-melanoma', 'history-melanoma'],
  ['prior-cancer-any', 'history-cancer-any'],
]);
/** First and last text a pattern of codes covers; a behaviour is seen on one morphology. */
function spanOf(pattern: string): [string, string] {
  if (pattern.startsWith('*')) return [`8000${pattern.slice(1)}`, `8000${pattern.slice(1)}`];
  const [first = '', last = first] = pattern.replace('*', '').split(/(?<=[A-Z]\d\d)-/);
  return pattern.endsWith('*') ? [first, `${last}\uffff`] : [pattern, pattern];
}

describe('the concepts of Diagnostisk pakkeforløb', () => {
  it('give two names of one meaning the same exact codes', () => {
    for (const [name, meaning] of sameMeaning) expect(byId.get(name)?.codes).toEqual(byId.get(meaning)?.codes);
  });

  it('hold in the umbrella of primary cancers every exact code of an organ, apart from non-melanoma skin cancer', () => {
    const own = conditions.filter(
      ({ id }) =>
        id.startsWith('primary-') &&
        !['primary-cancer-any', 'primary-brain-tumour', 'primary-skin-cancer-non-melanoma'].includes(id),
    );
    expect(own.length).toBeGreaterThan(25);
    const missing = own.flatMap(({ id, codes = {} }) =>
      Object.entries(codes).flatMap(([system, list]) =>
        (list ?? [])
          .map((code) => spanOf(code)[0])
          .filter((code) => !exactly(system, code).includes('primary-cancer-any'))
          .map((code) => `${id} ${system} ${code}`),
      ),
    );
    expect(missing).toEqual([]);
  });

  it('hold in the umbrella of metastases every exact code of a site', () => {
    const own = conditions.filter(({ id }) => /^metastasis-(?!any|unknown)/.test(id));
    expect(own.length).toBeGreaterThan(15);
    const missing = own.flatMap(({ id, codes = {} }) =>
      Object.entries(codes).flatMap(([system, list]) =>
        (list ?? [])
          .map((code) => spanOf(code)[0])
          .filter((code) => !exactly(system, code).includes('metastasis-any'))
          .map((code) => `${id} ${system} ${code}`),
      ),
    );
    expect(missing).toEqual([]);
  });

  it.each([
    ['icpc2', 'A79', 'cancer or metastasis without site'],
    ['icpc2', 'A21', 'any risk of cancer'],
    ['icpc2', 'D77', 'any cancer of the digestive system'],
    ['icpc2', 'B74', 'cancer of blood or nodes'],
    ['icpc2', 'N99', 'any neurological disease'],
    ['icpc2', 'D97', 'any liver disease'],
    ['icpc2', 'A99', 'anything without site'],
    ['icd10', 'K76.8', 'another liver disease'],
    ['icd10', 'M89.9', 'any bone disease'],
    ['icd10', 'J90', 'an effusion of any cause'],
    ['icd10', 'R91', 'an abnormal image of the lungs'],
    ['icd10', 'C80.9', 'cancer without site'],
    ['sct', '2032001', 'cerebral oedema'],
    ['sct', '307593001', 'carcinomatosis without site'],
  ])('make no finding of %s %s, %s, on its own', (system, code) => {
    const hits = find(system, code);
    expect(hits).not.toEqual([]);
    // metastasis-any asks for no site
    expect(exactly(system, code).filter((hit) => hit !== 'metastasis-any')).toEqual([]);
  });

  it.each([
    ['sks', 'DC787', ['metastasis-liver', 'metastasis-any']],
    ['sks', 'DC786', ['metastasis-any']],
    ['sks', 'DC786B', ['peritoneal-carcinomatosis', 'metastasis-any']],
    ['sks', 'DC770G1', ['metastasis-lymph-node-supraclavicular', 'metastasis-any']],
    ['icd10', 'C77.2', ['metastasis-lymph-node-abdominal', 'metastasis-any']],
    ['sks', 'DR539', ['unexplained-fatigue']],
    ['sks', 'DR539E', ['general-malaise']],
    ['icd10', 'R53.9', ['unexplained-fatigue']],
    ['sct', '271795006', ['unexplained-fatigue']],
    ['icpc2', 'B82', ['anaemia']],
    ['sks', 'DR104', ['gastrointestinal-symptoms-other', 'localised-unexplained-pain']],
    ['sks', 'DM796', ['localised-unexplained-pain']],
    ['icpc2', 'R74', ['infection-other']],
    ['sks', 'DJ189', ['pneumonia']],
    ['sks', 'DB270', ['infectious-mononucleosis']],
    ['sks', 'DA692', ['lyme-disease']],
    ['sks', 'DA159', ['tuberculosis']],
    ['sks', 'DB942', []],
    ['sks', 'DB249', []],
    ['icd10', 'B24', []],
    ['sks', 'DB351', []],
    ['sks', 'DR539A', ['unexplained-fatigue']],
    ['icpc2', 'A04', ['unexplained-fatigue']],
    ['icpc2', 'A01', ['diffuse-pain']],
    ['icpc2', 'L18', ['localised-unexplained-pain']],
    ['icpc2', 'B02', ['lymphadenopathy-unspecified']],
    ['sks', 'DR590', ['lymphadenopathy-localised']],
    ['sks', 'DZ031', ['suspected-malignancy']],
    ['sks', 'DZ031YD', ['myeloma-suspicion suspected']],
    ['sks', 'DZ031B1', ['primary-mesothelioma suspected']],
    ['sks', 'DZ031DC', ['primary-anal-cancer suspected']],
    ['sks', 'ZM80703', ['histology-squamous']],
    ['icd10', 'D47.2', ['mgus', 'haematological-disease-any']],
  ])('read %s %s as it is meant', (system, code, expected) => {
    expect(exactly(system, code).sort()).toEqual([...expected].sort());
  });

  it('hold every ICD-10 code of a condition in its SKS form too', () => {
    const missing = conditions.flatMap(({ id, codes, broader }) =>
      [codes, broader].flatMap((list) =>
        (list?.icd10 ?? [])
          .map((code) => spanOf(code)[0])
          // SKS fills a category without subdivision up with 9
          .filter(
            (code) => ![`D${code}`, `D${code}9`].some((sks) => find('sks', sks).some((hit) => hit.startsWith(id))),
          )
          .map((code) => `${id} ${code}`),
      ),
    );
    expect(missing).toEqual([]);
  });

  it.each(['B82', 'A04', 'A01', 'L18', 'A05', 'T08', 'A03'])(
    'take the ICPC-2 symptom %s for no disease that could explain it',
    (code) => {
      expect(find('icpc2', code).filter((hit) => hit.endsWith(' broader'))).toEqual([]);
    },
  );

  it('keep the shares of white cells from being read as counts', () => {
    for (const id of ['neutrophils', 'lymphocytes', 'monocytes', 'eosinophils', 'basophils']) {
      const analysis = analyses.find((candidate) => candidate.id === id);
      const shares = Object.values(analysis?.unitOfCode ?? {});
      expect(shares).toContain('1');
      for (const unit of ['%', '1']) expect(analysis?.convert).toContainEqual({ from: unit, never: true });
    }
  });

  it('name each code of an analysis once, and units only of codes the analysis has', () => {
    const owner = new Map<string, string>();
    for (const { id, codes } of analyses) {
      for (const code of Object.values(codes ?? {}).flat()) {
        expect(owner.get(code), code).toBeUndefined();
        owner.set(code, id);
      }
    }
    for (const { id, unitOfCode } of analyses) {
      for (const code of Object.keys(unitOfCode ?? {})) expect(owner.get(code), code).toBe(id);
    }
  });

  it('refer to sites and parts that exist', () => {
    const siteIds = new Set(sites.map(({ id }) => id));
    const procedureIds = new Set(procedures.map(({ id }) => id));
    const named = [
      ...sites.flatMap(({ within = [] }) => within),
      ...conditions.flatMap(({ site }) => site ?? []),
      ...procedures.flatMap(({ site, sites: regions = [] }) => [...regions, ...(site === undefined ? [] : [site])]),
    ];
    expect(named.filter((id) => !siteIds.has(id))).toEqual([]);
    expect(procedures.flatMap(({ parts = [] }) => parts.flat()).filter((id) => !procedureIds.has(id))).toEqual([]);
  });

  it('do not take CT of the thorax, or of thorax and abdomen, for CT-TAB', () => {
    expect(exactly('sks', 'UXCC00')).toEqual(['ct-chest']);
    expect(find('sct', '429864007')).not.toContain('ct-tab');
    expect(exactly('sct', '418023006')).toEqual(['ct-tab']);
    expect(procedures.find(({ id }) => id === 'ct-tab')?.parts).toContainEqual(['ct-chest', 'ct-abdomen-pelvis']);
  });

  it('never match what nobody verified', () => {
    for (const { unverified = [] } of [...analyses, ...conditions, ...procedures]) {
      for (const code of unverified.join(' ').match(/\b(?:\d{6,18}|(?:NPU|DNK)\d{5}|\d{4,5}-\d)\b/g) ?? []) {
        for (const system of ['sct', 'npu', 'loinc']) expect(exactly(system, code), code).toEqual([]);
      }
    }
  });
});
