Invariant: dpf-obs-dated
Description: "An observation needs a date: send effectiveDateTime (or effectivePeriod, effectiveInstant, or issued). Without one it could be the newest, and what hinges on it is unknown."
Severity: #error
Expression: "effective.exists() or issued.exists()"

Invariant: dpf-obs-result
Description: "A final result needs a value: send valueQuantity, another value[x], component or hasMember, or say why there is none in dataAbsentReason."
Severity: #error
Expression: "status in ('final' | 'amended' | 'corrected') implies (value.exists() or component.exists() or hasMember.exists() or dataAbsentReason.exists())"

Profile: LaboratoryResult
Parent: Observation
Id: laboratory-result
Title: "Laboratory result"
Description: "A result of an analysis the guideline asks for, in NPU or LOINC. The newest valid result of each analysis is judged: by its interpretation, else its reference range, else the interval of the knowledge base."
* insert Head([[Laboratoriesvar]], [[Et svar på en analyse som retningslinjen beder om, i NPU eller LOINC. Det nyeste gyldige svar på hver analyse vurderes: på dets markering, ellers dets referenceinterval, ellers videnbasens interval.]])
* obeys dpf-obs-dated and dpf-obs-result
* status MS
* status ^short = "registered and preliminary count as ordered; final, amended and corrected as resulted, [DA] svarstatus"
* insert ObservationCodings
* code MS
* code from https://diagnostisk-pakkeforloeb.dk/fhir/ValueSet/analyses (required)
* code ^short = "NPU or LOINC code of the analysis, [DA] analysekode"
* subject 1..1 MS
* subject only Reference(Patient)
* effective[x] only dateTime or Period or instant
* effective[x] MS
* effective[x] ^short = "When the specimen was taken, [DA] prøvetagningstid"
* value[x] only Quantity or CodeableConcept or string or integer or boolean
* value[x] MS
* valueQuantity.value 1..
* valueQuantity.system 1..
* valueQuantity.system = $ucum
* valueQuantity.code 1..
* valueQuantity.code ^short = "UCUM unit; a comparator goes in comparator, [DA] enhed"
* interpretation MS
* interpretation ^short = "L, LL, H, HH, A, N …: judged before the interval, [DA] markering"
* referenceRange MS
* dataAbsentReason MS
* component MS
* hasMember MS

Profile: ExaminationFinding
Parent: Observation
Id: examination-finding
Title: "Finding at examination"
Description: "A coded finding of a clinical examination, with its site, side, number, size and tenderness. A finding that was looked for and not there is sent with valueBoolean false or a value that says absent."
* insert Head([[Fund ved undersøgelse]], [[Et kodet fund ved klinisk undersøgelse med sted, side, antal, størrelse og ømhed. Et fund der er set efter og ikke er der, sendes med valueBoolean false eller en værdi der siger fraværende.]])
* obeys dpf-obs-dated
* status MS
* insert ObservationCodings
* code MS
* code from https://diagnostisk-pakkeforloeb.dk/fhir/ValueSet/findings (preferred)
* subject 1..1 MS
* subject only Reference(Patient)
* effective[x] only dateTime or Period or instant
* effective[x] MS
* value[x] only boolean or CodeableConcept
* value[x] MS
* value[x] ^short = "Present or absent, suspected, or the finding itself; no value: present, [DA] til stede eller ej"
* bodySite MS
* bodySite from BodySites (preferred)
* component MS
* component ^slicing.discriminator.type = #pattern
* component ^slicing.discriminator.path = "code"
* component ^slicing.rules = #open
* component contains size 0..* and count 0..1 and tenderness 0..1
* component[size].code = $sct#246116008
* component[size] ^short = "Size of the lesion; the largest counts, [DA] størrelse"
* component[size].value[x] only Quantity
* component[size].value[x] 1..
* component[size].valueQuantity.value 1..
* component[size].valueQuantity.system 1..
* component[size].valueQuantity.system = $ucum
* component[size].valueQuantity.code 1..
* component[size].valueQuantity.code from LengthUnits (required)
* component[count].code = $sct#246205007
* component[count] ^short = "A number, or solitary or multiple, [DA] antal"
* component[count].value[x] only integer or CodeableConcept
* component[count].value[x] 1..
* component[tenderness].code = $sct#247348008
* component[tenderness] ^short = "false is non-tender; left out is not recorded, [DA] ømhed"
* component[tenderness].value[x] only boolean or CodeableConcept
* component[tenderness].value[x] 1..

