import type { LedgerEntry } from '../core/ledger-entry.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { RequestTrace } from '../core/trace-context.ts';
import type { Millis } from '../core/units.ts';
import { Callbacks } from '../telemetry/export/callbacks.ts';
import type { Logger } from '../telemetry/log.ts';
import type { MetricsRegistry } from '../telemetry/metrics.ts';
import { systemClock } from '../transport/system-clock.ts';
import { send } from './send.ts';

/** Those outside the gateway who hear of its requests. */
export interface Observers {
  /** A request has ended; returns at once. */
  record(entry: LedgerEntry, trace: RequestTrace | null): void;
  /** Takes a configuration. */
  apply(snapshot: Snapshot): void;
  /** Sends what is left, within `patience`. */
  close(patience: Millis): Promise<void>;
}

/** Tracing and callbacks, as the configuration has them. */
export function openObservers(registry: MetricsRegistry, log: Logger): Observers {
  const shared = { send, clock: systemClock, random: Math.random, registry };
  const callbacks = new Callbacks({
    ...shared,
    log: {
      retried: (callback, reason) =>
        log.warn('a callback did not take its records; they are sent again', { callback, reason }),
      lost: (callback, records, reason) => log.error('a callback lost records', { callback, records, reason }),
    },
  });
  return {
    record: (entry, trace) => callbacks.record(entry, trace),
    apply: ({ telemetry }) => callbacks.apply(telemetry),
    close: (patience) => callbacks.close(patience),
  };
}
