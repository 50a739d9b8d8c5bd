import { expect, test } from 'bun:test';
import { VirtualClock } from '../../test/support/virtual-clock.ts';
import { millis, plus } from '../core/units.ts';
import { StoreHealth } from './health.ts';

/** Lets promises that are settled run their continuations. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('a database that is down is probed for ever, never later than a second after the last time, until it answers', async () => {
  const clock = new VirtualClock();
  let isThere = false;
  let probes = 0;
  const health = new StoreHealth(clock, async () => {
    probes += 1;
    if (!isThere) throw new Error('away');
  });
  const states: string[] = [];
  health.onChange(({ kind }) => void states.push(kind));
  health.failed('refused');
  health.failed('refused again');
  await settle();
  expect(probes).toBe(1);
  expect(health.state).toEqual({ kind: 'down', since: clock.wall(), reason: 'away' });
  for (let second = 0; second < 20; second += 1) {
    const before = probes;
    clock.advanceTo(plus(clock.now(), millis(1_000)));
    await settle();
    expect(probes).toBeGreaterThan(before);
  }
  isThere = true;
  clock.advanceTo(plus(clock.now(), millis(1_000)));
  await settle();
  expect(states).toEqual(['down', 'up']);
  expect(clock.pending).toBe(0);
});
