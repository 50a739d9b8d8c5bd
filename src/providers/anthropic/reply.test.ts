import { describe, expect, test } from 'bun:test';
import { exampleContext, exampleHead } from '../../../test/support/anthropic-call.ts';
import type { ChatCompletion } from '../../wire/openai/chat.ts';
import type { AnswerHints, Reply } from '../provider.ts';
import { readReply } from './reply.ts';

function read(body: string, answer: AnswerHints | null = null): Reply {
  return readReply(exampleHead(), new TextEncoder().encode(body), exampleContext({ answer }));
}

function answered(message: object, answer: AnswerHints | null = null): ChatCompletion {
  const whole = {
    type: 'message',
    stop_reason: 'end_turn',
    content: [],
    usage: { input_tokens: 3, output_tokens: 5 },
    ...message,
  };
  const reply = read(JSON.stringify(whole), answer);
  if (reply.kind !== 'chat') throw new Error(JSON.stringify(reply));
  return reply.chat;
}

function message(content: readonly object[], answer: AnswerHints | null = null): unknown {
  return answered({ content }, answer).choices[0]?.message;
}

const hints = (given: Partial<AnswerHints>): AnswerHints => ({
  jsonTool: null,
  toolNames: new Map(),
  customTools: new Set(),
  legacyFunctions: false,
  ...given,
});
const text = (words: string, citations?: readonly object[]) => ({
  type: 'text',
  text: words,
  ...(citations ? { citations } : {}),
});
const toolUse = (name: string, input: object = {}) => ({ type: 'tool_use', id: 'toolu_1', name, input });
const page = (url: string) => ({ type: 'web_search_result_location', url, title: 'T', cited_text: 'c' });

describe('a reply', () => {
  test('of text', () => {
    expect(answered({ content: [text('Hi')] })).toEqual({
      id: 'chatcmpl-0123456789abcdef0123456789abcdef',
      object: 'chat.completion',
      created: 1_700_000_000,
      model: 'claude-sonnet-4-5',
      choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, logprobs: null, finish_reason: 'stop' }],
      usage: {
        prompt_tokens: 3,
        completion_tokens: 5,
        total_tokens: 8,
        prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0 },
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
      },
    });
  });

  test.each<[string, object[], AnswerHints | null, object]>([
    ['without content', [], null, { role: 'assistant', content: null }],
    ['of several texts', [text('a'), text('b')], null, { role: 'assistant', content: 'ab' }],
    [
      'with tool calls, without index',
      [text('x'), toolUse('f', { a: 1 })],
      null,
      {
        role: 'assistant',
        content: 'x',
        tool_calls: [{ id: 'toolu_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }],
      },
    ],
    [
      'with a renamed tool',
      [toolUse('a_b_1')],
      hints({ toolNames: new Map([['a_b_1', 'a.b']]) }),
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'toolu_1', type: 'function', function: { name: 'a.b', arguments: '{}' } }],
      },
    ],
    [
      'with a custom tool',
      [toolUse('sql', { input: 'SELECT' })],
      hints({ customTools: new Set(['sql']) }),
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'toolu_1', type: 'custom', custom: { name: 'sql', input: 'SELECT' } }],
      },
    ],
    [
      'to a client with functions',
      [toolUse('f')],
      hints({ legacyFunctions: true }),
      { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
    ],
    [
      'by the JSON tool',
      [text('Here:'), toolUse('json_tool_call', { values: [1] })],
      hints({ jsonTool: { name: 'json_tool_call', wrapper: 'values' } }),
      { role: 'assistant', content: '[1]' },
    ],
  ])('%s', (_, content, answer, expected) => {
    expect(message(content, answer)).toEqual(expected);
  });

  test('with thinking keeps text, blocks and signatures', () => {
    const blocks = [
      { type: 'thinking', thinking: 'Hm', signature: 'c2ln' },
      { type: 'redacted_thinking', data: 'eA==' },
    ];
    expect(message([...blocks, text('x')])).toEqual({
      role: 'assistant',
      content: 'x',
      reasoning_content: 'Hm',
      thinking_blocks: blocks,
      provider_specific_fields: { reasoning_content: 'Hm', thinking_blocks: blocks },
    });
  });

  test('with citations has annotations at the offsets of the whole content', () => {
    const other = { type: 'char_location', cited_text: 'c', document_index: 0 };
    expect(message([text('one '), text('two', [page('https://x.test'), other])])).toEqual({
      role: 'assistant',
      content: 'one two',
      annotations: [
        { type: 'url_citation', url_citation: { start_index: 4, end_index: 7, title: 'T', url: 'https://x.test' } },
      ],
      provider_specific_fields: { citations: [[page('https://x.test'), other]] },
    });
  });

  test('with server tools shows none of them as tool calls', () => {
    const use = { type: 'server_tool_use', id: 's', name: 'bash', input: {} };
    const result = { type: 'bash_code_execution_tool_result', tool_use_id: 's', content: {} };
    const search = { type: 'web_search_tool_result', tool_use_id: 's', content: [] };
    expect(message([use, result, search, { type: 'compaction', content: 'x' }])).toEqual({
      role: 'assistant',
      content: null,
      provider_specific_fields: { server_tool_use: [use], tool_results: [result], web_search_results: [search] },
    });
  });

  test.each([
    ['tool_use', [toolUse('f')], null, 'tool_calls'],
    ['tool_use', [toolUse('f')], hints({ legacyFunctions: true }), 'function_call'],
    ['tool_use', [toolUse('j')], hints({ jsonTool: { name: 'j', wrapper: null } }), 'stop'],
    ['tool_use', [toolUse('j'), toolUse('f')], hints({ jsonTool: { name: 'j', wrapper: null } }), 'tool_calls'],
    ['max_tokens', [], null, 'length'],
    ['what is this', [], null, 'stop'],
    [null, [], null, 'stop'],
  ])('that stops by %p finishes in the client’s words (%#)', (stop_reason, content, answer, expected) => {
    expect<unknown>(answered({ stop_reason, content }, answer).choices[0]?.finish_reason).toBe(expected);
  });

  test('that is a refusal says so to the router and to the client', () => {
    const body = {
      content: [],
      stop_reason: 'refusal',
      stop_details: { type: 'refusal', explanation: 'No.' },
      usage: {},
    };
    expect(read(JSON.stringify(body))).toMatchObject({
      finish: 'content-filter',
      chat: { choices: [{ message: { content: null, refusal: 'No.' }, finish_reason: 'content_filter' }] },
    });
  });

  test('keeps the digits of large numbers in arguments', () => {
    const reply = read(
      '{"content":[{"type":"tool_use","id":"t","name":"f","input":{"id":12345678901234567890}}],"stop_reason":"tool_use"}',
    );
    expect(reply).toMatchObject({
      chat: { choices: [{ message: { tool_calls: [{ function: { arguments: '{"id":12345678901234567890}' } }] } }] },
    });
  });
});

