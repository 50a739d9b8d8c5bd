import { describe, expect, test } from 'bun:test';
import type { Upstream } from '../../src/transport/upstream.ts';
import type { UpstreamOptions } from '../../src/transport/upstream-h1.ts';
import { CHUNKED, TRANSPORTS, transportBench, WHOLE } from '../support/transports.ts';
import { ask, post } from '../support/upstream-answer.ts';

const bench = transportBench();

describe.each(TRANSPORTS)('%s', (_name, create) => {
  const client = (options: UpstreamOptions = {}): Upstream => bench.client(create, options);

  test('a head that never ends, a body that stalls: nothing is said, and abort closes the connection', async () => {
    for (const text of ['', 'HTTP/1.1 200 OK\r\nx-a: 1', `${CHUNKED}5\r\nhel`, WHOLE.replace(': 5', ': 9')]) {
      const server = await bench.upstreamThat((exchange) => exchange.write(text));
      const answer = ask(client(), post(server.url));
      await answer.until(() => answer.isSent && (!text.includes('hel') || answer.body.startsWith('hel')));
      expect(answer.events.filter((event) => event.startsWith('e'))).toEqual([]);
      answer.call.abort();
      await server.allClosed();
      expect(answer.events.filter((event) => event.startsWith('e'))).toEqual([]);
    }
  });

  describe('abort closes the connection at once', () => {
    test('while events arrive, from inside the handler', async () => {
      const server = await bench.upstreamThat((exchange) => {
        exchange.write(CHUNKED);
        const send = (): void => {
          if (exchange.socket.destroyed) return;
          exchange.write('5\r\nhello\r\n');
          setImmediate(send);
        };
        send();
      });
      const answer = ask(client(), post(server.url), { onData: () => answer.call.abort() });
      await answer.until(() => answer.bodyBytes > 0);
      await server.allClosed();
      expect(answer.body).toBe('hello');
    });

    test('before the request has left', async () => {
      const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE));
      const upstream = client();
      const aborted = ask(upstream, post(server.url));
      aborted.call.abort();
      await ask(upstream, post(server.url)).ending;
      upstream.close();
      await server.allClosed();
      expect(aborted.events).toEqual([]);
      expect(server.requests).toHaveLength(1);
    });

    test('in the middle of a flood', async () => {
      const block = Buffer.alloc(1 << 20);
      const server = await bench.upstreamThat((exchange) => {
        exchange.write('HTTP/1.1 200 OK\r\n\r\n');
        const flood = (): void => {
          while (!exchange.socket.destroyed && exchange.socket.write(block)) {}
          if (!exchange.socket.destroyed) exchange.socket.once('drain', flood);
        };
        flood();
      });
      const answer = ask(client(), post(server.url), { discard: 'discard' });
      await answer.until(() => answer.bodyBytes > 4 << 20);
      answer.call.abort();
      await server.allClosed();
    });

    test('500 times, at any phase, with nothing left open', async () => {
      const server = await bench.upstreamThat(({ number, write }) => {
        if (number % 3 > 0) write(CHUNKED);
        if (number % 3 > 1) write('5\r\nhello\r\n');
      });
      const upstream = client();
      for (let round = 0; round < 10; round += 1) {
        const answers = Array.from({ length: 50 }, () => ask(upstream, post(server.url)));
        await Promise.all(answers.map((answer, index) => answer.until(() => index % 5 === 0 || answer.isSent)));
        for (const answer of answers) answer.call.abort();
        await Promise.all(answers.map((answer) => expect(answer.fault).toBeNull()));
      }
      // Those that were still connecting may be accepted later: one more request is behind them all.
      const last = ask(upstream, post(server.url));
      await last.until(() => last.isSent);
      last.call.abort();
      await server.allClosed();
    });

    test('twice, or after the end, harms nobody', async () => {
      const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE));
      const upstream = client();
      const first = ask(upstream, post(server.url));
      await first.ending;
      const second = ask(upstream, post(server.url));
      first.call.abort();
      first.call.pause();
      first.call.abort();
      expect(await second.ending).toBe('end');
      expect(server.connections()).toBe(1);
    });
  });

  describe('a paused call', () => {
    test.each([
      ['200 MB', 200 << 20, {}],
      ['60 MB over TLS', 60 << 20, { certificate: 'localhost' }],
    ] as const)(
      'holds %s back without keeping them, and gets all of them afterwards',
      async (_name, total, options) => {
        const block = Buffer.alloc(1 << 20, 'x');
        let sent = 0;
        const server = await bench.upstreamThat((exchange) => {
          exchange.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
          const pump = (): void => {
            while (sent < total) {
              sent += block.length;
              if (!exchange.socket.write(block)) {
                exchange.socket.once('drain', pump);
                return;
              }
            }
          };
          pump();
        }, options);
        const answer = ask(client(), post(server.url), { discard: 'discard', onData: () => answer.call.pause() });
        await answer.until(() => answer.bodyBytes > 0);
        const before = process.memoryUsage.rss();
        // The upstream is stuck when its last write has not drained over many turns of the event loop.
        for (let turn = 0, last = -1; turn < 200 || sent !== last; turn += 1) {
          last = sent;
          await new Promise((resolve) => setImmediate(resolve));
        }
        expect(sent).toBeLessThan(total / 2);
        expect(process.memoryUsage.rss() - before).toBeLessThan(40 << 20);
        const keepGoing = setInterval(() => answer.call.resume(), 0);
        bench.later(() => clearInterval(keepGoing));
        expect(await answer.ending).toBe('end');
        expect(answer.bodyBytes).toBe(total);
        // What was read waits for the garbage collector; kept would be all of the 200 MB.
        expect(process.memoryUsage.rss() - before).toBeLessThan(120 << 20);
      },
    );

    test('leaves a connection that the next request can use', async () => {
      const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE));
      const upstream = client();
      const first = ask(upstream, post(server.url), { onData: () => first.call.pause() });
      await first.ending;
      const second = ask(upstream, post(server.url));
      expect(await second.ending).toBe('end');
      expect(server.connections()).toBe(1);
    });
  });

  test('received buffers stay as they were', async () => {
    const server = await bench.upstreamThat((exchange) => {
      exchange.write(CHUNKED);
      let n = 0;
      const send = (): void => {
        if (n < 50) exchange.write(`3e8\r\n${String(n % 10).repeat(1000)}\r\n`);
        else exchange.write('0\r\n\r\n');
        n += 1;
        if (n <= 50) setImmediate(send);
      };
      send();
    });
    const answer = ask(client(), post(server.url));
    expect(await answer.ending).toBe('end');
    expect(answer.body).toBe(Array.from({ length: 50 }, (_, n) => String(n % 10).repeat(1000)).join(''));
  });
});
