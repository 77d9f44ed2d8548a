import { describe, expect, it } from 'vitest';
import { addOwnCodes } from '../../src/engine/own-codes.ts';
import {
  atc,
  chartOf,
  daysBefore,
  encounter,
  lookup,
  npu,
  order,
  prescription,
  procedure,
  readingsOf,
  report,
  sct,
  sks,
  study,
  subject,
  today,
} from './chart-fixture.ts';

const orders = (...resources: object[]) => readingsOf('order', resources);
const done = (...resources: object[]) => readingsOf('done', resources);
const markers = (...resources: object[]) => readingsOf('marker', resources);
const bundle = (...drafts: object[]) => ({ resourceType: 'Bundle', entry: drafts.map((resource) => ({ resource })) });
const pathway = (code: string) => ({
  coding: [{ system: 'https://diagnostisk-pakkeforloeb.dk/fhir/CodeSystem/pathway', code }],
});

describe('orders', () => {
  it('have status, date, requisition and site', () => {
    const requisition = { system: 'https://example.org/requisition', value: 'R-17' };
    expect(orders(order({ code: npu('NPU02319'), requisition, bodySite: [sct('10200004')] }))).toEqual([
      {
        kind: 'order',
        concept: 'haemoglobin',
        exact: true,
        reference: 'ServiceRequest/q1',
        system: 'npu',
        code: 'NPU02319',
        date: daysBefore(3),
        daysAgo: 3,
        status: 'active',
        draft: false,
        selected: false,
        requisition: 'https://example.org/requisition|R-17',
        sites: ['liver', 'abdomen'],
      },
    ]);
  });

  it.each(['draft', 'active', 'on-hold', 'completed', 'revoked'])('keep the status %s', (status) => {
    expect(orders(order({ code: npu('NPU02319'), status }))).toMatchObject([{ status }]);
  });

  it.each([{ status: 'entered-in-error' }, { doNotPerform: true }])('are nothing with %j', (members) => {
    expect(chartOf([order({ code: npu('NPU02319'), ...members })]).readings).toEqual([]);
  });

  it.each(['unknown', undefined, 'ACTIVE'])('may stand when their status is %s', (status) => {
    const [reading] = orders(order({ code: npu('NPU02319'), status }));
    expect(reading).toMatchObject({ concept: 'haemoglobin' });
    expect(reading).not.toHaveProperty('status');
  });

  it('need no intent', () => {
    expect(orders(order({ code: npu('NPU02319'), intent: undefined }))).toHaveLength(1);
  });

  it('keep no CPR number for a requisition', () => {
    const requisition = { system: 'urn:oid:1.2.208.176.1.2', value: '0101501234' };
    expect(JSON.stringify(orders(order({ code: npu('NPU02319'), requisition })))).not.toContain('0101501234');
  });

  it("of the client's own package are those of the concept the client names", () => {
    const coding = { system: 'https://example.org/codes', code: 'MAS' };
    const code = { coding: [coding] };
    const kinds = new Map([['mas-package', 'procedure' as const]]);
    const own = addOwnCodes(lookup, kinds, { codes: { 'mas-package': [coding] } });
    expect(readingsOf('order', [order({ code })], { lookup: own })).toMatchObject([{ concept: 'mas-package' }]);
    expect(orders(order({ code }))).toEqual([]);
  });

  it('to neurology are known by category, performer or the name of the unit', () => {
    for (const members of [
      { category: [sct('394591006')] },
      { category: sct('394610002') },
      { performerType: sct('394591006') },
      { performer: [{ display: 'Neurologisk Ambulatorium' }] },
      {
        performer: { reference: '#u' },
        contained: [{ resourceType: 'Organization', id: 'u', name: 'Neurokir. Afd.' }],
      },
      { code: { coding: [{ system: 'http://loinc.org', code: '57145-5' }] } },
    ]) {
      expect(orders(order(members))).toMatchObject([{ concept: 'neurology-assessment', status: 'active' }]);
    }
    expect(orders(order({ performer: [{ display: 'Klinisk neurofysiologisk afdeling' }] }))).toEqual([]);
    expect(JSON.stringify(orders(order({ performer: [{ display: 'Neurologisk Ambulatorium' }] })))).not.toContain(
      'Ambul',
    );
  });
});

