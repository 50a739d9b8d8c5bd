import { expect, test } from 'bun:test';
import { deploymentOf, snapshotOf } from '../../test/support/routing.ts';
import { NO_RATES, type Price } from '../core/price.ts';
import { nanoUsd, picoUsd } from '../core/units.ts';
import { NO_CONTROLS } from '../router/route.ts';
import { priceBoundOf } from './price-bound.ts';

/** A price for each token of the prompt and of the answer, pico-USD. */
function priceOf(input: number, output: number): Price {
  const base = { ...NO_RATES, input: picoUsd(input), output: picoUsd(output) };
  return { sheets: [{ when: null, standard: { base, tiers: [] }, flex: null, priority: null, batch: null }] };
}

const plain = { tags: [], routing: NO_CONTROLS };
const inferNothing = () => null;
const windows = { maxInputTokens: 100, maxOutputTokens: 10 };
const cheap = deploymentOf('cheap', { price: priceOf(1, 2), ...windows });
const dear = deploymentOf('dear', { price: priceOf(10, 3), ...windows, maxOutputTokens: 50 });
const unpriced = deploymentOf('unpriced', windows);

test('the bound of a model is the dearest of its group and of whatever it may fall back to', () => {
  const alone = snapshotOf([cheap, dear]);
  expect(priceBoundOf(alone, 'cheap', plain, inferNothing)).toMatchObject({ inputPicoUsd: 1, outputPicoUsd: 2 });
  const falling = snapshotOf([cheap, dear], { fallbacks: new Map([['cheap', ['dear']]]) });
  expect(priceBoundOf(falling, 'cheap', plain, inferNothing)).toMatchObject({
    ...{ inputPicoUsd: picoUsd(10), outputPicoUsd: picoUsd(3) },
    ...{ maxInputTokens: 100, maxOutputTokens: 50 },
  });
});

test.each([
  ['for context errors', { contextWindowFallbacks: new Map([['cheap', ['dear']]]) }],
  ['for content errors', { contentPolicyFallbacks: new Map([['cheap', ['dear']]]) }],
])('a chain %s counts too', (_, settings) => {
  const snapshot = snapshotOf([cheap, dear], settings);
  expect(priceBoundOf(snapshot, 'cheap', plain, inferNothing)?.inputPicoUsd).toBe(picoUsd(10));
});

test('fallbacks that the client brings count too', () => {
  const routing = { ...NO_CONTROLS, fallbacks: [{ model: 'dear', overrides: null }] };
  const snapshot = snapshotOf([cheap, dear]);
  expect(priceBoundOf(snapshot, 'cheap', { ...plain, routing }, inferNothing)?.inputPicoUsd).toBe(picoUsd(10));
});

test('a margin is in the bound, a discount is not', () => {
  const margin = { share: 500_000_000n, fixed: picoUsd(7_000) };
  const billing = {
    discounts: new Map([['openai', 900_000_000n]]),
    margins: new Map([['global', margin]]),
    assumed: null,
  };
  const snapshot = { ...snapshotOf([dear]), billing };
  expect(priceBoundOf(snapshot, 'dear', plain, inferNothing)).toMatchObject({
    ...{ inputPicoUsd: picoUsd(15), outputPicoUsd: picoUsd(5) },
    requestNanoUsd: nanoUsd(8n),
  });
});

test('nobody knows the bound of models without a price, nor of what nothing serves', () => {
  expect(priceBoundOf(snapshotOf([unpriced]), 'unpriced', plain, inferNothing)).toBeNull();
  expect(priceBoundOf(snapshotOf([cheap]), 'nothing', plain, inferNothing)).toBeNull();
});

test('what is assumed of models without a price bounds them', () => {
  const billing = { discounts: new Map(), margins: new Map(), assumed: priceOf(4, 5) };
  const snapshot = { ...snapshotOf([unpriced]), billing };
  expect(priceBoundOf(snapshot, 'unpriced', plain, inferNothing)).toMatchObject({ inputPicoUsd: 4, outputPicoUsd: 5 });
});

test('a window that one of them does not tell bounds nothing', () => {
  const open = deploymentOf('cheap-2', { group: 'cheap', price: priceOf(1, 1) });
  expect(priceBoundOf(snapshotOf([cheap, open]), 'cheap', plain, inferNothing)).toMatchObject({
    ...{ maxInputTokens: null, maxOutputTokens: null },
  });
});
