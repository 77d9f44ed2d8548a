import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { ConfigError } from '../errors.ts';

export interface ServerOptions {
  host: string;
  port: number;
  /** Milliseconds a client has to send a request. */
  uploadMs: number;
  /** Milliseconds an evaluation may take, and storing its record again as long. */
  deadlineMs: number;
  /** Milliseconds from being told to stop until requests still under way are cut. */
  drainMs: number;
}

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
  server.on('request', (_request, response) => {
    // A connection whose last answer is out would otherwise be kept alive for the next request.
    response.once('close', () => isClosing && setImmediate(() => server.closeIdleConnections()));
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
      server.closeAllConnections();
      await closed;
    },
  };
}

function explainRefusal(error: NodeJS.ErrnoException, { host, port }: ServerOptions): ConfigError {
  const reason =
    error.code === 'EADDRINUSE'
      ? 'something else listens there: set PORT to another'
      : `it cannot be used (${error.code})`;
  return new ConfigError(`PORT: cannot listen on ${host}:${port}: ${reason}`, { cause: error });
}
