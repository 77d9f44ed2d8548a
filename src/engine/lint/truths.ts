import type { CompiledGuideline, ReportMistake } from '../guideline.ts';
import { readSyntax, type Syntax } from '../syntax.ts';
import { isTruth } from './conditions.ts';
import { expressionsOf } from './expressions.ts';

/** A list is no truth: with one item it would count as true, with two it would fail. */
export function lintTruths(guideline: CompiledGuideline, mistake: ReportMistake): void {
  for (const [place, { text }] of expressionsOf(guideline)) {
    const syntax = readSyntax(text);
    if (syntax === undefined || place.endsWith('.value')) continue;
    for (const name of listsAsTruths(syntax, guideline)) {
      mistake(place, `%${name} is a list and no truth: ask %${name}.exists() or what it contains`);
    }
  }
}

function* listsAsTruths(syntax: Syntax, guideline: CompiledGuideline): Generator<string> {
  if (syntax.kind === 'name') {
    const fact = guideline.facts.get(syntax.name);
    if (fact !== undefined && !isTruth(fact)) yield syntax.name;
  } else if (syntax.kind === 'operation' && (syntax.operator === 'and' || syntax.operator === 'or')) {
    yield* listsAsTruths(syntax.left, guideline);
    yield* listsAsTruths(syntax.right, guideline);
  } else if (syntax.kind === 'call' && syntax.called === 'not' && syntax.of) {
    yield* listsAsTruths(syntax.of, guideline);
  } else if (syntax.kind === 'call' && syntax.called === 'iif') {
    for (const given of syntax.given) yield* listsAsTruths(given, guideline);
  }
}
