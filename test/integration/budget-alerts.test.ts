import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { createHmac } from 'node:crypto';
import { Alerter } from '../../src/control/alerts/alerter.ts';
import type { Budget } from '../../src/core/budget.ts';
import { epochMillis, millis } from '../../src/core/units.ts';
import type { BudgetAlert } from '../../src/metering/budget.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { StoreUnavailable } from '../../src/store/errors.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { startGateway } from '../support/gateway.ts';
import { testDatabase } from '../support/postgres/database.ts';
import { DATABASES, nanoUsd, OPERATOR, type TestStore, testStore } from '../support/store.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const SECRET = 'canary-webhook-secret';
/** Addresses of webhooks are credentials themselves. */
const PATH = '/hooks/canary-path-51c0';

interface Received {
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A receiver over a real socket, which answers what a test says, 200 when it says nothing. */
class Receiver {
  readonly received: Received[] = [];
  /** Statuses to come. */
  statuses: number[] = [];
  readonly #server;
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor() {
    this.#server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request) => this.#take(request),
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}${PATH}`;
  }

  until(count: number): Promise<void> {
    if (this.received.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  async #take(request: Request): Promise<Response> {
    this.received.push({ path: new URL(request.url).pathname, headers: request.headers, body: await request.text() });
    for (const { count, resolve } of this.#waiting) if (this.received.length >= count) resolve();
    return new Response('thanks', { status: this.statuses.shift() ?? 200 });
  }
}

const budget: Budget = {
  limit: nanoUsd(5_000_000_000),
  soft: nanoUsd(3_000_000_000),
  thresholds: [80, 100],
  period: { kind: 'forever' },
  increase: null,
};

const alert = (more: Partial<BudgetAlert> = {}): BudgetAlert => ({
  rule: { scope: 'key', id: 'key-1', shown: 'sk-...abcd', budget },
  mark: 80,
  spent: nanoUsd(4_250_000_000),
  periodStart: epochMillis(Date.UTC(2026, 0, 1)),
  ...more,
});

describe.each(DATABASES)('budget alerts on %s', (kind) => {
  let opened: TestStore;
  let store: Store;
  let receiver: Receiver;
  let clock: VirtualClock;
  let said: string[];
  let marks = 0;

  /** A mark that no test had before: rows are for ever. */
  const next = () => alert({ periodStart: epochMillis(Date.UTC(2026, 1, ++marks)) });

  const alerterOn = (on: Pick<Store, 'alerts' | 'read'>) =>
    new Alerter({
      store: on,
      webhook: { url: receiver.url, key: SECRET },
      clock,
      random: () => 0,
      post: async (url, headers, body) => (await fetch(url, { method: 'POST', headers: { ...headers }, body })).status,
      log: {
        failed: (id, reason) => void said.push(`failed ${id} ${reason}`),
        lost: (id, reason) => void said.push(`lost ${id} ${reason}`),
      },
    });

  const rowOf = async () =>
    (await store.read.budgetAlerts.list({ sort: 'period_start', order: 'descending', limit: 1 })).rows[0];

  beforeAll(async () => {
    opened = await testStore(kind);
    store = opened.store;
    await store.change(OPERATOR, async ({ keys, users, teams }) => {
      await users.create({ user_id: 'user-1', user_email: 'ada@example.com' });
      await teams.create({ team_id: 'team-1', team_alias: 'Platform' });
      await keys.create({
        token: 'hash-1',
        key_id: 'key-1',
        key_alias: 'worker',
        user_id: 'user-1',
        team_id: 'team-1',
      });
    });
  });

  beforeEach(() => {
    receiver = new Receiver();
    clock = new VirtualClock(Date.UTC(2026, 5, 1) + marks * 86_400_000 * 3);
    said = [];
  });

  afterEach(() => receiver.stop());
  afterAll(() => opened.remove());

  test('have the shape of LiteLLM’s webhook, and a signature', async () => {
    const alerter = alerterOn(store);
    alerter.tell(alert());
    await alerter.run();
    const [{ path, headers, body } = { path: '', headers: new Headers(), body: '{}' }] = receiver.received;
    expect(path).toBe(PATH);
    expect(JSON.parse(body)).toEqual({
      spend: 4.25,
      max_budget: 5,
      soft_budget: 3,
      token: 'hash-1',
      customer_id: null,
      user_id: 'user-1',
      team_id: 'team-1',
      team_alias: 'Platform',
      organization_id: null,
      user_email: 'ada@example.com',
      key_alias: 'worker',
      projected_exceeded_date: null,
      projected_spend: null,
      event_group: 'key',
      event: 'threshold_crossed',
      event_message: 'Key sk-...abcd: 80 % of the budget of $5 crossed, $4.25 spent',
      mark: '80',
      period_start: '2026-01-01T00:00:00.000Z',
    });
    const [, at = '', hex = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers.get('x-tollgate-signature') ?? '') ?? [];
    expect(Number(at)).toBe(Math.floor(clock.wall() / 1000));
    expect(hex).toBe(createHmac('sha256', SECRET).update(`${at}.${body}`).digest('hex'));
    expect(await rowOf()).toMatchObject({
      tries: 1,
      next_try_at: null,
      last_failure: null,
      delivered_at: expect.any(Date),
    });
    alerter.close();
  });

  test('are sent again, later each time, until the receiver takes them, and then never again', async () => {
    receiver.statuses = [500, 302, 404];
    const alerter = alerterOn(store);
    alerter.tell(next());
    await alerter.run();
    expect(receiver.received).toHaveLength(1);
    // Nothing before its time: one second, then two, then four.
    for (const [wait, received] of [
      [999, 1],
      [1, 2],
      [1_999, 2],
      [1, 3],
      [3_999, 3],
      [1, 4],
      [600_000, 4],
    ] as const) {
      clock.advanceTo(millis(clock.now() + wait));
      await alerter.run();
      expect([wait, receiver.received.length]).toEqual([wait, received]);
    }
    expect(new Set(receiver.received.map(({ headers }) => headers.get('x-tollgate-alert-id'))).size).toBe(1);
    expect((await rowOf())?.tries).toBe(4);
    expect(said.map((line) => line.split(' ').slice(2).join(' '))).toEqual([
      'the receiver answered 500',
      'the receiver answered 302',
      'the receiver answered 404',
    ]);
    alerter.close();
  });

  test('come once for a mark and period, whoever sees it and however often it starts anew', async () => {
    const [one, two] = [alerterOn(store), alerterOn(await opened.another())];
    const fact = next();
    for (const alerter of [one, two, one]) alerter.tell(fact);
    await Promise.all([one.run(), two.run()]);
    const later = alerterOn(store);
    later.tell({ ...fact, spent: nanoUsd(4_900_000_000) });
    await later.run();
    expect(receiver.received).toHaveLength(1);
    // Another mark, another period, another budget: each its own.
    later.tell({ ...fact, mark: 100 });
    later.tell({ ...fact, mark: 'soft' });
    later.tell(next());
    later.tell({ ...fact, rule: { ...fact.rule, id: 'key-2' } });
    await later.run();
    // They leave together, in no order.
    expect(
      receiver.received
        .slice(1)
        .map(({ body }) => JSON.parse(body).event)
        .toSorted(),
    ).toEqual(['budget_crossed', 'soft_budget_crossed', 'threshold_crossed', 'threshold_crossed']);
    for (const alerter of [one, two, later]) alerter.close();
  });

  test('of an instance that died in the middle are delivered by another when the lease is over', async () => {
    const fact = next();
    receiver.statuses = [503];
    const dying = alerterOn(store);
    dying.tell(fact);
    await dying.run();
    dying.close();
    clock.advanceTo(millis(clock.now() + 1_000));
    // As if it had been taken, and its taker killed.
    expect(await store.alerts.take(new Date(clock.wall()), new Date(clock.wall() + 60_000))).toHaveLength(1);
    const other = alerterOn(await opened.another());
    await other.run();
    expect(receiver.received).toHaveLength(1);
    clock.advanceTo(millis(clock.now() + 60_000));
    await other.run();
    expect(receiver.received).toHaveLength(2);
    other.close();
  });

  test('wait in memory while the database is away, and nobody waits for them', async () => {
    let isAway = true;
    const away = () => Promise.reject(new StoreUnavailable('away'));
    const alerts = new Proxy(store.alerts, {
      get: (book, name: 'has' | 'add' | 'take') => (isAway ? away : book[name].bind(book)),
    });
    const alerter = alerterOn({ alerts, read: store.read });
    alerter.tell(next());
    await alerter.run();
    expect(receiver.received).toHaveLength(0);
    isAway = false;
    await alerter.run();
    expect(receiver.received).toHaveLength(1);
    alerter.close();
  });

  test('are given up after a day, with a line that says so', async () => {
    receiver.statuses = Array.from({ length: 400 }, () => 500);
    const alerter = alerterOn(store);
    alerter.tell(next());
    for (let tries = 0; tries < 340 && !said.some((line) => line.startsWith('lost')); tries++) {
      await alerter.run();
      clock.advanceTo(millis(clock.now() + 300_000));
    }
    await alerter.run();
    expect(said.at(-1)).toMatch(/^lost .* the receiver answered 500$/);
    expect(await rowOf()).toMatchObject({ next_try_at: null, delivered_at: null });
    alerter.close();
  });

  test('show neither the address nor the key of the webhook', async () => {
    await receiver.stop();
    const alerter = alerterOn(store);
    alerter.tell(next());
    await alerter.run();
    alerter.close();
    expect(said.at(-1)).toEndWith('the receiver gave no answer');
    const rows = (await store.read.budgetAlerts.list({ limit: 100 })).rows;
    for (const secret of [SECRET, PATH, 'canary']) expect(JSON.stringify([said, rows])).not.toContain(secret);
  });
});

test('a gateway tells the webhook when a key’s spend passes its marks, in the background', async () => {
  const database = await testDatabase();
  const store = await openStore({ clock: systemClock, postgres: { url: database.url }, dataDir: '' });
  const simulator = await startSimulator({});
  const receiver = new Receiver();
  receiver.statuses = [500];
  const token = new Bun.CryptoHasher('sha256').update('sk-alerting').digest('hex');
  await store.change(OPERATOR, ({ keys }) =>
    keys.create({
      token,
      key_id: 'k',
      key_name: 'sk-...ting',
      max_budget_nano: nanoUsd(1_000_000_000_000),
      spend_nano: nanoUsd(900_000_000_000),
    }),
  );
  const gateway = await startGateway(
    `model_list:\n  - model_name: m\n    litellm_params: {model: openai/gpt-4o, api_base: "${simulator.url}/v1", api_key: x}\n`,
    { DATABASE_URL: database.url, LITELLM_BUDGET_ALERT_WEBHOOK: receiver.url, LITELLM_BUDGET_ALERT_SECRET: SECRET },
  );
  const answer = await gateway.chat({ model: 'm' }, { authorization: 'Bearer sk-alerting' });
  expect(answer.status).toBe(200);
  await receiver.until(2);
  expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
  expect(JSON.parse(receiver.received[0]?.body ?? '{}')).toMatchObject({
    event: 'threshold_crossed',
    token,
    max_budget: 1_000,
  });
  await gateway.until('a budget alert was not delivered');
  for (const secret of [SECRET, 'canary-path']) expect(gateway.output()).not.toContain(secret);
  await gateway.stop();
  await receiver.stop();
  await simulator.stop();
  await store.close();
  await database.drop();
});
