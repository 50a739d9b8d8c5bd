import type { DailyFilter, DailyGroup, DailySum } from '../../store/spend-reports.ts';
import type { AdminContext } from '../http/admin-route.ts';
import { dayOf, daysBetween, daysOf } from './dates.ts';
import { dollarsOf } from './figures.ts';

/** Keys, and users, that a summary names: those that spent most. What others spent is in the day's own sum. */
const MOST_NAMED = 200;

/** Whose spend is summed up. */
interface Only {
  readonly user?: string;
  /** Hashes of one key. */
  readonly api_key?: readonly string[];
}

/** One day of `/spend/logs`: its spend, the same by user and by model, and, beside them, by the hash of each key. */
type DayOfSpend = Record<string, unknown> & { readonly startTime: string };

interface DateFields {
  readonly start_date?: string | undefined;
  readonly end_date?: string | undefined;
}

/** Days with spend, then those after the last one with nothing, as LiteLLM fills them in; never beyond today. */
export async function summary(
  fields: DateFields,
  only: Only,
  { store, now }: AdminContext,
): Promise<readonly DayOfSpend[]> {
  const days = daysOf(fields);
  const query: DailyFilter = {
    subject: 'user',
    ...days,
    only: {
      ...(only.user !== undefined && { entity: [only.user] }),
      ...(only.api_key !== undefined && { api_key: only.api_key }),
    },
  };
  // Without a key or a user the smallest table knows the rest.
  const all: DailyFilter = Object.keys(only).length === 0 ? { subject: 'everything', ...days } : query;
  const by = (...groupBy: readonly DailyGroup[]) => store.reports.daily({ ...all, groupBy: ['date', ...groupBy] });
  const byLargest = (group: 'api_key' | 'entity') =>
    store.reports.daily({ ...query, groupBy: ['date', group], largest: { group, count: MOST_NAMED } });
  const [totals, keys, users, models] = await Promise.all([
    by(),
    byLargest('api_key'),
    byLargest('entity'),
    by('model'),
  ]);
  const keysOf = Map.groupBy(keys, dateOf);
  const usersOf = Map.groupBy(users, dateOf);
  const modelsOf = Map.groupBy(models, dateOf);
  const found = totals.map((total) => ({
    ...spendBy('api_key', keysOf.get(dateOf(total))),
    startTime: dateOf(total),
    spend: dollarsOf(total.spendNano),
    users: spendBy('entity', usersOf.get(dateOf(total))),
    models: spendBy('model', modelsOf.get(dateOf(total))),
    unpriced_requests: total.unpriced,
  }));
  return [...found, ...emptyDays(found.at(-1)?.startTime, days.until, dayOf(now))];
}

const dateOf = ({ group }: DailySum): string => group.date ?? '';

const spendBy = (part: DailyGroup, sums: readonly DailySum[] = []): Readonly<Record<string, number>> =>
  Object.fromEntries(sums.map(({ group, spendNano }) => [group[part] ?? '', dollarsOf(spendNano)]));

function emptyDays(last: string | undefined, until: string, today: string): readonly DayOfSpend[] {
  if (last === undefined) return [];
  const missing = daysBetween(last, until < today ? until : today).slice(1);
  return missing.map((startTime) => ({ startTime, spend: 0, users: {}, models: {} }));
}
