import type { Json, JsonObject } from '../../core/json.ts';
import { epochMillis } from '../../core/units.ts';
import { parseDuration, periodAt } from '../../metering/period.ts';
import type { RowOf, Table } from '../../store/schema/table.ts';

/** A row as answers show it: LiteLLM's columns, times as ISO 8601, money in dollars; no secrets, no columns of ours for sums. */
export function shown(row: RowOf<Table> | Readonly<Record<string, unknown>>): JsonObject {
  const entries = Object.entries(row).filter(([name]) => !name.endsWith('_nano') && !SECRETS.has(name));
  return Object.fromEntries(
    entries.map(([name, value]) => {
      const current = name === 'budget_reset_at' ? nextReset(row, value) : value;
      return [name, current instanceof Date ? current.toISOString() : current];
    }),
  ) as {
    [name: string]: Json; // column values are JSON but for times and sums
  };
}

/**
 * When the budget begins anew, as it is now: nothing writes the column when a period ends, since the clock alone says
 * which one counts.
 */
function nextReset({ budget_duration, created_at }: Readonly<Record<string, unknown>>, stored: unknown): unknown {
  const now = Date.now();
  if (!(stored instanceof Date) || stored.getTime() > now || typeof budget_duration !== 'string') return stored;
  const length = parseDuration(budget_duration);
  if (length === null) return stored;
  const anchor = epochMillis(created_at instanceof Date ? created_at.getTime() : 0);
  const { end } = periodAt({ kind: 'recurring', length, anchor }, epochMillis(now));
  return end === null ? stored : new Date(end);
}

/** Columns that no answer has. */
const SECRETS: ReadonlySet<string> = new Set(['password', 'litellm_params', 'credential_values', 'param_value']);
