import { expect, test } from 'bun:test';
import { type Count, countLongest } from './count.ts';
import type { EncodingName, Measure } from './encoding.ts';

const counts = new Map<EncodingName, Count>([
  ['o200k_base', (text) => text.length],
  ['cl100k_base', (text) => text.length * 2],
]);
const O200K: Measure = { encoding: 'o200k_base', factor: 1 };
const CL100K: Measure = { encoding: 'cl100k_base', factor: 1 };
const OTHER: Measure = { encoding: 'o200k_base', factor: 0.8 };

const prompt = (text: string, tokens = 0) => ({ texts: [text], tokens });
const count = (prompts: Parameters<typeof countLongest>[0], measures: readonly Measure[], enough = 1_000_000) =>
  countLongest(prompts, measures, enough, counts);

test('texts and fixed tokens add up', () => {
  expect(count([{ texts: ['abc', 'de'], tokens: 7 }], [O200K])).toBe(12);
});

test('the longest prompt decides', () => {
  expect(count([prompt('abc'), prompt('abcde'), prompt('', 4)], [O200K])).toBe(5);
});

test('of several measures the least counts', () => {
  expect(count([prompt('abcde')], [CL100K])).toBe(10);
  expect(count([prompt('abcde')], [CL100K, OTHER])).toBe(4);
});

test('a count from below is rounded down', () => {
  expect(count([prompt('abcdef')], [OTHER])).toBe(4);
});

test('nothing to count is nothing', () => {
  expect([count([], [O200K]), count([prompt('abc')], [])]).toEqual([0, 0]);
});

test('beyond enough the rest is estimated, and not read', () => {
  let read = 0;
  const counting = new Map<EncodingName, Count>([
    [
      'o200k_base',
      (text) => {
        read += text.length;
        return text.length / 4;
      },
    ],
  ]);
  const text = 'word '.repeat(200_000);
  expect(countLongest([prompt(text)], [O200K], 8192, counting)).toBe(250_000);
  expect(read).toBeLessThan(100_000);
});
