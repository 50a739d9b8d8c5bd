import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { fuzzed } from '../../test/support/fuzz.ts';
import { type SseEvent, type SseFault, SseSplitter } from './sse.ts';

interface Seen {
  readonly name: string | null;
  readonly data: string;
  readonly raw: string;
}

/** Pushes the pieces and returns copies of the events; the reads are overwritten afterwards, as a socket might. */
function split(pieces: readonly Buffer[], maxEventBytes = 1 << 20): { events: Seen[]; fault: SseFault | null } {
  const splitter = new SseSplitter({ maxEventBytes });
  const events: Seen[] = [];
  const see = (event: SseEvent) => {
    const data = event.data();
    if (event.dataStart >= 0) expect(event.bytes.toString('utf8', event.dataStart, event.dataEnd)).toBe(data);
    events.push({ name: event.name, data, raw: event.bytes.toString('latin1', event.start, event.end) });
  };
  for (const piece of pieces) {
    const read = Buffer.from(piece);
    splitter.push(read, see);
    read.fill('!');
  }
  return { events, fault: splitter.end(see) };
}

const seen = (data: string, raw: string, name: string | null = null): Seen => ({ name, data, raw });

const latin1 = (text: string) => Buffer.from(text, 'latin1');

describe('the splitter', () => {
  const cases: readonly (readonly [string, string | Buffer, readonly Seen[]])[] = [
    ['one event', 'data: a\n\n', [seen('a', 'data: a\n\n')]],
    ['two events', 'data: a\n\ndata: b\n\n', [seen('a', 'data: a\n\n'), seen('b', 'data: b\n\n')]],
    ['CRLF line ends', 'data: a\r\n\r\ndata: b\r\n\r\n', [seen('a', 'data: a\r\n\r\n'), seen('b', 'data: b\r\n\r\n')]],
    ['CR line ends', 'data: a\r\rdata: b\r\r', [seen('a', 'data: a\r\r'), seen('b', 'data: b\r\r')]],
    ['mixed line ends', 'data: a\r\n\ndata: b\n\r\n', [seen('a', 'data: a\r\n\n'), seen('b', 'data: b\n\r\n')]],
    ['an event name', 'event: error\ndata: a\n\n', [seen('a', 'event: error\ndata: a\n\n', 'error')]],
    [
      'the last of two event names',
      'event: x\nevent:y\ndata: a\n\n',
      [seen('a', 'event: x\nevent:y\ndata: a\n\n', 'y')],
    ],
    ['several data lines', 'data: a\ndata:b\ndata\n\n', [seen('a\nb\n', 'data: a\ndata:b\ndata\n\n')]],
    ['exactly one space removed', 'data:  a\n\n', [seen(' a', 'data:  a\n\n')]],
    ['no space after the colon', 'data:a\n\n', [seen('a', 'data:a\n\n')]],
    ['empty data', 'data:\n\n', [seen('', 'data:\n\n')]],
    ['a data field without colon', 'data\n\n', [seen('', 'data\n\n')]],
    ['comments between events', ': hello\n\n: again\ndata: a\n\n', [seen('a', 'data: a\n\n')]],
    ['a comment inside an event', 'data: a\n: hm\ndata: b\n\n', [seen('a\nb', 'data: a\n: hm\ndata: b\n\n')]],
    ['id and retry', 'id: 1\nretry: 5\ndata: a\n\n', [seen('a', 'id: 1\nretry: 5\ndata: a\n\n')]],
    ['fields that only begin like data', 'database: x\n\ndat: y\n\n', []],
    ['an event without data', 'event: ping\n\ndata: a\n\n', [seen('a', 'data: a\n\n')]],
    ['a byte order mark at the start', '\ufeffdata: a\n\n', [seen('a', 'data: a\n\n')]],
    ['a byte order mark elsewhere', 'data: a\n\n\ufeffdata: b\n\n', [seen('a', 'data: a\n\n')]],
    ['blank lines before the first event', '\n\r\n\rdata: a\n\n', [seen('a', 'data: a\n\n')]],
    ['no last blank line', 'data: a\n', [seen('a', 'data: a\n\n')]],
    ['no last line end', 'data: a', [seen('a', 'data: a\n\n')]],
    ['a lone CR as the last byte', 'data: a\r\n\r', [seen('a', 'data: a\r\n\r')]],
    ['nothing', '', []],
    ['only the beginning of a byte order mark', latin1('\u00ef'), []],
    [
      'a field that begins like a byte order mark',
      latin1('\u00ef\u00bb\ndata: a\n\n'),
      [seen('a', '\u00ef\u00bb\ndata: a\n\n')],
    ],
  ];
  test.each(cases)('%s', (_name, text, expected) => {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text;
    expect(split([bytes]).events).toEqual([...expected]);
    expect(split([...bytes].map((byte) => Buffer.from([byte]))).events).toEqual([...expected]);
  });

  test('waits for the LF that may follow the CR of a blank line', () => {
    const splitter = new SseSplitter();
    const raw: string[] = [];
    const see = (event: SseEvent) => raw.push(event.bytes.toString('latin1', event.start, event.end));
    splitter.push(Buffer.from('data: a\r\n\r'), see);
    expect(raw).toEqual([]);
    splitter.push(Buffer.from('\ndata: b\n\n'), see);
    expect(raw).toEqual(['data: a\r\n\r\n', 'data: b\n\n']);
  });

  test('hands over an event that lies in one read without copying it', () => {
    const read = Buffer.from('data: a\n\ndata: b\n\n');
    const places: number[] = [];
    new SseSplitter().push(read, (event) => {
      expect(event.bytes).toBe(read);
      places.push(event.start, event.end, event.dataStart, event.dataEnd);
    });
    expect(places).toEqual([0, 9, 6, 7, 9, 18, 15, 16]);
  });
});

