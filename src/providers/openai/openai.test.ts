import { describe, expect, test } from 'bun:test';
import { testCall, testContext, testDeployment } from '../../../test/support/openai-call.ts';
import { Secret } from '../../core/secret.ts';
import type { UpstreamSettings } from '../../core/snapshot.ts';
import { azure, azureAi } from '../azure/azure.ts';
import type { CallContext, Provider } from '../provider.ts';
import { isChatModelName, openai } from './openai.ts';

function request(
  provider: Provider,
  upstream: Partial<UpstreamSettings> = {},
  context: Partial<CallContext> = {},
  body = '{"model":"gpt-4o"}',
) {
  const made = provider.chat?.request(
    testCall(body),
    testContext({ ...context, deployment: testDeployment({}, upstream) }),
  );
  if (made?.kind !== 'request') throw new Error(made?.message);
  return { ...made, headers: Object.fromEntries(made.headers), text: Buffer.concat(made.body).toString() };
}

describe('headers', () => {
  test('carry the credential and nothing of the client but what is allowed', () => {
    const { headers, url } = request(
      openai,
      { organization: 'my-org' },
      {
        forwardedHeaders: [
          ['openai-beta', 'x=1'],
          ['anthropic-beta', 'y'],
          ['authorization', 'Bearer client'],
        ],
      },
    );
    expect(url).toBe('https://api.openai.com/v1/chat/completions');
    expect(headers).toEqual({
      'openai-beta': 'x=1',
      authorization: 'Bearer sk-test-credential',
      'content-type': 'application/json',
      accept: 'application/json',
      'openai-organization': 'my-org',
    });
  });

  test('of the operator replace ours', () => {
    const extraHeaders = [
      ['Authorization', new Secret('Custom x')],
      ['X-Team', new Secret('a')],
    ] as const;
    expect(request(openai, { extraHeaders }).headers).toMatchObject({ authorization: 'Custom x', 'x-team': 'a' });
  });

  test('of a stream accept events', () => {
    expect(request(openai, {}, { isStreaming: true }).headers.accept).toBe('text/event-stream');
  });

  test('of Azure carry a key as api-key and an Entra token as a bearer', () => {
    const baseUrl = 'https://example.openai.azure.com';
    const key = request(azure, { baseUrl }).headers;
    expect(key['api-key']).toBe('sk-test-credential');
    expect(key.authorization).toBeUndefined();
    const header = request(azure, { baseUrl, extraHeaders: [['Authorization', new Secret('Bearer entra')]] }).headers;
    expect([header.authorization, header['api-key']]).toEqual(['Bearer entra', undefined]);
    const token = request(azure, { baseUrl, apiKey: new Secret('eyJ0eXAi.eyJhdWQi.c2ln') }).headers;
    expect(token.authorization).toBe('Bearer eyJ0eXAi.eyJhdWQi.c2ln');
    expect(token['api-key']).toBeUndefined();
  });
});

test.each([
  ['https://r.services.ai.azure.com/models', 'api-key', 'sk-test-credential'],
  ['https://r.openai.azure.com', 'api-key', 'sk-test-credential'],
  ['https://mistral-x.eastus.models.ai.azure.com', 'authorization', 'Bearer sk-test-credential'],
])('the key of azure_ai at %s goes into %s', (baseUrl, name, value) => {
  const { headers } = request(azureAi, { baseUrl });
  const { authorization, 'api-key': key } = headers;
  expect({ authorization, 'api-key': key }).toEqual({ authorization: undefined, 'api-key': undefined, [name]: value });
});

test('max_tokens of reasoning models is renamed, of others it stays', () => {
  const body = '{"model":"m","max_tokens":9}';
  const sent = (provider: Provider, model: string) =>
    request(provider, { baseUrl: 'https://example.openai.azure.com' }, { model }, body).text;
  for (const provider of [openai, azure]) {
    for (const model of ['o1', 'o3-mini', 'o4-mini-2025-04-16', 'gpt-5', 'gpt-5-mini', 'ft:o4-mini:acme']) {
      expect(sent(provider, model)).toBe(`{"model":"${model}","max_completion_tokens":9}`);
    }
    for (const model of ['gpt-4o', 'gpt-4.1', 'olmo-2', 'my-o1']) {
      expect(sent(provider, model)).toBe(`{"model":"${model}","max_tokens":9}`);
    }
  }
});

test('a credential of the client never goes upstream', () => {
  const forwardedHeaders = [
    ['authorization', 'Bearer client'],
    ['api-key', 'client'],
    ['cookie', 'client'],
  ] as const;
  const baseUrl = 'https://example.openai.azure.com';
  for (const made of [
    request(azure, { baseUrl }, { forwardedHeaders }),
    request(openai, { baseUrl: 'http://x/v1', apiKey: null }, { forwardedHeaders }),
  ]) {
    expect(JSON.stringify(made.headers)).not.toContain('client');
  }
});

describe('a missing key', () => {
  const chat = openai.chat;
  const ask = (upstream: Partial<UpstreamSettings>) =>
    chat?.request(testCall('{}'), testContext({ deployment: testDeployment({}, { apiKey: null, ...upstream }) }));

  test('is a misconfiguration at OpenAI', () => {
    expect(ask({})).toMatchObject({
      kind: 'refused',
      reason: 'misconfigured',
      message: expect.stringContaining('OPENAI_API_KEY'),
    });
  });
  test("is none at a server of one's own", () => {
    expect(ask({ baseUrl: 'http://localhost:8000/v1' })).toMatchObject({ kind: 'request' });
  });
  test('is none when the operator sends a credential as a header', () => {
    expect(ask({ extraHeaders: [['Authorization', new Secret('x')]] })).toMatchObject({ kind: 'request' });
  });
});

describe('what other providers left in the history', () => {
  const body = '{"model":"gpt-4o","messages":[{"role":"assistant","content":"a","reasoning_content":"b"}]}';
  test('is taken out for OpenAI and Azure', () => {
    const bare = '{"model":"gpt-4o","messages":[{"role":"assistant","content":"a"}]}';
    expect(request(openai, {}, {}, body).text).toBe(bare);
    expect(request(azure, { baseUrl: 'https://x.openai.azure.com' }, {}, body).text).toBe(bare);
  });
  test('stays for servers of others', () => {
    expect(request(openai, { baseUrl: 'http://vllm:8000/v1' }, {}, body).text).toBe(body);
  });
});

test.each([
  ['gpt-4', true],
  ['gpt-4o-mini', true],
  ['gpt-3.5-turbo', true],
  ['gpt-3.5-turbo-instruct', false],
  ['gpt-35-turbo', true],
  ['o3-mini', true],
  ['chatgpt-4o-latest', true],
  ['babbage-002', false],
  ['my-model', false],
] as const)('%s answers chat only: %p', (model, expected) => {
  expect(isChatModelName(model)).toBe(expected);
});
