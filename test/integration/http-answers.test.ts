import { describe, expect, test } from 'bun:test';
import type { Handler, ServerResponse } from '../../src/transport/server.ts';
import { GET, httpBench, POST, streamed, text } from '../support/http-bench.ts';

const { connect, reports, serveThat } = httpBench();

describe('a whole answer', () => {
  test.each([
    ['bytes', Buffer.from('hello')],
    ['text', 'hello'],
  ])('has the status, the headers and the body it was given, as %s', async (_name, body) => {
    const headers = [
      ['x-a', '1'],
      ['content-type', 'application/json'],
      ['x-latin', 'café'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ] as const;
    const client = connect(
      serveThat(() => ({ kind: 'whole', status: 429, headers, body })),
      GET,
    );
    await client.until('hello');
    const head = client.received().toLowerCase();
    expect(head).toStartWith('http/1.1 429 ');
    for (const line of [
      'x-a: 1',
      'content-type: application/json',
      'x-latin: café',
      'set-cookie: a=1',
      'set-cookie: b=2',
      'content-length: 5',
    ]) {
      expect(head).toContain(`\r\n${line}\r\n`);
    }
  });

  test.each([
    ['HEAD', 'HEAD /a HTTP/1.1\r\nhost: x\r\n\r\n', text('hello'), 'content-length: 5'],
    ['HEAD of a stream', 'HEAD /a HTTP/1.1\r\nhost: x\r\n\r\n', streamed().response, 'content-type: text/event-stream'],
    ['204', GET, { ...text(''), status: 204, body: null } as ServerResponse, ' 204 '],
  ])('to %s has no body', async (_name, request, response, expected) => {
    const client = connect(
      serveThat((incoming) => (incoming.path === '/next' ? text('next') : response)),
      request,
    );
    await client.until('\r\n\r\n');
    client.send(GET.replace('/a', '/next'));
    await client.until('next');
    expect(client.received().toLowerCase()).toContain(expected);
    expect(client.received()).toMatch(/\r\n\r\nHTTP\/1\.1 200 OK/);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('a bug');
      },
    ],
    ['rejects', () => Promise.reject(new Error('a bug'))],
    ['gives an impossible status', () => text('', 99)],
    ['gives an impossible header', () => ({ ...text(''), headers: [['x-a', 'a\nb']] }) as ServerResponse],
  ] as readonly (readonly [string, Handler])[])(
    'of a handler that %s is a bare 500 and a report',
    async (_name, handler) => {
      const client = connect(serveThat(handler), GET);
      await client.until('\r\n\r\n');
      expect(client.received()).toStartWith('HTTP/1.1 500 ');
      expect(client.received()).not.toContain('bug');
      expect(reports).toHaveLength(1);
    },
  );
});

