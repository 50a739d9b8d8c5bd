import type { HeaderPair } from '../../core/http.ts';
import type { JsonObject } from '../../core/json.ts';
import { DEFAULT_WAIT, type ErrorContext, type FailureName, retryHeaders } from '../failure.ts';

/** An Anthropic error body (anthropic.md §10; recordings `anthropic/error-*`). */
export function anthropicError(name: FailureName, context: ErrorContext): JsonObject {
  const [type, message] = anthropicWords(name, context);
  return { type: 'error', error: { type, message: context.message ?? message }, request_id: context.requestId };
}

function anthropicWords(name: FailureName, context: ErrorContext): readonly [type: string, message: string] {
  switch (name) {
    case 'invalid-request':
      return ['invalid_request_error', 'messages: Invalid value'];
    case 'context-length':
      return ['invalid_request_error', 'prompt is too long: 213462 tokens > 200000 maximum'];
    case 'content-filter':
      return ['invalid_request_error', 'Output blocked by content filtering policy'];
    case 'missing-key':
      return ['authentication_error', 'x-api-key header is required'];
    case 'invalid-key':
      return ['authentication_error', 'invalid x-api-key'];
    case 'billing':
      return [
        'billing_error',
        'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
      ];
    case 'forbidden':
      return ['permission_error', 'Your API key does not have permission to use the specified resource.'];
    case 'model-not-found':
      return ['not_found_error', `model: ${context.model}`];
    case 'unknown-path':
      return ['not_found_error', 'Not Found'];
    case 'timeout':
    case 'gateway-timeout':
      return ['timeout_error', 'Request timed out'];
    case 'conflict':
      return ['conflict_error', 'Conflict'];
    case 'too-large':
      return ['request_too_large', 'Request exceeds the maximum size'];
    case 'unprocessable':
      return ['invalid_request_error', 'The request could not be processed'];
    case 'rate-limit':
      return ['rate_limit_error', "This request would exceed your account's rate limit. Please try again later."];
    case 'insufficient-quota':
      return [
        'rate_limit_error',
        'This request would exceed the monthly spend limit of your organization. You can raise it in the Console.',
      ];
    case 'server-error':
    case 'bad-gateway':
      return ['api_error', 'Internal server error'];
    case 'unavailable':
    case 'overloaded':
      return ['overloaded_error', 'Overloaded'];
  }
}

/** Headers of an Anthropic error; `x-should-retry: false` stands on most 4xx (18 of 21 recorded). */
export function anthropicHeaders(name: FailureName, context: ErrorContext): HeaderPair[] {
  const isLimit = name === 'rate-limit';
  const reset = new Date(context.now + (context.retryAfter ?? DEFAULT_WAIT)).toISOString().replace(/\.\d+Z$/, 'Z');
  const limits: HeaderPair[] = [
    ['anthropic-ratelimit-requests-limit', '50'],
    ['anthropic-ratelimit-requests-remaining', '0'],
    ['anthropic-ratelimit-requests-reset', reset],
    ['anthropic-ratelimit-tokens-limit', '38000'],
    ['anthropic-ratelimit-tokens-remaining', '0'],
    ['anthropic-ratelimit-tokens-reset', reset],
  ];
  const isFinal = ['invalid-request', 'context-length', 'missing-key', 'invalid-key', 'model-not-found'].includes(name);
  return [
    ['request-id', context.requestId],
    ...(isFinal ? ([['x-should-retry', 'false']] satisfies HeaderPair[]) : []),
    ...retryHeaders(context, isLimit),
    ...(isLimit ? limits : []),
  ];
}
