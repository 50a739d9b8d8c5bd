import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { PLAIN_SETTINGS } from '../../src/control/ports.ts';
import { keyHash, keyId, teamId, userId } from '../../src/core/ids.ts';
import { epochMillis } from '../../src/core/units.ts';
import { type ControlBench, startControl } from '../support/control.ts';
import { costs, DATABASES, ledgerEntry, payer } from '../support/store.ts';

describe.each(DATABASES)('tenants on %s', (kind) => {
  let bench: ControlBench;

  beforeAll(async () => {
    bench = await startControl(kind);
  });

  afterAll(async () => {
    expect(bench.faults).toEqual([]);
    expect(await bench.store.verify()).toEqual([]);
    await bench.stop();
  });

  const post = async (path: string, body: object, more = {}) => {
    const answer = await bench.post(path, body, more);
    expect([path, answer.status, answer.body.error?.message]).toEqual([path, 200, undefined]);
    return answer.body;
  };

  const refusal = async (path: string, body: object, more = {}) => {
    const { status, body: answer } = await bench.post(path, body, more);
    return [status, answer.error?.type, answer.error?.param];
  };

  describe('provision', () => {
    const tenant = {
      tenant_id: 'shop',
      max_budget: 100,
      budget_duration: '30d',
      models: ['gpt-4o'],
      key: { rpm_limit: 60 },
    };

    test('makes a team with a budget and its first key, and gives the key once', async () => {
      const first = await post('/tenant/provision', tenant);
      expect(first).toMatchObject({
        tenant_id: 'shop',
        team_id: 'shop',
        max_budget: 100,
        key_alias: 'shop',
        created: true,
      });
      expect(first.key).toStartWith('sk-');
      expect(await bench.store.read.keys.get(first.token)).toMatchObject({
        key_id: first.key_id,
        team_id: 'shop',
        rpm_limit: 60,
      });
      const second = await post('/tenant/provision', { ...tenant, max_budget: 5 });
      expect(second).toEqual({ ...first, key: null, created: false });
      expect((await bench.get('/tenant/info', { tenant_id: 'shop' })).body).toEqual(second);
      expect((await bench.get('/tenant/info', { tenant_id: 'none' })).status).toBe(404);
    });

    test('asked for ten times at once makes one', async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => post('/tenant/provision', { tenant_id: 'rush' })),
      );
      expect(new Set(answers.map(({ key_id, token }) => `${key_id} ${token}`)).size).toBe(1);
      expect(answers.filter(({ created }) => created).length).toBe(1);
      expect(await bench.store.read.keys.count({ team_id: 'rush' })).toBe(1);
    });

    test('gives a key_id that a rotation does not change', async () => {
      const { key_id } = await post('/tenant/provision', { tenant_id: 'rotator' });
      const rotated = await post('/key/regenerate', { key: key_id });
      const again = await post('/tenant/provision', { tenant_id: 'rotator' });
      expect([again.key_id, again.token]).toEqual([key_id, rotated.token]);
    });

    test('leaves nothing behind when the key is refused', async () => {
      expect(await refusal('/tenant/provision', { tenant_id: 'half', key: { key: 'no-key' } })).toEqual([
        400,
        'bad_request_error',
        'key',
      ]);
      expect(await bench.store.read.teams.get('half')).toBeNull();
    });
  });

  describe('users', () => {
    test('get a key unless none is wanted', async () => {
      const made = await post('/user/new', {
        user_id: 'u1',
        user_email: 'u1@example.com',
        user_role: 'internal_user',
        max_budget: 9,
        models: ['m'],
        duration: '1d',
      });
      expect(made).toMatchObject({ user_id: 'u1', user_email: 'u1@example.com', max_budget: 9, models: ['m'] });
      expect(made.key).toStartWith('sk-');
      const bare = await post('/user/new', { auto_create_key: false });
      expect([bare.key, bare.user_id.length]).toEqual(['', 36]);
      const { body } = await bench.get('/user/info', { user_id: 'u1' });
      expect(body).toMatchObject({
        user_id: 'u1',
        user_info: { user_role: 'internal_user' },
        keys: [{ token: made.token }],
        teams: [],
      });
      expect((await bench.get('/user/info', {}, { key: made.key })).body.user_id).toBe('u1');
      expect((await bench.get('/user/info', { user_id: 'u2' }, { key: made.key })).status).toBe(403);
      expect((await bench.get('/user/info', { user_id: 'none' })).status).toBe(404);
    });

    test('are members of the team of their first key, with what they spent there and may', async () => {
      await post('/team/new', { team_id: 'joined' });
      const made = await post('/user/new', { user_id: 'joiner', team_id: 'joined' });
      expect(made).toMatchObject({ team_id: 'joined', teams: ['joined'] });
      await post('/team/member_update', { team_id: 'joined', user_id: 'joiner', max_budget_in_team: 0.5 });
      const { body } = await bench.get('/user/info', { user_id: 'joiner' });
      expect(body.teams).toMatchObject([
        {
          team_id: 'joined',
          team_memberships: [{ user_id: 'joiner', spend: 0, litellm_budget_table: { max_budget: 0.5 } }],
        },
      ]);
      await post('/user/new', {
        user_id: 'twice',
        team_id: 'joined',
        teams: [{ team_id: 'joined', user_role: 'admin' }],
      });
      expect((await bench.get('/team/info', { team_id: 'joined' })).body.team_info.members_with_roles).toMatchObject([
        { user_id: 'default_user_id', role: 'admin' },
        { user_id: 'joiner', role: 'user' },
        { user_id: 'twice', role: 'admin' },
      ]);
    });

    test('cannot have one id or one email', async () => {
      await post('/user/new', { user_id: 'twin', user_email: 'twin@example.com' });
      expect(await refusal('/user/new', { user_id: 'twin' })).toEqual([409, 'bad_request_error', 'user_id']);
      expect(await refusal('/user/new', { user_email: 'twin@example.com' })).toEqual([
        409,
        'bad_request_error',
        'user_email',
      ]);
      const { body } = await bench.get('/user/list', { user_email: 'TWIN@' });
      expect(body).toMatchObject({
        total: 1,
        page: 1,
        page_size: 25,
        total_pages: 1,
        users: [{ user_id: 'twin', key_count: 1 }],
      });
    });

    test('are changed, or made by a change', async () => {
      expect(await post('/user/update', { user_id: 'late', user_alias: 'Late' })).toMatchObject({
        user_id: 'late',
        data: { user_alias: 'Late' },
      });
      const { user_id } = await post('/user/update', { user_email: 'new@example.com', max_budget: 1 });
      expect((await post('/user/update', { user_email: 'new@example.com', spend: 2 })).data).toMatchObject({
        user_id,
        spend: 2,
      });
      expect(await refusal('/user/update', { max_budget: 1 })).toEqual([400, 'bad_request_error', 'user_id']);
      expect(await refusal('/user/update', { user_id: 'late', user_role: 'king' })).toEqual([
        422,
        'validation_error',
        'user_role',
      ]);
      const bulk = await post('/user/bulk_update', { users: [{ user_id: 'late', tpm_limit: 1 }, { tpm_limit: 1 }] });
      expect(bulk).toMatchObject({ total_requested: 2, successful_updates: 1, failed_updates: 1 });
    });

    test('get the operator’s defaults, which are not for admins', async () => {
      bench.settings = { ...PLAIN_SETTINGS, userDefaults: { user_role: 'internal_user', max_budget: 3 } };
      try {
        expect(await post('/user/new', {})).toMatchObject({ user_role: 'internal_user', max_budget: 3 });
        expect(await post('/user/new', { user_role: 'proxy_admin' })).toMatchObject({
          user_role: 'proxy_admin',
          max_budget: null,
        });
      } finally {
        bench.settings = PLAIN_SETTINGS;
      }
    });

    test('go with their keys and places', async () => {
      await post('/team/new', { team_id: 'left', members_with_roles: [{ user_id: 'leaver', role: 'admin' }] });
      const { token } = await post('/key/generate', { user_id: 'leaver' });
      expect((await bench.post('/user/delete', { user_ids: ['leaver'] })).body).toBe(1);
      expect(await bench.store.read.keys.get(token)).toBeNull();
      expect(await bench.store.read.deletedKeys.count({ token })).toBe(1);
      expect((await bench.get('/team/info', { team_id: 'left' })).body).toMatchObject({
        team_info: { members_with_roles: [{ role: 'admin', user_id: 'default_user_id' }] },
        team_memberships: [],
      });
      expect(await refusal('/user/delete', { user_ids: ['leaver'] })).toEqual([404, 'not_found_error', 'user_ids']);
    });
  });

  describe('teams', () => {
    test('have who made them as an admin, once, and the operator without a row of his own', async () => {
      const { key } = await post('/user/new', { user_id: 'founder', user_role: 'proxy_admin' });
      const founded = await post('/team/new', { team_id: 'founded' }, { key });
      expect(founded.members_with_roles).toEqual([{ user_id: 'founder', role: 'admin', user_email: null }]);
      expect((await bench.store.read.users.get('founder'))?.teams).toEqual(['founded']);
      const own = await post('/team/new', { members_with_roles: [{ user_id: 'default_user_id', role: 'user' }] });
      expect(own.members_with_roles).toEqual([{ user_id: 'default_user_id', role: 'user', user_email: null }]);
      expect(await bench.store.read.users.get('default_user_id')).toBeNull();
    });

    test('have members with roles, limits and budgets of their own', async () => {
      const team = await post('/team/new', {
        team_alias: 'Blue',
        max_budget: 50,
        soft_budget: 40,
        models: ['a'],
        team_member_budget: 5,
        model_rpm_limit: { a: 3 },
        members_with_roles: [{ role: 'admin', user_id: 'blue-boss' }],
      });
      const { team_id } = team;
      expect(team).toMatchObject({
        team_alias: 'Blue',
        max_budget: 50,
        soft_budget: 40,
        metadata: { model_rpm_limit: { a: 3 } },
        members_with_roles: [
          // Who made it, as in LiteLLM.
          { role: 'admin', user_id: 'default_user_id', user_email: null },
          { role: 'admin', user_id: 'blue-boss', user_email: null },
        ],
      });
      const added = await post('/team/member_add', {
        team_id,
        member: { role: 'user', user_email: 'mate@example.com' },
        max_budget_in_team: 2,
      });
      const [mate] = added.updated_users;
      expect(added.updated_team_memberships).toMatchObject([{ user_id: mate.user_id, team_id }]);
      expect(mate).toMatchObject({ user_email: 'mate@example.com', teams: [team_id] });
      expect(await refusal('/team/member_add', { team_id, member: { role: 'user', user_id: mate.user_id } })).toEqual([
        400,
        'team_member_already_in_team',
        'user_id',
      ]);
      const { body } = await bench.get('/team/info', { team_id });
      const budgets = body.team_memberships.map(
        (place: { litellm_budget_table: { max_budget: number } }) => place.litellm_budget_table.max_budget,
      );
      expect(budgets.toSorted()).toEqual([2, 5]);
      await post('/team/member_update', { team_id, user_id: 'blue-boss', role: 'user', max_budget_in_team: 7 });
      await post('/team/update', { team_id, team_member_budget: 6 });
      const after = (await bench.get('/team/info', { team_id })).body;
      expect(
        after.team_memberships
          .map((place: { litellm_budget_table: { max_budget: number } }) => place.litellm_budget_table.max_budget)
          .toSorted(),
      ).toEqual([2, 7]);
      expect(after.team_info.members_with_roles[1]).toMatchObject({ user_id: 'blue-boss', role: 'user' });
      const rest = await post('/team/member_delete', { team_id, user_email: 'mate@example.com' });
      expect(rest.members_with_roles.length).toBe(2);
      expect(await refusal('/team/member_delete', { team_id, user_id: mate.user_id })).toEqual([
        404,
        'not_found_error',
        'user_id',
      ]);
    });

    test('are changed, blocked, and given models one by one', async () => {
      const { team_id } = await post('/team/new', { team_id: 'green', models: ['a'] });
      expect((await post('/team/update', { team_id, tpm_limit: 9, max_budget: null })).data).toMatchObject({
        tpm_limit: 9,
        models: ['a'],
      });
      expect((await post('/team/model/add', { team_id, models: ['b', 'a'] })).models).toEqual(['a', 'b']);
      expect((await post('/team/model/delete', { team_id, models: ['a'] })).models).toEqual(['b']);
      const { key } = await post('/key/generate', { team_id });
      expect((await post('/team/block', { team_id })).blocked).toBe(true);
      expect((await bench.get('/key/info', {}, { key })).status).toBe(401);
      expect((await post('/team/unblock', { team_id })).blocked).toBe(false);
      expect(await refusal('/team/new', { team_id })).toEqual([400, 'bad_request_error', 'team_id']);
      expect(await refusal('/team/update', { team_id: 'none' })).toEqual([404, 'not_found_error', 'team_id']);
      expect((await bench.get('/team/info')).status).toBe(422);
      expect((await bench.get('/team/info', { team_id: 'none' })).status).toBe(404);
    });

    test('are listed, to a user those he is in', async () => {
      await post('/team/new', { team_id: 'mine', team_alias: 'Zebra', members_with_roles: [{ user_id: 'looker' }] });
      await post('/user/update', { user_id: 'looker', user_role: 'internal_user' });
      const { key } = await post('/key/generate', { user_id: 'looker' });
      const { body } = await bench.get('/team/list', {}, { key });
      expect(body.map((team: { team_id: string }) => team.team_id)).toEqual(['mine']);
      expect((await bench.get('/team/list', { user_id: 'other' }, { key })).status).toBe(401);
      expect((await bench.get('/team/info', { team_id: 'green' }, { key })).status).toBe(403);
      expect((await bench.get('/v2/team/list', { team_alias: 'zeb' })).body).toMatchObject({
        total: 1,
        page: 1,
        page_size: 10,
        total_pages: 1,
      });
      expect((await bench.get('/v2/team/list', { team_id: 'green' }, { key })).body.total).toBe(0);
      const denied = await bench.post('/team/member_add', { team_id: 'mine', member: { user_id: 'x' } }, { key });
      expect(denied.status).toBe(403);
    });

    test('go with their keys', async () => {
      const { token } = await post('/key/generate', { team_id: 'green' });
      expect(await post('/team/delete', { team_ids: ['green'] })).toMatchObject([{ team_id: 'green' }]);
      expect(await bench.store.read.deletedKeys.count({ token })).toBe(1);
      expect(await refusal('/team/delete', { team_ids: ['green'] })).toEqual([404, 'not_found_error', 'team_ids']);
    });
  });

  test('an organization has a budget, members and teams', async () => {
    const made = await post('/organization/new', { organization_alias: 'Acme', max_budget: 1000, models: ['a'] });
    const { organization_id } = made;
    expect(made).toMatchObject({
      organization_alias: 'Acme',
      litellm_budget_table: { max_budget: 1000 },
      members: [],
      teams: [],
    });
    await post('/team/new', { team_id: 'acme-team', organization_id });
    const added = await post('/organization/member_add', {
      organization_id,
      member: { role: 'internal_user', user_id: 'acme-user' },
      max_budget_in_organization: 4,
    });
    expect(added.updated_organization_memberships).toMatchObject([
      { user_id: 'acme-user', user_role: 'internal_user' },
    ]);
    const changed = await bench.ask('PATCH', '/organization/update', {
      organization_id,
      max_budget: 2000,
      organization_alias: 'Acme 2',
    });
    expect(changed.body).toMatchObject({
      organization_alias: 'Acme 2',
      litellm_budget_table: { budget_id: made.budget_id, max_budget: 2000 },
      members: [{ user_id: 'acme-user' }],
      teams: [{ team_id: 'acme-team' }],
    });
    expect(
      (
        await bench.ask('PATCH', '/organization/member_update', {
          organization_id,
          user_id: 'acme-user',
          role: 'internal_user_viewer',
        })
      ).body.user_role,
    ).toBe('internal_user_viewer');
    expect(
      (await bench.ask('DELETE', '/organization/member_delete', { organization_id, user_id: 'acme-user' })).status,
    ).toBe(200);
    expect((await bench.ask('DELETE', '/organization/delete', { organization_ids: [organization_id] })).status).toBe(
      400,
    );
    await post('/team/delete', { team_ids: ['acme-team'] });
    expect(
      (await bench.ask('DELETE', '/organization/delete', { organization_ids: [organization_id] })).body,
    ).toMatchObject([{ organization_id }]);
    expect((await bench.get('/organization/info', { organization_id })).status).toBe(404);
    expect(await refusal('/organization/new', {})).toEqual([422, 'validation_error', 'organization_alias']);
    expect((await bench.get('/organization/list')).body).toEqual([]);
  });

  test('a customer has a budget of his own or one that is there', async () => {
    const made = await post('/customer/new', { user_id: 'c1', alias: 'C', max_budget: 3, budget_duration: '1d' });
    expect(made).toMatchObject({ user_id: 'c1', alias: 'C', blocked: false, litellm_budget_table: { max_budget: 3 } });
    expect((await post('/end_user/update', { user_id: 'c1', max_budget: 4 })).litellm_budget_table).toMatchObject({
      budget_id: made.budget_id,
      max_budget: 4,
    });
    expect(await refusal('/customer/new', { user_id: 'c1' })).toEqual([400, 'bad_request_error', 'user_id']);
    expect(await refusal('/customer/new', { user_id: 'c2', max_budget: 1, budget_id: 'b' })).toEqual([
      400,
      'bad_request_error',
      'budget_id',
    ]);
    expect((await post('/customer/block', { user_ids: ['c1', 'new-one'] })).blocked_users.length).toBe(2);
    expect((await bench.get('/end_user/info', { end_user_id: 'c1' })).body.blocked).toBe(true);
    expect((await post('/customer/unblock', { user_ids: ['c1'] })).unblocked_users).toMatchObject([
      { user_id: 'c1', blocked: false },
    ]);
    expect((await bench.get('/customer/list')).body.length).toBe(2);
    expect((await post('/customer/delete', { user_ids: ['c1'] })).deleted_customers).toBe(1);
    expect((await bench.get('/customer/info', { end_user_id: 'c1' })).status).toBe(404);
  });

  test('a budget that something points at stays', async () => {
    const { budget_id } = await post('/budget/new', { budget_id: 'small', max_budget: 1, budget_duration: '1d' });
    const { key } = await post('/key/generate', { budget_id });
    expect((await bench.post('/budget/delete', { id: budget_id })).status).toBe(400);
    expect(await post('/budget/update', { budget_id, max_budget: 2 })).toMatchObject({
      max_budget: 2,
      budget_duration: '1d',
    });
    expect((await bench.get('/key/info', { key })).body.info.litellm_budget_table.max_budget).toBe(2);
    expect(await post('/budget/info', { budgets: [budget_id, 'none'] })).toMatchObject([{ budget_id }]);
    expect((await bench.get('/budget/settings', { budget_id })).body).toContainEqual(
      expect.objectContaining({ field_name: 'max_budget', field_value: 2 }),
    );
    await post('/key/delete', { keys: [key] });
    expect(await post('/budget/delete', { id: budget_id })).toMatchObject({ budget_id });
    expect(
      (await bench.get('/budget/list')).body.some((row: { budget_id: string }) => row.budget_id === budget_id),
    ).toBe(false);
    expect(await refusal('/budget/new', { max_budget: 1, soft_budget: 2 })).toEqual([
      400,
      'bad_request_error',
      'soft_budget',
    ]);
  });

  test('a tag has a budget', async () => {
    expect((await post('/tag/new', { name: 't1', description: 'd', max_budget: 5 })).tag).toMatchObject({
      name: 't1',
      litellm_budget_table: { max_budget: 5 },
    });
    expect(await refusal('/tag/new', { name: 't1' })).toEqual([400, 'bad_request_error', 'name']);
    expect((await post('/tag/update', { name: 't1', max_budget: 6 })).tag.litellm_budget_table.max_budget).toBe(6);
    expect(await post('/tag/info', { names: ['t1', 'none'] })).toMatchObject({ t1: { description: 'd' } });
    expect((await bench.get('/tag/list')).body).toMatchObject([{ name: 't1' }]);
    await post('/tag/delete', { name: 't1' });
    expect(await refusal('/tag/update', { name: 't1' })).toEqual([404, 'not_found_error', 'name']);
  });

  test('what begins anew shows what the period cost, everything else what it cost in all', async () => {
    await post('/team/new', { team_id: 'daily-team', max_budget: 9, budget_duration: '1d' });
    await post('/user/new', { user_id: 'daily-user', max_budget: 9, budget_duration: '1d', auto_create_key: false });
    const daily = await post('/key/generate', {
      ...{ team_id: 'daily-team', user_id: 'daily-user', max_budget: 9, budget_duration: '1d' },
    });
    const forever = await post('/key/generate', { max_budget: 9 });
    const entry = (startedAt: number, dollars: number, made: { key_id: string; token: string }, owners = {}) =>
      ledgerEntry({
        startedAt: epochMillis(startedAt),
        cost: costs(dollars * 1e9),
        payer: payer({ keyId: keyId(made.key_id), keyHash: keyHash(made.token), ...owners }),
      });
    const owners = { teamId: teamId('daily-team'), userId: userId('daily-user') };
    const now = Date.now();
    await bench.store.ledger.write([
      ...[entry(now - 3 * 86_400_000, 5, daily, owners), entry(now, 2, daily, owners)],
      ...[entry(now - 3 * 86_400_000, 5, forever), entry(now, 2, forever)],
    ]);
    const spend = async (path: string, query: Record<string, string>, member: string) =>
      (await bench.get(path, query)).body[member].spend;
    expect(await spend('/key/info', { key: daily.key_id }, 'info')).toBe(2);
    expect(await spend('/key/info', { key: forever.key_id }, 'info')).toBe(7);
    expect(await spend('/team/info', { team_id: 'daily-team' }, 'team_info')).toBe(2);
    expect(await spend('/user/info', { user_id: 'daily-user' }, 'user_info')).toBe(2);
    const listed = await bench.get('/key/list', { return_full_object: 'true', team_id: 'daily-team' });
    expect(listed.body.keys).toMatchObject([{ key_id: daily.key_id, spend: 2 }]);
    const users = await bench.get('/user/list', { user_ids: 'daily-user' });
    expect(users.body.users).toMatchObject([{ user_id: 'daily-user', spend: 2, key_count: 1 }]);
    const teams = await bench.get('/v2/team/list', { team_id: 'daily-team' });
    expect(teams.body.teams).toMatchObject([{ team_id: 'daily-team', spend: 2 }]);
  });

  test('the audit log tells who changed what, and how it was before', async () => {
    await post('/team/new', { team_id: 'audited', max_budget: 1 }, { headers: { 'litellm-changed-by': 'jane' } });
    await post('/team/update', { team_id: 'audited', max_budget: 2 });
    const { body } = await bench.get('/audit', {
      object_id: 'audited',
      table_name: 'LiteLLM_TeamTable',
      sort_order: 'asc',
    });
    expect(body).toMatchObject({ total: 2, page: 1, page_size: 10, total_pages: 1 });
    expect(body.audit_logs).toMatchObject([
      { action: 'created', changed_by: 'jane', changed_by_api_key: 'litellm_proxy_master_key', before_value: null },
      {
        action: 'updated',
        changed_by: 'default_user_id',
        before_value: { max_budget: 1 },
        updated_values: { max_budget: 2 },
      },
    ]);
    const [first] = body.audit_logs;
    expect((await bench.get(`/audit/${first.id}`)).body).toEqual(first);
    expect((await bench.get('/audit/none')).status).toBe(404);
    expect((await bench.get('/audit', { start_date: '2099-01-01' })).body.total).toBe(0);
    expect((await bench.get('/audit', { action: 'eaten' })).status).toBe(422);
  });
});
