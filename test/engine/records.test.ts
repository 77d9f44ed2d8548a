import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyState } from '../../src/engine/types.ts';
import {
  chartOf,
  condition,
  daysBefore,
  haemoglobin,
  icpc,
  npu,
  observation,
  order,
  patientId,
  readChartOf,
  readingsOf,
  sct,
  sourcesOf,
  today,
  woman,
} from './chart-fixture.ts';

const results = (...resources: object[]) => readingsOf('result', resources);

describe('whose a resource is', () => {
  it.each(['Patient/p1', 'https://fhir.example.org/r4/Patient/p1', 'Patient/p1/_history/3', 'urn:uuid:p1'])(
    'takes %s for the patient',
    (reference) => {
      expect(results(haemoglobin(8, { subject: { reference } }))).toHaveLength(1);
    },
  );

  it.each([
    { reference: 'Patient/p2' },
    { reference: 'Patient/p1x' },
    { reference: 'Group/p1' },
    { reference: 'urn:uuid:8e9a' },
    { reference: '#p2' },
    { display: 'Jens Jensen' },
    'Patient/p2',
    [{ reference: 'Patient/p1' }, { reference: 'Patient/p2' }],
    null,
    undefined,
  ])('drops and counts a resource of %j', (subject) => {
    const chart = chartOf([haemoglobin(8, { subject }), haemoglobin(8, { id: 'o2' })]);
    expect(chart.readings).toHaveLength(1);
    expect(chart.keys.observations).toMatchObject({ dropped: 1 });
    expect(JSON.stringify(chart)).not.toContain('p2');
  });

  it('takes a contained patient of the right id, and no other', () => {
    const contained = [{ resourceType: 'Patient', id: 'p1' }];
    expect(results(haemoglobin(8, { subject: { reference: '#p1' }, contained }))).toHaveLength(1);
    expect(results(haemoglobin(8, { subject: { reference: '#p1' } }))).toEqual([]);
  });

  it('drops what is recorded on the patient about somebody else', () => {
    expect(results(haemoglobin(8, { focus: [{ reference: 'RelatedPerson/child' }] }))).toEqual([]);
    expect(results(haemoglobin(8, { focus: [{ reference: 'Patient/p2' }] }))).toEqual([]);
    expect(results(haemoglobin(8, { focus: [{ reference: 'Condition/c1' }] }))).toHaveLength(1);
  });

  it('reads nothing of another Patient resource', () => {
    const chart = readChartOf(sourcesOf([{ ...woman, id: 'p2' }]));
    expect(chart.patient).toEqual({ deceased: false });
    expect(chart.keys.patient).toMatchObject({ dropped: 1 });
  });
});

describe('each resource once', () => {
  it('reads a resource that stands under two keys once', () => {
    const chart = readChartOf({
      observations: { state: 'present', resources: [haemoglobin(8)] },
      reports: { state: 'present', resources: [haemoglobin(8)] },
    });
    expect(chart.readings).toHaveLength(1);
  });

  it('reads resources without id each, and names them by their place', () => {
    const readings = results(haemoglobin(8, { id: undefined }), haemoglobin(9, { id: undefined }));
    expect(readings.map(({ reference, value }) => [reference, value])).toEqual([
      ['Observation/#1', 8],
      ['Observation/#2', 9],
    ]);
  });

  it('keeps no id that could be free text', () => {
    expect(results(haemoglobin(8, { id: 'Jens Jensen 010150' }))).toMatchObject([{ reference: 'Observation/#1' }]);
  });

  it('lets a draft replace the order of the same id, also when the draft is void', () => {
    const draft = order({ code: npu('NPU19748') });
    const orders = (status: string) =>
      readingsOf('order', [order({ code: npu('NPU02319') })], {
        drafts: { entry: [{ resource: { ...draft, status } }] },
      });
    expect(orders('draft')).toMatchObject([{ concept: 'crp', draft: true }]);
    expect(orders('revoked')).toEqual([]);
  });
});

