import type { Json, JsonObject } from '../../core/json.ts';
import { namedEvent, type StreamEvent } from '../answer.ts';
import type { Identity } from './openai.ts';
import { pieces } from './prose.ts';
import type { SaidToolCall, Saying } from './saying.ts';

/** A `message`, member by member in the order of recorded answers. */
export function message(identity: Identity, saying: Saying, inputTokens: number): JsonObject {
  return {
    model: identity.model,
    id: `msg_01${identity.id}`,
    type: 'message',
    role: 'assistant',
    content: blocks(saying).map((block) => block.whole),
    stop_reason: stopReason(saying),
    stop_sequence: null,
    usage: { ...startUsage(inputTokens), output_tokens: saying.outputTokens, ...TIER },
  };
}

/** A `message` as a stream: start, a ping after the first block's start, blocks one after another, delta, stop. */
export function messageStream(
  identity: Identity,
  saying: Saying,
  inputTokens: number,
  pieceSize: number,
): StreamEvent[] {
  const usage = { ...startUsage(inputTokens), output_tokens: 1, ...TIER };
  const start = { ...message(identity, saying, inputTokens), content: [], stop_reason: null, usage };
  const contents = blocks(saying).flatMap((block, index) => blockEvents(block, index, pieceSize));
  contents.splice(1, 0, namedEvent('ping', { type: 'ping' }));
  return [
    namedEvent('message_start', { type: 'message_start', message: start }),
    ...contents,
    namedEvent('message_delta', {
      type: 'message_delta',
      delta: { stop_reason: stopReason(saying), stop_sequence: null },
      usage: {
        input_tokens: inputTokens,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        output_tokens: saying.outputTokens,
      },
    }),
    namedEvent('message_stop', { type: 'message_stop' }, 'end'),
  ];
}

const TIER = { service_tier: 'standard', inference_geo: 'not_available' };

function startUsage(inputTokens: number): JsonObject {
  return {
    input_tokens: inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  };
}

function stopReason(saying: Saying): string {
  switch (saying.stop) {
    case 'stop':
      return 'end_turn';
    case 'length':
      return 'max_tokens';
    case 'tool':
      return 'tool_use';
  }
}

/** A content block as it stands in a whole message, and as a stream builds it up. */
interface Block {
  readonly whole: JsonObject;
  readonly empty: JsonObject;
  deltas(pieceSize: number): readonly JsonObject[];
}

function blocks(saying: Saying): Block[] {
  const thinking = saying.thinking === null ? [] : [thinkingBlock(saying.thinking)];
  const text = saying.text === '' && saying.toolCalls.length > 0 ? [] : [textBlock(saying.text)];
  return [...thinking, ...text, ...saying.toolCalls.map(toolBlock)];
}

const textBlock = (text: string): Block => ({
  whole: { type: 'text', text },
  empty: { type: 'text', text: '' },
  deltas: (pieceSize) => pieces(text, pieceSize).map((part) => ({ type: 'text_delta', text: part })),
});

function thinkingBlock(thinking: string): Block {
  const signature = btoa(`simulated signature of ${thinking.length} characters`);
  return {
    whole: { type: 'thinking', thinking, signature },
    empty: { type: 'thinking', thinking: '', signature: '' },
    deltas: (pieceSize) => [
      ...pieces(thinking, pieceSize).map((part) => ({ type: 'thinking_delta', thinking: part })),
      { type: 'signature_delta', signature },
    ],
  };
}

function toolBlock(call: SaidToolCall): Block {
  const head = { type: 'tool_use', id: `toolu_01${call.id}`, name: call.name };
  const caller = { caller: { type: 'direct' } };
  return {
    whole: { ...head, input: JSON.parse(call.arguments) as Json, ...caller },
    empty: { ...head, input: {}, ...caller },
    deltas: (pieceSize) =>
      ['', ...pieces(call.arguments, pieceSize)].map((part) => ({ type: 'input_json_delta', partial_json: part })),
  };
}

function blockEvents(block: Block, index: number, pieceSize: number): StreamEvent[] {
  return [
    namedEvent('content_block_start', { type: 'content_block_start', index, content_block: block.empty }),
    ...block
      .deltas(pieceSize)
      .map((delta) => namedEvent('content_block_delta', { type: 'content_block_delta', index, delta })),
    namedEvent('content_block_stop', { type: 'content_block_stop', index }),
  ];
}
