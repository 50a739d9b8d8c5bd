import type { EpochMillis } from '../../core/units.ts';
import type { BudgetRule } from '../../metering/budget.ts';
import { type PeriodBounds, periodAt } from '../../metering/period.ts';
import type { Account } from '../../store/ledger/accounts.ts';
import { type AccountPeriod, BUCKET } from '../../store/ledger/balance.ts';

/**
 * From when the store's sums count for a budget; null when it cannot say: a period that does not begin with a quarter of
 * an hour is kept by each instance alone, from its start.
 */
export function storedFrom({ budget }: BudgetRule, now: EpochMillis): EpochMillis | null {
  const { start } = periodAt(budget.period, now);
  return isStored({ start }) ? start : null;
}

/** Whether the store has sums of a period that begins so. */
export const isStored = ({ start }: Pick<PeriodBounds, 'start'>): boolean => start % BUCKET === 0;

/** What the store is asked about a budget. */
export function askedOf(rule: BudgetRule, start: EpochMillis): AccountPeriod {
  return { account: accountOf(rule), since: rule.budget.period.kind === 'forever' ? null : start };
}

/** Where the ledger adds up what a budget is charged with. */
function accountOf({ scope, id }: BudgetRule): Account {
  const words = id.split('\u0000');
  switch (scope) {
    case 'key':
      return { type: 'key', id: words };
    case 'model_per_key':
      return { type: 'model-of-key', id: words };
    case 'team_member':
      return { type: 'team-member', id: [words[1] ?? '', words[0] ?? ''] };
    case 'user':
      return { type: 'user-alone', id: words };
    case 'team':
      return { type: 'team', id: words };
    case 'organization':
      return { type: 'organization', id: words };
    case 'end_user':
      return { type: 'customer', id: words };
    case 'tag':
      return { type: 'tag', id: words };
    case 'global':
      return { type: 'all', id: [] };
  }
}
