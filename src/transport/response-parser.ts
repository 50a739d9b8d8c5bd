import type { HeaderPair } from '../core/http.ts';
import { checkSizeLine, frameBody, hexValue, malformed, parseHead, parseTrailers, sizeOf } from './http-grammar.ts';
import type { UpstreamFault } from './upstream.ts';

/** Where the parts of a response go. */
export interface ResponseSink {
  /** The final head; names in lower case. */
  onHead(status: number, headers: readonly HeaderPair[]): void;
  /** Body bytes without transfer coding, never empty. */
  onData(bytes: Buffer): void;
}

type State =
  | 'head'
  | 'length'
  | 'chunk-size'
  | 'chunk-data'
  | 'chunk-end'
  | 'trailers'
  | 'until-close'
  | 'done'
  | 'failed';

const CR = 13;
const LF = 10;
const BLANK_LINE = Buffer.from('\r\n\r\n');
const VERSION = 'HTTP/1.';
/** Interim responses before the final one; providers send none or one. */
const MAX_INTERIMS = 16;
/** Hexadecimal digits of a chunk size read in place; 2^24 bytes and more take the long way. */
const MOST_PLAIN_DIGITS = 6;

/**
 * A strict HTTP/1.1 response parser: bytes in, events out, no sockets.
 *
 * Invariants
 * 1. Any split of the same bytes gives the same head, the same body bytes and the same fault.
 * 2. Whatever is well formed is delivered before the fault that follows it, also within one packet.
 * 3. What two readers could read differently is refused: bare LF, folded lines, spaces before a colon, two lengths, a
 *    length beside a transfer coding, any coding but a lone `chunked` (RFC 9112 §6.3, §11.2).
 * 4. It holds at most one head (or the trailers) of `maxHeadBytes`; body bytes are slices of the packets.
 *
 *   head ─(1xx: again)─┬─► length ───────────────► done
 *                      ├─► chunk-size ⇄ chunk-data/-end ─► trailers ─► done
 *                      ├─► until-close ─(finish)─► done
 *                      └─► done                          any ─(fault)─► failed
 */
export class ResponseParser {
  readonly #maxHeadBytes: number;
  readonly #sink: ResponseSink;
  #state: State = 'done';
  #noBody = false;
  /** A head, chunk-size line or trailer section of which the end has not arrived. */
  #partial: Buffer | null = null;
  /** Body or chunk bytes still to come. */
  #left = 0;
  #interims = 0;
  #canReuse = false;
  #keepAliveSeconds: number | null = null;
  #hasSurplus = false;

  constructor(maxHeadBytes: number, sink: ResponseSink) {
    this.#maxHeadBytes = maxHeadBytes;
    this.#sink = sink;
  }

  /** Expects one response; `noBody` when the request was a HEAD. */
  begin(body: 'body' | 'no-body'): void {
    this.#state = 'head';
    this.#noBody = body === 'no-body';
    this.#partial = null;
    this.#interims = 0;
    this.#canReuse = false;
    this.#keepAliveSeconds = null;
    this.#hasSurplus = false;
  }

