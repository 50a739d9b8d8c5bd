import type { Clock, Timer } from '../core/clock.ts';
import { type Millis, minus, plus } from '../core/units.ts';

/** What the pool must know of a connection. */
export interface PooledConnection {
  readonly origin: string;
  /** Until when it may be taken; set by the pool. */
  expiresAt: Millis;
  isOpen(): boolean;
  /** Closes it, if it is not closed. The pool has forgotten it by then. */
  close(): void;
}

/**
 * Idle connections by origin, the youngest taken first so that the surplus ages and goes.
 *
 * Age and life are checked when one is taken; the sweep only frees what nobody took, so it may be late and runs seldom. Origins
 * without idle connections leave no trace.
 */
export class IdlePool<Connection extends PooledConnection> {
  readonly #clock: Clock;
  readonly #maxPerOrigin: number;
  readonly #sweepEvery: Millis;
  readonly #idle = new Map<string, Connection[]>();
  #sweep: Timer | null = null;
  #isClosed = false;

  constructor(clock: Clock, maxPerOrigin: number, sweepEvery: Millis) {
    this.#clock = clock;
    this.#maxPerOrigin = maxPerOrigin;
    this.#sweepEvery = sweepEvery;
  }

  /** The youngest connection that is open and young enough, or null. */
  take(origin: string): Connection | null {
    const list = this.#idle.get(origin);
    if (list === undefined) return null;
    const now = this.#clock.now();
    let found: Connection | null = null;
    while (found === null && list.length > 0) {
      const youngest = list.pop()!;
      if (youngest.expiresAt > now && youngest.isOpen()) found = youngest;
      else youngest.close();
    }
    if (list.length === 0) this.#idle.delete(origin);
    return found;
  }

  /** Keeps a connection for at most `lifetime`; the oldest goes when there are too many. */
  put(connection: Connection, lifetime: Millis): void {
    if (this.#isClosed || lifetime <= 0 || this.#maxPerOrigin === 0) {
      connection.close();
      return;
    }
    connection.expiresAt = plus(this.#clock.now(), lifetime);
    const list = this.#idle.get(connection.origin);
    if (list === undefined) this.#idle.set(connection.origin, [connection]);
    else if (list.push(connection) > this.#maxPerOrigin) list.shift()?.close();
    this.#sweep ??= this.#clock.after(this.#sweepEvery, () => this.#closeOld());
  }

  /** Closes everything, and whatever comes later. */
  close(): void {
    this.#isClosed = true;
    this.#sweep?.cancel();
    this.#sweep = null;
    const lists = [...this.#idle.values()];
    this.#idle.clear();
    for (const list of lists) for (const connection of list) connection.close();
  }

  #closeOld(): void {
    const now = this.#clock.now();
    for (const [origin, list] of this.#idle) {
      const young = list.filter((connection) => minus(connection.expiresAt, now) > 0 && connection.isOpen());
      if (young.length === list.length) continue;
      if (young.length === 0) this.#idle.delete(origin);
      else this.#idle.set(origin, young);
      for (const connection of list) if (!young.includes(connection)) connection.close();
    }
    this.#sweep = this.#idle.size === 0 ? null : this.#clock.after(this.#sweepEvery, () => this.#closeOld());
  }
}
