// One patient seen as the guideline sees her, and one resource per profile. Invented.

Instance: example-patient
InstanceOf: PatientSubject
Usage: #example
* gender = #female
* birthDate = "1964-08-15"

Instance: example-weight-loss
InstanceOf: SymptomCondition
Usage: #example
* clinicalStatus = $condition-clinical#active
* verificationStatus = $condition-ver-status#confirmed
* code.coding[ICPC2code] = $icpc2#T08
* code.coding[SCTConditionCode] = $sct#267024001
* subject = Reference(Patient/example-patient)
* onsetDateTime = "2026-10-19"
* recordedDate = "2026-11-16"

Instance: example-suspicion
InstanceOf: RecordedSuspicion
Usage: #example
* clinicalStatus = $condition-clinical#active
* code.coding[SKS-D] = $sks-d#DZ031
* subject = Reference(Patient/example-patient)
* recordedDate = "2026-11-18"

Instance: example-suspected-lung-cancer
InstanceOf: SuspectedCondition
Usage: #example
* clinicalStatus = $condition-clinical#active
* verificationStatus = $condition-ver-status#unconfirmed
* code.coding[SKS-D] = $sks-d#DC349
* subject = Reference(Patient/example-patient)
* recordedDate = "2026-11-18"

Instance: example-haemoglobin
InstanceOf: LaboratoryResult
Usage: #example
* status = #final
* category = $observation-category#laboratory
* code.coding[NPU] = $npu#NPU02319
* subject = Reference(Patient/example-patient)
* effectiveDateTime = "2026-11-18T08:10:00+01:00"
* valueQuantity = 6.4 $ucum#mmol/L
* interpretation = http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation#L

Instance: example-crp-below-limit
InstanceOf: LaboratoryResult
Usage: #example
* status = #final
* category = $observation-category#laboratory
* code.coding[LOINC] = $loinc#1988-5
* subject = Reference(Patient/example-patient)
* effectiveDateTime = "2026-11-18T08:10:00+01:00"
* valueQuantity = 4 $ucum#mg/L
* valueQuantity.comparator = #<

Instance: example-groin-node
InstanceOf: LymphNodeFinding
Usage: #example
* status = #final
* code.coding[SNOMEDCT] = $sct#127199000
* subject = Reference(Patient/example-patient)
* effectiveDateTime = "2026-11-16"
* bodySite = $sct#26893007
* component[size].valueQuantity = 22 $ucum#mm
* component[count].valueInteger = 1
* component[tenderness].valueBoolean = false

Instance: example-neck-mass-absent
InstanceOf: ExaminationFinding
Usage: #example
* status = #final
* code.coding[SNOMEDCT] = $sct#127086001
* subject = Reference(Patient/example-patient)
* effectiveDateTime = "2026-11-16"
* valueBoolean = false

Instance: example-ct
InstanceOf: ImagingStudyPerformed
Usage: #example
* status = #available
* subject = Reference(Patient/example-patient)
* started = "2026-11-19T13:00:00+01:00"
* procedureCode = $sct#418023006

Instance: example-liver-finding
InstanceOf: ImagingFinding
Usage: #example
* status = #final
* code.coding[SNOMEDCT] = $sct#300332007
* subject = Reference(Patient/example-patient)
* effectiveDateTime = "2026-11-20"
* bodySite = $sct#10200004
* derivedFrom = Reference(ImagingStudy/example-ct)
* component[count].valueCodeableConcept = $sct#255204007

Instance: example-ct-report
InstanceOf: ImagingReport
Usage: #example
* status = #final
* category = $v2-0074#RAD
* code = $sct#418023006
* subject = Reference(Patient/example-patient)
* effectiveDateTime = "2026-11-19T13:00:00+01:00"
* issued = "2026-11-20T09:00:00+01:00"
* imagingStudy = Reference(ImagingStudy/example-ct)
* result = Reference(Observation/example-liver-finding)
* conclusionCode = $sct#94381002

Instance: example-biopsy
InstanceOf: Specimen
Usage: #inline
* collection.bodySite = $sct#10200004

Instance: example-pathology-report
InstanceOf: PathologyReport
Usage: #example
* contained = example-biopsy
* status = #final
* category = $v2-0074#PAT
* code = $loinc#11526-1
* subject = Reference(Patient/example-patient)
* effectiveDateTime = "2026-11-20"
* issued = "2026-11-22T15:00:00+01:00"
* specimen = Reference(example-biopsy)
* conclusionCode = http://terminology.hl7.org/CodeSystem/icd-o-3#8140/3

Instance: example-histology
InstanceOf: HistologyObservation
Usage: #example
* status = #final
* code = $loinc#59847-4
* subject = Reference(Patient/example-patient)
* effectiveDateTime = "2026-11-22"
* valueCodeableConcept = $sct#35917007
* bodySite = $sct#10200004

Instance: example-referral
InstanceOf: Referral
Usage: #example
* status = #draft
* intent = #order
* code.coding[pathway] = $pathway#diagnostic-mas
* subject = Reference(Patient/example-patient)
* authoredOn = "2026-11-23T09:30:00+01:00"
* reasonCode.coding[ICPC2code] = $icpc2#T08
* note.text = "Weight loss without explanation over five weeks, with anaemia."
* extension[patientInformed].valueBoolean = true
* extension[consent].valueBoolean = true
* extension[telephone].valueContactPoint.system = #phone
* extension[telephone].valueContactPoint.value = "+45 00 00 00 00"

Instance: example-suggested-order
InstanceOf: SuggestedOrder
Usage: #example
* status = #draft
* intent = #proposal
* code.coding[NPU] = $npu#NPU19748 "CRP"
* code.coding[LOINC] = $loinc#1988-5 "CRP"
* subject = Reference(Patient/example-patient)
* requisition.system = "urn:ietf:rfc:3986"
* requisition.value = "urn:uuid:5a4f8e2c-7a44-8d0e-9a55-0c1f5d6b7e80"
* reasonReference = Reference(Condition/example-weight-loss)

Instance: example-order
InstanceOf: OrderPlaced
Usage: #example
* status = #active
* intent = #order
* code = $sks#UXUD10
* subject = Reference(Patient/example-patient)
* authoredOn = "2026-11-20"

Instance: example-procedure
InstanceOf: ProcedureDone
Usage: #example
* status = #completed
* code = $sks#KUJD02
* subject = Reference(Patient/example-patient)
* performedDateTime = "2026-11-12"

Instance: example-encounter
InstanceOf: EncounterContact
Usage: #example
* status = #finished
* class = http://terminology.hl7.org/CodeSystem/v3-ActCode#AMB
* type = $sks#AFA01A
* subject = Reference(Patient/example-patient)
* period.start = "2026-11-20"
* period.end = "2026-11-20"

Instance: example-prescription
InstanceOf: MedicationPrescribed
Usage: #example
* status = #active
* intent = #order
* medicationCodeableConcept = $atc#J01
* subject = Reference(Patient/example-patient)
* authoredOn = "2026-11-02"

Instance: example-medication
InstanceOf: MedicationUsed
Usage: #example
* status = #unknown
* medicationCodeableConcept = $atc#B01AF
* subject = Reference(Patient/example-patient)
* effectivePeriod.start = "2026-01-10"
