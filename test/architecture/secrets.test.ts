import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryFiles, root } from '../readme/documents.ts';
import { type Leak, leaksIn } from '../support/secret-scan.ts';
import { filesBelow } from '../support/secret-search.ts';

/** Files whose random text is no secret, and what it is. */
const RANDOM: Readonly<Record<string, string>> = {
  'package-lock.json': 'checksums of packages',
  'src/simulator/invent/seed.ts': 'the alphabet of ids that are made up',
};
/** Files that hold test credentials on purpose, and which form. */
const ON_PURPOSE: Readonly<Record<string, string>> = Object.fromEntries(
  // Certificates that no authority signed, for connections over loopback.
  ['expired', 'localhost', 'self-signed', 'wrong-host'].map((name) => [`test/support/tls/${name}.key`, 'private key']),
);

/** Tests and benchmarks make up credentials; what has a real form is looked for in them as well. */
const isTest = (path: string): boolean => /\.test\.ts$|^test\/|__fixtures__|^bench\//.test(path);

const leaksOf = (path: string, text: string): readonly Leak[] =>
  leaksIn(path, text, isTest(path) || RANDOM[path] !== undefined ? 'forms-only' : 'entropy-too').filter(
    ({ what }) => ON_PURPOSE[path] !== what,
  );

const textOf = (path: string): string => readFileSync(join(root, path), 'latin1');

describe('the tree', () => {
  const files = repositoryFiles();

  test('holds no credential', () => {
    expect(files.length).toBeGreaterThan(300);
    expect(files.flatMap((path) => leaksOf(path, textOf(path)))).toEqual([]);
  });

  test('has no exception that nothing needs', () => {
    for (const path of Object.keys(RANDOM))
      expect(leaksIn(path, textOf(path), 'entropy-too').length).toBeGreaterThan(0);
    for (const [path, what] of Object.entries(ON_PURPOSE))
      expect(leaksIn(path, textOf(path), 'forms-only').map((leak) => leak.what)).toContain(what);
  });
});

describe('what npm publishes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-pack-'));
  let packed: ReadonlyMap<string, string>;

  beforeAll(() => {
    run('npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', folder);
    run('tar', '-xzf', join(folder, `tollgate-${version()}.tgz`), '-C', folder);
    packed = filesBelow(join(folder, 'package'));
  }, 60_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (...words: readonly string[]): void => {
    const { exitCode, stderr } = Bun.spawnSync([...words], { cwd: root, stdout: 'ignore' });
    if (exitCode !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
  };
  const version = (): string => (JSON.parse(textOf('package.json')) as { version: string }).version;

  test('are files of the repository and nothing that lies beside them, such as .env or data', () => {
    const known = new Set(repositoryFiles());
    const names = [...packed.keys()].map((path) => path.slice(join(folder, 'package/').length));
    expect(names.length).toBeGreaterThan(300);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
    for (const name of ['SECURITY.md', 'LICENSE', 'bin/tollgate']) expect(names).toContain(name);
  });

  test('holds no credential', () => {
    const leaks = [...packed].flatMap(([path, text]) => leaksOf(path.slice(join(folder, 'package/').length), text));
    expect(leaks).toEqual([]);
  });
});

describe('a credential that somebody plants', () => {
  // Put together here, so that this file holds none.
  const letters = (length: number): string => 'aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0fR'.repeat(4).slice(0, length);
  const PLANTED: readonly (readonly [what: string, text: string])[] = [
    ['private key', `-----BEGIN RSA ${'PRIVATE'} KEY-----`],
    ['OpenAI key', `sk-proj-${letters(48)}`],
    ['OpenAI key of the old form', `sk-${letters(20)}T3Blbk${'FJ'}${letters(20)}`],
    ['Anthropic key', `sk-ant-api03-${letters(93)}`],
    ['AWS access key', `AKI${'A'}IOSFODNN7EXAMPLX`],
    ['Google key', `AIz${'a'}${letters(35)}`],
    ['Google OAuth secret', `GOCSPX-${letters(28)}`],
    ['GitHub token', `ghp_${letters(36)}`],
    ['GitHub token', `github_pat_${letters(64)}`],
    ['GitLab token', `glpat-${letters(20)}`],
    ['npm token', `npm_${letters(36)}`],
    ['PyPI token', `pypi-AgEI${letters(60)}`],
    ['Hugging Face token', `hf_${letters(34)}`],
    ['Slack token', `xoxb-${letters(24)}`],
    ['Slack webhook', `https://hooks.slack.com/services/T0000000A/B0000000A/${letters(24)}`],
    ['Stripe key', `sk_live_${letters(24)}`],
    ['Langfuse key', `sk-lf-${'01234567-89ab-cdef-0123'}-456789abcdef`],
    ['JSON Web Token', `eyJ${letters(20)}.eyJ${letters(30)}.${letters(40)}`],
    ['random text', `LITELLM_SALT_KEY=${Buffer.from(letters(33)).toString('base64')}`],
    ['random text', `LITELLM_MASTER_KEY=sk-${letters(43)}`],
    ['random text', `https://example.com/hooks/${letters(40)}`],
  ];

  test.each(PLANTED)('is found in a page and in a source: %s', (what, text) => {
    for (const path of ['README.md', 'src/cli/serve.ts', 'config/litellm-config.yaml']) {
      const lines = textOf(path).split('\n');
      lines.splice(2, 0, `  api_key: "${text}" # mine`);
      const leaks = leaksOf(path, lines.join('\n'));
      expect(leaks).toContainEqual({ path, line: 3, what });
      expect(JSON.stringify(leaks)).not.toContain(text);
    }
  });

  test.each(PLANTED.filter(([what]) => what !== 'random text'))('is found in a test as well: %s', (what, text) => {
    const path = 'test/integration/life.test.ts';
    expect(leaksOf(path, `const key = '${text}';`)).toContainEqual({ path, line: 1, what });
  });
});
