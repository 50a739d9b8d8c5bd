import { expect, test } from 'bun:test';
import { millis } from '../core/units.ts';
import { errorOf, statusFor } from './failure.ts';

const said = (status: number) =>
  errorOf(
    {
      kind: 'upstream-error',
      retryAfter: null,
      words: { status, message: 'late', type: null, param: null, code: null },
    },
    'OpenAI',
  );

test.each([
  ['our own limit', errorOf({ kind: 'timeout', phase: 'first-byte', limit: millis(1000) }, 'OpenAI'), 504, 408],
  ["a provider's 408", said(408), 504, 408],
  ["a provider's 504", said(504), 504, 504],
])('%s as a status, in our profile and in that of LiteLLM', (_name, error, ours, litellms) => {
  expect([statusFor(error, 'tollgate'), statusFor(error, 'litellm-1.81')]).toEqual([ours, litellms]);
});

test('a redirect, which is never followed, is a wrong address and not a fault of the provider', () => {
  expect([said(302).kind, statusFor(said(302), 'tollgate')]).toEqual(['upstream-bad-gateway', 502]);
});
