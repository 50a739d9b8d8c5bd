import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { MASTER_KEY, startGateway } from '../support/gateway.ts';
import { RawClient } from '../support/raw-http.ts';

const root = join(import.meta.dir, '../..');
const MINUTES = 60_000;

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

async function run(words: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const child = Bun.spawn([...words], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, error] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, error };
}

/** Lines of a drill that begin with a mark, without their evidence. */
const marked = (out: string, mark: string) =>
  out
    .split('\n')
    .filter((line) => line.startsWith(mark))
    .map((line) => line.slice(2).split(': ')[0] ?? '');

describe('setup-litellm-env.sh', () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });
  const newFolder = () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-env-'));
    folders.push(folder);
    return folder;
  };
  const setup = (file: string) => run(['sh', join(root, 'scripts/setup-litellm-env.sh'), file]);
  const lineOf = (file: string, name: string) =>
    new RegExp(`^${name}=(.*)$`, 'm').exec(readFileSync(file, 'utf8'))?.[1] ?? '';

  test('makes the file from the example with new keys and passwords, for its owner only, and prints none', async () => {
    const file = join(newFolder(), '.env');
    const { code, out } = await setup(file);
    const [master, salt] = ['LITELLM_MASTER_KEY', 'LITELLM_SALT_KEY'].map((name) => lineOf(file, name)) as [
      string,
      string,
    ];
    expect(code).toBe(0);
    expect(master).toMatch(/^sk-[0-9a-f]{48}$/);
    expect(Buffer.from(salt, 'base64')).toHaveLength(32);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const passwords = ['POSTGRES_PASSWORD', 'GRAFANA_ADMIN_PASSWORD'].map((name) => lineOf(file, name));
    for (const password of passwords) expect(password).toMatch(/^[0-9a-f]{40}$/);
    const generated = [master, salt, ...passwords];
    expect(new Set(generated).size).toBe(4);
    expect(generated.filter((each) => out.includes(each))).toEqual([]);
    const example = readFileSync(join(root, '.env.example'), 'utf8');
    const emptied = generated.reduce((text, each) => text.replace(each, ''), readFileSync(file, 'utf8'));
    expect(emptied).toBe(example);
  });

  test('run again changes nothing', async () => {
    const file = join(newFolder(), '.env');
    await setup(file);
    const before = readFileSync(file);
    const { code, out } = await setup(file);
    expect([code, readFileSync(file).equals(before)]).toEqual([0, true]);
    expect(out).toContain('LITELLM_MASTER_KEY is set already');
  });

  test('two files have different keys', async () => {
    const files = [join(newFolder(), '.env'), join(newFolder(), '.env')] as const;
    await Promise.all(files.map(setup));
    expect(lineOf(files[0], 'LITELLM_MASTER_KEY')).not.toBe(lineOf(files[1], 'LITELLM_MASTER_KEY'));
  });

  test('several at once agree on one key and leave nothing behind', async () => {
    const folder = newFolder();
    const file = join(folder, '.env');
    const runs = await Promise.all([setup(file), setup(file), setup(file)]);
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(runs.filter(({ out }) => out.includes('LITELLM_MASTER_KEY generated'))).toHaveLength(1);
    expect((await run(['ls', '-A', folder])).out).toBe('.env\n');
  });

  const SET = 'LITELLM_SALT_KEY=salt\n';
  const rows: readonly (readonly [name: string, before: string, after: RegExp])[] = [
    ['a key that is set', `LITELLM_MASTER_KEY=mine\n${SET}`, /^LITELLM_MASTER_KEY=mine\n/],
    ['a key in quotes', `LITELLM_MASTER_KEY="mine"\n${SET}`, /^LITELLM_MASTER_KEY="mine"\n/],
    ['an exported key', `export LITELLM_MASTER_KEY='mine'\n${SET}`, /^export LITELLM_MASTER_KEY='mine'\n/],
    ['an empty key', `LITELLM_MASTER_KEY=\n${SET}`, /^LITELLM_MASTER_KEY=sk-\w{48}\nLITELLM_SALT_KEY=salt\n$/],
    ['empty quotes', `LITELLM_MASTER_KEY=""\n${SET}`, /^LITELLM_MASTER_KEY=sk-\w{48}\n/],
    ['a line end of Windows', `LITELLM_MASTER_KEY=\r\n${SET}`, /^LITELLM_MASTER_KEY=sk-\w{48}\r?\n/],
    [
      'a comment only',
      `# LITELLM_MASTER_KEY=x\n${SET}`,
      /^# LITELLM_MASTER_KEY=x\n.*\nLITELLM_MASTER_KEY=sk-\w{48}\n$/,
    ],
    [
      'no line end at the end',
      `A=1\nLITELLM_SALT_KEY=salt`,
      /^A=1\nLITELLM_SALT_KEY=salt\nLITELLM_MASTER_KEY=sk-\w{48}\n$/,
    ],
    ['another key whose name ends alike', `MY_LITELLM_MASTER_KEY=x\n${SET}`, /\nLITELLM_MASTER_KEY=sk-\w{48}\n$/],
    ['an empty file', '', /^LITELLM_MASTER_KEY=sk-\w{48}\nLITELLM_SALT_KEY=[\w+/]{43}=\n$/],
  ];
  for (const [name, before, after] of rows) {
    test(`does what is right with ${name}`, async () => {
      const file = join(newFolder(), '.env');
      writeFileSync(file, before, { mode: 0o644 });
      expect((await setup(file)).code).toBe(0);
      const [text, passwords] = readFileSync(file, 'utf8').split(/^(?=POSTGRES_PASSWORD)/m);
      expect(text).toMatch(after);
      expect(passwords).toMatch(/^POSTGRES_PASSWORD=\w{40}\nGRAFANA_ADMIN_PASSWORD=\w{40}\n$/);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    });
  }

  test('follows a link instead of replacing it', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'real'), '');
    symlinkSync(join(folder, 'real'), join(folder, '.env'));
    await setup(join(folder, '.env'));
    expect(readFileSync(join(folder, 'real'), 'utf8')).toContain('LITELLM_MASTER_KEY=sk-');
  });

  test('says so when the folder is not there', async () => {
    const { code, error } = await setup('/nowhere/at/all/.env');
    expect([code, error]).toEqual([1, 'setup-litellm-env: there is no folder /nowhere/at/all\n']);
  });
});

