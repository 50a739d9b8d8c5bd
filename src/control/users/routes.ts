import { z } from 'zod';
import type { Json } from '../../core/json.ts';
import type { Writers } from '../../store/resources/resources.ts';
import type { UserRow } from '../../store/schema/identity.ts';
import { LONGEST_LIST } from '../budgets.ts';
import { EVERYBODY } from '../directory/roster.ts';
import { ignoredIn } from '../fields/field.ts';
import { shown } from '../fields/shown.ts';
import { amount, flag, id, order, pageNumber, pageSize, text } from '../fields/values.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { found, Refused, refused } from '../http/refused.ts';
import { withinBounds } from '../keys/bounds.ts';
import { generateInput } from '../keys/fields.ts';
import { madeKeyAnswer, makeKey } from '../keys/make.ts';
import { numberedPage } from '../paging.ts';
import { shownSpender, shownSpending } from '../period-spend.ts';
import { addMember } from '../teams/members.ts';
import { shownPlaces } from '../teams/places.ts';
import { everybody } from './everybody.ts';
import { ROLES, type UserInput, userFields, userInput } from './fields.ts';
import { createUser, deleteUser, userColumns, withUserDefaults } from './write.ts';

/** Users (litellm.md §3.5). */

const TAG = 'users';
const ignored = ignoredIn(userFields);
const unknown = (userId: string): string => `User ${userId.slice(0, 200)} not found. GET /user/list lists the users.`;

const place = z.union([
  id.transform((team_id) => ({ team_id, max_budget_in_team: null, user_role: 'user' as const })),
  z.object({ team_id: id, max_budget_in_team: amount.nullish(), user_role: z.enum(['user', 'admin']).default('user') }),
]);

/** What of a key may be said when a user is made: what is not the user's own. */
const ofTheKey = generateInput.pick({
  key_alias: true,
  duration: true,
  aliases: true,
  config: true,
  permissions: true,
  allowed_routes: true,
  key_type: true,
});

const newInput = userInput.extend({
  ...ofTheKey.shape,
  user_id: id.nullish(),
  teams: z.array(place).max(100).nullish(),
  team_id: id.nullish(),
  organizations: z.array(id).max(100).nullish(),
  auto_create_key: flag.default(true),
});

const newRoute = adminRoute({
  methods: ['POST'],
  paths: ['/user/new'],
  summary: 'Make a user, and a key of his unless `auto_create_key` is false.',
  tag: TAG,
  audience: 'admin',
  input: newInput,
  ignored,
  async handle({ user_id, teams, team_id, organizations, auto_create_key, ...input }, context) {
    const keyPart = ofTheKey.parse(input);
    const wanted = withUserDefaults(userInput.parse(input), context);
    const userId = user_id ?? crypto.randomUUID();
    const { store, actor, ports } = context;
    const { user, made } = await store.change(actor, async (writers) => {
      await createUser(writers, userId, wanted, context);
      for (const each of placesIn(teams ?? [], team_id ?? null)) await join(writers, userId, each, context);
      for (const organization_id of new Set(organizations ?? []))
        await writers.organizationMemberships.create({ user_id: userId, organization_id, user_role: 'internal_user' });
      const key = { ...withinBounds(keyPart, ports.settings()), user_id: userId, team_id };
      const made = auto_create_key ? await makeKey(writers, key, context) : null;
      return { user: found(await writers.users.get(userId), unknown(userId)), made };
    });
    const key = made === null ? { key: '', token: null } : await madeKeyAnswer(made, context);
    return { ...key, ...shown(user), ...(made !== null && { team_id: team_id ?? null }) };
  },
});

type Place = z.output<typeof place>;

/** The team of the first key is one of his teams, said or not (LiteLLM). */
function placesIn(teams: readonly Place[], ofTheKey: string | null): readonly Place[] {
  if (ofTheKey === null || teams.some(({ team_id }) => team_id === ofTheKey)) return teams;
  return [...teams, { team_id: ofTheKey, user_role: 'user' }];
}

async function join(writers: Writers, userId: string, asked: Place, context: AdminContext) {
  const message = `Team not found, passed team_id=${asked.team_id}. Create it with /team/new.`;
  const team = found(await writers.teams.get(asked.team_id), message, 'teams');
  const member = { user_id: userId, user_email: null, role: asked.user_role };
  await addMember(writers, team, member, { max_budget: asked.max_budget_in_team }, context);
}

const infoRoute = adminRoute({
  methods: ['GET'],
  paths: ['/user/info'],
  summary: 'Show a user, his keys and his teams; an admin who names nobody sees all keys and teams.',
  tag: TAG,
  audience: 'role',
  input: z.object({ user_id: id.optional() }),
  async handle({ user_id }, context) {
    const { caller, store } = context;
    if (caller.kind === 'admin' && user_id === undefined) return everything(context);
    const own = caller.kind === 'user' ? caller.userId : null;
    const wanted = user_id ?? own;
    if (wanted === null || (caller.kind !== 'admin' && wanted !== own))
      throw refused('not-yours', 'You may only look at your own user. Leave user_id out.', 'user_id');
    const row = await store.read.users.get(wanted);
    if (wanted === EVERYBODY) {
      const user_info = found(await everybody(row, context), unknown(wanted), 'user_id');
      return { user_id: wanted, user_info, keys: [], teams: [] };
    }
    const user = found(row, unknown(wanted), 'user_id');
    const keys = await store.read.keys.list({ where: { user_id: wanted }, limit: 1000 });
    const teams = await store.read.teams.list({ where: { team_id: { in: user.teams } }, limit: 1000 });
    const places = await shownPlaces(store, { user_id: wanted });
    return {
      user_id: wanted,
      user_info: await shownSpender('user', user, context),
      keys: await shownSpending('key', keys.rows, context),
      teams: (await shownSpending('team', teams.rows, context)).map((team) => ({
        ...team,
        team_memberships: places.filter(({ team_id }) => team_id === team.team_id),
      })),
    };
  },
});