describe('drafts', () => {
  const draft = order({ status: 'draft', code: npu('NPU02319'), authoredOn: daysBefore(300) });
  const drafted = (options: object, ...drafts: object[]) =>
    readingsOf('order', [], { drafts: bundle(...drafts), ...options });

  it('are ordered today, whatever date they carry', () => {
    expect(drafted({}, draft)).toMatchObject([
      { draft: true, status: 'draft', daysAgo: 0, date: today, selected: false },
    ]);
  });

  it('count as drafts whatever status they have, unless that makes them void', () => {
    expect(drafted({}, { ...draft, status: 'active' })).toMatchObject([{ draft: true, status: 'draft' }]);
    expect(drafted({}, { ...draft, status: undefined })).toMatchObject([{ status: 'draft' }]);
    for (const status of ['revoked', 'completed', 'entered-in-error'])
      expect(drafted({}, { ...draft, status })).toEqual([]);
    expect(drafted({}, { ...draft, doNotPerform: true })).toEqual([]);
  });

  it('are selected when the context names them, or all are', () => {
    const other = { ...draft, id: 'q2' };
    const selected = (options: object) => drafted(options, draft, other).map((reading) => reading.selected);
    expect(selected({ selections: ['ServiceRequest/q2'] })).toEqual([false, true]);
    expect(selected({ selections: ['https://fhir.example.org/ServiceRequest/q2'] })).toEqual([false, true]);
    expect(selected({ selections: ['q2', 'MedicationRequest/q1'] })).toEqual([false, false]);
    expect(selected({ allSelected: true })).toEqual([true, true]);
  });

  it('of another patient are dropped and counted', () => {
    const chart = chartOf([], { drafts: bundle({ ...draft, subject: { reference: 'Patient/p2' } }) });
    expect(chart.readings).toEqual([]);
    expect(chart.keys.draftOrders).toEqual({ state: 'present', dropped: 1 });
  });

  it('may come as a Bundle without type, with one entry that is no array', () => {
    expect(readingsOf('order', [], { drafts: { entry: { resource: draft } } })).toHaveLength(1);
    expect(chartOf([], { drafts: {} }).readings).toEqual([]);
  });

  it('of medication are no medication', () => {
    const resource = prescription({ medicationCodeableConcept: atc('J01CE02') });
    expect(chartOf([], { drafts: bundle(resource) }).readings).toEqual([]);
  });
});

