import { describe, expect, test } from 'bun:test';
import { type Given, refused, requested } from '../../../test/support/anthropic-call.ts';
import { TEST_KEY } from '../../../test/support/call.ts';
import { Secret } from '../../core/secret.ts';

const given = (upstream: NonNullable<Given['deployment']>['upstream'], more: Given = {}): Given => ({
  ...more,
  deployment: { upstream: upstream ?? {} },
});

describe('the address', () => {
  test.each([
    [null, 'https://api.anthropic.com/v1/messages'],
    ['https://proxy.test', 'https://proxy.test/v1/messages'],
    ['https://proxy.test/', 'https://proxy.test/v1/messages'],
    ['https://proxy.test/v1', 'https://proxy.test/v1/messages'],
    ['https://proxy.test/anthropic/v1/', 'https://proxy.test/anthropic/v1/messages'],
    ['https://proxy.test/v1/messages', 'https://proxy.test/v1/messages'],
  ])('for base %p is %s', (baseUrl, url) => {
    expect(requested({}, given({ baseUrl })).url).toBe(url);
  });
});

describe('headers', () => {
  test('of a plain call', () => {
    expect(requested({}).headers).toEqual([
      ['content-type', 'application/json'],
      ['accept', 'application/json'],
      ['anthropic-version', '2023-06-01'],
      ['x-api-key', TEST_KEY],
    ]);
  });

  test('a stream accepts events', () => {
    expect(requested({}, { isStreaming: true }).headers).toContainEqual(['accept', 'text/event-stream']);
  });

  test('betas of the client, of the operator and of the translation are merged without repetition', () => {
    const { headers } = requested(
      { messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'file_1' } }] }] },
      given(
        { extraHeaders: [['Anthropic-Beta', new Secret('b, c')]] },
        {
          forwardedHeaders: [
            ['anthropic-beta', 'a,b'],
            ['anthropic-beta', 'd'],
          ],
        },
      ),
    );
    expect(headers).toContainEqual(['anthropic-beta', 'a,b,d,c,files-api-2025-04-14']);
    expect(headers.filter(([name]) => name === 'anthropic-beta')).toHaveLength(1);
  });

  test('a client cannot replace the credential or the version, and OpenAI’s headers stay behind', () => {
    const forwardedHeaders = [
      ['x-api-key', 'theirs'],
      ['authorization', 'Bearer theirs'],
      ['anthropic-version', '2026-10-21'],
      ['openai-organization', 'org'],
      ['traceparent', '00-1'],
    ] as const;
    const headers = new Map(requested({}, { forwardedHeaders }).headers);
    expect(headers.get('x-api-key')).toBe(TEST_KEY);
    expect(headers.get('anthropic-version')).toBe('2023-06-01');
    expect([headers.has('authorization'), headers.has('openai-organization')]).toEqual([false, false]);
    expect(headers.get('traceparent')).toBe('00-1');
  });

  test('the operator’s headers win', () => {
    const headers = new Map(requested({}, given({ extraHeaders: [['X-Api-Key', new Secret('other')]] })).headers);
    expect(headers.get('x-api-key')).toBe('other');
  });

  test('a subscription’s key goes as a bearer token under a beta', () => {
    const headers = new Map(requested({}, given({ apiKey: new Secret('sk-ant-oat01-x') })).headers);
    expect(headers.get('authorization')).toBe('Bearer sk-ant-oat01-x');
    expect(headers.get('anthropic-beta')).toBe('oauth-2025-04-20');
    expect(headers.has('x-api-key')).toBe(false);
  });
});

describe('a deployment without a key', () => {
  test('is misconfigured at Anthropic itself', () => {
    expect(refused({}, given({ apiKey: null }))).toMatchObject({ reason: 'misconfigured' });
  });

  test.each([
    ['an address of its own', { baseUrl: 'http://127.0.0.1:9' }],
    ['a credential among its headers', { extraHeaders: [['Authorization', new Secret('Bearer x')] as const] }],
  ])('may have %s', (_, upstream) => {
    expect(requested({}, given({ apiKey: null, ...upstream })).kind).toBe('request');
  });
});
