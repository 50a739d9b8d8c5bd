import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { hash } from 'node:crypto';
import { PLAIN_SETTINGS } from '../../src/control/ports.ts';
import { type ControlBench, startControl } from '../support/control.ts';
import { DATABASES } from '../support/store.ts';

const DAY = 86_400_000;

describe.each(DATABASES)('keys on %s', (kind) => {
  let bench: ControlBench;
  /** Every key that an answer showed, and which answers may have. */
  const made: string[] = [];

  beforeAll(async () => {
    bench = await startControl(kind);
    await bench.post('/team/new', {
      team_id: 'team-1',
      members_with_roles: [
        { role: 'admin', user_id: 'boss' },
        { role: 'user', user_id: 'member' },
      ],
    });
    for (const user_id of ['alice', 'bob', 'boss', 'member'])
      await bench.post('/user/update', { user_id, user_role: 'internal_user' });
  });

  afterAll(() => bench.stop());

  const generate = async (body: object = {}, more = {}) => {
    const { status, body: answer } = await bench.post('/key/generate', body, more);
    expect([status, answer.error?.message]).toEqual([200, undefined]);
    made.push(answer.key);
    return answer;
  };

  test('a key is shown once, kept as its hash, and has LiteLLM’s fields', async () => {
    const answer = await generate({
      key_alias: 'first',
      duration: '30d',
      models: ['gpt-4o', 'openai/*'],
      aliases: { fast: 'gpt-4o-mini' },
      max_budget: 12.5,
      budget_duration: '1d',
      rpm_limit: 10,
      tpm_limit: 1000,
      max_parallel_requests: 3,
      model_rpm_limit: { 'gpt-4o': 5 },
      model_max_budget: { 'gpt-4o': { budget_limit: 1, time_period: '1d' } },
      metadata: { owner: 'ops' },
      tags: ['blue'],
      permissions: { pii: false },
      user_id: 'carol',
      team_id: 'team-1',
    });
    expect(answer.key).toMatch(/^sk-[A-Za-z0-9_-]{22}$/);
    const token = hash('sha256', answer.key);
    expect(answer).toMatchObject({
      token,
      token_id: token,
      key_name: `sk-...${answer.key.slice(-4)}`,
      key_alias: 'first',
      models: ['gpt-4o', 'openai/*'],
      aliases: { fast: 'gpt-4o-mini' },
      max_budget: 12.5,
      spend: 0,
      rpm_limit: 10,
      model_rpm_limit: { 'gpt-4o': 5 },
      tags: ['blue'],
      metadata: { owner: 'ops', tags: ['blue'], model_rpm_limit: { 'gpt-4o': 5 } },
      user_id: 'carol',
      team_id: 'team-1',
      created_by: 'default_user_id',
      litellm_budget_table: null,
    });
    expect(answer.key_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(Math.abs(Date.parse(answer.expires) - Date.now() - 30 * DAY)).toBeLessThan(60_000);
    expect(new Date(answer.budget_reset_at).toISOString()).toEndWith('T00:00:00.000Z');
    expect(await bench.store.read.keys.get(token)).toMatchObject({
      key_id: answer.key_id,
      max_budget_nano: 12_500_000_000n,
    });
  });

  test('a key may be chosen, within what a header can carry', async () => {
    const chosen = `sk-chosen-by-me-${kind}`;
    expect((await generate({ key: chosen })).key).toBe(chosen);
    for (const key of ['chosen', 'sk-', 'sk-with space', 'sk-ümlaut']) {
      const answer = await bench.post('/key/generate', { key });
      expect([answer.status, answer.body.error.param]).toEqual([400, 'key']);
      expect(answer.text).not.toContain(key.length > 5 ? key : '\0');
    }
    expect((await bench.post('/key/generate', { key: chosen })).body.error).toMatchObject({
      code: '400',
      param: 'token',
    });
  });

  test('two keys cannot have one alias, also when they are made at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => bench.post('/key/generate', { key_alias: 'wanted' })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(7).fill(400)]);
    const refusal = answers.find(({ status }) => status === 400)?.body.error;
    expect(refusal).toMatchObject({ type: 'bad_request_error', param: 'key_alias', code: '400' });
    expect(await bench.store.read.keys.count({ key_alias: 'wanted' })).toBe(1);
  });

  test.each([
    [{ team_id: 'none' }, 400, 'team_id'],
    [{ budget_id: 'none' }, 400, null],
    [{ organization_id: 'none' }, 400, null],
    [{ max_budget: -1 }, 422, 'max_budget'],
    [{ duration: 'soon' }, 422, 'duration'],
    [{ rpm_limit: 'ten' }, 422, 'rpm_limit'],
    [{ soft_budget: 5, max_budget: 5 }, 400, 'soft_budget'],
    [{ key_alias: 'a'.repeat(513) }, 422, 'key_alias'],
  ] as const)('the request %j is refused with %d', async (body, status, param) => {
    const answer = await bench.post('/key/generate', body);
    expect([answer.status, answer.body.error.param]).toEqual([status, param]);
  });

  test('a soft budget is a budget that the key points at', async () => {
    const answer = await generate({ soft_budget: 3, max_budget: 4 });
    expect(answer.litellm_budget_table).toMatchObject({ budget_id: answer.budget_id, soft_budget: 3 });
  });

  test('key_type gives allowed_routes, an object permission a row of its own', async () => {
    const answer = await generate({ key_type: 'llm_api', object_permission: { vector_stores: ['a'] } });
    expect(answer.allowed_routes).toEqual(['llm_api_routes']);
    const { body } = await bench.get('/key/info', { key: answer.key_id });
    expect(body.info.object_permission.vector_stores).toEqual(['a']);
  });

  test('defaults fill in, bounds refuse, and what has a bound and is left out gets it', async () => {
    bench.settings = {
      ...PLAIN_SETTINGS,
      keyDefaults: { models: ['gpt-4o'] },
      keyBounds: { max_budget: 10, duration: '30d', rpm_limit: 100 },
    };
    try {
      expect(await generate({ rpm_limit: 5 })).toMatchObject({ models: ['gpt-4o'], max_budget: 10, rpm_limit: 5 });
      for (const body of [{ max_budget: 11 }, { duration: '2mo' }, { duration: '-1' }, { rpm_limit: 101 }]) {
        const answer = await bench.post('/key/generate', body);
        expect([answer.status, answer.body.error.param]).toEqual([400, Object.keys(body)[0]]);
      }
    } finally {
      bench.settings = PLAIN_SETTINGS;
    }
  });

  test('info tells of a key by itself, by hash and by key_id, without its hash', async () => {
    const { key, token, key_id } = await generate({ key_alias: 'shown' });
    for (const name of [key, token, key_id]) {
      const { status, body } = await bench.get('/key/info', { key: name });
      expect([status, body.key, body.info.key_alias, body.info.token]).toEqual([200, name, 'shown', undefined]);
    }
    expect((await bench.get('/key/info', {}, { key })).body.info.key_alias).toBe('shown');
    const unknown = await bench.get('/key/info', { key: 'sk-nobody-has-this' });
    expect([unknown.status, unknown.body.error.type]).toEqual([404, 'not_found_error']);
    expect(unknown.text).not.toContain('nobody');
    expect((await bench.get('/key/info')).status).toBe(404);
    const { body } = await bench.post('/v2/key/info', { keys: [token, 'none', key_id] });
    expect([body.key, body.info.length]).toEqual([[token], 1]);
  });

  test('an update changes what is sent and nothing else', async () => {
    const { key, token } = await generate({
      key_alias: 'changed',
      max_budget: 5,
      duration: '1d',
      metadata: { a: 1 },
      tags: ['x'],
    });
    const first = await bench.post('/key/update', { key, max_budget: 7.25, duration: '-1', model_tpm_limit: { m: 3 } });
    expect(first.body).toMatchObject({
      key,
      key_alias: 'changed',
      max_budget: 7.25,
      expires: null,
      metadata: { a: 1, tags: ['x'], model_tpm_limit: { m: 3 } },
    });
    expect(first.body.token).toBeUndefined();
    const second = await bench.post('/key/update', { key: token, max_budget: null, models: null, metadata: { b: 2 } });
    expect(second.body).toMatchObject({ max_budget: null, models: [], metadata: { b: 2 } });
    expect((await bench.post('/key/update', { key: 'none', models: [] })).status).toBe(404);
    expect((await bench.post('/key/update', { models: [] })).status).toBe(422);
    const half = await bench.post('/key/update', { key, temp_budget_increase: 3 });
    expect([half.status, half.body.error.param]).toEqual([400, 'temp_budget_expiry']);
    const both = { temp_budget_increase: 3, temp_budget_expiry: '2030-01-01T00:00:00Z' };
    expect((await bench.post('/key/update', { key, ...both })).body.metadata).toMatchObject(both);
  });

  test('many updates say which were made', async () => {
    const { key } = await generate();
    const { body } = await bench.post('/key/bulk_update', {
      keys: [
        { key, max_budget: 3 },
        { key: 'none', max_budget: 3 },
      ],
    });
    expect(body).toMatchObject({ total_requested: 2, successful_updates: [{ key_info: { max_budget: 3 } }] });
    expect(body.failed_updates).toMatchObject([{ key: 'none' }]);
  });

  test('a block and its end are changes of their own in the audit log', async () => {
    const { key, token } = await generate();
    expect((await bench.post('/key/block', { key })).body).toMatchObject({ token, blocked: true });
    expect((await bench.get('/key/info', {}, { key })).status).toBe(401);
    expect((await bench.post('/key/unblock', { key: token })).body.blocked).toBe(false);
    const { rows } = await bench.store.read.audit.list({ where: { object_id: token }, sort: 'updated_at', limit: 10 });
    expect(rows.map(({ action }) => action)).toEqual(['created', 'blocked', 'unblocked']);
  });

  test('a rotation gives a new text, keeps key_id and spend, and the old text works as long as was said', async () => {
    const old = await generate({ key_alias: 'rotated', spend: 1.5 });
    const next = (await bench.post('/key/regenerate', { key: old.key, grace_period: '1h', max_budget: 9 })).body;
    made.push(next.key);
    expect(next).toMatchObject({
      key_id: old.key_id,
      key_alias: 'rotated',
      spend: 1.5,
      max_budget: 9,
      rotation_count: 1,
    });
    expect(next.key).not.toBe(old.key);
    expect((await bench.get('/key/info', {}, { key: old.key })).status).toBe(200);
    const last = (await bench.post(`/key/${next.key_id}/regenerate`, { new_key: `sk-last-of-all-${kind}` })).body;
    made.push(last.key);
    expect(last.key).toBe(`sk-last-of-all-${kind}`);
    expect((await bench.get('/key/info', {}, { key: next.key })).status).toBe(401);
    expect((await bench.get('/key/info', {}, { key: last.key })).status).toBe(200);
    expect((await bench.post('/key/regenerate', { new_master_key: 'sk-x', key: last.key })).status).toBe(400);
  });

  test('spend is set by hand, and the ledger is not', async () => {
    const { key_id } = await generate({ spend: 4 });
    const { body } = await bench.post(`/key/${key_id}/reset_spend`, { reset_to: 0.25 });
    expect(body.spend).toBe(0.25);
    expect(await bench.store.verify()).toEqual([]);
  });

  test('a deleted key is gone and its row is kept', async () => {
    const one = await generate();
    const two = await generate({ key_alias: 'to-go' });
    const three = await generate();
    expect((await bench.post('/key/delete', { keys: [one.key, one.token, 'none'] })).body).toEqual({
      deleted_keys: [one.key],
    });
    expect((await bench.post('/key/delete', { key_aliases: ['to-go'] })).body).toEqual({ deleted_keys: ['to-go'] });
    const byDelete = await bench.ask('DELETE', '/key/delete', { keys: [three.key_id] });
    expect(byDelete.body).toEqual({ deleted_keys: [three.key_id] });
    expect((await bench.post('/key/delete', { keys: [two.key] })).status).toBe(404);
    expect((await bench.get('/key/info', {}, { key: one.key })).status).toBe(401);
    const { body } = await bench.get('/key/list', {
      status: 'deleted',
      key_hash: two.token,
      return_full_object: 'true',
    });
    expect(body.keys).toMatchObject([{ key_id: two.key_id, deleted_by: 'default_user_id' }]);
  });

  test('lists are pages, filtered and sorted', async () => {
    for (let index = 0; index < 5; index += 1)
      await generate({ user_id: 'lister', key_alias: `list-${index}`, max_budget: 5 - index });
    const page = await bench.get('/key/list', {
      user_id: 'lister',
      size: '2',
      page: '2',
      sort_by: 'key_alias',
      sort_order: 'asc',
      return_full_object: 'true',
    });
    expect(page.body).toMatchObject({ total_count: 5, current_page: 2, total_pages: 3 });
    expect(page.body.keys.map((key: { key_alias: string }) => key.key_alias)).toEqual(['list-2', 'list-3']);
    const dearest = await bench.get('/key/list', { user_id: 'lister', sort_by: 'max_budget', size: '1' });
    expect(dearest.body.keys).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect((await bench.get('/key/list', { size: '101' })).status).toBe(422);
    expect((await bench.get('/key/list', { user_id: 'nobody' })).body).toMatchObject({ keys: [], total_count: 0 });
    expect((await bench.get('/key/aliases', { search: 'LIST-' })).body.aliases.length).toBe(5);
  });

  test('a service account is a key of a team and of nobody', async () => {
    const { body } = await bench.post('/key/service-account/generate', { team_id: 'team-1', key_alias: 'robot' });
    made.push(body.key);
    expect(body).toMatchObject({ team_id: 'team-1', user_id: null, metadata: { service_account_id: 'robot' } });
    expect((await bench.post('/key/service-account/generate', {})).status).toBe(422);
  });

  describe('of a user', () => {
    let alice: string;
    let bob: string;
    let boss: string;
    let member: string;

    beforeAll(async () => {
      alice = (await generate({ user_id: 'alice', max_budget: 10, tags: ['dear'] })).key;
      bob = (await generate({ user_id: 'bob' })).key;
      boss = (await generate({ user_id: 'boss' })).key;
      member = (await generate({ user_id: 'member' })).key;
    });

    test('make and manage keys of his own', async () => {
      const mine = await generate({ key_alias: 'alice-own' }, { key: alice });
      expect([mine.user_id, mine.created_by]).toEqual(['alice', 'alice']);
      const changed = await bench.post('/key/update', { key: mine.key, max_budget: 3 }, { key: alice });
      expect(changed.body.max_budget).toBe(3);
      expect((await bench.get('/key/info', { key: mine.token }, { key: alice })).status).toBe(200);
      expect((await bench.post('/key/delete', { keys: [mine.token] }, { key: alice })).status).toBe(200);
    });

    test('do not touch those of others, nor see them', async () => {
      const { token } = (await bench.get('/key/list', { user_id: 'bob', return_full_object: 'true' })).body.keys[0];
      for (const answer of [
        await bench.get('/key/info', { key: token }, { key: alice }),
        await bench.post('/key/update', { key: token, models: [] }, { key: alice }),
        await bench.post('/key/delete', { keys: [token] }, { key: alice }),
        await bench.post('/key/regenerate', { key: token }, { key: alice }),
        await bench.get('/key/list', { user_id: 'bob' }, { key: alice }),
        await bench.post('/key/generate', { user_id: 'bob' }, { key: alice }),
        await bench.post('/key/generate', { user_id: null }, { key: alice }),
      ])
        expect([answer.status, answer.body.error.type]).toEqual([403, 'auth_error']);
      const { body } = await bench.get('/key/list', { return_full_object: 'true' }, { key: alice });
      expect(new Set(body.keys.map((key: { user_id: string }) => key.user_id))).toEqual(new Set(['alice']));
    });

    test.each([
      { spend: 0 },
      { permissions: { get_spend_routes: true } },
      { blocked: false },
      { temp_budget_increase: 5, temp_budget_expiry: '2030-01-01' },
      { max_budget: 1000 },
      { duration: '-1' },
      { models: [] },
      { team_id: 'team-1' },
      { user_id: 'bob' },
      { blocked: null },
      { tags: ['untaxed'] },
      { metadata: {} },
      { metadata: { tags: ['dear'], temp_budget_increase: 99, temp_budget_expiry: '2030-01-01T00:00:00Z' } },
      { metadata: { tags: ['dear'], model_rpm_limit: { demo: 1000 } } },
    ])('do not lift with %j what an admin set', async (body) => {
      const answer = await bench.post('/key/update', { key: alice, ...body }, { key: alice });
      expect([403, 401]).toContain(answer.status);
    });

    test('are named anew, with the metadata that nobody else looks at', async () => {
      const metadata = { tags: ['dear'], note: 'mine' };
      const { status, body } = await bench.post(
        '/key/update',
        { key: alice, key_alias: 'mine', metadata },
        { key: alice },
      );
      expect([status, body.metadata]).toEqual([200, metadata]);
    });

    test('stay within the bounds when they are changed', async () => {
      const own = await generate({}, { key: alice });
      bench.settings = { ...PLAIN_SETTINGS, keyBounds: { max_budget: 10 } };
      try {
        for (const max_budget of [11, null]) {
          const answer = await bench.post('/key/update', { key: own.key, max_budget }, { key: alice });
          expect([answer.status, answer.body.error?.param]).toEqual([400, 'max_budget']);
        }
      } finally {
        bench.settings = PLAIN_SETTINGS;
      }
    });

    test('are blocked and unblocked by admins only', async () => {
      const answer = await bench.post('/key/unblock', { key: bob }, { key: bob });
      expect([answer.status, answer.body.error.message]).toEqual([403, expect.stringContaining('Only proxy admin')]);
    });

    test('in a team are managed by its admins, and by members who may', async () => {
      const team_id = 'team-1';
      const made = await generate({ team_id, user_id: 'member', key_alias: `by-boss-${kind}` }, { key: boss });
      expect((await bench.get('/key/info', { key: made.token }, { key: member })).status).toBe(200);
      const refused = await bench.post('/key/generate', { team_id }, { key: member });
      expect([refused.status, refused.body.error.type]).toEqual([401, 'team_member_permission_error']);
      await bench.post('/team/permissions_update', { team_id, team_member_permissions: ['/key/generate'] });
      const own = await generate({ team_id }, { key: member });
      expect(own).toMatchObject({ team_id, user_id: 'member' });
      expect((await bench.post('/key/generate', { team_id }, { key: alice })).status).toBe(403);
      const { body } = await bench.get(
        '/key/list',
        { include_team_keys: 'true', return_full_object: 'true', size: '100' },
        { key: boss },
      );
      expect(body.keys.map((key: { token: string }) => key.token)).toContain(own.token);
    });

    test('who has no user see themselves and make none', async () => {
      const { key, token } = await generate();
      expect((await bench.get('/key/info', {}, { key })).status).toBe(200);
      expect((await bench.get('/key/list', {}, { key })).body.keys).toEqual([token]);
      expect((await bench.post('/key/generate', {}, { key })).status).toBe(403);
      expect((await bench.get('/key/info', { key: alice }, { key })).status).toBe(403);
      expect((await bench.post('/key/health', {}, { key })).body).toEqual({ key: 'healthy', logging_callbacks: null });
    });
  });

  test('no list, log, audit row or error has ever held a key', async () => {
    const rows = await bench.store.read.audit.list({ limit: 10_000 });
    const audit = JSON.stringify(rows.rows);
    expect(rows.rows.length).toBeGreaterThan(30);
    expect(made.filter((key) => audit.includes(key))).toEqual([]);
    const answers = bench.said.filter((text) => !/"key":"sk-|"deleted_keys"/.test(text));
    expect(answers.length).toBeGreaterThan(50);
    for (const text of answers) expect(made.filter((key) => text.includes(key))).toEqual([]);
    expect(bench.faults).toEqual([]);
  });
});
