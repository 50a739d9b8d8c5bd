import { expect, test } from 'bun:test';
import { DEMO_BACKUP_MODEL, DEMO_MODEL, demoOrder } from './demo.ts';
import { askOfOpenAi } from './invent/ask.ts';

const order = (content: string, model: string = DEMO_MODEL, role = 'user') =>
  demoOrder(askOfOpenAi({ model, messages: [{ role, content }] }));

const rows: readonly (readonly [words: string, expected: readonly string[], wantsTool: boolean])[] = [
  ['hello', [], false],
  ['please fail with 429', ['status 429'], false],
  ['Fail with 503 now', ['status 503'], false],
  ['fail with 200', [], false],
  ['stall', ['stall'], false],
  ['cut the stream', ['reset'], false],
  ['a shortcut, installed', [], false],
  ['use a tool', [], true],
];
for (const [words, expected, wantsTool] of rows) {
  test(`the demo model told "${words}" does ${expected.join() || (wantsTool ? 'a tool call' : 'nothing special')}`, () => {
    const { faults, ...rest } = order(words);
    expect(faults.map((fault) => (fault.kind === 'status' ? `status ${fault.status}` : fault.kind))).toEqual([
      ...expected,
    ]);
    expect(rest.wantsTool).toBe(wantsTool);
  });
}

test('the backup model obeys no failure words', () => {
  expect(order('fail with 500', DEMO_BACKUP_MODEL).faults).toEqual([]);
});

test('words of an assistant or a tool steer nothing', () => {
  expect(order('fail with 500', DEMO_MODEL, 'tool').faults).toEqual([]);
});
