import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { createExamples } from '../../src/http/examples.ts';
import { createTestApp } from './fakes.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cds-examples-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const extension = { 'dk.diagnostisk-pakkeforloeb.example': { day: '2026-11-23' } };

function createAppOn(instant: string, example: object) {
  writeFileSync(join(folder, 'one.json'), JSON.stringify({ extension, ...example }));
  return createTestApp({ examples: createExamples(folder, () => new Date(instant)) }).app;
}

describe('examples', () => {
  it('have every date moved to the day they are fetched, times of day and all else as they were', async () => {
    const app = createAppOn('2026-12-01T09:00:00Z', {
      date: '2026-11-23',
      before: ['2024-02-28', { birthDate: '1964-12-31' }],
      time: '2026-10-19T10:15:00+01:00',
      instant: '2026-11-22T10:15:00.123Z',
      code: '2026-11-23-x',
      number: 20261123,
      text: 'on 2026-11-23',
    });
    const { body, headers } = await request(app).get('/examples/one.json').expect(200);
    expect(body).toEqual({
      extension: { 'dk.diagnostisk-pakkeforloeb.example': { day: '2026-12-01' } },
      date: '2026-12-01',
      before: ['2024-03-07', { birthDate: '1965-01-08' }],
      time: '2026-10-27T10:15:00+01:00',
      instant: '2026-11-30T10:15:00.123Z',
      code: '2026-11-23-x',
      number: 20261123,
      text: 'on 2026-11-23',
    });
    expect(headers['cache-control']).toBe('no-store');
  });

  it('are dated by the Danish calendar', async () => {
    const app = createAppOn('2026-11-23T23:30:00Z', { date: '2026-11-23' });
    expect((await request(app).get('/examples/one.json')).body.date).toBe('2026-11-24');
  });

  it.each(['two.json', 'one', '..%2fpackage.json', '%2e%2e%2fone.json'])(
    'that do not exist are 404: %s',
    async (file) => {
      const app = createAppOn('2026-11-23T11:00:00Z', {});
      expect((await request(app).get(`/examples/${file}`)).status).toBe(404);
    },
  );

  it('are not served where they were not asked for', async () => {
    expect((await request(createTestApp().app).get('/examples/one.json')).status).toBe(404);
  });

  it.each([
    ['{', 'no JSON'],
    ['{}', 'without a day'],
    ['{"extension":{"dk.diagnostisk-pakkeforloeb.example":{"day":"soon"}}}', 'soon'],
  ])('that are none stop the start: %s', (text) => {
    writeFileSync(join(folder, 'odd.json'), text);
    expect(() => createExamples(folder)).toThrow(ConfigError);
    expect(() => createExamples(folder)).toThrow('odd.json');
  });

  it('in a folder that is not there stop the start', () => {
    expect(() => createExamples(join(folder, 'gone'))).toThrow(ConfigError);
  });
});
