import type { Expression } from '../expression.ts';
import type { CompiledFact, CompiledGuideline } from '../guideline.ts';

/** Every expression of a guideline with its place; the fact where it reads readings. */
export function* expressionsOf(guideline: CompiledGuideline): Generator<[string, Expression, CompiledFact?]> {
  for (const fact of guideline.facts.values()) {
    const place = `facts.yaml ${fact.name}`;
    if (fact.form === 'selection' && fact.where) yield [`${place}.where`, fact.where, fact];
    if (fact.form === 'derived') yield [`${place}.is`, fact.is];
    if (fact.form === 'value') yield [`${place}.value`, fact.value];
  }
  for (const rule of guideline.rules.values()) {
    for (const expression of expressionsIn(rule)) yield [`rules ${rule.id}`, expression];
  }
  for (const service of guideline.services.values()) {
    for (const expression of expressionsIn(service)) yield [`guideline.yaml services.${service.id}`, expression];
  }
  for (const [index, gate] of guideline.gates.entries()) yield [`guideline.yaml gates.${index}`, gate.if];
  for (const caution of guideline.cautions) yield [`cautions.yaml ${caution.id}`, caution.if];
}

function* expressionsIn(part: unknown): Generator<Expression> {
  if (typeof part !== 'object' || part === null) return;
  if ('evaluate' in part) yield part as Expression;
  else for (const inner of Object.values(part)) yield* expressionsIn(inner);
}
