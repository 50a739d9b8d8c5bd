import { afterEach, describe, expect, test } from 'bun:test';
import { gzipSync } from 'node:zlib';
import { serve } from '../../src/transport/bun-server.ts';
import type {
  ClientStream,
  GatewayServer,
  Handler,
  ServerOptions,
  ServerRequest,
  ServerResponse,
} from '../../src/transport/server.ts';
import { type RawClient, rawClient } from '../support/raw-client.ts';

const started: (() => void | Promise<void>)[] = [];
const reports: unknown[] = [];

afterEach(async () => {
  for (const stop of started.splice(0)) await stop();
  reports.splice(0);
});

function serveThat(handler: Handler, options: Partial<ServerOptions> = {}): GatewayServer {
  const defaults = { hostname: '127.0.0.1', port: 0, maxBodyBytes: 1 << 20, bodyTimeoutMs: 10_000, idleSeconds: 30 };
  const server = serve({ ...defaults, ...options }, handler, (error) => reports.push(error));
  started.push(() => server.stop(0));
  return server;
}

function connect(server: GatewayServer, first = ''): RawClient {
  const client = rawClient(server.port, first);
  started.push(() => {
    client.socket.destroy();
  });
  return client;
}

const text = (body: string, status = 200): ServerResponse => ({ kind: 'whole', status, headers: [], body });

/** Answers with what it understood of the request. */
async function echo(request: ServerRequest): Promise<ServerResponse> {
  const body = await request.readBody();
  if (!(body instanceof Uint8Array)) return text(`fault ${body.kind}`, 400);
  return text(`${request.method} ${request.path} [${request.query}] ${Buffer.from(body).toString('latin1')}.`);
}

/** A stream answer and the means to drive it from the test. */
function streamed(): { response: ServerResponse; stream: Promise<ClientStream> } {
  const { promise, resolve } = Promise.withResolvers<ClientStream>();
  const headers = [['content-type', 'text/event-stream']] as const;
  return { response: { kind: 'stream', status: 200, headers, start: resolve }, stream: promise };
}

const GET = 'GET /a HTTP/1.1\r\nhost: x\r\n\r\n';
const POST = 'POST /a HTTP/1.1\r\nhost: x\r\n';

