import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a FHIR server can fail those who rely on it; `good` does not. */
export const faults = [
  'good',
  'slow-headers',
  'slow-body',
  'endless-pages',
  'huge-page',
  'reset',
  'wrong-type',
  'redirect',
  'wrong-patient',
  'server-error',
  'not-json',
] as const;
export type Fault = (typeof faults)[number];

export interface MisbehavingServer {
  /** The base of the FHIR server that fails in this way. */
  base(fault: Fault): string;
  /** Paths asked for beyond a base: where redirects and further pages would lead to. */
  strayed: string[];
  requests(): number;
  close(): Promise<void>;
}

const mebibyte = 1024 * 1024;
const hugePage = 64 * mebibyte;
const filler = Buffer.alloc(mebibyte, ' ');
const dripMs = 20;

/** Starts a FHIR server on loopback that fails as its base says. */
export async function startMisbehavingServer(): Promise<MisbehavingServer> {
  const strayed: string[] = [];
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    const { pathname, searchParams } = new URL(request.url ?? '', origin);
    const fault = faults.find((one) => pathname.startsWith(`/fhir/${one}`));
    if (fault === undefined) strayed.push(pathname);
    answer(fault ?? 'good', { request, response, pathname, patient: searchParams.get('patient') ?? 'p1' });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    base: (fault) => `${origin}/fhir/${fault}`,
    strayed,
    requests: () => requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Asked {
  request: IncomingMessage;
  response: ServerResponse;
  pathname: string;
  patient: string;
}

function answer(fault: Fault, { request, response, pathname, patient }: Asked): void {
  const type = pathname.split('/').at(-1) ?? '';
  const send = (body: unknown) => {
    response.writeHead(200, { 'content-type': 'application/fhir+json' }).end(JSON.stringify(body));
  };
  switch (fault) {
    case 'good':
      send(bundleOf(type, patient));
      break;
    case 'wrong-patient':
      send(bundleOf(type, 'someone-else'));
      break;
    case 'slow-headers':
      break;
    case 'slow-body':
      drip(response);
      break;
    case 'endless-pages':
      send(bundleOf(type, patient, `${type}?patient=${patient}&page=${randomUUID()}`));
      break;
    case 'huge-page':
      pour(response, hugePage);
      break;
    case 'reset':
      response.writeHead(200, { 'content-type': 'application/fhir+json', 'content-length': '100000' });
      response.write('{"resourceType":"Bundle","entry":[', () => request.socket.resetAndDestroy());
      break;
    case 'wrong-type':
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Log in</body></html>');
      break;
    case 'redirect':
      response.writeHead(307, { location: '/elsewhere' }).end();
      break;
    case 'server-error':
      response.writeHead(503, { 'content-type': 'application/fhir+json' }).end('{"resourceType":"OperationOutcome"}');
      break;
    case 'not-json':
      response.writeHead(200, { 'content-type': 'application/fhir+json' }).end('{"resourceType":"Bundle","entry":[{');
  }
}

function bundleOf(resourceType: string, patient: string, next?: string): object {
  const resource = {
    resourceType,
    id: `${resourceType}-of-${patient}`,
    status: 'final',
    subject: { reference: `Patient/${patient}` },
  };
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    entry: [{ resource }],
    ...(next !== undefined && { link: [{ relation: 'next', url: next }] }),
  };
}

function drip(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/fhir+json' });
  const timer = setInterval(() => response.write(' '), dripMs);
  response.once('close', () => clearInterval(timer));
}

/** As fast as it is read. */
function pour(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { 'content-type': 'application/fhir+json' });
  let left = bytes;
  const write = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= filler.length;
      if (!response.write(filler)) {
        response.once('drain', write);
        return;
      }
    }
    if (!response.destroyed) response.end('{}');
  };
  write();
}
