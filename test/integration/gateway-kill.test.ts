import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { TestGateway } from '../support/gateway.ts';
import { DATABASES } from '../support/store.ts';
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

/** `GATEWAY_KILLS=100` is the long form. */
const KILLS = Number(process.env.GATEWAY_KILLS ?? 4);
const CLIENTS = 16;

describe.each(DATABASES)('a gateway on %s', (kind) => {
  let simulator: Simulator;
  let place: Ground;
  let key: TestKey;

  beforeAll(async () => {
    simulator = await startSimulator({ logLimit: 10_000_000, pieceSize: 4 });
  });
  afterAll(() => simulator?.stop());
  beforeEach(async () => {
    await simulator.reset();
    place = await ground(kind);
    key = await place.withStore((store) =>
      changing(store, (writers) =>
        createKey(writers, 'key', { max_budget_nano: (10n ** 15n) as never, rpm_limit: 1e6 }),
      ),
    );
  });
  afterEach(() => place?.remove());

  const journals = (): readonly string[] =>
    readdirSync(join(place.dataDir, 'ledger')).filter((name) => name !== 'quarantine');

  /** Names of the requests that came through to the simulator. */
  const seenUpstream = (): readonly string[] =>
    simulator.requests.map(({ body }) => String((JSON.parse(String(body)) as { user?: string }).user));

  test(`killed ${KILLS} times under load has one row for each request that went upstream, and every sum is right`, async () => {
    let count = 0;
    const finished = new Map<string, string | null>();
    const client = async (gateway: TestGateway): Promise<void> => {
      for (;;) {
        const user = `request-${count++}`;
        try {
          const answer = await chatWith(gateway, key.text, { user, stream: count % 4 === 0 });
          const text = await answer.text();
          if (answer.status !== 200 || (count % 4 === 0 && !text.includes('[DONE]'))) continue;
          finished.set(user, answer.headers.get('x-litellm-response-cost'));
        } catch {
          return; // it was killed
        }
      }
    };
    for (let kill = 0; kill < KILLS; kill++) {
      const gateway = await gatewayOn(place, configOf(simulator.url));
      const clients = Array.from({ length: CLIENTS }, () => client(gateway));
      await Bun.sleep(30 + Math.random() * 300);
      process.kill(gateway.pid, 'SIGKILL');
      await gateway.exited;
      await Promise.all(clients);
      await gateway.stop();
    }
    const last = await gatewayOn(place, configOf(simulator.url));
    await chatWith(last, key.text, { user: 'last' });
    // What the dead have left is taken over while it serves; then only its own journal is there, and at its end none.
    await until(() => journals().length === 1, 60_000);
    expect(await last.stop()).toBe(0);
    expect(journals()).toEqual([]);

    await place.withStore(async ({ read, verify }) => {
      const { rows } = await read.spendLogs.list({ limit: 1_000_000 });
      const byUser = Map.groupBy(rows, ({ end_user }) => end_user ?? '');
      expect(rows.length).toBeGreaterThan(KILLS * 5);
      // One row each, no more; one that never came through is marked as lost.
      expect([...byUser].filter(([, each]) => each.length > 1)).toEqual([]);
      const upstream = new Set(seenUpstream());
      expect([...upstream].filter((user) => !byUser.has(user))).toEqual([]);
      const extra = rows.filter(({ end_user }) => !upstream.has(end_user ?? ''));
      expect(extra.filter(({ request_end }) => request_end !== 'lost')).toEqual([]);
      // What a client saw the end of is exact.
      const wrong = [...finished.keys()].filter((user) => {
        const [row] = byUser.get(user) ?? [];
        return row === undefined || !['success', 'lost'].includes(row.request_end) || row.key_id !== 'key';
      });
      expect(wrong).toEqual([]);
      const known = rows.filter(({ cost_status }) => cost_status === 'known');
      const sum = known.reduce((total, { spend_nano }) => total + (spend_nano ?? 0n), 0n);
      expect((await read.keys.get(key.token))?.spend_nano).toBe(sum as never);
      expect(
        rows.filter(({ request_end }) => request_end === 'lost').every(({ spend_nano }) => spend_nano === null),
      ).toBe(true);
      expect(await read.deadLetters.count()).toBe(0);
      expect(await verify()).toEqual([]);
    });
  }, 600_000);

  test('told to stop during open streams gives each of them a row, and leaves no journal', async () => {
    const rule = simulator.inject('event@30');
    const gateway = await gatewayOn(place, configOf(simulator.url));
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => chatWith(gateway, key.text, { user: `s-${index}`, stream: true })),
    );
    const texts = Promise.all(answers.map((answer) => answer.text()));
    gateway.signal('SIGTERM');
    for (const text of await texts) expect(text).toContain('[DONE]');
    expect(await gateway.exited).toBe(0);
    await gateway.stop();
    simulator.remove(rule);
    expect(journals()).toEqual([]);
    await place.withStore(async ({ read, verify }) => {
      const { rows } = await read.spendLogs.list({ limit: 100 });
      expect(rows.map(({ end_user, request_end }) => `${end_user} ${request_end}`).toSorted()).toEqual(
        Array.from({ length: 10 }, (_, index) => `s-${index} success`),
      );
      expect(await verify()).toEqual([]);
    });
  }, 60_000);

  test('lets 1,000 calls at once spend no more than a budget that is worth 50 of them', async () => {
    const budget = await place.withStore((store) =>
      changing(store, async (writers) => {
        await writers.budgets.create({ budget_id: 'fifty', max_budget_nano: (50n * 400_000n) as never });
        return createKey(writers, 'fifty', { budget_id: 'fifty' });
      }),
    );
    const rule = simulator.inject('latency@100');
    const gateway = await gatewayOn(place, configOf(simulator.url));
    const body = { messages: [{ role: 'user', content: 'x' }], max_tokens: 50 };
    const statuses = await Promise.all(
      Array.from({ length: 1000 }, async () => {
        const answer = await chatWith(gateway, budget.text, body);
        await answer.text();
        return answer.status;
      }),
    );
    simulator.remove(rule);
    await gateway.stop();
    const worked = statuses.filter((status) => status === 200).length;
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    expect(worked).toBeGreaterThan(0);
    await place.withStore(async ({ read }) => {
      const row = await read.keys.get(budget.token);
      expect(row?.spend_nano).toBeLessThanOrEqual(50n * 400_000n);
      expect(row?.spend_nano).toBeGreaterThan(0n);
      expect(await read.spendLogs.count({ key_id: 'fifty', request_end: 'success' })).toBe(worked);
    });
  }, 60_000);
});
