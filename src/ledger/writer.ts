import type { Clock, Timer } from '../core/clock.ts';
import type { LedgerEntry } from '../core/ledger-entry.ts';
import { type LedgerStore, type Rejected, StoreUnavailable } from '../core/ledger-store.ts';
import { type EpochMillis, epochMillis, type Millis, millis } from '../core/units.ts';
import type { Batch, BatchSource } from './batches.ts';
import type { DeadLetter, LedgerObserver } from './ports.ts';

/*
 * Moves journals into the store.
 *
 *   idle ── wake, a moment for company ──▶ writing ── nothing more to read ──▶ idle
 *                                           │   ▲
 *                        store away, or takes nothing of the batch
 *                                           ▼   │ back-off with jitter, for ever
 *                                          waiting
 *
 * 1. One batch at a time, each journal in its order, and the journals of dead processes first.
 * 2. A batch is confirmed when every entry of it is in the store or kept as a dead letter. Whatever happens before
 *    that, it is given again; the store knows what it has by `requestId`.
 * 3. A batch that fails is halved until the entries at fault stand alone. They become dead letters only when the store
 *    took something else of the same batch: a store that takes nothing is at fault itself, and is waited for.
 */

/** Between the first new entry and its batch, for others to join it. */
const LINGER: Millis = millis(250);
const FIRST_WAIT: Millis = millis(200);
const LONGEST_WAIT: Millis = millis(30_000);
/** Entries up to which a batch that fails as a whole is joined by the next, to tell its fault from the store's. */
const MOST_JOINED = 2_000;

export interface WriterOptions {
  readonly store: LedgerStore;
  readonly deadLetter: DeadLetter;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  random(): number;
  readonly observe: LedgerObserver;
}

/** How the store took some entries; `away` tells why it could not be asked about all of them. */
interface Reception {
  readonly taken: number;
  readonly failed: readonly Rejected[];
  readonly rejected: readonly Rejected[];
  readonly away: string | null;
}

export class LedgerWriter {
  readonly #options: WriterOptions;
  readonly #live: BatchSource;
  readonly #dead: BatchSource[] = [];
  #oldest: EpochMillis | null = null;
  #timer: Timer | null = null;
  #pass: Promise<void> | null = null;
  /** Something came while the pass that runs may have looked already. */
  #isDue = false;
  #isStopped = false;
  #interrupt: () => void = () => {};

  constructor(options: WriterOptions, live: BatchSource) {
    this.#options = options;
    this.#live = live;
  }

  /** When the oldest request ended that the store may not have; null when nothing is in hand. */
  get oldest(): EpochMillis | null {
    return this.#oldest;
  }

  /** Takes in the journal of a process that is gone. */
  add(dead: BatchSource): void {
    this.#dead.push(dead);
    this.wake();
  }

