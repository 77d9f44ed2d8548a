import { pathToFileURL } from 'node:url';
import * as z from 'zod';
import { environmentSchema } from '../config.ts';

/** Renders the environment variables as the Markdown table of the README. */
export function renderConfigTable(): string {
  const { properties = {} } = z.toJSONSchema(environmentSchema, { io: 'input', unrepresentable: 'any' });
  const rows = Object.entries(properties).map(([name, property]) => {
    const { description, default: preset, shown } = property as z.core.JSONSchema.JSONSchema;
    const value = typeof shown === 'string' ? shown : preset === undefined ? '–' : `\`${preset}\``;
    return `| \`${name}\` | ${description} | ${value} |`;
  });
  return ['| environment | meaning | default |', '|---|---|---|', ...rows, ''].join('\n');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.stdout.write(renderConfigTable());
}
