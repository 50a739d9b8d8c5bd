import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { decoded, exampleContext, exampleHead, sse } from '../../../test/support/anthropic-call.ts';
import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import type { ChatChunk, ChatDelta, ThinkingBlock } from '../../wire/openai/chat.ts';
import type { AnswerHints } from '../provider.ts';
import { readReply } from './reply.ts';

/** The law: what a client gathers from the stream is what it would have got at once. */

/** An answer as its stream, texts and inputs cut at the given places. */
function asStream(message: JsonObject, cut: (text: string) => readonly string[]): string {
  const { content, stop_reason, stop_details, usage, ...rest } = message;
  const events: object[] = [{ type: 'message_start', message: { ...rest, content: [], stop_reason: null, usage } }];
  (content as readonly JsonObject[]).forEach((block, index) => {
    events.push({ type: 'content_block_start', index, content_block: opened(block) }, { type: 'ping' });
    for (const delta of deltasOf(block, cut)) events.push({ type: 'content_block_delta', index, delta });
    events.push({ type: 'content_block_stop', index });
  });
  events.push({ type: 'message_delta', delta: { stop_reason, stop_details }, usage }, { type: 'message_stop' });
  return sse(...events);
}

function opened(block: JsonObject): JsonObject {
  if (block.type === 'text') return { ...block, text: '', citations: [] };
  if (block.type === 'thinking') return { ...block, thinking: '', signature: '' };
  return 'input' in block ? { ...block, input: {} } : block;
}

function deltasOf(block: JsonObject, cut: (text: string) => readonly string[]): readonly object[] {
  if (block.type === 'text') {
    const citations = (block.citations ?? []) as readonly Json[];
    return [
      ...cut(block.text as string).map((text) => ({ type: 'text_delta', text })),
      ...citations.map((citation) => ({ type: 'citations_delta', citation })),
    ];
  }
  if (block.type === 'thinking') {
    return [
      ...cut(block.thinking as string).map((thinking) => ({ type: 'thinking_delta', thinking })),
      { type: 'signature_delta', signature: block.signature },
    ];
  }
  if (!('input' in block)) return [];
  const isEmpty = isObject(block.input) && Object.keys(block.input).length === 0;
  return ['', ...(isEmpty ? [] : cut(JSON.stringify(block.input)))].map((partial_json) => ({
    type: 'input_json_delta',
    partial_json,
  }));
}

/** What a client that follows OpenAI's rules makes of the chunks, with LiteLLM's rule for thinking blocks. */
function fold(chunks: readonly ChatChunk[]): unknown {
  const gathered = { content: '', reasoning: '', refusal: '', functionName: '', functionArguments: '' };
  const thinking: ThinkingBlock[] = [];
  const calls: Record<string, string>[] = [];
  const annotations: Json[] = [];
  let finish: string | null = null;
  for (const { choices } of chunks) {
    const delta: ChatDelta = choices[0]?.delta ?? {};
    gathered.content += delta.content ?? '';
    gathered.reasoning += delta.reasoning_content ?? '';
    gathered.refusal += delta.refusal ?? '';
    gathered.functionName += delta.function_call?.name ?? '';
    gathered.functionArguments += delta.function_call?.arguments ?? '';
    for (const block of delta.thinking_blocks ?? []) addThinking(thinking, block);
    for (const call of delta.tool_calls ?? []) {
      const { index, id, type, function: called, custom } = call;
      const before = calls[index] ?? {};
      calls[index] = {
        id: id ?? before.id ?? '',
        type: type ?? before.type ?? '',
        name: (before.name ?? '') + (called?.name ?? custom?.name ?? ''),
        text: (before.text ?? '') + (called?.arguments ?? custom?.input ?? ''),
      };
    }
    annotations.push(...(delta.annotations ?? []));
    finish = choices[0]?.finish_reason ?? finish;
  }
  return { ...gathered, thinking, calls, annotations, finish, usage: chunks.at(-1)?.usage };
}

function addThinking(blocks: ThinkingBlock[], block: ThinkingBlock): void {
  const last = blocks.at(-1);
  const isOpen = last?.type === 'thinking' && last.signature === '';
  if (block.type !== 'thinking' || !isOpen) blocks.push(block);
  else
    blocks[blocks.length - 1] = {
      ...last,
      thinking: `${last.thinking}${block.thinking}`,
      signature: block.signature ?? '',
    };
}

