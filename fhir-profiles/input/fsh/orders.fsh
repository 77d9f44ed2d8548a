Invariant: dpf-ref-symptoms
Description: "The referral names symptoms and findings: send reasonCode or reasonReference."
Severity: #error
Expression: "reasonCode.exists() or reasonReference.exists()"

Invariant: dpf-ref-rationale
Description: "The referral says why serious disease is suspected: send note."
Severity: #error
Expression: "note.exists()"

Invariant: dpf-ref-informed
Description: "The referral says that the patient is informed: send patientInstruction, a completed Communication in supportingInfo, or the extension referral-patient-informed."
Severity: #error
Expression: "patientInstruction.exists() or supportingInfo.reference.where(contains('Communication/')).exists() or contained.where($this is Communication).exists() or extension.where(url = 'https://diagnostisk-pakkeforloeb.dk/fhir/StructureDefinition/referral-patient-informed' and value = true).exists()"

Invariant: dpf-ref-consent
Description: "The referral says that the patient consents: send an active Consent in supportingInfo, or the extension referral-consent."
Severity: #error
Expression: "supportingInfo.reference.where(contains('Consent/')).exists() or contained.where($this is Consent).exists() or extension.where(url = 'https://diagnostisk-pakkeforloeb.dk/fhir/StructureDefinition/referral-consent' and value = true).exists()"

Invariant: dpf-ref-telephone
Description: "The referral carries the referrer's direct telephone number: send a requester whose telecom has a phone, or the extension referral-telephone."
Severity: #error
Expression: "requester.exists() or extension.where(url = 'https://diagnostisk-pakkeforloeb.dk/fhir/StructureDefinition/referral-telephone').exists()"

Profile: Referral
Parent: ServiceRequest
Id: referral
Title: "Referral to Diagnostisk pakkeforløb"
Description: "A referral as MAS or MUP with the content the guideline requires: symptoms and findings, the reasons for the suspicion, information, consent and a direct telephone number."
* insert Head([[Henvisning til Diagnostisk pakkeforløb]], [[En henvisning som MAS eller MUP med det indhold retningslinjen kræver: symptomer og fund, begrundelse for mistanken, information, samtykke og et direkte telefonnummer.]])
* obeys dpf-ref-symptoms and dpf-ref-rationale and dpf-ref-informed and dpf-ref-consent and dpf-ref-telephone
* extension contains
    ReferralPatientInformed named patientInformed 0..1 MS and
    ReferralConsent named consent 0..1 MS and
    ReferralTelephone named telephone 0..1 MS
* status MS
* intent MS
* code 1..1 MS
* insert OrderCodings
* code.coding[pathway] 1..1
* code.coding[pathway].code from https://diagnostisk-pakkeforloeb.dk/fhir/ValueSet/diagnostic-pathways (required)
* subject MS
* subject only Reference(Patient)
* authoredOn MS
* requester MS
* insert ReasonCodings
* reasonCode MS
* reasonCode ^short = "Symptoms and findings, [DA] symptomer og fund"
* reasonReference MS
* supportingInfo MS
* note MS
* note ^short = "Why serious disease is suspected, [DA] begrundelse for mistanken"
* patientInstruction MS

ValueSet: SuggestionIntents
Id: suggestion-intents
Title: "Intents of a suggested order"
Description: "A suggestion is a proposal until the clinician accepts it; on order hooks it takes the intent of the drafts."
* insert Head([[Hensigt med en foreslået ordination]], [[Et forslag er et forslag indtil klinikeren tager imod det; ved ordination får det kladdernes hensigt.]])
* http://hl7.org/fhir/request-intent#proposal
* http://hl7.org/fhir/request-intent#plan
* http://hl7.org/fhir/request-intent#order
* http://hl7.org/fhir/request-intent#original-order

Invariant: dpf-sug-requisition
Description: "The orders of one suggestion share a requisition with a system and a value."
Severity: #error
Expression: "requisition.exists() implies (requisition.system.exists() and requisition.value.exists())"

Profile: SuggestedOrder
Parent: ServiceRequest
Id: suggested-order
Title: "Suggested order"
Description: "A draft order or referral as a card of this service suggests it: coded in NPU and LOINC (analyses), SKS and SNOMED CT (investigations) or our CodeSystem pathway (referrals). The clinician decides whether it is ordered."
* insert Head([[Foreslået ordination]], [[En kladde til en ordination eller henvisning som et kort fra denne service foreslår den: kodet i NPU og LOINC (analyser), SKS og SNOMED CT (undersøgelser) eller vores CodeSystem pathway (henvisninger). Klinikeren afgør om den afsendes.]])
* obeys dpf-sug-requisition
* status = #draft
* intent MS
* intent from SuggestionIntents (required)
* code 1..1 MS
* code.coding 1..
* insert OrderCodings
* subject MS
* subject only Reference(Patient)
* requisition 1..1 MS
* encounter MS
* reasonReference MS
