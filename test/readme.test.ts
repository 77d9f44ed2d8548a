import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { renderConfigTable } from '../src/cli/config-table.ts';

const readme = new URL('../README.md', import.meta.url);
const marked = /(<!-- config:start -->\n)([\s\S]*?)(<!-- config:end -->)/;

describe('the README', () => {
  const text = readFileSync(readme, 'utf8');

  test('shows the configuration as the schema has it (UPDATE_README=1 writes it)', () => {
    const table = renderConfigTable();
    if (process.env.UPDATE_README === '1') {
      writeFileSync(
        readme,
        text.replace(marked, (_, start, __, end) => `${start}${table}${end}`),
      );
      return;
    }
    expect(marked.exec(text)?.[2]).toBe(table);
  });

  test('gives a reason for every dependency', () => {
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
    ) as { dependencies: Record<string, string>; devDependencies: Record<string, string> };
    const named = text.slice(text.indexOf('## Dependencies'));
    const missing = Object.keys({ ...dependencies, ...devDependencies }).filter(
      (name) => !name.startsWith('@types/') && !named.includes(name),
    );
    expect(missing).toEqual([]);
  });

  test('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...text.matchAll(/npm run ([a-z-]+)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});
