import type { JsonObject } from '../../core/json.ts';
import type { Store } from '../../store/store.ts';
import { shown } from '../fields/shown.ts';

/** Most places in one answer. */
const MOST = 1000;

/** Places in teams with their budgets, as answers show them: those of a team, or those of a user. */
export async function shownPlaces(
  { read }: Store,
  where: { readonly team_id: string } | { readonly user_id: string },
): Promise<readonly JsonObject[]> {
  const places = await read.teamMemberships.list({ where, limit: MOST });
  const budgetIds = places.rows.flatMap(({ budget_id }) => (budget_id === null ? [] : [budget_id]));
  const budgets = await read.budgets.list({ where: { budget_id: { in: budgetIds } }, limit: MOST });
  const byId = new Map(budgets.rows.map((budget) => [budget.budget_id, shown(budget)]));
  return places.rows.map((place) => ({
    ...shown(place),
    litellm_budget_table: byId.get(place.budget_id ?? '') ?? null,
  }));
}
