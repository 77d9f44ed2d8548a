import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { writeCsvRow, writeNdjsonRow } from '../../src/audit/exports.ts';
import { packRecord, sealRecord } from '../../src/audit/record.ts';
import { scanEvaluations } from '../../src/audit/scan.ts';
import type { AuditStore, ScanQuery, SealedEvaluation } from '../../src/audit/store.ts';
import { makeRecord } from './make-record.ts';

/** A store of so many evaluations that are made when they are asked for, with a chart of some size. */
function createEndless(count: number, readings: number): { store: AuditStore; asked: ScanQuery[] } {
  const base = makeRecord();
  const [reading] = base.chart.readings;
  const record = { ...base, chart: { ...base.chart, readings: Array.from({ length: readings }, () => reading) } };
  const content = packRecord(sealRecord(record as typeof base).json);
  const asked: ScanQuery[] = [];
  const store = {
    async scan(query: ScanQuery): Promise<SealedEvaluation[]> {
      asked.push(query);
      const { after = 0, limit } = query;
      return Array.from({ length: Math.max(0, Math.min(limit, count - after)) }, (_, at) => {
        const { id, time, client, hook, service } = record;
        return {
          summary: { seq: after + at + 1, id, time, client, hook, service, knowledge: '1', cards: 1 },
          content: new Uint8Array(content),
          chain: { digest: '', previousHash: '', hash: '' },
          feedback: [],
        };
      });
    },
  };
  return { store: store as unknown as AuditStore, asked };
}

describe('reading through a store', () => {
  test('gives every evaluation once, in order, whatever the pages are', async () => {
    const { store } = createEndless(1234, 1);
    const places: number[] = [];
    for await (const { summary } of scanEvaluations(store, {})) places.push(summary.seq);
    expect(places).toEqual(Array.from({ length: 1234 }, (_, at) => at + 1));
  });

  test('stops at the most that is wanted', async () => {
    const { store, asked } = createEndless(1234, 1);
    const found = await Array.fromAsync(scanEvaluations(store, { client: 'a' }, 150));
    expect(found).toHaveLength(150);
    expect(asked.reduce((total, { limit }) => total + limit, 0)).toBe(150);
    expect(asked.every(({ client }) => client === 'a')).toBe(true);
  });

  test('reads one page ahead of the one that is taken, and no further', async () => {
    const { store, asked } = createEndless(1234, 1);
    const scan = scanEvaluations(store, {});
    for (let taken = 1; taken <= 350; taken += 1) {
      await scan.next();
      await new Promise(setImmediate);
      expect(asked).toHaveLength(Math.ceil(taken / 100) + 1);
    }
    await scan.return(undefined);
  });

  test('fails where a page fails, after those before it, and not where nobody came that far', async () => {
    const { store } = createEndless(1234, 1);
    const failing = {
      ...store,
      scan: async (query: ScanQuery) => {
        if (query.after !== undefined) throw new Error('gone');
        return store.scan(query);
      },
    };
    const scan = scanEvaluations(failing, {});
    for (let taken = 0; taken < 100; taken += 1) expect((await scan.next()).done).toBe(false);
    await expect(scan.next()).rejects.toThrow('gone');
    expect(await Array.fromAsync(scanEvaluations(failing, {}, 100))).toHaveLength(100);
    for await (const _ of scanEvaluations(failing, {})) break;
    await new Promise(setImmediate);
  });

  test.each([
    ['CSV', writeCsvRow],
    ['NDJSON', writeNdjsonRow],
  ])('and writing %s holds no more than a few pages, however much there is', async (_name, writeRow) => {
    const { store } = createEndless(8_000, 100);
    const rows = Readable.from(
      (async function* () {
        for await (const evaluation of scanEvaluations(store, {})) yield writeRow(evaluation, 'viewer');
      })(),
    );
    // All of it would be some 200 MB.
    const before = process.memoryUsage().heapUsed;
    let most = 0;
    let count = 0;
    for await (const row of rows) {
      count += String(row).length > 0 ? 1 : 0;
      if (count % 100 === 0) most = Math.max(most, process.memoryUsage().heapUsed - before);
    }
    expect(count).toBe(8_000);
    expect(most).toBeLessThan(100 * 1024 * 1024);
  });
});
