import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { diff } from 'node:util';
import { renderExampleList } from './example-list.ts';
import { exampleFolder, goldenFiles, readStories, runStory } from './story.ts';

/** `npm run stories` shows what differs from the files kept; `npm run stories -- --accept` also writes it. */
const accepts = process.argv.includes('--accept');
const width = 120;
/** Unchanged lines shown around a change. */
const around = 3;

/** JSON as the formatter leaves it: on one line what fits, so that a change shows as few lines. */
function writeJson(value: unknown, indent = '', used = 0): string {
  const flat = writeFlat(value);
  if (value === null || typeof value !== 'object' || indent.length + used + flat.length <= width) return flat;
  const inner = `${indent}  `;
  const [open, close, lines] = Array.isArray(value)
    ? ['[', ']', value.map((item, at) => writeJson(item, inner, comma(at, value.length)))]
    : [
        '{',
        '}',
        Object.entries(value).map(([key, member], at, all) => {
          const name = `${JSON.stringify(key)}: `;
          return `${name}${writeJson(member, inner, name.length + comma(at, all.length))}`;
        }),
      ];
  return `${open}\n${lines.map((line) => inner + line).join(',\n')}\n${indent}${close}`;
}

/** Room for the comma behind all but the last. */
function comma(at: number, count: number): number {
  return at < count - 1 ? 1 : 0;
}

function writeFlat(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(writeFlat).join(', ')}]`;
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${writeFlat(member)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}

function readKept(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Changed lines with what stands around them. */
function showChanges(kept: string, found: string): string {
  const lines = diff(kept.split('\n'), found.split('\n'));
  const isNear = (at: number) => lines.slice(Math.max(0, at - around), at + around + 1).some(([kind]) => kind !== 0);
  return lines
    .filter((_, at) => isNear(at))
    .map(([kind, line]) => `${kind === 0 ? ' ' : kind > 0 ? '-' : '+'} ${line}`)
    .join('\n');
}

const stories = readStories();
const outcomes = await Promise.all(stories.map(runStory));
const wanted = new Map([
  ...stories.flatMap((story, at) => {
    const outcome = outcomes[at];
    if (outcome === undefined) return [];
    return goldenFiles(story, outcome).map(({ file, value }) => [file, `${writeJson(value)}\n`] as const);
  }),
  [join(exampleFolder, 'README.md'), renderExampleList(stories, outcomes)] as const,
]);
const stale = readdirSync(exampleFolder)
  .map((name) => join(exampleFolder, name))
  .filter((file) => file.endsWith('.json') && !wanted.has(file));

const changed = [...wanted].filter(([file, text]) => readKept(file) !== text);
for (const [file, text] of changed) {
  process.stdout.write(`${relative(process.cwd(), file)}\n${showChanges(readKept(file), text)}\n\n`);
  if (accepts) writeFileSync(file, text);
}
for (const file of stale) {
  process.stdout.write(`${relative(process.cwd(), file)}: no story of this name\n`);
  if (accepts) rmSync(file);
}

const differing = changed.length + stale.length;
process.stdout.write(`${stories.length} stories, ${differing} files ${accepts ? 'written' : 'differ'}\n`);
if (differing > 0 && !accepts) {
  process.stdout.write('Accept with: npm run stories -- --accept\n');
  process.exitCode = 1;
}
