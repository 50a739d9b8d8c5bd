import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { renameSync, writeFileSync } from 'node:fs';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { MASTER_KEY, startGateway, streamEvents, streamedText, type TestGateway } from '../support/gateway.ts';
import { type RawClient, rawClient } from '../support/raw-client.ts';
import { postBytes } from '../support/raw-http.ts';
import { readAnswers } from '../support/read-answers.ts';

const config = (url: string, model = 'm'): string => `model_list:
  - {model_name: ${model}, litellm_params: {model: openai/m, api_key: sk-upstream, api_base: "${url}/v1"}}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
router_settings: {num_retries: 0}
`;

const AUTHORIZED = { authorization: `Bearer ${MASTER_KEY}` };
const ASK = postBytes('/v1/chat/completions', AUTHORIZED, {
  model: 'm',
  messages: [{ role: 'user', content: 'Hello' }],
});

/** How one request ended. `refused`: no connection was made. */
type End = 'whole' | 'refused' | 'lost-on-new' | 'lost-on-used';

/** A client that asks again and again over one connection, and makes a new one when it was told to. */
class Asker {
  readonly ends: End[] = [];
  /** Answers that said that they are the last of their connection. */
  lasts = 0;
  readonly #port: number;
  #client: RawClient | null = null;
  #isRefused = false;
  #answered = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** One request over the connection that is there, or over a new one. */
  async ask(): Promise<End> {
    const isNew = this.#client === null;
    const client = this.#client ?? this.#connect();
    client.send(ASK);
    const end = await this.#answer(client, isNew);
    this.ends.push(end);
    return end;
  }

  leave(): void {
    this.#client?.socket.destroy();
  }

  #connect(): RawClient {
    this.#isRefused = false;
    this.#answered = 0;
    const client = rawClient(this.#port);
    client.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#isRefused = error.code === 'ECONNREFUSED';
    });
    this.#client = client;
    return client;
  }

  async #answer(client: RawClient, isNew: boolean): Promise<End> {
    const isOver = Promise.withResolvers<void>();
    const look = () => {
      if (readAnswers(client.received(), []).answers.length > this.#answered) isOver.resolve();
    };
    client.socket.on('data', look);
    void client.closed.then(() => isOver.resolve());
    await isOver.promise;
    client.socket.off('data', look);
    const answer = readAnswers(client.received(), []).answers[this.#answered];
    if (answer?.status !== 200 || answer.isLast) this.#client = null;
    if (answer === undefined) return this.#isRefused ? 'refused' : isNew ? 'lost-on-new' : 'lost-on-used';
    this.#answered += 1;
    if (answer.isLast) this.lasts += 1;
    return answer.status === 200 ? 'whole' : 'lost-on-used';
  }
}

/** Whether readiness is green, asked over a connection of its own as a balancer does. */
async function isReady(gateway: TestGateway): Promise<boolean> {
  const client = rawClient(gateway.port, 'GET /health/readiness HTTP/1.1\r\nhost: x\r\n\r\n');
  await Promise.race([client.until('}}'), client.closed]);
  client.socket.destroy();
  return client.received().startsWith('HTTP/1.1 200');
}

