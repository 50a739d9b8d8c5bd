import type { ClientStream } from './server.ts';

/** Where the bytes of a streamed answer go, and who hears of its end. */
export interface StreamOwner {
  /** False: some of the bytes wait for the client. */
  send(bytes: Uint8Array): boolean;
  streamEnded(): void;
  streamCut(): void;
}

const LAST_CHUNK = '0\r\n\r\n';
const CRLF = '\r\n';

/** A streamed answer over HTTP/1.1: each write is one chunk, and the head leaves with the first. */
export class H1ClientStream implements ClientStream {
  readonly #owner: StreamOwner;
  readonly #isChunked: boolean;
  /** The answer's head while it has not been sent. */
  #head: string;
  #drained: (() => void) | null = null;
  #isBacklogged = false;
  #isOver = false;

  /** @param framing `bare`: the end of the connection ends the body (HTTP/1.0) */
  constructor(owner: StreamOwner, head: string, framing: 'chunked' | 'bare') {
    this.#owner = owner;
    this.#head = head;
    this.#isChunked = framing === 'chunked';
  }

  write(bytes: Uint8Array): boolean {
    // An empty chunk would be the last one.
    if (this.#isOver || bytes.length === 0) return true;
    const head = this.#takeHead();
    const hasRoom = this.#owner.send(
      this.#isChunked ? framed(`${head}${bytes.length.toString(16)}${CRLF}`, bytes, CRLF) : framed(head, bytes, ''),
    );
    if (!hasRoom) this.#isBacklogged = true;
    return hasRoom;
  }

  onDrain(callback: () => void): void {
    this.#drained = callback;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#send(this.#takeHead() + (this.#isChunked ? LAST_CHUNK : ''));
    this.#owner.streamEnded();
  }

  cut(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#send(this.#takeHead());
    this.#owner.streamCut();
  }

  // What the connection says.

  /** The first write may be long in coming: the client gets the head without it. */
  begin(): void {
    if (!this.#isOver) this.#send(this.#takeHead());
  }

  /** The client has taken everything. */
  drained(): void {
    if (!this.#isBacklogged || this.#isOver) return;
    this.#isBacklogged = false;
    this.#drained?.();
  }

  /** The client has left: nothing is written any more, and nothing asked for. */
  forget(): void {
    this.#isOver = true;
  }

  #takeHead(): string {
    const head = this.#head;
    this.#head = '';
    return head;
  }

  #send(text: string): void {
    if (text !== '') this.#owner.send(Buffer.from(text, 'latin1'));
  }
}

/** Latin-1 text, bytes and latin-1 text as one piece: one copy is cheaper than two more system calls. */
export function framed(before: string, bytes: Uint8Array, after: string): Buffer {
  const whole = Buffer.allocUnsafe(before.length + bytes.length + after.length);
  whole.write(before, 0, 'latin1');
  whole.set(bytes, before.length);
  if (after !== '') whole.write(after, before.length + bytes.length, 'latin1');
  return whole;
}
