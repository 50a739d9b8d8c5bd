import { counter, json, optional, stamp, text, time } from './column.ts';
import { type RowOf, table } from './table.ts';

/**
 * Alerts about budgets: one row for a mark of a budget in a period, whichever instance saw it first, for ever.
 *
 * The id is made of those three, so that a second row cannot be written. `next_try_at` is when somebody may try to
 * deliver it, and nothing once it was delivered or given up.
 */
export const budgetAlertTable = table(
  'litellm_budgetalerts',
  {
    alert_id: text(),
    account_type: text(),
    account_id: text(),
    mark: text(),
    period_start: time(),
    payload: json(),
    tries: counter(),
    next_try_at: optional(time()),
    delivered_at: optional(time()),
    last_failure: optional(text()),
    created_at: stamp(),
  },
  { primaryKey: ['alert_id'], indexes: [['next_try_at']] },
);

export type BudgetAlertRow = RowOf<typeof budgetAlertTable>;
