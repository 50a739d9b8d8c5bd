import { expect, test } from 'bun:test';
import { millis, minus } from '../core/units.ts';
import { systemClock } from './system-clock.ts';

const passed = (delay: number): Promise<void> => new Promise((resolve) => systemClock.after(millis(delay), resolve));

test('a callback runs once its delay has passed, not before', async () => {
  for (const delay of [0, 0.4, 1, 3.7, 10]) {
    const start = systemClock.now();
    await passed(delay);
    expect(minus(systemClock.now(), start)).toBeGreaterThanOrEqual(delay);
  }
});

test('a cancelled callback does not run; cancelling again, or too late, does nothing', async () => {
  let ran = 0;
  const count = (): void => {
    ran += 1;
  };
  const cancelled = systemClock.after(millis(1), count);
  cancelled.cancel();
  cancelled.cancel();
  const late = systemClock.after(millis(1), count);
  await passed(5);
  late.cancel();
  expect(ran).toBe(1);
});

test('a delay longer than a timer can hold does not fire at once', async () => {
  let hasRun = false;
  const timer = systemClock.after(millis(2 ** 33), () => {
    hasRun = true;
  });
  await passed(5);
  timer.cancel();
  expect(hasRun).toBe(false);
});

test('a callback never runs before the caller goes on', () => {
  let hasRun = false;
  const timer = systemClock.after(millis(-5), () => {
    hasRun = true;
  });
  expect(hasRun).toBe(false);
  timer.cancel();
});
