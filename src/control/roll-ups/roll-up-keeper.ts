import type { Clock, Timer } from '../../core/clock.ts';
import { type Millis, seconds } from '../../core/units.ts';
import type { Store } from '../../store/store.ts';

/** How often it is looked whether a day has ended, or was opened again by a late entry. */
const LOOK: Millis = seconds(600);

/** Adds up the days that are over, in the background: now, and from then on as they end. */
export class RollUpKeeper {
  readonly #store: Pick<Store, 'rollUp'>;
  readonly #clock: Clock;
  readonly #failed: (reason: string) => void;
  #timer: Timer | null = null;
  #isClosed = false;

  /** @param failed told why days were not added up; reports go on reading their rows */
  constructor(store: Pick<Store, 'rollUp'>, clock: Clock, failed: (reason: string) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#failed = failed;
  }

  start(): void {
    void this.run();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** Does what there is to do; never throws. */
  async run(): Promise<void> {
    try {
      await this.#store.rollUp();
    } catch (error) {
      if (!this.#isClosed) this.#failed(error instanceof Error ? error.message : String(error));
    }
    if (!this.#isClosed) this.#timer = this.#clock.after(LOOK, () => void this.run());
  }
}
