import { describe, expect, it } from 'vitest';
import { findResources } from '../../src/cli/fhir.ts';
import { createChartReader } from '../../src/engine/chart-reader.ts';
import { chooseEnvironment, decideRules } from '../../src/engine/rules.ts';
import type { Chart } from '../../src/engine/types.ts';
import { buildPrefetch, casePatientId, readSources } from '../cds-services/build-bundle.ts';
import type { Case } from '../cds-services/case.ts';
import { concepts, decideCase, readCaseChart, readCases } from '../cds-services/decide-cases.ts';
import { type Given, type Interpreted, interpretPlans } from './interpret-plans.ts';
import { canonical, findPublished, guideline, published } from './published.ts';

const library = findPublished(`Library/${guideline.head.id}-facts`);
const ruleIds = [...guideline.rules.keys()];
const rulePlans = ruleIds.map((id) => findPublished(`PlanDefinition/${id.toLowerCase()}`));
const cases = readCases();
const readChart = createChartReader(guideline);

/** What the engine decides, and what the plans say over the same facts. */
function decideTwice(testCase: Case, chart: Chart): { engine: string[]; plans: string[] } {
  const { ledger = {}, codes } = testCase.client;
  const environment = chooseEnvironment(guideline, { ledger, ...(codes !== undefined && { codes }) });
  const results = decideRules(guideline, chart, environment);
  const { age, sex, daysSinceBirthday, deceased } = chart.patient;
  const given: Given = {
    environment: {
      ...environment,
      age: age ?? [],
      sex: sex ?? [],
      daysSinceBirthday: daysSinceBirthday ?? [],
      deceased,
    },
    factOf: (name) => {
      const { truth, values } = results.facts.get(name);
      return values === undefined ? { truth } : { list: truth === null ? null : values };
    },
  };
  const interpreted = interpretPlans(rulePlans, library, given);
  const line = (id: string, { outcome, reason }: Interpreted): string =>
    [id, outcome, reason].filter(Boolean).join(' ');
  return {
    engine: ruleIds.map((id) => {
      const { outcome, reason } = results.get(id);
      return line(id, { outcome, ...(outcome === 'not-met' && reason !== undefined && { reason }) });
    }),
    plans: ruleIds.map((id) => line(id, interpreted.get(id) as Interpreted)),
  };
}

/** Drafts that ask for every decision about orders: each kind of order section 7 speaks of, selected. */
function draftOrders(): object {
  const codeOf = (id: string): object => {
    const { codes } = guideline.analyses.get(id) ?? guideline.procedures.get(id) ?? {};
    const [name = '', list = []] = Object.entries(codes ?? {})[0] ?? [];
    return { system: guideline.systems[name]?.[0], code: list[0]?.replace('*', '') };
  };
  const draft = (id: string, coding: object): object => ({
    resource: {
      resourceType: 'ServiceRequest',
      id,
      status: 'draft',
      intent: 'proposal',
      subject: { reference: `Patient/${casePatientId}` },
      code: { coding: [coding] },
    },
  });
  const ordered = ['crp', 'ferritin', 'tsh', 'psa', 'ifobt', 'fdg-pet-ct', 'ct-tab', 'biopsy-liver', 'biopsy-brain'];
  return {
    resourceType: 'Bundle',
    entry: [
      ...ordered.map((id) => draft(`draft-${id}`, codeOf(id))),
      draft('draft-referral', { system: `${canonical}/CodeSystem/pathway`, code: 'diagnostic-mas' }),
    ],
  };
}

describe('the exported plans, interpreted without the engine', () => {
  it('decide every clinical case as the engine does', { timeout: 300_000 }, () => {
    const differences = cases.flatMap((testCase) => {
      const { engine, plans } = decideTwice(testCase, readCaseChart(testCase));
      return engine.flatMap((line, at) => (line === plans[at] ? [] : [`${testCase.id}: ${line} / ${plans[at]}`]));
    });
    expect(differences).toEqual([]);
  });

  it('decide every clinical case as the engine does while orders are drafted', { timeout: 300_000 }, () => {
    const drafts = draftOrders();
    const met = new Set<string>();
    const differences = cases.flatMap((testCase) => {
      const sources = readSources(testCase, buildPrefetch(testCase, concepts));
      const options = { today: testCase.today, patientId: casePatientId, drafts, allSelected: true };
      const { engine, plans } = decideTwice(testCase, readChart(sources, options));
      for (const line of engine) if (line.endsWith(' met')) met.add(line.slice(0, 6));
      return engine.flatMap((line, at) => (line === plans[at] ? [] : [`${testCase.id}: ${line} / ${plans[at]}`]));
    });
    expect(differences).toEqual([]);
    // The drafts do ask: decisions about orders are reached
    expect([...met].filter((id) => id.startsWith('ORD-')).length).toBeGreaterThan(4);
  });

  it('would be told apart from plans with another condition', () => {
    const changed = rulePlans.map((plan) =>
      plan.id === 'mas-02'
        ? (JSON.parse(JSON.stringify(plan).replace('%trin1Missing.exists()', '%trin1Missing.empty()')) as typeof plan)
        : plan,
    );
    const testCase = cases.find(({ id }) => id.startsWith('MAS-02')) as Case;
    const chart = readCaseChart(testCase);
    const environment = chooseEnvironment(guideline, { ledger: {} });
    const results = decideRules(guideline, chart, environment);
    const interpreted = interpretPlans(changed, library, {
      environment: { ...environment, ...chart.patient },
      factOf: (name) => {
        const { truth, values } = results.facts.get(name);
        return values === undefined ? { truth } : { list: truth === null ? null : values };
      },
    });
    expect(results.get('MAS-02').outcome).toBe('met');
    expect(interpreted.get('MAS-02')).toEqual({ outcome: 'not-met', reason: 'all-ordered' });
  });
});

