import type { EpochMillis, Millis } from './units.ts';

/** A pending callback; cancelling twice, or after it ran, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Where time comes from.
 *
 * Everything below the shells is told the time; the shells ask this, so that tests can hold it still.
 */
export interface Clock {
  /** Monotonic time, for durations and deadlines. */
  now(): Millis;
  /** Wall-clock time, for records. */
  wall(): EpochMillis;
  /** Runs `callback` once, not before `delay` has passed. */
  after(delay: Millis, callback: () => void): Timer;
}
