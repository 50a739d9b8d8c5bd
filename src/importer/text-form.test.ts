import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { BadValue, booleanOf, integerOf, nanoOf, objectOf, timeOf, wordsOf } from './text-form.ts';

describe('amounts', () => {
  test.each([
    ['0', 0n],
    ['12.5', 12_500_000_000n],
    ['1e-07', 100n],
    ['0.1', 100_000_000n],
    ['12.345678901', 12_345_678_901n],
    // What is finer than a nano-dollar goes to the nearest one.
    ['0.0000000014', 1n],
    ['0.0000000016', 2n],
    ['-0.0000000016', -2n],
    ['3e+09', 3_000_000_000_000_000_000n],
    // A double of Python's that is a sum of many: taken by its digits.
    ['0.30000000000000004', 300_000_000n],
  ])('%s dollars are %p nano-dollars', (text, nano) => {
    expect<bigint>(nanoOf(text)).toBe(nano);
  });

  test.each(['NaN', 'Infinity', '', 'x', '1,5', '1e+30'])('%p is none', (text) => {
    expect(() => nanoOf(text)).toThrow(BadValue);
  });
});

test('whole numbers are exact or none', () => {
  expect(integerOf('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
  for (const text of ['9007199254740992', '1.5', '', 'x']) expect(() => integerOf(text)).toThrow(BadValue);
});

test('truth is read as COPY and as a cast write it', () => {
  expect(['t', 'true', 'f', 'false'].map(booleanOf)).toEqual([true, true, false, false]);
});

test.each([
  ['2026-11-01 00:00:00', '2026-11-01T00:00:00.000Z'],
  ['2026-11-01 10:20:30.123', '2026-11-01T10:20:30.123Z'],
  ['2026-11-01 10:20:30.5+02', '2026-11-01T08:20:30.500Z'],
])('the time %s is %s', (text, iso) => {
  expect(timeOf(text).toISOString()).toBe(iso);
});

test('an object is read also when it is text inside JSON', () => {
  expect(objectOf('{"a":1}')).toEqual({ a: 1 });
  expect(objectOf(JSON.stringify('{"a":1}'))).toEqual({ a: 1 });
  for (const text of ['[]', 'null', '{', '1']) expect(() => objectOf(text)).toThrow(BadValue);
});

describe('lists', () => {
  test.each([
    ['{}', []],
    ['{gpt-4o,"openai/*"}', ['gpt-4o', 'openai/*']],
    ['{"a, b","c\\"d","e\\\\f",NULL,"NULL"}', ['a, b', 'c"d', 'e\\f', 'NULL']],
  ])('%s is read', (text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });

  test('of any words come back as they were quoted', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        const text = `{${words.map((word) => `"${word.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
        expect(wordsOf(text)).toEqual(words);
      }),
    );
  });
});
