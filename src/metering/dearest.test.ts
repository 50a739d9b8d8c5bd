import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { epochMillis, picoUsd } from '../core/units.ts';
import { NO_USAGE, type ServiceTier, type Usage } from '../core/usage.ts';
import { knownModel } from './catalogue.ts';
import { costOf } from './cost.ts';
import { dearest } from './dearest.ts';
import { flatPrice } from './schedule.ts';

const MODELS = [
  ['openai', 'gpt-5'],
  ['openai', 'gpt-4o-audio-preview'],
  ['anthropic', 'claude-sonnet-4-5'],
  ['deepseek', 'deepseek-v4-flash'],
  ['perplexity', 'sonar-pro'],
  ['gemini', 'gemini-2.5-pro'],
] as const;

const TIERS: readonly ServiceTier[] = ['standard', 'flex', 'priority', 'batch'];
const COUNT = fc.nat(400_000);
const USAGE: fc.Arbitrary<Usage> = fc
  .record({ counts: fc.array(COUNT, { minLength: 11, maxLength: 11 }), serviceTier: fc.constantFrom(...TIERS) })
  .map(({ counts, serviceTier }) => {
    const kinds = Object.keys(NO_USAGE).filter((kind) => typeof NO_USAGE[kind as keyof Usage] === 'number');
    const tokens = kinds.filter((kind) => kind !== 'webSearches');
    const some = Object.fromEntries(tokens.map((kind, index) => [kind, counts[index] ?? 0]));
    return { ...NO_USAGE, ...some, serviceTier, searchSize: 'high' };
  });

test('no usage costs more than its tokens at the dearest rates', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...MODELS),
      USAGE,
      fc.date({ noInvalidDate: true }),
      ([provider, model], usage, time) => {
        const { price } = knownModel(provider, model);
        if (price === null) throw new Error(`${model} has no price`);
        const { input, output, request } = dearest(price);
        const cost = costOf(price, usage, epochMillis(Math.max(0, time.getTime()))) ?? 0n;
        const bound = BigInt(usage.input) * BigInt(input ?? 0) + BigInt(usage.output) * BigInt(output ?? 0);
        expect((cost - 1n) * 1000n < bound + BigInt(request)).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

test('what has no price has no bound', () => {
  expect(dearest(flatPrice({ input: picoUsd(5) }))).toEqual({ input: picoUsd(5), output: null, request: picoUsd(0) });
});
