import { readFileSync } from 'node:fs';
import ucum from '@lhncbc/ucum-lhc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Analysis } from '../../src/engine/concepts.ts';
import { compileAnalysis, judgeResult, type Quantity, readQuantity } from '../../src/engine/quantities.ts';
import { compileSpellings, findFactor, normaliseUnit, spellingsSchema } from '../../src/engine/units.ts';
import { KnowledgeError } from '../../src/errors.ts';

const spellingsFile = new URL(
  '../../cds-services/diagnostisk-pakkeforloeb/concepts/unit-spellings.yaml',
  import.meta.url,
);
const spellingsData = spellingsSchema.parse(parse(readFileSync(spellingsFile, 'utf8')));
const spellings = compileSpellings(spellingsData);

const base = { da: 'Analyse', en: 'Analysis', sources: 'test' };
const compile = (analysis: Partial<Analysis>) => compileAnalysis({ ...base, id: 'analysis', ...analysis }, spellings);

const haemoglobin = compile({
  unit: 'mmol/L',
  convert: [
    { from: 'g/dL', multiply: 0.62056 },
    { from: 'g/L', multiply: 0.062056 },
  ],
  intervals: [
    { sex: 'female', fromAge: 18, low: 7.3, high: 9.5 },
    { sex: 'male', fromAge: 18, low: 8.3, high: 10.5 },
  ],
});
const creatinine = compile({
  unit: 'umol/L',
  unitOfCode: { NPU17559: 'mmol/L' },
  convert: [
    { from: 'mg/dL', multiply: 88.4 },
    { from: 'mmol/L', multiply: 1000 },
  ],
  intervals: [{ fromAge: 18, low: 45, high: 105 }],
});
const evf = compile({
  unit: '1',
  convert: [
    { from: '1', min: 0, max: 1.5 },
    { from: '%', multiply: 0.01 },
  ],
  intervals: [{ low: 0.35, high: 0.46 }],
});
const inr = compile({ unit: '1', convert: [{ from: '{INR}' }], intervals: [{ low: 0.8, high: 1.2 }] });
const hba1c = compile({
  unit: 'mmol/mol',
  unitOfCode: { '4548-4': '% (NGSP)', '59261-8': '% (IFCC)', '41995-2': 'g/dL' },
  convert: [
    { from: '%', never: true },
    { from: '% (NGSP)', multiply: 10.93, add: -23.5 },
    { from: '% (IFCC)', multiply: 10, max: 4.5 },
    { from: 'g/dL', never: true },
  ],
  intervals: [{ low: 31, high: 44 }],
});
const neutrophils = compile({
  unit: '10*9/L',
  unitOfCode: { NPU03983: '1', '770-8': '%' },
  convert: [
    { from: '10*6/L', multiply: 0.001 },
    { from: '1', never: true },
    { from: '%', never: true },
  ],
  intervals: [{ low: 2, high: 8.8 }],
});
const crp = compile({
  unit: 'mg/L',
  convert: [
    { from: 'mg/dL', multiply: 10 },
    { from: 'nmol/L', multiply: 0.105 },
  ],
  unitOfCode: { NPU01423: 'nmol/L' },
  intervals: [{ below: 8 }],
});
const alat = compile({
  unit: 'U/L',
  convert: [
    { from: '[IU]/L', multiply: 1 },
    { from: 'ukat/L', multiply: 60 },
  ],
  intervals: [
    { sex: 'female', low: 10, high: 45 },
    { sex: 'male', low: 10, high: 70 },
  ],
});
const tsh = compile({ unit: 'm[IU]/L', convert: [{ from: '[IU]/L', multiply: 1000 }] });
const hcg = compile({ unit: '[IU]/L', convert: [{ from: 'k[IU]/L', multiply: 1000 }] });
const egfr = compile({ unit: 'mL/min/{1.73_m2}', intervals: [{ low: 60 }] });
const ferritin = compile({ unit: 'ug/L', convert: [{ from: 'pmol/L', multiply: 0.44504 }] });
const ca125 = compile({
  unit: 'kU/L',
  unitOfCode: { NPU01448: 'p.d.u.' },
  convert: [{ from: 'p.d.u.', never: true }],
  intervals: [{ sex: 'female', below: 35 }],
});
const afp = compile({
  unit: 'ug/L',
  unitOfCode: { NPU02043: 'k[IU]/L' },
  convert: [{ from: 'k[IU]/L', never: true }],
  intervals: [{ below: 10 }],
});
const mComponent = compile({ unit: 'g/L', unitOfCode: { NPU17675: '{0|1}' }, intervals: [{ high: 0 }] });
const serology = compile({});

const ucumUnits = 'http://unitsofmeasure.org';
const npu = (code = 'NPU00000') => ({ system: 'npu', code });
const loinc = (code = '0000-0') => ({ system: 'loinc', code });
type Compiled = ReturnType<typeof compile>;

const readUcum = (analysis: Compiled, value: unknown, code: string, coding = npu()) =>
  said(readQuantity({ valueQuantity: { value, system: ucumUnits, code } }, coding, analysis));
const readUnit = (analysis: Compiled, value: unknown, unit: string, coding = npu()) =>
  said(readQuantity({ valueQuantity: { value, unit } }, coding, analysis));
const readString = (analysis: Compiled, valueString: string, coding = npu()) =>
  said(readQuantity({ valueString }, coding, analysis));

/** The members that go into a reading. */
function said({ sent: _, otherQuantity: __, ...reading }: Quantity) {
  return reading;
}

function judge(
  analysis: Compiled,
  result: Record<string, unknown>,
  patient: { sex?: 'female' | 'male'; age?: number } = { sex: 'female', age: 60 },
  coding = npu(),
) {
  return judgeResult(result, readQuantity(result, coding, analysis), analysis, patient);
}

const mmolPerLitre = (value: number) => ({ value, system: ucumUnits, code: 'mmol/L' });

