import { describe, expect, test } from 'bun:test';
import { type Decoded, decoded, type Given, sse } from '../../../test/support/anthropic-call.ts';
import type { ChatDelta } from '../../wire/openai/chat.ts';
import type { AnswerHints } from '../provider.ts';

const start = { type: 'message_start', message: { id: 'msg_1', usage: { input_tokens: 10, output_tokens: 1 } } };
const stop = { type: 'message_stop' };
const blockStart = (index: number, content_block: object) => ({ type: 'content_block_start', index, content_block });
const blockDelta = (index: number, delta: object) => ({ type: 'content_block_delta', index, delta });
const blockStop = (index: number) => ({ type: 'content_block_stop', index });
const textDelta = (text: string, index = 0) => blockDelta(index, { type: 'text_delta', text });
const inputDelta = (partial_json: string, index = 0) => blockDelta(index, { type: 'input_json_delta', partial_json });
const ended = (stop_reason: string, usage: object = { output_tokens: 7 }) => ({
  type: 'message_delta',
  delta: { stop_reason, stop_sequence: null },
  usage,
});
const toolUse = (name: string, input: object = {}) => ({ type: 'tool_use', id: 'toolu_1', name, input });

const hints = (given: Partial<AnswerHints>): Given => ({
  answer: { jsonTool: null, toolNames: new Map(), customTools: new Set(), legacyFunctions: false, ...given },
});

/** The deltas between the role and the finish. */
function deltas(found: Decoded): readonly ChatDelta[] {
  return found.chunks.slice(1, -1).map((chunk) => chunk.choices[0]?.delta as ChatDelta);
}

function finish(found: Decoded): unknown {
  return found.chunks.at(-1)?.choices[0]?.finish_reason;
}

/** Decodes one block between start and end. */
function block(content: object, events: readonly object[], given: Given = {}, reason = 'tool_use'): Decoded {
  return decoded(sse(start, blockStart(0, content), ...events, blockStop(0), ended(reason), stop), given);
}

describe('a stream', () => {
  test('of text: role, texts, finish, and nothing of pings or unknown events', () => {
    const ping = { type: 'ping' };
    const body = sse(
      start,
      ping,
      blockStart(0, { type: 'text', text: '' }),
      ping,
      textDelta('Hel'),
      { type: 'something_new', index: 0 },
      textDelta(''),
      textDelta('lo'),
      blockStop(0),
      ended('end_turn'),
      stop,
    );
    const found = decoded(body);
    const chunk = (delta: object, finish_reason: string | null = null) => ({
      id: 'chatcmpl-0123456789abcdef0123456789abcdef',
      object: 'chat.completion.chunk',
      created: 1_700_000_000,
      model: 'claude-sonnet-4-5',
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    });
    expect<unknown>(found.chunks).toEqual([
      chunk({ role: 'assistant', content: '' }),
      chunk({ content: 'Hel' }),
      chunk({ content: 'lo' }),
      chunk({}, 'stop'),
    ]);
    expect(found.end).toBe('complete');
    expect(found.usage).toMatchObject({ input: 10, output: 7 });
  });

  test('means something from the first text on, not from the role', () => {
    expect(block({ type: 'text', text: '' }, [textDelta('a'), textDelta('b')]).committedAfter).toBe(2);
    expect(decoded(sse(start, ended('end_turn'), stop)).committedAfter).toBeNull();
  });

  test('with usage asked for: null on each chunk, then a chunk with the counts alone', () => {
    const found = decoded(sse(start, ended('end_turn'), stop), { wantsUsage: true });
    expect(found.chunks.map((chunk) => chunk.usage)).toMatchObject([
      null,
      null,
      { prompt_tokens: 10, total_tokens: 17 },
    ]);
    expect(found.chunks.at(-1)?.choices).toEqual([]);
  });

  test('takes the last counts, and null as unchanged', () => {
    const body = sse(
      {
        type: 'message_start',
        message: { usage: { input_tokens: 2050, cache_read_input_tokens: 3, output_tokens: 1 } },
      },
      ended('end_turn', {
        input_tokens: 31_772,
        cache_read_input_tokens: null,
        output_tokens: 644,
        server_tool_use: { web_search_requests: 2 },
      }),
      stop,
    );
    const found = decoded(body, { wantsUsage: true });
    expect(found.usage).toMatchObject({ input: 31_775, cacheRead: 3, output: 644 });
    expect(found.chunks.at(-1)?.usage).toMatchObject({ server_tool_use: { web_search_requests: 2 } });
  });

  test.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['tool_use', 'tool_calls'],
    ['refusal', 'content_filter'],
    ['pause_turn', 'stop'],
    ['compaction', 'stop'],
    ['a word of next year', 'stop'],
  ])('that stops by %s finishes by %s', (reason, expected) => {
    expect(finish(decoded(sse(start, ended(reason), stop)))).toBe(expected);
  });

  test('keeps the finish reason when a later message_delta has none', () => {
    const later = { type: 'message_delta', delta: { stop_reason: null }, usage: { output_tokens: 9 } };
    const found = decoded(sse(start, ended('max_tokens'), later, stop));
    expect([finish(found), found.usage?.output]).toEqual(['length', 9]);
  });

  test('that pauses says so, since the finish reason cannot', () => {
    const last = decoded(sse(start, ended('pause_turn'), stop)).chunks.at(-1);
    expect(last?.choices[0]?.delta.provider_specific_fields).toEqual({ stop_reason: 'pause_turn' });
  });

  test('that is refused repeats why', () => {
    const refusal = {
      type: 'message_delta',
      delta: { stop_reason: 'refusal', stop_details: { explanation: 'No.' } },
      usage: {},
    };
    expect(deltas(decoded(sse(start, refusal, stop)))).toEqual([{ refusal: 'No.' }]);
  });

  test('without message_start still begins with the role', () => {
    const found = decoded(sse(blockStart(0, { type: 'text', text: 'Hi' }), stop));
    expect(found.chunks.map((chunk) => chunk.choices[0]?.delta)).toEqual([
      { role: 'assistant', content: '' },
      { content: 'Hi' },
      {},
    ]);
  });
});

