import { describe, expect, test } from 'bun:test';
import { type Given, refused, requested } from '../../../test/support/anthropic-call.ts';

const parameters = { type: 'object', properties: { x: { type: 'integer', minimum: 1 } }, required: ['x'] };
const declared = (members: object = {}) => ({ type: 'function', function: { name: 'f', parameters, ...members } });
const tools = [declared(), declared({ name: 'g' })];
const oldModel: Given = { model: 'claude-sonnet-4-20250514' };

describe('tools', () => {
  test.each([
    ['a function', declared({ description: 'D' }), { name: 'f', description: 'D', input_schema: parameters }],
    [
      'no parameters',
      { type: 'function', function: { name: 'f' } },
      { name: 'f', input_schema: { type: 'object', properties: {} } },
    ],
    [
      'parameters without a type',
      declared({ parameters: { properties: {} } }),
      { name: 'f', input_schema: { type: 'object', properties: {} } },
    ],
    ['strict: false', declared({ strict: false }), { name: 'f', input_schema: parameters }],
    [
      'strict',
      declared({ strict: true }),
      {
        name: 'f',
        strict: true,
        input_schema: {
          type: 'object',
          properties: { x: { type: 'integer', description: '{minimum: 1}' } },
          required: ['x'],
          additionalProperties: false,
        },
      },
    ],
    [
      'a cache mark beside',
      { ...declared(), cache_control: { type: 'ephemeral' } },
      { name: 'f', input_schema: parameters, cache_control: { type: 'ephemeral' } },
    ],
    [
      'a cache mark inside',
      declared({ cache_control: { type: 'ephemeral' } }),
      { name: 'f', input_schema: parameters, cache_control: { type: 'ephemeral' } },
    ],
    [
      'a custom tool with a grammar',
      {
        type: 'custom',
        custom: {
          name: 'sql',
          description: 'Runs SQL',
          format: { type: 'grammar', grammar: { syntax: 'regex', definition: 'S.*' } },
        },
      },
      {
        name: 'sql',
        description: 'Runs SQL\n\nThe input must match this regex grammar:\nS.*',
        input_schema: { type: 'object', properties: { input: { type: 'string' } }, required: ['input'] },
      },
    ],
    [
      "a tool in Anthropic's form",
      { name: 'f', input_schema: parameters, eager_input_streaming: true },
      { name: 'f', input_schema: parameters, eager_input_streaming: true },
    ],
    ['a hosted tool', { type: 'bash_20250124', name: 'bash' }, { type: 'bash_20250124', name: 'bash' }],
  ])('%s', (_, tool, expected) => {
    expect(requested({ tools: [tool] }).json.tools).toEqual([expected]);
  });

  test('strict is left out where the model lacks it, and beyond twenty tools', () => {
    const strict = Array.from({ length: 21 }, (_, index) => declared({ name: `f${index}`, strict: true }));
    const kept = requested({ tools: strict }).json.tools as { strict?: boolean }[];
    expect(kept.filter((tool) => tool.strict)).toHaveLength(20);
    expect(requested({ tools: [declared({ strict: true })] }, oldModel).json.tools).toEqual([
      { name: 'f', input_schema: parameters },
    ]);
  });

  test('an unknown type, a nameless tool and a choice that is none are refused', () => {
    expect(refused({ tools: [{ type: 'file_search' }] }).param).toBe('tools');
    expect(refused({ tools: [{ type: 'function', function: {} }] }).param).toBe('tools');
    expect(refused({ tools, tool_choice: 'always' }).param).toBe('tool_choice');
  });

  test('a name that Anthropic refuses is replaced, everywhere alike, and noted for the answer', () => {
    const name = `shop.${'very_long_'.repeat(8)}`;
    const { json, answer } = requested({
      tools: [declared({ name })],
      tool_choice: { type: 'function', function: { name } },
      messages: [
        { role: 'user', content: 'A' },
        { role: 'assistant', tool_calls: [{ id: 't', type: 'function', function: { name, arguments: '{}' } }] },
        { role: 'tool', tool_call_id: 't', content: '' },
      ],
    });
    const [sent] = json.tools as { name: string }[];
    expect(sent?.name).toMatch(/^shop_very_long_[a-z_]{40}_[0-9a-f]{8}$/);
    expect(json.tool_choice).toEqual({ type: 'tool', name: sent?.name });
    expect(json.messages).toMatchObject([{}, { content: [{ name: sent?.name }] }, {}]);
    expect(answer?.toolNames).toEqual(new Map([[sent?.name as string, name]]));
  });

  test('an MCP server goes to its own list, under a beta', () => {
    const mcp = {
      type: 'mcp',
      server_url: 'https://mcp.test',
      server_label: 'm',
      authorization_token: 't',
      allowed_tools: ['a'],
    };
    const { json, headers } = requested({ tools: [mcp] });
    expect(json.tools).toBeUndefined();
    expect(json.mcp_servers).toEqual([
      {
        type: 'url',
        url: 'https://mcp.test',
        name: 'm',
        authorization_token: 't',
        tool_configuration: { allowed_tools: ['a'] },
      },
    ]);
    expect(headers).toContainEqual(['anthropic-beta', 'mcp-client-2025-11-20']);
  });

  test.each([
    [{ search_context_size: 'low' }, { max_uses: 1 }],
    [{ search_context_size: 'high' }, { max_uses: 10 }],
    [{}, {}],
    [
      { user_location: { type: 'approximate', approximate: { city: 'Bonn', country: 'DE' } } },
      { user_location: { type: 'approximate', city: 'Bonn', country: 'DE' } },
    ],
  ])('web_search_options %p', (web_search_options, expected) => {
    expect(requested({ web_search_options }).json.tools).toEqual([
      { type: 'web_search_20250305', name: 'web_search', ...expected },
    ]);
  });
});

