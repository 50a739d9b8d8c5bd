/**
 * What does Tollgate cost beside a plain proxy? One command, `bench/e2e/run`; see bench/README.md.
 *
 * Exits 1 when an answer was wrong or a request failed, never because a target was missed.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeBodies } from './bodies.ts';
import { check } from './check.ts';
import { compile, type LoadResult, runLoad, startMock } from './native.ts';
import { canPin, cpuByThread, cpuSince, rssBytes, stop, stopAll } from './process.ts';
import { markdown, type Results, type Sample } from './report.ts';
import { type Launched, launch, VARIANTS } from './variants.ts';
import { WORKLOADS, type Workload } from './workloads.ts';

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    /** Comma-separated names; all by default. */
    variants: { type: 'string' },
    /** Only workloads whose name holds this text. */
    workloads: { type: 'string' },
    rounds: { type: 'string' },
    results: { type: 'string' },
  },
});

const variants = VARIANTS.filter(
  (variant) => flags.variants === undefined || flags.variants.split(',').includes(variant.name),
);
const workloads = WORKLOADS.filter((workload) =>
  flags.workloads === undefined ? workload.inQuick || !flags.quick : workload.name.includes(flags.workloads),
);
const rounds = Number(flags.rounds ?? (flags.quick ? 3 : 5));
const starts = flags.quick ? 3 : 7;
/** Quick runs measure for half the time. */
const pace = flags.quick ? 0.5 : 1;
const LONGEST_RUN_MS = 20 * 60_000;

const folder = mkdtempSync(join(tmpdir(), 'tollgate-bench-'));
setTimeout(() => void finish('the run took longer than 20 minutes'), LONGEST_RUN_MS).unref();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void finish(signal));

try {
  const results = await measure();
  await write(results);
  await finish(results.faults.length > 0 ? `${results.faults.length} faults, see above` : null);
} catch (error) {
  await finish(error instanceof Error ? error.message : String(error));
}

async function measure(): Promise<Results> {
  if (process.platform !== 'linux') throw new Error('The benchmark reads /proc and needs Linux.');
  if (variants.some((variant) => variant.name === 'nginx') && Bun.which('nginx') === null)
    throw new Error('The benchmark compares with nginx. On Debian: apt-get install nginx-light');
  // Before the run: others may commit while it lasts.
  const facts = about();
  compile(folder);
  await writeBodies(folder);
  const mockPort = await startMock(folder);
  const firstAnswerMs = await measureStarts(mockPort);
  const launched: Launched[] = [];
  for (const variant of variants) launched.push(await launch(variant, folder, mockPort));
  await Bun.sleep(2000);
  const idleRssBytes = Object.fromEntries(launched.map(({ variant, pid }) => [variant.name, rssBytes(pid)]));
  const faults = await checkAll(launched);
  await warmUp(launched);
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++)
    for (const workload of workloads) samples.push(...(await measureRound(round, workload, launched, mockPort)));
  faults.push(...loadFaults(samples));
  return { about: { ...facts, 'load average after': averageLoad() }, samples, firstAnswerMs, idleRssBytes, faults };
}

/** Several starts of each variant, taken in turn. */
async function measureStarts(mockPort: number): Promise<Record<string, number[]>> {
  const found: Record<string, number[]> = Object.fromEntries(variants.map((variant) => [variant.name, []]));
  for (let turn = 0; turn < starts; turn++) {
    for (const variant of ordered(variants, turn)) {
      const { pid, firstAnswerMs } = await launch(variant, folder, mockPort);
      await stop(pid);
      found[variant.name]?.push(firstAnswerMs);
    }
  }
  return found;
}

async function checkAll(launched: readonly Launched[]): Promise<string[]> {
  const faults: string[] = [];
  for (const { variant, port } of launched)
    for (const fault of await check(port, variant.renamesModel)) faults.push(`${variant.name}: ${fault}`);
  return faults;
}

