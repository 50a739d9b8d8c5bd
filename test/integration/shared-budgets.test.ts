import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { KeyPatch } from '../../src/store/schema/identity.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import type { TestGateway } from '../support/gateway.ts';
import { nanoUsd } from '../support/store.ts';
import {
  changing,
  chatWith,
  configOf,
  createKey,
  type Ground,
  gatewayOn,
  ground,
  type TestKey,
  until,
} from '../support/tenants.ts';

/** Budgets that several gateways spend of at once, on one PostgreSQL: docs/guides/budgets-and-limits.md. */
let place: Ground;
let simulator: Simulator;
let store: Store;
let gateways: TestGateway[] = [];

beforeAll(async () => {
  simulator = await startSimulator({ logLimit: 100_000 });
  place = await ground('postgres');
  store = await openStore({ clock: systemClock, postgres: { url: place.url }, dataDir: '' });
});
afterEach(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  gateways = [];
});
afterAll(async () => {
  await store?.close();
  await simulator?.stop();
  await place?.remove();
});

/** A gateway with a folder of its own, which a second of the same name takes over. */
async function start(name: string): Promise<TestGateway> {
  const config = configOf(simulator.url).replaceAll('input_cost_per_token: 0.000001', 'input_cost_per_token: 0');
  const gateway = await gatewayOn(place, config, join(place.dataDir, name));
  gateways.push(gateway);
  return gateway;
}

const make = (id: string, words: KeyPatch): Promise<TestKey> =>
  changing(store, (writers) => createKey(writers, id, words));

/** The simulator answers fifty tokens: with nothing to pay for the prompt, a request costs just what it may cost. */
const BODY = { messages: [{ role: 'user', content: 'x' }], max_tokens: 50 };
const COST = 100_000n;

/** Statuses of so many calls at once, dealt out to the gateways in turn. */
async function crowd(key: string, count: number, body: Record<string, unknown> = BODY): Promise<readonly number[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const gateway = gateways[index % gateways.length] as TestGateway; // there is one
      const answer = await chatWith(gateway, key, body);
      await answer.text();
      return answer.status;
    }),
  );
}

/** What the key has spent once every row of it is written. */
async function spentOnce(key: TestKey, requests: number): Promise<bigint> {
  const done = { key_id: key.id, request_end: 'success' } as const;
  await until(async () => (await store.read.spendLogs.count(done)) >= requests, 30_000);
  expect(await store.read.spendLogs.count(done)).toBe(requests);
  return (await store.read.keys.get(key.token))?.spend_nano ?? 0n;
}

const count = (statuses: readonly number[], status: number): number =>
  statuses.filter((each) => each === status).length;

test.each([2, 3])(
  '1,000 calls at once over %i gateways spend no more than a budget that is worth 50',
  async (size) => {
    for (let index = 0; index < size; index++) await start(`many-${size}-${index}`);
    const limit = 50n * COST;
    const key = await make(`many-${size}`, { max_budget_nano: nanoUsd(limit) });
    const rule = simulator.inject('latency@20');
    const statuses = await crowd(key.text, 1_000);
    simulator.remove(rule);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    const spent = await spentOnce(key, count(statuses, 200));
    expect(spent).toBe(COST * BigInt(count(statuses, 200)));
    expect(spent).toBeGreaterThan(limit / 4n);
    expect(spent).toBeLessThanOrEqual(limit);
    expect(await store.verify()).toEqual([]);
  },
  120_000,
);

test('a budget that is worth the same as all the calls refuses none, on whichever of three gateways they come', async () => {
  for (const name of ['a', 'b', 'c']) await start(`enough-${name}`);
  const key = await make('enough', { max_budget_nano: nanoUsd(1_000_000_000n) });
  const statuses: number[] = [];
  for (let round = 0; round < 10; round++) statuses.push(...(await crowd(key.text, 30)));
  expect(count(statuses, 200)).toBe(300);
}, 120_000);

test('a budget is spent to the last request that fits, from gateways that take turns', async () => {
  for (const name of ['one', 'other']) await start(`last-${name}`);
  const limit = 10_000_000n;
  const key = await make('last', { max_budget_nano: nanoUsd(limit) });
  let worked = 0;
  let lastSuccess = performance.now();
  // What one gateway keeps to spare the other gets when it asks for it, within some seconds.
  await until(async () => {
    const successes = count(await crowd(key.text, 2), 200);
    worked += successes;
    if (successes > 0) lastSuccess = performance.now();
    return performance.now() - lastSuccess > 6_000;
  }, 90_000);
  const spent = await spentOnce(key, worked);
  expect(spent).toBeLessThanOrEqual(limit);
  // What one more request may cost is less than a tenth of the budget, and does not fit any more.
  const one = await once(gateways[0] as TestGateway, key.text);
  expect(one).toContain('Budget has been exceeded');
  const wanted = /may cost up to ([\d.]+)/.exec(one)?.[1];
  expect(Number(limit - spent)).toBeLessThan(Number(wanted) * 1e9);
}, 120_000);

const once = async (gateway: TestGateway, key: string): Promise<string> => (await chatWith(gateway, key, BODY)).text();

test('what a killed gateway held is free again when its journal is in the store, and its spend counts', async () => {
  const survivor = await start('survivor');
  const victim = await start('victim');
  const limit = 50n * 400_000n;
  const key = await make('killed', { max_budget_nano: nanoUsd(limit) });
  const rule = simulator.inject('latency@10000');
  // The victim holds most of the budget for requests that never end.
  const open = Array.from({ length: 40 }, () => chatWith(victim, key.text, BODY).catch(() => null));
  await until(() => simulator.requests.filter(({ body }) => String(body).includes('"x"')).length >= 5);
  await until(async () => (await chatWith(survivor, key.text, { ...BODY, max_tokens: 9_000 })).status === 429);
  process.kill(victim.pid, 'SIGKILL');
  await victim.exited;
  await Promise.all(open);
  await victim.stop();
  gateways = [survivor];
  simulator.remove(rule);
  // Somebody who looks at the same folder writes what it left: here its successor.
  const successor = await start('victim');
  await until(() => successor.output().includes('is in the store'), 60_000);
  const lost = await store.read.spendLogs.count({ key_id: 'killed', request_end: 'lost' });
  expect(lost).toBeGreaterThan(0);
  const statuses: number[] = [];
  for (let round = 0; round < 20; round++) statuses.push(...(await crowd(key.text, 20)));
  await until(async () => {
    const { rows } = await store.read.spendLogs.list({ where: { key_id: 'killed' }, limit: 10_000 });
    return rows.filter(({ request_end }) => request_end === 'success').length >= count(statuses, 200);
  }, 30_000);
  const { rows } = await store.read.spendLogs.list({ where: { key_id: 'killed' }, limit: 10_000 });
  const total = rows.reduce((sum, { spend_nano, assumed_nano }) => sum + (spend_nano ?? 0n) + assumed_nano, 0n);
  expect(total).toBeLessThanOrEqual(limit);
  expect(await store.verify()).toEqual([]);
}, 120_000);