describe('the spellings of units', () => {
  it.each([
    ['mmol/l', 'mmol/L'],
    ['mmol-l', 'mmol/L'],
    ['mmol per liter', 'mmol/L'],
    ['\u00B5mol/L', 'umol/L'],
    ['\u03BCmol/L', 'umol/L'],
    ['\u00B5mol/l', 'umol/L'],
    ['\u03BCmol-l', 'umol/L'],
    ['micromol/L', 'umol/L'],
    ['mikromol/L', 'umol/L'],
    ['nmol-l', 'nmol/L'],
    ['pmol/l', 'pmol/L'],
    ['g-l', 'g/L'],
    ['g/dl', 'g/dL'],
    ['gm/dL', 'g/dL'],
    ['%|g/dL', 'g/dL'],
    ['mg-l', 'mg/L'],
    ['mg/dl', 'mg/dL'],
    ['\u03BCg-l', 'ug/L'],
    ['ng/mL', 'ug/L'],
    ['ng/ml', 'ug/L'],
    ['mcg/L', 'ug/L'],
    ['mcg/dL', 'ug/dL'],
    ['\u00B5g/dL', 'ug/dL'],
    ['pg/mL', 'ng/L'],
    ['pg/ml', 'ng/L'],
    ['x10^9/L', '10*9/L'],
    ['\u00D7 10^9/L', '10*9/L'],
    ['\u00D7 10E9/L', '10*9/L'],
    ['x 10E9/L', '10*9/L'],
    ['10^9/l', '10*9/L'],
    ['10\u2079/L', '10*9/L'],
    ['x10(9)/L', '10*9/L'],
    ['10e9/L', '10*9/L'],
    ['mia/l', '10*9/L'],
    ['mia-L', '10*9/L'],
    ['x mia/l', '10*9/L'],
    ['10*3/uL', '10*9/L'],
    ['10^3/uL', '10*9/L'],
    ['x10E3/uL', '10*9/L'],
    ['K/uL', '10*9/L'],
    ['K/\u00B5L', '10*9/L'],
    ['k/cumm', '10*9/L'],
    ['thou/uL', '10*9/L'],
    ['\u00D7 10^12/L', '10*12/L'],
    ['x 10E12/L', '10*12/L'],
    ['10*6/uL', '10*12/L'],
    ['m/uL', '10*12/L'],
    ['million/mm3', '10*12/L'],
    ['#/uL', '10*6/L'],
    ['/\u00B5L', '10*6/L'],
    ['/mm3', '10*6/L'],
    ['cells/uL', '10*6/L'],
    ['\u00D7 10E6/L', '10*6/L'],
    ['volfr', '1'],
    ['vol.fr', '1'],
    ['{ratio}', '1'],
    ['\u00D7 10E-3', '10*-3'],
    ['x 10\u207B\u00B3', '10*-3'],
    ['\u2030', '10*-3'],
    ['promille', '10*-3'],
    ['x 10E-6', '10*-6'],
    ['procent', '%'],
    ['pct', '%'],
    ['u/l', 'U/L'],
    ['u-l', 'U/L'],
    ['UNITS/L', 'U/L'],
    ['\u00B5kat/L', 'ukat/L'],
    ['IU/L', '[IU]/L'],
    ['iu/l', '[IU]/L'],
    ['int.enh./l', '[IU]/L'],
    ['mIU/mL', '[IU]/L'],
    ['mU/mL', '[IU]/L'],
    ['m[IU]/mL', '[IU]/L'],
    ['mIU/l', 'm[IU]/L'],
    ['miu/l', 'm[IU]/L'],
    ['\u00D7 10E-3 IU/L', 'm[IU]/L'],
    ['\u00D7 10^-3 IU/L', 'm[IU]/L'],
    ['uIU/mL', 'm[IU]/L'],
    ['uU/ML', 'm[IU]/L'],
    ['\u00B5IU/mL', 'm[IU]/L'],
    ['mcU/mL', 'm[IU]/L'],
    ['\u00D7 10\u00B3 IU/L', 'k[IU]/L'],
    ['x 10E3 IU/L', 'k[IU]/L'],
    ['kIU/L', 'k[IU]/L'],
    ['kiu-l', 'k[IU]/L'],
    ['IU/mL', 'k[IU]/L'],
    ['(U/mL)', 'kU/L'],
    ['x 10\u00B3 U/L', 'kU/L'],
    ['k[U]/L', 'kU/L'],
    ["[arb'U]/mL", 'kU/L'],
    ['fl', 'fL'],
    ['\u00B5m3', 'fL'],
    ['fmol/cell', 'fmol'],
    ['pg/cell', 'pg'],
    ['ug/g', 'mg/kg'],
    ['\u00B5g/g', 'mg/kg'],
    ['mL/min/1,73m2', 'mL/min/{1.73_m2}'],
    ['mL/min/1.73 m\u00B2', 'mL/min/{1.73_m2}'],
    ['ml/min/1.73m^2', 'mL/min/{1.73_m2}'],
    ['INR', '{INR}'],
    ['in', '[in_i]'],
    ['(p.d.e.)', 'p.d.u.'],
    ["[arb'U]", 'p.d.u.'],
    ['arb. enh.', 'p.d.u.'],
    ['arb-enh', 'p.d.u.'],
    ['mEq/L', 'meq/L'],
    ['  g/L ', 'g/L'],
    ['g / L', 'g/L'],
  ])('reads %s as %s', (text, unit) => {
    expect(normaliseUnit(text, spellings)).toBe(unit);
  });

  it.each([
    'G/L',
    'MG/DL',
    'Mmol/L',
    'mM',
    'stk',
    '',
    ' ',
    '?',
    'microglobulin-l',
    '__proto__',
    'constructor',
    'g/L; drop',
  ])('does not guess what "%s" means', (text) => {
    expect(normaliseUnit(text, spellings)).toBeUndefined();
  });

  it('passes on a UCUM unit that is not listed', () => {
    expect(normaliseUnit('mg/mL', spellings)).toBe('mg/mL');
  });

  it.each([
    ['?mol/L', 'umol/L'],
    ['\uFFFDmol/L', 'umol/L'],
    ['?g/L', 'ug/L'],
    ['? 10E9/L', '10*9/L'],
    ['? 10E12/L', '10*12/L'],
    ['? 10E-3', '10*-3'],
    ['? 10E-3 IU/L', 'm[IU]/L'],
    ['? 10? IU/L', 'k[IU]/L'],
    ['\u00D7 10\u00B3 I', 'k[IU]/L'],
    ['x 10? U/L', 'kU/L'],
    ['(', 'ug/L'],
    ['\u00D7', '10*9/L'],
  ])('reads the garbled %s only as the unit the NPU code fixes', (text, unit) => {
    expect(normaliseUnit(text, spellings, unit)).toBe(unit);
    expect(normaliseUnit(text, spellings, 'g/dL')).toBe(text === '(' || text === '\u00D7' ? 'g/dL' : undefined);
    expect(normaliseUnit(text, spellings)).toBeUndefined();
  });

  it('lists as the same unit only what UCUM converts by the factor one', () => {
    const plain = (unit: string) => unit.replace('[IU]', 'U');
    for (const [unit, same] of Object.entries(spellingsData.same)) {
      if (unit === 'p.d.u.') continue;
      for (const spelling of same) {
        const converted = ucum.UcumLhcUtils.getInstance().convertUnitTo(plain(spelling), 1, plain(unit));
        expect([spelling, converted.status, Number(converted.toVal).toFixed(9)]).toEqual([
          spelling,
          'succeeded',
          '1.000000000',
        ]);
      }
    }
  });

  it('refuses a spelling that stands for two units', () => {
    const text = { ...spellingsData.text, 'g/L': ['mmol-l'] };
    expect(() => compileSpellings({ ...spellingsData, text })).toThrow(KnowledgeError);
  });
});

