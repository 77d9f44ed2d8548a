// What every artefact says, and the Danish title and description beside the English ones.
RuleSet: Head(title, description)
* ^title.extension[0].url = $translation
* ^title.extension[0].extension[0].url = "lang"
* ^title.extension[0].extension[0].valueCode = #da
* ^title.extension[0].extension[1].url = "content"
* ^title.extension[0].extension[1].valueString = "{title}"
* ^description.extension[0].url = $translation
* ^description.extension[0].extension[0].url = "lang"
* ^description.extension[0].extension[0].valueCode = #da
* ^description.extension[0].extension[1].url = "content"
* ^description.extension[0].extension[1].valueMarkdown = "{description}"
* ^language = #en
* ^status = #active
* ^experimental = false
* ^jurisdiction = urn:iso:std:iso:3166#DK

// The slices of dk-core-observation that this service reads, under the same names.
RuleSet: ObservationCodings
* code.coding ^slicing.discriminator.type = #value
* code.coding ^slicing.discriminator.path = "system"
* code.coding ^slicing.rules = #open
* code.coding contains LOINC 0..1 and SNOMEDCT 0..1 and NPU 0..1 and MedCom 0..1 and SKS 0..1
* code.coding[LOINC].system 1..
* code.coding[LOINC].system = $loinc
* code.coding[LOINC].code 1..
* code.coding[SNOMEDCT].system 1..
* code.coding[SNOMEDCT].system = $sct
* code.coding[SNOMEDCT].code 1..
* code.coding[NPU].system 1..
* code.coding[NPU].system = $npu
* code.coding[NPU].code 1..
* code.coding[MedCom].system 1..
* code.coding[MedCom].system = $medcom
* code.coding[MedCom].code 1..
* code.coding[SKS].system 1..
* code.coding[SKS].system = $sks
* code.coding[SKS].code 1..

// The slices of dk-core-condition that this service reads, under the same names, and ICD-10 as WHO writes it.
RuleSet: ConditionCodings
* code.coding ^slicing.discriminator.type = #value
* code.coding ^slicing.discriminator.path = "system"
* code.coding ^slicing.rules = #open
* code.coding contains SCTConditionCode 0..1 and SKS-D 0..1 and ICPC2code 0..1 and ICD10 0..1
* code.coding[SCTConditionCode].system 1..
* code.coding[SCTConditionCode].system = $sct
* code.coding[SCTConditionCode].code 1..
* code.coding[SKS-D].system 1..
* code.coding[SKS-D].system = $sks-d
* code.coding[SKS-D].code 1..
* code.coding[ICPC2code].system 1..
* code.coding[ICPC2code].system = $icpc2
* code.coding[ICPC2code].code 1..
* code.coding[ICD10].system 1..
* code.coding[ICD10].system = $icd10
* code.coding[ICD10].code 1..

// Codings of what is ordered: analyses in NPU and LOINC, investigations in SKS and SNOMED CT, referrals in our CodeSystem.
RuleSet: OrderCodings
* code.coding ^slicing.discriminator.type = #value
* code.coding ^slicing.discriminator.path = "system"
* code.coding ^slicing.rules = #open
* code.coding contains NPU 0..1 and LOINC 0..1 and SKS 0..1 and SNOMEDCT 0..1 and pathway 0..1
* code.coding[NPU].system 1..
* code.coding[NPU].system = $npu
* code.coding[NPU].code 1..
* code.coding[LOINC].system 1..
* code.coding[LOINC].system = $loinc
* code.coding[LOINC].code 1..
* code.coding[SKS].system 1..
* code.coding[SKS].system = $sks
* code.coding[SKS].code 1..
* code.coding[SNOMEDCT].system 1..
* code.coding[SNOMEDCT].system = $sct
* code.coding[SNOMEDCT].code 1..
* code.coding[pathway].system 1..
* code.coding[pathway].system = $pathway
* code.coding[pathway].code 1..
* code.coding[pathway].code from https://diagnostisk-pakkeforloeb.dk/fhir/ValueSet/pathways (required)

// The slices of dk-core-person-servicerequest that this service reads, under the same names.
RuleSet: ReasonCodings
* reasonCode.coding ^slicing.discriminator.type = #value
* reasonCode.coding ^slicing.discriminator.path = "system"
* reasonCode.coding ^slicing.rules = #open
* reasonCode.coding contains SCTCode 0..1 and SKS 0..1 and ICPC2code 0..1
* reasonCode.coding[SCTCode].system 1..
* reasonCode.coding[SCTCode].system = $sct
* reasonCode.coding[SKS].system 1..
* reasonCode.coding[SKS].system = $sks-d
* reasonCode.coding[ICPC2code].system 1..
* reasonCode.coding[ICPC2code].system = $icpc2
