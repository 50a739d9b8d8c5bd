import { createHash } from 'node:crypto';
import type { JsonObject } from '../../core/json.ts';
import { usd } from '../../core/units.ts';
import type { BudgetAlert, BudgetScope } from '../../metering/budget.ts';

/** Whom an alert is about, as far as the store knows; the names of LiteLLM's webhook. */
export interface Subject {
  /** The key's hash, never the key. */
  readonly token: string | null;
  readonly key_alias: string | null;
  readonly user_id: string | null;
  readonly user_email: string | null;
  readonly team_id: string | null;
  readonly team_alias: string | null;
  readonly organization_id: string | null;
  readonly customer_id: string | null;
}

export const NOBODY: Subject = {
  token: null,
  key_alias: null,
  user_id: null,
  user_email: null,
  team_id: null,
  team_alias: null,
  organization_id: null,
  customer_id: null,
};

/** LiteLLM's `event_group`; scopes that it has none for are called as we call them. */
const GROUPS: Readonly<Record<BudgetScope, string>> = {
  key: 'key',
  model_per_key: 'key',
  team_member: 'team_member',
  user: 'internal_user',
  team: 'team',
  organization: 'organization',
  end_user: 'customer',
  tag: 'tag',
  global: 'proxy',
};

/** What people call the owner of a budget. */
const NOUNS: Readonly<Record<BudgetScope, string>> = {
  key: 'Key',
  model_per_key: 'Model of a key',
  team_member: 'Team member',
  user: 'User',
  team: 'Team',
  organization: 'Organization',
  end_user: 'Customer',
  tag: 'Tag',
  global: 'Proxy',
};

/**
 * The body of LiteLLM's webhook (litellm.md §9.3), amounts in dollars; `mark` and `period_start` are ours.
 *
 * Projections are always null: nobody here guesses.
 */
export function alertPayload(alert: BudgetAlert, subject: Subject): JsonObject {
  const { rule, mark, spent, periodStart } = alert;
  const { limit, soft } = rule.budget;
  return {
    ...subject,
    spend: Number(usd(spent)),
    max_budget: limit === null ? null : Number(usd(limit)),
    soft_budget: soft === null ? null : Number(usd(soft)),
    projected_exceeded_date: null,
    projected_spend: null,
    event_group: GROUPS[rule.scope],
    event: eventOf(mark),
    event_message: messageOf(alert),
    mark: String(mark),
    period_start: new Date(periodStart).toISOString(),
  };
}

function eventOf(mark: BudgetAlert['mark']): string {
  if (mark === 'soft') return 'soft_budget_crossed';
  return mark === 100 ? 'budget_crossed' : 'threshold_crossed';
}

function messageOf({ rule, mark, spent }: BudgetAlert): string {
  const { limit, soft } = rule.budget;
  const whose = `${NOUNS[rule.scope]} ${rule.shown}`.trim();
  if (mark === 'soft') return `${whose}: soft budget of $${usd(soft ?? spent)} crossed, $${usd(spent)} spent`;
  const words = mark === 100 ? 'budget' : `${mark} % of the budget`;
  return `${whose}: ${words} of $${usd(limit ?? spent)} crossed, $${usd(spent)} spent`;
}

/** The same for every instance that sees the same mark passed in the same period, and for no other alert. */
export function alertId({ rule, mark, periodStart }: BudgetAlert): string {
  const parts = JSON.stringify([rule.scope, rule.id, mark, periodStart]);
  return createHash('sha256').update(parts).digest('hex').slice(0, 32);
}
