import type { JsonObject } from '../../core/json.ts';
import {
  counter,
  dollars,
  flag,
  integer,
  json,
  members,
  nano,
  optional,
  references,
  secret,
  stamp,
  sum,
  text,
  time,
  withDefault,
  words,
} from './column.ts';
import { type NewRowOf, type PatchOf, type RowOf, table } from './table.ts';

/**
 * Who may call, who pays, and what they may spend: LiteLLM's tables and column names (`litellm.md` §6.1) in lower case.
 *
 * Ours are `key_id`, which a platform's table may point at because it survives rotation, `model_aliases`, and everything
 * that ends in `_nano`: money is an integer there, and LiteLLM's column of dollars is derived from it.
 */

const audited = {
  created_at: stamp(),
  created_by: optional(text()),
  updated_at: stamp(),
  updated_by: optional(text()),
};

/** `spend` is what has been spent since the last reset by hand: the ledger's sum plus `spend_offset_nano`. */
const spending = { spend_nano: sum(), spend_offset_nano: sum(), spend: dollars('spend_nano') };

const limits = {
  max_budget_nano: optional(nano()),
  max_budget: dollars('max_budget_nano'),
  max_parallel_requests: optional(integer()),
  tpm_limit: optional(integer()),
  rpm_limit: optional(integer()),
  budget_duration: optional(text()),
  budget_reset_at: optional(time()),
  model_max_budget: members(),
};

const softBudget = { soft_budget_nano: optional(nano()), soft_budget: dollars('soft_budget_nano') };

export const budgetTable = table(
  'litellm_budgettable',
  { budget_id: text(), ...limits, ...softBudget, ...audited },
  { primaryKey: ['budget_id'] },
);

const budgetId = references(optional(text()), budgetTable.name);

export const objectPermissionTable = table(
  'litellm_objectpermissiontable',
  {
    object_permission_id: text(),
    mcp_servers: words(),
    mcp_access_groups: words(),
    mcp_tool_permissions: members(),
    vector_stores: words(),
    agents: words(),
    agent_access_groups: words(),
  },
  { primaryKey: ['object_permission_id'] },
);

export const organizationTable = table(
  'litellm_organizationtable',
  {
    organization_id: text(),
    organization_alias: text(),
    budget_id: budgetId,
    metadata: members(),
    models: words(),
    ...spending,
    model_spend: members(),
    object_permission_id: optional(text()),
    ...audited,
  },
  { primaryKey: ['organization_id'] },
);

const organizationId = references(optional(text()), organizationTable.name);

export const teamTable = table(
  'litellm_teamtable',
  {
    team_id: text(),
    team_alias: optional(text()),
    organization_id: organizationId,
    object_permission_id: optional(text()),
    admins: words(),
    members: words(),
    members_with_roles: withDefault(json<readonly JsonObject[]>(), `'[]'`),
    metadata: members(),
    ...spending,
    ...limits,
    ...softBudget,
    models: words(),
    model_aliases: members(),
    blocked: flag(),
    model_spend: members(),
    router_settings: members(),
    team_member_permissions: words(),
    access_group_ids: words(),
    policies: words(),
    allow_team_guardrail_config: flag(),
    ...audited,
  },
  { primaryKey: ['team_id'], indexes: [['organization_id']] },
);

export const userTable = table(
  'litellm_usertable',
  {
    user_id: text(),
    user_alias: optional(text()),
    user_email: optional(text()),
    user_role: optional(text()),
    team_id: optional(text()),
    sso_user_id: optional(text()),
    organization_id: organizationId,
    object_permission_id: optional(text()),
    password: secret(optional(text())),
    teams: words(),
    models: words(),
    metadata: members(),
    ...spending,
    ...limits,
    allowed_cache_controls: words(),
    policies: words(),
    model_spend: members(),
    ...audited,
  },
  { primaryKey: ['user_id'], unique: [['sso_user_id'], ['user_email']] },
);

const keyColumns = {
  token: text(),
  key_id: text(),
  key_name: optional(text()),
  key_alias: optional(text()),
  soft_budget_cooldown: flag(),
  ...spending,
  expires: optional(time()),
  models: words(),
  aliases: members(),
  config: members(),
  router_settings: members(),
  user_id: optional(text()),
  team_id: optional(text()),
  organization_id: organizationId,
  permissions: members(),
  metadata: members(),
  blocked: flag(),
  ...limits,
  allowed_cache_controls: words(),
  allowed_routes: words(),
  policies: words(),
  access_group_ids: words(),
  model_spend: members(),
  budget_id: budgetId,
  object_permission_id: optional(text()),
  rotation_count: counter(),
  auto_rotate: flag(),
  rotation_interval: optional(text()),
  last_rotation_at: optional(time()),
  key_rotation_at: optional(time()),
  ...audited,
};