test('an event may span any number of reads', () => {
  const text = `data: ${Array.from({ length: 3000 }, (_, index) => index).join()}\n\n`;
  const pieces = Array.from({ length: Math.ceil(text.length / 100) }, (_, index) =>
    text.slice(index * 100, index * 100 + 100),
  );
  const { events } = split([...pieces, 'data: b\n\n'].map((piece) => Buffer.from(piece)));
  expect(events.map((event) => event.raw)).toEqual([text, 'data: b\n\n']);
});

describe('the limit on one event', () => {
  const whole = Buffer.from(`data: ok\n\ndata: ${'x'.repeat(100)}\n\ndata: later\n\n`);

  test.each([
    ['in one read', [whole]],
    ['byte by byte', [...whole].map((byte) => Buffer.from([byte]))],
  ])('stops the stream at the event that is larger, %s', (_name, pieces) => {
    const { events, fault } = split(pieces, 100);
    expect(events.map((event) => event.data)).toEqual(['ok']);
    expect(fault).toEqual({ kind: 'fault', message: 'an event is larger than 100 bytes' });
  });

  // Once a crash: the last event was dispatched although it had been given up.
  test.each([
    ['with both within the limit', 'data: 1234', null],
    ['without both one too large', 'data: 12345', 'an event is larger than 12 bytes'],
    ['without both two too large', 'data: 123456', 'an event is larger than 12 bytes'],
    ['without the blank line one too large', 'data: 12345\n', 'an event is larger than 12 bytes'],
  ])('counts the line ends that a last event lacks: %s', (_name, text, fault) => {
    for (const pieces of [[Buffer.from(text)], [...text].map((character) => Buffer.from(character))]) {
      const found = split(pieces, 12);
      expect(found.fault?.message ?? null).toBe(fault);
      expect(found.events.length).toBe(fault === null ? 1 : 0);
    }
  });

  test('does not count comments, which are dropped as they come', () => {
    const comment = Buffer.from(`: ${'keep-alive '.repeat(50)}`);
    const { events, fault } = split([comment, comment, Buffer.from('\ndata: a\n\n')], 100);
    expect(events.map((event) => event.data)).toEqual(['a']);
    expect(fault).toBeNull();
  });

  test('stays the answer once it was given', () => {
    const splitter = new SseSplitter({ maxEventBytes: 8 });
    const fault = splitter.push(Buffer.from('data: 123456789'), () => undefined);
    expect(fault).not.toBeNull();
    expect(splitter.push(Buffer.from('data: a\n\n'), () => expect.unreachable())).toBe(fault);
    expect(splitter.end(() => expect.unreachable())).toBe(fault);
  });
});

/** The slow reading of the standard: all bytes at hand, one line after another. */
function reference(bytes: Buffer): Seen[] {
  let text = bytes.toString('latin1');
  if (text.startsWith('\u00ef\u00bb\u00bf')) text = text.slice(3);
  if (!/[\r\n]$/.test(text)) text += '\n';
  text += '\n';
  const events: Seen[] = [];
  let raw = '';
  let data: string[] = [];
  let name: string | null = null;
  for (const [line, content = ''] of text.matchAll(/([^\r\n]*)(?:\r\n|\r|\n)/g)) {
    if (content === '') {
      if (data.length > 0) events.push({ name: utf8(name), data: utf8(data.join('\n')) ?? '', raw: raw + line });
      raw = '';
      data = [];
      name = null;
      continue;
    }
    if (raw !== '' || !content.startsWith(':')) raw += line;
    const [, field = '', value = ''] = /^([^:]*):? ?([\s\S]*)$/.exec(content) ?? [];
    if (field === 'data') data.push(value);
    if (field === 'event') name = value;
  }
  return events;
}

function utf8<T extends string | null>(latin1: T): T {
  return (latin1 === null ? null : Buffer.from(latin1, 'latin1').toString('utf8')) as T;
}

/** Drops what differs by right: the line ends that `end` adds, in a stream that stops within its last blank line. */
const comparable = (events: readonly Seen[]) => events.map(({ name, data, raw }) => [name, data, raw.trimEnd()]);

const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('\n', '\r', '\r\n', '\n\n', '\r\n\r\n') },
  {
    weight: 4,
    arbitrary: fc.constantFrom('data:', 'data: ', 'data', 'event:', 'event: ', 'id: 7', ': ping', ':', ' '),
  },
  { weight: 2, arbitrary: fc.constantFrom('{"a":"é€😀"}', '[DONE]', '\ufeff', 'x') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
);
const stream = fc.oneof(
  fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.from(pieces.join(''))),
  fc
    .array(fc.constantFrom(10, 13, 58, 32, 100, 0xef, 0xbb, 0xbf, 0xff), { maxLength: 30 })
    .map((bytes) => Buffer.from(bytes)),
);

describe('any bytes', () => {
  test('give the events of the naive reading', () => {
    fc.assert(
      fc.property(stream, (bytes) => {
        expect(comparable(split([bytes]).events)).toEqual(comparable(reference(bytes)));
      }),
      fuzzed(2000),
    );
  });

  test('give the same events, byte for byte, however they are split', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 12 }), (bytes, cuts) => {
        const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
        const pieces = [0, ...places].map((place, index) => bytes.subarray(place, places[index] ?? bytes.length));
        const whole = split([bytes]);
        expect(split(pieces)).toEqual(whole);
        expect(split([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
      }),
      fuzzed(2000),
    );
  });
});
