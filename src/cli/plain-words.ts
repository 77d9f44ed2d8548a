import type { CompiledFact, CompiledGuideline, KnowledgeFiles, Language } from '../engine/compile.ts';
import type { SelectionFact } from '../engine/schema.ts';
import { readSyntax, type Syntax } from '../engine/syntax.ts';
import type { ReadingKind } from '../engine/types.ts';

/** Words for one guideline in one language. */
export interface PlainWords {
  /** An expression as a sentence; the names of facts stay, as `nameOf` writes them. */
  ofExpression(text: string): string;
  /** One line: what a fact selects, or what it is made of. */
  ofFact(name: string): string;
  /** `21 days (itemMinDays)`. */
  ofParameter(name: string): string;
  /** The label of a concept, pathway or site; its id where it has none. */
  labelOf(id: string): string;
}

type Bilingual = Readonly<Record<Language, string>>;
const two = (da: string, en: string): Bilingual => ({ da, en });

const kindWords: Readonly<Record<ReadingKind, Bilingual>> = {
  result: two('resultat', 'result'),
  pending: two('analyse, der afventer svar', 'analysis awaiting its result'),
  condition: two('diagnose eller problem', 'condition'),
  finding: two('fund', 'finding'),
  order: two('bestilling', 'order'),
  done: two('udført undersøgelse', 'investigation done'),
  marker: two('pakkeforløbskode eller henvisning', 'pathway code or referral'),
  encounter: two('kontakt', 'encounter'),
  medication: two('lægemiddel', 'medication'),
  report: two('svar på billeddiagnostik eller patologi', 'imaging or pathology report'),
};

const memberWords: Readonly<Record<string, Bilingual>> = {
  abnormal: two('afvigelse', 'deviation'),
  age: two('alder', 'age'),
  atLeast: two('svarets nedre grænse', 'lower bound of the result'),
  atMost: two('svarets øvre grænse', 'upper bound of the result'),
  certainty: two('sikkerhed', 'certainty'),
  checklist: two('klienten ønsker huskelisten', 'the client wants the checklist'),
  class: two('kontakttype', 'class of encounter'),
  code: two('kode', 'code'),
  concept: two('begreb', 'concept'),
  configured: two('begreber, som klienten har sat koder til', 'concepts the client has configured codes for'),
  count: two('antal læsioner', 'number of lesions'),
  current: two('i brug nu', 'in use now'),
  date: two('dato', 'date'),
  daysAgo: two('dage siden', 'days ago'),
  daysSinceBirthday: two('dage siden fødselsdag', 'days since the birthday'),
  deceased: two('patienten er død', 'the patient is deceased'),
  draft: two('kladde', 'draft'),
  earlierAbnormal: two('afvigelse af det tidligere svar', 'deviation of the earlier result'),
  exact: two('præcis kode', 'exact code'),
  explained: two('forklaret af anden sygdom', 'explained by another disease'),
  flag: two('fortolkningskode', 'interpretation code'),
  group: two('analysegruppe', 'group of analyses'),
  hasEarlier: two('der er et tidligere svar', 'there is an earlier result'),
  kind: two('slags', 'kind'),
  lastClosing: two('dage siden forløbets seneste afslutningskode', 'days since the latest closing code of the pathway'),
  modality: two('modalitet', 'modality'),
  onsetDaysAgo: two('dage siden debut', 'days since onset'),
  open: two('grænsen er ikke medregnet', 'the bound is excluded'),
  origin: two('kilde', 'origin'),
  outsideBy: two('andel uden for intervallet', 'share outside the interval'),
  positive: two('påvist', 'detected'),
  prescription: two('ordination', 'prescription'),
  reference: two('ressource', 'resource'),
  requisition: two('rekvisition', 'requisition'),
  role: two('kodens rolle', 'role of the code'),
  selected: two('valgt', 'selected'),
  sex: two('køn', 'sex'),
  side: two('side', 'side'),
  sites: two('lokalisation', 'site'),
  size: two('største mål (mm)', 'largest dimension (mm)'),
  specialties: two('speciale', 'specialty'),
  stage: two('stadie', 'stage'),
  status: two('status', 'status'),
  statusGiven: two('status er angivet', 'the status is recorded'),
  study: two('billedundersøgelse', 'study'),
  tender: two('øm', 'tender'),
  value: two('værdi', 'value'),
};

