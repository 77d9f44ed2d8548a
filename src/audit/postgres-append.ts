import { createMonth, type Database, isConstraint, type Query } from './postgres-database.ts';
import { hashLink, type RecordEntry } from './record.ts';
import type { Anchor } from './store.ts';
import { findAnchor, laterOf, monthOf } from './verification.ts';

interface Head {
  seq: number;
  hash: string;
  /** The latest of the chain. */
  time: string;
  month: string;
}

/** A record with its place in the chain. */
interface Link {
  entry: RecordEntry;
  seq: number;
  previousHash: string;
  hash: string;
}

/** Appends entries in one transaction; gives per entry why it was refused, or null. */
export async function appendEntries(db: Database, entries: readonly RecordEntry[]): Promise<(string | null)[]> {
  try {
    await db.transact((query) => insertEntries(query, entries));
    return entries.map(() => null);
  } catch (error) {
    if (!isConstraint(error)) throw error;
    if (entries.length === 1) return [(error as Error).message];
    // One bad entry must not take the others of its group with it.
    const refusals: (string | null)[] = [];
    for (const entry of entries) refusals.push(...(await appendEntries(db, [entry])));
    return refusals;
  }
}

async function insertEntries(query: Query, entries: readonly RecordEntry[]): Promise<void> {
  // Whoever holds this row appends; everyone else's links come after the commit.
  const [row] = await query('SELECT seq, hash, time, month FROM chain_head FOR UPDATE');
  let head: Head = {
    ...{ seq: Number(row?.seq), hash: String(row?.hash), time: String(row?.time), month: String(row?.month) },
  };
  let links: Link[] = [];
  const anchors: Anchor[] = [];
  for (const entry of entries) {
    const { id, time } = entry.index;
    // One that comes late goes with those it came with.
    if (monthOf(time) > head.month) {
      await insertLinks(query, head, links);
      links = [];
      head = { ...head, month: monthOf(time) };
      await createMonth(query, head.month);
    }
    const anchor = findAnchor(head, time);
    if (anchor !== undefined) anchors.push(anchor);
    const seq = head.seq + 1;
    const hash = hashLink(head.hash, { seq, id, time, digest: entry.digest });
    links.push({ entry, seq, previousHash: head.hash, hash });
    head = { ...head, seq, hash, time: laterOf(head.time, time) };
  }
  for (const { day, seq, hash } of anchors) await query('INSERT INTO anchor VALUES ($1, $2, $3)', [day, seq, hash]);
  await insertLinks(query, head, links);
}

/** One statement for all rows: contents go as one value, of which each payload is a part. */
const insertAll = `WITH
  links AS (
    INSERT INTO evaluation (month, seq, id, time, client, tenant, hook, service, hook_instance, patient_key, knowledge,
      cards, digest, previous_hash, hash, milliseconds)
    SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
      $9::text[], $10::text[], $11::text[], $12::integer[], $13::text[], $14::text[], $15::text[], $16::float8[])
  ), payloads AS (
    INSERT INTO payload (month, seq, content)
    SELECT $1, p.seq, substring($17::bytea FROM p.start FOR p.length)
    FROM unnest($2::bigint[], $18::integer[], $19::integer[]) AS p (seq, start, length)
  ), decisions AS (
    INSERT INTO decision (month, seq, id, outcome) SELECT $1, * FROM unnest($20::bigint[], $21::text[], $22::text[])
  ), cards AS (
    INSERT INTO card (month, seq, uuid, topic, indicator, decisions)
    SELECT $1, * FROM unnest($23::bigint[], $24::text[], $25::text[], $26::text[], $27::jsonb[])
  ), keys AS (
    INSERT INTO unknown_key (month, seq, key, state) SELECT $1, * FROM unnest($28::bigint[], $29::text[], $30::text[])
  )
  UPDATE chain_head SET seq = $31, hash = $32, time = $33, month = $1`;

async function insertLinks(query: Query, head: Head, links: readonly Link[]): Promise<void> {
  if (links.length === 0) return;
  const index = links.map(({ entry, seq }) => ({ ...entry.index, seq }));
  const contents = links.map(({ entry }) => entry.content);
  const starts: number[] = [];
  let length = 0;
  for (const content of contents) {
    starts.push(length + 1);
    length += content.length;
  }
  const decisions = index.flatMap(({ seq, decisions }) => decisions.map((each) => ({ ...each, seq })));
  const cards = index.flatMap(({ seq, cards }) => cards.map((each) => ({ ...each, seq })));
  const keys = index.flatMap(({ seq, unknownKeys }) => unknownKeys.map((each) => ({ ...each, seq })));
  await query({
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
      ...[head.seq, head.hash, head.time],
    ],
  });
}
