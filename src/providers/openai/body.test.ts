import { describe, expect, test } from 'bun:test';
import { testCall, testContext, testDeployment } from '../../../test/support/openai-call.ts';
import { upstreamBody } from './body.ts';
import { DEVELOPER_TO_SYSTEM } from './messages.ts';
import { PURE, type Rules } from './rules.ts';

const ODD =
  '{ "zeta" : 1,\n\t"model":"group", "seed":1395002666759424000, "price":1.10, "messages":[ {"role":"user","content":"\\u00fc"} ] }';

function build(body: string, rules: Rules = PURE, context: Parameters<typeof testContext>[0] = {}) {
  const call = testCall(body);
  return upstreamBody(call, testContext({ isStreaming: call.isStreaming, ...context }), rules, 'groq');
}

function textOf(...args: Parameters<typeof build>): string {
  const built = build(...args);
  return built.kind === 'refused' ? `refused: ${built.message}` : Buffer.concat(built.pieces).toString();
}

describe("the client's own bytes", () => {
  test('change in the model only', () => {
    expect(textOf(ODD)).toBe(ODD.replace('"group"', '"gpt-4o"'));
  });

  test('are the very same when the model is right already', () => {
    const call = testCall(ODD.replace('"group"', '"gpt-4o"'));
    const built = upstreamBody(call, testContext(), PURE, 'openai');
    expect(built.kind === 'upstream-body' && built.pieces).toEqual([call.body.bytes]);
    expect(built.kind === 'upstream-body' && built.pieces[0]).toBe(call.body.bytes);
  });

  test('get a model when they have none', () => {
    expect(JSON.parse(textOf('{"messages":[]}'))).toEqual({ messages: [], model: 'gpt-4o' });
  });

  test('that are not JSON inside a member are refused, not thrown at', () => {
    const rules = { ...PURE, rewrites: [DEVELOPER_TO_SYSTEM] };
    const body = '{"messages":[{"role":"developer","x":[01]}]}';
    expect(build(body, rules)).toMatchObject({ kind: 'refused', reason: 'invalid-parameter' });
  });
});

describe('usage of streams', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    [
      'is asked for',
      '{"model":"gpt-4o","stream":true}',
      '{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      'is asked for beside other options',
      '{"model":"gpt-4o","stream":true,"stream_options":{ "include_obfuscation" : false }}',
      '{"model":"gpt-4o","stream":true,"stream_options":{ "include_obfuscation" : false,"include_usage":true }}',
    ],
    [
      'is asked for against the client',
      '{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":false}}',
      '{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      'replaces null',
      '{"model":"gpt-4o","stream":true,"stream_options":null}',
      '{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      'needs no change when asked for',
      '{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}',
      '{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      'leaves nonsense to the upstream',
      '{"model":"gpt-4o","stream":true,"stream_options":7}',
      '{"model":"gpt-4o","stream":true,"stream_options":7}',
    ],
    ['is not asked for without a stream', '{"model":"gpt-4o"}', '{"model":"gpt-4o"}'],
  ];
  test.each(rows)('%s', (_name, body, expected) => {
    expect(textOf(body)).toBe(expected);
  });

  test('is not asked for when the operator forbids it', () => {
    const body = '{"model":"gpt-4o","stream":true}';
    expect(textOf(body, PURE, { askUsage: false })).toBe(body);
    const deployment = testDeployment({ additionalDropParams: ['stream_options'] });
    expect(textOf(body, PURE, { deployment })).toBe(body);
  });

  test('is taken out for hosts that refuse it', () => {
    const body = '{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}';
    expect(textOf(body, { ...PURE, streamOptions: 'refuse' })).toBe('{"model":"gpt-4o","stream":true}');
  });
});

