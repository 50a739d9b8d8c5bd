import type { Budget } from '../core/budget.ts';
import type { Customer, Directory, Limits, VirtualKey } from '../core/identity.ts';
import type { Payer } from '../core/payer.ts';
import type { Owners } from '../metering/authorize.ts';
import type { BudgetRule, BudgetScope } from '../metering/budget.ts';
import type { LimitRule, LimitScope } from '../metering/rate-limit.ts';

/**
 * The limits that a request of these owners falls under.
 *
 * @param models names of the model: those under which limits of single models may be set
 */
export function limitRules(owners: Owners, models: readonly string[]): readonly LimitRule[] {
  const { key, team, member, user, organization, customer } = owners;
  const rules: LimitRule[] = [];
  const add = (scope: LimitScope, id: string, shown: string, limits: Limits): void => {
    if (limits.rpm === null && limits.tpm === null && limits.parallel === null) return;
    rules.push({ scope, id, shown, limits });
  };
  const addModel = (scope: LimitScope, id: string, shown: string, table: ReadonlyMap<string, Limits>): void => {
    const name = nameIn(table, models);
    if (name !== null) add(scope, pair(id, name), `${shown}:${name}`, table.get(name) as Limits); // just found there
  };
  add('api_key', key.id, key.name, key.limits);
  if (user !== null) add('user', user.id, user.id, user.limits);
  if (team !== null) add('team', team.id, team.id, team.limits);
  if (member !== null) {
    const { teamId, userId } = member;
    add('team_member', pair(teamId, userId), `${teamId}:${userId}`, member.limits);
  }
  if (customer !== null) add('end_user', customer.id, customer.id, customer.limits);
  addModel('model_per_key', key.id, key.name, key.modelLimits);
  if (team !== null) addModel('model_per_team', team.id, team.id, team.modelLimits);
  if (organization !== null) {
    add('organization', organization.id, organization.id, organization.limits);
    addModel('model_per_organization', organization.id, organization.id, organization.modelLimits);
  }
  return rules;
}

/** The limits that a key has for single models, each with the model's name: for metrics. */
export function modelLimitRules(key: VirtualKey): readonly (LimitRule & { readonly model: string })[] {
  return [...key.modelLimits].map(([model, limits]) => {
    return { scope: 'model_per_key', id: pair(key.id, model), shown: `${key.name}:${model}`, limits, model };
  });
}

/**
 * The budgets that a request of these owners is charged to, in LiteLLM's order (litellm.md §5.3).
 *
 * @param models names of the model: those under which budgets of single models may be set
 * @param tags of the request; those of key and team join them
 */
export function budgetRules(
  owners: Owners,
  models: readonly string[],
  tags: readonly string[],
  directory: Directory,
): readonly BudgetRule[] {
  const { key, team, member, user, organization, customer } = owners;
  const rules: BudgetRule[] = [];
  const add = (scope: BudgetScope, id: string, shown: string, budget: Budget | null): void => {
    if (budget !== null) rules.push({ scope, id, shown, budget });
  };
  if (member !== null) {
    const { teamId, userId } = member;
    add('team_member', pair(teamId, userId), `${teamId}:${userId}`, member.budget);
  }
  add('key', key.id, key.name, key.budget);
  const model = nameIn(key.modelBudgets, models);
  if (model !== null) add('model_per_key', pair(key.id, model), model, key.modelBudgets.get(model) ?? null);
  if (team !== null) add('team', team.id, team.id, team.budget);
  if (organization !== null) add('organization', organization.id, organization.id, organization.budget);
  for (const name of tagsOf(owners, tags)) add('tag', name, name, directory.tag(name)?.budget ?? null);
  if (user !== null && key.owner.kind === 'user') add('user', user.id, user.id, user.budget);
  if (customer !== null) add('end_user', customer.id, customer.id, customer.budget);
  add('global', 'global', 'proxy', directory.global);
  return rules;
}

/** The tags of a request, its key and its team, each once: one that is twice in a chain would be charged twice. */
export function tagsOf({ key, team }: Owners, tags: readonly string[]): readonly string[] {
  const ofTeam = team?.tags ?? NO_TAGS;
  return key.tags.length + ofTeam.length === 0 && tags.length < 2
    ? tags
    : [...new Set([...key.tags, ...ofTeam, ...tags])];
}

const NO_TAGS: readonly string[] = [];

/** Limits of the customer for whom the operator asks; nothing else limits him. */
export function customerLimits(customer: Customer): readonly LimitRule[] {
  const { limits, id } = customer;
  if (limits.rpm === null && limits.tpm === null && limits.parallel === null) return [];
  return [{ scope: 'end_user', id, shown: id, limits }];
}

/** The budget of the same. */
export function customerBudgets({ id, budget }: Customer): readonly BudgetRule[] {
  return budget === null ? [] : [{ scope: 'end_user', id, shown: id, budget }];
}

/**
 * Who pays, for the ledger.
 *
 * @param chain of budgets that the request is charged to
 */
export function payerOf(
  { key, team, organization }: Owners,
  customerId: string | null,
  chain: readonly BudgetRule[],
): Payer {
  const { owner } = key;
  return {
    keyHash: key.hash,
    keyId: key.id,
    keyAlias: key.alias,
    keyModel: chain.find(({ scope }) => scope === 'model_per_key')?.shown ?? null,
    userId: owner.kind === 'nobody' ? null : owner.userId,
    teamId: team?.id ?? null,
    organizationId: organization?.id ?? null,
    customerId,
  };
}

/** The name by which the table knows the model. Counters go by it, so that no other name of the model has its own. */
function nameIn(table: ReadonlyMap<string, unknown>, models: readonly string[]): string | null {
  if (table.size === 0) return null;
  return models.find((name) => table.has(name)) ?? null;
}

/** Ids may hold any character that people type. */
const pair = (one: string, other: string): string => `${one}\u0000${other}`;
