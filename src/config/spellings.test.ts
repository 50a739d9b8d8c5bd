import { describe, expect, test } from 'bun:test';
import { fixture, loadText, valid } from './load.fixture.ts';

const ENV = {
  OPENAI_API_KEY: 'k',
  AZURE_API_KEY: 'k',
  AZURE_API_BASE: 'https://r.openai.azure.com',
  AZURE_API_VERSION: '2024-10-21',
  LITELLM_MASTER_KEY: 'sk-0123456789abcdef0123',
};

describe('the odd spellings of the brief, all in one file', () => {
  const result = loadText(fixture('odd-spellings'), { env: ENV });
  const { snapshot, findings, report } = valid(result);

  test('start, each with one warning at its place that shows the canonical form', () => {
    expect(
      findings.map(({ severity, line, column, path, hint }) => ({ severity, at: `${line}:${column}`, path, hint })),
    ).toEqual([
      {
        severity: 'warning',
        at: '15:3',
        path: 'router_settings.drop_params',
        hint: 'litellm_settings:\n  drop_params: true',
      },
      {
        severity: 'warning',
        at: '18:3',
        path: 'litellm_settings.fallbacks',
        hint: 'litellm_settings:\n  fallbacks: [{"gpt-4": ["azure-gpt-4", "claude-3-5-sonnet"]}]',
      },
      {
        severity: 'warning',
        at: '18:40',
        path: 'litellm_settings.fallbacks[0].gpt-4[1]',
        hint: 'model_list:\n  - model_name: claude-3-5-sonnet\n    litellm_params:\n      model: …',
      },
      {
        severity: 'warning',
        at: '19:3',
        path: 'litellm_settings.retry_policy',
        hint: 'router_settings:\n  retry_backoff: {base: 2, factor: 2, max: 8, jitter: 0}',
      },
      {
        severity: 'warning',
        at: '20:3',
        path: 'litellm_settings.timeout',
        hint: 'litellm_settings:\n  request_timeout: 30',
      },
      {
        severity: 'warning',
        at: '21:3',
        path: 'litellm_settings.context_window_fallbacks',
        hint: 'litellm_settings:\n  context_window_fallbacks: [{"gpt-4": ["azure-gpt-4", "claude-3-5-sonnet"]}]',
      },
      {
        severity: 'warning',
        at: '24:3',
        path: 'general_settings.set_verbose',
        hint: 'litellm_settings:\n  set_verbose: true',
      },
    ]);
  });

  test('mean what their writers meant', () => {
    const { routing, server } = snapshot;
    expect([...routing.fallbacks]).toEqual([['gpt-4', ['azure-gpt-4', 'claude-3-5-sonnet']]]);
    expect(routing.backoff as unknown).toEqual({ base: 2000, factor: 2, max: 8000, jitter: 0 });
    expect(Number(routing.timeout)).toBe(30_000);
    expect(routing).toMatchObject({ contextUsesOrdinaryChain: true, contextWindowFallbacks: null, numRetries: 3 });
    expect(server).toMatchObject({ dropParams: true, logLevel: 'debug' });
  });

  test('are reported as approximated, by the names that the file has', () => {
    expect(report.filter(({ fate }) => fate === 'approximated').map(({ path }) => path)).toEqual([
      'litellm_settings.context_window_fallbacks',
      'litellm_settings.fallbacks',
      'litellm_settings.retry_policy',
      'litellm_settings.timeout',
      'router_settings.drop_params',
      'general_settings.set_verbose',
    ]);
  });

  test('are refused under --strict', () => {
    const strict = loadText(fixture('odd-spellings'), { env: ENV, strict: true });
    expect(strict.kind).toBe('invalid');
    expect(strict.findings.filter(({ severity }) => severity === 'error')).toHaveLength(6);
  });
});

describe('fallbacks', () => {
  test.each([
    ['[["a", "b", "c"]]', [['a', ['b', 'c']]], true],
    [
      '[["a", "b"], ["b", "c"]]',
      [
        ['a', ['b']],
        ['b', ['c']],
      ],
      true,
    ],
    ['{a: [b]}', [['a', ['b']]], true],
    [
      '[{a: [b], b: [c]}]',
      [
        ['a', ['b']],
        ['b', ['c']],
      ],
      true,
    ],
    ['[{a: b}]', [['a', ['b']]], true],
    [
      '[{a: [b]}, {"*": [c]}]',
      [
        ['a', ['b']],
        ['*', ['c']],
      ],
      false,
    ],
    ['[{a: [b]}, {a: [c]}]', [['a', ['b']]], false],
    ['[]', [], false],
  ] as const)('%s', (text, expected, isOdd) => {
    const models = ['a', 'b', 'c'].map(
      (name) => `  - {model_name: ${name}, litellm_params: {model: openai/x, api_key: os.environ/OPENAI_API_KEY}}`,
    );
    const result = valid(
      loadText(`model_list:\n${models.join('\n')}\nrouter_settings:\n  fallbacks: ${text}\n`, { env: ENV }),
    );
    expect([...result.snapshot.routing.fallbacks] as unknown).toEqual(expected);
    expect(result.findings.map(({ path }) => path)).toEqual(isOdd ? ['router_settings.fallbacks'] : []);
  });

  test.each(['[[a]]', '[[1, 2]]', '[a, b]', 'a', '[{a: {b: c}}]'])('%s is an error', (text) => {
    expect(loadText(`router_settings:\n  fallbacks: ${text}\n`).kind).toBe('invalid');
  });
});

describe('two spellings of one thing', () => {
  test('a canonical key beside an odd one wins', () => {
    const text =
      'litellm_settings: {timeout: 5, request_timeout: 7, drop_params: false}\ngeneral_settings: {drop_params: true}\nrouter_settings: {retry_backoff: {base: 1}, retry_policy: exponential_backoff_retry}\n';
    const { routing, server } = valid(loadText(text)).snapshot;
    expect([Number(routing.timeout), server.dropParams, Number(routing.backoff.base)]).toEqual([7000, false, 1000]);
  });

  test('context_window_fallbacks: false is no warning and no chain', () => {
    const result = valid(loadText('router_settings: {context_window_fallbacks: false}\n'));
    expect(result.findings).toEqual([]);
    expect(result.snapshot.routing).toMatchObject({ contextUsesOrdinaryChain: false, contextWindowFallbacks: null });
  });

  test('another word for retry_policy is an error', () => {
    expect(loadText('router_settings: {retry_policy: often}\n').kind).toBe('invalid');
  });
});
