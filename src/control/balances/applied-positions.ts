import type { RequestId } from '../../core/ids.ts';
import type { LedgerEntry } from '../../core/ledger-entry.ts';
import { type LedgerStore, StoreUnavailable, type WriteReport } from '../../core/ledger-store.ts';

/**
 * Stands before the ledger's store and knows which of this process's entries are in it.
 *
 * Entries are numbered as they are recorded. 1. No batch is written while somebody reads (`alone`). 2. What was read is
 * told together with the position up to which everything, and after which nothing, of this process was in the store;
 * with null when there is no such position, because a write failed and nobody knows how far it came.
 */
export class AppliedPositions implements LedgerStore {
  readonly #store: LedgerStore;
  readonly #together: number;
  /** Recorded here and not yet known to be in the store, oldest first. */
  readonly #pending = new Map<RequestId, number>();
  /** Those of a write of which nobody knows whether it happened. */
  readonly #uncertain = new Set<RequestId>();
  #recorded = 0;
  #written = 0;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param together entries that the store is given at a time */
  constructor(store: LedgerStore, together: number) {
    this.#store = store;
    this.#together = together;
  }

  /** The position that the next entry will get. */
  get next(): number {
    return this.#recorded + 1;
  }

  /** An entry is about to be recorded: the same that took `next` as its position a moment ago. */
  record(requestId: RequestId): void {
    this.#recorded += 1;
    this.#pending.set(requestId, this.#recorded);
  }

  /** An entry is kept as a dead letter, and will be in no sum. */
  buried(requestId: RequestId): void {
    this.#settle(requestId);
  }

  async write(entries: readonly LedgerEntry[]): Promise<WriteReport> {
    let report: WriteReport = { written: 0, duplicates: 0, rejected: [] };
    for (let from = 0; from < entries.length; from += this.#together) {
      const part = entries.slice(from, from + this.#together);
      const { written, duplicates, rejected } = await this.#inTurn(() => this.#write(part));
      report = {
        written: report.written + written,
        duplicates: report.duplicates + duplicates,
        rejected: [...report.rejected, ...rejected],
      };
    }
    return report;
  }

  /** Reads while nothing is being written, and says, to the reader too, what of this process is in the store then. */
  alone<T>(
    read: (position: number | null) => Promise<T>,
  ): Promise<{ readonly found: T; readonly position: number | null }> {
    return this.#inTurn(async () => {
      const position = this.#position();
      return { position, found: await read(position) };
    });
  }

  async #write(entries: readonly LedgerEntry[]): Promise<WriteReport> {
    try {
      const report = await this.#store.write(entries);
      for (const { requestId } of entries) this.#settle(requestId);
      return report;
    } catch (error) {
      if (error instanceof StoreUnavailable)
        for (const { requestId } of entries) if (this.#pending.has(requestId)) this.#uncertain.add(requestId);
      throw error;
    }
  }

  #settle(requestId: RequestId): void {
    const position = this.#pending.get(requestId);
    if (position === undefined) return;
    this.#pending.delete(requestId);
    this.#uncertain.delete(requestId);
    this.#written = Math.max(this.#written, position);
  }

  #position(): number | null {
    if (this.#uncertain.size > 0) return null;
    const [oldest] = this.#pending.values();
    const position = oldest === undefined ? this.#recorded : oldest - 1;
    return this.#written > position ? null : position;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
