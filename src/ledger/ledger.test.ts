import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import * as fs from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { begunOf, entryOf, faultyDisk, idOf, LedgerBench, upTo } from '../../test/support/ledger.ts';
import { type NanoUsd, seconds } from '../core/units.ts';
import { inspectJournals, Summation } from './inspect.ts';
import { type Ledger, runName } from './ledger.ts';
import { begunPayload, entryPayload, mostBytes, writeRecord } from './record.ts';

let bench: LedgerBench;

beforeEach(() => {
  bench = new LedgerBench();
});
afterEach(() => bench.remove());

/** The files of a process that died, made by hand: nobody holds their lock. */
function deadRun(name: string, segments: readonly (readonly Uint8Array[])[]): void {
  const folder = join(bench.folder, name);
  fs.mkdirSync(folder, { recursive: true });
  for (const [index, records] of segments.entries()) {
    fs.writeFileSync(join(folder, `0000000${index + 1}.journal`), Buffer.concat(records));
  }
}

function recordOf(payload: string): Buffer {
  const buffer = Buffer.alloc(mostBytes(payload));
  return buffer.subarray(0, writeRecord(buffer, 0, payload));
}

const entryRecord = (number: number) => recordOf(entryPayload(entryOf(number)));
const begunRecord = (number: number) => recordOf(begunPayload(begunOf(number)));
const ids = (...numbers: readonly number[]) => numbers.map(idOf).map(String).toSorted();

async function recover(): Promise<void> {
  const ledger = await bench.open();
  await bench.settled(ledger.drained());
  await bench.settled(ledger.close(seconds(1)));
}

describe('a record', () => {
  test('is in the file when record() returns, and on the disk when flushed() resolves', async () => {
    const ledger = await bench.open();
    ledger.record(entryOf(1));
    const path = join(bench.folder, 'run-0/00000001.journal');
    expect(fs.readFileSync(path).equals(entryRecord(1))).toBe(true);
    expect(ledger.status().unsyncedBytes).toBe(entryRecord(1).length);
    await bench.settled(ledger.flushed());
    expect(ledger.status().unsyncedBytes).toBe(0);
    expect(bench.seen('synced')).toHaveLength(1);
  });

  test('shares its sync with its neighbours', async () => {
    const ledger = await bench.open();
    for (const number of upTo(1000)) ledger.record(entryOf(number));
    await bench.settled(ledger.flushed());
    expect(bench.seen('synced')).toHaveLength(1);
  });
});

describe('segments', () => {
  test('make way for the next by size, and go when the store has them', async () => {
    bench.store.isAway = true;
    const ledger = await bench.open({ segmentBytes: 4_000 });
    for (const number of upTo(100)) ledger.record(entryOf(number));
    await bench.settled(ledger.flushed());
    expect(bench.files.filter((name) => name.endsWith('.journal')).length).toBeGreaterThan(5);
    bench.store.isAway = false;
    await bench.settled(ledger.drained());
    expect(bench.files.filter((name) => name.endsWith('.journal'))).toHaveLength(1);
    expect(bench.store.ids).toEqual(ids(...upTo(100)));
  });

  test('stay while the store has only a part of them', async () => {
    const write = bench.store.write.bind(bench.store);
    bench.store.write = (entries) => {
      bench.store.isAway = bench.store.rows.size > 0;
      return write(entries);
    };
    const ledger = await bench.open({ segmentBytes: 600_000 });
    for (const number of upTo(3_000)) ledger.record(entryOf(number));
    await bench.until(() => bench.seen('store-failed').length === 1);
    expect(bench.store.rows.size).toBeWithin(1, 3_000);
    expect(bench.files).toContain('run-0/00000001.journal');
    bench.store.write = write;
    bench.store.isAway = false;
    await bench.settled(ledger.drained());
    expect(bench.store.rows.size).toBe(3_000);
    expect(bench.store.duplicates).toBe(0);
  });

  test('make way by age as well, so that a quiet gateway keeps none for long', async () => {
    const ledger = await bench.open();
    ledger.record(entryOf(0));
    await bench.settled(ledger.drained());
    bench.clock.advanceTo(seconds(700));
    ledger.record(entryOf(1));
    await bench.settled(ledger.drained());
    expect(bench.files).toContain('run-0/00000002.journal');
    expect(bench.files).not.toContain('run-0/00000001.journal');
  });

  test('that go take no request with them that is still open', async () => {
    const ledger = await bench.open({ segmentBytes: 4_000 });
    ledger.begin(begunOf(1_000));
    for (const number of upTo(100)) ledger.record(entryOf(number));
    await bench.settled(ledger.drained());
    expect(bench.files).not.toContain('run-0/00000001.journal');
    const [run] = await inspectJournals(bench.folder, () => {});
    expect(run?.open).toEqual([begunOf(1_000)]);
  });
});

