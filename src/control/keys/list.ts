import { z } from 'zod';
import type { KeyRow, TeamRow } from '../../store/schema/identity.ts';
import type { Where } from '../../store/where.ts';
import { shown } from '../fields/shown.ts';
import { id, order, pageNumber, pageSize, queryFlag } from '../fields/values.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { refused } from '../http/refused.ts';
import { roleIn } from '../membership.ts';
import { administersOrganization } from '../organization-admins.ts';
import { numberedPage } from '../paging.ts';
import { shownSpending } from '../period-spend.ts';
import { isTeamAdmin } from './rights.ts';

/** Columns that `sort_by` may name. */
const SORTS = [
  ...(['created_at', 'updated_at', 'key_alias', 'key_name', 'expires', 'user_id', 'team_id', 'token'] as const),
  ...(['spend', 'max_budget', 'rpm_limit', 'tpm_limit'] as const),
] as const;
/** Sums are sorted as whole numbers. */
const SORT_COLUMNS: Readonly<Record<string, keyof KeyRow & string>> = {
  spend: 'spend_nano',
  max_budget: 'max_budget_nano',
};

const listInput = z.object({
  page: pageNumber,
  size: pageSize(10, 100),
  user_id: id.optional(),
  team_id: id.optional(),
  organization_id: id.optional(),
  key_hash: id.optional(),
  key_id: id.optional(),
  key_alias: id.optional(),
  return_full_object: queryFlag.default(false),
  include_team_keys: queryFlag.default(false),
  include_created_by_keys: queryFlag.default(false),
  sort_by: z.enum(SORTS).default('created_at'),
  sort_order: order.default('desc'),
  expand: z.array(z.enum(['user'])).default([]),
  status: z.enum(['deleted']).optional(),
});

type ListInput = z.output<typeof listInput>;

export const listRoute = adminRoute({
  methods: ['GET'],
  paths: ['/key/list'],
  summary: 'List keys, by hash or whole; never their text.',
  tag: 'keys',
  audience: 'role',
  input: listInput,
  async handle(input, context) {
    const where = (await visibleKeys(input, context)).map((each) => ({ ...each, ...filters(input) }));
    const sort = SORT_COLUMNS[input.sort_by] ?? (input.sort_by as keyof KeyRow & string); // others are columns' names
    const direction = input.sort_order === 'asc' ? 'ascending' : 'descending';
    const asked = { where, sort, order: direction, page: input.page, size: input.size } as const;
    const { keys, deletedKeys } = context.store.read;
    const { rows, total, page, pages } =
      input.status === 'deleted' ? await numberedPage(deletedKeys, asked) : await numberedPage(keys, asked);
    const shownRows = input.return_full_object ? await whole(rows, input, context) : rows.map(({ token }) => token);
    return { keys: shownRows, total_count: total, current_page: page, total_pages: pages };
  },
});

export const aliasesRoute = adminRoute({
  methods: ['GET'],
  paths: ['/key/aliases'],
  summary: 'List the aliases of all keys, page by page.',
  tag: 'keys',
  audience: 'admin',
  input: z.object({ page: pageNumber, size: pageSize(1000, 5000), search: z.string().optional() }),
  async handle({ page, size, search }, { store }) {
    const where = search === undefined ? { key_alias: { not: null } } : { key_alias: { contains: search } };
    const found = await numberedPage(store.read.keys, { where, sort: 'key_alias', page, size });
    const aliases = found.rows.map(({ key_alias }) => key_alias);
    return { aliases, total_count: found.total, current_page: page, total_pages: found.pages };
  },
});

type KeyWhere = Where<KeyRow>;

function filters({ organization_id, key_hash, key_id, key_alias }: ListInput): KeyWhere {
  return {
    ...(organization_id !== undefined && { organization_id }),
    ...(key_hash !== undefined && { token: key_hash }),
    ...(key_id !== undefined && { key_id }),
    ...(key_alias !== undefined && { key_alias }),
  };
}

/** Any of these: an admin sees what he asks for, a user his own and what he administers, a key itself. */
async function visibleKeys(input: ListInput, context: AdminContext): Promise<readonly KeyWhere[]> {
  const { caller } = context;
  const asked: KeyWhere = { ...of('user_id', input.user_id), ...of('team_id', input.team_id) };
  if (caller.kind === 'admin') {
    if (input.user_id === undefined) return [asked];
    return [asked, ...(await around(input.user_id, input, context))];
  }
  if (caller.kind !== 'user') return [{ ...asked, key_id: caller.kind === 'key' ? caller.key.id : '' }];
  if (input.user_id !== undefined && input.user_id !== caller.userId)
    throw refused('not-yours', 'You are not authorized to check keys of other users. Leave user_id out.', 'user_id');
  if (input.team_id !== undefined && (await administered(caller.userId, [input.team_id], context)).length > 0)
    return [asked];
  if (input.organization_id !== undefined && administersOrganization(caller, input.organization_id))
    return [{ ...asked, organization_id: input.organization_id }];
  return [{ ...asked, user_id: caller.userId }, ...(await around(caller.userId, input, context))];
}

const of = (name: 'user_id' | 'team_id', value: string | undefined): KeyWhere =>
  value === undefined ? {} : { [name]: value };

/** Keys of the teams that the user administers, and keys that he made for others, where they are asked for. */
async function around(userId: string, input: ListInput, context: AdminContext): Promise<readonly KeyWhere[]> {
  const user = input.include_team_keys ? await context.store.read.users.get(userId) : null;
  const teams = await administered(userId, user?.teams ?? [], context);
  const inTeam = of('team_id', input.team_id);
  return [
    ...(teams.length > 0 && input.team_id === undefined ? [{ team_id: { in: teams } }] : []),
    ...(input.include_created_by_keys ? [{ ...inTeam, created_by: userId }] : []),
  ];
}

async function administered(userId: string, teamIds: readonly string[], { store, caller }: AdminContext) {
  if (teamIds.length === 0) return [];
  const { rows } = await store.read.teams.list({ where: { team_id: { in: teamIds } }, limit: 1000 });
  // An admin of the gateway asks for somebody else.
  const isAdmin = (team: TeamRow) =>
    roleIn(team, userId) === 'admin' || (caller.kind === 'user' && isTeamAdmin(caller, team));
  return rows.filter(isAdmin).map(({ team_id }) => team_id);
}

/** A key that is there, or one that was deleted. */
type SpendingKey = Pick<KeyRow, 'key_id' | 'user_id' | 'budget_duration' | 'created_at'>;

/** The rows, with the user of each where that is asked for. */
async function whole(rows: readonly SpendingKey[], { expand }: ListInput, context: AdminContext) {
  const { store } = context;
  const keys = await shownSpending('key', rows, context);
  if (!expand.includes('user')) return keys;
  const owners = rows.flatMap(({ user_id }) => (user_id === null ? [] : [user_id]));
  const users = await store.read.users.list({ where: { user_id: { in: owners } }, limit: 100 });
  const byId = new Map(users.rows.map((user) => [user.user_id, shown(user)]));
  return keys.map((key, index) => ({ ...key, user: byId.get(rows[index]?.user_id ?? '') ?? null }));
}
