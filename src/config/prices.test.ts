import { describe, expect, test } from 'bun:test';
import { epochMillis } from '../core/units.ts';
import { NO_USAGE, type Usage } from '../core/usage.ts';
import { costOf } from '../metering/cost.ts';
import { shownPrices } from '../metering/price-keys.ts';
import { deploymentsOf, loadText, valid } from './load.fixture.ts';

const NOW = epochMillis(Date.parse('2026-11-20T12:00:00Z'));

/** The deployment of an entry with these members. */
function deployment(params: string, info = '') {
  const text = `model_list: [{model_name: m, litellm_params: {${params}}, model_info: {${info}}}]`;
  const [only] = deploymentsOf(text, { OPENAI_API_KEY: 'sk', ANTHROPIC_API_KEY: 'sk' });
  if (only === undefined) throw new Error('no deployment');
  return only;
}

/** Nano-USD of a usage at the entry's price. */
function nano(params: string, info: string, counts: Partial<Usage>): bigint | null {
  const { price } = deployment(params, info);
  return price === null ? null : costOf(price, { ...NO_USAGE, ...counts }, NOW);
}

describe('the price of a deployment', () => {
  test.each<[string, string, string, Partial<Usage>, number | null]>([
    ['is that of its model', 'model: openai/gpt-4o', '', { input: 1000, output: 100 }, 3_500_000],
    ['is unknown for an unknown model', 'model: openai/my-model', '', { input: 1000 }, null],
    ['is unknown for a model with a star', 'model: openai/*', '', { input: 1000 }, null],
    ['is that of base_model', 'model: azure/ours', 'base_model: azure/gpt-4o', { input: 1000 }, 2_500_000],
    [
      'is that of a base_model without a provider',
      'model: azure/ours',
      'base_model: gpt-4o',
      { input: 1000 },
      2_500_000,
    ],
    [
      'is that of a regional base_model',
      'model: azure/ours',
      'base_model: azure/eu/gpt-4o',
      { input: 1000 },
      2_500_000,
    ],
    ['may be of another provider', 'model: openai/x', 'base_model: gemini/gemini-2.5-flash', { input: 1000 }, 300_000],
    [
      'is its own when base_model is unknown',
      'model: openai/gpt-4o',
      'base_model: nonsense',
      { input: 1000 },
      2_500_000,
    ],
    [
      'is what litellm_params say',
      'model: openai/my-model, input_cost_per_token: 0.000001, output_cost_per_token: 2e-6',
      '',
      { input: 1000, output: 1000 },
      3_000_000,
    ],
    [
      'is what model_info says',
      'model: openai/my-model',
      'input_cost_per_token: 0.000001, output_cost_per_token: 0',
      { input: 1000, output: 1000 },
      1_000_000,
    ],
    [
      'is what litellm_params say rather than model_info',
      'model: openai/my-model, input_cost_per_token: 0.000002',
      'input_cost_per_token: 0.000001',
      { input: 1000 },
      2_000_000,
    ],
    [
      'is known for what is priced only',
      'model: openai/my-model, input_cost_per_token: 0.000001',
      '',
      { input: 1, output: 1 },
      null,
    ],
    [
      'keeps what is known of the other side',
      'model: openai/gpt-4o, input_cost_per_token: 0',
      '',
      { input: 1000, output: 100 },
      1_000_000,
    ],
    [
      'of input replaces what is known of cached input',
      'model: openai/gpt-4o, input_cost_per_token: 0',
      '',
      { input: 1000, cacheRead: 1000 },
      0,
    ],
    [
      'of input leaves a cache price of its own alone',
      'model: openai/my, input_cost_per_token: 0.000001, cache_read_input_token_cost: 1e-7',
      '',
      { input: 1000, cacheRead: 1000 },
      100_000,
    ],
    [
      'of the cache changes nothing else',
      'model: anthropic/claude-haiku-4-5, cache_read_input_token_cost: 5e-8',
      '',
      { input: 2000, cacheRead: 1000 },
      1_050_000,
    ],
    [
      'of input ends the known price of long prompts',
      'model: anthropic/claude-sonnet-4-5, input_cost_per_token: 0.000001',
      '',
      { input: 300_000 },
      300_000_000,
    ],
    [
      'may be another one for long prompts',
      'model: openai/my, input_cost_per_token: 0.000001, input_cost_per_token_above_200k_tokens: 0.000002',
      '',
      { input: 300_000 },
      600_000_000,
    ],
    [
      'for long prompts keeps the known one for short ones',
      'model: anthropic/claude-sonnet-4-5, input_cost_per_token_above_200k_tokens: 0.000009',
      '',
      { input: 1000 },
      3_000_000,
    ],
    [
      'for long prompts changes nothing else of theirs',
      'model: anthropic/claude-sonnet-4-5, input_cost_per_token_above_200k_tokens: 0.000009',
      '',
      { input: 200_001, cacheRead: 200_001 },
      // 0.60 for a million, as known.
      120_000_600,
    ],
    [
      'may be another one in a tier of service',
      'model: openai/my, input_cost_per_token: 0.000001, input_cost_per_token_flex: 5e-7',
      '',
      { input: 1000, serviceTier: 'flex' },
      500_000,
    ],
    [
      'of batches is half',
      'model: openai/my, input_cost_per_token: 0.000001',
      '',
      { input: 1000, serviceTier: 'batch' },
      500_000,
    ],
    [
      'of batches may be another one',
      'model: openai/my, input_cost_per_token: 0.000001, input_cost_per_token_batches: 9e-7',
      '',
      { input: 1000, serviceTier: 'batch' },
      900_000,
    ],
    [
      'that is set holds for the known tiers of service too',
      'model: openai/gpt-5, input_cost_per_token: 0, output_cost_per_token: 0',
      '',
      { input: 1000, output: 1000, serviceTier: 'priority' },
      0,
    ],
    [
      'may be for the request alone',
      'model: openai/my, input_cost_per_request: 0.01',
      '',
      { input: 9, output: 9 },
      1e7,
    ],
    [
      'of a request replaces the known ones for larger searches',
      'model: perplexity/sonar, input_cost_per_request: 0.001',
      '',
      { searchSize: 'high' },
      1_000_000,
    ],
    [
      'may be for a search',
      'model: openai/my, input_cost_per_token: 0, search_context_cost_per_query: {search_context_size_high: 0.05}',
      '',
      { webSearches: 2 },
      1e8,
    ],
    ['may be text', 'model: openai/my, input_cost_per_token: "1e-6"', '', { input: 1000 }, 1_000_000],
  ])('%s', (_name, params, info, counts, expected) => {
    const cost = nano(params, info, counts);
    expect(cost === null ? null : Number(cost)).toBe(expected);
  });

  test('is no member of the request', () => {
    const { upstream } = deployment(
      'model: openai/my, input_cost_per_token_above_272k_tokens_priority: 1, citation_cost_per_token: 1',
    );
    expect(upstream.extraBody).toEqual({});
  });

  test('beyond 9000 US dollars a token is a mistake', () => {
    const result = loadText(
      'model_list: [{model_name: m, litellm_params: {model: openai/m, input_cost_per_token: 9001}}]',
    );
    expect(result.findings.map(({ message }) => message)[0]).toContain('must be US dollars, 0 to 9000');
  });

  test('is shown by the names that set it', () => {
    const { price, maxInputTokens, maxOutputTokens } = deployment('model: anthropic/claude-sonnet-4-5');
    if (price === null) throw new Error('no price');
    expect(shownPrices(price, NOW)).toEqual({
      input_cost_per_token: 0.000003,
      output_cost_per_token: 0.000015,
      cache_read_input_token_cost: 3e-7,
      cache_creation_input_token_cost: 0.00000375,
      cache_creation_input_token_cost_above_1hr: 0.000006,
      input_cost_per_token_above_200k_tokens: 0.000006,
      output_cost_per_token_above_200k_tokens: 0.0000225,
      cache_read_input_token_cost_above_200k_tokens: 6e-7,
      cache_creation_input_token_cost_above_200k_tokens: 0.0000075,
      cache_creation_input_token_cost_above_1hr_above_200k_tokens: 0.000012,
    });
    expect(maxInputTokens).toBe(200_000);
    expect(maxOutputTokens).toBeNull();
  });
});

