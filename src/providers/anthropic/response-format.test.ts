import { describe, expect, test } from 'bun:test';
import { type Given, requested } from '../../../test/support/anthropic-call.ts';
import { sanitisedSchema } from './schema.ts';

const old: Given = { model: 'claude-3-5-sonnet-20241022' };
const object = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
const list = { type: 'array', items: { $ref: '#/$defs/a' }, $defs: { a: { type: 'string' } } };
const asking = (schema: object) => ({ response_format: { type: 'json_schema', json_schema: { name: 'n', schema } } });

describe('response_format', () => {
  test('a schema is native where the model has it', () => {
    const { json, answer } = requested(asking(object));
    expect(json.output_config).toEqual({
      format: { type: 'json_schema', schema: { ...object, additionalProperties: false } },
    });
    expect(json).not.toHaveProperty('tools');
    expect(answer).toBeUndefined();
  });

  test('a schema is a forced tool on older models', () => {
    const { json, answer } = requested(asking(object), old);
    expect(json.tools).toMatchObject([{ name: 'json_tool_call', input_schema: object }]);
    expect(json.tool_choice).toEqual({ type: 'tool', name: 'json_tool_call', disable_parallel_tool_use: true });
    expect(answer?.jsonTool).toEqual({ name: 'json_tool_call', wrapper: null });
  });

  test('another root than an object is wrapped, its definitions outside', () => {
    const { json, answer } = requested(asking(list), old);
    expect(json.tools).toMatchObject([
      {
        input_schema: {
          type: 'object',
          properties: { values: { type: 'array', items: { $ref: '#/$defs/a' } } },
          required: ['values'],
          $defs: { a: { type: 'string' } },
        },
      },
    ]);
    expect(answer?.jsonTool?.wrapper).toBe('values');
  });

  test.each([
    ['by itself', {}, { type: 'any' }],
    ['none', { tool_choice: 'none' }, { type: 'tool', name: 'json_tool_call' }],
    ['one of them', { tool_choice: { type: 'function', function: { name: 'f' } } }, { type: 'tool', name: 'f' }],
  ])('with the client’s own tools and a choice of %s', (_, more, expected) => {
    const tools = [{ type: 'function', function: { name: 'f' } }];
    const { json } = requested({ ...asking(object), tools, ...more }, old);
    expect(json.tool_choice).toMatchObject(expected);
    expect(json.tools).toMatchObject([{ name: 'f' }, { name: 'json_tool_call' }]);
  });

  test('a client’s own tool of that name keeps it', () => {
    const tools = [{ type: 'function', function: { name: 'json_tool_call' } }];
    expect(requested({ ...asking(object), tools }, old).answer?.jsonTool?.name).toBe('json_tool_call_2');
  });

  test('thinking by budget does not force the tool', () => {
    const given = { model: 'claude-sonnet-4-20250514' };
    expect(requested({ ...asking(object), reasoning_effort: 'low' }, given).json.tool_choice).toMatchObject({
      type: 'auto',
    });
  });

  test('the tool spares a history with tool calls its dummy', () => {
    const messages = [
      { role: 'user', content: 'A' },
      { role: 'assistant', tool_calls: [{ id: 't', type: 'function', function: { name: 'f', arguments: '{}' } }] },
      { role: 'tool', tool_call_id: 't', content: '' },
    ];
    expect(requested({ ...asking(object), messages }, old).json.tools).toHaveLength(1);
  });

  test('json_object is asked for in words', () => {
    const { json } = requested({ response_format: { type: 'json_object' } });
    expect(json.system).toEqual([
      { type: 'text', text: 'Answer with a single JSON object and nothing else: no explanation, no code fence.' },
    ]);
  });

  test('text asks for nothing', () => {
    expect(Object.keys(requested({ response_format: { type: 'text' } }).json)).toEqual([
      'model',
      'max_tokens',
      'messages',
    ]);
  });
});

describe('schemas for Anthropic', () => {
  test.each<[string, object, object]>([
    [
      'limits move into the description',
      { type: 'string', minLength: 2, pattern: 'a+' },
      { type: 'string', description: '{minLength: 2, pattern: "a+"}' },
    ],
    [
      'behind the words that are there',
      { type: 'integer', minimum: 0, description: 'Age' },
      { type: 'integer', description: 'Age\n\n{minimum: 0}' },
    ],
    [
      'oneOf is anyOf',
      { oneOf: [{ type: 'null' }, { type: 'string' }] },
      { anyOf: [{ type: 'null' }, { type: 'string' }] },
    ],
    [
      'every object is closed',
      { type: 'object', properties: { o: { type: 'object', additionalProperties: true } } },
      {
        type: 'object',
        properties: { o: { type: 'object', additionalProperties: false } },
        additionalProperties: false,
      },
    ],
    ['known formats stay', { type: 'string', format: 'date' }, { type: 'string', format: 'date' }],
    ['unknown formats move', { type: 'string', format: 'color' }, { type: 'string', description: '{format: "color"}' }],
    [
      'lists',
      { type: 'array', items: { type: 'string', maxLength: 3 }, minItems: 1, maxItems: 3 },
      {
        type: 'array',
        items: { type: 'string', description: '{maxLength: 3}' },
        minItems: 1,
        description: '{maxItems: 3}',
      },
    ],
    ['minItems above one moves', { type: 'array', minItems: 2 }, { type: 'array', description: '{minItems: 2}' }],
    [
      'definitions and references',
      { $ref: '#/$defs/a', $defs: { a: { type: 'object', properties: {} } } },
      { $ref: '#/$defs/a', $defs: { a: { type: 'object', properties: {}, additionalProperties: false } } },
    ],
    [
      'members named like keywords stay',
      { type: 'object', properties: { minimum: { type: 'number' }, description: { type: 'string' } } },
      {
        type: 'object',
        properties: { minimum: { type: 'number' }, description: { type: 'string' } },
        additionalProperties: false,
      },
    ],
    ['what binds nothing goes', { $schema: 'x', $id: 'y', type: 'string', examples: ['a'] }, { type: 'string' }],
    [
      'enum, const and default',
      { enum: ['a'], const: 'a', default: 'a', title: 'T' },
      { enum: ['a'], const: 'a', default: 'a', title: 'T' },
    ],
  ])('%s', (_, schema, expected) => {
    expect(sanitisedSchema(schema as never)).toEqual(expected as never);
  });
});
