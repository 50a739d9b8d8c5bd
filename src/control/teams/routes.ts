import { z } from 'zod';
import type { Writers } from '../../store/resources/resources.ts';
import type { TeamRow } from '../../store/schema/identity.ts';
import { LONGEST_LIST } from '../budgets.ts';
import { ignoredIn } from '../fields/field.ts';
import { shown } from '../fields/shown.ts';
import { id, order, pageNumber, pageSize, texts } from '../fields/values.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { OPERATOR_ID } from '../http/caller.ts';
import { found, refused } from '../http/refused.ts';
import { configured } from '../keys/bounds.ts';
import { administersOrganization, checkOrganization } from '../organization-admins.ts';
import { numberedPage } from '../paging.ts';
import { shownSpender, shownSpending } from '../period-spend.ts';
import { administered, teamOf, unknown, visible } from './access.ts';
import { teamFields, teamInput } from './fields.ts';
import { addMembers, type MemberInput, member, memberRoutes } from './member-routes.ts';
import { shownPlaces } from './places.ts';
import { createTeam, deleteTeam, teamColumns } from './write.ts';

/** Teams and their members (litellm.md §3.6). */

const TAG = 'teams';
const ignored = ignoredIn(teamFields);
const newRoute = adminRoute({
  methods: ['POST'],
  paths: ['/team/new'],
  summary: 'Make a team, with members, models, limits and a budget.',
  tag: TAG,
  audience: 'organization',
  input: teamInput.extend({ team_id: id.nullish(), members_with_roles: z.array(member).max(500).nullish() }),
  ignored,
  async handle({ team_id, members_with_roles, ...input }, context) {
    const { store, actor, ports } = context;
    checkOrganization(context.caller, input.organization_id);
    const defaults = configured(teamInput, ports.settings().teamDefaults, 'default_team_params');
    const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value != null));
    const row = await store.change(actor, async (writers) => {
      const members = withCreator(members_with_roles ?? [], context);
      const lines = members.filter(isOperator).map(({ role }) => ({ user_id: OPERATOR_ID, user_email: null, role }));
      const wanted = { ...defaults, ...given };
      const team = await createTeam(writers, team_id ?? crypto.randomUUID(), wanted, context, lines);
      return addMembers(
        writers,
        team,
        members.filter((each) => !isOperator(each)),
        {},
        context,
      );
    });
    return shown(row);
  },
});

/** Who made a team is an admin of it, as in LiteLLM, unless the request gives him another place. */
function withCreator(members: readonly MemberInput[], { caller }: AdminContext): readonly MemberInput[] {
  const userId = caller.kind === 'admin' || caller.kind === 'user' ? caller.userId : null;
  if (userId === null || members.some(({ user_id }) => user_id === userId)) return members;
  return [...members, { role: 'admin', user_id: userId }];
}

/**
 * The operator is nobody's row, so he stands in the team's list alone: as a user with a list of all his teams he would
 * have that list written anew for each of them.
 */
const isOperator = ({ user_id }: MemberInput): boolean => user_id === OPERATOR_ID;

const updateRoute = adminRoute({
  methods: ['POST'],
  paths: ['/team/update'],
  summary: 'Change what is sent of a team.',
  tag: TAG,
  audience: 'organization',
  input: teamInput.extend({ team_id: id }),
  ignored,
  async handle({ team_id, ...input }, context) {
    if (input.organization_id !== undefined) checkOrganization(context.caller, input.organization_id);
    const row = await changeTeam(team_id, context, (writers, before) => teamColumns(writers, input, before, context));
    return { team_id, data: shown(row) };
  },
});

/** Changes a team of which the caller administers the organization. @throws Refused */
async function changeTeam(
  teamId: string,
  context: AdminContext,
  patch: (writers: Writers, before: TeamRow) => ReturnType<typeof teamColumns>,
): Promise<TeamRow> {
  return changeAnyTeam(teamId, context, (writers, before) => {
    checkOrganization(context.caller, before.organization_id);
    return patch(writers, before);
  });
}

