import { readdirSync, readFileSync } from 'node:fs';
import type { Clock, Timer } from '../core/clock.ts';
import { minus, plus, seconds } from '../core/units.ts';
import { VERSION } from '../core/version.ts';
import type { MetricsRegistry } from '../telemetry/metrics.ts';

/** How often the event loop is looked at. */
const EVERY = seconds(0.1);
const DELAY_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

/** Names and meanings are those that Prometheus' own client libraries give a process. */
export function observeProcess(registry: MetricsRegistry, clock: Clock): void {
  const startedAt = clock.wall() / 1000 - process.uptime();
  registry.observed('process_cpu_seconds_total', 'CPU time of all threads, user and system.', cpuSeconds, 'counter');
  registry.observed('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss());
  registry.observed('process_start_time_seconds', 'When the process started, in Unix seconds.', () => startedAt);
  registry.observed('process_open_fds', 'Open files and sockets; NaN where the system does not tell.', openFiles);
  registry.observed('process_max_fds', 'How many of them there may be; NaN where the system does not tell.', mostFiles);
  registry.scraped('tollgate_build_info', '1, with the version as a label.', ['version'], (set) =>
    set({ version: VERSION }, 1),
  );
}

/**
 * Measures how late the event loop is: a timer's delay is the delay of everything else that is due.
 *
 * @returns stops it
 */
export function watchEventLoop(registry: MetricsRegistry, clock: Clock): () => void {
  const delays = registry.histogram(
    'tollgate_event_loop_delay_seconds',
    'Seconds by which a timer was late.',
    [],
    DELAY_BOUNDS,
  );
  const delay = delays.at({});
  let timer: Timer;
  const arm = (): void => {
    const due = plus(clock.now(), EVERY);
    timer = clock.after(EVERY, () => {
      delay.observe(Math.max(0, minus(clock.now(), due)) / 1000);
      arm();
    });
  };
  arm();
  return () => timer.cancel();
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function openFiles(): number {
  return onLinux(() => readdirSync('/proc/self/fd').length);
}

function mostFiles(): number {
  return onLinux(() => Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]));
}

function onLinux(read: () => number): number {
  try {
    return read();
  } catch {
    return Number.NaN;
  }
}
