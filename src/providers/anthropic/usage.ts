import { type JsonObject, numberMember } from '../../core/json.ts';
import { serviceTier, type Usage } from '../../core/usage.ts';
import type { IterationUsage, MessageUsage } from '../../wire/anthropic/messages.ts';
import type { ChatUsage } from '../../wire/openai/chat.ts';
import { chatUsage } from '../../wire/openai/usage.ts';

/** Rough length of a token of English text, for the one number that older models do not report. */
const CHARACTERS_PER_TOKEN = 4;

/**
 * Anthropic's counts in the gateway's arithmetic.
 *
 * Their `input_tokens` leaves cache reads and writes out; ours includes them. Thinking is part of `output_tokens`, and
 * only newer models say how much of it; else it is estimated from the length of the thinking text.
 *
 * @param thinkingLength characters of thinking text that were seen
 * @see specs/anthropic.md §4; recording messages-cache-read (4 input + 1,163 read)
 */
export function usageOf(total: MessageUsage, thinkingLength: number): Usage {
  const wire = withCompaction(total);
  const cacheRead = count(wire.cache_read_input_tokens);
  const cacheWrite = count(wire.cache_creation_input_tokens);
  const output = count(wire.output_tokens);
  const reported = wire.output_tokens_details?.thinking_tokens;
  const estimate = Math.min(output, Math.ceil(thinkingLength / CHARACTERS_PER_TOKEN));
  return {
    input: count(wire.input_tokens) + cacheRead + cacheWrite,
    output,
    cacheRead,
    cacheWrite,
    cacheWriteHour: count(wire.cache_creation?.ephemeral_1h_input_tokens),
    reasoning: typeof reported === 'number' ? count(reported) : estimate,
    audioInput: 0,
    audioOutput: 0,
    imageInput: 0,
    imageOutput: 0,
    citation: 0,
    webSearches: webSearches(wire),
    searchSize: null,
    serviceTier: serviceTier(wire.service_tier),
  };
}

/** Fetches of pages are free; searches are not. */
function webSearches({ server_tool_use: tools }: MessageUsage): number {
  return count(tools === null || tools === undefined ? null : numberMember(tools, 'web_search_requests'));
}

/**
 * The counts with the work of compaction, which the totals leave out although it is charged.
 *
 * Not with a fallback model among the iterations: then the totals are what counts (specs/anthropic.md §4).
 */
function withCompaction(total: MessageUsage): MessageUsage {
  const all = Array.isArray(total.iterations) ? total.iterations : [];
  const iterations = all.filter((each) => each?.type === 'message' || each?.type === 'compaction');
  const hasFallback = all.some((each) => each?.type === 'fallback_message');
  if (hasFallback || !iterations.some((each) => each.type === 'compaction')) return total;
  const sum = (key: Exclude<keyof IterationUsage, 'type'>) =>
    iterations.reduce((before, each) => before + count(each[key]), 0);
  return {
    ...total,
    input_tokens: sum('input_tokens'),
    output_tokens: sum('output_tokens'),
    cache_read_input_tokens: sum('cache_read_input_tokens'),
    cache_creation_input_tokens: sum('cache_creation_input_tokens'),
  };
}

/** The later counts over the earlier ones: they are cumulative, and null or absence means "unchanged". */
export function mergeUsage(before: MessageUsage, after: JsonObject): MessageUsage {
  const changed = Object.entries(after).filter(([, value]) => value !== null && value !== undefined);
  return { ...before, ...Object.fromEntries(changed) };
}

/** The `usage` member that the client sees, with the server tools' counts where there are any. */
export function clientUsage(usage: Usage, wire: MessageUsage): ChatUsage {
  const tools = wire.server_tool_use;
  return tools === null || tools === undefined ? chatUsage(usage) : { ...chatUsage(usage), server_tool_use: tools };
}

function count(value: number | null | undefined): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
}