describe('factors between units', () => {
  it.each([
    ['mg/mL', 'g/L', 1],
    ['ug/mL', 'mg/L', 1],
    ['{cells}/uL', '10*9/L', 0.001],
    ['m[IU]/mL', '[IU]/L', 1],
    ['U/L', 'kU/L', 0.001],
    ['mL/s', 'mL/min/{1.73_m2}', 60],
    ['cm', 'mm', 10],
    ['[in_i]', 'mm', 25.4],
    ['mo', 'a', 1 / 12],
    ['umol/mol', 'mmol/mol', 0.001],
  ])('converts %s to %s by %d', (from, to, factor) => {
    expect(findFactor(from, to)).toBeCloseTo(factor, 9);
  });

  it.each([
    ['g/L', 'mmol/L'],
    ['[IU]/L', 'U/L'],
    ['kU/L', 'k[IU]/L'],
    ['ukat/L', 'U/L'],
    ['meq/L', 'mmol/L'],
    ['%', '1'],
    ['%', 'mmol/mol'],
    ['10*-3', 'mmol/mol'],
    ['umol/L', '10*12/L'],
    ["[arb'U]/L", '[IU]/L'],
    ['Cel', '[degF]'],
    ['p.d.u.', 'kU/L'],
    ['constructor', 'g/L'],
    ['g/L', '__proto__'],
  ])('never converts %s to %s', (from, to) => {
    expect(findFactor(from, to)).toBeUndefined();
  });
});