describe('what was done', () => {
  it('is a study by its procedure code', () => {
    expect(done(study({ procedureCode: [sks('UXCC00')] }))).toMatchObject([
      {
        concept: 'ct-chest',
        status: 'available',
        daysAgo: 4,
        reference: 'ImagingStudy/s1',
        system: 'sks',
        code: 'UXCC00',
      },
    ]);
  });

  const series = (modality: string, site: string) => ({
    modality: { system: 'http://dicom.nema.org/resources/ontology/DCM', code: modality },
    bodySite: { system: 'http://snomed.info/sct', code: site },
  });

  it('is a study without procedure code by modality and body site', () => {
    expect(done(study({ series: [series('CT', '416775004')] }))).toMatchObject([{ concept: 'ct-tab', system: 'dcm' }]);
    expect(done(study({ series: [series('MR', '416775004')] }))).toEqual([]);
    expect(done(study({ series: [series('CT', '10200004')] }))).toEqual([]);
    expect(done(study({ series: [series('CT', '51185008')], procedureCode: [sks('UXCA00')] }))).toMatchObject([
      { concept: 'ct-brain' },
    ]);
  });

  it('is a PET-CT and not also the CT it contains', () => {
    const petCt = study({ series: [series('PT', '38266002'), series('CT', '51185008')] });
    expect(done(petCt).map(({ concept }) => concept)).toEqual(['fdg-pet-ct']);
  });

  it.each(['cancelled', 'entered-in-error'])('is not a study that is %s', (status) => {
    expect(done(study({ status, procedureCode: [sks('UXCC00')] }))).toEqual([]);
  });

  it('is a registered study only once it has begun', () => {
    const registered = { status: 'registered', procedureCode: [sks('UXCC00')] };
    expect(done(study(registered))).toHaveLength(1);
    expect(done(study({ ...registered, started: daysBefore(-2) }))).toEqual([]);
    expect(done(study({ ...registered, started: undefined }))).toEqual([]);
  });

  it.each([
    ['final', 'final'],
    ['corrected', 'final'],
    ['preliminary', 'in-progress'],
    ['partial', 'in-progress'],
    ['unknown', 'preliminary'],
  ])('is what a report that is %s reports on', (status, expected) => {
    expect(done(report({ status, code: sks('UXCC00') }))).toMatchObject([
      { concept: 'ct-chest', status: expected, daysAgo: 4 },
    ]);
  });

  it.each(['registered', 'cancelled', 'entered-in-error'])('is not what a report that is %s is about', (status) => {
    expect(done(report({ status, code: sks('UXCC00') }))).toEqual([]);
  });

  it('is a procedure that is completed or in progress, with its site', () => {
    const biopsy = { code: sct('86273004'), bodySite: [sct('10200004')] };
    expect(done(procedure(biopsy))).toMatchObject([{ concept: 'biopsy', daysAgo: 6, sites: ['liver', 'abdomen'] }]);
    expect(done(procedure({ ...biopsy, status: 'in-progress' }))).toHaveLength(1);
    for (const status of ['preparation', 'not-done', 'on-hold', 'stopped', 'entered-in-error']) {
      expect(done(procedure({ ...biopsy, status }))).toEqual([]);
    }
    for (const status of ['unknown', undefined]) {
      expect(done(procedure({ ...biopsy, status }))).toMatchObject([{ status: 'preliminary' }]);
    }
  });
});

describe('parts', () => {
  const ct = (id: string, code: string, members: object = {}) => procedure({ id, code: sks(code), ...members });
  const whole = (readings: { concept: string }[]) => readings.filter(({ concept }) => concept === 'ct-tab');

  it('done on one day are the whole', () => {
    expect(whole(done(ct('a', 'UXCC00'), ct('b', 'UXCD00')))).toMatchObject([{ exact: true, daysAgo: 6 }]);
  });

  it('done on different days are not, unless for one order', () => {
    const earlier = { performedDateTime: daysBefore(8) };
    const basedOn = { basedOn: [{ reference: 'ServiceRequest/q1' }] };
    expect(whole(done(ct('a', 'UXCC00'), ct('b', 'UXCD00', earlier)))).toEqual([]);
    expect(whole(done(ct('a', 'UXCC00', basedOn), ct('b', 'UXCD00', { ...earlier, ...basedOn })))).toHaveLength(1);
  });

  it('may consist of parts themselves', () => {
    expect(whole(done(ct('a', 'UXCC00'), ct('b', 'UXCD10'), ct('c', 'UXCD15')))).toHaveLength(1);
    expect(whole(done(ct('a', 'UXCC00'), ct('b', 'UXCD10')))).toEqual([]);
  });

  it('ordered with one requisition or on one day are the whole; done and ordered are not', () => {
    const request = (id: string, code: string, members: object = {}) => order({ id, code: sks(code), ...members });
    const requisition = { requisition: { value: '17' } };
    const other = { authoredOn: daysBefore(5) };
    expect(whole(orders(request('a', 'UXCC00'), request('b', 'UXCD00')))).toMatchObject([{ status: 'active' }]);
    expect(whole(orders(request('a', 'UXCC00'), request('b', 'UXCD00', other)))).toEqual([]);
    expect(
      whole(orders(request('a', 'UXCC00', requisition), request('b', 'UXCD00', { ...other, ...requisition }))),
    ).toHaveLength(1);
    expect(whole(orders(request('a', 'UXCC00'), request('b', 'UXCD00', { status: 'revoked' })))).toEqual([]);
    expect(
      whole(
        chartOf([request('a', 'UXCC00'), ct('b', 'UXCD00', { performedDateTime: daysBefore(3) })]).readings.slice(),
      ),
    ).toEqual([]);
  });

  it('drafted are the whole, selected when one of them is', () => {
    const drafts = bundle(order({ id: 'a', code: sks('UXCC00') }), order({ id: 'b', code: sks('UXCD00') }));
    const selections = ['ServiceRequest/b'];
    expect(whole(readingsOf('order', [], { drafts, selections }))).toMatchObject([{ draft: true, selected: true }]);
    expect(whole(readingsOf('order', [], { drafts }))).toMatchObject([{ selected: false }]);
  });
});

