import { describe, expect, test } from 'bun:test';
import { VirtualClock } from '../../test/support/virtual-clock.ts';
import { type Millis, millis } from '../core/units.ts';
import { IdlePool, type PooledConnection } from './idle-pool.ts';

class FakeConnection implements PooledConnection {
  readonly origin: string;
  readonly name: string;
  expiresAt: Millis = millis(0);
  isClosed = false;

  constructor(name: string, origin = 'http://a') {
    this.name = name;
    this.origin = origin;
  }

  isOpen(): boolean {
    return !this.isClosed;
  }

  close(): void {
    this.isClosed = true;
  }
}

function poolOf(maxPerOrigin: number): { pool: IdlePool<FakeConnection>; clock: VirtualClock } {
  const clock = new VirtualClock();
  return { pool: new IdlePool(clock, maxPerOrigin, millis(1000)), clock };
}

function put(pool: IdlePool<FakeConnection>, names: string, lifetime = 1000): FakeConnection[] {
  const connections = [...names].map((name) => new FakeConnection(name));
  for (const connection of connections) pool.put(connection, millis(lifetime));
  return connections;
}

const closedNames = (connections: readonly FakeConnection[]): string =>
  connections
    .filter((connection) => connection.isClosed)
    .map((connection) => connection.name)
    .join('');

describe('taking', () => {
  test('gives the youngest first, and only of the same origin', () => {
    const { pool } = poolOf(9);
    put(pool, 'abc');
    pool.put(new FakeConnection('x', 'http://b'), millis(1000));
    const taken = [1, 2, 3, 4].map(() => pool.take('http://a')?.name);
    expect(taken).toEqual(['c', 'b', 'a', undefined]);
    expect(pool.take('http://b')?.name).toBe('x');
  });

  test('never gives one that is too old, even before the sweep', () => {
    const { pool, clock } = poolOf(9);
    const [old] = put(pool, 'a', 500);
    clock.advanceTo(millis(500));
    expect(pool.take('http://a')).toBeNull();
    expect(old!.isClosed).toBe(true);
  });

  test('passes over those that have closed', () => {
    const { pool } = poolOf(9);
    const [, second] = put(pool, 'ab');
    second!.isClosed = true;
    expect(pool.take('http://a')?.name).toBe('a');
  });
});

describe('putting', () => {
  test('closes the oldest when there are too many', () => {
    const { pool } = poolOf(2);
    expect(closedNames(put(pool, 'abcd'))).toBe('ab');
  });

  test.each([
    ['for no time', 9, 0],
    ['into a pool that keeps none', 0, 1000],
  ])('%s closes at once', (_name, maxPerOrigin, lifetime) => {
    const { pool, clock } = poolOf(maxPerOrigin);
    expect(closedNames(put(pool, 'a', lifetime))).toBe('a');
    expect(clock.pending).toBe(0);
  });
});

test('one that closed by itself goes with the sweep', () => {
  const { pool, clock } = poolOf(9);
  const [first] = put(pool, 'a', 10_000);
  first!.isClosed = true;
  clock.advanceTo(millis(1000));
  expect(clock.pending).toBe(0);
});

test('what nobody takes is closed when it is old, and then no timer is left', () => {
  const { pool, clock } = poolOf(9);
  const early = put(pool, 'ab', 1000);
  clock.advanceTo(millis(600));
  const late = put(pool, 'c', 1000);
  clock.advanceTo(millis(1000));
  expect(closedNames([...early, ...late])).toBe('ab');
  clock.advanceTo(millis(2000));
  expect(closedNames(late)).toBe('c');
  expect(clock.pending).toBe(0);
});

test('closing closes everything, and what comes later', () => {
  const { pool, clock } = poolOf(9);
  const before = put(pool, 'ab');
  pool.close();
  const after = put(pool, 'c');
  expect(closedNames([...before, ...after])).toBe('abc');
  expect(clock.pending).toBe(0);
});
