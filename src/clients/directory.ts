import type { CompiledGuideline } from '../engine/guideline.ts';
import type { Profile } from './profile.ts';
import { loadProfiles } from './profiles.ts';

/** The client profiles in force. */
export interface Directory {
  profiles(): readonly Profile[];
  /**
   * Reads the folder again; what is under way goes on with what it began with.
   *
   * @returns How many profiles are in force now.
   * @throws {@link ProfileError} where one is wrong: all old ones stay in force.
   */
  reload(): number;
}

/**
 * Opens the folder of client profiles.
 *
 * @param folder Absent (demo mode): there are none.
 * @throws {@link ProfileError} with every mistake found.
 */
export function openDirectory(
  folder: string | undefined,
  guideline: CompiledGuideline,
  mode: 'demo' | 'production',
): Directory {
  const load = (): Profile[] => (folder === undefined ? [] : loadProfiles(folder, guideline, mode));
  let profiles = load();
  return {
    profiles: () => profiles,
    reload() {
      profiles = load();
      return profiles.length;
    },
  };
}
