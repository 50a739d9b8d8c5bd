/** What does it cost to bill one answer? */
import { NO_TERMS } from '../../src/core/price.ts';
import { epochMillis, usd } from '../../src/core/units.ts';
import { NO_USAGE, type Usage } from '../../src/core/usage.ts';
import { billFor, type Consumption } from '../../src/metering/bill.ts';
import { knownModel } from '../../src/metering/catalogue.ts';
import { compare, printMachine } from './compare.ts';

const AT = epochMillis(Date.parse('2026-11-20T12:00:00Z'));

/** Answers of different lengths, with a cache that was read and written. */
const USAGES: readonly Usage[] = Array.from({ length: 64 }, (_, index) => ({
  ...NO_USAGE,
  ...{
    input: 2000 + index,
    cacheRead: 1000,
    cacheWrite: 100,
    cacheWriteHour: index,
    output: 300 + index,
    reasoning: 20,
  },
}));

for (const [provider, model] of [
  ['openai', 'gpt-4o'],
  ['anthropic', 'claude-sonnet-4-5'],
  ['deepseek', 'deepseek-v4-flash'],
] as const) {
  const { price } = knownModel(provider, model);
  const consumptions: readonly Consumption[] = USAGES.map((usage) => ({ provider, price, usage, at: AT }));
  compare(`${provider}/${model}:`, [
    {
      name: 'bill',
      run: (times) => repeat(times, (index) => costText(consumptions[index % 64] as Consumption).length),
    },
    {
      name: 'tokens times a float (the floor)',
      run: (times) => repeat(times, (index) => floor(USAGES[index % 64] as Usage)),
    },
  ]);
}
printMachine();

function costText(consumption: Consumption): string {
  const { cost } = billFor(consumption, NO_TERMS);
  return cost.kind === 'known' ? usd(cost.total) : '';
}

function floor({ input, output }: Usage): number {
  return String(input * 0.0000025 + output * 0.00001).length;
}

function repeat(times: number, run: (index: number) => number): number {
  let sum = 0;
  for (let index = 0; index < times; index++) sum += run(index);
  return sum;
}