export const keyTable = table('litellm_verificationtoken', keyColumns, {
  primaryKey: ['token'],
  unique: [['key_id'], ['key_alias']],
  indexes: [['user_id'], ['team_id'], ['organization_id'], ['created_at', 'token']],
});

/** Keys that were deleted, as they were; without references, so that budgets may go. */
export const deletedKeyTable = table(
  'litellm_deletedverificationtoken',
  {
    ...keyColumns,
    organization_id: optional(text()),
    budget_id: optional(text()),
    id: text(),
    deleted_at: stamp(),
    deleted_by: optional(text()),
    deleted_by_api_key: optional(text()),
  },
  { primaryKey: ['id'], indexes: [['token'], ['key_id']] },
);

/** Hashes that a rotation replaced: they work until `revoke_at`, and stay as the names of their rows in the log. */
export const deprecatedKeyTable = table(
  'litellm_deprecatedverificationtoken',
  { token: text(), key_id: text(), revoke_at: time(), created_at: stamp() },
  { primaryKey: ['token'], indexes: [['key_id'], ['revoke_at']] },
);

export const teamMembershipTable = table(
  'litellm_teammembership',
  { user_id: text(), team_id: text(), ...spending, budget_id: budgetId },
  { primaryKey: ['user_id', 'team_id'], indexes: [['team_id']] },
);

export const organizationMembershipTable = table(
  'litellm_organizationmembership',
  {
    user_id: text(),
    organization_id: references(text(), organizationTable.name),
    user_role: optional(text()),
    ...spending,
    budget_id: budgetId,
    created_at: stamp(),
    updated_at: stamp(),
  },
  { primaryKey: ['user_id', 'organization_id'], indexes: [['organization_id']] },
);

/** End customers: the `user` of request bodies. */
export const customerTable = table(
  'litellm_endusertable',
  {
    user_id: text(),
    alias: optional(text()),
    ...spending,
    allowed_model_region: optional(text<'eu' | 'us'>()),
    default_model: optional(text()),
    object_permission_id: optional(text()),
    budget_id: budgetId,
    blocked: flag(),
  },
  { primaryKey: ['user_id'] },
);

export const tagTable = table(
  'litellm_tagtable',
  {
    tag_name: text(),
    description: optional(text()),
    models: words(),
    model_info: members(),
    ...spending,
    budget_id: budgetId,
    created_at: stamp(),
    created_by: optional(text()),
    updated_at: stamp(),
  },
  { primaryKey: ['tag_name'] },
);

/** Deployments kept in the database; LiteLLM's `ProxyModelTable`. */
export const modelTable = table(
  'litellm_modeltable',
  {
    model_id: text(),
    model_name: text(),
    litellm_params: secret(json<JsonObject>()),
    model_info: members(),
    blocked: flag(),
    ...audited,
  },
  { primaryKey: ['model_id'], indexes: [['model_name']] },
);

export const credentialTable = table(
  'litellm_credentialstable',
  {
    credential_id: text(),
    credential_name: text(),
    credential_values: secret(json<JsonObject>()),
    credential_info: members(),
    ...audited,
  },
  { primaryKey: ['credential_id'], unique: [['credential_name']] },
);

export const accessGroupTable = table(
  'litellm_accessgroup',
  {
    access_group_id: text(),
    access_group_name: text(),
    description: optional(text()),
    models: words(),
    ...audited,
  },
  { primaryKey: ['access_group_id'], unique: [['access_group_name']] },
);

export const configTable = table(
  'litellm_config',
  { param_name: text(), param_value: secret(json<JsonObject>()) },
  { primaryKey: ['param_name'] },
);

export const auditTable = table(
  'litellm_auditlog',
  {
    id: text(),
    updated_at: stamp(),
    changed_by: withDefault(text(), `''`),
    changed_by_api_key: withDefault(text(), `''`),
    action: text<AuditAction>(),
    table_name: text(),
    object_id: text(),
    before_value: optional(json()),
    updated_values: optional(json()),
  },
  {
    primaryKey: ['id'],
    indexes: [
      ['updated_at', 'id'],
      ['object_id', 'updated_at'],
    ],
  },
);

/** What was done to a row, in LiteLLM's words and two more. */
export type AuditAction = 'created' | 'updated' | 'deleted' | 'blocked' | 'unblocked' | 'rotated';

export type KeyRow = RowOf<typeof keyTable>;
export type NewKey = NewRowOf<typeof keyTable>;
export type KeyPatch = PatchOf<typeof keyTable>;
export type UserRow = RowOf<typeof userTable>;
export type TeamRow = RowOf<typeof teamTable>;
export type OrganizationRow = RowOf<typeof organizationTable>;
export type CustomerRow = RowOf<typeof customerTable>;
export type BudgetRow = RowOf<typeof budgetTable>;
export type AuditRow = RowOf<typeof auditTable>;
