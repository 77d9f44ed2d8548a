Invariant: dpf-con-dated
Description: "A condition needs a date: send onsetDateTime (or onsetPeriod.start) when it began, or recordedDate when it was recorded. Without one it counts for nothing that asks how long."
Severity: #error
Expression: "onset.exists() or recordedDate.exists()"

Profile: SymptomCondition
Parent: Condition
Id: symptom-condition
Title: "Symptom or condition"
Description: "A symptom, disease or problem-list finding. Active and confirmed unless the statuses say otherwise; the onset decides whether a symptom is new."
* insert Head([[Symptom eller tilstand]], [[Et symptom, en sygdom eller et fund på problemlisten. Aktiv og bekræftet medmindre statusfelterne siger andet; debut afgør om et symptom er nyt.]])
* obeys dpf-con-dated
* clinicalStatus MS
* verificationStatus MS
* insert ConditionCodings
* code 1..1 MS
* code from https://diagnostisk-pakkeforloeb.dk/fhir/ValueSet/conditions (required)
* code ^short = "SNOMED CT, SKS, ICPC-2 or ICD-10; every coding is read, [DA] tilstandskode"
* bodySite MS
* bodySite from BodySites (preferred)
* subject 1..1 MS
* subject only Reference(Patient)
* onset[x] only dateTime or Period
* onset[x] MS
* onset[x] ^short = "When it began, as far as known, [DA] debut"
* abatement[x] only dateTime or Period
* recordedDate MS

Profile: RecordedSuspicion
Parent: SymptomCondition
Id: recorded-suspicion
Title: "Recorded suspicion of cancer"
Description: "Suspicion of cancer recorded by the clinician with a code that says so: observation for suspected malignancy (SKS), with the organ where it has one, or suspected malignancy (SNOMED CT)."
* insert Head([[Registreret mistanke om kræft]], [[Mistanke om kræft registreret af klinikeren med en kode der siger det: obs. pro (SKS), med organ hvor koden har et, eller mistanke om malignitet (SNOMED CT).]])
* code from https://diagnostisk-pakkeforloeb.dk/fhir/ValueSet/suspicions (required)

ValueSet: SuspectedStatuses
Id: suspected-statuses
Title: "Verification statuses of a suspicion"
Description: "The verification statuses that make a condition suspected rather than confirmed."
* insert Head([[Status for mistanke]], [[De verifikationsstatusser der gør en tilstand mistænkt og ikke bekræftet.]])
* $condition-ver-status#unconfirmed
* $condition-ver-status#provisional
* $condition-ver-status#differential

Profile: SuspectedCondition
Parent: SymptomCondition
Id: suspected-condition
Title: "Suspected condition"
Description: "Suspicion of cancer recorded with the code of the cancer itself and a verification status that says it is not confirmed."
* insert Head([[Mistænkt tilstand]], [[Mistanke om kræft registreret med kræftsygdommens egen kode og en verifikationsstatus der siger at den ikke er bekræftet.]])
* verificationStatus 1..1
* verificationStatus from SuspectedStatuses (required)
