// Loaded into a command with --import: at its end it tells, on descriptor 3, what the process used.
import { writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import type { Usage } from './meter.ts';

const toldOn = 3;

if (isMainThread) {
  process.once('exit', () => {
    const { user, system } = process.cpuUsage();
    const usage: Usage = { cpuMs: (user + system) / 1000, peakMegabytes: process.resourceUsage().maxRSS / 1024 };
    writeSync(toldOn, JSON.stringify(usage));
  });
}
