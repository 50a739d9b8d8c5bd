import type { HeaderPair } from '../core/http.ts';
import { decodeBody, tooLarge } from './body.ts';
import type { RequestHead } from './http-grammar.ts';
import type { BodyFault, ServerRequest } from './server.ts';

/** What a request needs of the connection it came by. */
export interface RequestOwner {
  readonly maxBodyBytes: number;
  /** Somebody wants a body that has not arrived in full: it is to be read, and in time. */
  wantBody(): void;
  remoteAddress(): string | null;
}

const NOTHING = new Uint8Array(0);
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
  #chunks: Buffer[] = [];
  #size = 0;
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
    const length = this.header('content-length');
    if (length !== null && Number(length) > owner.maxBodyBytes) this.#fault = tooLarge(owner.maxBodyBytes);
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
    if (this.#isWhole) return this.#decoded();
    return new Promise<Body>((resolve) => {
      this.#waiting = resolve;
      this.#owner.wantBody();
    }).then((body) => (body instanceof Uint8Array ? this.#decode(body) : body));
  }

  onGone(callback: () => void): void {
    if (this.#state === 'gone') queueMicrotask(callback);
    else this.#onGone = callback;
  }

  // What the connection says.

  get isBodyWanted(): boolean {
    return this.#waiting !== null;
  }

  /** Body bytes; beyond the limit they are thrown away, as they are when the answer is over. */
  take(bytes: Buffer): void {
    if (this.#fault !== null || this.#state !== 'open') return;
    this.#size += bytes.length;
    if (this.#size > this.#owner.maxBodyBytes) this.fail(tooLarge(this.#owner.maxBodyBytes));
    else this.#chunks.push(bytes);
  }

  bodyEnded(): void {
    this.#isWhole = true;
    if (this.#waiting !== null && this.#fault === null) this.#deliver(this.#joined());
  }

  /** The body will not be whole. */
  fail(fault: BodyFault): void {
    this.#fault = fault;
    this.#chunks = [];
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
    this.#chunks = [];
  }

  #deliver(body: Body): void {
    this.#waiting?.(body);
    this.#waiting = null;
  }

  #decoded(): Body | Promise<Body> {
    return this.#decode(this.#joined());
  }

  #decode(body: Uint8Array): Body | Promise<Body> {
    const codings = this.header('content-encoding');
    return codings === null ? body : decodeBody(body, codings, this.#owner.maxBodyBytes);
  }

  #joined(): Uint8Array {
    const chunks = this.#chunks;
    this.#chunks = [];
    if (chunks.length === 0) return NOTHING;
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, this.#size);
  }
}

/** Where the path begins: an absolute URL's scheme and host are left out, the host header has been checked. */
function pathStart(target: string): number {
  if (target.startsWith('/')) return 0;
  const scheme = /^https?:\/\/[^/?]*/i.exec(target);
  return scheme === null ? 0 : scheme[0].length;
}
