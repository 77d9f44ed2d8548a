import { readFileSync } from 'node:fs';
import type { PostgresServer } from '../audit/postgres-server.ts';

/** What the service keeps its records in; `none`: it acknowledges and keeps nothing. */
export const storeNames = ['none', 'sqlite', 'postgres'] as const;
export type StoreName = (typeof storeNames)[number];

/** One run of the service over one store. */
export interface StoreRound {
  /** CPU of the service, all threads, milliseconds per request. */
  cpuMs: number;
  /** Of the database server, where the store has one and this system tells of it. */
  serverCpuMs: number | undefined;
  perSecond: number;
}

/** Clock ticks a second in which Linux counts the time of processes. */
const ticksPerSecond = 100;

/** CPU of the processes of a database server so far, milliseconds, by process; empty where there is no `/proc`. */
export async function readServerCpu(server: PostgresServer, url: string): Promise<Map<number, number>> {
  const rows = await server.run(url, 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
  return new Map(
    rows.flatMap(({ pid }) => {
      const ticks = readTicks(Number(pid));
      return ticks === undefined ? [] : [[Number(pid), (ticks * 1000) / ticksPerSecond] as const];
    }),
  );
}

/** @see proc_pid_stat(5): after the name in parentheses, `utime` and `stime` are the 12th and 13th value. */
function readTicks(pid: number): number | undefined {
  try {
    const values = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return Number(values[11]) + Number(values[12]);
  } catch {
    return undefined;
  }
}

/** What was used between two looks; a process that is gone by the second counts for nothing. */
export function subtractCpu(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  return [...after].reduce((sum, [pid, used]) => sum + used - (before.get(pid) ?? 0), 0);
}
