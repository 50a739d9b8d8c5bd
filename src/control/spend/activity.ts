import { z } from 'zod';
import type { DayOfLimits } from '../../store/spend-logs.ts';
import type { DailyGroup, DailySum } from '../../store/spend-reports.ts';
import { id } from '../fields/values.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { type Days, dayLabel, daysOf, stretchOf } from './dates.ts';
import { Tally, tokensOf } from './figures.ts';
import { keyNames } from './global.ts';
import { visibleDays, visibleKeyDays } from './visible-days.ts';

/** Requests, tokens and failures of each day, as the charts of LiteLLM's dashboard ask for them (litellm.md §3.8). */

const TAG = 'spend';
const dates = z.object({ start_date: z.string().optional(), end_date: z.string().optional() });
const ofModel = dates.extend({ model_group: id });
/** As many models as LiteLLM shows. */
const MOST_MODELS = 10;
/** And as many places where providers were called. */
const MOST_PLACES = 10;
/** Keys whose use of the cache is told: those that spent most. */
const MOST_KEYS = 100;

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
  adminRoute({
    methods: ['GET'],
    paths: ['/global/activity/exceptions'],
    summary: 'Count on each day the requests for a model that ended because its provider limited the rate (429).',
    tag: TAG,
    audience: 'admin',
    input: ofModel,
    handle: async (input, context) => exceptions(await rateLimited(input, context)),
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/global/activity/exceptions/deployment'],
    summary: 'Count the same by where the provider was called, those that limited most.',
    tag: TAG,
    audience: 'admin',
    input: ofModel,
    async handle(input, context) {
      const byPlace = Map.groupBy(await rateLimited(input, context), ({ apiBase }) => apiBase);
      return [...byPlace]
        .map(([api_base, days]) => {
          const { daily_data, ...sums } = exceptions(days);
          return { api_base, daily_data: daily_data.map((day) => ({ api_base, ...day })), ...sums };
        })
        .toSorted((a, b) => b.sum_num_rate_limit_exceptions - a.sum_num_rate_limit_exceptions)
        .slice(0, MOST_PLACES);
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/global/activity/cache_hits'],
    summary: 'Count the requests of each key, endpoint and model, and of them those that the response cache answered.',
    tag: TAG,
    audience: 'role',
    input: dates,
    handle: (input, context) => cacheHits(daysOf(input), context),
  }),
];

function rateLimited(input: z.output<typeof ofModel>, { store }: AdminContext): Promise<readonly DayOfLimits[]> {
  return store.logs.limited({ ...stretchOf(input), requestedModel: input.model_group });
}

/** Days with their refusals, wherever they came from. */
function exceptions(limits: readonly DayOfLimits[]) {
  const byDay = Map.groupBy(limits, ({ date }) => date);
  const daily = [...byDay].map(([day, some]) => ({
    date: dayLabel(day),
    // Ours: the label has no year.
    day,
    num_rate_limit_exceptions: some.reduce((sum, each) => sum + each.requests, 0),
  }));
  return {
    daily_data: daily,
    sum_num_rate_limit_exceptions: daily.reduce((sum, each) => sum + each.num_rate_limit_exceptions, 0),
  };
}

/** A key without an alias, in LiteLLM's words. */
const UNNAMED = 'Unnamed Key';

async function cacheHits(days: Days, context: AdminContext) {
  const { store } = context;
  const query = { ...visibleKeyDays(context, days), largest: { group: 'api_key', count: MOST_KEYS } } as const;
  const found = await store.reports.daily({ ...query, groupBy: ['api_key', 'endpoint', 'model'] });
  const names = await keyNames(store, [...new Set(found.map(({ group }) => group.api_key ?? ''))]);
  const aliasOf = ({ group }: DailySum) => names.get(group.api_key ?? '')?.key_alias ?? UNNAMED;
  const byAlias = Map.groupBy(found, (sum) => JSON.stringify([aliasOf(sum), sum.group.endpoint, sum.group.model]));
  return [...byAlias.values()].map((some) => {
    const [first] = some as [DailySum, ...DailySum[]]; // a group has a member
    return {
      ...{ api_key: aliasOf(first), call_type: first.group.endpoint, model: first.group.model },
      total_rows: some.reduce((sum, { requests }) => sum + requests, 0),
      // There is no response cache, so every row of the log says `cache_hit: False`.
      ...{ cache_hit_true_rows: 0, cached_completion_tokens: 0 },
      generated_completion_tokens: some.reduce((sum, { completionTokens }) => sum + completionTokens, 0),
    };
  });
}

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
