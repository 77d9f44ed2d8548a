import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { CompiledGuideline } from '../engine/guideline.ts';
import { ProfileError } from '../errors.ts';
import { compileProfile, issuer, type Profile, type ProfileFile, profileSchema } from './profile.ts';
import { readYaml, type YamlMistake } from './read-yaml.ts';

/** A profile with the file it comes from. */
export interface LoadedProfile {
  file: ProfileFile;
  profile: Profile;
}

/**
 * Reads and checks one client profile.
 *
 * @throws {@link ProfileError} with every mistake found: `file:line path: what and why`.
 */
export function loadProfile(path: string, guideline: CompiledGuideline): LoadedProfile {
  const mistakes: string[] = [];
  const loaded = readProfile(path, path, guideline, mistakes);
  if (loaded === undefined || mistakes.length > 0) throw new ProfileError(mistakes);
  return loaded;
}

/**
 * Reads and checks every profile (`*.yaml`) of a folder: all of them or none.
 *
 * @throws {@link ProfileError} with every mistake found, also where there is no profile, two clients cannot be told
 *   apart, or one is for trying out and the mode is production.
 */
export function loadProfiles(folder: string, guideline: CompiledGuideline, mode: 'demo' | 'production'): Profile[] {
  const mistakes: string[] = [];
  const loaded = listFiles(folder, mistakes).flatMap((name) => {
    const read = readProfile(join(folder, name), name, guideline, mistakes);
    return read === undefined ? [] : [{ name, profile: read.profile }];
  });
  if (loaded.length === 0 && mistakes.length === 0) {
    mistakes.push(`${folder}: expected at least one client profile (*.yaml)`);
  }
  for (const [at, { name, profile }] of loaded.entries()) {
    if (mode === 'production' && profile.isDemoOnly) {
      mistakes.push(`${name}:1 demoOnly: this client is for trying out: remove the file, or start with MODE=demo`);
    }
    for (const other of loaded.slice(0, at)) {
      if (other.profile.id === profile.id) mistakes.push(`${name}:1 id: ${other.name} has the same`);
      const shared = findShared(profile, other.profile);
      if (shared !== undefined) mistakes.push(`${name}:1 issuers: ${other.name} also names ${shared}`);
    }
  }
  if (mistakes.length > 0) throw new ProfileError(mistakes);
  return loaded.map(({ profile }) => profile);
}

function listFiles(folder: string, mistakes: string[]): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /\.ya?ml$/.test(name))
      .sort();
  } catch {
    mistakes.push(`${folder}: expected a folder that can be read`);
    return [];
  }
}

function readProfile(
  path: string,
  name: string,
  guideline: CompiledGuideline,
  mistakes: string[],
): LoadedProfile | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    mistakes.push(`${name}: the file cannot be read`);
    return undefined;
  }
  const { value, raw, lineOf, mistakes: ofForm } = readYaml(text, profileSchema);
  const note = (at: readonly PropertyKey[], message: string, line = lineOf(at)): void => {
    mistakes.push(`${name}:${line}${at.length === 0 ? '' : ` ${at.join('.')}`}: ${message}`);
  };
  for (const { path: at, message, line } of ofForm) note(at, message, line);
  if (value !== undefined) return { file: value, profile: compileProfile(value, guideline, note) };
  const rest = readRest(raw, ofForm);
  if (rest !== undefined) compileProfile(rest, guideline, note);
  return undefined;
}

/** What is left without the members whose form is wrong: their names may hold mistakes as well. */
function readRest(raw: unknown, mistakes: readonly YamlMistake[]): ProfileFile | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  const wrong = new Set(mistakes.map(({ path: [member] }) => member));
  // What names a unit cannot be judged without them.
  for (const member of wrong.has('units') ? ['region', 'tenants'] : []) wrong.add(member);
  const right = Object.fromEntries(Object.entries(raw).filter(([member]) => !wrong.has(member)));
  const { data } = profileSchema
    .extend({ id: z.string().default(''), issuers: z.array(issuer).default([]) })
    .safeParse(right);
  return data;
}

/** One issuer may serve several clients where each token says by its tenant whose it is. */
function findShared(one: Profile, other: Profile): string | undefined {
  const issuer = one.issuers.find(({ iss }) => other.issuers.some((each) => each.iss === iss))?.iss;
  if (issuer === undefined) return undefined;
  if (one.tenants === undefined || other.tenants === undefined) return `${issuer}, and not both list their tenants`;
  const tenant = one.tenants.find((each) => other.tenants?.includes(each));
  return tenant === undefined ? undefined : `${issuer} with the tenant ${tenant}`;
}
