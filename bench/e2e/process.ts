import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** A program under measurement or a helper of the benchmark. */
export interface Running {
  readonly pid: number;
  readonly exited: Promise<number>;
  readonly readLine: () => Promise<string>;
}

const running = new Map<number, Bun.Subprocess>();

/** Starts a program, output to `log` or readable line by line; `cpu` pins it when `taskset` exists. */
export function start(
  command: readonly string[],
  options: {
    readonly cpu?: number;
    readonly env?: Record<string, string>;
    readonly cwd: string;
    readonly log?: string;
  },
): Running {
  const pinned =
    options.cpu !== undefined && canPin ? ['taskset', '-c', String(options.cpu), ...command] : [...command];
  const child = Bun.spawn(pinned, {
    cwd: options.cwd,
    env: { PATH: process.env.PATH ?? '', HOME: options.cwd, ...options.env },
    stdin: 'ignore',
    stdout: options.log === undefined ? 'pipe' : Bun.file(options.log),
    stderr: options.log === undefined ? 'inherit' : Bun.file(options.log + '.err'),
  });
  running.set(child.pid, child);
  void child.exited.then(() => running.delete(child.pid));
  return { pid: child.pid, exited: child.exited, readLine: () => firstLine(child.stdout) };
}

/** Ends a process that `start` gave: asks, waits three seconds, then forces. */
export async function stop(pid: number): Promise<void> {
  const child = running.get(pid);
  if (child === undefined) return;
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 3000);
  await child.exited;
  clearTimeout(force);
}

/** Ends everything this run started, and nothing else. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running.keys()].map(stop));
}

/** Whether programs can be kept on one CPU each. All CPUs count here, not those left to this process by its own pinning. */
export const canPin = Bun.which('taskset') !== null && cpus().length > 1;

/** CPU time in nanoseconds of each thread of a process and all its descendants: what the scheduler says they ran. */
export function cpuByThread(pid: number): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  sumOverTree(pid, (member) => {
    for (const thread of list(`/proc/${member}/task`))
      found.set(thread, Number(read(`/proc/${member}/task/${thread}/schedstat`).split(' ')[0]));
    return 0;
  });
  return found;
}

/**
 * CPU time in nanoseconds since `before`.
 *
 * By thread, because the time of one that ended (a compiler of the engine) leaves the files with it: a plain difference
 * of sums would then take all its life from the result.
 */
export function cpuSince(before: ReadonlyMap<string, number>, pid: number): number {
  let total = 0;
  for (const [thread, nanos] of cpuByThread(pid)) total += nanos - (before.get(thread) ?? 0);
  return total;
}

/** Resident memory in bytes of a process and all its descendants; shared pages count in each. */
export function rssBytes(pid: number): number {
  return sumOverTree(pid, (member) => Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${member}/status`))?.[1] ?? 0) * 1024);
}

function sumOverTree(pid: number, measure: (pid: number) => number): number {
  const children = list(`/proc/${pid}/task`).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return children.reduce((sum, child) => sum + sumOverTree(child, measure), measure(pid));
}

// Threads and children may end between listing and reading.
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

async function firstLine(stream: Bun.Subprocess['stdout']): Promise<string> {
  if (!(stream instanceof ReadableStream)) return '';
  let text = '';
  for await (const chunk of stream) {
    text += Buffer.from(chunk).toString();
    if (text.includes('\n')) break;
  }
  return text.split('\n')[0] ?? '';
}
