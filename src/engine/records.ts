import { readCondition } from './readers/conditions.ts';
import { readEncounters } from './readers/encounters.ts';
import { applyCompanions, stampCounts } from './readers/findings.ts';
import { gatherResources } from './readers/gather.ts';
import { readStudy } from './readers/imaging-studies.ts';
import { readMedication } from './readers/medications.ts';
import { readObservation } from './readers/observations.ts';
import { readServiceRequest } from './readers/orders.ts';
import { combineParts } from './readers/parts.ts';
import { type ChartOptions, type Pass, undated } from './readers/pass.ts';
import { readProcedure } from './readers/procedures.ts';
import { readReport } from './readers/reports.ts';
import type { Chart, Reading, Sources } from './types.ts';

export type { ChartOptions } from './readers/pass.ts';

/**
 * Reads all resources in one pass into a chart.
 *
 * Never throws on a resource, whatever it looks like: what cannot be read is passed over, what names another patient
 * or none is dropped and counted. Readings stand newest first, also within a day; those without a date last.
 *
 * @throws RangeError when `today` is not a date.
 * @see contract.md section 2, clinical-decisions.md section 0
 */
export function readChart(sources: Sources, options: ChartOptions): Chart {
  const pass = gatherResources(sources, options);
  // Studies before the reports on them, reports before the Observations they consist of
  for (const entry of pass.ofType('ImagingStudy')) readStudy(pass, entry);
  for (const entry of pass.ofType('DiagnosticReport')) readReport(pass, entry);
  for (const entry of pass.ofType('Observation')) readObservation(pass, entry);
  for (const entry of pass.ofType('Condition')) readCondition(pass, entry);
  for (const entry of pass.ofType('ServiceRequest')) readServiceRequest(pass, entry);
  for (const entry of pass.ofType('Procedure')) readProcedure(pass, entry);
  for (const entry of pass.ofType('MedicationRequest')) readMedication(pass, entry);
  for (const entry of pass.ofType('MedicationStatement')) readMedication(pass, entry);
  readEncounters(pass);
  applyCompanions(pass);
  stampCounts(pass);
  combineParts(pass);
  return { today: options.today, patient: pass.patient, keys: pass.keys, readings: sortNewestFirst(pass) };
}

function sortNewestFirst({ readings, orders }: Pass): Reading[] {
  if (orders.every((order, at) => at === 0 || (orders[at - 1] ?? undated) >= order)) return readings;
  return readings
    .map((reading, at) => ({ reading, order: orders[at] ?? undated }))
    .sort((a, b) => (a.order === b.order ? 0 : b.order > a.order ? 1 : -1))
    .map(({ reading }) => reading);
}
