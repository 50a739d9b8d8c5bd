import type { OutputBound, RequestSize } from '../core/request-size.ts';
import { type NanoUsd, nanoUsd, type PicoUsd } from '../core/units.ts';

/** The dearest that any deployment which may answer could ask. Null: not known. */
export interface PriceBound {
  /** For one token of the prompt, of whatever kind: plain, written to a cache, sound. */
  readonly inputPicoUsd: PicoUsd;
  /** For one token of the answer, of whatever kind. */
  readonly outputPicoUsd: PicoUsd;
  /** For the request itself, searches included. */
  readonly requestNanoUsd: NanoUsd;
  readonly maxInputTokens: number | null;
  readonly maxOutputTokens: number | null;
}

/** The most that a request may cost, and how sure that is. */
export interface Estimate {
  readonly cost: NanoUsd;
  /** `bound`: it cannot cost more. `guess`: nothing bounds its output but the model. */
  readonly kind: 'bound' | 'guess';
}

/** What the tokenizer and the provider add to the client's text: templates, and system prompts for tools. */
const HIDDEN_TOKENS = 1000;
/** The dearest way of counting one picture that a price page tells of (OpenAI's small models, high detail). */
const TOKENS_PER_PICTURE = 40_000;
/** Output of a model whose maximum nobody knows. */
const UNKNOWN_MAX_OUTPUT = 16_384;
const PICO_PER_NANO = 1000n;

/**
 * The most that a request may cost, in nano-USD, rounded up.
 *
 * Prompt: a token is at least one byte of text, since every vocabulary in use falls back to bytes, and JSON's own
 * marks outnumber the tokens that a chat template puts between messages; a thousand are added for what providers put
 * in front themselves. English prose has about four bytes a token, code three, so the prompt's part is three to five
 * times what it will be. A picture counts `TOKENS_PER_PICTURE` besides its bytes: what looks like base64 may be read
 * as text. What is in a sound or a file nobody knows without opening it: then the model's whole window counts, which
 * bounds all the rest too.
 *
 * Output: what the client declared, which is a bound; else the model's maximum, which is one only where it is known.
 *
 * Not covered: a tokenizer that lengthens text before it counts (Unicode compatibility forms), attempts that a
 * provider bills although they failed, and tools that the provider runs and bills by itself.
 */
export function estimate(size: RequestSize, price: PriceBound): Estimate {
  const input = BigInt(promptTokens(size, price.maxInputTokens));
  const output = BigInt(outputTokens(size.output, price.maxOutputTokens));
  const pico = input * BigInt(price.inputPicoUsd) + output * BigInt(price.outputPicoUsd);
  const cost = (pico + PICO_PER_NANO - 1n) / PICO_PER_NANO + price.requestNanoUsd;
  return { cost: nanoUsd(cost), kind: size.output.kind === 'undeclared' ? 'guess' : 'bound' };
}

/** The most tokens that the prompt can have. */
function promptTokens({ textBytes, mediaBytes, pictures, documents }: RequestSize, window: number | null): number {
  if (documents > 0 && window !== null) return window;
  const tokens = textBytes + mediaBytes + HIDDEN_TOKENS + (pictures + documents) * TOKENS_PER_PICTURE;
  return window === null ? tokens : Math.min(tokens, window);
}

function outputTokens(output: OutputBound, maximum: number | null): number {
  switch (output.kind) {
    case 'none':
      return 0;
    case 'declared':
      return output.choices * Math.min(output.tokens, maximum ?? output.tokens);
    case 'undeclared':
      return output.choices * (maximum ?? UNKNOWN_MAX_OUTPUT);
  }
}

/** Bytes of text that a token takes in the mean: for limits, where a bound would keep honest callers out. */
const BYTES_PER_TOKEN = 4;

/**
 * Tokens that a request will probably use, for limits of tokens per minute; the facts replace it at its end.
 *
 * An answer whose length nobody declared counts as nothing yet, as in LiteLLM.
 */
export function likelyTokens({ textBytes, output }: RequestSize): number {
  const answer = output.kind === 'declared' ? output.tokens * output.choices : 0;
  return Math.ceil(textBytes / BYTES_PER_TOKEN) + answer;
}
