import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createRequest } from '../http/fakes.ts';

/** The service as `npm start` starts it, in demo mode, on a free port of loopback. */
export interface RunningService {
  base: string;
  /** All it printed. */
  output(): string;
  /** Megabytes the process holds now. */
  readMemory(): Promise<number>;
  /** Sum of a counter over all its labels. */
  readCounter(name: string): Promise<number>;
  stop(): Promise<void>;
}

const bytesPerMegabyte = 1e6;

export async function startService(environment: Readonly<Record<string, string>>): Promise<RunningService> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../../src/start.js', import.meta.url))], {
    env: { PORT: '0', LOG_LEVEL: 'warn', WORKERS: '2', ...environment },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const ended = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), ended]);
  const base = /discovery {2}(\S+)\/cds-services/.exec(output)?.[1];
  if (base === undefined) throw new Error(`The service did not start: ${output}`);
  const readMetric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${base}/metrics`)).text();
    const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map(([, value]) =>
      Number(value),
    );
    return values.reduce((sum, value) => sum + value, 0);
  };
  return {
    base,
    output: () => output,
    readMemory: async () => (await readMetric('process_resident_memory_bytes')) / bytesPerMegabyte,
    readCounter: readMetric,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

export interface Called {
  status: number;
  milliseconds: number;
  /** Id of the evaluation. */
  id: string;
}

/** Calls the patient-view service for a patient whose required data, or nothing, are sent along. */
export async function callService(
  base: string,
  fhirServer: string,
  sent: 'required' | 'nothing',
  patientId = 'p1',
): Promise<Called> {
  const known = { resourceType: 'Patient', id: patientId, gender: 'female', birthDate: '1960-01-01' };
  const body = createRequest({
    context: { userId: 'Practitioner/1', patientId },
    fhirServer,
    fhirAuthorization: { access_token: 'secret', token_type: 'Bearer', expires_in: 300 },
    prefetch: sent === 'nothing' ? {} : { patient: known, conditions: null, observations: null },
  });
  const started = performance.now();
  const response = await fetch(`${base}/cds-services/diagnostisk-pakkeforloeb-patient-view`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  await response.arrayBuffer();
  return {
    status: response.status,
    milliseconds: performance.now() - started,
    id: response.headers.get('x-request-id') ?? '',
  };
}
