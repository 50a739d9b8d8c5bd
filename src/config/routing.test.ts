import { describe, expect, test } from 'bun:test';
import { loadText, valid } from './load.fixture.ts';

const routing = (text: string, env: Readonly<Record<string, string>> = {}) =>
  valid(loadText(text, { env })).snapshot.routing as unknown as Record<string, unknown>;

describe('without any settings', () => {
  test('the defaults are LiteLLM’s, but for the timeout', () => {
    expect(routing('model_list: []\n')).toEqual({
      strategy: 'simple-shuffle',
      latencyBuffer: 0,
      latencyWindow: 3_600_000,
      latencySamples: 10,
      numRetries: 2,
      retryCounts: {},
      groupRetryCounts: new Map(),
      backoff: { base: 500, factor: 2, max: 8000, jitter: 750 },
      fallbacks: new Map(),
      contextWindowFallbacks: null,
      contextUsesOrdinaryChain: false,
      contentPolicyFallbacks: null,
      defaultFallbacks: [],
      maxFallbacks: 5,
      fallbackOn: [],
      noFallbackOn: [],
      allowedFails: 3,
      allowedFailsPolicy: {},
      cooldown: 5000,
      cooldownsEnabled: true,
      preCallChecks: false,
      tagFiltering: false,
      tagMatch: 'any',
      timeout: 600_000,
      streamTimeout: null,
      connectTimeout: 10_000,
      totalTimeout: 1_200_000,
      defaultMaxParallel: null,
    });
  });
});

describe('where a setting comes from', () => {
  test.each([
    ['router_settings', 'router_settings: {num_retries: 1}\nlitellm_settings: {num_retries: 5}\n', 1],
    ['litellm_settings', 'litellm_settings: {num_retries: 5}\n', 5],
    ['the environment', 'model_list: []\n', 7],
  ])('%s', (_, text, expected) => {
    expect(routing(text, { DEFAULT_MAX_RETRIES: '7' }).numRetries).toBe(expected);
  });

  test('zero is a value, not an absence', () => {
    const result = routing('router_settings: {num_retries: 0, allowed_fails: 0, cooldown_time: 0, max_fallbacks: 0}\n');
    expect(result).toMatchObject({ numRetries: 0, allowedFails: 0, cooldown: 0, maxFallbacks: 0 });
  });

  test('null counts as not given, and an empty list as missing', () => {
    const text =
      'router_settings: {num_retries: null, fallbacks: []}\nlitellm_settings: {num_retries: 4, fallbacks: [{a: [b]}]}\n';
    expect(routing(text)).toMatchObject({ numRetries: 4, fallbacks: new Map([['a', ['b']]]) });
  });

  test.each([
    ['REQUEST_TIMEOUT', '12', { timeout: 12_000 }],
    ['ROUTER_MAX_FALLBACKS', '2', { maxFallbacks: 2 }],
    ['DEFAULT_ALLOWED_FAILS', '9', { allowedFails: 9 }],
    ['DEFAULT_COOLDOWN_TIME_SECONDS', '1.5', { cooldown: 1500 }],
    ['INITIAL_RETRY_DELAY', '1', { backoff: { base: 1000, factor: 2, max: 8000, jitter: 750 } }],
    ['MAX_RETRY_DELAY', '4', { backoff: { base: 500, factor: 2, max: 4000, jitter: 750 } }],
    ['JITTER', '0', { backoff: { base: 500, factor: 2, max: 8000, jitter: 0 } }],
  ])('the variable %s', (name, value, expected) => {
    expect(routing('model_list: []\n', { [name]: value })).toMatchObject(expected);
  });

  test('a variable that is no number is a warning and counts as unset', () => {
    const result = valid(loadText('model_list: []\n', { env: { DEFAULT_MAX_RETRIES: 'many' } }));
    expect(result.findings).toMatchObject([{ severity: 'warning', path: 'DEFAULT_MAX_RETRIES', line: 0 }]);
    expect(result.snapshot.routing.numRetries).toBe(2);
  });
});

describe('timeouts', () => {
  test.each([
    [
      'router_settings.timeout',
      'router_settings: {timeout: 30}\nlitellm_settings: {request_timeout: 40}\n',
      30_000,
      600_000,
    ],
    ['request_timeout', 'litellm_settings: {request_timeout: 0.5}\n', 500, 600_000],
    ['LiteLLM’s long one', 'litellm_settings: {request_timeout: 6000}\n', 6_000_000, 12_000_000],
    ['total_timeout', 'router_settings: {timeout: 30, total_timeout: 44}\n', 30_000, 44_000],
  ])('%s', (_, text, timeout, totalTimeout) => {
    expect(routing(text)).toMatchObject({ timeout, totalTimeout });
  });

  test('the longest timeout of any deployment counts for the total', () => {
    const text =
      'router_settings: {timeout: 30}\nmodel_list:\n  - {model_name: a, litellm_params: {model: openai/a, stream_timeout: 900}}\n';
    expect(routing(text).totalTimeout).toBe(1_800_000);
  });
});

describe('policies and lists', () => {
  test('retry and failure policies are read by error class', () => {
    const text =
      'router_settings:\n  retry_policy: {InternalServerErrorRetries: 4, TimeoutErrorRetries: 0}\n  model_group_retry_policy: {g: {BadRequestErrorRetries: 1}}\n  allowed_fails_policy: {RateLimitErrorAllowedFails: 6}\n';
    expect(routing(text)).toMatchObject({
      retryCounts: { 'internal-server': 4, timeout: 0 },
      groupRetryCounts: new Map([['g', { 'bad-request': 1 }]]),
      allowedFailsPolicy: { 'rate-limit': 6 },
    });
  });

  test('fallback_on takes statuses, as numbers or text, and words', () => {
    const text = 'router_settings: {fallback_on: [400, "422", any], no_fallback_on: [timeout, connection]}\n';
    expect(routing(text)).toMatchObject({ fallbackOn: [400, 422, 'any'], noFallbackOn: ['timeout', 'connection'] });
  });

  test.each(['[399]', '[600]', '[sometimes]', 'any', '["4xx"]'])('fallback_on: %s is an error', (value) => {
    expect(loadText(`router_settings: {fallback_on: ${value}}\n`).kind).toBe('invalid');
  });

  test('the schedule of the brief: 2, 4, 8 seconds', () => {
    const text = 'router_settings: {retry_backoff: {base: 2, factor: 2, max: 8, jitter: 0}}\n';
    expect(routing(text).backoff).toEqual({ base: 2000, factor: 2, max: 8000, jitter: 0 });
  });

  test('retry_after is the least first delay', () => {
    expect(routing('router_settings: {retry_after: 3}\n').backoff).toMatchObject({ base: 3000, max: 8000 });
    expect(routing('router_settings: {retry_after: 30}\n').backoff).toMatchObject({ base: 8000, max: 8000 });
  });
});
