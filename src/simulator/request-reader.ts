import type { HeaderPair } from '../core/http.ts';

/** One request as it came off the socket. */
export interface RawRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  /** In order, names in lower case. */
  readonly headers: readonly HeaderPair[];
  readonly body: Buffer;
  /** Whether the connection may carry another request. */
  readonly keepAlive: boolean;
}

export type ReadResult =
  | { readonly kind: 'request'; readonly request: RawRequest }
  | { readonly kind: 'more' }
  /** The client waits for `100 Continue` before it sends the body; told once. */
  | { readonly kind: 'expects-continue' }
  | { readonly kind: 'malformed'; readonly message: string };

const MAX_HEAD = 64 * 1024;
const MAX_BODY = 64 * 1024 * 1024;
const MAX_CHUNK_LINE = 1024;

interface Head {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly HeaderPair[];
  readonly keepAlive: boolean;
  /** Body length in bytes, or null for chunked. */
  readonly length: number | null;
  readonly expectsContinue: boolean;
}

/**
 * Reads HTTP/1.1 requests out of the bytes of one connection.
 *
 * Strict, since only test traffic comes here and sloppy requests are what tests want to find: line ends are CRLF, a
 * body has one length, names are tokens. After `malformed` the connection is of no more use.
 */
export class RequestReader {
  #buffer: Buffer = Buffer.alloc(0);
  /** Bytes not yet joined to the buffer, so that a large body is copied once. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #head: Head | null = null;
  #hasToldContinue = false;

  /** Takes bytes as they come; the order is all that matters. */
  push(bytes: Uint8Array): void {
    this.#pending.push(Buffer.from(bytes));
    this.#pendingBytes += bytes.length;
  }

  /** The next request, if it is complete; call again after a request, as several may have arrived together. */
  next(): ReadResult {
    const needed = this.#head?.length ?? 0;
    if (this.#buffer.length + this.#pendingBytes >= needed) this.#join();
    if (this.#head === null) {
      const end = this.#buffer.indexOf('\r\n\r\n');
      if (end < 0) return this.#buffer.length > MAX_HEAD ? malformed('head is too long') : { kind: 'more' };
      const head = parseHead(this.#buffer.toString('latin1', 0, end));
      if (typeof head === 'string') return malformed(head);
      this.#head = head;
      this.#hasToldContinue = false;
      this.#buffer = this.#buffer.subarray(end + 4);
    }
    return this.#readBody(this.#head);
  }

  #join(): void {
    if (this.#pending.length === 0) return;
    this.#buffer = Buffer.concat([this.#buffer, ...this.#pending]);
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  #readBody(head: Head): ReadResult {
    const found = head.length === null ? chunkedBody(this.#buffer) : fixedBody(this.#buffer, head.length);
    if (typeof found === 'string') return malformed(found);
    if (found !== null) {
      this.#buffer = this.#buffer.subarray(found.end);
      this.#head = null;
      const { method, target, headers, keepAlive } = head;
      return { kind: 'request', request: { method, target, headers, body: found.body, keepAlive } };
    }
    if (!head.expectsContinue || this.#hasToldContinue) return { kind: 'more' };
    this.#hasToldContinue = true;
    return { kind: 'expects-continue' };
  }
}

function malformed(message: string): ReadResult {
  return { kind: 'malformed', message };
}

function parseHead(text: string): Head | string {
  const [line = '', ...rest] = text.split('\r\n');
  const start = /^([A-Z]+) (\/[^ ]*) HTTP\/1\.([01])$/.exec(line);
  if (start === null) return `bad request line ${JSON.stringify(line.slice(0, 80))}`;
  const headers: HeaderPair[] = [];
  for (const row of rest) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(row);
    if (field === null || row.includes('\n') || row.includes('\r'))
      return `bad header line ${JSON.stringify(row.slice(0, 80))}`;
    headers.push([(field[1] ?? '').toLowerCase(), field[2] ?? '']);
  }
  const length = bodyLength(headers);
  if (typeof length === 'string') return length;
  const connection = headerOf(headers, 'connection')?.toLowerCase() ?? '';
  return {
    method: start[1] ?? '',
    target: start[2] ?? '',
    headers,
    keepAlive: start[3] === '1' ? !connection.includes('close') : connection.includes('keep-alive'),
    length: length.bytes,
    expectsContinue: headerOf(headers, 'expect')?.toLowerCase() === '100-continue',
  };
}

function bodyLength(headers: readonly HeaderPair[]): { bytes: number | null } | string {
  const lengths = headers.filter(([name]) => name === 'content-length').map(([, value]) => value);
  const codings = headers.filter(([name]) => name === 'transfer-encoding').map(([, value]) => value.toLowerCase());
  if (codings.length > 0) {
    if (lengths.length > 0) return 'both content-length and transfer-encoding';
    return codings.length === 1 && codings[0] === 'chunked' ? { bytes: null } : 'unknown transfer-encoding';
  }
  const [length = '0'] = lengths;
  if (lengths.length > 1 || !/^\d{1,15}$/.test(length)) return 'bad content-length';
  return Number(length) > MAX_BODY ? 'body is too long' : { bytes: Number(length) };
}

function headerOf(headers: readonly HeaderPair[], name: string): string | null {
  return headers.find(([key]) => key === name)?.[1] ?? null;
}

function fixedBody(buffer: Buffer, length: number): { body: Buffer; end: number } | null {
  return buffer.length < length ? null : { body: Buffer.from(buffer.subarray(0, length)), end: length };
}

function chunkedBody(buffer: Buffer): { body: Buffer; end: number } | string | null {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    if (at > MAX_BODY) return 'body is too long';
    const lineEnd = buffer.indexOf('\r\n', at);
    if (lineEnd < 0) return buffer.length - at > MAX_CHUNK_LINE ? 'chunk line is too long' : null;
    const size = /^([0-9a-f]{1,8})(;.*)?$/i.exec(buffer.toString('latin1', at, lineEnd))?.[1];
    if (size === undefined) return 'bad chunk size';
    const length = Number.parseInt(size, 16);
    const dataEnd = lineEnd + 2 + length;
    if (buffer.length < dataEnd + 2) return null;
    if (buffer.toString('latin1', dataEnd, dataEnd + 2) !== '\r\n')
      return length === 0 ? 'trailers are not read' : 'bad chunk end';
    if (length === 0) return { body: Buffer.concat(parts), end: dataEnd + 2 };
    parts.push(buffer.subarray(lineEnd + 2, dataEnd));
    at = dataEnd + 2;
  }
}
