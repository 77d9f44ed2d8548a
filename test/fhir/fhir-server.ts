import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface FakeFhirServer {
  /** `http://127.0.0.1:<port>/fhir` */
  base: string;
  port: number;
  /** Every request that arrived, in order. */
  seen: { path: string; accept: string | undefined; authorization: string | undefined }[];
  /** TCP connections opened to it. */
  connections: number;
  /** What the next requests get. */
  handle: Handler;
  close(): Promise<void>;
}

/** Starts a FHIR server on a free port of 127.0.0.1 that answers as the test says. */
export async function startFhirServer(): Promise<FakeFhirServer> {
  const server = createServer((request, response) => {
    const { accept, authorization } = request.headers;
    fake.seen.push({ path: request.url ?? '', accept, authorization });
    fake.handle(request, response);
  });
  server.on('connection', () => {
    fake.connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const fake: FakeFhirServer = {
    base: `http://127.0.0.1:${port}/fhir`,
    port,
    seen: [],
    connections: 0,
    handle: (_, response) => sendStatus(response, 404),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return fake;
}

export function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/fhir+json; charset=utf-8' }).end(JSON.stringify(body));
}

export function sendStatus(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'application/fhir+json' }).end('{"resourceType":"OperationOutcome"}');
}

export function bundleOf(resources: readonly unknown[], next?: string): Record<string, unknown> {
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    entry: resources.map((resource) => ({ resource })),
    ...(next === undefined ? {} : { link: [{ relation: 'next', url: next }] }),
  };
}

export function outcomeOf(severity: string): Record<string, unknown> {
  return { resourceType: 'OperationOutcome', issue: [{ severity, code: 'processing' }] };
}
