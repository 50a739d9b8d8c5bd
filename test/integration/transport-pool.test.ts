import { describe, expect, test } from 'bun:test';
import type { Upstream } from '../../src/transport/upstream.ts';
import type { UpstreamOptions } from '../../src/transport/upstream-h1.ts';
import type { RawExchange } from '../support/raw-upstream.ts';
import { CHUNKED, TRANSPORTS, transportBench, WHOLE } from '../support/transports.ts';
import { ask, post } from '../support/upstream-answer.ts';

const bench = transportBench();

describe.each(TRANSPORTS)('%s', (_name, create, traits) => {
  const client = (options: UpstreamOptions = {}): Upstream => bench.client(create, options);

  describe('the pool', () => {
    test('takes the same connection for the next request, also from inside the end of the first', async () => {
      const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE));
      const upstream = client();
      const second = Promise.withResolvers<string>();
      await ask(upstream, post(server.url), { onEnd: () => second.resolve(ask(upstream, post(server.url)).ending) })
        .ending;
      expect(await second.promise).toBe('end');
      expect([server.connections(), server.requests.length]).toEqual([1, 2]);
    });

    test('serves 3,000 requests in a row on one connection', async () => {
      const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE));
      const upstream = client();
      for (let n = 0; n < 3000; n += 1) expect(await ask(upstream, post(server.url)).ending).toBe('end');
      expect([server.connections(), server.requests.length]).toEqual([1, 3000]);
    });

    test.each([
      ['bytes after the answer', `${WHOLE}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged`],
      ['connection: close', WHOLE.replace(': 5', ': 5\r\nconnection: close')],
      ['HTTP/1.0', WHOLE.replace('1.1', '1.0')],
      ['keep-alive for no time', WHOLE.replace(': 5', ': 5\r\nkeep-alive: timeout=1')],
      ['204 with a body', 'HTTP/1.1 204 No Content\r\n\r\nhello'],
    ])('closes a connection after %s', async (_case, text) => {
      const server = await bench.upstreamThat((exchange) => exchange.write(exchange.number === 1 ? text : WHOLE));
      const upstream = client();
      expect(await ask(upstream, post(server.url)).ending).toBe('end');
      const second = ask(upstream, post(server.url));
      expect(await second.ending).toBe('end');
      expect(second.body).toBe('hello');
      expect(server.connections()).toBe(2);
    });

    test('closes an idle connection that speaks unasked', async () => {
      const server = await bench.upstreamThat((exchange) => {
        exchange.write(WHOLE);
        if (exchange.number === 1) void first.ending.then(() => exchange.write(WHOLE.replace('hello', 'forge')));
      });
      const upstream = client();
      const first = ask(upstream, post(server.url));
      await first.ending;
      await server.allClosed();
      const second = ask(upstream, post(server.url));
      await second.ending;
      expect([second.body, server.connections()]).toEqual(['hello', 2]);
    });

    test('forgets an idle connection that the upstream closed', async () => {
      const server = await bench.upstreamThat((exchange) => {
        exchange.write(WHOLE);
        if (exchange.number === 1) void first.ending.then(() => exchange.fin());
      });
      const upstream = client();
      const first = ask(upstream, post(server.url));
      await first.ending;
      await server.allClosed();
      expect(await ask(upstream, post(server.url)).ending).toBe('end');
      expect(server.connections()).toBe(2);
    });

    test.each(['POST', 'GET'] as const)('never sends a %s again that a dying connection took', async (method) => {
      for (const end of ['fin', 'reset'] as const) {
        const server = await bench.upstreamThat((exchange) =>
          exchange.number === 1 ? exchange.write(WHOLE) : exchange[end](),
        );
        const upstream = client();
        await ask(upstream, post(server.url)).ending;
        const second = ask(upstream, { ...post(server.url), method });
        expect(await second.ending).toBe('closed');
        expect(server.requests.map((request) => request.connection)).toEqual([1, 1]);
      }
    });

    test('sends nothing twice to an upstream that closes right after each answer', async () => {
      const server = await bench.upstreamThat((exchange) => {
        exchange.write(WHOLE);
        exchange.fin();
      });
      const upstream = client();
      let sent = 0;
      const worker = async (): Promise<void> => {
        while (sent < 400) {
          sent += 1;
          await ask(upstream, post(server.url, `{"n":${sent}}`)).ending;
        }
      };
      await Promise.all([worker(), worker(), worker(), worker()]);
      const bodies = server.requests.map((request) => request.body.toString());
      expect(new Set(bodies).size).toBe(bodies.length);
      expect(bodies.length).toBeGreaterThan(200);
    });

    test('has no limit on busy connections, and keeps no more idle ones than it may', async () => {
      const held: RawExchange[] = [];
      const server = await bench.upstreamThat((exchange) => {
        held.push(exchange);
        if (held.length === 600) for (const one of held) one.write(WHOLE);
      });
      const upstream = client({ maxIdlePerOrigin: 20 });
      const answers = Array.from({ length: 600 }, () => ask(upstream, post(server.url)));
      expect(await Promise.all(answers.map((answer) => answer.ending))).toEqual(answers.map(() => 'end'));
      await Promise.all(held.slice(0, 580).map((exchange) => exchange.closed));
      expect(server.openConnections()).toBe(20);
    });

    test('closes idle connections and refuses requests once it is closed; running ones go on', async () => {
      const server = await bench.upstreamThat((exchange) => {
        exchange.write(exchange.number === 1 ? WHOLE : CHUNKED);
        if (exchange.number === 2)
          void running
            .until(() => running.status === 200)
            .then(() => finish.promise.then(() => exchange.write('0\r\n\r\n')));
      });
      const finish = Promise.withResolvers<void>();
      const upstream = client();
      const running = ask(upstream, post(`${server.url}/2`));
      const other = ask(upstream, post(`${server.url}/1`));
      await Promise.race([running.ending, other.ending]);
      upstream.close();
      const late = ask(upstream, post(server.url));
      expect(await late.ending).toBe('connect');
      finish.resolve();
      expect(await Promise.all([running.ending, other.ending])).toEqual(['end', 'end']);
      await server.allClosed();
      expect(server.requests).toHaveLength(2);
    });
  });

  test.each([
    ['localhost', 'localhost'],
    ['127.0.0.1', traits.nameOfAddress],
  ] as const)('TLS connections to %s are used again; a name is sent in the handshake', async (host, sent) => {
    let name: unknown;
    const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE), {
      certificate: 'localhost',
      onConnection: (socket) => {
        name = 'servername' in socket ? socket.servername : null;
      },
    });
    const upstream = client();
    const url = `https://${host}:${server.port}`;
    for (let n = 0; n < 3; n += 1) expect(await ask(upstream, post(url)).ending).toBe('end');
    expect([server.connections(), name]).toEqual([1, sent]);
  });
});
