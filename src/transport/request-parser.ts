import {
  frameBody,
  HeadMemory,
  type MessageFault,
  malformed,
  parseRequestHead,
  type RequestHead,
} from './http-grammar.ts';
import { MessageParser } from './message-parser.ts';

/** Where the parts of a request go. */
export interface RequestSink {
  /** The head; header names in lower case. */
  onHead(head: RequestHead): void;
  /** Body bytes without transfer coding, never empty. */
  onData(bytes: Buffer): void;
}

const CR = 13;
const LF = 10;
/** What may stand in a method (RFC 9110 §5.6.2) and the blank behind it. */
const START = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}(?: |$)/;

/** A strict parser of HTTP/1.1 requests; its laws are those of `MessageParser`. */
export class RequestParser extends MessageParser {
  readonly #sink: RequestSink;
  readonly #memory = new HeadMemory();
  /** Bytes of a blank line before the request that have come, or 2 when none may come any more. */
  #blank = 0;
  #canReuse = false;

  constructor(maxHeadBytes: number, sink: RequestSink) {
    super(maxHeadBytes);
    this.#sink = sink;
  }

  /** Expects one request. */
  begin(): void {
    this.restart();
    this.#blank = 0;
    this.#canReuse = false;
  }

  /** Whether the client lets another request follow on this connection. Known after the head. */
  get canReuse(): boolean {
    return this.#canReuse;
  }

  /**
   * Takes the next bytes.
   *
   * @returns where the request ended or the packet did: bytes behind it are the next request. Or the fault.
   */
  push(packet: Buffer): number | MessageFault {
    return this.#blank === 2 ? this.consume(packet, 0) : this.#pushFirst(packet);
  }

  /** One blank line before a request is left over from a careless client's last body (RFC 9112 §2.2). */
  #pushFirst(packet: Buffer): number | MessageFault {
    let at = 0;
    if (this.#blank === 0 && packet[0] === CR) {
      this.#blank = 1;
      at = 1;
    }
    if (at === packet.length) return at;
    if (this.#blank === 1 && packet[at] !== LF) {
      this.halt();
      return malformed('the request does not start with a method');
    }
    if (this.#blank === 1) at += 1;
    this.#blank = 2;
    return this.consume(packet, at);
  }

  protected override checkStart(bytes: Buffer): MessageFault | null {
    return START.test(bytes.toString('latin1', 0, 33)) ? null : malformed('the request does not start with a method');
  }

  protected override takeHead(text: string): MessageFault | null {
    const head = parseRequestHead(text, this.#memory);
    if ('kind' in head) return head;
    const framing = frameBody(head.minor, head.headers);
    if ('fault' in framing) return framing.fault;
    const hosts = head.headers.reduce((count, [name]) => (name === 'host' ? count + 1 : count), 0);
    if (hosts > 1 || (hosts === 0 && head.minor === 1)) return malformed('a request needs one host header');
    this.#canReuse = framing.isPersistent;
    if (framing.isChunked) this.bodyFollows('chunks');
    else this.bodyFollows('length', framing.length ?? 0);
    this.#sink.onHead(head);
    return null;
  }

  protected override takeData(bytes: Buffer): void {
    this.#sink.onData(bytes);
  }
}
