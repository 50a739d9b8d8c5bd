import { type Budget, type BudgetPeriod, MARKS } from '../../core/budget.ts';
import {
  type Customer,
  type KeyOwner,
  type Limits,
  type ModelLimits,
  NO_LIMITS,
  type Organization,
  type Tag,
  type Team,
  type TeamMember,
  type User,
  type UserRole,
  type VirtualKey,
} from '../../core/identity.ts';
import { type CustomerId, customerId, keyHash, keyId, organizationId, teamId, userId } from '../../core/ids.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { type ModelAccess, modelAccess } from '../../core/model-access.ts';
import { epochMillis, type NanoUsd, nanoUsd } from '../../core/units.ts';
import { parseDuration } from '../../metering/period.ts';
import type {
  BudgetRow,
  CustomerRow,
  KeyRow,
  OrganizationRow,
  TeamRow,
  tagTable,
  teamMembershipTable,
  UserRow,
} from '../../store/schema/identity.ts';
import type { RowOf } from '../../store/schema/table.ts';

/** Rows of the store as the data plane knows them. What a row leaves empty, the budget that it points at may say. */

const FOREVER: BudgetPeriod = { kind: 'forever' };
const ALL_MODELS: ModelAccess = modelAccess([]);
/** Shared: most of a hundred thousand keys have none. */
const NONE: ReadonlyMap<string, never> = new Map<string, never>();

/** The columns of which budgets and limits are made, in whatever table. */
interface Terms {
  readonly max_budget_nano: bigint | null;
  readonly soft_budget_nano?: bigint | null;
  readonly budget_duration: string | null;
  readonly max_parallel_requests: number | null;
  readonly tpm_limit: number | null;
  readonly rpm_limit: number | null;
}

/** @param joined the row that `budget_id` names */
export function keyRecord(row: KeyRow, joined: BudgetRow | null): VirtualKey {
  const { metadata } = row;
  return {
    hash: keyHash(row.token),
    id: keyId(row.key_id),
    name: row.key_name ?? `key ${row.key_id}`,
    alias: row.key_alias,
    owner: ownerOf(row),
    organizationId: row.organization_id === null ? null : organizationId(row.organization_id),
    expiry: row.expires === null ? null : epochMillis(row.expires.getTime()),
    isBlocked: row.blocked === true,
    models: access(row.models),
    aliases: texts(row.aliases),
    allowedRoutes: row.allowed_routes,
    tags: wordsOf(metadata.tags),
    metadata,
    limits: limitsOf(row, joined),
    modelLimits: modelLimitsOf(metadata),
    budget: budgetOf(row, joined, metadata, row.created_at),
    modelBudgets: modelBudgetsOf(row.model_max_budget, joined?.model_max_budget ?? {}, row.created_at),
  };
}

function ownerOf({ team_id, user_id }: KeyRow): KeyOwner {
  const user = user_id === null ? null : userId(user_id);
  if (team_id !== null) return { kind: 'team', teamId: teamId(team_id), userId: user };
  return user === null ? { kind: 'nobody' } : { kind: 'user', userId: user };
}

export function teamRecord(row: TeamRow): Team {
  return {
    id: teamId(row.team_id),
    alias: row.team_alias,
    organizationId: row.organization_id === null ? null : organizationId(row.organization_id),
    isBlocked: row.blocked === true,
    models: access(row.models),
    aliases: texts(row.model_aliases),
    tags: wordsOf(row.metadata.tags),
    limits: limitsOf(row, null),
    modelLimits: modelLimitsOf(row.metadata),
    budget: budgetOf(row, null, row.metadata, row.created_at),
  };
}

export function userRecord(row: UserRow): User {
  return {
    id: userId(row.user_id),
    role: ROLES.find((role) => role === row.user_role) ?? 'internal_user',
    models: access(row.models),
    limits: limitsOf(row, null),
    budget: budgetOf(row, null, row.metadata, row.created_at),
  };
}

const ROLES: readonly UserRole[] = ['proxy_admin', 'proxy_admin_viewer', 'internal_user', 'internal_user_viewer'];

/** @param role as the team's own row lists it */
export function memberRecord(
  row: RowOf<typeof teamMembershipTable>,
  joined: BudgetRow | null,
  role: TeamMember['role'],
): TeamMember {
  return {
    teamId: teamId(row.team_id),
    userId: userId(row.user_id),
    role,
    limits: limitsOf(null, joined),
    budget: budgetOf(null, joined, {}, null),
  };
}

export function organizationRecord(row: OrganizationRow, joined: BudgetRow | null): Organization {
  return {
    id: organizationId(row.organization_id),
    models: access(row.models),
    limits: limitsOf(null, joined),
    modelLimits: modelLimitsOf(row.metadata),
    budget: budgetOf(null, joined, {}, row.created_at),
  };
}

export function customerRecord(row: CustomerRow, joined: BudgetRow | null): Customer {
  return {
    id: customerId(row.user_id),
    isBlocked: row.blocked === true,
    limits: limitsOf(null, joined),
    budget: budgetOf(null, joined, {}, null),
  };
}

