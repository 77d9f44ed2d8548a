import { describe, expect, it } from 'vitest';
import {
  chartOf,
  condition,
  daysBefore,
  icpc,
  observation,
  readingsOf,
  report,
  sct,
  sks,
  sksDiagnosis,
  study,
  subject,
} from './chart-fixture.ts';

const findings = (...resources: object[]) => readingsOf('finding', resources);
const conditions = (...resources: object[]) => readingsOf('condition', resources);
const imagingReport = (members: object) => report({ imagingStudy: [{ reference: 'ImagingStudy/s1' }], ...members });
const onStudy = { derivedFrom: [{ reference: 'ImagingStudy/s1' }] };
const status = (code: string) => ({ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition', code }] });

describe('conditions', () => {
  const malaise = { code: icpc('A05') };

  it('are read as condition and, while active, as finding of the problem list', () => {
    const members = { clinicalStatus: status('active'), onsetDateTime: daysBefore(40) };
    const shared = { concept: 'general-malaise', exact: true, reference: 'Condition/c1', system: 'icpc2', code: 'A05' };
    expect(chartOf([condition({ ...malaise, ...members })]).readings).toMatchObject([
      { ...shared, kind: 'condition', status: 'active', statusGiven: true, daysAgo: 10, onsetDaysAgo: 40 },
      { ...shared, kind: 'finding', status: 'final', origin: 'problem-list', daysAgo: 10, onsetDaysAgo: 40 },
    ]);
  });

  it.each([
    ['active', 'active'],
    ['recurrence', 'active'],
    ['relapse', 'active'],
    ['inactive', 'inactive'],
    ['remission', 'inactive'],
    ['resolved', 'inactive'],
  ])('with clinical status %s are %s', (code, expected) => {
    const resource = condition({ ...malaise, clinicalStatus: status(code) });
    expect(conditions(resource)).toMatchObject([{ status: expected, statusGiven: true }]);
    expect(findings(resource)).toHaveLength(expected === 'active' ? 1 : 0);
  });

  it.each([
    [{}, 'active', false],
    [{ category: [sct('15240007')] }, 'active', true],
    [{ category: [sct('723506003')] }, 'inactive', true],
    [{ abatementDateTime: daysBefore(3) }, 'inactive', true],
    [{ abatementDateTime: '2024' }, 'inactive', true],
    [{ abatementString: 'i foråret' }, 'inactive', true],
    [{ abatementDateTime: daysBefore(-3) }, 'active', false],
    [
      { extension: [{ url: 'http://hl7.dk/fhir/core/StructureDefinition/NotFollowedAnymore', valueDateTime: '2026' }] },
      'inactive',
      true,
    ],
    [{ clinicalStatus: { coding: [{ code: 'made-up' }] } }, 'active', false],
  ])('without clinical status but %j are %s', (members, expected, statusGiven) => {
    expect(conditions(condition({ ...malaise, ...members }))).toMatchObject([{ status: expected, statusGiven }]);
  });

  it.each(['refuted', 'entered-in-error'])('that are %s are nothing', (code) => {
    expect(chartOf([condition({ ...malaise, verificationStatus: status(code) })]).readings).toEqual([]);
  });

  it.each([
    ['unconfirmed', 'suspected'],
    ['provisional', 'suspected'],
    ['differential', 'suspected'],
    ['confirmed', 'confirmed'],
  ])('that are %s count as %s', (code, certainty) => {
    expect(conditions(condition({ ...malaise, verificationStatus: status(code) }))).toMatchObject([{ certainty }]);
  });

  it('with an "observation for" code are suspected, with the code of the disease confirmed', () => {
    expect(conditions(condition({ code: sksDiagnosis('DZ031B') }))).toMatchObject([
      { concept: 'lung-cancer', certainty: 'suspected' },
    ]);
    expect(conditions(condition({ code: sksDiagnosis('DC349') }))).toMatchObject([
      { concept: 'lung-cancer', certainty: 'confirmed' },
    ]);
  });

  it('with two codings of one concept are one, by the exact code', () => {
    const code = { coding: [...icpc('R84').coding, ...sksDiagnosis('DC349').coding] };
    expect(conditions(condition({ code }))).toMatchObject([{ concept: 'lung-cancer', exact: true, code: 'DC349' }]);
  });

  it('with a broader code alone are not exact, and imply no site', () => {
    expect(conditions(condition({ code: icpc('R84') }))).toMatchObject([{ exact: false, sites: [] }]);
  });

  it.each([
    [{ onsetPeriod: { start: daysBefore(30) } }, { onsetDaysAgo: 30, daysAgo: 10 }],
    [
      { recordedDate: undefined, onsetDateTime: daysBefore(30) },
      { onsetDaysAgo: 30, daysAgo: 30 },
    ],
  ])('are dated by %j', (members, expected) => {
    expect(conditions(condition({ ...malaise, ...members }))).toMatchObject([expected]);
  });

  it('without recorded onset have none', () => {
    expect(
      conditions(condition({ ...malaise, onsetDateTime: '2026', onsetString: 'i foråret' }))[0],
    ).not.toHaveProperty('onsetDaysAgo');
  });
});

describe('sites', () => {
  const node = (bodySite: unknown) => findings(condition({ code: sct('274744005'), bodySite }));

  it('come from the body site, with the regions it lies in', () => {
    expect(node([sct('76838003')])).toMatchObject([{ sites: ['supraclavicular', 'head-neck'] }]);
  });

  it('come from an exact code where there is no body site, or one that is not understood', () => {
    const lesion = { code: sct('94381002') };
    expect(findings(condition(lesion))).toMatchObject([{ sites: ['liver', 'abdomen'] }]);
    expect(findings(condition({ ...lesion, bodySite: sct('71133005') }))).toMatchObject([
      { sites: ['liver', 'abdomen'] },
    ]);
  });

  it('are unknown, not elsewhere, where neither says', () => {
    expect(node(undefined)).toMatchObject([{ sites: [] }]);
    expect(node(sct('71341001'))).toMatchObject([{ sites: [] }]);
    expect(node({ text: 'Venstre armhule' })).toMatchObject([{ sites: [] }]);
  });

  it('have a side when a second coding says so', () => {
    expect(node(sct('68171009', ...sct('7771000').coding))).toMatchObject([{ sites: ['axilla'], side: 'left' }]);
    expect(node([sct('68171009', ...sct('7771000').coding), sct('68171009', ...sct('24028007').coding)])).toMatchObject(
      [{ side: 'both' }],
    );
    expect(node(sct('68171009'))[0]).not.toHaveProperty('side');
  });

  it('come from the study only where it images one organ', () => {
    const mass = observation({ code: sct('126952004'), ...onStudy });
    expect(findings(mass, study({ procedureCode: [sks('UXCA00')] }))).toMatchObject([{ sites: ['brain'] }]);
    expect(findings(mass, study({ procedureCode: [sks('UXCC00')] }))).toMatchObject([{ sites: [] }]);
  });
});

describe('findings of imaging', () => {
  it('stand in the coded conclusion of a report', () => {
    const readings = findings(
      imagingReport({ conclusionCode: [sct('94381002')] }),
      study({ procedureCode: [sct('418023006')] }),
    );
    expect(readings).toMatchObject([
      {
        concept: 'metastasis-liver',
        origin: 'imaging',
        status: 'final',
        certainty: 'confirmed',
        study: 'ImagingStudy/s1',
        modality: 'ct',
        reference: 'DiagnosticReport/r1',
        daysAgo: 4,
        sites: ['liver', 'abdomen'],
      },
    ]);
  });

  it.each([
    { imagingStudy: { reference: 'https://pacs.example.org/fhir/ImagingStudy/s1/_history/2' } },
    { category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0074', code: 'RAD' }] }] },
    { code: { coding: [{ system: 'http://loinc.org', code: '18748-4' }] } },
    { code: sks('UXCC00') },
  ])('are known as such by %j', (members) => {
    expect(findings(report({ conclusionCode: [sct('94381002')], ...members }))).toMatchObject([{ origin: 'imaging' }]);
  });

  it('are known by the order they share with a study', () => {
    const basedOn = [{ reference: 'ServiceRequest/q1' }];
    expect(findings(report({ basedOn, conclusionCode: sct('94381002') }), study({ basedOn }))).toMatchObject([
      { origin: 'imaging', study: 'ImagingStudy/s1' },
    ]);
  });

  it('are not read from a report that is neither imaging nor pathology', () => {
    expect(findings(report({ conclusionCode: [sct('94381002')] }))).toEqual([]);
  });

  it.each(['final', 'amended', 'corrected', 'appended'])('count in a report that is %s', (reportStatus) => {
    expect(findings(imagingReport({ status: reportStatus, conclusionCode: [sct('94381002')] }))).toMatchObject([
      { status: 'final' },
    ]);
  });

  it.each(['registered', 'partial', 'preliminary', 'unknown', undefined])(
    'are preliminary in a report that is %s',
    (reportStatus) => {
      expect(findings(imagingReport({ status: reportStatus, conclusionCode: [sct('94381002')] }))).toMatchObject([
        { status: 'preliminary' },
      ]);
    },
  );

  it.each(['cancelled', 'entered-in-error'])('are nothing in a report that is %s', (reportStatus) => {
    expect(findings(imagingReport({ status: reportStatus, conclusionCode: [sct('94381002')] }))).toEqual([]);
  });

  it('stand in the results of a report, and are as final as that', () => {
    const lesion = observation({ valueCodeableConcept: sct('94381002'), code: { text: 'Fund' } });
    const result = [{ reference: 'Observation/o1' }];
    expect(findings(imagingReport({ result }), lesion)).toMatchObject([
      { origin: 'imaging', study: 'ImagingStudy/s1' },
    ]);
    expect(findings(imagingReport({ result, status: 'preliminary' }), lesion)).toMatchObject([
      { status: 'preliminary' },
    ]);
    expect(findings(imagingReport({ result, status: 'cancelled' }), lesion)).toEqual([]);
  });

  it.each(['derivedFrom', 'partOf'])('stand in an Observation with %s a study', (member) => {
    const lesion = observation({ code: sct('94381002'), [member]: { reference: 'ImagingStudy/s1' } });
    expect(findings(lesion)).toMatchObject([{ origin: 'imaging', study: 'ImagingStudy/s1' }]);
    expect(findings(lesion, study({ status: 'available' }))).toHaveLength(1);
    expect(findings(lesion, study({ status: 'cancelled' }))).toEqual([]);
    expect(findings(lesion, study({ status: 'entered-in-error' }))).toEqual([]);
  });

  it('have the modality of the study; the CT of a PET-CT is PET', () => {
    const lesion = observation({ code: sct('94381002'), ...onStudy });
    const series = (...codes: string[]) => study({ series: codes.map((code) => ({ modality: { code } })) });
    expect(findings(lesion, series('MR'))).toMatchObject([{ modality: 'mri' }]);
    expect(findings(lesion, series('CT', 'PT'))).toMatchObject([{ modality: 'pet' }]);
    expect(findings(lesion, study({}))[0]).not.toHaveProperty('modality');
  });

  it('are never the question asked', () => {
    const question = { reasonCode: [sct('94381002')], reasonReference: [{ reference: 'Condition/x' }] };
    const chart = chartOf([
      study({ ...question, description: 'levermetastaser?' }),
      imagingReport({ ...question, conclusion: 'Levermetastaser' }),
      { resourceType: 'ServiceRequest', id: 'q', status: 'active', subject, ...question, code: sks('UXCC00') },
      { resourceType: 'Procedure', id: 'p', status: 'completed', subject, ...question, code: sks('UXCC00') },
    ]);
    expect(chart.readings.filter(({ concept }) => concept === 'metastasis-liver')).toEqual([]);
  });

  it('are not those of earlier studies, of the history or of advice', () => {
    for (const code of ['18834-2', '22636-5', '18783-1']) {
      const comparison = { coding: [{ system: 'http://loinc.org', code }] };
      expect(findings(observation({ code: comparison, valueCodeableConcept: sct('94381002'), ...onStudy }))).toEqual(
        [],
      );
    }
  });

  it('denied in the conclusion are nothing, suspected ones suspected', () => {
    const conclusion = (code: string) => imagingReport({ conclusionCode: [sct('94381002', ...sct(code).coding)] });
    expect(findings(conclusion('2667000'))).toEqual([]);
    expect(findings(conclusion('415684004'))).toMatchObject([{ certainty: 'suspected' }]);
  });
});

describe('findings of examination', () => {
  const node = { code: sct('274744005') };

  it.each([
    {},
    { valueBoolean: true },
    { valueCodeableConcept: sct('52101004') },
    { valueCodeableConcept: sct('10828004') },
    { interpretation: [{ coding: [{ code: 'POS' }] }] },
  ])('are there with %j', (members) => {
    expect(findings(observation({ ...node, ...members }))).toMatchObject([{ origin: 'examination', status: 'final' }]);
  });

  it.each([
    { valueBoolean: false },
    { valueCodeableConcept: sct('2667000') },
    { valueCodeableConcept: sct('260385009') },
    { valueCodeableConcept: sct('260415000') },
    { interpretation: [{ coding: [{ code: 'NEG' }] }] },
    { valueString: 'ikke forstørret' },
    { valueQuantity: { value: 37 } },
    { dataAbsentReason: sct('261665006') },
    { component: [{ code: sct('705057003'), valueCodeableConcept: sct('2667000') }] },
    { status: 'cancelled' },
    { status: 'entered-in-error' },
    { status: 'registered' },
  ])('are not there with %j', (members) => {
    expect(chartOf([observation({ ...node, ...members })]).readings).toEqual([]);
  });

  it.each([{ status: 'preliminary' }, { valueCodeableConcept: sct('82334004') }])('are open with %j', (members) => {
    expect(chartOf([observation({ ...node, ...members })]).readings).toMatchObject([
      { kind: 'finding', status: 'preliminary' },
    ]);
  });

  it('may be the value that answers a question', () => {
    const answer = observation({
      code: { text: 'Fund' },
      valueCodeableConcept: sct('274744005'),
      bodySite: sct('8928004'),
    });
    expect(findings(answer)).toMatchObject([{ concept: 'lymphadenopathy-localised', sites: ['groin'] }]);
  });

  it('are conditions as well, without a status of their own', () => {
    expect(conditions(observation({ code: icpc('A05') }))).toMatchObject([
      { concept: 'general-malaise', status: 'active', statusGiven: false, daysAgo: 5 },
    ]);
    expect(conditions(observation({ code: icpc('A05'), ...onStudy }))).toEqual([]);
  });

  it('do not begin on the day of the examination, but when a period says', () => {
    expect(findings(observation(node))[0]).not.toHaveProperty('onsetDaysAgo');
    const effectivePeriod = { start: daysBefore(25), end: daysBefore(2) };
    expect(findings(observation({ ...node, effectiveDateTime: undefined, effectivePeriod }))).toMatchObject([
      { onsetDaysAgo: 25 },
    ]);
  });
});

describe('size', () => {
  const size = (value: unknown, unit: string, more: object = {}) => ({
    code: sct('246116008'),
    valueQuantity: { value, code: unit, system: 'http://unitsofmeasure.org', ...more },
  });
  const node = (...component: object[]) => findings(observation({ code: sct('274744005'), component }))[0];

  it.each([
    ['mm', 22, 22],
    ['cm', 2.2, 22],
    ['m', 0.022, 22],
    ['[in_i]', 1, 25.4],
  ])('in %s is read in millimetres', (unit, value, expected) => {
    expect(node(size(value, unit))?.size).toBeCloseTo(expected, 6);
  });

  it('is the largest dimension, whatever the component is called', () => {
    const width = { code: { text: 'bredde' }, valueQuantity: { value: 31, unit: 'mm' } };
    expect(node(size(14, 'mm'), width, size(1.2, 'cm'))?.size).toBe(31);
  });

  it.each([
    size(22, 'mL'),
    size(22, '1'),
    size(0, 'mm'),
    size(-3, 'mm'),
    size('22', 'mm'),
    size(22, 'mm', { comparator: '>' }),
    { code: sct('246116008'), valueString: '22 mm' },
  ])('is not known from %j', (component) => {
    expect(node(component)).not.toHaveProperty('size');
  });

  it('may stand in a member of the finding', () => {
    const member = observation({ id: 'size', ...size(18, 'mm') });
    const whole = observation({ code: sct('274744005'), hasMember: [{ reference: 'Observation/size' }] });
    expect(findings(whole, member)).toMatchObject([{ size: 18 }]);
    expect(findings(whole, { ...member, status: 'entered-in-error' })[0]).not.toHaveProperty('size');
  });

  it('recorded apart belongs to the finding of the same day, site and side', () => {
    const bodySite = sct('8928004');
    const whole = observation({ code: sct('274744005'), bodySite });
    const apart = (members: object) => observation({ id: 'size', bodySite, ...size(18, 'mm'), ...members });
    expect(findings(whole, apart({}))).toMatchObject([{ size: 18 }]);
    expect(findings(whole, apart({ effectiveDateTime: daysBefore(6) }))[0]).not.toHaveProperty('size');
    expect(findings(whole, apart({ bodySite: sct('68171009') }))[0]).not.toHaveProperty('size');
    expect(findings(whole, apart({ bodySite: sct('8928004', ...sct('7771000').coding) }))[0]).not.toHaveProperty(
      'size',
    );
  });
});

describe('tenderness', () => {
  const tender = sct('247348008');
  const node = (members: object) => findings(observation({ code: sct('274744005'), ...members }))[0];

  it.each([
    [{ component: [{ code: tender, valueBoolean: true }] }, true],
    [{ component: [{ code: tender, valueBoolean: false }] }, false],
    [{ component: [{ code: tender, valueCodeableConcept: sct('52101004') }] }, true],
    [{ component: [{ code: tender, valueCodeableConcept: sct('2667000') }] }, false],
    [{ component: [{ code: { text: 'Palpation' }, valueCodeableConcept: tender }] }, true],
    [{ valueCodeableConcept: tender }, true],
  ])('with %j is %s', (members, expected) => {
    expect(node(members)).toMatchObject({ tender: expected });
  });

  it('that is not recorded is not known', () => {
    expect(node({})).not.toHaveProperty('tender');
    expect(node({ component: [{ code: tender, valueCodeableConcept: sct('82334004') }] })).not.toHaveProperty('tender');
    expect(node({ component: [{ code: tender }] })).not.toHaveProperty('tender');
  });
});

describe('count', () => {
  const lesion = (members: object) => observation({ code: sct('699609003'), ...onStudy, ...members });
  const attribute = sct('246205007');

  it.each([
    [{ component: [{ code: attribute, valueInteger: 1 }] }, 'solitary'],
    [{ component: [{ code: attribute, valueQuantity: { value: 3 } }] }, 'multiple'],
    [{ component: [{ code: { text: 'Antal' }, valueCodeableConcept: sct('50607009') }] }, 'solitary'],
    [{ component: [{ code: attribute, valueCodeableConcept: sct('260396001') }] }, 'multiple'],
    [{ valueCodeableConcept: sct('255204007') }, 'multiple'],
    [{ extension: [{ url: 'https://example.org/StructureDefinition/finding-count', valueInteger: 1 }] }, 'solitary'],
  ])('with %j is %s', (members, count) => {
    expect(findings(lesion(members))).toMatchObject([{ count }]);
  });

  it('that is not recorded is not known: neither a marital status nor "maximum" is a count', () => {
    expect(findings(lesion({}))[0]).not.toHaveProperty('count');
    for (const code of ['125681006', '56851009']) {
      const component = [{ code: attribute, valueCodeableConcept: sct(code) }];
      expect(findings(lesion({ component }))[0]).not.toHaveProperty('count');
    }
  });

  it('is what the newest record says, for every finding of the concept', () => {
    const older = lesion({
      effectiveDateTime: daysBefore(40),
      component: [{ code: attribute, valueInteger: 1 }],
    });
    const newer = lesion({
      id: 'o2',
      derivedFrom: { reference: 'ImagingStudy/s2' },
      component: [{ code: attribute, valueInteger: 4 }],
    });
    const silent = lesion({ id: 'o3', effectiveDateTime: daysBefore(1) });
    expect(findings(older, newer, silent).map(({ count }) => count)).toEqual(['multiple', 'multiple', 'multiple']);
  });

  it('is multiple where one study reports different sites or sides', () => {
    const at = (id: string, bodySite: unknown, studyId = 's1') =>
      lesion({ id, bodySite, derivedFrom: { reference: `ImagingStudy/${studyId}` } });
    const femur = '71341001';
    const humerus = '85050009';
    const countOf = (...resources: object[]) => findings(...resources)[0]?.count;
    expect(countOf(at('o1', sct(femur)), at('o2', sct(humerus)))).toBe('multiple');
    expect(countOf(at('o1', sct(femur)), at('o2', sct(humerus), 's2'))).toBeUndefined();
    expect(countOf(at('o1', sct(femur)), at('o2', sct(femur)))).toBeUndefined();
    expect(countOf(at('o1', sct(femur)), at('o2', undefined))).toBeUndefined();
    expect(
      countOf(at('o1', sct(femur, ...sct('7771000').coding)), at('o2', sct(femur, ...sct('24028007').coding))),
    ).toBe('multiple');
    expect(countOf(at('o1', sct(femur, ...sct('51440002').coding)))).toBe('multiple');
  });

  it('is one lesion where several studies report the same site', () => {
    const inStudy = (id: string) =>
      lesion({ id, derivedFrom: { reference: `ImagingStudy/${id}` }, bodySite: sct('272673000') });
    expect(findings(inStudy('a'), inStudy('b')).map(({ count }) => count)).toEqual([undefined, undefined]);
  });
});

describe('pathology', () => {
  const pathologyReport = (members: object) =>
    report({
      category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0074', code: 'PAT' }] }],
      conclusionCode: [sct('35917007')],
      ...members,
    });
  const specimen = (members: object) => ({ resourceType: 'Specimen', id: 'sp', ...members });
  const link = { specimen: [{ reference: 'Specimen/sp' }] };

  it('is known by category, code or a morphology for a conclusion', () => {
    const adenocarcinoma = { concept: 'histology-adenocarcinoma', origin: 'pathology', status: 'final' };
    expect(findings(pathologyReport({}))).toMatchObject([adenocarcinoma]);
    const code = { coding: [{ system: 'http://loinc.org', code: '11529-5' }] };
    expect(findings(pathologyReport({ category: undefined, code }))).toMatchObject([adenocarcinoma]);
    const patobank = { coding: [{ system: 'https://kip.rkkp.dk/fhir/CodeSystem/PatobankSNOMED', code: 'M81406' }] };
    expect(findings(pathologyReport({ category: undefined, conclusionCode: patobank }))).toMatchObject([
      adenocarcinoma,
    ]);
  });

  it('has the site of the specimen: where it was taken, else what it is', () => {
    const taken = specimen({ collection: { bodySite: sct('8928004') }, type: sct('119376003') });
    expect(findings(pathologyReport(link), taken)).toMatchObject([{ sites: ['groin'] }]);
    expect(findings(pathologyReport(link), specimen({ type: sct('168139001') }))).toMatchObject([
      { sites: ['peritoneum', 'abdomen'] },
    ]);
    expect(findings(pathologyReport(link))).toMatchObject([{ sites: [] }]);
    const contained = pathologyReport({ specimen: { reference: '#sp' }, contained: [taken] });
    expect(findings(contained)).toMatchObject([{ sites: ['groin'] }]);
  });

  it('does not take the specimen of somebody else', () => {
    const foreign = specimen({ subject: { reference: 'Patient/p2' }, type: sct('168139001') });
    expect(findings(pathologyReport(link), foreign)).toMatchObject([{ sites: [] }]);
  });

  it('stands in Observations: by code, or as results of a report', () => {
    const histology = observation({
      code: { coding: [{ system: 'http://loinc.org', code: '31206-6' }] },
      valueCodeableConcept: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/icd-o-3', code: '8140/3' }] },
    });
    expect(findings(histology)).toMatchObject([{ concept: 'histology-adenocarcinoma', origin: 'pathology' }]);
    const result = pathologyReport({ conclusionCode: undefined, result: [{ reference: 'Observation/o1' }], ...link });
    const answer = observation({ code: { text: 'Diagnose' }, valueCodeableConcept: sct('35917007') });
    expect(findings(result, answer, specimen({ type: sct('168139001') }))).toMatchObject([
      { origin: 'pathology', sites: ['peritoneum', 'abdomen'] },
    ]);
  });

  it('that is preliminary makes the finding preliminary', () => {
    expect(findings(pathologyReport({ status: 'preliminary' }))).toMatchObject([{ status: 'preliminary' }]);
  });
});