  /** Stops delivering; for a sink that has lost interest in the middle of a packet. */
  halt(): void {
    this.#state = 'failed';
    this.#partial = null;
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** Whether the framing lets another response follow on this connection. Known once it is done. */
  get canReuse(): boolean {
    return this.#canReuse;
  }

  /** Whether bytes have followed the end of the response. */
  get hasSurplus(): boolean {
    return this.#hasSurplus;
  }

  /** Seconds from `Keep-Alive: timeout=`, or null. */
  get keepAliveSeconds(): number | null {
    return this.#keepAliveSeconds;
  }

  /**
   * Takes the next bytes.
   *
   * @returns the fault that ends the response, or null. Bytes after the end of the response make `canReuse` false: they
   *   belong to no request (a forged second response).
   */
  push(packet: Buffer): UpstreamFault | null {
    let at = 0;
    while (at < packet.length) {
      const step = this.#step(packet, at);
      if (typeof step !== 'number') {
        this.halt();
        return step;
      }
      at = step;
    }
    return null;
  }

  /** The other side has ended the connection in order (FIN); a reset is never an end. */
  finish(): UpstreamFault | null {
    const state = this.#state;
    if (state === 'until-close') this.#state = 'done';
    if (state === 'until-close' || state === 'done' || state === 'failed') return null;
    this.halt();
    return state === 'head'
      ? { kind: 'closed', code: 'ECONNRESET', message: 'the connection was closed before a complete response head' }
      : { kind: 'closed', code: 'ETRUNCATED', message: 'the connection was closed in the middle of the body' };
  }

  /** Consumes from `at` and gives the next position. */
  #step(packet: Buffer, at: number): number | UpstreamFault {
    switch (this.#state) {
      case 'head':
        return this.#head(packet, at);
      case 'length':
      case 'chunk-data':
        return this.#counted(packet, at);
      case 'chunk-end':
        return this.#chunkEnd(packet, at);
      case 'chunk-size':
        return this.#chunkSize(packet, at);
      case 'trailers':
        return this.#trailers(packet, at);
      case 'until-close':
        this.#sink.onData(at === 0 ? packet : packet.subarray(at));
        return packet.length;
      case 'done':
      case 'failed':
        this.#canReuse = false;
        this.#hasSurplus = true;
        return packet.length;
    }
  }