describe('an end that is none', () => {
  const begun = sse(start, blockStart(0, { type: 'text', text: '' }));

  test.each<[string, string, object]>([
    ['before anything', '', { kind: 'broken-stream', committed: false }],
    ['before output', begun, { kind: 'broken-stream', committed: false }],
    ['after output', begun + sse(textDelta('a')), { kind: 'broken-stream', committed: true }],
    [
      'after the finish reason',
      begun + sse(blockStop(0), ended('end_turn')),
      { kind: 'broken-stream', committed: false },
    ],
    [
      'malformed JSON',
      `${begun}data: {"type":"content_block_delta",\n\n`,
      { kind: 'broken-stream', detail: 'an event is malformed' },
    ],
    ['JSON that is no event', `${begun}data: [1]\n\n`, { kind: 'broken-stream', detail: 'an event is malformed' }],
    [
      'overloaded',
      begun + sse({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }),
      { kind: 'upstream-error', words: { status: 529, message: 'Overloaded' } },
    ],
    [
      'rate limited',
      begun + sse({ type: 'error', error: { type: 'rate_limit_error', message: 'Slow down' } }),
      { kind: 'rate-limited', words: { status: 429 } },
    ],
    [
      'an unknown error',
      begun + sse({ type: 'error', error: { type: 'new_error', message: 'x' } }),
      { kind: 'upstream-error', words: { status: 500, type: 'new_error' } },
    ],
    ['an error without words', begun + sse({ type: 'error' }), { kind: 'upstream-error', words: { status: 500 } }],
  ])('%s fails', (_, body, outcome) => {
    expect(decoded(body).end).toMatchObject(outcome);
  });

  test('nothing is said after it', () => {
    const body = begun + sse({ type: 'error', error: { type: 'api_error', message: 'x' } }, textDelta('late'), stop);
    expect(decoded(body).chunks).toHaveLength(1);
    expect(decoded(sse(start, ended('end_turn'), stop, start, textDelta('late'))).end).toBe('complete');
  });
});

describe('tool calls in a stream', () => {
  const first = (name: string) => ({
    tool_calls: [{ index: 0, id: 'toolu_1', type: 'function', function: { name, arguments: '' } }],
  });
  const args = (text: string, index = 0) => ({ tool_calls: [{ index, function: { arguments: text } }] });

  test.each<[string, object, object[], object[]]>([
    [
      'arguments in fragments',
      toolUse('f'),
      [inputDelta(''), inputDelta('{"a"'), inputDelta(':1}')],
      [first('f'), args('{"a"'), args(':1}')],
    ],
    ['no arguments', toolUse('f'), [inputDelta('')], [first('f'), args('{}')]],
    ['no fragment at all', toolUse('f'), [], [first('f'), args('{}')]],
    ['the whole input at the start', toolUse('f', { a: 1 }), [inputDelta('{"a":1}')], [first('f'), args('{"a":1}')]],
  ])('with %s', (_, content, events, expected) => {
    const found = block(content, events);
    expect<unknown>(deltas(found)).toEqual(expected);
    expect(finish(found)).toBe('tool_calls');
  });

  test('are numbered apart from texts and server tools', () => {
    const server = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} };
    const body = sse(
      start,
      blockStart(0, { type: 'text', text: 'x' }),
      blockStop(0),
      blockStart(1, server),
      inputDelta('{"query":"q"}', 1),
      blockStop(1),
      blockStart(2, { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] }),
      blockStop(2),
      blockStart(3, toolUse('f')),
      blockStop(3),
      blockStart(4, { ...toolUse('g'), id: 'toolu_2' }),
      inputDelta('{}', 4),
      blockStop(4),
      ended('tool_use'),
      stop,
    );
    expect<unknown>(deltas(decoded(body))).toEqual([
      { content: 'x' },
      { provider_specific_fields: { server_tool_use: [{ ...server, input: { query: 'q' } }] } },
      {
        provider_specific_fields: {
          web_search_results: [{ type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] }],
        },
      },
      first('f'),
      args('{}'),
      { tool_calls: [{ index: 1, id: 'toolu_2', type: 'function', function: { name: 'g', arguments: '' } }] },
      args('{}', 1),
    ]);
  });

  test('carry the client’s own name', () => {
    const found = block(toolUse('a_b_12345678'), [], hints({ toolNames: new Map([['a_b_12345678', 'a.b']]) }));
    expect<unknown>(deltas(found)[0]).toEqual(first('a.b'));
  });

  test('of a custom tool carry its text', () => {
    const events = [inputDelta('{"input":"SEL'), inputDelta('ECT \\"1\\""}')];
    expect<unknown>(deltas(block(toolUse('sql'), events, hints({ customTools: new Set(['sql']) })))).toEqual([
      { tool_calls: [{ index: 0, id: 'toolu_1', type: 'custom', custom: { name: 'sql', input: '' } }] },
      { tool_calls: [{ index: 0, custom: { input: 'SELECT "1"' } }] },
    ]);
  });

  test('are function calls for a client that sent functions', () => {
    const found = block(toolUse('f'), [inputDelta('{"a":1}')], hints({ legacyFunctions: true }));
    expect(deltas(found)).toEqual([
      { function_call: { name: 'f', arguments: '' } },
      { function_call: { arguments: '{"a":1}' } },
    ]);
    expect(finish(found)).toBe('function_call');
  });
});

