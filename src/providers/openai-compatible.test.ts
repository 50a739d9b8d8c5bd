import { describe, expect, test } from 'bun:test';
import { testCall, testContext, testDeployment } from '../../test/support/openai-call.ts';
import type { Deployment, UpstreamSettings } from '../core/snapshot.ts';
import { openAiCompatible } from './openai-compatible.ts';
import type { CallContext, Provider, Refusal, UpstreamRequest } from './provider.ts';

function host(id: string): Provider {
  const found = openAiCompatible.find((provider) => provider.id === id);
  if (found === undefined) throw new Error(`no host ${id}`);
  return found;
}

interface Setting extends Partial<Omit<CallContext, 'deployment'>> {
  readonly deployment?: Partial<Deployment>;
  readonly upstream?: Partial<UpstreamSettings>;
}

function ask(id: string, body: object, { deployment, upstream, ...context }: Setting = {}): UpstreamRequest | Refusal {
  const call = testCall(JSON.stringify({ model: 'm', ...body }));
  const whole = testContext({
    model: 'm',
    isStreaming: call.isStreaming,
    ...context,
    deployment: testDeployment(deployment, upstream),
  });
  const { chat } = host(id);
  if (chat === undefined) throw new Error(`${id} has no chat`);
  return chat.request(call, whole);
}

function sent(...args: Parameters<typeof ask>): Record<string, unknown> {
  const request = ask(...args);
  if (request.kind === 'refused') throw new Error(request.message);
  const { model: _, ...body } = JSON.parse(Buffer.concat(request.body).toString());
  return body;
}

describe('every host', () => {
  test.each(openAiCompatible.map((provider) => [provider.id, provider] as const))('%s is complete', (id, provider) => {
    expect(id).toMatch(/^[a-z0-9_-]+$/);
    expect(provider.defaults.apiKeyVariables.length).toBeGreaterThan(0);
    expect(provider.defaults.baseUrlVariables.length).toBeGreaterThan(0);
    expect(provider.defaults.baseUrl ?? 'https://x').toMatch(/^https?:\/\/[^/]+(?:\/.*[^/])?$/);
    expect(provider.chat ?? provider.embeddings).toBeDefined();
  });

  test('has an id of its own', () => {
    expect(new Set(openAiCompatible.map(({ id }) => id)).size).toBe(openAiCompatible.length);
  });
});

describe('addresses', () => {
  test.each([
    ['groq', null, 'https://api.groq.com/openai/v1/chat/completions'],
    ['perplexity', null, 'https://api.perplexity.ai/chat/completions'],
    ['ollama', null, 'http://localhost:11434/v1/chat/completions'],
    ['ollama_chat', 'http://ollama:11434/', 'http://ollama:11434/v1/chat/completions'],
    ['ollama', 'http://ollama:11434/v1', 'http://ollama:11434/v1/chat/completions'],
    ['hosted_vllm', 'http://vllm:8000/v1/', 'http://vllm:8000/v1/chat/completions'],
    ['custom_openai', 'http://x/v1/chat/completions', 'http://x/v1/chat/completions'],
  ])('%s at %p is %s', (id, baseUrl, expected) => {
    expect(ask(id, {}, { upstream: { baseUrl } })).toMatchObject({ url: expected });
  });

  test('that only the operator knows are asked for by name', () => {
    expect(ask('hosted_vllm', {})).toMatchObject({
      kind: 'refused',
      reason: 'misconfigured',
      message: expect.stringContaining('HOSTED_VLLM_API_BASE'),
    });
  });
});

describe('credentials', () => {
  const headersOf = (request: UpstreamRequest | Refusal) =>
    request.kind === 'request' ? new Map(request.headers) : new Map<string, string>();

  test('are bearer tokens', () => {
    expect(headersOf(ask('groq', {})).get('authorization')).toBe('Bearer sk-test-credential');
  });
  test('go into a header of their own where the host wants that', () => {
    const headers = headersOf(ask('sarvam', {}));
    expect(headers.get('api-subscription-key')).toBe('sk-test-credential');
    expect(headers.has('authorization')).toBe(false);
  });
  test("are not needed by a server of one's own", () => {
    expect(headersOf(ask('ollama', {}, { upstream: { apiKey: null } })).has('authorization')).toBe(false);
  });
  test('that are missing are asked for by name', () => {
    expect(ask('groq', {}, { upstream: { apiKey: null } })).toMatchObject({
      reason: 'misconfigured',
      message: expect.stringContaining('GROQ_API_KEY'),
    });
  });
});

