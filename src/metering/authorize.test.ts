import { describe, expect, test } from 'bun:test';
import {
  customerOf,
  directoryOf,
  keyOf,
  memberOf,
  organizationOf,
  type People,
  teamOf,
  userOf,
} from '../../test/support/identity.ts';
import { deploymentOf, snapshotOf } from '../../test/support/routing.ts';
import { ERRORS, type ErrorKind } from '../core/errors.ts';
import type { KeyOwner, Principal, UserRole, VirtualKey } from '../core/identity.ts';
import { customerId, organizationId, teamId, userId } from '../core/ids.ts';
import { modelAccess } from '../core/model-access.ts';
import { epochMillis } from '../core/units.ts';
import { authorize, mayUse } from './authorize.ts';
import { modelCatalog } from './model-catalog.ts';

const NOW = epochMillis(Date.UTC(2026, 5, 1, 12));
const catalog = modelCatalog(
  snapshotOf(
    [
      deploymentOf('fast', { info: { access_groups: ['cheap', 'beta'] } }),
      deploymentOf('slow'),
      deploymentOf('any', { group: 'openai/*', info: { access_groups: ['wild'] } }),
    ],
    {},
    { quick: 'fast' },
  ),
  (model) => (model.startsWith('gpt-') ? 'openai' : null),
);

interface Ask {
  readonly key?: Partial<VirtualKey>;
  readonly people?: People;
  readonly model?: string | null;
  readonly path?: string;
  readonly method?: string;
  readonly customer?: string;
}

function decide({ key = {}, people = {}, model = 'fast', path = '/chat/completions', method = 'POST', customer }: Ask) {
  const principal: Principal = { kind: 'virtual-key', key: keyOf('1234', key) };
  const access = { model, path, method, customer: customer === undefined ? null : customerId(customer) };
  return authorize(principal, access, { directory: directoryOf(people), catalog, now: NOW });
}

/** `yes`, or the kind of the refusal. */
function verdict(ask: Ask): 'yes' | ErrorKind {
  const decision = decide(ask);
  return 'message' in decision ? decision.kind : 'yes';
}

const OF_TEAM: KeyOwner = { kind: 'team', teamId: teamId('t'), userId: userId('u') };
const OF_USER: KeyOwner = { kind: 'user', userId: userId('u') };
const models = (...names: string[]) => ({ models: modelAccess(names) });