async function changeAnyTeam(
  teamId: string,
  { store, actor }: AdminContext,
  patch: (writers: Writers, before: TeamRow) => ReturnType<typeof teamColumns>,
): Promise<TeamRow> {
  return store.change(actor, async (writers) => {
    const before = found(await writers.teams.get(teamId), unknown(teamId), 'team_id');
    return found(await writers.teams.update(teamId, await patch(writers, before)), unknown(teamId), 'team_id');
  });
}

const deleteRoute = adminRoute({
  methods: ['POST', 'DELETE'],
  paths: ['/team/delete'],
  summary: 'Delete teams and all their keys.',
  tag: TAG,
  audience: 'organization',
  input: z.object({ team_ids: z.array(id).min(1).max(500) }),
  async handle({ team_ids }, { store, actor, caller }) {
    const rows = await store.change(actor, async (writers) => {
      const gone: TeamRow[] = [];
      for (const teamId of new Set(team_ids)) {
        const team = found(await deleteTeam(writers, teamId), unknown(teamId), 'team_ids');
        checkOrganization(caller, team.organization_id);
        gone.push(team);
      }
      return gone;
    });
    return rows.map(shown);
  },
});

/** A team with its members' places, and its keys without hashes that a member could not use anyway. */
async function wholeTeam(team: TeamRow, context: AdminContext) {
  const { store } = context;
  const keys = await store.read.keys.list({ where: { team_id: team.team_id }, limit: 1000 });
  return {
    team_info: await shownSpender('team', team, context),
    keys: await shownSpending('key', keys.rows, context),
    team_memberships: await shownPlaces(store, { team_id: team.team_id }),
  };
}

const infoRoute = adminRoute({
  methods: ['GET'],
  paths: ['/team/info'],
  summary: 'Show a team, its keys and its members.',
  tag: TAG,
  audience: 'role',
  input: z.object({ team_id: id }),
  async handle({ team_id }, context) {
    const team = await visible(team_id, context);
    return { team_id, ...(await wholeTeam(team, context)) };
  },
});

/** Teams that the caller may see: all, or those he is in. */
async function visibleIds(
  userId: string | undefined,
  { caller, store }: AdminContext,
): Promise<readonly string[] | null> {
  if (caller.kind === 'admin' && userId === undefined) return null;
  if (caller.kind === 'user' && userId !== undefined && userId !== caller.userId) {
    const message = `Only admin users can query all teams/other teams. Your user_id=${caller.userId}.`;
    throw refused('team-permission', message, 'user_id');
  }
  const whose = caller.kind === 'user' ? caller.userId : caller.kind === 'admin' ? (userId ?? '') : '';
  const { rows } = await store.read.teamMemberships.list({ where: { user_id: whose }, limit: LONGEST_LIST });
  return rows.map(({ team_id }) => team_id);
}

const teamFilters = z.object({ user_id: id.optional(), organization_id: id.optional() });

async function teamWhere({ user_id, organization_id }: z.output<typeof teamFilters>, context: AdminContext) {
  const isWhole = organization_id !== undefined && administersOrganization(context.caller, organization_id);
  if (isWhole && user_id === undefined) return { organization_id };
  const only = await visibleIds(user_id, context);
  return {
    ...(only !== null && { team_id: { in: only } }),
    ...(organization_id !== undefined && { organization_id }),
  };
}

const listRoute = adminRoute({
  methods: ['GET'],
  paths: ['/team/list'],
  summary: 'List teams; a user sees those he is in.',
  tag: TAG,
  audience: 'role',
  input: teamFilters,
  async handle(input, context) {
    const where = await teamWhere(input, context);
    const { rows } = await context.store.read.teams.list({ where, limit: LONGEST_LIST });
    return shownSpending('team', rows, context);
  },
});

