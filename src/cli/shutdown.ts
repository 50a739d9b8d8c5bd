import type { Clock } from '../core/clock.ts';
import { type Millis, millis, seconds } from '../core/units.ts';
import type { GatewayServer } from '../transport/server.ts';
import type { Io } from './io.ts';

/** LiteLLM's default, and what Kubernetes waits before it kills. */
const DEFAULT_WHOLE = seconds(30);
/** Long enough for Kubernetes to take a pod out of its services, and for a probe every second or two. */
const DEFAULT_DRAIN = seconds(5);
/** Whoever has not asked for readiness for so long would not notice that it is red, milliseconds. */
const WATCHED_WITHIN = seconds(60);
/** How long the last words of answers that did not end in time may take. */
const LAST_WORDS = seconds(2);
/** How long the last entries of the ledger may take to be written; what is left is written by the next start. */
export const LEDGER_PATIENCE = seconds(2);
/** For the process itself to end. */
const SLACK = seconds(1);

/** How a gateway ends, counted from the signal. */
export interface ShutdownTimes {
  /** How long it goes on accepting while readiness is red; null: as long as somebody watches readiness. */
  readonly drain: Millis | null;
  /** When running answers are ended. */
  readonly patience: Millis;
}

/**
 * Reads `GRACEFUL_SHUTDOWN_TIMEOUT` and `TOLLGATE_DRAIN_SECONDS`.
 *
 * @returns what is wrong with one of them, as a sentence
 */
export function readShutdownTimes(env: Io['env']): ShutdownTimes | string {
  const whole = secondsOf(env.GRACEFUL_SHUTDOWN_TIMEOUT);
  const drain = secondsOf(env.TOLLGATE_DRAIN_SECONDS);
  if (whole === 'wrong') return `GRACEFUL_SHUTDOWN_TIMEOUT must be a number of seconds.`;
  if (drain === 'wrong') return `TOLLGATE_DRAIN_SECONDS must be a number of seconds.`;
  return { drain, patience: millis(Math.max(0, (whole ?? DEFAULT_WHOLE) - LAST_WORDS - LEDGER_PATIENCE - SLACK)) };
}

function secondsOf(text: string | undefined): Millis | null | 'wrong' {
  if (text === undefined || text.trim() === '') return null;
  const number = Number(text);
  return Number.isFinite(number) && number >= 0 ? seconds(number) : 'wrong';
}

/** What ends, and who is told. */
export interface Ending {
  readonly server: GatewayServer;
  readonly clock: Clock;
  /** When somebody last asked for readiness, or null. */
  readonly lastAsked: Millis | null;
  /** Accepting goes on for so long, zero included. */
  onDrain(window: Millis): void;
  onStop(): void;
  /** Running answers had their time. */
  onLastCall(): void;
}

/**
 * Ends the server without losing an answer; readiness must be red already.
 *
 *   red ─► draining: accepts, each answer is the last of its connection ─► stopped: running answers go on ─► last words
 *
 * Balancers send requests until they have noticed: refused at once, these would be lost. Only when nobody has asked for
 * readiness is there nobody who could notice, and nothing to wait for.
 */
export async function shutDown(times: ShutdownTimes, ending: Ending): Promise<void> {
  const { server, clock } = ending;
  const begun = clock.now();
  const isWatched = ending.lastAsked !== null && begun - ending.lastAsked < WATCHED_WITHIN;
  const window = millis(Math.min(times.drain ?? (isWatched ? DEFAULT_DRAIN : 0), times.patience));
  server.drain();
  ending.onDrain(window);
  if (window > 0) await new Promise<void>((resolve) => clock.after(window, resolve));
  ending.onStop();
  const left = millis(times.patience - window);
  const lastCall = clock.after(left, () => ending.onLastCall());
  await server.stop(left + LAST_WORDS);
  lastCall.cancel();
}
