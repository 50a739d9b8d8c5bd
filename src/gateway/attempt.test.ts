import { describe, expect, test } from 'bun:test';
import { testCall, testContext, testDeployment } from '../../test/support/call.ts';
import { FakeUpstream } from '../../test/support/fake-upstream.ts';
import { VirtualClock } from '../../test/support/virtual-clock.ts';
import { millis, seconds } from '../core/units.ts';
import { openaiEncoder } from '../endpoints/openai-encoder.ts';
import { openai } from '../providers/openai/openai.ts';
import type { Provider } from '../providers/provider.ts';
import type { ClientStream } from '../transport/server.ts';
import { Attempt, type AttemptEnd } from './attempt.ts';

const CONTENT = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n';
const ROLE = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n';
const FINISH = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';

/** A client whose reading the test controls. */
class FakeClient implements ClientStream {
  text = '';
  isEnded = false;
  isCut = false;
  isSlow = false;
  #drain: () => void = () => {};

  write(bytes: Uint8Array): boolean {
    this.text += Buffer.from(bytes).toString();
    return !this.isSlow;
  }

  onDrain(callback: () => void): void {
    this.#drain = callback;
  }

  end(): void {
    this.isEnded = true;
  }

  cut(): void {
    this.isCut = true;
  }

  drain(): void {
    this.isSlow = false;
    this.#drain();
  }
}

function begin(isStreaming = true, keepAlive = seconds(15), deadline = seconds(100)) {
  const reported: unknown[] = [];
  const clock = new VirtualClock();
  const upstream = new FakeUpstream();
  const facet = openai.chat;
  if (facet === undefined) throw new Error('openai has chat');
  const provider: Provider = openai;
  const attempt = new Attempt(
    {
      provider,
      facet,
      context: testContext(
        testDeployment('openai', 'm'),
        testCall(Buffer.from(`{"model":"m","messages":[],"stream":${isStreaming}}`)),
      ),
      limits: { connect: seconds(10), firstByte: seconds(30), idle: seconds(30), deadline },
      encoder: openaiEncoder,
      passThrough: true,
      maxResponseBytes: 100_000,
      keepAlive,
      report: (error) => reported.push(error),
    },
    clock,
  ).start(upstream, {
    kind: 'request',
    method: 'POST',
    url: 'http://127.0.0.1/v1',
    headers: [],
    body: [Buffer.from('{}')],
    dropped: [],
  });
  return { attempt, clock, upstream, reported, call: upstream.last };
}

async function committed(end: Promise<AttemptEnd>) {
  const result = await end;
  if (result.kind !== 'stream') throw new Error(`not a stream: ${JSON.stringify(result)}`);
  const client = new FakeClient();
  result.relay.attach(client);
  return { ...result, client };
}

describe('the limits of an attempt', () => {
  test('connect: no connection in time', async () => {
    const { attempt, clock, call } = begin();
    clock.advanceTo(seconds(10));
    expect(await attempt.done).toEqual({
      kind: 'failed',
      outcome: { kind: 'timeout', phase: 'connect', limit: seconds(10) },
    });
    expect(call.isAborted).toBe(true);
  });

  test('connect: is over once the connection is open, however long a large body takes to be sent', async () => {
    const { attempt, clock, call } = begin();
    call.handlers.onConnected();
    clock.advanceTo(seconds(29));
    call.handlers.onSent();
    clock.advanceTo(seconds(58));
    expect(call.isAborted).toBe(false);
    clock.advanceTo(seconds(59));
    expect(await attempt.done).toMatchObject({ outcome: { kind: 'timeout', phase: 'first-byte' } });
  });

  test('first byte: sent, but no answer in time', async () => {
    const { attempt, clock, call } = begin();
    call.handlers.onConnected();
    call.handlers.onSent();
    clock.advanceTo(seconds(29));
    clock.advanceTo(seconds(30));
    expect(await attempt.done).toMatchObject({ outcome: { kind: 'timeout', phase: 'first-byte' } });
  });

  test('a comment of the upstream keeps a silent stream alive, but does not commit it', async () => {
    const { attempt, clock, call } = begin();
    call.head();
    clock.advanceTo(seconds(25));
    call.data(': PROCESSING\n\n');
    clock.advanceTo(seconds(50));
    call.data(CONTENT);
    const { client } = await committed(attempt.done);
    expect(client.text).toBe(CONTENT);
  });

  test('idle: a stream that falls silent after its first words ends as broken', async () => {
    const { attempt, clock, call } = begin();
    call.head().data(CONTENT);
    const { whole } = await committed(attempt.done);
    clock.advanceTo(seconds(30));
    expect(await whole).toMatchObject({ failure: { kind: 'timeout', phase: 'idle' } });
    expect(call.isAborted).toBe(true);
  });

  test('total: the deadline ends a stream that never falls silent', async () => {
    const { attempt, clock, call } = begin();
    call.head().data(CONTENT);
    const { whole } = await committed(attempt.done);
    for (let at = 10; at < 100; at += 10) {
      clock.advanceTo(seconds(at));
      call.data(CONTENT);
    }
    clock.advanceTo(seconds(100));
    expect(await whole).toMatchObject({ failure: { kind: 'timeout', phase: 'total' } });
  });

  test('a client that reads nothing for five minutes is cut off', async () => {
    const { attempt, clock, call } = begin(true, seconds(15), seconds(1000));
    call.head().data(CONTENT);
    const { client, whole } = await committed(attempt.done);
    client.isSlow = true;
    call.data(CONTENT);
    clock.advanceTo(seconds(300));
    expect(await whole).toEqual({ failure: { kind: 'client-gone' } });
    expect(client.isCut).toBe(true);
  });

  test('the idle limit rests while the client is slow, and the upstream has to wait', async () => {
    const { attempt, clock, call } = begin();
    call.head().data(CONTENT);
    const { client, whole } = await committed(attempt.done);
    client.isSlow = true;
    call.data(CONTENT);
    expect(call.isPaused).toBe(true);
    clock.advanceTo(seconds(60));
    client.drain();
    expect(call.isPaused).toBe(false);
    call.data(FINISH);
    expect(await whole).toEqual({ failure: null });
  });

  test('a timer is left behind by no ending', async () => {
    const { attempt, clock, call } = begin(false);
    call.head(200, 'application/json').data('{"choices":[]}');
    call.end();
    await attempt.done;
    clock.advanceTo(millis(1_000_000));
    expect(call.isAborted).toBe(false);
  });
});

