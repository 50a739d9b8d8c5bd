import { describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import type { Upstream } from '../../src/transport/upstream.ts';
import type { UpstreamOptions } from '../../src/transport/upstream-h1.ts';
import { CHUNKED, TRANSPORTS, transportBench, WHOLE } from '../support/transports.ts';
import { ask, post } from '../support/upstream-answer.ts';

const bench = transportBench();

describe.each(TRANSPORTS)('%s', (_name, create) => {
  const client = (options: UpstreamOptions = {}): Upstream => bench.client(create, options);

  describe('a request', () => {
    test('says where it goes and how long it is, whatever the caller wrote', async () => {
      const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE));
      const headers = [
        ['authorization', 'Bearer x'],
        ['content-length', '999'],
        ['transfer-encoding', 'chunked'],
        ['host', 'evil'],
      ] as const;
      await ask(client(), { method: 'POST', url: `${server.url}/a%2Fb?c=d#e`, headers, body: [Buffer.from('{}')] })
        .ending;
      expect(server.requests[0]?.head).toBe(
        `POST /a%2Fb?c=d HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nauthorization: Bearer x\r\ncontent-length: 2`,
      );
    });

    test('of 20 MB arrives whole at an upstream that reads late', async () => {
      const body = Buffer.alloc(20 << 20, 'abcdefg');
      for (const certificate of [undefined, 'localhost'] as const) {
        const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE), {
          ...(certificate && { certificate }),
          onConnection: (socket) => {
            socket.pause();
            setImmediate(() => socket.resume());
          },
        });
        const answer = ask(client(), post(server.url, body));
        expect(await answer.ending).toBe('end');
        const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
        expect(hash(server.requests[0]!.body)).toBe(hash(body));
        expect(answer.events.slice(0, 2)).toEqual(['sent', 'head 200']);
      }
    });

    test('that is answered before it has been sent ends with that answer and takes its connection along', async () => {
      const server = await bench.upstreamThat(() => {}, {
        onConnection: (socket) => {
          socket.pause();
          socket.write(WHOLE.replace('200', '413'));
        },
      });
      const upstream = client();
      for (const connections of [1, 2]) {
        const answer = ask(upstream, post(server.url, Buffer.alloc(30 << 20)));
        expect(await answer.ending).toBe('end');
        expect([answer.status, answer.isSent, server.connections()]).toEqual([413, false, connections]);
      }
    });

    test.each([
      ['a line end', 'a\r\nx-evil: 1'],
      ['NUL', 'a\0'],
      ['a character over 0xFF', 'a\u{1f600}'],
    ])('with %s in a header is never sent', async (_case, value) => {
      const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE));
      const answer = ask(client(), { ...post(server.url), headers: [['x-a', value]] });
      expect(await answer.ending).toBe('connect');
      expect(server.receivedBytes()).toBe(0);
    });

    test('whose handler throws ends with an error and no open connection', async () => {
      const server = await bench.upstreamThat((exchange) => exchange.write(`${CHUNKED}5\r\nhello\r\n`));
      const answer = ask(client(), post(server.url), {
        onData: () => {
          throw new Error('a fault of the caller');
        },
      });
      expect(await answer.ending).toBe('closed');
      await server.allClosed();
    });
  });
});
