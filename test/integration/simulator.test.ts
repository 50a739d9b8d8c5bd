import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import OpenAI, { AuthenticationError, AzureOpenAI, RateLimitError } from 'openai';
import type { Clock } from '../../src/core/clock.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type ConnectionEnd, postBytes, RawClient } from '../support/raw-http.ts';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({ size: 40, pieceSize: 10 });
});
afterEach(() => simulator.reset());
afterAll(() => simulator.stop());

const MESSAGES = [{ role: 'user', content: 'hi' }];
const DIALECTS = {
  openai: { path: '/v1/chat/completions', headers: { authorization: 'Bearer sk-test-key-1234' }, body: { model: 'm' } },
  azure: {
    path: '/openai/deployments/m/chat/completions?api-version=2024-10-21',
    headers: { 'api-key': 'sk-test-key-1234' },
    body: {},
  },
  anthropic: {
    path: '/v1/messages',
    headers: { 'x-api-key': 'sk-test-key-1234', 'anthropic-version': '2023-06-01' },
    body: { model: 'm', max_tokens: 100 },
  },
} as const;
type DialectName = keyof typeof DIALECTS;

function bytesFor(dialect: DialectName, more: object = {}, headers: object = {}): string {
  const { path, headers: own, body } = DIALECTS[dialect];
  return postBytes(path, { ...own, ...headers }, { ...body, messages: MESSAGES, ...more });
}

/** Sends one request that asks to close afterwards; gives all bytes of the answer and how the connection ended. */
async function exchange(dialect: DialectName, more: object = {}): Promise<{ text: string; end: ConnectionEnd }> {
  const client = new RawClient(simulator.port);
  client.send(bytesFor(dialect, more, { connection: 'close' }));
  const end = await client.ended;
  return { text: client.received.toString(), end };
}

async function post(
  dialect: DialectName,
  headers: Record<string, string> = DIALECTS[dialect].headers,
): Promise<Response> {
  const { path, body } = DIALECTS[dialect];
  return fetch(simulator.url + path, {
    method: 'POST',
    headers,
    body: JSON.stringify({ ...body, messages: MESSAGES }),
  });
}

const payload = (text: string) => text.slice(text.indexOf('\r\n\r\n') + 4);

