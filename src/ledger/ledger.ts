import * as nodeFiles from 'node:fs';
import type { Clock, Timer } from '../core/clock.ts';
import type { GatewayError } from '../core/errors.ts';
import type { BegunRequest, LedgerEntry } from '../core/ledger-entry.ts';
import type { LedgerStore } from '../core/ledger-store.ts';
import { type Millis, seconds } from '../core/units.ts';
import { DeadSource, LiveSource } from './batches.ts';
import { Journal } from './journal.ts';
import type { DeadLetter, LedgerObserver, LedgerStatus } from './ports.ts';
import { adoptRuns, createRun, type FileSystem, type Run, removeRun, runBytes } from './run.ts';
import { LedgerWriter } from './writer.ts';

/** How often the journals of other processes are looked at, in case their owner died. */
const ADOPT_EVERY: Millis = seconds(30);
const MOST_JOURNAL_BYTES = 1024 * 1024 * 1024;

export interface LedgerOptions {
  /** The ledger's folder in the data directory; made when it is not there. Several processes may share it. */
  readonly folder: string;
  readonly store: LedgerStore;
  readonly deadLetter: DeadLetter;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  random(): number;
  /** Names the run of this process; unique for ever, sorts by age: see `runName`. */
  readonly run: string;
  readonly observe?: LedgerObserver;
  /** Bytes that may wait for the store before new requests are refused; 1 GiB. */
  readonly mostJournalBytes?: number;
  /** Bytes after which a segment makes way for the next; 8 MiB. */
  readonly segmentBytes?: number;
  readonly files?: FileSystem;
}

/** What a ledger could not write before it was closed; it stays on the disk for the next start. */
export interface Leftover {
  /** Entries that the store has not confirmed, as far as this process recorded them. */
  readonly entries: number;
  /** Bytes that were in memory and are lost: only when the disk was in trouble to the end. */
  readonly unsyncedBytes: number;
  readonly journalBytes: number;
  /** Requests without an end, which the next start records as lost. */
  readonly openRequests: number;
}

/** The one record of every request, kept from the moment it is made until the store has it. */
export interface Ledger {
  /**
   * Notes that a request is about to call an upstream. To be called once, before the first call.
   *
   * When this returns the note outlives the process, so that a request cannot vanish with it.
   */
  begin(request: BegunRequest): void;
  /** Takes the one record of a request; when this returns it outlives the process (`journal.ts`, 1). Never blocks. */
  record(entry: LedgerEntry): void;
  /** Why no new request should begin: its record could not be kept. Null when all is well. Costs nothing to ask. */
  canAccept(): GatewayError | null;
  /** Resolves when everything recorded so far outlives the machine. */
  flushed(): Promise<void>;
  /** Resolves when everything recorded so far is in the store; never, while the store is away. */
  drained(): Promise<void>;
  /**
   * Writes what it can within `patience` and ends; nothing may be recorded afterwards.
   *
   * @returns what is left; never rejects
   */
  close(patience: Millis): Promise<Leftover>;
  status(): LedgerStatus;
}

/**
 * A name for the run of this process.
 *
 * @param wall epoch milliseconds
 * @param unique tells processes apart that start at once: the process id and some random digits
 */
export function runName(wall: number, unique: string): string {
  return `${new Date(wall).toISOString().replaceAll(/[-:.]/g, '')}-${unique}`;
}

