import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { usd } from '../../src/core/units.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import type { TestGateway } from '../support/gateway.ts';
import { nanoUsd } from '../support/store.ts';
import { changing, chatWith, configOf, createKey, type Ground, gatewayOn, ground, until } from '../support/tenants.ts';

/** Two gateways and a third instance that changes rows, on one PostgreSQL. */
let place: Ground;
let simulator: Simulator;
let store: Store;
let one: TestGateway;
let other: TestGateway;

beforeAll(async () => {
  simulator = await startSimulator({ logLimit: 100_000 });
  place = await ground('postgres');
  store = await openStore({ clock: systemClock, postgres: { url: place.url }, dataDir: '' });
  one = await gatewayOn(place, configOf(simulator.url));
  other = await gatewayOn(place, configOf(simulator.url), join(place.dataDir, 'other'));
});

afterAll(async () => {
  await one?.stop();
  await other?.stop();
  await store?.close();
  await simulator?.stop();
  await place?.remove();
});

const both = () => [one, other] as const;

/** Milliseconds until both gateways answer a key with a status. */
async function untilBoth(key: string, status: number): Promise<number> {
  const times = both().map((gateway) => until(async () => (await chatWith(gateway, key)).status === status));
  return Math.max(...(await Promise.all(times)));
}

test('a key that was made, blocked, unblocked, rotated or deleted by another instance is so everywhere within a second', async () => {
  const key = await changing(store, (writers) => createKey(writers, 'key'));
  expect(await untilBoth(key.text, 200)).toBeLessThan(1000);
  await changing(store, ({ keys }) => keys.update(key.token, { blocked: true }, 'blocked'));
  expect(await untilBoth(key.text, 401)).toBeLessThan(1000);
  await changing(store, ({ keys }) => keys.update(key.token, { blocked: false }, 'unblocked'));
  expect(await untilBoth(key.text, 200)).toBeLessThan(1000);

  const successor = await changing(store, (writers) => createKey(writers, 'made-to-have-a-text'));
  await changing(store, ({ keys }) => keys.delete(successor.token));
  await changing(store, ({ keys }) =>
    keys.rotate(key.token, { token: successor.token, patch: {}, graceUntil: new Date(Date.now() + 2_500) }),
  );
  expect(await untilBoth(successor.text, 200)).toBeLessThan(1000);
  expect(await untilBoth(key.text, 200)).toBeLessThan(1000);
  // A block of the key reaches its former hash too.
  await changing(store, ({ keys }) => keys.update(successor.token, { blocked: true }, 'blocked'));
  expect(await untilBoth(key.text, 401)).toBeLessThan(1000);
  await changing(store, ({ keys }) => keys.update(successor.token, { blocked: false }, 'unblocked'));
  await untilBoth(key.text, 200);
  // The grace ends by itself.
  expect(await untilBoth(key.text, 401)).toBeLessThan(3_500);
  expect(await untilBoth(successor.text, 200)).toBeLessThan(1000);
  await changing(store, ({ keys }) => keys.delete(successor.token));
  expect(await untilBoth(successor.text, 401)).toBeLessThan(1000);
});

test('a key that was refused as unknown works as soon as it is made', async () => {
  const maker = await changing(store, (writers) => createKey(writers, 'later'));
  await changing(store, ({ keys }) => keys.delete(maker.token));
  await untilBoth(maker.text, 401);
  await changing(store, ({ keys }) => keys.create({ token: maker.token, key_id: 'again' }));
  expect(await untilBoth(maker.text, 200)).toBeLessThan(1000);
});

test('a change of the team, of the budget behind budget_id and of a blocked customer is seen within a second', async () => {
  const key = await changing(store, async (writers) => {
    await writers.teams.create({ team_id: 'team' });
    await writers.budgets.create({ budget_id: 'shared', max_budget_nano: nanoUsd(10n ** 12n) });
    return createKey(writers, 'of-team', { team_id: 'team', budget_id: 'shared' });
  });
  await untilBoth(key.text, 200);
  await changing(store, ({ teams }) => teams.update('team', { blocked: true }));
  expect(await untilBoth(key.text, 401)).toBeLessThan(1000);
  await changing(store, ({ teams }) => teams.update('team', { blocked: false }));
  await untilBoth(key.text, 200);
  await changing(store, ({ budgets }) => budgets.update('shared', { max_budget_nano: nanoUsd(1) }));
  expect(await untilBoth(key.text, 429)).toBeLessThan(1000);
  await changing(store, ({ budgets }) => budgets.update('shared', { max_budget_nano: null }));
  await untilBoth(key.text, 200);
  await changing(store, ({ customers }) => customers.create({ user_id: 'mallory', blocked: true }));
  for (const gateway of both())
    await until(async () => (await chatWith(gateway, key.text, { user: 'mallory' })).status === 403, 1000);
});

test('what one instance spends counts on the other within the refresh, and nothing is lost or doubled', async () => {
  const key = await changing(store, (writers) =>
    createKey(writers, 'shared-budget', { max_budget_nano: nanoUsd(20_000_000) }),
  );
  const refusals = new Set<TestGateway>();
  await until(async () => {
    for (const gateway of both()) {
      const answers = await Promise.all(Array.from({ length: 4 }, () => chatWith(gateway, key.text)));
      for (const answer of answers) {
        if (answer.status === 429) refusals.add(gateway);
        await answer.text();
      }
    }
    return refusals.size === 2;
  }, 60_000);
  // In the end both have heard of all of it: what they call the present cost is what the store has.
  await until(async () => {
    const told = await Promise.all(both().map((gateway) => currentCost(gateway, key.text)));
    const spent = usd((await store.read.keys.get(key.token))?.spend_nano ?? nanoUsd(0));
    return told.every((cost) => cost === spent);
  });
  const { rows } = await store.read.spendLogs.list({ where: { key_id: 'shared-budget' }, limit: 10_000 });
  const sum = rows.reduce((total, { spend_nano }) => total + (spend_nano ?? 0n), 0n);
  expect((await store.read.keys.get(key.token))?.spend_nano).toBe(nanoUsd(sum));
  expect(sum).toBeGreaterThan(10_000_000n);
  // Each may pass the budget by what the other spent and held since it last looked: here far less than the budget.
  expect(sum).toBeLessThan(40_000_000n);
  expect(await store.verify()).toEqual([]);
}, 90_000);

/** What a gateway says that a key has spent, in the words of a refusal; null when it refuses nothing. */
async function currentCost(gateway: TestGateway, key: string): Promise<string | null> {
  return /Current cost: ([\d.]+),/.exec(await (await chatWith(gateway, key)).text())?.[1] ?? null;
}
