import { describe, expect, test } from 'bun:test';
import { testHead } from '../../test/support/openai-call.ts';
import { millis } from '../core/units.ts';
import { goDuration, retryAfterIn } from './retry-after.ts';

const DATE = 'Wed, 19 Aug 2026 14:34:22 GMT';
const NOW = 1_787_150_062_000;

describe('the wait that a provider asks for', () => {
  const rows: readonly (readonly [string, Readonly<Record<string, string>>, string, number | null])[] = [
    ['milliseconds win over seconds', { 'retry-after-ms': '250.5', 'retry-after': '9' }, '', 250.5],
    // Azure, recorded 2026: `retry-after-ms: 0` beside `retry-after: 1`.
    ['zero milliseconds say nothing', { 'retry-after-ms': '0', 'retry-after': '1' }, '', 1000],
    ['fractions of seconds', { 'retry-after': '1.5' }, '', 1500],
    [
      "an HTTP date counts from the answer's own date",
      { date: DATE, 'retry-after': 'Wed, 19 Aug 2026 14:34:52 GMT' },
      '',
      30_000,
    ],
    ['an HTTP date without a date header is ignored', { 'retry-after': 'Wed, 19 Aug 2026 14:34:52 GMT' }, '', null],
    ['a date that has passed says nothing', { date: DATE, 'retry-after': 'Wed, 19 Aug 2026 14:34:02 GMT' }, '', null],
    ['words that are no number', { 'retry-after': 'soon' }, '', null],
    ['a negative number', { 'retry-after': '-5' }, '', null],
    ['an endless wait is cut to a day', { 'retry-after': '99999999' }, '', 86_400_000],
    ['a used-up limit', { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '6m0s' }, '', 360_000],
    [
      'a limit with something left says nothing',
      { 'x-ratelimit-remaining-requests': '3', 'x-ratelimit-reset-requests': '9s' },
      '',
      null,
    ],
    [
      'the longest of two used-up limits',
      {
        'x-ratelimit-remaining-tokens': '0',
        'x-ratelimit-reset-tokens': '120ms',
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-requests': '7.66s',
      },
      '',
      7660,
    ],
    [
      'Anthropic RFC 3339',
      {
        date: DATE,
        'anthropic-ratelimit-tokens-remaining': '0',
        'anthropic-ratelimit-tokens-reset': '2026-08-19T14:34:42Z',
      },
      '',
      20_000,
    ],
    [
      'OpenRouter epoch milliseconds',
      { date: DATE, 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW + 4000) },
      '',
      4000,
    ],
    ['Azure words', {}, 'Please retry after 26 seconds.', 26_000],
    ['OpenAI words', {}, 'Please try again in 1.2s. Visit …', 1200],
    ['OpenAI words with minutes', {}, 'Please try again in 6m0s.', 360_000],
    ['OpenAI words with milliseconds', {}, 'Please try again in 20ms.', 20],
    ['the header wins over the words', { 'retry-after': '3' }, 'Please try again in 20ms.', 3000],
    ['nothing at all', {}, 'Slow down', null],
  ];
  test.each(rows)('%s', (_name, headers, message, expected) => {
    expect(retryAfterIn(testHead(429, headers), message)).toBe(expected === null ? null : millis(expected));
  });

  test('a Google retryDelay comes after the headers', () => {
    expect(retryAfterIn(testHead(429), '', '48s')).toBe(millis(48_000));
    expect(retryAfterIn(testHead(429, { 'retry-after': '2' }), '', '48s')).toBe(millis(2000));
  });
});

test.each([
  ['1s', 1000],
  ['6m0s', 360_000],
  ['7.66s', 7660],
  ['120ms', 120],
  ['1h42m14.4s', 6_134_400],
  ['1h2m3.5s', 3_723_500],
  ['', null],
  ['12', null],
  ['s', null],
  ['1s 2s', null],
] as const)('the duration %p is %p milliseconds', (text, expected) => {
  expect(goDuration(text)).toBe(expected);
});
