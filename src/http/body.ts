import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { NotAcceptedError, RequestError, TooLargeError, UnavailableError } from '../errors.ts';

/** Media types of a request body; parameters are ignored, JSON is UTF-8 whatever they say. */
const mediaTypes = new Set(['application/json', 'application/fhir+json', 'application/json+fhir']);

/** Room for the bodies of all requests together, so that many large ones cannot exhaust memory. */
export interface Room {
  /** Takes room; false, and nothing taken, when there is not enough left. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/** Makes room for the given number of bytes. */
export function createRoom(bytes: number): Room {
  let left = bytes;
  return {
    take(wanted) {
      if (wanted > left) return false;
      left -= wanted;
      return true;
    },
    give(returned) {
      left += returned;
    },
  };
}

/** A body read whole: alone in its ArrayBuffer, so that it can be moved to another thread. */
export interface Body {
  bytes: Uint8Array<ArrayBuffer>;
  /** Gives back the room the body took; to be called once, when the bytes are no longer needed. */
  release(): void;
}

/**
 * Reads the JSON body of a request as bytes, inflating gzip.
 *
 * @param limit Largest number of bytes taken, on the wire and after inflation, and what to do where there are more.
 * @param goOn Called when the headers leave nothing to refuse: the client may wait for leave to send the body.
 * @throws {@link NotAcceptedError} for another media type or encoding.
 * @throws {@link TooLargeError} over the limit.
 * @throws {@link RequestError} where the body ends early or is not gzip.
 * @throws {@link UnavailableError} when there is no room for it now.
 */
export async function readBody(
  request: IncomingMessage,
  limit: { bytes: number; advice: string },
  room: Room,
  goOn: () => void,
): Promise<Body> {
  checkMediaType(request);
  if (Number(request.headers['content-length'] ?? 0) > limit.bytes) throw tooLarge(limit);
  const source = openBody(request);
  goOn();

  const chunks: Buffer[] = [];
  let held = 0;
  const release = () => {
    room.give(held);
    held = 0;
  };
  try {
    await new Promise<void>((resolve, reject) => {
      source.on('data', (chunk: Buffer) => {
        if (held + chunk.length > limit.bytes) return reject(tooLarge(limit));
        if (!room.take(chunk.length)) return reject(noRoom());
        held += chunk.length;
        chunks.push(chunk);
      });
      if (source !== request) {
        // Gzip may hold any number of parts that inflate to nothing.
        let onWire = 0;
        request.on('data', (chunk: Buffer) => {
          onWire += chunk.length;
          if (onWire > limit.bytes) reject(tooLarge(limit));
        });
      }
      source.once('end', resolve);
      source.once('error', () => reject(unreadable()));
      request.once('error', () => reject(unreadable()));
      request.once('close', () => request.complete || reject(unreadable()));
    });
  } catch (error) {
    release();
    source.removeAllListeners('data');
    request.removeAllListeners('data');
    // What is still to come is read and thrown away, so that the client gets to read the answer.
    request.unpipe();
    if (source !== request) source.destroy();
    request.resume();
    throw error;
  }
  return { bytes: joinChunks(chunks, held), release };
}

function joinChunks(chunks: readonly Buffer[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function checkMediaType(request: IncomingMessage): void {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type === undefined || !mediaTypes.has(type)) {
    throw new NotAcceptedError(415, 'Content-Type: expected application/json.');
  }
}

function openBody(request: IncomingMessage): Readable {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity') return request;
  // Not `pipeline`: after a failure that would cut the connection the answer goes out on.
  if (encoding === 'gzip') return request.pipe(createGunzip());
  throw new NotAcceptedError(415, 'Content-Encoding: expected gzip or none.');
}

const tooLarge = ({ bytes, advice }: { bytes: number; advice: string }): TooLargeError =>
  new TooLargeError(`The body is larger than ${bytes} bytes: ${advice}.`);

const noRoom = (): UnavailableError =>
  new UnavailableError('overloaded', 'No room for another request body now: try again.');

const unreadable = (): RequestError =>
  new RequestError('The body could not be read: it ended early or is not what Content-Encoding says.');
