import { expect, test } from 'bun:test';
import { VirtualClock } from '../../../test/support/virtual-clock.ts';
import { millis } from '../../core/units.ts';
import { RollUpKeeper } from './roll-up-keeper.ts';

const TEN_MINUTES = 600_000;

/** Lets promises that are settled call back. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('days are added up at the start and every ten minutes, also after it failed; not after the end', async () => {
  const clock = new VirtualClock();
  const failures: string[] = [];
  let asked = 0;
  const store = {
    rollUp() {
      asked += 1;
      return asked === 2 ? Promise.reject(new Error('the database is away')) : Promise.resolve([]);
    },
  };
  const keeper = new RollUpKeeper(store, clock, (reason) => failures.push(reason));
  keeper.start();
  await settled();
  expect([asked, failures]).toEqual([1, []]);
  for (const turn of [1, 2]) {
    clock.advanceTo(millis(turn * TEN_MINUTES - 1));
    expect(asked).toBe(turn);
    clock.advanceTo(millis(turn * TEN_MINUTES));
    await settled();
  }
  expect([asked, failures]).toEqual([3, ['the database is away']]);
  keeper.close();
  expect(clock.pending).toBe(0);
});
