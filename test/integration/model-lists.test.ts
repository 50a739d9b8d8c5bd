import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { TestGateway } from '../support/gateway.ts';
import { DATABASES } from '../support/store.ts';
import { type Ground, gatewayOn, ground, MASTER_KEY } from '../support/tenants.ts';

/** Nothing is called, so nobody has to answer. */
const CONFIG = `
model_list:
  - {model_name: small, litellm_params: {model: openai/gpt-4o, api_key: os.environ/KEY, rpm: 5}, model_info: {id: small-1, access_groups: [beta]}}
  - {model_name: small, litellm_params: {model: openai/gpt-4o-mini, api_key: os.environ/KEY, rpm: 7}, model_info: {id: small-2, supports_vision: true}}
  - {model_name: large, litellm_params: {model: openai/gpt-4o, api_key: os.environ/KEY}, model_info: {id: large-1}}
  - {model_name: "anthropic/*", litellm_params: {model: "anthropic/*", api_key: os.environ/KEY}, model_info: {id: claude}}
router_settings:
  model_group_alias: {tiny: small}
`;

const ALL = ['small', 'large', 'anthropic/*', 'tiny'];

interface Listed {
  readonly data: readonly { readonly id: string; readonly model_name: string; readonly model_group: string }[];
}

describe.each(DATABASES)('lists of models on %s', (kind) => {
  let place: Ground;
  let gateway: TestGateway;

  const ask = (path: string, key: string, body?: object) =>
    fetch(gateway.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const made = async (path: string, body: object): Promise<string> => {
    const answer = await ask(path, MASTER_KEY, body);
    expect([path, answer.status]).toEqual([path, 200]);
    return ((await answer.json()) as { key: string }).key;
  };
  const listed = async (path: string, key: string) => ((await (await ask(path, key)).json()) as Listed).data;
  const ids = async (key: string, query = '') => (await listed(`/v1/models${query}`, key)).map(({ id }) => id);

  beforeAll(async () => {
    place = await ground(kind);
    gateway = await gatewayOn(place, CONFIG);
    await made('/team/new', { team_id: 'narrow', models: ['small'] });
    await made('/team/new', { team_id: 'wide' });
    await made('/organization/new', { organization_id: 'org', organization_alias: 'Org', models: ['large'] });
  });

  afterAll(async () => {
    await gateway?.stop();
    await place?.remove();
  });

  const USER = { user_id: 'ann', models: ['large'] };
  const CASES: readonly [string, string, object, readonly string[]][] = [
    ['without a list', '/key/generate', {}, ALL],
    ['with one name', '/key/generate', { models: ['large'] }, ['large']],
    // An alias is allowed with its target.
    ['with an access group', '/key/generate', { models: ['beta'] }, ['small', 'tiny']],
    ['with a star', '/key/generate', { models: ['anthropic/*'] }, ['anthropic/*']],
    [
      'with names behind a wildcard',
      '/key/generate',
      { models: ['anthropic/claude-opus-4', 'anthropic/claude-3*'] },
      ['anthropic/claude-opus-4', 'anthropic/claude-3*'],
    ],
    ['with a name that nobody serves', '/key/generate', { models: ['none'] }, []],
    ['with all-proxy-models', '/key/generate', { models: ['all-proxy-models'] }, ALL],
    ['of a team', '/key/generate', { team_id: 'narrow' }, ['small', 'tiny']],
    ['with all-team-models', '/key/generate', { team_id: 'narrow', models: ['all-team-models'] }, ['small', 'tiny']],
    [
      'that lists more than its team',
      '/key/generate',
      { team_id: 'narrow', models: ['small', 'large'] },
      ['small', 'tiny'],
    ],
    ['of a team without a list', '/key/generate', { team_id: 'wide', models: ['large'] }, ['large']],
    ['of an organization', '/key/generate', { organization_id: 'org' }, ['large']],
    ['of a user', '/user/new', USER, ['large']],
    ['of a user without models', '/user/new', { models: ['no-default-models'] }, []],
  ];

  test.each(CASES)('of a key %s: what it may ask for', async (_, path, body, expected) => {
    const key = await made(path, body);
    expect((await ids(key)).sort()).toEqual([...expected].sort());
    expect(await ids(MASTER_KEY)).toEqual(ALL);
    const groups = new Set(expected.map((name) => (name.startsWith('anthropic/') ? 'anthropic/*' : name)));
    const shown = (await listed('/model/info', key)).map(({ model_name }) => model_name);
    expect(new Set(shown)).toEqual(new Set([...groups].filter((name) => name !== 'tiny')));
  });

  test('one model is shown to those who may ask for it', async () => {
    const key = await made('/key/generate', { models: ['large', 'anthropic/claude-*'] });
    const status = async (path: string) => (await ask(path, key)).status;
    expect(await status('/v1/models/large')).toBe(200);
    expect(await status('/v1/models/anthropic%2Fclaude-opus-4')).toBe(200);
    expect(await status('/v1/models/small')).toBe(404);
    expect(await status('/v1/models/tiny')).toBe(404);
    expect(await status('/model/info?litellm_model_id=large-1')).toBe(200);
    expect(await status('/model/info?litellm_model_id=small-1')).toBe(400);
  });

  test('access groups are listed when they are asked for', async () => {
    const [beta, plain] = [
      await made('/key/generate', { models: ['beta'] }),
      await made('/key/generate', { models: ['small'] }),
    ];
    expect(await ids(beta, '?only_model_access_groups=True')).toEqual(['beta']);
    expect(await ids(plain, '?only_model_access_groups=True')).toEqual([]);
    expect(await ids(MASTER_KEY, '?include_model_access_groups=true')).toEqual([...ALL, 'beta']);
  });

  test('groups are told over all their deployments', async () => {
    const key = await made('/key/generate', { models: ['small'] });
    expect(await listed('/model_group/info', key)).toMatchObject([
      { model_group: 'small', providers: ['openai'], rpm: 12, supports_vision: true, supports_reasoning: false },
    ]);
    expect((await listed('/model_group/info?model_group=large', key)).length).toBe(0);
    expect((await listed('/model_group/info', MASTER_KEY)).map(({ model_group }) => model_group)).toEqual([
      'small',
      'large',
      'anthropic/*',
    ]);
  });
});
