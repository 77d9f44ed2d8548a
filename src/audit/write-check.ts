/** Whether records can be written, as last seen. */
export interface WriteCheck {
  /** Rejects while records cannot be written. Callers share one look, and what it found for a short time. */
  check(): Promise<void>;
  /** Makes a function that writes also tell how its last run ended: nobody needs to look then. */
  watch<Args extends unknown[], Result>(write: (...args: Args) => Promise<Result>): (...args: Args) => Promise<Result>;
}

/** Milliseconds for which what was found is told again. */
const validFor = 1000;

/**
 * Looks whether records can be written, however often it is asked, no more often than is needed to be right.
 *
 * @param probe Commits something as large as a record, or rejects.
 * @param now Milliseconds of a clock that never goes back.
 */
export function createWriteCheck(probe: () => Promise<unknown>, now = () => performance.now()): WriteCheck {
  let last: { endedAt: number; error?: unknown } | undefined;
  let looking: Promise<void> | undefined;

  async function run<Result>(write: () => Promise<Result>): Promise<Result> {
    try {
      const result = await write();
      last = { endedAt: now() };
      return result;
    } catch (error) {
      last = { endedAt: now(), error };
      throw error;
    }
  }

  async function look(): Promise<void> {
    try {
      await run(probe);
    } finally {
      looking = undefined;
    }
  }

  return {
    async check() {
      if (last === undefined || now() - last.endedAt > validFor) {
        looking ??= look();
        return looking;
      }
      if ('error' in last) throw last.error;
    },
    watch:
      (write) =>
      (...args) =>
        run(() => write(...args)),
  };
}