describe('markers of pathways', () => {
  it('stand on procedures, contacts and orders', () => {
    const period = { start: daysBefore(20), end: daysBefore(12) };
    expect(markers(procedure({ code: sks('AFA01B') }))).toMatchObject([
      { concept: 'diagnostic-mas', role: 'start', stage: 'B', daysAgo: 6 },
    ]);
    expect(markers(encounter({ type: [sks('AFD01A')], period }))).toMatchObject([
      { concept: 'diagnostic-mup', role: 'start', stage: 'A', daysAgo: 20 },
    ]);
    expect(markers(encounter({ type: [sks('AFD01X1')], period }))).toMatchObject([
      { role: 'closing', stage: 'X1', daysAgo: 12 },
    ]);
    expect(markers(order({ code: sks('AFB26B') }))).toMatchObject([{ concept: 'other-pathway', role: 'start' }]);
  });

  it('close either pathway with AFA01X9', () => {
    expect(markers(procedure({ code: sks('AFA01X9') })).map(({ concept }) => concept)).toEqual([
      'diagnostic-mas',
      'diagnostic-mup',
    ]);
  });

  it.each(['entered-in-error', 'not-done'])('are nothing on a procedure that is %s', (status) => {
    expect(markers(procedure({ code: sks('AFA01A'), status }))).toEqual([]);
  });

  it('on an order of stage A are a referral, and the start where it was sent', () => {
    const roles = (status: string) => markers(order({ code: sks('AFA01A'), status })).map(({ role }) => role);
    expect(roles('active')).toEqual(['referral', 'start']);
    expect(roles('completed')).toEqual(['referral', 'start']);
    expect(roles('revoked')).toEqual(['referral']);
    expect(roles('draft')).toEqual(['referral']);
    expect(roles('entered-in-error')).toEqual([]);
  });

  it("are referrals by our own code and by the client's", () => {
    expect(markers(order({ code: pathway('diagnostic-mup'), status: 'on-hold' }))).toMatchObject([
      { concept: 'diagnostic-mup', role: 'referral', status: 'on-hold', draft: false, daysAgo: 3 },
    ]);
    const coding = { system: 'https://example.org/codes', code: 'HENV' };
    const own = addOwnCodes(lookup, new Map(), { pathwayCodes: { 'diagnostic-mas': coding } });
    expect(readingsOf('marker', [order({ code: { coding: [coding] } })], { lookup: own })).toMatchObject([
      { concept: 'diagnostic-mas', role: 'referral', system: 'local', code: 'HENV' },
    ]);
  });

  it('drafted are referrals only', () => {
    const drafts = bundle(order({ code: sks('AFA01A') }));
    expect(readingsOf('marker', [], { drafts, allSelected: true })).toMatchObject([
      { role: 'referral', status: 'draft', draft: true, selected: true },
    ]);
  });
});

