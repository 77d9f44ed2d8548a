import { fileURLToPath, pathToFileURL } from 'node:url';
import { explainProfile } from '../clients/explain.ts';
import { loadProfile } from '../clients/profiles.ts';
import { CdsError } from '../errors.ts';
import { loadKnowledge } from '../knowledge.ts';

const knowledgeFolder = fileURLToPath(new URL('../../cds-services/diagnostisk-pakkeforloeb', import.meta.url));

/**
 * Explains a client profile as text.
 *
 * @throws {@link ProfileError} with every mistake of it.
 */
export function checkClient(path: string): string {
  const guideline = loadKnowledge(knowledgeFolder);
  const { id, says, warnings } = explainProfile(loadProfile(path, guideline), guideline);
  const lines = [`${id}: the profile is valid.`, ...says.map((line) => `  ${line}`)];
  return [...lines, ...warnings.map((line) => `! ${line}`), ''].join('\n');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [command, path] = process.argv.slice(2);
  try {
    if (command !== 'check' || path === undefined) throw new TypeError('Expected: npm run client -- check FILE');
    process.stdout.write(checkClient(path));
  } catch (error) {
    if (!(error instanceof CdsError || error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
