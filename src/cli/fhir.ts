import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createChartReader } from '../engine/chart-reader.ts';
import { isObject, listOf } from '../engine/resources.ts';
import { CdsError, ConfigError } from '../errors.ts';
import { describePackage, packageFileName, packPackage, readPublished } from '../fhir-package.ts';
import { findDanishDate } from '../http/evaluate.ts';
import { loadKnowledge } from '../knowledge.ts';
import type { FhirResource } from './fhir-artefact.ts';
import {
  type BuiltFile,
  buildProfiles,
  exportAll,
  findDrift,
  readSource,
  renderFiles,
  type Source,
  writeFiles,
} from './fhir-build.ts';
import { renderIntegratorPage } from './fhir-integrators.ts';
import { createValidator, explainUnderstanding, type Verdict } from './fhir-validate.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const knowledgeFolder = join(root, 'cds-services/diagnostisk-pakkeforloeb');
const profilesFolder = join(root, 'fhir-profiles');
const builtFolder = join(profilesFolder, 'built');
const integratorPage = join(root, 'docs/integrators.md');

const usage = `npm run fhir -- COMMAND
  build             compile the profiles and export the knowledge into fhir-profiles/built and docs/integrators.md
  build --check     only tell what differs from its source; ends with 1 if anything does
  validate PLACE…   check resources against the profiles: files, folders or addresses of FHIR JSON
                    (a resource, a Bundle, a CDS Hooks request or its answer); ends with 1 if one does not conform
  package [FILE]    write the FHIR package (default: reports/<name>-<version>.tgz)
  export [FILE]     write terminology and knowledge as one transaction Bundle (default: standard output)
`;

/** Everything that is generated, from its sources. */
async function generateAll(source: Source): Promise<{ built: BuiltFile[]; page: string }> {
  const resources = [...(await buildProfiles(profilesFolder, source)), ...exportAll(source)];
  return { built: renderFiles(resources), page: renderIntegratorPage(source) };
}

/** What is generated otherwise than it stands in the repository: one line each. */
export async function findAllDrift(source: Source): Promise<string[]> {
  const { built, page } = await generateAll(source);
  const isSame = readText(integratorPage) === page;
  return [
    ...findDrift(builtFolder, built).map((line) => `fhir-profiles/built/${line}`),
    ...(isSame ? [] : ['docs/integrators.md: differs from its source']),
  ];
}

async function build(isCheck: boolean): Promise<number> {
  const source = readSource(knowledgeFolder);
  if (isCheck) {
    const drift = await findAllDrift(source);
    say(drift.length === 0 ? 'Everything generated is in sync.' : `${drift.join('\n')}\nRun: npm run fhir -- build`);
    return drift.length === 0 ? 0 : 1;
  }
  const { built, page } = await generateAll(source);
  writeFiles(builtFolder, built);
  mkdirSync(dirname(integratorPage), { recursive: true });
  writeFileSync(integratorPage, page);
  say(`${built.length} artefacts: ${countTypes(built)}`);
  return 0;
}

