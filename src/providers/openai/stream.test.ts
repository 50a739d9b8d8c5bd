import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type Heard, hear, testContext } from '../../../test/support/openai-call.ts';
import { PURE_ANSWERS } from './rules.ts';
import { OpenAiStream } from './stream.ts';

const chunk = (delta: object, finish: string | null = null, more: object = {}) =>
  `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: finish }], ...more })}\n\n`;

const ROLE = chunk({ role: 'assistant', content: '', refusal: null });
const TEXT = chunk({ content: 'Grüße 🌍' });
const STOP = chunk({}, 'stop');
const USAGE = 'data: {"id":"c","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}\n\n';
const DONE = 'data: [DONE]\n\n';
const WHOLE = ROLE + TEXT + STOP + USAGE + DONE;

function listen(body: string, context: Parameters<typeof testContext>[0] = {}, answers = PURE_ANSWERS): Heard {
  return hear(new OpenAiStream(testContext({ isStreaming: true, ...context }), answers), body);
}

describe('a good stream', () => {
  test('passes through, and usage goes to those who asked', () => {
    const heard = listen(WHOLE, { wantsUsage: true });
    expect(heard.forwarded).toBe(WHOLE);
    expect(heard.usage).toMatchObject({ input: 5, output: 2 });
    expect(heard.calls).toEqual([
      'forward',
      'forward',
      'meaningful',
      'forward',
      'usage',
      'forward',
      'forward',
      'complete',
    ]);
  });

  test('hides the usage chunk from those who did not', () => {
    const heard = listen(WHOLE);
    expect(heard.forwarded).toBe(ROLE + TEXT + STOP + DONE);
    expect(heard.usage).toMatchObject({ input: 5, output: 2 });
  });

  test('shows usage that comes with choices (Mistral)', () => {
    const last = chunk({ content: '3' }, 'stop', {
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    });
    expect(listen(ROLE + last + DONE)).toMatchObject({ forwarded: ROLE + last + DONE, usage: { input: 1 } });
  });

  test('takes the last usage of several (Groq, Perplexity)', () => {
    const count = (completion_tokens: number) => ({ usage: { prompt_tokens: 9, completion_tokens, total_tokens: 0 } });
    const body = chunk({ content: 'a' }, null, count(1)) + chunk({ content: 'b' }, 'stop', count(2)) + DONE;
    expect(listen(body).usage).toMatchObject({ input: 9, output: 2 });
  });

  test('takes x_groq usage when there is no other', () => {
    const body = TEXT + chunk({}, 'stop', { x_groq: { usage: { prompt_tokens: 4, completion_tokens: 1 } } }) + DONE;
    expect(listen(body).usage).toMatchObject({ input: 4, output: 1 });
  });

  test('is whole without [DONE] when its choice has ended (Cerebras)', () => {
    expect(listen(ROLE + TEXT + STOP).calls.at(-1)).toBe('complete');
  });

  test('is whole without [DONE] when usage follows the end', () => {
    expect(listen(ROLE + TEXT + STOP + USAGE).calls.at(-1)).toBe('complete');
  });

  test('says nothing more after [DONE]', () => {
    const heard = listen(`${WHOLE}data: {"error":{"message":"late"}}\n\n${TEXT}`, { wantsUsage: true });
    expect(heard.forwarded).toBe(WHOLE);
    expect(heard.calls.filter((call) => call === 'complete' || call === 'fail')).toEqual(['complete']);
  });

  test('forwards the first chunk of Azure, which has no choices', () => {
    const first = 'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[]}\n\n';
    const heard = listen(first + ROLE + TEXT + STOP + DONE);
    expect(heard.forwarded).toBe(first + ROLE + TEXT + STOP + DONE);
    expect(heard.calls.indexOf('meaningful')).toBe(3);
  });

  test('of a refusal, reasoning or a tool call means something', () => {
    for (const delta of [
      { refusal: 'no' },
      { reasoning_content: 'hm' },
      { reasoning: 'hm' },
      { tool_calls: [{ index: 0 }] },
    ]) {
      expect(listen(ROLE + chunk(delta)).calls).toContain('meaningful');
    }
  });

  test('may carry an empty finish reason on every chunk', () => {
    const text = chunk({ content: 'a' }, '', { usage: { prompt_tokens: 1, completion_tokens: 1 } });
    expect(listen(text).calls.at(-1)).toBe('fail');
  });

  test('may end with a chunk of MiniMax that says success', () => {
    const last = 'data: {"base_resp":{"status_code":0,"status_msg":"success"}}\n\n';
    expect(listen(TEXT + STOP + last + DONE)).toMatchObject({ forwarded: TEXT + STOP + last + DONE, failure: null });
  });

  test('of legacy completions has text', () => {
    const body = `data: {"choices":[{"index":0,"text":"a","finish_reason":null}]}\n\ndata: {"choices":[{"index":0,"text":"","finish_reason":"length"}]}\n\n${DONE}`;
    expect(listen(body)).toMatchObject({ forwarded: body, failure: null });
  });
});

