import { expect, test } from 'bun:test';
import { serve } from '../../src/transport/h1-server.ts';
import type { ClientStream } from '../../src/transport/server.ts';
import { type RawClient, rawClient } from '../support/raw-client.ts';

/** Sends `piece` again and again: a byte now and then must not buy time. */
function drip(client: RawClient, piece: string): RawClient {
  const timer = setInterval(() => client.send(piece), 200);
  void client.closed.then(() => clearInterval(timer));
  return client;
}

test('who does not finish a head, or idles after an answer, is hung up on; who waits for a stream is not', async () => {
  const streams: ClientStream[] = [];
  const server = serve(
    { hostname: '127.0.0.1', port: 0, maxBodyBytes: 1000, bodyTimeoutMs: 60_000, idleSeconds: 1 },
    async (request) => {
      await null;
      if (request.path === '/whole') return { kind: 'whole', status: 401, headers: [], body: 'no' };
      const start = (stream: ClientStream): void => {
        streams.push(stream);
        stream.write(Buffer.from('first'));
        if (request.path.startsWith('/stalled')) while (stream.write(Buffer.alloc(1 << 20))) {}
        if (request.path.endsWith('ended')) stream.end();
        if (request.path.endsWith('cut')) stream.cut();
      };
      return { kind: 'stream', status: 200, headers: [], start };
    },
    () => {},
  );
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
  const post = 'POST /whole HTTP/1.1\r\nhost: x\r\n';
  const hungUpOn = [
    rawClient(server.port),
    rawClient(server.port, 'GET / HTTP/1.1\r\nhos'),
    drip(rawClient(server.port, 'GET / HTTP/1.1\r\nx-a: '), 'a'),
    drip(rawClient(server.port, 'GET / HTTP/1.1\r\n'), 'x-a: a\r\n'),
    rawClient(server.port, get('/whole')),
    rawClient(server.port, get('/ended')),
    drip(rawClient(server.port, `${get('/whole')}GET / HTTP/1.1\r\nx-a: `), 'a'),
    drip(rawClient(server.port, `${post}content-length: 900\r\n\r\n`), 'a'),
    drip(rawClient(server.port, `${post}transfer-encoding: chunked\r\n\r\n`), '1\r\na\r\n'),
  ];
  // These stop reading: what they were sent is still in the server when it ends the answer.
  for (const path of ['/stalled-ended', '/stalled-cut']) {
    const client = rawClient(server.port, get(path));
    client.socket.pause();
  }
  const waiting = rawClient(server.port, get('/silent'));
  await waiting.until('first');
  await Promise.all(hungUpOn.map((client) => client.closed));
  for (const stream of streams) stream.write(Buffer.from('second'));
  await waiting.until('second');
  expect(waiting.socket.destroyed).toBe(false);
  waiting.socket.destroy();
  // Resolves early only because nothing is left to wait for, the clients that stopped reading included.
  await server.stop(60_000);
}, 40_000);

test('who reads a long answer slowly is not taken for idle', async () => {
  const size = 40 << 20;
  const server = serve(
    { hostname: '127.0.0.1', port: 0, maxBodyBytes: 1000, bodyTimeoutMs: 60_000, idleSeconds: 1 },
    () => ({ kind: 'whole', status: 200, headers: [], body: Buffer.alloc(size, 'x') }),
    () => {},
  );
  const client = rawClient(server.port, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  let pauseAt = 0;
  // A few megabytes every 150 ms: two seconds and more for all, where one is allowed for idling.
  client.socket.on('data', () => {
    if (client.receivedBytes() < pauseAt) return;
    pauseAt = client.receivedBytes() + (3 << 20);
    client.socket.pause();
    setTimeout(() => client.socket.resume(), 150);
  });
  const whole = Promise.withResolvers<void>();
  client.socket.on('data', () => {
    if (client.receivedBytes() > size) whole.resolve();
  });
  await Promise.race([whole.promise, client.closed]);
  expect(client.receivedBytes()).toBeGreaterThan(size);
  client.socket.destroy();
  await server.stop(60_000);
}, 40_000);
