import { type GatewayError, gatewayError } from '../core/errors.ts';
import { type EpochMillis, epochMillis, type Millis, minus, usd } from '../core/units.ts';
import type { BudgetRefusal, BudgetRule } from '../metering/budget.ts';
import type { LimitRefusal } from '../metering/rate-limit.ts';

/** The same moment on both clocks. */
export interface Moment {
  readonly now: Millis;
  readonly wall: EpochMillis;
}

/** LiteLLM's 429 for a limit (litellm.md §4.2), with when it is worth to come back. */
export function limitError({ rule, limit, allowed, used, reset }: LimitRefusal, { now, wall }: Moment): GatewayError {
  const wait = minus(reset, now);
  const resetAt = epochMillis(wall + wait);
  const remaining = Math.max(0, allowed - used);
  return gatewayError(
    'rate-limited',
    `Rate limit exceeded for ${rule.scope}: ${rule.shown}. Limit type: ${limit}. Current limit: ${allowed}, ` +
      `Remaining: ${remaining}. Limit resets at: ${utc(resetAt)}`,
    {
      retryAfter: wait,
      headers: [
        ['rate_limit_type', limit],
        ['reset_at', String(Math.ceil(resetAt / 1000))],
      ],
    },
  );
}

/**
 * LiteLLM's words for a budget that is spent, and ours for one that running requests hold.
 *
 * No `retry-after`: clients of LiteLLM would wait for weeks, and what a running request frees nobody knows.
 */
export function budgetError(refusal: BudgetRefusal): GatewayError {
  if (refusal.kind === 'unknown') {
    const message = `The spend of ${nameOf(refusal.rule)} is not known yet (fail_closed_budget_enforcement is on). Try again soon.`;
    return gatewayError('spend-unknown', message);
  }
  const { rule, spent, reserved, limit, wanted, resets } = refusal;
  const isSpent = spent >= limit;
  const held = isSpent
    ? ''
    : ` This request may cost up to ${usd(wanted)} and running ones hold ${usd(reserved)}: send a smaller max_tokens, or try again when they have ended.`;
  const until = resets === null ? '' : ` It begins anew at ${utc(resets)}.`;
  return gatewayError('budget-exceeded', `${exceeded(rule, usd(spent), usd(limit))}.${held}${until}`);
}

function exceeded(rule: BudgetRule, spent: string, limit: string): string {
  switch (rule.scope) {
    case 'key':
      return `Budget has been exceeded! Current cost: ${spent}, Max budget: ${limit}`;
    case 'team':
    case 'team_member':
    case 'organization':
    case 'tag':
    case 'global':
      return `Budget has been exceeded! ${nameOf(rule)} Current cost: ${spent}, Max budget: ${limit}`;
    case 'user':
    case 'end_user':
      return `ExceededBudget: ${nameOf(rule)} over budget. Spend=${spent}, Budget=${limit}`;
    case 'model_per_key':
      return `LiteLLM Virtual Key exceeded budget for ${nameOf(rule)}. Current cost: ${spent}, Max budget: ${limit}`;
  }
}

const OWNER = {
  key: 'Key',
  model_per_key: 'model',
  team_member: 'Team member',
  user: 'User',
  team: 'Team',
  organization: 'Organization',
  end_user: 'End User',
  tag: 'Tag',
  global: 'Global',
} as const satisfies Record<BudgetRule['scope'], string>;

function nameOf({ scope, shown }: BudgetRule): string {
  return `${OWNER[scope]}=${shown}`;
}

/** As LiteLLM prints it: `2026-01-31 09:30:00 UTC`. */
function utc(moment: EpochMillis): string {
  return `${new Date(moment).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
