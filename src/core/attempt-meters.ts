import type { Principal } from './identity.ts';
import type { Outcome } from './outcome.ts';
import type { Deployment } from './snapshot.ts';
import type { Millis } from './units.ts';

/** An attempt at a deployment has ended. */
export interface AttemptMeter {
  readonly deployment: Deployment;
  readonly group: string;
  readonly principal: Principal | null;
  readonly outcome: Outcome['kind'];
  readonly status: number | null;
  readonly duration: Millis;
  /** Null when nobody knows. */
  readonly outputTokens: number | null;
}

/** A deployment left rotation, after an answer of this status if there was one. */
export interface BenchMeter {
  readonly deployment: Deployment;
  readonly status: number | null;
}

/** A request that went to another group than the one asked for. */
export interface FallbackMeter {
  readonly from: string;
  readonly to: string;
  readonly worked: boolean;
  readonly deployment: Deployment;
  readonly principal: Principal | null;
  /** How the first attempt ended, with the status that the provider gave. */
  readonly cause: Outcome['kind'] | null;
  readonly status: number | null;
}
