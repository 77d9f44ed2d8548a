import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { csvLine } from '../../src/audit/csv.ts';
import {
  buildAuditEvent,
  buildMeasureReport,
  csvHeader,
  writeCsvRow,
  writeNdjsonRow,
} from '../../src/audit/exports.ts';
import { packRecord, sealRecord } from '../../src/audit/record.ts';
import type { PeriodCount, SealedEvaluation } from '../../src/audit/store.ts';
import { guideline } from '../cds-services/decide-cases.ts';
import { findR4Mistakes } from '../http/r4.ts';
import { type makeInput, makeRecord } from './make-record.ts';

function seal(changes: Parameters<typeof makeInput>[0] = {}): SealedEvaluation {
  const record = makeRecord(changes);
  const { id, time, client, hook, service, hookInstance, patientKey } = record;
  return {
    summary: { seq: 7, id, time, client, hook, service, hookInstance, patientKey, knowledge: '2022.1.0', cards: 1 },
    content: packRecord(sealRecord(record).json),
    chain: { digest: 'd', previousHash: 'p', hash: 'h' },
    feedback: [
      {
        ...{ card: 'c', outcome: 'overridden', outcomeTimestamp: '2026-11-23T11:00:00.000Z', acceptedSuggestions: [] },
        ...{ receivedAt: '2026-11-23T11:00:00.000Z', reason: { code: '=HYPERLINK("http://x")' } },
      },
    ],
  };
}

/** The cells of a line as a reader of RFC 4180 takes it. */
function readCells(line: string): string[] {
  return [...line.trimEnd().matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  );
}

describe('a line of CSV', () => {
  test('quotes what would end a cell', () => {
    expect(csvLine(['a,b', 'say "so"', 'two\nlines', 1.5, undefined, 'plain'])).toBe(
      '"a,b","say ""so""","two\nlines",1.5,,plain\r\n',
    );
  });

  test('never begins a text in a way a spreadsheet takes for a formula', () => {
    const begin = fc.constantFrom(
      '=',
      '+',
      '-',
      '@',
      '\t=',
      ' =',
      '\r=',
      '\n+',
      '＝',
      '＋',
      '－',
      '＠',
      '\u0000=',
      '\u200b=',
    );
    fc.assert(
      fc.property(begin, fc.string(), (first, rest) => {
        const [cell = ''] = readCells(csvLine([`${first}${rest.replaceAll(/[\r\n]/g, '')}`]));
        expect(cell.startsWith("'")).toBe(true);
      }),
    );
  });

  test('leaves numbers below zero as they are', () => {
    expect(csvLine([-3])).toBe('-3\r\n');
  });
});

describe('an evaluation exported', () => {
  test('as CSV has a cell for each column, what clients sent made harmless', () => {
    const columns = readCells(csvHeader);
    const cells = readCells(writeCsvRow(seal({ hookInstance: '@SUM(1)' }), 'reviewer'));
    expect(cells).toHaveLength(columns.length);
    const row = Object.fromEntries(columns.map((name, at) => [name, cells[at]]));
    expect(row).toMatchObject({
      ...{
        place: '7',
        met: 'MUP-01',
        unknown: 'ORG-11',
        error: '',
        cards: 'mup-referral',
        unknownKeys: 'reports:failed',
      },
      ...{ hookInstance: "'@SUM(1)", feedback: 'overridden', reasons: `'=HYPERLINK("http://x")` },
    });
  });

  test('for a viewer names neither patient nor call, in any form', () => {
    const evaluation = seal();
    const { patientKey = '', hookInstance = '' } = evaluation.summary;
    for (const text of [writeCsvRow(evaluation, 'viewer'), writeNdjsonRow(evaluation, 'viewer')]) {
      expect(text).not.toContain(patientKey);
      expect(text).not.toContain(hookInstance);
    }
    expect(writeNdjsonRow(evaluation, 'reviewer')).toContain(patientKey);
  });

  test('is one line of JSON with record, feedback and place in the chain', () => {
    const line = writeNdjsonRow(seal(), 'reviewer');
    expect(line.match(/\n/g)).toHaveLength(1);
    expect(JSON.parse(line)).toMatchObject({ chain: { seq: 7, hash: 'h' }, feedback: [{ outcome: 'overridden' }] });
  });

  test('keeps its line when it was erased or is no record any more', () => {
    const { content: _, ...erased } = seal();
    for (const evaluation of [erased, { ...erased, content: new Uint8Array([1]) }]) {
      expect(readCells(writeCsvRow(evaluation, 'reviewer'))[1]).toBe(erased.summary.id);
      expect(JSON.parse(writeNdjsonRow(evaluation, 'reviewer'))).toMatchObject({ id: erased.summary.id });
    }
  });

  test('is a valid FHIR AuditEvent that names what was read and decided', () => {
    const event = buildAuditEvent(seal(), 'https://example.org/fhir') as {
      entity: { what: object; detail?: object[] }[];
    };
    expect(findR4Mistakes(event)).toEqual([]);
    expect(event.entity.map(({ what }) => what)).toContainEqual({ reference: 'DiagnosticReport/12' });
    expect(event.entity.flatMap(({ detail = [] }) => detail)).toContainEqual({ type: 'MUP-01', valueString: 'met' });
  });
});

describe('the report of a month', () => {
  const counts: PeriodCount[] = (
    [
      ['evaluation', 'diagnostisk-pakkeforloeb-patient-view', 100],
      ['met', 'MUP-01', 12],
      ['shown', 'MUP-01', 10],
      ['accepted', 'MUP-01', 4],
      ['overridden', 'MUP-01', 3],
      ['latency', '5', 100],
    ] as const
  ).map(([kind, name, count]) => ({ period: '2026-11-01', knowledge: '2022.1.0', kind, name, count }));
  const build = (date: string) =>
    buildMeasureReport(counts, guideline, { month: '2026-11', date, feedbackDays: 7 }) as {
      status: string;
      period: object;
      group: {
        code: { coding: { code: string }[] };
        population: { code: { coding: { code: string }[] }; count: number }[];
      }[];
    };
  const countsOf = (report: ReturnType<typeof build>, code: string) =>
    Object.fromEntries(
      (report.group.find((group) => group.code.coding[0]?.code === code)?.population ?? []).map((each) => [
        each.code.coding[0]?.code,
        each.count,
      ]),
    );

  test('is a valid FHIR MeasureReport, complete once nobody can answer any more', () => {
    const report = build('2026-12-08T00:00:00.000Z');
    expect(findR4Mistakes(report)).toEqual([]);
    expect(report).toMatchObject({ status: 'complete', period: { start: '2026-11-01', end: '2026-11-30' } });
    expect(countsOf(report, 'MUP-01')).toEqual({
      ...{ met: 12, unknown: 0, error: 0, shown: 10, accepted: 4, overridden: 3, 'no-response': 3 },
    });
    expect(countsOf(report, 'diagnostisk-pakkeforloeb-patient-view')).toEqual({ evaluation: 100 });
  });

  test('does not tell who did not answer while they still can', () => {
    const report = build('2026-12-07T23:59:59.000Z');
    expect(findR4Mistakes(report)).toEqual([]);
    expect(report.status).toBe('pending');
    expect(countsOf(report, 'MUP-01')).not.toHaveProperty('no-response');
  });
});
