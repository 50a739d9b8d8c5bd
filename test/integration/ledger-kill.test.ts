import { afterEach, beforeEach, expect, test } from 'bun:test';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { seconds } from '../../src/core/units.ts';
import { inspectJournals } from '../../src/ledger/inspect.ts';
import { LedgerBench, upTo } from '../support/ledger.ts';

/** `LEDGER_KILLS=1000` is the long form. */
const KILLS = Number(process.env.LEDGER_KILLS ?? 30);
const CHILD = join(import.meta.dir, '../support/ledger-child.ts');
const BUN = [process.execPath, '--no-env-file'];

let bench: LedgerBench;

beforeEach(() => {
  bench = new LedgerBench();
});
afterEach(() => bench.remove());

/** What the child has said, by the letter its lines begin with; a last line without its end was not said. */
function said(output: string): Readonly<Record<'b' | 'r' | 'f', readonly number[]>> {
  const lines = output.split('\n').slice(0, -1);
  const of = (letter: string) => lines.filter((line) => line.startsWith(letter)).map((line) => Number(line.slice(2)));
  return { b: of('b'), r: of('r'), f: of('f') };
}

/** Starts a child, kills it once it has said so many bytes, and gives back all that it said. */
async function killAfter(bytes: number, run: string): Promise<string> {
  const child = Bun.spawn([...BUN, CHILD, bench.folder, run], { stdout: 'pipe', stderr: 'inherit' });
  const decoder = new TextDecoder();
  let output = '';
  for await (const part of child.stdout) {
    output += decoder.decode(part, { stream: true });
    if (output.length >= bytes) child.kill('SIGKILL');
  }
  await child.exited;
  expect(child.signalCode).toBe('SIGKILL');
  return output;
}

test(`kill -9, ${KILLS} times at random moments: every request that began has one row, and every end that was recorded`, async () => {
  const begun: string[] = [];
  const recorded: string[] = [];
  for (const index of upTo(KILLS)) {
    const run = `run-${index}`;
    const { b, r } = said(await killAfter(Math.floor(10 + Math.random() * 10_000), run));
    begun.push(...b.map((number) => `${run}-${number}`));
    recorded.push(...r.map((number) => `${run}-${number}`));
    // Every third time, so that most starts find several dead, and some of them were found before.
    if (index % 3 === 2) await recover(`after-${index}`);
  }
  await recover('last');
  const { rows } = bench.store;
  expect(begun.filter((id) => !rows.has(id))).toEqual([]);
  expect(recorded.filter((id) => rows.get(id)?.end !== 'success')).toEqual([]);
  // The child may have begun one more, and ended one more, than it came to say.
  expect(rows.size - begun.length).toBeWithin(0, KILLS + 1);
  const ended = [...rows.values()].filter(({ end }) => end === 'success').length;
  expect(ended - recorded.length).toBeWithin(0, KILLS + 1);
  expect(bench.store.duplicates).toBe(0);
  expect(recorded.length).toBeGreaterThan(KILLS * 20);
}, 120_000);

async function recover(run: string): Promise<void> {
  const ledger = await bench.open({ run });
  await bench.settled(ledger.drained());
  await bench.settled(ledger.close(seconds(1)));
  expect(bench.files.filter((name) => !name.startsWith('quarantine'))).toEqual([]);
}

test('a kernel that lets no file grow beyond 64 KiB, in the middle of a record if need be, loses nothing', async () => {
  const command = `ulimit -f 64; trap '' XFSZ; exec "$0" "$@"`;
  const child = Bun.spawn(['bash', '-c', command, ...BUN, CHILD, bench.folder, 'limited', '400'], {
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const output = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  const sizes = readdirSync(join(bench.folder, 'limited'))
    .filter((name) => name.endsWith('.journal'))
    .map((name) => statSync(join(bench.folder, 'limited', name)).size);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024);
  expect(sizes.length).toBeGreaterThan(5);
  const [run] = await inspectJournals(bench.folder, () => {});
  // Open requests are noted again after each recovery; the process may end in the middle of that.
  expect(run?.damages.filter(({ kind }) => kind === 'corrupt')).toEqual([]);
  await recover('next');
  const { b, r } = said(output);
  expect(b).toHaveLength(400);
  expect(bench.store.rows.size).toBe(400);
  expect([...bench.store.rows.values()].filter(({ end }) => end === 'success')).toHaveLength(r.length);
}, 60_000);
