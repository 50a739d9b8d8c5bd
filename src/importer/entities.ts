import { createHash } from 'node:crypto';
import { isObject, type JsonObject } from '../core/json.ts';
import type {
  budgetTable,
  customerTable,
  keyTable,
  objectPermissionTable,
  organizationMembershipTable,
  organizationTable,
  tagTable,
  teamMembershipTable,
  teamTable,
  userTable,
} from '../store/schema/identity.ts';
import type { NewRowOf, Table } from '../store/schema/table.ts';
import type { Columns } from './columns.ts';

/*
 * LiteLLM's rows as ours, column by column (litellm.md §6.1). What a column of ours does not take over is named in
 * docs/guides/import-from-litellm.md.
 */

type Row<T extends Table> = NewRowOf<T>;

const limits = (row: Columns) => ({
  max_budget_nano: row.money('max_budget'),
  max_parallel_requests: row.integer('max_parallel_requests'),
  tpm_limit: row.integer('tpm_limit'),
  rpm_limit: row.integer('rpm_limit'),
  budget_duration: row.filled('budget_duration'),
  budget_reset_at: row.time('budget_reset_at'),
  model_max_budget: row.object('model_max_budget'),
});

const softBudget = (row: Columns) => ({ soft_budget_nano: row.money('soft_budget') });

const spending = (row: Columns) => ({ spend_nano: row.money('spend') ?? NOTHING });
const NOTHING = 0n as NonNullable<ReturnType<Columns['money']>>; // a sum of nothing

/** Who and when, where LiteLLM says it; else the import itself. */
const audited = (row: Columns) => ({
  ...since(row, 'created_at'),
  ...by(row, 'created_by'),
  ...since(row, 'updated_at'),
});
const by = (row: Columns, column: string) => (row.filled(column) === null ? {} : { [column]: row.text(column) });
const since = (row: Columns, column: string) => (row.time(column) === null ? {} : { [column]: row.time(column) });

export const budgetRow = (row: Columns): Row<typeof budgetTable> => ({
  budget_id: row.name('budget_id'),
  ...limits(row),
  ...softBudget(row),
  ...audited(row),
});

export const objectPermissionRow = (row: Columns): Row<typeof objectPermissionTable> => ({
  object_permission_id: row.name('object_permission_id'),
  mcp_servers: row.words('mcp_servers'),
  mcp_access_groups: row.words('mcp_access_groups'),
  mcp_tool_permissions: row.object('mcp_tool_permissions'),
  vector_stores: row.words('vector_stores'),
  agents: row.words('agents'),
  agent_access_groups: row.words('agent_access_groups'),
});

export const organizationRow = (row: Columns): Row<typeof organizationTable> => ({
  organization_id: row.name('organization_id'),
  organization_alias: row.text('organization_alias') ?? '',
  budget_id: row.filled('budget_id'),
  metadata: row.object('metadata'),
  models: row.words('models'),
  ...spending(row),
  model_spend: row.object('model_spend'),
  object_permission_id: row.filled('object_permission_id'),
  ...audited(row),
});

/** @param aliases of the row of `LiteLLM_ModelTable` that the team points at */
export const teamRow = (row: Columns, aliases: JsonObject): Row<typeof teamTable> => ({
  team_id: row.name('team_id'),
  team_alias: row.filled('team_alias'),
  organization_id: row.filled('organization_id'),
  object_permission_id: row.filled('object_permission_id'),
  admins: row.words('admins'),
  members: row.words('members'),
  members_with_roles: membersOf(row),
  metadata: row.object('metadata'),
  ...spending(row),
  ...limits(row),
  ...softBudget(row),
  models: row.words('models'),
  model_aliases: aliases,
  blocked: row.flag('blocked'),
  model_spend: row.object('model_spend'),
  router_settings: row.object('router_settings'),
  team_member_permissions: row.words('team_member_permissions'),
  access_group_ids: row.words('access_group_ids'),
  policies: row.words('policies'),
  allow_team_guardrail_config: row.flag('allow_team_guardrail_config'),
  ...audited(row),
});

