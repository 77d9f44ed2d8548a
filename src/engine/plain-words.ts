import type { CompiledFact, CompiledGuideline, Language } from './guideline.ts';
import type { SelectionFact } from './schema.ts';
import { readSyntax, type Syntax } from './syntax.ts';
import type { ReadingKind } from './types.ts';

/** Words for one guideline in one language. */
export interface PlainWords {
  /** An expression as a sentence over what its facts say. */
  ofExpression(text: string): string;
  /** What a fact says of itself; its name where it says nothing. */
  saysOf(fact: string): string;
  /** One line: what a fact selects, or what it is made of. */
  ofFact(name: string): string;
  /** `21 days (itemMinDays)`. */
  ofParameter(name: string): string;
  /** The label of a concept; its id where it has none. */
  labelOf(id: string): string;
  /** The label of a pathway: some share their id with a concept. */
  pathwayOf(id: string): string;
}

type Bilingual = Readonly<Record<Language, string>>;
const two = (da: string, en: string): Bilingual => ({ da, en });

const kindWords: Readonly<Record<ReadingKind, Bilingual>> = {
  result: two('resultat', 'result'),
  pending: two('analyse, der afventer svar', 'analysis awaiting its result'),
  condition: two('diagnose', 'condition'),
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
  daysAgo: two('tid siden registrering', 'time since it was recorded'),
  daysSinceBirthday: two('dage siden seneste fødselsdag', 'days since the last birthday'),
  deceased: two('patienten er død', 'the patient is deceased'),
  draft: two('kladde', 'draft'),
  earlierAbnormal: two('afvigelse af det tidligere svar', 'deviation of the earlier result'),
  exact: two('præcis kode', 'exact code'),
  explained: two('forklaret af anden sygdom', 'explained by another disease'),
  flag: two('fortolkningskode', 'interpretation code'),
  group: two('analysegruppe', 'group of analyses'),
  hasEarlier: two('der er et tidligere svar', 'there is an earlier result'),
  kind: two('slags', 'kind'),
  lastClosing: two('tid siden forløbets seneste afslutningskode', 'time since the latest closing code of the pathway'),
  modality: two('modalitet', 'modality'),
  onsetDaysAgo: two('tid siden debut', 'time since onset'),
  open: two('grænsen er ikke medregnet', 'the bound is excluded'),
  origin: two('kilde', 'origin'),
  outsideBy: two('andel uden for intervallet', 'share outside the interval'),
  positive: two('påvist', 'detected'),
  prescription: two('ordination', 'prescription'),
  reference: two('hver enkelt', 'each one'),
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
  arrived: two('ankommet', 'arrived'),
  both: two('begge', 'both'),
  closing: two('afslutning', 'closing'),
  completed: two('udført', 'completed'),
  condition: two('diagnose', 'condition'),
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
  'needs-assessment': two('psykosocial behovsvurdering', 'psychosocial needs assessment'),
  'on-hold': two('sat i bero', 'on hold'),
  onleave: two('på orlov', 'on leave'),
  pathology: two('patologi', 'pathology'),
  pending: two('afventer svar', 'awaiting'),
  planned: two('planlagt', 'planned'),
  'problem-list': two('problemliste', 'problem list'),
  referral: two('henvisning', 'referral'),
  solitary: two('solitær', 'solitary'),
  'other-pathway': two('andet organspecifikt pakkeforløb', 'other organ-specific pathway'),
  start: two('start', 'start'),
  suspected: two('mistænkt', 'suspected'),
  'unclassified-medication': two('lægemiddel af ukendt slags', 'medication of unknown kind'),
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
  '*': two('gange', 'times'),
};

/** `x` stands for the owner of the call, `y` for what it is given. */
const callWords: Readonly<Record<string, Bilingual>> = {
  count: two('antallet af x', 'the number of x'),
  max: two('den største af x', 'the largest of x'),
  min: two('den mindste af x', 'the smallest of x'),
  distinct: two('forskellige x', 'different x'),
  intersect: two('x blandt y', 'x among y'),
  exclude: two('x uden y', 'x without y'),
};

/** The items of `a | b | c`. */
function itemsOf(syntax: Syntax): Syntax[] {
  return syntax.kind === 'operation' && syntax.operator === '|'
    ? [...itemsOf(syntax.left), ...itemsOf(syntax.right)]
    : [syntax];
}

