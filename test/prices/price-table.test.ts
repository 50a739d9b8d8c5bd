import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { calcPrice, type Usage as SourceUsage } from '@pydantic/genai-prices';
import { epochMillis } from '../../src/core/units.ts';
import { NO_USAGE, type Usage } from '../../src/core/usage.ts';
import { knownModel, SOURCES } from '../../src/metering/catalogue.ts';
import { costOf } from '../../src/metering/cost.ts';
import { tableText } from './price-table.ts';

const FILE = new URL('../../src/metering/price-table.txt', import.meta.url);

const TEXT = readFileSync(FILE, 'utf8');

test('the committed table is the one that the source makes (bun test/prices/write-price-table.ts writes it)', () => {
  expect(TEXT === tableText()).toBe(true);
});

test('the licence of the source goes with it', () => {
  const theirs = readFileSync(new URL('../../node_modules/@pydantic/genai-prices/LICENSE', import.meta.url), 'utf8');
  expect(readFileSync(new URL('../../src/metering/price-table.LICENSE', import.meta.url), 'utf8')).toBe(theirs);
  expect(theirs).toContain('MIT');
});

/** Patterns of each provider of the table. */
const PATTERNS = new Map(
  TEXT.split('\n@').map((section) => {
    const [head = '', ...rows] = section.trimEnd().split('\n');
    const patterns = rows.flatMap((row) => (JSON.parse(row) as [unknown[], ...unknown[]])[0]);
    return [head.split(' ')[0] ?? '', patterns] as const;
  }),
);

/** Provider and name of every model whose name, or its beginning, the table has. */
const MODELS = Object.entries(SOURCES).flatMap(([provider, { id }]) =>
  (PATTERNS.get(id) ?? []).flatMap((pattern) =>
    typeof pattern === 'string' && /^[=^]/.test(pattern) ? [{ provider, id, model: pattern.slice(1) }] : [],
  ),
);

/** Short and long prompts, before and after changes of price, and at different hours. */
const TIMES = ['2025-01-01T12:00:00Z', '2026-09-01T02:00:00Z', '2026-09-01T20:00:00Z', '2027-06-01T09:00:00Z'];
const USAGES: readonly Usage[] = [
  // The source has Perplexity's price for wide searches only.
  { ...NO_USAGE, input: 1000, output: 500, searchSize: 'high' },
  { ...NO_USAGE, input: 150_000, output: 77, cacheRead: 100_001, searchSize: 'high' },
  {
    ...NO_USAGE,
    input: 300_001,
    output: 4321,
    cacheRead: 20_000,
    cacheWrite: 5_003,
    cacheWriteHour: 1_001,
    searchSize: 'high',
  },
];

const asSource = (usage: Usage): SourceUsage => ({
  input_tokens: usage.input,
  output_tokens: usage.output,
  cache_read_tokens: usage.cacheRead,
  cache_write_tokens: usage.cacheWrite,
  cache_write_1h_tokens: usage.cacheWriteHour,
});

describe('every model of the table', () => {
  test('costs what the source itself charges, to the nano that rounding up adds', () => {
    const wrong: string[] = [];
    for (const { provider, id, model } of MODELS) {
      for (const time of TIMES) {
        for (const usage of USAGES) {
          const theirs = calcPrice(asSource(usage), model, { providerId: id, timestamp: new Date(time) });
          const { price } = knownModel(provider, model);
          const ours = price === null ? null : costOf(price, usage, epochMillis(Date.parse(time)));
          // Their doubles are off by a few in the sixteenth digit, and prices finer than a pico-USD are rounded up.
          const nano = (theirs?.total_price ?? 0) * 1e9;
          const isEqual = ours !== null && Number(ours) - nano > -0.001 && Number(ours) - nano < 2 + usage.input * 1e-3;
          const isNotForUs = theirs !== null && theirs.model_price.output_mtok === undefined;
          if (!isEqual && !isNotForUs) wrong.push(`${provider}/${model} ${time}: ${ours} instead of ${nano}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(MODELS.length).toBeGreaterThan(1000);
  });
});

test.each([
  ['openai', 'gpt-4o-2024-08-06', 128_000, 16_384],
  ['openai', 'GPT-4o', 128_000, 16_384],
  ['azure', 'gpt-5-mini', 400_000, 128_000],
  ['anthropic', 'claude-sonnet-4-5-20250929', 200_000, null],
  ['fireworks_ai', 'deepseek-v3-0324', null, null],
  ['bedrock', 'us.anthropic.claude-haiku-4-5-20251001-v1:0', 200_000, null],
  ['gemini', 'gemini-2.5-flash', 1_048_576, 65_536],
])('%s/%s is known', (provider, model, window, longest) => {
  const known = knownModel(provider, model);
  expect(known.price).not.toBeNull();
  expect(known.maxOutputTokens).toBe(longest);
  if (window !== null) expect(known.maxInputTokens).toBe(window);
});

test.each([
  ['openai', 'my-own-model'],
  ['openai', 'gpt-4o-of-mine'],
  ['openai', 'whisper-1'],
  ['openai', 'text-moderation-latest'],
  ['nobody', 'gpt-4o'],
  ['constructor', 'gpt-4o'],
  ['openai', ''],
])('%s/%s has no price, rather than none to pay', (provider, model) => {
  expect(knownModel(provider, model).price).toBeNull();
});
