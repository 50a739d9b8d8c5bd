import { describe, expect, test } from 'bun:test';
import { gzipSync } from 'node:zlib';
import { echo, GET, httpBench, POST, text } from '../support/http-bench.ts';

const { connect, serveThat } = httpBench();

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
    ['two hosts', 'GET /a HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n', '400'],
    ['bare LF', 'GET /a HTTP/1.1\nhost: x\n\n', '400'],
    ['bare LF in the headers', 'GET /a HTTP/1.1\r\nhost: x\nx-a: 1\r\n\r\n', '400'],
    ['chunks in HTTP/1.0', 'POST /a HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', '400'],
    ['a blank in the target', 'GET /a b HTTP/1.1\r\nhost: x\r\n\r\n', '400'],
    ['two blanks', 'GET  /a HTTP/1.1\r\nhost: x\r\n\r\n', '400'],
    ['a control character in the target', 'GET /a\x01 HTTP/1.1\r\nhost: x\r\n\r\n', '400'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '505'],
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

  test.each([
    ['in one packet', [GET + GET.replace('/a', '/b') + GET.replace('/a', '/c')]],
    ['cut anywhere', [...(GET + GET.replace('/a', '/b') + GET.replace('/a', '/c'))]],
    ['behind a body', [`${POST}content-length: 2\r\n\r\nhi${GET.replace('/a', '/b')}`, GET.replace('/a', '/c')]],
    [
      'behind a careless blank line',
      [`${POST}content-length: 2\r\n\r\nhi`, `\r\n${GET.replace('/a', '/b')}`, GET.replace('/a', '/c')],
    ],
  ])('sent before the answer to the last one, %s: answers come in order', async (_name, packets) => {
    const gates: (() => void)[] = [];
    const seen: string[] = [];
    const server = serveThat(async (request) => {
      seen.push(request.path);
      await request.readBody();
      await new Promise<void>((resolve) => gates.push(resolve));
      return text(`answer to ${request.path}.`);
    });
    const client = connect(server);
    for (const packet of packets) client.send(packet);
    for (const path of ['/a', '/b', '/c']) {
      while (gates.length === 0) await new Promise((resolve) => setImmediate(resolve));
      expect(seen.at(-1)).toBe(path);
      expect(client.received()).not.toContain(`answer to ${path}`);
      gates.pop()?.();
      await client.until(`answer to ${path}.`);
    }
  });

  test('a thousand at once', async () => {
    const client = connect(serveThat((request) => text(`${request.path}.`)));
    client.send(Array.from({ length: 1000 }, (_, n) => GET.replace('/a', `/${n}`)).join(''));
    await client.until('/999.');
    const paths = [...client.received().matchAll(/\r\n\r\n\/([0-9]+)\./g)].map(([, n]) => Number(n));
    expect(paths).toEqual(Array.from({ length: 1000 }, (_, n) => n));
  });

  test('with connection: close the answer says so, and the connection ends', async () => {
    const client = connect(serveThat(echo), GET.replace('host', 'connection: close\r\nhost'));
    await client.closed;
    expect(client.received()).toContain('\r\nconnection: close\r\n');
    expect(client.received()).toEndWith('GET /a [] .');
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

  test.each([
    ['counted', 3_000_000],
    ['chunked', 3_000_000],
    ['counted', 700],
  ])(
    '%s, of %i bytes in many packets, arrives byte for byte, and its memory can be given back',
    async (framing, size) => {
      const sent = Buffer.from(Array.from({ length: size }, (_, index) => (index * 7919 + (index >> 8)) & 255));
      const checks = Promise.withResolvers<readonly boolean[]>();
      const server = serveThat(
        async (request) => {
          const body = (await request.readBody()) as Uint8Array;
          const isSame = sent.equals(body);
          request.forgetBody();
          request.forgetBody();
          // A small body may share its packet with others: that memory is not ours to give.
          checks.resolve([isSame, body.length === (size > 65_536 ? 0 : size)]);
          return text('done.');
        },
        { maxBodyBytes: 4 << 20 },
      );
      const client = connect(server);
      const isCounted = framing === 'counted';
      client.send(POST + (isCounted ? `content-length: ${size}\r\n\r\n` : 'transfer-encoding: chunked\r\n\r\n'));
      for (let at = 0; at < size; at += 100_003) {
        const piece = sent.subarray(at, at + 100_003);
        client.send(
          isCounted
            ? piece
            : Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]),
        );
      }
      if (!isCounted) client.send('0\r\n\r\n');
      expect(await checks.promise).toEqual([true, true]);
      client.send(GET);
      await client.until('done.');
    },
  );

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
