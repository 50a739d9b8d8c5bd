import type { HeaderPair } from '../core/http.ts';

/** The grammar of HTTP/1.1 messages (RFC 9112), in its strict reading: pure functions over one head or one line. */

/** What ends a message: bytes that are not HTTP/1.1, a head beyond the limit, or a connection closed too early. */
export interface MessageFault {
  readonly kind: 'malformed' | 'too-large' | 'closed';
  readonly code: string;
  readonly message: string;
}

/** A request head, taken apart. */
export interface RequestHead {
  readonly method: string;
  /** As sent: a path with its query, an absolute URL, `*`, or an authority. */
  readonly target: string;
  readonly minor: 0 | 1;
  readonly headers: readonly HeaderPair[];
}

/** A response head, taken apart. */
export interface ResponseHead {
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
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
/** A request line of a version that is not served here. */
const OTHER_VERSION = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32} [\x21-\x7e]+ HTTP\/(?!1\.[01]$)[0-9.]+$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Control characters that no header may hold; CR and LF are looked at line by line. */
const CONTROL = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;
const NAMES = new Map<string, string>();
const MAX_NAMES = 1024;
const MAX_NAME_LENGTH = 64;
const LENGTH = /^[0-9]{1,15}$/;
/** Twelve digits hold 256 TiB: far over any answer, far under the numbers that JavaScript cannot count. */
const MAX_SIZE_DIGITS = 12;
const MAX_SIZE_LINE = 256;
const CR = 13;
const SEMICOLON = 59;

/** A fault of form. */
export function malformed(message: string): MessageFault {
  return { kind: 'malformed', code: 'EPROTO', message };
}

/** A head or trailers over the limit. */
export function tooLarge(message: string): MessageFault {
  return { kind: 'too-large', code: 'EHEADERS', message };
}

/**
 * The lines of the last head that came over a connection.
 *
 * Clients and providers repeat themselves: a line that is there again, at the same place, is known to be sound and need
 * not be taken apart. That is most of the work and of the memory of a head.
 */
export class HeadMemory {
  /** With their CRLF. */
  readonly lines: string[] = [];
  readonly pairs: HeaderPair[] = [];
}

/** Lines remembered of a head; what comes behind is taken apart each time. */
const MOST_LINES = 64;

/**
 * Takes the head of a request apart.
 *
 * @param text the head as latin-1, without its blank line: every line ends in CRLF
 */
export function parseRequestHead(text: string, memory: HeadMemory): RequestHead | MessageFault {
  const end = text.indexOf('\r\n');
  const first = text.slice(0, end);
  const line = REQUEST_LINE.exec(first);
  if (line === null && !OTHER_VERSION.test(first)) return malformed('the first line is not METHOD TARGET HTTP/1.1');
  const headers = parseLines(text, end + 2, memory);
  if ('kind' in headers) return headers;
  if (line === null)
    return { kind: 'malformed', code: 'EVERSION', message: 'this server speaks HTTP/1.1 and HTTP/1.0' };
  // The groups are there when the expression matches.
  const [, method, target, minor] = line as unknown as [string, string, string, string];
  return { method, target, minor: minor === '1' ? 1 : 0, headers };
}

/**
 * Takes the head of a response apart.
 *
 * @param text the head as latin-1, without its blank line: every line ends in CRLF
 */
export function parseResponseHead(text: string, memory: HeadMemory): ResponseHead | MessageFault {
  const end = text.indexOf('\r\n');
  const line = STATUS_LINE.exec(text.slice(0, end));
  if (line === null) return malformed('the status line is not one of HTTP/1.1 with a status from 100 to 599');
  const headers = parseLines(text, end + 2, memory);
  if ('kind' in headers) return headers;
  return { status: Number(line[2]), minor: line[1] === '1' ? 1 : 0, headers };
}

/** Checks the trailers, which nobody reads: `text` is latin-1 without the blank line. */
export function parseTrailers(text: string): MessageFault | null {
  const headers = parseLines(text, 0, new HeadMemory());
  return 'kind' in headers ? headers : null;
}

function parseLines(text: string, from: number, memory: HeadMemory): readonly HeaderPair[] | MessageFault {
  if (CONTROL.test(text)) return malformed('a header holds control characters');
  const { lines, pairs } = memory;
  const headers: HeaderPair[] = [];
  for (let at = from; at < text.length; ) {
    const index = headers.length;
    const known = lines[index];
    if (known !== undefined && text.startsWith(known, at)) {
      headers.push(pairs[index] as HeaderPair);
      at += known.length;
      continue;
    }
    const end = text.indexOf('\n', at) + 1;
    const pair = parseLine(text, at, end);
    if ('kind' in pair) return pair;
    headers.push(pair);
    if (index < MOST_LINES) {
      lines[index] = text.slice(at, end);
      pairs[index] = pair;
    }
    at = end;
  }
  return headers;
}

/** @param end one past the line's LF, or 0 when there is none */
function parseLine(text: string, at: number, end: number): HeaderPair | MessageFault {
  if (end === 0 || text.indexOf('\r', at) !== end - 2) {
    return malformed('a line of the head ends in something else than CRLF');
  }
  const colon = text.indexOf(':', at);
  if (colon < 0 || colon >= end) return malformed('a header line has no colon');
  // A folded line starts with a blank, which is in no name, as are the blanks before a colon.
  const name = lowerName(text.slice(at, colon));
  if (name === null) return malformed('a header name holds characters that may not be there');
  return [name, trimmed(text, colon + 1, end - 2)];
}

/** The name in lower case; null when it is none. The same names come again and again, so they are remembered. */
function lowerName(raw: string): string | null {
  const known = NAMES.get(raw);
  if (known !== undefined) return known;
  if (!NAME.test(raw)) return null;
  const name = raw.toLowerCase();
  if (NAMES.size < MAX_NAMES && raw.length <= MAX_NAME_LENGTH) NAMES.set(raw, name);
  return name;
}

/** The part of `text` without spaces and tabs at both ends; `trim` would also take characters that belong to it. */
function trimmed(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

const isBlank = (code: number): boolean => code === 32 || code === 9;

/** Decides where the body ends; refuses whatever leaves a choice (RFC 9112 §6.3). */
export function frameBody(minor: 0 | 1, headers: readonly HeaderPair[]): Framing | { readonly fault: MessageFault } {
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

/** Blanks are space and tab; `trim` would take a no-break space for one, where another reader sees another token. */
function hasToken(list: string, token: string): boolean {
  return list.split(',').some((item) => trimmed(item, 0, item.length) === token);
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
export function checkSizeLine(line: Buffer, length: number): MessageFault | null {
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

/** The value of a hexadecimal digit, or -1. */
export function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