const literalWords: Readonly<Record<string, Bilingual>> = {
  active: two('aktiv', 'active'),
  amended: two('rettet', 'amended'),
  arrived: two('ankommet', 'arrived'),
  both: two('begge', 'both'),
  closing: two('afslutning', 'closing'),
  completed: two('udført', 'completed'),
  condition: two('diagnose eller problem', 'condition'),
  confirmed: two('bekræftet', 'confirmed'),
  draft: two('kladde', 'draft'),
  examination: two('undersøgelse', 'examination'),
  female: two('kvinde', 'female'),
  finding: two('fund', 'finding'),
  finished: two('afsluttet', 'finished'),
  high: two('høj', 'high'),
  imaging: two('billeddiagnostik', 'imaging'),
  'in-progress': two('i gang', 'in progress'),
  inactive: two('ikke aktiv', 'inactive'),
  low: two('lav', 'low'),
  male: two('mand', 'male'),
  multiple: two('flere', 'multiple'),
  neurology: two('neurologi', 'neurology'),
  no: two('ingen', 'none'),
  'on-hold': two('sat i bero', 'on hold'),
  onleave: two('på orlov', 'on leave'),
  pathology: two('patologi', 'pathology'),
  pending: two('afventer svar', 'awaiting'),
  planned: two('planlagt', 'planned'),
  'problem-list': two('problemliste', 'problem list'),
  referral: two('henvisning', 'referral'),
  solitary: two('solitær', 'solitary'),
  start: two('start', 'start'),
  suspected: two('mistænkt', 'suspected'),
};

const unitWords: Readonly<Record<string, string>> = {
  analyses: 'analyser',
  'cell types': 'celletyper',
  characteristics: 'karakteristika',
  'contacts in 90 days': 'kontakter på 90 dage',
  days: 'dage',
  'groups of analyses': 'analysegrupper',
  medications: 'lægemidler',
  'prescriptions in 90 days': 'ordinationer på 90 dage',
  'share of the interval': 'af intervallet',
  'times the own mean': 'gange eget gennemsnit',
  years: 'år',
};

const operatorWords: Readonly<Record<string, Bilingual>> = {
  and: two('og', 'and'),
  or: two('eller', 'or'),
  '=': two('er', 'is'),
  '!=': two('er ikke', 'is not'),
  '<': two('er under', 'is less than'),
  '<=': two('er højst', 'is at most'),
  '>': two('er over', 'is more than'),
  '>=': two('er mindst', 'is at least'),
  in: two('er en af', 'is one of'),
  contains: two('omfatter', 'includes'),
  '|': two('eller', 'or'),
  '+': two('plus', 'plus'),
  '-': two('minus', 'minus'),
  '*': two('gange', 'times'),
  '/': two('delt med', 'divided by'),
};

/** `x` stands for the owner of the call, `y` for what it is given. */
const callWords: Readonly<Record<string, Bilingual>> = {
  not: two('ikke x', 'not x'),
  exists: two('x er fundet', 'x is found'),
  empty: two('x er ikke fundet', 'x is not found'),
  count: two('antallet af x', 'the number of x'),
  max: two('den største af x', 'the largest of x'),
  min: two('den mindste af x', 'the smallest of x'),
  first: two('den første af x', 'the first of x'),
  distinct: two('forskellige x', 'different x'),
  intersect: two('x blandt y', 'x among y'),
  exclude: two('x uden y', 'x without y'),
  union: two('x eller y', 'x or y'),
  combine: two('x eller y', 'x or y'),
  where: two('x, hvor y', 'x where y'),
  select: two('y af x', 'y of x'),
  all: two('alle x opfylder y', 'all x fulfil y'),
  startsWith: two('x begynder med y', 'x starts with y'),
  ofType: two('x af typen y', 'x of type y'),
};