  #head(packet: Buffer, at: number): number | UpstreamFault {
    const held = this.#partial?.length ?? 0;
    const bytes = this.#hold(packet, at);
    const end = bytes.indexOf(BLANK_LINE, Math.max(0, held - 3));
    const isWhole = end >= 0 && end + 4 <= this.#maxHeadBytes;
    if (!isWhole) {
      const fault = this.#incompleteHead(bytes, held);
      if (fault !== null) return fault;
      this.#partial = bytes;
      return packet.length;
    }
    this.#partial = null;
    const head = parseHead(bytes.toString('latin1', 0, end));
    if ('kind' in head) return head;
    const next = at + end + 4 - held;
    if (head.status < 200) return this.#interim(head.status) ?? next;
    const fault = this.#frame(head.status, head.minor, head.headers);
    if (fault !== null) return fault;
    this.#sink.onHead(head.status, head.headers);
    return next;
  }

  /** What is wrong already although the end of the head is not here: so that rubbish need not wait for a timeout. */
  #incompleteHead(bytes: Buffer, held: number): UpstreamFault | null {
    const start = bytes.toString('latin1', 0, VERSION.length);
    if (!VERSION.startsWith(start)) return malformed('the answer does not start with HTTP/1.');
    const limit = Math.min(bytes.length, this.#maxHeadBytes);
    let lineEnd = bytes.indexOf(LF, held);
    while (lineEnd >= 0 && lineEnd < limit) {
      if (bytes[lineEnd - 1] !== CR) return malformed('a line of the head ends without CR');
      lineEnd = bytes.indexOf(LF, lineEnd + 1);
    }
    if (bytes.length > this.#maxHeadBytes) return tooLarge(`the response head is over ${this.#maxHeadBytes} bytes`);
    return null;
  }

  #interim(status: number): UpstreamFault | null {
    if (status === 101) return malformed('the upstream switched protocols unasked (101)');
    this.#interims += 1;
    return this.#interims > MAX_INTERIMS ? malformed(`more than ${MAX_INTERIMS} interim responses (1xx)`) : null;
  }

  /** Decides how the body ends, before the head is handed out. */
  #frame(status: number, minor: 0 | 1, headers: readonly HeaderPair[]): UpstreamFault | null {
    const framing = frameBody(minor, headers);
    if ('fault' in framing) return framing.fault;
    this.#canReuse = framing.isPersistent;
    this.#keepAliveSeconds = framing.keepAliveSeconds;
    if (this.#noBody || status === 204 || status === 304) {
      this.#state = 'done';
    } else if (framing.isChunked) {
      this.#state = 'chunk-size';
    } else if (framing.length === null) {
      this.#state = 'until-close';
      this.#canReuse = false;
    } else {
      this.#left = framing.length;
      this.#state = framing.length === 0 ? 'done' : 'length';
    }
    return null;
  }

  #counted(packet: Buffer, at: number): number {
    const end = Math.min(packet.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left === 0) this.#state = this.#state === 'length' ? 'done' : 'chunk-end';
    if (this.#state === 'chunk-end') this.#left = 2;
    this.#sink.onData(at === 0 && end === packet.length ? packet : packet.subarray(at, end));
    return end;
  }

  #chunkEnd(packet: Buffer, at: number): number | UpstreamFault {
    if (packet[at] !== (this.#left === 2 ? CR : LF)) return malformed('a chunk is not followed by CRLF');
    this.#left -= 1;
    if (this.#left === 0) this.#state = 'chunk-size';
    return at + 1;
  }

  #chunkSize(packet: Buffer, at: number): number | UpstreamFault {
    const plainEnd = this.#plainSize(packet, at);
    if (plainEnd > at) return plainEnd;
    const lineEnd = packet.indexOf(LF, at);
    const end = lineEnd < 0 ? packet.length : lineEnd + 1;
    const line = this.#hold(packet, at, end);
    const fault = checkSizeLine(line, lineEnd < 0 ? line.length : line.length - 1);
    if (fault !== null) return fault;
    if (lineEnd < 0) {
      this.#partial = line;
      return end;
    }
    this.#partial = null;
    if (line.length < 3 || line[line.length - 2] !== CR) return malformed('a chunk size ends without CRLF');
    this.#left = sizeOf(line);
    this.#state = this.#left === 0 ? 'trailers' : 'chunk-data';
    return end;
  }

  /**
   * Reads a size that stands whole in this packet as digits and CRLF, which nearly all do, without a view of its line.
   *
   * @returns one past the line, or `at` when the line is of any other kind
   */
  #plainSize(packet: Buffer, at: number): number {
    if (this.#partial !== null) return at;
    let size = 0;
    let next = at;
    for (; next < at + MOST_PLAIN_DIGITS; next += 1) {
      const digit = hexValue(packet[next] ?? 0);
      if (digit < 0) break;
      size = size * 16 + digit;
    }
    if (next === at || packet[next] !== CR || packet[next + 1] !== LF) return at;
    this.#left = size;
    this.#state = size === 0 ? 'trailers' : 'chunk-data';
    return next + 2;
  }

  #trailers(packet: Buffer, at: number): number | UpstreamFault {
    const held = this.#partial?.length ?? 0;
    const bytes = this.#hold(packet, at);
    const end = bytes[0] === CR && bytes[1] === LF ? -2 : bytes.indexOf(BLANK_LINE, Math.max(0, held - 3));
    if (end !== -1 && end + 4 <= this.#maxHeadBytes) {
      this.#partial = null;
      const fault = end < 0 ? null : parseTrailers(bytes.toString('latin1', 0, end));
      if (fault !== null) return fault;
      this.#state = 'done';
      return at + end + 4 - held;
    }
    if (bytes.length > this.#maxHeadBytes) return tooLarge(`the trailers are over ${this.#maxHeadBytes} bytes`);
    this.#partial = bytes;
    return packet.length;
  }

  /** What was held back and the packet's bytes from `at` to before `to`, as one buffer. */
  #hold(packet: Buffer, at: number, to = packet.length): Buffer {
    const rest = at === 0 && to === packet.length ? packet : packet.subarray(at, to);
    return this.#partial === null ? rest : Buffer.concat([this.#partial, rest]);
  }
}

const tooLarge = (message: string): UpstreamFault => ({ kind: 'too-large', code: 'EHEADERS', message });