async function everything(context: AdminContext) {
  const { store } = context;
  const keys = await store.read.keys.list({ limit: LONGEST_LIST });
  const teams = await store.read.teams.list({ limit: LONGEST_LIST });
  return {
    user_id: null,
    user_info: null,
    keys: await shownSpending('key', keys.rows, context),
    teams: await shownSpending('team', teams.rows, context),
  };
}

/** Changes the user who is named by id or email, or makes him. @throws Refused when neither is there */
async function upsert(
  named: { user_id?: string | null | undefined },
  input: UserInput,
  context: AdminContext,
): Promise<UserRow> {
  const { user_id } = named;
  const { user_email } = input;
  if (user_id == null && user_email == null)
    throw refused('bad-fields', 'Whom? Send user_id or user_email.', 'user_id');
  return context.store.change(context.actor, async (writers) => {
    const before =
      user_id != null ? await writers.users.get(user_id) : await writers.users.find({ user_email: user_email ?? '' });
    if (before === null) return createUser(writers, user_id ?? crypto.randomUUID(), input, context);
    const patch = await userColumns(writers, input, before, context);
    return found(await writers.users.update(before.user_id, patch), unknown(before.user_id), 'user_id');
  });
}

const updateRoute = adminRoute({
  methods: ['POST'],
  paths: ['/user/update'],
  summary: 'Change what is sent of a user; who is not there yet is made.',
  tag: TAG,
  audience: 'admin',
  input: userInput.extend({ user_id: id.nullish() }),
  ignored,
  async handle({ user_id, ...input }, context) {
    const row = await upsert({ user_id }, input, context);
    return { user_id: row.user_id, data: shown(row) };
  },
});

const bulkRoute = adminRoute({
  methods: ['POST'],
  paths: ['/user/bulk_update'],
  summary: 'Change up to 500 users; the answer says which changes were made.',
  tag: TAG,
  audience: 'admin',
  input: z.object({
    users: z
      .array(userInput.extend({ user_id: id.nullish() }))
      .min(1)
      .max(500),
  }),
  async handle({ users }, context) {
    const results: { readonly [member: string]: Json }[] = [];
    for (const { user_id, ...input } of users) {
      const named = { user_id: user_id ?? null, user_email: input.user_email ?? null };
      try {
        const row = await upsert({ user_id }, input, context);
        results.push({ ...named, user_id: row.user_id, success: true, error: null, updated_user: shown(row) as Json });
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        results.push({ ...named, success: false, error: error.message });
      }
    }
    const successes = results.filter(({ success }) => success === true).length;
    return {
      results,
      total_requested: users.length,
      successful_updates: successes,
      failed_updates: users.length - successes,
    };
  },
});

const listRoute = adminRoute({
  methods: ['GET'],
  paths: ['/user/list', '/user/get_users'],
  summary: 'List users page by page.',
  tag: TAG,
  audience: 'admin',
  input: z.object({
    role: z.enum(Object.keys(ROLES) as [keyof typeof ROLES, ...(keyof typeof ROLES)[]]).optional(), // there are four
    user_ids: text.optional(),
    sso_user_ids: text.optional(),
    user_email: text.optional(),
    team: id.optional(),
    page: pageNumber,
    page_size: pageSize(25, 100),
    sort_by: z.enum(['user_id', 'user_email', 'user_alias', 'user_role', 'created_at', 'spend']).default('created_at'),
    sort_order: order.default('asc'),
  }),
  async handle({ role, user_ids, sso_user_ids, user_email, team, page, page_size, sort_by, sort_order }, context) {
    const { store } = context;
    const where = {
      ...(role !== undefined && { user_role: role }),
      ...(user_ids !== undefined && { user_id: { in: user_ids.split(',') } }),
      ...(sso_user_ids !== undefined && { sso_user_id: { in: sso_user_ids.split(',') } }),
      ...(user_email !== undefined && { user_email: { contains: user_email } }),
      ...(team !== undefined && { teams: { has: team } }),
    };
    const direction = sort_order === 'asc' ? 'ascending' : 'descending';
    const sort = sort_by === 'spend' ? 'spend_nano' : sort_by;
    const found = await numberedPage(store.read.users, { where, sort, order: direction, page, size: page_size });
    const rows = await shownSpending('user', found.rows, context);
    const counts = await Promise.all(found.rows.map(({ user_id }) => store.read.keys.count({ user_id })));
    const users = rows.map((row, index) => ({ ...row, key_count: counts[index] }));
    return { users, total: found.total, page, page_size, total_pages: found.pages };
  },
});

const deleteRoute = adminRoute({
  methods: ['POST', 'DELETE'],
  paths: ['/user/delete'],
  summary: 'Delete users with their keys and their places in teams; the answer is how many.',
  tag: TAG,
  audience: 'admin',
  input: z.object({ user_ids: z.array(id).min(1).max(500) }),
  async handle({ user_ids }, { store, actor }) {
    return store.change(actor, async (writers) => {
      const named = [...new Set(user_ids)];
      for (const userId of named) found(await deleteUser(writers, userId), unknown(userId), 'user_ids');
      return named.length;
    });
  },
});

const rolesRoute = adminRoute({
  methods: ['GET'],
  paths: ['/user/available_roles'],
  summary: 'List the roles that a user may have.',
  tag: TAG,
  audience: 'admin',
  input: z.object({}),
  handle: () => ROLES,
});

export const userRoutes = [newRoute, infoRoute, updateRoute, bulkRoute, listRoute, deleteRoute, rolesRoute];
