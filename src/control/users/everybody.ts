import type { Budget } from '../../core/budget.ts';
import type { JsonObject } from '../../core/json.ts';
import { periodAt } from '../../metering/period.ts';
import type { UserRow } from '../../store/schema/identity.ts';
import { EVERYBODY } from '../directory/roster.ts';
import { shown } from '../fields/shown.ts';
import type { AdminContext } from '../http/admin-route.ts';
import { dollarsOf } from '../spend/figures.ts';

/**
 * LiteLLM's pseudo-user whose budget is that of everything together, as `/user/info` shows him: with what everything,
 * the master key's requests too, cost in the period that counts now.
 *
 * @param row that was made for him by hand: the configuration needs none
 * @returns null when everything together has no budget
 */
export async function everybody(row: UserRow | null, { store, ports, now }: AdminContext): Promise<JsonObject | null> {
  const budget = ports.directory().global;
  if (budget === null && row === null) return null;
  const bounds = budget === null ? null : periodAt(budget.period, now);
  const since = bounds?.end == null ? null : bounds.start;
  const [balance] = await store.balances([{ account: { type: 'all', id: [] }, since }]);
  return {
    ...(row === null ? { user_id: EVERYBODY, teams: [], models: [] } : shown(row)),
    spend: balance === undefined ? 0 : dollarsOf(balance.spend),
    ...(budget !== null && termsOf(budget)),
    budget_reset_at: bounds?.end == null ? null : new Date(bounds.end).toISOString(),
  };
}

function termsOf({ limit, period }: Budget): JsonObject {
  return {
    max_budget: limit === null ? null : dollarsOf(limit),
    budget_duration: period.kind === 'forever' ? null : `${period.length.count}${period.length.unit}`,
  };
}
