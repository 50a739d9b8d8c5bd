import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { type SseEvent, SseSplitter } from '../../src/wire/sse.ts';
import { cutAt, damaged, fuzzed, fuzzTimeout, Tally } from '../support/fuzz.ts';

/** Streams as providers send them; their laws for small pieces are in src/wire/sse.test.ts. */
const SAMPLES = [
  'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\ndata: {"choices":[{"delta":{"content":"lo"}}]}\n\ndata: [DONE]\n\n',
  'event: message_start\ndata: {"type":"message_start"}\n\nevent: ping\ndata: {"type": "ping"}\n\n',
  ': OPENROUTER PROCESSING\r\n\r\ndata: {"id":1}\r\n\r\nid: 7\r\nretry: 3\r\ndata: a\r\ndata: b\r\n\r\n',
  '\xef\xbb\xbfdata: first\r\rdata\r\r: comment\r',
];
const TOKENS = [
  ...['\n', '\r', '\r\n', '\n\n', '\r\r', '\r\n\r\n', ':', ': ', 'data:', 'data: ', 'data', 'event: error\n', 'id\n'],
  ...['data: [DONE]\n\n', '\0', '\xef', '\xbb', '\xbf', '\xef\xbb\xbf', '\xff', ' ', 'x'.repeat(200)],
];
const LIMIT = 120;

interface Seen {
  readonly events: readonly (readonly [name: string | null, data: string, raw: string])[];
  readonly fault: string | null;
}

/** What the splitter hands over; each read is overwritten afterwards, as the socket's buffer may be. */
function split(pieces: readonly Buffer[], maxEventBytes: number): Seen {
  const splitter = new SseSplitter({ maxEventBytes });
  const events: [string | null, string, string][] = [];
  const see = (event: SseEvent) => {
    expect(event.start).toBeGreaterThanOrEqual(0);
    expect(event.end).toBeLessThanOrEqual(event.bytes.length);
    expect(event.end - event.start).toBeLessThanOrEqual(maxEventBytes);
    events.push([event.name, event.data(), event.bytes.toString('latin1', event.start, event.end)]);
  };
  for (const piece of pieces) {
    const read = Buffer.from(piece);
    splitter.push(read, see);
    read.fill('!');
  }
  return { events, fault: splitter.end(see)?.message ?? null };
}

/** Line ends apart, in the order of the bytes: the events are parts of the stream that do not overlap. */
function isInOrder(stream: string, { events }: Seen): boolean {
  let at = 0;
  return events.every(([, , raw]) => {
    const content = raw.trimEnd();
    const found = stream.indexOf(content, at);
    at = found + content.length;
    return found >= 0;
  });
}

test(
  'a damaged stream gives the same events and the same fault however it is cut, none larger than the limit, none made up',
  () => {
    const tally = new Tally('sse');
    const stream = damaged(SAMPLES, TOKENS, 6);
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.nat(), { maxLength: 10 }),
        fc.constantFrom(LIMIT, 1 << 20),
        (text, cuts, limit) => {
          tally.count();
          const whole = Buffer.from(text, 'latin1');
          const expected = split([whole], limit);
          expect(split(cutAt(whole, cuts), limit)).toEqual(expected);
          expect(
            split(
              [...whole].map((byte) => Buffer.of(byte)),
              limit,
            ),
          ).toEqual(expected);
          expect(isInOrder(text, expected)).toBe(true);
        },
      ),
      fuzzed(1500),
    );
    tally.print();
  },
  fuzzTimeout(),
);
