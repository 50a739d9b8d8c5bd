import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { AdminRoute } from '../../src/control/http/admin-route.ts';
import { shapeOf } from '../../src/control/http/input.ts';
import { ROUTES } from '../../src/control/registry.ts';
import type { UserRole } from '../../src/core/identity.ts';
import { type ControlBench, startControl } from '../support/control.ts';
import { DATABASES } from '../support/store.ts';

/** Paths as the spec's groups have them (litellm.md §3.1.2), written out by hand: the code's own table is not asked. */
const INFO = [
  ...['/key/info', '/key/health', '/key/list', '/v2/key/info', '/team/info', '/team/list', '/v2/team/list'],
  ...['/team/available', '/organization/list', '/user/info'],
];
const OWN_KEYS = [
  ...['/key/generate', '/key/update', '/key/delete', '/key/regenerate', '/key/service-account/generate'],
];
const OWN_TEAMS = [
  ...['/team/member_add', '/team/member_delete', '/team/member_update', '/team/permissions_list'],
  ...['/team/permissions_update'],
];
const SPEND = ['/spend/logs', '/spend/keys', '/spend/users', '/spend/tags', '/spend/calculate', '/cost/estimate'];
/** LiteLLM opens these to internal users for their own spend, although the spec's groups do not name all of them. */
const OWN_SPEND = [
  ...['/spend/logs/v2', '/spend/logs/ui', '/spend/logs/session/ui', '/global/spend/logs', '/global/spend/tags'],
  ...['/global/spend/keys', '/global/spend/models', '/global/spend/provider', '/global/spend/end_users'],
  ...['/global/activity', '/global/activity/model', '/user/daily/activity', '/user/daily/activity/aggregated'],
  ...['/team/daily/activity', '/team/daily/activity/aggregated', '/global/activity/cache_hits'],
];
/** What the spec lets a viewer ask for by POST. */
const READ_BY_POST = [...INFO, '/global/spend/end_users', '/spend/calculate', '/cost/estimate'];
const PUBLIC = ['/openapi.json', '/docs'];

/** What each kind of caller may reach; null: everything. */
const MAY: Readonly<Record<string, ReadonlySet<string> | null>> = {
  master: null,
  proxy_admin: null,
  proxy_admin_viewer: new Set([
    ...INFO,
    ...ROUTES.filter(({ methods }) => methods.includes('GET')).map(({ paths }) => paths[0]),
  ]),
  internal_user: new Set([...INFO, ...SPEND, ...OWN_SPEND, ...OWN_KEYS, ...OWN_TEAMS]),
  internal_user_viewer: new Set([...INFO, ...SPEND, ...OWN_SPEND]),
  'no-user': new Set(INFO),
  blocked: new Set(),
  expired: new Set(),
  nobody: new Set(),
};

const HOSTILE = [
  `'; DROP TABLE litellm_verificationtoken; -- " \\ %_ $1 ? :a @b`,
  `\u{1F600}\u{1F468}‍\u{1F469}‍\u{1F467} \u202E é ﷽ \uD83D`,
  `<script>alert(1)</script> {"a":[1]} \r\n\t \x7f`,
  '$(id) {{7*7}} %s %n ../../../etc/passwd',
];
const LONG = 'ñ'.repeat(5000);

/** Text fields of every route that makes or changes a row, except what chooses a credential or a duration. */
const TEXTS = [
  ['/key/generate', 'key_alias', {}],
  ['/key/generate', 'user_id', {}],
  ['/user/new', 'user_id', {}],
  ['/user/new', 'user_email', {}],
  ['/user/new', 'user_alias', {}],
  ['/user/new', 'sso_user_id', {}],
  ['/team/new', 'team_id', {}],
  ['/team/new', 'team_alias', {}],
  ['/organization/new', 'organization_alias', {}],
  ['/organization/new', 'organization_id', { organization_alias: 'x' }],
  ['/customer/new', 'user_id', {}],
  ['/customer/new', 'alias', { user_id: 'hostile' }],
  ['/customer/new', 'default_model', { user_id: 'hostile' }],
  ['/budget/new', 'budget_id', {}],
  ['/tag/new', 'name', {}],
  ['/tag/new', 'description', { name: 'hostile' }],
  ['/tenant/provision', 'tenant_id', {}],
] as const;

