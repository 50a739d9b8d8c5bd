import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Clone, freePort, type Ran, type Running } from './clone.ts';
import { filesToSave, pages, read, testedBlocks } from './documents.ts';

/** Time for npm to install and for two starts. */
const PATIENCE = 300_000;

const README = read('README.md');
/** The guide's commands have a test of their own. */
const documents = [...pages()].filter(([path]) => path !== 'docs/guides/rehearse-an-outage.md');

let clone: Clone;
let gateway: Running;
let port: number;
let first: { readonly output: string; readonly env: string };

/** `npm start` as the README has it, on a free port of this machine alone. */
const npmStart = () =>
  clone.start(['npm', 'start', '--', '--port', '0', '--host', '127.0.0.1'], /serves at [\s\S]*─{20}\n/);

beforeAll(async () => {
  clone = new Clone();
  const once = await npmStart();
  await once.stop();
  first = { output: once.output(), env: readFileSync(join(clone.folder, '.env'), 'utf8') };
  gateway = await npmStart();
  port = Number(/serves at http:\/\/127\.0\.0\.1:(\d+)/.exec(gateway.output())?.[1]);
}, PATIENCE);

afterAll(async () => {
  await gateway?.stop();
  clone?.remove();
});

/** Runs a page's commands with the port of this run in the place of 4000; text comes back with 4000 in its place. */
async function follow(commands: string, there: number, env: Record<string, string> = {}): Promise<Ran> {
  const here = commands
    .replaceAll(/(localhost|127\.0\.0\.1):4000/g, `127.0.0.1:${there}`)
    .replaceAll('--port 4000', `--port ${there}`);
  const { code, output } = await clone.run(here, env);
  return { code, output: output.replaceAll(String(there), '4000') };
}

/** The commands of a page that are run against the gateway, or in the clone. */
const blocksOf = (page: string, kind: string) => testedBlocks(page).filter((block) => block.kind === kind);

describe('the first command', () => {
  test('is the one that was run', () => {
    expect(README).toContain('```sh\nnpm start\n```');
  });

  test('installs, makes .env, and prints what the README shows', () => {
    const shown = /```sh\nnpm start\n```[\s\S]*?```text\n([\s\S]*?)```/.exec(README)?.[1] ?? '';
    const printed = first.output.replaceAll(/127\.0\.0\.1:\d+/g, 'localhost:4000');
    expect(shown.split('\n').filter(Boolean).length).toBeGreaterThan(3);
    for (const line of shown.split('\n')) expect(printed).toContain(line);
    expect(printed).toContain('installing packages');
    expect(printed).toContain('from .env.example');
  });

  test('generates two keys, which only the owner may read, and prints neither', () => {
    const { mode } = statSync(join(clone.folder, '.env'));
    const [master = '', salt = ''] = ['MASTER', 'SALT'].map(
      (name) => new RegExp(`^LITELLM_${name}_KEY=(.*)$`, 'm').exec(first.env)?.[1] ?? '',
    );
    expect(mode & 0o777).toBe(0o600);
    expect(master).toMatch(/^sk-\w{40,}$/);
    expect(salt.length).toBeGreaterThan(40);
    expect(first.output.includes(master) || first.output.includes(salt)).toBe(false);
  });

  test('run again keeps the keys and installs nothing', () => {
    expect(readFileSync(join(clone.folder, '.env'), 'utf8')).toBe(first.env);
    expect(gateway.output()).not.toContain('installing packages');
  });
});

describe('the second command', () => {
  const scripts = (JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> }).scripts;

  test('is what CI runs: this very test', () => {
    expect(README).toContain('```sh\nnpm test\n```');
    expect(scripts.test).toBe('bin/test');
    expect(scripts.pretest).toBe('bin/prepare');
    expect(read('.ci/run')).toMatch(/^npm test /m);
  });
});

describe('the requests of the README', () => {
  const [plain, others] = blocksOf(README, 'demo');

  test('the first gets an answer that says that it is simulated', async () => {
    const { code, output } = await follow(plain?.commands ?? '', port);
    const answer = output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1);
    expect(code).toBe(0);
    expect(JSON.parse(answer)).toMatchObject({
      object: 'chat.completion',
      choices: [{ message: { content: expect.stringContaining('[simulated]') } }],
    });
  });

  test('the second streams to its end, the third fails as asked', async () => {
    const { code, output } = await follow(`${exported(plain?.commands)}${others?.commands}`, port);
    expect(code).toBe(0);
    expect(output).toMatch(/^data: \{.*"object":"chat\.completion\.chunk"/m);
    expect(output).toContain('\ndata: [DONE]\n');
    expect(output).toContain('HTTP/1.1 429');
    expect(output).toMatch(/"code":"429"/);
  });

  test('the commands for real models work with a provider key', async () => {
    const blocks = blocksOf(README, 'clone');
    expect(blocks.length).toBeGreaterThan(0);
    for (const { commands } of blocks) {
      const { code, output } = await follow(commands, await freePort(), { OPENAI_API_KEY: 'sk-none' });
      expect([code, output]).toEqual([0, expect.stringContaining('first: gpt-4-openai of gpt-4')]);
      expect(output).toContain('config/litellm-config.yaml: valid');
    }
  });

  test('without a provider key explain names the variables to set', async () => {
    const { code, output } = await clone.run('bin/tollgate explain gpt-4 --config config/litellm-config.yaml');
    expect(code).toBe(1);
    expect(output).toContain('set OPENAI_API_KEY, AZURE_API_KEY, AZURE_API_BASE, ANTHROPIC_API_KEY');
  });
});

/** The line that gives the shell the key, which later blocks of the README rely on. */
const exported = (commands = ''): string => /^export .*\n/m.exec(commands)?.[0] ?? '';

describe('the commands of the other pages', () => {
  const others = documents.filter(([path]) => path !== 'README.md');
  const rows = others.flatMap(([path, page]) => testedBlocks(page).map((block) => ({ path, page, block })));

  test('are there', () => {
    expect(rows.length).toBeGreaterThan(5);
    for (const { block } of rows) expect(['demo', 'clone']).toContain(block.kind);
  });

  for (const { path, page, block } of rows) {
    test(`${path}: ${block.commands.trim().split('\n').at(-1)}`, async () => {
      for (const { name, text } of filesToSave(page)) writeFileSync(join(clone.folder, name), text);
      const { code, output } = await follow(block.commands, block.kind === 'demo' ? port : await freePort());
      for (const line of block.promised) expect(output).toContain(line);
      expect(code).toBe(0);
    });
  }
});
