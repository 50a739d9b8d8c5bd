import { describe, expect, test } from 'bun:test';
import type { Upstream } from '../../src/transport/upstream.ts';
import type { UpstreamOptions } from '../../src/transport/upstream-h1.ts';
import type { RawExchange } from '../support/raw-upstream.ts';
import { CHUNKED, TRANSPORTS, transportBench, WHOLE } from '../support/transports.ts';
import { ask, post, type UpstreamAnswer } from '../support/upstream-answer.ts';

const bench = transportBench();

/**
 * Name, bytes, what the upstream does next, how the call must end, and `status body` as they must have arrived.
 *
 * The list follows the faults that HTTP engines were seen to swallow: a reset taken for the end of a body, forged second
 * responses, lengths that two readers understand differently.
 */
type Row = readonly [name: string, send: string, next: 'fin' | 'reset' | 'keep', ending: Ending, answer: string | null];
type Ending = 'end' | 'closed' | 'malformed' | 'too-large';

const ROWS: readonly Row[] = [
  ['RST before any byte', '', 'reset', 'closed', null],
  ['FIN before any byte', '', 'fin', 'closed', null],
  ['FIN in the head', 'HTTP/1.1 200 OK\r\ncont', 'fin', 'closed', null],
  ['RST in the body', `${CHUNKED}5\r\nhello\r\n`, 'reset', 'closed', '200 hello'],
  ['FIN in a chunk size', `${CHUNKED}5\r\nhello\r\n1`, 'fin', 'closed', '200 hello'],
  ['FIN in a chunk', `${CHUNKED}5\r\nhel`, 'fin', 'closed', '200 hel'],
  ['FIN before the last chunk', `${CHUNKED}5\r\nhello\r\n`, 'fin', 'closed', '200 hello'],
  ['FIN after 0\\r\\n', `${CHUNKED}5\r\nhello\r\n0\r\n`, 'fin', 'closed', '200 hello'],
  ['FIN in the trailers', `${CHUNKED}0\r\nx-a: 1\r\n`, 'fin', 'closed', '200 '],
  ['FIN short of content-length', WHOLE.replace(': 5', ': 9'), 'fin', 'closed', '200 hello'],
  ['FIN ends a body without framing', 'HTTP/1.1 200 OK\r\n\r\nhello', 'fin', 'end', '200 hello'],
  ['RST in a body without framing', 'HTTP/1.1 200 OK\r\n\r\nhello', 'reset', 'closed', '200 hello'],
  ['RST in an HTTP/1.0 body', 'HTTP/1.0 200 OK\r\n\r\nhello', 'reset', 'closed', '200 hello'],
  ['RST in a counted body', WHOLE.replace(': 5', ': 9'), 'reset', 'closed', '200 hello'],
  ['a length beside chunks', CHUNKED.replace('\r\n\r\n', '\r\ncontent-length: 5\r\n\r\n'), 'keep', 'malformed', null],
  ['a negative length', WHOLE.replace(': 5', ': -5'), 'keep', 'malformed', null],
  ['two lengths', WHOLE.replace(': 5', ': 5\r\ncontent-length: 6'), 'keep', 'malformed', null],
  ['a bad chunk after a good one', `${CHUNKED}5\r\nhello\r\nzz\r\n`, 'keep', 'malformed', '200 hello'],
  ['a chunk without CRLF', `${CHUNKED}5\r\nhelloXX`, 'keep', 'malformed', '200 hello'],
  ['transfer-encoding gzip, chunked', CHUNKED.replace('chunked', 'gzip, chunked'), 'keep', 'malformed', null],
  ['an unknown transfer-encoding', CHUNKED.replace('chunked', 'foo'), 'keep', 'malformed', null],
  ['a head with bare LF', WHOLE.replaceAll('\r', ''), 'keep', 'malformed', null],
  ['a folded header', WHOLE.replace(': 5', ': 5\r\nx-a: 1\r\n 2'), 'keep', 'malformed', null],
  ['a header without a colon', WHOLE.replace(': 5', ': 5\r\nxa'), 'keep', 'malformed', null],
  ['NUL in a header', WHOLE.replace(': 5', ': 5\r\nx-a: \0'), 'keep', 'malformed', null],
  ['status 600', WHOLE.replace('200', '600'), 'keep', 'malformed', null],
  ['status 999', WHOLE.replace('200', '999'), 'keep', 'malformed', null],
  ['HTTP/2.0 in words', WHOLE.replace('1.1', '2.0'), 'keep', 'malformed', null],
  ['a TLS alert', '\x15\x03\x01\x00\x02\x02F', 'keep', 'malformed', null],
  ['101 unasked', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n', 'keep', 'malformed', null],
  ['endless interim responses', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100), 'keep', 'malformed', null],
  [
    'interim responses before the answer',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n${WHOLE}`,
    'keep',
    'end',
    '200 hello',
  ],
  ['a head over the limit', `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(70_000)}\r\n\r\n`, 'keep', 'too-large', null],
  ['an endless header', `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(200_000)}`, 'keep', 'too-large', null],
  ['a header of 20 KB', WHOLE.replace(': 5', `: 5\r\nx-a: ${'a'.repeat(20_000)}`), 'keep', 'end', '200 hello'],
  ['300 header lines', WHOLE.replace(': 5', `: 5${'\r\nx-a: 1'.repeat(300)}`), 'keep', 'end', '200 hello'],
  [
    'a redirect is not followed',
    'HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n',
    'keep',
    'end',
    '302 ',
  ],
  ['204 with a body', 'HTTP/1.1 204 No Content\r\n\r\nhello', 'keep', 'end', '204 '],
  [
    'a gzip body is left as it is',
    `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\0`,
    'keep',
    'end',
    '200 \x1f\x8b\x08\0',
  ],
];

interface Script {
  readonly send: string;
  readonly next: Row[2];
  readonly expected: string | null;
}

/** Plays a row: a reset waits until the client has what it should have, because RST discards bytes under way. */
function play(exchange: RawExchange, script: Script, answer: () => UpstreamAnswer): void {
  const { send, next, expected } = script;
  if (send !== '') exchange.write(send);
  if (next === 'fin') exchange.fin();
  if (next !== 'reset') return;
  void answer()
    .until((seen) => seen.isSent && received(seen) === expected)
    .then(() => exchange.reset());
}

function received(answer: UpstreamAnswer): string | null {
  return answer.status === null ? null : `${answer.status} ${answer.body}`;
}

describe.each(TRANSPORTS)('%s', (_name, create, traits) => {
  const client = (options: UpstreamOptions = {}): Upstream => bench.client(create, options);

  for (const certificate of [undefined, 'localhost'] as const) {
    describe(`over ${certificate === undefined ? 'TCP' : 'TLS'}`, () => {
      test.each(ROWS)('%s', async (_row, send, next, ending, expected) => {
        const options = certificate === undefined ? {} : { certificate };
        const server = await bench.upstreamThat(
          (exchange) => play(exchange, { send, next, expected }, () => answer),
          options,
        );
        const answer = ask(client(), post(server.url));
        expect(await answer.ending).toBe(ending);
        expect(received(answer)).toBe(expected);
        if (next === 'reset') expect(answer.fault?.code).toBe('ECONNRESET');
        expect(server.requests).toHaveLength(1);
      });
    });
  }

  describe('there is no connection', () => {
    test.each([
      ['a port where nobody listens', 'http://127.0.0.1:1/', 'ECONNREFUSED'],
      ['a port where nobody listens, TLS', 'https://127.0.0.1:1/', traits.refused],
      ['a name that cannot be', 'http://a..b/', 'ENOTFOUND'],
      ['another scheme', 'ftp://127.0.0.1/', 'EINVAL'],
      ['no URL', 'nothing', 'EINVAL'],
    ])('%s', async (_case, url, code) => {
      const answer = ask(client(), post(url));
      expect(await answer.ending).toBe('connect');
      expect(answer.fault?.code).toBe(code);
      expect(answer.events).toEqual(['error connect']);
    });

    test.each([
      ['wrong-host', 'ERR_TLS_CERT_ALTNAME_INVALID'],
      ['expired', 'CERT_HAS_EXPIRED'],
      ['self-signed', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ] as const)('a certificate: %s; no byte of the request is shown to it', async (certificate, code) => {
      const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE), { certificate });
      const answer = ask(client(), post(server.url));
      expect(await answer.ending).toBe('connect');
      expect(answer.fault?.code).toBe(code);
      await server.allClosed();
      expect(server.receivedBytes()).toBe(0);
    });

    test('a certificate for another name than the address', async () => {
      const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE), { certificate: 'wrong-host' });
      const answer = ask(client(), post(`https://127.0.0.1:${server.port}`));
      expect(await answer.ending).toBe('connect');
      expect(answer.fault?.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
      await server.allClosed();
      expect(server.receivedBytes()).toBe(0);
    });

    test('a private authority that was not given', async () => {
      const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE), { certificate: 'localhost' });
      const answer = ask(client({ ca: undefined }), post(server.url));
      expect(await answer.ending).toBe('connect');
      expect(answer.fault?.code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      await server.allClosed();
      expect(server.receivedBytes()).toBe(0);
    });

    test('TLS to a port that speaks plain HTTP', async () => {
      const server = await bench.upstreamThat(() => {}, { onConnection: (socket) => socket.write(WHOLE) });
      const answer = ask(client(), post(server.url.replace('http:', 'https:')));
      expect(await answer.ending).toBe('connect');
    });

    test('an upstream that hangs up in the TLS handshake', async () => {
      const server = await bench.upstreamThat(() => {}, {
        onConnection: (socket) => socket.once('data', () => socket.end()),
      });
      expect(await ask(client(), post(server.url.replace('http:', 'https:'))).ending).toBe('connect');
    });
  });
});
