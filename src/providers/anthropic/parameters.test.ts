import { describe, expect, test } from 'bun:test';
import { type Given, refused, requested } from '../../../test/support/anthropic-call.ts';

const newest: Given = { model: 'claude-opus-4-8' };
const adaptive: Given = { model: 'claude-sonnet-4-6' };
const old: Given = { model: 'claude-3-5-sonnet-20241022' };
const sonnet4: Given = { model: 'claude-sonnet-4-20250514' };

/** The members of the upstream body but for what every one has. */
function members(body: object, given: Given = {}): Readonly<Record<string, unknown>> {
  const { model: _, messages: __, max_tokens: ___, ...rest } = requested(body, given).json;
  return rest;
}

describe('max_tokens', () => {
  test.each<[string, object, Given, unknown]>([
    ['max_completion_tokens first', { max_completion_tokens: 5, max_tokens: 9 }, {}, 5],
    ['max_tokens', { max_tokens: 9 }, {}, 9],
    ['the most that need not be streamed', {}, {}, 21_333],
    ['the most of the model, streamed', {}, { isStreaming: true }, 64_000],
    ['the most of the deployment', {}, { isStreaming: true, deployment: { maxOutputTokens: 1000 } }, 1000],
    ['the most of an old model', {}, old, 8192],
    ['4096 for a stranger', {}, { model: 'glm-5', isStreaming: true }, 4096],
    ["the client's own even when too large", { max_tokens: 99_999 }, old, 99_999],
    ['capped under modify_params', { max_tokens: 99_999 }, { ...old, modifyParams: true }, 8192],
    ["the deployment's own", {}, { deployment: { upstream: { extraBody: { max_tokens: 7 } } } }, 7],
  ])('%s', (_, body, given, expected) => {
    expect(requested(body, given).json.max_tokens).toBe(expected);
  });
});

describe('sampling', () => {
  test.each<[string, object, Given, object, readonly string[]]>([
    ['passes', { temperature: 0.2, top_k: 5 }, {}, { temperature: 0.2, top_k: 5 }, []],
    ['ends at 1', { temperature: 1.7 }, {}, { temperature: 1 }, []],
    ['takes one of two on 4.5', { temperature: 0.2, top_p: 0.9 }, {}, { temperature: 0.2 }, ['top_p']],
    ['takes both on 4.0', { temperature: 0.2, top_p: 0.9 }, sonnet4, { temperature: 0.2, top_p: 0.9 }, []],
    ['is gone on new models', { temperature: 1, top_p: 0.9, top_k: 1 }, newest, {}, ['temperature', 'top_p', 'top_k']],
    ['stop as text', { stop: 'END' }, {}, { stop_sequences: ['END'] }, []],
    ['stop without blanks', { stop: ['\n', 'END', ''] }, {}, { stop_sequences: ['END'] }, []],
    ['stop of blanks only', { stop: [' '] }, {}, {}, []],
  ])('%s', (_, body, given, expected, dropped) => {
    expect(members(body, given)).toEqual({ ...expected });
    expect(requested(body, given).dropped).toEqual(dropped);
  });

  test('while the model thinks only a high top_p is left', () => {
    const thinking = { type: 'enabled', budget_tokens: 2000 };
    expect(members({ thinking, temperature: 0.5, top_p: 0.96, top_k: 3 })).toEqual({ thinking, top_p: 0.96 });
    expect(members({ thinking, top_p: 0.5 })).toEqual({ thinking });
  });
});

