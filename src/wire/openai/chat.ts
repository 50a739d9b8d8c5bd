import type { Json, JsonObject } from '../../core/json.ts';

/**
 * OpenAI chat completions as the wire has them (specs/openai.md §1–3), with the hub's extensions.
 *
 * This dialect is the hub: every other one is translated to and from it. Extensions are `reasoning_content`,
 * `thinking_blocks`, `cache_control` and `provider_specific_fields` (LiteLLM's names).
 */

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'function_call';

export type ToolCall = FunctionToolCall | CustomToolCall;

export interface FunctionToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: FunctionCall;
}

/** A call of a tool declared with `type: "custom"`: its input is free text, not JSON. */
export interface CustomToolCall {
  readonly id: string;
  readonly type: 'custom';
  readonly custom: { readonly name: string; readonly input: string };
}

/** Also the legacy answer to a request with `functions`. */
export interface FunctionCall {
  readonly name: string;
  readonly arguments: string;
}

export interface ThinkingBlock {
  readonly type: 'thinking' | 'redacted_thinking';
  readonly thinking?: string;
  readonly signature?: string;
  readonly data?: string;
}

export interface ChatMessage {
  readonly role: 'assistant';
  readonly content: string | null;
  readonly refusal?: string | null;
  readonly reasoning_content?: string;
  readonly thinking_blocks?: readonly ThinkingBlock[];
  readonly tool_calls?: readonly ToolCall[];
  readonly function_call?: FunctionCall;
  readonly annotations?: readonly Json[];
  readonly provider_specific_fields?: JsonObject;
}

export interface ChatUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details?: JsonObject;
  readonly completion_tokens_details?: JsonObject;
  readonly cache_creation_input_tokens?: number;
  readonly cache_read_input_tokens?: number;
  readonly server_tool_use?: JsonObject;
}

export interface ChatCompletion {
  readonly id: string;
  readonly object: 'chat.completion';
  readonly created: number;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly message: ChatMessage;
    readonly logprobs: null;
    readonly finish_reason: FinishReason;
  }[];
  readonly usage: ChatUsage;
  readonly service_tier?: string;
}

export interface ToolCallDelta {
  readonly index: number;
  readonly id?: string;
  readonly type?: 'function' | 'custom';
  readonly function?: Partial<FunctionCall>;
  readonly custom?: { readonly name?: string; readonly input?: string };
}

export interface ChatDelta {
  readonly role?: 'assistant';
  readonly content?: string | null;
  readonly refusal?: string | null;
  readonly reasoning_content?: string;
  readonly thinking_blocks?: readonly ThinkingBlock[];
  readonly tool_calls?: readonly ToolCallDelta[];
  readonly function_call?: Partial<FunctionCall>;
  readonly annotations?: readonly Json[];
  readonly provider_specific_fields?: JsonObject;
}

export interface ChatChunk {
  readonly id: string;
  readonly object: 'chat.completion.chunk';
  readonly created: number;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly delta: ChatDelta;
    readonly logprobs: null;
    readonly finish_reason: FinishReason | null;
  }[];
  readonly usage?: ChatUsage | null;
  readonly service_tier?: string;
}
