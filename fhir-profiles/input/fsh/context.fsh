Invariant: dpf-pat-age
Description: "The age is needed: send birthDate, or the CPR number as an identifier of urn:oid:1.2.208.176.1.2, from which it is derived."
Severity: #error
Expression: "birthDate.exists() or identifier.where(system = 'urn:oid:1.2.208.176.1.2').exists()"

Invariant: dpf-pat-sex
Description: "The sex is needed: send gender, or the CPR number as an identifier of urn:oid:1.2.208.176.1.2, from which it is derived."
Severity: #error
Expression: "gender.exists() or identifier.where(system = 'urn:oid:1.2.208.176.1.2').exists()"

Profile: PatientSubject
Parent: Patient
Id: patient
Title: "Patient"
Description: "Age and sex, and whether the patient lives. Nothing else of the patient is read."
* insert Head([[Patient]], [[Alder og køn, og om patienten lever. Intet andet om patienten læses.]])
* obeys dpf-pat-age and dpf-pat-sex
* identifier MS
* gender MS
* birthDate MS
* deceased[x] MS

Invariant: dpf-enc-dated
Description: "A contact needs a date: send period.start."
Severity: #error
Expression: "period.start.exists() or status = 'planned'"

Profile: EncounterContact
Parent: Encounter
Id: encounter
Title: "Contact"
Description: "A contact or admission. Counted for the pattern of contacts; class tells admission, serviceType or serviceProvider the specialty, type carries the SKS pathway codes."
* insert Head([[Kontakt]], [[En kontakt eller indlæggelse. Tæller i kontaktmønsteret; class viser indlæggelse, serviceType eller serviceProvider specialet, type bærer SKS-pakkeforløbskoder.]])
* obeys dpf-enc-dated
* status MS
* class MS
* type MS
* serviceType MS
* subject 1..1 MS
* subject only Reference(Patient)
* period MS

Invariant: dpf-proc-dated
Description: "A procedure needs a date: send performedDateTime or performedPeriod."
Severity: #error
Expression: "performed.exists()"

Profile: ProcedureDone
Parent: Procedure
Id: procedure
Title: "Procedure"
Description: "An investigation that was done, or a registered pathway code (SKS AF… with A, B or X)."
* insert Head([[Procedure]], [[En udført undersøgelse, eller en registreret pakkeforløbskode (SKS AF… med A, B eller X).]])
* obeys dpf-proc-dated
* status MS
* code 1..1 MS
* subject MS
* subject only Reference(Patient)
* performed[x] only dateTime or Period
* performed[x] MS
* bodySite MS
* bodySite from BodySites (preferred)

Profile: OrderPlaced
Parent: ServiceRequest
Id: order
Title: "Order"
Description: "An order or referral in the record: an analysis, an investigation or a pathway. It keeps the service from proposing what is already ordered."
* insert Head([[Ordination]], [[En ordination eller henvisning i journalen: en analyse, en undersøgelse eller et pakkeforløb. Den hindrer servicen i at foreslå det der allerede er bestilt.]])
* status MS
* intent MS
* code 1..1 MS
* subject MS
* subject only Reference(Patient)
* authoredOn 1..1 MS
* requisition MS

Profile: MedicationPrescribed
Parent: MedicationRequest
Id: medication-request
Title: "Prescription"
Description: "A prescription by ATC code: in use now, and counted over time."
* insert Head([[Recept]], [[En recept med ATC-kode: i brug nu, og talt over tid.]])
* status MS
* intent MS
* medication[x] MS
* subject MS
* subject only Reference(Patient)
* authoredOn 1..1 MS

Profile: MedicationUsed
Parent: MedicationStatement
Id: medication-statement
Title: "Medication in use"
Description: "A medication as the Danish medication card publishes it, by ATC code. In use while active, or while the status is unknown and no end is given."
* insert Head([[Medicin i brug]], [[Medicin som det fælles medicinkort udstiller den, med ATC-kode. I brug når den er aktiv, eller når status er ukendt og der ikke er angivet slut.]])
* status MS
* medication[x] MS
* subject MS
* subject only Reference(Patient)
* effective[x] MS
