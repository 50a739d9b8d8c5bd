import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { SQL } from 'bun';
import { epochMillis } from '../../src/core/units.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { testDatabase } from '../support/postgres/database.ts';
import {
  costs,
  DATABASES,
  ledgerEntry,
  nanoUsd,
  OPERATOR,
  payer,
  type TestStore,
  testStore,
} from '../support/store.ts';

const DAY = 86_400_000;
const dayOf = (moment: number): string => new Date(moment).toISOString().slice(0, 10);

describe.each(DATABASES)('roll-ups of days on %s', (kind) => {
  let opened: TestStore;
  let store: Store;

  beforeAll(async () => {
    opened = await testStore(kind);
    store = opened.store;
  });

  afterAll(() => opened.remove());

  /** Entries of a team, days ago. */
  const entry = (teamId: string, daysAgo: number, amount = 1) =>
    ledgerEntry({ payer: payer({ teamId }), startedAt: epochMillis(Date.now() - daysAgo * DAY), cost: costs(amount) });

  async function spendOf(team: string, of = store): Promise<bigint> {
    const days = { from: dayOf(Date.now() - 40 * DAY), until: dayOf(Date.now()) };
    const sums = await of.reports.daily({ subject: 'team', ...days, only: { entity: [team] }, groupBy: [] });
    return sums[0]?.spendNano ?? 0n;
  }

  test('today is not rolled up, and what is written meanwhile is in the next answer', async () => {
    await store.ledger.write([entry('today', 0), entry('today', 5)]);
    expect(await store.rollUp()).toEqual([dayOf(Date.now() - 5 * DAY)]);
    await store.ledger.write([entry('today', 0)]);
    expect(await spendOf('today')).toBe(nanoUsd(3));
  });

  test('a late entry opens its day again, and no other; the next run adds it up anew', async () => {
    await store.ledger.write([entry('late', 6), entry('late', 7)]);
    await store.rollUp();
    await store.ledger.write([entry('late', 6, 10)]);
    expect(await spendOf('late')).toBe(nanoUsd(12));
    expect(await store.rollUp()).toEqual([dayOf(Date.now() - 6 * DAY)]);
    expect(await store.rollUp()).toEqual([]);
    expect(await spendOf('late')).toBe(nanoUsd(12));
  });

  test('an entry that was written before leaves its day as it is', async () => {
    const twice = entry('twice', 8);
    await store.ledger.write([twice]);
    await store.rollUp();
    expect(await store.ledger.write([twice])).toMatchObject({ duplicates: 1 });
    expect(await store.rollUp()).toEqual([]);
  });

  test('days of years are read like those of a month', async () => {
    await store.ledger.write([entry('years', 0), entry('years', 900), entry('years', 901)]);
    await store.rollUp();
    await store.ledger.write([entry('years', 901)]);
    const query = { subject: 'team', from: '2000-01-01', until: '2199-12-31', only: { entity: ['years'] } } as const;
    const sums = await store.reports.daily({ ...query, groupBy: ['date'] });
    expect(sums.map(({ group, requests }) => [group.date, requests])).toEqual([
      [dayOf(Date.now() - 901 * DAY), 2],
      [dayOf(Date.now() - 900 * DAY), 1],
      [dayOf(Date.now()), 1],
    ]);
  });

  test('late entries of two instances, written while both add days up, are in every sum', async () => {
    const other = await opened.another();
    const ends = new AbortController();
    const adding = [store, other].map(async (each) => {
      while (!ends.signal.aborted) await each.rollUp();
    });
    const writing = [store, other].map(async (each, index) => {
      for (let round = 0; round < 40; round += 1)
        await each.ledger.write([entry('busy', 10 + (round % 3)), entry('busy', 11 + index)]);
    });
    const reading = (async () => {
      const seen: bigint[] = [];
      for (let round = 0; round < 40; round += 1) seen.push(await spendOf('busy'));
      return seen;
    })();
    await Promise.all(writing);
    const seen = await reading;
    ends.abort();
    await Promise.all(adding);
    // No answer has less than one before it: a day is never missing from both sides.
    expect(seen).toEqual(seen.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
    expect(await spendOf('busy', other)).toBe(nanoUsd(160));
    expect(await store.verify()).toEqual([]);
    await store.rollUp();
    expect(await spendOf('busy')).toBe(nanoUsd(160));
    expect(await store.verify()).toEqual([]);
  });
});

/** Those of schema version 2. */
const NEW_TABLES = ['litellm_dailyrollups', 'litellm_rolledupdays', 'litellm_budgetholds', 'litellm_limitcounts'];

test('a PostgreSQL database of version 1 gets the tables that a new one has, and the hashes that keys had', async () => {
  const { url, drop } = await testDatabase();
  const sql = new SQL(url, { max: 1 });
  const columns = () =>
    sql.unsafe(`SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default
      FROM information_schema.columns WHERE table_name = ANY ('{${NEW_TABLES}}') ORDER BY 1, 2`);
  const keys = () =>
    sql.unsafe(
      `SELECT indexdef FROM pg_indexes WHERE tablename = ANY ('{${NEW_TABLES}}') OR indexname LIKE '%limited%' ORDER BY 1`,
    );
  const open = () => openStore({ clock: systemClock, postgres: { url }, dataDir: '' });
  try {
    const first = await open();
    await first.change(OPERATOR, async ({ keys }) => {
      await keys.create({ token: 'hash-1', key_id: 'id' });
      await keys.rotate('hash-1', { token: 'hash-2', patch: {}, graceUntil: null });
    });
    await first.close();
    const created = [await columns(), await keys()];
    expect(created[0]).toHaveLength(33);
    await sql.unsafe(`DROP TABLE ${NEW_TABLES.join(', ')}; DROP INDEX litellm_spendlogs_limited_idx`);
    await sql.unsafe('DELETE FROM litellm_deprecatedverificationtoken');
    await sql.unsafe('UPDATE litellm_schemaversion SET version = 1');
    const stepped = await open();
    expect(await stepped.read.keys.hashesOf('id')).toEqual(['hash-2', 'hash-1']);
    await stepped.close();
    expect([await columns(), await keys()]).toEqual(created);
    expect(await sql.unsafe('SELECT version::int FROM litellm_schemaversion')).toEqual([{ version: 2 }]);
  } finally {
    await sql.close();
    await drop();
  }
});