describe('the drills', () => {
  test(
    'fallback holds with the shipped configuration, and stops what it started',
    async () => {
      const { code, out, error } = await run(['bash', 'scripts/test-litellm-fallback.sh']);
      expect([marked(out, '✗'), code, error]).toEqual([[], 0, '']);
      expect(marked(out, '✓')).toEqual([
        'primary answers',
        'a fallback on request (mock_testing_fallbacks) is answered by another group',
        "primary's key is invalid, Azure answers",
        'the switch takes less than a second',
        'both keys are invalid, Anthropic answers',
        'nothing is left, the error says what was tried',
        'primary is rate limited (429), Azure answers',
        'primary fails (500), Azure answers',
        'primary is overloaded (503), Azure answers',
        "primary's model is missing (404), Azure answers",
        'primary resets the connection, Azure answers',
        'primary closes without an answer, Azure answers',
        "a caller's mistake (400) is returned at once and tried nowhere else",
        'a stream that dies before its first content comes whole from Azure',
        'a stream that dies later ends with an error event, without [DONE], and is not repeated elsewhere',
        'primary refuses connections, Azure answers',
      ]);
      const ports = [...out.matchAll(/127\.0\.0\.1:(\d+)/g)].map((match) => Number(match[1]));
      expect(ports).toHaveLength(3);
      for (const port of ports) expect(await new RawClient(port).ended).toBe('refused');
    },
    2 * MINUTES,
  );

  test(
    'retry holds with the shipped configuration, its timeout shortened',
    async () => {
      const { code, out, error } = await run(['bash', 'scripts/test-litellm-retry.sh'], { DRILL_TIMEOUT: '1' });
      expect([marked(out, '✗'), code, error]).toEqual([[], 0, '']);
      expect(out).toContain('timeout shortened from the shipped 30 s to 1 s');
      expect(marked(out, '✓')).toHaveLength(7);
      expect(out).toMatch(
        /3 retries, each after a longer wait: .* waits of [\d.]+ s, [\d.]+ s, [\d.]+ s; Anthropic said 429 429 429 200/,
      );
    },
    3 * MINUTES,
  );

  test(
    'fallback holds against a gateway that runs already, whose providers are simulators',
    async () => {
      const [openai, azure, anthropic] = await Promise.all([startSimulator(), startSimulator(), startSimulator()]);
      const gateway = await startGateway(readFileSync(join(root, 'config/litellm-config.yaml'), 'utf8'), {
        ...{ OPENAI_API_KEY: 'sk-o', AZURE_API_KEY: 'a', ANTHROPIC_API_KEY: 'n' },
        ...{ OPENAI_BASE_URL: `${openai.url}/v1`, AZURE_API_BASE: azure.url, ANTHROPIC_API_BASE: anthropic.url },
      });
      const { code, out, error } = await run(['bash', 'scripts/test-litellm-fallback.sh'], {
        ...{ LITELLM_URL: `${gateway.url}/`, LITELLM_MASTER_KEY: MASTER_KEY },
        ...{ SIMULATOR_OPENAI_URL: openai.url, SIMULATOR_AZURE_URL: azure.url, SIMULATOR_ANTHROPIC_URL: anthropic.url },
      });
      await gateway.stop();
      await Promise.all([openai, azure, anthropic].map((simulator) => simulator.stop()));
      expect([marked(out, '✗'), code, error]).toEqual([[], 0, '']);
      expect(marked(out, '✓')).toHaveLength(16);
    },
    2 * MINUTES,
  );

  /** A gateway that always says that the primary answered. */
  function stubbornGateway() {
    return Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () => new Response('{}', { headers: { 'x-litellm-model-id': 'gpt-4-openai' } }),
    });
  }

  test(
    'a gateway that does not fall back fails the drill, with the evidence',
    async () => {
      const gateway = stubbornGateway();
      const simulator = await startSimulator();
      const address = simulator.url;
      const env = {
        ...{ LITELLM_URL: `http://127.0.0.1:${gateway.port}`, LITELLM_MASTER_KEY: 'sk-x' },
        ...{ SIMULATOR_OPENAI_URL: address, SIMULATOR_AZURE_URL: address, SIMULATOR_ANTHROPIC_URL: address },
      };
      const fallback = await run(['bash', 'scripts/test-litellm-fallback.sh'], env);
      await simulator.reset(); // it refuses connections, as the last check told it
      const retry = await run(['bash', 'scripts/test-litellm-retry.sh'], env);
      await Promise.all([gateway.stop(true), simulator.stop()]);
      expect([fallback.code, retry.code]).toEqual([1, 1]);
      expect(marked(fallback.out, '✓')).toEqual(['primary answers', 'the switch takes less than a second']);
      expect(marked(fallback.out, '✗')).toHaveLength(14);
      expect(marked(retry.out, '✗').length).toBeGreaterThanOrEqual(5);
    },
    MINUTES,
  );

  test('without simulators the checks that need them are skipped and named', async () => {
    const gateway = stubbornGateway();
    const env = { LITELLM_URL: `http://127.0.0.1:${gateway.port}`, LITELLM_MASTER_KEY: 'sk-x' };
    const { code, out } = await run(['bash', 'scripts/test-litellm-retry.sh'], env);
    await gateway.stop(true);
    expect(code).toBe(0);
    expect(out).toContain('- retries, waits, timeouts and benching: skipped');
    expect(out).toContain('1 checks held, 1 skipped');
  });

  test('a gateway without a key, or that is not there, is exit code 2', async () => {
    const keyless = await run(['bash', 'scripts/test-litellm-retry.sh'], { LITELLM_URL: 'http://127.0.0.1:1' });
    expect([keyless.code, keyless.error]).toEqual([
      2,
      'drill: LITELLM_URL is given, so LITELLM_MASTER_KEY is needed too\n',
    ]);
    const gone = await run(['bash', 'scripts/test-litellm-retry.sh'], {
      LITELLM_URL: 'http://127.0.0.1:1',
      LITELLM_MASTER_KEY: 'k',
    });
    expect(gone.code).toBe(2);
  });
});
