import { describe, expect, test } from 'bun:test';
import { millis, seconds } from '../core/units.ts';
import { backoff, jitter, retryDelay } from './backoff.ts';

const LITELLM = { base: millis(500), factor: 2, max: seconds(8), jitter: millis(750) };
const BRIEF = { base: seconds(2), factor: 2, max: seconds(8), jitter: millis(0) };

describe('delays before a return', () => {
  test.each([
    ["LiteLLM's", LITELLM, [500, 1000, 2000, 4000, 8000, 8000]],
    ["the brief's", BRIEF, [2000, 4000, 8000, 8000]],
    ['a constant one', { ...BRIEF, factor: 1 }, [2000, 2000]],
  ])('%s schedule', (_name, schedule, expected) => {
    expect(expected.map((_, returns): number => backoff(schedule, returns))).toEqual(expected);
  });

  test('a thousand returns do not overflow', () => {
    expect(backoff(LITELLM, 10_000)).toBe(seconds(8));
  });

  test.each([
    ['nothing asked', null, 0, 500],
    ['asked, at once', 2000, 0, 2000],
    ['asked, part of it gone by', 2000, 1500, 500],
    ['asked, all of it gone by', 2000, 5000, 0],
    ['a minute', 60_000, 0, 60_000],
    ['more than a minute', 60_001, 0, 500],
    ['nonsense', Number.NaN, 0, 500],
    ['the past', -5, 0, 500],
  ])('Retry-After: %s', (_name, asked, gone, expected) => {
    const failed = { retryAfter: asked === null ? null : millis(asked), endedAt: seconds(100) };
    expect(retryDelay(LITELLM, 0, failed, millis(100_000 + gone))).toBe(millis(expected));
  });

  test('the random addition stays below its bound, and does not draw where there is none', () => {
    expect(jitter(LITELLM, () => 0.5)).toBe(millis(375));
    const forbidden = () => {
      throw new Error('drawn');
    };
    expect(jitter(BRIEF, forbidden)).toBe(millis(0));
  });
});
