import { Buffer, isAscii, isUtf8 } from 'node:buffer';
import { RequestError, TooLargeError } from '../errors.ts';

const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
/** Braces are brackets with one more bit; no other byte outside of strings becomes one without it. */
const braceAsBracket = 0xdf;

/**
 * Parses a JSON body.
 *
 * @param depth Deepest nesting of objects and arrays taken; looked for in the bytes, before anything is built from them.
 * @throws {@link TooLargeError} nested deeper.
 * @throws {@link RequestError} not UTF-8, or not JSON; the message never quotes the body.
 */
export function parseBody(bytes: Uint8Array, depth: number): unknown {
  if (bytes.length === 0) throw new RequestError('The body is empty: expected a JSON object.');
  const text = decode(bytes);
  checkDepth(bytes, depth);
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError('The body is not valid JSON.');
  }
}

/** ASCII, the usual case, is decoded as Latin-1: that copies bytes instead of interpreting them. */
function decode(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // A zero byte at the start: UTF-16 of plain letters.
  const isPlain = isAscii(buffer);
  if (isPlain ? buffer.subarray(0, 2).includes(0) : !isUtf8(buffer)) {
    throw new RequestError('The body is not UTF-8: JSON is sent in UTF-8, whatever Content-Type says.');
  }
  if (isPlain) return buffer.toString('latin1');
  const hasMark = buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf;
  return buffer.toString('utf8', hasMark ? 3 : 0);
}

function checkDepth(bytes: Uint8Array, limit: number): void {
  const end = bytes.length;
  let depth = 0;
  for (let at = 0; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === quote) {
      for (at++; at < end && bytes[at] !== quote; at++) if (bytes[at] === backslash) at++;
    } else if (byte >= openBracket) {
      const bracket = byte & braceAsBracket;
      if (bracket === openBracket) {
        if (++depth > limit) throw new TooLargeError(`The body is nested deeper than ${limit} levels.`);
      } else if (bracket === closeBracket) depth--;
    }
  }
}
