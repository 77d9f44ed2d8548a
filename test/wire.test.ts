import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { environmentSchema } from '../src/config.ts';
import { authReasons } from '../src/errors.ts';
import { adviceByProblem } from '../src/fhir/problems.ts';
import { issueCodes } from '../src/http/error-handler.ts';
import { readFeedback } from '../src/http/feedback.ts';
import { readRequest } from '../src/http/request.ts';

const page = readFileSync(new URL('../docs/wire.md', import.meta.url), 'utf8');

/** First cells of the table after a mark. */
function listCodes(mark: string): string[] {
  const [, table = ''] = page.split(mark);
  const [rows = ''] = table.trim().split('\n\n');
  return [...rows.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, code = '']) => code);
}

describe('the page on the wire', () => {
  const examples = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json = '']) => JSON.parse(json));

  test('has every code of a 412', () => {
    expect(listCodes('<!-- codes:412 -->').sort()).toEqual([...Object.keys(adviceByProblem), 'status-NNN'].sort());
  });

  test('has every reason of a 401 and 403', () => {
    expect(listCodes('<!-- codes:401 -->')).toEqual([...authReasons]);
  });

  test('has every status an error is answered with', () => {
    const [, table = ''] = page.split('## Errors');
    const named = [...table.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, cell = '']) => cell.split(', '));
    expect(new Set(named)).toEqual(new Set([...Object.keys(issueCodes), '401', '403', '500']));
  });

  test('names only settings there are', () => {
    const named = [...page.matchAll(/`([A-Z]+(?:_[A-Z]+)+)\b/g)].map(([, name = '']) => name);
    const known = [...Object.keys(environmentSchema.shape), 'NODE_EXTRA_CA_CERTS'];
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
    expect(named.length).toBeGreaterThan(5);
  });

  test('shows a call and feedback that are taken', () => {
    const [call, feedback] = examples;
    expect(readRequest(call, 'patient-view', 100).context.patientId).toBe('1');
    const from = { client: 'demo', service: 's', receivedAt: '2026-11-23T10:02:00.000Z' };
    expect(readFeedback(feedback, from)).toMatchObject({ items: [{}, {}], refused: [] });
  });
});
