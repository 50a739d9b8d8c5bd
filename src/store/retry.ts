import type { Clock } from '../core/clock.ts';
import { type Millis, millis } from '../core/units.ts';
import { Contention, StoreUnavailable } from './errors.ts';

const TRIES = 6;
const FIRST_PAUSE = 10;

/**
 * Runs a transaction again when another stood in its way: a deadlock, or two that could not be put in an order.
 *
 * @throws StoreUnavailable when even the last try met another
 */
export async function withRetries<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Contention)) throw error;
      if (tries === TRIES)
        throw new StoreUnavailable(`the database was too busy with other changes of the same rows: ${error.message}`);
      await pause(clock, millis(Math.random() * FIRST_PAUSE * 2 ** tries));
    }
  }
}

const pause = (clock: Clock, delay: Millis): Promise<void> =>
  new Promise((resolve) => {
    clock.after(delay, resolve);
  });
