import { describe, expect, test } from 'bun:test';
import { type Budget, NO_DEFAULT_BUDGETS } from '../core/budget.ts';
import { epochMillis, nanoUsd } from '../core/units.ts';
import { loadText, valid } from './load.fixture.ts';

const server = (text: string, env: Readonly<Record<string, string>> = {}) => {
  const { masterKey, ...rest } = valid(loadText(text, { env })).snapshot.server;
  return { ...rest, masterKey: masterKey?.reveal() ?? null } as unknown as Record<string, unknown>;
};

const PLAIN_BUDGET: Budget = {
  ...{ limit: null, soft: null, thresholds: [80, 100], increase: null },
  period: { kind: 'forever' },
};

test('the defaults', () => {
  expect(server('model_list: []\n')).toEqual({
    masterKey: null,
    storesModels: false,
    databaseUrl: null,
    failClosedBudgets: false,
    budgets: NO_DEFAULT_BUDGETS,
    newcomers: { keyDefaults: {}, keyBounds: {}, userDefaults: {}, teamDefaults: {} },
    keyHeader: null,
    dropParams: false,
    modifyParams: false,
    errorProfile: 'tollgate',
    streamUsage: 'hide',
    maxRequestBytes: 104_857_600,
    maxResponseBytes: 104_857_600,
    maxConcurrent: 10_000,
    keepAlive: 15_000,
    corsOrigins: ['*'],
    logLevel: 'info',
    forwardClientHeaders: false,
    allowClientCredentials: false,
    completionModel: null,
    embeddingModel: null,
    requireUser: false,
    metrics: { needsKey: false, choices: null, metadataLabels: [], tagLabels: [], hasCustomers: false },
  });
});

describe('the file', () => {
  test.each([
    ['general_settings: {litellm_key_header_name: X-My-Key}', { keyHeader: 'x-my-key' }],
    [
      'litellm_settings: {upperbound_key_generate_params: {max_budget: 10}, default_internal_user_params: {user_role: internal_user}}',
      {
        newcomers: {
          keyDefaults: {},
          keyBounds: { max_budget: 10 },
          userDefaults: { user_role: 'internal_user' },
          teamDefaults: {},
        },
      },
    ],
    [
      'litellm_settings: {max_internal_user_budget: 2, internal_user_budget_duration: 1d, default_internal_user_params: {max_budget: 3}}',
      {
        newcomers: {
          ...{ keyDefaults: {}, keyBounds: {}, teamDefaults: {} },
          userDefaults: { max_budget: 3, budget_duration: '1d' },
        },
      },
    ],
    [
      'litellm_settings: {max_budget: 100.5, budget_duration: 30d, max_end_user_budget: "0.1", max_end_user_budget_id: free}',
      {
        budgets: {
          everything: {
            ...PLAIN_BUDGET,
            limit: nanoUsd(100_500_000_000n),
            period: { kind: 'recurring', length: { count: 30, unit: 'd' }, anchor: epochMillis(0) },
          },
          customer: { ...PLAIN_BUDGET, limit: nanoUsd(100_000_000n) },
          customerBudgetId: 'free',
        },
      },
    ],
    ['general_settings: {fail_closed_budget_enforcement: true}', { failClosedBudgets: true }],
    ['general_settings: {error_profile: litellm-1.81}', { errorProfile: 'litellm-1.81' }],
    ['general_settings: {always_include_stream_usage: true}', { streamUsage: 'always' }],
    ['general_settings: {always_include_stream_usage: false}', { streamUsage: 'never' }],
    [
      'general_settings: {max_request_size_mb: 1.5, max_response_size_mb: "2"}',
      { maxRequestBytes: 1_572_864, maxResponseBytes: 2_097_152 },
    ],
    ['general_settings: {stream_keep_alive: 0}', { keepAlive: 0 }],
    ['general_settings: {cors_origins: ["https://a"]}', { corsOrigins: ['https://a'] }],
    [
      'general_settings: {forward_client_headers_to_llm_api: true, allow_client_side_credentials: true, enforce_user_param: true}',
      { forwardClientHeaders: true, allowClientCredentials: true, requireUser: true },
    ],
    ['litellm_settings: {require_auth_for_metrics_endpoint: true}', { metrics: { needsKey: true } }],
    [
      'litellm_settings: {prometheus_metrics_config: [{group: a, metrics: [litellm_spend_metric], include_labels: [team]}, {metrics: [litellm_deployment_state]}]}',
      {
        metrics: {
          choices: new Map([
            ['litellm_spend_metric', new Set(['team'])],
            ['litellm_deployment_state', null],
          ]),
        },
      },
    ],
    [
      'litellm_settings: {custom_prometheus_metadata_labels: [metadata.project], custom_prometheus_tags: [batch], enable_end_user_cost_tracking_prometheus_only: true}',
      { metrics: { metadataLabels: ['metadata.project'], tagLabels: ['batch'], hasCustomers: true } },
    ],
    ['litellm_settings: {drop_params: yes, modify_params: true}', { dropParams: true, modifyParams: true }],
    ['litellm_settings: {set_verbose: true}', { logLevel: 'debug' }],
  ])('%s', (text, expected) => {
    expect(server(`${text}\n`)).toMatchObject(expected);
  });
});

describe('the environment', () => {
  test.each([
    [{ LITELLM_LOG: 'DEBUG' }, { logLevel: 'debug' }],
    [{ LITELLM_LOG_LEVEL: 'warning' }, { logLevel: 'warn' }],
    [{ LITELLM_LOG: 'ERROR', LITELLM_LOG_LEVEL: 'DEBUG' }, { logLevel: 'error' }],
    [{ LITELLM_DROP_PARAMS: 'True' }, { dropParams: true }],
    [{ LITELLM_CORS_ORIGINS: 'https://a, https://b' }, { corsOrigins: ['https://a', 'https://b'] }],
    [{ LITELLM_MASTER_KEY: 'sk-0123456789abcdef' }, { masterKey: 'sk-0123456789abcdef' }],
  ])('%j', (env, expected) => {
    expect(server('model_list: []\n', env)).toMatchObject(expected);
  });
});

describe('the master key', () => {
  test.each([
    ['sk-1234', 'warning'],
    ['short', 'warning'],
    ['sk-your-master-key-here', 'warning'],
    ['0123456789abcdef0123', 'note'],
    ['sk-0123456789abcdef0123', null],
  ])('%s', (key, severity) => {
    const { findings } = valid(loadText('model_list: []\n', { env: { LITELLM_MASTER_KEY: key } }));
    expect(findings.map((finding) => finding.severity)).toEqual(severity === null ? [] : [severity as 'note']);
    expect(JSON.stringify(findings)).not.toContain(key);
  });
});
