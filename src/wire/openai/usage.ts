import { type JsonObject, numberMember, objectMember } from '../../core/json.ts';
import { searchSize, serviceTier, type Usage } from '../../core/usage.ts';
import type { ChatUsage } from './chat.ts';

/** Where a host counts its reasoning tokens: within `completion_tokens`, or beside them as xAI and Perplexity do. */
export type ReasoningCount = 'inside' | 'outside';

/**
 * Tokens from the `usage` object of a chat, completions or embeddings answer.
 *
 * `prompt_tokens` includes what was read from and written to a cache, under whichever name the host reports that:
 * `prompt_tokens_details` (OpenAI), `prompt_cache_hit_tokens` (DeepSeek), `cached_tokens` (Moonshot) or Anthropic's
 * names (LiteLLM). Parts may be larger than their whole; hosts do send 416 cached of 249 prompt tokens.
 *
 * What a total has beyond its parts is reasoning: Gemini's endpoint leaves it out of `completion_tokens` and has no
 * other place for it (recording gemini/openai-compat-tools-without-id, where 35 + 12 are 109).
 *
 * @param tier `service_tier` of the answer, which OpenAI puts beside its usage and Mistral inside
 * @returns null when the object counts nothing; values that are no counts are 0
 * @see specs/openai.md §2; research/provider-quirks.md, "Usage"; xAI: recording xai/chat-tool-stream, where
 *   288 + 27 + 313 reasoning = 628
 */
export function usageOf(
  usage: JsonObject,
  reasoningCount: ReasoningCount = 'inside',
  tier: unknown = usage.service_tier,
): Usage | null {
  const prompt = numberMember(usage, 'prompt_tokens');
  const completion = numberMember(usage, 'completion_tokens');
  const total = numberMember(usage, 'total_tokens');
  if (prompt === null && completion === null && total === null) return null;
  const promptDetails = objectMember(usage, 'prompt_tokens_details') ?? {};
  const outputDetails = objectMember(usage, 'completion_tokens_details') ?? {};
  const reasoning = count(outputDetails, 'reasoning_tokens') ?? count(usage, 'reasoning_tokens') ?? 0;
  const citation = count(usage, 'citation_tokens') ?? 0;
  const stated = Math.max(0, completion ?? 0);
  const input = Math.max(0, prompt ?? (total ?? 0) - stated);
  const output = stated + citation + (reasoningCount === 'outside' ? reasoning : 0);
  const hidden = completion === null || total === null ? 0 : Math.max(0, total - input - output);
  return {
    input,
    output: output + hidden,
    cacheRead:
      count(promptDetails, 'cached_tokens') ??
      count(usage, 'prompt_cache_hit_tokens') ??
      count(usage, 'cached_tokens') ??
      count(usage, 'cache_read_input_tokens') ??
      0,
    cacheWrite:
      count(promptDetails, 'cache_write_tokens') ??
      count(promptDetails, 'cache_creation_tokens') ??
      count(usage, 'cache_creation_input_tokens') ??
      0,
    cacheWriteHour: 0,
    reasoning: reasoning + hidden,
    audioInput: count(promptDetails, 'audio_tokens') ?? 0,
    audioOutput: count(outputDetails, 'audio_tokens') ?? 0,
    imageInput: count(promptDetails, 'image_tokens') ?? 0,
    imageOutput: count(outputDetails, 'image_tokens') ?? 0,
    citation,
    webSearches: searches(usage),
    searchSize: searchSize(usage.search_context_size),
    serviceTier: serviceTier(tier),
  };
}

/** As Perplexity counts them, or as Anthropic does and translated answers repeat. */
function searches(usage: JsonObject): number {
  const tools = objectMember(usage, 'server_tool_use') ?? {};
  return count(usage, 'num_search_queries') ?? count(tools, 'web_search_requests') ?? 0;
}

/**
 * The `usage` object of a translated answer, with the cache counts in OpenAI's place and in Anthropic's as well, as
 * LiteLLM has them.
 *
 * @see specs/translation.md §2
 */
export function chatUsage(usage: Usage): ChatUsage {
  return {
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.input + usage.output,
    prompt_tokens_details: {
      cached_tokens: usage.cacheRead,
      cache_write_tokens: usage.cacheWrite,
      ...(usage.audioInput > 0 ? { audio_tokens: usage.audioInput } : {}),
    },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoning,
      ...(usage.audioOutput > 0 ? { audio_tokens: usage.audioOutput } : {}),
    },
    cache_creation_input_tokens: usage.cacheWrite,
    cache_read_input_tokens: usage.cacheRead,
  };
}

function count(object: JsonObject, key: string): number | null {
  const value = numberMember(object, key);
  return value === null ? null : Math.max(0, value);
}
