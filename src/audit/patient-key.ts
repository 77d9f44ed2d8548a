import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from '../errors.ts';

const keyBytes = 32;

/**
 * Reads the key of the patient pseudonyms; makes it (readable by its owner only) where there is none yet.
 *
 * Whoever starts first makes it: a process that starts at the same time reads the same key.
 *
 * @throws {@link ConfigError} where the file cannot be read or made, or holds something else. A damaged key is never
 *   replaced: a patient's old and new records would stand under different pseudonyms.
 */
export function loadPatientKey(file: string): Uint8Array {
  const text = readKey(file) ?? makeKey(file);
  if (!new RegExp(`^[0-9a-f]{${keyBytes * 2}}\\s*$`).test(text)) {
    throw new ConfigError(
      `${file} is not a patient key: expected ${keyBytes * 2} hexadecimal digits. Restore it from its backup.`,
    );
  }
  return Buffer.from(text.trim(), 'hex');
}

/** What tells patient keys apart without giving them away. */
export function fingerprintKey(key: Uint8Array): string {
  return createHmac('sha256', key).update('fingerprint').digest('hex');
}

function readKey(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    if (isCode(error, 'ENOTDIR'))
      throw new ConfigError(`DATA_DIR: ${dirname(file)} is not a folder: name one`, { cause: error });
    throw new ConfigError(`DATA_DIR: the patient key ${file} cannot be read: check its permissions`, { cause: error });
  }
}

function makeKey(file: string): string {
  // Written whole under another name and then linked: a reader never sees half a key, and the first link wins.
  const draft = `${file}.${randomUUID()}`;
  try {
    makeFolder(dirname(file));
    const descriptor = openSync(draft, 'wx', 0o600);
    try {
      writeSync(descriptor, `${randomBytes(keyBytes).toString('hex')}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    try {
      linkSync(draft, file);
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(
      `DATA_DIR: the patient key ${file} cannot be made (${why}): name a folder that can be written`,
      {
        cause: error,
      },
    );
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Not Node's own way of making those above as well: where they cannot be made, that goes on for ever (`/proc/x/y`). */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (isCode(error, 'EEXIST')) return;
    const above = dirname(folder);
    if (!isCode(error, 'ENOENT') || above === folder || existsSync(above)) throw error;
    makeFolder(above);
    mkdirSync(folder, { mode: 0o700 });
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
