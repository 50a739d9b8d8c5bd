import type { JsonObject } from '../../core/json.ts';
import type { Usage } from '../../core/usage.ts';
import type { MessageUsage } from '../../wire/anthropic/messages.ts';
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
export function usageOf(wire: MessageUsage, thinkingLength: number): Usage {
  const cacheRead = count(wire.cache_read_input_tokens);
  const cacheWrite = count(wire.cache_creation_input_tokens);
  const output = count(wire.output_tokens);
  const estimate = Math.min(output, Math.ceil(thinkingLength / CHARACTERS_PER_TOKEN));
  return {
    input: count(wire.input_tokens) + cacheRead + cacheWrite,
    output,
    cacheRead,
    cacheWrite,
    cacheWriteHour: count(wire.cache_creation?.ephemeral_1h_input_tokens),
    reasoning: wire.output_tokens_details?.thinking_tokens ?? estimate,
    audioInput: 0,
    audioOutput: 0,
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