/**
 * Opens the ledger: makes the journal of this process, takes over the journals of those that died, and begins to write
 * what they left.
 *
 * @throws when the folder cannot be made, written or locked; the message is for the operator
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const files = options.files ?? nodeFiles;
  files.mkdirSync(options.folder, { recursive: true });
  const ledger = new OpenLedger(options, files, createRun(files, options.folder, options.run));
  ledger.adopt();
  return ledger;
}

class OpenLedger implements Ledger {
  readonly #options: LedgerOptions;
  readonly #files: FileSystem;
  readonly #run: Run;
  readonly #journal: Journal;
  readonly #writer: LedgerWriter;
  readonly #observe: LedgerObserver;
  /** Bytes of the journals that were taken over, by run. */
  readonly #adopted = new Map<string, number>();
  #unwritten = 0;
  #timer: Timer | null = null;

  constructor(options: LedgerOptions, files: FileSystem, run: Run) {
    const { clock, folder, store, deadLetter, segmentBytes, observe = () => {} } = options;
    this.#options = options;
    this.#files = files;
    this.#run = run;
    this.#observe = observe;
    this.#journal = new Journal({
      files,
      folder: run.folder,
      clock,
      observe,
      mostBytes: options.mostJournalBytes ?? MOST_JOURNAL_BYTES,
      otherBytes: () => this.#adoptedBytes(),
      onSynced: () => this.#writer.wake(),
      ...(segmentBytes === undefined ? {} : { segmentBytes }),
    });
    const live = new LiveSource({ files, root: folder, run, observe }, this.#journal, (entries) => {
      this.#unwritten = Math.max(0, this.#unwritten - entries);
    });
    this.#writer = new LedgerWriter({ store, deadLetter, clock, observe, random: options.random }, live);
  }

  begin(request: BegunRequest): void {
    this.#journal.begin(request);
  }

  record(entry: LedgerEntry): void {
    this.#unwritten += 1;
    this.#journal.append(entry);
  }

  canAccept(): GatewayError | null {
    return this.#journal.refusal();
  }

  flushed(): Promise<void> {
    return this.#journal.flushed();
  }

  async drained(): Promise<void> {
    await this.#journal.flushed();
    await this.#writer.drain();
  }

  async close(patience: Millis): Promise<Leftover> {
    this.#timer?.cancel();
    await this.#within(patience, this.drained());
    this.#writer.stop();
    const { bytes, unsyncedBytes, openRequests, isComplete } = this.#journal;
    const journalBytes = (isComplete ? 0 : bytes) + this.#adoptedBytes();
    this.#journal.close();
    if (isComplete) removeRun(this.#files, this.#run);
    else this.#run.lock.release();
    return { entries: this.#unwritten, unsyncedBytes, journalBytes, openRequests };
  }

  status(): LedgerStatus {
    const { refusing, bytes, unsyncedBytes, openRequests } = this.#journal;
    return {
      refusing,
      journalBytes: bytes + this.#adoptedBytes(),
      mostJournalBytes: this.#options.mostJournalBytes ?? MOST_JOURNAL_BYTES,
      unsyncedBytes,
      unwrittenEntries: this.#unwritten,
      oldestUnwritten: this.#writer.oldest,
      openRequests,
    };
  }

  /** Takes over what the dead have left, now and every half minute. */
  adopt(): void {
    this.#timer = this.#options.clock.after(ADOPT_EVERY, () => {
      try {
        this.adopt();
      } catch {
        // A disk in trouble: the journal says so itself, and half a minute later there is another chance.
      }
    });
    const own = new Set([this.#run.name, ...this.#adopted.keys()]);
    for (const run of adoptRuns(this.#files, this.#options.folder, own)) this.#takeOver(run);
  }

  #takeOver(run: Run): void {
    const { folder } = this.#options;
    this.#adopted.set(run.name, runBytes(this.#files, run.folder));
    this.#observe({ kind: 'adopted', run: run.name });
    const options = { files: this.#files, root: folder, run, observe: this.#observe };
    this.#writer.add(
      new DeadSource(options, () => {
        this.#adopted.delete(run.name);
        this.#observe({ kind: 'emptied', run: run.name });
        this.#journal.judge();
      }),
    );
  }

  #adoptedBytes(): number {
    let sum = 0;
    for (const bytes of this.#adopted.values()) sum += bytes;
    return sum;
  }

  async #within(patience: Millis, work: Promise<void>): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(patience, resolve);
      work.finally(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
