import type { KnowledgeFiles, Language, ReportMistake } from '../guideline.ts';

const plainPlaceholders = new Set(['missing', 'missingCount', 'pathway']);
const factPlaceholders = new Set(['count', 'dates', 'list', 'readings', 'value']);

/** Labels that have one of their own. */
const labelPlaceholders: Readonly<Record<string, string>> = {
  notAssessed: '{count}',
  onset: '{days}',
  suspected: '{name}',
};

/** The placeholders of a text, each as written between the braces. */
export function placeholdersOf(text: string): string[] {
  return [...text.matchAll(/\{([^{}]*)\}/g)].map(([, inside = '']) => inside);
}

/** Placeholders that stay empty. */
export function lintPlaceholders(files: KnowledgeFiles, mistake: ReportMistake): void {
  for (const language of ['da', 'en'] satisfies Language[]) {
    const { rules, notes, cautions, labels, ...fixed } = files.texts[language];
    const lint = (place: string, text: string | undefined, isFilled: boolean): void => {
      for (const inside of placeholdersOf(text ?? '')) {
        const [what = '', name] = inside.split(':');
        const at = `texts/${language}.yaml ${place}`;
        if (!isFilled) mistake(at, `{${inside}} is not filled here`);
        else if (name === undefined ? !plainPlaceholders.has(what) : !factPlaceholders.has(what)) {
          mistake(
            at,
            `{${inside}} is no placeholder: {missing}, {missingCount}, {pathway}, {list:fact}, {readings:fact}, {value:fact}, {count:fact}, {dates:fact}`,
          );
        } else if (name !== undefined && !(name in files.facts)) {
          mistake(at, `{${inside}} names fact ${name}, which is not declared in facts.yaml`);
        }
      }
    };
    for (const [id, { summary, detail, ask }] of Object.entries(rules)) {
      lint(`rules.${id}.summary`, summary, true);
      lint(`rules.${id}.detail`, detail, true);
      lint(`rules.${id}.ask`, ask, true);
    }
    for (const [id, text] of Object.entries(notes)) lint(`notes.${id}`, text, true);
    for (const [id, text] of Object.entries(cautions)) lint(`cautions.${id}`, text, true);
    for (const [id, text] of Object.entries(labels)) {
      lint(`labels.${id}`, text.replace(labelPlaceholders[id] ?? '', ''), false);
    }
    for (const part of ['topics', 'suggestions', 'missing'] as const) {
      for (const [id, text] of Object.entries(fixed[part])) lint(`${part}.${id}`, text, false);
    }
  }
}
