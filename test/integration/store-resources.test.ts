import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { epochMillis } from '../../src/core/units.ts';
import { Conflict, Unstorable } from '../../src/store/errors.ts';
import type { FeedEvent } from '../../src/store/feed.ts';
import { BadCursor } from '../../src/store/repository.ts';
import type { Store } from '../../src/store/store.ts';
import { DATABASES, nanoUsd, OPERATOR, type TestStore, testStore } from '../support/store.ts';

const HOSTILE = `'; DROP TABLE litellm_usertable; -- " \\ %_ $1 ? :a @b \u{1F600} \u202E <script> {"a":[1]} \r\n\t é`;

describe.each(DATABASES)('resources on %s', (kind) => {
  let opened: TestStore;
  let store: Store;

  beforeAll(async () => {
    opened = await testStore(kind);
    store = opened.store;
  });

  afterAll(() => opened.remove());

  const newKey = (name: string, more: object = {}) =>
    store.change(OPERATOR, ({ keys }) => keys.create({ token: `hash-${name}`, key_id: `id-${name}`, ...more }));

  test('a row is read as it was written, whatever its columns hold', async () => {
    const expires = new Date(Date.UTC(2027, 0, 2, 3, 4, 5, 678));
    const written = await newKey('types', {
      key_alias: 'types',
      models: ['gpt-4o', 'openai/*'],
      metadata: { tags: ['a'], deep: { list: [1, 2.5, null, true, 'é'] } },
      expires,
      blocked: true,
      tpm_limit: 2 ** 40,
      max_budget_nano: nanoUsd(2n ** 62n),
      spend_nano: nanoUsd(1_500_000_000),
    });
    const read = await store.read.keys.get('hash-types');
    expect(read).toEqual(written);
    expect(read).toMatchObject({
      models: ['gpt-4o', 'openai/*'],
      metadata: { tags: ['a'], deep: { list: [1, 2.5, null, true, 'é'] } },
      expires,
      blocked: true,
      tpm_limit: 2 ** 40,
      rpm_limit: null,
      max_budget_nano: 2n ** 62n,
      spend_nano: 1_500_000_000n,
      spend: 1.5,
      created_by: 'proxy_admin',
    });
    expect(read?.created_at).toBeInstanceOf(Date);
  });

  test('what is not there is null, and changes of it change nothing', async () => {
    const nothing = await store.change(OPERATOR, async ({ teams }) => [
      await teams.update('nobody', { team_alias: 'x' }),
      await teams.delete('nobody'),
    ]);
    expect([...nothing, await store.read.teams.get('nobody')]).toEqual([null, null, null]);
    expect(await store.read.audit.count({ object_id: 'nobody' })).toBe(0);
  });

  test('an update sets what it names and nothing else, and says who and when', async () => {
    await store.change(OPERATOR, ({ teams }) => teams.create({ team_id: 't1', team_alias: 'one', models: ['a'] }));
    await store.change({ id: 'alice', keyHash: 'h' }, ({ teams }) => teams.update('t1', { team_alias: 'two' }));
    expect(await store.read.teams.get('t1')).toMatchObject({
      team_alias: 'two',
      models: ['a'],
      created_by: 'proxy_admin',
      updated_by: 'alice',
    });
  });

  test('a name that must be unique is a conflict that names its column', async () => {
    await newKey('first', { key_alias: 'same' });
    const again = newKey('second', { key_alias: 'same' });
    await expect(again).rejects.toBeInstanceOf(Conflict);
    await expect(again).rejects.toMatchObject({ reason: 'duplicate', columns: ['key_alias'] });
    await expect(newKey('first')).rejects.toMatchObject({ reason: 'duplicate', table: 'litellm_verificationtoken' });
    const lost = newKey('third', { budget_id: 'not-there' });
    await expect(lost).rejects.toMatchObject({ reason: 'reference' });
  });

  test('of a transaction that fails nothing stays, no audit row and no event either', async () => {
    const events: FeedEvent[] = [];
    const stop = store.onChange((more) => void events.push(...more));
    const failing = store.change(OPERATOR, async ({ teams, budgets }) => {
      await budgets.create({ budget_id: 'lost' });
      await teams.create({ team_id: 'lost' });
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    expect(await store.read.teams.get('lost')).toBeNull();
    expect(await store.read.budgets.get('lost')).toBeNull();
    expect(await store.read.audit.count({ object_id: 'lost' })).toBe(0);
    expect(events).toEqual([]);
    stop();
  });

  test('a tenant is one transaction: budget, team and key, three audit rows, three events in order', async () => {
    const events: FeedEvent[] = [];
    const stop = store.onChange((more) => void events.push(...more));
    await store.change(OPERATOR, async ({ budgets, teams, keys }) => {
      await budgets.create({ budget_id: 'tenant', max_budget_nano: nanoUsd(5_000_000_000) });
      await teams.create({ team_id: 'tenant' });
      await keys.create({ token: 'tenant', key_id: 'tenant', team_id: 'tenant', budget_id: 'tenant' });
    });
    stop();
    expect(events).toEqual(
      ['litellm_budgettable', 'litellm_teamtable', 'litellm_verificationtoken'].map((table) => ({
        kind: 'changed',
        table,
        objectId: 'tenant',
      })),
    );
    expect(await store.read.audit.count({ object_id: 'tenant', action: 'created' })).toBe(3);
  });

  test('the audit log holds who, before and after, and no secret', async () => {
    const secret = 'sk-very-secret';
    await store.change(OPERATOR, ({ models }) =>
      models.create({ model_id: 'm1', model_name: 'gpt', litellm_params: { api_key: secret } }),
    );
    await store.change(OPERATOR, ({ models }) => models.update('m1', { litellm_params: { api_key: `${secret}-2` } }));
    await store.change(OPERATOR, ({ models }) => models.update('m1', { blocked: true }, 'blocked'));
    await store.change(OPERATOR, ({ models }) => models.delete('m1'));
    const { rows } = await store.read.audit.list({ where: { object_id: 'm1' }, sort: 'updated_at', limit: 10 });
    expect(rows.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['created', 'updated', 'blocked', 'deleted']),
    );
    expect(rows[0]).toMatchObject({ changed_by: 'proxy_admin', changed_by_api_key: 'hash-of-master-key' });
    expect(JSON.stringify(rows)).not.toContain(secret);
    expect(JSON.stringify(rows)).toContain('[redacted]');
  });

  test.each([
    ['SQL, quotes, wildcards, emoji and control characters', HOSTILE],
    ['ten thousand characters', 'x€'.repeat(5_000)],
  ])('text may hold %s, in every field', async (name, text) => {
    const id = `${name}${text}`;
    const values = {
      team_alias: text,
      models: [text],
      metadata: { [text]: text },
      budget_duration: text,
      admins: [text],
    };
    const written = await store.change(OPERATOR, ({ teams }) => teams.create({ team_id: id, ...values }));
    expect(await store.read.teams.get(id)).toEqual(written);
    expect(written).toMatchObject({ team_id: id, ...values });
    expect(await store.read.teams.count({ team_alias: text })).toBe(1);
    expect(await store.read.teams.count({ team_alias: { contains: text.slice(2, 40) } })).toBe(1);
    expect(await store.read.teams.count({ models: { has: text } })).toBe(1);
    await store.change(OPERATOR, ({ teams }) => teams.delete(id));
  });

  test.each([
    ['text', { team_id: 'a\0b' }],
    ['a list', { team_id: 'nul', models: ['a\0b'] }],
    ['the name of a member', { team_id: 'nul', metadata: { 'a\0b': 1 } }],
  ])('a NUL character in %s is refused, and says so', async (_, row) => {
    const refused = store.change(OPERATOR, ({ teams }) => teams.create(row));
    await expect(refused).rejects.toBeInstanceOf(Unstorable);
  });

  test('a backslash before u0000 is no NUL character', async () => {
    await store.change(OPERATOR, ({ tags }) => tags.create({ tag_name: '\\u0000', models: ['\\\\u0000', '\\u0000'] }));
    expect(await store.read.tags.get('\\u0000')).toMatchObject({ models: ['\\\\u0000', '\\u0000'] });
  });

  test.each([
    ['the largest amount', 2n ** 63n - 1n],
    ['the smallest amount', -(2n ** 63n)],
  ])('%s is kept to the last unit', async (name, amount) => {
    await store.change(OPERATOR, ({ budgets }) =>
      budgets.create({ budget_id: name, max_budget_nano: nanoUsd(amount) }),
    );
    expect((await store.read.budgets.get(name))?.max_budget_nano).toBe(nanoUsd(amount));
  });

  test.each([2n ** 63n, -(2n ** 63n) - 1n])('%p nano-dollars are refused', async (amount) => {
    const refused = store.change(OPERATOR, ({ budgets }) =>
      budgets.create({ budget_id: 'too-much', max_budget_nano: nanoUsd(amount) }),
    );
    await expect(refused).rejects.toBeInstanceOf(Unstorable);
  });

  describe('a list', () => {
    beforeAll(() =>
      store.change(OPERATOR, async ({ users }) => {
        for (const [index, email] of ['b', 'B', null, 'é', 'a', null, 'z', '_', 'a%b'].entries())
          await users.create({
            user_id: `list-${index}`,
            user_email: email === null ? null : `${email}@x`,
            user_role: index % 2 === 0 ? 'even' : 'odd',
            teams: index < 3 ? ['red', 'blue'] : ['red'],
            spend_nano: nanoUsd(index % 3),
            budget_reset_at: index === 4 ? null : new Date(index * 1000),
          });
      }),
    );

    const where = { user_id: { contains: 'LIST-' } };

    test.each(['user_id', 'user_email', 'spend_nano', 'budget_reset_at', 'created_at'] as const)(
      'in pages by %s gives every row once, in the same order as in one piece, both ways',
      async (sort) => {
        for (const order of ['ascending', 'descending'] as const) {
          const whole = await store.read.users.list({ where, sort, order, limit: 100 });
          expect(whole.rows.length).toBe(9);
          expect(whole.next).toBeNull();
          const pieces: string[] = [];
          let after: string | null = null;
          do {
            const page = await store.read.users.list({ where, sort, order, limit: 2, after });
            pieces.push(...page.rows.map(({ user_id }) => user_id));
            after = page.next;
          } while (after !== null);
          expect(pieces).toEqual(whole.rows.map(({ user_id }) => user_id));
        }
      },
    );

    test('sorts text by its bytes, nothing first', async () => {
      const { rows } = await store.read.users.list({ where, sort: 'user_email', limit: 100 });
      expect(rows.map(({ user_email }) => user_email)).toEqual([
        null,
        null,
        'B@x',
        '_@x',
        'a%b@x',
        'a@x',
        'b@x',
        'z@x',
        'é@x',
      ]);
    });

    test.each([
      ['a value', { user_role: 'even' }, 5],
      ['nothing', { user_email: null }, 2],
      ['anything', { user_email: { not: null } }, 7],
      ['another value', { user_email: { not: 'b@x' } }, 8],
      ['one of some', { user_id: { in: ['list-1', 'list-2', 'nobody'] } }, 2],
      ['one of none', { user_id: { in: [] } }, 0],
      ['a part, whatever its case', { user_email: { contains: 'b@X' } }, 3],
      ['a part with a wildcard in it', { user_email: { contains: 'a%b' } }, 1],
      ['a list with a word', { teams: { has: 'blue' } }, 3],
      ['a range', { budget_reset_at: { from: new Date(1000), before: new Date(3000) } }, 2],
      ['two things', { user_role: 'odd', teams: { has: 'blue' } }, 1],
    ] as const)('finds rows by %s', async (_, condition, expected) => {
      expect(await store.read.users.count({ ...where, ...condition })).toBe(expected);
    });

    test('can leave out a number of rows, and refuses a cursor of nobody', async () => {
      const { rows } = await store.read.users.list({ where, limit: 2, skip: 3 });
      expect(rows.map(({ user_id }) => user_id)).toEqual(['list-3', 'list-4']);
      for (const values of ['xyz', '[1]', '["x"]', '["x","y"]', '[{},"y"]', '[null]']) {
        const after = Buffer.from(values).toString('base64url');
        const strange = store.read.users.list({ where, sort: 'budget_reset_at', limit: 2, after });
        await expect(strange).rejects.toBeInstanceOf(BadCursor);
      }
    });
  });

  describe('a key that is rotated', () => {
    const hour = 3_600_000;

    test('keeps its id and its spend; the old hash works until the grace ends', async () => {
      await newKey('old', { spend_nano: nanoUsd(7), key_alias: 'rotating' });
      const graceUntil = new Date(Date.now() + hour);
      const rotation = { token: 'hash-new', patch: { key_alias: 'rotated' }, graceUntil };
      const events: FeedEvent[] = [];
      const stop = store.onChange((more) => void events.push(...more));
      const row = await store.change(OPERATOR, ({ keys }) => keys.rotate('hash-old', rotation));
      stop();
      expect(row).toMatchObject({ token: 'hash-new', key_id: 'id-old', spend_nano: 7n, rotation_count: 1 });
      expect(await store.read.keys.get('hash-old')).toBeNull();
      expect(await store.read.keys.findByHash('hash-old')).toEqual({ row: row!, revokedAt: graceUntil });
      expect(await store.read.keys.findByHash('hash-new')).toEqual({ row: row!, revokedAt: null });
      expect(events.map((event) => event.kind === 'changed' && event.objectId)).toEqual(['hash-old', 'hash-new']);
    });

    test('without grace, or after it, loses its old hash', async () => {
      await newKey('a');
      await store.change(OPERATOR, ({ keys }) =>
        keys.rotate('hash-a', { token: 'hash-b', patch: {}, graceUntil: null }),
      );
      const over = { token: 'hash-c', patch: {}, graceUntil: new Date(Date.now() - 1) };
      await store.change(OPERATOR, ({ keys }) => keys.rotate('hash-b', over));
      expect(await store.read.keys.findByHash('hash-a')).toBeNull();
      expect(await store.read.keys.findByHash('hash-b')).toBeNull();
      expect((await store.read.keys.findByHash('hash-c'))?.row.rotation_count).toBe(2);
    });

    test('and deleted is gone under every hash, and its row is kept', async () => {
      const row = await store.change(OPERATOR, ({ keys }) => keys.delete('hash-new'));
      expect(row?.key_alias).toBe('rotated');
      expect(await store.read.keys.findByHash('hash-old')).toBeNull();
      expect(await store.read.deletedKeys.find({ key_id: 'id-old' })).toMatchObject({
        token: 'hash-new',
        key_alias: 'rotated',
        deleted_by: 'proxy_admin',
        spend_nano: 7n,
      });
      await newKey('reuse', { key_alias: 'rotated' });
    });
  });

  test('memberships are found by both of their names', async () => {
    await store.change(OPERATOR, async ({ teamMemberships, organizations, organizationMemberships }) => {
      await teamMemberships.create({ user_id: 'u', team_id: 't' });
      await organizations.create({ organization_id: 'o', organization_alias: 'O' });
      await organizationMemberships.create({ user_id: 'u', organization_id: 'o', user_role: 'org_admin' });
    });
    expect(await store.read.teamMemberships.get(['u', 't'])).toMatchObject({ spend_nano: 0n });
    expect(await store.read.organizationMemberships.get(['u', 'o'])).toMatchObject({ user_role: 'org_admin' });
    expect((await store.read.audit.find({ object_id: '["u","t"]' }))?.action).toBe('created');
  });

  test('old audit rows go when they are asked to, and the feed goes on', async () => {
    await store.change(OPERATOR, ({ tags }) => tags.create({ tag_name: 'before' }));
    expect(await store.prune({ spendLogsBefore: null, auditBefore: epochMillis(0) })).toEqual({
      months: [],
      spendLogs: 0,
      audit: 0,
    });
    const audited = await store.read.audit.count();
    const pruned = await store.prune({ spendLogsBefore: null, auditBefore: epochMillis(Date.now() + 1_000) });
    expect(pruned.audit).toBe(audited);
    const events: FeedEvent[] = [];
    const stop = store.onChange((more) => void events.push(...more));
    await store.change(OPERATOR, ({ tags }) => tags.create({ tag_name: 'after' }));
    stop();
    expect(events).toEqual([{ kind: 'changed', table: 'litellm_tagtable', objectId: 'after' }]);
  });

  test('changes of two instances at once are all there, numbered in the order in which they are told', async () => {
    const other = await opened.another();
    const events: FeedEvent[] = [];
    const stop = store.onChange((more) => void events.push(...more));
    await store.change(OPERATOR, ({ customers }) => customers.create({ user_id: 'shared', alias: '0' }));
    const names = Array.from({ length: 30 }, (_, index) => `both-${index}`);
    await Promise.all(
      names.map((name, index) =>
        (index % 2 === 0 ? store : other).change(OPERATOR, async ({ customers }) => {
          const row = await customers.update('shared', { alias: name });
          await customers.create({ user_id: name, alias: row?.alias ?? '' });
        }),
      ),
    );
    const deadline = performance.now() + 900;
    while (events.length < 61 && performance.now() < deadline) await Bun.sleep(5);
    stop();
    expect(new Set(events.map((event) => event.kind === 'changed' && event.objectId))).toEqual(
      new Set(['shared', ...names]),
    );
    expect(events.length).toBe(61);
  });
});
