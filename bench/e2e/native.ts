import { join } from 'node:path';
import { start } from './process.ts';
import type { Workload } from './workloads.ts';

/** Percentiles of one run in microseconds. */
export interface Distribution {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** What `load` prints. */
export interface LoadResult {
  readonly completed: number;
  /** Completed before the time was over; with `windowMs` for requests per second. */
  readonly inWindow: number;
  readonly windowMs: number;
  readonly errors: number;
  readonly firstError: string;
  readonly reconnects: number;
  readonly events: number;
  readonly latencyUs: Distribution;
  readonly firstEventUs: Distribution;
  readonly eventDelayUs: Distribution;
}

/** Compiles mock and load generator into `folder`. Throws with what to install when there is no compiler. */
export function compile(folder: string): void {
  if (Bun.which('gcc') === null)
    throw new Error(
      'The benchmark needs gcc (its mock upstream and load generator are C). On Debian: apt-get install gcc libc6-dev',
    );
  for (const name of ['mock', 'load']) {
    const built = Bun.spawnSync(['gcc', '-O2', '-Wall', '-o', join(folder, name), join(import.meta.dir, `${name}.c`)]);
    if (built.exitCode !== 0) throw new Error(`gcc ${name}.c: ${built.stderr}`);
  }
}

/** Starts the mock upstream and gives its port. */
export async function startMock(folder: string): Promise<number> {
  return Number(await start([join(folder, 'mock'), '0', String(process.pid)], { cwd: folder }).readLine());
}

/** Runs one workload against a port on loopback; the body files stand in `folder`. */
export async function runLoad(folder: string, port: number, workload: Workload, seconds: number): Promise<LoadResult> {
  const isStream = workload.body === 'stream';
  const command = [
    join(folder, 'load'),
    ...['--port', String(port), '--parent', String(process.pid), '--body', join(folder, `${workload.body}.json`)],
    ...['--connections', String(workload.connections), '--seconds', String(seconds)],
    ...REQUEST_HEADERS.flatMap((line) => ['--header', line]),
    ...(workload.rate === null ? [] : ['--rate', String(workload.rate)]),
    ...(isStream ? ['--stream', '60', '--spread-ms', '1200'] : ['--marker', 'fp_bench_answer']),
  ];
  const child = start(command, { cwd: folder });
  const line = await child.readLine();
  if ((await child.exited) !== 0 || line === '') throw new Error(`the load generator failed on ${workload.name}`);
  return JSON.parse(line) as LoadResult; // our own program's output
}

/** What an OpenAI SDK sends, so that header handling costs what it costs in life. */
export const REQUEST_HEADERS = [
  'authorization: Bearer sk-bench-master-key',
  'content-type: application/json',
  'accept: application/json',
  'user-agent: OpenAI/Python 1.109.1',
  'x-stainless-lang: python',
  'x-stainless-package-version: 1.109.1',
  'x-stainless-os: Linux',
  'x-stainless-arch: x64',
  'x-stainless-runtime: CPython',
  'x-stainless-runtime-version: 3.12.11',
  'x-stainless-async: false',
  'x-stainless-retry-count: 0',
  'x-stainless-read-timeout: 600',
] as const;
