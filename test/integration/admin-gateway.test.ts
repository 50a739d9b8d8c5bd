import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { MASTER_KEY, type TestGateway } from '../support/gateway.ts';
import { DATABASES } from '../support/store.ts';
import { chatWith, configOf, type Ground, gatewayOn, ground } from '../support/tenants.ts';

/** A whole gateway in a process of its own: what the admin API says is what the data plane does, at once. */
describe.each(DATABASES)('a gateway and its admin API on %s', (kind) => {
  let place: Ground;
  let simulator: Simulator;
  let gateway: TestGateway;

  beforeAll(async () => {
    simulator = await startSimulator();
    place = await ground(kind);
    gateway = await gatewayOn(place, configOf(simulator.url));
  });

  afterAll(async () => {
    await gateway.stop();
    await simulator.stop();
    await place.remove();
  });

  const post = async (path: string, body: object, key = MASTER_KEY) => {
    const answer = await gateway.post(path, body, { authorization: `Bearer ${key}` });
    return { status: answer.status, body: (await answer.json()) as Record<string, string> };
  };
  const chat = async (key = '') => (await chatWith(gateway, key)).status;

  test('a key calls models as soon as it is made, and not after it was blocked, rotated or deleted', async () => {
    const { key = '', key_id } = (await post('/key/generate', { models: ['small'] })).body;
    expect(await chat(key)).toBe(200);
    await post('/key/block', { key });
    expect(await chat(key)).toBe(401);
    await post('/key/unblock', { key });
    expect(await chat(key)).toBe(200);
    await post('/key/update', { key, models: ['other'] });
    expect(await chat(key)).toBe(403);
    await post('/key/update', { key, models: [] });
    const next = (await post('/key/regenerate', { key })).body;
    expect([next.key_id, await chat(key), await chat(next.key)]).toEqual([key_id ?? '', 401, 200]);
    await post('/key/delete', { keys: [next.key] });
    expect(await chat(next.key)).toBe(401);
  });

  test('a tenant is provisioned and stopped with its team', async () => {
    const tenant = (await post('/tenant/provision', { tenant_id: 'shop', max_budget: 5 })).body;
    expect(await chat(tenant.key)).toBe(200);
    await post('/team/block', { team_id: 'shop' });
    expect(await chat(tenant.key)).toBe(401);
  });

  test('a user manages his own keys with a key of his', async () => {
    const { key } = (await post('/user/new', { user_id: 'ann', user_role: 'internal_user' })).body;
    const own = await post('/key/generate', {}, key);
    expect([own.status, own.body.user_id, await chat(own.body.key)]).toEqual([200, 'ann', 200]);
    expect((await post('/user/new', {}, key)).status).toBe(403);
    await post('/user/update', { user_id: 'ann', user_role: 'internal_user_viewer' });
    expect((await post('/key/generate', {}, key)).status).toBe(403);
  });

  test('paths of models are the gateway’s, unknown ones too, and browsers may ask', async () => {
    const unknown = await fetch(`${gateway.url}/key/none`);
    expect([unknown.status, ((await unknown.json()) as { error: { message: string } }).error.message]).toEqual([
      404,
      expect.stringContaining('Not Found'),
    ]);
    const preflight = await fetch(`${gateway.url}/key/info`, {
      method: 'OPTIONS',
      headers: { origin: 'https://a.example' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*']);
    const asked = await fetch(`${gateway.url}/key/info`, { headers: { origin: 'https://a.example' } });
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([401, '*']);
    expect((await fetch(`${gateway.url}/docs`)).status).toBe(200);
  });

  test('its log holds no key', async () => {
    expect(gateway.output()).not.toMatch(/sk-[A-Za-z0-9_-]{20}/);
    expect(gateway.output()).not.toContain('internal error');
  });
});
