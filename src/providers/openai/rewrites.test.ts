import { describe, expect, test } from 'bun:test';
import { testContext } from '../../../test/support/openai-call.ts';
import type { Json } from '../../core/json.ts';
import {
  CONTENT_TO_STRING,
  DEVELOPER_TO_SYSTEM,
  NINE_CHARACTER_TOOL_IDS,
  REASONING_IN_TOOL_LOOP_ONLY,
  STRIP_CACHE_CONTROL,
  STRIP_FOREIGN_FIELDS,
  stripNames,
} from './messages.ts';
import type { Rewrite } from './rules.ts';
import { mapToolChoice, namedToolChoiceTo, STRIP_TOOL_CACHE_CONTROL, stripToolKeys } from './tools.ts';

const apply = (rewrite: Rewrite, value: Json) => rewrite.apply(value, testContext());
const text = (value: string) => ({ type: 'text', text: value });

const rows: readonly (readonly [string, Rewrite, Json, Json])[] = [
  [
    'foreign fields leave assistant messages only',
    STRIP_FOREIGN_FIELDS,
    [
      { role: 'user', annotations: 1 },
      { role: 'assistant', content: 'a', reasoning_content: 'b', thinking_blocks: [], annotations: [] },
    ],
    [
      { role: 'user', annotations: 1 },
      { role: 'assistant', content: 'a' },
    ],
  ],
  [
    'cache marks leave messages and parts',
    STRIP_CACHE_CONTROL,
    [{ role: 'user', cache_control: {}, content: [{ ...text('a'), cache_control: {} }, text('b')] }],
    [{ role: 'user', content: [text('a'), text('b')] }],
  ],
  [
    'cache marks leave tools',
    STRIP_TOOL_CACHE_CONTROL,
    [{ type: 'function', cache_control: {}, function: { name: 'f', cache_control: {} } }],
    [{ type: 'function', function: { name: 'f' } }],
  ],
  [
    'developer becomes system',
    DEVELOPER_TO_SYSTEM,
    [{ role: 'developer', content: 'a' }],
    [{ role: 'system', content: 'a' }],
  ],
  [
    'text parts become a string',
    CONTENT_TO_STRING,
    [{ role: 'user', content: [text('a'), text('b')] }],
    [{ role: 'user', content: 'ab' }],
  ],
  [
    'names stay on tool messages',
    stripNames('tool'),
    [
      { role: 'user', name: 'x' },
      { role: 'tool', name: 'f' },
    ],
    [{ role: 'user' }, { role: 'tool', name: 'f' }],
  ],
  [
    'reasoning stays in the open tool loop only',
    REASONING_IN_TOOL_LOOP_ONLY,
    [
      { role: 'assistant', reasoning_content: 'old' },
      { role: 'user' },
      { role: 'assistant', reasoning_content: 'new' },
    ],
    [{ role: 'assistant' }, { role: 'user' }, { role: 'assistant', reasoning_content: 'new' }],
  ],
  [
    'tool keys leave the schema, not parameters of that name',
    stripToolKeys(['strict', 'additionalProperties']),
    [
      {
        function: {
          strict: true,
          parameters: {
            additionalProperties: false,
            properties: { strict: { type: 'boolean', strict: 1 } },
            default: { strict: 1 },
          },
        },
      },
    ],
    [{ function: { parameters: { properties: { strict: { type: 'boolean' } }, default: { strict: 1 } } } }],
  ],
  ['a tool choice is mapped', mapToolChoice({ required: 'any' }), 'required', 'any'],
  [
    'a named tool choice becomes a word',
    namedToolChoiceTo('auto'),
    { type: 'function', function: { name: 'f' } },
    'auto',
  ],
];

test.each(rows)('%s', (_name, rewrite, before, after) => {
  expect(apply(rewrite, before)).toEqual(after);
});

describe('a rewrite that finds nothing gives the very same value', () => {
  const image = { type: 'image_url', image_url: { url: 'https://x/y.png' } };
  const messages: Json = [{ role: 'user', content: [text('a'), image] }, 'no message', null];
  const rewrites: readonly (readonly [string, Rewrite])[] = [
    ['foreign fields', STRIP_FOREIGN_FIELDS],
    ['cache marks', STRIP_CACHE_CONTROL],
    ['developer', DEVELOPER_TO_SYSTEM],
    ['text parts beside an image', CONTENT_TO_STRING],
    ['names', stripNames(null)],
    ['reasoning', REASONING_IN_TOOL_LOOP_ONLY],
    ['ids', NINE_CHARACTER_TOOL_IDS],
  ];
  test.each(rewrites)('%s', (_name, rewrite) => {
    expect(apply(rewrite, messages)).toBe(messages);
    expect(apply(rewrite, 'no list')).toBe('no list');
  });
});

describe('ids of tool calls for Mistral', () => {
  const turn = (id: string) => [
    { role: 'assistant', tool_calls: [{ id, type: 'function' }] },
    { role: 'tool', tool_call_id: id, content: 'x' },
  ];
  const ids = (value: Json) => JSON.stringify(value).match(/"(?:id|tool_call_id)":"[^"]*"/g);

  test('have nine letters and digits, the same for call and result', () => {
    for (const id of ['call_abcdefghijklmnop', 'functions.multiply:1', '', 'toolu_01', '💥']) {
      const [first, second] = (ids(apply(NINE_CHARACTER_TOOL_IDS, turn(id))) ?? []).map((pair) => pair.split('"')[3]);
      expect(first).toMatch(/^[A-Za-z0-9]{9}$/);
      expect(second).toBe(first as string);
    }
  });

  test('stay when they fit', () => {
    const messages = turn('Ab3dEf9h1');
    expect(apply(NINE_CHARACTER_TOOL_IDS, messages)).toBe(messages);
  });

  test('differ for different calls', () => {
    const mapped = Array.from({ length: 1000 }, (_, index) =>
      JSON.stringify(apply(NINE_CHARACTER_TOOL_IDS, turn(`call_${index}`))),
    );
    expect(new Set(mapped).size).toBe(1000);
  });
});