/** A list in use, `{}` by default. */
function membersOf(row: Columns): readonly JsonObject[] {
  const value = row.json('members_with_roles');
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Passwords stay behind: LiteLLM keeps some of them unsalted or in clear, and ours are of another kind. */
export const userRow = (row: Columns): Row<typeof userTable> => ({
  user_id: row.name('user_id'),
  user_alias: row.filled('user_alias'),
  user_email: row.filled('user_email'),
  user_role: row.filled('user_role'),
  team_id: row.filled('team_id'),
  sso_user_id: row.filled('sso_user_id'),
  organization_id: row.filled('organization_id'),
  object_permission_id: row.filled('object_permission_id'),
  teams: row.words('teams'),
  models: row.words('models'),
  metadata: row.object('metadata'),
  ...spending(row),
  ...limits(row),
  allowed_cache_controls: row.words('allowed_cache_controls'),
  policies: row.words('policies'),
  model_spend: row.object('model_spend'),
  ...audited(row),
});

const HASH = /^[0-9a-f]{64}$/;

/** Whether a token is a hash; LiteLLM's oldest versions kept some keys in clear. */
export const isHash = (token: string): boolean => HASH.test(token);

export const keyRow = (row: Columns): Row<typeof keyTable> => ({
  token: row.name('token'),
  key_id: keyIdOf(row.name('token')),
  key_name: row.filled('key_name'),
  key_alias: row.filled('key_alias'),
  soft_budget_cooldown: row.flag('soft_budget_cooldown'),
  ...spending(row),
  expires: row.time('expires'),
  models: row.words('models'),
  aliases: row.object('aliases'),
  config: row.object('config'),
  router_settings: row.object('router_settings'),
  user_id: row.filled('user_id'),
  team_id: row.filled('team_id'),
  organization_id: row.filled('organization_id'),
  permissions: row.object('permissions'),
  metadata: row.object('metadata'),
  blocked: row.flag('blocked'),
  ...limits(row),
  allowed_cache_controls: row.words('allowed_cache_controls'),
  allowed_routes: row.words('allowed_routes'),
  policies: row.words('policies'),
  access_group_ids: row.words('access_group_ids'),
  model_spend: row.object('model_spend'),
  budget_id: row.filled('budget_id'),
  object_permission_id: row.filled('object_permission_id'),
  rotation_count: row.integer('rotation_count') ?? 0,
  auto_rotate: row.flag('auto_rotate'),
  rotation_interval: row.filled('rotation_interval'),
  last_rotation_at: row.time('last_rotation_at'),
  key_rotation_at: row.time('key_rotation_at'),
  ...audited(row),
});

/** The same id each time a key is imported, wherever: a platform's table may point at it before the switch. */
export function keyIdOf(hash: string): string {
  const hex = createHash('sha256').update(`tollgate key ${hash}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

export const teamMembershipRow = (row: Columns): Row<typeof teamMembershipTable> => ({
  user_id: row.name('user_id'),
  team_id: row.name('team_id'),
  ...spending(row),
  budget_id: row.filled('budget_id'),
});

export const organizationMembershipRow = (row: Columns): Row<typeof organizationMembershipTable> => ({
  user_id: row.name('user_id'),
  organization_id: row.name('organization_id'),
  user_role: row.filled('user_role'),
  ...spending(row),
  budget_id: row.filled('budget_id'),
  ...since(row, 'created_at'),
  ...since(row, 'updated_at'),
});

export const customerRow = (row: Columns): Row<typeof customerTable> => ({
  user_id: row.name('user_id'),
  alias: row.filled('alias'),
  ...spending(row),
  allowed_model_region: regionOf(row),
  default_model: row.filled('default_model'),
  budget_id: row.filled('budget_id'),
  object_permission_id: row.filled('object_permission_id'),
  blocked: row.flag('blocked'),
});

function regionOf(row: Columns): 'eu' | 'us' | null {
  const region = row.text('allowed_model_region');
  return region === 'eu' || region === 'us' ? region : null;
}

export const tagRow = (row: Columns): Row<typeof tagTable> => ({
  tag_name: row.name('tag_name'),
  description: row.filled('description'),
  models: row.words('models'),
  model_info: row.object('model_info'),
  ...spending(row),
  budget_id: row.filled('budget_id'),
  ...since(row, 'created_at'),
  ...by(row, 'created_by'),
  ...since(row, 'updated_at'),
});