describe('SIGTERM under load', () => {
  let simulator: Simulator;

  beforeEach(async () => {
    simulator = await startSimulator({ size: 200, logLimit: 100_000 });
  });

  afterEach(() => simulator.stop());

  test('is noticed by balancers before anything is refused: every request that they send has its answer', async () => {
    const gateway = await startGateway(config(simulator.url), { TOLLGATE_DRAIN_SECONDS: '4' });
    simulator.inject('event@100', { times: 4, match: { stream: true } });
    const streams = await Promise.all(Array.from({ length: 4 }, () => gateway.chat({ model: 'm', stream: true })));
    const texts = streams.map((stream) => stream.text());
    const askers = Array.from({ length: 12 }, () => new Asker(gateway.port));
    let isRed = false;
    // As many requests more as a balancer may send that has not looked again.
    const afterRed = 10;
    const clients = askers.map(async (asker) => {
      for (let left = afterRed; left > 0; left -= isRed ? 1 : 0) await asker.ask();
      asker.leave();
    });
    while (askers.some(({ ends }) => ends.length < 5)) await new Promise((resolve) => setImmediate(resolve));
    expect(await isReady(gateway)).toBe(true);
    gateway.signal('SIGTERM');
    while (await isReady(gateway)) {}
    expect(gateway.output().includes('no new connections')).toBe(false);
    isRed = true;
    await Promise.all(clients);
    // All of them came while connections were still taken.
    expect(gateway.output().includes('no new connections')).toBe(false);
    expect(askers.flatMap(({ ends }) => ends).filter((end) => end !== 'whole')).toEqual([]);
    for (const { lasts } of askers) expect(lasts).toBeGreaterThanOrEqual(afterRed - 1);
    for (const text of await Promise.all(texts)) expect(streamEvents(text).at(-1)).toBe('[DONE]');
    expect(await gateway.exited).toBe(0);
  });

  test('loses no request that was taken, not even of clients that never look: what an upstream answered, a client has', async () => {
    const gateway = await startGateway(config(simulator.url), { TOLLGATE_DRAIN_SECONDS: '1' });
    const askers = Array.from({ length: 12 }, () => new Asker(gateway.port));
    const clients = askers.map(async (asker) => {
      while ((await asker.ask()) !== 'refused') {}
    });
    while (askers.some(({ ends }) => ends.length < 5)) await new Promise((resolve) => setImmediate(resolve));
    gateway.signal('SIGTERM');
    expect(await gateway.exited).toBe(0);
    await Promise.all(clients);
    const ends = askers.flatMap((asker) => asker.ends);
    const count = (wanted: End): number => ends.filter((end) => end === wanted).length;
    expect(count('lost-on-used')).toBe(0);
    expect(count('whole')).toBe(simulator.requests.length);
    expect(count('whole')).toBeGreaterThan(60);
    expect(gateway.output().match(/"message":"request"/g)?.length).toBe(count('whole'));
  });

  test('ends after GRACEFUL_SHUTDOWN_TIMEOUT though a stream does not: its client is told, and the entry is kept', async () => {
    const gateway = await startGateway(config(simulator.url), { GRACEFUL_SHUTDOWN_TIMEOUT: '5.2' });
    simulator.inject('stall@events:5', { times: 1 });
    const response = await gateway.chat({ model: 'm', stream: true });
    gateway.signal('SIGTERM');
    const text = await response.text();
    expect(text).not.toContain('[DONE]');
    expect(text).toContain('"error"');
    expect(await gateway.exited).toBe(0);
    expect(gateway.output()).toContain('ending the answers that still run');
    expect(gateway.output()).toContain('"message":"request"');
  });

  test.each([
    ['SIGTERM', 1],
    ['SIGINT', 130],
  ] as const)('a second %s ends it at once with %i', async (signal, code) => {
    const gateway = await startGateway(config(simulator.url));
    simulator.inject('stall@events:5', { times: 1 });
    const response = await gateway.chat({ model: 'm', stream: true });
    const reader = response.body?.getReader();
    await reader?.read();
    gateway.signal(signal);
    await gateway.until('stopping');
    gateway.signal(signal);
    expect(await gateway.exited).toBe(code);
    await reader?.cancel().catch(() => {});
  });
});

/** A reload a second for a minute under 200 streams; without it a form that takes seconds. */
const IS_LONG = process.env.TOLLGATE_LONG_RELOAD === 'true';
const RELOADS = IS_LONG ? 60 : 8;
const STREAMS = IS_LONG ? 200 : 40;
const BETWEEN_MS = IS_LONG ? 1000 : 0;

describe('reloads', () => {
  let simulator: Simulator;
  const SIZE = IS_LONG ? 8000 : 1200;

  beforeAll(async () => {
    // Four characters a token: 100 s in the long form.
    simulator = await startSimulator({ size: SIZE, pieceSize: 40, tokensPerSecond: IS_LONG ? 20 : 60 });
  });

  afterAll(() => simulator.stop());

  test(`${RELOADS} of them break none of ${STREAMS} open streams`, async () => {
    const gateway = await startGateway(config(simulator.url, 'm-0'));
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, () => gateway.chat({ model: 'm-0', stream: true })),
    );
    const texts = streams.map((stream) => stream.text());
    const began = performance.now();
    for (let n = 1; n <= RELOADS; n += 1) {
      writeFileSync(`${gateway.configPath}.new`, config(simulator.url, `m-${n}`));
      renameSync(`${gateway.configPath}.new`, gateway.configPath);
      await gateway.until(`"version":${n + 1},`);
      const wait = began + n * BETWEEN_MS - performance.now();
      if (wait > 0) await Bun.sleep(wait);
    }
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    // None had ended: each lived through every reload.
    expect(metrics).toContain(`tollgate_requests_in_flight ${STREAMS}\n`);
    for (const text of await Promise.all(texts)) {
      const events = streamEvents(text);
      expect(events.at(-1)).toBe('[DONE]');
      expect(streamedText(events).length).toBeGreaterThanOrEqual(SIZE);
    }
    if (IS_LONG) console.log(`reload: ${RELOADS} reloads under ${STREAMS} streams in ${performance.now() - began} ms`);
    await gateway.stop();
  }, 240_000);
});