describe('a process that died', () => {
  test('leaves what the next start writes, once', async () => {
    // The third stands there twice, as after a sync that failed.
    deadRun('a', [
      [begunRecord(1), entryRecord(1), entryRecord(2)],
      [entryRecord(3), entryRecord(3)],
    ]);
    await recover();
    expect(bench.store.ids).toEqual(ids(1, 2, 3));
    expect(bench.store.duplicates).toBe(0);
    expect(bench.files).toEqual([]);
  });

  test('leaves an entry for each request that died with it: unknown cost, the estimate assumed', async () => {
    deadRun('a', [
      [begunRecord(1), begunRecord(2)],
      [begunRecord(2), entryRecord(1)],
    ]);
    await recover();
    expect(bench.store.ids).toEqual(ids(1, 2));
    const { estimate, ...request } = begunOf(2);
    expect(bench.store.rows.get(idOf(2))).toMatchObject({
      ...request,
      end: 'lost',
      cost: { kind: 'unknown', assumed: estimate },
    });
    expect(bench.seen('lost')).toEqual([{ kind: 'lost', requests: 1, run: 'a' }]);
  });

  test('leaves a torn tail, which is cut, copied and told of', async () => {
    deadRun('a', [[entryRecord(1), entryRecord(2).subarray(0, 50)]]);
    await recover();
    expect(bench.store.ids).toEqual(ids(1));
    const damage = { run: 'a', segment: 1, offset: entryRecord(1).length, bytes: 50, kind: 'torn-tail' };
    const copy = join(bench.folder, `quarantine/a-1-${entryRecord(1).length}`);
    expect(bench.seen('damaged')).toEqual([{ kind: 'damaged', damage, copy } as never]);
    expect(fs.readFileSync(copy).equals(entryRecord(2).subarray(0, 50))).toBe(true);
  });

  test('with a damaged record in the middle: it is copied and told of, and the rest is written', async () => {
    const damaged = Buffer.from(entryRecord(2)).fill(0x7f, 30, 40);
    deadRun('a', [[entryRecord(1), damaged, entryRecord(3)], [entryRecord(4)]]);
    await recover();
    expect(bench.store.ids).toEqual(ids(1, 3, 4));
    const [event] = bench.seen('damaged');
    expect(event?.damage).toMatchObject({ segment: 1, kind: 'corrupt', bytes: damaged.length });
    expect(fs.readFileSync(event?.copy ?? '')).toEqual(damaged);
  });

  test('loses nothing that is whole, however its files are cut and spoilt', async () => {
    const numbers = upTo(6);
    const records = numbers.map(entryRecord);
    const length = records.reduce((sum, record) => sum + record.length, 0);
    let name = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(length - 1), fc.integer({ min: 1, max: 255 })), { maxLength: 3 }),
        fc.integer({ min: 0, max: length }),
        async (changes, cut) => {
          bench.store.rows.clear();
          const bytes = Buffer.concat(records);
          for (const [at, change] of changes) bytes[at] = (bytes[at] ?? 0) ^ change;
          deadRun(`dead-${name++}`, [[bytes.subarray(0, cut)]]);
          await recover();
          let start = 0;
          const whole = numbers.filter((number) => {
            const record = records[number] as Buffer; // as many as numbers
            const isWhole = start + record.length <= cut && bytes.subarray(start, start + record.length).equals(record);
            start += record.length;
            return isWhole;
          });
          expect(bench.store.ids).toEqual(ids(...whole));
          expect(bench.store.duplicates).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('while its store was confirming gives again at most what was not confirmed', async () => {
    const first = await bench.open();
    for (const number of upTo(10)) first.record(entryOf(number));
    await bench.settled(first.drained());
    bench.store.isAway = true;
    for (const number of [10, 11]) first.record(entryOf(number));
    await bench.settled(first.flushed());
    const copy = join(bench.folder, 'copy-of-the-dead');
    fs.cpSync(join(bench.folder, 'run-0'), copy, { recursive: true });
    fs.unlinkSync(join(copy, 'lock'));
    bench.store.isAway = false;
    await recover();
    expect(bench.store.ids).toEqual(ids(...upTo(12)));
    expect(bench.store.duplicates).toBe(0);
  });

  test('with a file that cannot be read holds up nobody else, and is read when it can be', async () => {
    deadRun('a', [[entryRecord(1)]]);
    const disk = faultyDisk();
    disk.trouble = 'no-read';
    const ledger = await bench.open({ files: disk.files });
    await bench.until(() => bench.seen('unreadable').length > 0);
    disk.release();
    ledger.record(entryOf(2));
    await bench.settled(ledger.drained());
    expect(bench.store.ids).toEqual(ids(1, 2));
  });

  test('may have died while its own predecessor was being written', async () => {
    deadRun('a', [[entryRecord(1)]]);
    bench.store.isAway = true;
    const second = await bench.open();
    await bench.settled(second.close(seconds(1)));
    expect(bench.files).toContain('a/00000001.journal');
    bench.store.isAway = false;
    await recover();
    expect(bench.store.ids).toEqual(ids(1));
    expect(bench.files).toEqual([]);
  });
});

describe('two owners', () => {
  test('of one folder do not touch the journal of the other', async () => {
    const first = await bench.open();
    first.begin(begunOf(1));
    const second = await bench.open();
    second.record(entryOf(2));
    await bench.settled(second.drained());
    bench.clock.advanceTo(seconds(100));
    await bench.settled(second.drained());
    expect(bench.store.ids).toEqual(ids(2));
    expect(bench.seen('adopted')).toEqual([]);
    first.record(entryOf(1));
    await bench.settled(first.drained());
    expect(bench.store.rows.get(idOf(1))?.end).toBe('success');
  });

  test('one that dies is replaced by the other within half a minute', async () => {
    const first = await bench.open();
    bench.store.isAway = true;
    first.record(entryOf(1));
    await bench.settled(first.flushed());
    const second = await bench.open();
    await bench.settled(first.close(seconds(1)));
    bench.store.isAway = false;
    await bench.until(() => bench.store.rows.size === 1);
    expect(bench.clock.now()).toBeLessThan(seconds(35));
    expect(bench.seen('adopted')).toHaveLength(1);
    await bench.settled(second.close(seconds(1)));
    expect(bench.files).toEqual([]);
  });

  test('a name that is taken is refused', async () => {
    await bench.open({ run: 'same' });
    await expect(bench.open({ run: 'same' })).rejects.toThrow('already');
  });

  test('names of runs sort by age', () => {
    expect(runName(Date.UTC(2026, 10, 23, 5, 40, 0, 123), '4711-9f3a')).toBe('20261123T054000123Z-4711-9f3a');
  });
});

describe('a disk in trouble', () => {
  const open = async (): Promise<{ ledger: Ledger; disk: ReturnType<typeof faultyDisk> }> => {
    const disk = faultyDisk();
    return { disk, ledger: await bench.open({ files: disk.files }) };
  };

  test.each(['full', 'no-sync'] as const)(
    '(%s) refuses new requests, keeps what it has, and recovers',
    async (kind) => {
      const { ledger, disk } = await open();
      ledger.begin(begunOf(0));
      ledger.record(entryOf(1));
      await bench.settled(ledger.flushed());
      disk.trouble = kind;
      for (const number of [2, 3, 4]) ledger.record(entryOf(number));
      const flushed = ledger.flushed();
      await bench.until(() => ledger.canAccept() !== null);
      expect(ledger.canAccept()).toMatchObject({ kind: 'ledger-refusing', retryAfter: 5000 });
      expect(ledger.canAccept()?.message).toMatch(kind === 'full' ? /ENOSPC/ : /EIO/);
      // What was admitted before goes on and ends.
      for (const number of [5, 6]) ledger.record(entryOf(number));
      await bench.until(() => bench.clock.now() > 60_000);
      expect(ledger.status().refusing).toBe('disk-failing');
      expect(bench.store.ids).toEqual(ids(1));
      disk.release();
      await bench.settled(flushed);
      expect(ledger.canAccept()).toBeNull();
      await bench.settled(ledger.drained());
      expect(bench.store.ids).toEqual(ids(1, 2, 3, 4, 5, 6));
      expect(bench.store.duplicates).toBe(0);
      expect(bench.seen('damaged')).toEqual([]);
      expect(bench.seen('refusing')).toHaveLength(1);
      expect(bench.seen('accepting')).toHaveLength(1);
      const [run] = await inspectJournals(bench.folder, () => {});
      expect(run?.open).toEqual([begunOf(0)]);
    },
  );

  test('(hanging) refuses after five seconds, keeps records in memory from then on, and goes on when it answers', async () => {
    const { ledger, disk } = await open();
    disk.trouble = 'hanging';
    ledger.record(entryOf(1));
    await bench.until(() => bench.clock.now() > 1_000);
    const path = join(bench.folder, 'run-0/00000001.journal');
    ledger.record(entryOf(2));
    const written = entryRecord(1).length + entryRecord(2).length;
    expect(fs.statSync(path).size).toBe(written);
    expect(ledger.canAccept()).toBeNull();
    await bench.until(() => bench.clock.now() > 6_000);
    expect(ledger.status().refusing).toBe('disk-stalled');
    ledger.record(entryOf(3));
    expect(fs.statSync(path).size).toBe(written);
    disk.release();
    await bench.settled(ledger.drained());
    expect(ledger.canAccept()).toBeNull();
    expect(bench.store.ids).toEqual(ids(1, 2, 3));
  });

  test('(hanging) gives the store nothing that was not synced', async () => {
    const { ledger, disk } = await open();
    disk.trouble = 'hanging';
    ledger.record(entryOf(1));
    await bench.until(() => bench.clock.now() === 25);
    ledger.record(entryOf(2));
    disk.answer();
    await bench.until(() => bench.store.rows.size > 0 && bench.clock.now() > 1_000);
    expect(bench.store.ids).toEqual(ids(1));
    disk.release();
    await bench.until(() => bench.store.rows.size === 2);
  });

  test('(hanging) refuses before its memory is spent', async () => {
    const { ledger, disk } = await open();
    disk.trouble = 'hanging';
    ledger.record(entryOf(0));
    await bench.until(() => bench.clock.now() > 100);
    const long = 'x'.repeat(30_000);
    let count = 1;
    while (ledger.canAccept() === null && count < 10_000) ledger.record(entryOf(count++, { user: long }));
    expect(ledger.status().refusing).toBe('disk-stalled');
    expect(ledger.status().unsyncedBytes).toBeWithin(8 * 1024 * 1024, 18 * 1024 * 1024);
    disk.release();
    await bench.settled(ledger.drained());
    expect(bench.store.rows.size).toBe(count);
    expect(ledger.canAccept()).toBeNull();
  });

  test('that fails to the end: closing says what is lost', async () => {
    const { ledger, disk } = await open();
    disk.trouble = 'full';
    ledger.record(entryOf(1));
    const left = await bench.settled(ledger.close(seconds(2)));
    expect(left).toMatchObject({ entries: 1, unsyncedBytes: entryRecord(1).length });
  });
});

describe('a store that stays away', () => {
  test('makes the ledger refuse when the journal has its limit, and accept when it was written', async () => {
    bench.store.isAway = true;
    const ledger = await bench.open({ mostJournalBytes: 20_000, segmentBytes: 4_000 });
    let count = 0;
    while (ledger.canAccept() === null && count < 1_000) {
      ledger.record(entryOf(count++));
      await bench.settled(ledger.flushed());
    }
    expect(ledger.status().refusing).toBe('backlog');
    expect(ledger.status().journalBytes).toBeWithin(20_000, 21_000);
    bench.store.isAway = false;
    await bench.until(() => ledger.canAccept() === null);
    await bench.settled(ledger.drained());
    expect(bench.store.rows.size).toBe(count);
  });
});

describe('an inspection', () => {
  test('adds up what is in the journals, by who pays, and changes nothing', async () => {
    deadRun('a', [
      [begunRecord(9), entryRecord(0), entryRecord(1)],
      [entryRecord(1), entryRecord(2), Buffer.from('x')],
    ]);
    const before = bench.files;
    const summation = new Summation();
    const runs = await inspectJournals(bench.folder, (entry) => summation.add(entry));
    expect(runs).toMatchObject([
      { name: 'a', entries: 3, open: [begunOf(9)], damages: [{ segment: 2, kind: 'torn-tail' }] },
    ]);
    const { all, by } = summation.sums;
    expect(all).toEqual({ entries: 3, known: 6n as NanoUsd, unknown: 0, assumed: 0n as NanoUsd });
    expect(by.teamId.get('team')).toEqual(all);
    expect(by.keyHash.get('key-1')).toMatchObject({ entries: 1, known: 2n });
    expect(by.userId.size).toBe(0);
    expect(bench.files).toEqual(before);
  });
});
