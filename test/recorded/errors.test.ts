import { describe, expect, test } from 'bun:test';
import type { Failure } from '../../src/core/outcome.ts';
import { testHead } from '../support/call.ts';
import { play } from '../support/play.ts';
import { loadDocumented, loadRecordings, type Recording, staged } from '../support/recordings.ts';

// What every recorded or documented error means.

/** Kind, reason or wait in milliseconds, and the status in the words. */
type Expected = readonly [kind: Failure['kind'], detail: string | number | null, status: number];

const EXPECTED: Readonly<Record<string, Expected>> = {
  'anthropic/error-400-effort-unsupported': ['rejected', 'invalid-request', 400],
  'anthropic/error-400-prompt-too-long': ['rejected', 'context-window', 400],
  'anthropic/error-401': ['rejected', 'credential', 401],
  'anthropic/error-404-model': ['rejected', 'not-found', 404],
  'azure/error-401': ['rejected', 'credential', 401],
  'azure/error-404-deployment-not-found': ['rejected', 'not-found', 404],
  'azure/error-404-resource-not-found': ['rejected', 'not-found', 404],
  // `retry-after-ms: 0` stands beside `retry-after: 1`: no wait is not what a 429 means.
  'azure/error-429-rate-limit': ['rate-limited', 1000, 429],
  'deepseek/error-400-context': ['rejected', 'context-window', 400],
  'deepseek/error-401': ['rejected', 'credential', 401],
  'groq/error-400-tool-use-failed': ['rejected', 'invalid-request', 400],
  'groq/error-404-model': ['rejected', 'not-found', 404],
  'mistral/error-401': ['rejected', 'credential', 401],
  'ollama/error-404-model': ['rejected', 'not-found', 404],
  'openai/error-400-context-length': ['rejected', 'context-window', 400],
  'openai/error-400-empty-messages': ['rejected', 'invalid-request', 400],
  'openai/error-400-invalid-image-url': ['rejected', 'invalid-request', 400],
  'openai/error-400-max-output-tokens': ['rejected', 'invalid-request', 400],
  'openai/error-400-responses-model-not-found': ['rejected', 'not-found', 400],
  'openai/error-400-unsupported-parameter': ['rejected', 'invalid-request', 400],
  'openai/error-401-invalid-key': ['rejected', 'credential', 401],
  'openai/error-401-stream-request': ['rejected', 'credential', 401],
  'openai/error-403-not-allowed': ['rejected', 'credential', 403],
  'openai/error-404-model-not-found': ['rejected', 'not-found', 404],
  'openai/error-404-wrong-endpoint': ['rejected', 'not-found', 404],
  'openai/error-500-server-error': ['upstream-error', null, 500],
  'openrouter/error-400-context': ['rejected', 'context-window', 400],
  'openrouter/error-401': ['rejected', 'credential', 401],
  'openrouter/error-429-upstream': ['rate-limited', null, 429],
  'perplexity/error-400-prompt-tokens': ['rejected', 'context-window', 400],
  'xai/error-400': ['rejected', 'invalid-request', 400],
  'xai/error-404': ['rejected', 'not-found', 404],
  'documented/anthropic/error-413-request-too-large': ['rejected', 'invalid-request', 413],
  'documented/anthropic/error-429-rate-limit': ['rate-limited', 12_000, 429],
  'documented/anthropic/error-500-api-error': ['upstream-error', null, 500],
  'documented/anthropic/error-529-overloaded': ['upstream-error', null, 529],
  'documented/azure/error-400-content-filter': ['rejected', 'content-policy', 400],
  // No wait is told and none of seconds would help: the account has no money.
  'documented/openai/error-429-insufficient-quota': ['rate-limited', 300_000, 429],
  'documented/openai/error-429-rate-limit': ['rate-limited', 20_000, 429],
  'documented/openai/error-503-overloaded': ['upstream-error', null, 503],
};

/** Errors in answers that began with a 200: the outcome, and how many events went to the client before. */
const IN_BAND: Readonly<Record<string, readonly [...Expected, eventsBefore: number]>> = {
  'openrouter/error-in-200-body': ['upstream-error', null, 502, 0],
  'groq/error-mid-stream': ['rejected', 'invalid-request', 400, 94],
  'openrouter/error-mid-stream': ['rejected', 'invalid-request', 400, 3],
};

const known = [...loadRecordings(), ...loadDocumented()].filter(({ provider }) => provider !== null);
const errors = known.filter(({ status }) => status >= 300);
const named = (all: readonly Recording[]) => all.map((recording) => [recording.name, recording] as const);

if (known.length > 0) {
  test('every error has its row', () => {
    expect(errors.map(({ name }) => name).sort()).toEqual(Object.keys(EXPECTED).sort());
  });
}

describe('a recorded error', () => {
  test.each(named(errors))('%s', (name, { provider, status, headers, body }) => {
    const failure = provider?.classify(testHead(status, headers), body);
    expect(summary(failure as Failure)).toEqual(EXPECTED[name] as Expected);
    if (failure !== undefined && 'words' in failure) expect(failure.words.message).not.toBe('');
  });
});

describe('an error inside a success', () => {
  test.each(named(known.filter(({ name }) => name in IN_BAND)))('%s', (name, recording) => {
    const { facet, context } = staged(recording);
    const [, , , eventsBefore] = IN_BAND[name] as (typeof IN_BAND)[string];
    const expected = IN_BAND[name]?.slice(0, 3);
    if (!recording.isStream) {
      const reply = facet.reply(testHead(recording.status, recording.headers), recording.body, context);
      if (reply.kind !== 'failed') throw new Error(`taken for an answer: ${reply.kind}`);
      expect(summary(reply.outcome)).toEqual(expected as never);
      return;
    }
    const { client, end, failure } = play(facet.stream(context), [recording.body]);
    expect(end).toBe('failed');
    expect(summary(failure as Failure)).toEqual(expected as never);
    expect(client.toString().split('\n\n').length - 1).toBe(eventsBefore);
    expect(client.toString()).not.toContain('[DONE]');
  });
});

function summary(failure: Failure): Expected {
  switch (failure.kind) {
    case 'rejected':
      return [failure.kind, failure.reason, failure.words.status];
    case 'rate-limited':
    case 'upstream-error':
      return [failure.kind, failure.retryAfter, failure.words.status];
    default:
      return [failure.kind, null, 0];
  }
}
