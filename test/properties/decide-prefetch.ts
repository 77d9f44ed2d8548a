import { createChartReader } from '../../src/engine/chart-reader.ts';
import { decide } from '../../src/engine/decide.ts';
import { chooseEnvironment, decideRules } from '../../src/engine/rules.ts';
import type { Chart, Decision } from '../../src/engine/types.ts';
import { collectSources } from '../../src/fhir/collect.ts';
import { buildPrefetch, casePatientId } from '../cds-services/build-bundle.ts';
import type { Case, KeyName } from '../cds-services/case.ts';
import { concepts, guideline, readCases } from '../cds-services/decide-cases.ts';

export type Resource = { resourceType: string; id: string } & Record<string, unknown>;

/** What a client sends: Bundles by key, and the patient. */
export type Prefetch = Record<string, unknown>;

/** What a card claims. */
export interface Claim {
  topic: string;
  indicator: string;
  pathway: string | undefined;
  /** Decisions the card rests on. */
  decisions: string[];
  missing: string[];
  cautions: string[];
}

export interface Decided {
  chart: Chart;
  decisions: ReadonlyMap<string, Decision>;
  claims: Claim[];
  /** Values of a fact, whether a decision asked for it or not. */
  valuesOf(fact: string): readonly unknown[];
}

/** Cases of which every key is known, for a client that made no choices. */
export const seeds: readonly Case[] = readCases().filter(
  ({ keys, client }) => Object.keys(keys).length === 0 && Object.keys(client).length === 0,
);

const readChart = createChartReader(guideline);
const client = { ledger: {} };
const environment = chooseEnvironment(guideline, client);

/** The keys whose template asks for the newest first: a client that cuts them short cuts off the oldest. */
export const sortedKeys: ReadonlySet<string> = guideline.sortedKeys;

/** What the client of a case sends when nothing is withheld. */
export function sendAll(seed: Case): Prefetch {
  return buildPrefetch(seed, concepts);
}

/** The resources of a key. */
export function resourcesOf(prefetch: Prefetch, key: string): Resource[] {
  const bundle = prefetch[key] as { entry?: { resource: Resource }[] } | undefined;
  return bundle?.entry?.map(({ resource }) => resource) ?? [];
}

/** The keys that are Bundles. */
export function bundleKeys(prefetch: Prefetch): KeyName[] {
  return Object.keys(prefetch).filter((key): key is KeyName => key !== 'patient');
}

/** Decides what was sent of a case as the patient-view service would, without a FHIR server. */
export async function decidePrefetch(seed: Case, prefetch: Prefetch): Promise<Decided> {
  const { sources } = await collectSources({
    prefetch,
    context: { patientId: casePatientId },
    templates: guideline.head.prefetch,
    client: { allowedFhirServers: [], allowWithoutToken: false },
    deadline: 0,
  });
  const chart = readChart(sources, { today: seed.today, patientId: casePatientId });
  const { decisions, cards } = decide(guideline, 'diagnostisk-pakkeforloeb-patient-view', chart, {
    language: 'da',
    client,
    evaluation: '00000000-0000-4000-8000-000000000000',
    subject: `Patient/${casePatientId}`,
  });
  return {
    chart,
    decisions: new Map(decisions.map((decision) => [decision.id, decision])),
    claims: cards.map(({ source, indicator, extension }) => {
      const said = extension['dk.diagnostisk-pakkeforloeb.decision'] as Partial<Claim>;
      return {
        topic: source.topic.code,
        indicator,
        pathway: said.pathway,
        decisions: [...(said.decisions ?? [])],
        missing: [...(said.missing ?? [])].sort(),
        cautions: [...(said.cautions ?? [])].sort(),
      };
    }),
    valuesOf: (fact) => decideRules(guideline, chart, environment).facts.get(fact).values ?? [],
  };
}
