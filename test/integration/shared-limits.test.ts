import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { millis } from '../../src/core/units.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { LimitBook } from '../../src/store/limit-book.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import type { TestGateway } from '../support/gateway.ts';
import { changing, chatWith, configOf, createKey, type Ground, gatewayOn, ground, until } from '../support/tenants.ts';

/** Limits that several gateways count under, on one PostgreSQL: docs/guides/budgets-and-limits.md. */
let place: Ground;
let simulator: Simulator;
let store: Store;
let book: LimitBook;
const gateways: TestGateway[] = [];

beforeAll(async () => {
  simulator = await startSimulator({ logLimit: 100_000 });
  place = await ground('postgres');
  store = await openStore({ clock: systemClock, postgres: { url: place.url }, dataDir: '' });
  book = store.counts as LimitBook; // it is PostgreSQL
  for (const name of ['one', 'two'])
    gateways.push(await gatewayOn(place, configOf(simulator.url), join(place.dataDir, name)));
});
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  await store?.close();
  await simulator?.stop();
  await place?.remove();
});

/** Status and body of a call on each gateway, one after the other. */
async function each(key: string): Promise<readonly (readonly [number, string])[]> {
  const answers: [number, string][] = [];
  for (const gateway of gateways) {
    const answer = await chatWith(gateway, key);
    answers.push([answer.status, await answer.text()]);
  }
  return answers;
}

test('requests that one gateway counted are refused by the other, which had none of them, within two seconds', async () => {
  const key = await changing(store, (writers) => createKey(writers, 'requests', { rpm_limit: 20 }));
  const [one, other] = gateways as [TestGateway, TestGateway];
  expect((await chatWith(other, key.text)).status).toBe(200);
  let worked = 1;
  await until(async () => {
    const { status } = await chatWith(one, key.text);
    if (status === 200) worked += 1;
    return status === 429;
  });
  // What the first did not know of is one request.
  expect(worked).toBeWithin(20, 22);
  let refusal = '';
  let late = 0;
  await until(async () => {
    const answer = await chatWith(other, key.text);
    refusal = await answer.text();
    if (answer.status === 200) late += 1;
    await Bun.sleep(100);
    return answer.status === 429;
  }, 3_000);
  expect(refusal).toContain('Limit type: requests. Current limit: 20, Remaining: 0');
  // The bound: what one admits before it hears of the other.
  expect(worked + late).toBeLessThanOrEqual(40);
}, 30_000);

test('tokens are counted together too', async () => {
  const key = await changing(store, (writers) => createKey(writers, 'tokens', { tpm_limit: 600 }));
  let worked = 0;
  await until(async () => {
    const answers = await each(key.text);
    worked += answers.filter(([status]) => status === 200).length;
    await Bun.sleep(300);
    return answers.every(([status, body]) => status === 429 && body.includes('Limit type: tokens'));
  }, 20_000);
  await until(async () => (await store.read.spendLogs.count({ key_id: 'tokens', request_end: 'success' })) === worked);
  const { rows } = await store.read.spendLogs.list({ where: { key_id: 'tokens' }, limit: 1_000 });
  const used = rows.reduce((sum, { total_tokens }) => sum + total_tokens, 0);
  expect(used).toBeLessThanOrEqual(1_200);
}, 30_000);

test('requests at once are each gateway’s own: a place is free as soon as its request has ended, wherever the next one comes', async () => {
  const key = await changing(store, (writers) => createKey(writers, 'at-once', { max_parallel_requests: 1 }));
  await until(async () => (await each(key.text)).every(([status]) => status === 200));
  for (let round = 0; round < 10; round++) expect((await each(key.text)).map(([status]) => status)).toEqual([200, 200]);
}, 30_000);

test('each instance hears what the others counted in windows that have not ended, whatever the names', async () => {
  const own = (id: string, requests: number, endsIn = 60_000) => ({
    ...{ scope: 'team_member', id, requests, tokens: requests * 10 },
    ...{ endsIn: millis(endsIn), isNews: true },
  });
  const odd = `a\u0000b'"\\`;
  await book.exchange('x', [own('plain', 3), own(odd, 4)]);
  await book.exchange('y', [own('plain', 5), own('brief', 9, 200)]);
  expect(await book.exchange('z', [own(odd, 0), own('plain', 1), own('nobody', 2)])).toEqual([
    { requests: 4, tokens: 40 },
    { requests: 8, tokens: 80 },
    { requests: 0, tokens: 0 },
  ]);
  // A word is replaced by the next one, and counts for its speaker alone.
  await book.exchange('x', [own('plain', 7)]);
  expect(await book.exchange('x', [own('plain', 7)])).toEqual([{ requests: 6, tokens: 60 }]);
  await until(async () => (await book.exchange('z', [own('brief', 1)]))[0]?.requests === 0);
  await book.clear();
  expect(await book.exchange('z', [own('plain', 1)])).toEqual([{ requests: 12, tokens: 120 }]);
});

test('an instance knows whether it has company', async () => {
  expect(await book.hasCompany('somebody')).toBe(true);
  const alone = await ground('postgres');
  await alone.withStore(async ({ counts, holds }) => {
    expect(await counts?.hasCompany('me')).toBe(false);
    await holds?.announce('me', millis(60_000));
    expect(await counts?.hasCompany('me')).toBe(false);
    expect(await counts?.hasCompany('you')).toBe(true);
  });
  await alone.remove();
});
