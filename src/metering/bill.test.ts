import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type BillingTerms, NO_TERMS } from '../core/price.ts';
import { epochMillis, nanoUsd, picoUsd } from '../core/units.ts';
import { NO_USAGE } from '../core/usage.ts';
import { billFor, type Consumption } from './bill.ts';
import { priceOf, shareOf } from './decimal.ts';
import { flatPrice } from './schedule.ts';

const PRICE = flatPrice({ input: picoUsd(1000), output: picoUsd(1000) });

/** A use of so many nano-USD at OpenAI. */
const use = (nano: number): Consumption => ({
  provider: 'openai',
  price: PRICE,
  usage: { ...NO_USAGE, input: nano },
  at: epochMillis(0),
});

const terms = (words: {
  discounts?: Record<string, number>;
  margins?: Record<string, { share: number; fixed: number }>;
}): BillingTerms => ({
  discounts: new Map(Object.entries(words.discounts ?? {}).map(([key, share]) => [key, shareOf(share)])),
  margins: new Map(
    Object.entries(words.margins ?? {}).map(([key, { share, fixed }]) => [
      key,
      { share: shareOf(share), fixed: priceOf(fixed) },
    ]),
  ),
  assumed: null,
});

describe('a bill', () => {
  test('is the cost itself without discount and margin', () => {
    expect(billFor(use(1234), NO_TERMS)).toEqual({ cost: { kind: 'known', total: nanoUsd(1234n) }, adjustment: null });
    const others = terms({ discounts: { azure: 0.5 }, margins: { azure: { share: 1, fixed: 1 } } });
    expect(billFor(use(1234), others).adjustment).toBeNull();
  });

  test.each<[string, Parameters<typeof terms>[0], bigint, bigint | null, bigint | null]>([
    // 1,000,001 × 0.05 = 50,000.05, rounded down.
    ['a discount', { discounts: { openai: 0.05 } }, 950_001n, 50_000n, null],
    // 1,000,001 × 0.1 = 100,000.1, rounded up.
    ['a margin', { margins: { openai: { share: 0.1, fixed: 0 } } }, 1_100_002n, null, 100_001n],
    ['a margin for all', { margins: { global: { share: 0.1, fixed: 0 } } }, 1_100_002n, null, 100_001n],
    [
      'a margin of its own instead of that for all',
      { margins: { global: { share: 0.1, fixed: 0 }, openai: { share: 0, fixed: 0 } } },
      1_000_001n,
      null,
      0n,
    ],
    // 0.001 US dollars are a million nano.
    ['an amount for each request', { margins: { openai: { share: 0, fixed: 0.001 } } }, 2_000_001n, null, 1_000_000n],
    // 950,001 × 0.1 + 1,000,000 = 1,095,000.1: the margin is on what the discount left.
    [
      'both',
      { discounts: { openai: 0.05 }, margins: { openai: { share: 0.1, fixed: 0.001 } } },
      2_045_002n,
      50_000n,
      1_095_001n,
    ],
    ['a discount of everything', { discounts: { openai: 1 } }, 0n, 1_000_001n, null],
  ])('with %s', (_name, words, total, discount, margin) => {
    const { cost, adjustment } = billFor(use(1_000_001), terms(words));
    expect(cost).toEqual({ kind: 'known', total: nanoUsd(total) });
    expect(adjustment?.original).toBe(nanoUsd(1_000_001n));
    expect(adjustment?.discount).toBe(discount === null ? null : nanoUsd(discount));
    expect(adjustment?.margin?.amount).toBe(margin === null ? undefined : nanoUsd(margin));
  });

  test('adds up to the last nano, and is never negative', () => {
    const part = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.nat(), part, part, part, (nano, discount, share, fixed) => {
        const words = { discounts: { openai: discount }, margins: { openai: { share, fixed } } };
        const { cost, adjustment } = billFor(use(nano), terms(words));
        if (cost.kind === 'unknown' || adjustment === null) throw new Error('not adjusted');
        const { original, discount: less, margin } = adjustment;
        expect(original - (less ?? 0n) + (margin?.amount ?? 0n)).toBe(cost.total as bigint);
        expect(cost.total >= 0n).toBe(true);
      }),
    );
  });
});

describe('an unknown price', () => {
  const unknown = { ...use(500), price: null };

  test('is not zero', () => {
    expect(billFor(unknown, NO_TERMS).cost).toEqual({ kind: 'unknown', assumed: nanoUsd(0n) });
  });

  test('is assumed to be what the operator said, without discount and margin', () => {
    const assumed = flatPrice({ input: picoUsd(2000), output: picoUsd(0) });
    const all = { ...terms({ discounts: { openai: 0.5 } }), assumed };
    expect(billFor(unknown, all)).toEqual({ cost: { kind: 'unknown', assumed: nanoUsd(1000n) }, adjustment: null });
  });

  test('is also that of an answer whose tokens nobody counted', () => {
    expect(billFor({ ...use(0), usage: null }, NO_TERMS).cost.kind).toBe('unknown');
  });
});