describe('a healthy provider', () => {
  for (const dialect of ['openai', 'azure', 'anthropic'] as const) {
    for (const stream of [false, true]) {
      test(`${dialect} answers ${stream ? 'a stream' : 'whole'}, twice on one connection with the same body`, async () => {
        const client = new RawClient(simulator.port);
        client.send(bytesFor(dialect, { stream }));
        client.send(bytesFor(dialect, { stream }));
        await simulator.until((requests) => requests.filter((one) => one.ending === 'complete').length === 2);
        const [first, second] = simulator.requests;
        await client.untilReceived((first?.bytesSent ?? 0) + (second?.bytesSent ?? 0));
        const all = client.received;
        const answers = [all.subarray(0, first?.bytesSent), all.subarray(first?.bytesSent)].map(String);
        expect(answers.map((text) => text.slice(0, 15))).toEqual(['HTTP/1.1 200 OK', 'HTTP/1.1 200 OK']);
        expect(payload(answers[0] ?? '')).toBe(payload(answers[1] ?? ''));
        expect(first?.connection).toBe(second?.connection as number);
        expect(answers[0]?.match(/request-id: (\S+)/)?.[1]).not.toBe(answers[1]?.match(/request-id: (\S+)/)?.[1]);
        client.close();
      });
    }
  }

  const refusals: readonly (readonly [DialectName, object])[] = [
    [
      'openai',
      {
        error: {
          type: 'invalid_request_error',
          param: null,
          code: null,
          message: expect.stringMatching(/^You didn't provide an API key/),
        },
      },
    ],
    [
      'azure',
      { error: { code: '401', message: expect.stringMatching(/^Access denied due to invalid subscription key/) } },
    ],
    [
      'anthropic',
      {
        type: 'error',
        error: { type: 'authentication_error', message: 'x-api-key header is required' },
        request_id: expect.stringMatching(/^req_/),
      },
    ],
  ];
  for (const [dialect, body] of refusals) {
    test(`${dialect} refuses a request without its own form of credential`, async () => {
      const wrongForm: Record<string, string> =
        dialect === 'openai' ? { 'api-key': 'k' } : { authorization: 'Basic k' };
      const answer = await post(dialect, { ...wrongForm, 'anthropic-version': '2023-06-01' });
      expect(answer.status).toBe(401);
      expect(await answer.json()).toEqual(body);
    });
  }

  test('azure without an api-version is not found', async () => {
    const answer = await fetch(`${simulator.url}/openai/deployments/m/chat/completions`, {
      method: 'POST',
      headers: { 'api-key': 'k' },
    });
    expect([answer.status, await answer.json()]).toEqual([
      404,
      { error: { code: '404', message: 'Resource not found' } },
    ]);
  });

  test('anthropic without max_tokens or version is refused', async () => {
    const { path, headers } = DIALECTS.anthropic;
    const body = JSON.stringify({ model: 'm', messages: MESSAGES });
    const answer = await fetch(simulator.url + path, { method: 'POST', headers, body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { message: 'max_tokens: Field required' } });
    const unversioned = await fetch(simulator.url + path, { method: 'POST', headers: { 'x-api-key': 'k' }, body });
    expect(await unversioned.json()).toMatchObject({ error: { message: 'anthropic-version: header is required' } });
  });

  test('bytes that are no HTTP are answered with 400 and the connection ends', async () => {
    const client = new RawClient(simulator.port);
    client.send('NONSENSE\r\n\r\n');
    expect(await client.ended).toBe('fin');
    expect(client.received.toString()).toStartWith('HTTP/1.1 400 Bad Request\r\n');
  });
});

describe('statuses', () => {
  const rows: readonly (readonly [DialectName, string, number, object, Readonly<Record<string, string>>])[] = [
    [
      'openai',
      '401',
      401,
      {
        error: {
          code: 'invalid_api_key',
          message:
            'Incorrect API key provided: sk-t********1234. You can find your API key at https://platform.openai.com/account/api-keys.',
        },
      },
      {},
    ],
    [
      'openai',
      '429',
      429,
      { error: { type: 'tokens', code: 'rate_limit_exceeded' } },
      { 'retry-after': '20', 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '20s' },
    ],
    ['openai', 'insufficient-quota', 429, { error: { type: 'insufficient_quota', code: 'insufficient_quota' } }, {}],
    ['openai', 'context-length', 400, { error: { code: 'context_length_exceeded', param: 'messages' } }, {}],
    [
      'openai',
      '404',
      404,
      { error: { code: 'model_not_found', message: 'The model `m` does not exist or you do not have access to it.' } },
      {},
    ],
    ['openai', '500', 500, { error: { type: 'server_error', code: null } }, {}],
    [
      'openai',
      '503',
      503,
      { error: { type: 'server_error', message: 'The engine is currently overloaded, please try again later' } },
      {},
    ],
    ['azure', '401', 401, { error: { code: '401' } }, {}],
    ['azure', '404', 404, { error: { code: 'DeploymentNotFound' } }, { 'x-ms-region': 'East US 2' }],
    [
      'azure',
      '429',
      429,
      { error: { code: '429', message: expect.stringMatching(/Please retry after 20 seconds\.$/) } },
      { 'retry-after': '20', 'retry-after-ms': '20000' },
    ],
    [
      'azure',
      'content-filter',
      400,
      { error: { code: 'content_filter', param: 'prompt', innererror: { code: 'ResponsibleAIPolicyViolation' } } },
      {},
    ],
    [
      'anthropic',
      '401',
      401,
      { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } },
      { 'x-should-retry': 'false' },
    ],
    [
      'anthropic',
      '429',
      429,
      { error: { type: 'rate_limit_error' } },
      { 'retry-after': '20', 'anthropic-ratelimit-tokens-remaining': '0' },
    ],
    ['anthropic', '529', 529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, {}],
    [
      'anthropic',
      'context-length',
      400,
      { error: { message: 'prompt is too long: 213462 tokens > 200000 maximum' } },
      {},
    ],
  ];
  for (const [dialect, words, status, body, headers] of rows) {
    test(`${dialect} says ${words} in its own words, to a stream as well`, async () => {
      simulator.inject(words);
      const answer = await post(dialect);
      expect(answer.status).toBe(status);
      expect(await answer.json()).toMatchObject(body);
      for (const [name, value] of Object.entries(headers))
        expect([name, answer.headers.get(name)]).toEqual([name, value]);
      const streamed = await exchange(dialect, { stream: true });
      expect(streamed.text).toMatch(new RegExp(`^HTTP/1.1 ${status} .*\r\ncontent-type: application/json\r\n`));
    });
  }

  test('502 is the page of the proxy in front', async () => {
    simulator.inject('502');
    const answer = await post('openai');
    expect([
      answer.status,
      answer.headers.get('content-type'),
      (await answer.text()).includes('<h1>502 Bad Gateway</h1>'),
    ]).toEqual([502, 'text/html', true]);
  });

  test('a rate limit may give no hint when to come back', async () => {
    for (const dialect of ['openai', 'azure', 'anthropic'] as const) {
      simulator.inject('{"status": 429, "retry_after": null}', { times: 1 });
      const answer = await post(dialect);
      expect([...answer.headers.keys()].filter((name) => /retry-after|ratelimit/.test(name))).toEqual([]);
      expect(await answer.text()).not.toMatch(/\d+ ?s/);
    }
  });

  test('wait hints are what the fault says', async () => {
    simulator.inject('[{"status": 429, "retry_after_ms": 1500, "headers": {"x-odd": "1"}}]');
    const answer = await post('azure');
    const header = (name: string) => answer.headers.get(name);
    expect([header('retry-after'), header('retry-after-ms'), header('x-odd')]).toEqual(['2', '1500', '1']);
  });
});

