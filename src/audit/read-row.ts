import { unsealRecord } from './record.ts';
import type { EvaluationSummary, SealedEvaluation, StoredEvaluation, StoredFeedback, StoredView } from './store.ts';
import type { StoredLink } from './verification.ts';

/** A row of a database, by column. */
export type Row = Readonly<Record<string, unknown>>;

/** One line of a list from its row. */
export function readSummary(row: Row): EvaluationSummary {
  const text = (name: string, column = name) => (row[column] === null ? {} : { [name]: String(row[column]) });
  return {
    seq: Number(row.seq),
    id: String(row.id),
    time: String(row.time),
    client: String(row.client),
    ...text('tenant'),
    hook: String(row.hook),
    service: String(row.service),
    ...text('hookInstance', 'hook_instance'),
    ...text('patientKey', 'patient_key'),
    knowledge: String(row.knowledge),
    cards: Number(row.cards),
    ...text('erasedAt', 'erased_at'),
  };
}

/** An evaluation from its row with `content`. */
export function readSealed(row: Row, feedback: StoredFeedback[]): SealedEvaluation {
  return {
    summary: readSummary(row),
    ...(row.content === null ? {} : { content: row.content as Uint8Array }),
    chain: { digest: String(row.digest), previousHash: String(row.previous_hash), hash: String(row.hash) },
    feedback,
  };
}

/** Unseals the record of an evaluation. */
export function openSealed({ content, ...rest }: SealedEvaluation): StoredEvaluation {
  return { ...rest, ...(content === undefined ? {} : { record: JSON.parse(unsealRecord(content)) }) };
}

export function readFeedback(row: Row): StoredFeedback {
  const system = row.reason_system === null ? {} : { system: String(row.reason_system) };
  return {
    card: String(row.card),
    outcome: row.outcome as StoredFeedback['outcome'],
    outcomeTimestamp: String(row.outcome_time),
    receivedAt: String(row.received_at),
    acceptedSuggestions: JSON.parse(String(row.suggestions)),
    ...(row.reason_code === null ? {} : { reason: { ...system, code: String(row.reason_code) } }),
  };
}

export function readView(row: Row): StoredView {
  return {
    seq: Number(row.seq),
    time: String(row.time),
    who: String(row.who),
    role: row.role as StoredView['role'],
    page: String(row.page),
    ...(row.evaluation === null ? {} : { evaluation: String(row.evaluation) }),
  };
}

type IndexLists = Record<'decisions' | 'cards' | 'unknownKeys', Row[]>;

/**
 * A link from its row with `content`.
 *
 * @param readLists Called where there is content: what the other tables say of the record.
 */
export function readLink(row: Row, readLists: () => IndexLists): StoredLink {
  return {
    ...{ seq: Number(row.seq), id: String(row.id), time: String(row.time), digest: String(row.digest) },
    ...{ previousHash: String(row.previous_hash), hash: String(row.hash), isErased: row.erased_at !== null },
    ...(row.content !== null && {
      sealed: { content: row.content as Uint8Array, index: { ...readIndex(row), ...readLists() } },
    }),
  };
}

/** As stored, whatever it is: it is compared with what the record says. */
function readIndex(row: Row): Row {
  const { id, time, client, tenant, hook, service, hook_instance, patient_key, knowledge, milliseconds } = row;
  const columns = { id, time, client, hook, service, hookInstance: hook_instance, patientKey: patient_key, knowledge };
  return { ...columns, ...(tenant === null ? {} : { tenant }), milliseconds };
}
