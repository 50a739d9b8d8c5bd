import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { JsonObject } from '../../core/json.ts';
import { NO_USAGE, type Usage } from '../../core/usage.ts';
import { chatUsage, usageOf } from './usage.ts';

describe('usageOf', () => {
  test.each<[string, JsonObject, Partial<Usage> | null]>([
    ['a plain chat', { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 }, { input: 12, output: 5 }],
    ['embeddings', { prompt_tokens: 8, total_tokens: 8 }, { input: 8 }],
    ['only a total', { total_tokens: 8 }, { input: 8 }],
    ['no counts at all', {}, null],
    ['counts that are no numbers', { prompt_tokens: '12', completion_tokens: null }, null],
    ['negative counts', { prompt_tokens: -1, completion_tokens: 3 }, { output: 3 }],
    [
      'details',
      {
        prompt_tokens: 100,
        completion_tokens: 50,
        prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 7, audio_tokens: 3 },
        completion_tokens_details: { reasoning_tokens: 40, audio_tokens: 2 },
      },
      { input: 100, output: 50, cacheRead: 60, cacheWrite: 7, reasoning: 40, audioInput: 3, audioOutput: 2 },
    ],
    ['null details', { prompt_tokens: 1, prompt_tokens_details: null }, { input: 1 }],
    ['DeepSeek', { prompt_tokens: 20, prompt_cache_hit_tokens: 15 }, { input: 20, cacheRead: 15 }],
    ['Moonshot', { prompt_tokens: 20, cached_tokens: 15 }, { input: 20, cacheRead: 15 }],
    [
      "Anthropic's names",
      { prompt_tokens: 20, cache_read_input_tokens: 5, cache_creation_input_tokens: 6 },
      { input: 20, cacheRead: 5, cacheWrite: 6 },
    ],
    ['reasoning at the top level', { completion_tokens: 9, reasoning_tokens: 4 }, { output: 9, reasoning: 4 }],
    [
      'images, and searches by either name',
      {
        prompt_tokens: 90,
        completion_tokens: 20,
        prompt_tokens_details: { image_tokens: 70 },
        completion_tokens_details: { image_tokens: 9 },
        server_tool_use: { web_search_requests: 2 },
      },
      { input: 90, output: 20, imageInput: 70, imageOutput: 9, webSearches: 2 },
    ],
    [
      'citations, which Perplexity counts beside its words',
      { prompt_tokens: 30, completion_tokens: 100, citation_tokens: 40, num_search_queries: 3, total_tokens: 130 },
      { input: 30, output: 140, citation: 40, webSearches: 3 },
    ],
    ['the size of a search', { prompt_tokens: 30, search_context_size: 'medium' }, { input: 30, searchSize: 'medium' }],
    [
      'a total with thoughts that nothing else counts',
      { prompt_tokens: 40, completion_tokens: 10, total_tokens: 120 },
      { input: 40, output: 80, reasoning: 70 },
    ],
    ['a tier of service', { prompt_tokens: 1, service_tier: 'flex' }, { input: 1, serviceTier: 'flex' }],
    ['a tier at the usual price', { prompt_tokens: 1, service_tier: 'on_demand' }, { input: 1 }],
    // Hosts do send more cached than prompt tokens; what to charge then is not decided here.
    [
      'a part above its whole',
      { prompt_tokens: 249, prompt_tokens_details: { cached_tokens: 416 } },
      { input: 249, cacheRead: 416 },
    ],
  ])('%s', (_name, json, expected) => {
    expect(usageOf(json)).toEqual(expected === null ? null : { ...NO_USAGE, ...expected });
  });

  test('adds reasoning to the output where the host counts it beside', () => {
    const json = { prompt_tokens: 288, completion_tokens: 27, completion_tokens_details: { reasoning_tokens: 313 } };
    expect(usageOf(json, 'outside')).toEqual({ ...NO_USAGE, input: 288, output: 340, reasoning: 313 });
    expect(usageOf(json, 'inside')).toEqual({ ...NO_USAGE, input: 288, output: 27, reasoning: 313 });
    const whole = { ...json, total_tokens: 628 };
    expect(usageOf(whole, 'outside')).toEqual({ ...NO_USAGE, input: 288, output: 340, reasoning: 313 });
  });
});

describe('chatUsage', () => {
  test('has the cache counts in both dialects', () => {
    const usage = { ...NO_USAGE, input: 1200, output: 30, cacheRead: 1100, cacheWrite: 90, reasoning: 10 };
    expect(chatUsage(usage)).toEqual({
      prompt_tokens: 1200,
      completion_tokens: 30,
      total_tokens: 1230,
      prompt_tokens_details: { cached_tokens: 1100, cache_write_tokens: 90 },
      completion_tokens_details: { reasoning_tokens: 10 },
      cache_creation_input_tokens: 90,
      cache_read_input_tokens: 1100,
    });
  });

  test('is read back as what it was made from, but for how long a cache lasts', () => {
    const names = ['input', 'output', 'cacheRead', 'cacheWrite', 'reasoning', 'audioInput', 'audioOutput'];
    const usages = fc.record(Object.fromEntries(names.map((name) => [name, fc.nat()])));
    fc.assert(
      fc.property(usages, (counts) => {
        const usage = { ...NO_USAGE, ...counts };
        expect(usageOf(chatUsage(usage) as unknown as JsonObject)).toEqual(usage);
      }),
    );
  });
});
