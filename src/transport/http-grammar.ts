import type { HeaderPair } from '../core/http.ts';
import type { UpstreamFault } from './upstream.ts';

/** The grammar of HTTP/1.1 responses (RFC 9112), in its strict reading: pure functions over one head or one line. */

/** A response head, taken apart. */
export interface Head {
  readonly status: number;
  /** 0 for HTTP/1.0. */
  readonly minor: 0 | 1;
  readonly headers: readonly HeaderPair[];
}

/** How a response body ends, and what the connection is good for afterwards. */
export interface Framing {
  readonly isChunked: boolean;
  /** Null without a content-length: then the end of the connection ends the body. */
  readonly length: number | null;
  readonly isPersistent: boolean;
  readonly keepAliveSeconds: number | null;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^[0-9]{1,15}$/;
/** Twelve digits hold 256 TiB: far over any answer, far under the numbers that JavaScript cannot count. */
const MAX_SIZE_DIGITS = 12;
const MAX_SIZE_LINE = 256;
const CR = 13;
const SEMICOLON = 59;

/** A fault of form. */
export function malformed(message: string): UpstreamFault {
  return { kind: 'malformed', code: 'EPROTO', message };
}

/**
 * Takes a head apart.
 *
 * @param text the head as latin-1, from the status line to before the blank line
 */
export function parseHead(text: string): Head | UpstreamFault {
  const end = text.indexOf('\r\n');
  const line = STATUS_LINE.exec(end < 0 ? text : text.slice(0, end));
  if (line === null) return malformed('the status line is not one of HTTP/1.1 with a status from 100 to 599');
  const headers: HeaderPair[] = [];
  const fault = end < 0 ? null : parseLines(text, end + 2, headers);
  return fault ?? { status: Number(line[2]), minor: line[1] === '1' ? 1 : 0, headers };
}

/** Checks the trailers, which nobody reads: `text` is latin-1 without the blank line. */
export function parseTrailers(text: string): UpstreamFault | null {
  return parseLines(text, 0, []);
}

function parseLines(text: string, from: number, headers: HeaderPair[]): UpstreamFault | null {
  let at = from;
  while (at <= text.length) {
    let end = text.indexOf('\r\n', at);
    if (end < 0) end = text.length;
    const colon = text.indexOf(':', at);
    if (colon < 0 || colon >= end) return malformed('a header line has no colon');
    const name = text.slice(at, colon);
    const value = text.slice(colon + 1, end);
    // A folded line starts with a blank, which is in no name, as are the blanks before a colon.
    if (!NAME.test(name)) return malformed('a header name holds characters that may not be there');
    if (!VALUE.test(value)) return malformed('a header value holds control characters or a bare line end');
    headers.push([name.toLowerCase(), trimBlanks(value)]);
    at = end + 2;
  }
  return null;
}

/** Without spaces and tabs at both ends; `trim` would also take characters that belong to the value. */
function trimBlanks(value: string): string {
  let from = 0;
  let to = value.length;
  while (from < to && isBlank(value.charCodeAt(from))) from += 1;
  while (to > from && isBlank(value.charCodeAt(to - 1))) to -= 1;
  return value.slice(from, to);
}

const isBlank = (code: number): boolean => code === 32 || code === 9;

/** Decides where the body ends; refuses whatever leaves a choice (RFC 9112 §6.3). */
export function frameBody(minor: 0 | 1, headers: readonly HeaderPair[]): Framing | { readonly fault: UpstreamFault } {
  let length: string | null = null;
  let coding: string | null = null;
  let connection = '';
  let keepAlive = '';
  for (const [name, value] of headers) {
    if (name === 'content-length') {
      if (length !== null) return { fault: malformed('two content-length headers') };
      length = value;
    } else if (name === 'transfer-encoding') {
      if (coding !== null) return { fault: malformed('two transfer-encoding headers') };
      coding = value;
    } else if (name === 'connection') connection += `,${value.toLowerCase()}`;
    else if (name === 'keep-alive') keepAlive = value;
  }
  if (length !== null && !LENGTH.test(length)) return { fault: malformed('the content-length is not a number') };
  if (length !== null && coding !== null) return { fault: malformed('content-length beside transfer-encoding') };
  if (coding !== null && (minor === 0 || coding.toLowerCase() !== 'chunked')) {
    return { fault: malformed('a transfer-encoding other than chunked in HTTP/1.1') };
  }
  return {
    isChunked: coding !== null,
    length: length === null ? null : Number(length),
    isPersistent: minor === 1 && !(connection !== '' && hasToken(connection, 'close')),
    keepAliveSeconds: keepAlive === '' ? null : timeoutOf(keepAlive),
  };
}

function hasToken(list: string, token: string): boolean {
  return list.split(',').some((item) => item.trim() === token);
}

function timeoutOf(keepAlive: string): number | null {
  const match = /(?:^|[,;\s])timeout=([0-9]{1,9})/i.exec(keepAlive);
  return match === null ? null : Number(match[1]);
}

/**
 * Checks the beginning of a chunk-size line: hex digits, then perhaps `;extension`, then perhaps CR.
 *
 * Every beginning of a good line is good, so that a line may be checked as it arrives.
 *
 * @param length bytes of `line` to look at, at most up to the LF
 */
export function checkSizeLine(line: Buffer, length: number): UpstreamFault | null {
  if (length > MAX_SIZE_LINE) return malformed('a chunk-size line is too long');
  let at = 0;
  while (at < length && hexValue(line[at]!) >= 0) at += 1;
  if (at > MAX_SIZE_DIGITS) return malformed('a chunk size is too large');
  if (at === length) return null;
  if (at === 0) return malformed('a chunk size is not a number');
  if (line[at] === SEMICOLON) while (at < length && isExtensionByte(line[at]!)) at += 1;
  const isGood = at === length || (line[at] === CR && at + 1 === length);
  return isGood ? null : malformed('a chunk size is followed by something else');
}

const isExtensionByte = (byte: number): boolean => byte === 9 || (byte >= 32 && byte !== 127);

/** The number at the start of a checked chunk-size line. */
export function sizeOf(line: Buffer): number {
  let size = 0;
  for (let at = 0; at < line.length; at += 1) {
    const digit = hexValue(line[at]!);
    if (digit < 0) break;
    size = size * 16 + digit;
  }
  return size;
}

function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
