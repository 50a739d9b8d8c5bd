/**
 * How fast, and how dearly, the provider served an answer, as its usage says. `standard` is also what a provider calls
 * `default`, `auto`, `on_demand` or `scale`.
 */
export type ServiceTier = 'standard' | 'flex' | 'priority' | 'batch';

/** Perplexity's `search_context_size`; `low` is what it does unless asked otherwise. */
export type SearchSize = 'low' | 'medium' | 'high';

/**
 * Tokens of one answer, by kind, in the words of the OpenTelemetry GenAI conventions.
 *
 * `input` includes cache reads and writes, audio and images; `output` includes reasoning, audio, images and citations,
 * whatever the provider's own arithmetic is: the provider's decoder does the sum once (translation.md §2).
 */
export interface Usage {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  /** The part of `cacheWrite` kept for an hour, which costs more. */
  readonly cacheWriteHour: number;
  readonly reasoning: number;
  readonly audioInput: number;
  readonly audioOutput: number;
  readonly imageInput: number;
  readonly imageOutput: number;
  /** Tokens of cited sources, which Perplexity charges apart. */
  readonly citation: number;
  /** Searches that the provider made; a count, not tokens. */
  readonly webSearches: number;
  /** How much a search looked at, where that decides the price of the request; null when nobody says. */
  readonly searchSize: SearchSize | null;
  readonly serviceTier: ServiceTier;
}

/** No tokens at all. */
export const NO_USAGE: Usage = {
  input: 0,
  output: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cacheWriteHour: 0,
  reasoning: 0,
  audioInput: 0,
  audioOutput: 0,
  imageInput: 0,
  imageOutput: 0,
  citation: 0,
  webSearches: 0,
  searchSize: null,
  serviceTier: 'standard',
};

/** What a provider calls a tier, in our words; whatever is not known to cost otherwise is `standard`. */
export function serviceTier(word: unknown): ServiceTier {
  return word === 'flex' || word === 'priority' || word === 'batch' ? word : 'standard';
}

/** The size of a search in a provider's words, or null for any other word. */
export function searchSize(word: unknown): SearchSize | null {
  return word === 'low' || word === 'medium' || word === 'high' ? word : null;
}
