import { createMonth, type Database, isConstraint, type Query } from './postgres-database.ts';
import { hashLink, packRecordAside, type RecordEntry } from './record.ts';
import type { Anchor } from './store.ts';
import { findAnchor, laterOf, monthOf } from './verification.ts';

interface Head {
  seq: number;
  hash: string;
  /** The latest of the chain. */
  time: string;
  month: string;
}

/** A record as it is stored. */
interface Packed {
  entry: RecordEntry;
  content: Uint8Array;
}

/** A record with its place in the chain. */
interface Link extends Packed {
  seq: number;
  previousHash: string;
  hash: string;
}

/** A part of the chain that is to be written, all of one month. */
interface Run {
  before: Head;
  links: Link[];
  anchors: Anchor[];
  head: Head;
}

/**
 * Makes what appends entries in one transaction, and gives per entry why it was refused, or null.
 *
 * Where the chain stands is remembered: as long as no other instance appends, one statement is all it takes. The
 * statement does nothing where the chain has gone on; then the head of the chain is locked and read.
 */
export function createAppend(db: Database): (entries: readonly RecordEntry[]) => Promise<(string | null)[]> {
  let known: Head | undefined;

  async function write(entries: readonly Packed[]): Promise<void> {
    const [run, ...later] = known === undefined ? [] : splitMonths(known, entries);
    // What becomes of the statement may stay unknown: then so does the head.
    known = undefined;
    if (run !== undefined && later.length === 0 && run.head.month === run.before.month) {
      if (await insertRun(db.query, run)) {
        known = run.head;
        return;
      }
    }
    known = await db.transact((query) => writeLocked(query, entries));
  }

  async function append(entries: readonly Packed[]): Promise<(string | null)[]> {
    try {
      await write(entries);
      return entries.map(() => null);
    } catch (error) {
      if (!isConstraint(error)) throw error;
      if (entries.length === 1) return [(error as Error).message];
      // One bad entry must not take the others of its group with it.
      const refusals: (string | null)[] = [];
      for (const entry of entries) refusals.push(...(await append([entry])));
      return refusals;
    }
  }

  return async (entries) =>
    append(await Promise.all(entries.map(async (entry) => ({ entry, content: await packRecordAside(entry.json) }))));
}

async function writeLocked(query: Query, entries: readonly Packed[]): Promise<Head> {
  // Whoever holds this row appends; everyone else's links come after the commit.
  const [row] = await query('SELECT seq, hash, time, month FROM chain_head FOR UPDATE');
  let head: Head = {
    ...{ seq: Number(row?.seq), hash: String(row?.hash), time: String(row?.time), month: String(row?.month) },
  };
  for (const run of splitMonths(head, entries)) {
    if (run.head.month > head.month) await createMonth(query, run.head.month);
    if (!(await insertRun(query, run))) throw new Error('The chain went on although its head was locked.');
    head = run.head;
  }
  return head;
}

/** Links entries to a chain, in runs of one month: one that comes late goes with those it came with. */
function splitMonths(before: Head, entries: readonly Packed[]): Run[] {
  const runs: Run[] = [];
  let head = before;
  for (const packed of entries) {
    const { index, digest } = packed.entry;
    const { id, time } = index;
    let run = runs.at(-1);
    if (run === undefined || monthOf(time) > head.month) {
      run = { before: head, links: [], anchors: [], head };
      runs.push(run);
    }
    const anchor = findAnchor(head, time);
    if (anchor !== undefined) run.anchors.push(anchor);
    const seq = head.seq + 1;
    const hash = hashLink(head.hash, { seq, id, time, digest });
    run.links.push({ ...packed, seq, previousHash: head.hash, hash });
    head = { seq, hash, time: laterOf(head.time, time), month: laterOf(head.month, monthOf(time)) };
    run.head = head;
  }
  return runs;
}

/**
 * One statement for all rows, which does nothing where the chain does not stand where it is thought to. Contents go
 * as one value, of which each payload is a part.
 */
