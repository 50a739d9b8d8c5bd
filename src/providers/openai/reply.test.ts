import { describe, expect, test } from 'bun:test';
import { testHead } from '../../../test/support/openai-call.ts';
import type { Reply } from '../provider.ts';
import { readReply } from './reply.ts';
import { PURE_ANSWERS } from './rules.ts';

const head = testHead(200, { 'content-type': 'application/json' });

function read(body: string, answers = PURE_ANSWERS, dialect: Parameters<typeof readReply>[2] = 'openai-chat'): Reply {
  return readReply(head, Buffer.from(body), dialect, answers);
}

function textOf(reply: Reply): string {
  return reply.kind === 'bytes' ? Buffer.from(reply.body).toString() : '';
}

const answer = (finish: string, extra = '') =>
  `{"id":"chatcmpl-1","seed":1395002666759424000,"choices":[{"index":0,"message":{"role":"assistant","content":"Grüße 🌍","unknown":1e400},"finish_reason":"${finish}"}],\n "usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}${extra}}\n`;

describe('a good answer', () => {
  test('passes through as the very same bytes', () => {
    const body = Buffer.from(answer('stop'));
    const reply = readReply(head, body, 'openai-chat', PURE_ANSWERS);
    expect(reply).toMatchObject({ kind: 'bytes', finish: 'normal', usage: { input: 7, output: 3 } });
    expect(reply.kind === 'bytes' && reply.body).toBe(body);
  });

  test('says so when the content filter ended it', () => {
    expect(read(answer('content_filter'))).toMatchObject({ kind: 'bytes', finish: 'content-filter' });
  });

  test('may begin with the empty lines of a waiting DeepSeek', () => {
    expect(read(`\n\n\n${answer('stop')}`)).toMatchObject({ kind: 'bytes', usage: { input: 7 } });
  });

  test('may have no usage', () => {
    expect(read('{"choices":[]}')).toMatchObject({ kind: 'bytes', usage: null });
  });

  test('of embeddings has data instead of choices', () => {
    const body = '{"object":"list","data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}';
    expect(read(body, PURE_ANSWERS, 'openai-embeddings')).toMatchObject({
      kind: 'bytes',
      usage: { input: 5, output: 0 },
    });
  });
});

describe('a large answer', () => {
  const long = 'x'.repeat(50_000);

  test('has its usage found without parsing', () => {
    const body = Buffer.from(answer('stop', `,"padding":"${long}"`));
    const reply = readReply(head, body, 'openai-chat', PURE_ANSWERS);
    expect(reply).toMatchObject({ kind: 'bytes', usage: { input: 7, output: 3 } });
    expect(reply.kind === 'bytes' && reply.body).toBe(body);
  });
  test('that was filtered is noticed', () => {
    expect(read(answer('content_filter', `,"padding":"${long}"`))).toMatchObject({ finish: 'content-filter' });
  });
  test('that is an error is noticed', () => {
    expect(read(`{"error":{"message":"${long}","code":502},"choices":[]}`)).toMatchObject({ kind: 'failed' });
  });
  test('that was cut off is noticed', () => {
    expect(read(answer('stop', `,"padding":"${long}"`).slice(0, -20))).toMatchObject({ kind: 'failed' });
  });
  test('that speaks of errors and filters is still an answer', () => {
    expect(read(answer('stop', `,"a":{"error":"content_filter"},"padding":"${long}"`))).toMatchObject({
      kind: 'bytes',
      finish: 'normal',
      usage: { input: 7 },
    });
  });
});

describe('a 200 that is no answer', () => {
  test.each([
    ['nothing', '', 'broken-stream'],
    ['blanks', ' \n', 'broken-stream'],
    ['HTML', '<html>login</html>', 'broken-stream'],
    ['an event stream', 'data: {"choices":[]}\n\n', 'broken-stream'],
    ['JSON that breaks off', answer('stop').slice(0, 60), 'broken-stream'],
    ['JSON that breaks off at a brace', '{"choices":[{"message":{}', 'broken-stream'],
    ['a list', '[]', 'broken-stream'],
    ['an object without choices', '{"id":"x"}', 'broken-stream'],
    ['a failed generation', answer('network_error'), 'broken-stream'],
    ['an error (OpenRouter)', '{"error":{"code":502,"message":"Down"}}', 'upstream-error'],
    ['a refused credential', '{"error":{"code":401,"message":"No"}}', 'rejected'],
    ['an error in a list (Gemini)', '[{"error":{"code":503,"message":"Down"}}]', 'upstream-error'],
    ['MiniMax', '{"base_resp":{"status_code":1002,"status_msg":"rate limit"},"choices":null}', 'rate-limited'],
  ])('%s', (_name, body, kind) => {
    expect(read(body)).toMatchObject({ kind: 'failed', outcome: { kind } });
  });
});

describe('a finish reason that strict clients do not know', () => {
  const together = { ...PURE_ANSWERS, finishReasons: { eos: 'stop' } };
  test('is replaced, and nothing else', () => {
    expect(textOf(read(answer('eos'), together))).toBe(answer('stop'));
  });
  test('in a text stays', () => {
    const body = '{"choices":[{"message":{"content":"\\"finish_reason\\":\\"eos\\""},"finish_reason":"stop"}]}';
    expect(textOf(read(body, together))).toBe(body);
  });
  test('as the end of a stranger key stays', () => {
    const body = '{"choices":[],"x\\"finish_reason":"eos"}';
    expect(textOf(read(body, together))).toBe(body);
  });
  test('is replaced in a large answer too', () => {
    const padding = `,"padding":"${'x'.repeat(50_000)}"`;
    expect(textOf(read(answer('eos', padding), together))).toBe(answer('stop', padding));
  });
  test('stop beside tool calls becomes tool_calls where the host says stop', () => {
    const xai = { ...PURE_ANSWERS, toolCallsFinish: 'says-stop' } as const;
    const body = '{"choices":[{"message":{"tool_calls":[{"id":"a"}]},"finish_reason":"stop"}]}';
    expect(textOf(read(body, xai))).toBe(body.replace('stop', 'tool_calls'));
    expect(textOf(read(answer('stop'), xai))).toBe(answer('stop'));
  });
});

test('reasoning outside completion_tokens is added (xAI)', () => {
  const body =
    '{"choices":[],"usage":{"prompt_tokens":400,"completion_tokens":60,"total_tokens":590,"completion_tokens_details":{"reasoning_tokens":130}}}';
  expect(read(body, { ...PURE_ANSWERS, reasoning: 'outside' })).toMatchObject({
    usage: { output: 190, reasoning: 130 },
  });
});
