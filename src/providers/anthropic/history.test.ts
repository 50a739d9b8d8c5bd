import { describe, expect, test } from 'bun:test';
import { refused, requested } from '../../../test/support/anthropic-call.ts';

const user = (content: unknown) => ({ role: 'user', content });
const text = (words: string) => ({ type: 'text', text: words });
const call = (id: string, name: string, args: string | undefined) => ({
  id,
  type: 'function',
  function: { name, arguments: args },
});
const tools = [{ type: 'function', function: { name: 'f' } }];

function turns(messages: readonly object[], more: object = {}) {
  return requested({ messages, tools, ...more }).json.messages;
}

describe('system messages', () => {
  test('all of them go to the top, in order, blank ones left out', () => {
    const { json } = requested({
      messages: [
        { role: 'system', content: 'One' },
        { role: 'developer', content: [text('Two'), text('  ')] },
        user('Hi'),
        { role: 'system', content: 'Three' },
      ],
    });
    expect(json.system).toEqual([text('One'), text('Two'), text('Three')]);
    expect(json.messages).toEqual([{ role: 'user', content: [text('Hi')] }]);
  });

  test('a cache mark on a message goes on its last text', () => {
    const cache_control = { type: 'ephemeral', ttl: '1h' };
    const messages = [{ role: 'system', content: 'Long', cache_control }, user('Hi')];
    expect(requested({ messages }).json.system).toEqual([{ ...text('Long'), cache_control }]);
  });
});

describe('turns', () => {
  test('neighbours of one side are one turn, tool results first', () => {
    const messages = [
      user('A'),
      { role: 'assistant', content: 'B', tool_calls: [call('t1', 'f', '{"x":1}'), call('t2', 'f', '')] },
      user('before the results'),
      { role: 'tool', tool_call_id: 't1', content: '1' },
      { role: 'tool', tool_call_id: 't2', content: [text('2')] },
      user('C'),
    ];
    expect(turns(messages)).toEqual([
      user([text('A')]),
      {
        role: 'assistant',
        content: [
          text('B'),
          { type: 'tool_use', id: 't1', name: 'f', input: { x: 1 } },
          { type: 'tool_use', id: 't2', name: 'f', input: {} },
        ],
      },
      user([
        { type: 'tool_result', tool_use_id: 't1', content: '1' },
        { type: 'tool_result', tool_use_id: 't2', content: [text('2')] },
        text('before the results'),
        text('C'),
      ]),
    ]);
  });

  test('neighbouring assistant messages are one turn, and an empty one parts nothing', () => {
    const messages = [user('A'), { role: 'assistant', content: 'B' }, { role: 'assistant', content: '' }, user('C')];
    expect(turns(messages)).toEqual([
      user([text('A')]),
      { role: 'assistant', content: [text('B')] },
      user([text('C')]),
    ]);
  });

  test('a user message that says nothing becomes a point', () => {
    expect(turns([user('')])).toEqual([user([text('.')])]);
  });

  test('a refusal comes back as text', () => {
    const messages = [user('A'), { role: 'assistant', content: null, refusal: 'No.' }, user('B')];
    expect(turns(messages)).toContainEqual({ role: 'assistant', content: [text('No.')] });
  });

  test('a prefill loses the white space at its end', () => {
    expect(turns([user('A'), { role: 'assistant', content: 'Sure: \n' }])).toContainEqual({
      role: 'assistant',
      content: [text('Sure:')],
    });
  });
});

describe('arguments of tool calls', () => {
  test.each([
    [undefined, {}],
    ['', {}],
    ['  ', {}],
    ['{"a":[1]}', { a: [1] }],
    ['{"a":', { _raw: '{"a":' }],
    ['[1,2]', { value: [1, 2] }],
    ['"text"', { value: 'text' }],
    ['null', { value: null }],
  ])('%p become %p', (args, input) => {
    const messages = [user('A'), { role: 'assistant', tool_calls: [call('t', 'f', args)] }, user('B')];
    expect(turns(messages)).toContainEqual({
      role: 'assistant',
      content: [{ type: 'tool_use', id: 't', name: 'f', input }],
    });
  });

  test.each(['{"id":12345678901234567890}', '12345678901234567890'])('%s keeps its digits', (args) => {
    const messages = [user('A'), { role: 'assistant', tool_calls: [call('t', 'f', args)] }, user('B')];
    const body = Buffer.concat(requested({ messages, tools }).body).toString();
    expect(body).toContain('12345678901234567890');
    expect(body).not.toContain('rawJSON');
  });

  test('a custom call carries its text as a member', () => {
    const custom = { id: 't', type: 'custom', custom: { name: 'f', input: 'SELECT 1' } };
    const messages = [user('A'), { role: 'assistant', tool_calls: [custom] }, user('B')];
    expect(turns(messages)).toContainEqual({
      role: 'assistant',
      content: [{ type: 'tool_use', id: 't', name: 'f', input: { input: 'SELECT 1' } }],
    });
  });
});

