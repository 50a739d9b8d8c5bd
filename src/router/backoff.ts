import type { BackoffSchedule } from '../core/snapshot.ts';
import { type Millis, millis, seconds } from '../core/units.ts';

/** The longest Retry-After that a request sleeps for; longer ones only keep the deployment out (errors.md §6). */
export const LONGEST_INLINE_WAIT: Millis = seconds(60);

/**
 * Delay before returning to a deployment already tried, without its random part.
 *
 * @param returns returns to tried deployments so far in this request, ≥ 0
 * @returns milliseconds, 0 ≤ delay ≤ `schedule.max`; never throws
 * @see litellm.md §2.5: 0.5 s · 2^k ≤ 8 s
 */
export function backoff(schedule: BackoffSchedule, returns: number): Millis {
  return millis(Math.min(schedule.base * schedule.factor ** returns, schedule.max));
}

/** What `retryDelay` knows of the try that failed. */
export interface FailedTry {
  /** What the provider asked for, or null. */
  readonly retryAfter: Millis | null;
  readonly endedAt: Millis;
}

/**
 * How long to wait from `now` before returning to a deployment, without the random part.
 *
 * The provider's Retry-After, counted from its answer, takes the place of the schedule up to 60 s; longer or
 * impossible values are ignored here and honoured by the health table.
 *
 * @returns milliseconds ≥ 0
 */
export function retryDelay(schedule: BackoffSchedule, returns: number, failed: FailedTry, now: Millis): Millis {
  const asked = failed.retryAfter;
  if (asked === null || !(asked > 0) || asked > LONGEST_INLINE_WAIT) return backoff(schedule, returns);
  return millis(Math.max(0, failed.endedAt + asked - now));
}

/**
 * Random addition to a delay, so that clients that failed together do not return together.
 *
 * @param random uniform in [0, 1)
 * @returns milliseconds, 0 ≤ jitter < `schedule.jitter`
 */
export function jitter(schedule: BackoffSchedule, random: () => number): Millis {
  return millis(schedule.jitter > 0 ? schedule.jitter * random() : 0);
}
