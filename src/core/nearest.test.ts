import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { editDistance, nearest } from './nearest.ts';

describe('editDistance', () => {
  test.each([
    ['', '', 0],
    ['abc', 'abc', 0],
    ['abc', 'abd', 1],
    ['abc', 'ab', 1],
    ['abc', 'acb', 1],
    ['timeout', 'tiemout', 1],
    ['kitten', 'sitting', 3],
  ])('%s and %s are %d apart', (a, b, distance) => {
    expect(editDistance(a, b, 10)).toBe(distance);
  });

  test('a distance beyond the limit is the limit and one', () => {
    expect(editDistance('abcdef', 'uvwxyz', 2)).toBe(3);
    expect(editDistance('a', 'abcdef', 2)).toBe(3);
  });

  test('the distance is the same in both directions, and 0 only for equal words', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        expect(editDistance(a, b, 20)).toBe(editDistance(b, a, 20));
        expect(editDistance(a, b, 20) === 0).toBe(a === b);
      }),
    );
  });
});

describe('nearest', () => {
  const keys = ['num_retries', 'timeout', 'stream_timeout', 'fallbacks', 'allowed_fails', 'order'];
  test.each([
    ['num_retrys', ['num_retries']],
    ['numRetries', ['num_retries']],
    ['tiemout', ['timeout']],
    ['fallback', ['fallbacks']],
    ['oder', ['order']],
    ['banana', []],
    ['', []],
  ])('%s means %j', (word, expected) => {
    expect(nearest(word, keys, 1)).toEqual(expected);
  });

  test('a word of any length is no trouble', () => {
    expect(nearest('x'.repeat(100_000), keys, 1)).toEqual([]);
  });

  test('the nearest stands first, names at one distance by their spelling, no more than asked for', () => {
    expect(nearest('gpt-4x', ['gpt-5y', 'gpt-4z', 'gpt-4', 'gpt-4a'], 3)).toEqual(['gpt-4', 'gpt-4a', 'gpt-4z']);
  });
});