const insertAll = `WITH
  head AS (
    UPDATE chain_head SET seq = $31, hash = $32, time = $33, month = $1 WHERE seq = $34 AND hash = $35 RETURNING seq
  ), anchors AS (
    INSERT INTO anchor (day, seq, hash) SELECT a.* FROM unnest($36::text[], $37::bigint[], $38::text[]) a, head
  ), links AS (
    INSERT INTO evaluation (month, seq, id, time, client, tenant, hook, service, hook_instance, patient_key, knowledge,
      cards, digest, previous_hash, hash, milliseconds)
    SELECT $1, l.* FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
      $9::text[], $10::text[], $11::text[], $12::integer[], $13::text[], $14::text[], $15::text[], $16::float8[]) l, head
  ), payloads AS (
    INSERT INTO payload (month, seq, content)
    SELECT $1, p.seq, substring($17::bytea FROM p.start FOR p.length)
    FROM unnest($2::bigint[], $18::integer[], $19::integer[]) AS p (seq, start, length), head
  ), decisions AS (
    INSERT INTO decision (month, seq, id, outcome)
    SELECT $1, d.* FROM unnest($20::bigint[], $21::text[], $22::text[]) d, head
  ), cards AS (
    INSERT INTO card (month, seq, uuid, topic, indicator, decisions)
    SELECT $1, c.* FROM unnest($23::bigint[], $24::text[], $25::text[], $26::text[], $27::jsonb[]) c, head
  ), keys AS (
    INSERT INTO unknown_key (month, seq, key, state)
    SELECT $1, k.* FROM unnest($28::bigint[], $29::text[], $30::text[]) k, head
  )
  SELECT seq FROM head`;

/** @returns Whether the chain stood where the run begins: if not, nothing was written. */
async function insertRun(query: Query, { before, links, anchors, head }: Run): Promise<boolean> {
  const index = links.map(({ entry, seq }) => ({ ...entry.index, seq }));
  const contents = links.map(({ content }) => content);
  const starts: number[] = [];
  let length = 0;
  for (const content of contents) {
    starts.push(length + 1);
    length += content.length;
  }
  const decisions = index.flatMap(({ seq, decisions }) => decisions.map((each) => ({ ...each, seq })));
  const cards = index.flatMap(({ seq, cards }) => cards.map((each) => ({ ...each, seq })));
  const keys = index.flatMap(({ seq, unknownKeys }) => unknownKeys.map((each) => ({ ...each, seq })));
  const written = await query({
    name: 'append',
    text: insertAll,
    values: [
      ...[head.month, index.map(({ seq }) => seq), index.map(({ id }) => id), index.map(({ time }) => time)],
      ...[index.map(({ client }) => client), index.map(({ tenant }) => tenant ?? null), index.map(({ hook }) => hook)],
      ...[index.map(({ service }) => service), index.map(({ hookInstance }) => hookInstance)],
      ...[index.map(({ patientKey }) => patientKey), index.map(({ knowledge }) => knowledge)],
      ...[index.map((each) => each.cards.length), links.map(({ entry }) => entry.digest)],
      ...[links.map(({ previousHash }) => previousHash), links.map(({ hash }) => hash)],
      ...[index.map(({ milliseconds }) => milliseconds), Buffer.concat(contents), starts],
      contents.map((content) => content.length),
      ...[decisions.map(({ seq }) => seq), decisions.map(({ id }) => id), decisions.map(({ outcome }) => outcome)],
      ...[cards.map(({ seq }) => seq), cards.map(({ uuid }) => uuid), cards.map(({ topic }) => topic)],
      ...[cards.map(({ indicator }) => indicator), cards.map((each) => JSON.stringify(each.decisions))],
      ...[keys.map(({ seq }) => seq), keys.map(({ key }) => key), keys.map(({ state }) => state)],
      ...[head.seq, head.hash, head.time, before.seq, before.hash],
      ...[anchors.map(({ day }) => day), anchors.map(({ seq }) => seq), anchors.map(({ hash }) => hash)],
    ],
  });
  return written.length > 0;
}