  /** There is something to write. */
  wake(): void {
    this.#isDue = true;
    if (this.#pass !== null || this.#isStopped) return;
    this.#timer ??= this.#options.clock.after(LINGER, () => this.#start());
  }

  /** Resolves when everything there is was written, or the writer was stopped. */
  async drain(): Promise<void> {
    this.#interrupt();
    await this.#pass;
    if (!this.#isStopped) await this.#start();
  }

  /** Ends at the next point where nothing is half done; what is not confirmed stays in its journal. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#interrupt();
    for (const source of [...this.#dead, this.#live]) source.close();
  }

  #start(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    this.#isDue = false;
    this.#pass ??= this.#writeAll().finally(() => {
      this.#pass = null;
      if (this.#isDue) this.wake();
    });
    return this.#pass;
  }

  async #writeAll(): Promise<void> {
    while (!this.#isStopped) {
      const batch = await this.#next();
      if (batch === null) return;
      await this.#deliver(batch);
    }
  }

  async #next(): Promise<Batch | null> {
    for (let tries = 0; !this.#isStopped; tries++) {
      try {
        return await this.#read();
      } catch (error) {
        if (!this.#isStopped) await this.#wait(`the journal cannot be read: ${messageOf(error)}`, tries);
      }
    }
    return null;
  }

  async #read(): Promise<Batch | null> {
    for (const dead of [...this.#dead]) {
      const batch = await this.#readDead(dead);
      if (batch !== null) return batch;
    }
    return this.#live.next();
  }

  /** A journal that cannot be read holds up no other; it is tried again with every batch. */
  async #readDead(dead: BatchSource): Promise<Batch | null> {
    try {
      const batch = await dead.next();
      if (batch === null) this.#dead.splice(this.#dead.indexOf(dead), 1);
      return batch;
    } catch (error) {
      this.#options.observe({ kind: 'unreadable', reason: messageOf(error) });
      return null;
    }
  }

  /** Gives a batch until it is in the store or kept as dead letters. */
  async #deliver(first: Batch): Promise<void> {
    let batch = first;
    for (let tries = 0; !this.#isStopped; tries++) {
      const entries = unique(batch.entries);
      this.#oldest = endOf(entries[0]);
      const { taken, failed, rejected, away } = await this.#offer(entries);
      const isStoreAtFault = away !== null || (taken === 0 && failed.length > 0);
      if (!isStoreAtFault) {
        await this.#bury([...rejected, ...failed]);
        if (this.#isStopped) return;
        if (tries > 0) this.#options.observe({ kind: 'store-recovered' });
        batch.confirm();
        this.#oldest = null;
        return;
      }
      await this.#wait(away ?? failed[0]?.reason ?? '', tries);
      if (away === null && entries.length < MOST_JOINED) batch = joined(batch, await this.#company());
    }
  }

  /** More entries, to find out who is at fault. Of the living: the end of a dead journal must be seen alone. */
  async #company(): Promise<Batch | null> {
    try {
      return this.#isStopped ? null : await this.#live.next();
    } catch {
      return null;
    }
  }

  async #offer(entries: readonly LedgerEntry[]): Promise<Reception> {
    if (entries.length === 0) return NOTHING;
    try {
      const { written, duplicates, rejected } = await this.#options.store.write(entries);
      const told = written + duplicates + rejected.length;
      if (told !== entries.length) throw new StoreUnavailable(`it accounts for ${told} of ${entries.length} entries`);
      this.#options.observe({ kind: 'written', written, duplicates });
      return { taken: entries.length, failed: [], rejected, away: null };
    } catch (error) {
      const reason = messageOf(error);
      if (error instanceof StoreUnavailable || this.#isStopped) return { ...NOTHING, away: reason };
      const [alone] = entries;
      if (alone !== undefined && entries.length === 1) return { ...NOTHING, failed: [{ entry: alone, reason }] };
      return this.#offerHalves(entries);
    }
  }

  async #offerHalves(entries: readonly LedgerEntry[]): Promise<Reception> {
    const middle = entries.length >> 1;
    const left = await this.#offer(entries.slice(0, middle));
    if (left.away !== null) return left;
    const right = await this.#offer(entries.slice(middle));
    return {
      taken: left.taken + right.taken,
      failed: [...left.failed, ...right.failed],
      rejected: [...left.rejected, ...right.rejected],
      away: right.away,
    };
  }

  async #bury(letters: readonly Rejected[]): Promise<void> {
    for (const { entry, reason } of letters) await this.#buryOne(entry, reason);
  }

  async #buryOne(entry: LedgerEntry, reason: string): Promise<void> {
    for (let tries = 0; !this.#isStopped; tries++) {
      try {
        await this.#options.deadLetter(entry, reason);
        this.#options.observe({ kind: 'dead-letter', requestId: entry.requestId, reason });
        return;
      } catch (error) {
        await this.#wait(`a dead letter cannot be kept: ${messageOf(error)}`, tries);
      }
    }
  }

  /** Half of the delay is chance, so that instances that lost the same store do not return together. */
  async #wait(reason: string, tries: number): Promise<void> {
    if (this.#isStopped) return;
    const { clock, random, observe } = this.#options;
    const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** tries);
    const delay = millis((longest * (1 + random())) / 2);
    observe({ kind: 'store-failed', reason, retryIn: delay });
    await new Promise<void>((resolve) => {
      const timer = clock.after(delay, resolve);
      this.#interrupt = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#interrupt = () => {};
  }
}

const NOTHING: Reception = { taken: 0, failed: [], rejected: [], away: null };

function joined(batch: Batch, more: Batch | null): Batch {
  if (more === null) return batch;
  return {
    entries: [...batch.entries, ...more.entries],
    confirm() {
      batch.confirm();
      more.confirm();
    },
  };
}

/** An entry that had to be journalled again stands there twice. */
function unique(entries: readonly LedgerEntry[]): readonly LedgerEntry[] {
  return [...new Map(entries.map((entry) => [entry.requestId, entry])).values()];
}

function endOf(entry: LedgerEntry | undefined): EpochMillis | null {
  return entry === undefined ? null : epochMillis(entry.startedAt + entry.duration);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
