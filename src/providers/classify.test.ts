import { describe, expect, test } from 'bun:test';
import { testHead } from '../../test/support/openai-call.ts';
import type { Failure } from '../core/outcome.ts';
import { millis } from '../core/units.ts';
import { classifyObject, classifyReply, QUOTA_WAIT } from './classify.ts';

function classify(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Failure {
  return classifyReply(testHead(status, headers), Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
}

function kindOf(failure: Failure): string {
  return failure.kind === 'rejected' ? failure.reason : failure.kind;
}

function messageOf(failure: Failure): string {
  return 'words' in failure ? failure.words.message : '';
}

const error = (message: string, more: object = {}) => ({
  error: { message, type: null, param: null, code: null, ...more },
});

describe('what an error answer means', () => {
  const rows: readonly (readonly [string, number, unknown, string])[] = [
    ['a plain 400', 400, error('Bad value', { type: 'invalid_request_error' }), 'invalid-request'],
    ['a refused key', 401, error('Incorrect API key provided: sk-a****b'), 'credential'],
    [
      'a refused key as 400 (xAI)',
      400,
      { code: 'Client specified an invalid argument', error: 'Incorrect API key provided: xa***zz.' },
      'credential',
    ],
    ['no money', 402, error('Insufficient credits', { code: 402 }), 'payment'],
    ['not allowed', 403, error('You may not sample from this model'), 'credential'],
    [
      'flagged input as 403 (OpenRouter)',
      403,
      error('This model requires moderation and your input was flagged'),
      'content-policy',
    ],
    ['an unknown path', 404, error('Resource not found', { code: '404' }), 'not-found'],
    [
      'an unknown model as 400',
      400,
      error("The requested model 'x' does not exist.", { code: 'model_not_found' }),
      'not-found',
    ],
    ['an unknown Azure deployment', 404, error('Deployment missing', { code: 'DeploymentNotFound' }), 'not-found'],
    ['a slow upstream', 408, error('Timed out'), 'upstream-error'],
    ['a conflict', 409, error('Lock'), 'upstream-error'],
    ['a body too large', 413, error('Body too large'), 'invalid-request'],
    ['a prompt too long as 413', 413, error('prompt is too long: 3 tokens > 2 maximum'), 'context-window'],
    [
      'an unknown member (Mistral)',
      422,
      { detail: [{ loc: ['body', 'store'], msg: 'Extra inputs are not permitted', input: 'my rate limit text' }] },
      'invalid-request',
    ],
    ['a failed dependency (Azure)', 424, error('Dependency'), 'upstream-error'],
    ['too many requests', 429, error('Slow down'), 'rate-limited'],
    [
      'a 429 that speaks of the context length stays one',
      429,
      error("This model's maximum context length is 10 tokens"),
      'rate-limited',
    ],
    ['a 500 that speaks of the context length stays one', 500, error('prompt is too long'), 'upstream-error'],
    ['a 500 for content stays one', 500, error('The model produced invalid content.'), 'upstream-error'],
    ['a 503 that is throttling', 503, error('Too many requests, throttled'), 'rate-limited'],
    ['overload', 503, error('The engine is currently overloaded'), 'upstream-error'],
    ['Anthropic overload', 529, error('Overloaded'), 'upstream-error'],
    ['a redirect is not followed', 302, '', 'upstream-error'],
    [
      'a quoted word is no rate limit',
      400,
      error("Invalid value 'rate limit' for tools[0]", { type: 'invalid_request_error' }),
      'invalid-request',
    ],
    ['context by code alone', 400, error('Too long', { code: 'context_length_exceeded' }), 'context-window'],
    ['context by type alone (Perplexity)', 400, error('Refused', { type: 'too_many_prompt_tokens' }), 'context-window'],
    [
      'a metadata value too long is no context window',
      400,
      error('Invalid metadata: string too long. Expected a string with maximum length 512', { param: 'metadata.a' }),
      'invalid-request',
    ],
    [
      'a message too long is one',
      400,
      error('Invalid input: string too long. Expected a string with maximum length 1048576', {
        param: 'messages[0].content',
      }),
      'context-window',
    ],
    [
      'too many tools is no context window',
      400,
      error('The number of tools exceeds the limit of 128'),
      'invalid-request',
    ],
    ['filtered by Azure', 400, error('The response was filtered', { code: 'content_filter' }), 'content-policy'],
    [
      'filtered by Azure, told by the inner error',
      400,
      error('No', { innererror: { code: 'ResponsibleAIPolicyViolation' } }),
      'content-policy',
    ],
    [
      'a failed filter is not a policy',
      400,
      error('Filter failed', { code: 'content_filter_error' }),
      'invalid-request',
    ],
    ['a safety system', 400, error('Your task failed as a result of our safety system.'), 'content-policy'],
  ];
  test.each(rows)('%s', (_name, status, body, expected) => {
    expect(kindOf(classify(status, body))).toBe(expected);
  });

  test.each([
    'Input exceeds context limit'.replace('exceeds', 'exceed'),
    "This endpoint's maximum context length is 200000 tokens",
    'Current length is 9000 while limit is 8192',
    'Your input exceeds the context window of this model',
    'Input is too long for requested model',
    'The input token count (9) exceeds the maximum number of tokens allowed (8)',
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens",
    'Please reduce the length of the messages or completion',
    'the request exceeds the available context size',
    'number of tokens to keep is greater than the context length',
    'prompt token count of 130000 exceeds the limit of 128000',
    'invalid params, context window exceeds limit',
    'Invalid request: Your request exceeded model token limit: 8192',
    'Input Tokens Exceeded',
  ])('%p is a context window', (message) => {
    expect(kindOf(classify(400, error(message)))).toBe('context-window');
  });
});

describe('the wait', () => {
  test('comes with a rate limit', () => {
    expect(classify(429, error('Slow down'), { 'retry-after': '7' })).toMatchObject({ retryAfter: millis(7000) });
  });
  test('comes with an overload', () => {
    expect(classify(503, error('Overloaded'), { 'retry-after': '7' })).toMatchObject({ retryAfter: millis(7000) });
  });
  test('is ignored on other errors', () => {
    expect(classify(500, error('Oops'), { 'retry-after': '7' })).toMatchObject({ retryAfter: null });
  });
  test('is long when the quota is used up, whatever the header says', () => {
    const quota = error('You exceeded your current quota', { type: 'insufficient_quota', code: 'insufficient_quota' });
    expect(classify(429, quota, { 'retry-after': '1' })).toMatchObject({
      kind: 'rate-limited',
      retryAfter: QUOTA_WAIT,
    });
  });
  test("is Google's when only the body names one", () => {
    const body = [{ error: { code: 429, message: 'Quota', details: [{ retryDelay: '48s' }] } }];
    expect(classify(429, body)).toMatchObject({ kind: 'rate-limited', retryAfter: millis(48_000) });
  });
});

describe("the provider's words", () => {
  const rows: readonly (readonly [string, unknown, object])[] = [
    [
      'OpenAI',
      error('No', { type: 'invalid_request_error', param: 'messages', code: 'empty_array' }),
      { message: 'No', type: 'invalid_request_error', param: 'messages', code: 'empty_array' },
    ],
    ['a numeric code', error('No', { code: 400 }), { message: 'No', code: '400', type: null }],
    ['xAI', { code: 'A sentence', error: 'No' }, { message: 'No', code: 'A sentence' }],
    ['Ollama', { error: 'No' }, { message: 'No', code: null }],
    [
      'a message that is an object (Mistral)',
      {
        object: 'error',
        message: { detail: [{ loc: ['body', 'store'], msg: 'Extra', input: 'prompt' }] },
        type: 'invalid_request_error',
        code: null,
      },
      { message: 'body.store: Extra', type: 'invalid_request_error' },
    ],
    [
      'old vLLM',
      { object: 'error', message: 'No', type: 'BadRequestError', code: 400 },
      { message: 'No', type: 'BadRequestError', code: '400' },
    ],
    ['FastAPI text', { detail: 'No' }, { message: 'No' }],
    [
      'FastAPI list',
      {
        detail: [
          { loc: ['body', 'a'], msg: 'Bad' },
          { loc: ['body', 'b'], msg: 'Worse' },
        ],
      },
      { message: 'body.a: Bad; body.b: Worse' },
    ],
    ['Cloudflare', { success: false, errors: [{ code: 3043, message: 'No' }] }, { message: 'No', code: '3043' }],
    [
      'a list around it (Gemini)',
      [error('No', { status: 'INVALID_ARGUMENT', code: 400 })],
      { message: 'No', type: 'INVALID_ARGUMENT' },
    ],
    [
      'OpenRouter with the inner words',
      error('Provider returned error', { code: 400, metadata: { raw: 'Upstream words' } }),
      { message: 'Provider returned error: Upstream words' },
    ],
    ['an empty body', '', { message: 'Bad Request' }],
    ['an empty object', {}, { message: 'Bad Request' }],
    [
      'HTML',
      '<html><head><style>b{}</style><title>400 Bad</title></head><body><h1>Bad\n thing</h1></body></html>',
      { message: 'Bad Request: 400 Bad Bad thing' },
    ],
    ['plain text', 'no healthy upstream', { message: 'Bad Request: no healthy upstream' }],
  ];
  test.each(rows)('of %s', (_name, body, expected) => {
    const failure = classify(400, body);
    expect('words' in failure ? failure.words : null).toMatchObject({ status: 400, ...expected });
  });

  test.each([
    'Incorrect API key provided: sk-proj-abc****wxyz.',
    'Incorrect API key provided: <not-a-r****key>.',
    'Your api key: ****-key is invalid',
    'key sk-abcdefghijklmnop refused',
    'Rate limit reached in organization org-abcdef123456',
  ])('carry no credential and no account: %p', (message) => {
    const text = messageOf(classify(401, error(message)));
    expect(text).toContain('[redacted]');
    expect(text).not.toMatch(/\*|abc/);
  });

  test('nested without end are no reason to fail', () => {
    const body = `{"error":{"message":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`;
    expect(classify(400, body)).toMatchObject({ kind: 'rejected' });
  });

  test('are bounded', () => {
    expect(messageOf(classify(400, error('x'.repeat(1e5)))).length).toBeLessThanOrEqual(4000);
  });
});

describe('an error inside a 200', () => {
  const rows: readonly (readonly [string, Parameters<typeof classifyObject>[0], string, number])[] = [
    ['names its status as code', { error: { code: 502, message: 'No' } }, 'upstream-error', 502],
    ['names its status as text', { error: { code: '429', message: 'No' } }, 'rate-limited', 429],
    [
      'names it as status_code (Groq)',
      { error: { message: 'No', code: 'tool_use_failed', status_code: 400 } },
      'invalid-request',
      400,
    ],
    ['implies it by its type', { error: { message: 'No', type: 'rate_limit_error' } }, 'rate-limited', 429],
    ['implies a bad request', { error: { message: 'No', type: 'invalid_request_error' } }, 'invalid-request', 400],
    ['implies it by its code', { error: { message: 'No', code: 'context_length_exceeded' } }, 'context-window', 400],
    ['is overload', { error: { message: 'No', type: 'overloaded_error' } }, 'upstream-error', 503],
    ['says nothing', { error: { message: 'No' } }, 'upstream-error', 500],
    ['is text only', { error: 'No' }, 'upstream-error', 500],
    ['is MiniMax', { base_resp: { status_code: 1004, status_msg: 'No' } }, 'upstream-error', 500],
  ];
  test.each(rows)('%s', (_name, body, kind, status) => {
    const failure = classifyObject(body);
    expect(kindOf(failure)).toBe(kind);
    expect('words' in failure ? failure.words : null).toMatchObject({ status, message: 'No' });
  });
});
