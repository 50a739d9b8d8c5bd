import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { TestGateway } from '../support/gateway.ts';
import { type PostgresServer, startPostgres } from '../support/postgres/server.ts';
import {
  changing,
  chatWith,
  configOf,
  createKey,
  type Ground,
  gatewayOn,
  ground,
  MASTER_KEY,
  metricOf,
  type TestKey,
  until,
} from '../support/tenants.ts';

/** Seconds for which the database is away; `OUTAGE_SECONDS=60` is the long form. */
const AWAY = Number(process.env.OUTAGE_SECONDS ?? 2);

let folder: string;
let server: PostgresServer;
let simulator: Simulator;
let place: Ground;
let known: TestKey;
let unseen: TestKey;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-outage-'));
  server = await startPostgres(folder, 'durable');
  simulator = await startSimulator();
  place = await ground('postgres', server.url);
  await place.withStore((store) =>
    changing(store, async (writers) => {
      known = await createKey(writers, 'known', { max_budget_nano: (10n ** 12n) as never });
      unseen = await createKey(writers, 'unseen');
    }),
  );
}, 60_000);

afterAll(async () => {
  await simulator?.stop();
  await server?.stop();
  await place?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const health = async (gateway: TestGateway) => {
  const answer = await fetch(`${gateway.url}/health`);
  return { status: answer.status, body: await answer.json() };
};

const isRed = async (gateway: TestGateway): Promise<boolean> => (await health(gateway)).status === 503;
const isGreen = async (gateway: TestGateway): Promise<boolean> => (await health(gateway)).status === 200;

/** Rows of a key. */
const rowsOf = ({ id }: TestKey): Promise<number> =>
  place.withStore(({ read }) => read.spendLogs.count({ key_id: id }));

describe('a database that is killed under a gateway', () => {
  let gateway: TestGateway;
  let served = 0;
  const call = async (key: string): Promise<Response> => {
    const answer = await chatWith(gateway, key);
    if (answer.status === 200) served += 1;
    return answer;
  };

  beforeAll(async () => {
    gateway = await gatewayOn(place, configOf(simulator.url));
    await call(known.text);
    await until(async () => (await metricOf(gateway, 'tollgate_directory_keys')) === 2);
    await server.kill();
    await call(known.text);
    await until(() => isRed(gateway));
  });

  afterAll(() => gateway?.stop());

  test('leaves keys that are known at work, all of them', async () => {
    for (const key of [known, known, unseen]) expect((await call(key.text)).status).toBe(200);
  });

  test('makes /health red, and leaves the gateway ready and alive', async () => {
    expect(await health(gateway)).toEqual({ status: 503, body: { status: 'unhealthy', db: 'Not connected' } });
    const ready = await fetch(`${gateway.url}/health/readiness`);
    expect([ready.status, await ready.json()]).toEqual([200, expect.objectContaining({ db: 'Not connected' })]);
    expect((await fetch(`${gateway.url}/health/liveliness`)).status).toBe(200);
    expect(await metricOf(gateway, 'tollgate_database_up')).toBe(0);
  });

  test('makes a key that is not known 503 with when to come back, not 401', async () => {
    const answer = await call('sk-nobody-knows-me');
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get('retry-after'))).toBeWithin(1, 10);
    const { error } = (await answer.json()) as { error: { message: string } };
    expect(error.message).toContain('cannot be checked');
  });

  test('leaves the master key at work', async () => {
    expect((await call(MASTER_KEY)).status).toBe(200);
  });

  test(`has the spend of that time when it is back after ${AWAY} s, and everything is green within seconds`, async () => {
    const end = performance.now() + AWAY * 1000;
    while (performance.now() < end) expect((await call(known.text)).status).toBe(200);
    await server.start();
    expect(await until(() => isGreen(gateway))).toBeLessThan(5_000);
    expect((await call('sk-nobody-knows-me')).status).toBe(401);
    await until(async () => (await metricOf(gateway, 'tollgate_ledger_unwritten_entries')) === 0);
    await place.withStore(async ({ read, verify }) => {
      expect(await read.spendLogs.count({ request_end: 'success' })).toBe(served);
      expect(await verify()).toEqual([]);
    });
  }, 120_000);

  test('tells of changes that are made after it came back', async () => {
    await place.withStore((store) => changing(store, ({ keys }) => keys.update(unseen.token, { blocked: true })));
    expect(await until(async () => (await call(unseen.text)).status === 401)).toBeLessThan(1_000);
  });
});

test('a database that is away at the start is waited for: the master key works, keys get 503, then all is well', async () => {
  const before = await rowsOf(known);
  await server.kill();
  const gateway = await gatewayOn(place, configOf(simulator.url));
  try {
    expect(await health(gateway)).toMatchObject({ status: 503, body: { status: 'unhealthy' } });
    expect((await chatWith(gateway, MASTER_KEY)).status).toBe(200);
    const early = await chatWith(gateway, known.text);
    expect([early.status, early.headers.has('retry-after')]).toEqual([503, true]);
    await server.start();
    expect(await until(() => isGreen(gateway))).toBeLessThan(5_000);
    await until(async () => (await chatWith(gateway, known.text)).status === 200, 3_000);
    await until(async () => (await metricOf(gateway, 'tollgate_ledger_unwritten_entries')) === 0);
    expect(await rowsOf(known)).toBe(before + 1);
    await place.withStore((store) => changing(store, ({ keys }) => keys.update(known.token, { models: ['large'] })));
    expect(await until(async () => (await chatWith(gateway, known.text)).status === 403)).toBeLessThan(1_000);
  } finally {
    await gateway.stop();
  }
}, 60_000);

test.each([
  ['a wrong scheme', 'mysql://u:sesame@127.0.0.1/db', /not a PostgreSQL address/],
  ['a database that is not there', null, /does not exist/],
])('%s in DATABASE_URL is an operator’s mistake: the gateway says so and does not start', async (_, url, words) => {
  const wrong = url ?? server.url.replace(/postgres$/, 'nowhere');
  const refused = gatewayOn({ ...place, url: wrong }, configOf(simulator.url));
  const message = await refused.then(
    () => 'it started',
    (error: Error) => error.message,
  );
  expect(message).toMatch(words);
  expect(message).toContain('ended with 1');
  expect(message).not.toContain('sesame');
});
