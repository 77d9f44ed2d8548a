import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadPatientKey } from '../../src/audit/patient-key.ts';
import { ConfigError } from '../../src/errors.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'patient-key-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the patient key', () => {
  test('is made on the first start, for its owner only, and read on the next', () => {
    const file = join(folder, 'data', 'patient-key');
    const key = loadPatientKey(file);
    expect(key).toHaveLength(32);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(loadPatientKey(file)).toEqual(key);
    expect(readdirSync(join(folder, 'data'))).toEqual(['patient-key']);
  });

  test('is another one in another place', () => {
    expect(loadPatientKey(join(folder, 'a'))).not.toEqual(loadPatientKey(join(folder, 'b')));
  });

  test.each(['', 'abcd', `${'0'.repeat(63)}g`])('is refused, not replaced, where the file holds %j', (content) => {
    const file = join(folder, 'patient-key');
    writeFileSync(file, content);
    expect(() => loadPatientKey(file)).toThrow(ConfigError);
    expect(statSync(file).size).toBe(content.length);
  });

  test('cannot be made where its folder is a file', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => loadPatientKey(join(folder, 'file', 'patient-key'))).toThrow(ConfigError);
  });
});
