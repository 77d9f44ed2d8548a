import fhirpath from 'fhirpath';
import { type Ask, compileClosure, type Items, type Node } from './closure.ts';
import type { Truth } from './types.ts';

/** A FHIRPath expression compiled once, with the names it uses. */
export interface Expression {
  readonly text: string;
  /** `%names`. */
  readonly names: readonly string[];
  /** Members of the reading it is evaluated on. */
  readonly members: readonly string[];
  evaluate(context: object, ask: Ask): Items;
}

/**
 * Compiles FHIRPath for use over readings and facts.
 *
 * @param mistake Called once per thing wrong: syntax, what knowledge cannot be written in, a number that should be a parameter, types that do not go together.
 */
export function compileExpression(text: string, mistake: (what: string) => void): Expression {
  const names = new Set<string>();
  const members = new Set<string>();
  const evaluate = compileClosure(parse(text, mistake), { names, members, mistake });
  return { text, names: [...names], members: [...members], evaluate };
}

function parse(text: string, mistake: (what: string) => void): Node {
  try {
    return fhirpath.parse(text) as Node;
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    mistake(`is not FHIRPath: ${reason}`);
    return { type: 'NullLiteral' };
  }
}

/** Reads a FHIRPath result as a truth: empty is unknown. */
export function toTruth(result: Items, text: string): Truth {
  if (result.length === 0) return null;
  if (result.length === 1 && typeof result[0] === 'boolean') return result[0];
  throw new TypeError(`${text} gave ${result.length} item(s) where a truth value is expected`);
}
