import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type ControlBench, startControl } from '../support/control.ts';
import { DATABASES } from '../support/store.ts';

describe.each(DATABASES)('admins of organizations on %s', (kind) => {
  let bench: ControlBench;
  /** Keys of users, by user. */
  const keys = new Map<string, string>();

  const as = (user: string) => ({ key: keys.get(user) ?? '' });
  const done = async (path: string, body: object, more = {}) => {
    const answer = await bench.post(path, body, more);
    expect([path, answer.status, answer.body.error?.message]).toEqual([path, 200, undefined]);
    return answer.body;
  };
  const status = async (user: string, path: string, body: object) => (await bench.post(path, body, as(user))).status;

  beforeAll(async () => {
    bench = await startControl(kind);
    for (const organization_id of ['blue', 'red'])
      await done('/organization/new', { organization_id, organization_alias: organization_id });
    for (const [user_id, user_role] of [
      ['chief', 'internal_user'],
      ['plain', 'internal_user'],
      ['watcher', 'proxy_admin_viewer'],
      ['other', 'internal_user'],
    ] as const)
      keys.set(user_id, (await done('/user/new', { user_id, user_role })).key);
    const member = [
      { user_id: 'chief', role: 'org_admin' },
      { user_id: 'watcher', role: 'org_admin' },
      { user_id: 'plain', role: 'internal_user' },
    ];
    await done('/organization/member_add', { organization_id: 'blue', member });
    await done('/organization/member_add', { organization_id: 'red', member: { user_id: 'other', role: 'org_admin' } });
    await done('/team/new', { team_id: 'red-team', organization_id: 'red' });
    await done('/team/new', { team_id: 'free-team' });
    await done('/team/new', { team_id: 'blue-team', organization_id: 'blue' });
  });

  afterAll(async () => {
    expect(bench.faults).toEqual([]);
    await bench.stop();
  });

  test('make, change, block and delete its teams, and no others', async () => {
    const made = await done('/team/new', { organization_id: 'blue', team_id: 'new', max_budget: 5 }, as('chief'));
    expect(made.members_with_roles).toMatchObject([{ user_id: 'chief', role: 'admin' }]);
    expect((await done('/team/update', { team_id: 'blue-team', max_budget: 9 }, as('chief'))).data.max_budget).toBe(9);
    await done('/team/model/add', { team_id: 'blue-team', models: ['m'] }, as('chief'));
    expect((await done('/team/block', { team_id: 'blue-team' }, as('chief'))).blocked).toBe(true);
    await done('/team/unblock', { team_id: 'blue-team' }, as('chief'));
    await done('/team/delete', { team_ids: ['new'] }, as('chief'));
    for (const [path, body] of [
      ['/team/new', {}],
      ['/team/new', { organization_id: 'red' }],
      ['/team/update', { team_id: 'red-team', max_budget: 1 }],
      ['/team/update', { team_id: 'free-team', organization_id: 'blue' }],
      ['/team/update', { team_id: 'blue-team', organization_id: 'red' }],
      ['/team/update', { team_id: 'blue-team', organization_id: null }],
      ['/team/block', { team_id: 'red-team' }],
      ['/team/model/add', { team_id: 'red-team', models: ['m'] }],
      ['/team/member_add', { team_id: 'red-team', member: { user_id: 'chief', role: 'admin' } }],
      ['/team/bulk_member_add', { team_id: 'red-team', members: [{ user_id: 'chief', role: 'admin' }] }],
      ['/team/delete', { team_ids: ['blue-team', 'red-team'] }],
    ] as const)
      expect([path, body, await status('chief', path, body)]).toEqual([path, body, 403]);
    // Nothing of a refused deletion is done.
    expect(await bench.store.read.teams.get('blue-team')).not.toBeNull();
    expect((await bench.store.read.teams.get('red-team'))?.max_budget).toBeNull();
  });

  test('manage members of its teams, and the keys', async () => {
    await done('/team/member_add', { team_id: 'blue-team', member: { user_id: 'plain', role: 'user' } }, as('chief'));
    const { token, key_id } = await done('/key/generate', { team_id: 'blue-team', user_id: 'plain' }, as('chief'));
    await done('/key/update', { key: token, max_budget: 3, models: ['m'] }, as('chief'));
    expect((await done('/key/block', { key: key_id }, as('chief'))).blocked).toBe(true);
    await done('/key/unblock', { key: key_id }, as('chief'));
    const own = await done('/key/generate', { organization_id: 'blue', max_budget: 1 }, as('chief'));
    expect(own.organization_id).toBe('blue');
    const red = await done('/key/generate', { team_id: 'red-team' });
    const free = await done('/key/generate', { user_id: 'chief', max_budget: 1 });
    for (const [path, body] of [
      ['/key/generate', { team_id: 'red-team' }],
      ['/key/generate', { organization_id: 'red' }],
      // The organization is his, the team that would pay is not.
      ['/key/generate', { organization_id: 'blue', team_id: 'red-team' }],
      ['/key/update', { key: own.token, team_id: 'red-team' }],
      ['/key/update', { key: red.token, max_budget: 1 }],
      ['/key/update', { key: token, organization_id: 'red' }],
      ['/key/update', { key: free.token, organization_id: 'blue' }],
      ['/key/update', { key: token, spend: 0 }],
      ['/key/block', { key: red.token }],
      ['/key/block', { key: free.token }],
      ['/key/delete', { keys: [token, red.token] }],
    ] as const)
      expect([path, body, await status('chief', path, body)]).toEqual([path, body, 403]);
    const listed = await bench.get('/key/list', { organization_id: 'blue' }, as('chief'));
    expect(listed.body.keys).toEqual([own.token]);
    await done('/key/delete', { keys: [token] }, as('chief'));
  });

  test('see it, its teams and its members, and add and remove them', async () => {
    expect((await bench.get('/organization/info', { organization_id: 'blue' }, as('chief'))).body.members.length).toBe(
      3,
    );
    expect((await bench.get('/organization/info', { organization_id: 'red' }, as('chief'))).status).toBe(403);
    const teams = await bench.get('/team/list', { organization_id: 'blue' }, as('chief'));
    expect(teams.body.map(({ team_id }: { team_id: string }) => team_id)).toEqual(['blue-team']);
    expect((await bench.get('/team/info', { team_id: 'blue-team' }, as('chief'))).status).toBe(200);
    expect((await bench.get('/team/info', { team_id: 'red-team' }, as('chief'))).status).toBe(403);
    await done('/organization/member_add', { organization_id: 'blue', member: { user_id: 'guest' } }, as('chief'));
    const named = { organization_id: 'blue', user_id: 'guest' };
    await done('/organization/member_update', { ...named, role: 'internal_user_viewer' }, as('chief'));
    await done('/organization/member_delete', named, as('chief'));
    for (const path of ['/organization/member_add', '/organization/member_update', '/organization/member_delete']) {
      const body = { organization_id: 'red', user_id: 'other', member: { user_id: 'chief', role: 'org_admin' } };
      expect([path, await status('chief', path, body)]).toEqual([path, 403]);
    }
    for (const path of ['/organization/new', '/organization/update', '/organization/delete'])
      expect([path, await status('chief', path, { organization_id: 'blue' })]).toEqual([path, 403]);
  });

  test('are those with the role org_admin, and keep the limits of their own role elsewhere', async () => {
    expect(await status('plain', '/team/new', { organization_id: 'blue' })).toBe(403);
    expect(await status('plain', '/organization/member_add', { organization_id: 'blue', member: {} })).toBe(403);
    // Who may look at everything may still change nothing outside of his organization.
    expect(await status('watcher', '/team/new', { organization_id: 'blue', team_id: 'watched' })).toBe(200);
    expect(await status('watcher', '/team/update', { team_id: 'red-team', max_budget: 1 })).toBe(403);
    expect(await status('watcher', '/team/new', {})).toBe(403);
    expect(await status('watcher', '/user/new', {})).toBe(403);
    await done('/organization/member_update', { organization_id: 'blue', user_id: 'chief', role: 'internal_user' });
    expect(await status('chief', '/team/new', { organization_id: 'blue' })).toBe(403);
  });
});
