/**
 * What do keys, limits, budgets and the ledger cost, in CPU of the gateway's process for each request?
 *
 *     bun bench/e2e/virtual-keys.ts [ANOTHER_TREE]
 *
 * Contenders: the master key and a virtual key with limits and a budget, on the embedded database and on PostgreSQL; and
 * the master key on another tree, such as an earlier commit, when one is named. All gateways run at once and take turns.
 * CPU is user and system time of the process from /proc, so Linux only; the upstream and the client are other processes'.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { MASTER_KEY } from '../../test/support/gateway.ts';
import { nanoUsd } from '../../test/support/store.ts';
import { changing, configOf, createKey, ground } from '../../test/support/tenants.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 6);
const REQUESTS = Number(process.env.REQUESTS ?? 2_000);
const AT_ONCE = 8;
/** Linux counts in hundredths of a second for every program. */
const TICK_US = 10_000;

interface Contender {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  readonly key: string;
  readonly found: number[];
}

const here = join(import.meta.dir, '../..');
const simulator = await startSimulator({ logLimit: 1 });
const config = configOf(simulator.url);
const children: Bun.Subprocess[] = [];
const grounds = [];

async function gateway(tree: string, dataDir: string, databaseUrl: string): Promise<{ url: string; pid: number }> {
  const path = join(dataDir, 'config.yaml');
  await Bun.write(path, config);
  const words = ['--config', path, '--port', '0', '--host', '127.0.0.1', '--data-dir', dataDir];
  const child = Bun.spawn([join(tree, 'bin/tollgate'), ...words], {
    env: {
      PATH: process.env.PATH ?? '',
      LITELLM_MASTER_KEY: MASTER_KEY,
      KEY: 'sk-none',
      LITELLM_LOG: 'ERROR',
      ...(databaseUrl === '' ? {} : { DATABASE_URL: databaseUrl }),
    },
    stdout: 'pipe',
    stderr: 'inherit',
  });
  children.push(child);
  let text = '';
  for await (const bytes of child.stdout) {
    text += Buffer.from(bytes).toString();
    const port = /serves at http:\/\/[^:]+:(\d+)/.exec(text)?.[1];
    if (port !== undefined) return { url: `http://127.0.0.1:${port}`, pid: child.pid };
  }
  throw new Error(text);
}

const contenders: Contender[] = [];
const [another] = process.argv.slice(2);
if (another !== undefined) {
  const place = await ground('sqlite');
  grounds.push(place);
  contenders.push({
    name: 'another tree, master key',
    ...(await gateway(another, place.dataDir, '')),
    key: MASTER_KEY,
    found: [],
  });
}
for (const kind of ['sqlite', 'postgres'] as const) {
  const place = await ground(kind);
  grounds.push(place);
  const key = await place.withStore((store) =>
    changing(store, (writers) =>
      createKey(writers, 'key', {
        ...{ rpm_limit: 10_000_000, tpm_limit: 1_000_000_000, max_parallel_requests: 10_000 },
        ...{ max_budget_nano: nanoUsd(10n ** 15n), budget_duration: '30d' },
      }),
    ),
  );
  const running = await gateway(here, place.dataDir, place.url);
  contenders.push({ name: `${kind}, master key`, ...running, key: MASTER_KEY, found: [] });
  contenders.push({ name: `${kind}, virtual key`, ...running, key: key.text, found: [] });
}

const cpuOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
};

async function drive({ url, key }: Contender, requests: number): Promise<void> {
  const body = JSON.stringify({ model: 'small', max_tokens: 50, messages: [{ role: 'user', content: 'Hello there' }] });
  let left = requests;
  const client = async () => {
    while (left-- > 0) {
      const answer = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body,
      });
      await answer.arrayBuffer();
      if (answer.status !== 200) throw new Error(`${answer.status}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
}

/** Everything that a round leaves to be written is part of its cost. */
const SETTLE_MS = 1_000;

for (const contender of contenders) await drive(contender, REQUESTS);
await Bun.sleep(SETTLE_MS);
for (let round = 0; round < ROUNDS; round++)
  for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
    const before = cpuOf(contender.pid);
    await drive(contender, REQUESTS);
    await Bun.sleep(SETTLE_MS);
    contender.found.push((cpuOf(contender.pid) - before) / REQUESTS);
  }

console.log(
  `CPU of the gateway for each request, µs: median (least to most) of ${ROUNDS} rounds of ${REQUESTS} requests`,
);
for (const { name, found } of contenders) {
  const sorted = found.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? 0;
  console.log(`${name.padEnd(28)} ${median.toFixed(0)} (${sorted[0]?.toFixed(0)} to ${sorted.at(-1)?.toFixed(0)})`);
}
for (const child of children) child.kill('SIGTERM');
await Promise.all(children.map(({ exited }) => exited));
await simulator.stop();
for (const place of grounds) await place.remove();
process.exit(0);
