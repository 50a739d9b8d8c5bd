import type { Clock } from '../core/clock.ts';
import type { Millis } from '../core/units.ts';

/**
 * A bounded number of permits, handed out in the order of asking, with a deadline for those who wait.
 *
 * It stands in front of the pool of connections, because Bun.sql 1.4.5 queues callers without a limit of time.
 */
export class Permits {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(count: number, clock: Clock) {
    this.#free = count;
    this.#clock = clock;
  }

  /** @returns false when none was free before `patience` had passed; else `give` must be called once */
  take(patience: Millis): Promise<boolean> {
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const grant = () => {
        timer.cancel();
        resolve(true);
      };
      const timer = this.#clock.after(patience, () => {
        this.#waiting.delete(grant);
        resolve(false);
      });
      this.#waiting.add(grant);
    });
  }

  /** Returns a permit: the one who has waited longest gets it. */
  give(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
