import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import * as fs from 'node:fs';
import { begunOf, entryOf, idOf, LedgerBench, upTo } from '../../test/support/ledger.ts';
import type { LedgerEntry } from '../core/ledger-entry.ts';
import { millis, seconds } from '../core/units.ts';
import type { Ledger } from './ledger.ts';
import type { FileSystem } from './run.ts';

let bench: LedgerBench;
let ledger: Ledger;

beforeEach(async () => {
  bench = new LedgerBench();
  ledger = await bench.open();
});
afterEach(() => bench.remove());

const isNumber = (...numbers: readonly number[]) => {
  const ids = numbers.map(idOf);
  return ({ requestId }: LedgerEntry) => ids.includes(requestId);
};

describe('the writer', () => {
  test('writes entries in batches, in their order', async () => {
    for (const number of upTo(100)) ledger.record(entryOf(number));
    await bench.until(() => bench.store.rows.size === 100);
    expect([...bench.store.rows.values()]).toEqual(upTo(100).map((number) => entryOf(number)));
    expect(bench.store.calls).toBe(1);
  });

  test('reads nothing back from the disk while it keeps up', async () => {
    const unreadable = { ...fs, read: () => expect.unreachable() } as unknown as FileSystem; // one member is another
    const other = await bench.open({ files: unreadable });
    for (const number of upTo(1_500)) {
      if (number % 500 === 0) await bench.settled(other.drained());
      other.begin(begunOf(number));
      other.record(entryOf(number));
    }
    await bench.settled(other.drained());
    expect([...bench.store.rows.values()]).toEqual(upTo(1_500).map((number) => entryOf(number)));
  });

  test('that fell behind reads the disk until it has caught up, and writes each entry once, in order', async () => {
    const numbers = { next: 0 };
    const record = (count: number) => {
      for (const _ of upTo(count)) {
        ledger.begin(begunOf(numbers.next));
        ledger.record(entryOf(numbers.next++));
      }
    };
    for (const count of [10, 5_000, 10, 2_000, 1, 2_001, 3_999, 10]) {
      record(count);
      await bench.settled(ledger.flushed());
      record(7);
      await bench.until(() => ledger.status().unwrittenEntries < 2_500);
    }
    await bench.settled(ledger.drained());
    expect([...bench.store.rows.keys()]).toEqual(upTo(numbers.next).map((number) => String(idOf(number))));
    expect(bench.store.duplicates).toBe(0);
  });

  test('takes an entry that was too long for the journal as it was cut, from memory too', async () => {
    ledger.record(entryOf(0, { user: 'x'.repeat(200_000) }));
    await bench.settled(ledger.drained());
    expect(bench.store.rows.get(idOf(0))?.user).toBe('x'.repeat(100));
  });

  test('waits for a store that is away for a minute under load, asks seldom, and loses nothing', async () => {
    bench.store.isAway = true;
    for (const second of upTo(60)) {
      for (const each of upTo(20)) ledger.record(entryOf(second * 20 + each));
      const until = bench.clock.now() + 1000;
      await bench.until(() => bench.clock.now() >= until);
    }
    expect(bench.store.calls).toBeWithin(5, 20);
    expect(ledger.status()).toMatchObject({ unwrittenEntries: 1200, oldestUnwritten: 1_767_225_600_012.5 });
    bench.store.isAway = false;
    await bench.until(() => bench.store.rows.size === 1200);
    await bench.until(() => ledger.status().unwrittenEntries === 0);
    expect(bench.seen('store-recovered')).toHaveLength(1);
    expect(ledger.status().oldestUnwritten).toBeNull();
    expect(bench.letters.size).toBe(0);
  });

  test('finds the entries that make a batch fail, keeps them aside, and writes the others', async () => {
    bench.store.poison = isNumber(13, 14, 77);
    for (const number of upTo(100)) ledger.record(entryOf(number));
    await bench.until(() => ledger.status().unwrittenEntries === 0);
    expect(bench.store.rows.size).toBe(97);
    expect([...bench.letters]).toEqual([13, 14, 77].map((number) => [idOf(number), 'value out of range']));
    expect(bench.seen('dead-letter')).toHaveLength(3);
  });

  test('keeps aside what the store names itself', async () => {
    bench.store.refuses = isNumber(3);
    for (const number of upTo(5)) ledger.record(entryOf(number));
    await bench.until(() => ledger.status().unwrittenEntries === 0);
    expect([...bench.letters]).toEqual([[idOf(3), 'no such team']]);
    expect(bench.store.rows.size).toBe(4);
  });

  test('makes no dead letters of all entries when the store fails each of them: then it waits', async () => {
    bench.store.poison = () => true;
    for (const number of upTo(10)) ledger.record(entryOf(number));
    await bench.until(() => bench.clock.now() > 60_000);
    expect(bench.letters.size).toBe(0);
    bench.store.poison = () => false;
    await bench.until(() => bench.store.rows.size === 10);
  });

  test('knows a poisoned entry that stood alone as soon as the store takes another', async () => {
    bench.store.poison = isNumber(0);
    ledger.record(entryOf(0));
    await bench.until(() => bench.clock.now() > 10_000);
    expect(bench.letters.size).toBe(0);
    ledger.record(entryOf(1));
    await bench.until(() => ledger.status().unwrittenEntries === 0);
    expect([...bench.letters.keys()]).toEqual([idOf(0)]);
    expect(bench.store.ids).toEqual([idOf(1)]);
  });

  test('does not confirm a batch before its dead letters are kept', async () => {
    await bench.settled(ledger.close(seconds(1)));
    let refusals = 3;
    const letters: string[] = [];
    ledger = await bench.open({
      deadLetter: async ({ requestId }) => {
        if (refusals-- > 0) throw new Error('no table');
        letters.push(requestId);
      },
    });
    bench.store.poison = isNumber(0);
    for (const number of upTo(2)) ledger.record(entryOf(number));
    await bench.until(() => bench.seen('store-failed').length === 2);
    expect(ledger.status().unwrittenEntries).toBe(2);
    await bench.until(() => ledger.status().unwrittenEntries === 0);
    expect(letters).toEqual([idOf(0)]);
  });

  test('does not believe a store that cannot account for every entry', async () => {
    const write = bench.store.write.bind(bench.store);
    bench.store.write = async (entries) => ({ ...(await write(entries)), written: entries.length - 1, duplicates: 0 });
    for (const number of upTo(3)) ledger.record(entryOf(number));
    await bench.until(() => bench.seen('store-failed').length === 1);
    expect(bench.seen('store-failed')[0]?.reason).toBe('it accounts for 2 of 3 entries');
    bench.store.write = write;
    await bench.until(() => ledger.status().unwrittenEntries === 0);
    expect(bench.store.duplicates).toBe(3);
  });
});

