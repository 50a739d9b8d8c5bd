import type { JsonObject } from '../core/json.ts';
import { epochMillis } from '../core/units.ts';
import { parseDuration, periodAt } from '../metering/period.ts';
import type { AccountPeriod } from '../store/ledger/balance.ts';
import { shown } from './fields/shown.ts';
import type { AdminContext } from './http/admin-route.ts';
import { dollarsOf } from './spend/figures.ts';

/** What a row needs for it; keys, teams and users have these columns. */
interface Spender {
  readonly budget_duration: string | null;
  readonly created_at: Date | null;
}

/** The column that names an account of each type. */
const NAMES = { key: 'key_id', team: 'team_id', user: 'user_id' } as const;
type SpenderType = keyof typeof NAMES;

/**
 * Rows as answers show them. `spend` of a row whose budget begins anew is that of the period that counts now, as LiteLLM's
 * is since the last reset; of all others it is what the row has, which is everything.
 */
export async function shownSpending<
  Row extends Spender & { readonly [K in (typeof NAMES)[Type]]: string },
  Type extends SpenderType,
>(
  type: Type,
  rows: readonly Row[],
  { store, now }: Pick<AdminContext, 'store' | 'now'>,
): Promise<readonly JsonObject[]> {
  const asked = rows.map((row) => periodOf(type, row[NAMES[type]], row, now));
  const balances = await store.balances(asked.filter((each) => each !== null));
  let next = 0;
  return rows.map((row, index) => {
    const balance = asked[index] === null ? undefined : balances[next++];
    return balance === undefined ? shown(row) : { ...shown(row), spend: dollarsOf(balance.spend) };
  });
}

/** The account and the start of its period; null where nothing begins anew. */
function periodOf(type: SpenderType, id: string, row: Spender, now: AdminContext['now']): AccountPeriod | null {
  const length = row.budget_duration === null ? null : parseDuration(row.budget_duration);
  if (length === null) return null;
  const anchor = epochMillis(row.created_at?.getTime() ?? 0);
  const { start } = periodAt({ kind: 'recurring', length, anchor }, now);
  return { account: { type, id: [id] }, since: start };
}

/** The same of one row. */
export async function shownSpender<
  Row extends Spender & { readonly [K in (typeof NAMES)[Type]]: string },
  Type extends SpenderType,
>(type: Type, row: Row, context: Pick<AdminContext, 'store' | 'now'>): Promise<JsonObject> {
  const [only] = await shownSpending(type, [row], context);
  return only ?? shown(row);
}