describe('quirks', () => {
  const user = { role: 'user', content: 'hi' };
  const drop = { dropParams: true };

  test('most hosts know max_tokens and system, and no OpenAI bookkeeping', () => {
    const body = {
      messages: [{ role: 'developer', content: 'x' }],
      max_completion_tokens: 5,
      store: true,
      metadata: {},
    };
    expect(sent('novita', body)).toEqual({ messages: [{ role: 'system', content: 'x' }], max_tokens: 5 });
  });

  test('gateways get everything as it is, and servers that one runs oneself all but the role developer', () => {
    const body = { messages: [{ role: 'developer', content: 'x' }], max_completion_tokens: 5, store: true };
    for (const id of ['litellm_proxy', 'openrouter']) {
      expect(sent(id, body, { upstream: { baseUrl: 'http://x/v1' } })).toEqual(body);
    }
    for (const id of ['custom_openai', 'lm_studio']) {
      const messages = [{ role: 'system', content: 'x' }];
      expect(sent(id, body, { upstream: { baseUrl: 'http://x/v1' } })).toEqual({ ...body, messages });
    }
  });

  test('Mistral gets its own names, ids and words, and no stream_options', () => {
    const body = {
      stream: true,
      stream_options: { include_usage: true },
      seed: 3,
      user: 'u',
      messages: [
        { ...user, name: 'n' },
        {
          role: 'assistant',
          content: null,
          reasoning_content: 'r',
          tool_calls: [{ id: 'ABCdef123', type: 'function' }],
        },
        { role: 'tool', name: 'f', tool_call_id: 'ABCdef123', content: 'x' },
      ],
      tools: [
        {
          type: 'function',
          function: { name: 'f', strict: true, parameters: { type: 'object', additionalProperties: false } },
        },
      ],
      tool_choice: 'required',
    };
    expect(sent('mistral', body)).toEqual({
      stream: true,
      random_seed: 3,
      messages: [
        user,
        { role: 'assistant', content: null, tool_calls: [{ id: 'ABCdef123', type: 'function' }] },
        { role: 'tool', name: 'f', tool_call_id: 'ABCdef123', content: 'x' },
      ],
      tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
      tool_choice: 'any',
    });
  });

  test('embeddings of Mistral and Voyage have their own word for dimensions, and floats only', () => {
    for (const [id, format] of [
      ['mistral', ',"encoding_format":"float"'],
      ['voyage', ''],
    ] as const) {
      const call = testCall('{"model":"m","input":"a","dimensions":8,"encoding_format":"base64"}');
      const made = host(id).embeddings?.request(call, testContext({ model: 'm' }));
      const body = made?.kind === 'request' ? Buffer.concat(made.body).toString() : '';
      expect(body).toBe(`{"model":"m","input":"a","output_dimension":8${format}}`);
    }
  });

  test('Groq refuses n above one', () => {
    expect(ask('groq', { n: 2 })).toMatchObject({ kind: 'refused', reason: 'unsupported-parameters', param: 'n' });
    expect(ask('groq', { n: 2 }, drop)).toMatchObject({ kind: 'request', dropped: ['n'] });
    expect(sent('groq', { n: 1, max_completion_tokens: 4 })).toEqual({ max_completion_tokens: 4 });
  });

  test('the reasoning models of xAI refuse stop, the others do not', () => {
    expect(ask('xai', { stop: 'x' }, { model: 'grok-4' })).toMatchObject({ kind: 'refused', param: 'stop' });
    expect(ask('xai', { stop: 'x' }, { model: 'grok-3' })).toMatchObject({ kind: 'request' });
  });

  test('DeepSeek gets strings, and reasoning back only inside a tool loop', () => {
    const messages = [
      { role: 'user', content: [{ type: 'text', text: 'hi' }] },
      { role: 'assistant', content: 'a', reasoning_content: 'r' },
      user,
      { role: 'assistant', content: null, reasoning_content: 's', tool_calls: [] },
    ];
    expect(sent('deepseek', { messages })).toEqual({
      messages: [user, { role: 'assistant', content: 'a' }, user, messages[3]],
    });
  });

  test('Perplexity takes no tools', () => {
    expect(ask('perplexity', { tools: [], stop: 'x' }, drop)).toMatchObject({ dropped: ['tools', 'stop'] });
  });

  test('vLLM gets tools without strict', () => {
    const body = { tools: [{ function: { name: 'f', strict: true } }], top_k: 3 };
    expect(sent('hosted_vllm', body, { upstream: { baseUrl: 'http://x' } })).toEqual({
      tools: [{ function: { name: 'f' } }],
      top_k: 3,
    });
  });

  test('a stream asks for usage, but not at hosts that refuse to be asked', () => {
    expect(sent('together_ai', { stream: true })).toEqual({ stream: true, stream_options: { include_usage: true } });
    expect(sent('databricks', { stream: true }, { upstream: { baseUrl: 'https://x' } })).toEqual({ stream: true });
  });
});
