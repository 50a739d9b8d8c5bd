import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { fixture, loadText, valid } from './load.fixture.ts';
import { loadConfig } from './load.ts';

const ENV = {
  OPENAI_API_KEY: 'sk-openai-value',
  AZURE_API_KEY: 'azure-value',
  AZURE_API_BASE: 'https://resource.openai.azure.com',
  LITELLM_MASTER_KEY: 'sk-0123456789abcdef0123',
};

/** Place, severity and path of each finding, in the order of the report. */
const places = (result: ReturnType<typeof loadText>) =>
  result.findings.map(({ severity, line, column, path }) => `${line}:${column} ${severity} ${path}`);

describe('a file with mistakes', () => {
  const result = loadText(fixture('mistakes'), { env: ENV });

  test('is invalid, and every error names its line, column and path', () => {
    expect(result.kind).toBe('invalid');
    expect(places(result).filter((place) => place.includes('error'))).toEqual([
      '5:14 error model_list[0].litellm_params.order',
      '6:12 error model_list[0].litellm_params.rpm',
      '7:5 error model_list[1].model_name',
      '9:5 error model_list[2].litellm_params',
      '12:7 error model_list[3].litellm_params.model',
      '13:5 error model_list[4]',
      '17:12 error router_settings.timeout',
      '18:21 error router_settings.routing_strategy',
      '19:15 error router_settings.fallbacks[0]',
      '19:30 error router_settings.fallbacks[1].gpt-4[0]',
      '20:40 error router_settings.retry_policy.TimeoutErrorRetries',
      '22:19 error litellm_settings',
      '25:18 error general_settings.error_profile',
      '26:24 error general_settings.max_request_size_mb',
      '27:15 error general_settings.master_key',
    ]);
  });

  test.each([
    ['router_settings.timeout', '"abc"', 'a number of seconds, 0.001 to 2000000'],
    ['model_list[0].litellm_params.rpm', '-5', 'a whole number, 0 or more'],
    ['model_list[4]', '"just text"', 'a map'],
    ['litellm_settings', 'a list of 1', 'a map'],
    ['general_settings.master_key', 'a list of 2', 'text'],
    ['general_settings.max_request_size_mb', '0', 'a size in MB, above 0 and at most 2000'],
    ['router_settings.fallbacks[1].gpt-4[0]', '1', 'a name'],
  ])('%s says what was found and what was expected', (path, found, expected) => {
    expect(result.findings.find((finding) => finding.path === path)).toMatchObject({ found, expected });
  });

  test('a mistyped word of a list names the one that was meant', () => {
    const finding = result.findings.find(({ path }) => path === 'router_settings.routing_strategy');
    expect(finding?.message).toEndWith('did you mean simple-shuffle?');
    expect(finding?.hint).toBe('routing_strategy: simple-shuffle');
  });
});

describe('unknown keys', () => {
  const text = 'router_settings:\n  num_retrys: 3\n  bananas: 1\n  master_key: os.environ/X\nmodel_lst: []\n';

  test('warn with the nearest known key, the section that they belong to, or as unknown', () => {
    const result = valid(loadText(text));
    expect(result.findings.map(({ severity, line, column, message }) => [severity, line, column, message])).toEqual([
      ['warning', 2, 3, 'num_retrys: did you mean num_retries?'],
      ['warning', 3, 3, 'bananas is no key that LiteLLM or Tollgate knows here; it has no effect.'],
      ['warning', 4, 3, 'master_key has no effect here: it belongs under general_settings.'],
      ['warning', 4, 3, 'X is unset, so this counts as not given.'],
      ['warning', 5, 1, 'model_lst: did you mean model_list?'],
    ]);
  });

  test('are errors under --strict', () => {
    const result = loadText(text, { strict: true });
    expect(result.kind).toBe('invalid');
    expect(result.findings.filter(({ severity }) => severity === 'error')).toHaveLength(4);
  });

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('%s is no known key', (key) => {
    const result = valid(loadText(`general_settings:\n  ${key}: 1\n`));
    expect(result.findings[0]?.message).toStartWith(`${key} is no key`);
  });
});

