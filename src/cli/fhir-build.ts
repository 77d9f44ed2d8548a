import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CompiledGuideline, KnowledgeFiles } from '../engine/guideline.ts';
import { loadKnowledge, readKnowledge } from '../knowledge.ts';
import type { FhirResource } from './fhir-artefact.ts';
import { exportKnowledge } from './fhir-knowledge.ts';
import { compileFsh } from './fhir-sushi.ts';
import { exportTerminology } from './fhir-terminology.ts';

/** A generated file: its path from the root of the repository, and what it holds. */
export interface BuiltFile {
  path: string;
  text: string;
}

/** What everything is generated from. */
export interface Source {
  guideline: CompiledGuideline;
  files: KnowledgeFiles;
}

/** Reads a knowledge folder. */
export function readSource(folder: string): Source {
  return { guideline: loadKnowledge(folder), files: readKnowledge(folder).files };
}

/** The terminology and the knowledge as FHIR: everything that is generated from the knowledge folder alone. */
export function exportAll({ guideline }: Source): FhirResource[] {
  return [...exportTerminology(guideline), ...exportKnowledge(guideline)];
}

/** Profiles, extensions and examples, compiled from FSH, in the version of the knowledge. */
export async function buildProfiles(folder: string, { guideline }: Source): Promise<FhirResource[]> {
  const compiled = await compileFsh(folder);
  return compiled.map((resource) => (resource.url === undefined ? resource : stampVersion(resource, guideline)));
}

/** Puts the version behind the url, where FHIR has it. */
function stampVersion(resource: FhirResource, { head }: CompiledGuideline): FhirResource {
  const { version: _, ...rest } = resource;
  return Object.fromEntries(
    Object.entries(rest).flatMap(([name, value]) =>
      name === 'url'
        ? [
            [name, value],
            ['version', head.version],
          ]
        : [[name, value]],
    ),
  ) as FhirResource;
}

/** The file of each resource, in the order of their names. */
export function renderFiles(resources: readonly FhirResource[]): BuiltFile[] {
  return resources
    .map((resource) => ({
      path: `${resource.resourceType}-${resource.id}.json`,
      text: `${JSON.stringify(resource, null, 1)}\n`,
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Writes the files into a folder of generated files alone, and removes what is generated no more. */
export function writeFiles(folder: string, files: readonly BuiltFile[]): void {
  mkdirSync(folder, { recursive: true });
  const wanted = new Set(files.map(({ path }) => path));
  for (const name of readdirSync(folder)) if (!wanted.has(name)) rmSync(join(folder, name));
  for (const { path, text } of files) writeFileSync(join(folder, path), text);
}

/** What differs between the files of a folder and what would be generated now: one line each. */
export function findDrift(folder: string, files: readonly BuiltFile[]): string[] {
  const wanted = new Map(files.map(({ path, text }) => [path, text]));
  const present = new Set(readdirSync(folder));
  return [
    ...[...present].filter((name) => !wanted.has(name)).map((name) => `${name}: is generated no more`),
    ...[...wanted].flatMap(([name, text]) =>
      !present.has(name)
        ? [`${name}: is missing`]
        : readFileSync(join(folder, name), 'utf8') === text
          ? []
          : [`${name}: differs from its source`],
    ),
  ];
}
