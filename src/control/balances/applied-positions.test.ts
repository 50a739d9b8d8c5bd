import { expect, test } from 'bun:test';
import { entryOf, idOf, MemoryStore, upTo } from '../../../test/support/ledger.ts';
import { AppliedPositions } from './applied-positions.ts';

function bench() {
  const store = new MemoryStore();
  return { store, positions: new AppliedPositions(store, 100) };
}

const record = (positions: AppliedPositions, ...numbers: readonly number[]) => {
  for (const number of numbers) positions.record(idOf(number));
};
const positionOf = async (positions: AppliedPositions) => (await positions.alone(() => Promise.resolve())).position;
const entries = (...numbers: readonly number[]) => numbers.map((number) => entryOf(number));

test('a reading comes with the position up to which everything is in the store, and after which nothing is', async () => {
  const { positions } = bench();
  expect([positions.next, await positionOf(positions)]).toEqual([1, 0]);
  record(positions, 1, 2, 3);
  expect([positions.next, await positionOf(positions)]).toEqual([4, 0]);
  await positions.write(entries(1, 2));
  expect(await positionOf(positions)).toBe(2);
  await positions.write(entries(3));
  expect(await positionOf(positions)).toBe(3);
});

test('entries of other processes move nothing', async () => {
  const { positions } = bench();
  record(positions, 1);
  await positions.write(entries(7, 8));
  expect(await positionOf(positions)).toBe(0);
});

test('there is no position while an earlier entry is missing, and there is one again when it is a dead letter', async () => {
  const { positions } = bench();
  record(positions, 1, 2);
  await positions.write(entries(2));
  expect(await positionOf(positions)).toBeNull();
  positions.buried(idOf(1));
  expect(await positionOf(positions)).toBe(2);
});

test('there is no position after a write of which nobody knows, until it is repeated', async () => {
  const { positions, store } = bench();
  record(positions, 1);
  store.isAway = true;
  await expect(positions.write(entries(1))).rejects.toThrow('refused');
  expect(await positionOf(positions)).toBeNull();
  store.isAway = false;
  await positions.write(entries(1));
  expect(await positionOf(positions)).toBe(1);
});

test('nothing is written while somebody reads, and nobody reads while something is written', async () => {
  const { positions, store } = bench();
  const { promise, resolve } = Promise.withResolvers<void>();
  record(positions, 1);
  const reading = positions.alone(() => promise.then(() => store.rows.size));
  const writing = positions.write(entries(1));
  await Bun.sleep(1);
  expect(store.calls).toBe(0);
  resolve();
  expect(await reading).toEqual({ found: 0, position: 0 });
  await writing;
  expect(await positions.alone(async () => store.rows.size)).toEqual({ found: 1, position: 1 });
});

test('a large batch is written in parts that leave others their turn', async () => {
  const { positions, store } = bench();
  const report = await positions.write(entries(...upTo(250)));
  expect([report, store.calls]).toEqual([{ written: 250, duplicates: 0, rejected: [] }, 3]);
});
