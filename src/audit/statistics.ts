import type { CompiledGuideline } from '../engine/guideline.ts';
import type { CountQuery, PeriodCount } from './store.ts';

/** What happened around one decision in one period, or in all of them. */
export interface DecisionCounts {
  /** Evaluations of the services that make the decision. */
  evaluations: number;
  met: number;
  unknown: number;
  error: number;
  /** Cards sent with this decision behind them, by what became of them. */
  shown: number;
  accepted: number;
  overridden: number;
  /** Nobody answered, and the time to answer is over. */
  ignored: number;
  /** Nobody answered yet. */
  awaiting: number;
}

export interface PeriodCounts extends DecisionCounts {
  /** First day of the period. */
  period: string;
  /** The time to answer is over for every card of the period: only now shares of answers can be told. */
  isOver: boolean;
}

export interface DecisionStatistics {
  decision: string;
  total: DecisionCounts;
  /** Of the periods that are over: what shares of answers are taken of. */
  settled: DecisionCounts;
  /** Every period in which there were evaluations, oldest first. */
  periods: PeriodCounts[];
}

export interface Statistics {
  evaluations: number;
  /** Evaluations per period, all services. */
  periods: { period: string; evaluations: number }[];
  decisions: DecisionStatistics[];
  /** Evaluations of which a key was not known, by key, by state. */
  unknownKeys: { key: string; missing: number; failed: number; truncated: number }[];
  /** Cards overridden, by code of the reason, most frequent first. */
  reasons: { code: string; count: number }[];
  /** Milliseconds within which this share of the evaluations was done; undefined: above every class counted. */
  latency: { share: number; milliseconds: number | undefined }[];
  /** Knowledge versions by the first period they were used in. */
  versions: { knowledge: string; period: string }[];
}

export interface StatisticsOptions {
  /** Decisions to tell of, in order, each with the services that make it. */
  decisions: readonly { id: string; services: readonly string[] }[];
  /** Cards sent on this day or later can still be answered: `YYYY-MM-DD`. */
  openFrom: string;
  /** Last day of a period that begins on a day. */
  endOf(period: string): string;
}

const shares = [0.5, 0.95, 0.99];

/** Brings counts into the form people ask for. Pure. */
export function summarizeCounts(counts: readonly PeriodCount[], options: StatisticsOptions): Statistics {
  const sums = new Map<string, number>();
  const versions = new Map<string, string>();
  const names = new Map<string, Set<string>>();
  const periods = new Set<string>();
  const add = (key: string, count: number) => sums.set(key, (sums.get(key) ?? 0) + count);
  for (const { period, knowledge, kind, name, count } of counts) {
    add(`${kind} ${name}`, count);
    add(`${kind} ${name} ${period}`, count);
    if (!names.has(kind)) names.set(kind, new Set());
    names.get(kind)?.add(name);
    if (kind !== 'evaluation') continue;
    periods.add(period);
    const first = versions.get(knowledge);
    if (first === undefined || period < first) versions.set(knowledge, period);
  }
  const sum = (kind: string, name: string, period?: string) =>
    sums.get(period === undefined ? `${kind} ${name}` : `${kind} ${name} ${period}`) ?? 0;
  const services = [...(names.get('evaluation') ?? [])];
  const inOrder = [...periods].sort();
  const evaluationsOf = (of: readonly string[], period?: string) =>
    of.reduce((total, service) => total + sum('evaluation', service, period), 0);

  const decisions = options.decisions.map(({ id, services: of }) => {
    const each = inOrder.map((period): PeriodCounts => {
      const [shown, accepted, overridden] = [
        sum('shown', id, period),
        sum('accepted', id, period),
        sum('overridden', id, period),
      ];
      const silent = Math.max(0, shown - accepted - overridden);
      const isOver = options.endOf(period) < options.openFrom;
      return {
        ...{ period, isOver },
        evaluations: evaluationsOf(of, period),
        met: sum('met', id, period),
        unknown: sum('unknown', id, period),
        error: sum('error', id, period),
        ...{ shown, accepted, overridden, ignored: isOver ? silent : 0, awaiting: isOver ? 0 : silent },
      };
    });
    return { decision: id, total: addUp(each), settled: addUp(each.filter(({ isOver }) => isOver)), periods: each };
  });
  const keys = new Set(['missing', 'failed', 'truncated'].flatMap((kind) => [...(names.get(kind) ?? [])]));
  return {
    evaluations: evaluationsOf(services),
    periods: inOrder.map((period) => ({ period, evaluations: evaluationsOf(services, period) })),
    decisions,
    unknownKeys: [...keys].sort().map((key) => ({
      key,
      missing: sum('missing', key),
      failed: sum('failed', key),
      truncated: sum('truncated', key),
    })),
    reasons: [...(names.get('reason') ?? [])]
      .map((code) => ({ code, count: sum('reason', code) }))
      .sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1)),
    latency: findLatency([...(names.get('latency') ?? [])].map((name) => ({ name, count: sum('latency', name) }))),
    versions: [...versions]
      .map(([knowledge, period]) => ({ knowledge, period }))
      .sort((a, b) => (a.period < b.period ? -1 : 1)),
  };
}

