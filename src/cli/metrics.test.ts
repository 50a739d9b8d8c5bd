import { expect, test } from 'bun:test';
import { parseExposition } from '../../test/support/exposition.ts';
import { VirtualClock } from '../../test/support/virtual-clock.ts';
import type { Timer } from '../core/clock.ts';
import { type Millis, millis } from '../core/units.ts';
import { MetricsRegistry } from '../telemetry/metrics.ts';
import { exposition } from './metrics.ts';
import { observeProcess, watchEventLoop } from './process-metrics.ts';

/** Timers run by themselves, in turns that are counted. */
class CountingClock extends VirtualClock {
  turns = 0;

  override after(delay: Millis, callback: () => void): Timer {
    this.turns += 1;
    queueMicrotask(callback);
    return super.after(delay, () => {});
  }
}

test('a long scrape is made in several turns and is whole; a short one needs none', async () => {
  const registry = new MetricsRegistry();
  for (let metric = 0; metric < 20; metric += 1) {
    const counter = registry.counter(`a_${metric}_total`, 'A.', ['x']);
    for (let series = 0; series < 500; series += 1) counter.add({ x: `${series}`.padStart(100, 'x') });
  }
  const clock = new CountingClock();
  expect(Buffer.from(await exposition(registry, clock)).toString()).toBe(registry.render());
  expect(clock.turns).toBeGreaterThan(3);
  expect(clock.turns).toBeLessThan(20);
  const short = new CountingClock();
  await exposition(new MetricsRegistry(), short);
  expect(short.turns).toBe(0);
});

test('the event loop is as late as its timers are', () => {
  const registry = new MetricsRegistry();
  const clock = new VirtualClock();
  const stop = watchEventLoop(registry, clock);
  clock.advanceTo(millis(250));
  // Somebody else has the thread: what is due at 350 runs at 530.
  const late = new LateClock(clock);
  const other = new MetricsRegistry();
  const stopLate = watchEventLoop(other, late);
  late.lateness = 180;
  clock.advanceTo(millis(350));
  stop();
  stopLate();
  expect(clock.pending).toBe(0);
  const buckets = (of: MetricsRegistry) =>
    (parseExposition(of.render()).get('tollgate_event_loop_delay_seconds_bucket')?.metrics ?? []).map(
      ({ labels, value }) => [labels?.le, value],
    );
  expect(buckets(registry)[0]).toEqual(['0.001', '3']);
  expect(buckets(other)).toContainEqual(['0.1', '0']);
  expect(buckets(other)).toContainEqual(['0.25', '1']);
});

/** What it shows once a timer has fired is later than the timer was due. */
class LateClock extends VirtualClock {
  readonly #inner: VirtualClock;
  lateness = 0;

  constructor(inner: VirtualClock) {
    super();
    this.#inner = inner;
  }

  override now(): Millis {
    return millis(this.#inner.now() + this.lateness);
  }

  override after(delay: Millis, callback: () => void): Timer {
    return this.#inner.after(delay, callback);
  }
}

test('the process tells its age, CPU, memory and files', () => {
  const registry = new MetricsRegistry();
  const clock = new VirtualClock(Date.now());
  observeProcess(registry, clock);
  const families = parseExposition(registry.render());
  const value = (name: string) => Number(families.get(name)?.metrics[0]?.value);
  expect(value('process_start_time_seconds')).toBeLessThanOrEqual(clock.wall() / 1000);
  expect(value('process_start_time_seconds')).toBeGreaterThan(clock.wall() / 1000 - 3600);
  expect(value('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
  if (process.platform === 'linux') {
    expect(value('process_open_fds')).toBeGreaterThan(2);
    expect(value('process_max_fds')).toBeGreaterThan(value('process_open_fds'));
  }
});
