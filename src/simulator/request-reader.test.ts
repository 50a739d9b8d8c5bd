import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type RawRequest, RequestReader } from './request-reader.ts';

const FIXED = 'POST /v1/x?y=1 HTTP/1.1\r\nHost: a\r\nX-Odd:  b \r\nContent-Length: 5\r\n\r\nhello';
const CHUNKED =
  'POST /z HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nhel\r\n2;e=1\r\nlo\r\n0\r\n\r\n';
const EMPTY = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

function readAll(parts: readonly Uint8Array[]): RawRequest[] {
  const reader = new RequestReader();
  const requests: RawRequest[] = [];
  for (const part of parts) {
    reader.push(part);
    for (let read = reader.next(); read.kind !== 'more'; read = reader.next()) {
      if (read.kind !== 'request') throw new Error(JSON.stringify(read));
      requests.push(read.request);
    }
  }
  return requests;
}

describe('the request reader', () => {
  test('reads heads and bodies of both framings, several on one connection', () => {
    const requests = readAll([Buffer.from(FIXED + EMPTY + CHUNKED)]);
    expect(requests.map(({ method, target, body, keepAlive }) => [method, target, body.toString(), keepAlive])).toEqual(
      [
        ['POST', '/v1/x?y=1', 'hello', true],
        ['GET', '/', '', true],
        ['POST', '/z', 'hello', false],
      ],
    );
    expect(requests[0]?.headers).toEqual([
      ['host', 'a'],
      ['x-odd', 'b'],
      ['content-length', '5'],
    ]);
  });

  test('any split of the bytes gives the same requests', () => {
    const bytes = Buffer.from(FIXED + CHUNKED + EMPTY);
    const whole = readAll([bytes]);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (places) => {
        const cuts = [0, ...places.sort((a, b) => a - b), bytes.length];
        const parts = cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
        expect(readAll(parts)).toEqual(whole);
      }),
      { numRuns: 200 },
    );
  });

  test('asks once for the body of a client that waits for 100 Continue', () => {
    const reader = new RequestReader();
    reader.push(Buffer.from('POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n'));
    expect([reader.next().kind, reader.next().kind]).toEqual(['expects-continue', 'more']);
    reader.push(Buffer.from('ok'));
    expect(reader.next().kind).toBe('request');
  });

  const malformed: readonly (readonly [name: string, bytes: string])[] = [
    ['no HTTP at all', 'hello\r\n\r\n'],
    ['an absolute target', 'GET http://a/ HTTP/1.1\r\n\r\n'],
    ['HTTP/2', 'GET / HTTP/2.0\r\n\r\n'],
    ['a blank before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'],
    ['a folded header', 'GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n'],
    ['a bare line feed in a header', 'GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na'],
    ['a length that is no number', 'POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na'],
    ['both framings', 'POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a coding beside chunked', 'POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['a chunk size that is no number', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a chunk without its end', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n'],
    ['a head without an end', `GET / HTTP/1.1\r\nA: ${'b'.repeat(70_000)}`],
  ];
  for (const [name, bytes] of malformed) {
    test(`refuses ${name}`, () => {
      const reader = new RequestReader();
      reader.push(Buffer.from(bytes));
      expect(reader.next().kind).toBe('malformed');
    });
  }
});
