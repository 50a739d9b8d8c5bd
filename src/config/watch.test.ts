import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, Timer } from '../core/clock.ts';
import { type Millis, millis } from '../core/units.ts';
import { type Invalid, type Loaded, type LoadOptions, loadConfig } from './load.ts';
import { type ConfigWatch, watchConfig } from './watch.ts';

let folder = '';
let watch: ConfigWatch | null = null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-watch-'));
});

afterEach(() => {
  watch?.stop();
  watch = null;
  rmSync(folder, { recursive: true, force: true });
});

const retries = (count: number | string): string => `router_settings:\n  num_retries: ${count}\n`;
const DAY = millis(86_400_000);

const realClock: Pick<Clock, 'after'> = {
  after: (delay: Millis, callback: () => void): Timer => {
    const timer = setTimeout(callback, delay);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** A clock that moves only when told. */
class ManualClock implements Pick<Clock, 'after'> {
  readonly #timers = new Set<{ readonly delay: Millis; readonly callback: () => void }>();

  after(delay: Millis, callback: () => void): Timer {
    const timer = { delay, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Runs what was waiting for this delay. */
  run(delay: Millis): void {
    for (const timer of [...this.#timers]) {
      if (timer.delay !== delay) continue;
      this.#timers.delete(timer);
      timer.callback();
    }
  }

  get size(): number {
    return this.#timers.size;
  }
}

function options(path: string): LoadOptions {
  return { path, readFile: (file) => readFileSync(file, 'utf8'), env: {}, strict: false, demo: null };
}

const retriesOf = (result: Loaded | Invalid): number | string =>
  result.kind === 'loaded' ? result.snapshot.routing.numRetries : 'invalid';

/** Starts watching; each result in turn comes out of `next`. */
function start(path: string, clock: Pick<Clock, 'after'> = realClock, poll = DAY) {
  const results: (Loaded | Invalid)[] = [];
  const waiting: ((result: Loaded | Invalid) => void)[] = [];
  const load = options(path);
  watch = watchConfig({
    load,
    current: loadConfig(load),
    clock,
    debounce: millis(5),
    poll,
    onChange: (result) => {
      const next = waiting.shift();
      if (next === undefined) results.push(result);
      else next(result);
    },
  });
  const next = (): Promise<Loaded | Invalid> => {
    const result = results.shift();
    return result === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(result);
  };
  return { next, results, watch };
}

/** The first result that satisfies the condition: a write may be seen half done. */
async function until(next: () => Promise<Loaded | Invalid>, wanted: number | string): Promise<Loaded | Invalid> {
  for (;;) {
    const result = await next();
    if (retriesOf(result) === wanted) return result;
  }
}

describe('an edit is noticed', () => {
  test('when the file is written in place', async () => {
    const path = join(folder, 'config.yaml');
    writeFileSync(path, retries(1));
    const { next } = start(path);
    writeFileSync(path, retries(2));
    expect(retriesOf(await until(next, 2))).toBe(2);
  });

  test('when an editor puts a new file in its place, again and again', async () => {
    const path = join(folder, 'config.yaml');
    writeFileSync(path, retries(1));
    const { next } = start(path);
    for (const count of [2, 3, 4]) {
      writeFileSync(`${path}.new`, retries(count));
      renameSync(`${path}.new`, path);
      expect(retriesOf(await until(next, count))).toBe(count);
    }
  });

  test('when Kubernetes swaps the link of a mounted ConfigMap', async () => {
    const version = (name: string, count: number): void => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'config.yaml'), retries(count));
    };
    version('..2026_01', 1);
    symlinkSync('..2026_01', join(folder, '..data'));
    symlinkSync(join('..data', 'config.yaml'), join(folder, 'config.yaml'));
    const { next } = start(join(folder, 'config.yaml'));
    for (const [name, count] of [
      ['..2026_02', 2],
      ['..2026_03', 3],
    ] as const) {
      version(name, count);
      symlinkSync(name, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
      expect(retriesOf(await until(next, count))).toBe(count);
    }
  });

  test('when it is in an included file, also one that an edit has added', async () => {
    const path = join(folder, 'config.yaml');
    mkdirSync(join(folder, 'parts'));
    writeFileSync(join(folder, 'parts', 'routing.yaml'), retries(5));
    writeFileSync(path, 'model_list: []\n');
    const { next } = start(path);
    writeFileSync(path, 'include: [parts/routing.yaml]\n');
    await until(next, 5);
    writeFileSync(join(folder, 'parts', 'routing.yaml'), retries(6));
    expect(retriesOf(await until(next, 6))).toBe(6);
  });
});

describe('a bad edit', () => {
  test('is delivered as invalid, and the good one after it as loaded', async () => {
    const path = join(folder, 'config.yaml');
    writeFileSync(path, retries(1));
    const { next } = start(path);
    writeFileSync(`${path}.new`, retries('many'));
    renameSync(`${path}.new`, path);
    const bad = await until(next, 'invalid');
    expect(bad.findings[0]).toMatchObject({ line: 2, path: 'router_settings.num_retries' });
    writeFileSync(`${path}.new`, retries(3));
    renameSync(`${path}.new`, path);
    expect(retriesOf(await until(next, 3))).toBe(3);
  });

  test('a file that is removed is invalid, and loaded when it is back', async () => {
    const path = join(folder, 'config.yaml');
    writeFileSync(path, retries(1));
    const { next } = start(path);
    rmSync(path);
    await until(next, 'invalid');
    writeFileSync(path, retries(2));
    expect(retriesOf(await until(next, 2))).toBe(2);
  });
});

describe('on a clock that stands still', () => {
  const poll = millis(1000);

  test('polling finds what no event told, once', () => {
    const path = join(folder, 'config.yaml');
    writeFileSync(path, retries(1));
    const clock = new ManualClock();
    const { results } = start(path, clock, poll);
    clock.run(poll);
    expect(results).toHaveLength(0);
    writeFileSync(path, retries(2));
    clock.run(poll);
    clock.run(poll);
    expect(results.map(retriesOf)).toEqual([2]);
  });

  test('an edit between loading and watching is found at once', () => {
    const path = join(folder, 'config.yaml');
    writeFileSync(path, retries(1));
    const load = options(path);
    const current = loadConfig(load);
    writeFileSync(path, retries(2));
    const seen: (number | string)[] = [];
    watch = watchConfig({
      load,
      current,
      clock: new ManualClock(),
      onChange: (result) => seen.push(retriesOf(result)),
    });
    expect(seen).toEqual([2]);
  });

  test('touching the file without a change delivers nothing', () => {
    const path = join(folder, 'config.yaml');
    writeFileSync(path, retries(1));
    const clock = new ManualClock();
    const { results } = start(path, clock, poll);
    writeFileSync(path, retries(1));
    clock.run(poll);
    clock.run(millis(5));
    expect(results).toHaveLength(0);
  });

  test('reload delivers, changed or not', () => {
    const path = join(folder, 'config.yaml');
    writeFileSync(path, retries(1));
    const { results, watch: watching } = start(path, new ManualClock(), poll);
    expect(retriesOf(watching.reload())).toBe(1);
    expect(results.map(retriesOf)).toEqual([1]);
  });

  test('after stop nothing is delivered and no timer is left', () => {
    const path = join(folder, 'config.yaml');
    writeFileSync(path, retries(1));
    const clock = new ManualClock();
    const { results, watch: watching } = start(path, clock, poll);
    watching.stop();
    writeFileSync(path, retries(2));
    clock.run(poll);
    expect([results.length, clock.size]).toEqual([0, 0]);
  });

  test('the built-in configuration has nothing to watch', () => {
    const load: LoadOptions = { ...options('unused'), path: null };
    const clock = new ManualClock();
    watch = watchConfig({
      load,
      current: loadConfig(load),
      clock,
      poll,
      onChange: () => {
        throw new Error('nothing can change');
      },
    });
    clock.run(poll);
    expect(clock.size).toBe(1);
  });
});
