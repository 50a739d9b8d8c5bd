import { describe, expect, test } from 'bun:test';
import { isLiteralSecret, isSensitive, lineWithoutSecrets } from './secret-names.ts';

test.each([
  'api_key',
  'apiKey',
  'master_key',
  'aws_secret_access_key',
  'vertex_credentials',
  'redis_password',
  'azure_ad_token',
  'client_secret',
  'Authorization',
  'x-api-key',
  'cookie',
  'litellm_license',
  'token',
])('%s holds a credential', (key) => {
  expect(isSensitive(key)).toBe(true);
});

test.each([
  'max_tokens',
  'input_cost_per_token',
  'cache_read_input_token_cost',
  'litellm_credential_name',
  'litellm_key_header_name',
  'token_rate_limit_type',
  'disable_token_counter',
  'max_completion_tokens',
  'input_cost_per_token_above_200k_tokens',
  'allow_client_side_credentials',
  'default_key_generate_params',
  'key_management_system',
  'model',
  'timeout',
  'fallbacks',
])('%s holds none', (key) => {
  expect(isSensitive(key)).toBe(false);
});

test.each([
  ['api_key', 'sk-abc', true],
  ['api_key', 'os.environ/KEY', false],
  ['api_key', 'none', false],
  ['api_key', 'fake-key', false],
  ['database_url', 'postgresql://u:p@h/d', true],
  ['database_url', 'postgresql://h/d', false],
  ['api_base', 'https://h/v1', false],
])('%s: %s', (key, value, expected) => {
  expect(isLiteralSecret(key, value)).toBe(expected);
});

describe('a line for people', () => {
  test.each([
    ['  api_key: abcdef', '  api_key: [redacted]'],
    ['  api_kye: abcdef # mine', '  api_kye: [redacted] # mine'],
    ['  "master_key": "a b c"', '  "master_key": "[redacted]"'],
    ['{api_key: abc, model: openai/x}', '{api_key: [redacted], model: openai/x}'],
    ['  api_key: os.environ/KEY', '  api_key: os.environ/KEY'],
    ['  tokens: [abc, def]', '  tokens: [redacted]'],
    ['  vertex_credentials: {private: abc}', '  vertex_credentials: [redacted]'],
    ['  model: openai/gpt-4 # fast', '  model: openai/gpt-4 # fast'],
    ['  max_tokens: 100', '  max_tokens: 100'],
    ['  url: https://user:pass@host/x', '  url: https://user:[redacted]@host/x'],
    ['  note: sk-abcdef123456', '  note: [redacted]'],
  ])('%s', (line, shown) => {
    expect(lineWithoutSecrets(line)).toBe(shown);
  });

  test('below a sensitive key shows no value at all', () => {
    expect(lineWithoutSecrets('    private: abc', true)).toBe('    private: [redacted]');
    expect(lineWithoutSecrets('  - abc', true)).toBe('  - [redacted]');
    expect(lineWithoutSecrets('  api_key: os.environ/KEY', true)).toBe('  api_key: os.environ/KEY');
  });
});
