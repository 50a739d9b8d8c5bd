import type { Clock, Timer } from '../../core/clock.ts';
import { retryAfterHeader } from '../../core/retry-after.ts';
import { type Millis, millis, seconds } from '../../core/units.ts';

/** One HTTP request to a receiver. Address and headers may hold credentials: neither is ever logged. */
export interface Delivery {
  readonly method: 'POST' | 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A receiver's answer. */
export interface Receipt {
  readonly status: number;
  /** As the header says it: seconds or a date. */
  readonly retryAfter: string | null;
}

/** Sends once. Rejects when there is no answer within the time that one may take. */
export type Send = (delivery: Delivery) => Promise<Receipt>;

export interface ExportQueueParts<Item> {
  /** Put into one request; asked again for each try. */
  readonly encode: (items: readonly Item[]) => Delivery;
  /** Whether a later try may do better after this status. */
  readonly mayRetry: (status: number) => boolean;
  readonly send: Send;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly observe: ExportObserver;
  readonly limits: ExportLimits;
}

export interface ExportLimits {
  /** Items in one request. */
  readonly together: number;
  /** Items in memory, those on their way left out; one more is dropped. */
  readonly most: number;
  /** Requests at one time. */
  readonly atOnce: number;
  /** How long an item waits for company. */
  readonly delay: Millis;
}

export interface ExportObserver {
  sent(items: number): void;
  retried(reason: string): void;
  lost(items: number, reason: string): void;
}

const FIRST_PAUSE: Millis = seconds(1);
const LONGEST_PAUSE: Millis = seconds(30);
/** Items that were tried for so long are given up, so that those behind them get their turn. */
const PATIENCE: Millis = seconds(120);

/**
 * Sends records in the background: bounded, in batches, tried again while it may help.
 *
 *   push ─▶ waiting ─(enough, or old enough)─▶ on their way ─▶ taken
 *                                                │    ▲
 *                                                └────┘ failed: again after 1 s, 2 s … 30 s, or what the receiver asks for
 *
 * 1. `push` never waits, and never grows memory beyond `most` + `together` · `atOnce` items.
 * 2. Every item is counted once: sent, or lost.
 * 3. Encoding happens outside the caller's stack.
 */
export class ExportQueue<Item> {
  readonly #parts: ExportQueueParts<Item>;
  #waiting: Item[] = [];
  #running = 0;
  #onTheirWay = 0;
  #timer: Timer | null = null;
  #isHurried = false;
  #isDue = false;
  #isClosing = false;
  #isOver = false;
  readonly #pauses = new Set<() => void>();
  #whenDone: (() => void) | null = null;

  constructor(parts: ExportQueueParts<Item>) {
    this.#parts = parts;
  }

  /** Takes an item, or drops it when too many wait. */
  push(item: Item): void {
    const { limits, observe } = this.#parts;
    if (this.#isClosing || this.#waiting.length >= limits.most) {
      observe.lost(1, this.#isClosing ? 'the exporter is closed' : 'too many wait');
      return;
    }
    this.#waiting.push(item);
    this.#schedule();
  }

  /** Sends what there is, each batch once more at most; after `patience` the rest is lost. Takes nothing any more. */
  async close(patience: Millis): Promise<void> {
    this.#isClosing = true;
    const done = new Promise<void>((resolve) => {
      this.#whenDone = resolve;
    });
    for (const wake of this.#pauses) wake();
    this.#start();
    const last = this.#parts.clock.after(patience, () => this.#whenDone?.());
    if (this.#running > 0) await done;
    last.cancel();
    this.#timer?.cancel();
    this.#isOver = true;
    const left = this.#waiting.length + this.#onTheirWay;
    this.#waiting = [];
    if (left > 0) this.#parts.observe.lost(left, 'the gateway ended');
  }

  #schedule(): void {
    const { limits, clock } = this.#parts;
    if (this.#running >= limits.atOnce) return;
    const isEnough = this.#waiting.length >= limits.together;
    if (this.#timer !== null && (this.#isHurried || !isEnough)) return;
    this.#timer?.cancel();
    this.#isHurried = isEnough;
    this.#timer = clock.after(isEnough ? millis(0) : limits.delay, () => {
      this.#timer = null;
      this.#isHurried = false;
      this.#isDue = !isEnough;
      this.#start();
    });
  }

  #start(): void {
    while (this.#running < this.#parts.limits.atOnce && this.#isReady()) {
      this.#running += 1;
      void this.#run();
    }
  }

  /** A batch that is full, or anything at all once somebody has waited long enough. */
  #isReady(): boolean {
    if (this.#waiting.length === 0 || this.#isOver) return false;
    return this.#isDue || this.#isClosing || this.#waiting.length >= this.#parts.limits.together;
  }

  async #run(): Promise<void> {
    while (this.#isReady()) {
      const items = this.#waiting.splice(0, this.#parts.limits.together);
      if (this.#waiting.length === 0) this.#isDue = false;
      this.#onTheirWay += items.length;
      await this.#deliver(items);
      if (this.#isOver) return;
      this.#onTheirWay -= items.length;
    }
    this.#running -= 1;
    if (this.#waiting.length > 0) this.#schedule();
    else if (this.#running === 0) this.#whenDone?.();
  }

  async #deliver(items: readonly Item[]): Promise<void> {
    const { observe, clock } = this.#parts;
    const began = clock.now();
    for (let tries = 1; ; tries++) {
      const wasClosing = this.#isClosing;
      const end = await this.#try(items);
      // Whoever closed the queue has counted these already.
      if (this.#isOver) return;
      if (end.kind === 'taken') return observe.sent(items.length);
      const pause = end.kind === 'later' ? (end.after ?? this.#pauseAfter(tries)) : millis(0);
      const isPatient = end.kind === 'later' && !wasClosing && clock.now() + pause - began <= PATIENCE;
      if (!isPatient) return observe.lost(items.length, end.reason);
      observe.retried(end.reason);
      await this.#sleep(pause);
    }
  }

  async #try(items: readonly Item[]): Promise<TryEnd> {
    const { encode, send, mayRetry, clock } = this.#parts;
    try {
      const { status, retryAfter } = await send(encode(items));
      if (status >= 200 && status < 300) return { kind: 'taken' };
      const reason = `the receiver answered ${status}`;
      if (!mayRetry(status)) return { kind: 'refused', reason };
      return { kind: 'later', reason, after: askedPause(retryAfter, clock.wall()) };
    } catch {
      // The client's words may repeat the address, which often holds a credential.
      return { kind: 'later', reason: 'the receiver gave no answer', after: null };
    }
  }

  /** Doubles up to 30 s; between half of that and all of it, so that instances do not come back together. */
  #pauseAfter(tries: number): Millis {
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (tries - 1));
    return millis(pause * (0.5 + this.#parts.random() / 2));
  }

  #sleep(pause: Millis): Promise<void> {
    if (this.#isClosing) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        timer.cancel();
        this.#pauses.delete(wake);
        resolve();
      };
      const timer = this.#parts.clock.after(pause, wake);
      this.#pauses.add(wake);
    });
  }
}

type TryEnd =
  | { readonly kind: 'taken' }
  | { readonly kind: 'later'; readonly reason: string; readonly after: Millis | null }
  | { readonly kind: 'refused'; readonly reason: string };

/** @returns null when the receiver does not say how long to wait */
function askedPause(header: string | null, wall: number): Millis | null {
  const asked = retryAfterHeader(header, wall);
  return asked === null ? null : millis(Math.max(0, asked));
}
