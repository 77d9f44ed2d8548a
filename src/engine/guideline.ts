import type * as z from 'zod';
import type { Analysis, Condition, Drug, Pathway, Procedure, Site } from './concepts.ts';
import type { Expression } from './expression.ts';
import type { systemsSchema } from './lookup.ts';
import type {
  cautionsSchema,
  FactDefinition,
  guidelineSchema,
  ledgerSchema,
  RuleDefinition,
  SelectionFact,
  SuggestionDefinition,
  Texts,
} from './schema.ts';
import type { spellingsSchema } from './units.ts';

export type Language = 'da' | 'en';
export type GuidelineHead = z.infer<typeof guidelineSchema>;
export type LedgerEntry = z.infer<typeof ledgerSchema>[number];

/** Called with the place (`rules MAS-02.when.1`) and what is wrong there. */
export type ReportMistake = (place: string, what: string) => void;

/** The parsed files of one cds-services folder, each already of the right shape. */
export interface KnowledgeFiles {
  guideline: GuidelineHead;
  facts: Record<string, FactDefinition>;
  rules: RuleDefinition[];
  cautions: z.infer<typeof cautionsSchema>;
  ledger: LedgerEntry[];
  texts: Record<Language, Texts>;
  concepts: {
    analyses: Analysis[];
    conditions: Condition[];
    procedures: Procedure[];
    pathways: Pathway[];
    drugs: Drug[];
    sites: Site[];
  };
  /** URIs of the code systems, by canonical name. */
  systems: z.infer<typeof systemsSchema>;
  /** Spellings of units and of positive and negative. */
  spellings: z.infer<typeof spellingsSchema>;
}

export type CompiledFact =
  | {
      form: 'selection';
      name: string;
      definition: SelectionFact;
      concepts: readonly string[];
      where?: Expression;
      /** The prefetch keys without which "none found" is not known. */
      keys: readonly string[];
    }
  | { form: 'derived'; name: string; is: Expression; unknownAs?: boolean }
  | { form: 'value'; name: string; value: Expression }
  | { form: 'without'; name: string; panel: string; without: readonly string[] }
  | { form: 'outcome'; name: string; rules: readonly string[]; unknownAs?: boolean }
  | { form: 'unread'; name: string; keys: readonly string[]; within?: string };

export interface Condition3 {
  expression: Expression;
  reason?: string;
}
export interface CompiledSuggestion extends Omit<SuggestionDefinition, 'unless'> {
  unless?: Expression;
}
export interface Guarded<T> {
  if: Expression;
  value: T;
}
export interface CompiledCard {
  if?: Expression;
  topic: string;
  pathway?: string;
  indicator: 'info' | 'warning' | 'critical';
  indicatorWhen: Guarded<'info' | 'warning' | 'critical'>[];
  evidence: readonly string[];
  missing: (string | Guarded<string>)[];
  registrationCode?: string;
  suggest: CompiledSuggestion[];
  withhold: Guarded<string>[];
  notes: (Guarded<string> & { ledger: readonly string[] })[];
  contact: boolean;
}
export interface CompiledRule {
  id: string;
  title: Record<Language, string>;
  sections: readonly string[];
  ledger: readonly string[];
  when: Condition3[];
  cards: CompiledCard[];
  ask?: { if: Expression; indicator: 'info' | 'warning' | 'critical'; missing: Guarded<string>[] };
}
export interface CompiledCaution {
  id: string;
  if: Expression;
  rules: ReadonlySet<string>;
  toldOnly: boolean;
}
export interface CompiledService {
  id: string;
  hook: 'patient-view' | 'order-select' | 'order-sign';
  title: Record<Language, string>;
  description: Record<Language, string>;
  rules: readonly string[];
  only: { if: Expression; rules: ReadonlySet<string>; indicator?: CompiledCard['indicator'] }[];
}

/** A guideline ready to decide: everything parsed, every name checked. */
export interface CompiledGuideline {
  head: GuidelineHead;
  /** `sha256:…` over all files; set by the reader of the folder. */
  hash: string;
  services: ReadonlyMap<string, CompiledService>;
  facts: ReadonlyMap<string, CompiledFact>;
  rules: ReadonlyMap<string, CompiledRule>;
  gates: { if: Expression; reason: string; topics: ReadonlySet<string> }[];
  precedence: { by: ReadonlySet<string>; withholds: ReadonlySet<string> }[];
  cautions: CompiledCaution[];
  ledger: readonly LedgerEntry[];
  texts: Record<Language, Texts>;
  concepts: KnowledgeFiles['concepts'];
  systems: KnowledgeFiles['systems'];
  spellings: KnowledgeFiles['spellings'];
  /** Labels of analyses, conditions, procedures and drugs, by id; sites and pathways use some of the same ids. */
  labels: ReadonlyMap<string, { da: string; en: string }>;
  siteLabels: ReadonlyMap<string, { da: string; en: string }>;
  /** What a fact says of itself, by its name. */
  says: ReadonlyMap<string, { da: string; en: string }>;
  /** By id of an analysis or condition: the facts that explain it. */
  explainedBy: ReadonlyMap<string, readonly string[]>;
  analyses: ReadonlyMap<string, Analysis>;
  procedures: ReadonlyMap<string, Procedure>;
  pathways: ReadonlyMap<string, Pathway>;
  /** By id of an analysis or procedure: how an order names it, in NPU and LOINC or in SKS and SNOMED CT. */
  orderCodings: ReadonlyMap<string, readonly { system: string; code: string }[]>;
  /** Prefetch keys whose template sorts newest first: what a truncated one holds is known back to its oldest entry. */
  sortedKeys: ReadonlySet<string>;
}