describe('the commit point', () => {
  test('is the first output that means something: what came before is held and leaves with it', async () => {
    const { attempt, call } = begin();
    call.head().data(ROLE);
    let isSettled = false;
    void attempt.done.then(() => {
      isSettled = true;
    });
    await Promise.resolve();
    expect(isSettled).toBe(false);
    call.data(CONTENT);
    const { client } = await committed(attempt.done);
    expect(client.text).toBe(ROLE + CONTENT);
  });

  test('passes with an answer that is whole and says nothing', async () => {
    const { attempt, call } = begin();
    call.head().data(ROLE + FINISH);
    const { relay, client } = await committed(attempt.done);
    relay.finish(null);
    expect(client.text).toEndWith('data: [DONE]\n\n');
  });

  test('before it a broken stream is a failure that nobody saw', async () => {
    const { attempt, call } = begin();
    call.head().data(ROLE);
    call.end();
    expect(await attempt.done).toMatchObject({ kind: 'failed', outcome: { kind: 'broken-stream', committed: false } });
  });

  test('after it a broken stream is reported as committed, the event that was cut is not sent', async () => {
    const { attempt, call } = begin();
    call.head().data(CONTENT).data('data: {"choices":[{"index":0,"del');
    const { client, whole } = await committed(attempt.done);
    call.handlers.onError({ kind: 'closed', code: 'ECONNRESET', message: 'reset' });
    expect(await whole).toMatchObject({ failure: { kind: 'broken-stream', committed: true } });
    expect(client.text).toBe(CONTENT);
  });
});

describe('an upstream that does not speak HTTP', () => {
  test('has answered, and badly: that is no failed connection', async () => {
    const { attempt, call } = begin();
    call.handlers.onSent();
    call.handlers.onError({ kind: 'malformed', code: 'EPROTO', message: 'the answer does not start with HTTP/1.' });
    expect(await attempt.done).toMatchObject({
      outcome: { kind: 'broken-stream', committed: false, detail: expect.stringContaining('HTTP/1.') },
    });
  });

  test('and one that hangs up before its head is a failed connection', async () => {
    const { attempt, call } = begin();
    call.handlers.onSent();
    call.handlers.onError({ kind: 'closed', code: 'ECONNRESET', message: 'closed' });
    expect(await attempt.done).toMatchObject({ outcome: { kind: 'connect-failed', code: 'ECONNRESET' } });
  });
});

