import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { dollars } from '../core/units.ts';
import { priceOf, shareOf } from './decimal.ts';

describe('priceOf', () => {
  test.each([
    [0, 0],
    [0.0000000125, 12_500],
    [1.5e-7, 150_000],
    [0.000003, 3_000_000],
    [0.0000375, 37_500_000],
    [0.1, 100_000_000_000],
    [12, 12_000_000_000_000],
    [9000, 9e15],
    // Finer than a pico-USD: never down to nothing.
    [1e-13, 1],
    [8.333333333333334e-8, 83_334],
    [5e-324, 1],
  ])('%d US dollars are %d pico-USD', (usd, pico) => {
    expect(Number(priceOf(usd))).toBe(pico);
  });

  test('is undone by `dollars`, digit by digit', () => {
    fc.assert(
      fc.property(fc.nat(999_999), fc.integer({ min: 6, max: 12 }), (digits, decimals) => {
        const usd = Number(`${digits}e-${decimals}`);
        expect(dollars(priceOf(usd))).toBe(usd);
      }),
    );
  });
});

test.each([
  [0.05, 50_000_000n],
  [0, 0n],
  [1, 1_000_000_000n],
  [0.1, 100_000_000n],
  [1 / 3, 333_333_334n],
])('a share of %d is exact', (fraction, billionths) => {
  expect(shareOf(fraction)).toBe(billionths);
});