function countTypes(built: readonly BuiltFile[]): string {
  const counts = new Map<string, number>();
  for (const { path } of built) {
    const type = path.split('-')[0] ?? path;
    counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return [...counts].map(([type, count]) => `${count} ${type}`).join(', ');
}

/** A resource and what part it plays where it was found. */
export interface Found {
  resource: FhirResource;
  role: 'record' | 'suggestion';
}

async function validate(places: readonly string[]): Promise<number> {
  if (places.length === 0) throw new ConfigError('validate: expected at least one file, folder or address.');
  const guideline = loadKnowledge(knowledgeFolder);
  const validator = createValidator(readPublished(builtFolder), guideline.head.canonical);
  const readChart = createChartReader(guideline);
  const today = findDanishDate(new Date().toISOString());
  let failed = 0;
  let checked = 0;
  for (const place of places) {
    for (const { name, text } of await readPlaces(place)) {
      const found = findResources(parseJson(name, text));
      if (found.length === 0) say(`${name}: no FHIR resource in it`);
      const understood = explainUnderstanding(
        found.map(({ resource }) => resource),
        readChart,
        today,
      );
      for (const [index, { resource, role }] of found.entries()) {
        const verdict = validator.validate(resource, role);
        checked += 1;
        if (verdict.issues.some(({ severity }) => severity === 'error')) failed += 1;
        say(renderVerdict(name, verdict, understood[index], role));
      }
    }
  }
  say(`${checked} resources, ${failed} that do not conform`);
  return failed === 0 && checked > 0 ? 0 : 1;
}

/** What a client reads of one resource. */
export function renderVerdict(
  name: string,
  { resource, profiles, issues }: Verdict,
  understood: string | undefined,
  role: Found['role'],
): string {
  const as = profiles.length === 0 ? 'FHIR R4 (no profile of ours is for it)' : profiles.join(', ');
  const lines = issues.flatMap(({ severity, element, expected, change }) => [
    `  ${severity === 'error' ? 'wrong' : 'better'}: ${element}: expected ${expected}`,
    `         ${change}`,
  ]);
  const reading =
    role === 'suggestion'
      ? []
      : [
          understood === undefined
            ? '  the service takes nothing from it: no code it knows, or something said to be absent or not wanted'
            : `  the service ${issues.length > 0 ? 'still ' : ''}understands it: ${understood}`,
        ];
  const verdict = issues.some(({ severity }) => severity === 'error') ? 'does not conform' : 'conforms';
  return [`${name} ${resource}: ${verdict} to ${as}`, ...lines, ...reading].join('\n');
}

/** The resources of a resource, a Bundle, a CDS Hooks request (prefetch, drafts) or its answer (suggestions). */
export function findResources(json: unknown): Found[] {
  if (Array.isArray(json)) return json.flatMap(findResources);
  if (!isObject(json)) return [];
  if (json.resourceType === 'Bundle' && json.entry !== undefined) {
    return listOf(json.entry).flatMap((entry) => (isObject(entry) ? findResources(entry.resource) : []));
  }
  if (typeof json.resourceType === 'string') return [{ resource: json as FhirResource, role: 'record' }];
  const actions = listOf(json.cards)
    .flatMap((card) => (isObject(card) ? listOf(card.suggestions) : []))
    .flatMap((suggestion) => (isObject(suggestion) ? listOf(suggestion.actions) : []));
  // An update returns the client's own draft; a create is this service's work
  const suggested = actions.flatMap((action) =>
    isObject(action)
      ? findResources(action.resource).map(
          ({ resource }): Found => ({ resource, role: action.type === 'create' ? 'suggestion' : 'record' }),
        )
      : [],
  );
  const drafts = isObject(json.context) ? findResources(json.context.draftOrders) : [];
  const prefetched = isObject(json.prefetch) ? Object.values(json.prefetch).flatMap(findResources) : [];
  return [...prefetched, ...drafts, ...suggested];
}

async function readPlaces(place: string): Promise<{ name: string; text: string }[]> {
  if (/^https?:\/\//.test(place)) {
    const response = await fetch(place, { headers: { accept: 'application/fhir+json' } });
    if (!response.ok) throw new ConfigError(`${place}: answered ${response.status}; expected FHIR JSON.`);
    return [{ name: place, text: await response.text() }];
  }
  const stats = statSync(place, { throwIfNoEntry: false });
  if (stats === undefined) throw new ConfigError(`${place}: expected a file, a folder or an address; there is none.`);
  if (!stats.isDirectory()) return [{ name: place, text: readFileSync(place, 'utf8') }];
  return readdirSync(place, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => ({ name: join(place, name), text: readFileSync(join(place, name), 'utf8') }));
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(`${name}: is not JSON.`, { cause });
  }
}

function writePackage(file: string | undefined): number {
  const { head } = loadKnowledge(knowledgeFolder);
  const target = file ?? join(root, 'reports', packageFileName(head));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, packPackage(describePackage(head), readPublished(builtFolder)));
  say(target);
  return 0;
}

function exportBundle(file: string | undefined): number {
  const resources = exportAll(readSource(knowledgeFolder));
  const bundle = {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: resources.map((resource) => ({
      fullUrl: resource.url,
      resource,
      request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` },
    })),
  };
  const text = `${JSON.stringify(bundle, null, 1)}\n`;
  if (file === undefined) process.stdout.write(text);
  else writeFileSync(file, text);
  return 0;
}

function readText(path: string): string | undefined {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? undefined : readFileSync(path, 'utf8');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function run([command, ...rest]: readonly string[]): Promise<number> {
  switch (command) {
    case 'build':
      return build(rest.includes('--check'));
    case 'validate':
      return validate(rest);
    case 'package':
      return writePackage(rest[0]);
    case 'export':
      return exportBundle(rest[0]);
    default:
      say(usage);
      return 1;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    process.exitCode = await run(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof CdsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
