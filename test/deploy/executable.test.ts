import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VERSION } from '../../src/core/version.ts';
import { root } from '../readme/documents.ts';

const MASTER_KEY = 'sk-test-master-key-0123456789';
const CONFIG = `
model_list:
  - model_name: small
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/UPSTREAM_KEY, api_base: "http://127.0.0.1:1/v1"}
    model_info: {max_input_tokens: 50}
router_settings: {enable_pre_call_checks: true, num_retries: 0}
`;

const folder = mkdtempSync(join(tmpdir(), 'tollgate-executable-'));
const executable = join(folder, 'tollgate');
const children: Bun.Subprocess[] = [];

function build(file: string): void {
  const { exitCode, stderr } = Bun.spawnSync([join(root, 'scripts/build-executable.sh'), file]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}

beforeAll(() => build(executable));

afterAll(async () => {
  // Those that a failed test left running.
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(children.map(({ exited }) => exited));
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the executable in its folder, with an environment that names no program. */
async function started(env: Record<string, string>) {
  writeFileSync(join(folder, 'config.yaml'), CONFIG);
  const words = ['--config', 'config.yaml', '--port', '0', '--host', '127.0.0.1', '--data-dir', 'data'];
  const child = Bun.spawn([executable, ...words], { cwd: folder, env, stdout: 'pipe', stderr: 'inherit' });
  children.push(child);
  const { promise: port, resolve, reject } = Promise.withResolvers<string>();
  const reading = (async () => {
    const decoder = new TextDecoder();
    let output = '';
    for await (const bytes of child.stdout) {
      output += decoder.decode(bytes, { stream: true });
      const [, found] = /serves at http:\/\/127\.0\.0\.1:(\d+)/.exec(output) ?? [];
      if (found !== undefined) resolve(found);
    }
    reject(new Error(output));
    return output;
  })();
  return { url: `http://127.0.0.1:${await port}`, child, output: reading };
}

describe('the executable', () => {
  test('says its version', () => {
    expect(Bun.spawnSync([executable, '--version'], { env: {} }).stdout.toString()).toBe(`tollgate ${VERSION}\n`);
  });

  test('is the same, byte for byte, when it is built again elsewhere', () => {
    const again = join(folder, 'again', 'tollgate');
    mkdirSync(join(folder, 'again'));
    build(again);
    expect(readFileSync(again).equals(readFileSync(executable))).toBe(true);
  });

  test('serves without any other file, counts tokens in its worker, and ends with 0 at SIGTERM', async () => {
    const { url, child, output } = await started({ LITELLM_MASTER_KEY: MASTER_KEY, UPSTREAM_KEY: 'sk-none' });
    expect((await fetch(`${url}/health`)).status).toBe(200);
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${MASTER_KEY}` },
      body: JSON.stringify({
        model: 'small',
        messages: [{ role: 'user', content: 'hello strange world '.repeat(60) }],
      }),
    });
    // Only who counted knows that 50 are not enough; a worker that is not found lets the request go upstream: 502.
    expect(await answer.text()).toContain('no deployment of small takes more than 50');
    expect(answer.status).toBe(400);
    child.kill('SIGTERM');
    expect(await child.exited).toBe(0);
    expect(await output).not.toContain('the token counter failed');
  });

  test('obeys no .env in the folder where it is started', async () => {
    writeFileSync(join(folder, '.env'), 'UPSTREAM_KEY=sk-of-somebody-else\n');
    const { child, output } = await started({ LITELLM_MASTER_KEY: MASTER_KEY });
    child.kill('SIGTERM');
    await child.exited;
    expect(await output).toContain('missing UPSTREAM_KEY');
  });
});

describe('the bill of materials', () => {
  interface Bom {
    readonly components: readonly {
      readonly name: string;
      readonly group?: string;
      readonly version: string;
      readonly purl: string;
      readonly hashes: readonly { readonly alg: string; readonly content: string }[];
    }[];
  }
  const written = () => Bun.spawnSync(['node', join(root, 'scripts/write-sbom.mjs')]).stdout.toString();

  test('names the packages of production and the engine of this platform, with their checksums', async () => {
    const { dependencies } = (await Bun.file(join(root, 'package.json')).json()) as {
      readonly dependencies: Readonly<Record<string, string>>;
    };
    const { components } = JSON.parse(written()) as Bom;
    const named = new Map(
      components.filter(({ group }) => group === undefined).map((each) => [each.name, each.version]),
    );
    expect(Object.fromEntries(named)).toEqual(dependencies);
    const engines = components.filter(({ group }) => group === '@oven');
    expect(engines.map(({ purl }) => purl)).toContainEqual(
      expect.stringMatching(/^pkg:npm\/%40oven\/bun-[a-z0-9-]+@\d/),
    );
    for (const { hashes } of components)
      expect(hashes).toEqual([{ alg: 'SHA-512', content: expect.stringMatching(/^[0-9a-f]{128}$/) }]);
  });

  test('is the same whenever it is written', () => {
    expect(written()).toBe(written());
  });
});
