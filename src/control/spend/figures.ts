import { type NanoUsd, nanoUsd, usd } from '../../core/units.ts';
import type { DailySum } from '../../store/spend-reports.ts';

/** A sum in US dollars as answers have it: the double that is nearest to the decimal. */
export const dollarsOf = (amount: NanoUsd): number => Number(usd(amount));

/** LiteLLM's figures of some requests, and how many of them have no known cost and are missing in `spend`. */
export interface Metrics {
  readonly spend: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly total_tokens: number;
  readonly successful_requests: number;
  readonly failed_requests: number;
  readonly api_requests: number;
  readonly unpriced_requests: number;
}

type Figures = Omit<DailySum, 'group'>;

const NOTHING: Figures = {
  spendNano: nanoUsd(0n),
  promptTokens: 0,
  completionTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  requests: 0,
  successful: 0,
  failed: 0,
  unpriced: 0,
};

/** Adds up sums of days; money stays whole nano-dollars until it is shown. */
export class Tally {
  #figures: Figures = NOTHING;

  add(sum: Figures): this {
    const before = this.#figures;
    this.#figures = {
      spendNano: nanoUsd(before.spendNano + sum.spendNano),
      promptTokens: before.promptTokens + sum.promptTokens,
      completionTokens: before.completionTokens + sum.completionTokens,
      cacheReadTokens: before.cacheReadTokens + sum.cacheReadTokens,
      cacheWriteTokens: before.cacheWriteTokens + sum.cacheWriteTokens,
      requests: before.requests + sum.requests,
      successful: before.successful + sum.successful,
      failed: before.failed + sum.failed,
      unpriced: before.unpriced + sum.unpriced,
    };
    return this;
  }

  get figures(): Figures {
    return this.#figures;
  }

  get metrics(): Metrics {
    return metricsOf(this.#figures);
  }
}

export function metricsOf(sum: Figures): Metrics {
  return {
    spend: dollarsOf(sum.spendNano),
    prompt_tokens: sum.promptTokens,
    completion_tokens: sum.completionTokens,
    cache_read_input_tokens: sum.cacheReadTokens,
    cache_creation_input_tokens: sum.cacheWriteTokens,
    total_tokens: tokensOf(sum),
    successful_requests: sum.successful,
    failed_requests: sum.failed,
    api_requests: sum.requests,
    unpriced_requests: sum.unpriced,
  };
}

export const tokensOf = ({ promptTokens, completionTokens }: Figures): number => promptTokens + completionTokens;

/** Groups in the order in which they first come. */
export function tallied(sums: readonly DailySum[], nameOf: (sum: DailySum) => string): ReadonlyMap<string, Tally> {
  const byName = new Map<string, Tally>();
  for (const sum of sums) {
    const name = nameOf(sum);
    const tally = byName.get(name) ?? new Tally();
    byName.set(name, tally.add(sum));
  }
  return byName;
}
