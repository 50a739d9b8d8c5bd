import { describe, expect, test } from 'bun:test';
import { GET, httpBench, streamed, text } from '../support/http-bench.ts';

const { connect, serveThat } = httpBench();

describe('a client that goes away is noticed', () => {
  for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
    test(`by ${leave}: before the answer, and in a silent stream`, async () => {
      for (const phase of ['before', 'stream', 'after a write'] as const) {
        const gone = Promise.withResolvers<void>();
        const handled = Promise.withResolvers<void>();
        const { response, stream } = streamed();
        const server = serveThat(async (request) => {
          await request.readBody();
          request.onGone(() => gone.resolve());
          handled.resolve();
          if (phase === 'before') await new Promise(() => {});
          return response;
        });
        const client = connect(server, GET);
        await handled.promise;
        if (phase !== 'before') await stream;
        if (phase === 'after a write') {
          (await stream).write(Buffer.from('hello'));
          await client.until('hello');
        }
        client.socket[leave]();
        await gone.promise;
      }
    });
  }

  test('while a write is waiting for it', async () => {
    const gone = Promise.withResolvers<void>();
    const stalled = Promise.withResolvers<void>();
    const server = serveThat((request) => {
      request.onGone(() => gone.resolve());
      return {
        kind: 'stream',
        status: 200,
        headers: [],
        start(out) {
          while (out.write(Buffer.alloc(1 << 20))) {}
          stalled.resolve();
        },
      };
    });
    const client = connect(server, GET);
    client.socket.pause();
    await stalled.promise;
    client.socket.destroy();
    await gone.promise;
  });

  test('also when it left before anybody asked', async () => {
    const asked = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    const server = serveThat(async (request) => {
      asked.resolve();
      await left.promise;
      await new Promise<void>((resolve) => request.onGone(resolve));
      left.resolve();
      done.resolve();
      return text('');
    });
    const done = Promise.withResolvers<void>();
    const client = connect(server, GET);
    await asked.promise;
    client.socket.destroy();
    await client.closed;
    left.resolve();
    await done.promise;
  });

  test('but not once the stream has ended, even when it has not read all of it', async () => {
    let told = 0;
    const ended = Promise.withResolvers<void>();
    const server = serveThat((request) => {
      request.onGone(() => {
        told += 1;
      });
      return {
        kind: 'stream',
        status: 200,
        headers: [],
        start(out) {
          while (out.write(Buffer.alloc(1 << 20))) {}
          out.end();
          ended.resolve();
        },
      };
    });
    const client = connect(server, GET);
    client.socket.pause();
    await ended.promise;
    client.socket.destroy();
    await server.stop(60_000);
    expect(told).toBe(0);
  });

  test('but not after the whole answer', async () => {
    let told = 0;
    const server = serveThat((request) => {
      request.onGone(() => {
        told += 1;
      });
      return text('hello');
    });
    const client = connect(server, GET);
    await client.until('hello');
    client.socket.destroy();
    await client.closed;
    const other = connect(server, GET);
    await other.until('hello');
    expect(told).toBe(0);
  });
});