describe('prefetch keys', () => {
  it('keeps the state of each, and how far back it reaches', () => {
    const chart = readChartOf({
      observations: {
        state: 'truncated',
        resources: [
          haemoglobin(8),
          observation({ id: 'o2', code: sct('8867-4'), effectiveDateTime: daysBefore(70) }),
          haemoglobin(8, { id: 'o3', effectiveDateTime: '2020' }),
        ],
      },
      reports: { state: 'failed', resources: [] },
      orders: { state: 'empty', resources: [] },
    });
    expect(chart.keys).toEqual({
      observations: { state: 'truncated', oldestDaysAgo: 70, dropped: 0 },
      reports: { state: 'failed', dropped: 0 },
      orders: { state: 'empty', dropped: 0 },
    });
  });

  it('does not say how far back a key reaches that was cut off and does not come newest first', () => {
    const [newer, older] = [haemoglobin(8), haemoglobin(8, { id: 'o2', effectiveDateTime: daysBefore(900) })];
    const resources = [older, newer, haemoglobin(8, { id: 'o3', effectiveDateTime: daysBefore(901) })];
    const reachOf = (state: KeyState) => readChartOf({ observations: { state, resources } }).keys.observations;
    expect(reachOf('truncated')).toEqual({ state: 'truncated', dropped: 0 });
    expect(reachOf('present')).toMatchObject({ oldestDaysAgo: 901 });
  });

  it('does not let what a report contains, nor a resource the key did not ask for, say how far back it reaches', () => {
    const contained = haemoglobin(8, { id: 'h', effectiveDateTime: daysBefore(900) });
    const report = {
      ...{ resourceType: 'DiagnosticReport', id: 'r1', subject: { reference: 'Patient/p1' }, status: 'final' },
      ...{ effectiveDateTime: daysBefore(3), contained: [contained], result: [{ reference: '#h' }] },
    };
    const old = haemoglobin(8, { id: 'o9', effectiveDateTime: daysBefore(900) });
    expect(readChartOf({ reports: { state: 'truncated', resources: [report, old] } }).keys.reports).toMatchObject({
      oldestDaysAgo: 3,
    });
  });

  it('does not let the resource of another patient say how far back a key reaches', () => {
    const foreign = haemoglobin(8, { subject: { reference: 'Patient/p2' }, effectiveDateTime: daysBefore(900) });
    expect(chartOf([foreign, haemoglobin(8, { id: 'o2' })]).keys.observations).toEqual({
      state: 'present',
      oldestDaysAgo: 5,
      dropped: 1,
    });
  });

  it('passes over OperationOutcomes and what is no resource', () => {
    const chart = readChartOf({
      observations: { state: 'present', resources: [{ resourceType: 'OperationOutcome' }, null, 7, 'x', [], {}] },
    });
    expect(chart.keys.observations).toEqual({ state: 'present', dropped: 0 });
  });
});

