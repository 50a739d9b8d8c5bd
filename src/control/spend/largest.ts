import type { DailyFilter } from '../../store/spend-reports.ts';
import type { Store } from '../../store/store.ts';

/**
 * The names of the keys, or entities, that spent most in these days.
 *
 * Answers that tell days and keys apart name only these: with thousands of keys they would be megabytes, and take the
 * process's time from those who ask for models.
 */
export async function largest(
  store: Store,
  days: DailyFilter,
  group: 'api_key' | 'entity',
  count: number,
): Promise<readonly string[]> {
  const sums = await store.reports.daily({ ...days, groupBy: [group], top: count });
  return sums.map((sum) => sum.group[group] ?? '');
}