/**
 * Makes the words of a guideline in one language.
 *
 * @param nameOf How a fact is written in a sentence, e.g. as a link.
 */
export function findWords(
  files: KnowledgeFiles,
  guideline: CompiledGuideline,
  language: Language,
  nameOf: (fact: string) => string,
): PlainWords {
  const say = (words: Bilingual): string => words[language];
  const or = say(two('eller', 'or'));

  const labelOf = (id: string): string =>
    guideline.labels.get(id)?.[language] ??
    guideline.pathways.get(id)?.[language] ??
    guideline.siteLabels.get(id)?.[language] ??
    id;

  const ofParameter = (name: string): string => {
    const parameter = guideline.head.parameters[name];
    if (parameter === undefined) return name;
    const { value, unit } = parameter;
    const number = language === 'da' ? String(value).replace('.', ',') : String(value);
    return `${number} ${language === 'da' ? (unitWords[unit] ?? unit) : unit} (\`${name}\`)`;
  };

  const ofName = (name: string): string => {
    if (guideline.facts.has(name)) {
      const { says } = files.facts[name] ?? {};
      return says === undefined ? nameOf(name) : `${says[language]} (${nameOf(name)})`;
    }
    const entry = guideline.ledger.find(({ id }) => id === name);
    if (entry !== undefined) return `${say(two('valget', 'the choice'))} ${name}`;
    const member = memberWords[name];
    return member === undefined ? ofParameter(name) : say(member);
  };

  const ofLiteral = (text: string): string => {
    if (text === 'true') return say(two('altid', 'always'));
    if (text === 'false') return say(two('aldrig', 'never'));
    if (!text.startsWith("'")) return text;
    const word = text.slice(1, -1);
    const known = literalWords[word];
    if (known !== undefined) return say(known);
    const label = labelOf(word);
    return label === word ? `“${word}”` : label;
  };

  const isJoined = (syntax: Syntax): boolean =>
    syntax.kind === 'operation' && (syntax.operator === 'and' || syntax.operator === 'or');
  const bracketed = (syntax: Syntax): string => (isJoined(syntax) ? `(${ofSyntax(syntax)})` : ofSyntax(syntax));

  const ofSyntax = (syntax: Syntax): string => {
    switch (syntax.kind) {
      case 'nothing':
        return say(two('vides ikke', 'is not known'));
      case 'literal':
        return ofLiteral(syntax.text);
      case 'name':
        return ofName(syntax.name);
      case 'member':
        return say(memberWords[syntax.name] ?? two(syntax.name, syntax.name));
      case 'call': {
        const [test, whenTrue, otherwise] = syntax.given;
        if (syntax.called === 'iif' && test && whenTrue) {
          const rest = otherwise ? `, ${say(two('ellers', 'otherwise'))}: ${bracketed(otherwise)}` : '';
          return `${say(two('hvis', 'if'))} ${bracketed(test)}: ${bracketed(whenTrue)}${rest}`;
        }
        const words = say(callWords[syntax.called] ?? two(`${syntax.called} x y`, `${syntax.called} x y`));
        const owner = syntax.of ? bracketed(syntax.of) : '';
        const given = syntax.given.map(bracketed).join(', ');
        return words.replaceAll(/\b[xy]\b/g, (place) => (place === 'x' ? owner : given)).trim();
      }
      case 'operation': {
        const { operator, left, right } = syntax;
        const words = say(operatorWords[operator] ?? two(operator, operator));
        if (operator === 'and' || operator === 'or') {
          const side = (part: Syntax): string =>
            part.kind === 'operation' && part.operator === operator ? ofSyntax(part) : bracketed(part);
          return `${side(left)} ${words} ${side(right)}`;
        }
        return `${bracketed(left)} ${words} ${bracketed(right)}`;
      }
    }
  };

  const ofExpression = (text: string): string => {
    const syntax = readSyntax(text);
    return syntax === undefined ? `\`${text}\`` : ofSyntax(syntax);
  };

  const ofSelection = (fact: CompiledFact & { form: 'selection' }, definition: SelectionFact): string => {
    const { of, panel, within, each, earlier, broader, collect, newest, atLeast, distinct } = definition;
    const kinds = definition.read.map((kind) => say(kindWords[kind])).join(` ${or} `);
    const concepts =
      panel !== undefined
        ? `: ${say(two('linjer i', 'lines of'))} \`${panel}\``
        : of === undefined
          ? ''
          : `: ${listSome(fact.concepts.map(labelOf), language)}`;
    const parts = [
      within === undefined ? '' : `${say(two('højst', 'at most'))} ${ofParameter(within)} ${say(two('gammel', 'old'))}`,
      each === undefined ? '' : say(two('kun det nyeste af hver slags', 'only the newest of each kind')),
      earlier === undefined
        ? ''
        : `${say(two('sammenlignet med det seneste svar ældre end', 'compared with the last result older than'))} ${ofParameter(earlier.olderThan)}, ${say(two('højst', 'at most'))} ${ofParameter(earlier.within)}`,
      fact.where === undefined ? '' : `${say(two('hvor', 'where'))} ${ofExpression(fact.where.text)}`,
      broader === 'counts' ? say(two('bredere koder tæller med', 'broader codes count')) : '',
      broader === 'ignored' ? say(two('bredere koder tæller ikke', 'broader codes are passed over')) : '',
      atLeast === undefined
        ? ''
        : `${say(two('mindst', 'at least'))} ${ofParameter(atLeast)}${distinct === undefined ? '' : ` (${say(memberWords[distinct] ?? two(distinct, distinct))})`}`,
      collect === undefined
        ? ''
        : `${say(two('giver', 'gives'))} ${say(memberWords[collect] ?? two(collect, collect))}`,
      newest === undefined
        ? ''
        : `${say(two('giver det nyestes', 'gives of the newest:'))} ${say(memberWords[newest] ?? two(newest, newest))}`,
    ].filter((part) => part !== '');
    return [`${kinds}${concepts}`, ...parts].join('; ');
  };

  const ofFact = (name: string): string => {
    const fact = guideline.facts.get(name);
    switch (fact?.form) {
      case undefined:
        return name;
      case 'selection':
        return ofSelection(fact, fact.definition);
      case 'derived': {
        const unknown =
          fact.unknownAs === undefined
            ? ''
            : `; ${say(two('når det ikke vides', 'where it is not known'))}: ${say(fact.unknownAs ? two('ja', 'yes') : two('nej', 'no'))}`;
        return `${ofExpression(fact.is.text)}${unknown}`;
      }
      case 'value':
        return ofExpression(fact.value.text);
      case 'without':
        return `${say(two('linjer i', 'lines of'))} \`${fact.panel}\` ${say(two('uden', 'without'))} ${fact.without.map(nameOf).join(` ${or} `)}`;
      case 'outcome':
        return `${say(two('en af disse beslutninger er opfyldt', 'one of these decisions is met'))}: ${fact.rules.join(', ')}`;
      case 'unread':
        return `${say(two('kunne ikke læses fuldt', 'could not be read in full'))}: ${fact.keys.map((key) => files.texts[language].missing[key] ?? key).join(', ')}`;
    }
  };

  return { ofExpression, ofFact, ofParameter, labelOf };
}

const mostShown = 8;

function listSome(items: readonly string[], language: Language): string {
  if (items.length <= mostShown) return items.join(', ');
  const more = `${language === 'da' ? 'og' : 'and'} ${items.length - mostShown} ${language === 'da' ? 'mere' : 'more'}`;
  return `${items.slice(0, mostShown).join(', ')} ${more}`;
}
