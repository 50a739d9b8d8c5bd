import type { Clock } from '../core/clock.ts';
import { epochMillis, millis } from '../core/units.ts';

/** The machine's own time. */
export const machineClock: Clock = {
  now: () => millis(performance.now()),
  wall: () => epochMillis(Date.now()),
  after: (delay, callback) => {
    const timer = setTimeout(callback, delay);
    return { cancel: () => clearTimeout(timer) };
  },
};
