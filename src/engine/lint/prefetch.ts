import type { KnowledgeFiles, ReportMistake } from '../guideline.ts';
import searchParameters from '../r4-search-parameters.json' with { type: 'json' };

/** What every hook marks as a prefetch token (CDS Hooks 2.0.1, hook tables). */
const tokens = new Set([
  'context.patientId',
  'context.encounterId',
  'context.userId',
  'userPractitionerId',
  'userPractitionerRoleId',
  'userPatientId',
  'userRelatedPersonId',
]);
const typesOfParameters: Readonly<Record<string, string>> = searchParameters;

/** CDS Hooks 2.0.1, "Prefetch query restrictions": read, or search by reference, token or date, with _count and _sort. */
export function lintPrefetch({ guideline }: KnowledgeFiles, mistake: ReportMistake): void {
  for (const [key, { template }] of Object.entries(guideline.prefetch)) {
    const at = `guideline.yaml prefetch.${key}.template`;
    for (const [, token = ''] of template.matchAll(/\{\{([^}]*)\}\}/g)) {
      if (!tokens.has(token)) mistake(at, `{{${token}}} is no prefetch token of CDS Hooks 2.0.1`);
    }
    const [path = '', query = ''] = template.split('?');
    const [type = ''] = path.split('/');
    if (!(type in typesOfParameters)) {
      mistake(at, `${type} is no resource type of FHIR R4`);
      continue;
    }
    const known = new Set([...(typesOfParameters[type] ?? '').split(' '), '_id', '_lastUpdated']);
    const names: string[] = [];
    for (const [name = '', value = ''] of query
      .split('&')
      .filter(Boolean)
      .map((part) => part.split('='))) {
      if (names.includes(name)) mistake(at, `${name} stands twice`);
      names.push(name);
      if (name === '_sort') {
        for (const sort of value.split(',').map((each) => each.replace(/^-/, ''))) {
          if (!known.has(sort))
            mistake(at, `${type} cannot be sorted by ${sort}: no reference, token or date parameter of FHIR R4`);
        }
      } else if (name !== '_count' && !known.has(name.replace(/:in$/, ''))) {
        mistake(at, `${type} cannot be searched by ${name}: no reference, token or date parameter of FHIR R4`);
      }
    }
  }
}
