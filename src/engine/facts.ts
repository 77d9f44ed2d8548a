import { type Ask, type Items, notKnown, toItems } from './closure.ts';
import { type Expression, toTruth } from './expression.ts';
import type { CompiledFact, CompiledGuideline } from './guideline.ts';
import { indexReadings, newestFirst } from './reading-index.ts';
import type { PanelLine, SelectionFact } from './schema.ts';
import type { Chart, FactRead, Reading, ReadingKind, Truth } from './types.ts';

/** What is known of one fact. */
export interface Fact {
  /** Truth facts: whether it holds. Value facts: true when there are values, `null` when there may be some. */
  truth: Truth;
  /** Value facts only: what FHIRPath sees. */
  values?: (string | number | boolean)[];
  /** The readings behind a truth or the values, newest first. */
  readings: readonly Reading[];
  /** Why it is not known: `key:reports`, `broader:Condition/1`, `preliminary:…`, `undated:…`, `unclear:…`. */
  lacking: readonly string[];
}

/** Named facts of one chart, evaluated when first asked for. */
export interface Facts {
  get(name: string): Fact;
  /** Evaluates an expression over facts; `null` is unknown. */
  truth(expression: Expression): Truth;
  /** The facts an expression rests on, as the record keeps them: those named, and what derived ones were made of. */
  read(expression: Expression): FactRead[];
}

type Environment = Record<string, unknown>;

const none: readonly never[] = [];
/** What expressions over facts are evaluated on: they read names only. */
const noReading = {};

/** Readings of a selection that count, and those of which it is not known, with the reasons. */
interface Matched {
  definite: Reading[];
  possible: Reading[];
  lacking: string[];
}

interface PanelState {
  definite: Set<string>;
  possible: Set<string>;
}

/**
 * Facts over a chart. Pure and lazy.
 *
 * @param environment Parameters and ledger choices in force, by name.
 * @param isMet Whether a rule is met (null: unknown or failed), for facts that rest on decisions.
 */
