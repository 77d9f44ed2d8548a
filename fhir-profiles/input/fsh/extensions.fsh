// Extensions on data.

Extension: ReferralPatientInformed
Id: referral-patient-informed
Title: "Patient informed"
Description: "The patient has been told that the referral is made because of suspicion of serious disease, which may be cancer. Used where neither patientInstruction nor a completed Communication says so."
* insert Head([[Patienten er informeret]], [[Patienten har fået at vide at henvisningen sker på mistanke om alvorlig sygdom, som kan være kræft. Bruges hvor hverken patientInstruction eller en afsluttet Communication siger det.]])
* ^context.type = #element
* ^context.expression = "ServiceRequest"
* value[x] only boolean
* value[x] 1..

Extension: ReferralConsent
Id: referral-consent
Title: "Consent"
Description: "The patient consents to the referral. Used where no active Consent is referred to."
* insert Head([[Samtykke]], [[Patienten samtykker til henvisningen. Bruges hvor der ikke henvises til et aktivt Consent.]])
* ^context.type = #element
* ^context.expression = "ServiceRequest"
* value[x] only boolean
* value[x] 1..

Extension: ReferralTelephone
Id: referral-telephone
Title: "Direct telephone number of the referrer"
Description: "The number on which the diagnostic unit reaches the referring doctor directly. Used where the requester carries none."
* insert Head([[Henvisers direkte telefonnummer]], [[Det nummer hvor den diagnostiske enhed når den henvisende læge direkte. Bruges hvor rekvirenten ikke har et.]])
* ^context.type = #element
* ^context.expression = "ServiceRequest"
* value[x] only ContactPoint or string
* value[x] 1..

Extension: FindingCount
Id: finding-count
Title: "Number of lesions"
Description: "How many lesions a finding is about: a number, or solitary or multiple. Used on a Condition or DiagnosticReport, which have no component for it."
* insert Head([[Antal forandringer]], [[Hvor mange forandringer fundet omfatter: et tal, eller solitær eller multiple. Bruges på Condition og DiagnosticReport, som ikke har en component til det.]])
* ^context[0].type = #element
* ^context[0].expression = "Condition"
* ^context[1].type = #element
* ^context[1].expression = "Observation"
* ^context[2].type = #element
* ^context[2].expression = "DiagnosticReport"
* value[x] only integer or CodeableConcept
* value[x] 1..

// Extensions on the knowledge.

Extension: FactDefinition
Id: fact-definition
Title: "Definition of a fact"
Description: "How the value of a named fact is found: a JSON object as in facts.yaml, with the kinds of reading, concepts, window and FHIRPath it selects by, or the FHIRPath over other facts."
* insert Head([[Definition af et faktum]], [[Hvordan værdien af et navngivet faktum findes: et JSON-objekt som i facts.yaml, med aflæsningstyper, begreber, tidsvindue og FHIRPath, eller FHIRPath over andre fakta.]])
* ^context.type = #element
* ^context.expression = "ParameterDefinition"
* value[x] only string
* value[x] 1..

Extension: ParameterValue
Id: parameter-value
Title: "Value of a parameter"
Description: "The number a named parameter has, in the unit given."
* insert Head([[Værdi af en parameter]], [[Det tal en navngiven parameter har, i den angivne enhed.]])
* ^context.type = #element
* ^context.expression = "ParameterDefinition"
* value[x] only Quantity
* value[x] 1..

Extension: DecisionReason
Id: decision-reason
Title: "Reason when a condition fails"
Description: "The reason the record gives when this condition is the first of its decision that does not hold."
* insert Head([[Årsag når en betingelse ikke er opfyldt]], [[Den årsag der registreres når denne betingelse er den første af beslutningens som ikke er opfyldt.]])
* ^context.type = #element
* ^context.expression = "PlanDefinition.action.condition"
* value[x] only code
* value[x] 1..

Extension: WithheldWhen
Id: withheld-when
Title: "Card withheld when"
Description: "The decision stays met and its card is not sent while this FHIRPath over facts is true; the reason is the record's."
* insert Head([[Kort tilbageholdes når]], [[Beslutningen forbliver opfyldt, men dens kort sendes ikke, så længe denne FHIRPath over fakta er sand; årsagen er den der registreres.]])
* ^context.type = #element
* ^context.expression = "PlanDefinition.action"
* extension contains condition 1..1 and reason 1..1
* extension[condition].value[x] only Expression
* extension[condition].value[x] 1..
* extension[reason].value[x] only code
* extension[reason].value[x] 1..

Extension: UnitConversion
Id: unit-conversion
Title: "Conversion of units"
Description: "value in `to` = value in `from` × multiply + add. Units are UCUM."
* insert Head([[Omregning af enheder]], [[værdi i `to` = værdi i `from` × multiply + add. Enhederne er UCUM.]])
* ^context.type = #element
* ^context.expression = "ConceptMap.group.element.target"
* extension contains from 1..1 and to 1..1 and multiply 1..1 and add 0..1
* extension[from].value[x] only code
* extension[from].value[x] 1..
* extension[to].value[x] only code
* extension[to].value[x] 1..
* extension[multiply].value[x] only decimal
* extension[multiply].value[x] 1..
* extension[add].value[x] only decimal
* extension[add].value[x] 1..