const none: DecisionCounts = {
  ...{ evaluations: 0, met: 0, unknown: 0, error: 0, shown: 0 },
  ...{ accepted: 0, overridden: 0, ignored: 0, awaiting: 0 },
};

function addUp(periods: readonly PeriodCounts[]): DecisionCounts {
  const total = { ...none };
  for (const each of periods) {
    for (const name of Object.keys(none) as (keyof DecisionCounts)[]) total[name] += each[name];
  }
  return total;
}

function findLatency(classes: { name: string; count: number }[]): Statistics['latency'] {
  const total = classes.reduce((all, { count }) => all + count, 0);
  if (total === 0) return [];
  const inOrder = classes
    .map(({ name, count }) => ({ bound: name === 'more' ? Number.POSITIVE_INFINITY : Number(name), count }))
    .sort((a, b) => a.bound - b.bound);
  return shares.map((share) => {
    let seen = 0;
    const reached = inOrder.find(({ count }) => {
      seen += count;
      return seen >= share * total;
    });
    const bound = reached?.bound ?? Number.POSITIVE_INFINITY;
    return { share, milliseconds: Number.isFinite(bound) ? bound : undefined };
  });
}

/** One period of a control chart: how many of how many, and where the share may lie by chance. */
export interface ControlPoint {
  period: string;
  count: number;
  of: number;
  share: number;
  low: number;
  high: number;
  isOutside: boolean;
}

export interface ControlChart {
  mean: number;
  points: ControlPoint[];
}

/** Standard deviations a share may be off the mean by chance: Shewhart's limits. */
const sigmas = 3;

/** A p-chart: shares per period around their common mean, with limits that follow the size of each period. Pure. */
export function chartShares(periods: readonly { period: string; count: number; of: number }[]): ControlChart {
  const used = periods.filter(({ of }) => of > 0);
  const [count, all] = [
    used.reduce((total, each) => total + each.count, 0),
    used.reduce((total, { of }) => total + of, 0),
  ];
  const mean = all === 0 ? 0 : count / all;
  return {
    mean,
    points: used.map((each) => {
      const share = each.count / each.of;
      const spread = sigmas * Math.sqrt((mean * (1 - mean)) / each.of);
      const [low, high] = [Math.max(0, mean - spread), Math.min(1, mean + spread)];
      return { ...each, share, low, high, isOutside: share < low || share > high };
    }),
  };
}

/** Ids of the services that make a decision. */
export function makersOf({ services }: Pick<CompiledGuideline, 'services'>, decision: string): string[] {
  return [...services.values()].filter(({ rules }) => rules.includes(decision)).map(({ id }) => id);
}

/** The last day of a period that begins on a day. */
export function findLastDay(period: string, per: CountQuery['per']): string {
  const last = new Date(period);
  if (per === 'week') last.setUTCDate(last.getUTCDate() + 6);
  if (per === 'month') last.setUTCMonth(last.getUTCMonth() + 1, 0);
  return last.toISOString().slice(0, 10);
}
