import { describe, expect, test } from 'bun:test';
import { nearestProviders, PROVIDERS, providerFor } from './registry.ts';

describe('the provider of a configured model', () => {
  const rows: readonly (readonly [string, string | null, string, string])[] = [
    ['openai/gpt-4', null, 'openai', 'gpt-4'],
    ['azure/my-deployment', null, 'azure', 'my-deployment'],
    ['anthropic/claude-3-5-sonnet-20241022', null, 'anthropic', 'claude-3-5-sonnet-20241022'],
    ['together_ai/meta-llama/Llama-3-70b', null, 'together_ai', 'meta-llama/Llama-3-70b'],
    ['openai/*', null, 'openai', '*'],
    ['text-completion-openai/babbage-002', null, 'openai', 'babbage-002'],
    // A bare name says it by itself.
    ['gpt-4o', null, 'openai', 'gpt-4o'],
    ['o3-mini', null, 'openai', 'o3-mini'],
    ['text-embedding-3-small', null, 'openai', 'text-embedding-3-small'],
    ['claude-sonnet-4-5', null, 'anthropic', 'claude-sonnet-4-5'],
    // `custom_llm_provider` wins; the prefix is then part of the name unless it says the same.
    ['meta-llama/Llama-3', 'together_ai', 'together_ai', 'meta-llama/Llama-3'],
    ['groq/llama-3', 'groq', 'groq', 'llama-3'],
    ['gpt-4', 'azure', 'azure', 'gpt-4'],
  ];
  test.each(rows)('%s with %p is %s', (configured, custom, id, model) => {
    const found = providerFor(configured, custom);
    expect([found?.provider.id, found?.model]).toEqual([id, model]);
  });

  test.each([
    ['opnai/gpt-4', null],
    ['unknown-model', null],
    ['o9000', null],
    ['gpt-4', 'nobody'],
    ['', null],
  ] as const)('%p with %p is nobody', (configured, custom) => {
    expect(providerFor(configured, custom)).toBeNull();
  });
});

test.each([
  ['opnai', 'openai'],
  ['Azure', 'azure'],
  ['antropic', 'anthropic'],
  ['together', 'together_ai'],
  ['vertex', undefined],
] as const)('the nearest to %s is %p', (prefix, expected) => {
  expect(nearestProviders(prefix)[0]).toBe(expected as string);
});

test('every provider is registered under its own id and answers something', () => {
  expect(PROVIDERS.size).toBeGreaterThan(80);
  for (const [id, provider] of PROVIDERS) {
    expect(provider.id).toBe(id);
    expect(provider.chat ?? provider.embeddings).toBeDefined();
  }
});
