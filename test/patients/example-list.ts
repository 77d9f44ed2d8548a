import type { Card } from '../../src/engine/cards.ts';
import { type Outcome, type Story, serviceOf } from './story.ts';

const base = 'http://127.0.0.1:3000';

/** Renders `examples/README.md`: every story, what comes of it, and a line to send it with. */
export function renderExampleList(stories: readonly Story[], outcomes: readonly Outcome[]): string {
  const rows = [
    ['Story', 'Who', 'What it shows', 'Cards'],
    ...stories.map(({ id, who, case: { id: title } }, at) => {
      const [decision = '', ...words] = title.split(' ');
      const cards = (outcomes[at]?.response.cards ?? []).map(describeCard).join(', ');
      return [`[${id}](${id}.json)`, who, `${decision}: ${words.join(' ')}`, cards === '' ? 'none' : cards];
    }),
  ];
  return `# Examples

Made-up patients as a client sends them when their chart is opened, or when orders are chosen or signed: one CDS Hooks
request each. No person has these
names, and no person can have these CPR numbers: the third and fourth digit are the month 13.

What the service answers depends on how long ago things happened, so a request kept in a file falls silent in time.
In demo mode (\`npm start\`) the service therefore hands every file out with its dates moved to today:

\`\`\`sh
${stories
  .filter(({ id }) => id === 'mas-trin1-missing')
  .map(sendLine)
  .join('')}
\`\`\`

The files themselves are written for the day that stands in their \`extension\`, and can be sent as they are while that
day is recent.

${renderTable(rows)}

## One line each

${stories.map((story) => `${story.who}:\n\n\`\`\`sh\n${sendLine(story)}\n\`\`\``).join('\n\n')}

This list and the files are written by \`npm run stories -- --accept\` from \`test/patients/<story>/story.yaml\`.
`;
}

/** The first row heads the columns; every column is as wide as its widest cell, as the formatter wants it. */
function renderTable(rows: readonly string[][]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const render = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = rows.map(render);
  return [head, render(widths.map((width) => '-'.repeat(width))), ...body].join('\n');
}

function sendLine(story: Story): string {
  return `curl -s ${base}/examples/${story.id}.json | curl -s ${base}/cds-services/${serviceOf(story)} -H 'content-type: application/json' -d @-`;
}

function describeCard(card: Card): string {
  const { pathway } = card.extension['dk.diagnostisk-pakkeforloeb.decision'] as { pathway?: string };
  const where = pathway === undefined || pathway === card.source.topic.code ? '' : ` → ${pathway}`;
  return `\`${card.source.topic.code}\` (${card.indicator})${where}`;
}
