import { describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import type { Deployment } from '../core/snapshot.ts';
import { deploymentsOf, fixture, loadText, valid } from './load.fixture.ts';

const KEYS = { OPENAI_API_KEY: 'openai-key', ANTHROPIC_API_KEY: 'anthropic-key' };

/** The only deployment of an entry with these parameters. */
function deployment(params: string, env: Readonly<Record<string, string>> = KEYS, info = '{}'): Deployment {
  const [first] = deploymentsOf(
    `model_list:\n  - model_name: m\n    litellm_params: {${params}}\n    model_info: ${info}\n`,
    env,
  );
  if (first === undefined) throw new Error('no deployment');
  return first;
}

describe('unset variables', () => {
  test.each([
    ['a reference', 'model: openai/x, api_key: os.environ/MY_KEY', {}, ['MY_KEY']],
    ['an empty variable', 'model: openai/x, api_key: os.environ/MY_KEY', { MY_KEY: '' }, ['MY_KEY']],
    ['a variable of spaces', 'model: openai/x, api_key: os.environ/MY_KEY', { MY_KEY: '  ' }, ['MY_KEY']],
    ['the provider’s own key', 'model: openai/x', {}, ['OPENAI_API_KEY']],
    [
      'several, once each',
      'model: azure/x, api_key: os.environ/A, api_base: os.environ/B, tags: [os.environ/A]',
      {},
      ['A', 'B'],
    ],
    ['Azure’s own', 'model: azure/x', {}, ['AZURE_API_BASE', 'AZURE_API_KEY']],
    ['a nested header', 'model: openai/x, extra_headers: {x-a: os.environ/H}', KEYS, ['H']],
    ['the model itself', 'model: os.environ/MODEL, api_key: os.environ/OPENAI_API_KEY', KEYS, ['MODEL']],
  ])('%s disables the deployment and is named', (_, params, env, missing) => {
    const { disabled } = deployment(params, env);
    expect(disabled?.missingVariables).toEqual(missing);
    expect(disabled?.message).toBe(`missing ${disabled?.missingVariables.join(', ')}`);
  });

  test('are no matter for a canned answer', () => {
    expect(deployment('model: openai/x, mock_response: hello', {})).toMatchObject({
      disabled: null,
      mockResponse: 'hello',
    });
  });

  test('of one deployment leave the others of its group alone', () => {
    const all = deploymentsOf(
      'model_list:\n  - {model_name: m, litellm_params: {model: openai/x}}\n  - {model_name: m, litellm_params: {model: azure/x}}\n',
      KEYS,
    );
    expect(all.map(({ disabled }) => disabled === null)).toEqual([true, false]);
  });
});

describe('credentials and addresses', () => {
  const shown = ({ upstream }: Deployment) => ({
    key: upstream.apiKey?.reveal() ?? null,
    base: upstream.baseUrl,
    version: upstream.apiVersion,
  });

  test.each([
    ['the provider’s variable', 'model: openai/x', KEYS, { key: 'openai-key', base: null, version: null }],
    [
      'a reference',
      'model: openai/x, api_key: os.environ/K',
      { K: 'mine' },
      { key: 'mine', base: null, version: null },
    ],
    [
      'the provider’s base variable',
      'model: openai/x',
      { ...KEYS, OPENAI_BASE_URL: 'https://proxy/v1/' },
      { key: 'openai-key', base: 'https://proxy/v1', version: null },
    ],
    [
      'base_url',
      'model: openai/x, base_url: "http://h:1/v1//"',
      KEYS,
      { key: 'openai-key', base: 'http://h:1/v1', version: null },
    ],
    [
      'api_base over base_url',
      'model: openai/x, base_url: "http://a", api_base: "http://b"',
      KEYS,
      { key: 'openai-key', base: 'http://b', version: null },
    ],
    [
      'a server of one’s own without a key',
      'model: openai/x, api_base: "http://h:1/v1"',
      {},
      { key: null, base: 'http://h:1/v1', version: null },
    ],
    [
      'Azure from its variables',
      'model: azure/x',
      { AZURE_API_KEY: 'a', AZURE_API_BASE: 'https://r', AZURE_API_VERSION: 'v' },
      { key: 'a', base: 'https://r', version: 'v' },
    ],
    [
      'a version that YAML takes for a date',
      'model: azure/x, api_version: 2024-10-21',
      { AZURE_API_KEY: 'a', AZURE_API_BASE: 'https://r' },
      { key: 'a', base: 'https://r', version: '2024-10-21' },
    ],
    [
      'a bearer token for Azure',
      'model: azure/x, azure_ad_token: os.environ/T',
      { T: 't', AZURE_API_BASE: 'https://r' },
      { key: null, base: 'https://r', version: null },
    ],
    [
      'a variable with a line end behind it',
      'model: openai/x',
      { OPENAI_API_KEY: 'k\n' },
      { key: 'k', base: null, version: null },
    ],
  ])('come from %s', (_, params, env, expected) => {
    const result = deployment(params, env);
    expect(result.disabled).toBeNull();
    expect(shown(result)).toEqual(expected);
  });

  test.each([
    ['no address', 'api_base: nonsense', 'api_base is no address; it starts with https:// or http://'],
    ['another scheme', 'api_base: "ftp://h"', 'api_base is no address; it starts with https:// or http://'],
    ['a name in it', 'api_base: "https://u@h"', 'api_base holds a name or password; use extra_headers'],
    ['a password in it', 'api_base: "https://u:p@h"', 'api_base holds a name or password; use extra_headers'],
    ['a key with a line end in it', 'api_key: "a\\nb"', 'api_key holds characters that no header can carry'],
    ['a mistyped provider', 'custom_llm_provider: opnai', 'no provider for openai/x (did you mean openai?)'],
    ['a credential that is not there', 'litellm_credential_name: nope', 'credential_list has no credential named nope'],
  ])('%s disables the deployment with the reason', (_, params, message) => {
    expect(deployment(`model: openai/x, ${params}`).disabled).toEqual({ missingVariables: [], message });
  });

  test.each([
    ['{blocked: true}', 'blocked (model_info.blocked)'],
    [
      '{supported_environments: [production, staging]}',
      'only for production, staging; LITELLM_ENVIRONMENT is development',
    ],
  ])('model_info %s disables the deployment with the reason', (info, message) => {
    const { disabled } = deployment('model: openai/x', { ...KEYS, LITELLM_ENVIRONMENT: 'development' }, info);
    expect(disabled).toEqual({ missingVariables: [], message });
  });

  test('a model without a known provider says how to write it', () => {
    expect(deployment('model: llama').disabled?.message).toBe('llama names no provider; write it as openai/llama');
    expect(deployment('model: "*"').disabled?.message).toContain('openai/*');
  });

  test('the entry * for the model * serves every provider whose key is set, and says so when none is', () => {
    const open = 'model_list: [{model_name: "*", litellm_params: {model: "*"}, model_info: {id: all}}]';
    const found = deploymentsOf(open, { OPENAI_API_KEY: 'sk-o', ANTHROPIC_API_KEY: 'sk-a', AZURE_API_KEY: 'no base' });
    expect(found.map(({ id, group, model, disabled }) => [id, group, model, disabled])).toEqual([
      ['all-openai', 'openai/*', '*', null],
      ['all-anthropic', 'anthropic/*', '*', null],
    ] as never);
    expect(deploymentsOf(open, {})[0]?.disabled?.message).toContain('no key of any provider is set');
  });
});

describe('the typical file', () => {
  const env = {
    AZURE_PROD_KEY: 'prod',
    OPENAI_API_KEY: 'openai-key',
    REAL_TOKEN: 'Bearer t',
    LITELLM_MASTER_KEY: 'sk-x',
  };
  const { snapshot } = valid(loadText(fixture('typical'), { env }));
  const all = [...snapshot.deployments.values()];

  test('an entry takes over the credential that it names, its own values first', () => {
    const { upstream, ...rest } = all[0] as Deployment;
    expect(upstream.apiKey?.reveal()).toBe('prod');
    expect(upstream).toMatchObject({ baseUrl: 'https://eu.openai.azure.com', apiVersion: '2024-10-21' });
    expect(rest as unknown).toMatchObject({
      provider: 'azure',
      model: 'gpt-4o-eu',
      weight: 9,
      rpm: 900,
      tpm: 100000,
      timeout: 20_000,
      streamTimeout: 5000,
      cooldown: 0,
      maxInputTokens: 128_000,
      disabled: null,
    });
  });

  test('a list of organizations makes one deployment of each, with ids of their own', () => {
    const two = all.filter(({ configuredModel }) => configuredModel === 'gpt-4o');
    expect(two.map(({ upstream }) => upstream.organization)).toEqual(['org-one', 'org-two']);
    expect(new Set(two.map(({ id }) => id)).size).toBe(2);
    expect(two[0]).toMatchObject({
      provider: 'openai' as never,
      rpm: 100,
      maxParallel: 8,
      numRetries: 1,
      dropParams: true,
      additionalDropParams: ['user'],
      tags: ['default', 'paid'],
    });
  });

  test('headers are lower-case secrets; defaults, unknown parameters and extra_body go upstream, nothing else', () => {
    const { upstream } = all.find(({ configuredModel }) => configuredModel === 'gpt-4o') as Deployment;
    expect(upstream.extraHeaders.map(([name, value]) => [name, value.reveal()])).toEqual([
      ['x-team', 'blue'],
      ['authorization', 'Bearer t'],
    ]);
    expect(upstream.extraBody).toEqual({ temperature: 0.1, mirostat: 2, service_tier: 'flex' });
  });

  test('an entry for another environment is out of use', () => {
    expect(all.at(-1)?.disabled?.message).toBe('only for staging; LITELLM_ENVIRONMENT is unset');
    const staging = valid(loadText(fixture('typical'), { env: { ...env, LITELLM_ENVIRONMENT: 'staging' } })).snapshot;
    expect([...staging.deployments.values()].at(-1)?.disabled).toBeNull();
  });

  test('what is shown of it holds no secret', () => {
    const shown = JSON.stringify(all.map(({ info, publicParams }) => [info, publicParams]));
    expect(shown).toContain('"X-Team":"[redacted]"');
    expect(shown).not.toMatch(/prod-key|Bearer t/);
  });
});

test('a variable that an inherited parameter names does not matter when the entry has its own value', () => {
  const text = [
    'credential_list:',
    '  - {credential_name: c, credential_values: {api_key: os.environ/UNSET}}',
    'model_list:',
    '  - {model_name: a, litellm_params: {model: openai/x, litellm_credential_name: c}}',
    '  - {model_name: b, litellm_params: {model: openai/x, litellm_credential_name: c, api_key: os.environ/OPENAI_API_KEY}}',
    '',
  ].join('\n');
  expect(deploymentsOf(text, KEYS).map(({ disabled }) => disabled?.missingVariables ?? null)).toEqual([
    ['UNSET'],
    null,
  ]);
});

describe('timeouts of a deployment', () => {
  test.each([
    ['timeout: 1, request_timeout: 2', 1000, null],
    ['request_timeout: 2', 2000, null],
    ['stream_timeout: 0.25', null, 250],
  ])('%s', (params, timeout, streamTimeout) => {
    expect(deployment(`model: openai/x, ${params}`) as unknown).toMatchObject({ timeout, streamTimeout });
  });
});

describe('what never goes upstream', () => {
  test('credentials of other clouds, settings of LiteLLM, mistyped keys', () => {
    const { upstream } = deployment(
      'model: openai/x, aws_secret_access_key: s, vertex_project: p, new_cloud_api_key: k, aws_new_thing: 1, api_bse: "http://x", rpm: 3, max_retries: 2, guided_choice: [a], max_input_tokens: 5, stream: true',
    );
    expect(upstream.extraBody).toEqual({ guided_choice: ['a'] });
  });
});

describe('ids', () => {
  const id = (params: string, env = KEYS) => deployment(params, env).id as string;
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

  test('follow LiteLLM’s formula over the values as written', () => {
    expect(
      id(
        'model: openai/x, api_key: os.environ/OPENAI_API_KEY, rpm: 5, drop_params: true, tags: [a, b], extra_body: {k: [1, x]}',
      ),
    ).toBe(
      sha256(
        'mmodelopenai/xapi_keyos.environ/OPENAI_API_KEYrpm5drop_paramsTruetags[\'a\', \'b\']extra_body{"k": [1, "x"]}',
      ),
    );
  });

  test('do not change with the value of a key, and do change with a parameter', () => {
    const params = 'model: openai/x, api_key: os.environ/OPENAI_API_KEY';
    expect(id(params)).toBe(id(params, { ...KEYS, OPENAI_API_KEY: 'rotated' }));
    expect(id(params)).not.toBe(id(`${params}, rpm: 5`));
  });

  test('come from model_info when it has one, numbers as text', () => {
    expect(deployment('model: openai/x', KEYS, '{id: 17}').id as string).toBe('17');
  });

  test('of equal entries differ, with a warning; a repeated id of the file is an error', () => {
    const entry = '  - {model_name: m, litellm_params: {model: openai/x}}\n';
    const result = valid(loadText(`model_list:\n${entry}${entry}${entry}`, { env: KEYS }));
    expect(result.snapshot.deployments.size).toBe(3);
    expect(result.findings.map(({ line }) => line)).toEqual([3, 4]);
    const named = '  - {model_name: m, litellm_params: {model: openai/x}, model_info: {id: one}}\n';
    const refused = loadText(`model_list:\n${named}${named}`, { env: KEYS });
    expect(refused.findings[0]).toMatchObject({ severity: 'error', line: 3, path: 'model_list[1].model_info.id' });
  });

  test('that hide a group are a warning', () => {
    const text = 'model_list:\n  - {model_name: m, litellm_params: {model: openai/x}, model_info: {id: m}}\n';
    expect(valid(loadText(text, { env: KEYS })).findings[0]?.message).toContain('also the name of a group');
  });
});

describe('default_litellm_params', () => {
  test('stand under every deployment', () => {
    const text =
      'router_settings: {default_litellm_params: {timeout: 7, temperature: 1, tags: [d]}}\nmodel_list:\n  - {model_name: m, litellm_params: {model: openai/x, temperature: 0}}\n';
    const [only] = deploymentsOf(text, KEYS);
    expect(Number(only?.timeout)).toBe(7000);
    expect(only).toMatchObject({ tags: ['d'], upstream: { extraBody: { temperature: 0 } } });
  });
});

describe('Azure without a version', () => {
  const text = 'model_list:\n  - {model_name: m, litellm_params: {model: azure/x}}\n';
  const env = { AZURE_API_KEY: 'a', AZURE_API_BASE: 'https://r' };

  test('is a note, unless a variable gives it or the address needs none', () => {
    const severities = (more: Readonly<Record<string, string>>) =>
      valid(loadText(text, { env: { ...env, ...more } })).findings.map(({ severity }) => severity);
    expect(severities({})).toEqual(['note']);
    expect(severities({ AZURE_API_VERSION: 'v' })).toEqual([]);
    expect(severities({ AZURE_API_BASE: 'https://r/openai/v1' })).toEqual([]);
  });
});
