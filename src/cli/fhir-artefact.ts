import type { CompiledGuideline } from '../engine/guideline.ts';

/** A FHIR resource as read or generated. */
export interface FhirResource {
  resourceType: string;
  id?: string;
  url?: string;
  [member: string]: unknown;
}

/** A text in both languages. */
export interface Labels {
  da: string;
  en: string;
}

const danishJurisdiction = [{ coding: [{ system: 'urn:iso:std:iso:3166', code: 'DK' }] }];

/** The Danish text beside an English one, as an extension of the element that holds it. */
export function translate(da: string, type: 'valueString' | 'valueMarkdown' = 'valueString'): object {
  return {
    extension: [
      {
        url: 'http://hl7.org/fhir/StructureDefinition/translation',
        extension: [
          { url: 'lang', valueCode: 'da' },
          { url: 'content', [type]: da },
        ],
      },
    ],
  };
}

/** What every generated artefact says of itself. */
export function describeArtefact(
  { head }: Pick<CompiledGuideline, 'head'>,
  resourceType: string,
  id: string,
  title: Labels,
  description: Labels,
): FhirResource {
  return {
    resourceType,
    id,
    language: 'en',
    url: `${head.canonical}/${resourceType}/${id}`,
    version: head.version,
    name: nameOf(id),
    title: title.en,
    _title: translate(title.da),
    status: 'active',
    experimental: false,
    description: description.en,
    _description: translate(description.da, 'valueMarkdown'),
    jurisdiction: danishJurisdiction,
  };
}

/** A name as FHIR wants it: letters and digits, beginning with a capital. */
function nameOf(id: string): string {
  return id
    .split(/[^A-Za-z0-9]+/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('');
}
