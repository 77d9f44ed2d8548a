Invariant: dpf-report-dated
Description: "A report needs a date: send issued, or effectiveDateTime."
Severity: #error
Expression: "effective.exists() or issued.exists()"

Invariant: dpf-imaging-report
Description: "A report of imaging is known by imagingStudy, by an imaging category (v2-0074 RAD, CT, NMR …) or by the code of an imaging procedure: send at least imagingStudy or category."
Severity: #error
Expression: "imagingStudy.exists() or category.exists()"

Profile: ImagingStudyPerformed
Parent: ImagingStudy
Id: imaging-study
Title: "Imaging study"
Description: "An imaging study that was performed: by procedureCode, else by modality and body site of its series."
* insert Head([[Billeddiagnostisk undersøgelse]], [[En udført billeddiagnostisk undersøgelse: ved procedureCode, ellers ved modalitet og lokalisation i serierne.]])
* status MS
* subject MS
* subject only Reference(Patient)
* started 1..1 MS
* started ^short = "When it was performed, [DA] udført"
* procedureCode MS
* procedureCode from https://diagnostisk-pakkeforloeb.dk/fhir/ValueSet/imaging-procedures (extensible)
* series MS
* series.modality MS
* series.bodySite MS

Profile: ImagingReport
Parent: DiagnosticReport
Id: imaging-report
Title: "Imaging report with its study"
Description: "The report on an imaging study. Coded conclusions and result Observations are findings; the text of the conclusion is not read."
* insert Head([[Billeddiagnostisk beskrivelse med undersøgelse]], [[Beskrivelsen af en billeddiagnostisk undersøgelse. Kodede konklusioner og Observations under result er fund; konklusionens tekst læses ikke.]])
* obeys dpf-report-dated and dpf-imaging-report
* status MS
* category MS
* code MS
* subject 1..1 MS
* subject only Reference(Patient)
* effective[x] only dateTime or Period
* effective[x] MS
* issued MS
* result MS
* result only Reference(Observation)
* imagingStudy MS
* imagingStudy only Reference(ImagingStudy)
* conclusionCode MS
* conclusionCode from https://diagnostisk-pakkeforloeb.dk/fhir/ValueSet/findings (preferred)

Invariant: dpf-pathology-coded
Description: "The morphology of a pathology report is read from codes only: send conclusionCode (SNOMED CT, ICD-O-3 or SKS add-on) or result Observations. The text of the conclusion is not read."
Severity: #error
Expression: "status in ('final' | 'amended' | 'corrected' | 'appended') implies (conclusionCode.exists() or result.exists())"

Profile: PathologyReport
Parent: DiagnosticReport
Id: pathology-report
Title: "Pathology report"
Description: "The report on a specimen: morphology in conclusionCode, site from the specimen."
* insert Head([[Patologisvar]], [[Svaret på en vævsprøve: morfologi i conclusionCode, sted fra præparatet.]])
* obeys dpf-report-dated and dpf-pathology-coded
* status MS
* category 1.. MS
* category from PathologyCategories (required)
* code MS
* subject 1..1 MS
* subject only Reference(Patient)
* effective[x] only dateTime or Period
* effective[x] MS
* issued MS
* specimen MS
* specimen only Reference(Specimen)
* result MS
* result only Reference(Observation)
* conclusionCode MS
* conclusionCode from https://diagnostisk-pakkeforloeb.dk/fhir/ValueSet/histologies (preferred)

ValueSet: PathologyCategories
Id: pathology-categories
Title: "Categories of pathology"
Description: "Categories by which a report is known to be of pathology."
* insert Head([[Kategorier for patologi]], [[Kategorier som et svar kendes som patologisvar på.]])
* $v2-0074#PAT
* $v2-0074#SP
* $v2-0074#CP
* $loinc#LP7839-6
* $sct#394915009
