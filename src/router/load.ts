import type { DeploymentId } from '../core/ids.ts';
import type { Outcome } from '../core/outcome.ts';
import type { RoutingSettings } from '../core/snapshot.ts';
import { type Millis, seconds } from '../core/units.ts';

/** How one attempt went, for the strategies that look at load. */
export interface LoadSample {
  readonly outcome: Outcome;
  readonly elapsed: Millis;
  /** From the request to the first token, of a stream; null otherwise. */
  readonly firstToken: Millis | null;
  readonly completionTokens: number | null;
  readonly totalTokens: number | null;
}

const MINUTE: Millis = seconds(60);
/** What LiteLLM notes for a timeout, in seconds (litellm.md §2.3). */
const TIMEOUT_SECONDS = 1000;
/** Latencies kept of one deployment whatever the configuration says. */
const MOST_SAMPLES = 1000;

interface Latency {
  readonly at: Millis;
  readonly seconds: number;
}

interface Load {
  inFlight: number;
  minute: number;
  requests: number;
  tokens: number;
  /** Seconds per completion token, oldest first. */
  readonly perToken: Latency[];
  /** Seconds to the first token of streams, oldest first. */
  readonly firstToken: Latency[];
}

/**
 * What each deployment carries now and how fast it was: the ground on which strategies choose.
 *
 * 1. `begin` and `end` come in pairs; in-flight is never negative.
 * 2. A minute is a fixed window of the monotonic clock; counts of an older one are zero.
 * 3. Memory is bounded by the deployments and, for each, by the number of latency samples configured.
 */
export class LoadTable {
  readonly #loads = new Map<DeploymentId, Load>();

  /** An attempt starts. */
  begin(id: DeploymentId, now: Millis): void {
    const load = this.#current(id, now);
    load.inFlight += 1;
    load.requests += 1;
  }

  /** The attempt that `begin` announced has ended. */
  end(id: DeploymentId, sample: LoadSample, settings: RoutingSettings, now: Millis): void {
    const load = this.#current(id, now);
    load.inFlight = Math.max(0, load.inFlight - 1);
    load.tokens += sample.totalTokens ?? 0;
    if (settings.strategy !== 'latency-based-routing') return;
    const most = Math.min(settings.latencySamples, MOST_SAMPLES);
    if (sample.outcome.kind === 'timeout' && sample.outcome.phase !== 'total') {
      keep(load.perToken, { at: now, seconds: TIMEOUT_SECONDS }, most);
      keep(load.firstToken, { at: now, seconds: TIMEOUT_SECONDS }, most);
    } else if (sample.outcome.kind === 'success') {
      keep(load.perToken, { at: now, seconds: sample.elapsed / 1000 / (sample.completionTokens || 1) }, most);
      if (sample.firstToken !== null) keep(load.firstToken, { at: now, seconds: sample.firstToken / 1000 }, most);
    }
  }

  /** Attempts running now. */
  inFlight(id: DeploymentId): number {
    return this.#loads.get(id)?.inFlight ?? 0;
  }

  /** Attempts begun in the minute of `now`. */
  requestsThisMinute(id: DeploymentId, now: Millis): number {
    const load = this.#loads.get(id);
    return load !== undefined && load.minute === minuteOf(now) ? load.requests : 0;
  }

  /** Tokens of attempts that ended in the minute of `now`. */
  tokensThisMinute(id: DeploymentId, now: Millis): number {
    const load = this.#loads.get(id);
    return load !== undefined && load.minute === minuteOf(now) ? load.tokens : 0;
  }

  /**
   * Average latency within the window, in seconds; 0 for a deployment without samples, so that it is tried first.
   *
   * @returns seconds to the first token when streaming and known, else seconds per completion token
   */
  latency(id: DeploymentId, mode: 'stream' | 'reply', settings: RoutingSettings, now: Millis): number {
    const load = this.#loads.get(id);
    if (load === undefined) return 0;
    const samples = mode === 'stream' && load.firstToken.length > 0 ? load.firstToken : load.perToken;
    return average(samples, now - settings.latencyWindow);
  }

  /** Forgets every deployment but these and those still busy. */
  prune(ids: Iterable<DeploymentId>): void {
    const kept = new Set(ids);
    for (const [id, load] of this.#loads) if (!kept.has(id) && load.inFlight === 0) this.#loads.delete(id);
  }

  #current(id: DeploymentId, now: Millis): Load {
    const minute = minuteOf(now);
    let load = this.#loads.get(id);
    if (load === undefined) {
      load = { inFlight: 0, minute, requests: 0, tokens: 0, perToken: [], firstToken: [] };
      this.#loads.set(id, load);
    } else if (load.minute !== minute) {
      load.minute = minute;
      load.requests = 0;
      load.tokens = 0;
    }
    return load;
  }
}

function minuteOf(now: Millis): number {
  return Math.floor(now / MINUTE);
}

function keep(samples: Latency[], sample: Latency, most: number): void {
  samples.push(sample);
  while (samples.length > most) samples.shift();
}

function average(samples: readonly Latency[], since: number): number {
  let sum = 0;
  let count = 0;
  for (const sample of samples) {
    if (sample.at < since) continue;
    sum += sample.seconds;
    count += 1;
  }
  return count === 0 ? 0 : sum / count;
}
