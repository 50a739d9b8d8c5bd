import { describe, expect, test } from 'bun:test';
import { exampleHead } from '../../../test/support/anthropic-call.ts';
import { classify } from './errors.ts';

function outcome(status: number, body: string, headers: Readonly<Record<string, string>> = {}): unknown {
  return classify(exampleHead(status, headers), new TextEncoder().encode(body));
}

const error = (type: string, message: string, details?: object) =>
  JSON.stringify({ type: 'error', error: { type, message, ...(details ? { details } : {}) }, request_id: 'req_1' });

describe('an error answer', () => {
  test.each<[number, string, object]>([
    [400, error('invalid_request_error', 'max_tokens: required'), { kind: 'rejected', reason: 'invalid-request' }],
    [
      400,
      error('invalid_request_error', 'prompt is too long: 213462 tokens > 200000 maximum'),
      { kind: 'rejected', reason: 'context-window' },
    ],
    [
      400,
      error('invalid_request_error', 'input length and `max_tokens` exceed context limit: 1 + 2 > 3'),
      { kind: 'rejected', reason: 'context-window' },
    ],
    [
      400,
      error('invalid_request_error', 'Output blocked by content filtering policy'),
      { kind: 'rejected', reason: 'content-policy' },
    ],
    [
      400,
      error('invalid_request_error', 'Your credit balance is too low to access the Anthropic API.'),
      { kind: 'rejected', reason: 'payment' },
    ],
    [401, error('authentication_error', 'invalid x-api-key'), { kind: 'rejected', reason: 'credential' }],
    [402, error('billing_error', 'Pay first'), { kind: 'rejected', reason: 'payment' }],
    [403, error('permission_error', 'Not yours'), { kind: 'rejected', reason: 'credential' }],
    [404, error('not_found_error', 'model: claude-x'), { kind: 'rejected', reason: 'not-found' }],
    [408, error('timeout_error', 'Slow'), { kind: 'upstream-error' }],
    [409, error('conflict_error', 'Again'), { kind: 'upstream-error' }],
    [
      413,
      error('request_too_large', 'Request exceeds the maximum size'),
      { kind: 'rejected', reason: 'invalid-request' },
    ],
    [422, error('invalid_request_error', 'x'), { kind: 'rejected', reason: 'invalid-request' }],
    [429, error('rate_limit_error', 'Too fast'), { kind: 'rate-limited' }],
    [429, error('rate_limit_error', 'prompt is too long for your tier'), { kind: 'rate-limited' }], // never a context error
    [500, error('api_error', 'Internal server error'), { kind: 'upstream-error' }],
    [529, error('overloaded_error', 'Overloaded'), { kind: 'upstream-error' }],
    [302, '', { kind: 'upstream-error' }],
  ])('%i %s', (status, body, expected) => {
    expect(outcome(status, body)).toMatchObject({ ...expected, words: { status } });
  });

  test('keeps the provider’s words', () => {
    expect(outcome(429, error('rate_limit_error', 'Spent', { error_code: 'ramp_limit_exceeded' }))).toMatchObject({
      words: { status: 429, message: 'Spent', type: 'rate_limit_error', code: 'ramp_limit_exceeded', param: null },
    });
  });

  test('cut to a length that a log can bear', () => {
    expect(outcome(400, error('invalid_request_error', 'x'.repeat(9000)))).toMatchObject({
      words: { message: 'x'.repeat(4000) },
    });
  });

  test('without credentials in them', () => {
    expect(JSON.stringify(outcome(401, error('authentication_error', 'bad key sk-ant-api03-abcdef')))).not.toContain(
      'abcdef',
    );
  });

  test.each([
    ['<html>\n<h1>Bad gateway</h1></html>', 'Bad gateway'],
    ['', 'Bad Gateway'],
  ])('that is not JSON (%p) says what it can', (body, words) => {
    expect(outcome(502, body)).toMatchObject({
      kind: 'upstream-error',
      words: { message: expect.stringContaining(words) },
    });
  });
});

describe('the wait', () => {
  test.each<[string, number, Readonly<Record<string, string>>, number | null]>([
    ['in seconds', 429, { 'retry-after': '12' }, 12_000],
    ['of an overloaded service', 529, { 'retry-after': '3' }, 3000],
    [
      'until a limit refills',
      429,
      {
        date: 'Mon, 23 Nov 2026 02:00:00 GMT',
        'anthropic-ratelimit-requests-remaining': '0',
        'anthropic-ratelimit-requests-reset': '2026-11-23T02:00:30Z',
      },
      30_000,
    ],
    ['not said', 429, {}, null],
    ['on a fault that it does not belong to', 500, { 'retry-after': '12' }, null],
  ])('%s', (_, status, headers, retryAfter) => {
    expect(outcome(status, error('x', 'y'), headers)).toMatchObject({ retryAfter });
  });

  test('for a spent limit is long, since seconds do not help', () => {
    const body = error('rate_limit_error', 'This organization has reached its spend limit', {
      error_code: 'enforced_spend_limit_reached',
    });
    expect(outcome(429, body)).toMatchObject({ kind: 'rate-limited', retryAfter: 300_000 });
  });
});