describe('the patient', () => {
  const patientOf = (members: object) => readChartOf(sourcesOf([{ ...woman, ...members }])).patient;
  const cpr = (value: string) => ({ identifier: [{ system: 'urn:oid:1.2.208.176.1.2', value }] });
  const nothing = { gender: undefined, birthDate: undefined };

  it('has sex, age and days since the birthday', () => {
    expect(patientOf({ birthDate: '1986-11-22' })).toEqual({
      sex: 'female',
      age: 40,
      daysSinceBirthday: 1,
      deceased: false,
    });
  });

  it.each([
    ['0101501234', 'female', 76],
    ['010150-1235', 'male', 76],
    ['0101054005', 'male', 21],
    ['0101504005', 'male', 76],
    ['0101055005', 'male', 21],
  ])('takes them from the CPR number %s where they are missing', (value, sex, age) => {
    expect(patientOf({ ...nothing, ...cpr(value) })).toMatchObject({ sex, age });
  });

  it('believes gender and birth date before the CPR number', () => {
    expect(patientOf({ gender: 'male', ...cpr('0101501234') })).toMatchObject({ sex: 'male', age: 66 });
    expect(patientOf({ gender: 'other', ...cpr('0101501234') })).not.toHaveProperty('sex');
  });

  it.each(['3113501234', '01015012', '010150-12345', 'x', 5])('makes nothing of the CPR number %j', (value) => {
    expect(patientOf({ ...nothing, identifier: [{ system: 'urn:oid:1.2.208.176.1.2', value }] })).not.toHaveProperty(
      'age',
    );
  });

  it('reads no birth date from the number of a replacement CPR', () => {
    const identifier = [{ system: 'urn:oid:1.2.208.176.1.6.1.1', value: '0101501234' }];
    expect(patientOf({ ...nothing, identifier })).toEqual({ deceased: false });
  });

  it.each(['1950', '1950-01', '1950-01-01T00:00:00Z'])(
    'takes the day of the birth date %s from the CPR number',
    (sent) => {
      expect(patientOf({ birthDate: sent, ...cpr('0101501234') })).toMatchObject({ age: 76 });
    },
  );

  it('does not take the birth date from a CPR number that begins otherwise', () => {
    expect(patientOf({ birthDate: '1951', ...cpr('0101501234') })).not.toHaveProperty('age');
  });

  it('reads a birth date with a time of day', () => {
    expect(patientOf({ birthDate: '1986-11-22T00:00:00Z' })).toMatchObject({ age: 40 });
  });

  it('has no age without a day of birth', () => {
    expect(patientOf({ birthDate: '1960-02' })).toEqual({ sex: 'female', deceased: false });
    expect(patientOf({ birthDate: '1960-02-31' })).toEqual({ sex: 'female', deceased: false });
  });

  it('is deceased when the record says so, with or without a date', () => {
    expect(patientOf({ deceasedBoolean: true }).deceased).toBe(true);
    expect(patientOf({ deceasedDateTime: '2026' }).deceased).toBe(true);
    expect(patientOf({ deceasedBoolean: false }).deceased).toBe(false);
  });

  it('keeps neither name nor number', () => {
    const chart = readChartOf(sourcesOf([{ ...woman, name: [{ family: 'Jensen' }], ...cpr('0101501234') }]));
    expect(JSON.stringify(chart)).not.toMatch(/Jensen|010150/);
  });
});

