import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { MASTER_KEY, startGateway, streamEvents, type TestGateway } from '../support/gateway.ts';

const launcher = join(import.meta.dir, '../../bin/tollgate');
let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator({ size: 200 });
});

afterAll(() => simulator.stop());

function config(model: string): string {
  return `model_list:
  - {model_name: ${model}, litellm_params: {model: openai/m, api_key: os.environ/UPSTREAM_KEY, api_base: "${simulator.url}/v1"}}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
`;
}

const env = { UPSTREAM_KEY: 'sk-upstream' };

async function models(gateway: TestGateway): Promise<string[]> {
  const response = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${MASTER_KEY}` } });
  return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
}

async function readiness(
  gateway: TestGateway,
): Promise<{ config: { version: number; status: string; problem?: string } }> {
  return (await fetch(`${gateway.url}/health/readiness`)).json() as Promise<{
    config: { version: number; status: string };
  }>;
}

/** Runs the command line to its end. */
async function command(argv: readonly string[], options: { env?: Record<string, string>; cwd?: string } = {}) {
  const child = Bun.spawn([launcher, ...argv], {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env.PATH ?? '', ...options.env },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, error, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, error, code };
}

describe('an edit of the configuration', () => {
  test('is taken at once and breaks no stream that is open', async () => {
    const gateway = await startGateway(config('before'), env);
    simulator.inject('stall@events:5', { times: 1 });
    const abort = new AbortController();
    const open = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${MASTER_KEY}` },
      body: JSON.stringify({ model: 'before', stream: true, messages: [{ role: 'user', content: 'Hello' }] }),
      signal: abort.signal,
    });
    // The reader is kept: a body that nobody holds may be collected, which would end the stream.
    const reader = open.body?.getReader();
    expect((await reader?.read())?.value?.length).toBeGreaterThan(0);
    writeFileSync(`${gateway.configPath}.new`, config('after'));
    renameSync(`${gateway.configPath}.new`, gateway.configPath);
    await gateway.until('configuration swapped');
    expect(await models(gateway)).toEqual(['after']);
    expect((await readiness(gateway)).config.version).toBe(2);
    // The stream is still there: leaving it is what ends it upstream.
    expect(simulator.requests.at(-1)?.ending).toBe('pending');
    abort.abort();
    reader?.read().catch(() => {});
    await simulator.until((requests) => requests.at(-1)?.ending === 'client-closed');
    await gateway.stop();
    await simulator.reset();
  });

  test('that is wrong changes nothing and is loud in log, metric and readiness, until it is mended', async () => {
    const gateway = await startGateway(config('good'), env);
    writeFileSync(gateway.configPath, 'router_settings: {num_retries: many}\n');
    await gateway.until('was not taken');
    expect(await models(gateway)).toEqual(['good']);
    const state = await readiness(gateway);
    expect(state.config).toMatchObject({
      version: 1,
      status: 'rejected',
      problem: expect.stringContaining('config.yaml:1:'),
    });
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(metrics).toContain('tollgate_config_reload_failures_total 1');
    expect(metrics).toContain('tollgate_config_last_reload_successful 0');
    expect((await gateway.chat({ model: 'good' })).status).toBe(200);
    writeFileSync(gateway.configPath, config('mended'));
    await gateway.until('configuration swapped');
    expect(await models(gateway)).toEqual(['mended']);
    expect((await readiness(gateway)).config.status).toBe('current');
    await gateway.stop();
  });

  test('is looked for at SIGHUP', async () => {
    const gateway = await startGateway(config('good'), env);
    writeFileSync(gateway.configPath, config('hung-up'));
    gateway.signal('SIGHUP');
    await gateway.until('configuration swapped');
    expect(await models(gateway)).toEqual(['hung-up']);
    await gateway.stop();
  });
});

describe('SIGTERM', () => {
  test('lets a running stream finish, refuses new connections and ends with 0', async () => {
    const gateway = await startGateway(config('m'), env);
    simulator.inject('event@20', { times: 1 });
    const response = await gateway.chat({ model: 'm', stream: true });
    expect(response.status).toBe(200);
    gateway.signal('SIGTERM');
    await gateway.until('stopping');
    const events = streamEvents(await response.text());
    expect(events.at(-1)).toBe('[DONE]');
    expect(await gateway.exited).toBe(0);
    expect(fetch(`${gateway.url}/health`)).rejects.toThrow();
    await simulator.reset();
  });
});

