import type { EpochMillis, Millis, PicoUsd } from './units.ts';

/**
 * What a deployment charges, as it was known when the configuration was compiled.
 *
 * Prices change with time, so there is a list of sheets: the last one whose `when` holds counts, else the first.
 */
export interface Price {
  readonly sheets: readonly [PriceSheet, ...PriceSheet[]];
}

export interface PriceSheet {
  /** Null: whenever no later sheet holds. */
  readonly when: PriceTime | null;
  readonly standard: Schedule;
  /** Prices of the other service tiers; null: those of `standard`. */
  readonly flex: Schedule | null;
  readonly priority: Schedule | null;
  /** Null: half of `standard`. */
  readonly batch: Schedule | null;
}

/** When a sheet holds: from a day on, or every day between two times. */
export type PriceTime =
  | { readonly kind: 'from'; readonly at: EpochMillis }
  /** Since midnight UTC, end excluded; an end before the start is the next day's. */
  | { readonly kind: 'daily'; readonly start: Millis; readonly end: Millis };

/** Rates by the length of the prompt. */
export interface Schedule {
  readonly base: Rates;
  /** Highest first: the first whose `above` is exceeded is for the whole request. */
  readonly tiers: readonly Tier[];
}

export interface Tier {
  /** Input tokens, cached ones included, that the prompt must exceed. */
  readonly above: number;
  /** Complete: what the tier does not change is as in the base. */
  readonly rates: Rates;
}

/**
 * What one token of each kind costs, and one request, and one search.
 *
 * Null: `input` and `output` are not known; any other kind costs what the kind costs that it is a part of
 * (`cacheWriteHour` as `cacheWrite`, that as `input`). `request` has no whole: null is none; requests after larger searches cost
 * what `request` does. `webSearch` is not known.
 */
export interface Rates {
  readonly input: PicoUsd | null;
  readonly output: PicoUsd | null;
  readonly cacheRead: PicoUsd | null;
  readonly cacheWrite: PicoUsd | null;
  readonly cacheWriteHour: PicoUsd | null;
  readonly reasoning: PicoUsd | null;
  readonly audioInput: PicoUsd | null;
  readonly audioOutput: PicoUsd | null;
  readonly imageInput: PicoUsd | null;
  readonly imageOutput: PicoUsd | null;
  readonly citation: PicoUsd | null;
  readonly request: PicoUsd | null;
  /** The same after a search of this size. */
  readonly requestMedium: PicoUsd | null;
  readonly requestHigh: PicoUsd | null;
  readonly webSearch: PicoUsd | null;
}

/** Nothing is known. */
export const NO_RATES: Rates = {
  input: null,
  output: null,
  cacheRead: null,
  cacheWrite: null,
  cacheWriteHour: null,
  reasoning: null,
  audioInput: null,
  audioOutput: null,
  imageInput: null,
  imageOutput: null,
  citation: null,
  request: null,
  requestMedium: null,
  requestHigh: null,
  webSearch: null,
};

/** A share: 10⁻⁹, so that a configured 0.05 is exact. */
export type Billionths = bigint;

/** What is added to a cost: a share of it, and an amount. Both null-free; 0 is none. */
export interface Margin {
  readonly share: Billionths;
  /** Pico-USD for each request. */
  readonly fixed: PicoUsd;
}

/** What the operator makes of the providers' prices. */
export interface BillingTerms {
  /** Provider -> share that is taken off. */
  readonly discounts: ReadonlyMap<string, Billionths>;
  /** Provider, or `global` -> what is added after the discount. */
  readonly margins: ReadonlyMap<string, Margin>;
  /** What budgets assume when no price is known; null: nothing. */
  readonly assumed: Price | null;
}

/** The providers' own prices. */
export const NO_TERMS: BillingTerms = { discounts: new Map(), margins: new Map(), assumed: null };