describe('broken connections', () => {
  const heals: readonly (readonly [words: string, end: ConnectionEnd, ending: string])[] = [
    ['reset@0', 'reset', 'reset'],
    ['reset@10', 'reset', 'reset'],
    ['reset@body:30', 'reset', 'reset'],
    ['reset@events:2', 'reset', 'reset'],
    ['end-early@0', 'fin', 'closed'],
    ['end-early@40', 'fin', 'ended-early'],
    ['end-early@events:1', 'fin', 'ended-early'],
    ['close', 'fin', 'closed'],
  ];
  for (const dialect of ['openai', 'azure', 'anthropic'] as const) {
    for (const [words, end, ending] of heals) {
      test(`${dialect} with ${words} is the beginning of the whole answer, then ${end}`, async () => {
        const { text: whole } = await exchange(dialect, { stream: true });
        simulator.inject(words, { times: 1 });
        const broken = await exchange(dialect, { stream: true });
        expect(broken.end).toBe(end);
        // Request ids differ from answer to answer.
        const plain = (text: string) => text.replaceAll(/request-id: \S*/g, '');
        expect(plain(whole)).toStartWith(plain(broken.text.replace(/request-id: ?\S*$/, '')));
        expect(broken.text.length).toBeLessThan(whole.length);
        const record = simulator.requests.at(-1);
        expect([record?.ending as string, record?.bytesSent]).toEqual([ending, Buffer.byteLength(broken.text)]);
      });
    }
  }

  test('a stalled answer stays open until the client leaves, and the log says when', async () => {
    simulator.inject('stall@events:1');
    const before = simulator.connections;
    const client = new RawClient(simulator.port);
    client.send(bytesFor('openai', { stream: true }));
    await simulator.until((requests) => requests.at(-1)?.isStalled === true);
    const record = simulator.requests.at(-1);
    await client.untilReceived(record?.bytesSent ?? 0);
    expect(client.received.toString()).toEndWith('"finish_reason":null}]}\n\n\r\n');
    expect([record?.ending, record?.endedAt]).toEqual(['pending', null]);
    client.close();
    await simulator.until((requests) => requests.at(-1)?.ending === 'client-closed');
    expect(record?.endedAt).toBeGreaterThanOrEqual(record?.at ?? 0);
    await simulator.until(() => simulator.connections <= before);
  });

  test('refused connections are refused until it accepts again, on the same port, and idle ones end', async () => {
    const { port } = simulator;
    const idle = new RawClient(port);
    idle.send(bytesFor('openai'));
    await simulator.until((requests) => requests.at(-1)?.ending === 'complete');
    await simulator.refuse();
    expect(await idle.ended).toBe('fin');
    expect(await new RawClient(port).ended).toBe('refused');
    await simulator.accept();
    expect([simulator.port, (await post('openai')).status]).toEqual([port, 200]);
  });
});

