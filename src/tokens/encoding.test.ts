import { expect, test } from 'bun:test';
import { measureFor, measuresFor } from './encoding.ts';

test.each([
  ['gpt-4o', 'o200k_base', 1],
  ['gpt-4o-mini-2024-07-18', 'o200k_base', 1],
  ['chatgpt-4o-latest', 'o200k_base', 1],
  ['gpt-4.1-nano', 'o200k_base', 1],
  ['gpt-5', 'o200k_base', 1],
  ['gpt-5.1-codex', 'o200k_base', 1],
  ['o1', 'o200k_base', 1],
  ['o3-mini', 'o200k_base', 1],
  ['ft:gpt-4o-2024-08-06:org::id', 'o200k_base', 1],
  ['openai/gpt-oss-120b', 'o200k_base', 1],
  ['gpt-4', 'cl100k_base', 1],
  ['GPT-4-32k-0613', 'cl100k_base', 1],
  ['gpt-4-turbo', 'cl100k_base', 1],
  ['gpt-3.5-turbo', 'cl100k_base', 1],
  ['gpt-35-turbo-16k', 'cl100k_base', 1],
  ['text-embedding-3-small', 'cl100k_base', 1],
  ['text-embedding-ada-002', 'cl100k_base', 1],
  ['claude-3-5-sonnet-20241022', 'o200k_base', 0.8],
  ['mistral-large', 'o200k_base', 0.8],
  ['gpt-4something', 'o200k_base', 0.8],
  ['gpt-9', 'o200k_base', 0.8],
  ['o12-large', 'o200k_base', 0.8],
  ['', 'o200k_base', 0.8],
] as const)('%s is counted with %s times %d', (model, encoding, factor) => {
  expect(measureFor(model)).toEqual({ encoding, factor });
});

test('models that count alike are counted once', () => {
  expect(measuresFor(['gpt-4', 'claude', 'gpt-3.5-turbo', 'mistral'])).toEqual([
    { encoding: 'cl100k_base', factor: 1 },
    { encoding: 'o200k_base', factor: 0.8 },
  ]);
});
