import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { keys } from '../../src/cli/keys.ts';
import { type ControlBench, MASTER, startControl } from '../support/control.ts';

describe('tollgate keys', () => {
  let bench: ControlBench;

  beforeAll(async () => {
    bench = await startControl('sqlite');
  });

  afterAll(() => bench.stop());

  const run = async (words: readonly string[], env: Record<string, string> = {}) => {
    let out = '';
    let error = '';
    const code = await keys(words, {
      env: { LITELLM_MASTER_KEY: MASTER, TOLLGATE_URL: `${bench.url}/`, ...env },
      readFile: () => '',
      write: (text) => {
        out += text;
      },
      writeError: (text) => {
        error += text;
      },
    });
    return { code, out, error };
  };

  test('create prints the key, list does not, block and delete do what they say', async () => {
    const created = await run([
      'create',
      '--alias',
      'cli',
      '--models',
      'a, b',
      '--max-budget',
      '2.5',
      '--rpm',
      '3',
      '--tags',
      'x',
    ]);
    expect([created.code, created.error]).toEqual([0, '']);
    const [key = ''] = created.out.split('\n');
    expect(key).toMatch(/^sk-/);
    const info = JSON.parse((await run(['info', key, '--json'])).out).info;
    expect(info).toMatchObject({
      key_alias: 'cli',
      models: ['a', 'b'],
      max_budget: 2.5,
      rpm_limit: 3,
      metadata: { tags: ['x'] },
    });
    const list = (await run(['list', '--alias', 'cli'])).out;
    expect(list).toContain(info.key_id);
    expect(list).toContain('1 keys, page 1 of 1');
    expect(list).not.toContain(key);
    expect((await run(['block', info.key_id])).out).toBe(`${info.key_name} is blocked.\n`);
    expect((await run(['unblock', key])).out).toBe(`${info.key_name} is admitted again.\n`);
    expect(await run(['delete', key])).toEqual({ code: 0, out: '1 deleted.\n', error: '' });
    const gone = await run(['info', key]);
    expect([gone.code, gone.out]).toEqual([1, '']);
    expect(gone.error).toContain('Key not found in database');
    expect(gone.error).not.toContain(key);
  });

  test('--json prints what the gateway answered', async () => {
    const { out } = await run(['create', '--json']);
    expect(JSON.parse(out)).toMatchObject({ spend: 0 });
    expect(JSON.parse((await run(['list', '--json'])).out).total_count).toBe(1);
  });

  test('a name cannot write on the terminal', async () => {
    await bench.post('/key/generate', { key_alias: '\u001b[31mred\u202E' });
    expect((await run(['list'])).out).toContain('?[31mred?');
  });

  test.each([
    [['eat'], 2, "there is no command 'eat'"],
    [['info'], 2, 'info takes one key'],
    [['info', 'a', '--rpm', '3'], 2, 'info does not take --rpm'],
    [['create', '--colour', 'red'], 2, '--colour'],
    [['create', '--rpm', 'many'], 1, 'rpm_limit'],
    [['list', '--url', 'ftp://x'], 1, 'must start with http'],
  ] as const)('%j ends with %d and says why', async (words, code, why) => {
    const result = await run(words);
    expect([result.code, result.error]).toEqual([code, expect.stringContaining(why)]);
  });

  test('no key, a wrong key and no gateway are told apart', async () => {
    expect((await run(['list'], { LITELLM_MASTER_KEY: '' })).error).toContain('LITELLM_MASTER_KEY is not set');
    expect((await run(['list'], { LITELLM_MASTER_KEY: 'sk-other' })).error).toContain('(401 from');
    expect((await run(['list'], { TOLLGATE_URL: 'http://127.0.0.1:1' })).error).toContain('no gateway answers at');
  });

  test('without words it says how it is used', async () => {
    expect(await run([])).toMatchObject({ code: 0, out: expect.stringContaining('Usage: tollgate keys') });
  });
});
