import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openSqliteStore } from '../../src/audit/sqlite.ts';

const program = fileURLToPath(new URL('./append-forever.ts', import.meta.url));
const kills = 10;
const longestRun = 150;

/** Runs the appending process, kills it at a random moment after its first record, gives the ids it acknowledged. */
async function appendUntilKilled(file: string): Promise<string[]> {
  const child = spawn(process.execPath, [program, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  await Promise.race([once(child.stdout, 'data'), closed]);
  await wait(Math.random() * longestRun);
  child.kill('SIGKILL');
  const [, signal] = await closed;
  expect(signal).toBe('SIGKILL');
  // What follows the last line break is an id cut short.
  return printed.split('\n').slice(0, -1);
}

test('every acknowledged record is there, whole and in one chain, however often the process is killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-kill-'));
  const file = join(folder, 'evaluations');
  const acknowledged: string[] = [];
  let counts = '';
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      acknowledged.push(...(await appendUntilKilled(file)));
      const store = openSqliteStore(file);
      const { records, problems } = await store.verify();
      const stored = new Set((await store.evaluations({ limit: records })).map(({ id }) => id));
      await store.close();
      const lost = acknowledged.filter((id) => !stored.has(id));
      counts = `${acknowledged.length} acknowledged, ${records} found, ${lost.length} lost`;
      expect({ lost, problems }).toEqual({ lost: [], problems: [] });
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(kills);
    console.log(`killed ${kills} times: ${counts}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