describe('windows', () => {
  test('are those of the model unless model_info has its own', () => {
    expect(deployment('model: openai/gpt-4o')).toMatchObject({ maxInputTokens: 128_000, maxOutputTokens: 16_384 });
    const own = deployment('model: openai/gpt-4o', 'max_input_tokens: 5, max_tokens: 6');
    expect(own).toMatchObject({ maxInputTokens: 5, maxOutputTokens: 6 });
  });
});

describe('discounts, margins and the assumed price', () => {
  const billing = (text: string) => valid(loadText(text)).snapshot.billing;

  test('are none unless set', () => {
    expect(billing('model_list: []')).toEqual({ discounts: new Map(), margins: new Map(), assumed: null });
  });

  test('are read as LiteLLM writes them', () => {
    const text = `
litellm_settings:
  cost_discount_config: {openai: 0.05, vertex_ai: 0}
  cost_margin_config: {global: 0.1, azure: {percentage: 0.25, fixed_amount: 0.001}, groq: {fixed_amount: 1}}
general_settings:
  assumed_price: {input_cost_per_token: 0.00001}`;
    const { discounts, margins, assumed } = billing(text);
    expect([...discounts]).toEqual([
      ['openai', 50_000_000n],
      ['vertex_ai', 0n],
    ]);
    expect([...margins] as unknown).toEqual([
      ['global', { share: 100_000_000n, fixed: 0 }],
      ['azure', { share: 250_000_000n, fixed: 1_000_000_000 }],
      ['groq', { share: 0n, fixed: 1_000_000_000_000 }],
    ]);
    const cost = assumed === null ? null : costOf(assumed, { ...NO_USAGE, input: 10, output: 10, webSearches: 1 }, NOW);
    expect(cost as bigint | null).toBe(100_000n);
  });

  test.each([
    ['cost_discount_config: {openai: 1.5}', 'a share from 0 to 1'],
    ['cost_discount_config: {openai: 5%}', 'a share from 0 to 1'],
    ['cost_margin_config: {openai: -1}', 'a number, 0 or more'],
    ['cost_margin_config: {openai: {percent: 1}}', 'a share, as 0.1'],
  ])('%s is a mistake', (setting, expected) => {
    const { kind, findings } = loadText(`litellm_settings: {${setting}}`);
    expect(kind).toBe('invalid');
    expect(findings.map(({ message }) => message).join()).toContain(expected);
  });
});
