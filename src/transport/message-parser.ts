import {
  checkSizeLine,
  hexValue,
  type MessageFault,
  malformed,
  parseTrailers,
  sizeOf,
  tooLarge,
} from './http-grammar.ts';

/** How the body of a message ends, said by its head. */
export type BodyEnd = 'none' | 'chunks' | 'length' | 'close';

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
/** Hexadecimal digits of a chunk size read in place; 2^24 bytes and more take the long way. */
const MOST_PLAIN_DIGITS = 6;

/**
 * The framing of one HTTP/1.1 message, request or response: bytes in, events out, no sockets.
 *
 * Invariants
 * 1. Any split of the same bytes gives the same head, the same body bytes and the same fault.
 * 2. Whatever is well formed is delivered before the fault that follows it, also within one packet.
 * 3. What two readers could read differently is refused: bare LF, folded lines, spaces before a colon, two lengths, a
 *    length beside a transfer coding, any coding but a lone `chunked` (RFC 9112 §6.3, §11.2).
 * 4. It holds at most one head (or the trailers) of `maxHeadBytes`; body bytes are slices of the packets.
 *
 *   head ─(interim: again)─┬─► length ───────────────► done
 *                          ├─► chunk-size ⇄ chunk-data/-end ─► trailers ─► done
 *                          ├─► until-close ─(closed)─► done
 *                          └─► done                          any ─(fault)─► failed
 */
export abstract class MessageParser {
  readonly #maxHeadBytes: number;
  #state: State = 'done';
  /** A head, chunk-size line or trailer section of which the end has not arrived. */
  #partial: Buffer | null = null;
  /** Body or chunk bytes still to come. */
  #left = 0;

  constructor(maxHeadBytes: number) {
    this.#maxHeadBytes = maxHeadBytes;
  }

  /** What is wrong with the first bytes of a head that is not whole yet, so that rubbish need not wait for a timeout. */
  protected abstract checkStart(bytes: Buffer): MessageFault | null;

  /** Reads a whole head, latin-1 without its blank line, each line with its CRLF; calls `headAgain` or `bodyFollows`. */
  protected abstract takeHead(text: string): MessageFault | null;

  /** Body bytes without transfer coding, never empty. */
  protected abstract takeData(bytes: Buffer): void;

  /** Expects one message. */
  protected restart(): void {
    this.#state = 'head';
    this.#partial = null;
  }

  /** The head was an interim one: another follows. */
  protected headAgain(): void {
    this.#state = 'head';
  }

  /** Says how the body ends, before the head is handed out. */
  protected bodyFollows(end: BodyEnd, length = 0): void {
    this.#left = length;
    if (end === 'chunks') this.#state = 'chunk-size';
    else if (end === 'close') this.#state = 'until-close';
    else this.#state = end === 'none' || length === 0 ? 'done' : 'length';
  }

  /** Stops delivering; for a reader that has lost interest in the middle of a packet. */
  halt(): void {
    this.#state = 'failed';
    this.#partial = null;
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** Whether nothing of the head has arrived. */
  get isUnbegun(): boolean {
    return this.#state === 'head' && this.#partial === null;
  }

  /** Whether bytes of the last packet are kept for the next. */
  get holdsBytes(): boolean {
    return this.#partial !== null;
  }

  protected get isOver(): boolean {
    return this.#state === 'done' || this.#state === 'failed';
  }

  protected get isInHead(): boolean {
    return this.#state === 'head';
  }

  /** The other side ended the connection in order: the end of a body that ends so. */
  protected closed(): boolean {
    const isEnd = this.#state === 'until-close';
    if (isEnd) this.#state = 'done';
    return isEnd;
  }

  /**
   * Takes bytes from `at` on until the message or the packet is over.
   *
   * @returns where it stopped, or the fault that ends the message
   */
  protected consume(packet: Buffer, from: number): number | MessageFault {
    let at = from;
    while (at < packet.length && !this.isOver) {
      const step = this.#step(packet, at);
      if (typeof step !== 'number') {
        this.halt();
        return step;
      }
      at = step;
    }
    return at;
  }

  /** Consumes from `at` and gives the next position. */
  #step(packet: Buffer, at: number): number | MessageFault {
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
        this.takeData(at === 0 ? packet : packet.subarray(at));
        return packet.length;
      case 'done':
      case 'failed':
        return packet.length;
    }
  }

  #head(packet: Buffer, at: number): number | MessageFault {
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
    return this.takeHead(bytes.toString('latin1', 0, end + 2)) ?? at + end + 4 - held;
  }

  #incompleteHead(bytes: Buffer, held: number): MessageFault | null {
    const fault = this.checkStart(bytes);
    if (fault !== null) return fault;
    const limit = Math.min(bytes.length, this.#maxHeadBytes);
    let lineEnd = bytes.indexOf(LF, held);
    while (lineEnd >= 0 && lineEnd < limit) {
      if (bytes[lineEnd - 1] !== CR) return malformed('a line of the head ends without CR');
      lineEnd = bytes.indexOf(LF, lineEnd + 1);
    }
    return bytes.length > this.#maxHeadBytes ? tooLarge(`the head is over ${this.#maxHeadBytes} bytes`) : null;
  }

  #counted(packet: Buffer, at: number): number {
    const end = Math.min(packet.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left === 0) this.#state = this.#state === 'length' ? 'done' : 'chunk-end';
    if (this.#state === 'chunk-end') this.#left = 2;
    this.takeData(at === 0 && end === packet.length ? packet : packet.subarray(at, end));
    return end;
  }

  #chunkEnd(packet: Buffer, at: number): number | MessageFault {
    if (packet[at] !== (this.#left === 2 ? CR : LF)) return malformed('a chunk is not followed by CRLF');
    this.#left -= 1;
    if (this.#left === 0) this.#state = 'chunk-size';
    return at + 1;
  }

  #chunkSize(packet: Buffer, at: number): number | MessageFault {
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

  #trailers(packet: Buffer, at: number): number | MessageFault {
    const held = this.#partial?.length ?? 0;
    const bytes = this.#hold(packet, at);
    const end = bytes[0] === CR && bytes[1] === LF ? -2 : bytes.indexOf(BLANK_LINE, Math.max(0, held - 3));
    if (end !== -1 && end + 4 <= this.#maxHeadBytes) {
      this.#partial = null;
      const fault = end < 0 ? null : parseTrailers(bytes.toString('latin1', 0, end + 2));
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
