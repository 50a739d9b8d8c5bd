import type { JsonObject } from '../../core/json.ts';

/** Anthropic's Messages API as the wire has it (specs/anthropic.md §3–5): only the members that we read or write. */

export interface Turn {
  readonly role: 'user' | 'assistant';
  readonly content: readonly RequestBlock[];
}

/** `cache_control: {type: "ephemeral", ttl?}`, carried as the client wrote it. */
export type CacheControl = JsonObject;

interface Cacheable {
  readonly cache_control?: CacheControl;
}

export interface TextBlock extends Cacheable {
  readonly type: 'text';
  readonly text: string;
}

export interface ImageBlock extends Cacheable {
  readonly type: 'image';
  readonly source: Source;
}

export interface DocumentBlock extends Cacheable {
  readonly type: 'document';
  readonly source: Source;
  readonly title?: string;
}

export type Source =
  | { readonly type: 'base64'; readonly media_type: string; readonly data: string }
  | { readonly type: 'text'; readonly media_type: 'text/plain'; readonly data: string }
  | { readonly type: 'url'; readonly url: string }
  | { readonly type: 'file'; readonly file_id: string };

export interface ThinkingTextBlock {
  readonly type: 'thinking';
  readonly thinking: string;
  readonly signature: string;
}

export interface RedactedThinkingBlock {
  readonly type: 'redacted_thinking';
  readonly data: string;
}

export interface ToolUseBlock extends Cacheable {
  readonly type: 'tool_use';
  readonly id: string;
  readonly name: string;
  readonly input: JsonObject;
}

export interface ToolResultBlock extends Cacheable {
  readonly type: 'tool_result';
  readonly tool_use_id: string;
  readonly content: string | readonly RequestBlock[];
  readonly is_error?: boolean;
}

/** A block of a type that clients may write in Anthropic's own form (`search_result`, `container_upload`). */
export interface NativeBlock extends JsonObject {
  readonly type: string;
}

export type RequestBlock =
  | TextBlock
  | ImageBlock
  | DocumentBlock
  | ThinkingTextBlock
  | RedactedThinkingBlock
  | ToolUseBlock
  | ToolResultBlock
  | NativeBlock;

export type ToolChoice =
  | { readonly type: 'auto' | 'any'; readonly disable_parallel_tool_use?: boolean }
  | { readonly type: 'tool'; readonly name: string; readonly disable_parallel_tool_use?: boolean }
  | { readonly type: 'none' };

/** `usage` of a reply; in a stream every member but those of `message_start` may be absent or null ("unchanged"). */
export interface MessageUsage {
  readonly input_tokens?: number | null;
  readonly output_tokens?: number | null;
  readonly cache_read_input_tokens?: number | null;
  readonly cache_creation_input_tokens?: number | null;
  readonly cache_creation?: {
    readonly ephemeral_5m_input_tokens?: number;
    readonly ephemeral_1h_input_tokens?: number;
  } | null;
  readonly output_tokens_details?: { readonly thinking_tokens?: number } | null;
  readonly server_tool_use?: JsonObject | null;
  /** `standard`, `priority` or `batch`. */
  readonly service_tier?: string | null;
  /** With compaction: what each pass over the model used. */
  readonly iterations?: readonly IterationUsage[] | null;
}

export interface IterationUsage {
  /** `message`, `compaction`, `fallback_message`, `advisor_message`. */
  readonly type: string;
  readonly input_tokens?: number | null;
  readonly output_tokens?: number | null;
  readonly cache_read_input_tokens?: number | null;
  readonly cache_creation_input_tokens?: number | null;
}