describe('content of a drafted referral', () => {
  const content = (members: object, ...others: object[]) => {
    const drafts = bundle(order({ code: pathway('diagnostic-mas'), ...members }), ...others);
    const [reading] = readingsOf('marker', [], { drafts });
    return { present: reading?.contentPresent, absent: reading?.contentAbsent };
  };
  const all = ['symptoms', 'rationale', 'patient-informed', 'consent', 'telephone'];
  const extension = (name: string) => ({
    url: `https://diagnostisk-pakkeforloeb.dk/fhir/StructureDefinition/referral-${name}`,
    valueBoolean: true,
  });

  it('is absent where nothing is written', () => {
    expect(content({})).toEqual({ present: [], absent: all });
    expect(content({ reasonCode: [{}], note: [{ text: ' ' }], patientInstruction: '' }).absent).toEqual(all);
  });

  it('is present where FHIR has a place for it', () => {
    const members = {
      reasonCode: [{ text: 'Vægttab' }],
      note: [{ text: 'Mistanke om alvorlig sygdom' }],
      patientInstruction: 'Informeret',
      supportingInfo: [{ reference: '#samtykke' }],
      requester: { reference: '#laege' },
      contained: [
        { resourceType: 'Consent', id: 'samtykke', status: 'active' },
        { resourceType: 'Practitioner', id: 'laege', telecom: [{ system: 'phone', value: '12345678' }] },
      ],
    };
    expect(content(members)).toEqual({ present: all, absent: [] });
    expect(
      JSON.stringify(chartOf([], { drafts: bundle(order({ code: pathway('diagnostic-mas'), ...members })) })),
    ).not.toMatch(/Vægttab|Mistanke|12345678/);
  });

  it.each([
    [{ reasonReference: [{ reference: 'Condition/c1' }] }, 'symptoms'],
    [{ reasonCode: [sct('89362005')] }, 'symptoms'],
    [{ extension: [extension('patient-informed')] }, 'patient-informed'],
    [{ extension: [extension('consent')] }, 'consent'],
    [{ extension: [{ ...extension('telephone'), valueBoolean: undefined, valueString: '12345678' }] }, 'telephone'],
  ])('is also present as %j', (members, part) => {
    expect(content(members).present).toEqual([part]);
  });

  it('is present in a completed communication, not in one that is not', () => {
    const talk = (status: string) => ({ resourceType: 'Communication', id: 'talk', status, subject });
    const supportingInfo = [{ reference: 'Communication/talk' }];
    expect(content({ supportingInfo }, talk('completed')).present).toEqual(['patient-informed']);
    expect(content({ supportingInfo }, talk('not-done')).absent).toContain('patient-informed');
  });

  it('that could stand in what was not read is neither present nor absent', () => {
    expect(content({ supportingInfo: [{ reference: 'DocumentReference/letter' }] })).toEqual({
      present: [],
      absent: [],
    });
    expect(content({ supportingInfo: [{ reference: 'Consent/elsewhere' }] }).absent).not.toContain('consent');
    expect(content({ supportingInfo: [{ reference: 'Communication/elsewhere' }] }).absent).not.toContain(
      'patient-informed',
    );
    expect(content({ requester: { reference: 'Practitioner/elsewhere' } }).absent).not.toContain('telephone');
  });

  it('has no telephone in a requester without one', () => {
    const practitioner = { resourceType: 'Practitioner', id: 'laege', telecom: [{ system: 'email', value: 'a@b.dk' }] };
    const requester = { reference: 'Practitioner/laege' };
    expect(content({ requester }, practitioner).absent).toContain('telephone');
    const role = { resourceType: 'PractitionerRole', id: 'rolle', practitioner: requester };
    expect(content({ requester: { reference: 'PractitionerRole/rolle' } }, role).absent).not.toContain('telephone');
    expect(content({ requester: { reference: 'PractitionerRole/rolle' } }, role, practitioner).absent).toContain(
      'telephone',
    );
  });

  it('is not read of a referral already sent', () => {
    expect(markers(order({ code: pathway('diagnostic-mas') }))[0]).not.toHaveProperty('contentAbsent');
  });
});

