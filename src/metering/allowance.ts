import type { EpochMillis } from '../core/units.ts';
import type { Estimate } from './estimate.ts';

/*
 * How several instances divide one budget, so that together they never pass it.
 *
 * The store keeps for each instance what it **holds** of a budget: at least what its running requests have reserved and
 * what it has spent without the store knowing (its needs), and besides something to spare, from which it admits requests
 * without asking anybody. Instances change what they hold one after the other, each by its own exchange with the store.
 *
 * 1. No exchange makes spend + Σ held pass the limit, unless an instance needs more than it held: a cost beyond its
 *    estimate, or a limit that was lowered.
 * 2. An instance spends of what it holds only: from the moment at which an exchange begins, of what it will at least
 *    hold after it, whether or not it hears the answer.
 * 3. What is spare is half of what the others leave. So with n instances each has 1/(n+1) of what is left, and one that
 *    comes new finds as much. Where less than a few requests are left nobody keeps anything to spare.
 * 4. Of requests that nobody bounded one at a time, on all instances together, holds less than its estimate.
 * 5. A hold ends with its lease, or when the journal of its instance is in the store; who cannot renew it stops in time.
 */

/** What one instance holds of a budget that several share. */
export interface Allowance {
  /** What the store holds for this instance, less what the store has taken in since. */
  held: bigint;
  /** The limit of which it is a part: under another it is worth nothing. Null: it was never asked for. */
  limit: bigint | null;
  until: EpochMillis;
  /** What the other instances held at the last exchange, and whether one of them lacked something. */
  others: bigint;
  isWanted: boolean;
  /** Whether another instance has the request that holds less than its estimate. */
  isOtherShort: boolean;
  /** Whether no other instance was alive. */
  isAlone: boolean;
  /** Whether the store lets a request of this instance hold less than its estimate. */
  mayBeShort: boolean;
  /** Until then the others are told that a request did not fit beside what they hold. */
  wantingUntil: EpochMillis;
  /** What the last request wanted to hold. */
  typical: bigint;
  /** Until then what is known of the others is as good as asking them. */
  freshUntil: EpochMillis;
}

/** One that was never asked for. */
export function noAllowance(now: EpochMillis): Allowance {
  return {
    held: 0n,
    limit: null,
    until: now,
    others: 0n,
    isWanted: false,
    isOtherShort: false,
    isAlone: false,
    mayBeShort: false,
    wantingUntil: now,
    typical: 0n,
    freshUntil: now,
  };
}

/** What an instance brings to an exchange. */
export interface Claim {
  readonly limit: bigint;
  /** Reserved, or spent without the store knowing. */
  readonly needs: bigint;
  /** What it goes on admitting from while it waits for the answer. */
  readonly kept: bigint;
  readonly typical: bigint;
  readonly isShort: boolean;
  /** A request did not fit a while ago, and may come again. */
  readonly isWanting: boolean;
  /** Nobody has used the budget for a while: nothing is kept to spare. */
  readonly isIdle: boolean;
}

/** What the store says of a budget. */
export interface Standing {
  readonly spent: bigint;
  /** What the other instances hold. */
  readonly others: bigint;
  /** Whether one of them lacks something that the others may have to spare. */
  readonly isWanted: boolean;
  readonly isOtherShort: boolean;
  readonly isAlone: boolean;
}

/** What an instance holds after an exchange. */
export interface Share {
  readonly held: bigint;
  /** A request that waited did not fit beside what the others hold. */
  readonly isWanting: boolean;
  readonly isShort: boolean;
}

/**
 * What an instance gets.
 *
 * @param waiting estimates of the requests that wait for it, in the order in which they came
 */
export function share(claim: Claim, standing: Standing, waiting: readonly Estimate[]): Share {
  const { limit, needs, kept, typical, isIdle } = claim;
  const left = limit - standing.spent - standing.others - needs;
  let { isShort, isWanting } = claim;
  let taken = 0n;
  for (const { cost, kind } of waiting) {
    const rest = left - taken;
    if (cost <= rest) taken += cost;
    else if (kind === 'guess' && rest > 0n && !isShort && !standing.isOtherShort) {
      taken = left;
      isShort = true;
    } else isWanting ||= cost <= rest + standing.others;
  }
  const spare = isIdle || standing.isWanted ? 0n : spareOf(left - taken, typical, standing.isAlone);
  const wanted = taken + spare;
  return { held: needs + (wanted > kept ? wanted : kept), isWanting, isShort };
}

/**
 * What an instance keeps beyond its needs, of what all others leave.
 *
 * @param typical what a request holds here
 */
export function spareOf(left: bigint, typical: bigint, isAlone: boolean): bigint {
  if (left <= 0n) return 0n;
  const half = left / 2n;
  if (half >= 2n * typical) return half;
  return isAlone ? left : 0n;
}
