import type { EpochMillis, Millis } from '../core/units.ts';
import type { MetricsRegistry } from './metrics.ts';

/** Syncs take from a fraction of a millisecond to, on a disk in trouble, seconds. */
const SYNC_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5];

/** The ledger at one moment. */
export interface LedgerGauges {
  readonly refusing: string | null;
  readonly journalBytes: number;
  readonly mostJournalBytes: number;
  readonly unsyncedBytes: number;
  readonly unwrittenEntries: number;
  readonly oldestUnwritten: EpochMillis | null;
  readonly openRequests: number;
}

/** The numbers of the spend ledger. */
export class LedgerMetrics {
  readonly #sync;
  readonly #written;
  readonly #duplicates;
  readonly #deadLetters;
  readonly #lost;
  readonly #failures;
  readonly #damaged;

  constructor(registry: MetricsRegistry) {
    const sync = registry.histogram(
      'tollgate_ledger_sync_seconds',
      'Seconds that the disk took for a group of records.',
      [],
      SYNC_BOUNDS,
    );
    const written = registry.counter('tollgate_ledger_written_total', 'Entries that the store took.', []);
    const duplicates = registry.counter(
      'tollgate_ledger_duplicates_total',
      'Entries that the store had already: ordinary after a crash.',
      [],
    );
    const letters = registry.counter(
      'tollgate_ledger_dead_letters_total',
      'Entries that the store does not take and that were put aside.',
      [],
    );
    const lost = registry.counter('tollgate_ledger_lost_total', 'Requests that died with their process.', []);
    const failures = registry.counter(
      'tollgate_ledger_store_failures_total',
      'Writes that failed and were tried again.',
      [],
    );
    const damaged = registry.counter(
      'tollgate_ledger_damaged_total',
      'Stretches of a journal that hold no whole record.',
      [],
    );
    this.#sync = sync.at({});
    this.#written = written.at({});
    this.#duplicates = duplicates.at({});
    this.#deadLetters = letters.at({});
    this.#lost = lost.at({});
    this.#failures = failures.at({});
    this.#damaged = damaged.at({});
  }

  /** Gauges that are read when they are asked for. */
  observe(registry: MetricsRegistry, status: () => LedgerGauges, now: () => EpochMillis): void {
    registry.observed('tollgate_ledger_lag_seconds', 'Age of the oldest entry that the store may not have.', () => {
      const { oldestUnwritten } = status();
      return oldestUnwritten === null ? 0 : Math.max(0, now() - oldestUnwritten) / 1000;
    });
    registry.observed(
      'tollgate_ledger_unwritten_entries',
      'Entries that the store has not confirmed.',
      () => status().unwrittenEntries,
    );
    registry.observed(
      'tollgate_ledger_journal_bytes',
      'Bytes of all journals on the disk.',
      () => status().journalBytes,
    );
    registry.observed(
      'tollgate_ledger_journal_limit_bytes',
      'Bytes of journals from which on new requests are refused.',
      () => status().mostJournalBytes,
    );
    registry.observed(
      'litellm_in_memory_spend_update_queue_size',
      'Entries that the store has not confirmed, under LiteLLM’s name.',
      () => status().unwrittenEntries,
    );
    registry.observed(
      'tollgate_ledger_unsynced_bytes',
      'Bytes that the disk has not confirmed.',
      () => status().unsyncedBytes,
    );
    registry.observed(
      'tollgate_ledger_open_requests',
      'Requests that called an upstream and have not ended.',
      () => status().openRequests,
    );
    registry.observed(
      'tollgate_ledger_refusing',
      'Whether new requests are refused because their records could not be kept.',
      () => (status().refusing === null ? 0 : 1),
    );
  }

  synced(duration: Millis): void {
    this.#sync.observe(duration / 1000);
  }

  written(entries: number, duplicates: number): void {
    this.#written.value += entries;
    this.#duplicates.value += duplicates;
  }

  deadLetter(): void {
    this.#deadLetters.value += 1;
  }

  lost(requests: number): void {
    this.#lost.value += requests;
  }

  storeFailed(): void {
    this.#failures.value += 1;
  }

  damaged(): void {
    this.#damaged.value += 1;
  }
}
