import type { JsonObject } from '../../core/json.ts';
import { dataEvent, type StreamEvent } from '../answer.ts';
import { pieces } from './prose.ts';
import type { SaidToolCall, Saying } from './saying.ts';

/** What every object of one answer repeats. */
export interface Identity {
  /** Letters and digits; the dialect adds its prefix. */
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
}

/** How a stream is cut into events. */
export interface StreamShape {
  /** Characters of text in one event. */
  readonly pieceSize: number;
  readonly includeUsage: boolean;
}

/** A `chat.completion`, member by member in the order of recorded answers. */
export function chatCompletion(identity: Identity, sayings: readonly Saying[], inputTokens: number): JsonObject {
  return {
    id: `chatcmpl-${identity.id}`,
    object: 'chat.completion',
    created: identity.created,
    model: identity.model,
    choices: sayings.map((saying, index) => ({
      index,
      message: chatMessage(saying),
      logprobs: null,
      finish_reason: finishReason(saying),
    })),
    usage: chatUsage(inputTokens, sayings),
    service_tier: 'default',
    system_fingerprint: 'fp_simulated',
  };
}

function chatMessage(saying: Saying): JsonObject {
  return {
    role: 'assistant',
    content: saying.stop === 'tool' ? null : saying.text,
    ...(saying.stop === 'tool' && { tool_calls: saying.toolCalls.map(wholeToolCall) }),
    refusal: null,
    annotations: [],
  };
}

const wholeToolCall = (call: SaidToolCall): JsonObject => ({
  id: `call_${call.id}`,
  type: 'function',
  function: { name: call.name, arguments: call.arguments },
});

function finishReason(saying: Saying): 'stop' | 'length' | 'tool_calls' {
  return saying.stop === 'tool' ? 'tool_calls' : saying.stop;
}

/** Usage of a chat answer: details with zeros, as OpenAI sends them. */
export function chatUsage(inputTokens: number, sayings: readonly Saying[]): JsonObject {
  const output = sayings.reduce((sum, saying) => sum + saying.outputTokens, 0);
  return {
    prompt_tokens: inputTokens,
    completion_tokens: output,
    total_tokens: inputTokens + output,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

/** The deltas of one choice, in the order the wire has them; the last one stands beside the finish reason. */
export function chatDeltas(saying: Saying, pieceSize: number): JsonObject[] {
  if (saying.stop !== 'tool') {
    const texts = pieces(saying.text, pieceSize).map((content) => ({ content }));
    return [{ role: 'assistant', content: '', refusal: null }, ...texts, {}];
  }
  const calls = saying.toolCalls.flatMap((call, index) => toolDeltas(call, index, pieceSize));
  const [first, ...rest] = calls;
  return [{ role: 'assistant', content: null, ...first }, ...rest, {}];
}

function toolDeltas(call: SaidToolCall, index: number, pieceSize: number): JsonObject[] {
  const opening = { index, id: `call_${call.id}`, type: 'function', function: { name: call.name, arguments: '' } };
  const fragments = pieces(call.arguments, pieceSize).map((part) => ({ index, function: { arguments: part } }));
  return [opening, ...fragments].map((toolCall) => ({ tool_calls: [toolCall] }));
}

/** One choice's place in a chunk. */
export interface ChunkChoice {
  readonly index: number;
  readonly delta: JsonObject;
  readonly finishReason: string | null;
}

/** All choices' deltas, interleaved as providers do for `n` > 1. */
export function chunkChoices(sayings: readonly Saying[], pieceSize: number): ChunkChoice[] {
  const rows = sayings.map((saying) => ({ deltas: chatDeltas(saying, pieceSize), finish: finishReason(saying) }));
  const longest = Math.max(...rows.map((row) => row.deltas.length));
  const choices: ChunkChoice[] = [];
  for (let step = 0; step < longest; step++) {
    rows.forEach((row, index) => {
      const delta = row.deltas[step];
      const isLast = step === row.deltas.length - 1;
      if (delta !== undefined) choices.push({ index, delta, finishReason: isLast ? row.finish : null });
    });
  }
  return choices;
}

/** A `chat.completion` as a stream, `[DONE]` included. */
export function chatStream(
  identity: Identity,
  sayings: readonly Saying[],
  inputTokens: number,
  shape: StreamShape,
): StreamEvent[] {
  const head = {
    id: `chatcmpl-${identity.id}`,
    object: 'chat.completion.chunk',
    created: identity.created,
    model: identity.model,
    service_tier: 'default',
    system_fingerprint: 'fp_simulated',
  };
  const withoutUsage = shape.includeUsage ? { usage: null } : {};
  const chunks: JsonObject[] = chunkChoices(sayings, shape.pieceSize).map(({ index, delta, finishReason }) => ({
    ...head,
    choices: [{ index, delta, logprobs: null, finish_reason: finishReason }],
    ...withoutUsage,
  }));
  if (shape.includeUsage) chunks.push({ ...head, choices: [], usage: chatUsage(inputTokens, sayings) });
  return [...chunks.map((chunk) => dataEvent(chunk)), dataEvent('[DONE]', 'end')];
}

/** A legacy `text_completion`. */
export function textCompletion(identity: Identity, sayings: readonly Saying[], inputTokens: number): JsonObject {
  return {
    id: `cmpl-${identity.id}`,
    object: 'text_completion',
    created: identity.created,
    model: identity.model,
    choices: sayings.map((saying, index) => ({
      text: saying.text,
      index,
      logprobs: null,
      finish_reason: finishReason(saying),
    })),
    usage: textUsage(inputTokens, sayings),
  };
}

/** A legacy `text_completion` as a stream: each chunk carries text, the last of a choice its finish reason too. */
export function textStream(
  identity: Identity,
  sayings: readonly Saying[],
  inputTokens: number,
  shape: StreamShape,
): StreamEvent[] {
  const head = { id: `cmpl-${identity.id}`, object: 'text_completion', created: identity.created };
  const tail = { model: identity.model, ...(shape.includeUsage && { usage: null }) };
  const chunks = sayings.flatMap((saying, index) => {
    const parts = pieces(saying.text, shape.pieceSize);
    return parts.map((text, at) => {
      const finish_reason = at === parts.length - 1 ? finishReason(saying) : null;
      return dataEvent({ ...head, choices: [{ text, index, logprobs: null, finish_reason }], ...tail });
    });
  });
  if (shape.includeUsage) {
    chunks.push(dataEvent({ ...head, model: identity.model, usage: textUsage(inputTokens, sayings), choices: [] }));
  }
  return [...chunks, dataEvent('[DONE]', 'end')];
}

function textUsage(inputTokens: number, sayings: readonly Saying[]): JsonObject {
  const output = sayings.reduce((sum, saying) => sum + saying.outputTokens, 0);
  return { prompt_tokens: inputTokens, completion_tokens: output, total_tokens: inputTokens + output };
}
