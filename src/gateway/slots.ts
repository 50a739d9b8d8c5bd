import type { Clock, Timer } from '../core/clock.ts';
import type { Deployment, RoutingSettings } from '../core/snapshot.ts';
import type { Millis } from '../core/units.ts';

/** Tokens that LiteLLM takes for one request when it derives a limit from `tpm` (litellm.md §2.3.9). */
const TOKENS_PER_REQUEST = 1000;
const REQUESTS_PER_MINUTE_PER_SLOT = 6;

/** A place at a deployment; `release` may be called more than once. */
export interface Slot {
  readonly kind: 'slot';
  /** False where no limit is set: then there is nothing to release. */
  readonly isCounted: boolean;
  release(): void;
}

/** A place in the queue for a slot. */
export interface Ticket {
  readonly kind: 'ticket';
  /** Null when the wait was too long, or given up. */
  readonly slot: Promise<Slot | null>;
  /** Gives the place up; too late when the slot was granted already. */
  leave(): void;
}

interface Waiter {
  readonly grant: (slot: Slot | null) => void;
  readonly timer: Timer;
}

interface Queue {
  busy: number;
  readonly waiting: Set<Waiter>;
}

const FREE_SLOT: Slot = { kind: 'slot', isCounted: false, release() {} };

/**
 * The semaphore of each deployment (`max_parallel_requests`): requests over the limit wait, they are not refused.
 *
 * A slot is released exactly once, whatever the end of its attempt, so that none can leak.
 */
export class Slots {
  readonly #queues = new Map<string, Queue>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Takes a place, now if there is one.
   *
   * @param patience longest wait
   */
  take(deployment: Deployment, settings: RoutingSettings, patience: Millis): Slot | Ticket {
    const limit = slotLimit(deployment, settings);
    if (limit === null) return FREE_SLOT;
    const queue = this.#queue(deployment.id);
    if (queue.busy < limit) return this.#grant(queue);
    return this.#wait(queue, patience);
  }

  #wait(queue: Queue, patience: Millis): Ticket {
    const { promise, resolve } = Promise.withResolvers<Slot | null>();
    const leave = (): void => {
      if (!queue.waiting.delete(waiter)) return;
      waiter.timer.cancel();
      resolve(null);
    };
    const waiter: Waiter = { grant: resolve, timer: this.#clock.after(patience, leave) };
    queue.waiting.add(waiter);
    return { kind: 'ticket', slot: promise, leave };
  }

  #queue(id: string): Queue {
    let queue = this.#queues.get(id);
    if (queue === undefined) {
      queue = { busy: 0, waiting: new Set() };
      this.#queues.set(id, queue);
    }
    return queue;
  }

  #grant(queue: Queue): Slot {
    queue.busy += 1;
    let isHeld = true;
    return {
      kind: 'slot',
      isCounted: true,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        queue.busy -= 1;
        const [next] = queue.waiting;
        if (next === undefined) return;
        queue.waiting.delete(next);
        next.timer.cancel();
        next.grant(this.#grant(queue));
      },
    };
  }
}

/** LiteLLM's derivation: `max_parallel_requests`, else rpm, else tpm, else the router's default, else none. */
export function slotLimit(deployment: Deployment, settings: RoutingSettings): number | null {
  if (deployment.maxParallel !== null) return Math.max(1, deployment.maxParallel);
  if (deployment.rpm !== null) return Math.max(1, deployment.rpm);
  if (deployment.tpm !== null) {
    return Math.max(1, Math.floor(deployment.tpm / TOKENS_PER_REQUEST / REQUESTS_PER_MINUTE_PER_SLOT));
  }
  return settings.defaultMaxParallel;
}
