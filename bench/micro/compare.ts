import { cpus } from 'node:os';

/** A way of doing the thing in question; `run` does it `times` times and gives something that depends on all of them. */
export interface Contender<Result = number> {
  readonly name: string;
  run(times: number): Result;
}

const ROUNDS = 5;
const ROUND_MS = 150;
/** Keeps the engine from removing work whose result nobody reads. */
let sink = 0;

/**
 * Times the contenders in alternation and prints CPU time per operation: median and extremes of five rounds.
 *
 * Each is warmed up and calibrated first, so that one round takes about 150 ms.
 */
export function compare(question: string, contenders: readonly Contender[]): void {
  const runs = contenders.map((contender) => ({ contender, times: 1, found: [] as number[] }));
  for (const run of runs) {
    for (let spent = 0; spent < ROUND_MS / 2; ) {
      spent = measure(run.contender, run.times) * run.times * 1e-6;
      run.times = nextTimes(run.times, spent);
    }
  }
  for (let round = 0; round < ROUNDS; round++)
    for (const { contender, times, found } of inOrder(runs, round)) found.push(measure(contender, times));
  print(question, runs);
}

/** The same for contenders that wait. */
export async function compareAsync(question: string, contenders: readonly Contender<Promise<number>>[]): Promise<void> {
  const runs = contenders.map((contender) => ({ contender, times: 1, found: [] as number[] }));
  for (const run of runs) {
    for (let spent = 0; spent < ROUND_MS / 2; ) {
      spent = (await measureAsync(run.contender, run.times)) * run.times * 1e-6;
      run.times = nextTimes(run.times, spent);
    }
  }
  for (let round = 0; round < ROUNDS; round++)
    for (const { contender, times, found } of inOrder(runs, round)) found.push(await measureAsync(contender, times));
  print(question, runs);
}

/** Ends the output with what the numbers were made on. */
export function printMachine(): void {
  const machine = `Bun ${Bun.version}, ${cpus()[0]?.model ?? 'unknown CPU'}`;
  console.log(`\n${machine}; CPU time per operation, median (least – most) of ${ROUNDS} rounds [${sink % 2}]`);
}

function measure(contender: Contender, times: number): number {
  const before = process.cpuUsage();
  sink += contender.run(times);
  return cpuNanosSince(before) / times;
}

async function measureAsync(contender: Contender<Promise<number>>, times: number): Promise<number> {
  const before = process.cpuUsage();
  sink += await contender.run(times);
  return cpuNanosSince(before) / times;
}

/** CPU time and not the clock: neighbours on the machine, and waiting, do not count; the collector's threads do. */
function cpuNanosSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

/** Doubles until a run takes half a round, then aims at a whole one. */
function nextTimes(times: number, spentMs: number): number {
  return spentMs < ROUND_MS / 2 ? times * 2 : Math.max(1, Math.round((times * ROUND_MS) / spentMs));
}

function inOrder<T>(items: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? items : items.toReversed();
}

function print(question: string, runs: readonly { contender: Contender<unknown>; found: number[] }[]): void {
  console.log(`\n${question}`);
  for (const { contender, found } of runs) {
    found.sort((a, b) => a - b);
    const [least = 0, median = 0, most = 0] = [found[0], found[Math.floor(ROUNDS / 2)], found.at(-1)];
    console.log(`  ${contender.name.padEnd(44)}${show(median).padStart(10)}   (${show(least)} – ${show(most)})`);
  }
}

function show(nanos: number): string {
  return nanos < 10_000 ? `${nanos.toFixed(0)} ns` : `${(nanos / 1000).toFixed(1)} µs`;
}
