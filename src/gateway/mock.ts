import type { Clock } from '../core/clock.ts';
import { isObject, type Json, type JsonObject } from '../core/json.ts';
import type { Failure, ProviderWords } from '../core/outcome.ts';
import { type Millis, millis } from '../core/units.ts';
import { NO_USAGE } from '../core/usage.ts';
import type { Encoder } from '../endpoints/endpoint.ts';
import type { CallContext } from '../providers/provider.ts';
import type { ChatChunk, ChatCompletion, ToolCall } from '../wire/openai/chat.ts';
import { completionToChunks } from '../wire/openai/synthetic.ts';
import { AnswerHead, type AttemptEnd, type StreamEnd } from './attempt.ts';
import type { MockControls } from './controls.ts';
import { Relay } from './relay.ts';

/** LiteLLM's own figures for mocked answers (litellm.md §2.9). */
const MOCK_USAGE = { ...NO_USAGE, input: 10, output: 20 };
const STREAM_PIECE = 3;
const HEAD = new AnswerHead(200, []);

/** What a streamed answer is written with. */
export interface StreamMeans {
  readonly encoder: Encoder;
  readonly clock: Clock;
  readonly keepAlive: Millis;
}

/** The failure that a `mock_testing_*` control asks for in this attempt, or null. */
export function mockFailure(
  mock: MockControls,
  attempt: { readonly fallbacks: number; readonly isFirst: boolean; readonly limit: number },
): Failure | null {
  const inFirstGroup = attempt.fallbacks === 0;
  switch (mock.failing) {
    case 'fallbacks':
      return inFirstGroup
        ? {
            kind: 'upstream-error',
            retryAfter: null,
            words: words(500, 'This is a mock exception to trigger a fallback'),
          }
        : null;
    case 'context':
      return inFirstGroup ? rejected('context-window', 'This is a mock exception for a prompt that is too long') : null;
    case 'content-policy':
      return inFirstGroup ? rejected('content-policy', 'This is a mock exception for a refused prompt') : null;
    case 'rate-limit':
      return attempt.isFirst
        ? { kind: 'rate-limited', retryAfter: null, words: words(429, 'This is a mock rate limit error') }
        : null;
    case 'timeout':
      return { kind: 'timeout', phase: 'first-byte', limit: millis(attempt.limit) };
    case null:
      return null;
  }
}

/** A failure that LiteLLM's special texts of `mock_response` stand for, or null. */
export function mockTextFailure(text: string): Failure | null {
  if (text === 'litellm.RateLimitError')
    return { kind: 'rate-limited', retryAfter: null, words: words(429, 'this is a mock rate limit error') };
  if (text === 'litellm.ContextWindowExceededError')
    return rejected('context-window', 'this is a mock context window exceeded error');
  if (text === 'litellm.InternalServerError')
    return { kind: 'upstream-error', retryAfter: null, words: words(500, 'this is a mock internal server error') };
  if (text.startsWith('Exception: content_filter_policy')) return rejected('content-policy', text);
  return null;
}

/** An answer of the given text without any call: whole, or streamed in pieces of three characters. */
export function mockAnswer(
  text: string,
  toolCalls: readonly Json[] | null,
  context: CallContext,
  means: StreamMeans,
): AttemptEnd {
  const failure = mockTextFailure(text);
  if (failure !== null) return { kind: 'failed', outcome: failure };
  const chat = mockCompletion(text, toolCalls, context);
  if (!context.isStreaming && breaksMidStream(text)) return { kind: 'failed', outcome: midStreamFailure() };
  if (!context.isStreaming)
    return { kind: 'reply', reply: { kind: 'chat', chat, usage: MOCK_USAGE, finish: 'normal' }, head: HEAD };
  return mockStream(chat, text, context, means);
}

function mockCompletion(text: string, toolCalls: readonly Json[] | null, context: CallContext): ChatCompletion {
  const calls = toolCalls?.map(readToolCall).filter((call): call is ToolCall => call !== null) ?? [];
  return {
    id: `chatcmpl-${context.id}`,
    object: 'chat.completion',
    created: context.created,
    model: context.requestedModel,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text, ...(calls.length > 0 ? { tool_calls: calls } : {}) },
        logprobs: null,
        finish_reason: calls.length > 0 ? 'tool_calls' : 'stop',
      },
    ],
    usage: {
      prompt_tokens: MOCK_USAGE.input,
      completion_tokens: MOCK_USAGE.output,
      total_tokens: MOCK_USAGE.input + MOCK_USAGE.output,
    },
  };
}

function readToolCall(value: Json): ToolCall | null {
  if (!isObject(value) || !isObject(value.function) || typeof value.function.name !== 'string') return null;
  const given = value.function.arguments;
  return {
    id: typeof value.id === 'string' ? value.id : 'call_mock',
    type: 'function',
    function: { name: value.function.name, arguments: typeof given === 'string' ? given : JSON.stringify(given ?? {}) },
  };
}

function breaksMidStream(text: string): boolean {
  return text.startsWith('Exception: mock_streaming_error');
}

function midStreamFailure(): Failure {
  return { kind: 'upstream-error', retryAfter: null, words: words(529, 'mock streaming error') };
}

function mockStream(
  chat: ChatCompletion,
  text: string,
  context: CallContext,
  { encoder, clock, keepAlive }: StreamMeans,
): AttemptEnd {
  const { promise, resolve } = Promise.withResolvers<StreamEnd>();
  const relay = new Relay(
    encoder,
    false,
    { onCommit() {}, onBacklog() {}, onDrained() {}, onProtocolEnd: (failure) => resolve({ failure }) },
    clock,
    keepAlive,
  );
  relay.meaningful();
  relay.usage(MOCK_USAGE);
  const breaks = breaksMidStream(text);
  for (const chunk of mockChunks(chat, context.wantsUsage)) {
    relay.chunk(chunk);
    if (breaks && chunk.choices[0]?.delta.content) break;
  }
  if (breaks) relay.fail(midStreamFailure());
  else relay.complete();
  return { kind: 'stream', relay, head: HEAD, whole: promise };
}

/** The answer as chunks whose text comes in LiteLLM's small pieces; none cuts a surrogate pair. */
function* mockChunks(chat: ChatCompletion, wantsUsage: boolean): Generator<ChatChunk> {
  const text = [...(chat.choices[0]?.message.content ?? '')];
  const [first, ...rest] = completionToChunks(withoutText(chat));
  if (first === undefined) return;
  const usage = wantsUsage ? { usage: null } : {};
  yield { ...first, ...usage };
  for (let start = 0; start < text.length; start += STREAM_PIECE) {
    const content = text.slice(start, start + STREAM_PIECE).join('');
    yield { ...first, ...usage, choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }] };
  }
  for (const chunk of rest) {
    if (chunk.choices.length > 0) yield { ...chunk, ...usage };
    else if (wantsUsage) yield chunk;
  }
}

function withoutText(chat: ChatCompletion): JsonObject {
  const choices = chat.choices.map((choice) => ({ ...choice, message: { ...choice.message, content: '' } }));
  // A completion made here is JSON through and through.
  return { ...chat, choices } as unknown as JsonObject;
}

function rejected(reason: 'context-window' | 'content-policy', message: string): Failure {
  return { kind: 'rejected', reason, words: words(400, message) };
}

function words(status: number, message: string): ProviderWords {
  return { status, message, type: null, param: null, code: null };
}
