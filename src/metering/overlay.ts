import type { Rates } from '../core/price.ts';

/** US dollars for a million tokens; for a thousand requests or searches. */
export type Dollars = Readonly<Partial<Record<keyof Rates, number>>>;

/** Prices that the table lacks. */
export interface Supplement {
  readonly standard?: Dollars;
  readonly flex?: Dollars;
  readonly priority?: Dollars;
}

interface SupplementRow extends Supplement {
  readonly providers: readonly string[];
  /** Tried on the lower-case upstream name. */
  readonly models: RegExp;
}

/**
 * OpenAI's audio and service tiers, which the table does not have.
 *
 * Only what stands on the provider's page; a tier that is not here costs what the standard one costs, as in LiteLLM.
 *
 * @see https://platform.openai.com/docs/pricing, sections Text tokens (Flex, Priority) and Audio tokens, as known in 2026
 */
const SUPPLEMENTS: readonly SupplementRow[] = [
  { providers: ['openai', 'azure'], models: /^gpt-4o-audio-preview/, standard: { audioInput: 40, audioOutput: 80 } },
  {
    providers: ['openai', 'azure'],
    models: /^gpt-4o-mini-audio-preview/,
    standard: { audioInput: 10, audioOutput: 20 },
  },
  {
    providers: ['openai'],
    models: /^gpt-5\.2(-2025-12-11)?$/,
    flex: { input: 0.875, cacheRead: 0.0875, output: 7 },
    priority: { input: 3.5, cacheRead: 0.35, output: 28 },
  },
  {
    providers: ['openai'],
    models: /^gpt-5(\.1)?(-2025-(08-07|11-13))?$/,
    flex: { input: 0.625, cacheRead: 0.0625, output: 5 },
    priority: { input: 2.5, cacheRead: 0.25, output: 20 },
  },
  {
    providers: ['openai'],
    models: /^gpt-5-mini(-2025-08-07)?$/,
    flex: { input: 0.125, cacheRead: 0.0125, output: 1 },
    priority: { input: 0.45, cacheRead: 0.045, output: 3.6 },
  },
  {
    providers: ['openai'],
    models: /^gpt-5-nano(-2025-08-07)?$/,
    flex: { input: 0.025, cacheRead: 0.0025, output: 0.2 },
  },
  {
    providers: ['openai'],
    models: /^gpt-4\.1(-2025-04-14)?$/,
    priority: { input: 3.5, cacheRead: 0.875, output: 14 },
  },
  {
    providers: ['openai'],
    models: /^gpt-4\.1-mini(-2025-04-14)?$/,
    priority: { input: 0.7, cacheRead: 0.175, output: 2.8 },
  },
  {
    providers: ['openai'],
    models: /^gpt-4\.1-nano(-2025-04-14)?$/,
    priority: { input: 0.2, cacheRead: 0.05, output: 0.8 },
  },
  {
    providers: ['openai'],
    models: /^gpt-4o(-2024-(08-06|11-20))?$/,
    priority: { input: 4.25, cacheRead: 2.125, output: 17 },
  },
  {
    providers: ['openai'],
    models: /^gpt-4o-mini(-2024-07-18)?$/,
    priority: { input: 0.25, cacheRead: 0.125, output: 1 },
  },
  {
    providers: ['openai'],
    models: /^o3(-2025-04-16)?$/,
    flex: { input: 1, cacheRead: 0.25, output: 4 },
    priority: { input: 3.5, cacheRead: 0.875, output: 14 },
  },
  {
    providers: ['openai'],
    models: /^o4-mini(-2025-04-16)?$/,
    flex: { input: 0.55, cacheRead: 0.138, output: 2.2 },
    priority: { input: 2, cacheRead: 0.5, output: 8 },
  },
];

/**
 * Perplexity's price for a request, by the size of the search; the table has the highest only.
 *
 * @see https://docs.perplexity.ai/getting-started/pricing, as known in 2026; recording perplexity/chat-stream, where a
 *   request of size low costs 0.005 beside its tokens
 */
const SEARCHES: readonly SupplementRow[] = [
  {
    providers: ['perplexity'],
    models: /^sonar(-reasoning)?$/,
    standard: { request: 5, requestMedium: 8, requestHigh: 12 },
  },
  {
    providers: ['perplexity'],
    models: /^sonar(-reasoning)?-pro$/,
    standard: { request: 6, requestMedium: 10, requestHigh: 14 },
  },
];

const NOTHING: Supplement = {};

/** OpenRouter's own word for what costs nothing, whichever models have it today. */
export function isFree(provider: string, name: string): boolean {
  return provider === 'openrouter' && name.endsWith(':free');
}

/** What the table lacks of a model's prices. */
export function supplement(provider: string, name: string): Supplement {
  return (
    [...SUPPLEMENTS, ...SEARCHES].find((row) => row.providers.includes(provider) && row.models.test(name)) ?? NOTHING
  );
}

/** Longest answers in tokens, reasoning included, first match first. What Claude can do stands with its provider. */
const LONGEST: readonly (readonly [providers: readonly string[], models: RegExp, tokens: number])[] = [
  [['openai', 'azure'], /^gpt-5-chat/, 16_384],
  [['openai', 'azure'], /^gpt-5/, 128_000],
  [['openai', 'azure'], /^gpt-4\.1/, 32_768],
  [['openai', 'azure'], /^(chatgpt-4o|gpt-4o)(?!-2024-05-13)/, 16_384],
  [['openai', 'azure'], /^o1-(mini|preview)/, 65_536],
  [['openai', 'azure'], /^(o1|o3|o4)/, 100_000],
  [['openai', 'azure'], /^(gpt-4-turbo|gpt-4-1106|gpt-4-0125|gpt-4o-2024-05-13|gpt-3\.5-turbo)/, 4096],
  [['openai', 'azure'], /^gpt-4(-0613)?$/, 8192],
  [['gemini', 'vertex_ai'], /^gemini-(2\.5-(pro|flash|flash-lite)(?!.*(image|tts))|3)/, 65_536],
  [['gemini', 'vertex_ai'], /^gemini-(1\.5|2\.0)/, 8192],
  [['deepseek'], /^deepseek-chat/, 8192],
  [['deepseek'], /^deepseek-reasoner/, 65_536],
];

/**
 * Tokens that an answer of the model has at most, or null.
 *
 * @see https://platform.openai.com/docs/models, https://ai.google.dev/gemini-api/docs/models,
 *   https://api-docs.deepseek.com/quick_start/pricing, as known in 2026
 */
export function longestAnswer(provider: string, name: string): number | null {
  return LONGEST.find(([providers, models]) => providers.includes(provider) && models.test(name))?.[2] ?? null;
}
