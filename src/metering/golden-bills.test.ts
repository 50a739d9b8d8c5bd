import { describe, expect, test } from 'bun:test';
import { testCall, testContext, testDeployment, testHead } from '../../test/support/call.ts';
import { play } from '../../test/support/play.ts';
import { epochMillis, usd } from '../core/units.ts';
import type { Usage } from '../core/usage.ts';
import { PROVIDERS } from '../providers/registry.ts';
import { knownModel } from './catalogue.ts';
import { costOf } from './cost.ts';

/**
 * Bills worked by hand from the providers' price pages, for usage blocks as the providers send them.
 *
 * Prices in the comments are US dollars for a million tokens, so that tokens times prices are millionths of a dollar (µ$).
 * Each block goes through its provider's own decoder, inside an answer of its dialect.
 */

/** A day on which every price below holds; 20:00 UTC, when DeepSeek charges less. */
const NOON = Date.parse('2026-11-20T12:00:00Z');
const EVENING = Date.parse('2026-11-20T20:00:00Z');

interface Case {
  readonly provider: string;
  readonly model: string;
  readonly usage: object;
  /** `service_tier` beside the usage, as OpenAI has it. */
  readonly tier?: string;
  readonly at?: number;
  /** Where the prices are, when the provider's own name says nothing. */
  readonly base?: readonly [provider: string, model: string];
}

function chatAnswer({ usage, tier, model }: Case): object {
  const choices = [{ index: 0, message: { role: 'assistant', content: 'Yes' }, finish_reason: 'stop' }];
  return { id: 'c', object: 'chat.completion', created: 1, model, choices, usage, service_tier: tier };
}

function embeddingsAnswer({ usage, model }: Case): object {
  return { object: 'list', data: [{ object: 'embedding', index: 0, embedding: [0.5] }], model, usage };
}

function message({ usage, model }: Case): object {
  const content = [{ type: 'text', text: 'Yes' }];
  return { id: 'm', type: 'message', role: 'assistant', model, content, stop_reason: 'end_turn', usage };
}

/** The usage that the provider's decoder makes of the block. */
function decoded(each: Case): Usage {
  const provider = PROVIDERS.get(each.provider);
  const isEmbedding = each.model.includes('embedding');
  const facet = isEmbedding ? provider?.embeddings : provider?.chat;
  if (facet === undefined) throw new Error(`no facet of ${each.provider}`);
  const body = isEmbedding ? embeddingsAnswer(each) : each.provider === 'anthropic' ? message(each) : chatAnswer(each);
  const call = testCall(Buffer.from(isEmbedding ? '{"model":"x","input":"y"}' : '{"model":"x","messages":[]}'));
  const context = testContext(testDeployment(each.provider, each.model), call);
  const reply = facet.reply(testHead(200, {}), Buffer.from(JSON.stringify(body)), context);
  if (reply.kind === 'failed' || reply.usage === null) throw new Error(`no usage: ${JSON.stringify(reply)}`);
  return reply.usage;
}

function billed(each: Case, usage = decoded(each)): string | null {
  const [provider, model] = each.base ?? [each.provider, each.model];
  const { price } = knownModel(provider, model);
  if (price === null) throw new Error(`${provider}/${model} has no price`);
  const cost = costOf(price, usage, epochMillis(each.at ?? NOON));
  return cost === null ? null : usd(cost);
}

const openai = (model: string, usage: object, tier?: string): Case => ({
  provider: 'openai',
  model,
  usage,
  ...(tier === undefined ? {} : { tier }),
});
const anthropic = (model: string, usage: object): Case => ({ provider: 'anthropic', model, usage });

