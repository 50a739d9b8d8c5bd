import type { Clock } from '../../core/clock.ts';
import type { LedgerEntry } from '../../core/ledger-entry.ts';
import type { CallbackSettings, SecretHeaders, TelemetrySettings } from '../../core/telemetry-settings.ts';
import type { RequestTrace } from '../../core/trace-context.ts';
import { type Millis, millis, seconds } from '../../core/units.ts';
import type { MetricsRegistry } from '../metrics.ts';
import { type ExportLimits, type ExportObserver, ExportQueue, type Send } from './export-queue.ts';
import { objectUpload } from './object.ts';
import { otlpTraces, type TracedRequest } from './otlp.ts';
import { standardPayload } from './standard-payload.ts';

/** A request that has ended, and its trace; null when nobody traces. */
interface Ended {
  readonly entry: LedgerEntry;
  readonly trace: RequestTrace | null;
}

interface Receiver {
  readonly wants: CallbackSettings['wants'];
  push(request: Ended): void;
  close(patience: Millis): Promise<void>;
}

export interface CallbackParts {
  readonly send: Send;
  readonly clock: Clock;
  readonly random: () => number;
  readonly registry: MetricsRegistry;
  readonly log: {
    retried(name: string, reason: string): void;
    lost(name: string, records: number, reason: string): void;
  };
}

/** Small batches: requests wait while one is encoded. */
const BATCHES: ExportLimits = { together: 128, most: 8_192, atOnce: 4, delay: seconds(1) };
const OBJECTS: ExportLimits = { together: 1, most: 8_192, atOnce: 16, delay: millis(0) };
/** How long receivers of before a reload may take for what they were given. */
const FAREWELL: Millis = seconds(30);
/** A receiver in trouble is named in the log this often. */
const QUIET: Millis = seconds(60);

/** Statuses after which OTLP allows another try. */
const OTLP_AGAIN: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const isTemporary = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/**
 * Gives every request that has ended to those who want to hear of it, in the background.
 *
 * Without receivers `record` is a look at an empty list.
 */
export class Callbacks {
  readonly #parts: CallbackParts;
  readonly #sent;
  readonly #lost;
  readonly #retried;
  #fingerprint = '';
  #receivers: readonly Receiver[] = [];

  constructor(parts: CallbackParts) {
    const { registry } = parts;
    this.#parts = parts;
    this.#sent = registry.counter('tollgate_callback_sent_total', 'Records that a receiver took.', ['callback_name']);
    this.#lost = registry.counter(
      'litellm_callback_logging_failures_metric_total',
      'Records that a receiver did not get and will not get.',
      ['callback_name'],
    );
    this.#retried = registry.counter('tollgate_callback_retries_total', 'Deliveries that failed and are repeated.', [
      'callback_name',
    ]);
  }

  /** Takes a configuration; what was given to receivers of before is still delivered. */
  apply(settings: TelemetrySettings): void {
    if (settings.fingerprint === this.#fingerprint) return;
    this.#fingerprint = settings.fingerprint;
    const former = this.#receivers;
    this.#receivers = settings.callbacks.map((callback) => this.#receiver(callback, settings.resource));
    for (const receiver of former) void receiver.close(FAREWELL);
  }

  record(entry: LedgerEntry, trace: RequestTrace | null): void {
    for (const receiver of this.#receivers) {
      if (receiver.wants === 'all' || (receiver.wants === 'success') === (entry.end === 'success'))
        receiver.push({ entry, trace });
    }
  }

  /** Delivers what is left, within `patience`. */
  async close(patience: Millis): Promise<void> {
    await Promise.all(this.#receivers.map((receiver) => receiver.close(patience)));
  }

  #receiver(settings: CallbackSettings, resource: TelemetrySettings['resource']): Receiver {
    const { send, clock, random } = this.#parts;
    const shared = { send, clock, random, observe: this.#observer(settings.name) };
    const { wants } = settings;
    switch (settings.kind) {
      case 'otlp': {
        const to = toAddress(settings);
        const queue = new ExportQueue<TracedRequest>({
          ...{ ...shared, limits: BATCHES, mayRetry: (status) => OTLP_AGAIN.has(status) },
          encode: (requests) => to(otlpTraces(requests, resource)),
        });
        return {
          wants,
          push({ entry, trace }) {
            if (trace?.context.isSampled === true) queue.push({ entry, trace });
          },
          close: (patience) => queue.close(patience),
        };
      }
      case 'payloads': {
        const to = toAddress(settings);
        return this.#whole(wants, {
          ...{ ...shared, limits: BATCHES, mayRetry: isTemporary },
          encode: (requests) => to(JSON.stringify(requests.map(payloadOf))),
        });
      }
      case 'objects':
        return this.#whole(wants, {
          ...{ ...shared, limits: OBJECTS, mayRetry: isTemporary },
          encode: ([request]) => {
            const { entry, trace } = request as Ended; // one at a time
            return objectUpload(entry, traceIdOf(trace), settings.bucket, clock.wall());
          },
        });
    }
  }

  #whole(wants: Receiver['wants'], parts: ConstructorParameters<typeof ExportQueue<Ended>>[0]): Receiver {
    const queue = new ExportQueue<Ended>(parts);
    return { wants, push: (request) => queue.push(request), close: (patience) => queue.close(patience) };
  }

  #observer(callback_name: string): ExportObserver {
    const { log, clock } = this.#parts;
    const names = { callback_name };
    let quietUntil = 0;
    /** What is lost is always counted; in the log it is one line a minute. */
    const seldom = (say: () => void) => {
      if (clock.now() < quietUntil) return;
      quietUntil = clock.now() + QUIET;
      say();
    };
    return {
      sent: (records) => this.#sent.add(names, records),
      retried: (reason) => {
        this.#retried.add(names);
        seldom(() => log.retried(callback_name, reason));
      },
      lost: (records, reason) => {
        this.#lost.add(names, records);
        seldom(() => log.lost(callback_name, records, reason));
      },
    };
  }
}

const payloadOf = ({ entry, trace }: Ended): object => standardPayload(entry, traceIdOf(trace));
const traceIdOf = (trace: RequestTrace | null): string | null => trace?.context.traceId ?? null;

function toAddress({ url, headers }: { readonly url: { reveal(): string }; readonly headers: SecretHeaders }) {
  const revealed = Object.fromEntries(headers.map(([name, value]) => [name, value.reveal()]));
  return (body: string) => ({
    method: 'POST' as const,
    url: url.reveal(),
    headers: { 'content-type': 'application/json', ...revealed },
    body,
  });
}
