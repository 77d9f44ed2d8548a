import type { CompiledGuideline, CompiledRule, Language } from '../engine/guideline.ts';
import { findWords } from '../engine/plain-words.ts';
import { formatNumber } from './format.ts';
import { viewerTexts } from './texts.ts';

/** Plain words for what records name by id; an id nobody knows any more stays as it is. */
export interface Words {
  /** What an expression over facts says. */
  ofExpression(text: string): string;
  /** A fact, `age` or `sex`. */
  ofFact(name: string): string;
  /** A value a fact gave: a concept, a pathway, a site, a part of a referral, a number. */
  ofValue(value: string | number | boolean): string;
  ofKey(key: string): string;
  ofHook(hook: string): string;
  ofTopic(topic: string): string;
  /** The reason of an override. */
  ofReason(code: string): string;
  /** Title of a decision. */
  ofDecision(id: string): string;
  /** Why a met decision gave no card. */
  ofWithholding(decision: string, reason: string): string;
}

const own: Readonly<Record<Language, Readonly<Record<string, string>>>> = {
  da: {
    patient: 'patientoplysninger',
    medications: 'ordinationer',
    medicationStatements: 'medicinkort',
    draftOrders: 'kladder til bestillinger',
    'patient-view': 'journalen åbnes',
    'order-select': 'en bestilling vælges',
    'order-sign': 'bestillinger underskrives',
    'not-asked-for': 'ikke det, der spørges om her',
    drafted: 'henvisningen er ved at blive skrevet',
    shadow: 'klienten har valgt kun at registrere afgørelsen',
    'only-warnings': 'klienten vil kun have advarsler ved underskrift',
    before: 'går forud',
  },
  en: {
    patient: 'patient details',
    medications: 'prescriptions',
    medicationStatements: 'medication card',
    draftOrders: 'draft orders',
    'patient-view': 'a chart is opened',
    'order-select': 'an order is selected',
    'order-sign': 'orders are signed',
    'not-asked-for': 'not what is asked for here',
    drafted: 'the referral is being written',
    shadow: 'the client has chosen to record the decision only',
    'only-warnings': 'the client wants warnings only when orders are signed',
    before: 'goes first',
  },
};

/** Makes the words of a guideline in one language. */
export function findViewerWords(guideline: CompiledGuideline, language: Language): Words {
  const says = (_: string, words: string): string => words;
  const plain = findWords(guideline, language, says, says);
  const texts = guideline.texts[language];
  const mine = own[language];

  const ofValue = (value: string | number | boolean): string => {
    if (typeof value === 'number') return formatNumber(value, language);
    if (typeof value === 'boolean') return value ? viewerTexts[language].yes : viewerTexts[language].no;
    const label = plain.labelOf(value);
    if (label !== value) return label;
    const pathway = plain.pathwayOf(value);
    return pathway === value ? (guideline.siteLabels.get(value)?.[language] ?? value) : pathway;
  };
  const conditionOf = (rule: CompiledRule | undefined, reason: string): string | undefined => {
    // Of gates with the same reason the last one is the plain rule, those before it are special cases.
    const gate = guideline.gates.findLast((each) => each.reason === reason)?.if;
    const withheld = rule?.cards.flatMap(({ withhold }) => withhold).find(({ value }) => value === reason)?.if;
    return (gate ?? withheld)?.text;
  };
  return {
    ofExpression: plain.ofExpression,
    ofFact: (name) => plain.ofExpression(`%${name}`),
    ofValue,
    ofKey: (key) => texts.missing[key] ?? mine[key] ?? key,
    ofHook: (hook) => mine[hook] ?? hook,
    ofTopic: (topic) => texts.topics[topic] ?? topic,
    ofReason: (code) => texts.overrideReasons.find((reason) => reason.code === code)?.display ?? code,
    ofDecision: (id) => guideline.rules.get(id)?.title[language] ?? '',
    ofWithholding: (decision, reason) => {
      const [, first] = /^superseded-by:(.+)$/.exec(reason) ?? [];
      if (first !== undefined) return `${first} ${mine.before}`;
      const text = conditionOf(guideline.rules.get(decision), reason);
      return text === undefined ? (mine[reason] ?? reason) : plain.ofExpression(text);
    },
  };
}
