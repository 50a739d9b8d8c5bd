import type { HeaderPair } from '../core/http.ts';
import { frameBody, HeadMemory, type MessageFault, malformed, parseResponseHead } from './http-grammar.ts';
import { MessageParser } from './message-parser.ts';

/** Where the parts of a response go. */
export interface ResponseSink {
  /** The final head; names in lower case. */
  onHead(status: number, headers: readonly HeaderPair[]): void;
  /** Body bytes without transfer coding, never empty. */
  onData(bytes: Buffer): void;
}

const VERSION = 'HTTP/1.';
/** Interim responses before the final one; providers send none or one. */
const MAX_INTERIMS = 16;

/** A strict parser of HTTP/1.1 responses; its laws are those of `MessageParser`. */
export class ResponseParser extends MessageParser {
  readonly #sink: ResponseSink;
  readonly #memory = new HeadMemory();
  #noBody = false;
  #interims = 0;
  #canReuse = false;
  #keepAliveSeconds: number | null = null;
  #hasSurplus = false;

  constructor(maxHeadBytes: number, sink: ResponseSink) {
    super(maxHeadBytes);
    this.#sink = sink;
  }

  /** Expects one response; `noBody` when the request was a HEAD. */
  begin(body: 'body' | 'no-body'): void {
    this.restart();
    this.#noBody = body === 'no-body';
    this.#interims = 0;
    this.#canReuse = false;
    this.#keepAliveSeconds = null;
    this.#hasSurplus = false;
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
  push(packet: Buffer): MessageFault | null {
    const end = this.consume(packet, 0);
    if (typeof end !== 'number') return end;
    if (end < packet.length) {
      this.#canReuse = false;
      this.#hasSurplus = true;
    }
    return null;
  }

  /** The other side has ended the connection in order (FIN); a reset is never an end. */
  finish(): MessageFault | null {
    const wasInHead = this.isInHead;
    if (this.closed() || this.isOver) return null;
    this.halt();
    return wasInHead
      ? { kind: 'closed', code: 'ECONNRESET', message: 'the connection was closed before a complete response head' }
      : { kind: 'closed', code: 'ETRUNCATED', message: 'the connection was closed in the middle of the body' };
  }

  protected override checkStart(bytes: Buffer): MessageFault | null {
    const isRight = VERSION.startsWith(bytes.toString('latin1', 0, VERSION.length));
    return isRight ? null : malformed('the answer does not start with HTTP/1.');
  }

  protected override takeHead(text: string): MessageFault | null {
    const head = parseResponseHead(text, this.#memory);
    if ('kind' in head) return head;
    if (head.status < 200) return this.#interim(head.status);
    const framing = frameBody(head.minor, head.headers);
    if ('fault' in framing) return framing.fault;
    this.#canReuse = framing.isPersistent;
    this.#keepAliveSeconds = framing.keepAliveSeconds;
    if (this.#noBody || head.status === 204 || head.status === 304) this.bodyFollows('none');
    else if (framing.isChunked) this.bodyFollows('chunks');
    else if (framing.length !== null) this.bodyFollows('length', framing.length);
    else {
      this.bodyFollows('close');
      this.#canReuse = false;
    }
    this.#sink.onHead(head.status, head.headers);
    return null;
  }

  protected override takeData(bytes: Buffer): void {
    this.#sink.onData(bytes);
  }

  #interim(status: number): MessageFault | null {
    if (status === 101) return malformed('the upstream switched protocols unasked (101)');
    this.#interims += 1;
    if (this.#interims > MAX_INTERIMS) return malformed(`more than ${MAX_INTERIMS} interim responses (1xx)`);
    this.headAgain();
    return null;
  }
}
