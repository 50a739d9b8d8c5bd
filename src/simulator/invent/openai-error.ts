import type { HeaderPair } from '../../core/http.ts';
import type { JsonObject } from '../../core/json.ts';
import { DEFAULT_WAIT, type ErrorContext, type FailureName, retryHeaders } from '../failure.ts';

/** The `error` member of an OpenAI error (openai.md §8; recordings `openai/error-*`). */
export function openAiError(name: FailureName, context: ErrorContext): JsonObject {
  const [type, code, message, param] = openAiWords(name, context);
  return { message: context.message ?? message, type, param: context.param ?? param ?? null, code };
}

type OpenAiWords = readonly [type: string | null, code: string | null, message: string, param?: string];

function openAiWords(name: FailureName, context: ErrorContext): OpenAiWords {
  const invalid = 'invalid_request_error';
  const wait = ((context.retryAfter ?? DEFAULT_WAIT) / 1000).toString();
  switch (name) {
    case 'invalid-request':
      return [invalid, 'invalid_value', 'Invalid value in the request.'];
    case 'context-length':
      return [
        invalid,
        'context_length_exceeded',
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. Please reduce the length of the messages.",
        'messages',
      ];
    case 'content-filter':
      return [
        invalid,
        'content_policy_violation',
        'Your request was rejected as a result of our safety system. Your prompt may contain text that is not allowed by our safety system.',
      ];
    case 'missing-key':
      return [
        invalid,
        null,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the API from your browser and are prompted for a username and password. You can obtain an API key from https://platform.openai.com/account/api-keys.",
      ];
    case 'invalid-key':
      return [
        invalid,
        'invalid_api_key',
        `Incorrect API key provided: ${masked(context.credential)}. You can find your API key at https://platform.openai.com/account/api-keys.`,
      ];
    case 'billing':
      return [
        'billing_error',
        'billing_not_active',
        'Your account is not active, please check your billing details on our website.',
      ];
    case 'forbidden':
      return [invalid, null, 'You are not allowed to sample from this model'];
    case 'model-not-found':
      return [
        invalid,
        'model_not_found',
        `The model \`${context.model}\` does not exist or you do not have access to it.`,
      ];
    case 'unknown-path':
      return [invalid, null, 'Invalid URL'];
    case 'timeout':
      return ['timeout', null, 'Request timed out.'];
    case 'conflict':
      return ['conflict_error', null, 'The request conflicts with another request. Please try again.'];
    case 'too-large':
      return [invalid, 'request_too_large', 'Request body is too large.'];
    case 'unprocessable':
      return [invalid, null, 'The request was well formed but could not be processed.'];
    case 'rate-limit':
      return [
        'tokens',
        'rate_limit_exceeded',
        `Rate limit reached for ${context.model} in organization org-simulated on tokens per min (TPM): Limit 10000, Used 10000, Requested 20. Please try again in ${wait}s. Visit https://platform.openai.com/account/rate-limits to learn more.`,
      ];
    case 'insufficient-quota':
      return [
        'insufficient_quota',
        'insufficient_quota',
        'You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.',
      ];
    case 'server-error':
      return [
        'server_error',
        null,
        `The server had an error processing your request. Sorry about that! You can retry your request, or contact us through our help center at help.openai.com if you keep seeing this error. (Please include the request ID ${context.requestId} in your email.)`,
      ];
    case 'bad-gateway':
    case 'gateway-timeout':
      return ['server_error', null, 'The upstream server did not answer.'];
    case 'unavailable':
      return ['server_error', null, 'The engine is currently overloaded, please try again later'];
    case 'overloaded':
      return ['service_unavailable_error', 'server_is_overloaded', 'The server is overloaded, please try again later'];
  }
}

/** Headers of an OpenAI error; a rate limit brings its limits. */
export function openAiHeaders(name: FailureName, context: ErrorContext): HeaderPair[] {
  const isLimit = name === 'rate-limit';
  const wait = `${(context.retryAfter ?? DEFAULT_WAIT) / 1000}s`;
  const limits: HeaderPair[] = [
    ['x-ratelimit-limit-requests', '60'],
    ['x-ratelimit-limit-tokens', '10000'],
    ['x-ratelimit-remaining-requests', '59'],
    ['x-ratelimit-remaining-tokens', '0'],
    ['x-ratelimit-reset-requests', '1s'],
    ['x-ratelimit-reset-tokens', wait],
  ];
  return [['x-request-id', context.requestId], ...retryHeaders(context, isLimit), ...(isLimit ? limits : [])];
}

/** A key as OpenAI repeats it in its 401: ends kept, the middle starred. */
function masked(credential: string | null): string {
  const key = credential ?? '';
  if (key.length <= 8) return '*'.repeat(Math.max(4, key.length));
  return `${key.slice(0, 4)}${'*'.repeat(Math.min(40, key.length - 8))}${key.slice(-4)}`;
}