describe('a request that two readers could understand differently is refused', () => {
  test.each([
    ['a length beside chunks', `${POST}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, '400'],
    ['two lengths', `${POST}content-length: 5\r\ncontent-length: 6\r\n\r\nhello!`, '400'],
    ['a signed length', `${POST}content-length: +5\r\n\r\nhello`, '400'],
    ['a negative length', `${POST}content-length: -5\r\n\r\nhello`, '400'],
    ['a length in hex', `${POST}content-length: 0x5\r\n\r\nhello`, '400'],
    ['a list of lengths', `${POST}content-length: 5, 5\r\n\r\nhello`, '400'],
    ['an unknown coding', `${POST}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`, '400'],
    ['chunked that is not last', `${POST}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n`, '400'],
    ['two codings', `${POST}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n`, '400'],
    ['a space before the colon', `${POST}content-length : 5\r\n\r\nhello`, '400'],
    ['a folded header', `${POST}x-a: 1\r\n 2\r\n\r\n`, '400'],
    ['NUL in a header', `${POST}x-a: \0\r\n\r\n`, '400'],
    ['a header without a name', `${POST}: x\r\n\r\n`, '400'],
    ['no host', 'GET /a HTTP/1.1\r\n\r\n', '400'],
    ['bare LF', 'GET /a HTTP/1.1\nhost: x\n\n', '505'],
    ['another version', 'GET /a HTTP/3.0\r\nhost: x\r\n\r\n', '505'],
    ['a head of 200 KB', `${POST}x-a: ${'a'.repeat(200_000)}\r\n\r\n`, '431'],
  ])('%s', async (_name, request, status) => {
    const seen: string[] = [];
    const server = serveThat((incoming) => {
      seen.push(incoming.path);
      return text('never');
    });
    const client = connect(server, request);
    await client.closed;
    expect(client.received().slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    expect(seen).toEqual([]);
  });

  test.each([
    ['a chunk size that is no number', 'zz\r\nhello\r\n0\r\n\r\n'],
    ['a chunk size with a sign', '+5\r\nhello\r\n0\r\n\r\n'],
    ['a chunk size beyond all bounds', 'ffffffffffffffffff\r\nhello\r\n0\r\n\r\n'],
    ['a chunk without its end', '5\r\nhelloXX0\r\n\r\n'],
  ])('%s: nothing is answered as if it were whole', async (_name, chunks) => {
    const server = serveThat(echo);
    const client = connect(server, `${POST}transfer-encoding: chunked\r\n\r\n${chunks}`);
    await client.closed;
    expect(client.received()).not.toContain('200 OK');
  });

  test('rubbish and a TLS hello', async () => {
    const server = serveThat(echo);
    for (const rubbish of ['\x16\x03\x01\x00\x05hello', 'hello\r\n\r\n', '\r\n\r\n\0\0\r\n\r\n']) {
      const client = connect(server, rubbish);
      await client.closed;
      expect(client.received()).not.toContain('200 OK');
    }
  });

  // A known fault of the engine: better a closed connection than answers in the wrong order.
  test('a second request behind an unfinished one ends the connection, and is not answered', async () => {
    const { promise, resolve } = Promise.withResolvers<ServerResponse>();
    const server = serveThat(() => promise);
    const client = connect(server, GET + GET.replace('/a', '/b'));
    await client.closed;
    resolve(text('late'));
    expect(client.received()).toBe('');
  });
});

describe('a request is understood', () => {
  test.each([
    ['GET /v1/models?a=%41&b HTTP/1.1\r\nhost: x\r\n\r\n', 'GET /v1/models [a=%41&b] .'],
    ['GET //v1//a%2Fb HTTP/1.1\r\nhost: x\r\n\r\n', 'GET //v1//a%2Fb [] .'],
    ['GET /a? HTTP/1.1\r\nhost: x\r\n\r\n', 'GET /a [] .'],
    ['GET / HTTP/1.1\r\nhost: a b\r\n\r\n', 'GET / [] .'],
    ['GET http://other/a?b HTTP/1.1\r\nhost: x\r\n\r\n', 'GET /a [b] .'],
    ['GET /a?b HTTP/1.0\r\n\r\n', 'GET /a [b] .'],
    ['OPTIONS /a HTTP/1.1\r\nhost: x\r\n\r\n', 'OPTIONS /a [] .'],
    ['DELETE /a HTTP/1.1\r\nhost: x\r\n\r\n', 'DELETE /a [] .'],
    ['POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello', 'POST /a [] hello.'],
    ['POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n', 'POST /a [] .'],
    ['POST /a HTTP/1.1\r\nhost: x\r\n\r\n', 'POST /a [] .'],
    [
      'POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n',
      'POST /a [] hello.',
    ],
  ])('%j', async (request, expected) => {
    const client = connect(serveThat(echo), request);
    await client.until(expected);
    expect(client.received()).toStartWith('HTTP/1.1 200 OK\r\n');
  });

  test('with headers in lower case, and the address it came from', async () => {
    const server = serveThat((request) =>
      text(
        `${JSON.stringify(request.headers())} ${request.header('X-A')} ${request.header('x-b')} ${request.remoteAddress()}.`,
      ),
    );
    const client = connect(server, 'GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n\r\n');
    await client.until('[["host","x"],["x-a","1"]] 1 null 127.0.0.1.');
  });

  test('with Expect: 100-continue before its body', async () => {
    const client = connect(serveThat(echo), `${POST}content-length: 5\r\nexpect: 100-continue\r\n\r\n`);
    await client.until('HTTP/1.1 100 Continue\r\n\r\n');
    client.send('hello');
    await client.until('POST /a [] hello.');
  });

  test('again and again on one connection', async () => {
    const client = connect(serveThat(echo));
    for (let n = 0; n < 100; n += 1) {
      client.send(`POST /${n} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx`);
      await client.until(`POST /${n} [] x.`);
    }
  });
});

describe('a body', () => {
  const CHUNK = `10000\r\n${'a'.repeat(65_536)}\r\n`;

  test.each([
    ['length', 'content-length: 2621440\r\n\r\n', 'a'.repeat(65_536), ''],
    ['chunks', 'transfer-encoding: chunked\r\n\r\n', CHUNK, '0\r\n\r\n'],
  ])(
    'of a %s over the limit is given up, the answer is ours, and the rest is thrown away',
    async (_name, head, piece, last) => {
      const client = connect(serveThat(echo), POST + head);
      for (let n = 0; n < 20; n += 1) client.send(piece);
      await client.until('fault too-large');
      for (let n = 0; n < 20; n += 1) client.send(piece);
      client.send(`${last}${POST.replace('/a', '/next')}content-length: 0\r\n\r\n`);
      await client.until('POST /next [] .');
    },
  );

  test.each([
    ['counted', `content-length: ${100 << 20}\r\n\r\n`, Buffer.alloc(1 << 20)],
    ['chunked', 'transfer-encoding: chunked\r\n\r\n', Buffer.from(CHUNK.repeat(16))],
  ])('of 100 MB, %s, never takes more memory than the limit', async (_name, head, block) => {
    const server = serveThat(echo);
    const before = process.memoryUsage.rss();
    const client = connect(server, POST + head);
    for (let n = 0; n < 100; n += 1) {
      if (!client.socket.write(block)) await new Promise((resolve) => client.socket.once('drain', resolve));
    }
    await client.until('fault too-large');
    expect(process.memoryUsage.rss() - before).toBeLessThan(40 << 20);
  });

  test('of exactly the limit is taken', async () => {
    const server = serveThat(async (request) => text(`${((await request.readBody()) as Uint8Array).length}.`), {
      maxBodyBytes: 1000,
    });
    const length = connect(server, `${POST}content-length: 1000\r\n\r\n${'a'.repeat(1000)}`);
    await length.until('1000.');
    const chunks = connect(server, `${POST}transfer-encoding: chunked\r\n\r\n3e8\r\n${'a'.repeat(1000)}\r\n0\r\n\r\n`);
    await chunks.until('1000.');
  });

  test.each([
    ['counted', 'content-length: 5\r\n\r\nhel'],
    ['chunked', 'transfer-encoding: chunked\r\n\r\n5\r\nhel'],
  ])('%s, that does not arrive in time is a timeout, and the connection ends', async (_name, rest) => {
    const client = connect(serveThat(echo, { bodyTimeoutMs: 20 }), POST + rest);
    await client.until('fault timeout');
    expect(client.received().toLowerCase()).toContain('\r\nconnection: close\r\n');
    await client.closed;
  });

  test.each([
    ['counted', 'content-length: 5\r\n\r\nhel'],
    ['chunked', 'transfer-encoding: chunked\r\n\r\n5\r\nhel'],
  ])('%s, whose client leaves half-way says so', async (_name, rest) => {
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      const fault = Promise.withResolvers<string>();
      const reading = Promise.withResolvers<void>();
      const server = serveThat(async (request) => {
        reading.resolve();
        const body = await request.readBody();
        fault.resolve(body instanceof Uint8Array ? 'whole' : body.kind);
        return text('');
      });
      const client = connect(server, POST + rest);
      await reading.promise;
      client.socket[leave]();
      expect(await fault.promise).toBe('client-gone');
    }
  });

  test('in gzip is decoded', async () => {
    const body = gzipSync('hello');
    const client = connect(serveThat(echo));
    client.send(`${POST}content-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`);
    client.send(body);
    await client.until('POST /a [] hello.');
  });

  test('that nobody reads does not harm the next request', async () => {
    const client = connect(serveThat((request) => text(`${request.path}.`, 401)));
    client.send(`${POST}content-length: 500000\r\n\r\n${'a'.repeat(500_000)}`);
    await client.until('/a.');
    client.send(GET.replace('/a', '/next'));
    await client.until('/next.');
  });
});

describe('a whole answer', () => {
  test('has the status, the headers and the body it was given', async () => {
    const headers = [
      ['x-a', '1'],
      ['x-latin', 'café'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ] as const;
    const client = connect(
      serveThat(() => ({ kind: 'whole', status: 429, headers, body: Buffer.from('hello') })),
      GET,
    );
    await client.until('hello');
    const head = client.received().toLowerCase();
    expect(head).toStartWith('http/1.1 429 ');
    for (const line of ['x-a: 1', 'x-latin: café', 'set-cookie: a=1', 'set-cookie: b=2', 'content-length: 5']) {
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