describe('the typical file', () => {
  test('has no error and only the warnings that it deserves', () => {
    const langfuse = { LANGFUSE_PUBLIC_KEY: 'pk', LANGFUSE_SECRET_KEY: 'sk' };
    const env = { ...ENV, ...langfuse, AZURE_PROD_KEY: 'p', REAL_TOKEN: 'Bearer t' };
    const result = valid(loadText(fixture('typical'), { env }));
    expect(result.findings.map(({ message }) => message)).toEqual(['only for staging; LITELLM_ENVIRONMENT is unset']);
    expect([...result.snapshot.groups.keys()] as string[]).toEqual(['gpt-4o', 'local', 'staging-only']);
    expect(result.snapshot.aliases.get('old')).toMatchObject({ target: 'gpt-4o', isHidden: true });
  });

  test('has one report row for each key', () => {
    const { report } = valid(loadText(fixture('typical'), { env: ENV }));
    expect(new Set(report.map(({ path }) => path)).size).toBe(report.length);
    expect(report.find(({ path }) => path === 'litellm_settings.cache')).toEqual({
      file: 'config.yaml',
      line: 69,
      path: 'litellm_settings.cache',
      fate: 'ignored',
      reason: 'not yet honoured: the response cache',
    });
  });
});

describe('secrets', () => {
  const text = [
    'model_list:',
    '  - model_name: a',
    '    litellm_params: {model: openai/a, api_key: abcdef-very-secret, api_base: "https://u:hidden1@host/v1"}',
    'general_settings:',
    '  master_key: hunter2hunter2hunter2',
    '  databse_url: postgresql://u:hidden2@h/db',
    '  custom_token: [hidden3hidden3]',
  ].join('\n');

  test('in the file are one warning each', () => {
    const result = valid(loadText(text));
    const warned = result.findings.filter(({ message }) => message.includes('clear text')).map(({ path }) => path);
    expect(warned).toEqual([
      'model_list[0].litellm_params.api_key',
      'model_list[0].litellm_params.api_base',
      'general_settings.master_key',
      'general_settings.databse_url',
      'general_settings.custom_token[0]',
    ]);
  });

  test('never show in findings, report, or the printed snapshot', () => {
    const result = valid(loadText(`${text}\n  timeoutt: abc\n`, { env: { OTHER: 'x' } }));
    const deployments = [...result.snapshot.deployments.values()].map(({ upstream, ...rest }) => ({
      ...rest,
      upstream: { ...upstream, baseUrl: null },
    }));
    const shown = JSON.stringify([result.findings, result.report, deployments, result.snapshot.server]);
    expect(shown).not.toMatch(/very-secret|hidden1|hunter2|hidden2/);
  });

  test('an error about a sensitive key says its length only', () => {
    const result = loadText('general_settings:\n  master_key: {a: hunter2hunter2}\n  litellm_license: 7\n');
    expect(JSON.stringify(result.findings)).not.toContain('hunter2');
  });
});

