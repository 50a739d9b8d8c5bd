import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { TestGateway } from '../support/gateway.ts';
import { DATABASES } from '../support/store.ts';
import { chatWith, configOf, type Ground, gatewayOn, ground, MASTER_KEY, until } from '../support/tenants.ts';

/** Less than a request holds, so that the first is refused and says what was spent. */
const CONFIG = `max_budget: 0.0001, budget_duration: 30d, max_end_user_budget: 0.000001, max_internal_user_budget: 7, num_retries: 0`;

interface Body {
  readonly key: string;
  readonly max_budget: number;
  readonly user_info: { readonly spend: number };
}

describe.each(DATABASES)('budgets of the configuration on %s', (kind) => {
  let place: Ground;
  let simulator: Simulator;
  let gateway: TestGateway;

  const ask = async (path: string, body?: object) => {
    const answer = await fetch(gateway.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${MASTER_KEY}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Body };
  };
  const refusal = async (key: string, body = {}) => {
    const answer = await chatWith(gateway, key, body);
    return [answer.status, await answer.text()] as const;
  };

  beforeAll(async () => {
    simulator = await startSimulator();
    place = await ground(kind);
    gateway = await gatewayOn(place, configOf(simulator.url).replace('num_retries: 0', CONFIG));
  });

  afterAll(async () => {
    await gateway?.stop();
    await simulator?.stop();
    await place?.remove();
  });

  test('give users that are no admins theirs', async () => {
    expect((await ask('/user/new', { auto_create_key: false })).body.max_budget).toBe(7);
    expect((await ask('/user/new', { auto_create_key: false, max_budget: 1 })).body.max_budget).toBe(1);
  });

  test('hold for customers without one, whoever asks for them', async () => {
    const { body } = await ask('/key/generate', {});
    await ask('/customer/new', { user_id: 'rich', max_budget: 5 });
    const [status, text] = await refusal(body.key, { user: 'somebody' });
    expect([status, text]).toEqual([429, expect.stringContaining('End User=somebody')]);
    expect((await refusal(MASTER_KEY, { user: 'somebody' }))[0]).toBe(429);
    expect((await refusal(MASTER_KEY, { user: 'rich' }))[0]).toBe(200);
  });

  test('of everything together counts what the master key spends, and refuses everybody else', async () => {
    const { body } = await ask('/key/generate', {});
    const spent = async () => (await ask('/user/info?user_id=litellm-proxy-budget')).body.user_info;
    expect((await ask('/global/spend')).body.max_budget).toBe(0.0001);
    const before = (await spent()).spend;
    expect((await refusal(MASTER_KEY))[0]).toBe(200);
    await until(async () => (await spent()).spend > before);
    expect(await spent()).toMatchObject({
      user_id: 'litellm-proxy-budget',
      max_budget: 0.0001,
      budget_duration: '30d',
    });
    // What the master key spends is known within two seconds, as what other instances do.
    await until(async () => /Global=proxy Current cost: 0\.0/.test((await refusal(body.key))[1]));
    expect((await refusal(body.key))[0]).toBe(429);
    expect((await refusal(MASTER_KEY))[0]).toBe(200);
  });
});