describe('ids and legacy calls', () => {
  test('an id that Anthropic refuses is replaced alike in call and result', () => {
    const messages = [
      user('A'),
      { role: 'assistant', tool_calls: [call('functions.f:1', 'f', '{}')] },
      { role: 'tool', tool_call_id: 'functions.f:1', content: 'x' },
    ];
    const [, assistant, answer] = turns(messages) as { content: { id?: string; tool_use_id?: string }[] }[];
    expect(assistant?.content[0]?.id).toMatch(/^functions_f_1_[0-9a-f]{8}$/);
    expect(answer?.content[0]?.tool_use_id).toBe(assistant?.content[0]?.id as string);
  });

  test('function messages pair with the earliest unanswered call of that name', () => {
    const functionCall = (name: string) => ({ role: 'assistant', function_call: { name, arguments: '{}' } });
    const messages = [
      user('A'),
      functionCall('f'),
      { role: 'function', name: 'f', content: '1' },
      functionCall('f'),
      { role: 'function', name: 'f', content: '2' },
    ];
    expect(turns(messages)).toEqual([
      user([text('A')]),
      { role: 'assistant', content: [{ type: 'tool_use', id: 'call_1', name: 'f', input: {} }] },
      user([{ type: 'tool_result', tool_use_id: 'call_1', content: '1' }]),
      { role: 'assistant', content: [{ type: 'tool_use', id: 'call_2', name: 'f', input: {} }] },
      user([{ type: 'tool_result', tool_use_id: 'call_2', content: '2' }]),
    ]);
  });

  test('a function message without a call is refused', () => {
    expect(refused({ messages: [user('A'), { role: 'function', name: 'f', content: '1' }] }).param).toBe('messages');
  });
});

describe('thinking that the client sends back', () => {
  const signed = { type: 'thinking', thinking: ' exact \n', signature: 'c2ln' };
  const redacted = { type: 'redacted_thinking', data: 'eA==' };
  const withBlocks = (thinking_blocks: readonly object[]) =>
    turns([user('A'), { role: 'assistant', content: 'B', thinking_blocks, reasoning_content: ' exact \n' }, user('C')]);

  test('stands first, untouched', () => {
    expect(withBlocks([signed, redacted])).toContainEqual({
      role: 'assistant',
      content: [signed, redacted, text('B')],
    });
  });

  test('may stand among the parts of the content', () => {
    const messages = [user('A'), { role: 'assistant', content: [text('B'), signed] }, user('C')];
    expect(turns(messages)).toContainEqual({ role: 'assistant', content: [signed, text('B')] });
  });

  test.each([
    ['without signature', { type: 'thinking', thinking: 'x' }],
    ['with an empty signature', { type: 'thinking', thinking: 'x', signature: '' }],
    ['redacted without data', { type: 'redacted_thinking' }],
    ['of another kind', { type: 'summary', text: 'x' }],
  ])('is left out whole when a block is %s', (_, block) => {
    expect(withBlocks([signed, block])).toContainEqual({ role: 'assistant', content: [text('B')] });
  });
});

describe('orders that Anthropic refuses', () => {
  const unanswered = [user('A'), { role: 'assistant', tool_calls: [call('t', 'f', '{}')] }];

  test.each([
    ['no message but system', [{ role: 'system', content: 'S' }]],
    ['an assistant first', [{ role: 'assistant', content: 'B' }, user('A')]],
    ['an unknown role', [user('A'), { role: 'critic', content: 'B' }]],
    ['a message that is none', ['A']],
  ])('%s is refused without a call', (_, messages) => {
    expect(refused({ messages })).toMatchObject({ reason: 'invalid-parameter', param: 'messages' });
  });

  test.each([
    ['no message but system', [{ role: 'system', content: 'S' }], [user([text('Please continue.')])]],
    [
      'an assistant first',
      [{ role: 'assistant', content: 'B' }, user('A')],
      [user([text('.')]), { role: 'assistant', content: [text('B')] }, user([text('A')])],
    ],
    [
      'a call without result',
      [...unanswered, user('C')],
      [
        user([text('A')]),
        { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'f', input: {} }] },
        user([{ type: 'tool_result', tool_use_id: 't', content: '', is_error: true }, text('C')]),
      ],
    ],
    [
      'a call at the end',
      unanswered,
      [
        user([text('A')]),
        { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'f', input: {} }] },
        user([{ type: 'tool_result', tool_use_id: 't', content: '', is_error: true }]),
      ],
    ],
  ])('%s is mended under modify_params', (_, messages, expected) => {
    expect(requested({ messages, tools }, { modifyParams: true }).json.messages).toEqual(expected);
  });

  test('a prefill that the model does not take gets a user turn after it, under modify_params only', () => {
    const messages = [user('A'), { role: 'assistant', content: 'B ' }];
    const model = 'claude-opus-4-6';
    expect(requested({ messages }, { model, modifyParams: true }).json.messages).toHaveLength(3);
    expect(requested({ messages }, { model }).json.messages).toHaveLength(2);
  });

  test('tool calls in the history need tools', () => {
    const messages = [...unanswered, { role: 'tool', tool_call_id: 't', content: '' }];
    expect(refused({ messages })).toMatchObject({ reason: 'unsupported-parameters', param: 'tools' });
    expect(requested({ messages }, { modifyParams: true }).json.tools).toMatchObject([{ name: 'dummy_tool' }]);
  });
});
