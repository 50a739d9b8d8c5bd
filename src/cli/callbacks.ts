import { Callbacks } from '../telemetry/export/callbacks.ts';
import type { Logger } from '../telemetry/log.ts';
import type { MetricsRegistry } from '../telemetry/metrics.ts';
import { systemClock } from '../transport/system-clock.ts';
import { send } from './send.ts';

/** Tracing and callbacks, which begin with the first configuration that they are given. */
export function openCallbacks(registry: MetricsRegistry, log: Logger): Callbacks {
  return new Callbacks({
    ...{ send, clock: systemClock, random: Math.random, registry },
    log: {
      retried: (callback, reason) =>
        log.warn('a callback did not take its records; they are sent again', { callback, reason }),
      lost: (callback, records, reason) => log.error('a callback lost records', { callback, records, reason }),
    },
  });
}
