import type { Billionths } from './price.ts';
import type { NanoUsd } from './units.ts';

/**
 * What one request cost.
 *
 * `unknown`: tokens were used, but no price is known for the model, or nobody knows how many (a request that was lost).
 * It is recorded as unknown, never as zero, and `assumed` is what budgets hold against it (the configured fallback
 * price, 0 when there is none; the estimate of a lost request).
 */
export type Cost =
  | { readonly kind: 'known'; readonly total: NanoUsd }
  | { readonly kind: 'unknown'; readonly assumed: NanoUsd };

/** A cost, and how discount and margin made it out of the provider's own. */
export interface Bill {
  readonly cost: Cost;
  /** Null when neither is configured for the provider, or no price is known. */
  readonly adjustment: Adjustment | null;
}

/** To the last nano: total = original - discount + margin. */
export interface Adjustment {
  readonly original: NanoUsd;
  /** Null when there is none. */
  readonly discount: NanoUsd | null;
  readonly margin: { readonly amount: NanoUsd; readonly share: Billionths } | null;
}
