import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { fuzzed } from '../../test/support/fuzz.ts';
import { begunOf, entryOf, upTo } from '../../test/support/ledger.ts';
import type { BegunRequest, LedgerEntry } from '../core/ledger-entry.ts';
import { millis, type NanoUsd } from '../core/units.ts';
import { begunPayload, entryPayload, MOST_PAYLOAD, mostBytes, scan, writeRecord } from './record.ts';

const text = fc.string({ unit: 'binary', maxLength: 40 });
const cost = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: 0n, max: 1n << 80n }).map((total) => ({ kind: 'known' as const, total: total as NanoUsd })),
  fc.bigInt({ min: 0n, max: 1n << 80n }).map((assumed) => ({ kind: 'unknown' as const, assumed: assumed as NanoUsd })),
);
const entry: fc.Arbitrary<LedgerEntry> = fc
  .record({
    number: fc.nat(),
    cost,
    callId: text,
    requestedModel: text,
    user: fc.option(text),
    tags: fc.array(text, { maxLength: 4 }),
    duration: fc.double({ min: 0, max: 1e9, noNaN: true }),
  })
  .map(({ number, duration, ...more }) => entryOf(number, { ...more, duration: millis(duration + 0) }));

function recordOf(payload: string): Buffer {
  const buffer = Buffer.alloc(mostBytes(payload));
  return buffer.subarray(0, writeRecord(buffer, 0, payload));
}

const entries = (bytes: Buffer) =>
  scan(bytes, 'none').flatMap((piece) => (piece.kind === 'entry' ? [piece.entry] : []));

describe('a record', () => {
  test('gives back the entry that went in, to the last nano-dollar and character', () => {
    fc.assert(
      fc.property(entry, (each) => {
        expect(entries(recordOf(entryPayload(each)))).toEqual([each]);
      }),
      fuzzed(100),
    );
  });

  test('gives back the beginning that went in, and no member more', () => {
    const wider: BegunRequest & { secret: string } = { ...begunOf(1), secret: 'kept out' };
    expect(scan(recordOf(begunPayload(wider)), 'none')).toMatchObject([{ kind: 'begun', begun: begunOf(1) }]);
    expect(begunPayload(wider)).not.toContain('kept out');
  });

  test('that would be too long loses labels, never money or ids', () => {
    const long = entryOf(7, {
      requestedModel: 'x'.repeat(10_000_000),
      tags: upTo(5_000).map((number) => `${number}\u0001`.repeat(100)),
    });
    const [kept] = entries(recordOf(entryPayload(long)));
    expect(entryPayload(long).length).toBeLessThan(MOST_PAYLOAD);
    expect(kept).toMatchObject({ requestId: long.requestId, cost: long.cost, payer: long.payer, end: 'success' });
    expect(kept?.requestedModel).toBe('x'.repeat(100));
  });

  test('of a kind that this version does not know is kept as damage, not passed over', () => {
    const bytes = Buffer.concat([recordOf('Z{}'), recordOf(entryPayload(entryOf(1)))]);
    expect(scan(bytes, 'none').map(({ kind }) => kind)).toEqual(['damaged', 'entry']);
  });
});

describe('a journal', () => {
  const records = upTo(4).map((number) => recordOf(entryPayload(entryOf(number))));
  const journal = Buffer.concat(records);
  const ends = records.map((_, index) => Buffer.concat(records.slice(0, index + 1)).length);

  test('cut at any byte has its whole records and no half one', () => {
    for (let length = 0; length <= journal.length; length++) {
      const whole = ends.filter((end) => end <= length).length;
      expect(entries(journal.subarray(0, length))).toEqual(upTo(whole).map((number) => entryOf(number)));
    }
  });

  test('with any one byte changed loses the record of that byte only', () => {
    for (let at = 0; at < journal.length; at++) {
      for (const change of [0x01, 0x80, 0xff]) {
        const damaged = Buffer.from(journal);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        const hit = ends.findIndex((end) => at < end);
        expect(entries(damaged)).toEqual(
          upTo(4)
            .filter((number) => number !== hit)
            .map((number) => entryOf(number)),
        );
      }
    }
  });

  test('is covered without a gap by its pieces, whatever is in it', () => {
    const junk = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            junk,
            entry.map((each) => recordOf(entryPayload(each))),
          ),
          { maxLength: 8 },
        ),
        (parts) => {
          const bytes = Buffer.concat(parts);
          let at = 0;
          for (const { start, end } of scan(bytes, 'none')) {
            expect(start).toBe(at);
            expect(end).toBeGreaterThan(start);
            at = end;
          }
          expect(at).toBe(bytes.length);
        },
      ),
      fuzzed(100),
    );
  });

  test.each([1, 5, 7, 20])('read in two parts, cut anywhere, gives the same records; byte %i of one is wrong', (at) => {
    const damaged = Buffer.from(journal);
    damaged[(ends[0] ?? 0) + at] = 0xff;
    for (let cut = 0; cut <= damaged.length; cut++) {
      const first = scan(damaged.subarray(0, cut), 'follows');
      const rest = damaged.subarray(first.at(-1)?.end ?? 0);
      const found = [...first, ...scan(rest, 'none')].flatMap((piece) => (piece.kind === 'entry' ? [piece.entry] : []));
      expect(found).toEqual([0, 2, 3].map((number) => entryOf(number)));
    }
  });

  test('cannot be forged by a client who writes a record into a label', () => {
    const forged = recordOf(entryPayload(entryOf(666))).toString('latin1');
    const bytes = recordOf(entryPayload(entryOf(1, { user: forged, tags: [forged] })));
    bytes[20] = 0x00;
    expect(entries(bytes)).toEqual([]);
  });
});
