/** The part of a socket that is written to. */
export interface WritableSocket {
  /** @returns bytes taken; fewer than given when the other side does not keep up, -1 when the connection is gone */
  write(bytes: Uint8Array): number;
}

/**
 * Writes to a socket and keeps what it does not take.
 *
 * Nothing is written past a backlog, so bytes leave in the order in which they came.
 */
export class SocketWriter {
  readonly #socket: WritableSocket;
  #backlog: Uint8Array[] = [];

  constructor(socket: WritableSocket) {
    this.#socket = socket;
  }

  get hasBacklog(): boolean {
    return this.#backlog.length > 0;
  }

  /** Takes all bytes. False: some of them wait for the other side. */
  write(bytes: Uint8Array): boolean {
    if (this.#backlog.length > 0) {
      this.#backlog.push(bytes);
      return false;
    }
    const rest = this.#put(bytes);
    if (rest === null) return true;
    this.#backlog.push(rest);
    return false;
  }

  /** The socket takes more. True: nothing waits any longer. */
  drain(): boolean {
    let sent = 0;
    for (const bytes of this.#backlog) {
      const rest = this.#put(bytes);
      if (rest !== null) {
        this.#backlog[sent] = rest;
        break;
      }
      sent += 1;
    }
    this.#backlog.splice(0, sent);
    return this.#backlog.length === 0;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#backlog = [];
  }

  /** What the socket did not take. A connection that is gone takes everything: its end is told elsewhere. */
  #put(bytes: Uint8Array): Uint8Array | null {
    const taken = this.#socket.write(bytes);
    return taken < 0 || taken >= bytes.length ? null : bytes.subarray(taken);
  }
}
