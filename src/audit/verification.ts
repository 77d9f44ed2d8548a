import {
  canonicalJson,
  chainStart,
  digestText,
  hashLink,
  indexRecord,
  type RecordIndex,
  unsealRecord,
} from './record.ts';
import type { Anchor, Verification } from './store.ts';

/** A {@link RecordIndex} as rows of a store make it up: not trusted to be one. */
export type StoredIndex = Readonly<Record<string, unknown>> & Record<IndexList, readonly unknown[]>;

type IndexList = 'decisions' | 'cards' | 'unknownKeys';

/** A link as a store holds it, with all it says of the record. */
export interface StoredLink {
  seq: number;
  id: string;
  time: string;
  digest: string;
  previousHash: string;
  hash: string;
  isErased: boolean;
  /** Absent: the store holds no content. */
  sealed?: { content: Uint8Array; index: StoredIndex };
}

/** Recomputes a chain from its links, taken in order. */
export interface Verifier {
  add(link: StoredLink): void;
  /** @param anchors As stored. */
  finish(anchors: readonly Anchor[]): Verification;
}

const maxProblems = 20;

/** Day of a time, in UTC. */
export const dayOf = (time: string): string => time.slice(0, 10);

/** Month of a time, in UTC: the part of the store a record goes to. */
export const monthOf = (time: string): string => time.slice(0, 7);

/** Makes a verifier of a whole chain, from its first link on. */
export function createVerifier(): Verifier {
  const found: Omit<Verification, 'anchors'> = { records: 0, erased: 0, problems: [] };
  const anchors = new Map<string, Anchor>();
  let before = { seq: 0, hash: chainStart, time: '' };

  function report(seq: number, problem: string): void {
    if (found.problems.length < maxProblems) found.problems.push({ seq, problem });
  }

  return {
    add(link) {
      for (const problem of findProblems(link, before.seq + 1, before.hash)) report(link.seq, problem);
      const anchor = findAnchor(before, link.time);
      if (anchor !== undefined) anchors.set(anchor.day, anchor);
      found.records += 1;
      if (link.isErased) found.erased += 1;
      before = { seq: link.seq, hash: link.hash, time: laterOf(before.time, link.time) };
      found.head = { seq: link.seq, hash: link.hash };
    },
    finish(stored) {
      for (const { day, seq, hash } of stored) {
        const due = anchors.get(day);
        if (due?.seq !== seq || due.hash !== hash) report(seq, `is not what the anchor of ${day} was made from`);
      }
      for (const { day, seq } of anchors.values()) {
        if (!stored.some((anchor) => anchor.day === day)) report(seq, `the anchor of ${day} is not there`);
      }
      return { ...found, anchors: [...stored] };
    },
  };
}

/**
 * Gives the anchor that is due before a link of this time.
 *
 * @param before The last link, with the latest time of all up to it: one that comes late makes no day begin anew.
 */
export function findAnchor(before: { seq: number; hash: string; time: string }, time: string): Anchor | undefined {
  if (before.seq === 0 || dayOf(time) <= dayOf(before.time)) return undefined;
  return { day: dayOf(before.time), seq: before.seq, hash: before.hash };
}

/** The later of two ISO times. */
export const laterOf = (a: string, b: string): string => (a > b ? a : b);

function findProblems(link: StoredLink, expectedSeq: number, expectedHash: string): string[] {
  const { seq, id, time, digest, previousHash, sealed } = link;
  const problems: string[] = [];
  if (seq !== expectedSeq) problems.push(`records ${expectedSeq} to ${seq - 1} are not there`);
  if (previousHash !== expectedHash) problems.push('does not follow the record before it');
  if (link.hash !== hashLink(previousHash, { seq, id, time, digest })) problems.push('its link was changed');
  if (sealed !== undefined) {
    problems.push(...findContentProblems(digest, sealed));
  } else if (!link.isErased) {
    problems.push('its content is not there and was not erased');
  }
  return problems;
}

function findContentProblems(digest: string, { content, index }: NonNullable<StoredLink['sealed']>): string[] {
  try {
    const json = unsealRecord(content);
    if (digestText(json) !== digest) return ['its content was changed'];
    return isSameIndex(indexRecord(JSON.parse(json)), index) ? [] : ['its index rows were changed'];
  } catch {
    // Not what Brotli wrote, or not what sealRecord did: whoever changed it decides what it looks like.
    return ['its content is no record'];
  }
}

function isSameIndex(a: RecordIndex, b: StoredIndex): boolean {
  const [one, other] = [a, b].map((index) =>
    canonicalJson({
      ...index,
      decisions: index.decisions.map((each) => canonicalJson(each)).sort(),
      cards: index.cards.map((each) => canonicalJson(each)).sort(),
      unknownKeys: index.unknownKeys.map((each) => canonicalJson(each)).sort(),
    }),
  );
  return one === other;
}