describe('starting', () => {
  test('without a master key is refused with what to do', async () => {
    const { error, code } = await command(['--port', '0']);
    expect([code, error]).toEqual([1, expect.stringContaining('LITELLM_MASTER_KEY')]);
  });

  test('with a wrong file is refused with the place and the nearest key', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-life-'));
    writeFileSync(join(folder, 'c.yaml'), 'router_settings:\n  num_retries: lots\n');
    const { error, code } = await command(['--config', 'c.yaml', '--port', '0'], {
      cwd: folder,
      env: { LITELLM_MASTER_KEY: MASTER_KEY },
    });
    expect([code, error]).toEqual([1, expect.stringContaining('c.yaml:2:16')]);
    rmSync(folder, { recursive: true });
  });

  test('on a port that is taken is refused, never moved to another', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => blocker.once('listening', resolve));
    const { port } = blocker.address() as { port: number };
    // Its own, for its data stay there.
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-life-'));
    const { error, code } = await command(['--port', String(port), '--host', '127.0.0.1'], {
      cwd: folder,
      env: { LITELLM_MASTER_KEY: MASTER_KEY },
    });
    expect([code, error]).toEqual([1, expect.stringContaining(`cannot listen on 127.0.0.1:${port}`)]);
    blocker.close();
    rmSync(folder, { recursive: true });
  });

  test('in a folder with a hostile .env and bunfig.toml obeys neither', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-life-'));
    writeFileSync(join(folder, '.env'), 'LITELLM_MASTER_KEY=sk-planted-key-0123456789\n');
    writeFileSync(join(folder, 'bunfig.toml'), 'preload = ["./planted.ts"]\n');
    writeFileSync(join(folder, 'planted.ts'), 'console.log("planted code ran");\n');
    const { out, error, code } = await command(['--port', '0'], { cwd: folder });
    expect([code, error]).toEqual([1, expect.stringContaining('no master key is set')]);
    expect(out + error).not.toContain('planted');
    rmSync(folder, { recursive: true });
  });

  test('an env file is read when it is named, and does not beat the environment', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-life-'));
    writeFileSync(
      join(folder, 'keys'),
      `# keys\nexport UPSTREAM_KEY="sk-from-file"\nLITELLM_MASTER_KEY=sk-from-file\nEMPTY=\n`,
    );
    const gateway = await startGateway(config('m'), {}, ['--env-file', join(folder, 'keys')]);
    expect((await gateway.chat({ model: 'm' })).status).toBe(200);
    await gateway.stop();
    rmSync(folder, { recursive: true });
  });

  test("takes LiteLLM's flags", async () => {
    const gateway = await startGateway(config('m'), env, [
      '--num_workers',
      '4',
      '--detailed_debug',
      '--telemetry',
      'False',
    ]);
    expect((await gateway.chat({ model: 'm' }, { 'x-canary': 'sk-canary-header-value' })).status).toBe(200);
    await gateway.until('"message":"request"');
    expect(gateway.output()).toContain('--num_workers is accepted');
    expect(gateway.output()).not.toContain(MASTER_KEY);
    expect(gateway.output()).not.toContain('sk-upstream');
    await gateway.stop();
  });

  for (const [argv, code, text] of [
    [['--version'], 0, 'tollgate 0.1.0'],
    [['--help'], 0, '--config, -c FILE'],
    [['--nonsense'], 2, 'nonsense'],
    [['nonsense'], 2, "Unknown command 'nonsense'"],
    [['--port', 'abc'], 2, '--port must be a number'],
    [['--health', '--port', '1'], 1, 'no gateway answers at http://127.0.0.1:1'],
  ] as const) {
    test(`${argv.join(' ')} ends with ${code}`, async () => {
      const result = await command(argv);
      expect([result.code, result.out + result.error]).toEqual([code, expect.stringContaining(text)]);
    });
  }

  test('by the launcher for systems without a shell is the same', async () => {
    const child = Bun.spawn(['node', `${launcher}.mjs`, '--version'], { stdout: 'pipe' });
    expect(await new Response(child.stdout).text()).toBe('tollgate 0.1.0\n');
    expect(await child.exited).toBe(0);
  });

  test('--health and --test ask a running gateway', async () => {
    const gateway = await startGateway(config('m'), env);
    const asked = { env: { LITELLM_MASTER_KEY: MASTER_KEY } };
    const health = await command(['--health', '--port', String(gateway.port)], asked);
    expect([health.code, health.out]).toEqual([0, expect.stringContaining('"healthy_count":1')]);
    const chat = await command(['--test', gateway.url], asked);
    expect([chat.code, chat.out]).toEqual([0, expect.stringContaining('chat.completion')]);
    await gateway.stop();
  });

  test('doctor and explain say what they see', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-life-'));
    writeFileSync(join(folder, 'c.yaml'), config('m'));
    const asked = { cwd: folder, env: { LITELLM_MASTER_KEY: MASTER_KEY, ...env } };
    const doctor = await command(['doctor', '--config', 'c.yaml', '--port', '0'], asked);
    expect([doctor.code, doctor.out]).toEqual([0, expect.stringContaining('1 of 1 deployments are ready')]);
    const explain = await command(['explain', 'm', '--config', 'c.yaml'], asked);
    expect([explain.code, explain.out]).toEqual([0, expect.stringContaining('openai/m')]);
    const unknown = await command(['explain', 'n', '--config', 'c.yaml'], asked);
    expect([unknown.code, unknown.error]).toEqual([1, expect.stringContaining('Did you mean m?')]);
    rmSync(folder, { recursive: true });
  });
});

describe('the demo model', () => {
  test('answers when no provider can, says that it is simulated, and fails on request', async () => {
    const gateway = await startGateway(
      'general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}\nrouter_settings: {num_retries: 0, timeout: 0.3}\n',
    );
    const say = (content: string, more: object = {}) =>
      gateway.chat({ model: 'demo', messages: [{ role: 'user', content }], ...more });
    expect(await (await say('Hello')).text()).toContain('[simulated]');
    const events = streamEvents(await (await say('Hello', { stream: true })).text());
    expect(events.at(-1)).toBe('[DONE]');
    const limited = await say('fail with 429');
    expect([limited.status, await limited.text()]).toEqual([429, expect.stringContaining('[simulated]')]);
    const failover = await say('fail with 503', { fallbacks: ['demo-backup'] });
    expect([failover.status, failover.headers.get('x-litellm-model-group')]).toEqual([200, 'demo-backup']);
    expect((await say('stall')).status).toBe(504);
    expect(await (await say('cut', { stream: true })).text()).not.toContain('[DONE]');
    const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }];
    expect(await (await say('use the tool', { tools })).text()).toContain('"tool_calls"');
    await gateway.stop();
  });

  test('is not there when a provider can answer', async () => {
    const gateway = await startGateway(config('m'), env);
    expect(await models(gateway)).toEqual(['m']);
    await gateway.stop();
  });
});
