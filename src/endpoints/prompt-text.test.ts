import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Dialect } from '../providers/provider.ts';
import { scanObject } from '../wire/json-splice.ts';
import { mostTokens, promptTexts } from './prompt-text.ts';

const IMAGE = `data:image/png;base64,${'iVBORw0KGgo'.repeat(1000)}`;
const user = (content: unknown) => ({ messages: [{ role: 'user', content }] });

function extract(dialect: Dialect, body: unknown) {
  const scanned = scanObject(new TextEncoder().encode(JSON.stringify(body)));
  if (scanned.kind === 'fault') throw new Error(scanned.message);
  return promptTexts(dialect, scanned).map(({ texts, tokens }) => ({ texts: [...texts], tokens }));
}

describe('what counts of a chat', () => {
  test.each<[string, unknown, readonly string[], number]>([
    ['the text of a message', user('Hi'), ['Hi'], 7],
    ['every message, with its frame', { messages: [{ content: 'a' }, { content: 'b' }] }, ['a', 'b'], 11],
    ['the name of a speaker', { messages: [{ name: 'ann', content: 'a' }] }, ['ann', 'a'], 7],
    [
      'text parts',
      user([
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ]),
      ['a', 'b'],
      7,
    ],
    ['a refusal', user([{ type: 'refusal', refusal: 'no' }]), ['no'], 7],
    ['an image as a constant', user([{ type: 'image_url', image_url: { url: IMAGE } }]), [], 92],
    ["an image in Anthropic's shape", user([{ type: 'image', source: { data: IMAGE } }]), [], 92],
    ['no audio', user([{ type: 'input_audio', input_audio: { data: IMAGE, format: 'wav' } }]), [], 7],
    ['no file', user([{ type: 'file', file: { file_data: IMAGE, filename: 'a.pdf' } }]), [], 7],
    ['the parts of a tool result', user([{ type: 'tool_result', content: [{ type: 'text', text: 'x' }] }]), ['x'], 7],
    [
      'calls of tools',
      { messages: [{ content: null, tool_calls: [{ id: 'c', function: { name: 'f', arguments: '{"a":1}' } }] }] },
      ['f', '{"a":1}'],
      7,
    ],
    ['a legacy call', { messages: [{ function_call: { name: 'f', arguments: '{}' } }] }, ['f', '{}'], 7],
    ['no reasoning, which upstreams drop', { messages: [{ content: 'a', reasoning_content: 'long' }] }, ['a'], 7],
    [
      'names and descriptions of tools, not their punctuation',
      {
        messages: [],
        tools: [
          {
            type: 'function',
            function: {
              name: 'weather',
              description: 'Tells it.',
              parameters: {
                type: 'object',
                required: ['city'],
                properties: {
                  city: { type: 'string', description: 'Where', enum: ['Oslo', 1] },
                  name: { type: 'number' },
                },
              },
            },
          },
        ],
      },
      ['weather', 'Tells it.', 'city', 'name', 'Where', 'Oslo'],
      3,
    ],
    ['legacy functions', { messages: [], functions: [{ name: 'f', description: 'd' }] }, ['f', 'd'], 3],
    ['nothing of odd shapes', { messages: [1, null, [], { content: { a: 1 } }], tools: 'x' }, [], 7],
    ['nothing of messages that are no array', { messages: 'x' }, [], 3],
  ])('is %s', (_name, body, texts, tokens) => {
    expect(extract('openai-chat', body)).toEqual([{ texts: [...texts], tokens }]);
  });
});

describe('each sequence meets the window alone', () => {
  test.each<[string, unknown, unknown]>([
    ['a string', 'abc', [{ texts: ['abc'], tokens: 0 }]],
    [
      'several strings',
      ['a', 'b'],
      [
        { texts: ['a'], tokens: 0 },
        { texts: ['b'], tokens: 0 },
      ],
    ],
    ['an array of tokens', [1, 2, 3], [{ texts: [], tokens: 3 }]],
    [
      'several arrays of tokens',
      [[1, 2], [3]],
      [
        { texts: [], tokens: 2 },
        { texts: [], tokens: 1 },
      ],
    ],
    ['an odd shape', { a: 1 }, []],
    ['an array of odd shapes', [null, { a: 1 }, 'x'], [{ texts: ['x'], tokens: 0 }]],
  ])('%s', (_name, value, expected) => {
    expect(extract('openai-embeddings', { input: value }) as unknown).toEqual(expected);
    expect(extract('openai-completions', { prompt: value }) as unknown).toEqual(expected);
  });
});

test('a prompt has at most as many tokens as bytes', () => {
  expect(mostTokens({ texts: ['abc', 'é', '猫'], tokens: 10 })).toBe(3 + 2 + 3 + 10);
});

test('nothing throws on any JSON, and no text is invented', () => {
  const dialects: readonly Dialect[] = ['openai-chat', 'openai-completions', 'openai-embeddings'];
  const member = fc.constantFrom('messages', 'tools', 'functions', 'prompt', 'input');
  fc.assert(
    fc.property(fc.constantFrom(...dialects), fc.dictionary(member, fc.jsonValue()), (dialect, body) => {
      const size = JSON.stringify(body).length;
      for (const { texts } of extract(dialect, body)) {
        expect(texts.reduce((sum, text) => sum + text.length, 0)).toBeLessThanOrEqual(size);
      }
    }),
  );
});

test('a member that is not JSON counts as nothing', () => {
  const body = scanObject(new TextEncoder().encode('{"messages":[tru],"prompt":[tru]}'));
  if (body.kind === 'fault') throw new Error(body.message);
  expect(promptTexts('openai-chat', body)).toMatchObject([{ texts: [] }]);
  expect(promptTexts('openai-completions', body)).toEqual([]);
});