describe('usage', () => {
  test('counts cache reads and writes as input, and server tools apart', () => {
    const usage = {
      input_tokens: 4,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 30,
      cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
      output_tokens: 50,
      output_tokens_details: { thinking_tokens: 12 },
      server_tool_use: { web_search_requests: 1 },
    };
    const reply = read(JSON.stringify({ content: [], usage }));
    expect(reply).toMatchObject({
      usage: { input: 134, output: 50, cacheRead: 100, cacheWrite: 30, cacheWriteHour: 20, reasoning: 12 },
      chat: {
        usage: {
          prompt_tokens: 134,
          total_tokens: 184,
          prompt_tokens_details: { cached_tokens: 100, cache_write_tokens: 30 },
          completion_tokens_details: { reasoning_tokens: 12 },
          cache_creation_input_tokens: 30,
          cache_read_input_tokens: 100,
          server_tool_use: { web_search_requests: 1 },
        },
      },
    });
  });

  const pass = (type: string, tokens: number) => ({
    type,
    input_tokens: tokens,
    output_tokens: 1,
    cache_read_input_tokens: 2,
  });

  test.each<[string, object[], object]>([
    [
      'adds the work of compaction',
      [pass('compaction', 50), pass('message', 10)],
      { input: 64, output: 2, cacheRead: 4 },
    ],
    [
      'keeps the totals with a fallback model',
      [pass('compaction', 50), pass('fallback_message', 10)],
      { input: 7, output: 3 },
    ],
    ['keeps the totals without compaction', [pass('message', 10), pass('message', 10)], { input: 7, output: 3 }],
  ])('%s', (_, iterations, usage) => {
    const body = { content: [], usage: { input_tokens: 7, output_tokens: 3, iterations } };
    expect(read(JSON.stringify(body))).toMatchObject({ usage });
  });

  test.each([
    [8, 100, 2],
    [9, 100, 3],
    [4000, 100, 100], // never more than there was output
  ])('estimates the tokens of %i characters of thinking among %i', (length, output_tokens, reasoning) => {
    const content = [{ type: 'thinking', thinking: 'x'.repeat(length), signature: 's' }];
    expect(read(JSON.stringify({ content, usage: { output_tokens } }))).toMatchObject({ usage: { reasoning } });
  });
});

describe('a 200 that is no answer', () => {
  test.each([
    ['no JSON', '<html>', { kind: 'broken-stream' }],
    ['nothing', '', { kind: 'broken-stream' }],
    ['JSON of another kind', '[]', { kind: 'broken-stream' }],
    ['no content', '{"type":"message"}', { kind: 'broken-stream' }],
    [
      'an error',
      '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
      { kind: 'upstream-error', words: { status: 529 } },
    ],
  ])('%s', (_, body, outcome) => {
    expect(read(body)).toMatchObject({ kind: 'failed', outcome });
  });
});
