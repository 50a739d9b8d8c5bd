import type { Clock, Timer } from '../../core/clock.ts';
import { type Millis, millis } from '../../core/units.ts';
import type { HoldBook } from '../../store/ledger/hold-book.ts';
import type { Store } from '../../store/store.ts';
import { LEASE } from './exchanges.ts';

const AGAIN: Millis = millis(LEASE / 5);

/** Lets the other instances on a database know of this one, and forgets those whose journal is in the store. */
export class Presence {
  readonly #holds: Pick<HoldBook, 'announce' | 'drop'>;
  readonly #clock: Clock;
  readonly #instance: string;
  readonly #unsubscribe: () => void;
  #timer: Timer | null = null;

  constructor(
    { holds, onHealth }: Pick<Store, 'onHealth'> & { readonly holds: Pick<HoldBook, 'announce' | 'drop'> },
    clock: Clock,
    instance: string,
  ) {
    this.#holds = holds;
    this.#clock = clock;
    this.#instance = instance;
    this.#unsubscribe = onHealth(({ kind }) => {
      if (kind === 'up') this.announce();
    });
  }

  /** Says so now and every minute. */
  announce(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(AGAIN, () => this.announce());
    // While the database is away nobody asks who is alive.
    this.#holds.announce(this.#instance, LEASE).catch(() => undefined);
  }

  /** Everything that an instance spent is in the store. Where that cannot be said, its lease says it. */
  async gone(instance: string): Promise<void> {
    await this.#holds.drop(instance).catch(() => undefined);
  }

  /** @param isComplete whether the store has everything that this instance spent */
  async close(isComplete: boolean): Promise<void> {
    this.#unsubscribe();
    this.#timer?.cancel();
    if (isComplete) await this.gone(this.#instance);
  }
}
