import { describe, expect, test } from 'bun:test';
import { FakeUpstream } from '../../test/support/fake-upstream.ts';
import { deploymentOf, SETTINGS, snapshotOf } from '../../test/support/routing.ts';
import { VirtualClock } from '../../test/support/virtual-clock.ts';
import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { BegunRequest, LedgerEntry } from '../core/ledger-entry.ts';
import { NO_PAYER } from '../core/payer.ts';
import { Secret } from '../core/secret.ts';
import type { Deployment } from '../core/snapshot.ts';
import { nanoUsd, seconds } from '../core/units.ts';
import { matchEndpoint } from '../endpoints/registry.ts';
import { HealthTable } from '../router/health.ts';
import { LoadTable } from '../router/load.ts';
import type { BodyFault, ClientStream, ServerRequest, ServerResponse } from '../transport/server.ts';
import { MASTER_ONLY } from './admission.ts';
import { Exchange } from './exchange.ts';
import type { Admission, AdmissionRequest } from './ports.ts';
import { Slots } from './slots.ts';
import { UsageRefusals } from './usage-refusals.ts';

const CONTENT = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n';
const upstreamOf = { baseUrl: 'http://127.0.0.1/v1', apiKey: new Secret('sk-x'), apiVersion: null, organization: null };

function deployment(more: Partial<Deployment> = {}): Deployment {
  return deploymentOf('m', { upstream: { ...upstreamOf, extraHeaders: [], extraBody: {} }, ...more });
}

/** A gateway without sockets: exchanges of clients that the test plays. */
class Bench {
  readonly clock = new VirtualClock();
  readonly upstream = new FakeUpstream();
  readonly load = new LoadTable();
  readonly entries: LedgerEntry[] = [];
  readonly errors: unknown[] = [];
  readonly begun: BegunRequest[] = [];
  /** Why the ledger takes nothing. */
  full: GatewayError | null = null;
  settled = 0;
  admit: Admission['admit'] = MASTER_ONLY.admit;
  readonly #slots = new Slots(this.clock);
  readonly #deployment: Deployment;

  constructor(one = deployment()) {
    this.#deployment = one;
  }

