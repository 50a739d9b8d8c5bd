import type { FinishReason } from '../../wire/openai/chat.ts';

/** Reasons that OpenAI's words do not tell apart from an ordinary stop; the answer repeats them as they came. */
const FOLDED_INTO_STOP: ReadonlySet<string> = new Set(['end_turn', 'stop_sequence', 'tool_use']);

/**
 * OpenAI's finish reason for Anthropic's stop reason.
 *
 * Unknown reasons become `stop`: strict clients check the word against OpenAI's list (LiteLLM passes them through).
 *
 * @see https://platform.claude.com/docs "Stop reasons", read November 2026
 */
export function finishReason(stopReason: string | null): FinishReason {
  switch (stopReason) {
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return 'length';
    case 'tool_use':
      return 'tool_calls';
    case 'refusal':
      return 'content_filter';
    default:
      return 'stop';
  }
}

/**
 * The stop reason when the finish reason hides what the client has to know, else null.
 *
 * `pause_turn` asks for the turn to be sent back, which a plain `stop` would not say.
 */
export function hiddenStopReason(stopReason: string | null): string | null {
  if (stopReason === null || finishReason(stopReason) !== 'stop') return null;
  return FOLDED_INTO_STOP.has(stopReason) ? null : stopReason;
}