describe('authorisation', () => {
  test.each<[string, Ask, 'yes' | ErrorKind]>([
    // The caller.
    ['a plain key may call a model', {}, 'yes'],
    ['a blocked key may not', { key: { isBlocked: true } }, 'blocked-key'],
    ['a key is good until the moment of its expiry', { key: { expiry: epochMillis(NOW + 1) } }, 'yes'],
    ['and no longer at it', { key: { expiry: NOW } }, 'expired-key'],
    ['blocked comes before expired', { key: { isBlocked: true, expiry: NOW } }, 'blocked-key'],
    ['expired comes before the model', { key: { expiry: NOW, ...models('slow') } }, 'expired-key'],
    ['a team that is not there refuses', { key: { owner: OF_TEAM } }, 'unknown-owner'],
    ['an organization that is not there refuses', { key: { organizationId: organizationId('o') } }, 'unknown-owner'],
    [
      "so does the team's",
      { key: { owner: OF_TEAM }, people: { teams: [teamOf('t', { organizationId: organizationId('o') })] } },
      'unknown-owner',
    ],
    ['a user without a row is ordinary', { key: { owner: OF_USER } }, 'yes'],
    [
      'a blocked team refuses',
      { key: { owner: OF_TEAM }, people: { teams: [teamOf('t', { isBlocked: true })] } },
      'blocked-team',
    ],
    [
      'a blocked customer refuses',
      { customer: 'c', people: { customers: [customerOf('c', { isBlocked: true })] } },
      'blocked-customer',
    ],
    [
      'another customer does not',
      { customer: 'd', people: { customers: [customerOf('c', { isBlocked: true })] } },
      'yes',
    ],

    // The key's list of models.
    ['an empty list allows every model', { key: models() }, 'yes'],
    ['a star allows every model', { key: models('*') }, 'yes'],
    ['all-proxy-models allows every model', { key: models('all-proxy-models', 'slow') }, 'yes'],
    ['a name allows itself', { key: models('fast') }, 'yes'],
    ['and nothing else', { key: models('slow') }, 'key-model-denied'],
    ['case counts', { key: models('Fast') }, 'key-model-denied'],
    ['an access group allows its models', { key: models('cheap') }, 'yes'],
    ['and no other', { key: models('cheap'), model: 'slow' }, 'key-model-denied'],
    ['an alias is allowed by its target', { key: models('fast'), model: 'quick' }, 'yes'],
    ['and by itself', { key: models('quick'), model: 'quick' }, 'yes'],
    ['but does not allow its target', { key: models('quick') }, 'key-model-denied'],
    ['and by the access group of its target', { key: models('beta'), model: 'quick' }, 'yes'],
    ['a wildcard allows what it matches', { key: models('openai/*'), model: 'openai/gpt-4o' }, 'yes'],
    ['also by the provider that a bare name suggests', { key: models('openai/*'), model: 'gpt-4o' }, 'yes'],
    ['and nothing else', { key: models('openai/*') }, 'key-model-denied'],
    ['a dot in a wildcard is a dot', { key: models('gpt.4*'), model: 'gpt-4o' }, 'key-model-denied'],
    ['the access group of a wildcard deployment', { key: models('wild'), model: 'openai/gpt-4o' }, 'yes'],
    ['a name that nothing serves is judged by its name', { key: models('fast'), model: 'nothing' }, 'key-model-denied'],
    ['a path without a model is not judged by models', { key: models('slow'), model: null, path: '/models' }, 'yes'],
    [
      "a key's own alias allows its target",
      { key: { ...models('mine'), aliases: new Map([['mine', 'slow']]) }, model: 'mine' },
      'yes',
    ],
    [
      "and a list with the target allows the key's alias",
      { key: { ...models('slow'), aliases: new Map([['mine', 'slow']]) }, model: 'mine' },
      'yes',
    ],

    [
      "but a key's alias does not get past its team's list",
      {
        key: { owner: OF_TEAM, ...models('fast'), aliases: new Map([['fast', 'slow']]) },
        people: { teams: [teamOf('t', models('fast'))] },
      },
      'team-model-denied',
    ],
    [
      "a team's alias is allowed by the team's list",
      {
        key: { owner: OF_TEAM },
        people: { teams: [teamOf('t', { ...models('ours'), aliases: new Map([['ours', 'slow']]) })] },
        model: 'ours',
      },
      'yes',
    ],

    // Team, user, organization: each list only takes away.
    ['all-team-models without a team allows all (LiteLLM)', { key: models('all-team-models') }, 'yes'],
    [
      'all-team-models is what the team allows',
      { key: { owner: OF_TEAM, ...models('all-team-models') }, people: { teams: [teamOf('t', models('fast'))] } },
      'yes',
    ],
    [
      'and no more',
      { key: { owner: OF_TEAM, ...models('all-team-models') }, people: { teams: [teamOf('t', models('slow'))] } },
      'team-model-denied',
    ],
    [
      "a key's list does not widen the team's",
      { key: { owner: OF_TEAM, ...models('fast') }, people: { teams: [teamOf('t', models('slow'))] } },
      'team-model-denied',
    ],
    [
      "nor the team's the key's",
      { key: { owner: OF_TEAM, ...models('slow') }, people: { teams: [teamOf('t', models('fast'))] } },
      'key-model-denied',
    ],
    [
      "a personal key is bound by its user's list",
      { key: { owner: OF_USER }, people: { users: [userOf('u', models('slow'))] } },
      'user-model-denied',
    ],
    [
      'no-default-models leaves a user nothing of his own',
      { key: { owner: OF_USER }, people: { users: [userOf('u', models('no-default-models', 'fast'))] } },
      'user-model-denied',
    ],
    [
      "a team's key is not",
      { key: { owner: OF_TEAM }, people: { teams: [teamOf('t')], users: [userOf('u', models('no-default-models'))] } },
      'yes',
    ],
    [
      "an organization's list binds",
      {
        key: { organizationId: organizationId('o') },
        people: { organizations: [organizationOf('o', models('slow'))] },
      },
      'org-model-denied',
    ],
    [
      "also the team's organization",
      {
        key: { owner: OF_TEAM },
        people: {
          teams: [teamOf('t', { organizationId: organizationId('o') })],
          organizations: [organizationOf('o', models('slow'))],
          members: [memberOf('t', 'u')],
        },
      },
      'org-model-denied',
    ],
  ])('%s', (_name, ask, expected) => {
    expect(verdict(ask)).toBe(expected);
  });

  const path = (allowed: readonly string[], asked: string): Ask => ({ key: { allowedRoutes: allowed }, path: asked });
  test.each<[readonly string[], string, 'yes' | ErrorKind]>([
    [['llm_api_routes'], '/chat/completions', 'yes'],
    [['llm_api_routes'], '/v1/chat/completions', 'yes'],
    [['llm_api_routes'], '/openai/deployments/fast/chat/completions', 'yes'],
    [['llm_api_routes'], '/engines/fast/completions', 'yes'],
    [['llm_api_routes'], '/v1/messages', 'yes'],
    [['openai_routes'], '/v1/messages', 'route-denied'],
    [['anthropic_routes'], '/v1/messages', 'yes'],
    [['info_routes'], '/v1/chat/completions', 'route-denied'],
    [['info_routes'], '/v1/models', 'yes'],
    [['info_routes'], '/v1/models/', 'yes'],
    [['/chat/completions'], '/v1/chat/completions', 'yes'],
    [['/v1/chat/completions'], '/chat/completions', 'yes'],
    [['/chat/completions'], '/chat/completions/more', 'route-denied'],
    [['/embeddings', '/chat/*'], '/v1/chat/completions', 'yes'],
    [['no_such_group'], '/chat/completions', 'route-denied'],
    // The role has a say besides: no list of a key makes an admin of its user.
    [['management_routes'], '/user/new', 'role-denied'],
  ])('a key with allowed_routes %j asking for %s: %s', (allowed, asked, expected) => {
    expect(verdict(path(allowed, asked))).toBe(expected);
  });

  const role = (of: UserRole, asked: string, method: string): Ask => ({
    key: { owner: OF_USER },
    people: { users: [userOf('u', { role: of })] },
    path: asked,
    method,
  });
  test.each<[UserRole, string, string, 'yes' | ErrorKind]>([
    ['proxy_admin', 'POST', '/user/new', 'yes'],
    ['proxy_admin', 'POST', '/global/spend/reset', 'yes'],
    ['proxy_admin_viewer', 'GET', '/user/list', 'yes'],
    ['proxy_admin_viewer', 'POST', '/user/new', 'role-denied'],
    ['proxy_admin_viewer', 'POST', '/chat/completions', 'yes'],
    ['internal_user', 'POST', '/chat/completions', 'yes'],
    ['internal_user', 'POST', '/key/generate', 'yes'],
    ['internal_user', 'GET', '/spend/logs', 'yes'],
    ['internal_user', 'POST', '/user/new', 'role-denied'],
    ['internal_user', 'GET', '/global/spend/teams', 'role-denied'],
    ['internal_user_viewer', 'GET', '/spend/logs', 'yes'],
    ['internal_user_viewer', 'POST', '/chat/completions', 'role-denied'],
    ['internal_user_viewer', 'POST', '/key/generate', 'role-denied'],
  ])('%s asking %s %s: %s', (of, method, asked, expected) => {
    expect(verdict(role(of, asked, method))).toBe(expected);
  });

  test.each<[string, string, 'yes' | ErrorKind]>([
    ['POST', '/chat/completions', 'yes'],
    ['GET', '/key/info', 'yes'],
    ['POST', '/key/generate', 'role-denied'],
    ['GET', '/spend/logs', 'role-denied'],
  ])('a key without a user asking %s %s: %s', (method, asked, expected) => {
    expect(verdict({ path: asked, method })).toBe(expected);
  });

  test('the master key may do everything', () => {
    const access = { model: 'slow', path: '/global/spend/reset', method: 'POST', customer: null };
    const world = { directory: directoryOf({}), catalog, now: NOW };
    expect(authorize({ kind: 'master' }, access, world)).toEqual({ kind: 'master', model: 'slow', customer: null });
  });
});