export function collectFacts(
  guideline: CompiledGuideline,
  chart: Chart,
  environment: Readonly<Environment>,
  isMet: (rule: string) => Truth,
): Facts {
  const index = indexReadings(chart.readings);
  const facts = new Map<string, Fact>();
  const panels = new Map<string, PanelState>();
  const wholeKeys = new Set(Object.keys(chart.keys).filter((key) => isKeyKnown(guideline, chart, key, undefined)));
  const patient: Environment = {
    age: chart.patient.age ?? [],
    sex: chart.patient.sex ?? [],
    daysSinceBirthday: chart.patient.daysSinceBirthday ?? [],
    deceased: chart.patient.deceased,
  };

  /** What each name stands for in FHIRPath, as far as it was asked for. */
  const asked = new Map<string, Items>();
  const ask: Ask = (name) => {
    let items = asked.get(name);
    if (items === undefined) {
      items =
        name in environment
          ? toItems(environment[name])
          : name in patient
            ? toItems(patient[name])
            : itemsOf(get(name));
      asked.set(name, items);
    }
    return items;
  };

  const truth = (expression: Expression): Truth => toTruth(expression.evaluate(noReading, ask), expression.text);

  const get = (name: string): Fact => {
    let fact = facts.get(name);
    if (fact === undefined) {
      const compiled = guideline.facts.get(name);
      if (compiled === undefined) throw new TypeError(`No fact ${name}`);
      fact = evaluate(compiled);
      facts.set(name, fact);
    }
    return fact;
  };

  const evaluate = (fact: CompiledFact): Fact => {
    switch (fact.form) {
      case 'selection':
        return fact.definition.panel !== undefined ? selectLines(fact, fact.definition) : select(fact, fact.definition);
      case 'derived': {
        const value = truth(fact.is);
        const known = value ?? fact.unknownAs ?? null;
        return { truth: known, readings: readingsOf(fact.is), lacking: value === null ? lackingOf(fact.is) : [] };
      }
      case 'value': {
        const items = fact.value.evaluate(noReading, ask);
        if (items === notKnown) return { truth: null, values: [], readings: [], lacking: lackingOf(fact.value) };
        // A copy: the items may be the values of another fact.
        const found = [...items] as (string | number | boolean)[];
        return { truth: found.length > 0, values: found, readings: readingsOf(fact.value), lacking: [] };
      }
      case 'without':
        return linesWithout(fact.panel, fact.without);
      case 'outcome':
        return decideOutcome(fact);
      case 'unread': {
        const unread = fact.keys.filter((key) => !isKeyKnown(guideline, chart, key, daysOf(fact.within)));
        return { truth: unread.length > 0, values: unread, readings: [], lacking: [] };
      }
    }
  };

  const decideOutcome = ({ rules, unknownAs }: CompiledFact & { form: 'outcome' }): Fact => {
    const open: string[] = [];
    for (const rule of rules) {
      const met = isMet(rule);
      if (met === true) return { truth: true, readings: [], lacking: [] };
      if (met === null) open.push(`decision:${rule}`);
    }
    return open.length === 0 || unknownAs !== undefined
      ? { truth: open.length === 0 ? false : (unknownAs ?? null), readings: [], lacking: [] }
      : { truth: null, readings: [], lacking: open };
  };

  const readingsOf = (expression: Expression): Reading[] =>
    expression.names.flatMap((name) => {
      const fact = facts.get(name);
      return fact?.truth === true ? fact.readings : [];
    });
  const lackingOf = (expression: Expression): string[] => [
    ...new Set(
      expression.names.flatMap((name) => (guideline.facts.has(name) ? get(name).lacking : missingOfPatient(name))),
    ),
  ];
  const missingOfPatient = (name: string): string[] =>
    name in patient && Array.isArray(patient[name]) ? [`patient:${name}`] : [];

  const daysOf = (within: string | undefined): number | undefined =>
    within === undefined ? undefined : Number(environment[within]);

  /** Prefetch keys that leave "none found" open. */
  const unknownKeys = ({ keys, definition }: CompiledFact & { form: 'selection' }): readonly string[] => {
    if (keys.every((key) => wholeKeys.has(key))) return none;
    const days = daysOf(definition.within);
    return keys.filter((key) => !isKeyKnown(guideline, chart, key, days)).map((key) => `key:${key}`);
  };

  /** Whether one reading counts: true, false, or the reason why that is not known. */
  const judge = (fact: CompiledFact & { form: 'selection' }, reading: Reading): boolean | string => {
    const { definition, where } = fact;
    if (definition.within !== undefined) {
      if (reading.daysAgo !== undefined && reading.daysAgo > Number(environment[definition.within])) return false;
    }
    const broader = definition.broader ?? 'unknown';
    if (!reading.exact && broader === 'ignored') return false;
    if (where !== undefined) {
      const verdict = toTruth(where.evaluate(contextOf(fact, reading), ask), where.text);
      if (verdict === false) return false;
      if (verdict === null) return `unclear:${reading.reference}`;
    }
    // Without a readable date, or with one to come, it may lie in the window.
    if (definition.within !== undefined && (reading.daysAgo === undefined || reading.daysAgo < 0)) {
      return `undated:${reading.reference}`;
    }
    if (reading.status === 'preliminary') return `preliminary:${reading.reference}`;
    if (!reading.exact && broader === 'unknown') return `broader:${reading.reference}`;
    return true;
  };

  /** The reading with what only facts can add; built only for expressions that ask for it. */
  const contextOf = (fact: CompiledFact & { form: 'selection' }, reading: Reading): object => {
    const { members = [] } = fact.where ?? {};
    let context: Reading & Environment = reading as Reading & Environment;
    if (members.includes('group')) {
      const group = guideline.analyses.get(reading.concept)?.group;
      context = { ...context, ...(group !== undefined && { group }) };
    }
    if (members.includes('explained')) {
      const explained = isExplained(reading.concept);
      context = { ...context, ...(explained !== null && { explained }) };
    }
    if (members.includes('lastClosing')) {
      const closing = index
        .of('marker', reading.concept)
        .find((other) => other.role === 'closing' && other.daysAgo !== undefined);
      context = { ...context, ...(closing?.daysAgo !== undefined && { lastClosing: closing.daysAgo }) };
    }
    if (fact.definition.earlier !== undefined) {
      context = { ...context, ...earlierOf(fact.definition, reading) };
    }
    return context;
  };

  const isExplained = (concept: string): Truth => {
    let known = true;
    for (const name of guideline.explainedBy.get(concept) ?? []) {
      const explained = get(name).truth;
      if (explained === true) return true;
      if (explained === null) known = false;
    }
    return known ? false : null;
  };

  const earlierOf = (definition: SelectionFact, reading: Reading): Environment => {
    const from = Number(environment[definition.earlier?.olderThan ?? '']);
    const to = Number(environment[definition.earlier?.within ?? '']);
    const earlier = index
      .of(reading.kind, reading.concept)
      .find((other) => other.daysAgo !== undefined && other.daysAgo > from && other.daysAgo <= to && other !== reading);
    if (earlier !== undefined) {
      return { hasEarlier: true, ...(earlier.abnormal !== undefined && { earlierAbnormal: earlier.abnormal }) };
    }
    return isKeyKnown(guideline, chart, 'observations', to) ? { hasEarlier: false } : {};
  };

  const candidates = (
    definition: SelectionFact,
    kind: ReadingKind,
    concept: string | undefined,
  ): readonly Reading[] => {
    const readings = concept === undefined ? index.all(kind) : index.of(kind, concept);
    if (definition.each !== 'newest' || readings.length < 2) return readings;
    const newest = readings.find((reading) => reading.daysAgo !== undefined);
    // A result without a readable date could be the newest.
    return readings.filter((reading) => reading === newest || reading.daysAgo === undefined);
  };

  /** Adds to what was matched before, where there is something. */
  const match = (
    fact: CompiledFact & { form: 'selection' },
    concept: string | undefined,
    matched: Matched = { definite: [], possible: [], lacking: [] },
  ): Matched => {
    for (const kind of fact.definition.read) {
      for (const reading of candidates(fact.definition, kind, concept)) {
        const verdict = judge(fact, reading);
        if (verdict === true) matched.definite.push(reading);
        else if (verdict !== false) {
          matched.possible.push(reading);
          matched.lacking.push(verdict);
        }
      }
    }
    return matched;
  };

  const select = (fact: CompiledFact & { form: 'selection' }, definition: SelectionFact): Fact => {
    const matched: Matched = { definite: [], possible: [], lacking: [] };
    for (const concept of definition.of === undefined ? [undefined] : fact.concepts) {
      match(fact, concept, matched);
    }
    const { definite, lacking } = matched;
    definite.sort(newestFirst);
    // What a resource certainly says is not made doubtful by a broader concept of the same code.
    const isCertain = ({ reference }: Reading) => definite.some((reading) => reading.reference === reference);
    const possible = matched.possible.filter((reading) => reading.exact || !isCertain(reading));
    const unread = unknownKeys(fact);
    const open = possible.length > 0 || unread.length > 0;
    const why = [...lacking, ...unread];

    if (definition.atLeast !== undefined) {
      const wanted = Number(environment[definition.atLeast]);
      const sure = countDistinct(definition, definite);
      const most = countDistinct(definition, [...definite, ...possible]);
      const truthOf = sure >= wanted ? true : most >= wanted || unread.length > 0 ? null : false;
      return { truth: truthOf, readings: definite, lacking: truthOf === null ? why : [] };
    }
    const truthOf = definite.length > 0 ? true : open ? null : false;
    const member = definition.collect ?? definition.newest;
    if (member === undefined) return { truth: truthOf, readings: definite, lacking: truthOf === null ? why : [] };
    const from = definition.newest === undefined ? definite : definite.slice(0, 1);
    const found = from.flatMap((reading) => membersOf(reading, member));
    return {
      truth: found.length > 0 ? true : open ? null : false,
      values: found,
      readings: from,
      lacking: found.length > 0 ? [] : why,
    };
  };

  const membersOf = (reading: Reading, member: string): (string | number | boolean)[] => {
    const value =
      member === 'group' ? guideline.analyses.get(reading.concept)?.group : reading[member as keyof Reading];
    return value === undefined ? [] : Array.isArray(value) ? value : [value as string | number | boolean];
  };

  const countDistinct = (definition: SelectionFact, readings: readonly Reading[]): number =>
    definition.distinct === undefined
      ? readings.length
      : new Set(readings.flatMap((reading) => membersOf(reading, definition.distinct ?? ''))).size;

  /** Per line of a panel: surely matched, or possibly. */
  const selectLines = (fact: CompiledFact & { form: 'selection' }, definition: SelectionFact): Fact => {
    const panel = guideline.head.panels[definition.panel ?? ''] ?? {};
    const byConcept = new Map<string, Matched>();
    for (const concept of fact.concepts) byConcept.set(concept, match(fact, concept));
    const unread = unknownKeys(fact);
    const lacking = [...byConcept.values()].flatMap((matched) => matched.lacking);
    const readings = [...byConcept.values()].flatMap((matched) => matched.definite).sort(newestFirst);

    const whole = definition.whole === undefined ? undefined : match(fact, definition.whole);
    if (whole !== undefined) {
      readings.unshift(...whole.definite);
      lacking.push(...whole.lacking);
    }
    const isWhole = (whole?.definite.length ?? 0) > 0;
    const mayBeWhole = (whole?.possible.length ?? 0) > 0;

    if (definition.per !== undefined) {
      const wanted = Number(environment[definition.atLeast ?? '']);
      const possible = [...byConcept.values()].flatMap((matched) => matched.possible);
      const sure = mostLinesTogether(panel, readings, definition.per);
      const most = mostLinesTogether(panel, [...readings, ...possible], definition.per);
      const truthOf =
        isWhole || sure >= wanted ? true : mayBeWhole || most >= wanted || unread.length > 0 ? null : false;
      return { truth: truthOf, readings, lacking: truthOf === null ? [...lacking, ...unread] : [] };
    }

    const state: PanelState = { definite: new Set(), possible: new Set() };
    for (const [id, line] of Object.entries(panel)) {
      const sure = isWhole || isLineFilled(line, (concept) => (byConcept.get(concept)?.definite.length ?? 0) > 0);
      const maybe =
        mayBeWhole ||
        isLineFilled(line, (concept) => {
          const matched = byConcept.get(concept);
          return unread.length > 0 || (matched !== undefined && matched.definite.length + matched.possible.length > 0);
        });
      if (sure) state.definite.add(id);
      else if (maybe) state.possible.add(id);
    }
    panels.set(fact.name, state);
    const values_ = [...state.definite];
    const open = state.possible.size > 0;
    return {
      truth: values_.length > 0 ? true : open ? null : false,
      values: values_,
      readings,
      lacking: open ? [...lacking, ...unread] : [],
    };
  };

  const isLineFilled = (line: PanelLine, has: (concept: string) => boolean): boolean =>
    (line.any?.some(has) ?? false) ||
    (line.all?.every(has) ?? false) ||
    (line.atLeast !== undefined && line.atLeast.of.filter(has).length >= Number(environment[line.atLeast.count]));

  /** The most lines matched by readings that share one value of `per` (one requisition, one day). */
  const mostLinesTogether = (
    panel: Readonly<Record<string, PanelLine>>,
    readings: readonly Reading[],
    per: readonly string[],
  ): number => {
    const groups = new Map<string, Set<string>>();
    for (const reading of readings) {
      for (const member of per) {
        for (const value of membersOf(reading, member)) {
          const key = `${member}=${value}`;
          let group = groups.get(key);
          if (group === undefined) {
            group = new Set();
            groups.set(key, group);
          }
          group.add(reading.concept);
        }
      }
    }
    let most = 0;
    for (const group of groups.values()) {
      const lines = Object.values(panel).filter((line) => isLineFilled(line, (concept) => group.has(concept)));
      most = Math.max(most, lines.length);
    }
    return most;
  };

  const linesWithout = (panel: string, without: readonly string[]): Fact => {
    const lines = Object.keys(guideline.head.panels[panel] ?? {});
    const states = without.map((name) => {
      get(name);
      const state = panels.get(name);
      if (state === undefined) throw new TypeError(`Fact ${name} does not read a panel`);
      return state;
    });
    const sure = lines.filter((line) =>
      states.every((state) => !state.definite.has(line) && !state.possible.has(line)),
    );
    const possible = lines.filter((line) => !sure.includes(line) && states.every((state) => !state.definite.has(line)));
    return {
      truth: sure.length > 0 ? true : possible.length > 0 ? null : false,
      values: sure,
      readings: [],
      lacking: possible.length > 0 ? [...new Set(without.flatMap((name) => get(name).lacking))] : [],
    };
  };

  const described = new Map<string, FactRead>();
  const describe = ({ name, form }: CompiledFact, { truth: known, values, readings, lacking }: Fact): FactRead => {
    let description = described.get(name);
    if (description === undefined) {
      description = {
        fact: name,
        truth: known,
        ...(values !== undefined && values.length > 0 && { values }),
        ...(form === 'selection' && readings.length > 0 && { readings: readings.map(asEvidence) }),
        ...(lacking.length > 0 && { lacking: [...lacking] }),
      };
      described.set(name, description);
    }
    return description;
  };

  const read = (expression: Expression): FactRead[] => {
    const found = new Map<string, FactRead>();
    const visit = (name: string): void => {
      const compiled = guideline.facts.get(name);
      if (compiled === undefined || found.has(name)) return;
      // A fact that was not asked for was not read.
      const fact = facts.get(name);
      if (fact === undefined) return;
      found.set(name, describe(compiled, fact));
      // What a fact that does not hold was made of does not hold either, as far as it was read.
      if (fact.truth === false) return;
      if (compiled.form === 'derived') compiled.is.names.forEach(visit);
      if (compiled.form === 'value') compiled.value.names.forEach(visit);
      if (compiled.form === 'without') compiled.without.forEach(visit);
    };
    expression.names.forEach(visit);
    return [...found.values()];
  };

  return { get, truth, read };
}