describe('laboratory results', () => {
  it('are read into the Danish unit and judged', () => {
    expect(results(haemoglobin(6.8))).toEqual([
      expect.objectContaining({
        kind: 'result',
        concept: 'haemoglobin',
        exact: true,
        reference: 'Observation/o1',
        system: 'npu',
        code: 'NPU02319',
        date: daysBefore(5),
        daysAgo: 5,
        value: 6.8,
        unit: 'mmol/L',
        abnormal: 'low',
      }),
    ]);
  });

  it('are judged for the sex of the patient, wherever the Patient stands', () => {
    const sources = { observations: { state: 'present' as const, resources: [haemoglobin(7.6), woman] } };
    expect(readChartOf(sources).readings).toMatchObject([{ abnormal: 'no' }]);
  });

  it('use the NPU code, which fixes the unit, where there is also a LOINC code', () => {
    const code = { coding: [{ system: 'http://loinc.org', code: '718-7' }, ...npu('NPU02319').coding] };
    expect(results(haemoglobin(8, { code }))).toMatchObject([{ system: 'npu', value: 8 }]);
  });

  it.each(['final', 'amended', 'corrected'])('count when %s', (status) => {
    expect(results(haemoglobin(8, { status }))).toHaveLength(1);
  });

  it('whose patient cannot be told leave open what else was not found', () => {
    const chart = chartOf([
      haemoglobin(8, { subject: undefined }),
      haemoglobin(8, { subject: { reference: 'Patient/p2' } }),
    ]);
    expect(chart.readings).toEqual([]);
    expect(chart.keys.observations).toMatchObject({ dropped: 2, unclear: 1 });
  });

  it('of one id are read in the newer version, wherever it stands', () => {
    const old = haemoglobin(8, { id: 'o1', meta: { versionId: '1' } });
    const retracted = haemoglobin(8, { id: 'o1', status: 'entered-in-error', meta: { versionId: '2' } });
    expect(chartOf([old, retracted]).readings).toEqual([]);
    expect(chartOf([retracted, old]).readings).toEqual([]);
  });

  it.each(['registered', 'preliminary'])('are awaited when %s', (status) => {
    const chart = chartOf([haemoglobin(8, { status })]);
    expect(chart.readings).toMatchObject([{ kind: 'pending', concept: 'haemoglobin', daysAgo: 5 }]);
    expect(chart.readings[0]).not.toHaveProperty('value');
  });

  it.each(['unknown', undefined, 'FINAL', 7])('may be results when their status is %s', (status) => {
    const chart = chartOf([haemoglobin(8, { status })]);
    expect(chart.readings).toMatchObject([{ kind: 'result', concept: 'haemoglobin', status: 'preliminary' }]);
    expect(chart.readings[0]).not.toHaveProperty('value');
  });

  it.each(['cancelled', 'entered-in-error'])('are nothing when %s', (status) => {
    expect(chartOf([haemoglobin(8, { status })]).readings).toEqual([]);
  });

  it.each([
    { valueQuantity: undefined },
    { valueQuantity: { unit: 'mmol/L' } },
    { valueQuantity: undefined, valueString: '  ' },
    { dataAbsentReason: sct('261665006') },
  ])('need a value: not %j', (members) => {
    expect(chartOf([haemoglobin(8, members)]).readings).toEqual([]);
  });

  it('that cannot be read are results all the same, without value or judgement', () => {
    const [reading] = results(haemoglobin(8, { valueQuantity: { value: 8, unit: 'furlong' } }));
    expect(reading).toMatchObject({ concept: 'haemoglobin', daysAgo: 5 });
    expect(reading).not.toHaveProperty('value');
    expect(reading).not.toHaveProperty('abnormal');
  });

  it('with a comparator are intervals', () => {
    const egfr = observation({ code: npu('DNK35131'), valueQuantity: { value: 90, comparator: '>', unit: 'mL/min' } });
    const [reading] = results(egfr);
    expect(reading).toMatchObject({ concept: 'egfr', atLeast: 90, open: true });
    expect(reading).not.toHaveProperty('value');
  });

  it('keep no text', () => {
    const chart = chartOf([
      haemoglobin(8, { valueQuantity: undefined, valueString: 'Se brev til Jens', note: [{ text: 'Jens' }] }),
    ]);
    expect(chart.readings).toHaveLength(1);
    expect(JSON.stringify(chart)).not.toContain('Jens');
  });

  it('stand in the components of a panel, each with the date of the whole', () => {
    const panel = observation({
      code: { text: 'Blodprøver' },
      component: [
        { code: npu('NPU02319'), valueQuantity: { value: 8, unit: 'mmol/L' } },
        { code: npu('NPU19748'), valueQuantity: { value: 3, unit: 'mg/L' } },
        { code: npu('DNK35131'), dataAbsentReason: sct('261665006') },
      ],
    });
    expect(results(panel)).toMatchObject([
      { concept: 'haemoglobin', value: 8, daysAgo: 5 },
      { concept: 'crp', value: 3, daysAgo: 5 },
    ]);
  });

  it('of a panel without value count when a part has one, or a member was not read', () => {
    const panel = (members: object) => results(observation({ id: 'panel', code: npu('NPU18156'), ...members }));
    const component = { code: { text: 'Neutrofilocytter' }, valueQuantity: { value: 4 } };
    expect(panel({ component: [component] })).toMatchObject([{ concept: 'differential' }]);
    expect(panel({ hasMember: [{ reference: 'Observation/elsewhere' }] })).toMatchObject([{ concept: 'differential' }]);
    expect(panel({ component: [{ ...component, valueQuantity: undefined }] })).toEqual([]);
    expect(panel({})).toEqual([]);
  });

  it('of a panel whose members were cancelled are nothing', () => {
    const member = haemoglobin(8, { id: 'member', status: 'cancelled' });
    const panel = observation({ code: npu('NPU18156'), hasMember: [{ reference: 'Observation/member' }] });
    expect(results(panel, member)).toEqual([]);
  });

  it('contained in a report are read with its date and patient', () => {
    const bare = { ...haemoglobin(8, { id: 'hb', effectiveDateTime: undefined, subject: undefined }) };
    const chart = chartOf([
      {
        resourceType: 'DiagnosticReport',
        id: 'r1',
        status: 'final',
        subject: { reference: 'Patient/p1' },
        effectiveDateTime: daysBefore(9),
        contained: [bare],
        result: [{ reference: '#hb' }],
      },
    ]);
    expect(chart.readings).toMatchObject([{ kind: 'result', value: 8, daysAgo: 9, reference: 'DiagnosticReport/r1' }]);
  });

  it('contained in a report but of another patient are not read', () => {
    const foreign = haemoglobin(8, { id: 'hb', subject: { reference: 'Patient/p2' } });
    expect(
      chartOf([
        {
          resourceType: 'DiagnosticReport',
          status: 'final',
          subject: { reference: 'Patient/p1' },
          contained: [foreign],
          result: [{ reference: '#hb' }],
        },
      ]).readings,
    ).toEqual([]);
  });

  it('without a readable date have none', () => {
    const [reading] = results(haemoglobin(8, { effectiveDateTime: '2026-02-31' }));
    expect(reading).not.toHaveProperty('date');
    expect(reading).not.toHaveProperty('daysAgo');
  });

  it.each([
    [{ effectiveDateTime: undefined, effectivePeriod: { start: daysBefore(7), end: daysBefore(6) } }, 7],
    [{ effectiveDateTime: undefined, effectiveInstant: `${daysBefore(8)}T10:00:00Z` }, 8],
    [{ effectiveDateTime: undefined, issued: `${daysBefore(2)}T22:30:00Z` }, 2],
    [{ effectiveDateTime: undefined, issued: `${daysBefore(2)}T23:30:00Z` }, 1],
    [{ effectiveDateTime: '2026-11', issued: daysBefore(3) }, 3],
  ])('are dated by %j', (members, daysAgo) => {
    expect(results(haemoglobin(8, members))).toMatchObject([{ daysAgo }]);
  });
});