describe('refusals say it in the words of LiteLLM', () => {
  const team = { teams: [teamOf('t', { isBlocked: true })] };
  test.each<[Ask, readonly [status: number, litellm: number, type: string, param: string | null, message: string]]>([
    [
      { key: { isBlocked: true } },
      [
        401,
        401,
        'auth_error',
        null,
        "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin.",
      ],
    ],
    [
      { key: { expiry: epochMillis(Date.UTC(2026, 4, 31)) } },
      [
        401,
        400,
        'expired_key',
        'sk-...1234',
        'Authentication Error - Expired Key. Key Expiry time 2026-05-31 00:00:00+00:00 and current time 2026-06-01 12:00:00+00:00',
      ],
    ],
    [
      { key: models('slow', 'openai/*') },
      [
        403,
        401,
        'key_model_access_denied',
        'model',
        "key not allowed to access model. This key can only access models=['slow', 'openai/*']. Tried to access fast",
      ],
    ],
    [
      { key: { owner: OF_USER }, people: { users: [userOf('u', models('no-default-models'))] } },
      [
        403,
        401,
        'user_model_access_denied',
        'model',
        'user not allowed to access model. No default model access, only team models allowed. Tried to access fast',
      ],
    ],
    [
      { key: { owner: OF_TEAM }, people: team },
      [
        401,
        401,
        'auth_error',
        null,
        'Authentication Error, Team=t is blocked. Update via `/team/unblock` if your admin.',
      ],
    ],
    [
      { customer: 'c', people: { customers: [customerOf('c', { isBlocked: true })] } },
      [403, 400, 'auth_error', null, 'User blocked from making LLM API Calls. User=c'],
    ],
    [
      { key: { allowedRoutes: ['info_routes'] }, path: '/embeddings' },
      [
        403,
        403,
        'auth_error',
        null,
        "Virtual key is not allowed to call this route. Only allowed to call routes: ['info_routes']. Tried to call route: /embeddings",
      ],
    ],
    [
      { key: { owner: OF_USER }, people: { users: [userOf('u')] }, path: '/user/new' },
      [
        403,
        401,
        'auth_error',
        null,
        'Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. Route=/user/new. Your role=internal_user. Your user_id=u',
      ],
    ],
  ])('%#', (ask, expected) => {
    const decision = decide(ask);
    if (!('message' in decision)) throw new Error('it was allowed');
    const row: { status: number; type: string; litellmStatus?: number } = ERRORS[decision.kind];
    const { status, type, litellmStatus } = row;
    expect([status, litellmStatus ?? status, type, decision.param, decision.message]).toEqual([...expected]);
    expect(decision.message).not.toContain('hash');
  });
});

describe('what is meant', () => {
  const aliases = (target: string) => new Map([['nick', target]]);

  test("a key's alias comes before its team's, and neither is followed twice", () => {
    const people = {
      teams: [
        teamOf('t', {
          aliases: new Map([
            ['nick', 'slow'],
            ['fast', 'slow'],
          ]),
        }),
      ],
    };
    const ask = { key: { owner: OF_TEAM, aliases: aliases('fast') }, people, model: 'nick' };
    expect(decide(ask)).toMatchObject({ model: 'fast' });
    expect(decide({ ...ask, key: { owner: OF_TEAM } })).toMatchObject({ model: 'slow' });
  });

  test('a fallback that the caller may not ask for is not for it either', () => {
    const allowed = decide({ key: models('fast') });
    if ('message' in allowed) throw new Error(allowed.message);
    expect([mayUse(allowed, 'fast', catalog), mayUse(allowed, 'slow', catalog)]).toEqual([true, false]);
  });
});