describe('OpenAI (platform.openai.com/docs/pricing)', () => {
  test.each<[string, Case, string]>([
    // gpt-4o: input 2.50, output 10. 1,200 × 2.50 + 300 × 10 = 3,000 + 3,000 µ$.
    [
      'a plain chat',
      openai('gpt-4o-2024-08-06', { prompt_tokens: 1200, completion_tokens: 300, total_tokens: 1500 }, 'default'),
      '0.006',
    ],
    // cached 1.25: (2,006 - 1,920) × 2.50 + 1,920 × 1.25 + 300 × 10 = 215 + 2,400 + 3,000 µ$.
    [
      'cached input, which is part of the prompt',
      openai('gpt-4o', {
        prompt_tokens: 2006,
        completion_tokens: 300,
        total_tokens: 2306,
        prompt_tokens_details: { cached_tokens: 1920, audio_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
      }),
      '0.005615',
    ],
    // gpt-5-mini: 0.25 / 2. Reasoning is in the 1,300 already: 75 × 0.25 + 1,300 × 2 = 18.75 + 2,600 µ$.
    [
      'reasoning, which is part of the completion',
      openai('gpt-5-mini', {
        prompt_tokens: 75,
        completion_tokens: 1300,
        total_tokens: 1375,
        prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
        completion_tokens_details: {
          reasoning_tokens: 1088,
          audio_tokens: 0,
          accepted_prediction_tokens: 0,
          rejected_prediction_tokens: 0,
        },
      }),
      '0.00261875',
    ],
    // gpt-5, cached 0.125, output 10: (5,000 - 4,096) × 1.25 + 4,096 × 0.125 + 900 × 10 = 1,130 + 512 + 9,000 µ$.
    [
      'cache and reasoning at once',
      openai('gpt-5', {
        prompt_tokens: 5000,
        completion_tokens: 900,
        total_tokens: 5900,
        prompt_tokens_details: { cached_tokens: 4096 },
        completion_tokens_details: { reasoning_tokens: 640 },
      }),
      '0.010642',
    ],
    // gpt-5, flex: 0.625 / 0.0625 / 5. 1,000 × 0.625 + 1,000 × 0.0625 + 100 × 5 = 625 + 62.5 + 500 µ$.
    [
      'the flex tier',
      openai(
        'gpt-5',
        {
          prompt_tokens: 2000,
          completion_tokens: 100,
          total_tokens: 2100,
          prompt_tokens_details: { cached_tokens: 1000 },
        },
        'flex',
      ),
      '0.0011875',
    ],
    // gpt-5, priority: 2.50 / 0.25 / 20. 1,000 × 2.50 + 1,000 × 0.25 + 100 × 20 = 2,500 + 250 + 2,000 µ$.
    [
      'the priority tier',
      openai(
        'gpt-5',
        {
          prompt_tokens: 2000,
          completion_tokens: 100,
          total_tokens: 2100,
          prompt_tokens_details: { cached_tokens: 1000 },
        },
        'priority',
      ),
      '0.00475',
    ],
    // gpt-4.1, priority: 3.50 / 14. 28 × 3.50 + 17 × 14 = 98 + 238 µ$.
    [
      'priority on an older model',
      openai('gpt-4.1', { prompt_tokens: 28, completion_tokens: 17, total_tokens: 45 }, 'priority'),
      '0.000336',
    ],
    // gpt-4o-audio-preview: text 2.50 / 10, audio 40 / 80.
    // (120 - 100) × 2.50 + 100 × 40 + (260 - 200) × 10 + 200 × 80 = 50 + 4,000 + 600 + 16,000 µ$.
    [
      'audio in and out',
      openai('gpt-4o-audio-preview', {
        prompt_tokens: 120,
        completion_tokens: 260,
        total_tokens: 380,
        prompt_tokens_details: { cached_tokens: 0, audio_tokens: 100, text_tokens: 20, image_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 200, text_tokens: 60 },
      }),
      '0.02065',
    ],
    // o3 since 2025-06-10: 2 / 8, not 10 / 40 any more. 12 × 2 + 100 × 8 = 824 µ$.
    [
      'a price that was lowered',
      openai('o3', {
        prompt_tokens: 12,
        completion_tokens: 100,
        total_tokens: 112,
        completion_tokens_details: { reasoning_tokens: 100 },
      }),
      '0.000824',
    ],
    // gpt-5.4 above 272,000 input tokens: 5 / 0.50 / 22.50 for all of it.
    // 200,000 × 5 + 100,000 × 0.50 + 1,000 × 22.50 = 1,000,000 + 50,000 + 22,500 µ$.
    [
      'a long prompt at the higher price, from its first token on',
      openai('gpt-5.4', {
        prompt_tokens: 300_000,
        completion_tokens: 1000,
        total_tokens: 301_000,
        prompt_tokens_details: { cached_tokens: 100_000 },
      }),
      '1.0725',
    ],
    // text-embedding-3-small: 0.02. 5 × 0.02 = 0.1 µ$.
    ['embeddings', openai('text-embedding-3-small', { prompt_tokens: 5, total_tokens: 5 }), '0.0000001'],
    // 0.02 × 3 + nothing = 0.06 µ$ = 60 nano, to the last digit.
    ['the smallest sums', openai('text-embedding-3-small', { prompt_tokens: 3, total_tokens: 3 }), '0.00000006'],
  ])('%s', (_name, each, expected) => {
    expect(billed(each)).toBe(expected);
  });

  test('a flex answer of more than 32 KiB, which is searched and not parsed, keeps its tier', () => {
    const usage = { prompt_tokens: 2000, completion_tokens: 100, total_tokens: 2100 };
    const each = openai('gpt-5', usage, 'flex');
    const text = JSON.stringify(chatAnswer(each)).replace('"Yes"', `"${'y'.repeat(40_000)}"`);
    const context = testContext(testDeployment('openai', 'gpt-5'), testCall(Buffer.from('{"model":"x"}')));
    const reply = PROVIDERS.get('openai')?.chat?.reply(testHead(200, {}), Buffer.from(text), context);
    // 2,000 × 0.625 + 100 × 5 = 1,250 + 500 µ$.
    expect(reply?.kind === 'bytes' && reply.usage !== null ? billed(each, reply.usage) : reply?.kind).toBe('0.00175');
  });

  test('a stream keeps its tier too', () => {
    const usage = { prompt_tokens: 2000, completion_tokens: 100, total_tokens: 2100 };
    const delta = { index: 0, delta: { content: 'Yes' }, finish_reason: 'stop' };
    const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-5', service_tier: 'flex' };
    const events = [
      { ...chunk, choices: [delta], usage: null },
      { ...chunk, choices: [], usage },
    ];
    const body = `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`;
    const call = testCall(Buffer.from('{"model":"x","messages":[],"stream":true}'));
    const decoder = PROVIDERS.get('openai')?.chat?.stream(testContext(testDeployment('openai', 'gpt-5'), call));
    if (decoder === undefined) throw new Error('no chat facet');
    const heard = play(decoder, [Buffer.from(body)]);
    expect(heard.usage === null ? null : billed(openai('gpt-5', usage), heard.usage)).toBe('0.00175');
  });
});

describe('Azure (azure.microsoft.com/pricing/details/cognitive-services/openai-service)', () => {
  test.each<[string, Case, string]>([
    // A deployment of one's own name, priced by base_model gpt-4o: 1,000 × 2.50 + 24 × 1.25 + 10 × 10 = 2,630 µ$.
    [
      'a deployment by its base model',
      {
        provider: 'azure',
        model: 'our-gpt',
        base: ['azure', 'gpt-4o'],
        usage: {
          prompt_tokens: 1024,
          completion_tokens: 10,
          total_tokens: 1034,
          prompt_tokens_details: { cached_tokens: 24, audio_tokens: 0 },
          completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
        },
      },
      '0.00263',
    ],
    // More cached than there was prompt, as a route to Grok sent: all 249 are cached. grok-3: 3 / 0.75 / 15.
    // 249 × 0.75 + 40 × 15 = 186.75 + 600 µ$; never a negative number of plain tokens.
    [
      'more cached tokens than tokens',
      {
        provider: 'azure_ai',
        model: 'grok-3',
        usage: {
          prompt_tokens: 249,
          completion_tokens: 40,
          total_tokens: 289,
          prompt_tokens_details: { cached_tokens: 416, audio_tokens: 0, text_tokens: 249, image_tokens: 0 },
          completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
          num_sources_used: 0,
        },
      },
      '0.00078675',
    ],
  ])('%s', (_name, each, expected) => {
    expect(billed(each)).toBe(expected);
  });
});

describe('Anthropic (platform.claude.com/docs/en/about-claude/pricing)', () => {
  test.each<[string, Case, string]>([
    // claude-sonnet-4-5: 3 / 15. 222 × 3 + 10 × 15 = 666 + 150 µ$.
    [
      'a plain message',
      anthropic('claude-sonnet-4-5-20250929', {
        input_tokens: 222,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
        output_tokens: 10,
        service_tier: 'standard',
      }),
      '0.000816',
    ],
    // cache read 0.30, which input_tokens leaves out: 4 × 3 + 1,163 × 0.30 + 187 × 15 = 12 + 348.9 + 2,805 µ$.
    [
      'a cache read, which is not part of input_tokens',
      anthropic('claude-sonnet-4-5', {
        input_tokens: 4,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 1163,
        output_tokens: 187,
      }),
      '0.0031659',
    ],
    // 5-minute write 3.75, and no split reported: 4 × 3 + 1,000 × 3.75 + 100 × 15 = 12 + 3,750 + 1,500 µ$.
    [
      'a cache write, for five minutes unless said otherwise',
      anthropic('claude-sonnet-4-5', {
        input_tokens: 4,
        cache_creation_input_tokens: 1000,
        cache_read_input_tokens: 0,
        output_tokens: 100,
      }),
      '0.005262',
    ],
    // 1-hour write 6: 4 × 3 + 1,000 × 0.30 + 400 × 3.75 + 600 × 6 + 100 × 15 = 12 + 300 + 1,500 + 3,600 + 1,500 µ$.
    [
      'reads, and writes for five minutes and for an hour',
      anthropic('claude-sonnet-4-5', {
        input_tokens: 4,
        cache_creation_input_tokens: 1000,
        cache_read_input_tokens: 1000,
        cache_creation: { ephemeral_5m_input_tokens: 400, ephemeral_1h_input_tokens: 600 },
        output_tokens: 100,
        service_tier: 'standard',
      }),
      '0.006912',
    ],
    // claude-opus-4-5: 5 / 0.50 / 6.25 / 10 / 25. 10 × 5 + 2,000 × 10 + 1 × 25 = 50 + 20,000 + 25 µ$.
    [
      'everything written for an hour',
      anthropic('claude-opus-4-5-20251101', {
        input_tokens: 10,
        cache_creation_input_tokens: 2000,
        cache_read_input_tokens: 0,
        cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 2000 },
        output_tokens: 1,
      }),
      '0.020075',
    ],
    // claude-haiku-4-5: 1 / 5. Thinking is in output_tokens: 54 × 1 + 700 × 5 = 54 + 3,500 µ$.
    [
      'thinking, which is part of output_tokens',
      anthropic('claude-haiku-4-5', {
        input_tokens: 54,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        output_tokens: 700,
        output_tokens_details: { thinking_tokens: 600 },
      }),
      '0.003554',
    ],
    // Above 200,000 input tokens, cache included: 6 / 0.60 / 7.50 / 22.50.
    // 100,001 × 6 + 100,000 × 0.60 + 1,000 × 22.50 = 600,006 + 60,000 + 22,500 µ$.
    [
      'a long prompt, whose length includes what was cached',
      anthropic('claude-sonnet-4-5', {
        input_tokens: 100_001,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 100_000,
        output_tokens: 1000,
      }),
      '0.682506',
    ],
    // Exactly 200,000 is not above it: 200,000 × 3 + 1 × 15 µ$.
    [
      'a prompt of the very limit',
      anthropic('claude-sonnet-4-5', { input_tokens: 200_000, output_tokens: 1 }),
      '0.600015',
    ],
    // claude-sonnet-4-6 since 2026-03-13: no higher price for long prompts. 300,000 × 3 + 10 × 15 µ$.
    [
      'a tier that was given up',
      anthropic('claude-sonnet-4-6', { input_tokens: 300_000, output_tokens: 10 }),
      '0.90015',
    ],
    // Web search: 10 $ for 1,000. 31,772 × 3 + 644 × 15 + 2 × 10,000 = 95,316 + 9,660 + 20,000 µ$; fetches are free.
    [
      'web searches',
      anthropic('claude-sonnet-4-5', {
        input_tokens: 31_772,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        output_tokens: 644,
        server_tool_use: { web_search_requests: 2, web_fetch_requests: 5 },
      }),
      '0.124976',
    ],
    // Batches cost half: (222 × 3 + 10 × 15) / 2 = 408 µ$.
    [
      'a batch',
      anthropic('claude-sonnet-4-5', { input_tokens: 222, output_tokens: 10, service_tier: 'batch' }),
      '0.000408',
    ],
  ])('%s', (_name, each, expected) => {
    expect(billed(each)).toBe(expected);
  });
});

