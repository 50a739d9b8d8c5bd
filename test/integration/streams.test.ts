import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { connect, type Socket } from 'node:net';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { MASTER_KEY, startGateway, streamEvents, streamedText, type TestGateway } from '../support/gateway.ts';

let simulator: Simulator;
let gateway: TestGateway;

beforeAll(async () => {
  simulator = await startSimulator({ size: 400 });
  gateway = await startGateway(`model_list:
  - model_name: fast
    litellm_params: {model: openai/fast, api_key: sk-upstream, api_base: "${simulator.url}/v1", max_parallel_requests: 2}
  - model_name: shy
    litellm_params: {model: openai/shy, api_key: sk-upstream, api_base: "${simulator.url}/v1"}
  - model_name: claude
    litellm_params: {model: anthropic/claude-3-5-sonnet-20241022, api_key: sk-upstream, api_base: "${simulator.url}"}
router_settings: {num_retries: 0, timeout: 30}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
`);
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

beforeEach(() => simulator.reset());

/** Sends a request over a socket of our own, so that it can be left in any way. */
async function rawRequest(body: unknown): Promise<Socket> {
  const socket = connect(gateway.port, '127.0.0.1');
  socket.on('error', () => {});
  const text = JSON.stringify(body);
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${MASTER_KEY}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  return socket;
}

const messages = [{ role: 'user', content: 'Hello' }];

describe('a client that goes away', () => {
  for (const model of ['fast', 'claude']) {
    test(`in the middle of a stream takes the upstream connection of ${model} with it`, async () => {
      simulator.inject('stall@events:5');
      const socket = await rawRequest({ model, stream: true, messages });
      await new Promise<void>((resolve) => socket.once('data', () => resolve()));
      const left = performance.now();
      socket.resetAndDestroy();
      await simulator.until(([request]) => request?.ending === 'client-closed');
      expect(performance.now() - left).toBeLessThan(1_000);
    });

    test(`before the first byte takes the upstream connection of ${model} with it`, async () => {
      simulator.inject('stall@0');
      const socket = await rawRequest({ model, stream: true, messages });
      await simulator.until((requests) => requests.length === 1);
      socket.destroy();
      await simulator.until(([request]) => request?.ending === 'client-closed');
    });
  }

  test('leaves no slot taken, whenever it went', async () => {
    simulator.inject('stall@0', { times: 2 });
    const first = await rawRequest({ model: 'fast', stream: true, messages });
    const second = await rawRequest({ model: 'fast', messages });
    await simulator.until((requests) => requests.length === 2);
    // Both slots are taken: this one waits for a place and leaves from the queue.
    const third = await rawRequest({ model: 'fast', messages });
    for (const socket of [third, first, second]) socket.destroy();
    await simulator.until((requests) => requests.filter((each) => each.ending === 'client-closed').length === 2);
    const answers = await Promise.all([1, 2, 3, 4].map(() => gateway.chat({ model: 'fast' })));
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200]);
  });

  test('is recorded as gone and says nothing about the deployment', async () => {
    const health = await (
      await fetch(`${gateway.url}/health`, { headers: { authorization: `Bearer ${MASTER_KEY}` } })
    ).json();
    expect(health).toMatchObject({ unhealthy_count: 0 });
    await gateway.until('"end":"client-gone"');
  });
});

describe('more requests than may run at once', () => {
  test('are refused with a time to come back, and served when there is room again', async () => {
    const small = await startGateway(
      `model_list:
  - {model_name: m, litellm_params: {model: openai/m, api_key: sk-upstream, api_base: "${simulator.url}/v1"}}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY, global_max_parallel_requests: 1}
`,
    );
    simulator.inject('stall@events:5', { times: 1 });
    const abort = new AbortController();
    const open = await fetch(`${small.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${MASTER_KEY}` },
      body: JSON.stringify({ model: 'm', stream: true, messages }),
      signal: abort.signal,
    });
    const reader = open.body?.getReader();
    await reader?.read();
    const refused = await small.chat({ model: 'm' });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await refused.text()).toContain('global_max_parallel_requests');
    abort.abort();
    reader?.read().catch(() => {});
    await small.until('"end":"client-gone"');
    expect((await small.chat({ model: 'm' })).status).toBe(200);
    await small.stop();
  });
});

describe('usage in streams', () => {
  test('is asked for upstream and hidden from a client that did not ask', async () => {
    const response = await gateway.chat({ model: 'fast', stream: true });
    const events = streamEvents(await response.text()) as { choices?: unknown[] }[];
    expect(events.filter((event) => event.choices?.length === 0)).toEqual([]);
    expect(simulator.requests[0]?.json).toMatchObject({ stream_options: { include_usage: true } });
  });

  for (const model of ['fast', 'claude']) {
    test(`of ${model} is shown to a client that asked`, async () => {
      const response = await gateway.chat({ model, stream: true, stream_options: { include_usage: true } });
      const events = streamEvents(await response.text()) as {
        choices?: unknown[];
        usage?: { total_tokens?: number };
      }[];
      const [usage] = events.filter((event) => event.choices?.length === 0);
      expect(usage?.usage?.total_tokens).toBeGreaterThan(0);
    });
  }
});

describe('a deployment that refuses to be asked for usage', () => {
  test('gets the request without the question, at once, and is not asked again', async () => {
    simulator.inject(
      {
        kind: 'status',
        error: 'invalid-request',
        status: 400,
        message: 'Unrecognized request argument supplied: stream_options',
        param: null,
        retryAfter: null,
        headers: [],
        body: null,
      },
      { times: 1 },
    );
    const response = await gateway.chat({ model: 'shy', stream: true });
    expect([response.status, streamEvents(await response.text()).at(-1)]).toEqual([200, '[DONE]']);
    await (await gateway.chat({ model: 'shy', stream: true })).text();
    const asked = simulator.requests.map(
      ({ json }) => (json as { stream_options?: object }).stream_options !== undefined,
    );
    expect(asked).toEqual([true, false, false]);
  });

  test('is believed when the client itself asked', async () => {
    simulator.inject('400', { times: 1 });
    const response = await gateway.chat({ model: 'fast', stream: true, stream_options: { include_usage: true } });
    expect([response.status, simulator.requests.length]).toEqual([400, 1]);
  });
});

describe('a stream', () => {
  test('sends nothing before the first event that means something', async () => {
    simulator.inject('stall@events:1', { times: 1 });
    const socket = await rawRequest({ model: 'fast', stream: true, messages });
    let received = '';
    socket.on('data', (bytes) => {
      received += bytes.toString();
    });
    // The role chunk has reached the gateway: a second request goes all the way round meanwhile.
    await simulator.until((requests) => requests.length === 1);
    expect((await gateway.chat({ model: 'fast' })).status).toBe(200);
    expect(received).toBe('');
    socket.destroy();
  });

  test('of a translated provider has one [DONE] at its end and the whole text', async () => {
    const whole = (await (await gateway.chat({ model: 'claude' })).json()) as {
      choices: { message: { content: string } }[];
    };
    const events = streamEvents(await (await gateway.chat({ model: 'claude', stream: true })).text());
    expect(events.filter((event) => event === '[DONE]')).toHaveLength(1);
    expect(streamedText(events)).toBe(whole.choices[0]?.message.content ?? '');
  });
});
