import type { Adjustment, Bill } from '../core/cost.ts';
import type { BillingTerms, Billionths, Margin, Price } from '../core/price.ts';
import { type EpochMillis, type NanoUsd, nanoUsd } from '../core/units.ts';
import type { Usage } from '../core/usage.ts';
import { costOf } from './cost.ts';

const BILLION = 1_000_000_000n;
const PICO_PER_NANO = 1000n;

/** What was used, where and when. */
export interface Consumption {
  readonly provider: string;
  /** Null when nobody knows what the model costs. */
  readonly price: Price | null;
  /** Null when an answer was given and its provider did not say how many tokens it took. */
  readonly usage: Usage | null;
  readonly at: EpochMillis;
}

/**
 * The bill for one answer: the provider's price, less the discount, plus the margin.
 *
 * Each of the three is a whole number of nano-USD, the discount rounded down and the margin up, so that they add up to
 * the total to the last one. An unknown price stays unknown: what is assumed for it has neither discount nor margin.
 *
 * @see specs/litellm.md §7.3, `cost_discount_config` and `cost_margin_config`
 */
export function billFor({ provider, price, usage, at }: Consumption, terms: BillingTerms): Bill {
  const original = price === null || usage === null ? null : costOf(price, usage, at);
  if (original === null) return { cost: { kind: 'unknown', assumed: assumed(usage, at, terms) }, adjustment: null };
  const share = terms.discounts.get(provider) ?? null;
  const margin = terms.margins.get(provider) ?? terms.margins.get('global') ?? null;
  if (share === null && margin === null) return { cost: { kind: 'known', total: original }, adjustment: null };
  return adjusted(original, share, margin);
}

function assumed(usage: Usage | null, at: EpochMillis, terms: BillingTerms): NanoUsd {
  const cost = terms.assumed === null || usage === null ? null : costOf(terms.assumed, usage, at);
  return cost ?? nanoUsd(0n);
}

function adjusted(original: NanoUsd, discountShare: Billionths | null, margin: Margin | null): Bill {
  const discount = discountShare === null ? 0n : (original * discountShare) / BILLION;
  const reduced = original - discount;
  const added = margin === null ? 0n : marginOn(reduced, margin);
  const adjustment: Adjustment = {
    original,
    discount: discountShare === null ? null : nanoUsd(discount),
    margin: margin === null ? null : { amount: nanoUsd(added), share: margin.share },
  };
  return { cost: { kind: 'known', total: nanoUsd(reduced + added) }, adjustment };
}

function marginOn(cost: bigint, { share, fixed }: Margin): bigint {
  const pico = cost * share * PICO_PER_NANO + BigInt(fixed) * BILLION;
  const unit = BILLION * PICO_PER_NANO;
  return (pico + unit - 1n) / unit;
}