describe('tool_choice', () => {
  const single = { disable_parallel_tool_use: true };

  test.each([
    ['absent', {}, undefined],
    ['auto', { tool_choice: 'auto' }, { type: 'auto' }],
    ['none', { tool_choice: 'none' }, { type: 'none' }],
    ['required', { tool_choice: 'required' }, { type: 'any' }],
    ['a function', { tool_choice: { type: 'function', function: { name: 'g' } } }, { type: 'tool', name: 'g' }],
    ['a custom tool', { tool_choice: { type: 'custom', custom: { name: 'g' } } }, { type: 'tool', name: 'g' }],
    ["Anthropic's own form", { tool_choice: { type: 'any' } }, { type: 'any' }],
    ['one at a time', { parallel_tool_calls: false }, { type: 'auto', ...single }],
    ['one at a time, required', { parallel_tool_calls: false, tool_choice: 'required' }, { type: 'any', ...single }],
    ['one at a time, none', { parallel_tool_calls: false, tool_choice: 'none' }, { type: 'none' }],
    ['several at a time', { parallel_tool_calls: true }, undefined],
  ])('%s', (_, parameters, expected) => {
    expect(requested({ tools, ...parameters }).json.tool_choice).toEqual(expected);
  });

  test('without tools says nothing', () => {
    expect(requested({ tool_choice: 'none', parallel_tool_calls: false }).json).not.toHaveProperty('tool_choice');
  });

  test.each([
    ['auto', { type: 'auto' }],
    ['required', { type: 'any' }],
  ])('allowed_tools with mode %s sends only the listed tools', (mode, expected) => {
    const allowed_tools = { mode, tools: [{ type: 'function', function: { name: 'g' } }] };
    const { json } = requested({ tools, tool_choice: { type: 'allowed_tools', allowed_tools } });
    expect(json.tools).toMatchObject([{ name: 'g' }]);
    expect(json.tools).toHaveLength(1);
    expect(json.tool_choice).toEqual(expected);
  });

  test.each([
    ['a model that refuses force', { model: 'claude-opus-5-5' }, {}],
    ['thinking by budget', {}, { thinking: { type: 'enabled', budget_tokens: 2000 } }],
  ])('with %s falls back to auto, and says so', (_, given, more) => {
    const { json, dropped } = requested({ tools, tool_choice: 'required', ...more }, given);
    expect(json.tool_choice).toEqual({ type: 'auto' });
    expect(dropped).toContain('tool_choice');
  });
});

describe('functions', () => {
  const functions = [{ name: 'f', parameters }];

  test.each([
    ['absent', {}, { type: 'auto', disable_parallel_tool_use: true }],
    ['none', { function_call: 'none' }, { type: 'none' }],
    ['a name', { function_call: { name: 'f' } }, { type: 'tool', name: 'f', disable_parallel_tool_use: true }],
  ])('function_call %s: tools of today, one call at a time, an answer of old', (_, more, tool_choice) => {
    const { json, answer } = requested({ functions, ...more });
    expect(json.tools).toEqual([{ name: 'f', input_schema: parameters }]);
    expect(json.tool_choice).toEqual(tool_choice);
    expect(json).not.toHaveProperty('functions');
    expect(answer?.legacyFunctions).toBe(true);
  });
});
