import { z } from 'zod';
import type { Bill } from '../../core/cost.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Price } from '../../core/price.ts';
import { type NanoUsd, nanoUsd } from '../../core/units.ts';
import { NO_USAGE, type Usage } from '../../core/usage.ts';
import { billFor } from '../../metering/bill.ts';
import { shownPrices } from '../../metering/price-keys.ts';
import { id } from '../fields/values.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { refused } from '../http/refused.ts';
import type { PricedModel } from '../ports.ts';
import { dollarsOf } from './figures.ts';

/**
 * What a request would cost, or an answer did, by the prices, discounts and margins in force (litellm.md §3.8).
 *
 * No model is called and nothing is recorded.
 */

const TAG = 'spend';
const count = z.int().min(0).max(1_000_000_000);

const estimateFields = z.object({
  model: id,
  input_tokens: count,
  output_tokens: count,
  /** Parts of `input_tokens`, and of `output_tokens`. */
  cache_read_input_tokens: count.default(0),
  cache_creation_input_tokens: count.default(0),
  reasoning_tokens: count.default(0),
  num_requests_per_day: count.nullish(),
  num_requests_per_month: count.nullish(),
});

type EstimateInput = z.output<typeof estimateFields>;

const calculateFields = z.object({
  model: id.nullish(),
  messages: z.array(z.looseObject({})).nullish(),
  completion_response: z.looseObject({ model: id }).nullish(),
});

export const costRoutes = [
  adminRoute({
    methods: ['POST'],
    paths: ['/spend/calculate'],
    summary: 'Tell what a prompt would cost, before an answer, or what an answer did cost.',
    tag: TAG,
    audience: 'role',
    input: calculateFields,
    async handle(input, context) {
      return { cost: dollarsOf(await calculated(input, context)) };
    },
  }),
  adminRoute({
    methods: ['POST'],
    paths: ['/cost/estimate'],
    summary: 'Tell what requests with so many tokens would cost: one, those of a day, those of a month.',
    tag: TAG,
    audience: 'role',
    input: estimateFields,
    handle: (input, context) => estimated(input, context),
  }),
];

async function calculated(input: z.output<typeof calculateFields>, context: AdminContext): Promise<NanoUsd> {
  const { model, messages, completion_response: answer } = input;
  if (model != null) {
    if (messages == null)
      throw refused('bad-fields', "Bad Request - messages must be provided if 'model' is provided", 'messages');
    const priced = modelFor(model, context);
    // Objects that were parsed from JSON.
    const tokens = await context.ports.pricing.countTokens(priced, messages as readonly JsonObject[]);
    if (tokens === null) throw refused('overloaded', 'The tokens could not be counted just now. Try again.');
    return total(billOf(priced, { ...NO_USAGE, input: tokens }, context));
  }
  if (answer == null) {
    const message = "Bad Request - Either 'model' or 'completion_response' must be provided";
    throw refused('bad-fields', message, 'model');
  }
  const usage = context.ports.pricing.usageOf(answer as JsonObject);
  if (usage === null)
    throw refused('bad-fields', 'completion_response has no usage with numbers of tokens.', 'completion_response');
  return total(billOf(modelFor(answer.model, context), usage, context));
}

const total = ({ cost }: KnownBill): NanoUsd => cost.total;

function estimated(input: EstimateInput, context: AdminContext) {
  const model = modelFor(input.model, context);
  const usage = usageOf(input);
  const bill = billOf(model, usage, context);
  const margin = bill.adjustment?.margin?.amount ?? nanoUsd(0n);
  const withoutMargin = bill.cost.total - margin;
  // What is not for the answer is for the prompt, whose length decides the price of both.
  const forInput = billOf(model, { ...usage, output: 0, reasoning: 0 }, context);
  const inputCost = forInput.cost.total - (forInput.adjustment?.margin?.amount ?? 0n);
  const one = {
    cost: bill.cost.total,
    input_cost: nanoUsd(inputCost),
    output_cost: nanoUsd(withoutMargin - inputCost),
    margin_cost: margin,
  };
  const { input_cost_per_token = null, output_cost_per_token = null } = shownPrices(model.price, context.now);
  return {
    model: input.model,
    input_tokens: input.input_tokens,
    output_tokens: input.output_tokens,
    cache_read_input_tokens: input.cache_read_input_tokens,
    cache_creation_input_tokens: input.cache_creation_input_tokens,
    reasoning_tokens: input.reasoning_tokens,
    num_requests_per_day: input.num_requests_per_day ?? null,
    num_requests_per_month: input.num_requests_per_month ?? null,
    ...times(one, 1, (word) => `${word}_per_request`),
    ...times(one, input.num_requests_per_day, (word) => `daily_${word}`),
    ...times(one, input.num_requests_per_month, (word) => `monthly_${word}`),
    input_cost_per_token,
    output_cost_per_token,
    provider: model.provider,
  };
}

const usageOf = (input: EstimateInput): Usage => ({
  ...NO_USAGE,
  input: input.input_tokens,
  output: input.output_tokens,
  cacheRead: input.cache_read_input_tokens,
  cacheWrite: input.cache_creation_input_tokens,
  reasoning: input.reasoning_tokens,
});

/** The costs of so many requests, in dollars; null for none, as in LiteLLM. */
function times(
  costs: Readonly<Record<string, NanoUsd>>,
  requests: number | null | undefined,
  nameOf: (word: string) => string,
): Readonly<Record<string, number | null>> {
  const shown = (cost: NanoUsd) => (requests ? dollarsOf(nanoUsd(cost * BigInt(requests))) : null);
  return Object.fromEntries(Object.entries(costs).map(([word, cost]) => [nameOf(word), shown(cost)]));
}

/** A model whose price is known. */
type ModelWithPrice = PricedModel & { readonly price: Price };

/** @throws Refused when nobody knows what the model costs */
function modelFor(name: string, { ports }: AdminContext): ModelWithPrice {
  const model = ports.pricing.find(name);
  if (model === null || model.price === null) throw unpriced(name);
  return { ...model, price: model.price };
}

interface KnownBill extends Bill {
  readonly cost: Extract<Bill['cost'], { readonly kind: 'known' }>;
}

/** @throws Refused when something was used whose price is not known */
function billOf(model: ModelWithPrice, usage: Usage, { ports, now }: AdminContext): KnownBill {
  const bill = billFor({ provider: model.provider, price: model.price, usage, at: now }, ports.pricing.terms());
  if (bill.cost.kind === 'unknown') throw unpriced(model.name);
  return { ...bill, cost: bill.cost };
}

function unpriced(model: string) {
  const message =
    `No price is known for ${model.slice(0, 200)}. Set input_cost_per_token and output_cost_per_token in its ` +
    'litellm_params, or model_info.base_model to a model whose price it has.';
  return refused('nothing-there', message, 'model');
}
