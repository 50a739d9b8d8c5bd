import type { Json, JsonObject } from '../../core/json.ts';
import type { RowOf, Table } from '../../store/schema/table.ts';

/** A row as answers show it: LiteLLM's columns, times as ISO 8601, money in dollars; no secrets, no columns of ours for sums. */
export function shown(row: RowOf<Table> | Readonly<Record<string, unknown>>): JsonObject {
  const entries = Object.entries(row).filter(([name]) => !name.endsWith('_nano') && !SECRETS.has(name));
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value instanceof Date ? value.toISOString() : value]),
  ) as {
    [name: string]: Json; // column values are JSON but for times and sums
  };
}

/** Columns that no answer has. */
const SECRETS: ReadonlySet<string> = new Set(['password', 'litellm_params', 'credential_values', 'param_value']);
