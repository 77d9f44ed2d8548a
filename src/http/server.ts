import { createServer, type RequestListener, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { ConfigError } from '../errors.ts';
import { describeOutcome } from './error-handler.ts';

export interface ServerOptions {
  host: string;
  port: number;
  /** Milliseconds a client has to send a request. */
  uploadMs: number;
  /** Milliseconds an evaluation may take, and storing its record again as long. */
  deadlineMs: number;
  /** Milliseconds from being told to stop until requests still under way are cut. */
  drainMs: number;
  /** Told of what is answered without a request that could be read. */
  onRefused?(status: number): void;
}

/** Why a response ended that this service cut: its client was still there. */
export class CutError extends Error {}

/** Bytes of all headers of a request: several times what a JWT takes. More is answered 431. */
const maxHeaderSize = 16 * 1024;
/** Headers of a request. More is answered 431. */
const maxHeadersCount = 100;
/** How often in the time to send a request it is looked at whether that is over: Node's own default is 30 seconds. */
const checksPerUpload = 10;

export interface Server {
  /** The port listened on. */
  port: number;
  /**
   * Takes no more connections and resolves when the requests under way are answered, or cut.
   *
   * @param noticeMs Milliseconds of `drainMs` for which connections are still taken: proxies need time to notice.
   */
  stop(noticeMs?: number): Promise<void>;
}

/**
 * Listens.
 *
 * @throws {@link ConfigError} where the address is taken or not ours.
 */
export async function listen(listener: RequestListener, options: ServerOptions): Promise<Server> {
  const { uploadMs, deadlineMs } = options;
  const server = createServer(
    {
      requestTimeout: uploadMs,
      headersTimeout: uploadMs,
      connectionsCheckingInterval: uploadMs / checksPerUpload,
      maxHeaderSize,
    },
    listener,
  );
  server.maxHeadersCount = maxHeadersCount;
  // A client that does not read its answer.
  server.timeout = uploadMs + 2 * deadlineMs;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explainRefusal(error, options)));
    server.listen(options.port, options.host, resolve);
  });
  let isClosing = false;
  const underWay = new Map<Socket, ServerResponse>();
  const watch = ({ socket }: { socket: Socket }, response: ServerResponse) => {
    underWay.set(socket, response);
    response.once('close', () => {
      if (underWay.get(socket) === response) underWay.delete(socket);
      // A connection whose last answer is out would otherwise be kept alive for the next request.
      if (isClosing) setImmediate(() => server.closeIdleConnections());
    });
  };
  server.prependListener('request', watch);
  // Whoever waits for leave to send its body gets it, or its answer, from the listener.
  server.on('checkContinue', (request, response) => {
    watch(request, response);
    listener(request, response);
  });
  server.on('checkExpectation', (request, response) => {
    watch(request, response);
    refuse(response, 417);
    options.onRefused?.(417);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const status = statuses[error.code ?? ''] ?? 400;
    const response = underWay.get(socket);
    if (!socket.writable || clientLeft.has(error.code ?? '') || response?.headersSent) {
      socket.destroy();
      return;
    }
    if (response !== undefined) return refuse(response, status);
    const { type, body } = writeRefusal(status);
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
        `Connection: close\r\n\r\n${body}`,
    );
    options.onRefused?.(status);
  });
  server.on('timeout', (socket) => {
    underWay.get(socket)?.destroy(new CutError());
    socket.destroy();
  });
  return {
    port: (server.address() as AddressInfo).port,
    async stop(noticeMs = 0) {
      // Open connections stay until then: closing one may cut a call that is on its way.
      await wait(noticeMs);
      isClosing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const over = new AbortController();
      await Promise.race([
        closed,
        wait(options.drainMs - noticeMs, undefined, { signal: over.signal }).catch(() => {}),
      ]);
      over.abort();
      for (const response of underWay.values()) response.destroy(new CutError());
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The connection ended in the middle of a request. */
const clientLeft: ReadonlySet<string> = new Set(['ECONNRESET', 'HPE_INVALID_EOF_STATE']);

/** What Node could not read, by its code; anything else is no HTTP. */
const statuses: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

const refusals: Readonly<Record<number, string>> = {
  400: 'The request is not HTTP/1.1 that can be read.',
  408: 'The request was not sent in time.',
  413: 'The chunks of the body have extensions that are too long.',
  417: 'Expect: nothing but 100-continue is known.',
  431: `The headers are larger than ${maxHeaderSize} bytes.`,
};

function writeRefusal(status: number): { type: string; body: string } {
  const message = refusals[status] ?? '';
  return {
    type: 'application/fhir+json; charset=utf-8',
    body: JSON.stringify(describeOutcome({ code: 'http', status, message })),
  };
}

/** Answers a request that the listener may be reading, or never gets. */
function refuse(response: ServerResponse, status: number): void {
  const { type, body } = writeRefusal(status);
  const headers = { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), 'Cache-Control': 'no-store' };
  response.writeHead(status, { ...headers, Connection: 'close' }).end(body);
}

function explainRefusal(error: NodeJS.ErrnoException, { host, port }: ServerOptions): ConfigError {
  const reason =
    error.code === 'EADDRINUSE'
      ? 'something else listens there: set PORT to another'
      : `it cannot be used (${error.code})`;
  return new ConfigError(`PORT: cannot listen on ${host}:${port}: ${reason}`, { cause: error });
}