describe('parameters', () => {
  const rules: Rules = {
    ...PURE,
    renames: { max_completion_tokens: 'max_tokens' },
    advisory: ['store'],
    unsupported: [
      { models: null, names: ['n', 'logit_bias'] },
      { models: /^gpt-4/, names: ['stop'] },
      { models: /^other/, names: ['seed'] },
    ],
  };
  const rows: readonly (readonly [string, string, string, readonly string[]])[] = [
    ['are renamed', '{"model":"gpt-4o","max_completion_tokens":5}', '{"model":"gpt-4o","max_tokens":5}', []],
    [
      'are renamed once',
      '{"model":"gpt-4o","max_completion_tokens":5,"max_tokens":6}',
      '{"model":"gpt-4o","max_tokens":6}',
      [],
    ],
    ['that only advise are left out', '{"model":"gpt-4o","store":true}', '{"model":"gpt-4o"}', ['store']],
    ['that are null are left out silently', '{"model":"gpt-4o","logit_bias":null,"n":1}', '{"model":"gpt-4o"}', []],
    ['of another model stay', '{"model":"gpt-4o","seed":3}', '{"model":"gpt-4o","seed":3}', []],
    ['that nobody knows stay', '{"model":"gpt-4o","top_k":3}', '{"model":"gpt-4o","top_k":3}', []],
    [
      'parallel_tool_calls without tools is left out',
      '{"model":"gpt-4o","parallel_tool_calls":false}',
      '{"model":"gpt-4o"}',
      ['parallel_tool_calls'],
    ],
    [
      'parallel_tool_calls with tools stays',
      '{"model":"gpt-4o","parallel_tool_calls":false,"tools":[]}',
      '{"model":"gpt-4o","parallel_tool_calls":false,"tools":[]}',
      [],
    ],
  ];
  test.each(rows)('%s', (_name, body, expected, dropped) => {
    expect(textOf(body, rules)).toBe(expected);
    expect(build(body, rules)).toMatchObject({ dropped });
  });

  test('that the host does not take are refused in the words of LiteLLM', () => {
    expect(build('{"model":"gpt-4o","n":2,"stop":["a"]}', rules)).toMatchObject({
      kind: 'refused',
      reason: 'unsupported-parameters',
      param: 'n',
      message: expect.stringContaining(
        "groq does not support parameters: ['n', 'stop'], for model=gpt-4o. To drop these, set litellm.drop_params=True or for proxy: litellm_settings: drop_params: true",
      ),
    });
  });

  test('that the host does not take are left out under drop_params, and named', () => {
    const body = '{"model":"gpt-4o","n":2,"stop":["a"],"top_p":1}';
    expect(textOf(body, rules, { dropParams: true })).toBe('{"model":"gpt-4o","top_p":1}');
    expect(build(body, rules, { dropParams: true })).toMatchObject({ dropped: ['n', 'stop'] });
  });

  test('that the operator allows are sent', () => {
    const deployment = testDeployment({ allowedParams: ['n', 'store'] });
    const body = '{"model":"gpt-4o","n":2,"store":true}';
    expect(textOf(body, rules, { deployment })).toBe(body);
  });

  test('that the operator drops are left out, by path as well', () => {
    const deployment = testDeployment({ additionalDropParams: ['seed', 'tools[*].function.strict', 'absent', 'a[0]'] });
    const body = '{"model":"gpt-4o","seed":1,"tools":[{"function":{"name":"f","strict":true}}],"a":[1,2]}';
    expect(textOf(body, PURE, { deployment })).toBe('{"model":"gpt-4o","tools":[{"function":{"name":"f"}}],"a":[2]}');
    expect(build(body, PURE, { deployment })).toMatchObject({ dropped: ['seed', 'tools[*].function.strict', 'a[0]'] });
  });
});

test('extra_body adds what the client did not send', () => {
  const deployment = testDeployment({}, { extraBody: { top_k: 4, temperature: 0.5, model: 'no' } });
  expect(textOf('{"model":"gpt-4o","temperature":1}', PURE, { deployment })).toBe(
    '{"model":"gpt-4o","temperature":1,"top_k":4}',
  );
});

test('extra_body leaves alone what the client sent under another name', () => {
  const deployment = testDeployment({}, { extraBody: { max_tokens: 4 } });
  const rules = { ...PURE, renames: { max_completion_tokens: 'max_tokens' } };
  expect(textOf('{"model":"gpt-4o","max_completion_tokens":9}', rules, { deployment })).toBe(
    '{"model":"gpt-4o","max_tokens":9}',
  );
});

test('a model name without a slash gets the prefix of the host', () => {
  const rules = { ...PURE, modelPrefix: 'accounts/fireworks/models/' };
  expect(textOf('{"model":"x"}', rules, { model: 'qwen' })).toBe('{"model":"accounts/fireworks/models/qwen"}');
  expect(textOf('{"model":"x"}', rules, { model: 'accounts/me/models/q' })).toBe('{"model":"accounts/me/models/q"}');
});