describe('the value of a result', () => {
  it('takes the UCUM code, with or without unit text', () => {
    expect(readUcum(haemoglobin, 8.1, 'mmol/L')).toEqual({ value: 8.1, unit: 'mmol/L' });
    const valueQuantity = { value: 8.1, system: ucumUnits, code: 'mmol/L', unit: 'g/L' };
    expect(said(readQuantity({ valueQuantity }, npu(), haemoglobin))).toEqual({ value: 8.1, unit: 'mmol/L' });
  });

  it('converts haemoglobin in grams to mmol/L', () => {
    expect(readUcum(haemoglobin, 12, 'g/dL', loinc()).value).toBeCloseTo(7.44672, 6);
    expect(readUnit(haemoglobin, 120, 'g/l').value).toBeCloseTo(7.44672, 6);
  });

  it('converts creatinine in mg/dL and mmol/L to µmol/L', () => {
    expect(readUcum(creatinine, 1, 'mg/dL', loinc()).value).toBe(88.4);
    expect(readUnit(creatinine, 0.09, 'mmol/L', npu('NPU17559')).value).toBe(90);
  });

  it('converts a percentage to the fraction, without binary noise', () => {
    expect(readUcum(evf, 46, '%', loinc())).toEqual({ value: 0.46, unit: '1' });
    expect(readUnit(evf, 35.1, 'procent').value).toBe(0.351);
  });

  it('converts units that are not listed where UCUM does and the kind is the same', () => {
    expect(readUcum(haemoglobin, 0.12, 'g/mL', loinc()).value).toBeCloseTo(7.44672, 6);
    expect(readUcum(ferritin, 0.05, 'mg/L').value).toBe(50);
    expect(readUcum(ferritin, 0.1, 'nmol/L').value).toBeCloseTo(44.504, 6);
    expect(readUcum(neutrophils, 4500, '{cells}/uL').value).toBe(4.5);
    expect(readUcum(hcg, 3, 'u[IU]/mL').value).toBe(0.003);
  });

  it('never converts between kinds', () => {
    expect(readUcum(alat, 30, 'umol/L')).toEqual({});
    expect(readUcum(tsh, 2, 'U/L')).toEqual({});
    expect(readUcum(neutrophils, 4.5, 'mmol/L', loinc('751-8'))).toEqual({});
    expect(readUcum(inr, 70, '%')).toEqual({});
    expect(readUcum(compile({ unit: 'ug/L' }), 5, 'nmol/L')).toEqual({});
  });

  it('converts enzymes and arbitrary units as their table says', () => {
    expect(readUnit(alat, 40, 'IU/L', loinc()).value).toBe(40);
    expect(readUcum(alat, 0.5, 'ukat/L').value).toBe(30);
    expect(readUnit(tsh, 2.5, '\u00B5IU/mL', loinc()).value).toBe(2.5);
    expect(readUnit(tsh, 2.5, '\u00D7 10\u207B\u00B3 IU/L').value).toBe(2.5);
    expect(readUnit(hcg, 2, 'IU/mL', loinc()).value).toBe(2000);
    expect(readUcum(hcg, 5, 'm[IU]/mL', loinc()).value).toBe(5);
  });

  it('understands text stamped as UCUM where UCUM leads nowhere', () => {
    expect(readUcum(alat, 40, 'IU/L', loinc()).value).toBe(40);
    expect(readUcum(compile({ unit: '10*12/L' }), 4.5, 'm/uL', loinc()).value).toBe(4.5);
  });

  it('tries the code of another system before the unit text', () => {
    const system = 'https://kip.rkkp.dk/fhir/CodeSystem/MaaleEnheder';
    const inUnits = (code: string, unit?: string) =>
      said(readQuantity({ valueQuantity: { value: 85, system, code, unit } }, npu(), creatinine)).value;
    expect(inUnits('\u03BCmol-l')).toBe(85);
    expect(inUnits('17', '\u00B5mol/L')).toBe(85);
    expect(inUnits('mg-l', '\u00B5mol/L')).toBe(751.4);
  });

  it('lets an NPU code fix the unit where none was sent, with the unit of that very code', () => {
    const valueQuantity = { value: 0.09 };
    expect(said(readQuantity({ valueQuantity }, npu('NPU17559'), creatinine)).value).toBe(90);
    expect(said(readQuantity({ valueQuantity: { value: 90, unit: '' } }, npu(), creatinine)).value).toBe(90);
    expect(said(readQuantity({ valueInteger: 90 }, npu(), creatinine)).value).toBe(90);
    expect(said(readQuantity({ valueQuantity: { value: 100 } }, npu('NPU01423'), crp)).value).toBe(10.5);
  });

  it('gives no value without unit under LOINC, except for ratios', () => {
    expect(said(readQuantity({ valueQuantity: { value: 90 } }, loinc(), creatinine))).toEqual({});
    expect(said(readQuantity({ valueQuantity: { value: 1.1 } }, loinc(), inr)).value).toBe(1.1);
    expect(said(readQuantity({ valueQuantity: { value: 0.41 } }, loinc(), evf)).value).toBe(0.41);
  });

  it('gives no value where a number without unit is too large for a fraction', () => {
    expect(said(readQuantity({ valueQuantity: { value: 41 } }, loinc(), evf))).toEqual({});
    expect(said(readQuantity({ valueQuantity: { value: 41 } }, npu(), evf))).toEqual({});
    expect(readUcum(evf, 41, '1')).toEqual({});
  });

  it('reads garbled units only with the NPU code of that unit', () => {
    expect(readUnit(creatinine, 85, '?mol/L').value).toBe(85);
    expect(readUnit(creatinine, 85, '?mol/L', loinc())).toEqual({});
    expect(readUnit(creatinine, 85, '?mol/L', npu('NPU17559'))).toEqual({});
    expect(readUnit(neutrophils, 4.5, '? 10E9/L').value).toBe(4.5);
    expect(readUnit(neutrophils, 4.5, '\u00D7').value).toBe(4.5);
  });

  it('tells NGSP from IFCC percentages by the code', () => {
    expect(readUcum(hba1c, 6.5, '%', loinc('4548-4')).value).toBeCloseTo(47.545, 6);
    expect(readUcum(hba1c, 4.2, '%', loinc('59261-8')).value).toBe(42);
    expect(readUcum(hba1c, 6.5, '%', loinc('59261-8'))).toEqual({});
    expect(readUcum(hba1c, 6.5, '%', npu())).toEqual({});
    expect(readUcum(hba1c, 1, 'g/dL', loinc('41995-2'))).toEqual({});
    expect(readUcum(hba1c, 48, 'mmol/mol', loinc('59261-8')).value).toBe(48);
  });

  it('gives a share of the cells neither value nor judgement', () => {
    for (const [coding, valueQuantity] of [
      [npu('NPU03983'), { value: 0.6 }],
      [npu('NPU03983'), { value: 4.5, system: ucumUnits, code: '10*9/L' }],
      [loinc('770-8'), { value: 80, unit: '%' }],
      [loinc('751-8'), { value: 80, unit: '%' }],
    ] as const) {
      const result = { valueQuantity, interpretation: 'H', referenceRange: { high: { value: 0.1 } } };
      expect(said(readQuantity(result, coding, neutrophils))).toEqual({});
      expect(judge(neutrophils, result, {}, coding)).toEqual({});
    }
  });

  it('takes a real unit sent with a code whose unit is procedure-defined', () => {
    expect(readUnit(ca125, 60, 'U/mL', npu('NPU01448')).value).toBe(60);
    expect(said(readQuantity({ valueQuantity: { value: 60 } }, npu('NPU01448'), ca125))).toEqual({});
  });

  it('reads 0 and 1 as the answer where the code asks for presence', () => {
    expect(said(readQuantity({ valueInteger: 1 }, npu('NPU17675'), mComponent))).toEqual({ positive: true });
    expect(readUcum(mComponent, 0, '1', npu('NPU17675'))).toEqual({ positive: false });
    expect(readUnit(mComponent, 1, 'g/L', npu('NPU17675'))).toEqual({});
    expect(said(readQuantity({ valueInteger: 7 }, npu('NPU17675'), mComponent))).toEqual({});
    expect(judge(mComponent, { valueString: '1' }, {}, npu('NPU17675'))).toEqual({ abnormal: 'yes' });
  });

  it('keeps the comparator and whether it excludes the number', () => {
    const read = (comparator: string) =>
      said(
        readQuantity({ valueQuantity: { value: 12, comparator, system: ucumUnits, code: 'g/dL' } }, npu(), haemoglobin),
      );
    expect(read('<')).toEqual({ atMost: expect.closeTo(7.44672, 6), open: true, unit: 'mmol/L' });
    expect(read('<=')).toEqual({ atMost: expect.closeTo(7.44672, 6), unit: 'mmol/L' });
    expect(read('>')).toEqual({ atLeast: expect.closeTo(7.44672, 6), open: true, unit: 'mmol/L' });
    expect(read('>=')).toEqual({ atLeast: expect.closeTo(7.44672, 6), unit: 'mmol/L' });
    expect(read('ad')).toEqual({});
    expect(read('__proto__')).toEqual({});
  });

  it('gives no end to a comparator result of another quantity or an implausible one', () => {
    const valueQuantity = { value: 40, comparator: '>', code: '1', system: ucumUnits };
    expect(said(readQuantity({ valueQuantity }, npu(), evf))).toEqual({});
  });

  it.each([
    ['>90', { atLeast: 90, open: true, unit: 'mL/min/{1.73_m2}' }],
    ['> 90 mL/min/1,73m2', { atLeast: 90, open: true, unit: 'mL/min/{1.73_m2}' }],
    ['\u2265 90', { atLeast: 90, unit: 'mL/min/{1.73_m2}' }],
    ['87,5', { value: 87.5, unit: 'mL/min/{1.73_m2}' }],
    [' 87.5 ', { value: 87.5, unit: 'mL/min/{1.73_m2}' }],
    ['<5', { atMost: 5, open: true, unit: 'mL/min/{1.73_m2}' }],
  ])('reads the text %s', (text, expected) => {
    expect(readString(egfr, text)).toEqual(expected);
    expect(said(readQuantity({ valueCodeableConcept: { text } }, npu(), egfr))).toEqual(expected);
  });

  it.each([
    '1:320',
    '1+',
    '5-10',
    '1.2.3',
    '-5',
    '1e5',
    '5 stk',
    '0x10',
    'NaN',
    '<',
    '<0',
    'ca. 5',
    '12 34',
    '',
    '9'.repeat(400),
  ])('takes "%s" for no number', (text) => {
    expect(readQuantity({ valueString: text }, npu(), egfr)).toEqual({});
  });

  it.each([
    ['positiv', true],
    ['POS', true],
    ['Påvist', true],
    ['neg', false],
    ['Negativ ', false],
    ['ikke påvist', false],
    ['måske', undefined],
  ])('reads the answer %s', (text, positive) => {
    expect(readString(serology, text).positive).toBe(positive);
    expect(said(readQuantity({ valueCodeableConcept: { text } }, npu(), serology)).positive).toBe(positive);
  });

  it.each([
    ['http://snomed.info/sct', '10828004', true],
    ['http://snomed.info/sct/554471000005108/version/20250331', '260373001', true],
    ['http://snomed.info/sct|2025', '52101004', true],
    ['http://snomed.info/sct', '260415000', false],
    ['http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation', 'NEG', false],
    ['http://snomed.info/sct', '82334004', undefined],
    ['urn:local', '10828004', undefined],
    [undefined, '10828004', undefined],
    ['http://snomed.info/sct', '__proto__', undefined],
  ])('reads the coded answer %s %s', (system, code, positive) => {
    const result = { valueCodeableConcept: { coding: [{ system, code }] } };
    expect(said(readQuantity(result, npu(), serology)).positive).toBe(positive);
  });

  it('takes codes that contradict each other for no answer', () => {
    const coding = ['10828004', '260385009'].map((code) => ({ system: 'http://snomed.info/sct', code }));
    expect(readQuantity({ valueCodeableConcept: { coding } }, npu(), serology)).toEqual({});
  });

  it('reads a boolean', () => {
    expect(said(readQuantity({ valueBoolean: false }, npu(), serology))).toEqual({ positive: false });
  });

  it('reads a decimal that a converter left as text', () => {
    expect(readUcum(haemoglobin, '8.1', 'mmol/L').value).toBe(8.1);
    expect(readUcum(haemoglobin, '<8.1', 'mmol/L')).toEqual({ atMost: 8.1, open: true, unit: 'mmol/L' });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, 1e308, null, true, [8], { value: 8 }, '8 or 9', '__proto__'])(
    'gives no value for the number %s',
    (value) => {
      expect(readUcum(creatinine, value, 'mmol/L')).toEqual({});
    },
  );

  it('keeps nothing of a unit that is hostile', () => {
    for (const unit of [
      '__proto__',
      'x'.repeat(100_000),
      '('.repeat(50),
      '10*9'.repeat(10),
      '{'.repeat(50),
      '//////',
    ]) {
      expect(readUnit(creatinine, 85, unit)).toEqual({});
      expect(readUcum(creatinine, 85, unit)).toEqual({});
    }
    expect(said(readQuantity({ valueQuantity: { value: 85, unit: { a: 1 }, code: 7 } }, loinc(), creatinine))).toEqual(
      {},
    );
  });

  it('reads on after thousands of different units', () => {
    for (let n = 0; n < 3000; n++) readUnit(creatinine, 85, `unit${n}`);
    expect(readUnit(creatinine, 1, 'mg/dl').value).toBe(88.4);
    expect(creatinine.npuUnits.get('')?.seenTexts.size).toBeLessThan(100);
  });

  it('never throws and never gives a value that is not a number above or at zero', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('value', 'comparator', 'unit', 'system', 'code'), fc.jsonValue()),
        (q) => {
          const result = {
            valueQuantity: q,
            interpretation: q.code,
            referenceRange: [q.unit, { low: q, high: q.value }],
          };
          const quantity = readQuantity(result, npu(), creatinine);
          judgeResult(result, quantity, creatinine, {});
          for (const number of [quantity.value, quantity.atLeast, quantity.atMost]) {
            expect(number === undefined || (Number.isFinite(number) && number >= 0)).toBe(true);
          }
        },
      ),
    );
  });
});

