import type { Clock, Timer } from '../../src/core/clock.ts';
import { type EpochMillis, epochMillis, type Millis, millis } from '../../src/core/units.ts';

interface Pending {
  readonly at: number;
  /** Timers of one moment run in the order in which they were set. */
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. */
export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #epoch: number;
  readonly #pending = new Set<Pending>();

  /** @param epoch wall-clock time at the start */
  constructor(epoch = Date.UTC(2026, 0, 1)) {
    this.#epoch = epoch;
  }

  now(): Millis {
    return millis(this.#now);
  }

  wall(): EpochMillis {
    return epochMillis(this.#epoch + this.#now);
  }

  after(delay: Millis, callback: () => void): Timer {
    const pending: Pending = { at: this.#now + Math.max(0, delay), order: this.#order++, callback };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** Moves to a point in time and runs on the way what falls due, timers set meanwhile included. */
  advanceTo(time: Millis): void {
    for (let next = this.#earliest(); next !== null && next.at <= time; next = this.#earliest()) this.#run(next);
    this.#now = Math.max(this.#now, time);
  }

  /** Runs timers until none is left. */
  runAll(most = 100_000): void {
    for (let count = 0; count < most; count += 1) {
      const next = this.#earliest();
      if (next === null) return;
      this.#run(next);
    }
    throw new Error(`timers keep setting timers: more than ${most} ran`);
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#pending.size;
  }

  #run(pending: Pending): void {
    this.#pending.delete(pending);
    this.#now = Math.max(this.#now, pending.at);
    pending.callback();
  }

  #earliest(): Pending | null {
    let first: Pending | null = null;
    for (const each of this.#pending) {
      if (first === null || each.at < first.at || (each.at === first.at && each.order < first.order)) first = each;
    }
    return first;
  }
}
