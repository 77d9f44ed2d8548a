import { sealRecord } from '../../src/audit/record.ts';
import { openSqliteStore } from '../../src/audit/sqlite.ts';
import { makeRecord } from './make-record.ts';

// A process of its own for sqlite-kill.test.ts: appends in several lines at once until it is killed, and prints the
// id of each record the moment the store has acknowledged it.
const file = process.argv[2] ?? '';
const store = openSqliteStore(file);
const lines = 8;

async function appendForever(): Promise<never> {
  for (;;) {
    const record = makeRecord();
    await store.append(sealRecord(record));
    process.stdout.write(`${record.id}\n`);
  }
}

await Promise.all(Array.from({ length: lines }, appendForever));
