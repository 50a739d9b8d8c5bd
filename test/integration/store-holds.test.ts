import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { epochMillis, type Millis, seconds } from '../../src/core/units.ts';
import type { Account } from '../../src/store/ledger/accounts.ts';
import type { Hold, HoldBook, Holding } from '../../src/store/ledger/hold-book.ts';
import type { Store } from '../../src/store/store.ts';
import { costs, ledgerEntry, nanoUsd, OPERATOR, payer, type TestStore, testStore } from '../support/store.ts';
import { until } from '../support/tenants.ts';

/** What the table of holds does on a real PostgreSQL: `metering/allowance.ts` and `store/ledger/hold-book.ts`. */
let place: TestStore;
let store: Store;
let other: Store;

beforeAll(async () => {
  place = await testStore('postgres');
  store = place.store;
  other = await place.another();
});
afterAll(() => place?.remove());

const LEASE = seconds(60);
const key = (id: string): Account => ({ type: 'key', id: [id] });
const booksOf = ({ holds }: Store): HoldBook => holds as HoldBook; // it is PostgreSQL

/** Takes as much of a limit as is there, up to `most`. */
const upTo =
  (limit: bigint, most: bigint) =>
  (found: readonly Holding[]): readonly Hold[] =>
    found.map(({ balance, others }) => {
      const left = limit - balance.spend - balance.assumed - others;
      return { ...NOTHING, held: left < most ? left : most };
    });
const NOTHING: Hold = { held: 0n, isWanting: false, isShort: false };
const exactly =
  (...holds: readonly Partial<Hold>[]) =>
  () =>
    holds.map((hold) => ({ ...NOTHING, ...hold }));

/** One account exchanged by one instance; what was found. */
async function exchange(
  on: Store,
  instance: string,
  id: string,
  divide: (found: readonly Holding[]) => readonly Hold[],
  lease: Millis = LEASE,
): Promise<Holding> {
  const [found] = await booksOf(on).exchange(instance, [{ account: key(id), since: null }], divide, lease);
  if (found === undefined) throw new Error('nothing was found');
  return found;
}
const look = (id: string, as = 'looker') => exchange(store, as, id, exactly({}));

describe('holds', () => {
  test('each instance finds what the others hold, and spend, but not its own', async () => {
    await store.ledger.write([ledgerEntry({ payer: payer({ keyId: 'seen' }), cost: costs(70) })]);
    await exchange(store, 'one', 'seen', exactly({ held: 20n }));
    await exchange(other, 'two', 'seen', exactly({ held: 5n, isWanting: true, isShort: true }));
    expect(await exchange(store, 'one', 'seen', exactly({ held: 30n }))).toEqual({
      balance: { spend: nanoUsd(70), assumed: nanoUsd(0) },
      others: nanoUsd(5),
      isWanted: true,
      isOtherShort: true,
      isAlone: false,
    });
    expect(await look('seen', 'two')).toMatchObject({ others: 30n, isWanted: false, isOtherShort: false });
    expect(await look('seen')).toMatchObject({ others: 30n, isWanted: false, isOtherShort: false });
  });

  test('of 200 exchanges at once on two connections pools the sum never passes the limit', async () => {
    const instances = Array.from({ length: 200 }, (_, index) => `crowd-${index}`);
    const taken = upTo(1_000n, 7n);
    await Promise.all(
      instances.map((instance, index) => exchange(index % 2 === 0 ? store : other, instance, 'crowd', taken)),
    );
    expect((await look('crowd')).others).toBe(nanoUsd(1_000));
  });

  test('several accounts are asked for together, in any order, by many at once, without standing in each other’s way', async () => {
    const accounts = ['a', 'b', 'c', 'd'].map((id) => ({ account: key(`chain-${id}`), since: null }));
    const rotated = (by: number) => [...accounts.slice(by % 4), ...accounts.slice(0, by % 4)];
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        booksOf(index % 2 === 0 ? store : other).exchange(`i-${index}`, rotated(index), upTo(100n, 9n), LEASE),
      ),
    );
    for (const id of ['a', 'b', 'c', 'd']) expect((await look(`chain-${id}`)).others).toBe(nanoUsd(100));
  });

  test('what was spent while somebody holds it is counted once it is written, and the hold until it is changed', async () => {
    await exchange(store, 'writer', 'twice', exactly({ held: 10n }));
    await store.ledger.write([ledgerEntry({ payer: payer({ keyId: 'twice' }), cost: costs(10) })]);
    expect(await look('twice')).toMatchObject({ balance: { spend: 10n }, others: 10n });
    await exchange(store, 'writer', 'twice', exactly({ held: 0n }));
    expect(await look('twice')).toMatchObject({ balance: { spend: 10n }, others: 0n, isWanted: false });
  });

  test('a hold counts until its lease is over, and a dropped instance’s not at all', async () => {
    await exchange(store, 'brief', 'leased', exactly({ held: 10n }), 300 as Millis);
    await exchange(store, 'long', 'leased', exactly({ held: 3n }));
    expect((await look('leased')).others).toBe(nanoUsd(13));
    await until(async () => (await look('leased')).others === 3n);
    await booksOf(other).drop('long');
    expect((await look('leased')).others).toBe(nanoUsd(0));
  });

  test('an exchange that changes nothing renews the lease when half of it is over', async () => {
    const start = performance.now();
    await exchange(store, 'renewed', 'renewal', exactly({ held: 10n }), 1_500 as Millis);
    await until(async () => {
      await exchange(store, 'renewed', 'renewal', exactly({ held: 10n }), 1_500 as Millis);
      expect((await look('renewal')).others).toBe(nanoUsd(10));
      return performance.now() - start > 2_500;
    });
  });

  test('who is alive is known, and who is gone is cleared away', async () => {
    const fresh = await testStore('postgres');
    try {
      const book = booksOf(fresh.store);
      const isAlone = async () =>
        (await book.exchange('me', [{ account: key('k'), since: null }], exactly({ held: 1n }), LEASE))[0]?.isAlone;
      await book.announce('me', LEASE);
      expect(await isAlone()).toBe(true);
      await book.announce('guest', 200 as Millis);
      expect(await isAlone()).toBe(false);
      await until(async () => (await isAlone()) === true);
      await book.announce('guest', LEASE);
      expect(await isAlone()).toBe(false);
      await book.drop('guest');
      expect(await isAlone()).toBe(true);
    } finally {
      await fresh.remove();
    }
  });

  test('names that SQL or JSON would stumble over are names like others', async () => {
    for (const id of [`'; drop table x; --`, '"\\', '\ud800half', '{}', 'ключ']) {
      await exchange(store, 'odd', id, exactly({ held: 4n }));
      expect((await look(id)).others).toBe(nanoUsd(4));
    }
  });

  test('do not touch the sums: every total is right with holds beside it', async () => {
    const at = epochMillis(Date.UTC(2026, 10, 23, 12));
    await store.change(OPERATOR, ({ keys }) => keys.create({ token: 't'.repeat(64), key_id: 'summed' }));
    await exchange(store, 'one', 'summed', exactly({ held: 500n }));
    await store.ledger.write([ledgerEntry({ payer: payer({ keyId: 'summed' }), cost: costs(9), startedAt: at })]);
    expect(await store.verify()).toEqual([]);
  });
});

test('the embedded database has no holds: it has one instance', async () => {
  const alone = await testStore('sqlite');
  expect(alone.store.holds).toBeNull();
  await alone.remove();
});