describe('an answer', () => {
  test('with a finish reason and no [DONE] is whole, and gets its [DONE]', async () => {
    const { attempt, call } = begin();
    call.head().data(CONTENT).data('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n');
    const { relay, client, whole } = await committed(attempt.done);
    call.end();
    expect(await whole).toEqual({ failure: null });
    relay.finish(null);
    expect(client.text).toEndWith('"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
  });

  test('with [DONE] gets no second one, and what follows is dropped', async () => {
    const { attempt, call } = begin();
    call.head().data(CONTENT + FINISH + CONTENT);
    const { relay, client } = await committed(attempt.done);
    relay.finish(null);
    expect(client.text).toBe(CONTENT + FINISH);
    expect(client.isEnded).toBe(true);
  });

  test('whose last event lacks its blank line is sent whole all the same', async () => {
    const { attempt, call } = begin();
    call.head().data(CONTENT).data('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}');
    const { relay, client } = await committed(attempt.done);
    call.end();
    relay.finish(null);
    expect(client.text).toEndWith('"stop"}]}\n\ndata: [DONE]\n\n');
  });

  test('in plain JSON to a stream request comes as a stream', async () => {
    const { attempt, call } = begin();
    call
      .head(200, 'application/json')
      .data(
        '{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}',
      );
    call.end();
    const { relay, client } = await committed(attempt.done);
    relay.finish(null);
    expect(client.text).toContain('"content":"hi"');
    expect(client.text).toEndWith('data: [DONE]\n\n');
  });

  test('of a stream without a content type is known by its first bytes', async () => {
    const { attempt, call } = begin();
    call.head(200, 'text/plain').data('  \n').data(CONTENT);
    const { client } = await committed(attempt.done);
    expect(client.text).toBe(CONTENT);
  });

  test.each([
    ['byte by byte', [...'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}', '\n\n']],
    ['behind a byte order mark', ['\ufeff', CONTENT]],
    ['called JSON', [CONTENT]],
  ])('of a stream that is not called one is known %s', async (_how, pieces) => {
    const { attempt, call } = begin();
    call.head(200, 'application/json');
    for (const piece of pieces) call.data(piece);
    const { client } = await committed(attempt.done);
    expect(client.text).toBe(CONTENT);
  });

  test('that the gateway cannot read fails at once and is reported: no timer has to end it', async () => {
    const { attempt, call, reported } = begin();
    // Too long to be parsed where it is read, and no JSON where it is needed.
    call.head(200, 'application/json').data(`{"choices":[${' '.repeat(40_000)}oops}`);
    call.end();
    expect(await attempt.done).toMatchObject({ kind: 'failed', outcome: { kind: 'broken-stream' } });
    expect(reported).toHaveLength(1);
  });

  test('that goes on and on without meaning anything is given up, not held without end', async () => {
    const { attempt, call } = begin();
    call.head().data(ROLE.repeat(4000));
    expect(await attempt.done).toMatchObject({ kind: 'failed', outcome: { kind: 'broken-stream', committed: false } });
    expect(call.isAborted).toBe(true);
  });

  test('larger than the limit is refused, not buffered', async () => {
    const { attempt, call } = begin(false);
    call.head(200, 'application/json').data('x'.repeat(100_001));
    expect(await attempt.done).toMatchObject({ kind: 'failed', outcome: { kind: 'broken-stream' } });
    expect(call.isAborted).toBe(true);
  });

  test('whose protocol is over gives its connection back, but not for ever', async () => {
    const { attempt, clock, call } = begin();
    call.head().data(CONTENT + FINISH);
    await committed(attempt.done);
    expect(call.isAborted).toBe(false);
    clock.advanceTo(seconds(2));
    expect(call.isAborted).toBe(true);
  });
});

describe('a silent upstream', () => {
  test('is covered by comments to the client, every 15 s, but not while the client is slow', async () => {
    const { attempt, clock, call } = begin();
    call.head().data(CONTENT);
    const { client } = await committed(attempt.done);
    clock.advanceTo(seconds(14));
    expect(client.text).toBe(CONTENT);
    clock.advanceTo(seconds(29));
    expect(client.text).toBe(`${CONTENT}: keep-alive\n\n`);
  });
});

describe('a silent upstream without keep-alive', () => {
  test('is covered by nothing, and costs nothing', async () => {
    const { attempt, clock, call } = begin(true, millis(0));
    call.head().data(CONTENT);
    const { client } = await committed(attempt.done);
    clock.advanceTo(seconds(29));
    expect(client.text).toBe(CONTENT);
  });
});

describe('a client that leaves', () => {
  test('closes the upstream at once and hears nothing more', async () => {
    const { attempt, call } = begin();
    call.head().data(CONTENT);
    const { client, whole } = await committed(attempt.done);
    attempt.abandon();
    expect(call.isAborted).toBe(true);
    expect(await whole).toEqual({ failure: { kind: 'client-gone' } });
    expect(client.text).toBe(CONTENT);
  });
});