type Sort = 'truth' | 'list' | 'value' | 'member' | 'other';

/** What `x.exists()` and `x.empty()` say of each sort of `x`; a truth that is empty is not known. */
const existsWords: Readonly<Record<Sort, Bilingual>> = {
  truth: two('x: vides', 'x: known'),
  list: two('der er x', 'there are x'),
  value: two('x kendes', 'x is known'),
  member: two('x er angivet', 'x is recorded'),
  other: two('x', 'x'),
};
const emptyWords: Readonly<Record<Sort, Bilingual>> = {
  truth: two('x: vides ikke', 'x: not known'),
  list: two('der er ingen x', 'there are no x'),
  value: two('x kendes ikke', 'x is not known'),
  member: two('x er ikke angivet', 'x is not recorded'),
  other: two('x: nej', 'x: no'),
};

/** Expressions that many facts share, and that say in a few words what they mean. */
const idioms = new Map(
  (
    [
      [
        '%lastClosing.empty() or daysAgo < %lastClosing',
        'efter seneste afslutningskode',
        'after the latest closing code',
      ],
      [
        'iif(lastClosing.exists(), daysAgo < lastClosing, true)',
        'efter forløbets seneste afslutningskode',
        'after the latest closing code of the pathway',
      ],
      [
        '%organClosing.empty() or daysAgo < %organClosing',
        'efter seneste afslutning af et organspecifikt pakkeforløb',
        'after the latest closing of an organ-specific pathway',
      ],
      ["kind = 'finding' or status = 'active'", 'fund eller aktiv diagnose', 'finding or active condition'],
      ["abnormal != 'no'", 'unormalt svar', 'abnormal result'],
      ["abnormal = 'high'", 'forhøjet', 'raised'],
      ["abnormal = 'low'", 'lavt', 'low'],
      ["count = 'solitary'", 'solitær', 'solitary'],
      ["count != 'solitary'", 'ikke solitær', 'not solitary'],
      [
        'hasEarlier.not() or earlierAbnormal != abnormal',
        'et tidligere svar afveg ikke i samme retning',
        'no earlier result deviated in the same direction',
      ],
    ] as const
  ).map(([text, da, en]) => [JSON.stringify(readSyntax(text)), two(da, en)] as const),
);

/**
 * Makes the words of a guideline in one language.
 *
 * @param nameOf How a fact is written in a sentence, from its name and what it says, e.g. as a link.
 * @param parameterOf How a parameter is written in a sentence, from its name and `21 days`.
 */