describe('others', () => {
  const deepseek = {
    provider: 'deepseek',
    model: 'deepseek-reasoner',
    usage: {
      prompt_tokens: 1028,
      completion_tokens: 118,
      total_tokens: 1146,
      prompt_tokens_details: { cached_tokens: 1000 },
      completion_tokens_details: { reasoning_tokens: 34 },
      prompt_cache_hit_tokens: 1000,
      prompt_cache_miss_tokens: 28,
    },
  } as const;

  test.each<[string, Case, string]>([
    // deepseek-reasoner by day: miss 0.55, hit 0.14, output 2.19. 28 × 0.55 + 1,000 × 0.14 + 118 × 2.19 = 413.82 µ$.
    ['DeepSeek: hits and misses, told twice', deepseek, '0.00041382'],
    // By night: 0.135 / 0.035 / 0.55. 28 × 0.135 + 1,000 × 0.035 + 118 × 0.55 = 3.78 + 35 + 64.9 µ$.
    ['DeepSeek: off peak', { ...deepseek, at: EVENING }, '0.00010368'],
    // Only DeepSeek's own names, without prompt_tokens_details: as by day.
    [
      'DeepSeek: hits under their own name only',
      { ...deepseek, usage: { ...deepseek.usage, prompt_tokens_details: undefined } },
      '0.00041382',
    ],
    // gemini-2.5-flash through Google's OpenAI endpoint: 0.30 / 2.50. The total has thoughts that nothing else counts:
    // 35 × 0.30 + (109 - 35) × 2.50 = 10.5 + 185 µ$.
    [
      'Gemini: thoughts that only the total tells',
      {
        provider: 'openai',
        model: 'gemini-2.5-flash',
        base: ['gemini', 'gemini-2.5-flash'],
        usage: { prompt_tokens: 35, completion_tokens: 12, total_tokens: 109 },
      },
      '0.0001955',
    ],
    // llama-3.3-70b-versatile: 0.59 / 0.79. 84 × 0.59 + 144 × 0.79 = 49.56 + 113.76 µ$.
    [
      'Groq: times beside the counts',
      {
        provider: 'groq',
        model: 'llama-3.3-70b-versatile',
        tier: 'on_demand',
        usage: {
          queue_time: 0.2,
          prompt_tokens: 84,
          prompt_time: 0.004,
          completion_tokens: 144,
          completion_time: 0.14,
          total_tokens: 228,
          total_time: 0.15,
        },
      },
      '0.00016332',
    ],
    // kimi-k2 at Groq: 1 / 0.50 / 3. 100 × 1 + 512 × 0.50 + 20 × 3 = 416 µ$.
    [
      'Groq: cached input',
      {
        provider: 'groq',
        model: 'moonshotai/kimi-k2-instruct-0905',
        usage: {
          prompt_tokens: 612,
          completion_tokens: 20,
          total_tokens: 632,
          prompt_tokens_details: { cached_tokens: 512 },
        },
      },
      '0.000416',
    ],
    // grok-4-fast: 0.20 / 0.05 / 0.50, reasoning beside the completion.
    // (432 - 153) × 0.20 + 153 × 0.05 + (68 + 136) × 0.50 = 55.8 + 7.65 + 102 µ$.
    [
      'xAI: reasoning beside the completion',
      {
        provider: 'xai',
        model: 'grok-4-fast',
        usage: {
          prompt_tokens: 432,
          completion_tokens: 68,
          total_tokens: 636,
          prompt_tokens_details: { text_tokens: 432, audio_tokens: 0, image_tokens: 0, cached_tokens: 153 },
          completion_tokens_details: { reasoning_tokens: 136, audio_tokens: 0 },
          num_sources_used: 0,
        },
      },
      '0.00016545',
    ],
    // mistral-large-2512: 0.50 / 0.05 / 1.50. 27 × 0.50 + 64 × 0.05 + 44 × 1.50 = 13.5 + 3.2 + 66 µ$.
    [
      'Mistral: a tier inside the usage',
      {
        provider: 'mistral',
        model: 'mistral-large-2512',
        usage: {
          prompt_tokens: 91,
          completion_tokens: 44,
          total_tokens: 135,
          prompt_tokens_details: { cached_tokens: 64 },
          service_tier: 'standard',
        },
      },
      '0.0000827',
    ],
    // claude-haiku-4.5 there: 1 / 5. 16 × 1 + 18 × 5 = 106 µ$, which is what OpenRouter itself says.
    [
      'OpenRouter: agrees with its own figure',
      {
        provider: 'openrouter',
        model: 'anthropic/claude-haiku-4.5',
        usage: {
          prompt_tokens: 16,
          completion_tokens: 18,
          total_tokens: 34,
          cost: 0.000106,
          is_byok: false,
          prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 0, audio_tokens: 0 },
          completion_tokens_details: { reasoning_tokens: 0, image_tokens: 0 },
        },
      },
      '0.000106',
    ],
    // OpenRouter with a cache write, part of the prompt: 1.25. (1,000 - 900) × 1 + 900 × 1.25 + 10 × 5 = 1,275 µ$.
    [
      'OpenRouter: a cache write inside the prompt',
      {
        provider: 'openrouter',
        model: 'anthropic/claude-haiku-4.5',
        usage: {
          prompt_tokens: 1000,
          completion_tokens: 10,
          total_tokens: 1010,
          prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 900 },
        },
      },
      '0.001275',
    ],
    // sonar: 1 / 1 and 5 $ for 1,000 requests. 8 × 1 + 5 × 1 + 5,000 µ$.
    [
      'Perplexity: a price for the request',
      {
        provider: 'perplexity',
        model: 'sonar',
        usage: { prompt_tokens: 8, completion_tokens: 5, total_tokens: 13, search_context_size: 'low' },
      },
      '0.005013',
    ],
    // sonar-pro: 3 / 15 and 14 $ for 1,000 requests that search widely. 8 × 3 + 5 × 15 + 14,000 µ$.
    [
      'Perplexity: a wide search',
      {
        provider: 'perplexity',
        model: 'sonar-pro',
        usage: { prompt_tokens: 8, completion_tokens: 5, total_tokens: 13, search_context_size: 'high' },
      },
      '0.014099',
    ],
    // Free by its name, although the table does not have it.
    [
      'OpenRouter: free',
      {
        provider: 'openrouter',
        model: 'somebody/new-model:free',
        usage: { prompt_tokens: 43, completion_tokens: 10, total_tokens: 53, cost: 0 },
      },
      '0',
    ],
    // Deep research: 2 / 8, citations 2, reasoning 3, 5 $ for 1,000 searches; reasoning and citations are beside.
    // 33 × 2 + 7,163 × 8 + 20,016 × 2 + 73,997 × 3 + 21 × 5,000 = 66 + 57,304 + 40,032 + 221,991 + 105,000 µ$.
    [
      'Perplexity: deep research',
      {
        provider: 'perplexity',
        model: 'sonar-deep-research',
        usage: {
          prompt_tokens: 33,
          completion_tokens: 7163,
          total_tokens: 7196,
          citation_tokens: 20_016,
          num_search_queries: 21,
          reasoning_tokens: 73_997,
        },
      },
      '0.424393',
    ],
    // 0.88 / 0.88. 198 × 0.88 + 24 × 0.88 = 195.36 µ$.
    [
      'Together: its own place for cached tokens',
      {
        provider: 'together_ai',
        model: 'meta-llama/Llama-3.3-70B-Instruct-Turbo',
        usage: { prompt_tokens: 198, completion_tokens: 24, total_tokens: 222, cached_tokens: 0 },
      },
      '0.00019536',
    ],
    // kimi-k2-0905-preview: 0.60 / 0.15 / 2.50. 100 × 0.60 + 400 × 0.15 + 8 × 2.50 = 60 + 60 + 20 µ$.
    [
      'Moonshot: cached tokens at the top',
      {
        provider: 'moonshot',
        model: 'kimi-k2-0905-preview',
        usage: { prompt_tokens: 500, completion_tokens: 8, total_tokens: 508, cached_tokens: 400 },
      },
      '0.00014',
    ],
    // gpt-oss-120b: 0.35 / 0.75. 91 × 0.35 + 44 × 0.75 = 31.85 + 33 µ$.
    [
      'Cerebras',
      {
        provider: 'cerebras',
        model: 'gpt-oss-120b',
        usage: {
          prompt_tokens: 91,
          completion_tokens: 44,
          total_tokens: 135,
          prompt_tokens_details: { cached_tokens: 0 },
        },
      },
      '0.00006485',
    ],
  ])('%s', (_name, each, expected) => {
    expect(billed(each)).toBe(expected);
  });
});