ValueSet: LengthUnits
Id: length-units
Title: "Units of length"
Description: "UCUM units in which the size of a lesion is understood."
* insert Head([[Længdeenheder]], [[UCUM-enheder som en forandrings størrelse forstås i.]])
* $ucum#mm
* $ucum#cm
* $ucum#dm
* $ucum#m
* $ucum#um
* $ucum#[in_i]

Profile: LymphNodeFinding
Parent: ExaminationFinding
Id: lymph-node-finding
Title: "Lymph node finding"
Description: "An enlarged or suspect lymph node found at examination. Site, size and tenderness decide which way the patient goes; what is not recorded makes the decision unknown and is asked for."
* insert Head([[Lymfeknudefund]], [[En forstørret eller suspekt lymfeknude fundet ved undersøgelse. Sted, størrelse og ømhed afgør patientens vej; det der ikke er registreret, gør beslutningen ukendt og efterspørges.]])
* code from https://diagnostisk-pakkeforloeb.dk/fhir/ValueSet/lymph-node-findings (required)

Invariant: dpf-finding-study
Description: "A finding on imaging names its study: send derivedFrom (or partOf) with a reference to the ImagingStudy. Without it the finding is read as one of a clinical examination."
Severity: #error
Expression: "derivedFrom.exists() or partOf.exists()"

Profile: ImagingFinding
Parent: ExaminationFinding
Id: imaging-finding
Title: "Imaging finding"
Description: "A coded finding on an imaging study, by itself or as a result of its report. The question asked (reasonCode of the study or the order) is never a finding."
* insert Head([[Billeddiagnostisk fund]], [[Et kodet fund på en billeddiagnostisk undersøgelse, alene eller som resultat i dens beskrivelse. Det spurgte (reasonCode på undersøgelsen eller henvisningen) er aldrig et fund.]])
* obeys dpf-finding-study
* derivedFrom MS

Profile: HistologyObservation
Parent: Observation
Id: histology-observation
Title: "Histology as an observation"
Description: "The morphology of a specimen as an Observation: the question in code (LOINC), the morphology in valueCodeableConcept (SNOMED CT, ICD-O-3, SKS add-on)."
* insert Head([[Histologi som observation]], [[Morfologien af et vævsprøvesvar som Observation: spørgsmålet i code (LOINC), morfologien i valueCodeableConcept (SNOMED CT, ICD-O-3, SKS-tillægskode).]])
* obeys dpf-obs-dated
* status MS
* code MS
* code from HistologyQuestions (required)
* subject 1..1 MS
* subject only Reference(Patient)
* value[x] only CodeableConcept
* value[x] MS
* value[x] from https://diagnostisk-pakkeforloeb.dk/fhir/ValueSet/histologies (preferred)
* bodySite MS
* bodySite from BodySites (preferred)
* specimen MS

ValueSet: HistologyQuestions
Id: histology-questions
Title: "Questions a histology answers"
Description: "LOINC codes of Observations whose value is a morphology."
* insert Head([[Spørgsmål som en histologi besvarer]], [[LOINC-koder for Observations hvis værdi er en morfologi.]])
* $loinc#59847-4
* $loinc#31205-8
* $loinc#31206-6
* $loinc#59848-2
* $loinc#33731-1
* $loinc#22637-3
* $loinc#34574-4
* $loinc#35660-0

ValueSet: BodySites
Id: body-sites
Title: "Body sites and sides"
Description: "Codes read in bodySite: the sites findings are told apart by, and left, right or both beside them."
* insert Head([[Lokalisationer og sider]], [[Koder der læses i bodySite: de lokalisationer fund skelnes efter, og venstre, højre eller begge ved siden af.]])
* include codes from valueset https://diagnostisk-pakkeforloeb.dk/fhir/ValueSet/sites
* $sct#7771000
* $sct#24028007
* $sct#51440002
* $sct#419161000
* $sct#419465000