describe('the environment', () => {
  test('references are resolved in list items and nested maps', () => {
    const text =
      'model_list:\n  - model_name: a\n    litellm_params:\n      model: openai/a\n      api_key: os.environ/K\n      tags: [os.environ/TAG, b]\n      extra_body: {x: {y: [os.environ/TAG]}}\n';
    const [deployment] = [...valid(loadText(text, { env: { K: 'k', TAG: 't' } })).snapshot.deployments.values()];
    expect(deployment).toMatchObject({
      tags: ['t', 'b'],
      upstream: { extraBody: { x: { y: ['t'] } } },
      disabled: null,
    });
  });

  test('numbers and booleans may come from variables', () => {
    const text =
      'router_settings:\n  num_retries: os.environ/N\n  timeout: os.environ/T\n  disable_cooldowns: os.environ/B\n';
    const { routing } = valid(loadText(text, { env: { N: '7', T: '2.5', B: 'True' } })).snapshot;
    expect([routing.numRetries, Number(routing.timeout), routing.cooldownsEnabled]).toEqual([7, 2500, false]);
  });

  test('a variable of the wrong kind is named, and its value is not shown', () => {
    const result = loadText('router_settings:\n  num_retries: os.environ/N\n', { env: { N: 'sk-oops-a-key' } });
    expect(result.findings[0]).toMatchObject({ severity: 'error', found: 'the value of N' });
    expect(JSON.stringify(result.findings)).not.toContain('oops');
  });

  test('environment_variables of the file count, and the process environment stays as it was', () => {
    const env = Object.freeze({ REAL: 'value' });
    const text =
      'environment_variables: {K: os.environ/REAL}\nmodel_list:\n  - model_name: a\n    litellm_params: {model: openai/a, api_key: os.environ/K}\n';
    const [deployment] = [...valid(loadText(text, { env })).snapshot.deployments.values()];
    expect(deployment?.upstream.apiKey?.reveal()).toBe('value');
    expect(env).toEqual({ REAL: 'value' });
  });
});

describe('includes', () => {
  const text =
    'include: [models.yaml, routing.yaml]\nmodel_list:\n  - model_name: a\n    litellm_params: {model: openai/a}\nrouter_settings: {num_retries: 1, timeout: 5}\n';
  const files = {
    '/etc/models.yaml': 'model_list:\n  - model_name: b\n    litellm_params: {model: openai/b}\n',
    '/etc/routing.yaml': 'router_settings: {num_retries: 9}\n',
  };

  test('lists are appended and maps replaced as a whole; all files are named', () => {
    const result = valid(loadText(text, { path: '/etc/config.yaml', files, env: ENV }));
    expect([...result.snapshot.groups.keys()] as string[]).toEqual(['a', 'b']);
    expect(result.snapshot.routing.numRetries).toBe(9);
    expect(Number(result.snapshot.routing.timeout)).toBe(600_000);
    expect(result.files).toEqual(['/etc/config.yaml', '/etc/models.yaml', '/etc/routing.yaml']);
  });

  test('a mistake in an included file names that file', () => {
    const broken = { ...files, '/etc/routing.yaml': 'router_settings:\n  timeout: never\n' };
    const result = loadText(text, { path: '/etc/config.yaml', files: broken, env: ENV });
    expect(result.findings.find(({ severity }) => severity === 'error')).toMatchObject({
      file: '/etc/routing.yaml',
      line: 2,
      column: 12,
    });
  });

  test('a missing file is an error where it is named, and is watched', () => {
    const result = loadText(text, { path: '/etc/config.yaml', files: {}, env: ENV });
    expect(result).toMatchObject({ kind: 'invalid', files: ['/etc/config.yaml', '/etc/models.yaml'] });
    expect(result.findings[0]).toMatchObject({ line: 1, column: 11 });
  });

  test('include that is no list is an error', () => {
    expect(loadText('include: models.yaml\n').findings[0]).toMatchObject({ severity: 'error', path: 'include' });
  });
});

describe('the demo model', () => {
  const demo = { baseUrl: 'http://127.0.0.1:9/v1/' };

  test('is the only model of the built-in empty configuration', () => {
    const result = loadConfig({
      path: null,
      readFile: () => {
        throw new Error('nothing is read');
      },
      env: {},
      strict: true,
      demo,
    });
    const loaded = valid(result);
    expect([...loaded.snapshot.groups.keys()] as string[]).toEqual(['demo', 'demo-backup']);
    const [deployment] = [...loaded.snapshot.deployments.values()];
    expect(deployment).toMatchObject({ model: 'demo', provider: 'openai', disabled: null });
    expect(deployment?.upstream.baseUrl).toBe('http://127.0.0.1:9/v1');
    expect(loaded).toMatchObject({ files: [], findings: [] });
  });

  test('gives way to a usable model of that name, and replaces an unusable one', () => {
    const text = 'model_list:\n  - model_name: demo\n    litellm_params: {model: openai/x}\n';
    const own = valid(loadText(text, { env: ENV, demo })).snapshot;
    expect(own.groups.get('demo' as never)?.deployments.map(({ model }) => model)).toEqual(['x']);
    const simulated = valid(loadText(text, { demo })).snapshot;
    expect(simulated.groups.get('demo' as never)?.deployments.map(({ model }) => model)).toEqual(['demo']);
  });

  test('is absent unless it is asked for', () => {
    expect(valid(loadText('model_list: []\n')).snapshot.groups.size).toBe(0);
  });
});