describe('judging by interpretation', () => {
  const coded = (code: string, system?: string) => [{ coding: [{ system, code }] }];
  const v3 = 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation';

  it.each([
    ['H', 'high'],
    ['HH', 'high'],
    ['HU', 'high'],
    ['L', 'low'],
    ['LL', 'low'],
    ['LU', 'low'],
    ['N', 'no'],
  ] as const)('follows %s, whatever the range says', (code, abnormal) => {
    for (const value of [5, 8, 20]) {
      const result = { valueQuantity: mmolPerLitre(value), interpretation: coded(code, v3) };
      expect(judge(haemoglobin, result)).toMatchObject({ abnormal, flag: code });
    }
  });

  it('takes the direction of A and AA from the value, else leaves it open', () => {
    const of = (value: number, code: string) =>
      judge(haemoglobin, { valueQuantity: mmolPerLitre(value), interpretation: coded(code, v3) });
    expect(of(5, 'A')).toMatchObject({ abnormal: 'low', flag: 'A' });
    expect(of(12, 'AA')).toMatchObject({ abnormal: 'high', flag: 'AA' });
    expect(of(8, 'A')).toEqual({ abnormal: 'yes', flag: 'A' });
    expect(judge(haemoglobin, { valueString: 'se svar', interpretation: coded('A', v3) }).abnormal).toBe('yes');
  });

  it('says how far outside the result is where value and interpretation agree', () => {
    const result = { valueQuantity: mmolPerLitre(6.2), interpretation: coded('L', v3) };
    expect(judge(haemoglobin, result)).toEqual({ abnormal: 'low', flag: 'L', outsideBy: expect.closeTo(0.5, 9) });
    expect(judge(haemoglobin, { ...result, interpretation: coded('H', v3) })).toEqual({ abnormal: 'high', flag: 'H' });
  });

  it('reads positive and negative', () => {
    expect(judge(serology, { valueString: '-', interpretation: coded('POS', v3) })).toEqual({
      abnormal: 'yes',
      flag: 'POS',
      positive: true,
    });
    for (const code of ['NEG', 'ND', 'NR']) {
      expect(judge(serology, { interpretation: coded(code, v3) })).toEqual({
        abnormal: 'no',
        flag: code,
        positive: false,
      });
    }
    expect(judge(serology, { valueString: 'negativ', interpretation: coded('POS', v3) }).abnormal).toBeUndefined();
    expect(judge(serology, { valueString: 'positiv' })).toEqual({ abnormal: 'yes' });
    expect(judge(serology, { valueString: 'negativ' })).toEqual({ abnormal: 'no' });
  });

  it.each(['NI', 'null', 'U', 'S', 'high', '__proto__', 'constructor', 'n'])(
    'takes %s for no interpretation',
    (code) => {
      const result = { valueQuantity: mmolPerLitre(5), interpretation: coded(code) };
      expect(judge(haemoglobin, result)).toEqual({ abnormal: 'low', outsideBy: expect.closeTo(2.3 / 2.2, 9) });
    },
  );

  it.each(['IND', 'E', 'IE', 'QCF', 'HM'])('leaves open what %s leaves open', (code) => {
    expect(judge(haemoglobin, { valueQuantity: mmolPerLitre(5), interpretation: coded(code, v3) })).toEqual({
      flag: code,
    });
  });

  it('ignores codes of other systems', () => {
    const system = 'http://medcomfhir.dk/ig/terminology/CodeSystem/medcom-core-interpretation-codes';
    const result = { valueQuantity: mmolPerLitre(8), interpretation: coded('H', system) };
    expect(judge(haemoglobin, result)).toEqual({ abnormal: 'no' });
  });

  it.each([
    ['an object', { coding: { system: v3, code: 'H' } }],
    ['a bare code', 'H'],
    ['an array of bare codes', ['H']],
    ['text', [{ text: 'H' }]],
    ['a versioned system', [{ coding: [{ system: `${v3}|4.0.0`, code: 'H' }] }]],
    ['the v2 table', coded('H', 'http://terminology.hl7.org/CodeSystem/v2-0078')],
    ['the old URI', coded('H', 'http://hl7.org/fhir/v2/0078')],
  ])('reads %s', (_, interpretation) => {
    expect(judge(haemoglobin, { valueQuantity: mmolPerLitre(8), interpretation }).abnormal).toBe('high');
  });

  it('joins several codes, and leaves open what they contradict', () => {
    const of = (...codes: string[]) => judge(haemoglobin, { valueQuantity: mmolPerLitre(8), interpretation: codes });
    expect(of('A', 'H')).toEqual({ abnormal: 'high', flag: 'H' });
    expect(of('H', 'HH')).toEqual({ abnormal: 'high', flag: 'HH' });
    expect(of('H', 'L').abnormal).toBeUndefined();
    expect(of('N', 'H').abnormal).toBeUndefined();
  });
});

