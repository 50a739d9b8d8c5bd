import { describe, expect, test } from 'bun:test';
import { VirtualClock } from '../../test/support/virtual-clock.ts';
import { type Millis, millis } from '../core/units.ts';
import { readShutdownTimes, type ShutdownTimes, shutDown } from './shutdown.ts';

/** What happens, and when, in milliseconds after the signal; answers run until the server is forced. */
async function story(
  env: Record<string, string>,
  asked: Millis | null,
): Promise<readonly (readonly [number, string])[]> {
  const clock = new VirtualClock();
  clock.advanceTo(SIGNAL);
  const seen: [number, string][] = [];
  const note = (what: string): void => {
    seen.push([clock.now() - SIGNAL, what]);
  };
  const server = {
    port: 0,
    hostname: '',
    drain: () => note('drain'),
    stop: (deadline: number) => {
      note('stop');
      return new Promise<void>((resolve) => clock.after(millis(deadline), resolve));
    },
  };
  const ended = shutDown(readShutdownTimes(env) as ShutdownTimes, {
    ...{ server, clock, lastAsked: asked, onDrain: () => {}, onStop: () => {} },
    onLastCall: () => note('last call'),
  }).then(() => note('ended'));
  // The second wait is set when the first is over.
  for (let turn = 0; turn < 3; turn += 1) {
    clock.runAll();
    await Promise.resolve();
    await Promise.resolve();
  }
  await ended;
  return seen;
}

const SIGNAL = millis(1_000_000);
const JUST_NOW = millis(SIGNAL - 1000);
const LONG_AGO = millis(SIGNAL - 61_000);

describe('ending', () => {
  test.each([
    ['nobody asks for readiness', {}, null, 0, 25_000],
    ['somebody does', {}, JUST_NOW, 5000, 25_000],
    ['somebody did long ago', {}, LONG_AGO, 0, 25_000],
    ['a window is set', { TOLLGATE_DRAIN_SECONDS: '12' }, null, 12_000, 25_000],
    ['no window is set', { TOLLGATE_DRAIN_SECONDS: '0' }, JUST_NOW, 0, 25_000],
    ['more time is given', { GRACEFUL_SHUTDOWN_TIMEOUT: '120' }, JUST_NOW, 5000, 115_000],
    [
      'the window is longer than all',
      { GRACEFUL_SHUTDOWN_TIMEOUT: '8', TOLLGATE_DRAIN_SECONDS: '60' },
      null,
      3000,
      3000,
    ],
    ['there is no time', { GRACEFUL_SHUTDOWN_TIMEOUT: '0' }, JUST_NOW, 0, 0],
  ])('when %s', async (_name, env, asked, window, patience) => {
    expect(await story(env, asked)).toEqual([
      [0, 'drain'],
      [window, 'stop'],
      [patience, 'last call'],
      [patience + 2000, 'ended'],
    ]);
  });
});

test.each(['GRACEFUL_SHUTDOWN_TIMEOUT', 'TOLLGATE_DRAIN_SECONDS'])(
  '%s that is no time is refused by its name',
  (name) => {
    for (const value of ['soon', '-1', 'NaN', 'Infinity'])
      expect(readShutdownTimes({ [name]: value })).toBe(`${name} must be a number of seconds.`);
  },
);
