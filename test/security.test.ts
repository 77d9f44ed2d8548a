import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const readText = (file: string): string => readFileSync(join(root, file), 'utf8');

/** Every test the table names, with the threat it stands for. */
function findCited(): { threat: string; file: string; name: string }[] {
  const rows = readText('SECURITY.md')
    .split('\n')
    .filter((line) => /^\| [^-]/.test(line) && !line.startsWith('| threat'));
  return rows.flatMap((row) => {
    const [, threat = '', , tests = ''] = row.split(/ ?\| ?/);
    return tests.split('; ').flatMap((one) => {
      const file = /^`([^`]+)`:/.exec(one)?.[1] ?? '';
      const names = [...one.matchAll(/"([^"]+)"/g)].map(([, name = '']) => name);
      return (names.length === 0 ? [''] : names).map((name) => ({ threat, file, name }));
    });
  });
}

describe('the threats of SECURITY.md', () => {
  const cited = findCited();

  it('are there, each with a control and a test', () => {
    expect(new Set(cited.map(({ threat }) => threat)).size).toBeGreaterThan(30);
    expect(cited.filter(({ file, name }) => file === '' || name === '')).toEqual([]);
  });

  it('name tests that exist', () => {
    const absent = cited.filter(({ file, name }) => !existsSync(join(root, file)) || !isTestIn(readText(file), name));
    expect(absent).toEqual([]);
  });
});

/** Whether a text stands in a file as the name of a test, or of a row of one. */
function isTestIn(text: string, name: string): boolean {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll("'", "\\\\?'");
  return new RegExp(`[([,]\\s*(['"\`])${escaped}\\1,`).test(text);
}

interface Lock {
  packages: Record<string, { integrity?: string; inBundle?: boolean }>;
}

describe('dependencies', () => {
  it('pin every package to one version, with its checksum', () => {
    const { dependencies, devDependencies } = JSON.parse(readText('package.json'));
    const loose = Object.entries<string>({ ...dependencies, ...devDependencies }).filter(
      ([, at]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(at),
    );
    expect(loose).toEqual([]);
    const { packages } = JSON.parse(readText('package-lock.json')) as Lock;
    // What comes inside another package is covered by that one's checksum.
    const unchecked = Object.entries(packages).filter(
      ([path, { integrity, inBundle }]) => path !== '' && integrity === undefined && inBundle !== true,
    );
    expect(unchecked.map(([path]) => path)).toEqual([]);
  });
});
