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