describe.each(DATABASES)('the surface of the admin API on %s', (kind) => {
  let bench: ControlBench;
  const keys = new Map<string, string | null>([['nobody', 'sk-nobody-has-this-one']]);

  beforeAll(async () => {
    bench = await startControl(kind);
    const roles: UserRole[] = ['proxy_admin', 'proxy_admin_viewer', 'internal_user', 'internal_user_viewer'];
    for (const role of roles) {
      const { body } = await bench.post('/user/new', { user_id: `user-${role}`, user_role: role });
      keys.set(role, body.key);
    }
    keys.set('no-user', (await bench.post('/key/generate', {})).body.key);
    keys.set('blocked', (await bench.post('/key/generate', { blocked: true, user_id: 'user-proxy_admin' })).body.key);
    const { key, token } = (await bench.post('/key/generate', { user_id: 'user-proxy_admin' })).body;
    keys.set('expired', key);
    await bench.store.change({ id: 'test', keyHash: '' }, (writers) =>
      writers.keys.update(token, { expires: new Date(0) }),
    );
  });

  afterAll(() => bench.stop());

  const cases = ROUTES.flatMap((route) =>
    route.paths.flatMap((path) => route.methods.map((method) => ({ route, path, method, name: `${method} ${path}` }))),
  );

  test('was looked at in full', () => {
    expect(cases.length).toBeGreaterThan(80);
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });

  /** Whether the request got past authorization. What it then meets, a 422 or 404, is another test's. */
  const gotPast = ({
    status,
    body,
  }: {
    status: number;
    body: { error?: { type: string; message: string } };
  }): boolean => {
    const refused = [401, 403].includes(status) && /Authentication Error|Expired Key/.test(body.error?.message ?? '');
    return !refused;
  };

  const mayReach = (who: string, { route, path }: { route: AdminRoute; path: string }): boolean => {
    const only = MAY[who];
    const plain = (route.paths[0] ?? path).replace(/\/\{[^}]*\}/g, '');
    return PUBLIC.includes(path) || only === null || only?.has(plain) === true || only?.has(route.paths[0]) === true;
  };

  test.each(Object.keys(MAY))('%s reaches what the spec says, and nothing else', async (who) => {
    const wrong: string[] = [];
    for (const each of cases) {
      // A body that is a list is refused after authorization and before anything is done.
      const path = each.path.replace(/\{[^}]*\}/g, 'none');
      const input = each.method === 'GET' ? undefined : '[]';
      const more = who === 'master' ? {} : { key: keys.get(who) ?? null };
      const answer = await bench.ask(each.method, path, input, more);
      const expected =
        who === 'proxy_admin_viewer' && each.method !== 'GET' ? READ_BY_POST.includes(each.path) : mayReach(who, each);
      if (gotPast(answer) !== expected) wrong.push(`${each.name}: ${answer.status} ${answer.text.slice(0, 200)}`);
    }
    expect(wrong).toEqual([]);
  });

  test('no route answers without a key but the documents', async () => {
    const open: string[] = [];
    for (const { method, path, name } of cases) {
      const answer = await bench.ask(method, path.replace(/\{[^}]*\}/g, 'none'), method === 'GET' ? undefined : '{}', {
        key: null,
      });
      if (answer.status !== 401) open.push(name);
    }
    expect(open).toEqual(['GET /openapi.json', 'GET /docs']);
  });

  test('no route has a fault of ours for an empty object or for the wrong type in every field', async () => {
    for (const { route, method, path } of cases) {
      if (method === 'GET') continue;
      const fields = Object.fromEntries(
        Object.keys(shapeOf(route.input) ?? {}).map((name) => [name, { wrong: ['type'] }]),
      );
      for (const body of [{}, fields]) {
        const answer = await bench.ask(method, path.replace(/\{[^}]*\}/g, 'none'), body);
        expect([path, answer.status < 500]).toEqual([path, true]);
      }
    }
    expect(bench.faults).toEqual([]);
  });

  test.each(TEXTS)('%s keeps whatever text %s has, or says that it is too long', async (path, field, more) => {
    for (const [index, hostile] of HOSTILE.entries()) {
      // What is unique for one table is so for another that takes its name from it.
      const text = `${path} ${field} ${hostile}`;
      const extra =
        'user_id' in more || 'name' in more
          ? Object.fromEntries(Object.entries(more).map(([name]) => [name, `${field}-${index}`]))
          : more;
      const { status, body, text: said } = await bench.post(path, { ...extra, [field]: text });
      expect([status, said.slice(0, 300)]).toEqual([200, expect.any(String)]);
      // A lone half of a surrogate pair is no character: PostgreSQL and UTF-8 have U+FFFD for it.
      const kept = body.tag?.[field] ?? body[field];
      expect(kept).toBe(new TextDecoder().decode(new TextEncoder().encode(text)));
    }
    const long = await bench.post(path, {
      ...more,
      [field]: LONG,
      ...(field === 'description' && { name: 'long' }),
      ...(field !== 'user_id' && 'user_id' in more && { user_id: `long-${field}` }),
    });
    expect([200, 422]).toContain(long.status);
    expect(bench.faults).toEqual([]);
  });

  test('the OpenAPI document has every route, and is one', async () => {
    const { status, body } = await bench.get('/openapi.json', {}, { key: null });
    expect([status, body.openapi]).toEqual([200, '3.1.0']);
    for (const { method, path } of cases) expect(body.paths[path]?.[method.toLowerCase()]?.summary).toBeString();
    const ids = Object.values(body.paths).flatMap((operations) =>
      Object.values(operations as Record<string, { operationId?: string }>).flatMap(
        ({ operationId }) => operationId ?? [],
      ),
    );
    expect(new Set(ids).size).toBe(ids.length);
    const generate = body.paths['/key/generate'].post.requestBody.content['application/json'].schema;
    expect(Object.keys(generate.properties)).toContain('model_rpm_limit');
    expect(generate.properties.send_invite_email.description).toContain('without effect');
    expect(body.paths['/team/info'].get.parameters).toMatchObject([{ name: 'team_id', in: 'query', required: true }]);
    const references = [...JSON.stringify(body).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target);
    expect(new Set(references)).toEqual(new Set(['#/components/schemas/Error']));
  });

  test('the page for people has every path and loads nothing', async () => {
    const { text, headers } = await bench.get('/docs', {}, { key: null });
    expect(headers.get('content-type')).toStartWith('text/html');
    for (const { path } of cases) expect(text).toContain(path);
    expect(text).not.toMatch(/<script|src=|@import|url\(|https?:/);
  });
});
