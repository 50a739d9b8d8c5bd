import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dir, '../..');
const guide = readFileSync(join(root, 'docs/guides/rehearse-an-outage.md'), 'utf8');

/** The guide's commands, each with the lines that it promises to print. */
const steps = [...guide.matchAll(/```sh\n([\s\S]*?)```\n(?:```text\n([\s\S]*?)```)?/g)].map((match) => ({
  command: match[1] ?? '',
  promised: (match[2] ?? '').split('\n').filter((line) => line !== ''),
}));

/** Starts `tollgate simulate` on a free port, as the guide's first command does on its own. */
async function startAsTold(command: string) {
  const words = command.trim().replace('--port 4010', '--port 0').split(' ');
  const child = Bun.spawn(words, { cwd: root, stdout: 'pipe', stderr: 'inherit' });
  let output = '';
  for await (const bytes of child.stdout) {
    output += new TextDecoder().decode(bytes);
    const port = /at http:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1];
    if (port !== undefined && output.includes('/_simulator/faults')) return { child, port, output };
  }
  throw new Error(`the simulator ended: ${output}`);
}

test('every command of the guide does what the guide says', async () => {
  const [first, ...rest] = steps;
  expect(first?.command).toStartWith('bin/tollgate simulate');
  const { child, port } = await startAsTold(first?.command ?? '');
  try {
    for (const { command, promised } of rest) {
      const shell = Bun.spawn(['sh', '-c', command.replaceAll('4010', port)], {
        cwd: root,
        stdout: 'pipe',
        stderr: 'pipe',
      });
      const printed = await new Response(shell.stdout).text();
      for (const line of promised) expect(printed).toContain(line);
    }
    expect(rest.filter((step) => step.promised.length > 0).length).toBeGreaterThan(5);
  } finally {
    child.kill('SIGTERM');
  }
  expect(await child.exited).toBe(0);
});

const refused: readonly (readonly [name: string, words: readonly string[], complaint: RegExp, code: number])[] = [
  ['a flag that does not exist', ['--prot', '1'], /Unknown option '--prot'/, 2],
  ['a size that is no number', ['--size', 'big'], /--size must be a number, not 'big'/, 2],
  ['a fault that is not understood', ['--port', '0', '--fault', 'explode'], /unknown fault "explode"/, 2],
  ['a corpus that is not there', ['--port', '0', '--corpus', '/nowhere/at/all'], /no such file/, 1],
];
for (const [name, words, complaint, code] of refused) {
  test(`tollgate simulate refuses ${name}`, async () => {
    const child = Bun.spawn(['bin/tollgate', 'simulate', ...words], { cwd: root, stdout: 'pipe', stderr: 'pipe' });
    expect(await new Response(child.stderr).text()).toMatch(complaint);
    expect(await child.exited).toBe(code);
  });
}

test('tollgate simulate --help lists its flags', async () => {
  const child = Bun.spawn(['bin/tollgate', 'simulate', '--help'], { cwd: root, stdout: 'pipe' });
  expect(await new Response(child.stdout).text()).toContain('--tokens-per-second');
  expect(await child.exited).toBe(0);
});
