import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type EvaluationRecord, sealRecord } from '../../src/audit/record.ts';
import { openSqliteStore } from '../../src/audit/sqlite.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { runAudit } from '../../src/cli/audit.ts';
import { RequestError } from '../../src/errors.ts';
import { makeRecord, secret } from '../audit/make-record.ts';
import { guideline } from '../cds-services/decide-cases.ts';
import { withEditedKnowledge } from '../edit-knowledge.ts';
import { findR4Mistakes } from '../http/r4.ts';
import { findRecord, now, seedStore } from '../viewer/seed.ts';

let folder: string;
let store: AuditStore;
let records: EvaluationRecord[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'audit-cli-'));
  store = openSqliteStore(join(folder, 'records'));
  records = await seedStore(store, 12, 5);
}, 60_000);
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

async function run(args: readonly string[], on = store): Promise<{ code: number; text: string }> {
  let text = '';
  const out = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  const code = await runAudit(args, { store: on, guideline, out, feedbackDays: 7, now, patientKey: secret, who: 'op' });
  return { code, text };
}

describe('npm run audit --', () => {
  test('query lists what the conditions find, newest first', async () => {
    const { code, text } = await run(['query', '--client', 'region-b', '--limit', '100']);
    const wanted = records.filter(({ client }) => client === 'region-b').map(({ id }) => id);
    expect(code).toBe(0);
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => line.split('  ')[1]),
    ).toEqual(wanted.reverse());
  });

  test.each(['csv', 'ndjson', 'auditevent'])('export gives every evaluation as %s', async (format) => {
    const file = join(folder, `out.${format}`);
    expect((await run(['export', '--format', format, '--out', file])).code).toBe(0);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(records.length + (format === 'csv' ? 1 : 0));
    const { text } = await run(['export', '--format', format]);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });

  test('export gives valid FHIR', async () => {
    const { text: events } = await run(['export', '--format', 'auditevent']);
    expect(
      events
        .trimEnd()
        .split('\n')
        .flatMap((line) => findR4Mistakes(JSON.parse(line))),
    ).toEqual([]);
    const { text: report } = await run(['export', '--format', 'measurereport', '--month', '2026-11']);
    expect(findR4Mistakes(JSON.parse(report))).toEqual([]);
  });

  test('stats counts what was recorded', async () => {
    const { text } = await run(['stats', '--per', 'day']);
    expect(JSON.parse(text)).toMatchObject({ evaluations: records.length });
  });

  test('replay with the same knowledge finds everything the same, and fails where it is not', async () => {
    const from = '2026-11-18';
    const { code, text } = await run(['replay', '--from', from]);
    const wanted = records.filter(({ time }) => time >= from).length;
    expect(code).toBe(0);
    expect(text).toContain(`${wanted} the same to the byte`);
  });

  test('replay with other knowledge tells gained, lost and changed cards in CSV and HTML', async () => {
    const [csv, html] = [join(folder, 'changes.csv'), join(folder, 'changes.html')];
    const edit = { file: 'guideline.yaml', find: /adultAge: \{ value: 18/, put: 'adultAge: { value: 120' };
    const record = findRecord(records, 'MAS-02');
    const { code, text } = await withEditedKnowledge([edit], async (other) => {
      return run(['replay', '--knowledge', other, '--csv', csv, '--html', html, '--language', 'en']);
    });
    expect(code).toBe(0);
    expect(text).toMatch(/MAS-02 {2}gained 0 {2}lost \d+/);
    expect(readFileSync(csv, 'utf8')).toContain(`${record.id},${record.client},${record.patientKey},MAS-02,`);
    const page = readFileSync(html, 'utf8');
    expect(page).toContain('<span class="badge lost">Lost</span>');
    expect(page).not.toMatch(/<script|src=|<link/);
  });

  test.each([
    [[]],
    [['nonsense']],
    [['query', '--unknown', 'x']],
    [['query', '--limit', '0']],
    [['export']],
    [['export', '--format', 'measurereport', '--month', '2026-13']],
    [['stats', '--per', 'year']],
    [['verify', '--head', 'x']],
    [['erase']],
    [['erase', '--yes']],
    [['erase', '--client', 'region-a', '--yes']],
    [['erase', '--patientKey', 'x', '--yes']],
    [['erase', '--patientKey', '0'.repeat(64), '--before', '2026-11', '--yes']],
    [['erase', '--before', '2026-11', '--client', 'region-a', '--yes']],
    [['erase', '--before', '2026-13', '--yes']],
    [['erase', '--before', '2026-02-30', '--yes']],
    [['erase', '--before', '2026-12', '--yes']],
    [['erase', '--before', '', '--yes']],
  ])('%j says what was expected', async (args) => {
    await expect(run(args)).rejects.toThrow(RequestError);
  });

  test('verify tells where the chain ends, and holds a link noted earlier against it', async () => {
    const { code, text } = await run(['verify']);
    expect(code).toBe(0);
    const head = /head (\S+)/.exec(text)?.[1] ?? '';
    expect((await run(['verify', '--head', head])).code).toBe(0);
    const anchors = [...text.matchAll(/^anchor of (\S+) {2}(\S+)$/gm)];
    const days = new Set(records.map(({ time }) => time.slice(0, 10)));
    expect(anchors.map(([, day]) => day)).toEqual([...days].sort().slice(0, -1));
    for (const [, , link = ''] of anchors) expect((await run(['verify', '--head', link])).code).toBe(0);
    const other = head.replace(/[0-9a-f]$/, (last) => (last === '0' ? '1' : '0'));
    expect(await run(['verify', '--head', other])).toMatchObject({ code: 1, text: expect.stringContaining('cut off') });
  });

  test('verify finds a record that was changed, and the other commands still tell the rest', async () => {
    const file = readdirSync(join(folder, 'records')).find((name) => name.endsWith('.sqlite')) ?? '';
    const db = new DatabaseSync(join(folder, 'records', file));
    db.exec("UPDATE payload SET content = x'00' WHERE seq = 3");
    db.close();
    expect(await run(['verify'])).toMatchObject({ code: 1, text: expect.stringContaining('record 3: ') });
    expect((await run(['replay'])).text).toContain('1 CANNOT BE READ');
    expect((await run(['export', '--format', 'csv'])).text.trimEnd().split('\n')).toHaveLength(records.length + 1);
  });
});

