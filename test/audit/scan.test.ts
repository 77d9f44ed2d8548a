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

  test('asks for the next page only when the one before is used up', async () => {
    const { store, asked } = createEndless(1234, 1);
    const scan = scanEvaluations(store, {});
    await scan.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(asked).toHaveLength(1);
    await scan.return(undefined);
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