export function findWords(
  guideline: CompiledGuideline,
  language: Language,
  nameOf: (fact: string, says: string) => string,
  parameterOf = (name: string, says: string): string => `${says} (\`${name}\`)`,
): PlainWords {
  const say = (words: Bilingual): string => words[language];
  const or = say(two('eller', 'or'));
  const yes = say(two('ja', 'yes'));
  const no = say(two('nej', 'no'));

  const labelOf = (id: string): string =>
    guideline.labels.get(id)?.[language] ??
    literalWords[id]?.[language] ??
    guideline.texts[language].missing[id]?.toLowerCase() ??
    id;
  const pathwayOf = (id: string): string => guideline.pathways.get(id)?.[language] ?? labelOf(id);

  const ofParameter = (name: string): string => {
    const parameter = guideline.head.parameters[name];
    if (parameter === undefined) return name;
    const { value, unit } = parameter;
    const number = language === 'da' ? String(value).replace('.', ',') : String(value);
    return parameterOf(name, `${number} ${language === 'da' ? (unitWords[unit] ?? unit) : unit}`);
  };

  const saysOf = (fact: string): string => guideline.says.get(fact)?.[language] ?? fact;

  const ofName = (name: string): string => {
    if (guideline.facts.has(name)) return nameOf(name, saysOf(name));
    const entry = guideline.ledger.find(({ id }) => id === name);
    if (entry !== undefined) return `${say(two('valget', 'the choice'))} ${name}`;
    const member = memberWords[name];
    return member === undefined ? ofParameter(name) : say(member);
  };

  const ofLiteral = (text: string): string => {
    if (text === 'true') return yes;
    if (text === 'false') return no;
    if (!text.startsWith("'")) return text;
    const word = text.slice(1, -1);
    const known = literalWords[word];
    if (known !== undefined) return say(known);
    const label = labelOf(word);
    return label === word ? `“${word}”` : label;
  };

  /** True for what has to be held together by brackets inside a sentence. */
  const isJoined = (syntax: Syntax): boolean =>
    (syntax.kind === 'call' && syntax.called === 'iif' && !idioms.has(JSON.stringify(syntax))) ||
    (syntax.kind === 'operation' &&
      (syntax.operator === 'and' || syntax.operator === 'or') &&
      syntax.right.kind !== 'nothing' &&
      !idioms.has(JSON.stringify(syntax)));
  const bracketed = (syntax: Syntax): string => (isJoined(syntax) ? `(${ofSyntax(syntax)})` : ofSyntax(syntax));

  const ofSite = (literal: string): string => {
    const id = literal.slice(1, -1);
    return guideline.siteLabels.get(id)?.[language].toLowerCase() ?? id;
  };

  /** `a | b | c`: alternatives where all are words, else a list gathered from several places. */
  const listItems = (syntax: Syntax, word: (item: Syntax) => string): string => {
    const items = itemsOf(syntax);
    const areWords = items.every(({ kind }) => kind === 'literal');
    return listAll(items.map(areWords ? word : ofPart), areWords ? or : say(two('samt', 'and')));
  };
  /** An item of a gathered list: what is there only if something holds names that after itself. */
  const ofPart = (item: Syntax): string => {
    const [test, whenTrue, otherwise] = item.kind === 'call' && item.called === 'iif' ? item.given : [];
    if (test && whenTrue && otherwise?.kind === 'nothing') {
      return `${bracketed(whenTrue)} (${say(two('hvis', 'if'))} ${ofSyntax(test)})`;
    }
    return bracketed(item);
  };
  const listAll = (items: readonly string[], last: string): string =>
    items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${last} ${items.at(-1)}`;

  /** What an option of the ledger means. */
  const ofOption = (entry: string, literal: string): string | undefined => {
    const option = guideline.ledger
      .find(({ id }) => id === entry)
      ?.options.find(({ key }) => key === literal.slice(1, -1));
    return option === undefined ? undefined : `“${option[language]}”`;
  };

  const sortOf = (syntax: Syntax): Sort => {
    if (syntax.kind === 'member') return 'member';
    if (syntax.kind !== 'name') return 'other';
    const fact = guideline.facts.get(syntax.name);
    switch (fact?.form) {
      case undefined:
        return 'value';
      case 'selection': {
        const { newest, collect, panel, atLeast } = fact.definition;
        if (newest !== undefined || collect?.endsWith('aysAgo')) return 'value';
        return collect !== undefined || (panel !== undefined && atLeast === undefined) ? 'list' : 'truth';
      }
      case 'value':
        return isNumber(readSyntax(fact.value.text)) ? 'value' : 'list';
      case 'without':
      case 'unread':
        return 'list';
      case 'derived':
      case 'outcome':
        return 'truth';
    }
  };
  const isNumber = (syntax: Syntax | undefined): boolean => {
    if (syntax?.kind === 'name') return sortOf(syntax) === 'value';
    if (syntax?.kind !== 'call') return false;
    return syntax.called === 'iif' ? syntax.given.slice(1).some(isNumber) : /^(max|min|count)$/.test(syntax.called);
  };

  const fill = (words: string, x: string, y: string): string =>
    words.replaceAll(/\b[xy]\b/g, (place) => (place === 'x' ? x : y)).trim();

  const ofSyntax = (syntax: Syntax): string => {
    const idiom = idioms.get(JSON.stringify(syntax));
    if (idiom !== undefined) return say(idiom);
    switch (syntax.kind) {
      case 'nothing':
        return say(two('vides det ikke', 'not known'));
      case 'literal':
        return ofLiteral(syntax.text);
      case 'name':
        return ofName(syntax.name);
      case 'member':
        return say(memberWords[syntax.name] ?? two(syntax.name, syntax.name));
      case 'call': {
        const [test, whenTrue, otherwise] = syntax.given;
        if (syntax.called === 'iif' && test && whenTrue) {
          const rest = otherwise ? `, ${say(two('ellers', 'otherwise'))} ${bracketed(otherwise)}` : '';
          return `${say(two('hvis', 'if'))} ${bracketed(test)}, ${say(two('så', 'then'))} ${bracketed(whenTrue)}${rest}`;
        }
        const owner = syntax.of ? bracketed(syntax.of) : '';
        if (syntax.called === 'not' && syntax.of) {
          const isNamed = syntax.of.kind === 'name' || syntax.of.kind === 'member';
          return isNamed ? `${owner}: ${no}` : `${say(two('ikke', 'not'))} (${ofSyntax(syntax.of)})`;
        }
        const sortWords = syntax.called === 'exists' ? existsWords : syntax.called === 'empty' ? emptyWords : undefined;
        if (sortWords && syntax.of) return fill(say(sortWords[sortOf(syntax.of)]), owner, '');
        const [items] = syntax.given;
        if (syntax.called === 'intersect' && syntax.of?.kind === 'member' && syntax.of.name === 'sites' && items) {
          return `${owner} ${say(two('blandt', 'among'))} ${listItems(items, (item) => (item.kind === 'literal' ? ofSite(item.text) : bracketed(item)))}`;
        }
        const words = say(callWords[syntax.called] ?? two(`${syntax.called} x y`, `${syntax.called} x y`));
        return fill(words, owner, syntax.given.map(bracketed).join(', '));
      }
      case 'operation': {
        const { operator, left, right } = syntax;
        const words = say(operatorWords[operator] ?? two(operator, operator));
        if (operator === 'and' && right.kind === 'nothing') {
          return `${bracketed(left)} (${say(two('gør det uafgjort', 'leaves it undecided'))})`;
        }
        const isOfSites = left.kind === 'member' && left.name === 'sites';
        if (isOfSites && right.kind === 'literal') return `${bracketed(left)} ${words} ${ofSite(right.text)}`;
        if (operator === '|') return listItems(syntax, bracketed);
        if (operator === 'in' && right.kind === 'operation') {
          return `${bracketed(left)} ${say(two('er', 'is'))} ${ofSyntax(right)}`;
        }
        if (operator === '=' && right.kind === 'literal' && /^(true|false)$/.test(right.text)) {
          return `${bracketed(left)}: ${ofLiteral(right.text)}`;
        }
        const chosen = left.kind === 'name' && right.kind === 'literal' ? ofOption(left.name, right.text) : undefined;
        if (chosen !== undefined) return `${bracketed(left)} ${words} ${chosen}`;
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
    if (text === 'true') return say(two('altid', 'always'));
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
          : `: ${fact.concepts.map(definition.read.includes('marker') ? pathwayOf : labelOf).join(', ')}`;
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

  const ofUnknown = (unknownAs: boolean | undefined): string =>
    unknownAs === undefined
      ? ''
      : `; ${say(two('når det ikke vides', 'where it is not known'))}: ${unknownAs ? yes : no}`;

  const ofFact = (name: string): string => {
    const fact = guideline.facts.get(name);
    switch (fact?.form) {
      case undefined:
        return name;
      case 'selection':
        return ofSelection(fact, fact.definition);
      case 'derived':
        return `${ofExpression(fact.is.text)}${ofUnknown(fact.unknownAs)}`;
      case 'value':
        return ofExpression(fact.value.text);
      case 'without':
        return `${say(two('linjer i', 'lines of'))} \`${fact.panel}\` ${say(two('uden', 'without'))} ${listAll(fact.without.map(ofName), or)}`;
      case 'outcome':
        return `${say(two('en af disse beslutninger er opfyldt', 'one of these decisions is met'))}: ${fact.rules.join(', ')}${ofUnknown(fact.unknownAs)}`;
      case 'unread':
        return `${say(two('kunne ikke læses fuldt', 'could not be read in full'))}${fact.within === undefined ? '' : ` (${ofParameter(fact.within)})`}: ${fact.keys.map((key) => guideline.texts[language].missing[key] ?? key).join(', ')}`;
    }
  };

  return { ofExpression, saysOf, ofFact, ofParameter, labelOf, pathwayOf };
}