describe('a streamed answer', () => {
  test('arrives write by write and ends with the last chunk; the connection is good for more', async () => {
    const { response, stream } = streamed();
    const client = connect(
      serveThat((request) => (request.path === '/next' ? text('next') : response)),
      GET,
    );
    const out = await stream;
    expect(out.write(Buffer.from('data: 1\n\n'))).toBe(true);
    await client.until('data: 1\n\n');
    out.write(Buffer.from('data: 2\n\n'));
    await client.until('data: 2\n\n');
    out.end();
    out.end();
    await client.until('\r\n0\r\n\r\n');
    client.send(GET.replace('/a', '/next'));
    await client.until('next');
  });

  test('that is cut has no last chunk, and the connection ends', async () => {
    const { response, stream } = streamed();
    const client = connect(
      serveThat(() => response),
      GET,
    );
    const out = await stream;
    out.write(Buffer.from('hello'));
    await client.until('hello');
    out.cut();
    await client.closed;
    expect(client.received()).not.toContain('\r\n0\r\n\r\n');
  });

  test.each([
    ['end', 'with', true],
    ['cut', 'without', false],
  ] as const)(
    'of 400 KB reaches a client that reads late, by %s %s its last chunk',
    async (ending, _words, isWhole) => {
      const { response, stream } = streamed();
      const client = connect(
        serveThat(() => response),
        GET,
      );
      client.socket.pause();
      const out = await stream;
      for (let n = 0; n < 400; n += 1) out.write(Buffer.alloc(1000, 'x'));
      out[ending]();
      await new Promise((resolve) => setImmediate(resolve));
      client.socket.resume();
      if (isWhole) await client.until('0\r\n\r\n');
      else await client.closed;
      expect(client.received().replaceAll(/[^x]/g, '').length).toBeGreaterThanOrEqual(isWhole ? 400_000 : 1);
      expect(client.received().endsWith('\r\n0\r\n\r\n')).toBe(isWhole);
    },
  );

  test('to HTTP/1.0 is not chunked and ends with the connection', async () => {
    const { response, stream } = streamed();
    const client = connect(
      serveThat(() => response),
      'GET /a HTTP/1.0\r\n\r\n',
    );
    const out = await stream;
    out.write(Buffer.from('hello'));
    out.end();
    await client.closed;
    expect(client.received()).toEndWith('\r\n\r\nhello');
  });

  test('whose start throws is cut and reported', async () => {
    const start = (): void => {
      throw new Error('a bug');
    };
    const client = connect(
      serveThat(() => ({ kind: 'stream', status: 200, headers: [], start })),
      GET,
    );
    await client.closed;
    expect(client.received()).not.toContain('\r\n0\r\n\r\n');
    expect(reports).toHaveLength(1);
  });

  test('to 20 clients that do not read holds 50 MB each back, and goes on when they read', async () => {
    const total = 50 << 20;
    const block = Buffer.alloc(1 << 17, 'x');
    let stalled = 0;
    const allStalled = Promise.withResolvers<void>();
    const server = serveThat(() => ({
      kind: 'stream',
      status: 200,
      headers: [],
      start(out) {
        let written = 0;
        let hasStalled = false;
        const pump = (): void => {
          while (written < total) {
            written += block.length;
            if (!out.write(block)) {
              if (!hasStalled) stalled += 1;
              hasStalled = true;
              if (stalled === 20) allStalled.resolve();
              return;
            }
          }
          out.end();
        };
        out.onDrain(pump);
        pump();
      },
    }));
    const before = process.memoryUsage.rss();
    const clients = Array.from({ length: 20 }, () => connect(server, GET));
    for (const client of clients) client.socket.pause();
    await allStalled.promise;
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 << 20);
    const [one] = clients;
    let size = 0;
    one!.socket.removeAllListeners('data');
    const done = new Promise<void>((resolve) => {
      one!.socket.on('data', (bytes: Buffer) => {
        size += bytes.length;
        if (bytes.subarray(-5).equals(Buffer.from('0\r\n\r\n'))) resolve();
      });
    });
    one!.socket.resume();
    await done;
    expect(size).toBeGreaterThan(total);
  });
});

describe('stop', () => {
  test('lets running answers end, and takes no new connection', async () => {
    const { response, stream } = streamed();
    const server = serveThat(() => response);
    const client = connect(server, GET);
    const out = await stream;
    out.write(Buffer.from('one'));
    await client.until('one');
    const stopped = server.stop(60_000);
    const refused = connect(server, GET);
    await refused.closed;
    expect(refused.received()).toBe('');
    out.write(Buffer.from('two'));
    out.end();
    await client.until('0\r\n\r\n');
    await stopped;
  });

  test('forces what has not ended at its deadline', async () => {
    const { response, stream } = streamed();
    const server = serveThat(() => response);
    const client = connect(server, GET);
    await stream;
    const body = connect(server, `${POST}content-length: 5\r\n\r\nhel`);
    await server.stop(20);
    await Promise.all([client.closed, body.closed]);
  });
});
