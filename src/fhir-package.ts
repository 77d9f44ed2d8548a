import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { GuidelineHead } from './engine/guideline.ts';
import { ConfigError } from './errors.ts';

/** A published FHIR artefact: a profile, a value set, a decision, an example. */
export interface Published {
  resourceType: string;
  id: string;
  url?: string;
  version?: string;
  title?: string;
  [member: string]: unknown;
}

/**
 * Reads the artefacts of `fhir-profiles/built`, in the order of their file names.
 *
 * @throws {@link ConfigError} where the folder cannot be read or a file is no resource.
 */
export function readPublished(folder: string): Published[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch (cause) {
    throw new ConfigError(`${folder}: the folder of FHIR artefacts cannot be read; run \`npm run fhir -- build\`.`, {
      cause,
    });
  }
  return names.sort().map((name) => {
    const resource = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Published;
    if (typeof resource.resourceType !== 'string' || typeof resource.id !== 'string') {
      throw new ConfigError(`${join(folder, name)}: expected a FHIR resource with an id.`);
    }
    return resource;
  });
}

/** What the package says of itself. */
export interface PackageHead {
  name: string;
  version: string;
  canonical: string;
  title: string;
  description: string;
  license: string;
}

const packageName = 'dk.diagnostisk-pakkeforloeb';

/** Names the package after the guideline, in the version of the knowledge. */
export function describePackage({ version, canonical, title }: GuidelineHead): PackageHead {
  return {
    name: packageName,
    version,
    canonical,
    title: title.en,
    description: 'Profiles, terminology and decisions of the CDS Hooks service for Diagnostisk pakkeforløb.',
    license: 'Apache-2.0',
  };
}

export function packageFileName({ version }: Pick<GuidelineHead, 'version'>): string {
  return `${packageName}-${version}.tgz`;
}

const fhirVersion = '4.0.1';

/**
 * Packs artefacts as an NPM-style FHIR package: a gzipped tar of `package/`. The same artefacts give the same bytes.
 *
 * @see https://confluence.hl7.org/display/FHIR/NPM+Package+Specification
 */
export function packPackage(head: PackageHead, published: readonly Published[]): Buffer {
  const manifest = {
    ...head,
    author: head.title,
    type: 'IG',
    fhirVersions: [fhirVersion],
    dependencies: { 'hl7.fhir.r4.core': fhirVersion },
  };
  const files = published.map((resource) => ({
    name: isExample(resource) ? `example/${fileName(resource)}` : fileName(resource),
    resource,
  }));
  const index = {
    'index-version': 2,
    files: files
      .filter(({ resource }) => !isExample(resource))
      .map(({ name, resource }) => ({
        filename: name,
        resourceType: resource.resourceType,
        id: resource.id,
        url: resource.url,
        version: resource.version,
        kind: resource.kind,
        type: resource.resourceType === 'StructureDefinition' ? resource.type : undefined,
      })),
  };
  return gzipSync(
    Buffer.concat([
      packFile('package/package.json', `${JSON.stringify(manifest, null, 2)}\n`),
      packFile('package/.index.json', `${JSON.stringify(index, null, 2)}\n`),
      ...files.map(({ name, resource }) => packFile(`package/${name}`, `${JSON.stringify(resource)}\n`)),
      Buffer.alloc(2 * block),
    ]),
    { level: 9 },
  );
}

/** Examples have no canonical url. */
export function isExample({ url }: Published): boolean {
  return url === undefined;
}

function fileName({ resourceType, id }: Published): string {
  return `${resourceType}-${id}.json`;
}

const block = 512;

/** One file of a ustar archive: a header of one block, then the content in whole blocks. */
function packFile(path: string, text: string): Buffer {
  const content = Buffer.from(text);
  const header = Buffer.alloc(block);
  const put = (value: string, at: number): void => void header.write(value, at, 'latin1');
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`;
  if (path.length > 100) throw new ConfigError(`${path}: expected a path of at most 100 characters in the package.`);
  put(path, 0);
  put(octal(0o644, 8), 100);
  put(octal(0, 8), 108);
  put(octal(0, 8), 116);
  put(octal(content.length, 12), 124);
  put(octal(0, 12), 136);
  put('        ', 148);
  put('0', 156);
  put('ustar\0', 257);
  put('00', 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc((block - (content.length % block)) % block)]);
}
