import type { HeaderPair } from '../core/http.ts';
import { decodeBody, tooLarge } from './body.ts';
import { free, ownsAll } from './free.ts';
import type { RequestHead } from './http-grammar.ts';
import type { BodyFault, ServerRequest } from './server.ts';

/** What a request needs of the connection it came by. */
export interface RequestOwner {
  readonly maxBodyBytes: number;
  /** Somebody wants a body that has not arrived in full: it is to be read, and in time. */
  wantBody(): void;
  remoteAddress(): string | null;
}

const NOTHING = Buffer.alloc(0);
/** Smaller ones may share their memory with others, and are soon collected. */
const WORTH_FREEING = 64 * 1024;
/** Room made ahead for a body whose length the client only claims, bytes. */
const MOST_ROOM_AHEAD = 4 << 20;
const GONE: BodyFault = { kind: 'client-gone', message: 'the client went away while sending its request' };

type Body = Uint8Array | BodyFault;

/** A request as it came over a connection; its path is the one that was sent, nothing resolved or decoded. */
export class H1Request implements ServerRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Whether the client waits for a `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  readonly #headers: readonly HeaderPair[];
  readonly #owner: RequestOwner;
  /** Bytes that the body will have, as far as the client says. */
  readonly #length: number;
  /** The body so far: a small one is a slice of its packet, a larger one is copied together as it comes. */
  #body: Buffer = NOTHING;
  #size = 0;
  /** The memory of a body that was handed out, when it is the request's own. */
  #handedOut: ArrayBuffer | null = null;
  #isWhole = false;
  #fault: BodyFault | null = null;
  #waiting: ((body: Body) => void) | null = null;
  #onGone: (() => void) | null = null;
  #state: 'open' | 'gone' | 'answered' = 'open';

  constructor({ method, target, headers }: RequestHead, owner: RequestOwner) {
    this.method = method;
    const from = pathStart(target);
    const mark = target.indexOf('?', from);
    const path = target.slice(from, mark < 0 ? target.length : mark);
    this.path = path === '' ? '/' : path;
    this.query = mark < 0 ? '' : target.slice(mark + 1);
    this.#headers = headers;
    this.#owner = owner;
    this.expectsContinue = this.header('expect')?.toLowerCase() === '100-continue';
    this.#length = Number(this.header('content-length') ?? 0);
    if (this.#length > owner.maxBodyBytes) this.#fault = tooLarge(owner.maxBodyBytes);
  }

  header(name: string): string | null {
    const wanted = name.toLowerCase();
    let value: string | null = null;
    for (const header of this.#headers)
      if (header[0] === wanted) value = value === null ? header[1] : `${value}, ${header[1]}`;
    return value;
  }

  headers(): readonly HeaderPair[] {
    return this.#headers;
  }

  remoteAddress(): string | null {
    return this.#owner.remoteAddress();
  }

  readBody(): Body | Promise<Body> {
    if (this.#fault !== null) return this.#fault;
    if (this.#isWhole) return this.#decode(this.#takeBody());
    return new Promise<Body>((resolve) => {
      this.#waiting = resolve;
      this.#owner.wantBody();
    }).then((body) => (body instanceof Uint8Array ? this.#decode(body) : body));
  }

  forgetBody(): void {
    this.#handedOut?.transfer(0);
    this.#handedOut = null;
  }

  onGone(callback: () => void): void {
    if (this.#state === 'gone') queueMicrotask(callback);
    else this.#onGone = callback;
  }

  // What the connection says.

  get isBodyWanted(): boolean {
    return this.#waiting !== null;
  }

  /** Whether nobody wants what comes of the body. */
  get isDiscarding(): boolean {
    return this.#fault !== null || this.#state !== 'open';
  }

  /** Body bytes; beyond the limit they are thrown away, as they are when the answer is over. */
  take(bytes: Buffer): void {
    if (this.isDiscarding) return;
    const size = this.#size + bytes.length;
    if (size > this.#owner.maxBodyBytes) {
      this.fail(tooLarge(this.#owner.maxBodyBytes));
      return;
    }
    if (this.#size === 0 && bytes.length >= this.#length) this.#body = bytes;
    else this.#append(bytes, size);
    this.#size = size;
  }

  bodyEnded(): void {
    this.#isWhole = true;
    if (this.#waiting !== null && this.#fault === null) this.#deliver(this.#takeBody());
  }

  /** The body will not be whole. */
  fail(fault: BodyFault): void {
    this.#fault = fault;
    this.#body = NOTHING;
    this.#deliver(fault);
  }

  gone(): void {
    if (this.#state !== 'open') return;
    this.#state = 'gone';
    if (!this.#isWhole) this.fail(GONE);
    this.#onGone?.();
  }

  /** The answer is complete: from here on a client that leaves is no news. */
  answered(): void {
    this.#state = 'answered';
    this.#body = NOTHING;
  }

  #deliver(body: Body): void {
    this.#waiting?.(body);
    this.#waiting = null;
  }

  #decode(body: Uint8Array): Body | Promise<Body> {
    const codings = this.header('content-encoding');
    return codings === null ? body : decodeBody(body, codings, this.#owner.maxBodyBytes);
  }

  /** A packet that was copied gives its memory back at once: a collection may be a hundred large bodies away. */
  #append(bytes: Buffer, size: number): void {
    if (size > this.#body.length) this.#grow(size);
    this.#body.set(bytes, this.#size);
    free(bytes);
  }

  #grow(size: number): void {
    const wanted = Math.max(size, this.#body.length * 2, Math.min(this.#length, MOST_ROOM_AHEAD));
    const room = Buffer.allocUnsafeSlow(Math.min(wanted, this.#length > 0 ? this.#length : this.#owner.maxBodyBytes));
    room.set(this.#body.subarray(0, this.#size));
    this.#body = room;
  }

  #takeBody(): Uint8Array {
    const body = this.#body;
    this.#body = NOTHING;
    if (body.length >= WORTH_FREEING && ownsAll(body.buffer, body.length)) this.#handedOut = body.buffer;
    return body.length === this.#size ? body : body.subarray(0, this.#size);
  }
}

/** Where the path begins: an absolute URL's scheme and host are left out, the host header has been checked. */
function pathStart(target: string): number {
  if (target.startsWith('/')) return 0;
  const scheme = /^https?:\/\/[^/?]*/i.exec(target);
  return scheme === null ? 0 : scheme[0].length;
}
