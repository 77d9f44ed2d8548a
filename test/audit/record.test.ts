import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  buildRecord,
  canonicalJson,
  chainStart,
  digestText,
  hashLink,
  indexRecord,
  packRecord,
  pseudonymizePatient,
  redactCard,
  sealRecord,
  unsealRecord,
} from '../../src/audit/record.ts';
import { makeCard, makeInput, makeRecord, secret } from './make-record.ts';

describe('canonical JSON', () => {
  test('does not depend on the order in which members were set', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: true })).toBe('{"a":true,"b":[1,{"c":"x","d":null}]}');
    expect(canonicalJson({ a: true, b: [1, { c: 'x', d: null }] })).toBe('{"a":true,"b":[1,{"c":"x","d":null}]}');
  });

  test('leaves out absent members', () => {
    expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}');
  });

  test('reads back as the value that was written, whatever it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        // As JSON itself: -0 is 0.
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
  });

  test('keeps a member named __proto__ as data', () => {
    expect(canonicalJson(JSON.parse('{"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1}}');
  });
});

describe('a record', () => {
  test('holds neither the id of the patient nor the time zone of the sender', () => {
    const record = makeRecord({ patientId: 'cpr-like-id', time: '2026-11-23T12:00:00+02:00' });
    expect(canonicalJson(record)).not.toContain('cpr-like-id');
    expect(record.time).toBe('2026-11-23T10:00:00.000Z');
  });

  test('holds what replay needs as it was given', () => {
    const input = makeInput({ language: 'en', settings: { contact: '+45 00 00 00 00' } });
    const record = buildRecord(input);
    expect(record.chart).toEqual(input.chart);
    expect(record.decisions).toEqual(input.decisions);
    expect([record.language, record.settings, record.hook]).toEqual(['en', input.settings, 'patient-view']);
  });

  test('is the same under another order of members', () => {
    const input = makeInput();
    const turned = Object.fromEntries(Object.entries(input).reverse()) as unknown as typeof input;
    expect(sealRecord(buildRecord(turned)).digest).toBe(sealRecord(buildRecord(input)).digest);
  });

  test('sealed reads back as itself, under the digest of the text that is stored', () => {
    const record = makeRecord();
    const entry = sealRecord(record);
    const text = unsealRecord(packRecord(entry.json));
    expect(JSON.parse(text)).toEqual(record);
    expect(digestText(text)).toBe(entry.digest);
  });

  test('is sealed the same with cards that have been written already', () => {
    const record = makeRecord();
    expect(sealRecord(record, JSON.stringify(record.cards))).toEqual(sealRecord(record));
  });

  test('is indexed by the decisions that were not not-met, each once, and by its cards', () => {
    const met = { id: 'ORD-05', outcome: 'met' as const, facts: [], lacking: [], ledger: [] };
    const card = makeCard();
    const index = indexRecord(makeRecord({ decisions: [met, met, { ...met, outcome: 'not-met' }], cards: [card] }));
    expect(index.decisions).toEqual([{ id: 'ORD-05', outcome: 'met' }]);
    const decisions = ['MUP-01', 'ORG-11'];
    expect(index.cards).toEqual([{ uuid: card.uuid, topic: 'mup-referral', indicator: 'warning', decisions }]);
    expect(index.unknownKeys).toEqual([{ key: 'reports', state: 'failed' }]);
  });
});

describe('the pseudonym of a patient', () => {
  const of = { client: 'a', tenant: 'b', patientId: 'c' };

  test('is the same for the same patient', () => {
    expect(pseudonymizePatient(secret, of)).toBe(pseudonymizePatient(secret, { ...of }));
    expect(pseudonymizePatient(secret, of)).toMatch(/^[0-9a-f]{64}$/);
  });

  test.each([
    { client: 'x', tenant: 'b', patientId: 'c' },
    { client: 'a', tenant: 'x', patientId: 'c' },
    { client: 'a', patientId: 'c' },
    { client: 'a', tenant: 'b|c', patientId: '' },
  ])('is another one for %j', (other) => {
    expect(pseudonymizePatient(secret, other)).not.toBe(pseudonymizePatient(secret, of));
  });

  test('is another one under another key', () => {
    expect(pseudonymizePatient(Buffer.alloc(32, 8), of)).not.toBe(pseudonymizePatient(secret, of));
  });
});

describe('a card in the record', () => {
  const withAction = (action: { type: string; resource?: unknown }) => {
    const card = makeCard();
    return { ...card, suggestions: card.suggestions.map((one) => ({ ...one, actions: [action] })) };
  };

  test('is the one that was sent, where it updates nothing of the client', () => {
    const card = withAction({ type: 'create', resource: { basedOn: [{ reference: 'ServiceRequest/12' }] } });
    expect(redactCard(card)).toBe(card);
  });

  test('names the order of the client that it updates, without its content', () => {
    const resource = { resourceType: 'ServiceRequest', id: '4', note: [{ text: 'Jens Jensen' }], contained: [{}] };
    const [suggestion] = redactCard(withAction({ type: 'update', resource })).suggestions ?? [];
    expect(suggestion?.actions).toEqual([{ type: 'update', resource: { resourceType: 'ServiceRequest', id: '4' } }]);
  });
});

test('a link of the chain depends on the link before it and on each of its members', () => {
  const link = { seq: 1, id: 'a', time: '2026-11-23T10:00:00.000Z', digest: 'd' };
  const hashes = [
    hashLink(chainStart, link),
    hashLink('1'.repeat(64), link),
    hashLink(chainStart, { ...link, seq: 2 }),
    hashLink(chainStart, { ...link, id: 'b' }),
    hashLink(chainStart, { ...link, time: '2026-11-23T10:00:00.001Z' }),
    hashLink(chainStart, { ...link, digest: 'e' }),
  ];
  expect(new Set(hashes).size).toBe(hashes.length);
});
