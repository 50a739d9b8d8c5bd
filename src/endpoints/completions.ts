import { type GatewayError, gatewayError } from '../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../core/json.ts';
import type { ClientCall } from '../providers/provider.ts';
import { type Edit, edited } from '../wire/json-splice.ts';
import type { ChatChunk, ChatCompletion, FinishReason } from '../wire/openai/chat.ts';
import { checkCommon, memberOf, missing } from './check.ts';
import { direct, type Encoder, type Endpoint } from './endpoint.ts';
import { openaiEncoder, openaiError, sseData } from './openai-encoder.ts';

const text = new TextEncoder();

/** Members of the legacy request that a chat model has no word for (specs/openai.md §5). */
const WITHOUT_CHAT_WORD = ['echo', 'best_of', 'suffix', 'logprobs'] as const;

/**
 * `POST /v1/completions` (specs/openai.md §5).
 *
 * Upstreams with the legacy endpoint get the bytes; a chat model gets the prompt as one user message and its answer
 * comes back as a `text_completion`.
 */
export const completions: Endpoint = {
  id: 'completions',
  dialect: 'openai-completions',
  callType: '/completions',
  operation: 'completions',
  check(body) {
    if (!body.has('prompt')) return missing('prompt', 'a string or an array of strings');
    return checkCommon(body);
  },
  serve(provider, deployment, model) {
    const { mode } = deployment.info;
    const chatOnly = mode === 'chat' || (mode !== 'completion' && provider.isChatModel?.(model) === true);
    if (provider.completions !== undefined && !chatOnly) return direct(provider.completions, 'openai-completions');
    if (provider.chat === undefined) return null;
    return { facet: provider.chat, adapt: toChat, passThrough: false };
  },
  encoder: {
    reply: (chat) => text.encode(JSON.stringify(toTextCompletion(chat))),
    chunk: (chunk) => sseData(JSON.stringify(toTextChunk(chunk))),
    done: openaiEncoder.done,
    keepAlive: openaiEncoder.keepAlive,
    error: openaiError,
    errorEvent: openaiEncoder.errorEvent,
  } satisfies Encoder,
};

/** The legacy call as a chat call, or why that cannot be. */
function toChat(call: ClientCall): ClientCall | GatewayError {
  const prompt = promptOf(memberOf(call.body, 'prompt'));
  if (prompt === null) {
    return gatewayError(
      'invalid-parameter',
      "This model answers chat only, so 'prompt' must be one string: token arrays and several prompts cannot be " +
        'translated. Send one request for each prompt.',
      { param: 'prompt' },
    );
  }
  const edits: Edit[] = [
    { kind: 'remove', key: 'prompt' },
    { kind: 'set', key: 'messages', raw: JSON.stringify([{ role: 'user', content: prompt }]) },
  ];
  for (const key of WITHOUT_CHAT_WORD) if (call.body.has(key)) edits.push({ kind: 'remove', key });
  return { ...call, dialect: 'openai-chat', body: edited(call.body, edits) };
}

function promptOf(value: Json | undefined): string | null {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.length === 1 && typeof value[0] === 'string') return value[0];
  return null;
}

/** An answer that an upstream wrote itself was checked for `choices` and no more: anything else may be missing or odd. */
function toTextCompletion(chat: ChatCompletion): JsonObject {
  return {
    id: textId(chat.id),
    object: 'text_completion',
    created: chat.created,
    model: chat.model,
    choices: choicesOf(chat).map((choice) => ({
      index: choice.index,
      text: choice.message?.content ?? '',
      logprobs: null,
      finish_reason: textFinish(choice.finish_reason),
    })),
    // A parsed usage block is JSON whatever members it has.
    usage: isObject(chat.usage) ? (chat.usage as JsonObject) : undefined,
  };
}

function toTextChunk(chunk: ChatChunk): JsonObject {
  return {
    id: textId(chunk.id),
    object: 'text_completion',
    created: chunk.created,
    model: chunk.model,
    choices: choicesOf(chunk).map((choice) => ({
      index: choice.index,
      text: choice.delta?.content ?? '',
      logprobs: null,
      finish_reason: choice.finish_reason === null ? null : textFinish(choice.finish_reason),
    })),
    ...(chunk.usage === undefined ? {} : { usage: chunk.usage as JsonObject | null }),
  };
}

function textId(id: unknown): string | undefined {
  return typeof id === 'string' ? id.replace(/^chatcmpl-/, 'cmpl-') : undefined;
}

function choicesOf<Choice>(answer: { readonly choices?: readonly Choice[] }): readonly Choice[] {
  // Typed as a list, but nobody has looked.
  return Array.isArray(answer.choices) ? (answer.choices as readonly Choice[]).filter((each) => isObject(each)) : [];
}

/** The legacy endpoint knows no tool calls: they end a text like any other stop. */
function textFinish(reason: FinishReason): string {
  return reason === 'tool_calls' || reason === 'function_call' ? 'stop' : (reason ?? 'stop');
}