describe('the exported plans', () => {
  interface Action {
    documentation?: { label: string }[];
    condition?: { expression: { language: string } }[];
    definitionCanonical?: string;
    action?: Action[];
  }
  const actionsIn = (actions: readonly Action[] = []): Action[] =>
    actions.flatMap((action) => [action, ...actionsIn(action.action)]);
  const plans = published.filter(({ resourceType }) => resourceType === 'PlanDefinition');

  it('cite section and ledger of every decision', () => {
    for (const [at, plan] of rulePlans.entries()) {
      const rule = guideline.rules.get(ruleIds[at] ?? '');
      const [action] = plan.action as Action[];
      const labels = (action?.documentation ?? []).map(({ label }) => label);
      expect(labels).toEqual([...(rule?.sections ?? []), ...(rule?.ledger ?? [])]);
    }
  });

  it('write every condition in text/fhirpath', () => {
    const languages = plans.flatMap((plan) =>
      actionsIn(plan.action as Action[]).flatMap(({ condition = [] }) =>
        condition.map(({ expression }) => expression.language),
      ),
    );
    expect(new Set(languages)).toEqual(new Set(['text/fhirpath']));
    expect(languages.length).toBeGreaterThan(200);
  });

  it('define an activity for everything that is suggested', () => {
    const urls = new Set(published.map(({ url }) => url));
    const defined = plans.flatMap((plan) =>
      actionsIn(plan.action as Action[]).flatMap(({ definitionCanonical }) => definitionCanonical ?? []),
    );
    expect(defined.filter((url) => !urls.has(url))).toEqual([]);
    const activities = published.filter(({ resourceType }) => resourceType === 'ActivityDefinition');
    expect(activities.filter(({ url }) => !defined.includes(String(url))).map(({ id }) => id)).toEqual([]);
  });

  it('define with the same codes whatever is suggested for a clinical case', { timeout: 120_000 }, () => {
    const codesOf = (code: unknown): string =>
      (code as { coding: { system: string; code: string }[] }).coding
        .map((coding) => `${coding.system}|${coding.code}`)
        .join(' ');
    const activities = published.filter(({ resourceType }) => resourceType === 'ActivityDefinition');
    const defined = new Set(activities.map(({ code }) => codesOf(code)));
    const suggested = cases.flatMap((testCase) =>
      findResources({ cards: decideCase(testCase).cards }).flatMap(({ resource, role }) =>
        role === 'suggestion' ? [codesOf(resource.code)] : [],
      ),
    );
    expect([...new Set(suggested)].filter((codes) => !defined.has(codes))).toEqual([]);
    expect(new Set(suggested).size).toBeGreaterThan(30);
  });

  it('are started by the hook of their service, and make its decisions', () => {
    for (const service of guideline.services.values()) {
      const [action] = findPublished(`PlanDefinition/${service.id}`).action as (Action & {
        trigger?: { name: string }[];
      })[];
      expect(action?.trigger?.map(({ name }) => name)).toEqual([service.hook]);
      expect(action?.action?.map(({ definitionCanonical }) => definitionCanonical)).toEqual(
        service.rules.map((id) => `${canonical}/PlanDefinition/${id.toLowerCase()}`),
      );
    }
  });

  it('name facts and numbers that the Library holds, with the values of the guideline', () => {
    interface Parameter {
      name: string;
      extension?: { url: string; valueQuantity?: { value: number } }[];
    }
    const parameters = library.parameter as Parameter[];
    const known = new Set(parameters.map(({ name }) => name));
    const named = new Set([...JSON.stringify(plans).matchAll(/%([A-Za-z]\w*)/g)].map(([, name = '']) => name));
    expect([...named].filter((name) => !known.has(name))).toEqual([]);
    for (const [name, { value }] of Object.entries(guideline.head.parameters)) {
      const parameter = parameters.find((each) => each.name === name);
      expect(parameter?.extension?.[0]?.valueQuantity?.value, name).toBe(value);
    }
  });
});
