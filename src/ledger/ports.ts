import type { LedgerEntry } from '../core/ledger-entry.ts';
import type { EpochMillis, Millis } from '../core/units.ts';

/**
 * Keeps an entry that the store does not take, for a human.
 *
 * Resolves once it is kept for good, and must take the same entry again; until then the writer asks again.
 */
export type DeadLetter = (entry: LedgerEntry, reason: string) => Promise<void>;

/** What the ledger tells log and metrics; the rest is in `Ledger.status`. */
export type LedgerEvent =
  /** A group of records is safe on the disk. */
  | { readonly kind: 'synced'; readonly bytes: number; readonly duration: Millis }
  | { readonly kind: 'refusing'; readonly reason: RefusalReason; readonly message: string }
  | { readonly kind: 'accepting' }
  /** Bytes of a journal that are no record; `copy` is the file that keeps them, null when that failed. */
  | { readonly kind: 'damaged'; readonly damage: Damage; readonly copy: string | null }
  /** The journal of an instance that died, or did not finish in time, was taken over. */
  | { readonly kind: 'adopted'; readonly run: string }
  /** The store has everything of a journal that was taken over, and it was removed. */
  | { readonly kind: 'emptied'; readonly run: string }
  /** The journal of a dead process could not be read to its end; it stays, and is tried again. */
  | { readonly kind: 'unreadable'; readonly reason: string }
  /** Requests that died with their process; each becomes an entry with the end `lost`. */
  | { readonly kind: 'lost'; readonly requests: number; readonly run: string }
  | { readonly kind: 'written'; readonly written: number; readonly duplicates: number }
  | { readonly kind: 'dead-letter'; readonly requestId: string; readonly reason: string }
  /** A write failed; the writer waits and tries again, for ever. */
  | { readonly kind: 'store-failed'; readonly reason: string; readonly retryIn: Millis }
  | { readonly kind: 'store-recovered' };

export type LedgerObserver = (event: LedgerEvent) => void;

/**
 * Why new requests are refused: the disk takes nothing, it does not answer, or the store has been away for so long that
 * the journal has reached its limit.
 */
export type RefusalReason = 'disk-failing' | 'disk-stalled' | 'backlog';

/** A stretch of a segment that holds no whole record. */
export interface Damage {
  readonly run: string;
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
  /** `torn-tail`: at the very end of a journal, as a power cut leaves it. `corrupt`: records follow it. */
  readonly kind: 'torn-tail' | 'corrupt';
}

/** The ledger at one moment, for metrics. */
export interface LedgerStatus {
  readonly refusing: RefusalReason | null;
  /** Bytes of all journals that this process owns. */
  readonly journalBytes: number;
  /** From this many on new requests are refused. */
  readonly mostJournalBytes: number;
  /** Bytes in memory that the disk has not confirmed. */
  readonly unsyncedBytes: number;
  /** Entries recorded by this process that the store has not confirmed; those of adopted journals are not counted. */
  readonly unwrittenEntries: number;
  /** End of the oldest request that the writer has in hand, null when it has none. */
  readonly oldestUnwritten: EpochMillis | null;
  /** Requests that were begun and have not ended. */
  readonly openRequests: number;
}