test('a simulator told to refuse for a while does not come back once it is stopped', async () => {
  let wake: () => void = () => {};
  const after = (_: number, callback: () => void) => {
    wake = callback;
    return { cancel: () => (wake = () => {}) };
  };
  const stopped = await startSimulator({ clock: { now: () => 0, wall: () => 0, after } as unknown as Clock });
  await fetch(`${stopped.url}/_simulator/faults`, { method: 'POST', body: '{"fault": "refuse@1000"}' });
  expect(await new RawClient(stopped.port).ended).toBe('refused');
  await stopped.stop();
  wake();
  expect(await new RawClient(stopped.port).ended).toBe('refused');
});

test('an answer larger than the sockets hold reaches a late reader whole, and is not sent before', async () => {
  const large = await startSimulator({ size: 12_000_000, pieceSize: 500_000 });
  const client = new RawClient(large.port);
  client.pause();
  client.send(bytesFor('openai', { stream: true }, { connection: 'close' }));
  await large.until((requests) => requests.length === 1);
  const [record] = large.requests;
  expect(record?.ending).toBe('pending');
  client.resume();
  expect(await client.ended).toBe('fin');
  expect(client.received.length).toBe(record?.bytesSent as number);
  expect(client.received.subarray(-21).toString()).toBe('data: [DONE]\n\n\r\n0\r\n\r\n'.slice(-21));
  await large.stop();
});

