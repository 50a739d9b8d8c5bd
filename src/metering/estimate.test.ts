import { describe, expect, test } from 'bun:test';
import type { RequestSize } from '../core/request-size.ts';
import { nanoUsd, picoUsd } from '../core/units.ts';
import { estimate, likelyTokens, type PriceBound } from './estimate.ts';

/** $2.50 and $10 for a million tokens. */
const PRICE: PriceBound = {
  inputPicoUsd: picoUsd(2_500_000),
  outputPicoUsd: picoUsd(10_000_000),
  requestNanoUsd: nanoUsd(0n),
  maxInputTokens: 128_000,
  maxOutputTokens: 16_384,
};

const SIZE: RequestSize = {
  textBytes: 9000,
  mediaBytes: 0,
  pictures: 0,
  documents: 0,
  output: { kind: 'declared', tokens: 100, choices: 1 },
};

describe('the most that a request may cost', () => {
  test.each<[string, Partial<RequestSize>, Partial<PriceBound>, bigint, 'bound' | 'guess']>([
    // 10,000 × 2,500 + 100 × 10,000 nano-USD: with the thousand that providers put in front.
    ['a token a byte, and max_tokens', {}, {}, 26_000_000n, 'bound'],
    ['each choice is an answer', { output: { kind: 'declared', tokens: 100, choices: 3 } }, {}, 28_000_000n, 'bound'],
    [
      'no answer is longer than the model makes them',
      { output: { kind: 'declared', tokens: 1_000_000, choices: 1 } },
      {},
      188_840_000n,
      'bound',
    ],
    ['undeclared, the model’s maximum', { output: { kind: 'undeclared', choices: 1 } }, {}, 188_840_000n, 'guess'],
    [
      'undeclared, of a model nobody knows',
      { output: { kind: 'undeclared', choices: 1 } },
      { maxOutputTokens: null },
      188_840_000n,
      'guess',
    ],
    ['an embedding has no answer', { output: { kind: 'none' } }, {}, 25_000_000n, 'bound'],
    ['no prompt is longer than the window', { textBytes: 10_000_000 }, {}, 321_000_000n, 'bound'],
    ['where that is known', { textBytes: 999_000 }, { maxInputTokens: null }, 2_501_000_000n, 'bound'],
    ['a picture counts for itself and its bytes', { pictures: 1, mediaBytes: 1000 }, {}, 128_500_000n, 'bound'],
    ['a file may fill the window', { documents: 1, mediaBytes: 10 }, {}, 321_000_000n, 'bound'],
    ['a price for the request itself joins', {}, { requestNanoUsd: nanoUsd(7n) }, 26_000_007n, 'bound'],
    [
      'parts of a nano-USD are rounded up, once',
      { textBytes: 1, output: { kind: 'declared', tokens: 1, choices: 1 } },
      { inputPicoUsd: picoUsd(1), outputPicoUsd: picoUsd(1) },
      2n,
      'bound',
    ],
  ])('%s', (_name, size, price, cost, kind) => {
    expect(estimate({ ...SIZE, ...size }, { ...PRICE, ...price })).toEqual({ cost: nanoUsd(cost), kind });
  });
});

test('limits count what is likely: four bytes a token, no media, and only what the client declared', () => {
  expect(likelyTokens({ ...SIZE, mediaBytes: 1_000_000, pictures: 1 })).toBe(2350);
  expect(likelyTokens({ ...SIZE, output: { kind: 'undeclared', choices: 4 } })).toBe(2250);
});
