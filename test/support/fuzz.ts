import fc from 'fast-check';

/** Seconds that each property may take; without it every property has its own number of runs. */
const SECONDS = Number(process.env.TOLLGATE_FUZZ_SECONDS ?? 0);
/** The seed of this run, of 31 bits; `TOLLGATE_FUZZ_SEED` repeats a run that failed. */
const SEED = Number(process.env.TOLLGATE_FUZZ_SEED ?? Math.floor(Math.random() * 0x7fffffff));
/** Time for the clean-up and for shrinking what failed, beyond the property's own. */
const SLACK_MS = 60_000;

let isSeedPrinted = false;

/** What fast-check is told. */
export interface Runs {
  readonly seed: number;
  readonly numRuns: number;
  readonly interruptAfterTimeLimit?: number;
  readonly markInterruptAsFailure?: boolean;
}

/** The time limit of a test that holds `properties` of these, milliseconds. */
export const fuzzTimeout = (properties = 1): number => properties * SECONDS * 1000 + SLACK_MS;

/**
 * Parameters of a property that is a fuzz test as well: `runs` of it, or for as long as `TOLLGATE_FUZZ_SECONDS` says.
 *
 * The seed is printed before the first run, since a process that is killed prints none afterwards.
 */
export function fuzzed(runs: number): Runs {
  if (!isSeedPrinted) console.log(`fuzz: TOLLGATE_FUZZ_SEED=${SEED} repeats this run`);
  isSeedPrinted = true;
  if (SECONDS === 0) return { seed: SEED, numRuns: runs };
  return {
    seed: SEED,
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: SECONDS * 1000,
    markInterruptAsFailure: false,
  };
}

/** Counts the runs of a long form, which fast-check does not tell. */
export class Tally {
  #runs = 0;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  count(): void {
    this.#runs += 1;
  }

  print(): void {
    if (SECONDS > 0) console.log(`fuzz: ${this.#name}: ${this.#runs} runs in ${SECONDS} s`);
  }
}

/**
 * Texts near to sound ones: one to three samples behind each other, damaged in up to `most` places.
 *
 * @param tokens what is put in, over or twice: pieces of the grammar and bytes that are none
 */
export function damaged(samples: readonly string[], tokens: readonly string[], most = 4): fc.Arbitrary<string> {
  const damage = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('insert', 'replace', 'remove', 'repeat', 'byte'),
    token: fc.constantFrom(...tokens),
    length: fc.nat(12),
    byte: fc.nat(255),
  });
  return fc
    .tuple(fc.array(fc.constantFrom(...samples), { minLength: 1, maxLength: 3 }), fc.array(damage, { maxLength: most }))
    .map(([parts, damages]) =>
      damages.reduce((text, { at, kind, token, length, byte }) => {
        const place = at % (text.length + 1);
        const before = text.slice(0, place);
        const rest = text.slice(place);
        if (kind === 'insert') return before + token + rest;
        if (kind === 'replace') return before + token + rest.slice(token.length);
        if (kind === 'remove') return before + rest.slice(length);
        if (kind === 'repeat') return before + rest.slice(0, length) + rest;
        return before + String.fromCharCode(byte) + rest.slice(1);
      }, parts.join('')),
    );
}

/** `whole` cut at the given places, each taken modulo its length. */
export function cutAt(whole: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...at]
    .map((from, index) => whole.subarray(from, at[index] ?? whole.length))
    .filter(({ length }) => length > 0);
}
