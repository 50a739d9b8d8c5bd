import { nearest } from '../core/nearest.ts';
import type { Deployment } from '../core/snapshot.ts';
import { anthropic } from './anthropic/anthropic.ts';
import { azure, azureAi } from './azure/azure.ts';
import { openai } from './openai/openai.ts';
import { openAiCompatible } from './openai-compatible.ts';
import type { Provider } from './provider.ts';

/** Every provider, by the prefix that names it in `litellm_params.model`. */
export const PROVIDERS: ReadonlyMap<string, Provider> = new Map(
  [openai, azure, azureAi, anthropic, ...openAiCompatible].map((provider) => [provider.id, provider]),
);

/** LiteLLM's other names of the same thing. */
const ALIASES: Readonly<Record<string, string>> = {
  'text-completion-openai': 'openai',
  azure_text: 'azure',
  together: 'together_ai',
  fireworks: 'fireworks_ai',
  vllm: 'hosted_vllm',
};

/** Model names that say who serves them when no prefix does (litellm.md §1.4.1). */
const INFERRED: readonly (readonly [RegExp, string])[] = [
  [/^(?:gpt-|chatgpt-|o[134](?:-|$)|text-embedding-|davinci|babbage|ft:)/, 'openai'],
  [/^claude-/, 'anthropic'],
];

/** A provider and the model's name there. */
export interface ProviderModel {
  readonly provider: Provider;
  readonly model: string;
}

/**
 * The provider that a configured model means.
 *
 * @param litellmModel `litellm_params.model`: `azure/my-deployment`, `openai/gpt-4`, or a bare `gpt-4`
 * @param customProvider `custom_llm_provider`, which wins over the prefix
 * @returns null when nothing says which provider it is
 */
export function providerFor(litellmModel: string, customProvider: string | null): ProviderModel | null {
  const slash = litellmModel.indexOf('/');
  const prefix = slash < 0 ? null : litellmModel.slice(0, slash);
  const rest = litellmModel.slice(slash + 1);
  if (customProvider !== null) {
    const provider = named(customProvider);
    // The prefix belongs to the model unless it names the same provider again.
    return provider === null
      ? null
      : { provider, model: prefix !== null && named(prefix) === provider ? rest : litellmModel };
  }
  const byPrefix = prefix === null ? null : named(prefix);
  if (byPrefix !== null) return { provider: byPrefix, model: rest };
  const inferred = prefix === null ? INFERRED.find(([pattern]) => pattern.test(litellmModel)) : undefined;
  const provider = inferred === undefined ? null : named(inferred[1]);
  return provider === null ? null : { provider, model: litellmModel };
}

function named(name: string): Provider | null {
  return PROVIDERS.get(name) ?? PROVIDERS.get(ALIASES[name] ?? '') ?? null;
}

/** Known prefixes that an unknown one may have been meant to be, nearest first, at most three; for error messages. */
export function nearestProviders(prefix: string): readonly string[] {
  return nearest(prefix, PROVIDERS.keys(), 3);
}

/** Where a deployment is called; null when nobody has said. */
export function baseUrlOf({ upstream, provider }: Pick<Deployment, 'upstream' | 'provider'>): string | null {
  return upstream.baseUrl ?? PROVIDERS.get(provider)?.defaults.baseUrl ?? null;
}
