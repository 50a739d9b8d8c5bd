import { z } from 'zod';
import type { DailyFilter, DailySum } from '../../store/spend-reports.ts';
import { id } from '../fields/values.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { refused } from '../http/refused.ts';
import { askedKeys } from './asked-key.ts';
import { daysOf } from './dates.ts';
import { dollarsOf, Tally, tallied, tokensOf } from './figures.ts';
import { teamNames } from './global.ts';

/**
 * `/global/spend/report`: by day for teams or customers, or in all for keys, with each model and key (litellm.md §3.8).
 *
 * Sums are exact; who spent little, and what cost little beneath them, is not listed where there are many.
 */

/** Teams or customers of one report: those that spent most. */
const MOST_ENTITIES = 100;
/** Keys of one report. */
const MOST_KEYS = 500;
/** Models and keys beneath the teams or customers of one report. */
const MOST_DETAILS = 2000;

const fields = z.object({
  start_date: z.string().optional(),
  end_date: z.string().optional(),
  group_by: z.enum(['team', 'customer', 'api_key']).default('team'),
  api_key: id.optional(),
  internal_user_id: id.optional(),
  team_id: id.optional(),
  customer_id: id.optional(),
});

type Input = z.output<typeof fields>;

export const reportRoutes = [
  adminRoute({
    methods: ['GET'],
    paths: ['/global/spend/report'],
    summary: 'Show what teams, customers or keys spent between two dates, with their models and keys.',
    tag: 'global spend',
    audience: 'admin',
    input: fields,
    handle: (input, context) => report(input, context),
  }),
];

async function report(input: Input, context: AdminContext) {
  const days = daysOf(input);
  if (input.api_key !== undefined)
    return byKey(
      { subject: 'user', ...days, only: { api_key: await askedKeys(context.store, input.api_key) } },
      context,
    );
  if (input.internal_user_id !== undefined)
    return byKey({ subject: 'user', ...days, only: { entity: [input.internal_user_id] } }, context);
  if (input.team_id !== undefined && input.customer_id !== undefined) throw noPairs();
  if (input.group_by === 'api_key') return byKey({ subject: 'user', ...days }, context);
  if (input.group_by === 'customer')
    return byDay({ subject: 'customer', ...days, ...only(input.customer_id) }, context);
  return byDay({ subject: 'team', ...days, ...only(input.team_id) }, context);
}

const only = (entity: string | undefined) => (entity === undefined ? {} : { only: { entity: [entity] } });

function noPairs() {
  const message =
    'team_id and customer_id together are in no daily table. Ask for one of them, or list the rows with ' +
    'GET /spend/logs/v2?team_id=…&end_user=….';
  return refused('bad-fields', message, 'customer_id');
}

/** The keys that spent most, with all their models. */
async function byKey(filter: DailyFilter, { store }: AdminContext) {
  const largest = { group: 'api_key', count: MOST_KEYS } as const;
  const sums = await store.reports.daily({ ...filter, groupBy: ['api_key', 'model'], largest });
  const keys = [...Map.groupBy(sums, ({ group }) => group.api_key)].map(([api_key, models]) => {
    const total = new Tally();
    for (const model of models) total.add(model);
    return { api_key, total: total.figures, models };
  });
  return keys
    .toSorted((a, b) => (a.total.spendNano < b.total.spendNano ? 1 : a.total.spendNano > b.total.spendNano ? -1 : 0))
    .map(({ api_key, total, models }) => ({
      api_key,
      ...costs(total),
      model_details: models.map((sum) => ({ model: sum.group.model, ...costs(sum) })),
    }));
}

const costs = (sum: Omit<DailySum, 'group'>) => ({
  total_cost: dollarsOf(sum.spendNano),
  total_input_tokens: sum.promptTokens,
  total_output_tokens: sum.completionTokens,
  unpriced_requests: sum.unpriced,
});

/** Days with their teams or customers. */
async function byDay(filter: DailyFilter & { readonly subject: 'team' | 'customer' }, { store }: AdminContext) {
  const largest = { group: 'entity', count: MOST_ENTITIES } as const;
  const sums = await store.reports.daily({ ...filter, groupBy: ['date', 'entity'], largest });
  // Only of those that are listed: an index finds their rows.
  const only = { ...filter.only, entity: entitiesOf(sums) };
  const details = await store.reports.dearest({ ...filter, only }, MOST_DETAILS);
  const aliases = filter.subject === 'team' ? await teamNames(store, entitiesOf(sums)) : new Map<string, string>();
  const nameOf = ({ group }: DailySum): string => aliases.get(group.entity ?? '') ?? group.entity ?? '';
  const detailsOf = Map.groupBy(details, (sum) => `${sum.group.date} ${nameOf(sum)}`);
  const words = filter.subject === 'team' ? TEAM_WORDS : CUSTOMER_WORDS;
  const days = Map.groupBy(sums, ({ group }) => group.date);
  return [...days].map(([day, parts]) => ({
    group_by_day: day,
    [words.list]: [...tallied(parts, nameOf)].map(([name, tally]) => ({
      [words.name]: name,
      total_spend: dollarsOf(tally.figures.spendNano),
      unpriced_requests: tally.figures.unpriced,
      metadata: (detailsOf.get(`${day} ${name}`) ?? []).map(detail),
    })),
  }));
}

const TEAM_WORDS = { list: 'teams', name: 'team_name' };
const CUSTOMER_WORDS = { list: 'customers', name: 'customer' };

const entitiesOf = (sums: readonly DailySum[]): readonly string[] => [
  ...new Set(sums.map(({ group }) => group.entity ?? '')),
];

const detail = (sum: DailySum) => ({
  model: sum.group.model,
  api_key: sum.group.api_key,
  spend: dollarsOf(sum.spendNano),
  total_tokens: tokensOf(sum),
});
