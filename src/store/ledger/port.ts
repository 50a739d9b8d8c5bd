import type { LedgerEntry } from '../../core/ledger-entry.ts';

/** Where the journal's entries go. */
export interface LedgerStore {
  /**
   * Writes entries with everything that is summed from them, in one transaction.
   *
   * An entry that was written before changes nothing. One that the database refuses is put aside as a dead letter and
   * holds up no other. On SQLite the calling thread does the work, some 0.1 ms an entry: give it no more than 100 at a time. When it throws `StoreUnavailable` nothing may have been written, or everything: write again.
   */
  write(entries: readonly LedgerEntry[]): Promise<WriteReport>;
}

/** What became of the entries: the three add up to as many as there were. */
export interface WriteReport {
  readonly written: number;
  /** Written before, or twice in this batch. */
  readonly duplicates: number;
  readonly rejected: readonly RejectedEntry[];
}

/** An entry that is in `litellm_deadletters` now, and why. */
export interface RejectedEntry {
  readonly entry: LedgerEntry;
  readonly reason: string;
}