describe('npm run audit -- erase', () => {
  let place: string;
  let filled: AuditStore;
  let written: EvaluationRecord[];
  beforeEach(async () => {
    place = mkdtempSync(join(tmpdir(), 'audit-erase-'));
    filled = openSqliteStore(join(place, 'records'));
    written = [];
    const made = [
      ['a', '10'],
      ['b', '10'],
      ['a', '11'],
    ] as const;
    for (const [patientId, month] of made) {
      const time = `2026-${month}-05T10:00:00.000Z`;
      const record = makeRecord({ patientId, time, settings: { ledger: {} } });
      await filled.append(sealRecord(record));
      written.push(record);
    }
  });
  afterEach(async () => {
    await filled.close();
    rmSync(place, { recursive: true });
  });

  const ofPatient = ['--client', 'demo', '--patientId', 'a'];
  const findErased = async () => (await filled.scan({ limit: 10 })).map(({ content }) => content === undefined);

  test('says how many records it would erase, and erases none of them, without --yes', async () => {
    expect((await run(['erase', ...ofPatient], filled)).text).toMatch(/^2 records of one patient would be erased/);
    expect((await run(['erase', '--before', '2026-11'], filled)).text).toMatch(
      /^2 records received before 2026-11-01 /,
    );
    expect(await findErased()).toEqual([false, false, false]);
    expect(await filled.views({ limit: 1 })).toEqual([]);
  });

  test.each([
    ['the id a client knows the patient by', () => ofPatient],
    ['the key the patient stands under', () => ['--patientKey', String(written[0]?.patientKey)]],
  ])('erases one patient by %s, and records who did so and when, not of whom', async (_what, readOptions) => {
    const { code, text } = await run(['erase', ...readOptions(), '--yes'], filled);
    expect({ code, text }).toEqual({ code: 0, text: '2 records of one patient erased\n' });
    expect(await findErased()).toEqual([true, false, true]);
    const view = { time: now.toISOString(), who: 'op', role: 'operator', page: 'erase 2 records of one patient' };
    expect(await filled.views({ limit: 10 })).toEqual([{ ...view, seq: 1 }]);
    expect((await run(['erase', ...readOptions(), '--yes'], filled)).text).toMatch(/^0 records/);
  });

  test('of a patient of a tenant erases nothing of another tenant', async () => {
    expect((await run(['erase', ...ofPatient, '--tenant', 'other', '--yes'], filled)).text).toMatch(/^0 records/);
    expect(await findErased()).toEqual([false, false, false]);
  });

  test('erases all before a month; the other commands tell what is left', async () => {
    const before = (await run(['stats'], filled)).text;
    expect((await run(['erase', '--before', '2026-11', '--yes'], filled)).text).toMatch(/^2 records/);
    expect(await findErased()).toEqual([true, true, false]);
    const [gone, other, left] = written;
    expect(await run(['verify'], filled)).toMatchObject({
      code: 0,
      text: expect.stringContaining('3 records, 2 of them erased\n'),
    });
    expect((await run(['stats'], filled)).text).toBe(before);
    expect((await run(['query'], filled)).text.match(/erased$/gm)).toHaveLength(2);
    expect((await run(['query', '--patientKey', String(gone?.patientKey)], filled)).text).toContain(left?.id);
    expect((await run(['query', '--decision', 'MUP-01'], filled)).text.match(/erased$/gm)).toBeNull();
    expect((await run(['replay'], filled)).text).toContain('2 of them erased\n');
    for (const format of ['csv', 'ndjson', 'auditevent']) {
      const { code, text } = await run(['export', '--format', format], filled);
      expect(code).toBe(0);
      expect(text).toContain(gone?.id);
      expect(text).not.toContain(gone?.hookInstance);
      expect(text).not.toContain(other?.patientKey);
    }
  });
});
