import type { Clock } from '../core/clock.ts';
import { type EpochMillis, type Millis, millis } from '../core/units.ts';

/** Whether the database answers. */
export type HealthState =
  | { readonly kind: 'up' }
  | { readonly kind: 'down'; readonly since: EpochMillis; readonly reason: string };

const FIRST_DELAY = millis(50);
const LONGEST_DELAY = millis(1_000);

/**
 * Whether the database answers, and the attempts to reach it again.
 *
 * 1. A call that fails for want of a connection makes it `down`; nothing else does.
 * 2. While it is down a probe runs again and again, with growing pauses, for ever.
 * 3. Only a probe that succeeds makes it `up`.
 *
 * ```
 *        failed(reason)
 *   up ────────────────▶ down ──┐ probe fails: wait, probe again
 *    ▲                    │ ▲───┘
 *    └────────────────────┘ probe succeeds
 * ```
 */
export class StoreHealth {
  readonly #clock: Clock;
  readonly #probe: () => Promise<void>;
  readonly #listeners = new Set<(state: HealthState) => void>();
  #state: HealthState = { kind: 'up' };
  #isClosed = false;

  constructor(clock: Clock, probe: () => Promise<void>) {
    this.#clock = clock;
    this.#probe = probe;
  }

  get state(): HealthState {
    return this.#state;
  }

  /** Calls `listener` at every change, until the returned function is called. */
  onChange(listener: (state: HealthState) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** A connection failed. */
  failed(reason: string): void {
    if (this.#state.kind === 'down' || this.#isClosed) return;
    this.#become({ kind: 'down', since: this.#clock.wall(), reason });
    void this.#recover(FIRST_DELAY);
  }

  /** Stops probing. */
  close(): void {
    this.#isClosed = true;
  }

  async #recover(delay: Millis): Promise<void> {
    try {
      await this.#probe();
      if (!this.#isClosed) this.#become({ kind: 'up' });
    } catch (error) {
      if (this.#isClosed) return;
      this.#note(error);
      const next = millis(Math.min(delay * 2, LONGEST_DELAY));
      this.#clock.after(delay, () => void this.#recover(next));
    }
  }

  /** What is in the way now may be something else than what was at first. */
  #note(error: unknown): void {
    if (this.#state.kind === 'down' && error instanceof Error) this.#state = { ...this.#state, reason: error.message };
  }

  #become(state: HealthState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}