const pagesRoute = adminRoute({
  methods: ['GET'],
  paths: ['/v2/team/list'],
  summary: 'List teams page by page.',
  tag: TAG,
  audience: 'role',
  input: teamFilters.extend({
    page: pageNumber,
    page_size: pageSize(10, 100),
    team_id: id.optional(),
    team_alias: z.string().optional(),
    sort_by: z.enum(['team_id', 'team_alias', 'created_at']).default('created_at'),
    sort_order: order.default('asc'),
  }),
  async handle({ page, page_size, team_id, team_alias, sort_by, sort_order, ...filters }, context) {
    const visible = await teamWhere(filters, context);
    const alias = team_alias === undefined ? {} : { team_alias: { contains: team_alias } };
    const ids = visible.team_id?.in;
    const one = team_id === undefined ? {} : { team_id: ids === undefined || ids.includes(team_id) ? team_id : '' };
    const direction = sort_order === 'asc' ? 'ascending' : 'descending';
    const asked = {
      where: { ...visible, ...alias, ...one },
      sort: sort_by,
      order: direction,
      page,
      size: page_size,
    } as const;
    const found = await numberedPage(context.store.read.teams, asked);
    const teams = await shownSpending('team', found.rows, context);
    return { teams, total: found.total, page, page_size, total_pages: found.pages };
  },
});

const availableRoute = adminRoute({
  methods: ['GET'],
  paths: ['/team/available'],
  summary: 'List teams that anybody may join: none, members are added.',
  tag: TAG,
  audience: 'role',
  input: z.object({}),
  handle: () => [],
});

const blockRoute = (path: '/team/block' | '/team/unblock', summary: string) => {
  const blocked = path === '/team/block';
  return adminRoute({
    methods: ['POST'],
    paths: [path],
    summary,
    tag: TAG,
    audience: 'organization',
    input: z.object({ team_id: id }),
    async handle({ team_id }, context) {
      checkOrganization(context.caller, (await teamOf(team_id, context)).organization_id);
      const row = await context.store.change(context.actor, ({ teams }) =>
        teams.update(team_id, { blocked }, blocked ? 'blocked' : 'unblocked'),
      );
      return shown(found(row, unknown(team_id), 'team_id'));
    },
  });
};

/** Models of a team one by one. */
const modelRoute = (
  path: '/team/model/add' | '/team/model/delete',
  summary: string,
  change: (models: readonly string[], named: readonly string[]) => readonly string[],
) =>
  adminRoute({
    methods: ['POST'],
    paths: [path],
    summary,
    tag: TAG,
    audience: 'organization',
    input: z.object({ team_id: id, models: texts }),
    async handle({ team_id, models }, context) {
      const patch = async (_: Writers, before: TeamRow) => ({ models: change(before.models, models) });
      return shown(await changeTeam(team_id, context, patch));
    },
  });

/** What `team_member_permissions` may name. */
const PERMISSIONS = [
  ...['/key/generate', '/key/update', '/key/delete', '/key/regenerate', '/key/info', '/key/list'],
  ...['/key/service-account/generate'],
];

const permissionsRoute = adminRoute({
  methods: ['GET'],
  paths: ['/team/permissions_list'],
  summary: 'Show what members of a team may do with its keys.',
  tag: TAG,
  audience: 'role',
  input: z.object({ team_id: id }),
  async handle({ team_id }, context) {
    const { team_member_permissions } = await visible(team_id, context);
    return { team_id, team_member_permissions, all_available_permissions: PERMISSIONS };
  },
});

const permissionsUpdateRoute = adminRoute({
  methods: ['POST'],
  paths: ['/team/permissions_update'],
  summary: 'Say what members of a team may do with its keys.',
  tag: TAG,
  audience: 'role',
  input: z.object({ team_id: id, team_member_permissions: z.array(z.string()) }),
  async handle({ team_id, team_member_permissions }, context) {
    await administered(team_id, context);
    return shown(await changeAnyTeam(team_id, context, async () => ({ team_member_permissions })));
  },
});

export const teamRoutes = [
  newRoute,
  updateRoute,
  deleteRoute,
  infoRoute,
  listRoute,
  pagesRoute,
  availableRoute,
  ...memberRoutes,
  blockRoute('/team/block', 'Refuse all keys of a team until it is unblocked.'),
  blockRoute('/team/unblock', 'Admit the keys of a blocked team again.'),
  modelRoute('/team/model/add', 'Add models to those that a team may use.', (models, named) => [
    ...new Set([...models, ...named]),
  ]),
  modelRoute('/team/model/delete', 'Take models from those that a team may use.', (models, named) =>
    models.filter((model) => !named.includes(model)),
  ),
  permissionsRoute,
  permissionsUpdateRoute,
];
