import type { Clock, Timer } from '../core/clock.ts';
import { type Millis, millis, plus } from '../core/units.ts';
import type { PromptText } from '../endpoints/prompt-text.ts';
import { type Measure, measuresFor } from './encoding.ts';

/** What the worker is asked. */
export interface CountJob {
  readonly id: number;
  readonly prompts: readonly PromptText[];
  readonly measures: readonly Measure[];
  readonly enough: number;
}

/** What it answers. */
export interface CountAnswer {
  readonly id: number;
  readonly tokens: number;
}

/** A running worker, as its owner uses it. */
export interface TokenWorker {
  send(job: CountJob): void;
  end(): void;
}

/** What a worker tells its owner; after `lost` it says nothing more. */
export interface WorkerEvents {
  answered(answer: CountAnswer): void;
  lost(reason: string): void;
}

export interface WorkerCounterOptions {
  readonly clock: Clock;
  start(events: WorkerEvents): TokenWorker;
  /** Told once for each worker that failed. */
  onLost(reason: string): void;
}

/** Longest that a request waits for its count; the first waits for the worker too (0.7 s, 1.3 s on a busy machine). */
const PATIENCE = millis(5000);
/** A job without an answer for this much longer means that the worker hangs. */
const HANG = millis(25_000);
/** No new worker for so long after one failed. */
const REST = millis(30_000);
/** Jobs, and UTF-16 units of text, that may be with the worker. */
const MOST_JOBS = 32;
const MOST_TEXT = 32 * 1024 * 1024;

interface Pending {
  readonly size: number;
  readonly resolve: (tokens: number | null) => void;
  timer: Timer;
}

/**
 * Counts tokens in a worker, away from the requests that need no count.
 *
 * idle ──count──▶ running ──crash, hang──▶ resting ──30 s──▶ idle
 *
 * 1. The worker starts with the first count and stays; it never keeps the process alive.
 * 2. Every count settles within `PATIENCE`: the number, or null when it is not known by then.
 * 3. What is with the worker is bounded; a count beyond the bound is null at once.
 * 4. A worker that fails costs the counts that it had, and nothing else.
 *
 * Resident memory (Bun 1.4.5, Linux x64): nothing before the first count, then about 100 MB with o200k alone and
 * 115 MB with both vocabularies. Prose takes 50 ms for a megabyte, random characters 1.7 s.
 */
export class WorkerTokenCounter {
  readonly #options: WorkerCounterOptions;
  readonly #pending = new Map<number, Pending>();
  #worker: TokenWorker | null = null;
  #restUntil: Millis | null = null;
  #nextId = 1;
  #size = 0;

  constructor(options: WorkerCounterOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#worker !== null;
  }

  /**
   * Tokens that the longest of these prompts has at least, whichever of these upstream models reads it.
   *
   * Exact for OpenAI's models up to a few tokens, 0.8 of OpenAI's count for all others.
   *
   * @param enough a count beyond it is an estimate, still beyond it
   * @returns null when nobody knows in time; never rejects
   */
  count(prompts: readonly PromptText[], models: readonly string[], enough: number): Promise<number | null> {
    const size = prompts.reduce((sum, { texts }) => texts.reduce((part, text) => part + text.length, sum), 0);
    if (this.#pending.size >= MOST_JOBS || this.#size + size > MOST_TEXT) return Promise.resolve(null);
    const worker = this.#running();
    if (worker === null) return Promise.resolve(null);
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(PATIENCE, () => this.#abandon(id));
      this.#pending.set(id, { size, resolve, timer });
      this.#size += size;
      worker.send({ id, prompts, measures: measuresFor(models), enough });
    });
  }

  /** Ends the worker; what it had is unknown. */
  stop(): void {
    const worker = this.#worker;
    // First, so that its end is no loss.
    this.#worker = null;
    worker?.end();
    this.#settleAll();
  }

  #running(): TokenWorker | null {
    if (this.#worker !== null) return this.#worker;
    const { clock, start } = this.#options;
    if (this.#restUntil !== null && clock.now() < this.#restUntil) return null;
    const worker: TokenWorker = start({
      answered: ({ id, tokens }) => this.#settle(id, tokens),
      // One that was ended says so too.
      lost: (reason) => {
        if (this.#worker === worker) this.#lost(reason);
      },
    });
    this.#worker = worker;
    return worker;
  }

  /** The request goes on without its count; the job stays with the worker, so that the bound counts it. */
  #abandon(id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    pending.resolve(null);
    pending.timer = this.#options.clock.after(HANG, () => this.#lost('it does not answer'));
  }

  #settle(id: number, tokens: number | null): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    this.#size -= pending.size;
    pending.timer.cancel();
    pending.resolve(tokens);
  }

  #settleAll(): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, null);
  }

  #lost(reason: string): void {
    const { clock, onLost } = this.#options;
    this.#restUntil = plus(clock.now(), REST);
    this.stop();
    onLost(reason);
  }
}