describe('broken answers', () => {
  test('a malformed event stands among good ones', async () => {
    simulator.inject('malformed@1');
    const { text } = await exchange('openai', { stream: true });
    const data = [...text.matchAll(/^data: (.*)$/gm)].map((match) => match[1] ?? '');
    expect(data.map(isJson)).toEqual([true, false, true, true, true, true, false]);
    expect(data.at(-1)).toBe('[DONE]');
  });

  for (const [dialect, error] of [
    ['openai', 'data: {"error":{"message":'],
    ['azure', 'data: {"error":{"message":'],
    [
      'anthropic',
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
    ],
  ] as const) {
    test(`${dialect} fails inside a 200 stream with its own event, and nothing after it`, async () => {
      simulator.inject('error-event@3');
      const { text, end } = await exchange(dialect, { stream: true });
      expect(text).toContain(error);
      expect(text).not.toMatch(/\[DONE\]|message_stop/);
      expect([text.startsWith('HTTP/1.1 200'), text.endsWith('0\r\n\r\n'), end]).toEqual([true, true, 'fin']);
    });
    test(`${dialect} can leave out its end marker`, async () => {
      simulator.inject('no-end');
      const { text } = await exchange(dialect, { stream: true });
      expect(text).not.toMatch(/\[DONE\]|message_stop/);
      expect(text).toEndWith('0\r\n\r\n');
    });
  }

  test('a content-length may be too long or too short', async () => {
    for (const by of [-3, 3]) {
      simulator.inject([{ kind: 'wrong-length', by }], { times: 1 });
      const { text, end } = await exchange('anthropic');
      const promised = Number(/content-length: (\d+)/.exec(text)?.[1]);
      expect([promised - Buffer.byteLength(payload(text)), end]).toEqual([by, 'fin']);
    }
  });

  test('latency comes from the clock it is given', async () => {
    const waits: number[] = [];
    const after = (delay: number, callback: () => void) => {
      waits.push(delay);
      queueMicrotask(callback);
      return { cancel: () => {} };
    };
    const clock = { now: () => 0, wall: () => 0, after } as unknown as Clock;
    const slow = await startSimulator({
      clock,
      size: 20,
      pieceSize: 10,
      tokensPerSecond: 1,
      latency: 7,
    });
    slow.inject('first-event@11');
    const client = new RawClient(slow.port);
    client.send(bytesFor('openai', { stream: true }, { connection: 'close' }));
    await client.ended;
    expect(waits).toEqual([7, 11, 2500, 2500, 2500, 2500]);
    await slow.stop();
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('ways to ask for a fault', () => {
  test('a header harms one request', async () => {
    const headers = { ...DIALECTS.openai.headers, 'x-simulate': '{"status": 503}' };
    expect([(await post('openai', headers)).status, (await post('openai')).status]).toEqual([503, 200]);
  });

  test('a header that is not understood is a 400 that says so', async () => {
    const answer = await post('openai', { ...DIALECTS.openai.headers, 'x-simulate': 'explode' });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { message: 'x-simulate: unknown fault "explode"' } });
  });

  test('a suffix of the model harms through any gateway, and is taken off the name', async () => {
    const broken = await exchange('openai', { model: 'gpt-4~429' });
    expect(broken.text).toMatch(/^HTTP\/1.1 429 .*Rate limit reached for gpt-4 in/s);
  });

  test('a key becomes invalid after N requests, for that key only', async () => {
    simulator.inject('invalid-key', { skip: 2, match: { key: 'sk-test-key-1234' } });
    const statuses = [];
    for (let index = 0; index < 4; index++) statuses.push((await post('openai')).status);
    expect(statuses).toEqual([200, 200, 401, 401]);
    expect((await post('openai', { authorization: 'Bearer other' })).status).toBe(200);
  });

  test('keys that are not on the list are refused', async () => {
    const strict = await startSimulator({ keys: ['good'] });
    const ask = async (key: string) =>
      (await fetch(`${strict.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status;
    expect([await ask('good'), await ask('bad')]).toEqual([200, 401]);
    await strict.stop();
  });

  test('admin calls add, list and remove rules, and show requests without credentials', async () => {
    const admin = async (method: string, path: string, body?: object) => {
      const answer = await fetch(`${simulator.url}/_simulator${path}`, {
        method,
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: (await answer.json()) as { id: number; requests: unknown } };
    };
    const added = await admin('POST', '/faults', { fault: '429', times: 5, match: { model: 'm' } });
    expect(added.status).toBe(200);
    expect((await post('openai')).status).toBe(429);
    expect((await admin('GET', '/faults')).body).toMatchObject({ faults: [{ id: added.body.id, times: 5, seen: 1 }] });
    const { requests } = (await admin('GET', '/requests')).body;
    expect(requests).toMatchObject([
      { path: '/v1/chat/completions', status: 429, ending: 'complete', rule: added.body.id, credential: '…1234' },
    ]);
    expect(JSON.stringify(requests)).not.toContain('sk-test-key');
    expect((await admin('DELETE', `/faults/${added.body.id}`)).status).toBe(200);
    expect((await post('openai')).status).toBe(200);
    expect((await admin('POST', '/faults', { fault: 'explode' })).status).toBe(400);
    expect((await admin('GET', '/nothing')).status).toBe(404);
    await admin('DELETE', '');
    expect((await admin('GET', '/requests')).body.requests).toEqual([]);
  });
});

describe('the official client', () => {
  const client = (more: object = {}) =>
    new OpenAI({ apiKey: 'sk-x', baseURL: `${simulator.url}/v1`, maxRetries: 0, ...more });

  test('reads answers, streams, tool calls, embeddings and models', async () => {
    const openai = client();
    const messages = [{ role: 'user' as const, content: 'use the tool' }];
    const tools = [
      {
        type: 'function' as const,
        function: { name: 'clock', parameters: { type: 'object', properties: { zone: { type: 'string' } } } },
      },
    ];
    const reply = await openai.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hi' }] });
    expect(reply.choices[0]?.message.content).toStartWith('[simulated] ');
    const stream = openai.chat.completions.stream({
      model: 'm',
      messages,
      tools,
      stream_options: { include_usage: true },
    });
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.message.tool_calls?.[0]).toMatchObject({ type: 'function', function: { name: 'clock' } });
    expect(final.usage?.total_tokens).toBeGreaterThan(0);
    const embedded = await openai.embeddings.create({ model: 'm', input: ['a', 'b'], dimensions: 3 });
    expect(embedded.data.map((item) => item.embedding.length)).toEqual([3, 3]);
    expect((await openai.models.list()).data.length).toBeGreaterThan(0);
    expect((await openai.completions.create({ model: 'm', prompt: 'x' })).choices[0]?.text).toStartWith('[simulated]');
  });

  test('throws its own errors', async () => {
    // The client's own promise class is settled before it asks; only `await` makes it ask.
    const ask = async () =>
      await client().chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hi' }] });
    simulator.inject('401', { times: 1 });
    await expect(ask()).rejects.toBeInstanceOf(AuthenticationError);
    simulator.inject('429', { times: 1 });
    await expect(ask()).rejects.toBeInstanceOf(RateLimitError);
  });

  test('reads azure, classic paths', async () => {
    const azure = new AzureOpenAI({
      apiKey: 'k',
      endpoint: simulator.url,
      apiVersion: '2024-10-21',
      deployment: 'gpt-4',
      maxRetries: 0,
    });
    const stream = await azure.chat.completions.create({
      model: 'gpt-4',
      messages: [{ role: 'user', content: 'hi' }],
      stream: true,
    });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toStartWith('[simulated] ');
    expect(simulator.requests.at(-1)).toMatchObject({
      dialect: 'azure',
      model: 'gpt-4',
      query: 'api-version=2024-10-21',
    });
  });
});

describe('the demo model', () => {
  test('says that it is simulated, calls tools, fails on request, and has a backup that does not', async () => {
    const demo = await startSimulator({ demo: true });
    const ask = async (model: string, content: string, more: object = {}) => {
      const answer = await fetch(`${demo.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer x' },
        body: JSON.stringify({ model, messages: [{ role: 'user', content }], ...more }),
      });
      return { status: answer.status, body: await answer.json() };
    };
    const content =
      '[simulated] This answer comes from the gateway\'s own demo model, not from a provider. You said "Hello".';
    expect((await ask('demo', 'Hello')).body).toMatchObject({ choices: [{ message: { content } }] });
    const tools = [{ type: 'function', function: { name: 'clock' } }];
    expect((await ask('demo', 'Hello', { tools })).body).toMatchObject({
      choices: [{ message: { tool_calls: [{ function: { name: 'clock' } }] } }],
    });
    expect((await ask('demo', 'a tool please')).body).toMatchObject({ choices: [{ finish_reason: 'tool_calls' }] });
    expect((await ask('demo', 'fail with 429')).status).toBe(429);
    expect((await ask('demo-backup', 'fail with 429')).status).toBe(200);
    const client = new RawClient(demo.port);
    client.send(bytesFor('openai', { model: 'demo', stream: true, messages: [{ role: 'user', content: 'cut' }] }));
    expect(await client.ended).toBe('reset');
    expect(client.received.toString().match(/^data: /gm)).toHaveLength(3);
    await demo.stop();
  });
});