describe('the fingerprint', () => {
  test('depends on the text alone, and on all of it', () => {
    const of = (text: string, env = {}) => valid(loadText(text, { env })).snapshot.fingerprint;
    expect(of('model_list: []\n')).toMatch(/^[0-9a-f]{64}$/);
    expect(of('model_list: []\n', ENV)).toBe(of('model_list: []\n'));
    expect(of('model_list: [] # changed\n')).not.toBe(of('model_list: []\n'));
  });
});

describe('any text', () => {
  const words = fc.constantFrom(
    'model_list',
    'router_settings',
    'litellm_settings',
    'general_settings',
    'include',
    'environment_variables',
    'fallbacks',
    'timeout',
    'retry_policy',
    'litellm_params',
    'model',
    'model_name',
    'os.environ/X',
    '- ',
    ': ',
    '\n',
    '  ',
    '[',
    ']',
    '{',
    '}',
    '*a',
    '&a ',
    '<<',
    '"',
    "'",
    '|',
    '>',
    '#',
    '!!',
    '---',
    '?',
    '\t',
    '1',
    'true',
    'null',
    '.inf',
    '2024-01-01',
    '*',
    '-',
    ',',
  );

  test('is loaded or refused with a finding, and never throws', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(words, { maxLength: 60 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(text, (source) => {
        const result = loadText(source);
        if (result.kind === 'invalid') expect(result.findings.some(({ severity }) => severity === 'error')).toBe(true);
      }),
      { numRuns: 1500 },
    );
  });

  test('any values under the known keys are loaded or refused, and never throw', () => {
    const key = fc.constantFrom(
      'model_list',
      'router_settings',
      'litellm_settings',
      'general_settings',
      'credential_list',
      'environment_variables',
      'model_name',
      'litellm_params',
      'model_info',
      'model',
      'organization',
      'fallbacks',
      'context_window_fallbacks',
      'retry_policy',
      'timeout',
      'model_group_alias',
      'default_litellm_params',
      'extra_headers',
      'extra_body',
      'id',
      'mock_response',
      'include',
      'drop_params',
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<unknown>(null, true, 3, -1, 'text', 'openai/gpt-4', '*', 'os.environ/X', '__proto__'),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(key, tree, { maxKeys: 5 }), (file) => {
        expect(['loaded', 'invalid']).toContain(loadText(JSON.stringify(file)).kind);
      }),
      { numRuns: 1500 },
    );
  });

  test.each([
    ['deep brackets', '['.repeat(100_000)],
    ['deep lists', `${'- '.repeat(5000)}a`],
    [
      'a thousand million laughs',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
        .split('')
        .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghij'[index]}`).join(',')}]`)
        .join('\n')}\n`,
    ],
    ['an alias to itself', 'a: &a [*a]\n'],
    ['an empty file', ''],
    ['only a comment', '# nothing\n'],
    ['a list', '- a\n'],
    ['a word', 'hello\n'],
    ['two documents', 'a: 1\n---\nb: 2\n'],
    ['a tab', 'router_settings:\n\ttimeout: 3\n'],
    ['an unclosed quote', 'a: "b\n'],
  ])('%s: refused at once', (_, text) => {
    expect(loadText(text).kind).toBe('invalid');
  });
});
