import { parentPort, workerData } from 'node:worker_threads';
import { readRecord } from '../audit/exports.ts';
import type { EvaluationRecord } from '../audit/record.ts';
import { createReplay, type Replay } from '../audit/replay.ts';
import type { CompiledGuideline } from '../engine/guideline.ts';
import { findNearestMisses } from '../engine/nearest-miss.ts';
import { type Choices, chooseEnvironment, decideRules } from '../engine/rules.ts';
import type { Truth } from '../engine/types.ts';
import { adaptRecorded } from '../http/adapt.ts';
import { loadKnowledge } from '../knowledge.ts';
import type { Explanation } from './evaluation-page.ts';

/** What the thread is started with: folders by the name their knowledge is asked for by; the loaded one has none. */
export interface WorkbenchData {
  folders: Readonly<Record<string, string>>;
}

export type WorkbenchCommands = typeof commands;
export type WorkbenchCall = {
  [Name in keyof WorkbenchCommands]: { call: number; name: Name; args: Parameters<WorkbenchCommands[Name]> };
}[keyof WorkbenchCommands];
export type WorkbenchReply = { call: number } & ({ result: unknown } | { failure: string });

interface Loaded {
  guideline: CompiledGuideline;
  replay(record: EvaluationRecord): Replay;
}

const { folders } = workerData as WorkbenchData;
const loaded = new Map<string, Loaded>();

const commands = { warmUp, explain, replay };

function warmUp(): void {
  load('');
}

/** Decides a record again with the knowledge loaded, and finds what would have changed its decisions. */
function explain(record: EvaluationRecord): Explanation {
  const { guideline, replay: decideAgain } = load('');
  const replayed = decideAgain(record);
  if (!replayed.isSameKnowledge) return { replay: replayed };
  const environment = chooseEnvironment(guideline, record.settings as unknown as Choices);
  const decisions = record.decisions.map(({ id }) => id);
  const { facts } = decideRules(guideline, record.chart, environment);
  const conditions: Record<string, Truth[]> = {};
  // A decision that failed has no conditions to show.
  for (const { id, outcome } of record.decisions) {
    if (outcome !== 'error')
      conditions[id] = (guideline.rules.get(id)?.when ?? []).map(({ expression }) => facts.truth(expression));
  }
  return {
    replay: replayed,
    nearestMisses: findNearestMisses(guideline, decisions, record.chart, environment),
    conditions,
  };
}

/** Decides records again with the knowledge of that name. */
function replay(knowledge: string, contents: readonly Uint8Array[]): (Replay | 'unreadable')[] {
  const { replay: decideAgain } = load(knowledge);
  return contents.map((content) => {
    const record = readRecord({ content });
    return record === undefined ? 'unreadable' : decideAgain(record);
  });
}

function load(name: string): Loaded {
  let known = loaded.get(name);
  if (known === undefined) {
    const guideline = loadKnowledge(folders[name] ?? '');
    known = { guideline, replay: createReplay(guideline, adaptRecorded) };
    loaded.set(name, known);
  }
  return known;
}

parentPort?.on('message', ({ call, name, args }: WorkbenchCall) => {
  let reply: WorkbenchReply;
  try {
    const command = commands[name] as (...given: unknown[]) => unknown;
    reply = { call, result: command(...args) };
  } catch (error) {
    reply = { call, failure: error instanceof Error ? error.message : 'failed' };
  }
  parentPort?.postMessage(reply);
});
