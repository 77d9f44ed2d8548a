import type { Truth } from './types.ts';

/** A three-valued formula. Atoms are compared by key; an atom with `of` says that the term `of` stands in `relation` to `bound`. */
export type Formula =
  | { op: 'atom'; key: string; of?: string; relation?: '=' | '<' | '<='; bound?: string | number }
  | { op: 'constant'; value: Truth }
  | { op: 'not' | 'known'; of: Formula }
  | { op: 'and' | 'or'; left: Formula; right: Formula }
  /** `of`, or `value` where it is unknown. */
  | { op: 'default'; of: Formula; value: boolean }
  /** FHIRPath `iif`: an unknown test takes `otherwise`. */
  | { op: 'if'; test: Formula; whenTrue: Formula; otherwise: Formula };
type Atom = Formula & { op: 'atom' };

/** A formula and the truth it is to have. `exactly: false` asks for any other truth. */
export interface Target {
  formula: Formula;
  value: Truth;
  exactly?: false;
}

/** All values a term can have, by term: `sex` -> female, male. */
export type Domains = ReadonlyMap<string, readonly string[]>;

/** Trials after which a question counts as not decided. */
const mostTrials = 20_000;

/**
 * Searches for truths of the atoms that give every formula its target.
 *
 * Atoms are independent, apart from those on one term: it equals one value at most, one of its domain if it has one, and lies within its bounds.
 *
 * @returns false when there are none, and the targets exclude each other; true otherwise, or when the search was given up.
 */
export function canHold(targets: readonly Target[], domains: Domains = new Map()): boolean {
  const assigned = new Map<string, { atom: Atom; value: Truth }>();
  let trials = 0;

  const search = (): boolean => {
    trials += 1;
    if (trials > mostTrials) return true;
    let open: Atom | undefined;
    for (const { formula, value, exactly } of targets) {
      const reached = evaluate(formula);
      if (reached === undefined) open ??= findOpenAtom(formula);
      else if ((reached === value) === (exactly === false)) return false;
    }
    if (open === undefined) return true;
    for (const value of [true, false, null]) {
      assigned.set(open.key, { atom: open, value });
      if (isConsistent(open) && search()) return true;
    }
    assigned.delete(open.key);
    return false;
  };

  /** undefined: still open. */
  const evaluate = (formula: Formula): Truth | undefined => {
    switch (formula.op) {
      case 'atom': {
        const known = assigned.get(formula.key);
        return known === undefined ? undefined : known.value;
      }
      case 'constant':
        return formula.value;
      case 'not': {
        const of = evaluate(formula.of);
        return typeof of === 'boolean' ? !of : of;
      }
      case 'known': {
        const of = evaluate(formula.of);
        return of === undefined ? undefined : of !== null;
      }
      case 'default': {
        const of = evaluate(formula.of);
        return of === null ? formula.value : of;
      }
      case 'and':
      case 'or': {
        const decisive = formula.op === 'or';
        const left = evaluate(formula.left);
        if (left === decisive) return decisive;
        const right = evaluate(formula.right);
        if (right === decisive) return decisive;
        if (left === undefined || right === undefined) return undefined;
        return left === null || right === null ? null : !decisive;
      }
      case 'if': {
        const test = evaluate(formula.test);
        if (test === undefined) return undefined;
        return evaluate(test === true ? formula.whenTrue : formula.otherwise);
      }
    }
  };

  const findOpenAtom = (formula: Formula): Atom | undefined => {
    if (evaluate(formula) !== undefined) return undefined;
    switch (formula.op) {
      case 'atom':
        return formula;
      case 'and':
      case 'or':
        return findOpenAtom(formula.left) ?? findOpenAtom(formula.right);
      case 'if': {
        const test = evaluate(formula.test);
        return test === undefined
          ? findOpenAtom(formula.test)
          : findOpenAtom(test === true ? formula.whenTrue : formula.otherwise);
      }
      case 'constant':
        return undefined;
      default:
        return findOpenAtom(formula.of);
    }
  };

  const isConsistent = (changed: Atom): boolean => {
    if (changed.of === undefined) return true;
    const ofTerm = [...assigned.values()].filter(({ atom }) => atom.of === changed.of);
    return fitsOneValue(ofTerm, domains.get(changed.of)) && fitsBounds(ofTerm);
  };

  return search();
}

function fitsOneValue(ofTerm: { atom: Atom; value: Truth }[], domain: readonly string[] | undefined): boolean {
  const equalities = ofTerm.filter(({ atom }) => atom.relation === '=');
  const equal = equalities.filter(({ value }) => value === true).map(({ atom }) => String(atom.bound));
  if (equal.length > 1) return false;
  if (domain === undefined) return true;
  if (equal.some((value) => !domain.includes(value))) return false;
  const excluded = new Set(equalities.filter(({ value }) => value === false).map(({ atom }) => String(atom.bound)));
  return !domain.every((value) => excluded.has(value));
}

function fitsBounds(ofTerm: { atom: Atom; value: Truth }[]): boolean {
  let low = Number.NEGATIVE_INFINITY;
  let high = Number.POSITIVE_INFINITY;
  let isLowOpen = false;
  let isHighOpen = false;
  for (const { atom, value } of ofTerm) {
    const { bound, relation } = atom;
    if (value === null || typeof bound !== 'number') continue;
    if (value && (bound < high || (bound === high && relation === '<'))) {
      high = bound;
      isHighOpen = relation === '<';
    } else if (!value && (bound > low || (bound === low && relation === '<='))) {
      low = bound;
      isLowOpen = relation === '<=';
    }
  }
  return low < high || (low === high && !isLowOpen && !isHighOpen);
}
