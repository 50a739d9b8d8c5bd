import { ERRORS, type GatewayError } from '../core/errors.ts';
import type { ChatChunk, ChatCompletion } from '../wire/openai/chat.ts';
import type { Encoder } from './endpoint.ts';

const text = new TextEncoder();

/** One server-sent event without a name, as OpenAI's streams have them. */
export function sseData(json: string): Uint8Array {
  return text.encode(`data: ${json}\n\n`);
}

/**
 * LiteLLM's error envelope: `code` is the status as a string (litellm.md §4.1).
 *
 * The provider's own code and type stay readable in `provider_specific_fields`, since clients look at codes such as
 * `context_length_exceeded`.
 */
export function openaiError(error: GatewayError, status: number): string {
  const { provider } = error;
  return JSON.stringify({
    error: {
      message: error.message,
      type: ERRORS[error.kind].type,
      param: error.param,
      code: String(status),
      ...(provider === null
        ? {}
        : { provider_specific_fields: { status: provider.status, type: provider.type, code: provider.code } }),
    },
  });
}

/** Chat completions as OpenAI writes them; the hub's own dialect. */
export const openaiEncoder: Encoder = {
  reply: (chat: ChatCompletion) => text.encode(JSON.stringify(chat)),
  chunk: (chunk: ChatChunk) => sseData(JSON.stringify(chunk)),
  done: text.encode('data: [DONE]\n\n'),
  keepAlive: text.encode(': keep-alive\n\n'),
  error: openaiError,
  errorEvent: (error, status) => sseData(openaiError(error, status)),
};
