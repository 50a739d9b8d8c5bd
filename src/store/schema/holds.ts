import { boolean, nano, text, time } from './column.ts';
import { table } from './table.ts';

/** The type of the row that says that an instance is alive; no account has it. */
export const ALIVE = 'instance';

/**
 * What each instance holds of each budget in use: what its running requests may cost, what it spent and has not written
 * yet, and something to spare. After `expires_at` a row counts no longer.
 *
 * An instance that is alive has a row of the type `ALIVE`, which holds nothing.
 */
export const budgetHoldTable = table(
  'litellm_budgetholds',
  {
    account_type: text(),
    account_id: text(),
    instance: text(),
    held_nano: nano(),
    is_wanting: boolean(),
    is_short: boolean(),
    expires_at: time(),
  },
  { primaryKey: ['account_type', 'account_id', 'instance'], indexes: [['instance']] },
);
