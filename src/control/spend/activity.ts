import { z } from 'zod';
import type { DailyGroup, DailySum } from '../../store/spend-reports.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { type Days, dayLabel, daysOf } from './dates.ts';
import { Tally, tokensOf } from './figures.ts';
import { visibleDays } from './visible-days.ts';

/** Requests and tokens of each day, as the charts of LiteLLM's dashboard ask for them. */

const TAG = 'spend';
const dates = z.object({ start_date: z.string().optional(), end_date: z.string().optional() });
/** As many models as LiteLLM shows. */
const MOST_MODELS = 10;

export const activityRoutes = [
  adminRoute({
    methods: ['GET'],
    paths: ['/global/activity'],
    summary: 'Count requests and tokens of each day.',
    tag: TAG,
    audience: 'role',
    input: dates,
    async handle(input, context) {
      return activity(await sums(daysOf(input), ['date'], context));
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/global/activity/model'],
    summary: 'Count requests and tokens of each day for the models that were asked for most.',
    tag: TAG,
    audience: 'role',
    input: dates,
    async handle(input, context) {
      const byModel = Map.groupBy(
        await sums(daysOf(input), ['date', 'model_group'], context),
        ({ group }) => group.model_group ?? '',
      );
      return [...byModel]
        .map(([model, days]) => ({ model, ...activity(days) }))
        .toSorted((a, b) => b.sum_api_requests - a.sum_api_requests)
        .slice(0, MOST_MODELS);
    },
  }),
];

function sums(days: Days, groupBy: readonly DailyGroup[], context: AdminContext): Promise<readonly DailySum[]> {
  return context.store.reports.daily({ ...visibleDays(context, days), groupBy });
}

function activity(days: readonly DailySum[]) {
  const total = new Tally();
  for (const day of days) total.add(day);
  return {
    daily_data: days.map((day) => ({
      date: dayLabel(day.group.date ?? ''),
      // Ours: the label has no year.
      day: day.group.date,
      api_requests: day.requests,
      total_tokens: tokensOf(day),
    })),
    sum_api_requests: total.figures.requests,
    sum_total_tokens: tokensOf(total.figures),
  };
}