describe('closing', () => {
  test('writes what is there and leaves no file', async () => {
    for (const number of upTo(50)) ledger.record(entryOf(number));
    const left = await bench.settled(ledger.close(seconds(5)));
    expect(left).toEqual({ entries: 0, unsyncedBytes: 0, journalBytes: 0, openRequests: 0 });
    expect(bench.store.rows.size).toBe(50);
    expect(bench.files).toEqual([]);
  });

  test('with the store away ends in time, says what is left, and the next start writes it', async () => {
    bench.store.isAway = true;
    for (const number of upTo(50)) ledger.record(entryOf(number));
    const before = bench.clock.now();
    const left = await bench.settled(ledger.close(seconds(5)));
    expect(bench.clock.now() - before).toBeWithin(5000, 5100);
    expect(left).toMatchObject({ entries: 50, unsyncedBytes: 0, openRequests: 0 });
    bench.store.isAway = false;
    const next = await bench.open();
    await bench.settled(next.drained());
    expect(bench.store.rows.size).toBe(50);
    expect(bench.store.duplicates).toBe(0);
  });

  test('cuts a wait for the store short, since it may be back', async () => {
    bench.store.isAway = true;
    ledger.record(entryOf(1));
    await bench.until(() => bench.clock.now() > 60_000);
    bench.store.isAway = false;
    const before = bench.clock.now();
    await bench.settled(ledger.close(seconds(5)));
    expect(bench.clock.now() - before).toBeLessThan(millis(100));
    expect(bench.store.rows.size).toBe(1);
  });

  test('takes no record afterwards, and says so', async () => {
    await bench.settled(ledger.close(seconds(1)));
    expect(() => ledger.record(entryOf(1))).toThrow('closed');
  });
});
