import { expect, test } from 'bun:test';
import type { HeaderPair } from '../core/http.ts';
import type { Json } from '../core/json.ts';
import type { Dialect, Operation } from './dialect.ts';
import { refusal } from './validate.ts';

const USER = { role: 'user', content: 'hi' };
const TOOL_USE = { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'f', input: {} }] };
const TOOL_RESULT = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'x' }] };
const CHAT = { model: 'm', messages: [USER] };
const MESSAGE = { ...CHAT, max_tokens: 9 };
const VERSION: readonly HeaderPair[] = [['anthropic-version', '2023-06-01']];

const rows: readonly (readonly [name: string, Dialect, Operation, body: Json | undefined, complaint: RegExp | null])[] =
  [
    ['a chat', 'openai', 'chat', CHAT, null],
    ['a chat without a model', 'openai', 'chat', { messages: [USER] }, /provide a model/],
    ['an azure chat without a model', 'azure', 'chat', { messages: [USER] }, null],
    ['a chat without messages', 'openai', 'chat', { model: 'm' }, /Missing required parameter: 'messages'/],
    ['a chat with no messages', 'openai', 'chat', { model: 'm', messages: [] }, /empty array/],
    [
      'stream options without a stream',
      'openai',
      'chat',
      { ...CHAT, stream_options: {} },
      /only allowed when 'stream'/,
    ],
    ['stream options of a stream', 'openai', 'chat', { ...CHAT, stream_options: {}, stream: true }, null],
    ['a tool choice without tools', 'openai', 'chat', { ...CHAT, tool_choice: 'auto' }, /only allowed when 'tools'/],
    ['embeddings without input', 'openai', 'embeddings', { model: 'm' }, /'input'/],
    ['a body that is no JSON', 'openai', 'chat', undefined, /could not parse the JSON body/],
    ['a list of models', 'openai', 'models', undefined, null],
    ['a message', 'anthropic', 'messages', MESSAGE, null],
    ['a message without max_tokens', 'anthropic', 'messages', CHAT, /max_tokens: Field required/],
    [
      'an assistant first',
      'anthropic',
      'messages',
      { ...MESSAGE, messages: [TOOL_USE, TOOL_RESULT] },
      /first message must use/,
    ],
    [
      'an empty text block',
      'anthropic',
      'messages',
      { ...MESSAGE, messages: [{ role: 'user', content: [{ type: 'text', text: '' }] }] },
      /non-empty/,
    ],
    ['an answered tool', 'anthropic', 'messages', { ...MESSAGE, messages: [USER, TOOL_USE, TOOL_RESULT] }, null],
    [
      'an unanswered tool',
      'anthropic',
      'messages',
      { ...MESSAGE, messages: [USER, TOOL_USE, USER] },
      /messages\.1: `tool_use` ids were found .* toolu_1/,
    ],
    [
      'a tool choice without tools',
      'anthropic',
      'messages',
      { ...MESSAGE, tool_choice: { type: 'any' } },
      /while providing tools/,
    ],
  ];
for (const [name, dialect, operation, body, complaint] of rows) {
  test(`${dialect} ${complaint === null ? 'takes' : 'refuses'} ${name}`, () => {
    const refused = refusal(dialect, operation, body, VERSION);
    if (complaint === null) expect(refused).toBeNull();
    else expect(refused?.message).toMatch(complaint);
  });
}
