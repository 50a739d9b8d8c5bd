import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { fuzzed } from '../../test/support/fuzz.ts';
import type { HeaderPair } from '../core/http.ts';
import { ResponseParser } from './response-parser.ts';
import type { UpstreamFault } from './upstream.ts';

const LIMIT = 512;

interface Reading {
  readonly heads: readonly (readonly [status: number, headers: readonly HeaderPair[]])[];
  readonly body: string;
  /** `end`, `open` (more would be needed), or the kind of the fault. */
  readonly ending: string;
  readonly canReuse: boolean;
}

/** What the parser makes of `packets` and then, unless told otherwise, a FIN. */
function read(packets: readonly Buffer[], then: 'fin' | 'open' = 'fin', body: 'body' | 'no-body' = 'body'): Reading {
  const heads: [number, readonly HeaderPair[]][] = [];
  const chunks: Buffer[] = [];
  const parser = new ResponseParser(LIMIT, {
    onHead: (status, headers) => heads.push([status, headers]),
    onData: (bytes) => {
      expect(bytes.length).toBeGreaterThan(0);
      chunks.push(bytes);
    },
  });
  parser.begin(body);
  let fault: UpstreamFault | null = null;
  for (const packet of packets) fault ??= parser.push(packet);
  if (then === 'fin') fault ??= parser.finish();
  const ending = fault !== null ? fault.kind : parser.isDone ? 'end' : 'open';
  return { heads, body: Buffer.concat(chunks).toString('latin1'), ending, canReuse: parser.isDone && parser.canReuse };
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const readText = (text: string): Reading => read([bytes(text)]);

const LENGTH = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';
const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
const CHUNKS = `${CHUNKED}5\r\nhello\r\n6;a="b"\r\n world\r\n0\r\nx-trailer: 1\r\n\r\n`;

/** Sound responses: name, bytes, body, whether the connection may be used again. */
const SOUND: readonly (readonly [string, string, string, boolean])[] = [
  ['a counted body', LENGTH, 'hello', true],
  ['an empty counted body', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', '', true],
  ['chunks with an extension and a trailer', CHUNKS, 'hello world', true],
  ['a chunked body of no chunks', `${CHUNKED}0\r\n\r\n`, '', true],
  ['chunk sizes in capitals with zeros in front', `${CHUNKED}000A\r\n0123456789\r\n00\r\n\r\n`, '0123456789', true],
  ['Chunked in other letters', CHUNKS.replace('chunked', 'Chunked'), 'hello world', true],
  ['a body that the end of the connection ends', 'HTTP/1.1 200 OK\r\n\r\nhello', 'hello', false],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello', 'hello', false],
  ['connection: close', LENGTH.replace('\r\n\r\n', '\r\nConnection: x, Close\r\n\r\n'), 'hello', false],
  ['no reason phrase', LENGTH.replace(' OK', ''), 'hello', true],
  ['an empty reason phrase', LENGTH.replace('OK', ''), 'hello', true],
  ['204 without a body', 'HTTP/1.1 204 No Content\r\n\r\n', '', true],
  ['304 with the length of what it does not send', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n', '', true],
  [
    'interim responses before it',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 H\r\nlink: a\r\n\r\n${LENGTH}`,
    'hello',
    true,
  ],
  ['bytes after its end', `${LENGTH}HTTP/1.1 200 OK\r\n`, 'hello', false],
  ['204 with a body', 'HTTP/1.1 204 No Content\r\n\r\nhello', '', false],
];

/** Refused responses: name, bytes, kind of the fault, body that is delivered before it. */
const REFUSED: readonly (readonly [string, string, UpstreamFault['kind'], string])[] = [
  ['nothing at all', '', 'closed', ''],
  ['a head cut short', 'HTTP/1.1 200 OK\r\ncontent-le', 'closed', ''],
  ['a counted body cut short', LENGTH.slice(0, -2), 'closed', 'hel'],
  ['a chunk size cut short', `${CHUNKED}5\r\nhello\r\n1`, 'closed', 'hello'],
  ['a chunk cut short', `${CHUNKED}5\r\nhel`, 'closed', 'hel'],
  ['no last chunk', `${CHUNKED}5\r\nhello\r\n`, 'closed', 'hello'],
  ['FIN after the last chunk', `${CHUNKED}5\r\nhello\r\n0\r\n`, 'closed', 'hello'],
  ['FIN in the trailers', `${CHUNKED}5\r\nhello\r\n0\r\nx-a: 1\r\n`, 'closed', 'hello'],
  ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 'malformed', ''],
  ['HTTP/2 in words', 'HTTP/2.0 200 OK\r\n\r\n', 'malformed', ''],
  ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n', 'malformed', ''],
  ['status 600', 'HTTP/1.1 600 Odd\r\n\r\n', 'malformed', ''],
  ['status 099', 'HTTP/1.1 099 Odd\r\n\r\n', 'malformed', ''],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'malformed', ''],
  ['101 unasked', 'HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n', 'malformed', ''],
  ['endless interim responses', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(17), 'malformed', ''],
  ['a head with bare LF', 'HTTP/1.1 200 OK\ncontent-length: 5\n\nhello', 'malformed', ''],
  ['one bare LF in a head', 'HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n', 'malformed', ''],
  ['a bare CR in a value', 'HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n', 'malformed', ''],
  ['a header without a colon', 'HTTP/1.1 200 OK\r\nnothing\r\n\r\n', 'malformed', ''],
  ['a header without a name', 'HTTP/1.1 200 OK\r\n: x\r\n\r\n', 'malformed', ''],
  ['a space before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\nhello', 'malformed', ''],
  ['a folded header', 'HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n', 'malformed', ''],
  ['NUL in a value', 'HTTP/1.1 200 OK\r\na: b\0\r\n\r\n', 'malformed', ''],
  ['a control character in the status line', 'HTTP/1.1 200 O\x01K\r\n\r\n', 'malformed', ''],
  [
    'a length beside a coding',
    'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n',
    'malformed',
    '',
  ],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello', 'malformed', ''],
  ['one length twice', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello', 'malformed', ''],
  ...['-5', '+5', '5x', '0x5', '5, 5', '', '5.0', '99999999999999999999'].map(
    (value) => [`content-length "${value}"`, LENGTH.replace(': 5', `: ${value}`), 'malformed', ''] as const,
  ),
  ...['gzip', 'gzip, chunked', 'chunked, chunked', 'identity', 'xchunked', ''].map(
    (value) => [`transfer-encoding "${value}"`, CHUNKS.replace('chunked', value), 'malformed', ''] as const,
  ),
  ['two transfer-encodings', CHUNKS.replace('chunked', 'chunked\r\ntransfer-encoding: chunked'), 'malformed', ''],
  ['chunks in HTTP/1.0', CHUNKS.replace('HTTP/1.1', 'HTTP/1.0'), 'malformed', ''],
  ...['zz', '-5', '0x3', ' 5', '5 ', '', ';a', '5;\x01', 'fffffffffffff', '5\r'].map(
    (size) =>
      [`chunk size "${size}"`, `${CHUNKED}3\r\nabc\r\n${size}\r\nhello\r\n0\r\n\r\n`, 'malformed', 'abc'] as const,
  ),
  ['a chunk size that ends with LF', `${CHUNKED}5\nhello\r\n0\r\n\r\n`, 'malformed', ''],
  ['a long chunk size that ends with LF', `${CHUNKED}0005\nhello\r\n0\r\n\r\n`, 'malformed', ''],
  ['an endless chunk size line', `${CHUNKED}5;${'a'.repeat(300)}`, 'malformed', ''],
  ['no CRLF after a chunk', `${CHUNKED}5\r\nhelloworld\r\n0\r\n\r\n`, 'malformed', 'hello'],
  ['two bytes for CRLF after a chunk', `${CHUNKED}5\r\nhelloXX0\r\n\r\n`, 'malformed', 'hello'],
  ['CR and something after a chunk', `${CHUNKED}5\r\nhello\rX0\r\n\r\n`, 'malformed', 'hello'],
  ['LF after a chunk', `${CHUNKED}5\r\nhello\n0\r\n\r\n`, 'malformed', 'hello'],
  ['a trailer that is none', `${CHUNKED}0\r\nnothing\r\n\r\n`, 'malformed', ''],
  ['a head beyond the limit', `HTTP/1.1 200 OK\r\na: ${'b'.repeat(LIMIT)}\r\n\r\n`, 'too-large', ''],
  ['an endless head', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(LIMIT)}`, 'too-large', ''],
  ['endless trailers', `${CHUNKED}0\r\n${'a: b\r\n'.repeat(LIMIT)}`, 'too-large', ''],
];

describe('a sound response', () => {
  test.each(SOUND)('%s', (_name, text, body, canReuse) => {
    const { ending, ...reading } = readText(text);
    expect({ ending, body: reading.body, canReuse: reading.canReuse }).toEqual({ ending: 'end', body, canReuse });
    expect(reading.heads).toHaveLength(1);
  });

  test('has its header names in lower case, in order, with values trimmed of blanks only', () => {
    const text =
      'HTTP/1.1 200 OK\r\nX-A: \t1 \t\r\nset-cookie: a\r\nX-a:2\r\nx-b: \xa0caf\xe9\xa0\r\nx-c:\r\ncontent-length: 0\r\n\r\n';
    expect(readText(text).heads).toEqual([
      [
        200,
        [
          ['x-a', '1'],
          ['set-cookie', 'a'],
          ['x-a', '2'],
          ['x-b', '\xa0café\xa0'],
          ['x-c', ''],
          ['content-length', '0'],
        ],
      ],
    ]);
  });

  test('to a request without a body in the answer ends with its head', () => {
    expect(read([bytes('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n')], 'open', 'no-body').ending).toBe('end');
  });

  test('tells how long the connection may idle', () => {
    const parser = new ResponseParser(LIMIT, { onHead: () => {}, onData: () => {} });
    parser.begin('body');
    parser.push(bytes(LENGTH.replace('\r\n\r\n', '\r\nKeep-Alive: max=3, timeout=7\r\n\r\n')));
    expect(parser.keepAliveSeconds).toBe(7);
  });

  test('may carry a head of exactly the limit', () => {
    const head = (length: number): string => `HTTP/1.1 204 OK\r\na: ${'b'.repeat(length - 24)}\r\n\r\n`;
    expect(head(LIMIT)).toHaveLength(LIMIT);
    expect(readText(head(LIMIT)).ending).toBe('end');
    expect(readText(head(LIMIT + 1)).ending).toBe('too-large');
  });
});

describe('a response that is refused', () => {
  test.each(REFUSED)('%s', (_name, text, kind, body) => {
    const reading = readText(text);
    expect({ kind: reading.ending, body: reading.body }).toEqual({ kind, body });
  });

  test.each([
    ['a bare LF', 'HTTP/1.1 200 OK\n'],
    ['another protocol', 'SMTP'],
    ['a bad chunk size', `${CHUNKED}5x`],
  ])('%s is noticed before the line or head is complete', (_name, text) => {
    expect(read([bytes(text)], 'open').ending).toBe('malformed');
  });

  test('stays refused whatever follows', () => {
    expect(read([bytes('HTTP/1.1 600 X\r\n\r\n'), bytes(LENGTH)]).heads).toEqual([]);
  });
});

test('a sink that loses interest gets nothing more of the same packet', () => {
  const seen: string[] = [];
  const parser = new ResponseParser(LIMIT, {
    onHead: () => seen.push('head'),
    onData: (chunk) => {
      seen.push(chunk.toString());
      parser.halt();
    },
  });
  parser.begin('body');
  expect(parser.push(bytes(CHUNKS))).toBeNull();
  expect(seen).toEqual(['head', 'hello']);
  expect(parser.isDone).toBe(false);
});

/** `whole` cut at the given positions. */
function split(whole: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...at]
    .map((from, index) => whole.subarray(from, at[index] ?? whole.length))
    .filter((part) => part.length > 0);
}

describe('any split of the bytes gives the same events', () => {
  const cases = [
    ...SOUND.map(([name, text]) => [name, text] as const),
    ...REFUSED.map(([name, text]) => [name, text] as const),
  ];

  test.each(cases)('every single cut and byte by byte: %s', (_name, text) => {
    const whole = bytes(text);
    const expected = read([whole]);
    for (let cut = 1; cut < whole.length; cut += 1) expect(read(split(whole, [cut]))).toEqual(expected);
    expect(read([...whole].map((byte) => Buffer.from([byte])))).toEqual(expected);
  });

  test('random cuts of damaged responses', () => {
    const damaged = fc
      .record({
        text: fc.constantFrom(...cases.map(([, text]) => text)),
        at: fc.nat(),
        remove: fc.nat(3),
        insert: fc.oneof(fc.constantFrom('\r', '\n', '\r\n', ' ', ':', '0', '\0', 'a'), fc.string({ maxLength: 3 })),
      })
      .map(({ text, at, remove, insert }) => {
        const position = at % (text.length + 1);
        return bytes(text.slice(0, position) + insert + text.slice(position + remove));
      });
    const law = fc.property(damaged, fc.array(fc.nat(), { maxLength: 12 }), (whole, cuts) => {
      expect(read(split(whole, cuts))).toEqual(read([whole]));
    });
    fc.assert(law, fuzzed(3000));
  });

  test('noise is never taken for an answer', () => {
    const law = fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      const reading = read([Buffer.from(noise)]);
      expect(reading.heads).toEqual([]);
      expect(['closed', 'malformed', 'too-large']).toContain(reading.ending);
    });
    fc.assert(law, fuzzed(500));
  });
});

test('any body in any chunks comes out as it went in', () => {
  const law = fc.property(
    fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 8 }),
    fc.array(fc.nat(), { maxLength: 8 }),
    (chunks, cuts) => {
      const framed = chunks.flatMap((chunk) => [
        bytes(`${chunk.length.toString(16)}\r\n`),
        Buffer.from(chunk),
        bytes('\r\n'),
      ]);
      const whole = Buffer.concat([bytes(CHUNKED), ...framed, bytes('0\r\n\r\n')]);
      const reading = read(split(whole, cuts), 'open');
      expect(reading.ending).toBe('end');
      expect(reading.body).toBe(Buffer.concat(chunks).toString('latin1'));
    },
  );
  fc.assert(law, fuzzed(500));
});
