import { beforeEach, describe, expect, test } from 'vitest';
import { createWriteCheck, type WriteCheck } from '../../src/audit/write-check.ts';

describe('looking whether records can be written', () => {
  let probes: number;
  let milliseconds: number;
  let failure: Error | undefined;
  let looked: WriteCheck;
  beforeEach(() => {
    [probes, milliseconds, failure] = [0, 0, undefined];
    looked = createWriteCheck(
      async () => {
        probes += 1;
        if (failure !== undefined) throw failure;
      },
      () => milliseconds,
    );
  });

  test('is done once for all who ask at the same time, and for a second', async () => {
    await Promise.all([looked.check(), looked.check(), looked.check()]);
    milliseconds += 1000;
    await looked.check();
    expect(probes).toBe(1);
    milliseconds += 1;
    await looked.check();
    expect(probes).toBe(2);
  });

  test('tells a failure for a second, and then looks again', async () => {
    failure = new Error('full');
    await expect(looked.check()).rejects.toThrow('full');
    failure = undefined;
    await expect(looked.check()).rejects.toThrow('full');
    expect(probes).toBe(1);
    milliseconds += 1001;
    await looked.check();
    expect(probes).toBe(2);
  });

  test('is not needed where a record was just written, or could not be', async () => {
    const write = looked.watch(async (error?: Error) => {
      if (error !== undefined) throw error;
      return 'written';
    });
    expect(await write()).toBe('written');
    await looked.check();
    await expect(write(new Error('full'))).rejects.toThrow('full');
    await expect(looked.check()).rejects.toThrow('full');
    expect(probes).toBe(0);
    milliseconds += 1001;
    await looked.check();
    expect(probes).toBe(1);
  });
});
