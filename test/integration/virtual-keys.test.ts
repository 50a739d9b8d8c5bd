import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { Store } from '../../src/store/store.ts';
import type { TestGateway } from '../support/gateway.ts';
import { DATABASES, nanoUsd } from '../support/store.ts';
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

interface Refusal {
  readonly error: { readonly message: string; readonly type: string; readonly code: string };
}

const refusalOf = async (answer: Response): Promise<Refusal['error']> => ((await answer.json()) as Refusal).error;

const DOLLAR = 1_000_000_000n;

describe.each(DATABASES)('virtual keys on %s', (kind) => {
  let place: Ground;
  let simulator: Simulator;
  let gateway: TestGateway;
  const keys = new Map<string, TestKey>();
  const key = (id: string): string => keys.get(id)?.text ?? '';

  /** What the gateway has recorded; on SQLite it has to end first, and starts again. */
  async function inStore<T>(work: (store: Store) => Promise<T>): Promise<T> {
    if (kind === 'postgres') return place.withStore(work);
    await gateway.stop();
    const found = await place.withStore(work);
    gateway = await gatewayOn(place, configOf(simulator.url));
    return found;
  }

  beforeAll(async () => {
    simulator = await startSimulator();
    place = await ground(kind);
    await place.withStore((store) =>
      changing(store, async (writers) => {
        const make = async (id: string, words = {}) => void keys.set(id, await createKey(writers, id, words));
        await writers.budgets.create({ budget_id: 'cent', max_budget_nano: nanoUsd(DOLLAR / 100n) });
        await writers.teams.create({ team_id: 'team', team_alias: 'Team', models: ['small'] });
        await writers.teams.create({ team_id: 'closed', blocked: true });
        await writers.tags.create({ tag_name: 'red', budget_id: 'cent' });
        await writers.users.create({ user_id: 'ann', max_budget_nano: nanoUsd(DOLLAR), budget_duration: '30d' });
        await make('plain');
        await make('billed', {
          ...{ team_id: 'team', user_id: 'ann', key_alias: 'web', metadata: { tags: ['red'] } },
          ...{ max_budget_nano: nanoUsd(DOLLAR), budget_duration: '30d', rpm_limit: 1000, tpm_limit: 1_000_000 },
        });
        await make('personal', { user_id: 'ann' });
        await make('blocked', { blocked: true });
        await make('expired', { expires: new Date(Date.UTC(2020, 0)) });
        await make('of-closed-team', { team_id: 'closed' });
        await make('small-only', { models: ['small'] });
        await make('rpm', { rpm_limit: 2 });
        await make('tpm', { tpm_limit: 60 });
        await make('parallel', { max_parallel_requests: 1 });
        await make('poor', { max_budget_nano: nanoUsd(1000n) });
        await make('spent', { budget_id: 'cent', spend_nano: nanoUsd(DOLLAR) });
        await make('modelled', { model_max_budget: { small: { budget_limit: 0.000001, time_period: '1d' } } });
      }),
    );
    gateway = await gatewayOn(place, configOf(simulator.url));
  });

  afterAll(async () => {
    await gateway?.stop();
    await simulator?.stop();
    await place?.remove();
  });

  test('a key calls a model; header, row, totals, daily rows and metric agree to the last nano-dollar', async () => {
    const answers = [await chatWith(gateway, key('billed')), await chatWith(gateway, key('billed'), { stream: true })];
    for (const answer of answers) expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)]);
    const [whole] = answers;
    expect(whole?.headers.get('x-ratelimit-api_key-limit-requests')).toBe('1000');
    expect(whole?.headers.get('x-ratelimit-api_key-remaining-requests')).toBe('999');
    expect(whole?.headers.get('x-litellm-key-max-budget')).toBe('1');
    const inHeader = nanos(whole?.headers.get('x-litellm-response-cost'));
    await until(async () => (await metricOf(gateway, 'tollgate_ledger_unwritten_entries')) === 0);
    const metered = await spendMetric(gateway);
    await inStore(async ({ read, verify, reports }) => {
      const { rows } = await read.spendLogs.list({ where: { key_id: 'billed' }, limit: 10 });
      expect(rows).toHaveLength(2);
      const [first] = rows.filter(({ is_streaming }) => !is_streaming);
      const sum = rows.reduce((total, { spend_nano }) => total + (spend_nano ?? 0n), 0n);
      expect(first).toMatchObject({ spend_nano: inHeader, key_alias: 'web', team_id: 'team', user: 'ann' });
      expect(first).toMatchObject({ cost_status: 'known', request_tags: ['red'], request_end: 'success' });
      expect(BigInt((first?.prompt_tokens ?? 0) * 1000 + (first?.completion_tokens ?? 0) * 2000)).toBe(inHeader);
      expect(metered).toBe(sum);
      expect((await read.keys.find({ key_id: 'billed' }))?.spend_nano).toBe(nanoUsd(sum));
      expect((await read.teams.get('team'))?.spend_nano).toBe(nanoUsd(sum));
      expect((await read.users.get('ann'))?.spend_nano).toBe(nanoUsd(sum));
      expect((await read.tags.get('red'))?.spend_nano).toBe(nanoUsd(sum));
      const today = new Date().toISOString().slice(0, 10);
      const days = await reports.daily({ subject: 'team', from: today, until: today, groupBy: [] });
      expect(days).toMatchObject([{ spendNano: sum, requests: 2 }]);
      expect(await verify()).toEqual([]);
    });
  });

  test('spend is remembered by the next start', async () => {
    const before = await chatWith(gateway, key('billed'));
    await gateway.stop();
    gateway = await gatewayOn(place, configOf(simulator.url));
    const after = await chatWith(gateway, key('billed'));
    const [earlier, later] = [before, after].map(({ headers }) => nanos(headers.get('x-litellm-key-spend')));
    const cost = nanos(before.headers.get('x-litellm-response-cost'));
    expect(later).toBe((earlier ?? 0n) + cost);
  });

  test.each([
    ['unknown', 'sk-nobody-has-this', 401, 'token_not_found_in_db', /Invalid proxy server token/],
    ['blocked', 'blocked', 401, 'auth_error', /Key is blocked/],
    ['expired', 'expired', 401, 'expired_key', /Expired Key/],
    ['of a blocked team', 'of-closed-team', 401, 'auth_error', /Team=closed is blocked/],
  ])('a key that is %s is refused', async (_, id, status, type, words) => {
    const answer = await chatWith(gateway, keys.get(id)?.text ?? id);
    expect(answer.status).toBe(status);
    expect(await refusalOf(answer)).toMatchObject({ type, message: expect.stringMatching(words) });
  });

  test('a model that the key may not use is refused, and so is one that its team may not', async () => {
    const own = await chatWith(gateway, key('small-only'), { model: 'large' });
    expect([own.status, (await refusalOf(own)).type]).toEqual([403, 'key_model_access_denied']);
    const team = await chatWith(gateway, key('billed'), { model: 'large' });
    expect([team.status, (await refusalOf(team)).type]).toEqual([403, 'team_model_access_denied']);
  });

  test('more requests than rpm allows are refused with when to come back', async () => {
    const first = await chatWith(gateway, key('rpm'));
    expect(first.headers.get('x-ratelimit-api_key-remaining-requests')).toBe('1');
    await chatWith(gateway, key('rpm'));
    const answer = await chatWith(gateway, key('rpm'));
    expect(answer.status).toBe(429);
    expect(answer.headers.get('rate_limit_type')).toBe('requests');
    expect(Number(answer.headers.get('retry-after'))).toBeWithin(1, 61);
    expect((await refusalOf(answer)).message).toContain('Rate limit exceeded for api_key');
  });

  test('more tokens than tpm allows are refused', async () => {
    await chatWith(gateway, key('tpm'), { max_tokens: 55 });
    const answer = await chatWith(gateway, key('tpm'), { max_tokens: 55 });
    expect([answer.status, answer.headers.get('rate_limit_type')]).toEqual([429, 'tokens']);
  });

  test('more requests at once than allowed are refused, and the place is free again after', async () => {
    const rule = simulator.inject('latency@400');
    const running = chatWith(gateway, key('parallel'));
    const seen = simulator.requests.length;
    await simulator.until((requests) => requests.length > seen).catch(() => undefined);
    const answer = await chatWith(gateway, key('parallel'));
    simulator.remove(rule);
    expect([answer.status, answer.headers.get('rate_limit_type')]).toEqual([429, 'max_parallel_requests']);
    await (await running).text();
    expect((await chatWith(gateway, key('parallel'))).status).toBe(200);
  });

  test.each([
    ['too small for the request', 'poor', /Current cost: 0, Max budget: 0\.000001.*may cost up to/],
    ['spent according to its row', 'spent', /Current cost: 1, Max budget: 0\.01/],
    ['of the model', 'modelled', /exceeded budget for model=small/],
  ])('a budget that is %s refuses in LiteLLM’s words', async (_, id, words) => {
    const answer = await chatWith(gateway, key(id));
    expect(answer.status).toBe(429);
    expect(await refusalOf(answer)).toMatchObject({ type: 'budget_exceeded', message: expect.stringMatching(words) });
  });

  test('a refused request of a known key is a row that costs nothing; one of nobody is none', async () => {
    await until(async () => (await metricOf(gateway, 'tollgate_ledger_unwritten_entries')) === 0);
    await inStore(async ({ read }) => {
      const refused = await read.spendLogs.list({ where: { key_id: 'poor' }, limit: 10 });
      expect(refused.rows).toMatchObject([{ http_status: 429, cost_status: 'none', request_end: 'failure' }]);
      expect(await read.spendLogs.count({ http_status: 401, api_key: '' })).toBe(0);
    });
  });

  test('a request is found in the log by the id in its answer, whole or streamed', async () => {
    const logged = async (id: string) => {
      const headers = { authorization: `Bearer ${MASTER_KEY}` };
      const answer = await fetch(`${gateway.url}/spend/logs?request_id=${id}`, { headers });
      const rows = await answer.json();
      return Array.isArray(rows) ? rows.length : answer.status;
    };
    // The simulator answers the same request with the same id.
    const asking = (content: string, more = {}) =>
      chatWith(gateway, key('plain'), { messages: [{ role: 'user', content }], ...more });
    const whole = (await (await asking('whole')).json()) as { id: string };
    const streamed = await (await asking('streamed', { stream: true })).text();
    const [, inStream = ''] = /"id":"([^"]+)"/.exec(streamed) ?? [];
    expect(whole.id).toStartWith('chatcmpl-');
    expect(inStream).toStartWith('chatcmpl-');
    for (const id of [whole.id, inStream]) await until(async () => (await logged(id)) === 1);
    expect(await logged('chatcmpl-unknown')).toBe(0);
  });

  test('a model list is answered for a key, and admin pages are not', async () => {
    const headers = { authorization: `Bearer ${key('plain')}` };
    expect((await fetch(`${gateway.url}/v1/models`, { headers })).status).toBe(200);
    expect(await (await fetch(`${gateway.url}/health`, { headers })).json()).toEqual({ status: 'healthy' });
  });
});

/** Dollars as text, in nano-dollars. */
function nanos(dollars: string | null | undefined): bigint {
  const [whole = '0', fraction = ''] = (dollars ?? '0').split('.');
  return BigInt(whole) * DOLLAR + BigInt(fraction.padEnd(9, '0'));
}

async function spendMetric(gateway: TestGateway): Promise<bigint> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  const values = [...text.matchAll(/^litellm_spend_metric_total\{[^}]*\} (\S+)$/gm)];
  return values.reduce((sum, [, value]) => sum + nanos(value), 0n);
}
