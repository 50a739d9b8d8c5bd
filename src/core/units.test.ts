import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { dollars, nanoUsd, picoUsd, usd } from './units.ts';

test.each([
  [0n, '0'],
  [1n, '0.000000001'],
  [15_250n, '0.00001525'],
  [1_000_000_000n, '1'],
  [12_340_000_000n, '12.34'],
  [-5n, '-0.000000005'],
  [9_007_199_254_740_993n, '9007199.254740993'],
])('%d nano-USD are %s US dollars', (sum, text) => {
  expect(usd(nanoUsd(sum))).toBe(text);
});

test('a sum is written with all its digits, and never with an exponent', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), (sum) => {
      const text = usd(nanoUsd(sum));
      expect(text).toMatch(/^-?\d+(\.\d*[1-9])?$/);
      const [whole = '', fraction = ''] = text.replace('-', '').split('.');
      const back = BigInt(whole) * 10n ** 9n + BigInt(fraction.padEnd(9, '0'));
      expect(text.startsWith('-') ? -back : back).toBe(sum);
    }),
  );
});

test('a price is shown as the decimal that it was', () => {
  expect([2_500_000, 125_000, 12_500, 1].map((pico) => dollars(picoUsd(pico)))).toEqual([
    0.0000025, 1.25e-7, 1.25e-8, 1e-12,
  ]);
});
