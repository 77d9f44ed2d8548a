// Loaded into a command with --import: at its end it tells, on descriptor 3, what the process used.
import { readFileSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import type { Usage } from './meter.ts';

const toldOn = 3;

if (isMainThread) {
  process.once('exit', () => {
    const { user, system } = process.cpuUsage();
    const usage: Usage = { cpuMs: (user + system) / 1000, peakMegabytes: readPeak() };
    writeSync(toldOn, JSON.stringify(usage));
  });
}

/** What `maxRSS` says of a child on Linux is at least what its parent held when it was made: `VmHWM` is its own. */
function readPeak(): number {
  try {
    const [, kibibytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return Number(kibibytes) / 1024;
  } catch {
    return process.resourceUsage().maxRSS / 1024;
  }
}
