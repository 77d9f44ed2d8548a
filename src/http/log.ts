import { type DestinationStream, pino } from 'pino';
import type { Config } from '../config.ts';

/** All a log line about a request says. Nothing else of a request is ever logged. */
export interface RequestLine {
  id: string;
  service?: string;
  hook?: string;
  client?: string;
  status: number;
  ms: number;
  /** Number of cards sent. */
  cards?: number;
  /** Code of the error. */
  code?: string;
  /** Why prefetch keys are not known or not whole: a code of ours, by key. */
  problems?: Readonly<Record<string, string>>;
  /** Prefetch keys that came and nobody asked for, misspelt perhaps: plain names only. */
  unknownKeys?: readonly string[];
  /** Of an unforeseen error: its class and the line of code that threw it. */
  thrownAt?: string;
}

/** Where the service tells operations what happens. */
export interface Log {
  request(line: RequestLine): void;
  /** Something about the process itself; `message` is a fixed text of ours. */
  event(level: 'info' | 'warn' | 'error', message: string): void;
}

/** Bytes of lines that may wait for whoever reads standard output; what comes beyond is lost, requests are not. */
const maxLength = 8 * 1024 * 1024;

/** Makes the log: JSON lines, on standard output unless another stream is given; nobody waits for them to be written. */
export function createLog(level: Config['logLevel'], stream?: DestinationStream): Log {
  const logger = pino({ level, base: null }, stream ?? pino.destination({ sync: false, maxLength }));
  return {
    request({ ms, ...line }) {
      const { id, service, hook, client, status, cards, code, problems, unknownKeys, thrownAt } = line;
      const known = { id, service, hook, client, status, ms: Math.round(ms), cards, code };
      const fields = { ...known, problems, unknownKeys, thrownAt };
      if (status >= 500) logger.error(fields);
      else if (status >= 400) logger.warn(fields);
      else logger.info(fields);
    },
    event(eventLevel, message) {
      logger[eventLevel](message);
    },
  };
}