describe('reasoning_effort', () => {
  const summarized = { type: 'adaptive', display: 'summarized' };
  const budget = (tokens: number) => ({ type: 'enabled', budget_tokens: tokens });

  test.each<[string, string, object]>([
    ['claude-opus-4-8', 'none', { thinking: { type: 'disabled' } }],
    ['claude-sonnet-5-5', 'none', { thinking: { type: 'between_tools' } }],
    ['claude-opus-5-5', 'none', { output_config: { effort: 'low' } }],
    ['claude-opus-4-8', 'minimal', { thinking: summarized, output_config: { effort: 'low' } }],
    ['claude-opus-4-8', 'xhigh', { thinking: summarized, output_config: { effort: 'xhigh' } }],
    ['claude-sonnet-4-6', 'medium', { thinking: { type: 'adaptive' }, output_config: { effort: 'medium' } }],
    ['claude-sonnet-4-6', 'xhigh', { thinking: { type: 'adaptive' }, output_config: { effort: 'high' } }],
    ['claude-sonnet-4-6', 'max', { thinking: { type: 'adaptive' }, output_config: { effort: 'max' } }],
    ['claude-sonnet-4-5', 'none', {}],
    ['claude-sonnet-4-5', 'minimal', { thinking: budget(1024) }],
    ['claude-sonnet-4-5', 'medium', { thinking: budget(2048) }],
    ['claude-sonnet-4-5', 'high', { thinking: budget(4096) }],
    ['claude-sonnet-4-5', 'max', { thinking: budget(21_333 - 4096) }],
    ['claude-3-5-sonnet', 'none', {}],
  ])('%s, %s', (model, reasoning_effort, expected) => {
    expect(members({ reasoning_effort }, { model })).toEqual({ ...expected });
  });

  test.each<[string, object, unknown, number]>([
    ['makes room when the client set no limit', { reasoning_effort: 'high' }, budget(4096), 8192],
    ['shrinks to the limit', { reasoning_effort: 'high', max_tokens: 2000 }, budget(1999), 2000],
    ['goes when nothing is left', { reasoning_effort: 'high', max_tokens: 500 }, undefined, 500],
    ["treats the client's own budget alike", { thinking: budget(9000), max_tokens: 3000 }, budget(2999), 3000],
    ['takes what fits at max', { reasoning_effort: 'max', max_tokens: 30_000 }, budget(29_999), 30_000],
  ])('the budget %s', (_, body, thinking, maxTokens) => {
    const { json } = requested(body);
    expect([json.thinking, json.max_tokens]).toEqual([thinking, maxTokens]);
  });

  test('as an object counts as its effort', () => {
    expect(members({ reasoning_effort: { effort: 'low', summary: 'auto' } }, adaptive)).toEqual({
      thinking: { type: 'adaptive' },
      output_config: { effort: 'low' },
    });
  });

  test('of an unknown word is refused', () => {
    expect(refused({ reasoning_effort: 'huge' }).param).toBe('reasoning_effort');
  });

  test('on a model that cannot think follows the drop policy', () => {
    expect(refused({ reasoning_effort: 'low' }, old).reason).toBe('unsupported-parameters');
    expect(requested({ reasoning_effort: 'low' }, { ...old, dropParams: true }).dropped).toEqual(['reasoning_effort']);
  });

  test('budget thinking gives way to a history whose tool call has none, under modify_params', () => {
    const body = {
      reasoning_effort: 'low',
      tools: [{ type: 'function', function: { name: 'f' } }],
      messages: [
        { role: 'user', content: 'A' },
        { role: 'assistant', tool_calls: [{ id: 't', type: 'function', function: { name: 'f', arguments: '{}' } }] },
        { role: 'tool', tool_call_id: 't', content: '' },
      ],
    };
    expect(requested(body).json.thinking).toEqual(budget(1024));
    const mended = requested(body, { modifyParams: true });
    expect(mended.json.thinking).toBeUndefined();
    expect(mended.dropped).toContain('reasoning_effort');
    expect(requested(body, { ...adaptive, modifyParams: true }).json.thinking).toEqual({ type: 'adaptive' });
  });
});

describe('thinking in Anthropic’s own words', () => {
  test('goes as it is, and effort beside it', () => {
    const thinking = { type: 'adaptive', display: 'omitted' };
    expect(members({ thinking, reasoning_effort: 'high' }, newest)).toEqual({
      thinking,
      output_config: { effort: 'high' },
    });
  });
});

