import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const start = fileURLToPath(new URL('../src/start.js', import.meta.url));

async function runOn(version: string): Promise<{ code: number | null; errors: string }> {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  const child = spawn(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, start], {
    // A setting that stops a start on a new Node at once.
    env: { MODE: 'none' },
  });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, errors };
}

describe('the start', () => {
  it.each(['18.20.8', '20.20.2', '22.12.0', '24.15.9'])(
    'on Node %s ends with one line that says what is needed',
    async (version) => {
      const { code, errors } = await runOn(version);
      expect(code).toBe(1);
      expect(errors).toMatch(new RegExp(`^This service needs Node 24\\.16 or newer; this is ${version}\\..*\\n$`));
    },
  );

  it.each(['24.16.0', '26.10.0', '30.0.0'])('on Node %s goes on', async (version) => {
    const { code, errors } = await runOn(version);
    expect(code).toBe(1);
    expect(errors).toMatch(/^MODE: .*\n$/);
  });
});