describe('order of the readings', () => {
  it('is newest first, also within a day, and undated last, however the resources came', () => {
    const dates = [
      '2026-11-20',
      undefined,
      '2026-11-22T07:00:00+01:00',
      '2026-11-22T15:00:00+01:00',
      '2026-11-22',
      today,
    ];
    const readings = results(
      ...dates.map((effectiveDateTime, at) => haemoglobin(8, { id: `o${at}`, effectiveDateTime })),
    );
    expect(readings.map(({ reference }) => reference.slice(12))).toEqual(['o5', 'o3', 'o2', 'o4', 'o0', 'o1']);
  });
});

describe('what real clients send', () => {
  it('may be an object where R4 has an array, and the other way round', () => {
    const component = { code: [npu('NPU19748')], valueQuantity: { value: 3, unit: 'mg/L' } };
    const code = { coding: npu('NPU02319').coding[0] };
    expect(results(haemoglobin(8, { code, component, interpretation: { coding: { code: 'H' } } }))).toMatchObject([
      { concept: 'haemoglobin' },
      { concept: 'crp', value: 3 },
    ]);
  });

  it('may lack any member and have unknown ones', () => {
    for (const resource of [haemoglobin(8), condition({ code: icpc('A05') }), order({ code: npu('NPU02319') })]) {
      for (const member of Object.keys(resource)) {
        expect(() => chartOf([{ ...resource, [member]: undefined, unknownMember: { a: [1] } }])).not.toThrow();
      }
    }
  });
});