describe('small parameters', () => {
  test.each<[string, object, object]>([
    ['user', { user: 'u-1' }, { metadata: { user_id: 'u-1' } }],
    ['safety_identifier', { safety_identifier: 's-1' }, { metadata: { user_id: 's-1' } }],
    ['metadata.user_id', { metadata: { user_id: 'm-1', team: 'x' } }, { metadata: { user_id: 'm-1' } }],
    ['other metadata', { metadata: { team: 'x' } }, {}],
    ['an e-mail address as user', { user: 'ann@example.com' }, {}],
    ['a phone number as user', { user: '+49 (228) 123-456' }, {}],
    ['service tier auto', { service_tier: 'auto' }, { service_tier: 'auto' }],
    ['service tier default', { service_tier: 'default' }, { service_tier: 'standard_only' }],
    ['another service tier', { service_tier: 'flex' }, {}],
    ['verbosity', { verbosity: 'low' }, {}],
    [
      'defaults of what is unsupported',
      { n: 1, logprobs: false, store: false, logit_bias: {}, presence_penalty: 0, modalities: ['text'] },
      {},
    ],
    ['nulls', { seed: null, tools: null, stop: null, user: null }, {}],
    [
      "Anthropic's own members",
      { container: 'c', inference_geo: 'eu', cache_control: { type: 'ephemeral' } },
      { container: 'c', inference_geo: 'eu', cache_control: { type: 'ephemeral' } },
    ],
    ['stream options', { stream_options: { include_usage: true } }, {}],
  ])('%s', (_, body, expected) => {
    expect(members(body)).toEqual({ ...expected });
  });

  test('a stream asks for one', () => {
    expect(members({ stream: true }, { isStreaming: true })).toEqual({ stream: true });
  });
});

describe('parameters that Anthropic does not have', () => {
  test('are refused in LiteLLM’s words', () => {
    expect(refused({ seed: 1, logit_bias: { '5': 1 } })).toEqual({
      kind: 'refused',
      reason: 'unsupported-parameters',
      message:
        "anthropic does not support parameters: ['logit_bias', 'seed'], for model=claude-sonnet-4-5. To drop these, " +
        'set litellm.drop_params=True or for proxy: litellm_settings: drop_params: true.',
      param: 'logit_bias',
    });
  });

  test('are dropped and named under drop_params', () => {
    const { json, dropped } = requested({ seed: 1, logprobs: true }, { dropParams: true });
    expect(json).not.toHaveProperty('seed');
    expect(dropped).toEqual(['logprobs', 'seed']);
  });

  test.each([{ n: 2 }, { modalities: ['text', 'audio'] }])('%p is refused even then', (body) => {
    expect(refused(body, { dropParams: true }).reason).toBe('unsupported-parameters');
  });

  test('go through where the deployment allows them', () => {
    expect(members({ seed: 1 }, { deployment: { allowedParams: ['seed'] } })).toEqual({ seed: 1 });
  });

  test('allowed or not, what is translated goes in Anthropic’s words only', () => {
    const given = { deployment: { allowedParams: ['stop', 'tools', 'verbosity'] } };
    expect(members({ stop: 'END', tools: [], verbosity: 'low' }, given)).toEqual({
      stop_sequences: ['END'],
      verbosity: 'low',
    });
  });

  test('additional_drop_params takes names and paths', () => {
    const given = { deployment: { additionalDropParams: ['temperature', 'tools[*].function.strict'] } };
    const tools = [{ type: 'function', function: { name: 'f', strict: true } }];
    const { json, dropped } = requested({ temperature: 0.5, tools }, given);
    expect(json.temperature).toBeUndefined();
    expect(json.tools).toEqual([{ name: 'f', input_schema: { type: 'object', properties: {} } }]);
    expect(dropped).toEqual(['temperature', 'tools[*].function.strict']);
  });

  test('the deployment’s extra members stand where the client sent none', () => {
    const given = { deployment: { upstream: { extraBody: { temperature: 0.1, top_k: 3, container: 'c' } } } };
    expect(members({ temperature: 0.9 }, given)).toEqual({ temperature: 0.9, top_k: 3, container: 'c' });
  });
});
