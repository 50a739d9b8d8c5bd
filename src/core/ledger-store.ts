import type { LedgerEntry } from './ledger-entry.ts';

/** Where ledger entries end up. Idempotent: an entry whose `requestId` is there already changes nothing. */
export interface LedgerStore {
  /**
   * Writes rows and totals of these entries in one transaction; no `requestId` occurs twice among them.
   *
   * Rejects with `StoreUnavailable` when nothing is wrong with the entries and the same call may work later: no
   * connection, a full disk, a deadlock, a shutdown. Any other rejection makes the writer look for the entry at fault.
   */
  write(entries: readonly LedgerEntry[]): Promise<WriteReport>;
}

/** What became of a batch; the three add up to its length. */
export interface WriteReport {
  readonly written: number;
  /** Entries that were there already: ordinary after a crash. */
  readonly duplicates: number;
  /** Entries that will never be taken, put aside as dead letters; the others of the batch are committed. */
  readonly rejected: readonly Rejected[];
}

export interface Rejected {
  readonly entry: LedgerEntry;
  readonly reason: string;
}

/**
 * The database cannot be asked at the moment; the same call may succeed later, and nobody's data is to blame.
 *
 * The answer to a client is 503 with `retry-after`. After a write it is not known whether it happened.
 */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}