  ask(body: object | BodyFault) {
    const { entries, errors } = this;
    const plain = snapshotOf([this.#deployment, deploymentOf('other')], { ...SETTINGS, numRetries: 0 });
    const snapshot = { ...plain, server: { ...plain.server, maxResponseBytes: 1000 } };
    let leave = () => {};
    const isFault = 'kind' in body;
    const request: ServerRequest = {
      method: 'POST',
      path: '/v1/chat/completions',
      query: '',
      header: (name) => (name === 'authorization' ? 'Bearer sk-key' : null),
      headers: () => [],
      remoteAddress: () => null,
      readBody: () => (isFault ? (body as BodyFault) : Buffer.from(JSON.stringify(body))),
      forgetBody: () => {},
      onGone: (callback) => {
        leave = callback;
      },
    };
    const ports = {
      snapshots: { current: () => snapshot },
      keys: { authenticate: () => ({ kind: 'master' }) as const },
      admission: { ...MASTER_ONLY, admit: (request: AdmissionRequest) => this.admit(request) },
      ledger: {
        canAccept: () => this.full,
        begin: (begun: BegunRequest) => void this.begun.push(begun),
        record: (entry: LedgerEntry) => void entries.push(entry),
      },
      log: { retryDelay() {}, internalError: ({ error }: { error: unknown }) => void errors.push(error) },
      meters: { attempt() {}, benched() {}, fallback() {} },
      tokens: { count: () => Promise.resolve(null) },
      random: () => 0,
      hexId: () => '0'.repeat(32),
    };
    const { clock, upstream, load } = this;
    const shared = { clock, upstream, load, slots: this.#slots, health: new HealthTable() };
    const match = matchEndpoint(request.path);
    if (match === null) throw new Error('chat completions have a path');
    const exchange = new Exchange({ ...shared, ports, usageRefusals: new UsageRefusals() }, request, match, () => {
      this.settled += 1;
    });
    return { exchange, answer: exchange.run(), leave: () => leave() };
  }

  /** Lets promises that are due settle. */
  async turn(): Promise<void> {
    for (let count = 0; count < 20; count += 1) await Promise.resolve();
  }
}

const CHAT = { model: 'm', messages: [] };

function attached(answer: ServerResponse): { text: string; isEnded: boolean } {
  if (answer.kind !== 'stream') throw new Error(`not a stream: ${answer.status}`);
  const client = { text: '', isEnded: false };
  const stream: ClientStream = {
    write: (bytes) => {
      client.text += Buffer.from(bytes).toString();
      return true;
    },
    onDrain() {},
    end: () => {
      client.isEnded = true;
    },
    cut() {},
  };
  answer.start(stream);
  return client;
}

describe('an exchange that fails by a fault of ours', () => {
  test('answers in the envelope that the client can read, and its books are closed', async () => {
    const bench = new Bench();
    bench.admit = () => {
      throw new Error('the store is on fire');
    };
    const answer = await bench.ask(CHAT).answer;
    expect(answer).toMatchObject({ kind: 'whole', status: 500, body: expect.stringContaining('"code":"500"') });
    expect(answer).not.toMatchObject({ body: expect.stringContaining('fire') });
    expect([bench.entries.length, bench.errors.length, bench.settled]).toEqual([1, 1, 1]);
    expect(bench.entries[0]?.failure).toMatchObject({ kind: 'internal', status: 500 });
  });
});

describe('the ledger', () => {
  const full = gatewayError('ledger-refusing', 'the disk is full', { retryAfter: seconds(5) });

  test('that can keep no record lets no request begin, and its body is not read', async () => {
    const bench = new Bench();
    bench.full = full;
    const answer = await bench.ask({ kind: 'client-gone', message: 'it was read' }).answer;
    expect(answer).toMatchObject({ status: 503 });
    expect(answer.headers).toContainEqual(['retry-after', '5']);
  });

  test('is told before the first call, and not of a request that calls nobody', async () => {
    const bench = new Bench();
    await bench.ask({ ...CHAT, mock_response: 'hi' }).answer;
    expect(bench.begun).toEqual([]);
    bench.ask(CHAT);
    await bench.turn();
    expect(bench.begun).toMatchObject([{ requestedModel: 'm', principal: 'master', estimate: nanoUsd(0n) }]);
  });
});

describe('admission', () => {
  test('refuses with its own headers, and nobody is called', async () => {
    const bench = new Bench();
    bench.admit = () =>
      gatewayError('rate-limited', 'later', { retryAfter: seconds(7), headers: [['rate_limit_type', 'requests']] });
    const answer = await bench.ask(CHAT).answer;
    expect(answer).toMatchObject({ status: 429 });
    expect(answer.headers).toContainEqual(['rate_limit_type', 'requests']);
    expect(answer.headers).toContainEqual(['retry-after', '7']);
  });

  test('has its lease settled once, its model planned, and its headers in the answer', async () => {
    const bench = new Bench();
    const settled: unknown[] = [];
    const asked: unknown[] = [];
    bench.admit = ({ model, tags, path, size }) => {
      asked.push({ model, tags, path, output: size().output });
      return {
        model: 'm',
        payer: NO_PAYER,
        tags,
        estimate: nanoUsd(0n),
        mayUse: () => true,
        headers: () => [['x-ratelimit-api_key-remaining-requests', '4']],
        settle: (...facts) => void settled.push(facts),
      };
    };
    const answer = await bench.ask({ model: 'nick', messages: [], max_tokens: 9, mock_response: 'hi', tags: ['red'] })
      .answer;
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.headers).toContainEqual(['x-ratelimit-api_key-remaining-requests', '4']);
    expect(asked).toEqual([
      { model: 'nick', tags: ['red'], path: '/chat/completions', output: { kind: 'declared', tokens: 9, choices: 1 } },
    ]);
    expect(settled).toHaveLength(1);
    expect(bench.entries).toMatchObject([{ requestedModel: 'nick', group: 'm' }]);
  });
});

describe('a fallback', () => {
  const failing = { ...CHAT, fallbacks: ['other'], mock_testing_fallbacks: true, mock_response: 'hi' };

  test.each([
    ['that the caller may use answers', true, 200],
    ['that he may not use is not tried', false, 500],
  ])('%s', async (_name, mayUse, status) => {
    const bench = new Bench();
    const plain = { model: 'm', payer: NO_PAYER, tags: [], estimate: nanoUsd(0n), headers: () => [], settle() {} };
    bench.admit = () => ({ ...plain, mayUse: () => mayUse });
    expect(await bench.ask(failing).answer).toMatchObject({ status });
  });
});

describe('a client that leaves', () => {
  test('while it sends its body is recorded as gone, not as mistaken', async () => {
    const bench = new Bench();
    await bench.ask({ kind: 'client-gone', message: 'gone' }).answer;
    expect(bench.entries).toMatchObject([{ end: 'client-gone', status: 499 }]);
  });

  test('while it waits for a place is over at once, not when a place is free', async () => {
    const bench = new Bench(deployment({ maxParallel: 1 }));
    const first = bench.ask(CHAT);
    const second = bench.ask(CHAT);
    await bench.turn();
    expect(bench.upstream.calls).toHaveLength(1);
    second.leave();
    expect(await second.answer).toMatchObject({ status: 499 });
    expect(bench.entries).toMatchObject([{ end: 'client-gone' }]);
    first.leave();
    await first.answer;
    expect(bench.load.inFlight(deployment().id)).toBe(0);
    // The place is free again.
    bench.ask(CHAT);
    await bench.turn();
    expect(bench.upstream.calls).toHaveLength(2);
  });
});

describe('a gateway that ends', () => {
  test('tells a stream that it is cut short, by an event and without [DONE]', async () => {
    const bench = new Bench();
    const { exchange, answer } = bench.ask({ ...CHAT, stream: true });
    await bench.turn();
    bench.upstream.last.head().data(CONTENT);
    const client = attached(await answer);
    expect(bench.settled).toBe(0);
    exchange.stop();
    await bench.turn();
    expect(client.text).toStartWith(CONTENT);
    expect(client.text).toContain('shutting down');
    expect(client.text).not.toContain('[DONE]');
    expect([client.isEnded, bench.upstream.last.isAborted, bench.settled]).toEqual([true, true, 1]);
    expect(bench.entries).toMatchObject([{ end: 'broken-stream' }]);
  });

  test('refuses who waits for an answer or for a place, and tries nothing else', async () => {
    const bench = new Bench(deployment({ maxParallel: 1 }));
    const asked = [bench.ask(CHAT), bench.ask(CHAT)];
    await bench.turn();
    for (const { exchange } of asked) exchange.stop();
    for (const { answer } of asked) expect(await answer).toMatchObject({ kind: 'whole', status: 503 });
    expect(bench.upstream.calls).toHaveLength(1);
    expect(bench.settled).toBe(2);
  });
});

test('a request that is over leaves no timer that does anything', async () => {
  const bench = new Bench();
  const { answer } = bench.ask(CHAT);
  await bench.turn();
  bench.upstream.last.head(200, 'application/json').data('{"choices":[]}').end();
  expect(await answer).toMatchObject({ status: 200 });
  bench.clock.advanceTo(seconds(10_000));
  expect([bench.entries.length, bench.upstream.last.isAborted]).toEqual([1, false]);
});