describe('hostile resources', () => {
  const types = [
    'Patient',
    'Condition',
    'Observation',
    'DiagnosticReport',
    'ImagingStudy',
    'ServiceRequest',
    'Procedure',
    'Encounter',
    'MedicationRequest',
    'MedicationStatement',
    '__proto__',
  ];
  const members = [
    ...[
      'code',
      'status',
      'component',
      'hasMember',
      'result',
      'imagingStudy',
      'conclusionCode',
      'series',
      'procedureCode',
    ],
    ...[
      'bodySite',
      'identifier',
      'birthDate',
      'contained',
      'extension',
      'clinicalStatus',
      'verificationStatus',
      'category',
    ],
    ...[
      'valueQuantity',
      'valueCodeableConcept',
      'valueString',
      'interpretation',
      'referenceRange',
      'effectiveDateTime',
    ],
    ...['effectivePeriod', 'issued', 'recordedDate', 'onsetDateTime', 'abatementDateTime', 'authoredOn', 'requisition'],
    ...[
      'period',
      'class',
      'type',
      'serviceType',
      'serviceProvider',
      'medicationCodeableConcept',
      'medicationReference',
    ],
    ...['specimen', 'derivedFrom', 'partOf', 'basedOn', 'supportingInfo', 'requester', 'note', 'focus', 'performer'],
  ];
  const code = fc.constantFrom(
    ...[npu('NPU02319'), icpc('A05'), sct('94381002'), sct('418023006'), sct('86273004')],
    { coding: [{ system: 'urn:oid:1.2.208.176.2.4', code: 'AFA01A' }] },
    { coding: [{ system: 'http://www.whocc.no/atc', code: 'J01CE02' }] },
  );
  const value = fc.oneof(
    { weight: 3, arbitrary: code },
    fc.jsonValue(),
    fc.constantFrom('final', 'active', 'completed', '2026-11-01', '#x', 'Observation/o1', 'Patient/p2', '__proto__'),
    fc.record({ reference: fc.constantFrom('#x', 'Observation/o1', 'ImagingStudy/s1', 'Patient/p2') }),
    fc.array(fc.oneof(code, fc.record({ code, valueQuantity: fc.jsonValue() })), { maxLength: 3 }),
  );
  const resource = fc
    .record({
      resourceType: fc.constantFrom(...types),
      id: fc.oneof(fc.constantFrom('o1', 's1', 'p1', '__proto__'), fc.jsonValue()),
      subject: fc.constantFrom<unknown>({ reference: 'Patient/p1' }, { reference: 'Patient/p2' }, undefined, 7, [], {}),
      status: fc.constantFrom<unknown>(
        'final',
        'active',
        'completed',
        'available',
        'draft',
        'preliminary',
        undefined,
        {},
      ),
      rest: fc.dictionary(fc.constantFrom(...members), value, { maxKeys: 8 }),
    })
    .map(({ rest, ...own }) => ({ ...own, ...rest }));

  it('never throw, and none of another patient gives a reading', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 9, arbitrary: resource }, fc.jsonValue()), { maxLength: 8 }),
        (resources) => {
          const sources = { observations: { state: 'present' as const, resources } };
          const drafts = { entry: resources.map((each) => ({ resource: each })) };
          for (const options of [{}, { drafts, allSelected: true }]) {
            const chart = readChartOf(sources, options);
            expect(() => JSON.stringify(chart)).not.toThrow();
          }
          const foreign = resources.map((each) =>
            typeof each === 'object' && each !== null
              ? { ...each, id: 'x', subject: { reference: 'Patient/p2' }, patient: { reference: 'Patient/p2' } }
              : each,
          );
          expect(readChartOf({ observations: { state: 'present', resources: foreign } }).readings).toEqual([]);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('of any subject but the patient are dropped, whatever the reference looks like', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.webUrl(), fc.constantFrom('Patient/p', 'Patient/p1//', '/Patient/p1x')),
        (reference) => {
          fc.pre(!/(^|\/)Patient\/p1\/?(\/_history\/.*)?$/.test(reference) && reference !== patientId);
          expect(results(haemoglobin(8, { subject: { reference } }))).toEqual([]);
        },
      ),
    );
  });

  it('that refer to each other in circles or by the thousand are read in good time', () => {
    const many = Array.from({ length: 2_000 }, (_, at) => ({ reference: `Observation/o${at % 10}` }));
    const circle = Array.from({ length: 2_000 }, (_, at) =>
      observation({
        id: `o${at}`,
        code: sct('274744005'),
        hasMember: many,
        component: [{ code: sct('246116008'), valueQuantity: { value: 20, code: 'mm' } }],
      }),
    );
    const started = performance.now();
    expect(chartOf(circle).readings).toHaveLength(4_000);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