describe('encounters', () => {
  const encounters = (...resources: object[]) => readingsOf('encounter', resources);
  const inpatient = { class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'IMP' } };

  it('have status, class and the day they began', () => {
    expect(encounters(encounter({ period: { start: daysBefore(9), end: daysBefore(9) } }))).toEqual([
      {
        kind: 'encounter',
        concept: 'encounter',
        exact: true,
        reference: 'Encounter/e1',
        system: 'act-code',
        code: 'AMB',
        date: daysBefore(9),
        daysAgo: 9,
        status: 'finished',
        class: 'AMB',
        specialties: [],
      },
    ]);
  });

  it.each(['cancelled', 'entered-in-error', undefined, 'made-up'])('are nothing when %s', (status) => {
    expect(encounters(encounter({ status }))).toEqual([]);
  });

  it('that have ended are finished, whatever the status says', () => {
    const period = { start: daysBefore(9), end: daysBefore(2) };
    expect(encounters(encounter({ status: 'in-progress', period }))).toMatchObject([{ status: 'finished' }]);
    expect(encounters(encounter({ status: 'in-progress', period: { start: daysBefore(9) } }))).toMatchObject([
      { status: 'in-progress' },
    ]);
  });

  it.each([
    { serviceType: sct('394591006') },
    { serviceType: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/service-type', code: '216' }] } },
    { serviceProvider: { display: 'Hjerne- og Nervesygdomme' } },
    {
      serviceProvider: { reference: '#u' },
      contained: [{ resourceType: 'Organization', id: 'u', name: 'Neurologisk Afd.' }],
    },
    {
      serviceProvider: { reference: '#u' },
      contained: [{ resourceType: 'Organization', id: 'u', type: [sct('38238005')] }],
    },
  ])('are at neurology by %j', (members) => {
    expect(encounters(encounter(members))).toMatchObject([{ specialties: ['neurology'] }]);
  });

  it.each([{ serviceType: sct('394809005') }, { serviceProvider: { display: 'Neurofysiologisk Klinik' } }])(
    'are not at neurology by %j',
    (members) => {
      expect(encounters(encounter(members))).toMatchObject([{ specialties: [] }]);
    },
  );

  it('of one admission are one, with the specialties of all', () => {
    const stay = (id: string, from: number, to: number | undefined, members: object = {}) =>
      encounter({
        id,
        ...inpatient,
        status: to === undefined ? 'in-progress' : 'finished',
        period: { start: daysBefore(from), ...(to !== undefined && { end: daysBefore(to) }) },
        ...members,
      });
    const moved = encounters(stay('a', 10, 7), stay('b', 7, undefined, { serviceType: sct('394591006') }));
    expect(moved).toMatchObject([
      { reference: 'Encounter/a', daysAgo: 10, status: 'in-progress', specialties: ['neurology'] },
    ]);
    const partOf = { reference: 'Encounter/a' };
    expect(encounters(stay('a', 10, 5), stay('b', 8, 7, { partOf, class: { code: 'AMB' } }))).toHaveLength(1);
    expect(encounters(stay('a', 40, 35), stay('b', 10, 5))).toHaveLength(2);
    expect(encounters(stay('x', 9, 8, { partOf }), stay('y', 8, 7, { partOf }))).toHaveLength(1);
  });

  it('as outpatient on one day are each one', () => {
    const period = { start: daysBefore(9), end: daysBefore(9) };
    expect(encounters(encounter({ id: 'a', period }), encounter({ id: 'b', period }))).toHaveLength(2);
  });
});

