import { z } from 'zod';
import { nanoUsd } from '../../core/units.ts';
import type { DailySum } from '../../store/spend-reports.ts';
import type { Store } from '../../store/store.ts';
import { id } from '../fields/values.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { askedKeys } from './asked-key.ts';
import { dayOf, daysOf, recentDays } from './dates.ts';
import { dollarsOf, tallied, tokensOf } from './figures.ts';
import { requireMasterKey } from './sight.ts';
import { ownKeys } from './standings.ts';
import { visibleDays, visibleKeyDays } from './visible-days.ts';

/** Spend of everybody together, told apart in one way each (litellm.md §3.8); without dates the last thirty days. */

const TAG = 'global spend';
const dates = { start_date: z.string().optional(), end_date: z.string().optional() };
const limitOf = (usual: number) => z.coerce.number().int().min(1).max(5000).default(usual);
/** As many as LiteLLM's report of end users gives. */
const MOST_CUSTOMERS = 100;
/** Bars in the chart of teams. */
const MOST_TEAMS = 10;

export const globalRoutes = [
  adminRoute({
    methods: ['GET'],
    paths: ['/global/spend'],
    summary: 'Show what the last thirty days cost, and the budget of everything.',
    tag: TAG,
    audience: 'admin',
    input: z.object({}),
    async handle(_, { store, ports, now }) {
      const [total] = await store.reports.daily({ subject: 'everything', ...recentDays(now), groupBy: [] });
      const limit = ports.directory().global?.limit ?? null;
      return {
        spend: dollarsOf(total?.spendNano ?? nanoUsd(0n)),
        max_budget: limit === null ? null : dollarsOf(limit),
        unpriced_requests: total?.unpriced ?? 0,
      };
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/global/spend/logs'],
    summary: 'Show what each of the last thirty days cost, of one key or of all.',
    tag: TAG,
    audience: 'role',
    input: z.object({ api_key: id.optional() }),
    handle: (input, context) => dailySpend(input.api_key, context),
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/global/spend/keys'],
    summary: 'List the keys that spent most in the last thirty days.',
    tag: TAG,
    audience: 'role',
    input: z.object({ limit: limitOf(100) }),
    handle: (input, context) => topKeys(input.limit, context),
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/global/spend/models'],
    summary: 'List the models that cost most in the last thirty days.',
    tag: TAG,
    audience: 'role',
    input: z.object({ limit: limitOf(10) }),
    async handle({ limit }, context) {
      const days = visibleDays(context, recentDays(context.now));
      const sums = await context.store.reports.daily({ ...days, groupBy: ['model'], top: limit });
      return sums.map((sum) => ({ model: sum.group.model, ...totalOf(sum), total_tokens: tokensOf(sum) }));
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/global/spend/teams'],
    summary: 'Show what each team spent on each of the last thirty days.',
    tag: TAG,
    audience: 'admin',
    input: z.object({}),
    handle: (_, context) => spendByTeam(context),
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/global/spend/tags'],
    summary: 'Show what was spent under each tag between two dates.',
    tag: TAG,
    audience: 'role',
    input: z.object({ ...dates, tags: z.string().optional() }),
    handle: (input, context) => spendByTag(input, context),
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/global/spend/provider'],
    summary: 'Show what was spent with each provider between two dates.',
    tag: TAG,
    audience: 'role',
    input: z.object(dates),
    async handle(input, context) {
      const days = visibleDays(context, daysOf(input));
      const sums = await context.store.reports.daily({ ...days, groupBy: ['custom_llm_provider'] });
      return sums
        .filter(({ group }) => group.custom_llm_provider !== '')
        .map(({ group, spendNano, unpriced }) => ({
          provider: group.custom_llm_provider,
          spend: dollarsOf(spendNano),
          unpriced_requests: unpriced,
        }));
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/global/spend/all_tag_names'],
    summary: 'List all tags that requests ever had.',
    tag: TAG,
    audience: 'admin',
    input: z.object({}),
    handle: async (_, { store }) => ({ tag_names: await store.reports.entities('tag') }),
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/global/all_end_users'],
    summary: 'List all end customers that requests ever named.',
    tag: TAG,
    audience: 'admin',
    input: z.object({}),
    handle: async (_, { store }) => ({ end_users: await store.reports.entities('customer') }),
  }),
  adminRoute({
    methods: ['POST'],
    paths: ['/global/spend/end_users'],
    summary: 'List the end customers that spent most, in whole days.',
    tag: TAG,
    audience: 'role',
    input: z.object({ api_key: id.nullish(), startTime: z.string().nullish(), endTime: z.string().nullish() }),
    handle: (input, context) => spendByCustomer(input, context),
  }),
  adminRoute({
    methods: ['POST'],
    paths: ['/global/spend/reset'],
    summary: 'Set the spend of all keys and teams to nought; the log and the days stay.',
    tag: TAG,
    audience: 'admin',
    input: z.object({}),
    async handle(_, context) {
      requireMasterKey(context);
      await resetSpend(context);
      return { message: 'Spend for all API Keys and Teams reset successfully', status: 'success' };
    },
  }),
];

const totalOf = ({ spendNano, unpriced }: DailySum) => ({
  total_spend: dollarsOf(spendNano),
  unpriced_requests: unpriced,
});

async function dailySpend(key: string | undefined, context: AdminContext) {
  const days = recentDays(context.now);
  const filter = visibleDays(context, days);
  const asked = key === undefined ? null : await askedKeys(context.store, key);
  const shownDay = ({ group, spendNano, unpriced }: DailySum) => ({
    date: group.date,
    spend: dollarsOf(spendNano),
    ...(asked !== null && { api_key: asked.length === 1 ? asked[0] : key }),
    unpriced_requests: unpriced,
  });
  if (asked === null) return (await context.store.reports.daily({ ...filter, groupBy: ['date'] })).map(shownDay);
  const ofKey = { ...visibleKeyDays(context, days), groupBy: ['date'] } as const;
  const only = { api_key: asked, ...ofKey.only };
  return (await context.store.reports.daily({ ...ofKey, only })).map(shownDay);
}

async function topKeys(limit: number, context: AdminContext) {
  const { store } = context;
  const days = visibleKeyDays(context, recentDays(context.now));
  const sums = await store.reports.daily({ ...days, groupBy: ['api_key'], top: limit });
  const names = await keyNames(
    store,
    sums.map(({ group }) => group.api_key ?? ''),
  );
  return sums.map((sum) => {
    const { key_alias, key_name } = names.get(sum.group.api_key ?? '') ?? NAMELESS;
    return { api_key: sum.group.api_key, key_alias, key_name, ...totalOf(sum) };
  });
}

interface KeyName {
  readonly key_alias: string | null;
  readonly key_name: string | null;
  readonly team_id: string | null;
}

const NAMELESS: KeyName = { key_alias: null, key_name: null, team_id: null };

/** What keys are called, by their hashes; those that were deleted too. */
export async function keyNames({ read }: Store, hashes: readonly string[]): Promise<ReadonlyMap<string, KeyName>> {
  if (hashes.length === 0) return new Map();
  const query = { where: { token: { in: hashes } }, limit: 5000 };
  const [present, deleted] = await Promise.all([read.keys.list(query), read.deletedKeys.list(query)]);
  return new Map([...deleted.rows, ...present.rows].map((row) => [row.token, row]));
}

/** What teams are called, by their ids. */
export async function teamNames({ read }: Store, ids: readonly string[]): Promise<ReadonlyMap<string, string | null>> {
  if (ids.length === 0) return new Map();
  const { rows } = await read.teams.list({ where: { team_id: { in: ids } }, limit: 5000 });
  return new Map(rows.map((row) => [row.team_id, row.team_alias]));
}

/** Spend of no team, in LiteLLM's word. */
const UNASSIGNED = 'Unassigned';

async function spendByTeam({ store, now }: AdminContext) {
  const days = recentDays(now);
  const [teams, everything] = await Promise.all([
    store.reports.daily({ subject: 'team', ...days, groupBy: ['date', 'entity'] }),
    store.reports.daily({ subject: 'everything', ...days, groupBy: ['date'] }),
  ]);
  const names = await teamNames(store, [...new Set(teams.map(({ group }) => group.entity ?? ''))]);
  const nameOf = ({ group }: DailySum) => names.get(group.entity ?? '') ?? group.entity ?? '';
  const byDay = Map.groupBy(teams, ({ group }) => group.date);
  const daily = everything.map((day) => {
    const parts = spendOf(tallied(byDay.get(day.group.date) ?? [], nameOf));
    return { date: day.group.date, parts: withRest(parts, day.spendNano) };
  });
  const totals = new Map<string, bigint>();
  for (const { parts } of daily) for (const [name, spend] of parts) totals.set(name, (totals.get(name) ?? 0n) + spend);
  const largest = [...totals].toSorted(([, a], [, b]) => (a < b ? 1 : a > b ? -1 : 0)).slice(0, MOST_TEAMS);
  const inDollars = ([name, spend]: readonly [string, bigint]) => [name, dollarsOf(nanoUsd(spend))] as const;
  return {
    daily_spend: daily.map(({ date, parts }) => ({ ...Object.fromEntries(parts.map(inDollars)), date })),
    teams: [...totals.keys()],
    total_spend_per_team: largest.map(([team_id, spend]) => ({ team_id, total_spend: dollarsOf(nanoUsd(spend)) })),
  };
}

const spendOf = (tallies: ReturnType<typeof tallied>): readonly (readonly [string, bigint])[] =>
  [...tallies].map(([name, tally]) => [name, tally.figures.spendNano] as const);

/** What of a day's spend no team has paid. */
function withRest(parts: readonly (readonly [string, bigint])[], all: bigint): readonly (readonly [string, bigint])[] {
  const rest = parts.reduce((left, [, spend]) => left - spend, all);
  return rest === 0n ? parts : [...parts, [UNASSIGNED, rest]];
}

interface TagInput {
  readonly start_date?: string | undefined;
  readonly end_date?: string | undefined;
  /** Separated by commas; `all-tags` for all. */
  readonly tags?: string | undefined;
}

async function spendByTag(input: TagInput, context: AdminContext) {
  const names = (input.tags ?? '').split(',').filter((name) => name !== '');
  const isAll = names.length === 0 || names.includes('all-tags');
  const only = { ...(await ownKeys(context)), ...(isAll ? {} : { entity: names }) };
  const sums = await context.store.reports.daily({ subject: 'tag', ...daysOf(input), only, groupBy: ['entity'] });
  const largest = sums.toSorted((a, b) => (a.spendNano < b.spendNano ? 1 : a.spendNano > b.spendNano ? -1 : 0));
  const shownTag = ({ group, spendNano, requests, unpriced }: DailySum) => ({
    name: group.entity,
    spend: dollarsOf(spendNano),
    log_count: requests,
    unpriced_requests: unpriced,
  });
  return { spend_per_tag: largest.map(shownTag) };
}

interface CustomerInput {
  readonly api_key?: string | null | undefined;
  readonly startTime?: string | null | undefined;
  readonly endTime?: string | null | undefined;
}

async function spendByCustomer({ api_key, startTime, endTime }: CustomerInput, context: AdminContext) {
  const recent = recentDays(context.now);
  const days = daysOf({ start_date: startTime ?? recent.from, end_date: endTime ?? dayOf(context.now) });
  const own = await ownKeys(context);
  const asked = api_key == null ? null : await askedKeys(context.store, api_key);
  const only = asked === null ? own : { api_key: asked.filter((key) => own.api_key?.includes(key) ?? true) };
  const query = { subject: 'customer', ...days, only, groupBy: ['entity'], top: MOST_CUSTOMERS } as const;
  return (await context.store.reports.daily(query)).map((sum) => ({
    end_user: sum.group.entity,
    total_count: sum.requests,
    ...totalOf(sum),
  }));
}

/** Rows of one change. */
const BATCH = 500;

/** Everything or nothing, page by page inside one transaction. */
function resetSpend({ store, actor }: AdminContext): Promise<void> {
  return store.change(actor, async ({ keys, teams }) => {
    const isSpent = { spend_nano: { not: nanoUsd(0n) } } as const;
    for (;;) {
      const { rows } = await keys.list({ where: isSpent, limit: BATCH });
      for (const { token } of rows) await keys.update(token, { spend_nano: nanoUsd(0n) });
      if (rows.length < BATCH) break;
    }
    for (;;) {
      const { rows } = await teams.list({ where: isSpent, limit: BATCH });
      for (const { team_id } of rows) await teams.update(team_id, { spend_nano: nanoUsd(0n) });
      if (rows.length < BATCH) break;
    }
  });
}
