import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { fuzzed } from '../../test/support/fuzz.ts';
import type { RequestHead } from './http-grammar.ts';
import { RequestParser } from './request-parser.ts';

const LIMIT = 512;

interface Reading {
  readonly heads: readonly RequestHead[];
  readonly bodies: readonly string[];
  /** `open` when more would be needed, else the kind of the fault. */
  readonly ending: string;
}

/** What the parser makes of packets that hold one request after another. */
function read(packets: readonly Buffer[]): Reading {
  const heads: RequestHead[] = [];
  const bodies: string[] = [];
  let body = '';
  const parser = new RequestParser(LIMIT, {
    onHead: (head) => heads.push(head),
    onData: (bytes) => {
      expect(bytes.length).toBeGreaterThan(0);
      body += bytes.toString('latin1');
    },
  });
  parser.begin();
  for (const packet of packets) {
    for (let at = 0; at < packet.length; ) {
      const end = parser.push(packet.subarray(at));
      if (typeof end !== 'number') return { heads, bodies, ending: end.code };
      at += end;
      if (!parser.isDone) continue;
      bodies.push(body);
      body = '';
      parser.begin();
    }
  }
  return { heads, bodies, ending: 'open' };
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

const GET = 'GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-A:  1 \t\r\n\r\n';
const POST = 'POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello';
const CHUNKS =
  'PUT /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nx-t: 1\r\n\r\n';
const SAMPLES: readonly (readonly [string, string])[] = [
  ['three after another', GET + POST + CHUNKS + GET],
  // The blank line was once taken for a fault when a packet ended inside it.
  ['a blank line left over before a request', `${POST}\r\n${GET}`],
  ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
  ['two blank lines before a request', `\r\n\r\n${GET}`],
  ['half a blank line before a request', `\r${GET}`],
  ['no host', 'GET / HTTP/1.1\r\n\r\n'],
  ['two hosts', 'GET / HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n'],
  ['two lengths', POST.replace('\r\n\r\n', '\r\ncontent-length: 5\r\n\r\n')],
  ['a length beside chunks', CHUNKS.replace('host: x', 'host: x\r\ncontent-length: 5')],
  ['a coding that is not chunked', CHUNKS.replace('chunked', 'gzip')],
  ['chunks in HTTP/1.0', CHUNKS.replace('HTTP/1.1', 'HTTP/1.0')],
  ['a chunk size that is none', CHUNKS.replace('5;a=b', 'x')],
  ['bare LF', GET.replace('\r\nHost', '\nHost')],
  ['a folded line', GET.replace('X-A: ', 'X-A:\r\n ')],
  ['a blank before a colon', GET.replace('X-A:', 'X-A :')],
  ['another version', GET.replace('1.1', '2.0')],
  ['a line end inside the version', GET.replace('1.1\r\n', '1\r1\n')],
  ['no version', 'GET /\r\n\r\n'],
  ['two blanks', GET.replace(' /a', '  /a')],
  ['a control character', GET.replace('/a', '/\x07')],
  ['an endless head', `GET / HTTP/1.1\r\nx: ${'a'.repeat(2 * LIMIT)}`],
  ['an endless method', 'A'.repeat(100)],
];

test('one request after another: heads with names in lower case and values trimmed, bodies without their framing', () => {
  const { heads, bodies, ending } = read([bytes(GET + POST + CHUNKS + GET)]);
  expect(heads.map(({ method, target }) => `${method} ${target}`)).toEqual([
    'GET /a?b=c',
    'POST /p',
    'PUT /c',
    'GET /a?b=c',
  ]);
  expect(heads[0]?.headers).toEqual([
    ['host', 'x'],
    ['x-a', '1'],
  ]);
  expect(bodies).toEqual(['', 'hello', 'hello!', '']);
  expect(ending).toBe('open');
});

test.each(SAMPLES.slice(3))('%s is refused, and nothing of it is handed out as whole', (name, text) => {
  const { bodies, ending } = read([bytes(text)]);
  expect(bodies).toEqual([]);
  expect(ending).toBe(name === 'another version' ? 'EVERSION' : name === 'an endless head' ? 'EHEADERS' : 'EPROTO');
});

test.each([
  ['close', false],
  ['keep-alive, \tClose ', false],
  ['keep-alive', true],
  // A no-break space is no blank: for another reader this is another word.
  ['keep-alive,\xa0close', true],
])('after connection: %j another request may follow: %p', (value, canReuse) => {
  const parser = new RequestParser(LIMIT, { onHead: () => {}, onData: () => {} });
  parser.begin();
  parser.push(bytes(`GET / HTTP/1.1\r\nhost: x\r\nconnection: ${value}\r\n\r\n`));
  expect([parser.isDone, parser.canReuse]).toEqual([true, canReuse]);
});

describe('any split of the bytes gives the same requests and the same fault', () => {
  test.each(SAMPLES)('every single cut and byte by byte: %s', (_name, text) => {
    const all = bytes(text);
    const whole = read([all]);
    for (let cut = 1; cut < all.length; cut += 1)
      expect(read([all.subarray(0, cut), all.subarray(cut)])).toEqual(whole);
    expect(read([...all].map((byte) => Buffer.of(byte)))).toEqual(whole);
  });

  test('random cuts of damaged requests', () => {
    const damaged = fc.record({
      text: fc.constantFrom(...SAMPLES.map(([, text]) => text)),
      at: fc.nat(),
      byte: fc.nat(255),
      cuts: fc.array(fc.nat(), { maxLength: 5 }),
    });
    fc.assert(
      fc.property(damaged, ({ text, at, byte, cuts }) => {
        const all = bytes(text);
        all[at % all.length] = byte;
        const places = [0, ...cuts.map((cut) => cut % all.length).sort((a, b) => a - b), all.length];
        const packets = places.slice(1).map((to, index) => all.subarray(places[index], to));
        expect(read(packets)).toEqual(read([all]));
      }),
      fuzzed(3000),
    );
  });
});

test('what came before on a connection changes nothing: heads are read as if they were the first', () => {
  const line = fc.constantFrom(
    'a: 1',
    'a: 2',
    'A: 1',
    'a:1',
    'bb: 1',
    'a : 1',
    ' a: 1',
    'a',
    'a: 1\nb: 2',
    'a: 1\rb: 2',
    '',
  );
  const head = fc.record({ target: fc.constantFrom('/a', '/b'), lines: fc.array(line, { maxLength: 6 }) });
  fc.assert(
    fc.property(fc.array(head, { maxLength: 6 }), (heads) => {
      const texts = heads.map(({ target, lines }) =>
        bytes(['GET ' + target + ' HTTP/1.1', 'host: x', ...lines, '', ''].join('\r\n')),
      );
      const alone: RequestHead[] = [];
      for (const text of texts) {
        const reading = read([text]);
        alone.push(...reading.heads);
        if (reading.ending !== 'open') break;
      }
      expect(read(texts).heads).toEqual(alone);
    }),
    fuzzed(3000),
  );
});