describe('a stream that fails', () => {
  const rows: readonly (readonly [string, string, object])[] = [
    ['ends before its choice', ROLE + TEXT, { kind: 'broken-stream', committed: false }],
    ['ends before anything', '', { kind: 'broken-stream', committed: false }],
    ['is [DONE] and nothing else', DONE, { kind: 'broken-stream' }],
    ['ends one of two choices', chunk({}, 'stop') + TEXT, { kind: 'broken-stream' }],
    [
      'ends the second of two choices only',
      TEXT + chunk({}, 'stop').replace('"index":0', '"index":1'),
      { kind: 'broken-stream' },
    ],
    ['has an event that is no JSON', `${ROLE}data: {"choices":[\n\n`, { kind: 'broken-stream' }],
    ['has an event that is no object', `${ROLE}data: 12\n\n`, { kind: 'broken-stream' }],
    [
      'has an error with a numeric code (OpenRouter)',
      `${ROLE}data: {"error":{"code":502,"message":"Down"},"choices":[{"index":0,"delta":{"content":""}}]}\n\n${DONE}`,
      { kind: 'upstream-error', words: { status: 502, message: 'Down' } },
    ],
    [
      'has an error event with a status (Groq)',
      `${TEXT}event: error\ndata: {"error":{"message":"No","status_code":400}}\n\n`,
      { kind: 'rejected', reason: 'invalid-request' },
    ],
    [
      'has an error by type',
      `data: {"error":{"message":"No","type":"rate_limit_error"}}\n\n`,
      { kind: 'rate-limited' },
    ],
    [
      'has an error event of plain text',
      'event: error\ndata: overloaded\n\n',
      { kind: 'upstream-error', words: { message: 'overloaded' } },
    ],
    ['has an error in old vLLM shape', 'data: {"object":"error","message":"No","code":400}\n\n', { kind: 'rejected' }],
    ['ends by saying that it failed (z.ai)', TEXT + chunk({}, 'network_error') + DONE, { kind: 'broken-stream' }],
  ];
  test.each(rows)('%s', (_name, body, expected) => {
    const heard = listen(body);
    expect(heard.failure).toMatchObject(expected);
    expect(heard.calls).not.toContain('complete');
    expect(heard.calls.at(-1)).toBe('fail');
  });

  test('reports the usage of the chunk that holds the error', () => {
    const body =
      'data: {"error":{"code":400,"message":"No"},"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":1}}\n\n';
    expect(listen(body)).toMatchObject({ usage: { input: 4 }, failure: { kind: 'rejected' } });
  });
});

describe('finish reasons', () => {
  test('that strict clients do not know are replaced in place', () => {
    const answers = { ...PURE_ANSWERS, finishReasons: { eos: 'stop' } };
    const body = `${TEXT}: comment\n\ndata: {"big":1395002666759424000, "choices":[{"index":0,"delta":{"content":"ü"},"finish_reason" : "eos"}]}\r\n\r\n${DONE}`;
    const heard = listen(body, {}, answers);
    expect(heard.forwarded).toBe(body.replace(': comment\n\n', '').replace('"eos"', '"stop"'));
    expect(heard.calls.at(-1)).toBe('complete');
  });

  test('stop after tool calls becomes tool_calls where the host says stop', () => {
    const answers = { ...PURE_ANSWERS, toolCallsFinish: 'says-stop' } as const;
    const call = chunk({ tool_calls: [{ index: 0, id: 'a' }] });
    expect(listen(call + STOP + DONE, {}, answers).forwarded).toBe(call + chunk({}, 'tool_calls') + DONE);
    expect(listen(TEXT + STOP + DONE, {}, answers).forwarded).toBe(TEXT + STOP + DONE);
  });
});

test('any split of the bytes gives the same calls', () => {
  const body = Buffer.from(WHOLE + TEXT);
  const answers = { ...PURE_ANSWERS, finishReasons: { stop: 'length' } };
  const decoder = () => new OpenAiStream(testContext({ isStreaming: true, wantsUsage: true }), answers);
  const whole = hear(decoder(), body);
  fc.assert(
    fc.property(fc.array(fc.nat(body.length)), (offsets) => {
      expect(
        hear(
          decoder(),
          body,
          offsets.toSorted((a, b) => a - b),
        ),
      ).toEqual(whole);
    }),
    { numRuns: 200 },
  );
});