describe('judging by the reference range sent', () => {
  const ranged = (value: number, ...referenceRange: unknown[]) =>
    judge(haemoglobin, { valueQuantity: mmolPerLitre(value), referenceRange }).abnormal;
  const limits = (low?: number, high?: number) => ({
    low: low === undefined ? undefined : mmolPerLitre(low),
    high: high === undefined ? undefined : mmolPerLitre(high),
  });

  it('prefers it to the interval of the analysis', () => {
    expect(ranged(7, limits(6.5, 9))).toBe('no');
    expect(ranged(7)).toBe('low');
  });

  it('includes both bounds', () => {
    expect(ranged(7, limits(7, 9))).toBe('no');
    expect(ranged(9, limits(7, 9))).toBe('no');
    expect(ranged(9.01, limits(7, 9))).toBe('high');
    expect(ranged(6.99, limits(7))).toBe('low');
    expect(ranged(99, limits(7))).toBe('no');
  });

  it('compares in the unit sent, before any conversion', () => {
    const result = {
      valueQuantity: { value: 11.9, unit: 'g/dL' },
      referenceRange: [{ low: { value: 12 }, high: { value: 16, unit: 'g/dL' } }],
    };
    expect(judge(haemoglobin, result)).toEqual({ abnormal: 'low', outsideBy: expect.closeTo(0.1 / 4, 9) });
  });

  it('converts limits that have another unit than the result', () => {
    const referenceRange = [{ low: { value: 12, unit: 'g/dL' }, high: { value: 16, unit: 'g/dL' } }];
    expect(judge(haemoglobin, { valueQuantity: mmolPerLitre(7), referenceRange }).abnormal).toBe('low');
    expect(judge(haemoglobin, { valueQuantity: mmolPerLitre(8), referenceRange }).abnormal).toBe('no');
    const unknown = [{ low: { value: 12, unit: 'foo' } }];
    expect(judge(haemoglobin, { valueQuantity: mmolPerLitre(7), referenceRange: unknown })).toEqual({});
  });

  it('judges units it cannot convert, if the range is in the same one', () => {
    const of = (
      coding: { system: string; code: string },
      analysis: Compiled,
      unit: string | undefined,
      value: number,
    ) =>
      judge(analysis, { valueQuantity: { value, unit }, referenceRange: [{ high: { value: 35, unit } }] }, {}, coding)
        .abnormal;
    expect(of(npu('NPU01448'), ca125, '(p.d.e.)', 60)).toBe('high');
    expect(of(npu('NPU01448'), ca125, undefined, 20)).toBe('no');
    expect(of(npu('NPU02043'), afp, 'x 10E3 IU/L', 60)).toBe('high');
    expect(of(loinc(), creatinine, undefined, 60)).toBe('high');
    expect(of(loinc(), creatinine, 'stk', 60)).toBe('high');
  });

  it('does not judge procedure-defined units by the interval of the analysis', () => {
    expect(judge(ca125, { valueQuantity: { value: 60 } }, { sex: 'female', age: 50 }, npu('NPU01448'))).toEqual({});
  });

  it.each([
    ['7,0-9,0', 9, 'no'],
    ['7.0 \u2013 9.0', 9.1, 'high'],
    ['7,0-9,0 mmol/L', 6.9, 'low'],
    ['< 8', 8, 'high'],
    ['<8', 7.9, 'no'],
    ['<=8', 8, 'no'],
    ['> 7', 7, 'low'],
    ['\u2265 7', 7, 'no'],
    ['se vejledning', 5, undefined],
    ['7-9 (voksne)', 5, undefined],
    ['9-7', 5, undefined],
    ['<8 stk', 5, undefined],
    ['7', 5, undefined],
  ])('reads the text %s for %d', (text, value, abnormal) => {
    expect(ranged(value, { text })).toBe(abnormal);
  });

  it('lets the text say that a bound is excluded', () => {
    expect(ranged(8, { high: mmolPerLitre(8), text: '<8' })).toBe('high');
    expect(ranged(8, { high: mmolPerLitre(8), text: '<9' })).toBe('no');
    expect(ranged(8, { high: { ...mmolPerLitre(8), comparator: '<' } })).toBe('high');
  });

  it('does not judge by a range it cannot read, not even by the interval', () => {
    expect(ranged(5, { low: { value: '7' }, high: mmolPerLitre(9) })).toBeUndefined();
    expect(ranged(5, limits(9, 7))).toBeUndefined();
    expect(ranged(5, { low: 7, high: 9 })).toBeUndefined();
    expect(ranged(5, { low: {}, high: null })).toBeUndefined();
    expect(ranged(5, { high: { value: Number.NaN } })).toBeUndefined();
    expect(ranged(5, { high: { ...mmolPerLitre(8), comparator: '>' } })).toBeUndefined();
  });

  it.each([[{}], [null], ['7-9'], [7], [{ text: ' ' }], [[]]])('takes %j for no range', (range) => {
    expect(ranged(5, range)).toBe('low');
  });

  it('takes null for what is absent', () => {
    const range = { ...limits(6.5, 9), type: null, appliesTo: null, age: null, text: null };
    expect(ranged(7, range)).toBe('no');
    expect(judge(haemoglobin, { valueQuantity: mmolPerLitre(7), referenceRange: null, interpretation: null })).toEqual(
      judge(haemoglobin, { valueQuantity: mmolPerLitre(7) }),
    );
  });

  it('takes one object for an array', () => {
    const result = { valueQuantity: mmolPerLitre(7), referenceRange: limits(6.5, 9) };
    expect(judge(haemoglobin, result).abnormal).toBe('no');
  });

  it('takes only ranges for normal people', () => {
    const typed = (code: string) => ({ ...limits(4, 5), type: { coding: [{ code }] } });
    expect(ranged(8, typed('therapeutic'), typed('treatment'))).toBe('no');
    expect(ranged(8, typed('therapeutic'), limits(9, 10))).toBe('low');
    expect(ranged(8, typed('normal'))).toBe('high');
    expect(ranged(8, { ...limits(4, 5), type: { text: 'efter indgreb' } })).toBeUndefined();
  });

  describe('with several ranges', () => {
    const sct = (code: string) => [{ coding: [{ system: 'http://snomed.info/sct', code }] }];
    const women = { ...limits(7, 9), appliesTo: sct('248152002') };
    const men = { ...limits(8, 10), appliesTo: sct('248153007') };
    const pregnant = { ...limits(6, 8), appliesTo: sct('77386006') };
    const of = (value: number, patient: { sex?: 'female' | 'male'; age?: number }, ...referenceRange: unknown[]) =>
      judge(haemoglobin, { valueQuantity: mmolPerLitre(value), referenceRange }, patient).abnormal;

    it('takes the one for the sex of the patient', () => {
      expect(of(7.5, { sex: 'female' }, women, men)).toBe('no');
      expect(of(7.5, { sex: 'male' }, women, men)).toBe('low');
      expect(of(7.5, { sex: 'male' }, women)).toBeUndefined();
      expect(of(7.5, { sex: 'male' }, { ...limits(8, 10), appliesTo: [{ text: 'Mænd' }] })).toBe('low');
    });

    it('judges an unknown sex only where both agree', () => {
      expect(of(7.5, {}, women, men)).toBeUndefined();
      expect(of(6, {}, women, men)).toBe('low');
    });

    it('takes the one for the age of the patient', () => {
      const young = { ...limits(7, 9), age: { low: { value: 18, code: 'a' }, high: { value: 59, code: 'a' } } };
      const old = { ...limits(6, 8), age: { low: { value: 720, code: 'mo' } } };
      expect(of(6.5, { age: 40 }, young, old)).toBe('low');
      expect(of(6.5, { age: 70 }, young, old)).toBe('no');
      expect(of(6.5, {}, young, old)).toBeUndefined();
      expect(of(6.5, { age: 10 }, young, old)).toBeUndefined();
      expect(of(6.5, { age: 40 }, { ...limits(7, 9), age: { low: { value: 18, unit: 'somre' } } })).toBeUndefined();
    });

    it('judges where a group it cannot check would not change the answer', () => {
      expect(of(8.5, { sex: 'female' }, women, pregnant)).toBeUndefined();
      expect(of(5, { sex: 'female' }, women, pregnant)).toBe('low');
      expect(of(5, { sex: 'female' }, pregnant)).toBeUndefined();
    });
  });
});

