import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countTokens as cl100k } from 'gpt-tokenizer/encoding/cl100k_base';
import { countTokens as o200k } from 'gpt-tokenizer/encoding/o200k_base';
import { startWorker } from '../../src/tokens/start-worker.ts';
import { WorkerTokenCounter } from '../../src/tokens/worker-counter.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const root = join(import.meta.dir, '../..');
const folder = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
const losses: string[] = [];
// Patience never ends here: how long a busy machine takes is not what is tested.
const counter = new WorkerTokenCounter({
  clock: new VirtualClock(),
  start: (events) => startWorker(events),
  onLost: (reason) => losses.push(reason),
});

afterAll(() => {
  counter.stop();
  rmSync(folder, { recursive: true, force: true });
});

const count = (text: string, ...models: string[]) => counter.count([{ texts: [text], tokens: 0 }], models, 10_000_000);

const TEXTS = [
  'Hello, world!',
  'The quick brown fox jumps over the lazy dog. '.repeat(200),
  'const x = { a: [1, 2, 3] };\n\tif (x.a.length > 2) {\r\n\t\treturn `x`;\n\t}\n'.repeat(50),
  'Üñïcødé, naïve café, Страсть, 你好世界，今天天气很好。こんにちは、नमस्ते',
  '👩‍👩‍👧‍👦 🇳🇴 ¯\\_(ツ)_/¯',
  'It may say <|endoftext|> and <|im_start|> like any text.',
  '   \n\n\t  spaces   around  \n',
];

describe('the worker counts as the package does', () => {
  test.each(TEXTS)('%j', async (text) => {
    const asText = { disallowedSpecial: new Set<string>() };
    expect(await count(text, 'gpt-4o')).toBe(o200k(text, asText));
    expect(await count(text, 'gpt-4')).toBe(cl100k(text, asText));
    expect(await count(text, 'claude-sonnet-4')).toBe(Math.floor(0.8 * o200k(text, asText)));
    expect(await count(text, 'gpt-4o', 'gpt-4')).toBe(Math.min(o200k(text, asText), cl100k(text, asText)));
  });

  test('fixed tokens are added and the longest prompt decides', async () => {
    const prompts = [
      { texts: ['one', ' two'], tokens: 90 },
      { texts: ['three'], tokens: 7 },
    ];
    expect(await counter.count(prompts, ['gpt-4o'], 1000)).toBe(92);
  });
});

describe('texts made to be slow', () => {
  test.each([
    ['20,000 identical letters', 'a'.repeat(20_000), 2500],
    ['a million letters', 'a'.repeat(1_000_000), 125_000],
    ['a million spaces', ' '.repeat(1_000_000), 7813],
    ['a million marks', '-'.repeat(1_000_000), 15_625],
  ])('%s are counted', async (_name, text, most) => {
    const tokens = (await count(text, 'gpt-4o')) ?? Number.NaN;
    expect(tokens).toBeLessThanOrEqual(most * 1.01);
    expect(tokens).toBeGreaterThanOrEqual(most * 0.9);
  });
});

test('one worker did all of this', () => {
  expect([counter.isRunning, losses]).toEqual([true, []]);
});

describe('a worker that fails', () => {
  test.each([
    ['throws', 'self.onmessage = () => { throw new Error("broken"); };'],
    ['rejects', 'self.onmessage = () => { void Promise.reject(new Error("broken")); };'],
    ['ends', 'self.onmessage = () => process.exit(3);'],
    ['does not start', 'throw new Error("broken");'],
    ['is no program', '}}}'],
  ])('and %s ends nothing but its counts', async (name, source) => {
    const file = join(folder, `${name.replaceAll(' ', '-')}.ts`);
    writeFileSync(file, source);
    const told: string[] = [];
    const failing = new WorkerTokenCounter({
      clock: new VirtualClock(),
      start: (events) => startWorker(events, file),
      onLost: (reason) => told.push(reason),
    });
    expect(await failing.count([{ texts: ['x'], tokens: 0 }], ['gpt-4o'], 10)).toBeNull();
    expect([told.length, failing.isRunning]).toEqual([1, false]);
  });
});

test('a running worker does not keep the process alive', async () => {
  const file = join(folder, 'short.ts');
  writeFileSync(
    file,
    `import { startWorker } from '${root}/src/tokens/start-worker.ts';
startWorker({
  lost: (reason) => console.log('lost', reason),
  answered({ tokens }) {
    console.log('counted', tokens);
    clearTimeout(patience);
  },
}).send({ id: 1, prompts: [{ texts: ['hello world'], tokens: 0 }], measures: [{ encoding: 'o200k_base', factor: 1 }], enough: 10 });
const patience = setTimeout(() => console.log('late'), 60_000);
`,
  );
  const child = Bun.spawn([process.execPath, file], { stdout: 'pipe', stderr: 'inherit' });
  expect([await new Response(child.stdout).text(), await child.exited]).toEqual(['counted 2\n', 0]);
});