/** Of a truth, that it is not known is FHIRPath's empty collection; of a list, that would say there is nothing in it. */
function itemsOf({ truth, values }: Fact): Items {
  if (values === undefined) return toItems(truth);
  return truth === null ? notKnown : values;
}

type Evidence = NonNullable<FactRead['readings']>[number];

function asEvidence(reading: Reading): Evidence {
  const { reference, concept, date, value, atLeast, atMost, open, unit, abnormal } = reading;
  return {
    reference,
    concept,
    ...(date !== undefined && { date }),
    ...(value !== undefined && { value }),
    ...(atLeast !== undefined && { atLeast }),
    ...(atMost !== undefined && { atMost }),
    ...(open !== undefined && { open }),
    ...(unit !== undefined && { unit }),
    ...(abnormal !== undefined && { abnormal }),
  };
}

/** Whether "none found" in the last `days` days (undefined: ever) can be read from this key. */
function isKeyKnown(guideline: CompiledGuideline, chart: Chart, key: string, days: number | undefined): boolean {
  const report = chart.keys[key];
  if (report === undefined || report.state === 'missing' || report.state === 'failed') return false;
  if (report.unclear !== undefined) return false;
  if (report.state !== 'truncated') return true;
  return (
    guideline.sortedKeys.has(key) &&
    days !== undefined &&
    report.oldestDaysAgo !== undefined &&
    report.oldestDaysAgo > days
  );
}