describe('judging by the intervals of the analysis', () => {
  it('takes the interval of sex and age', () => {
    const of = (sex: 'female' | 'male', age: number) =>
      judge(haemoglobin, { valueQuantity: mmolPerLitre(8) }, { sex, age }).abnormal;
    expect(of('female', 40)).toBe('no');
    expect(of('male', 40)).toBe('low');
    expect(of('male', 12)).toBeUndefined();
  });

  it('judges an unknown sex or age only where every interval agrees', () => {
    const of = (value: number, patient = {}) =>
      judge(haemoglobin, { valueQuantity: mmolPerLitre(value) }, patient).abnormal;
    expect(of(8)).toBeUndefined();
    expect(of(6)).toBe('low');
    expect(of(9)).toBe('no');
    expect(of(8, { age: 12 })).toBeUndefined();
  });

  it('does not judge a sex for which there is none', () => {
    expect(judge(ca125, { valueQuantity: { value: 60, unit: 'kU/L' } }, { sex: 'male', age: 50 })).toEqual({});
  });

  it('counts an excluded bound as abnormal, an included one as normal', () => {
    const of = (value: number) => judge(crp, { valueQuantity: { value, unit: 'mg/L' } }).abnormal;
    expect(of(8)).toBe('high');
    expect(of(7.9)).toBe('no');
    const folate = compile({ unit: 'nmol/L', intervals: [{ above: 9 }] });
    expect(judge(folate, { valueQuantity: { value: 9, unit: 'nmol/L' } }).abnormal).toBe('low');
    expect(judge(haemoglobin, { valueQuantity: mmolPerLitre(7.3) }).abnormal).toBe('no');
  });

  it('compares after conversion, where a value on the bound stays on it', () => {
    expect(judge(evf, { valueQuantity: { value: 46, unit: '%' } }).abnormal).toBe('no');
    expect(judge(crp, { valueQuantity: { value: 0.8, unit: 'mg/dL' } }).abnormal).toBe('high');
  });

  it('measures how far outside by the width, or by the limit', () => {
    expect(judge(haemoglobin, { valueQuantity: mmolPerLitre(10.6) }).outsideBy).toBeCloseTo(0.5, 9);
    expect(judge(crp, { valueQuantity: { value: 10, unit: 'mg/L' } }).outsideBy).toBeCloseTo(0.25, 9);
    expect(judge(crp, { valueQuantity: { value: 8, unit: 'mg/L' } }).outsideBy).toBe(0);
    expect(judge(mComponent, { valueQuantity: { value: 2, unit: 'g/L' } })).toEqual({ abnormal: 'high' });
    expect(judge(haemoglobin, { valueQuantity: mmolPerLitre(6) }, { age: 50 }).outsideBy).toBeCloseTo(1.3 / 2.2, 9);
  });

  it.each([
    ['<8', 'no'],
    ['<=8', undefined],
    ['<9', undefined],
    ['<4', 'no'],
    ['>8', 'high'],
    ['>=8', 'high'],
    ['>7', undefined],
  ])('judges the comparator %s against an upper bound that is excluded', (text, abnormal) => {
    expect(judge(crp, { valueString: text }).abnormal).toBe(abnormal);
  });

  it.each([
    ['<10', 'low'],
    ['<=10', undefined],
    ['<5', 'low'],
    ['>45', 'high'],
    ['>=45', undefined],
    ['>20', undefined],
  ])('judges the comparator %s against an interval that includes its bounds', (text, abnormal) => {
    expect(judge(alat, { valueString: text }).abnormal).toBe(abnormal);
  });

  it('judges a comparator against the range sent, where nothing is below zero', () => {
    const referenceRange = [{ low: { value: 0 }, high: { value: 5 } }];
    expect(judge(crp, { valueString: '<4', referenceRange }).abnormal).toBe('no');
    expect(judge(egfr, { valueString: '>90' }).abnormal).toBe('no');
    expect(judge(egfr, { valueString: '>90', referenceRange: [{ text: '>90' }] }).abnormal).toBe('no');
  });

  it('measures a comparator result by the least it can be', () => {
    expect(judge(crp, { valueString: '>10' }).outsideBy).toBeCloseTo(0.25, 9);
  });

  it('does not judge a negative number, which some systems write for none', () => {
    const result = { valueQuantity: mmolPerLitre(-1), referenceRange: [{ low: mmolPerLitre(7) }] };
    expect(judge(haemoglobin, result)).toEqual({});
  });

  it('does not judge a result without a value', () => {
    expect(judge(haemoglobin, { valueString: 'hæmolyse' })).toEqual({});
    expect(judge(haemoglobin, {})).toEqual({});
  });
});
