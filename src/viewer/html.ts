/** Markup that is safe to send: made by {@link html}, which escapes every text put into it. */
export interface Html {
  readonly markup: string;
}

export type HtmlValue = Html | string | number | undefined | false | readonly HtmlValue[];

/** Makes markup of a template: texts and numbers are escaped, markup and lists of it are taken as they are. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return { markup: String.raw({ raw: strings }, ...values.map(writeValue)) };
}

/** Takes markup from elsewhere as it is: only what escapes texts itself may be its source. */
export function trustMarkup(markup: string): Html {
  return { markup };
}

function writeValue(value: HtmlValue): string {
  if (value === undefined || value === false) return '';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return escapeText(value);
  return 'markup' in value ? value.markup : value.map(writeValue).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
