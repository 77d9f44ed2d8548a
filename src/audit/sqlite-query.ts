import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { readSummary } from './read-row.ts';
import { cleanText } from './record.ts';
import type { Row } from './sqlite-counts.ts';
import type { EvaluationConditions, EvaluationQuery, EvaluationSummary, ScanQuery } from './store.ts';

/** After every ISO time. */
const endOfTime = '~';

type Values = readonly SQLInputValue[];

/** A condition on a row of `evaluation` as `e`. */
interface Condition {
  sql: string;
  values: Values;
}

/** The table that leads to the rows wanted in the order of the chain, where the whole chain would be too long to try. */
interface Lead {
  from: string;
  where: Condition;
}

/** The newest evaluations that meet every condition, newest first. */
export function listEvaluations(db: DatabaseSync, query: EvaluationQuery): EvaluationSummary[] {
  const { before, limit } = query;
  return selectEvaluations(db, query, {
    columns: 'e.*',
    page: before === undefined ? [] : [{ sql: '$seq < ?', values: [before] }],
    isLaterPage: false,
    order: 'DESC',
    limit,
  }).map(readSummary);
}

/** Evaluations with their content that meet every condition, oldest first. */
export function findEvaluations(db: DatabaseSync, query: ScanQuery): Row[] {
  const { after, limit } = query;
  return selectEvaluations(db, query, {
    columns: 'e.*, payload.content',
    join: 'LEFT JOIN payload ON payload.seq = e.seq',
    page: after === undefined ? [] : [{ sql: '$seq > ?', values: [after] }],
    isLaterPage: after !== undefined,
    order: 'ASC',
    limit,
  });
}

function selectEvaluations(
  db: DatabaseSync,
  query: EvaluationConditions,
  {
    columns,
    join = '',
    page,
    isLaterPage,
    order,
    limit,
  }: {
    columns: string;
    join?: string;
    page: readonly Condition[];
    isLaterPage: boolean;
    order: 'ASC' | 'DESC';
    limit: number;
  },
): Row[] {
  const range = isLaterPage ? limitTimes(query) : findRange(db, query);
  if (range === undefined) return [];
  const lead = findLead(query);
  const seq = lead === undefined ? 'e.seq' : 'l.seq';
  const conditions = [...(lead === undefined ? [] : [lead.where]), ...range, ...page, ...listConditions(query)];
  const where = conditions.map(({ sql }) => sql.replaceAll('$seq', seq)).join(' AND ') || 'TRUE';
  const from = lead === undefined ? 'evaluation e' : `${lead.from} l CROSS JOIN evaluation e ON e.seq = l.seq`;
  // Several cards of one evaluation can have one topic.
  const group = lead === undefined ? '' : 'GROUP BY l.seq';
  return db
    .prepare(`SELECT ${columns} FROM ${from} ${join} WHERE ${where} ${group} ORDER BY ${seq} ${order} LIMIT ?`)
    .all(...conditions.flatMap(({ values }) => values), limit) as Row[];
}

/** Where a page begins behind another, what is left out comes once, after the last one wanted. */
function limitTimes({ from, to }: EvaluationConditions): Condition[] {
  // The plus keeps SQLite from going by time, and sorting all of it for each page.
  return from === undefined && to === undefined
    ? []
    : [{ sql: '+e.time >= ? AND +e.time < ?', values: [from ?? '', to ?? endOfTime] }];
}

/** The part of the chain that holds these times: found by time first, so that no page tries the rest. */
function findRange(db: DatabaseSync, query: EvaluationConditions): Condition[] | undefined {
  const limits = limitTimes(query);
  const [times] = limits;
  if (times === undefined) return [];
  const { low, high } = db
    .prepare('SELECT min(seq) AS low, max(seq) AS high FROM evaluation WHERE time >= ? AND time < ?')
    .get(...times.values) as Row;
  if (low === null || high === null) return undefined;
  return [{ sql: '$seq BETWEEN ? AND ?', values: [low as number, high as number] }, ...limits];
}

function findLead({ decision, topic, reason, unknownKey }: EvaluationConditions): Lead | undefined {
  if (reason !== undefined) return { from: 'card', where: { sql: 'l.reason = ?', values: [reason] } };
  if (decision?.outcome === 'error') return { from: 'decision', where: { sql: "l.outcome = 'error'", values: [] } };
  if (decision?.id !== undefined && decision.outcome !== 'not-met') {
    return { from: 'decision', where: { sql: 'l.id = ? AND l.outcome = ?', values: [decision.id, decision.outcome] } };
  }
  if (unknownKey !== undefined) {
    const { key, state } = unknownKey;
    return { from: 'unknown_key', where: { sql: 'l.key = ? AND l.state = ?', values: [key, state] } };
  }
  return topic === undefined ? undefined : { from: 'card', where: { sql: 'l.topic = ?', values: [topic] } };
}

/** Every condition but that of time, whichever of them leads. */
function listConditions(query: EvaluationConditions): Condition[] {
  const { hookInstance, patientKey, client, hook, services, decision, topic, reason, unknownKey } = query;
  const given: (Condition | undefined)[] = [
    hookInstance === undefined ? undefined : { sql: 'e.hook_instance = ?', values: [cleanText(hookInstance)] },
    patientKey === undefined ? undefined : { sql: 'e.patient_key = ?', values: [patientKey] },
    client === undefined ? undefined : { sql: 'e.client = ?', values: [client] },
    hook === undefined ? undefined : { sql: 'e.hook = ?', values: [hook] },
    services && { sql: `e.service IN (${services.map(() => '?').join()})`, values: services },
    decision && conditionOf(decision),
    topic === undefined
      ? undefined
      : { sql: 'EXISTS (SELECT 1 FROM card c WHERE c.seq = e.seq AND c.topic = ?)', values: [topic] },
    reason === undefined
      ? undefined
      : { sql: 'EXISTS (SELECT 1 FROM card c WHERE c.seq = e.seq AND c.reason = ?)', values: [reason] },
    unknownKey && {
      sql: 'EXISTS (SELECT 1 FROM unknown_key k WHERE k.seq = e.seq AND k.key = ? AND k.state = ?)',
      values: [unknownKey.key, unknownKey.state],
    },
  ];
  return given.filter((condition) => condition !== undefined);
}

function conditionOf({ id, outcome }: NonNullable<EvaluationConditions['decision']>): Condition {
  if (outcome === 'not-met') {
    return {
      sql: 'e.erased_at IS NULL AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.seq = e.seq AND d.id = ?)',
      values: [id ?? ''],
    };
  }
  return id === undefined
    ? { sql: 'EXISTS (SELECT 1 FROM decision d WHERE d.seq = e.seq AND d.outcome = ?)', values: [outcome] }
    : {
        sql: 'EXISTS (SELECT 1 FROM decision d WHERE d.seq = e.seq AND d.id = ? AND d.outcome = ?)',
        values: [id, outcome],
      };
}