/** Long enough for the compilers of the engine to settle; each kind of load once more is warmed in round 0. */
async function warmUp(launched: readonly Launched[]): Promise<void> {
  for (const { port } of launched)
    for (const workload of WORKLOADS.filter(({ name }) => ['small x 64', '1m x 64', 'stream x 64'].includes(name)))
      await runLoad(folder, port, workload, 5 * pace);
}

/** One workload through all variants; every second round in reverse, so that drift of the machine hits both ends. */
async function measureRound(
  round: number,
  workload: Workload,
  launched: readonly Launched[],
  mockPort: number,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const direct = workload.withDirect ? [null] : [];
  for (const target of ordered([...direct, ...launched], round)) {
    const port = target?.port ?? mockPort;
    if (round === 0) await runLoad(folder, port, workload, 0.5 * pace);
    const before = target === null ? null : cpuByThread(target.pid);
    const load = await runLoad(folder, port, workload, workload.seconds * pace);
    const cpu = target === null || before === null ? 0 : cpuSince(before, target.pid);
    const variant = target?.variant.name ?? 'direct';
    samples.push({
      workload: workload.name,
      variant,
      round,
      load,
      cpuNanos: cpu,
      rssBytes: target === null ? 0 : rssBytes(target.pid),
    });
    console.error(progress(round, workload, variant, load, cpu));
  }
  return samples;
}

function progress(round: number, workload: Workload, variant: string, load: LoadResult, cpu: number): string {
  const unit = cpu / 1000 / (load.events || load.completed);
  const name = `${round + 1}/${rounds} ${workload.name}`.padEnd(34);
  return `${name}${variant.padEnd(10)}${unit.toFixed(1).padStart(8)} µs CPU ${String(load.completed).padStart(8)} done ${load.errors} errors`;
}

function loadFaults(samples: readonly Sample[]): string[] {
  return samples
    .filter(({ load }) => load.errors > 0 || load.completed === 0)
    .map(
      ({ variant, workload, round, load }) =>
        `${variant}, ${workload}, round ${round + 1}: ${load.errors} errors of ${load.completed + load.errors}, the first: ${load.firstError}`,
    );
}

function ordered<T>(items: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? items : items.toReversed();
}

function about(): Record<string, string> {
  const output = (...command: string[]) => {
    const run = Bun.spawnSync(command, { cwd: import.meta.dir, stderr: 'pipe' });
    return `${run.stdout}${run.stderr}`.trim().split('\n')[0] ?? '';
  };
  const isDirty = output('git', 'status', '--porcelain', '--untracked-files=no', '../../src') !== '';
  return {
    date: new Date().toISOString(),
    command: ['bench/e2e/run', ...process.argv.slice(2)].join(' '),
    commit: `${output('git', 'rev-parse', '--short', 'HEAD')}${isDirty ? ' with changes' : ''}`,
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    versions: `Bun ${Bun.version}, ${output('nginx', '-v')}, ${output('gcc', '--version')}`,
    pinning: canPin ? 'proxy on CPU 1, mock and load on CPU 0' : 'none',
    rounds: `${rounds}, starts ${starts}`,
    'load average before': averageLoad(),
  };
}

function averageLoad(): string {
  return loadavg()
    .map((value) => value.toFixed(2))
    .join(' ');
}

async function write(results: Results): Promise<void> {
  const target = flags.results ?? join(import.meta.dir, '../results');
  mkdirSync(target, { recursive: true });
  const name = `${new Date().toISOString().slice(0, 10)}-e2e${flags.quick ? '-quick' : ''}`;
  const table = markdown(results);
  await Bun.write(join(target, `${name}.json`), `${JSON.stringify(results, null, 1)}\n`);
  await Bun.write(join(target, `${name}.md`), table);
  console.log(table);
}

async function finish(problem: string | null): Promise<never> {
  if (problem !== null) console.error(`bench/e2e: ${problem}`);
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
  process.exit(problem === null ? 0 : 1);
}
