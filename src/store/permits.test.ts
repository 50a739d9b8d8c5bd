import { expect, test } from 'bun:test';
import { VirtualClock } from '../../test/support/virtual-clock.ts';
import { millis, plus } from '../core/units.ts';
import { Permits } from './permits.ts';

const PATIENCE = millis(100);

test('permits are given in the order of asking, and no more than there are', async () => {
  const permits = new Permits(2, new VirtualClock());
  const order: string[] = [];
  const take = (name: string) => permits.take(PATIENCE).then((isGiven) => void (isGiven && order.push(name)));
  await Promise.all([take('a'), take('b')]);
  const waiting = [take('c'), take('d')];
  expect(order).toEqual(['a', 'b']);
  permits.give();
  permits.give();
  await Promise.all(waiting);
  expect(order).toEqual(['a', 'b', 'c', 'd']);
});

test('who has waited too long goes without, and takes nothing from who comes later', async () => {
  const clock = new VirtualClock();
  const permits = new Permits(1, clock);
  expect(await permits.take(PATIENCE)).toBe(true);
  const late = permits.take(PATIENCE);
  clock.advanceTo(plus(clock.now(), PATIENCE));
  expect(await late).toBe(false);
  permits.give();
  expect(await permits.take(PATIENCE)).toBe(true);
  expect(clock.pending).toBe(0);
});