describe('medication', () => {
  const medications = (...resources: object[]) => readingsOf('medication', resources);
  const statement = (members: object) => ({
    resourceType: 'MedicationStatement',
    id: 'ms1',
    status: 'active',
    subject,
    effectiveDateTime: daysBefore(50),
    ...members,
  });
  const penicillin = { medicationCodeableConcept: atc('J01CE02') };

  it('is read for itself and for each of its drug groups', () => {
    expect(medications(prescription(penicillin))).toMatchObject([
      {
        concept: 'medication',
        exact: true,
        system: 'atc',
        code: 'J01CE02',
        current: true,
        prescription: true,
        daysAgo: 20,
      },
      { concept: 'antibiotics', exact: true, code: 'J01CE02' },
    ]);
    expect(medications(prescription({ medicationCodeableConcept: atc('J01XX05') }))).toMatchObject([
      { concept: 'medication' },
    ]);
  });

  it('may stand in a Medication, contained or apart', () => {
    const medication = { resourceType: 'Medication', id: 'pen', code: atc('J01CE02') };
    const contained = { medicationReference: { reference: '#pen' }, contained: [medication] };
    expect(medications(prescription(contained))[1]).toMatchObject({ concept: 'antibiotics' });
    const apart = { medicationReference: { reference: 'Medication/pen' } };
    expect(medications(statement(apart), medication)[1]).toMatchObject({ concept: 'antibiotics', prescription: false });
  });

  it('whose class no code tells is never exact', () => {
    const drugId = { coding: [{ system: 'https://laegemiddelstyrelsen.dk/LMS01/DrugID', code: '28100902676' }] };
    for (const members of [
      { medicationCodeableConcept: drugId },
      { medicationReference: { reference: 'Medication/x' } },
      {},
    ]) {
      expect(medications(prescription(members))).toMatchObject([
        { concept: 'unclassified-medication', exact: false, code: '' },
      ]);
    }
  });

  it('is classed by a verified RxNorm ingredient too', () => {
    const warfarin = { coding: [{ system: 'http://www.nlm.nih.gov/research/umls/rxnorm', code: '11289' }] };
    expect(medications(prescription({ medicationCodeableConcept: warfarin })).map(({ concept }) => concept)).toEqual([
      'medication',
      'anticoagulant-any',
    ]);
  });

  it.each([
    [{ status: 'active' }, true],
    [{ status: 'unknown' }, true],
    [{ status: undefined }, true],
    [{ status: 'unknown', effectivePeriod: { start: daysBefore(50), end: daysBefore(40) } }, false],
    [{ status: 'completed' }, false],
    [{ status: 'stopped' }, false],
    [{ status: 'on-hold' }, false],
    [{ status: 'active', effectiveDateTime: daysBefore(-4) }, false],
  ])('on the medication card with %j is in use: %s', (members, current) => {
    expect(medications(statement({ ...penicillin, ...members }))[0]).toMatchObject({ current, prescription: false });
  });

  it.each(['entered-in-error', 'not-taken', 'intended', 'cancelled', 'draft'])('is nothing when %s', (status) => {
    expect(medications(statement({ ...penicillin, status }))).toEqual([]);
  });

  it('of the past is a prescription all the same', () => {
    expect(medications(prescription({ ...penicillin, status: 'completed' }))[0]).toMatchObject({
      prescription: true,
      current: false,
    });
    expect(medications(prescription({ ...penicillin, intent: 'proposal' }))[0]).toMatchObject({ prescription: false });
  });

  it('with the same code and start is one course', () => {
    const again = prescription({ ...penicillin, id: 'm2' });
    const later = prescription({ ...penicillin, id: 'm3', authoredOn: daysBefore(2) });
    const courses = medications(prescription(penicillin), again, later).filter(
      ({ concept }) => concept === 'antibiotics',
    );
    expect(courses.map(({ reference }) => reference)).toEqual(['MedicationRequest/m3', 'MedicationRequest/m1']);
  });
});