/** A customer as the configuration has him who has no budget of his own. */
export function customerWith(
  id: CustomerId,
  known: Customer | null,
  joined: BudgetRow | null,
  budget: Budget | null,
): Customer {
  const own = known?.limits ?? NO_LIMITS;
  return {
    id,
    isBlocked: known?.isBlocked === true,
    limits: own === NO_LIMITS ? limitsOf(null, joined) : own,
    budget: budgetOf(null, joined, {}, null) ?? budget,
  };
}

/** @returns null for a tag without a budget: it is only a label */
export function tagRecord(row: RowOf<typeof tagTable>, joined: BudgetRow | null): Tag | null {
  const budget = budgetOf(null, joined, {}, row.created_at);
  return budget === null ? null : { name: row.tag_name, budget };
}

function access(listed: readonly string[]): ModelAccess {
  return listed.length === 0 ? ALL_MODELS : modelAccess(listed);
}

function limitsOf(own: Terms | null, joined: BudgetRow | null): Limits {
  const rpm = own?.rpm_limit ?? joined?.rpm_limit ?? null;
  const tpm = own?.tpm_limit ?? joined?.tpm_limit ?? null;
  const parallel = own?.max_parallel_requests ?? joined?.max_parallel_requests ?? null;
  return rpm === null && tpm === null && parallel === null ? NO_LIMITS : { rpm, tpm, parallel };
}

/** `model_rpm_limit` and `model_tpm_limit`, which LiteLLM keeps in the metadata (litellm.md §3.4). */
function modelLimitsOf(metadata: JsonObject): ModelLimits {
  const requests = numbers(metadata.model_rpm_limit);
  const tokens = numbers(metadata.model_tpm_limit);
  if (requests.size + tokens.size === 0) return NONE;
  const models = new Set([...requests.keys(), ...tokens.keys()]);
  return new Map(
    [...models].map((model) => [
      model,
      { rpm: requests.get(model) ?? null, tpm: tokens.get(model) ?? null, parallel: null },
    ]),
  );
}

/**
 * The budget of an entity: what its own row says, and of the rest what the row behind `budget_id` says.
 *
 * @returns null when neither sets a limit or a mark
 */
function budgetOf(
  own: Terms | null,
  joined: BudgetRow | null,
  metadata: JsonObject,
  madeAt: Date | null,
): Budget | null {
  const limit = own?.max_budget_nano ?? joined?.max_budget_nano ?? null;
  const soft = own?.soft_budget_nano ?? joined?.soft_budget_nano ?? null;
  if (limit === null && soft === null) return null;
  const duration = own?.budget_duration ?? joined?.budget_duration ?? null;
  return {
    limit: limit === null ? null : nanoUsd(limit),
    soft: soft === null ? null : nanoUsd(soft),
    thresholds: limit === null ? [] : MARKS,
    period: periodOf(duration, madeAt ?? joined?.created_at ?? null),
    increase: increaseOf(metadata),
  };
}

function periodOf(duration: string | null, madeAt: Date | null): BudgetPeriod {
  const length = duration === null ? null : parseDuration(duration);
  return length === null ? FOREVER : { kind: 'recurring', length, anchor: epochMillis(madeAt?.getTime() ?? 0) };
}

/** `temp_budget_increase` until `temp_budget_expiry`, dollars and ISO 8601, in the metadata as LiteLLM has them. */
function increaseOf({ temp_budget_increase: amount, temp_budget_expiry: expiry }: JsonObject): Budget['increase'] {
  const until = typeof expiry === 'string' ? Date.parse(expiry) : Number.NaN;
  if (typeof amount !== 'number' || Number.isNaN(until)) return null;
  return { amount: fromDollars(amount), until: epochMillis(until) };
}

/** `model_max_budget`: model → `{budget_limit | max_budget, time_period | budget_duration}`, dollars. */
function modelBudgetsOf(own: JsonObject, joined: JsonObject, madeAt: Date | null): ReadonlyMap<string, Budget> {
  const listed = Object.entries({ ...joined, ...own });
  if (listed.length === 0) return NONE;
  const budgets = listed.flatMap(([model, value]): [string, Budget][] => {
    if (!isObject(value)) return [];
    const limit = value.budget_limit ?? value.max_budget;
    const duration = value.time_period ?? value.budget_duration;
    if (typeof limit !== 'number') return [];
    const period = periodOf(typeof duration === 'string' ? duration : null, madeAt);
    return [[model, { limit: fromDollars(limit), soft: null, thresholds: MARKS, period, increase: null }]];
  });
  return new Map(budgets);
}

/** Dollars of a JSON number, to the nearest nano-dollar. */
const fromDollars = (dollars: number): NanoUsd => nanoUsd(BigInt(Math.round(dollars * 1e9)));

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function wordsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((word) => typeof word === 'string') : [];
}

function texts(value: JsonObject): ReadonlyMap<string, string> {
  const entries = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return entries.length === 0 ? NONE : new Map(entries);
}

function numbers(value: Json | undefined): ReadonlyMap<string, number> {
  if (!isObject(value)) return NONE;
  return new Map(Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
}