describe('a stream whose JSON comes by a tool', () => {
  const plain = hints({ jsonTool: { name: 'json_tool_call', wrapper: null } });
  const wrapped = hints({ jsonTool: { name: 'json_tool_call', wrapper: 'values' } });

  test.each<[string, Given, object[], object[]]>([
    ['as it comes', plain, [inputDelta('{"a"'), inputDelta(':1}')], [{ content: '{"a"' }, { content: ':1}' }]],
    ['empty', plain, [inputDelta('')], [{ content: '{}' }]],
    ['out of its wrapper', wrapped, [inputDelta('{"values":'), inputDelta('[1,2]}')], [{ content: '[1,2]' }]],
    ['cut off in its wrapper', wrapped, [inputDelta('{"values":[1')], [{ content: '{"values":[1' }]],
  ])('gives it as content: %s', (_, given, events, expected) => {
    const found = block(toolUse('json_tool_call'), events, given);
    expect(deltas(found)).toEqual(expected);
    expect(finish(found)).toBe('stop');
  });

  test('drops text before the tool, and keeps it when the tool is not called', () => {
    const text = [blockStart(1, { type: 'text', text: 'Here: ' }), blockStop(1)];
    const called = sse(
      start,
      ...text,
      blockStart(2, toolUse('json_tool_call')),
      inputDelta('{"a":1}', 2),
      blockStop(2),
      ended('tool_use'),
      stop,
    );
    expect(deltas(decoded(called, plain))).toEqual([{ content: '{"a":1}' }]);
    expect(deltas(decoded(sse(start, ...text, ended('end_turn'), stop), plain))).toEqual([{ content: 'Here: ' }]);
  });
});

describe('thinking and citations in a stream', () => {
  test('thinking comes as text and as block, its signature in a block of its own', () => {
    const events = [
      blockDelta(0, { type: 'thinking_delta', thinking: 'Hm' }),
      blockDelta(0, { type: 'signature_delta', signature: 'c2ln' }),
    ];
    const found = block({ type: 'thinking', thinking: '', signature: '' }, events);
    expect(deltas(found)).toEqual([
      { reasoning_content: 'Hm', thinking_blocks: [{ type: 'thinking', thinking: 'Hm', signature: '' }] },
      { thinking_blocks: [{ type: 'thinking', thinking: '', signature: 'c2ln' }] },
    ]);
  });

  test('redacted thinking comes whole', () => {
    expect(deltas(block({ type: 'redacted_thinking', data: 'eA==' }, []))).toEqual([
      { thinking_blocks: [{ type: 'redacted_thinking', data: 'eA==' }] },
    ]);
  });

  test('a citation comes at once, its annotation when the text’s end is known', () => {
    const citation = { type: 'web_search_result_location', url: 'https://x.test', title: 'X', cited_text: 'c' };
    const events = [blockDelta(0, { type: 'citations_delta', citation }), textDelta('Fact.')];
    expect<unknown>(deltas(block({ type: 'text', text: '', citations: [] }, events))).toEqual([
      { provider_specific_fields: { citation } },
      { content: 'Fact.' },
      {
        annotations: [
          { type: 'url_citation', url_citation: { start_index: 0, end_index: 5, title: 'X', url: 'https://x.test' } },
        ],
      },
    ]);
  });
});
