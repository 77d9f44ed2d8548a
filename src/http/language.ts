import type { Language } from '../engine/guideline.ts';

/**
 * Chooses the language of the cards: the one of ours the header prefers, else the client's.
 *
 * @param header `Accept-Language` as sent; absent or not understood: no preference.
 */
export function chooseLanguage(header: string | undefined, preset: Language): Language {
  let best: { language: Language; weight: number } | undefined;
  for (const part of header?.split(',') ?? []) {
    const [tag = '', ...parameters] = part.split(';');
    const language = tag.trim().slice(0, 2).toLowerCase();
    if ((language !== 'da' && language !== 'en') || !/^..(-|$)/.test(tag.trim())) continue;
    const weight = readWeight(parameters);
    if (weight > (best?.weight ?? 0)) best = { language, weight };
  }
  return best?.language ?? preset;
}

function readWeight(parameters: readonly string[]): number {
  const weight = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('q='));
  return weight === undefined ? 1 : Number(weight.slice('q='.length)) || 0;
}
