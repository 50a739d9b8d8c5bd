import type { Clock, Timer } from '../../core/clock.ts';
import { type Millis, seconds } from '../../core/units.ts';
import type { RateLimits } from '../../metering/rate-limit.ts';
import type { LimitBook } from '../../store/limit-book.ts';

/** So old may be what is known of other instances' requests. */
const EVERY: Millis = seconds(1);
/** Rounds between two clearances. */
const CLEAR_EVERY = 60;
/** Rounds without an answer after which the others are counted no more. */
const MOST_FAILURES = 5;

/** What is needed of the store. */
type Book = Pick<LimitBook, 'hasCompany' | 'exchange' | 'clear'>;

/**
 * Tells the other instances on a database every second what this one has counted under limits, and hears the same of
 * them. An instance that is alone tells nobody anything.
 */
export class LimitKeeper {
  readonly #book: Book;
  readonly #limits: RateLimits;
  readonly #clock: Clock;
  readonly #instance: string;
  #timer: Timer | null = null;
  #rounds = 0;
  #failures = 0;
  #isClosed = false;

  constructor(book: Book, limits: RateLimits, clock: Clock, instance: string) {
    this.#book = book;
    this.#limits = limits;
    this.#clock = clock;
    this.#instance = instance;
  }

  start(): void {
    if (this.#isClosed) return;
    this.#timer = this.#clock.after(EVERY, () => void this.exchange().finally(() => this.start()));
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** One round. While the database is away each instance counts for itself, as if it were alone. */
  async exchange(): Promise<void> {
    try {
      if (await this.#book.hasCompany(this.#instance)) await this.#share();
      else this.#limits.hear([], []);
      this.#rounds += 1;
      this.#failures = 0;
      if (this.#rounds % CLEAR_EVERY === 0) await this.#book.clear();
    } catch {
      this.#failures += 1;
      if (this.#failures >= MOST_FAILURES) this.#limits.hear([], []);
    }
  }

  async #share(): Promise<void> {
    const own = this.#limits.counted(this.#clock.now());
    this.#limits.hear(own, await this.#book.exchange(this.#instance, own));
  }
}
