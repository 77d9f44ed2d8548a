import type { AdaptCards } from '../audit/replay.ts';
import type { CardForm } from '../clients/client.ts';
import type { Card } from '../engine/cards.ts';
import { deriveUuid, type Suggestion } from '../engine/suggestions.ts';

/** What is answered: the cards, and what some clients want beside them. */
export interface HookAnswer {
  cards: Card[];
  systemActions?: [];
}

/**
 * Brings the answer into the form a client takes. Pure: a replay gives the same.
 *
 * @param form Absent: the answer as CDS Hooks 2.0.1 has it.
 */
export function adaptAnswer(cards: readonly Card[], hook: string, form: CardForm | undefined): HookAnswer {
  switch (form) {
    case 'epic':
      return { cards: cards.map(adaptToEpic) };
    case 'crd':
      // The checker fails an answer without the member, though empty ones are forbidden otherwise (J-04).
      return { cards: [...cards], ...(hook === 'order-sign' && { systemActions: [] }) };
    case 'sandbox':
      return { cards: cards.map(adaptToSandbox) };
    default:
      return { cards: [...cards] };
  }
}

/** {@link adaptAnswer} for a form as a record names it: what it does not know it leaves as it is. */
export const adaptRecorded: AdaptCards = (cards, hook, form) =>
  adaptAnswer(cards, hook, form as CardForm | undefined).cards;

/**
 * One action per suggestion, create and delete only, `any` as the only way to choose, the visible text in the action's
 * description; the topic in letters and digits, the same for every card of its kind and language.
 */
function adaptToEpic(card: Card): Card {
  const { suggestions = [], selectionBehavior: _, source, ...rest } = card;
  const { system, code } = source.topic;
  const split = suggestions.flatMap(splitSuggestion);
  return {
    ...rest,
    source: { ...source, topic: { system, code: code.replace(/[^A-Za-z0-9]/g, '') } },
    ...(split.length > 0 && { suggestions: split, selectionBehavior: 'any' }),
  };
}

function splitSuggestion(suggestion: Suggestion): Suggestion[] {
  // Without its update the rest of a suggestion would do something else than it says.
  if (suggestion.actions.some(({ type }) => type === 'update')) return [];
  const [only, ...more] = suggestion.actions;
  if (only !== undefined && more.length === 0) {
    return [{ ...suggestion, actions: [{ ...only, description: suggestion.label }] }];
  }
  return suggestion.actions.map((action, at) => ({
    ...suggestion,
    label: action.description,
    uuid: deriveUuid(suggestion.uuid, `action ${at}`),
    actions: [action],
  }));
}

/** The sandbox renders HTML in a detail: a `<` is to be seen, not obeyed. */
function adaptToSandbox(card: Card): Card {
  return { ...card, detail: card.detail.replaceAll('<', '&lt;') };
}
