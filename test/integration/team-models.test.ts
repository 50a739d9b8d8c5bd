import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { TestGateway } from '../support/gateway.ts';
import { DATABASES } from '../support/store.ts';
import { chatWith, type Ground, gatewayOn, ground, MASTER_KEY } from '../support/tenants.ts';

interface Body {
  readonly key: string;
  readonly model_info: { readonly id: string };
  readonly team_info: { readonly models: readonly string[] };
  readonly data: readonly { readonly id: string; readonly model_group: string }[];
  readonly error?: { readonly message: string };
}

describe.each(DATABASES)('what belongs to a team on %s', (kind) => {
  let place: Ground;
  let simulator: Simulator;
  let gateway: TestGateway;
  const keys = new Map<string, string>();
  const key = (name: string): string => keys.get(name) ?? '';

  const ask = async (path: string, body?: object, as = MASTER_KEY) => {
    const answer = await fetch(gateway.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${as}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Body };
  };
  const done = async (path: string, body?: object, as = MASTER_KEY) => {
    const { status, body: answer } = await ask(path, body, as);
    expect([path, status, answer.error?.message]).toEqual([path, 200, undefined]);
    return answer;
  };
  const calls = async (who: string, model: string) => {
    const answer = await chatWith(gateway, key(who), { model });
    await answer.text();
    return [answer.status, answer.headers.get('x-litellm-model-id')];
  };
  const params = () => ({ model: 'openai/gpt-4o', api_base: `${simulator.url}/v1`, api_key: 'sk-any' });

  beforeAll(async () => {
    simulator = await startSimulator();
    place = await ground(kind);
    const deployment = (name: string, more: string) =>
      `  - {model_name: ${name}, litellm_params: {model: openai/gpt-4o, api_base: "${simulator.url}/v1", api_key: sk-any, ${more}}`;
    gateway = await gatewayOn(
      place,
      `model_list:
${deployment('shared', '}, model_info: {id: shared-1}')}
${deployment('tagged', 'tags: [a]}, model_info: {id: for-a}')}
${deployment('tagged', 'tags: [b]}, model_info: {id: for-b}')}
${deployment('filed', '}, model_info: {id: filed-1, team_id: owner}')}
${deployment('odd-name', '}, model_info: {id: renamed-1, team_id: owner, team_public_model_name: shared}')}
router_settings: {enable_tag_filtering: true}
general_settings: {store_model_in_db: true}
`,
    );
    for (const [team_id, tags] of [
      ['owner', []],
      ['other', []],
      ['tagged-a', ['a']],
      ['tagged-b', ['b']],
    ])
      await done('/team/new', { team_id, tags });
    for (const team_id of ['owner', 'other', 'tagged-a', 'tagged-b'])
      keys.set(team_id, (await done('/key/generate', { team_id })).key);
    keys.set('nobody', (await done('/key/generate', {})).key);
  });

  afterAll(async () => {
    await gateway?.stop();
    await simulator?.stop();
    await place?.remove();
  });

  test('a deployment of the file: the team alone calls it, by its own name and by its id', async () => {
    expect(await calls('owner', 'filed')).toEqual([200, 'filed-1']);
    // What a team has by a name goes before what all have by it.
    expect(await calls('owner', 'shared')).toEqual([200, 'renamed-1']);
    expect(await calls('other', 'shared')).toEqual([200, 'shared-1']);
    for (const who of ['other', 'nobody'])
      for (const model of ['filed', 'filed-1', 'renamed-1', 'model_name_owner_shared'])
        expect([who, model, (await calls(who, model))[0]]).toEqual([who, model, 403]);
  });

  test('lists name it to the team alone', async () => {
    const ids = async (who: string) => (await done('/v1/models', undefined, key(who))).data.map(({ id }) => id);
    expect((await ids('owner')).sort()).toEqual(['filed', 'shared', 'tagged']);
    expect((await ids('other')).sort()).toEqual(['shared', 'tagged']);
    const groups = (await done('/model_group/info', undefined, key('nobody'))).data;
    expect(groups.map(({ model_group }) => model_group)).toEqual(['shared', 'tagged']);
  });

  test('a deployment of the database: the name comes into the list of the team and leaves it', async () => {
    const models = async () => (await done('/team/info?team_id=other')).team_info.models;
    const made = await done('/model/new', {
      ...{ model_name: 'own', litellm_params: params(), model_info: { team_id: 'other', id: 'own-1' } },
    });
    expect(made.model_info).toMatchObject({ id: 'own-1', team_public_model_name: 'own' });
    // The team could call everything before, and still can.
    expect(await models()).toEqual(['all-proxy-models', 'own']);
    expect(await calls('other', 'own')).toEqual([200, 'own-1']);
    expect(await calls('other', 'shared')).toEqual([200, 'shared-1']);
    // A name that is another team's is no name; the deployment's id is one.
    expect((await calls('owner', 'own'))[0]).toBe(400);
    expect((await calls('owner', 'own-1'))[0]).toBe(403);
    await done('/model/new', {
      ...{ model_name: 'own', litellm_params: params(), model_info: { team_id: 'other', id: 'own-2' } },
    });
    await done('/model/delete', { id: 'own-1' });
    expect(await models()).toEqual(['all-proxy-models', 'own']);
    expect(await calls('other', 'own')).toEqual([200, 'own-2']);
    const moved = await ask('/model/update', { model_info: { id: 'own-2', team_id: 'owner' } });
    expect(moved.status).toBe(400);
    await done('/model/delete', { id: 'own-2' });
    expect(await models()).toEqual([]);
    await done('/team/update', { team_id: 'other', models: ['own'] });
    const last = { model_name: 'own', litellm_params: params(), model_info: { team_id: 'other', id: 'own-3' } };
    await done('/model/new', last);
    await done('/model/delete', { id: 'own-3' });
    // An empty list would allow everything.
    expect(await models()).toEqual(['own']);
    await done('/team/update', { team_id: 'other', models: [] });
    expect(
      (await ask('/model/new', { model_name: 'x', litellm_params: params(), model_info: { team_id: 'none' } })).status,
    ).toBe(404);
  });

  test('its tags choose deployments for its keys', async () => {
    for (const [who, id] of [
      ['tagged-b', 'for-b'],
      ['tagged-a', 'for-a'],
    ] as const)
      for (let call = 0; call < 5; call += 1) expect(await calls(who, 'tagged')).toEqual([200, id]);
  });
});
