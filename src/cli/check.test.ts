import { describe, expect, test } from 'bun:test';
import { check } from './check.ts';

const FILES: Readonly<Record<string, string>> = {
  'good.yaml': 'model_list:\n  - {model_name: a, litellm_params: {model: openai/a}}\n',
  'odd.yaml': 'router_settings: {num_retrys: 3}\n',
  'bad.yaml': 'router_settings: {timeout: abc}\n',
};

function run(...argv: readonly string[]) {
  let out = '';
  let error = '';
  const code = check(argv, {
    env: { OPENAI_API_KEY: 'k' },
    readFile: (path) => {
      const text = FILES[path];
      if (text === undefined) throw new Error('ENOENT');
      return text;
    },
    write: (text) => {
      out += text;
    },
    writeError: (text) => {
      error += text;
    },
  });
  return { code, out, error };
}

describe('tollgate check', () => {
  test('a good file: the report, and 0', () => {
    expect(run('good.yaml')).toEqual({
      code: 0,
      error: '',
      out: [
        'Compatibility report: 2 honoured, 0 approximated, 0 ignored',
        '',
        'honoured',
        '  model_list[0].model_name            Public name: the model group. `*` makes it a pattern. Required.',
        '  model_list[0].litellm_params.model  Provider and upstream model, as `azure/my-deployment`. Required.',
        '',
        'good.yaml: valid',
        '',
      ].join('\n'),
    });
  });

  test('an unknown key: a warning and 0, under --strict an error and 1', () => {
    expect(run('odd.yaml')).toMatchObject({ code: 0 });
    expect(run('odd.yaml').out).toEndWith('odd.yaml: valid (1 warning)\n');
    expect(run('--strict', 'odd.yaml')).toMatchObject({ code: 1 });
    expect(run('odd.yaml', '--strict').out).toContain('odd.yaml:1:19: error: router_settings.num_retrys');
  });

  test('a bad file: the errors, no report, and 1', () => {
    const { code, out } = run('bad.yaml');
    expect(code).toBe(1);
    expect(out).toContain('bad.yaml:1:28: error: router_settings.timeout');
    expect(out).not.toContain('Compatibility report');
    expect(out).toEndWith('bad.yaml: INVALID (1 error)\n');
  });

  test('a missing file: says so, and 1', () => {
    expect(run('nope.yaml')).toMatchObject({ code: 1 });
    expect(run('nope.yaml').out).toContain('nope.yaml: error: The file cannot be read: ENOENT');
  });

  test('--json: one object', () => {
    const { code, out } = run('bad.yaml', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      file: 'bad.yaml',
      valid: false,
      findings: [{ severity: 'error', line: 1, column: 28, path: 'router_settings.timeout' }],
      report: [],
    });
  });

  test.each([[[]], [['a', 'b']], [['good.yaml', '--strickt']]])('%j: usage, and 2', (argv) => {
    const { code, out, error } = run(...argv);
    expect([code, out]).toEqual([2, '']);
    expect(error).toContain('Usage: tollgate check FILE');
  });
});
