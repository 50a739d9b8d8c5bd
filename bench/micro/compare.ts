import { cpus } from 'node:os';

/** A way of doing the thing in question; `run` does it `times` times and gives something that depends on all of them. */
export interface Contender {
  readonly name: string;
  run(times: number): number;
}

const ROUNDS = 5;
const ROUND_MS = 150;
/** Keeps the engine from removing work whose result nobody reads. */
let sink = 0;

/**
 * Times the contenders in alternation and prints nanoseconds per operation: median and extremes of five rounds.
 *
 * Each is warmed up and calibrated first, so that one round takes about 150 ms.
 */
export function compare(question: string, contenders: readonly Contender[]): void {
  console.log(`\n${question}`);
  const runs = contenders.map((contender) => ({ contender, times: calibrate(contender), found: [] as number[] }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { contender, times, found } of round % 2 === 0 ? runs : runs.toReversed()) {
      const start = Bun.nanoseconds();
      sink += contender.run(times);
      found.push((Bun.nanoseconds() - start) / times);
    }
  }
  for (const { contender, found } of runs) {
    found.sort((a, b) => a - b);
    const [least = 0, most = 0] = [found[0], found.at(-1)];
    const median = found[Math.floor(ROUNDS / 2)] ?? 0;
    console.log(`  ${contender.name.padEnd(44)}${show(median).padStart(10)}   (${show(least)} – ${show(most)})`);
  }
}

/** Ends the output with what the numbers were made on. */
export function printMachine(): void {
  console.log(
    `\nBun ${Bun.version}, ${cpus()[0]?.model ?? 'unknown CPU'}; per operation, median (least – most) of ${ROUNDS} rounds [${sink % 2}]`,
  );
}

function calibrate(contender: Contender): number {
  let times = 1;
  for (;;) {
    const start = Bun.nanoseconds();
    sink += contender.run(times);
    const elapsedMs = (Bun.nanoseconds() - start) / 1e6;
    if (elapsedMs > ROUND_MS / 2) return Math.max(1, Math.round((times * ROUND_MS) / elapsedMs));
    times *= 2;
  }
}

function show(nanos: number): string {
  return nanos < 10_000 ? `${nanos.toFixed(0)} ns` : `${(nanos / 1000).toFixed(1)} µs`;
}
