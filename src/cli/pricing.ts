import type { PricedModel, PricingPorts } from '../control/ports.ts';
import { isObject, type JsonObject } from '../core/json.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { millis } from '../core/units.ts';
import { promptTexts } from '../endpoints/prompt-text.ts';
import { inferProvider } from '../gateway/infer-provider.ts';
import { tokenizedAs } from '../gateway/plan.ts';
import type { TokenCounter } from '../gateway/ports.ts';
import { priceOf } from '../gateway/price-bound.ts';
import { knownModel } from '../metering/catalogue.ts';
import { providerFor } from '../providers/registry.ts';
import { NO_CONTROLS, planRoute } from '../router/route.ts';
import { scanObject } from '../wire/json-splice.ts';
import { usageOf } from '../wire/openai/usage.ts';

/** What the admin API needs to tell a cost, from the configuration in use and the same functions that bill requests. */
export function pricingPorts(current: () => Snapshot, tokens: TokenCounter): PricingPorts {
  return {
    find: (model) => configured(current(), model) ?? known(model),
    terms: () => current().billing,
    usageOf: (completion) =>
      isObject(completion.usage) ? usageOf(completion.usage, 'inside', completion.service_tier) : null,
    countTokens: ({ tokenizedAs: model }, messages) => countTokens(tokens, model, messages),
  };
}

/** The first deployment of the plan for this model. */
function configured(snapshot: Snapshot, model: string): PricedModel | null {
  const request = { model, isStreaming: false, promptTokens: null, tags: [], controls: NO_CONTROLS };
  const route = planRoute(snapshot, { ...request, startedAt: millis(0) }, inferProvider);
  const deployment = route.kind === 'route' ? route.legs[0]?.deployments[0] : undefined;
  if (deployment === undefined) return null;
  const { provider } = deployment;
  return { name: model, provider, price: priceOf(deployment, model), tokenizedAs: tokenizedAs(deployment) };
}

function known(name: string): PricedModel | null {
  const found = providerFor(name, null);
  if (found === null) return null;
  const { provider, model } = found;
  return { name, provider: provider.id, price: knownModel(provider.id, model).price, tokenizedAs: model };
}

async function countTokens(tokens: TokenCounter, model: string, messages: readonly JsonObject[]) {
  const body = scanObject(Buffer.from(JSON.stringify({ messages })));
  if (body.kind !== 'body') return null;
  return tokens.count(promptTexts('openai-chat', body), [model], Number.MAX_SAFE_INTEGER);
}
