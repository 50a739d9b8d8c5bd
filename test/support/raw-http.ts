import { connect, type Socket } from 'node:net';

/** How the other side ended a connection. */
export type ConnectionEnd = 'fin' | 'reset' | 'refused';

/**
 * A client that sends exactly the bytes it is given and keeps exactly the bytes it gets.
 *
 * For tests of what goes over the wire; waits for facts, never for time.
 */
export class RawClient {
  readonly #socket: Socket;
  readonly #parts: Buffer[] = [];
  #size = 0;
  #waiters: { readonly size: number; readonly resolve: () => void }[] = [];
  /** Resolves when the other side has ended the connection. */
  readonly ended: Promise<ConnectionEnd>;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1' });
    this.#socket.on('data', (bytes) => this.#take(bytes as Buffer)); // no encoding is set
    this.ended = new Promise((resolve) => {
      this.#socket.on('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code === 'ECONNREFUSED' ? 'refused' : 'reset');
      });
      this.#socket.on('end', () => resolve('fin'));
      this.#socket.on('close', () => resolve('fin'));
    });
  }

  /** All bytes received so far. */
  get received(): Buffer {
    return Buffer.concat(this.#parts);
  }

  send(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Resolves when at least that many bytes have come, or the connection has ended. */
  async untilReceived(size: number): Promise<void> {
    if (this.#size >= size) return;
    const enough = new Promise<void>((resolve) => this.#waiters.push({ size, resolve }));
    await Promise.race([enough, this.ended]);
  }

  /** Stops reading: what comes waits in the sockets' buffers. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Leaves without a word. */
  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#size += bytes.length;
    for (const waiter of this.#waiters) if (this.#size >= waiter.size) waiter.resolve();
    this.#waiters = this.#waiters.filter((waiter) => this.#size < waiter.size);
  }
}

/** The bytes of a POST with a JSON body. */
export function postBytes(path: string, headers: Readonly<Record<string, string>>, body: unknown): string {
  const text = JSON.stringify(body);
  const all = {
    host: 'test',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${text}`;
}