/** The reply in the same form. */
function unfolded(message: JsonObject, answer: AnswerHints | null): unknown {
  const reply = readReply(exampleHead(), new TextEncoder().encode(JSON.stringify(message)), exampleContext({ answer }));
  if (reply.kind !== 'chat') throw new Error(reply.kind);
  const [choice] = reply.chat.choices;
  const said = choice?.message;
  return {
    content: said?.content ?? '',
    reasoning: said?.reasoning_content ?? '',
    refusal: said?.refusal ?? '',
    functionName: said?.function_call?.name ?? '',
    functionArguments: said?.function_call?.arguments ?? '',
    thinking: said?.thinking_blocks ?? [],
    calls: (said?.tool_calls ?? []).map((call) =>
      call.type === 'function'
        ? { id: call.id, type: call.type, name: call.function.name, text: call.function.arguments }
        : { id: call.id, type: call.type, name: call.custom.name, text: call.custom.input },
    ),
    annotations: said?.annotations ?? [],
    finish: choice?.finish_reason,
    usage: reply.chat.usage,
  };
}

const citation = fc.record({ type: fc.constant('web_search_result_location'), url: fc.webUrl(), title: fc.string() });
const input = fc.dictionary(fc.string({ minLength: 1 }), fc.oneof(fc.integer(), fc.string(), fc.boolean()), {
  noNullPrototype: true,
});
const block: fc.Arbitrary<object> = fc.oneof(
  fc.record({
    type: fc.constant('text'),
    text: fc.string({ unit: 'grapheme' }),
    citations: fc.array(citation, { maxLength: 2 }),
  }),
  fc.record({ type: fc.constant('thinking'), thinking: fc.string(), signature: fc.base64String({ minLength: 4 }) }),
  fc.record({ type: fc.constant('redacted_thinking'), data: fc.base64String({ minLength: 4 }) }),
  fc.record({
    type: fc.constant('tool_use'),
    id: fc.stringMatching(/^toolu_[a-z]{4}$/),
    name: fc.constantFrom('f', 'sent', 'sql'),
    input,
  }),
  fc.record({
    type: fc.constant('server_tool_use'),
    id: fc.constant('srvtoolu_1'),
    name: fc.constant('web_search'),
    input,
  }),
  fc.constant({ type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] }),
);
const count = fc.nat({ max: 100_000 });
const answers: fc.Arbitrary<object> = fc.record({
  type: fc.constant('message'),
  content: fc.array(block, { maxLength: 6 }),
  stop_reason: fc.constantFrom('end_turn', 'tool_use', 'max_tokens', 'refusal', 'pause_turn', 'new_reason'),
  stop_details: fc.constantFrom({ type: 'refusal', explanation: 'No.' }, null),
  usage: fc.record({
    input_tokens: count,
    output_tokens: count,
    cache_read_input_tokens: count,
    cache_creation_input_tokens: count,
  }),
});

const hints = (given: Partial<AnswerHints>): AnswerHints => ({
  jsonTool: null,
  toolNames: new Map([['sent', 'shop.sent']]),
  customTools: new Set(['sql']),
  legacyFunctions: false,
  ...given,
});

describe('folding the chunks gives the reply', () => {
  test.each<[string, AnswerHints | null]>([
    ['for a plain request', null],
    ['with renamed and custom tools', hints({})],
    ['for a client with functions', hints({ legacyFunctions: true, customTools: new Set() })],
    ['with the JSON tool', hints({ jsonTool: { name: 'f', wrapper: null } })],
    ['with the JSON tool and a wrapper', hints({ jsonTool: { name: 'f', wrapper: 'values' } })],
  ])('%s', (_, answer) => {
    const pieces = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(answers, pieces, (message, length) => {
        // JSON once over: the generators make objects that JSON would write differently (-0, prototypes).
        const whole = JSON.parse(JSON.stringify(message)) as JsonObject;
        const body = asStream(whole, (text) => text.match(new RegExp(`[^]{1,${length}}`, 'g')) ?? []);
        const found = decoded(body, { answer, wantsUsage: true });
        expect(found.end).toBe('complete');
        expect(fold(found.chunks)).toEqual(unfolded(whole, answer));
      }),
      { numRuns: 60 },
    );
  });
});
