import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { exampleContext } from '../../../test/support/anthropic-call.ts';
import { testCall } from '../../../test/support/call.ts';
import type { Refusal, UpstreamRequest } from '../provider.ts';
import { buildRequest } from './request.ts';

const TYPES = [
  'text',
  'image_url',
  'file',
  'input_audio',
  'thinking',
  'tool_use',
  'function',
  'custom',
  'mcp',
  'bash_1',
];
const word = fc.oneof(
  fc.constantFrom('', 'a', 'constructor', '__proto__', 'data:image/png;base64,AA', 'https://x.test', '{"a":1}', 'low'),
  fc.string(),
);
const leaf = fc.oneof(fc.constantFrom(null, true, 0, 1.5, -1), word);

/** Objects with the members that the translation looks at, holding the right things, the wrong things, or nothing. */
const { any: node, object } = fc.letrec<{ any: unknown; object: unknown }>((tie) => ({
  any: fc.oneof({ maxDepth: 3, depthSize: 'small' }, leaf, tie('object'), fc.array(tie('any'), { maxLength: 2 })),
  object: fc.record(
    {
      role: fc.constantFrom('user', 'assistant', 'system', 'tool', 'function', 'x'),
      type: fc.oneof(fc.constantFrom(...TYPES), word),
      content: tie('any'),
      text: leaf,
      name: leaf,
      image_url: tie('any'),
      url: word,
      file: tie('any'),
      file_data: word,
      function: tie('any'),
      custom: tie('any'),
      function_call: tie('any'),
      arguments: leaf,
      parameters: tie('any'),
      properties: tie('any'),
      tool_calls: tie('any'),
      tool_call_id: leaf,
      id: leaf,
      thinking_blocks: tie('any'),
      cache_control: tie('any'),
    },
    { requiredKeys: [], noNullPrototype: true },
  ),
}));

const lists = fc.array(object, { maxLength: 4 });
const parameters = fc.record(
  {
    messages: lists,
    tools: lists,
    ...Object.fromEntries(
      'tool_choice functions function_call response_format reasoning_effort thinking stop temperature max_tokens user metadata web_search_options service_tier output_config modalities n constructor'
        .split(' ')
        .map((name) => [name, node]),
    ),
  },
  { requiredKeys: [], noNullPrototype: true },
);

function built(body: string, given: object = {}): UpstreamRequest | Refusal {
  return buildRequest(testCall(Buffer.from(body)), exampleContext(given));
}

describe('a request', () => {
  test.each([
    ['as it comes', {}],
    ['with everything dropped and mended', { dropParams: true, modifyParams: true }],
    ['to an old model', { model: 'claude-3-haiku', dropParams: true }],
  ])('of any JSON is translated or refused, never thrown: %s', (_, given) => {
    fc.assert(
      fc.property(parameters, (body) => {
        const result = built(JSON.stringify({ model: 'claude', ...body }), given);
        if (result.kind === 'request') expect(() => JSON.parse(Buffer.concat(result.body).toString())).not.toThrow();
        else expect(result.message).not.toBe('');
      }),
      { numRuns: 60 },
    );
  });

  test('whose inside is no JSON is refused', () => {
    expect(built('{"model":"m","messages":[{"role":}]}')).toMatchObject({ reason: 'invalid-parameter' });
  });

  test('the same request always gives the same bytes', () => {
    const body =
      '{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"a b"}}]}';
    expect(built(body)).toEqual(built(body));
  });
});
