// Loaded into a measured server with --import: tells the benchmark what the process uses and where its time goes.
import { Session } from 'node:inspector/promises';
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';
import type { Profile } from './profile.ts';

/** What the benchmark asks a server's meter. */
export type MeterCall = 'usage' | 'start-profile' | 'stop-profile';

/** CPU of all threads so far, and the most memory the process has held. */
export interface Usage {
  cpuMs: number;
  peakMegabytes: number;
}

/** Microseconds between two samples. */
const samplingInterval = 500;
/** Milliseconds worker threads get to hand over their profile. */
const handOverMs = 1500;

const session = new Session();
const threads = new BroadcastChannel('bench-meter');

async function startProfile(): Promise<void> {
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: samplingInterval });
  await session.post('Profiler.start');
}

async function stopProfile(): Promise<Profile> {
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  const { nodes, samples = [], timeDeltas = [] } = profile;
  return { thread: isMainThread ? 'main' : `worker ${threadId}`, nodes, samples, timeDeltas };
}

function readUsage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1000, peakMegabytes: process.resourceUsage().maxRSS / 1024 };
}

async function answerCall(call: MeterCall): Promise<Usage | Profile[]> {
  if (call === 'usage') return readUsage();
  if (call === 'start-profile') {
    threads.postMessage(call);
    await startProfile();
    return [];
  }
  const profiles: Profile[] = [];
  threads.onmessage = ({ data }) => profiles.push(data as Profile);
  threads.postMessage(call);
  profiles.push(await stopProfile());
  await new Promise((resolve) => setTimeout(resolve, handOverMs));
  return profiles;
}

// The meter keeps no process alive that wants to end.
threads.unref();
if (isMainThread) {
  process.on('message', async (call: MeterCall) => process.send?.(await answerCall(call)));
  process.channel?.unref();
} else {
  threads.onmessage = async ({ data }) => {
    if (data === 'start-profile') await startProfile();
    if (data === 'stop-profile') threads.postMessage(await stopProfile());
  };
}
