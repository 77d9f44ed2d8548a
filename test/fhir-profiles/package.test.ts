import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { describePackage, isExample, packageFileName, packPackage } from '../../src/fhir-package.ts';
import { canonical, guideline, published } from './published.ts';

const bytes = packPackage(describePackage(guideline.head), published);

/** Reads a tar file as a tar program does: header, checksum, size, blocks. */
function unpack(archive: Buffer): Map<string, string> {
  const files = new Map<string, string>();
  const text = (from: number, length: number): string => {
    const field = archive.toString('latin1', from, from + length);
    return field.slice(0, field.indexOf('\0') === -1 ? length : field.indexOf('\0')).trim();
  };
  let at = 0;
  while (archive[at] !== 0) {
    const header = Buffer.from(archive.subarray(at, at + 512));
    const stated = Number.parseInt(text(at + 148, 8), 8);
    header.fill(' ', 148, 156);
    expect(header.reduce((sum, byte) => sum + byte, 0)).toBe(stated);
    expect(text(at + 257, 6)).toBe('ustar');
    const size = Number.parseInt(text(at + 124, 12), 8);
    files.set(text(at, 100), archive.toString('utf8', at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

const files = unpack(gunzipSync(bytes));

describe('the FHIR package', () => {
  it('says what it is, as NPM and FHIR want it', () => {
    expect(JSON.parse(files.get('package/package.json') ?? '')).toMatchObject({
      name: 'dk.diagnostisk-pakkeforloeb',
      version: guideline.head.version,
      canonical,
      type: 'IG',
      fhirVersions: ['4.0.1'],
      dependencies: { 'hl7.fhir.r4.core': '4.0.1' },
    });
    expect(packageFileName(guideline.head)).toBe(`dk.diagnostisk-pakkeforloeb-${guideline.head.version}.tgz`);
  });

  it('holds every artefact at the root and every example apart', () => {
    for (const resource of published) {
      const folder = isExample(resource) ? 'package/example' : 'package';
      const text = files.get(`${folder}/${resource.resourceType}-${resource.id}.json`);
      expect(JSON.parse(text ?? 'null'), `${resource.resourceType}/${resource.id}`).toEqual(resource);
    }
    expect(files.size).toBe(published.length + 2);
  });

  it('lists the artefacts in its index', () => {
    const index = JSON.parse(files.get('package/.index.json') ?? '') as { files: { filename: string }[] };
    expect(index.files).toHaveLength(published.filter((resource) => !isExample(resource)).length);
    for (const { filename } of index.files) expect(files.has(`package/${filename}`)).toBe(true);
  });

  it('is the same bytes each time', () => {
    expect(packPackage(describePackage(guideline.head), published).equals(bytes)).toBe(true);
  });
});
