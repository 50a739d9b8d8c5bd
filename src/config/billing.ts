import type { BillingTerms, Margin } from '../core/price.ts';
import { priceOf, shareOf } from '../metering/decimal.ts';
import { flatPrice } from '../metering/schedule.ts';
import type { ConfigFile } from './keys/root.ts';

type MarginWords = NonNullable<NonNullable<ConfigFile['litellm_settings']>['cost_margin_config']>[string];

/** Discounts, margins and the assumed price, from `litellm_settings` and `general_settings`. */
export function compileBilling(file: ConfigFile): BillingTerms {
  const { cost_discount_config: discounts = {}, cost_margin_config: margins = {} } = file.litellm_settings ?? {};
  return {
    discounts: new Map(Object.entries(discounts).map(([provider, share]) => [provider, shareOf(share)])),
    margins: new Map(Object.entries(margins).map(([provider, words]) => [provider, marginOf(words)])),
    assumed: assumedPrice(file),
  };
}

function marginOf(words: MarginWords): Margin {
  if (typeof words === 'number') return { share: shareOf(words), fixed: priceOf(0) };
  return { share: shareOf(words.percentage ?? 0), fixed: priceOf(words.fixed_amount ?? 0) };
}

function assumedPrice(file: ConfigFile): BillingTerms['assumed'] {
  const words = file.general_settings?.assumed_price;
  if (words === undefined) return null;
  return flatPrice({
    input: priceOf(words.input_cost_per_token ?? 0),
    output: priceOf(words.output_cost_per_token ?? 0),
    request: priceOf(words.input_cost_per_request ?? 0),
    webSearch: priceOf(0),
  });
}
